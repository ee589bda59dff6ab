/*
 * optim - torch's update formulas. Scalars are computed in double and
 * rounded once, elements in float, as torch's single-tensor code does.
 */
#include "nn/optim.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

int optim_init(struct optim *o, const struct config_optimizer *conf, size_t n,
               struct err *err)
{
    *o = (struct optim){.conf = *conf, .n = n};
    if (conf->name == CONFIG_SGD) {
        o->states[0].name = "momentum_buffer";
        o->n_states = conf->momentum > 0;
    } else {
        o->states[0].name = "exp_avg";
        o->states[1].name = "exp_avg_sq";
        o->n_states = 2;
    }
    for (size_t i = 0; i < o->n_states; i++) {
        o->states[i].data = mem_alloc(n, sizeof(float), err);
        if (!o->states[i].data) {
            optim_release(o);
            return -1;
        }
    }
    return 0;
}

/* One step of stochastic gradient descent. */
static void sgd(struct optim *o, double lr, const float *grad, float *weights)
{
    float decay = (float)o->conf.weight_decay, mu = (float)o->conf.momentum;
    float rate = (float)lr, *b = o->states[0].data;

    for (size_t i = 0; i < o->n; i++) {
        float g = grad[i] + decay * weights[i];

        if (b) {
            b[i] = mu * b[i] + g;
            g = o->conf.nesterov ? g + mu * b[i] : b[i];
        }
        weights[i] -= rate * g;
    }
}

/* One step of Adam; AdamW decays the weights, Adam the gradient. */
static void adam(struct optim *o, double lr, const float *grad, float *weights)
{
    const struct config_optimizer *c = &o->conf;
    int decoupled = c->name == CONFIG_ADAMW;
    double t = (double)o->step;
    float shrink = decoupled ? (float)(1 - lr * c->weight_decay) : 1.0f;
    float decay = decoupled ? 0.0f : (float)c->weight_decay;
    float b1 = (float)c->beta1, a1 = (float)(1 - c->beta1);
    float b2 = (float)c->beta2, a2 = (float)(1 - c->beta2);
    float rate = (float)(lr / (1 - pow(c->beta1, t)));
    float root = (float)sqrt(1 - pow(c->beta2, t));
    float eps = (float)c->eps;
    float *m = o->states[0].data, *v = o->states[1].data;

    for (size_t i = 0; i < o->n; i++) {
        float w = weights[i] * shrink, g = grad[i] + decay * w;

        m[i] = b1 * m[i] + a1 * g;
        v[i] = b2 * v[i] + a2 * (g * g);
        weights[i] = w - rate * (m[i] / (sqrtf(v[i]) / root + eps));
    }
}

void optim_step(struct optim *o, double lr, const float *grad, float *weights)
{
    o->step++;
    if (o->conf.name == CONFIG_SGD)
        sgd(o, lr, grad, weights);
    else
        adam(o, lr, grad, weights);
}

void optim_set_momentum(struct optim *o, double momentum)
{
    if (isnan(momentum))
        return;
    if (o->conf.name == CONFIG_SGD)
        o->conf.momentum = momentum;
    else
        o->conf.beta1 = momentum;
}

void optim_release(struct optim *o)
{
    for (size_t i = 0; i < OPTIM_STATES; i++)
        free(o->states[i].data);
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

size_t optim_first_bad(const float *values, size_t n)
{
    size_t i = 0;

    while (i < n && isfinite(values[i]))
        i++;
    return i;
}
