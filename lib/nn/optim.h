/*
 * optim - optimizers on one arena of weights, averages of the weights, and
 * gradient clipping.
 *
 * With t = 1, 2, ... the steps taken, l weight_decay, lr the scheduled rate
 * and g the clipped gradient (float32, scalars in double):
 *
 *   sgd      g += l p;  p -= lr d;  d = g without momentum, else
 *            b = mu b + (1 - dampening) g (b = g for t = 1),
 *            d = nesterov ? g + mu b : b
 *   adam     g += l p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *            p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps);
 *            amsgrad takes the largest v so far instead of v
 *   adamw    p *= 1 - lr l, then adam without l
 *   rmsprop  g += l p;  v = alpha v + (1 - alpha) g^2;
 *            d = g / (sqrt(v) + eps);  with momentum b = mu b + d, d = b;
 *            p -= lr d
 *   lion     p *= 1 - lr l;  p -= lr sign(b1 m + (1 - b1) g);
 *            m = b2 m + (1 - b2) g
 *   schedule_free_adamw
 *            v = b2 v + (1 - b2) g^2;  r = lr sqrt(1 - b2^t);
 *            z -= r (g / (sqrt(v) + eps) + l p);  with R the largest r so
 *            far, c = R^2 / sum of all R^2:  x = (1 - c) x + c z;
 *            p = (1 - b1) z + b1 x.  x is the average.
 *
 * Weight decay reaches every weight that is not spared. ema_decay d keeps
 * the average a = d a + (1 - d) p of any but the last; swa_start keeps the
 * mean of the weights after each of the later steps.
 *
 * Sources: torch.optim; Chen et al. 2023 (lion); Defazio et al. 2024,
 * "The Road Less Scheduled".
 */
#ifndef NN_OPTIM_H
#define NN_OPTIM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* Most arenas an optimizer keeps. */
#define OPTIM_STATES 3

/* One arena of an optimizer, with the layout of the weights. */
struct optim_state {
    const char *name; /* in a checkpoint: exp_avg, exp_avg_sq,
                         max_exp_avg_sq, momentum_buffer, square_avg, z */
    float *data;      /* (n), owned */
};

/* Weights [begin, end). */
struct optim_range {
    size_t begin; /* first */
    size_t end;   /* behind the last */
};

/* What a checkpoint keeps beside the arenas. */
struct optim_scalars {
    uint64_t skipped;  /* steps that moved nothing */
    double rate_max;   /* schedule_free_adamw: R */
    double weight_sum; /* schedule_free_adamw: sum of R^2 */
};

/* An optimizer. */
struct optim {
    struct config_optimizer conf;            /* a copy */
    size_t n;                                /* weights */
    uint64_t step;                           /* steps done, skipped too */
    struct optim_scalars scalars;            /* saved and loaded */
    size_t n_states;                         /* arenas in use, 0 to 3 */
    struct optim_state states[OPTIM_STATES]; /* saved and loaded by name */
    uint64_t swa_from;                       /* steps before the mean of
                                                swa_start begins; set by
                                                the caller */
    float *average;                          /* (n) what is validated and
                                                saved as the model, owned;
                                                NULL: the weights */
    struct optim_range *spared;              /* n_spared, owned */
    size_t n_spared;                         /* how many */
    size_t spared_cap;                       /* room */
};

/* An optimizer for n weights, before its first step. */
int optim_init(struct optim *o, const struct config_optimizer *conf, size_t n,
               struct err *err) NODISCARD;

/* Does not decay weights [begin, end); call with rising ranges. */
int optim_spare(struct optim *o, size_t begin, size_t end,
                struct err *err) NODISCARD;

/* Lets the averages begin at the weights (n) of a run that begins. */
void optim_start(struct optim *o, const float *weights);

/*
 * One step with learning rate lr.
 *
 * grad: (n) gradient after clipping, unchanged
 * weights: (n), updated
 */
void optim_step(struct optim *o, double lr, const float *grad, float *weights);

/* Counts a step that moves nothing. */
void optim_skip(struct optim *o);

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

/*
 * Clips every element to [-limit, limit], as clip_grad_value_ does; 0 is
 * off, and a norm that is not finite changes nothing. Returns the norm before.
 */
double optim_clip_value(float *grad, size_t n, double limit);

/* Index of the first element that is not finite; n if all are. */
size_t optim_first_bad(const float *values, size_t n);

#endif
