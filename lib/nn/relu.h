/*
 * relu - what follows a convolution with a ReLU in one pass over its frames,
 * and the way back.
 *
 *   b = ReLU(z)
 *   c = b / (1 - p) or 0   dropout as in act.h
 *   y = c + residual, or ReLU of it
 *
 * For the way back one bit an element says whether c > 0: bit c % 8 of byte
 * c / 8 of a frame's relu_row() bytes. Arrays are (T, C) channels-last; no
 * tiling and no processor changes a result.
 */
#ifndef NN_RELU_H
#define NN_RELU_H

#include <stddef.h>
#include <stdint.h>

#include "nn/act.h"

/* Bytes of a frame's bits. */
size_t relu_row(size_t C);

/*
 * Frames [t, t + n) of a layer, in place.
 *
 * a:        relu is set, at_sum is not
 * z:        (n, C) the convolution, or its normalised values; becomes y
 * residual: (n, C) or NULL
 * mask:     n rows of bits, or NULL
 */
void relu_forward(const struct act *a, size_t C, size_t t, size_t n, float *z,
                  const float *residual, uint8_t *mask);

/*
 * n frames back.
 *
 * y:    (n, C), read only with relu_sum: dy becomes 0 where y is not above 0
 * mask: n rows of bits
 * dy:   (n, C), becomes the residual's gradient
 * dz:   (n, C) d loss / d z
 * bias: (C) sums of dz over the frames, added to
 */
void relu_backward(const struct act *a, size_t C, size_t n, const float *y,
                   const uint8_t *mask, float *dy, float *dz, float *bias);

#endif
