/*
 * test_tonic - phasic and tonic parts against scipy
 * (tests/golden/make_tonic.py), and cvxEDA above 25 Hz.
 */
#include "signal/tonic.h"

#include <stdlib.h>

#include "base/err.h"
#include "eda_signal.h"
#include "tap.h"

/* Most samples of a test signal. */
#define MAX_SAMPLES 6000

/* A recording and its parts. */
static double x[MAX_SAMPLES], phasic[MAX_SAMPLES], tonic[MAX_SAMPLES];

/* NeuroKit2's settings, which are the defaults. */
static struct config_features conf = {.eda_highpass_hz = 0.05,
                                      .eda_highpass_order = 2,
                                      .eda_cvxeda_tau_slow_s = 2,
                                      .eda_cvxeda_tau_fast_s = 0.7,
                                      .eda_cvxeda_knot_s = 10,
                                      .eda_cvxeda_alpha = 8e-4,
                                      .eda_cvxeda_gamma = 1e-2};

/* Compares one recording with the rows that follow in f. */
static void check_case(FILE *f, struct tonic *t, const char *name, size_t n,
                       double rate_hz)
{
    double r, l, worst = 0;
    struct err err;
    int rows = 0;
    size_t i;

    conf.eda_decomposition = strcmp(name, "median") == 0
                                 ? CONFIG_DECOMPOSITION_MEDIAN
                                 : CONFIG_DECOMPOSITION_HIGHPASS;
    eda_burst(x, n, rate_hz);
    if (tonic_split(t, &conf, x, n, rate_hz, 0, 1, phasic, tonic, &err))
        worst = INFINITY;
    while (fscanf(f, " at %zu %lf %lf", &i, &r, &l) == 3) {
        worst = fmax(worst, fabs(phasic[i] - r));
        worst = fmax(worst, fabs(tonic[i] - l));
        rows++;
    }
    tap_ok(rows > 10 && worst < 1e-9, "%s, %zu samples at %g Hz: within "
           "%.1e of scipy", name, n, rate_hz, worst);
}

/* All golden recordings. */
static void test_golden(struct tonic *t)
{
    FILE *f = fopen("tests/golden/tonic.txt", "r");
    double rate_hz;
    int cases = 0;
    char name[16];
    size_t n;

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %15s %zu %lf", name, &n, &rate_hz) == 3) {
        check_case(f, t, name, n, rate_hz);
        cases++;
    }
    tap_ok(cases == 4, "4 recordings were read");
    fclose(f);
}

/* Medians of windows that are cut at both ends, and wider than the signal. */
static void test_median(void)
{
    static const double y[5] = {5, 1, 4, 2, 3};
    double out[5], work[9];

    tonic_median(y, 5, 3, work, out);
    tap_ok(out[0] == 3 && out[1] == 4 && out[2] == 2 && out[3] == 3 &&
               out[4] == 2.5, "windows of 3");
    tonic_median(y, 5, 9, work, out);
    tap_ok(out[0] == 3 && out[2] == 3 && out[4] == 3, "windows of all");
    tonic_median(y, 1, 3, work, out);
    tap_ok(out[0] == 5, "one sample");
}

/* Largest difference of the parts at two rates, at the samples of the 2nd. */
static double difference(struct tonic *t, double high_hz, double low_hz)
{
    static double first[MAX_SAMPLES];
    size_t stride = (size_t)(high_hz / low_hz), n = 3000, i;
    double worst = 0;
    struct err err;

    eda_burst_clean(x, n, high_hz);
    if (tonic_split(t, &conf, x, n, high_hz, 5, 0.3, phasic, tonic, &err))
        return INFINITY;
    for (i = 0; i < n; i++)
        first[i] = phasic[i];
    eda_burst_clean(x, n / stride, low_hz);
    if (tonic_split(t, &conf, x, n / stride, low_hz, 5, 0.3, phasic, tonic,
                    &err))
        return INFINITY;
    for (i = 0; i < n / stride; i++)
        worst = fmax(worst, fabs(first[i * stride] - phasic[i]));
    return worst;
}

/* cvxEDA at any rate, and of a constant. */
static void test_cvxeda(struct tonic *t)
{
    double worst, rest = 0;
    struct err err = {0};
    size_t i, n;

    conf.eda_decomposition = CONFIG_DECOMPOSITION_CVXEDA;
    worst = difference(t, 50, 25);
    tap_ok(worst < 0.02, "50 Hz is like 25 Hz: within %.1e", worst);
    eda_burst(x, 3000, 50);
    tap_ok(!tonic_split(t, &conf, x, 3000, 50, 5, 0.3, phasic, tonic, &err),
           "a minute at 50 Hz %s", err.text);
    for (i = 0; i < 3000; i++)
        rest = fmax(rest, fabs(x[i] - phasic[i] - tonic[i]));
    tap_ok(rest < 0.1, "both parts are the signal but for %.1e", rest);
    for (i = 0; i < 100; i++)
        x[i] = 7;
    tap_ok(!tonic_split(t, &conf, x, 100, 4, 7, 0, phasic, tonic, &err) &&
               phasic[50] == 0 && tonic[50] == 7, "a constant is tonic");
    tap_ok(!tonic_min(&conf, 50, &n, &err) && n == 2 * CVXEDA_MIN_SAMPLES,
           "fewest samples at 50 Hz");
}

/* A cutoff that the rate does not allow. */
static void test_rate(void)
{
    struct err err = {0};
    size_t n;

    conf.eda_decomposition = CONFIG_DECOMPOSITION_HIGHPASS;
    tap_ok(tonic_min(&conf, 0.1, &n, &err) && err.status == ERR_DATA,
           "a rate too low: %s", err.text);
    tap_ok(!tonic_min(&conf, 4, &n, &err) && n == 10,
           "fewest samples for the filters");
}

int main(void)
{
    struct tonic t = {0};

    test_golden(&t);
    test_median();
    test_cvxeda(&t);
    test_rate();
    tonic_release(&t);
    return tap_done();
}
