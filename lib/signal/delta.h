/*
 * delta - what is done to the coefficients of a whole clip: differences in
 * time, and normalisation to mean 0 and variance 1.
 */
#ifndef SIGNAL_DELTA_H
#define SIGNAL_DELTA_H

#include <stddef.h>

/*
 * Spreads rows of C values to rows of D, in place.
 *
 * x: (T, C) at first, then (T, D), with room for it; D >= C. Columns from C
 * on are left undefined.
 */
void delta_spread(float *x, size_t T, size_t C, size_t D);

/*
 * Differences in time of C columns.
 *
 *     d[t] = sum_{k=1..n} k (x[t + k] - x[t - k]) / (2 sum_{k=1..n} k^2)
 *
 * with n = width / 2; before the first and after the last frame, these stand
 * for it.
 * x, d: (T) rows of C values, stride apart; width: odd, 3 or more
 * Source: torchaudio.functional.compute_deltas, mode replicate; HTK book.
 */
void delta_rows(const float *x, size_t T, size_t C, size_t stride,
                size_t width, float *d);

/*
 * Subtracts the mean of every column over the clip and divides by its
 * standard deviation (1 / T); a constant column becomes 0.
 *
 * x: (T, D); sum: (D) scratch
 */
void delta_normalize(float *x, size_t T, size_t D, double *sum);

#endif
