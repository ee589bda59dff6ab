/*
 * schedule - learning rate as a closed form of the optimizer step.
 *
 * With b the learning rate, e the floor eta_min, W warmup steps, N planned
 * steps and x = (k - W) / max(1, N - W) clamped to [0, 1]:
 *
 *   k < W      b k / max(1, W): step 0 has rate 0
 *   constant   b
 *   linear     e + (b - e) (1 - x)
 *   cosine     e + (b - e) (1 + cos(pi x)) / 2
 *
 * Source: transformers' get_constant/linear/cosine_schedule_with_warmup;
 * with W = 0 cosine is torch's CosineAnnealingLR(T_max = N). Past N the rate
 * stays at the floor.
 */
#ifndef NN_SCHEDULE_H
#define NN_SCHEDULE_H

#include <stdint.h>

#include "core/config.h"

/* A learning rate over planned steps. */
struct schedule {
    enum config_scheduler_name name; /* its form */
    double base;                     /* optimizer.learning_rate */
    double floor;                    /* eta_min; unused by constant */
    uint64_t warmup;                 /* W, optimizer steps */
    uint64_t total;                  /* N, optimizer steps */
};

/*
 * The schedule of a config over `total` planned optimizer steps. Warmup is
 * warmup_steps, or ceil(total * warmup_ratio) if that is 0.
 */
struct schedule schedule_make(const struct config_optimizer *conf,
                              uint64_t total);

/* Learning rate of optimizer step k, counted from 0. */
double schedule_lr(const struct schedule *s, uint64_t k);

#endif
