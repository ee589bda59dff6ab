/*
 * act - what follows a convolution, element by element: ReLU, dropout, sum
 * with a residual, and the way back.
 *
 *   a = ReLU(z)            if relu
 *   b = a / (1 - p) or 0   if p > 0: inverted dropout, element by element
 *   c = b + residual       if there is one
 *   y = ReLU(c)            if relu_sum
 *
 * Arrays are (T, C) channels-last, so element t C + c has index t C + c and
 * every step is one flat loop.
 */
#ifndef NN_ACT_H
#define NN_ACT_H

#include <stddef.h>
#include <stdint.h>

#include "nn/conv1d.h"

/* One layer's settings, plain data. */
struct act {
    int relu;              /* ReLU on z */
    double p;              /* probability of dropping an element; 0 is off */
    uint64_t key;          /* of the dropout numbers, from act_dropout_key() */
    int relu_sum;          /* ReLU on the sum */
    enum conv1d_path path; /* instructions to use; changes no result */
};

/* The key of one layer's dropout numbers in one pass over one song. */
uint64_t act_dropout_key(uint64_t seed, uint64_t step, uint64_t song,
                         uint32_t layer);

/*
 * Applies a to elements [first, first + n) of a layer, in place.
 *
 * z:        (n) the convolution, becomes y
 * residual: (n) or NULL
 * mask:     (n) or NULL; 1 where a gradient passes from b to z
 * Element e is kept iff u >= p, u = word e % 4 of Philox block e / 4 over
 * 2^32, so no tiling changes it.
 */
void act_forward(const struct act *a, size_t first, size_t n, float *z,
                 const float *residual, uint8_t *mask);

/*
 * Gradient before the second ReLU: dy = 0 where y <= 0. In place; does
 * nothing without relu_sum.
 */
void act_backward_sum(const struct act *a, size_t n, const float *y, float *dy);

/* dz = dy / (1 - p) where mask, else 0. */
void act_backward(const struct act *a, size_t n, const uint8_t *mask,
                  const float *dy, float *dz);

#endif
