/*
 * model - a TCN or a WaveNet: parameters, forward and backward of one row.
 *
 * A model owns its parameters in one arena, addressed through a table of
 * named tensors in PyTorch's state_dict order and layout. A workspace owns
 * the activations of one sequence; threads have one each. Every sequence is
 * computed at its own length, zero outside it, so no result depends on what
 * shares its batch.
 */
#ifndef NN_MODEL_H
#define NN_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "core/config.h"
#include "nn/ops.h"

/* What a parameter is before training. */
enum model_init_kind {
    MODEL_INIT_UNIFORM, /* uniform in (-bound, bound) */
    MODEL_INIT_ONE,     /* ones: gamma of a layer norm */
    MODEL_INIT_ZERO,    /* zeros: its beta */
    MODEL_INIT_LENGTHS  /* lengths of the rows of the parameter behind it:
                           weight_g */
};

/* One parameter. */
struct model_param {
    char name[96];   /* state_dict key, "network.0.conv1.weight" */
    size_t n_dims;   /* 1 to 3 */
    size_t shape[3]; /* PyTorch's: (C_out, C_in, K), (O, C) or (C) */
    size_t count;    /* elements */
    size_t offset;   /* first element in the arena of n_weights floats */
    enum model_init_kind init; /* what it begins as */
    double bound;              /* of MODEL_INIT_UNIFORM */
};

struct model_net; /* the architecture's own part */

/* A model. */
struct model {
    struct config_model conf;   /* a copy */
    struct model_param *params; /* n_params rows, owned */
    size_t n_params;            /* tensors */
    size_t n_weights;           /* floats over all of them */
    float *weights;             /* (n_weights), owned */
    size_t input_size;          /* C */
    size_t output_size;         /* O */
    float *input_mean;          /* (C), owned; 0 until set */
    float *input_std;           /* (C), owned; 1 until set, never 0 */
    struct model_net *net;      /* owned */
};

/* Builds a model with zero weights. ERR_USAGE for impossible settings. */
int model_init(struct model *m, const struct config_model *conf,
               struct err *err) NODISCARD;

/*
 * PyTorch's default initialisation: every weight and bias uniform in
 * (-b, b), b = 1/sqrt(C_in K), drawn from Philox(seed, RNG_INIT, position of
 * the parameter). Under weight norm weight_v is that weight and weight_g its
 * rows' lengths; a layer norm has gamma 1 and beta 0.
 */
void model_init_weights(struct model *m, uint64_t seed);

/* Sets the input normalisation. mean, std: (C); std 0 becomes 1. */
void model_set_input(struct model *m, const float *mean, const float *std);

/*
 * Has every convolution computed in one way, in workspaces opened from now
 * on. Returns 0; -1 with ERR_USAGE where the device cannot.
 */
int model_use(struct model *m, enum ops_algorithm how, struct err *err)
    NODISCARD;

/* Frees it; {0} is fine. */
void model_release(struct model *m);

/* Receptive field in frames: past, future, and past + 1 + future. */
void model_receptive_field(const struct model *m, size_t *past,
                           size_t *future, size_t *whole);

/* Multiply-adds of one frame's forward pass. */
double model_macs_per_frame(const struct model *m);

/* What a workspace is for, the `training` of the functions below. */
enum model_training {
    MODEL_EVAL,     /* forward passes alone */
    MODEL_TRAIN,    /* and backward: every layer's activations are kept */
    MODEL_RECOMPUTE /* and backward, but few are kept: the others are computed
                       again, with the same bits, when backward needs them */
};

/* Bytes a workspace takes for T frames. */
size_t model_work_size(const struct model *m, size_t T, int training);

/* Activations of one sequence. */
struct model_work;

/* A workspace for sequences of up to T frames (grows when needed). */
struct model_work *model_work_open(const struct model *m, size_t T,
                                   int training,
                                   struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void model_work_close(struct model_work *w);

/* Where dropout's numbers come from: a pure function of these. */
struct model_dropout {
    uint64_t seed; /* of the run */
    uint64_t step; /* optimizer step (and micro-batch) */
    uint64_t song; /* XXH3-64 of "dataset/song", never the row */
};

/*
 * Forward pass of one sequence.
 *
 * x:    (T, C) raw features; normalised inside
 * drop: NULL for evaluation, else training with dropout
 * y:    (T, O), owned by w until the next call
 * Returns 0; -1 with err set when memory is short.
 */
int model_forward(const struct model *m, struct model_work *w,
                  const float *x, size_t T, const struct model_dropout *drop,
                  const float **y, struct err *err) NODISCARD;

/*
 * Backward pass of the sequence last given to model_forward() on w.
 *
 * dy:       (T, O) d loss / d y
 * dweights: (n_weights) overwritten with this row's gradient: fixed time
 *           tiles in order, so the same bits whatever runs beside it
 */
int model_backward(const struct model *m, struct model_work *w,
                   const float *dy, float *dweights,
                   struct err *err) NODISCARD;

/* The parameter that holds flat index i. */
const struct model_param *model_param_at(const struct model *m, size_t i);

#endif
