/*
 * schedule - closed forms, so that any step's rate is known after a restart.
 */
#include "nn/schedule.h"

#include <math.h>

struct schedule schedule_make(const struct config_optimizer *conf,
                              uint64_t total)
{
    struct schedule s = {.name = conf->scheduler,
                         .base = conf->learning_rate,
                         .floor = conf->eta_min,
                         .warmup = (uint64_t)conf->warmup_steps,
                         .total = total};

    if (s.warmup == 0)
        s.warmup = (uint64_t)ceil((double)total * conf->warmup_ratio);
    return s;
}

double schedule_lr(const struct schedule *s, uint64_t k)
{
    const double pi = 3.14159265358979323846;
    double span = s->total > s->warmup ? (double)(s->total - s->warmup) : 1;
    double x;

    if (k < s->warmup)
        return s->base * (double)k / (double)s->warmup;
    x = (double)(k - s->warmup) / span;
    x = x > 1 ? 1 : x;
    switch (s->name) {
    case CONFIG_LINEAR:
        return s->floor + (s->base - s->floor) * (1 - x);
    case CONFIG_COSINE:
        return s->floor + (s->base - s->floor) * 0.5 * (1 + cos(pi * x));
    case CONFIG_CONSTANT:
        break;
    }
    return s->base;
}
