/*
 * test_cvxeda - the decomposition against cvxopt's general solver
 * (tests/golden/make_cvxeda.py), and what must hold for any signal.
 */
#include "signal/cvxeda.h"

#include <stdlib.h>

#include "base/err.h"
#include "eda_signal.h"
#include "tap.h"

/* Most samples of a test signal. */
#define MAX_SAMPLES 20000

/* The paper's constants. */
static const struct cvxeda_model paper = CVXEDA_MODEL_INIT;

/* Signal and results. */
static double x[MAX_SAMPLES], phasic[MAX_SAMPLES], tonic[MAX_SAMPLES];

/* Scales n samples of x to mean 0 and variance 1. */
static void zscore(size_t n)
{
    double sum = 0, squares = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += x[i] / (double)n;
    for (i = 0; i < n; i++)
        squares += (x[i] - sum) * (x[i] - sum) / (double)n;
    for (i = 0; i < n; i++)
        x[i] = (x[i] - sum) / sqrt(squares);
}

/* One golden signal; its numbers follow in f. */
static void check_case(FILE *f, struct cvxeda *c,
                       const struct cvxeda_model *model, size_t n,
                       double rate_hz, double want)
{
    double value = 0, r, t, worst_r = 0, worst_t = 0;
    struct err err;
    int solved, points = 0;
    size_t i;

    eda_burst(x, n, rate_hz);
    zscore(n);
    solved = !cvxeda_solve(c, model, x, n, rate_hz, phasic, tonic, &value,
                           &err);
    while (fscanf(f, " at %zu %lf %lf", &i, &r, &t) == 3) {
        worst_r = fmax(worst_r, fabs(phasic[i] - r));
        worst_t = fmax(worst_t, fabs(tonic[i] - t));
        points++;
    }
    tap_ok(solved && points > 20 && fabs(value / want - 1) < 1e-6,
           "%zu samples at %g Hz: objective %.9g is cvxopt's but for %.1e "
           "(%zu steps)", n, rate_hz, value, value / want - 1, c->n_steps);
    tap_ok(worst_r < 1e-3 && worst_t < 1e-3,
           "phasic within %.1e, tonic within %.1e", worst_r, worst_t);
}

/* All golden signals. */
static void test_golden(struct cvxeda *c)
{
    FILE *f = fopen("tests/golden/cvxeda.txt", "r");
    struct cvxeda_model model;
    double rate_hz, want;
    int cases = 0;
    size_t n;

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %zu %lf %lf %lf %lf %lf %lf %lf", &n, &rate_hz,
                  &want, &model.slow_s, &model.fast_s, &model.knot_s,
                  &model.alpha, &model.gamma) == 8) {
        check_case(f, c, &model, n, rate_hz, want);
        cases++;
    }
    tap_ok(cases == 6, "6 signals were read");
    fclose(f);
}

/* A long recording, a short one, steps, and a constant all have an answer. */
static void test_any(struct cvxeda *c)
{
    double value, noise = 0;
    struct err err = {0};
    size_t i, n = 15000;
    int got;

    eda_burst(x, n, 25);
    zscore(n);
    got = cvxeda_solve(c, &paper, x, n, 25, phasic, tonic, &value, &err);
    for (i = 0; i < n; i++)
        noise = fmax(noise, fabs(x[i] - phasic[i] - tonic[i]));
    tap_ok(!got && noise < 0.3, "10 min at 25 Hz: %zu steps, noise under "
           "%.2g %s", c->n_steps, noise, got ? err.text : "");
    for (i = 0; i < 300; i++)
        x[i] = i / 7 % 2 ? 1 : -1;
    got = cvxeda_solve(c, &paper, x, 300, 4, phasic, tonic, &value, &err);
    tap_ok(!got, "steps: %zu steps %s", c->n_steps, got ? err.text : "");
    for (i = 0; i < 300; i++)
        x[i] = 0;
    got = cvxeda_solve(c, &paper, x, 300, 4, phasic, tonic, &value, &err);
    tap_ok(!got && fabs(phasic[9]) < 1e-3 && fabs(tonic[9]) < 1e-3,
           "zeros: %zu steps %s", c->n_steps, got ? err.text : "");
    eda_burst(x, CVXEDA_MIN_SAMPLES, 4);
    zscore(CVXEDA_MIN_SAMPLES);
    got = cvxeda_solve(c, &paper, x, CVXEDA_MIN_SAMPLES, 4, phasic, tonic,
                       &value, &err);
    tap_ok(!got, "%d samples: %zu steps %s", CVXEDA_MIN_SAMPLES, c->n_steps,
           got ? err.text : "");
    got = cvxeda_solve(c, &paper, x, CVXEDA_MIN_SAMPLES - 1, 4, phasic, tonic,
                       &value, &err);
    tap_ok(got && err.status == ERR_DATA, "fewer are an error: %s",
           err.text);
}

int main(void)
{
    struct cvxeda c = {0};

    test_golden(&c);
    test_any(&c);
    cvxeda_release(&c);
    return tap_done();
}
