/*
 * gated - one layer of a WaveNet over one sequence: a dilated convolution,
 * its gate, and the 1x1 convolutions behind the gate, forward and backward.
 *
 *   z = dilated(x)                     (T, C) or, if split, (T, 2 C)
 *   g = gate(z), [dropout]             (T, C)
 *   skip += skip(g), [ReLU]            (T, S)
 *   sum = residual(g) + stream, [dropout], or g + stream  (T, C)
 *
 * Everything behind z is done tile by tile, GATED_TILE frames at a time, so
 * that what a tile needs stays in the cache; backward likewise, from the
 * gradients of skip and sum to that of z. Dropout is drawn once: forward a
 * dropped element becomes -0 and a kept one never is, so that backward reads
 * from the result what was dropped. Where conv16.c computes, g and the gate's
 * derivative are kept narrowed, and a kept denormal may become -0. Arrays are
 * channels-last.
 */
#ifndef NN_GATED_H
#define NN_GATED_H

#include <stddef.h>
#include <stdint.h>

#include "nn/act.h"
#include "nn/conv.h"

/* Frames of a tile. */
#define GATED_TILE 128

/* One of the convolutions. */
struct gated_conv {
    const struct conv *conv; /* 1x1 but for the dilated one; NULL: not there */
    const float *bias;       /* (C_out) */
    double *sums;            /* weight gradient, packed; added to */
    double *bias_sums;       /* (C_out) bias gradient; added to */
};

/* The layer's settings. */
struct gated {
    struct gated_conv dilated;  /* C_in -> C or 2 C */
    struct gated_conv skip;     /* C -> S */
    struct gated_conv residual; /* C -> C, or not there */
    int split;                  /* two gates, one of each half of z */
    int at_gate;                /* dropout on g, not on sum */
    int first;                  /* begins the skip sum: nothing to add to */
    int relu;                   /* ends it: ReLU on the sum */
    struct act act;             /* dropout's probability and key, path */
};

/* What the way back needs, as it is kept: one of both, or neither. */
struct gated_kept {
    float *wide;      /* (T, channels) */
    uint32_t *narrow; /* the same narrowed, where conv16.c computes */
};

/* Its arrays of T frames. */
struct gated_frames {
    const float *x;          /* (T, C_in) */
    const float *stream;     /* (T, C) residual stream; read only with sum */
    struct gated_kept slope; /* like z: the gate's derivative, neither if there
                                is no way back; backward it becomes d loss /
                                d z */
    struct gated_kept g;     /* (T, C) */
    float *sum;     /* (T, C) residual stream behind; NULL: not wanted */
    float *skip;    /* (T, S); NULL forward: not wanted */
    float *dsum;    /* backward: d loss / d sum, becomes that of stream */
    float *dskip;   /* backward: d loss / d skip, becomes that of what it
                       was added to */
    float *dx;      /* backward: d loss / d x, NULL: not wanted; may be
                       dsum */
    int add;        /* add to dx instead of overwriting it */
    float *scratch; /* (CONV_MOST, C or 2 C) tiles of z */
    float *memory;  /* conv.c's working memory */
};

/* The whole layer forward. */
void gated_forward(const struct gated *l, size_t T,
                   const struct gated_frames *f);

/*
 * The whole layer backward, once for each forward pass with slope. Weight
 * gradients are added to the sums tile after tile in order.
 */
void gated_backward(const struct gated *l, size_t T,
                    const struct gated_frames *f);

#endif
