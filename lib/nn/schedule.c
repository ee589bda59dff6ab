/*
 * schedule - closed forms, so that any step's rate is known after a restart.
 */
#include "nn/schedule.h"

#include <math.h>

/* Half a turn. */
static const double pi = 3.14159265358979323846;

/* How far a scheduler has come. */
struct point {
    double u;         /* steps or epochs since it began */
    double n;         /* of them it was planned for, at least 1 */
    double timescale; /* of inverse_sqrt when it has none */
};

struct schedule schedule_make(const struct config_optimizer *conf,
                              uint64_t total, uint64_t epochs)
{
    struct schedule s = {.conf = &conf->scheduler,
                         .base = conf->learning_rate,
                         .warmup = (uint64_t)conf->warmup_steps,
                         .warmup_start = (uint64_t)conf->warmup_start,
                         .total = total,
                         .epochs = epochs,
                         .plateau = {.best = NAN, .rate = NAN}};

    if (s.warmup == 0)
        s.warmup = (uint64_t)ceil((double)total * conf->warmup_ratio);
    return s;
}

/* A number or, for 0, what stands for it. */
static double or_else(int64_t value, double other)
{
    return value ? (double)value : other;
}

/* u / T, at most 1. */
static double share(double u, double T)
{
    return u < T ? u / T : 1;
}

/* From b at x = 0 to e at x = 1 along half a cosine. */
static double half_cosine(double b, double e, double x)
{
    return e + (b - e) * 0.5 * (1 + cos(pi * x));
}

/* torch's CosineAnnealingWarmRestarts: share of the period at u. */
static double warm_restart(const struct config_scheduler *c, double u)
{
    double T = (double)c->t_0;

    if (c->t_mult == 1)
        return fmod(u, T) / T;
    while (u >= T) {
        u -= T;
        T *= (double)c->t_mult;
    }
    return u / T;
}

/* Milestones that are at most u. */
static size_t passed(const struct config_scheduler *c, double u)
{
    size_t i = 0;

    while (i < c->n_milestones && (double)c->milestones[i] <= u)
        i++;
    return i;
}

/* The cosine forms. */
static double cosine(const struct config_scheduler *c, double b,
                     struct point at)
{
    double x = share(at.u, at.n), T;

    if (c->name == CONFIG_WARM_RESTARTS)
        return half_cosine(b, c->eta_min, warm_restart(c, at.u));
    if (c->name == CONFIG_COSINE_RESTARTS)
        return x < 1 ? half_cosine(b, c->eta_min,
                                   fmod((double)c->num_cycles * x, 1))
                     : c->eta_min;
    T = or_else(c->t_max, at.n);
    return half_cosine(b, c->eta_min, c->periodic ? at.u / T
                                                  : share(at.u, T));
}

/* A straight or polynomial fall to eta_min. */
static double fall(const struct config_scheduler *c, double b,
                   struct point at)
{
    double rest = 1 - share(at.u, at.n);

    if (c->name == CONFIG_POLYNOMIAL)
        rest = pow(1 - share(at.u, or_else(c->total_iters, at.n)), c->power);
    return c->eta_min + (b - c->eta_min) * rest;
}

/* Warm, stable, decay. */
static double wsd(const struct config_scheduler *c, double b, struct point at)
{
    double length = ceil(c->decay_ratio * at.n), y;

    if (at.u <= at.n - length)
        return b;
    y = share(at.u - (at.n - length), length);
    if (c->decay == CONFIG_DECAY_SQRT)
        y = sqrt(y);
    return c->eta_min + (b - c->eta_min) * (1 - y);
}

/* torch's ConstantLR and LinearLR. */
static double by_factor(const struct config_scheduler *c, double b, double u)
{
    double T = (double)c->total_iters;

    if (c->name == CONFIG_CONSTANT_TORCH)
        return u < T ? b * c->factor : b;
    return b * (c->start_factor +
                (c->end_factor - c->start_factor) * share(u, T));
}

/* Where torch's OneCycleLR stands at u of n. */
struct phase {
    int from, to; /* 0: first rate, 1: highest, 2: last */
    double x;     /* share of the way */
};

/* The phase at u. */
static struct phase find_phase(const struct config_scheduler *c,
                               struct point at)
{
    double up = c->pct_start * at.n - 1, down = 2 * c->pct_start * at.n - 2;
    double end = at.n - 1, u = at.u < end ? at.u : end, start = 0;
    struct phase p = {0, 1, 0};
    double stop = up;

    if (u > up) {
        start = up;
        stop = end;
        p = (struct phase){1, 2, 0};
        if (c->three_phase && u <= down) {
            stop = down;
            p.to = 0;
        } else if (c->three_phase) {
            start = down;
            p.from = 0;
        }
    }
    p.x = stop > start ? (u - start) / (stop - start) : 0;
    return p;
}

/* A value between two, as a phase goes from one to the other. */
static double anneal(const struct config_scheduler *c, double from, double to,
                     double x)
{
    if (c->anneal_strategy == CONFIG_ANNEAL_LINEAR)
        return from + (to - from) * x;
    return to + (from - to) / 2.0 * (1 + cos(pi * x));
}

/* torch's OneCycleLR. */
static double onecycle(const struct config_scheduler *c, double b,
                       struct point at)
{
    double rates[3] = {b / c->div_factor, b,
                       b / c->div_factor / c->final_div_factor};
    struct phase p = find_phase(c, at);

    return anneal(c, rates[p.from], rates[p.to], p.x);
}

/* torch's CyclicLR: how high its triangle is at u, of 1. */
static double triangle(const struct config_scheduler *c, double u)
{
    double up = (double)c->step_size_up;
    double size = up + (double)c->step_size_down, ratio = up / size;
    double cycle = floor(1 + u / size), x = 1 + u / size - cycle;
    double height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);

    if (c->mode == CONFIG_MODE_TRIANGULAR2)
        return height / pow(2, cycle - 1);
    return c->mode == CONFIG_MODE_EXP_RANGE ? height * pow(c->gamma, u)
                                            : height;
}

/* The rate of a scheduler without parts. */
static double single(const struct config_scheduler *c, double b,
                     struct point at)
{
    double scale;

    switch (c->name) {
    case CONFIG_LINEAR:
    case CONFIG_POLYNOMIAL:
        return fall(c, b, at);
    case CONFIG_COSINE:
    case CONFIG_COSINE_RESTARTS:
    case CONFIG_WARM_RESTARTS:
        return cosine(c, b, at);
    case CONFIG_STEP:
        return b * pow(c->gamma, floor(at.u / (double)c->step_size));
    case CONFIG_MULTISTEP:
        return b * pow(c->gamma, (double)passed(c, at.u));
    case CONFIG_EXPONENTIAL:
        return b * pow(c->gamma, at.u);
    case CONFIG_INVERSE_SQRT:
        scale = or_else(c->timescale, at.timescale);
        return b / sqrt((at.u + scale) / scale);
    case CONFIG_CONSTANT_TORCH:
    case CONFIG_LINEAR_TORCH:
        return by_factor(c, b, at.u);
    case CONFIG_WSD:
        return wsd(c, b, at);
    case CONFIG_ONECYCLE:
        return onecycle(c, b, at);
    case CONFIG_CYCLIC:
        return c->base_lr + (b - c->base_lr) * triangle(c, at.u);
    default:
        return b;
    }
}

/* The part of sequential that is at work, counted from where it began. */
static double in_turn(const struct config_scheduler *c, double b,
                      struct point at)
{
    size_t i = passed(c, at.u);
    double first = i ? (double)c->milestones[i - 1] : 0;
    double end = i < c->n_milestones ? (double)c->milestones[i] : at.n;

    at.u -= first;
    at.n = end > first ? end - first : 1;
    return single(&c->schedulers[i], b, at);
}

/* Any scheduler's rate. */
static double rate(const struct config_scheduler *c, double b,
                   struct point at)
{
    size_t i;

    if (c->name == CONFIG_SEQUENTIAL)
        return in_turn(c, b, at);
    for (i = 0; c->name == CONFIG_CHAINED && i < c->n_schedulers; i++)
        b *= single(&c->schedulers[i], 1, at);
    return single(c, b, at);
}

/* Where a step stands behind the warmup. */
static struct point point_of(const struct schedule *s, uint64_t k,
                             uint64_t epoch)
{
    uint64_t span = s->total > s->warmup ? s->total - s->warmup : 1;
    struct point at = {k > s->warmup ? (double)(k - s->warmup) : 0,
                       (double)span,
                       s->warmup ? (double)s->warmup : 10000};

    if (s->conf->interval == CONFIG_PER_EPOCH) {
        at.u = (double)epoch;
        at.n = s->epochs ? (double)s->epochs : 1;
    }
    return at;
}

double schedule_lr(const struct schedule *s, uint64_t k, uint64_t epoch)
{
    double b = s->base;

    if (k < s->warmup)
        return b * (double)(k + s->warmup_start) / (double)s->warmup;
    if (s->conf->name == CONFIG_PLATEAU)
        return isnan(s->plateau.rate) ? b : s->plateau.rate;
    return rate(s->conf, b, point_of(s, k, epoch));
}

double schedule_momentum(const struct schedule *s, uint64_t k,
                         uint64_t epoch)
{
    const struct config_scheduler *c = s->conf;
    struct point at = point_of(s, k, epoch);
    double low = c->base_momentum, high = c->max_momentum;
    struct phase p;

    if (!c->cycle_momentum ||
        (c->name != CONFIG_ONECYCLE && c->name != CONFIG_CYCLIC))
        return NAN;
    if (c->name == CONFIG_CYCLIC)
        return high - (high - low) * triangle(c, at.u);
    p = find_phase(c, at);
    return anneal(c, p.from == 1 ? low : high, p.to == 1 ? low : high, p.x);
}

/* Whether a number is better than the best one; NAN never is. */
static bool is_better(const struct config_scheduler *c, double metric,
                      double best)
{
    double sign = c->mode == CONFIG_MODE_MAX ? 1 : -1;
    double bound = c->threshold_mode == CONFIG_THRESHOLD_REL
                       ? best * (1 + sign * c->threshold)
                       : best + sign * c->threshold;

    if (isnan(metric) || isnan(best))
        return !isnan(metric);
    return sign > 0 ? metric > bound : metric < bound;
}

void schedule_see(struct schedule *s, double metric)
{
    const struct config_scheduler *c = s->conf;
    struct schedule_plateau *p = &s->plateau;
    double now = isnan(p->rate) ? s->base : p->rate, next;

    if (c->name != CONFIG_PLATEAU)
        return;
    p->bad++;
    if (is_better(c, metric, p->best)) {
        p->best = metric;
        p->bad = 0;
    }
    if (p->cooldown > 0) {
        p->cooldown--;
        p->bad = 0;
    }
    if (p->bad <= (uint64_t)c->patience)
        return;
    next = now * c->factor > c->min_lr ? now * c->factor : c->min_lr;
    if (now - next > c->eps)
        p->rate = next;
    p->cooldown = (uint64_t)c->cooldown;
    p->bad = 0;
}
