/*
 * ops - the operation boundary: what a model asks of a device.
 *
 * A model's code touches no activation itself. It names buffers and calls
 * whole layers of this table, so that a backend can tile, fuse and place
 * them as it likes; a faster CPU engine or a GPU is another table. Everything
 * that crosses is plain data: no callbacks, no pointers into host memory but
 * in upload and download.
 *
 * One layer, forward; every step but the first can be absent, and act.h and
 * norm.h define them:
 *
 *   z = conv(x) + bias
 *   a = gamma (z - mean) / std + beta     norm: over the channels of a frame
 *   b = ReLU(a)
 *   c = dropout(b)
 *   y = c + residual, ReLU or dropout on the sum
 *
 * Backward, given dy: dy becomes the gradient of the residual; dx (if wanted)
 * and dweights follow.
 *
 * A gated layer is a dilated convolution, its gate, and the 1x1 convolutions
 * behind the gate, which read it while it is in the cache; gated.h defines
 * it.
 */
#ifndef NN_OPS_H
#define NN_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ops_buf;  /* memory of a device, opaque */
struct ops_plan; /* a model's layers on a device: packed weights, scratch */

/* No bias, no norm: the value of their fields in ops_conv. */
#define OPS_NONE SIZE_MAX

/* How a layer's convolution is gated. */
enum ops_gate {
    OPS_GATE_TIED, /* tanh(z) sigmoid(z): the gate has C_out channels */
    OPS_GATE_SPLIT /* tanh of the first half of z's channels, sigmoid of the
                      second: the gate has C_out / 2 */
};

/* How training computes a convolution; a device may know fewer ways. */
enum ops_algorithm {
    OPS_AUTO,      /* as is fastest for the shape and the sequence's length */
    OPS_DIRECT,    /* as a sum of products */
    OPS_WINOGRAD2, /* by F(2, K), where K allows it */
    OPS_WINOGRAD4, /* by F(4, K), likewise: faster, rounds more */
    OPS_BF16       /* as a sum of products of bfloat16, in float */
};

/* One convolution of a model. */
struct ops_conv {
    size_t c_in;     /* C_in */
    size_t c_out;    /* C_out */
    size_t kernel;   /* K */
    size_t dilation; /* frames between taps */
    size_t left;     /* zeros before frame 0, (K - 1) d - left behind */
    size_t weight;   /* offset of (C_out, C_in, K) in the weights arena */
    size_t bias;     /* offset of (C_out), or OPS_NONE */
    size_t norm;     /* offset of gamma (C_out) and beta (C_out), or OPS_NONE */
    int first;       /* reads the model's input: no dx is ever asked for */
    enum ops_algorithm algorithm; /* how */
};

/* Sequences packed one behind another, without padding. */
struct ops_batch {
    size_t n;             /* sequences */
    const size_t *first;  /* (n) first frame of each in the buffers */
    const size_t *length; /* (n) frames of each */
    const uint64_t *song; /* (n) dropout's song hash of each */
};

/* What follows the convolution. */
struct ops_epilogue {
    int relu;                       /* ReLU on a */
    double dropout;                 /* probability; 0 is off; with relu, or
                                       at_sum */
    int at_sum;                     /* dropout on the sum, not on b; not with
                                       relu */
    uint64_t seed;                  /* dropout's seed */
    uint64_t step;                  /* dropout's step */
    uint32_t layer;                 /* dropout's layer */
    const struct ops_buf *residual; /* floats like y, added; NULL: none */
    struct ops_buf *mask;           /* a bit an element of y, whole bytes a
                                       frame: kept and positive; NULL without
                                       relu or if no backward pass follows */
    struct ops_buf *hat;            /* norm: floats like z, (z - mean) / std;
                                       NULL if no backward pass follows */
    struct ops_buf *rstd;           /* norm: a float a frame, 1 / std; likewise
                                     */
    int relu_sum;                   /* ReLU on the sum */
};

/* Buffers of a layer's backward pass. */
struct ops_grads {
    const struct ops_buf *x;  /* the layer's input */
    const struct ops_buf *y;  /* its output; read only with relu_sum */
    struct ops_buf *dy;       /* d loss / d y; becomes the residual's */
    struct ops_buf *dx;       /* d loss / d x, NULL: not wanted */
    int add;                  /* add to dx instead of overwriting it */
    struct ops_buf *dweights; /* floats like the weights arena: this layer's
                                 weight, bias and norm are overwritten */
};

/* A gated layer: C channels behind its gate, S in the skip sum. */
struct ops_gated {
    size_t dilated;               /* layer: x to C, or 2 C if split */
    size_t skip;                  /* layer: 1x1, the gate into the skip sum */
    size_t residual;              /* layer: 1x1, the gate into the residual
                                     stream; OPS_NONE: the gate itself */
    enum ops_gate gate;           /* how it is gated */
    double dropout;               /* probability; 0 is off */
    int at_gate;                  /* dropout on the gate, not on sum */
    uint64_t seed;                /* dropout's seed */
    uint64_t step;                /* dropout's step */
    uint32_t layer;               /* dropout's layer */
    int first;                    /* its skips begin a sum */
    int last;                     /* they end it: ReLU on the sum */
    const struct ops_buf *x;      /* the layer's input */
    const struct ops_buf *stream; /* (T, C) residual stream before it; read
                                     only with sum */
    struct ops_buf *sum;          /* (T, C) the stream behind; NULL: not
                                     wanted */
    struct ops_buf *g;            /* the gate, of kept_size() */
    struct ops_buf *slope;        /* like z, of kept_size(): what the way back
                                     needs, and uses up; NULL: there is none */
    struct ops_buf *skips;        /* (T, S) the skip sum; NULL forward: it was
                                     made before */
};

/* Buffers of a gated layer's backward pass. */
struct ops_gated_grads {
    struct ops_buf *dskips;   /* d loss / d skips, becomes that of the sum
                                 before */
    struct ops_buf *dsum;     /* d loss / d sum, becomes the stream's; NULL
                                 without sum */
    struct ops_buf *dx;       /* d loss / d x, NULL: not wanted; may be dsum */
    int add;                  /* add to dx instead of overwriting it */
    struct ops_buf *dweights; /* floats like the weights arena: these layers'
                                 weights and biases are overwritten */
};

/* A device. */
struct ops {
    /* name for messages */
    const char *name;

    /* Whether it can compute this way. */
    int (*can)(enum ops_algorithm algorithm);

    /* A buffer of `size` zeroed bytes; NULL with err set. */
    struct ops_buf *(*alloc)(size_t size, struct err *err);

    /* Frees it; NULL is fine. */
    void (*free)(struct ops_buf *b);

    /* Copies size bytes from the host to the buffer's beginning. */
    void (*upload)(struct ops_buf *b, const void *from, size_t size);

    /* Copies size bytes from the buffer's beginning to the host. */
    void (*download)(void *to, const struct ops_buf *b, size_t size);

    /*
     * A plan for n layers, copied; training asks for the way back too.
     * NULL with err set when memory is short.
     */
    struct ops_plan *(*open)(const struct ops_conv *convs, size_t n,
                             int training, struct err *err);

    /* Frees it; NULL is fine. */
    void (*close)(struct ops_plan *p);

    /* Bytes that a plan takes for sequences of T frames. */
    size_t (*plan_size)(const struct ops_conv *convs, size_t n, size_t T,
                        int training);

    /* Takes the weights arena; cheap when nothing changed since. */
    void (*prepare)(struct ops_plan *p, const float *weights);

    /* One layer forward: y from x. */
    void (*conv_fwd)(struct ops_plan *p, size_t layer,
                     const struct ops_batch *batch, const struct ops_buf *x,
                     struct ops_buf *y, const struct ops_epilogue *e);

    /*
     * One layer backward, with the epilogue of its forward pass. Weight
     * gradients are summed sequence after sequence, fixed tiles of frames in
     * order. Returns 0; -1 with err set when scratch memory is short.
     */
    int (*conv_bwd)(struct ops_plan *p, size_t layer,
                    const struct ops_batch *batch, const struct ops_grads *g,
                    const struct ops_epilogue *e, struct err *err);

    /*
     * Bytes a frame of a gated layer's g or slope takes, with C channels and
     * the dilated convolution's algorithm.
     */
    size_t (*kept_size)(size_t C, enum ops_algorithm how);

    /* One gated layer forward. */
    void (*gated_fwd)(struct ops_plan *p, const struct ops_batch *batch,
                      const struct ops_gated *l);

    /*
     * One gated layer backward, once for each forward pass; sums as in
     * conv_bwd.
     */
    void (*gated_bwd)(struct ops_plan *p, const struct ops_batch *batch,
                      const struct ops_gated *l,
                      const struct ops_gated_grads *g);
};

/* The processor: conv1d.c or wino.c, and act.c; one thread a plan. */
const struct ops *ops_cpu(void);

#endif
