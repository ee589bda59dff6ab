/*
 * test_metric - metrics against NumPy and SciPy, and their corner cases.
 */
#include "eval/metric.h"

#include <math.h>
#include <stdlib.h>

#include "tap.h"

/* Largest recording of the golden file, frames. */
#define MAX_T 64

/* Reference values: see make_metric.py beside it. */
#define GOLDEN "tests/golden/metric.txt"

/* One case of the golden file. */
struct golden {
    char name[32];            /* for messages */
    size_t T;                 /* frames */
    float p[MAX_T];           /* prediction */
    float y[MAX_T];           /* target */
    uint8_t valid[MAX_T];     /* mask */
    double want[METRIC_N];    /* reference values */
};

/* All metrics are wanted. */
static const bool all[METRIC_N] = {true, true, true, true,
                                   true, true, true, true};

/* Reads the next case. Returns 1, 0 at the end, -1 for a file gone wrong. */
static int read_case(FILE *f, struct golden *g)
{
    char name[32], text[64];
    enum metric metric;
    unsigned valid;
    size_t t, m;

    if (fscanf(f, "case %31s %zu ", g->name, &g->T) != 2)
        return feof(f) ? 0 : -1;
    if (g->T > MAX_T)
        return -1;
    for (t = 0; t < g->T; t++) {
        if (fscanf(f, "%f %f %u ", &g->p[t], &g->y[t], &valid) != 3)
            return -1;
        g->valid[t] = (uint8_t)valid;
    }
    for (m = 0; m < METRIC_N; m++) {
        if (fscanf(f, "%31s %63s ", name, text) != 2 ||
            metric_parse(name, &metric))
            return -1;
        g->want[metric] = strtod(text, NULL);
    }
    return 1;
}

/* Compares one case, 1e-12 relative. */
static void check_case(const struct golden *g)
{
    double got[METRIC_N];
    struct err err;
    size_t m;

    tap_ok(!metric_recording(g->p, g->y, g->valid, g->T, all, got, &err),
           "%s: computed", g->name);
    for (m = 0; m < METRIC_N; m++) {
        const char *name = metric_name((enum metric)m);

        if (isnan(g->want[m]))
            tap_ok(isnan(got[m]), "%s: %s is undefined", g->name, name);
        else
            tap_near(got[m], g->want[m], 1e-12 * (1 + fabs(g->want[m])),
                     name);
    }
}

/* Every case of the golden file. */
static void test_golden(void)
{
    struct golden g;
    char line[256];
    FILE *f = fopen(GOLDEN, "r");
    int got, n = 0;

    if (!tap_ok(f && fgets(line, sizeof(line), f), "%s opens", GOLDEN))
        return;
    while ((got = read_case(f, &g)) > 0) {
        check_case(&g);
        n++;
    }
    tap_ok(got == 0 && n == 6, "six cases were read");
    fclose(f);
}

/* How many of the metrics are undefined. */
static int count_undefined(const double got[METRIC_N])
{
    int m, n = 0;

    for (m = 0; m < METRIC_N; m++)
        n += isnan(got[m]);
    return n;
}

/* Without a valid or finite frame nothing is defined. */
static void test_undefined(void)
{
    const float p[3] = {1, 2, 4}, y[3] = {1, NAN, 3};
    const uint8_t none[3] = {0, 0, 0}, some[3] = {1, 0, 1},
                  every[3] = {1, 1, 1};
    double got[METRIC_N];
    struct err err;

    tap_ok(!metric_recording(p, y, none, 3, all, got, &err), "no frame");
    tap_ok(count_undefined(got) == METRIC_N, "no valid frame: all undefined");
    tap_ok(!metric_recording(p, y, every, 3, all, got, &err), "a NaN");
    tap_ok(count_undefined(got) == METRIC_N,
           "a NaN at a valid frame: all undefined");
    tap_ok(!metric_recording(p, y, some, 3, all, got, &err), "masked NaN");
    tap_near(got[METRIC_MAE], 0.5, 0, "a NaN at a masked frame is not seen");
    tap_ok(!metric_recording(NULL, NULL, NULL, 0, all, got, &err) &&
               isnan(got[METRIC_MSE]),
           "no frame at all");
}

/* Two constants have CCC 0, unwanted metrics are NaN. */
static void test_corners(void)
{
    const float p[2] = {0.1f, 0.1f};
    const uint8_t valid[2] = {1, 1};
    const bool few[METRIC_N] = {[METRIC_CCC] = true,
                                [METRIC_DTW_NORM] = true};
    double got[METRIC_N];
    struct err err;

    tap_ok(!metric_recording(p, p, valid, 2, few, got, &err), "constants");
    tap_near(got[METRIC_CCC], 0, 0, "CCC of equal constants is 0");
    tap_near(got[METRIC_DTW_NORM], 0, 0, "dtw_norm without dtw");
    tap_ok(isnan(got[METRIC_DTW]) && isnan(got[METRIC_MSE]),
           "what is not wanted is not told");
}

/* Names lead back to metrics; only correlations are better when higher. */
static void test_names(void)
{
    enum metric m, back;
    int n = 0, higher = 0;

    for (m = 0; m < METRIC_N; m++) {
        n += !metric_parse(metric_name(m), &back) && back == m;
        higher += metric_higher_is_better(m);
    }
    tap_ok(n == METRIC_N, "all names parse");
    tap_ok(metric_parse("val_mse", &back) < 0, "val_mse is no name");
    tap_ok(higher == 2 && metric_higher_is_better(METRIC_CCC),
           "higher is better for pearson and ccc only");
}

/* Summaries against numpy.percentile's definition, worked by hand. */
static void test_summary(void)
{
    const double values[6] = {5, 1, NAN, 2, 4, 10};
    struct metric_summary s;
    struct err err;

    tap_ok(!metric_summarise(values, 6, &s, &err), "summary");
    tap_near(s.mean, 22 / 5.0, 1e-15, "mean");
    tap_near(s.median, 4, 0, "median");
    tap_near(s.p10, 1.4, 1e-15, "p10 interpolates");
    tap_near(s.min, 1, 0, "min");
    tap_ok(s.n == 6 && s.undefined == 1, "counts");
    tap_ok(!metric_summarise(values + 2, 1, &s, &err) && isnan(s.mean) &&
               isnan(s.min) && s.undefined == 1,
           "all undefined");
    tap_ok(!metric_summarise(values, 1, &s, &err) && s.p10 >= 5 &&
               s.p10 <= 5,
           "one value is its own p10");
}

/* Runs all tests. */
int main(void)
{
    test_golden();
    test_undefined();
    test_corners();
    test_names();
    test_summary();
    return tap_done();
}
