/*
 * test_metric - metrics against NumPy and SciPy, and their corner cases.
 */
#include "eval/metric.h"

#include <math.h>
#include <stdlib.h>

#include "tap.h"

/* Largest recording of the golden file, frames. */
#define MAX_T 240

/* Reference values: see make_metric.py beside it. */
#define GOLDEN "tests/golden/metric.txt"

/* One case of the golden file. */
struct golden {
    char name[32];            /* for messages */
    size_t T;                 /* frames */
    double rate_hz;           /* frames a second, 0: unknown */
    double us;                /* uS of 1, 0: unknown */
    float p[MAX_T];           /* prediction */
    float y[MAX_T];           /* target */
    uint8_t valid[MAX_T];     /* mask */
    double want[METRIC_N];    /* reference values */
};

/* Numbers that need neither time nor unit. */
static struct metric_input plain(const float *p, const float *y,
                                 const uint8_t *valid, size_t T)
{
    return (struct metric_input){p, y, valid, T, 0, NAN};
}

/* Reads the next case. Returns 1, 0 at the end, -1 for a file gone wrong. */
static int read_case(FILE *f, struct golden *g)
{
    char name[32], text[64];
    enum metric metric;
    unsigned valid;
    size_t t, m;

    if (fscanf(f, "case %31s %zu %lf %lf ", g->name, &g->T, &g->rate_hz,
               &g->us) != 4)
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

/* Compares one case, 1e-12 relative, 1e-9 behind a filter. */
static void check_case(const struct golden *g)
{
    struct metric_input in = {g->p, g->y, g->valid, g->T, g->rate_hz,
                              g->us > 0 ? g->us : NAN};
    double got[METRIC_N], near;
    struct err err;
    size_t m;

    tap_ok(!metric_recording(&in, NULL, got, &err), "%s: computed", g->name);
    for (m = 0; m < METRIC_N; m++) {
        const char *name = metric_name((enum metric)m);

        near = m < METRIC_HP ? 1e-12 : 1e-9;
        if (isnan(g->want[m]))
            tap_ok(isnan(got[m]), "%s: %s is undefined", g->name, name);
        else
            tap_near(got[m], g->want[m], near * (1 + fabs(g->want[m])), name);
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
    tap_ok(got == 0 && n == 8, "eight cases were read");
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
    struct metric_input in = plain(p, y, none, 3);
    double got[METRIC_N];
    struct err err;

    tap_ok(!metric_recording(&in, NULL, got, &err), "no frame");
    tap_ok(count_undefined(got) == METRIC_N, "no valid frame: all undefined");
    in.valid = every;
    tap_ok(!metric_recording(&in, NULL, got, &err), "a NaN");
    tap_ok(count_undefined(got) == METRIC_N,
           "a NaN at a valid frame: all undefined");
    in.valid = some;
    tap_ok(!metric_recording(&in, NULL, got, &err), "masked NaN");
    tap_near(got[METRIC_MAE], 0.5, 0, "a NaN at a masked frame is not seen");
    in = plain(NULL, NULL, NULL, 0);
    tap_ok(!metric_recording(&in, NULL, got, &err) &&
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
    struct metric_input in = plain(p, p, valid, 2);
    double got[METRIC_N];
    struct err err;

    tap_ok(!metric_recording(&in, few, got, &err), "constants");
    tap_near(got[METRIC_CCC], 0, 0, "CCC of equal constants is 0");
    tap_near(got[METRIC_DTW_NORM], 0, 0, "dtw_norm without dtw");
    tap_ok(isnan(got[METRIC_DTW]) && isnan(got[METRIC_MSE]),
           "what is not wanted is not told");
}

/* A delayed copy is late by the delay; the other way round it is early. */
static void test_lag(void)
{
    float a[200], b[200];
    uint8_t valid[200];
    struct metric_input in = {b, a, valid, 200, 10, NAN};
    double got[METRIC_N];
    struct err err;
    size_t t;

    for (t = 0; t < 200; t++) {
        a[t] = (float)sin(0.002 * (double)(t * t));
        b[t] = t < 13 ? 0 : a[t - 13];
        valid[t] = 1;
    }
    tap_ok(!metric_recording(&in, NULL, got, &err), "late");
    tap_near(got[METRIC_BEST_LAG_S], 1.3, 1e-15, "13 frames late at 10 Hz");
    tap_near(got[METRIC_BEST_LAG_R], 1, 1e-12, "a copy's r");
    in.p = a;
    in.y = b;
    tap_ok(!metric_recording(&in, NULL, got, &err), "early");
    tap_near(got[METRIC_BEST_LAG_S], -1.3, 1e-15, "13 frames early");
    in.rate_hz = 2;
    tap_ok(!metric_recording(&in, NULL, got, &err), "2 Hz");
    tap_ok(fabs(got[METRIC_BEST_LAG_S]) <= 5, "no lag beyond 5 s");
}

/* Responses count only where 1 is known in uS, and need a rate. */
static void test_responses(void)
{
    float x[120];
    uint8_t valid[120];
    struct metric_input in = {x, x, valid, 120, 10, 1};
    double got[METRIC_N];
    struct err err;
    size_t t;

    for (t = 0; t < 120; t++) {
        x[t] = 0.1f * (float)cos(0.2 * (double)t);
        valid[t] = 1;
    }
    tap_ok(!metric_recording(&in, NULL, got, &err), "waves");
    tap_near(got[METRIC_SCR_F1], 1, 0, "the same responses");
    in.us = 0.2;
    tap_ok(!metric_recording(&in, NULL, got, &err) &&
               isnan(got[METRIC_SCR_F1]),
           "waves of 0.04 uS are none: undefined");
    in.us = NAN;
    tap_ok(!metric_recording(&in, NULL, got, &err) &&
               isnan(got[METRIC_SCR_F1]),
           "no unit: undefined");
    in.us = 1;
    in.rate_hz = 0;
    tap_ok(!metric_recording(&in, NULL, got, &err) &&
               isnan(got[METRIC_SCR_F1]) &&
               isnan(got[METRIC_HP + METRIC_PEARSON]),
           "no rate: undefined");
}

/* A slow drift that agrees makes r, and none above 0.05 Hz. */
static void test_high_pass(void)
{
    float p[600], y[600];
    uint8_t valid[600];
    struct metric_input in = {p, y, valid, 600, 10, NAN};
    double got[METRIC_N];
    struct err err;
    size_t t;

    for (t = 0; t < 600; t++) {
        float slow = -0.01f * (float)t;

        p[t] = slow + 0.2f * (float)sin(0.2 * (double)t);
        y[t] = slow + 0.2f * (float)cos(0.2 * (double)t);
        valid[t] = 1;
    }
    tap_ok(!metric_recording(&in, NULL, got, &err), "a drift");
    tap_ok(got[METRIC_PEARSON] > 0.98, "the drift makes r");
    tap_ok(fabs(got[METRIC_HP + METRIC_PEARSON]) < 0.05,
           "above 0.05 Hz it is gone");
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
    tap_ok(higher == 12 && metric_higher_is_better(METRIC_CCC) &&
               !metric_higher_is_better(METRIC_DTW_5),
           "higher is better for correlations, shares and F1");
    tap_ok(metric_is_ordered(METRIC_MSE) &&
               !metric_is_ordered(METRIC_HP + METRIC_BEST_LAG_S),
           "a lag is neither better nor worse");
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
    test_lag();
    test_responses();
    test_high_pass();
    test_names();
    test_summary();
    return tap_done();
}
