/*
 * optim - optimizers on one arena of weights, and gradient clipping.
 *
 * With t = 1, 2, ... the step, l weight_decay, lr the scheduled rate and g
 * the clipped gradient (all as in torch.optim, single tensor, float32):
 *
 *   sgd     g += l p;  p -= lr d;  d = g without momentum, else
 *           b = mu b + g (b = 0 before),  d = nesterov ? g + mu b : b
 *   adam    g += l p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *           p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 *   adamw   p *= 1 - lr l, then adam without l
 *
 * Weight decay reaches every tensor, biases too.
 */
#ifndef NN_OPTIM_H
#define NN_OPTIM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* Most arenas an optimizer keeps. */
#define OPTIM_STATES 2

/* One arena of an optimizer, with the layout of the weights. */
struct optim_state {
    const char *name; /* in a checkpoint: exp_avg, exp_avg_sq,
                         momentum_buffer */
    float *data;      /* (n), owned */
};

/* An optimizer. */
struct optim {
    struct config_optimizer conf;            /* a copy */
    size_t n;                                /* weights */
    uint64_t step;                           /* steps done; t of the last one */
    size_t n_states;                         /* arenas in use, 0 to 2 */
    struct optim_state states[OPTIM_STATES]; /* saved and loaded by name */
};

/* An optimizer for n weights, before its first step. */
int optim_init(struct optim *o, const struct config_optimizer *conf, size_t n,
               struct err *err) NODISCARD;

/*
 * One step with learning rate lr.
 *
 * grad: (n) gradient after clipping, unchanged
 * weights: (n), updated
 */
void optim_step(struct optim *o, double lr, const float *grad, float *weights);

/* Changes the momentum, or beta1, of the steps that come; NAN: does not. */
void optim_set_momentum(struct optim *o, double momentum);

/* Frees its state; {0} is fine. */
void optim_release(struct optim *o);

/*
 * L2 norm of the whole gradient (n), summed in double from front to back.
 * Not finite exactly when an element is not.
 */
double optim_norm(const float *grad, size_t n);

/*
 * Clips the global norm as torch.nn.utils.clip_grad_norm_ does: scales grad
 * (n) by max_norm / (norm + 1e-6) if that is below 1. max_norm 0 is off, and
 * a norm that is not finite changes nothing. Returns the norm before.
 */
double optim_clip(float *grad, size_t n, double max_norm);

/* Index of the first element that is not finite; n if all are. */
size_t optim_first_bad(const float *values, size_t n);

#endif
