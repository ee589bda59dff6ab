/*
 * schedule - learning rate as a closed form of the optimizer step.
 *
 * With b the learning rate, W warmup steps and N planned steps, the rate of
 * step k < W is b (k + warmup_start) / max(1, W). From then on a scheduler
 * counts u = k - W of n = max(1, N - W) steps; with interval epoch, u is the
 * epoch and n the number of epochs. With e = eta_min, g = gamma and
 * x = u / T clamped to [0, 1], T = n unless the scheduler has its own:
 *
 *   constant              b
 *   linear                e + (b - e) (1 - x)
 *   cosine                e + (b - e) (1 + cos(pi x)) / 2,  T = t_max; x is
 *                         not clamped when periodic
 *   cosine_with_restarts  the same of (num_cycles x) mod 1; e for x = 1
 *   cosine_warm_restarts  the same of c / T, c counted from the last of the
 *                         restarts, which are t_0, t_0 t_mult, ... apart
 *   step                  b g^floor(u / step_size)
 *   multistep             b g^(milestones that are at most u)
 *   exponential           b g^u
 *   polynomial            e + (b - e) (1 - x)^power,  T = total_iters
 *   inverse_sqrt          b / sqrt((u + s) / s),  s = timescale
 *   constant_torch        b factor while u < total_iters, then b
 *   linear_torch          b (f + (end_factor - f) x),  f = start_factor,
 *                         T = total_iters
 *   wsd                   b, from d = n - ceil(decay_ratio n) on
 *                         e + (b - e) (1 - y) or (1 - sqrt(y)),
 *                         y = (u - d) / (n - d)
 *   onecycle              b / div_factor up to b, down to b / (div_factor
 *                         final_div_factor); see torch's OneCycleLR
 *   cyclic                base_lr to b and back; see torch's CyclicLR
 *   reduce_on_plateau     times factor when the monitored number stays;
 *                         schedule_see(); torch's ReduceLROnPlateau
 *   sequential            part i, counted from milestone i - 1
 *   chained               b times the factors of all parts
 *
 * Source: torch.optim.lr_scheduler, and transformers' get_*_schedule where
 * the planned steps count. A rate past the end stays what it was there.
 */
#ifndef NN_SCHEDULE_H
#define NN_SCHEDULE_H

#include <stdint.h>

#include "core/config.h"

/* What reduce_on_plateau remembers; in checkpoints. */
struct schedule_plateau {
    double best;       /* number seen, NAN: none yet */
    uint64_t bad;      /* validations without improvement */
    uint64_t cooldown; /* validations that do not count, left */
    double rate;       /* learning rate, NAN: the base */
};

/* A learning rate over planned steps. */
struct schedule {
    const struct config_scheduler *conf; /* settled; borrowed */
    double base;                         /* optimizer.learning_rate */
    uint64_t warmup;                     /* W, optimizer steps */
    uint64_t warmup_start;               /* step 0 counts as this, 0 or 1 */
    uint64_t total;                      /* N, optimizer steps */
    uint64_t epochs;                     /* planned */
    struct schedule_plateau plateau;     /* of reduce_on_plateau */
};

/*
 * The schedule of a config over `total` planned optimizer steps in `epochs`.
 * Warmup is warmup_steps, or ceil(total * warmup_ratio) if that is 0.
 */
struct schedule schedule_make(const struct config_optimizer *conf,
                              uint64_t total, uint64_t epochs);

/* Learning rate of optimizer step k of an epoch, both counted from 0. */
double schedule_lr(const struct schedule *s, uint64_t k, uint64_t epoch);

/* Momentum, or beta1, of a step; NAN: the scheduler leaves it alone. */
double schedule_momentum(const struct schedule *s, uint64_t k,
                         uint64_t epoch);

/* Shows reduce_on_plateau a validation's number; others take no notice. */
void schedule_see(struct schedule *s, double metric);

#endif
