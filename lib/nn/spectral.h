/*
 * spectral - distance of two signals' spectrograms, at several window sizes.
 *
 * For every size n of a list, windows of n frames, n / 4 apart, that lie
 * inside the signal and are valid throughout, times a periodic Hann window.
 * With P_k and Y_k their Fourier transforms, k = 0 ... n / 2,
 *
 *   L = mean over sizes, windows, k of
 *       |log(|P_k|^2 + e) - log(|Y_k|^2 + e)| / 2,    e = 1e-4
 *
 * Sizes without such a window are left out. The gradient is that of the
 * formula; 0 where the two are equal.
 */
#ifndef NN_SPECTRAL_H
#define NN_SPECTRAL_H

#include <stddef.h>
#include <stdint.h>

/* Longest window, frames. */
#define SPECTRAL_MAX 1024

/*
 * scale * L of one recording.
 *
 * sizes: (n_sizes) 4 to SPECTRAL_MAX
 * p, y: (T) prediction and target; valid: (T)
 * dp:   (T) d (scale * L) / d p is ADDED here; NULL: value only
 * Returns the value; 0 if there is no window.
 */
double spectral_loss(const int64_t *sizes, size_t n_sizes, double scale,
                     const float *p, const float *y, const uint8_t *valid,
                     size_t T, float *dp);

#endif
