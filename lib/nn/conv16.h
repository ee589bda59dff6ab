/*
 * conv16 - dilated convolutions with operands in bfloat16 and sums in float,
 * for processors with AVX512_BF16.
 *
 * A bfloat16 is the upper half of a float, rounded to nearest, even on ties.
 * Rows of channels are narrowed: two channels a word, the lower one in its
 * low half, a row of C channels in conv16_row(C) words, the last one filled up
 * with 0. Products are made in pairs, (a0 b0 + a1 b1) + sum, as vdpbf16ps
 * does, which takes denormals for 0: over taps and channels ascending, or for
 * weights over the frames of a tile. Frames outside [0, T) are zero and never
 * read. Bits depend on no tiling.
 */
#ifndef NN_CONV16_H
#define NN_CONV16_H

#include <stddef.h>
#include <stdint.h>

#include "nn/conv1d.h"

/* Frames whose weight gradient is summed in float before it joins a sum. */
#define CONV16_TILE 128

/* Whether the processor can do all this; else nothing below may be called. */
int conv16_works(void);

/* Words of a row of C channels. */
size_t conv16_row(size_t C);

/* Words of packed weights for the way forward or back. */
size_t conv16_packed_len(const struct conv1d *c, int back);

/* Packs weight (C_out, C_in, K) for the way forward or back. */
void conv16_pack(const struct conv1d *c, int back, const float *weight,
                 uint32_t *packed);

/* Narrows T rows: x (T, C) into out (T, conv16_row(C)). */
void conv16_narrow(size_t T, size_t C, const float *x, uint32_t *out);

/*
 * Frames [t0, t1) of y = conv(x) + bias.
 *
 * packed: for the way forward; bias: (C_out) or NULL
 * x: T narrowed rows; y: (T, C_out), only frames [t0, t1) are written
 * add: add to y instead of overwriting it
 */
void conv16_forward(const struct conv1d *c, const uint32_t *packed,
                    const float *bias, const uint32_t *x, size_t T, size_t t0,
                    size_t t1, int add, float *y);

/*
 * Frames [t0, t1) of d loss / d x.
 *
 * packed: for the way back; dy: T narrowed rows
 * dx: (T, C_in), overwritten, or added to if add is set
 */
void conv16_backward(const struct conv1d *c, const uint32_t *packed,
                     const uint32_t *dy, size_t T, size_t t0, size_t t1,
                     int add, float *dx);

/*
 * d loss / d weight of a whole sequence, ADDED tile after tile.
 *
 * x, dy: T narrowed rows each
 * sums: conv1d_packed_len() doubles in conv1d's packed layout
 */
void conv16_backward_weights(const struct conv1d *c, const uint32_t *x,
                             const uint32_t *dy, size_t T, double *sums);

#endif
