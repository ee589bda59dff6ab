/*
 * softdtw - soft dynamic time warping of two signals, as a divergence.
 *
 * Each signal is averaged over blocks of `pool` frames, valid ones only; a
 * block without any is left out. Over the n points a, b that remain, with
 * smin(u, v, w) = -g log(exp(-u/g) + exp(-v/g) + exp(-w/g)),
 *
 *   R_ij = (a_i - b_j)^2 + smin(R_i-1,j, R_i,j-1, R_i-1,j-1),
 *   R_00 = 0, other borders infinite,  s(a, b) = R_nn
 *   L = (s(p, y) - s(p, p) / 2 - s(y, y) / 2) / n
 *
 * which is 0 for p = y. Gradient: E_nn = 1, E_ij = sum over the three next
 * cells of E exp((R_next - R_ij - D_next) / g), D the squared difference,
 * d s / d a_i = sum_j 2 E_ij (a_i - b_j).
 *
 * Source: Cuturi & Blondel 2017; Blondel, Mensch & Vert 2020 (divergence).
 */
#ifndef NN_SOFTDTW_H
#define NN_SOFTDTW_H

#include <stddef.h>
#include <stdint.h>

/*
 * scale * L of one recording; memory grows with (T / pool)^2.
 *
 * gamma: g, over 0; pool: frames in a block, at least 1
 * p, y: (T) prediction and target; valid: (T)
 * dp:   (T) d (scale * L) / d p is ADDED here; NULL: value only
 * Returns the value; 0 without a valid frame; NAN when memory is short.
 */
double softdtw_loss(double gamma, size_t pool, double scale, const float *p,
                    const float *y, const uint8_t *valid, size_t T,
                    float *dp);

#endif
