/*
 * act - what follows a convolution, element by element: ReLU or gate,
 * dropout, sum with a residual, and the way back.
 *
 *   b = ReLU(z) or gate(z)
 *   c = b / (1 - p) or 0   if p > 0: inverted dropout, element by element
 *   s = c + residual       if there is one
 *   y = ReLU(s)            if relu_sum
 *
 * at_sum moves dropout from b to s. Arrays are (T, C) channels-last, so
 * element t C + c has index t C + c and every step but the gate is one flat
 * loop.
 *
 * The gate is tanh(u) sigmoid(v): tied, u = v = z; split, u is the first half
 * of z's channels and v the second. Both functions are computed here, from
 * an exponential of our own: a correct C library may round either way, and
 * results must not depend on it.
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
    int at_sum;            /* dropout on the sum, not before it */
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
 * z:        (n) the convolution, or its normalised values; becomes y
 * residual: (n) or NULL
 * A layer with a ReLU and a way back goes through relu.h instead.
 */
void act_forward(const struct act *a, size_t first, size_t n, float *z,
                 const float *residual);

/* Scale of what dropout keeps: 1 / (1 - p). */
float act_scale(const struct act *a);

/*
 * Dropout of elements [first, first + n) of a layer, in place; its own
 * gradient. Does nothing if p is 0. What is dropped becomes -0 (NaN stays
 * NaN), what is kept is never -0. Element e is kept iff u >= p, u = half e % 8
 * of the words of Philox block e / 8 over 2^16, low halves first, so no tiling
 * changes it.
 */
void act_dropout(const struct act *a, size_t first, size_t n, float *z);

/*
 * Which of elements [first, first + n) dropout keeps, p > 0: bit i % 8 of
 * byte i / 8 for element first + i, first a multiple of 64; kept has room for
 * whole 64 bits.
 */
void act_kept(const struct act *a, size_t first, size_t n, uint8_t *kept);

/*
 * The gate of T frames.
 *
 * z:     (T, C) or, if split, (T, 2 C)
 * slope: like z, set to the gate's derivative by z, or by each half of it;
 *        NULL: not wanted; may be z
 * y:     (T, C) the gate
 * Absolute error of y and the derivative: under 2e-7.
 */
void act_gate(const struct act *a, int split, size_t T, size_t C,
              const float *z, float *slope, float *y);

/*
 * Gradient before the second ReLU: dy = 0 where y <= 0. In place; does
 * nothing without relu_sum.
 */
void act_backward_sum(const struct act *a, size_t n, const float *y, float *dy);

#endif
