/*
 * wino - dilated convolution by Winograd's minimal filtering (Winograd 1980;
 * Lavin & Gray 2016): fewer products than conv1d.c for 2 to 7 taps.
 *
 * F(m, K) makes m outputs of a convolution with K taps from P = m + K - 1
 * inputs with P products instead of m K. With the dilation d a tile is frames
 * t, t + d, ..., t + (m - 1) d. Its P inputs are evaluated as a polynomial
 * would be at P points, so are the weights, and the products become one
 * product of matrices a point:
 *
 *   y  = A^T [(G w) * (B^T x)]
 *   dw = G^T [(A x') * (B^T dy')]   of the same tiles as dx, taps reversed
 *
 * Points are 0, +-1, +-2, +-1/2 and infinity: the first 3, 5 or 7, and the
 * last. Errors are some three times those of the direct sum.
 *
 * Bits depend on the shape and length of a sequence alone. Frames that do not
 * fill tiles well are left to conv1d.c: see wino_frames().
 */
#ifndef NN_WINO_H
#define NN_WINO_H

#include <stddef.h>

#include "nn/conv1d.h"

/* Most points of an algorithm. */
#define WINO_POINTS 8
/* Most outputs of a tile. */
#define WINO_OUTPUTS 5
/* Most tiles of a block. */
#define WINO_TILES 64

/* One convolution and its algorithm. */
struct wino {
    struct conv1d conv; /* the shape */
    size_t points;      /* P: 4, 6 or 8; 0: there is none for this shape */
    size_t outputs;     /* m of a tile */
};

/* Consecutive frames. */
struct wino_run {
    size_t t;   /* first */
    size_t n;   /* how many */
    size_t row; /* where the first is, if the block's frames are kept dense */
};

/* Tiles computed together. */
struct wino_block {
    size_t n_tiles;           /* of them */
    size_t first[WINO_TILES]; /* first frame of each */
    size_t n_runs;            /* runs of frames that they make */
    struct wino_run runs[WINO_OUTPUTS]; /* in order */
};

/* Working memory of one thread. */
struct wino_work {
    float *inputs;   /* (P, tiles, C) B^T x */
    float *expanded; /* (P, tiles, C) A x */
    float *products; /* (P, tiles, 2 panels) */
    float *sums;     /* (panels, P, C, LANES) of a weight gradient */
    float *zeros;    /* (C) a frame outside the sequence */
};

/*
 * The algorithm for a convolution: F(m, K) with about 4 outputs, or 2 if
 * small is set; none for other than 2 to 7 taps.
 */
struct wino wino_of(const struct conv1d *c, int small);

/*
 * Frames [0, n) of a sequence of T that wino should compute; the others cost
 * less directly. 0 if a direct sum is cheaper throughout.
 */
size_t wino_frames(const struct wino *w, size_t T);

/* Floats of packed weights, forward or back: (panels, P, C, LANES). */
size_t wino_packed_len(const struct wino *w, int back);

/* Packs weight (C_out, C_in, K) for the way forward or back. */
void wino_pack(const struct wino *w, int back, const float *weight,
               float *packed);

/* Floats of working memory. */
size_t wino_work_len(const struct wino *w, int training);

/* Lays out working memory of wino_work_len() floats, zeroed. */
struct wino_work wino_work_at(const struct wino *w, int training,
                              float *memory);

/*
 * The block that begins at tile `tile`, of those that make frames [0, n).
 * Returns the tile behind it, 0 where no block begins.
 */
size_t wino_block(const struct wino *w, size_t n, size_t tile,
                  struct wino_block *b);

/*
 * The block's frames below n of y = conv(x) + bias: frame t at row t of y, or
 * if `dense` is set at the rows of its runs.
 */
void wino_forward(const struct wino *w, enum conv1d_path path,
                  const float *packed, const float *bias, const float *x,
                  size_t T, size_t n, const struct wino_block *b,
                  const struct wino_work *work, int dense, float *y);

/*
 * The block's frames below n of x on the way back: adds what they take part
 * in to work->sums, and makes their gradient.
 *
 * packed: for the way back
 * dx:     (T, C_in), overwritten or, if add is set, added to; NULL: unwanted
 */
void wino_backward(const struct wino *w, enum conv1d_path path,
                   const float *packed, const float *x, const float *dy,
                   size_t T, size_t n, const struct wino_block *b,
                   const struct wino_work *work, int add, float *dx);

/*
 * Adds work->sums, as a weight gradient, to conv1d_packed_len() sums, and
 * makes them 0.
 */
void wino_collect(const struct wino *w, enum conv1d_path path,
                  const struct wino_work *work, double *sums);

#endif
