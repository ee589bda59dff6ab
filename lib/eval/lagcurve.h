/*
 * lagcurve - r of prediction and target as one is shifted against the other,
 * averaged over recordings: does the model know when?
 */
#ifndef EVAL_LAGCURVE_H
#define EVAL_LAGCURVE_H

#include <stddef.h>

#include "base/err.h"
#include "batch/pairs.h"
#include "eval/infer.h"

/* The curve; {0} is none. */
struct lagcurve {
    size_t n;       /* lags, an odd number: the one in the middle is 0 */
    double first_s; /* the first, seconds by which the prediction is late */
    double step_s;  /* between two: one frame */
    float *mean;    /* (n) mean r over recordings, NaN: none has one; owned */
};

/*
 * Computes it over lags within METRIC_MAX_LAG_S.
 *
 * A lag counts in a recording as for best_lag_s: it leaves half of the valid
 * frames or more. Does not depend on n_threads.
 */
int lagcurve_init(struct lagcurve *c, const struct pairs *p,
                  const struct infer *model, int n_threads,
                  struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void lagcurve_release(struct lagcurve *c);

#endif
