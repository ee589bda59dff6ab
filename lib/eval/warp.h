/*
 * warp - distances between two signals of one length that may stretch time.
 *
 * Dynamic programmes over all pairs of frames that keep one row and one
 * corner, so that memory grows with the length and not with its square:
 *   dtw      C_ij = |p_i - y_j| + min(C_i-1,j, C_i,j-1, C_i-1,j-1)
 *   frechet  C_ij = max(|p_i - y_j|, min(C_i-1,j, C_i,j-1, C_i-1,j-1))
 * with nothing before C_11; the distance is C_nn.
 */
#ifndef EVAL_WARP_H
#define EVAL_WARP_H

#include <stddef.h>

/*
 * Dynamic time warping with |.| cost, not normalised.
 *
 * p, y: (n) signals, n > 0; row: (n) scratch
 * band: only pairs with |i - j| <= band are looked at; n - 1 or more: all,
 *       which is exact
 * Source: Sakoe & Chiba 1978.
 */
double warp_dtw(const double *p, const double *y, size_t n, size_t band,
                double *row);

/*
 * Discrete Frechet distance, exact.
 *
 * p, y: (n) signals, n > 0; row: (n) scratch
 * Source: Eiter & Mannila 1994.
 */
double warp_frechet(const double *p, const double *y, size_t n, double *row);

#endif
