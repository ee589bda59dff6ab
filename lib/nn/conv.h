/*
 * conv - one convolution of a model over one sequence: packed weights, and
 * the choice between wino.c, conv1d.c and conv16.c.
 *
 * A sequence's first frames, as many as wino_frames() says, go by Winograd
 * and the others by direct sums: a matter of shape and length, not of the
 * machine. Winograd is for training: a prediction is made of direct sums, so
 * that it is the same bits for a song in pieces. conv16.c is taken only where
 * it is asked for. Frames are made some at a time, so that what follows finds
 * them in the cache.
 */
#ifndef NN_CONV_H
#define NN_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "nn/conv16.h"
#include "nn/conv1d.h"
#include "nn/ops.h"
#include "nn/wino.h"

/* Most frames made at a time. */
#define CONV_MOST (WINO_TILES * WINO_OUTPUTS)

/* A convolution. */
struct conv {
    struct conv1d shape;          /* channels, taps, dilation */
    struct wino wino;             /* the same for wino.c; no points: unused */
    enum ops_algorithm algorithm; /* how it was asked for */
    float *packed;                /* weights forward, in the arena */
    float *packed_back;           /* backward, or NULL if not wanted */
    float *wino_packed;           /* as packed, for wino.c, or NULL */
    float *wino_back;             /* as packed_back, for wino.c, or NULL */
    uint32_t *narrow;             /* as packed, for conv16.c, or NULL */
    uint32_t *narrow_back;        /* as packed_back, for conv16.c, or NULL */
};

/* A way forward over a sequence. */
struct conv_steps {
    const struct conv *conv; /* borrowed */
    enum conv1d_path path;   /* instructions to use */
    const float *bias;       /* (C_out) */
    const float *x;          /* (T, C_in) */
    size_t T;                /* frames */
    size_t n_wino;           /* of them by Winograd */
    size_t tile;             /* next tile */
    size_t t;                /* next frame behind n_wino */
    float *memory;           /* working memory, borrowed */
    struct wino_work work;   /* of wino.c, laid out in it */
    struct wino_block block; /* with the runs of frames that were made last */
};

/* Bytes of the arena that a convolution takes. */
size_t conv_size(const struct ops_conv *c, int training);

/* Gives it its room in the arena. */
void conv_init(struct conv *conv, const struct ops_conv *c, int training,
               struct mem_arena *a);

/* Floats of working memory that it needs. */
size_t conv_work_len(const struct ops_conv *c, int training);

/* Takes its weight (C_out, C_in, K). */
void conv_pack(struct conv *conv, const float *weight);

/* Begins a way forward, memory: of conv_work_len() floats, until its end. */
struct conv_steps conv_begin(const struct conv *conv, enum conv1d_path path,
                             const float *bias, const float *x, size_t T,
                             float *memory);

/*
 * Makes some frames: s->block.runs says which. Frame t goes to row t of z, or
 * if `dense` is set to the run's rows of z, (CONV_MOST, C_out).
 * Returns 0 when all have been made before.
 */
int conv_next(struct conv_steps *s, int dense, float *z);

/*
 * The whole sequence backward.
 *
 * x:    (T, C_in), narrowed only for conv16.c
 * dz:   (T, C_out), likewise
 * dx:   (T, C_in), overwritten or, if add is set, added to; NULL: unwanted
 * sums: weight gradient, conv1d_packed_len() doubles, added to
 */
void conv_backward(const struct conv *conv, enum conv1d_path path,
                   struct conv16_rows x, struct conv16_rows dz, size_t T,
                   int add, float *dx, double *sums, float *memory);

/*
 * n frames of a 1x1 convolution, which leave Winograd's memory alone.
 *
 * x: (n, C_in), narrowed only for conv16.c
 * y: (n, C_out), overwritten or, if add is set, added to
 */
void conv_1x1(const struct conv *conv, enum conv1d_path path, const float *bias,
              size_t n, struct conv16_rows x, int add, float *y,
              float *memory);

#endif
