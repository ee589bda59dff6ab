/*
 * optim - the update formulas. Scalars are computed in double and
 * rounded once, elements in float, as torch's single-tensor code does.
 */
#include "nn/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The names of the arenas that a config wants; returns how many. */
static size_t arena_names(const struct config_optimizer *c,
                          const char *names[OPTIM_STATES])
{
    size_t n = 0;

    switch (c->name) {
    case CONFIG_ADAM:
    case CONFIG_ADAMW:
        names[n++] = "exp_avg";
        names[n++] = "exp_avg_sq";
        if (c->amsgrad)
            names[n++] = "max_exp_avg_sq";
        break;
    case CONFIG_RMSPROP:
        names[n++] = "square_avg";
        break;
    case CONFIG_LION:
        names[n++] = "exp_avg";
        break;
    case CONFIG_SCHEDULE_FREE_ADAMW:
        names[n++] = "z";
        names[n++] = "exp_avg_sq";
        break;
    case CONFIG_SGD:
        break;
    }
    if ((c->name == CONFIG_SGD || c->name == CONFIG_RMSPROP) &&
        c->momentum > 0)
        names[n++] = "momentum_buffer";
    return n;
}

int optim_init(struct optim *o, const struct config_optimizer *conf, size_t n,
               struct err *err)
{
    const char *names[OPTIM_STATES];
    bool averages =
        conf->ema_decay > 0 || conf->swa_start > 0 ||
        conf->name == CONFIG_SCHEDULE_FREE_ADAMW;

    *o = (struct optim){.conf = *conf, .n = n};
    o->n_states = arena_names(conf, names);
    for (size_t i = 0; i < o->n_states; i++) {
        o->states[i].name = names[i];
        o->states[i].data = mem_alloc(n, sizeof(float), err);
        if (!o->states[i].data)
            goto fail;
    }
    if (averages && !(o->average = mem_alloc(n, sizeof(float), err)))
        goto fail;
    return 0;
fail:
    optim_release(o);
    return -1;
}

int optim_spare(struct optim *o, size_t begin, size_t end, struct err *err)
{
    struct optim_range *grown = mem_grow(o->spared, &o->spared_cap,
                                         o->n_spared + 1, sizeof *grown, err);

    if (!grown)
        return -1;
    o->spared = grown;
    o->spared[o->n_spared++] = (struct optim_range){begin, end};
    return 0;
}

void optim_start(struct optim *o, const float *weights)
{
    if (o->average)
        memcpy(o->average, weights, o->n * sizeof *weights);
    if (o->conf.name == CONFIG_SCHEDULE_FREE_ADAMW)
        memcpy(o->states[0].data, weights, o->n * sizeof *weights);
}

/* One step of some weights. */
struct part {
    struct optim *o;       /* settings and arenas */
    double t;              /* steps taken, from 1 */
    double lr;             /* learning rate */
    double decay;          /* weight decay here */
    const float *grad;     /* (n) of all weights */
    float *weights;        /* (n) */
    struct optim_range at; /* which of them */
};

/* One step of stochastic gradient descent. */
static void sgd(const struct part *p)
{
    const struct config_optimizer *c = &p->o->conf;
    float decay = (float)p->decay, mu = (float)c->momentum;
    float a = p->t > 1 ? (float)(1 - c->dampening) : 1.0f;
    float rate = (float)p->lr, *b = p->o->states[0].data;

    for (size_t i = p->at.begin; i < p->at.end; i++) {
        float g = p->grad[i] + decay * p->weights[i];

        if (b) {
            b[i] = mu * b[i] + a * g;
            g = c->nesterov ? g + mu * b[i] : b[i];
        }
        p->weights[i] -= rate * g;
    }
}

/* One step of Adam; AdamW decays the weights, Adam the gradient. */
static void adam(const struct part *p)
{
    const struct config_optimizer *c = &p->o->conf;
    bool decoupled = c->name == CONFIG_ADAMW;
    float shrink = decoupled ? (float)(1 - p->lr * p->decay) : 1.0f;
    float decay = decoupled ? 0.0f : (float)p->decay;
    float b1 = (float)c->beta1, a1 = (float)(1 - c->beta1);
    float b2 = (float)c->beta2, a2 = (float)(1 - c->beta2);
    float rate = (float)(p->lr / (1 - pow(c->beta1, p->t)));
    float root = (float)sqrt(1 - pow(c->beta2, p->t));
    float eps = (float)c->eps;
    float *m = p->o->states[0].data, *v = p->o->states[1].data;
    float *most = p->o->states[2].data;

    for (size_t i = p->at.begin; i < p->at.end; i++) {
        float w = p->weights[i] * shrink, g = p->grad[i] + decay * w, u;

        m[i] = b1 * m[i] + a1 * g;
        v[i] = b2 * v[i] + a2 * (g * g);
        u = v[i];
        if (most)
            u = most[i] = most[i] > u ? most[i] : u;
        p->weights[i] = w - rate * (m[i] / (sqrtf(u) / root + eps));
    }
}

/* One step of RMSprop. */
static void rmsprop(const struct part *p)
{
    const struct config_optimizer *c = &p->o->conf;
    float decay = (float)p->decay, mu = (float)c->momentum;
    float alpha = (float)c->alpha, rest = (float)(1 - c->alpha);
    float rate = (float)p->lr, eps = (float)c->eps;
    float *v = p->o->states[0].data, *b = p->o->states[1].data;

    for (size_t i = p->at.begin; i < p->at.end; i++) {
        float g = p->grad[i] + decay * p->weights[i];

        v[i] = alpha * v[i] + rest * (g * g);
        g = g / (sqrtf(v[i]) + eps);
        if (b)
            g = b[i] = mu * b[i] + g;
        p->weights[i] -= rate * g;
    }
}

/* One step of Lion. */
static void lion(const struct part *p)
{
    const struct config_optimizer *c = &p->o->conf;
    float shrink = (float)(1 - p->lr * p->decay), rate = (float)p->lr;
    float b1 = (float)c->beta1, a1 = (float)(1 - c->beta1);
    float b2 = (float)c->beta2, a2 = (float)(1 - c->beta2);
    float *m = p->o->states[0].data;

    for (size_t i = p->at.begin; i < p->at.end; i++) {
        float g = p->grad[i], way = b1 * m[i] + a1 * g;

        p->weights[i] = p->weights[i] * shrink -
                        rate * (float)((way > 0) - (way < 0));
        m[i] = b2 * m[i] + a2 * g;
    }
}

/* Counts a step's weight in schedule-free averaging; returns its share. */
static double take_share(struct optim *o, double rate)
{
    struct optim_scalars *s = &o->scalars;
    double weight;

    s->rate_max = rate > s->rate_max ? rate : s->rate_max;
    weight = s->rate_max * s->rate_max;
    s->weight_sum += weight;
    return s->weight_sum > 0 ? weight / s->weight_sum : 0;
}

/* One step of schedule-free AdamW with a share of it in the average. */
static void schedule_free(const struct part *p, double rate_now, double share)
{
    const struct config_optimizer *c = &p->o->conf;
    float decay = (float)p->decay, rate = (float)rate_now;
    float b1 = (float)c->beta1, a1 = (float)(1 - c->beta1);
    float b2 = (float)c->beta2, a2 = (float)(1 - c->beta2);
    float now = (float)share, eps = (float)c->eps;
    float *z = p->o->states[0].data, *v = p->o->states[1].data;
    float *x = p->o->average;

    for (size_t i = p->at.begin; i < p->at.end; i++) {
        float g = p->grad[i];

        v[i] = b2 * v[i] + a2 * (g * g);
        z[i] -= rate * (g / (sqrtf(v[i]) + eps) + decay * p->weights[i]);
        x[i] += now * (z[i] - x[i]);
        p->weights[i] = a1 * z[i] + b1 * x[i];
    }
}

/* One step of the weights of a part; share as take_share() says. */
static void update(const struct part *p, double rate, double share)
{
    if (p->at.begin == p->at.end)
        return;
    switch (p->o->conf.name) {
    case CONFIG_SGD:
        sgd(p);
        break;
    case CONFIG_ADAM:
    case CONFIG_ADAMW:
        adam(p);
        break;
    case CONFIG_RMSPROP:
        rmsprop(p);
        break;
    case CONFIG_LION:
        lion(p);
        break;
    case CONFIG_SCHEDULE_FREE_ADAMW:
        schedule_free(p, rate, share);
        break;
    }
}

/* Moves the average of the weights on: by ema_decay, or to their mean. */
static void average(struct optim *o, const float *weights)
{
    float rest = (float)(1 - o->conf.ema_decay);

    if (o->conf.swa_start > 0)
        rest = o->step > o->swa_from
                   ? (float)(1.0 / (double)(o->step - o->swa_from))
                   : 1;

    for (size_t i = 0; i < o->n; i++)
        o->average[i] += rest * (weights[i] - o->average[i]);
}

void optim_step(struct optim *o, double lr, const float *grad, float *weights)
{
    double t = (double)(++o->step - o->scalars.skipped);
    bool free = o->conf.name == CONFIG_SCHEDULE_FREE_ADAMW;
    double rate = free ? lr * sqrt(1 - pow(o->conf.beta2, t)) : lr;
    double share = free ? take_share(o, rate) : 0;
    struct part p = {o, t, lr, 0, grad, weights, {0, 0}};

    for (size_t i = 0; i <= o->n_spared; i++) {
        p.at.begin = p.at.end;
        p.at.end = i < o->n_spared ? o->spared[i].begin : o->n;
        p.decay = o->conf.weight_decay;
        update(&p, rate, share);
        if (i == o->n_spared)
            break;
        p.at = o->spared[i];
        p.decay = 0;
        update(&p, rate, share);
    }
    if (o->average && !free)
        average(o, weights);
}

void optim_skip(struct optim *o)
{
    o->step++;
    o->scalars.skipped++;
}

void optim_set_momentum(struct optim *o, double momentum)
{
    if (isnan(momentum))
        return;
    if (o->conf.name == CONFIG_SGD || o->conf.name == CONFIG_RMSPROP)
        o->conf.momentum = momentum;
    else
        o->conf.beta1 = momentum;
}

void optim_release(struct optim *o)
{
    for (size_t i = 0; i < OPTIM_STATES; i++)
        free(o->states[i].data);
    free(o->average);
    free(o->spared);
    *o = (struct optim){0};
}

double optim_norm(const float *grad, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)grad[i] * (double)grad[i];
    return sqrt(sum);
}

double optim_clip(float *grad, size_t n, double max_norm)
{
    double norm = optim_norm(grad, n), scale = max_norm / (norm + 1e-6);

    if (max_norm > 0 && isfinite(norm) && scale < 1)
        for (size_t i = 0; i < n; i++)
            grad[i] *= (float)scale;
    return norm;
}

double optim_clip_value(float *grad, size_t n, double limit)
{
    double norm = optim_norm(grad, n);
    float most = (float)limit;

    for (size_t i = 0; limit > 0 && isfinite(norm) && i < n; i++)
        if (grad[i] > most)
            grad[i] = most;
        else if (grad[i] < -most)
            grad[i] = -most;
    return norm;
}

size_t optim_first_bad(const float *values, size_t n)
{
    size_t i = 0;

    while (i < n && isfinite(values[i]))
        i++;
    return i;
}
