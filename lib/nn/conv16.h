/*
 * conv16 - dilated convolutions with operands in bfloat16 and sums in float,
 * for processors with AVX512_BF16.
 *
 * A bfloat16 is the upper half of a float, rounded to nearest, even on ties,
 * denormals to 0. Operands are narrowed on the way. Products are added in
 * pairs of neighbouring channels, or for weights of frames, as vdpbf16ps does
 * it: over taps and channels ascending, or over the frames of a tile. Frames
 * outside [0, T) are zero and never read. How frames are cut changes no bit.
 */
#ifndef NN_CONV16_H
#define NN_CONV16_H

#include <stddef.h>
#include <stdint.h>

#include "nn/conv1d.h"

/*
 * Frames narrowed at a time, and whose weight gradient is summed in float
 * before it joins a sum.
 */
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

/*
 * Narrows T rows: x (T, C) into out (T, conv16_row(C)), two channels a word,
 * the lower one in its low half, an odd last one beside 0.
 */
void conv16_narrow(size_t T, size_t C, const float *x, uint32_t *out);

/* The floats of T narrowed rows: x into out (T, C). */
void conv16_widen(size_t T, size_t C, const uint32_t *x, float *out);

/* Rows that are narrowed on the way, or were before: one of both. */
struct conv16_rows {
    const float *wide;      /* (T, C) */
    const uint32_t *narrow; /* (T, conv16_row(C)) */
};

/* Words of working memory, `memory` below. */
size_t conv16_work_len(const struct conv1d *c);

/*
 * Frames [t0, t1) of y = conv(x) + bias.
 *
 * packed: for the way forward; bias: (C_out) or NULL
 * x: (T, C_in); y: (t1 - t0, C_out), overwritten, or added to if add is set
 */
void conv16_forward(const struct conv1d *c, const uint32_t *packed,
                    const float *bias, struct conv16_rows x, size_t T,
                    size_t t0, size_t t1, int add, float *y, uint32_t *memory);

/*
 * Frames [t0, t1) of d loss / d x.
 *
 * packed: for the way back; dy: (T, C_out)
 * dx: (t1 - t0, C_in), overwritten, or added to if add is set
 */
void conv16_backward(const struct conv1d *c, const uint32_t *packed,
                     struct conv16_rows dy, size_t T, size_t t0, size_t t1,
                     int add, float *dx, uint32_t *memory);

/*
 * d loss / d weight of a whole sequence, ADDED tile after tile.
 *
 * x: (T, C_in); dy: (T, C_out)
 * sums: conv1d_packed_len() doubles in conv1d's packed layout
 */
void conv16_backward_weights(const struct conv1d *c, struct conv16_rows x,
                             struct conv16_rows dy, size_t T, double *sums,
                             uint32_t *memory);

#endif
