/*
 * tonic - the slow level of a recording and the quick responses on it.
 *
 * Three ways (features.eda_decomposition): two filters, a running median,
 * and cvxEDA.
 */
#ifndef SIGNAL_TONIC_H
#define SIGNAL_TONIC_H

#include <stddef.h>

#include "base/err.h"
#include "core/config.h"
#include "signal/cvxeda.h"

/* Width of the running median, s. */
#define TONIC_MEDIAN_S 4.0

/* A decomposer; {0} is none, its memory is reused. */
struct tonic {
    double *work;         /* scratch, owned */
    size_t cap;           /* doubles in work */
    struct cvxeda solver; /* for cvxeda */
};

/*
 * Fewest samples tonic_split() takes at a sampling rate.
 * Returns 0 with *n; -1 with ERR_DATA if the rate is too low for the cutoff.
 */
int tonic_min(const struct config_features *conf, double rate_hz, size_t *n,
              struct err *err) NODISCARD;

/*
 * Splits one signal.
 *
 * highpass: phasic is the Butterworth high-pass at eda_highpass_hz of
 *   eda_highpass_order, tonic the low-pass there, both zero-phase. Each is
 *   filtered by itself: their sum is not the signal (as in NeuroKit2).
 * median: tonic is the running median over 4 s (an odd number of samples,
 *   fewer at the ends, where half of the window hangs out), phasic the rest.
 * cvxeda: cvxeda_solve(), its model from eda_cvxeda_*, on the z-scored
 *   signal, above 25 Hz on every k-th sample behind a low-pass; parts come
 *   back at the sampling rate, and what is neither is noise.
 *
 * x: (n) without NaN, n >= tonic_min(); phasic, tonic: (n) results in the
 * unit of x, not x. phasic has the level 0.
 * mean, std: of the recording, for the z-score of cvxeda; a std of 0 makes
 *   all of x tonic
 * Returns 0; -1 with ERR_DATA.
 */
int tonic_split(struct tonic *t, const struct config_features *conf,
                const double *x, size_t n, double rate_hz, double mean,
                double std, double *phasic, double *tonic,
                struct err *err) NODISCARD;

/*
 * Running median over width samples, width odd, of n samples.
 *
 * work: (width) scratch; out: (n), not x
 */
void tonic_median(const double *x, size_t n, size_t width, double *work,
                  double *out);

/* Frees it; {0} is fine. */
void tonic_release(struct tonic *t);

#endif
