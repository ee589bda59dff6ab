/*
 * corr - correlations of two signals: moments, ranks, lags.
 */
#ifndef EVAL_CORR_H
#define EVAL_CORR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Moments of two signals. */
struct corr_moments {
    double mean_p, mean_y; /* means */
    double var_p, var_y;   /* variances, 1/n; exactly 0 of a constant */
    double cov;            /* covariance, 1/n */
};

/* Moments of n > 0 pairs, in two passes. */
struct corr_moments corr_moments(const double *p, const double *y, size_t n);

/* Pearson's r from moments; NaN if a variance is 0. */
double corr_pearson(const struct corr_moments *m);

/*
 * Spearman's rho: r of the ranks, equal values sharing their mean rank.
 *
 * p, y: (n), n > 0, finite. NaN if one is constant. Returns 0; -1 if memory
 * is short.
 */
int corr_spearman(const double *p, const double *y, size_t n, double *rho,
                  struct err *err) NODISCARD;

/*
 * Pearson's r of p and y at one lag.
 *
 * p, y, valid: (T); frame t + lag of p is compared with frame t of y where
 * both are valid; lag: frames, positive where p is late; least: fewest pairs;
 * work: (2 T) scratch
 * NaN if a side is constant, or if the lag leaves less than `least` pairs.
 */
double corr_lag(const double *p, const double *y, const uint8_t *valid,
                size_t T, ptrdiff_t lag, size_t least, double *work);

/*
 * The lag of p behind y with the largest r.
 *
 * p, y, valid: (T); frame t + lag of p is compared with frame t of y where
 * both are valid
 * max_lag: lags of -max_lag to max_lag frames are tried, but for those that
 *          leave less than half of the valid frames
 * work: (2 T) scratch
 * lag, r: (results) frames, positive where p is late, and the r there; of
 *         equal r the lag nearest to 0, of these the positive one
 * Returns false if no lag has an r.
 */
bool corr_best_lag(const double *p, const double *y, const uint8_t *valid,
                   size_t T, size_t max_lag, double *work, double *lag,
                   double *r);

#endif
