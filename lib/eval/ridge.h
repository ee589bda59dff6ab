/*
 * ridge - a linear model of the recent past of the MFCCs: the baseline that
 * says whether a network finds more than a weighted sum would.
 *
 * The first RIDGE_COEFFICIENTS coefficients at lags of 0, 1, ... RIDGE_PAST_S
 * seconds, standardised over the training frames, with an intercept. The
 * penalty is RIDGE_PENALTY times the number of training frames, on
 * standardised inputs.
 * Source: Hoerl & Kennard 1970.
 */
#ifndef EVAL_RIDGE_H
#define EVAL_RIDGE_H

#include <stddef.h>

#include "base/err.h"
#include "batch/pairs.h"

/* Coefficients that are looked at, from c0. */
#define RIDGE_COEFFICIENTS 13
/* Longest lag, seconds. */
#define RIDGE_PAST_S 8
/* Penalty per training frame. */
#define RIDGE_PENALTY 0.01

/* A fitted model; {0} is none. */
struct ridge {
    size_t n_coefficients;            /* at most RIDGE_COEFFICIENTS */
    size_t lag[RIDGE_PAST_S + 1];     /* frames back */
    double mean[RIDGE_COEFFICIENTS];  /* of each coefficient */
    double std[RIDGE_COEFFICIENTS];   /* of each coefficient, never 0 */
    double weight[(RIDGE_PAST_S + 1) * RIDGE_COEFFICIENTS]; /* lag-major */
    double intercept;                 /* mean of the targets */
};

/*
 * Fits to the valid frames of joined pairs.
 *
 * Returns 0; -1 with err set when memory is short or there is no valid
 * frame. Sums are taken in the order of recordings.
 */
int ridge_fit(struct ridge *r, const struct pairs *train,
              struct err *err) NODISCARD;

/*
 * Predicts one song. Frames before its start count as the mean.
 *
 * x: (T, C) features of the same C as in training; y: (T)
 */
void ridge_predict(const struct ridge *r, const float *x, size_t T, size_t C,
                   float *y);

#endif
