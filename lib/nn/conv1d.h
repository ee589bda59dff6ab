/*
 * conv1d - dilated convolution over time: forward, backward to the data,
 * backward to the weights, of one sequence.
 *
 * Everything is channels-last: x is (T, C_in), y is (T, C_out). Weights come
 * in PyTorch's layout (C_out, C_in, K), cross-correlation, and are packed
 * first. Frames outside [0, T) are zero and never read.
 *
 * Every output element has one chain of fused multiply-adds in a fixed order
 * (taps, then channels, ascending; for weights the frames of a tile of
 * CONV1D_TILE), so all paths give the same bits.
 */
#ifndef NN_CONV1D_H
#define NN_CONV1D_H

#include <stddef.h>

/* Channels of one panel: output channels computed side by side. */
#define CONV1D_LANES 16

/* Frames whose weight gradient is summed in float before it joins a sum. */
#define CONV1D_TILE 128

/* One convolution. */
struct conv1d {
    size_t c_in;     /* C_in */
    size_t c_out;    /* C_out */
    size_t kernel;   /* K */
    size_t dilation; /* frames between taps */
    size_t left;     /* zeros before frame 0; tap k reads t + k d - left */
};

/* Which instructions the loops use; results do not depend on it. */
enum conv1d_path { CONV1D_PLAIN, CONV1D_AVX2, CONV1D_AVX512 };

/* The fastest path this processor has. */
enum conv1d_path conv1d_best_path(void);

/* Zeros on the left for output length T: 'same' as torch pads, or causal. */
size_t conv1d_left(size_t kernel, size_t dilation, int causal);

/*
 * Floats of packed weights, and doubles of weight gradient sums:
 * (ceil(C_out / LANES), K, C_in, LANES), missing channels zero.
 */
size_t conv1d_packed_len(const struct conv1d *c);

/* Floats of packed weights for the way back: C_in and C_out change roles. */
size_t conv1d_packed_back_len(const struct conv1d *c);

/* Packs weight (C_out, C_in, K) for conv1d_forward(). */
void conv1d_pack(const struct conv1d *c, const float *weight, float *packed);

/* Packs weight (C_out, C_in, K) for conv1d_backward_data(). */
void conv1d_pack_back(const struct conv1d *c, const float *weight,
                      float *packed);

/*
 * Frames [t0, t1) of y = conv(x) + bias.
 *
 * packed: from conv1d_pack(); bias: (C_out) or NULL
 * x: (T, C_in); y: (T, C_out), only frames [t0, t1) are written
 */
void conv1d_forward(const struct conv1d *c, enum conv1d_path path,
                    const float *packed, const float *bias, const float *x,
                    size_t T, size_t t0, size_t t1, float *y);

/*
 * d loss / d x of a whole sequence.
 *
 * packed: from conv1d_pack_back(); dy: (T, C_out)
 * dx: (T, C_in), overwritten, or added to if add is set
 */
void conv1d_backward_data(const struct conv1d *c, enum conv1d_path path,
                          const float *packed, const float *dy, size_t T,
                          int add, float *dx);

/*
 * d loss / d weight of a whole sequence, ADDED tile after tile.
 *
 * x: (T, C_in); dy: (T, C_out)
 * sums: conv1d_packed_len() doubles in the packed layout
 */
void conv1d_backward_weights(const struct conv1d *c, enum conv1d_path path,
                             const float *x, const float *dy, size_t T,
                             double *sums);

/* conv1d_backward_data() of frames [t0, t1) of dx. */
void conv1d_backward_frames(const struct conv1d *c, enum conv1d_path path,
                            const float *packed, const float *dy, size_t T,
                            size_t t0, size_t t1, int add, float *dx);

/* conv1d_backward_weights() of what frames [t0, t1) of x take part in. */
void conv1d_backward_weights_of(const struct conv1d *c, enum conv1d_path path,
                                const float *x, const float *dy, size_t T,
                                size_t t0, size_t t1, double *sums);

/* d loss / d bias of a whole sequence, ADDED to sums (C_out) frame by frame. */
void conv1d_backward_bias(const struct conv1d *c, const float *dy, size_t T,
                          double *sums);

/* Packed weight gradient sums as dweight (C_out, C_in, K). */
void conv1d_unpack(const struct conv1d *c, const double *sums, float *dweight);

#endif
