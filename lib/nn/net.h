/*
 * net - what an architecture gives to model.c, and the workspace they share.
 *
 * An architecture (tcn.c) registers its convolutions with net_conv(), which
 * fills the model's table of parameters, and fills in the functions below.
 * It owns no memory of its own: buffers are numbered, and model.c reserves
 * net->frame_size(m, i, training) bytes a frame for each of them.
 */
#ifndef NN_NET_H
#define NN_NET_H

#include <stddef.h>

#include "base/err.h"
#include "nn/model.h"
#include "nn/ops.h"

/* Buffers every architecture has; its own follow. */
enum net_buf {
    NET_IN,   /* (T, C) normalised features */
    NET_OUT,  /* (T, O) */
    NET_DOUT, /* (T, O) d loss / d output; empty if not training */
    NET_OWN   /* first of the architecture's */
};

/* A convolution's weight as weight norm has it. */
struct net_fold {
    size_t g;    /* offset of weight_g (rows) in the arena */
    size_t v;    /* offset of weight_v (rows, len) */
    size_t rows; /* C_out */
    size_t len;  /* C_in K */
};

/* An architecture's part of a model. */
struct model_net {
    const struct ops *ops;  /* the device */
    struct ops_conv *convs; /* n_convs layers, owned */
    size_t n_convs;         /* layers */
    size_t cap_convs;       /* rows reserved */
    size_t cap_params;      /* rows of model.params reserved */
    struct net_fold *folds; /* n_folds weights under weight norm, owned */
    size_t n_folds;         /* of them */
    size_t cap_folds;       /* rows reserved */
    size_t past;            /* frames an output sees before it */
    size_t future;          /* frames an output sees after it */

    /* How many buffers a workspace has. */
    size_t (*n_bufs)(const struct model *m, int training);

    /* Bytes a frame of buffer i takes; 0: it is not used. */
    size_t (*frame_size)(const struct model *m, size_t i, int training);

    /* NET_OUT from NET_IN. */
    void (*forward)(const struct model *m, struct model_work *w);

    /* w->dweights from NET_DOUT. Returns 0; -1 with err set. */
    int (*backward)(const struct model *m, struct model_work *w,
                    struct err *err);
};

/* Activations of one sequence. */
struct model_work {
    const struct ops *ops;     /* the device, borrowed */
    struct ops_plan *plan;     /* packed weights, owned */
    struct ops_buf **bufs;     /* n_bufs buffers, owned */
    size_t n_bufs;             /* buffers */
    struct ops_buf *dweights;  /* floats of the arena, owned; training only */
    int training;              /* enum model_training */
    size_t cap_T;              /* frames the buffers have room for */
    size_t first, T;           /* the one sequence: frame 0, and its length */
    uint64_t song;             /* its dropout hash */
    struct ops_batch batch;    /* points at the three fields above */
    int dropping;              /* the last forward pass had dropout */
    struct model_dropout drop; /* and these numbers */
    float *folded;             /* (n_weights) for net_fold(), owned; NULL if
                                  nothing is folded */
    float *x;                  /* (cap_T, C) normalised features, owned */
    float *y;                  /* (cap_T, O), owned */
};

/*
 * Layers of a segment when activations are computed again, of n that each
 * leave 1 unit behind for the next and keep `kept` units for their way back:
 * as many as make n / k + kept k about the least.
 */
size_t net_segment(size_t n, double kept);

/* How a convolution is registered, ORed. */
enum net_flag {
    NET_BIAS = 1,        /* it has a bias */
    NET_LINEAR = 2,      /* the weight's shape is (C_out, C_in), K is 1 */
    NET_WEIGHT_NORM = 4, /* its weight is a direction and a length */
    NET_UNUSED = 8       /* it has parameters, but nothing ever uses it */
};

/*
 * Registers a convolution: its parameters "<name>.weight" (C_out, C_in, K)
 * and, with a bias, "<name>.bias" get the next offsets of the arena. With
 * weight norm they are, in PyTorch's order, "<name>.bias", "<name>.weight_g"
 * (C_out, 1, 1) and "<name>.weight_v" (C_out, C_in, K).
 *
 * conv: weight, bias and norm are filled in here
 * Returns 0; -1 with err set, ERR_USAGE if the model gets too large.
 */
int net_conv(struct model *m, const char *name, struct ops_conv conv,
             unsigned flags, struct err *err) NODISCARD;

/*
 * Puts a layer norm behind the convolution registered last: parameters
 * "<name>.weight" and "<name>.bias", (C_out) each.
 */
int net_layer_norm(struct model *m, const char *name,
                   struct err *err) NODISCARD;

/*
 * The weights that the layers work with: m->weights itself, or where weight
 * norm is used a copy in `folded`, w in place of each weight_v.
 */
const float *net_fold(const struct model *m, float *folded);

/* Gradients of m->weights from those of net_fold()'s weights, in place. */
void net_unfold(const struct model *m, float *dweights);

#endif
