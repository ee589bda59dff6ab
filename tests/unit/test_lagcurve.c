/*
 * test_lagcurve - the mean r by lag of signals that are late by a known time.
 */
#include "eval/lagcurve.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "tap.h"

/* Frames of a recording. */
#define N_FRAMES 200

/* Frames by which predictions are late. */
#define LATE 7

/* Recordings of the tests, and what they are made from. */
struct world {
    struct pairs pairs;                  /* the recordings below */
    struct infer infer;                  /* the predictions below */
    struct pairs_recording recordings[3]; /* their descriptions */
    float eda[3][N_FRAMES]; /* signals */
    uint8_t valid[3][N_FRAMES]; /* masks */
    float pred[3][N_FRAMES]; /* predictions */
    float *lines[3];                     /* to pred */
};

/* Noise as EDA, the same late as prediction, at 10 frames a second. */
static void make(struct world *w)
{
    struct rng r;
    size_t i, t;

    *w = (struct world){.pairs = {.recordings = w->recordings,
                                  .n_recordings = 3, .rate_num = 10,
                                  .rate_den = 1},
                        .infer = {.pred = w->lines}};
    for (i = 0; i < 3; i++) {
        rng_init(&r, 7, RNG_BOOTSTRAP, (uint32_t)i, 0);
        for (t = 0; t < N_FRAMES; t++) {
            w->eda[i][t] = (float)rng_uniform(&r);
            w->valid[i][t] = 1;
        }
        for (t = 0; t < N_FRAMES; t++)
            w->pred[i][t] = t < LATE ? 0.5f : 2 * w->eda[i][t - LATE];
        w->recordings[i] = (struct pairs_recording){
            .eda = w->eda[i], .valid = w->valid[i], .T = N_FRAMES};
        w->lines[i] = w->pred[i];
    }
}

/* Index of the largest mean. */
static size_t peak(const struct lagcurve *c)
{
    size_t best = 0, k;

    for (k = 1; k < c->n; k++) {
        if (c->mean[k] > c->mean[best])
            best = k;
    }
    return best;
}

/* The curve's axis, its peak, and that threads change nothing. */
static void test_late(struct world *w)
{
    struct lagcurve one, three;
    struct err err;
    bool same = true;
    size_t k;

    make(w);
    if (!tap_ok(!lagcurve_init(&one, &w->pairs, &w->infer, 1, &err) &&
                    !lagcurve_init(&three, &w->pairs, &w->infer, 3, &err),
                "computes a curve"))
        return;
    tap_ok(one.n == 101 && one.first_s == -5 && one.step_s == 0.1,
           "lags of -5 to 5 s, a frame apart");
    tap_ok(peak(&one) == 50 + LATE, "a late prediction peaks at its lag");
    tap_ok(fabs(one.mean[50 + LATE] - 1) < 1e-6, "with the r of a copy");
    tap_ok(fabs(one.mean[50]) < 0.2, "and little of it without a shift");
    for (k = 0; k < one.n; k++)
        same = same && one.mean[k] == three.mean[k];
    tap_ok(same, "the same with three threads");
    lagcurve_release(&one);
    lagcurve_release(&three);
}

/* A constant prediction has no r; what is not valid does not count. */
static void test_undefined(struct world *w)
{
    struct lagcurve c;
    struct err err;
    size_t i, t;

    make(w);
    for (i = 0; i < 3; i++) {
        for (t = 0; t < N_FRAMES; t++)
            w->pred[i][t] = i ? 1 : w->pred[i][t];
        w->valid[0][10 * i] = 0;
        w->eda[0][10 * i] = NAN;
    }
    if (!tap_ok(!lagcurve_init(&c, &w->pairs, &w->infer, 1, &err),
                "computes a curve with constant predictions"))
        return;
    tap_ok(peak(&c) == 50 + LATE && c.mean[50 + LATE] > 0.9,
           "it is that of the recording that has an r");
    lagcurve_release(&c);
    for (t = 0; t < N_FRAMES; t++)
        w->pred[0][t] = 1;
    if (lagcurve_init(&c, &w->pairs, &w->infer, 1, &err))
        return;
    tap_ok(isnan(c.mean[0]) && isnan(c.mean[50]),
           "none has an r: undefined");
    lagcurve_release(&c);
}

int main(void)
{
    static struct world w;

    test_late(&w);
    test_undefined(&w);
    return tap_done();
}
