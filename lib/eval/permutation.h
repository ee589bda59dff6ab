/*
 * permutation - does the model know which song was heard?
 *
 * Each recording is scored with the prediction for another song instead, the
 * songs of a dataset being permuted among each other, and the mean r of many
 * such permutations is compared with that of the true songs. What all songs
 * share, a trend above all, makes r in either, and so no difference.
 */
#ifndef EVAL_PERMUTATION_H
#define EVAL_PERMUTATION_H

#include <stdint.h>

#include "base/err.h"
#include "batch/pairs.h"
#include "eval/infer.h"

/* Permutations that are drawn. */
#define PERMUTATION_DRAWS 9999

/* What was found. */
struct permutation {
    double observed;  /* mean r with the true songs */
    double null_mean; /* mean over the permutations */
    double null_p95;  /* a twentieth of them lies above it */
    double p;         /* (1 + those at or above observed) / (1 + draws); NaN
                         without a dataset of two songs, or without any r */
};

/*
 * Runs the test.
 *
 * A song's prediction is that of its longest recording; r is over the valid
 * frames that it reaches, undefined ones are left out of a mean.
 * Returns 0; -1 if memory is short. Does not depend on n_threads.
 * Source: Phipson & Smyth 2010 for the 1 in p.
 */
int permutation_run(struct permutation *out, const struct pairs *p,
                    const struct infer *model, uint64_t seed, int n_threads,
                    struct err *err) NODISCARD;

#endif
