/*
 * norm - layer normalisation of frames (Ba, Kiros & Hinton 2016) and weight
 * normalisation of convolutions (Salimans & Kingma 2016), and their
 * gradients.
 *
 * Sums run in double, over the channels of a frame in NORM_LANES partial
 * sums and over anything else in order, so results depend on no tiling and on
 * no instructions.
 */
#ifndef NN_NORM_H
#define NN_NORM_H

#include <stddef.h>

/* Added to the variance of a frame, as torch.nn.LayerNorm does. */
#define NORM_EPS 1e-5

/* Partial sums over the channels of a frame. */
#define NORM_LANES 8

/*
 * Layer norm of T frames, in place: a = gamma (z - mean) / std + beta, mean
 * and std = sqrt(variance + NORM_EPS) over the C channels of each frame.
 *
 * z:    (T, C), becomes a
 * hat:  (T, C) (z - mean) / std for the way back, or NULL
 * rstd: (T) 1 / std for the way back, NULL with hat
 */
void norm_layer_forward(const float *gamma, const float *beta, size_t T,
                        size_t C, float *z, float *hat, float *rstd);

/*
 * Gradient of layer norm.
 *
 * da:           (T, C) d loss / d a, becomes d loss / d z
 * dgamma_sums,
 * dbeta_sums:   (C) each, gradients are ADDED frame by frame
 */
void norm_layer_backward(const float *gamma, size_t T, size_t C,
                         const float *hat, const float *rstd, float *da,
                         double *dgamma_sums, double *dbeta_sums);

/*
 * Weight norm: w = g v / |v|, row by row.
 *
 * g: (rows); v, w: (rows, len); |v| is the 2-norm of a row
 * A row of zeros stays one.
 */
void norm_weight_forward(const float *g, const float *v, size_t rows,
                         size_t len, float *w);

/*
 * Gradient of weight norm: dg = dw . v / |v|,
 * dv = g / |v| (dw - dg v / |v|).
 *
 * dw: (rows, len), becomes d loss / d v; dg: (rows), overwritten
 */
void norm_weight_backward(const float *g, const float *v, size_t rows,
                          size_t len, float *dw, float *dg);

/* The 2-norm of each row of v (rows, len): what g starts with. */
void norm_weight_lengths(const float *v, size_t rows, size_t len, float *g);

#endif
