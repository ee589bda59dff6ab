/*
 * net - the table of parameters, filled layer by layer in the order in which
 * PyTorch would register them.
 */
#include "nn/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nn/norm.h"

/* Most floats one model may have: 4 GiB of weights. */
#define MAX_WEIGHTS 1073741824.0

/* Appends a parameter at the end of the arena. Returns its row, or NULL. */
static struct model_param *add_param(struct model *m, const char *name,
                                     const char *suffix, size_t count,
                                     struct err *err)
{
    struct model_param *rows = mem_grow(m->params, &m->net->cap_params,
                                        m->n_params + 1, sizeof(*rows), err);
    struct model_param *p;

    if (!rows)
        return NULL;
    m->params = rows;
    p = &rows[m->n_params++];
    *p = (struct model_param){.n_dims = 1,
                              .shape = {count},
                              .count = count,
                              .offset = m->n_weights,
                              .init = MODEL_INIT_UNIFORM};
    snprintf(p->name, sizeof(p->name), "%s.%s", name, suffix);
    m->n_weights += count;
    return p;
}

/* Half the width of PyTorch's initial distribution of a layer. */
static double bound_of(const struct ops_conv *c)
{
    return 1.0 / sqrt((double)(c->c_in * c->kernel));
}

/* Appends a layer's weight, or its direction. */
static int add_weight(struct model *m, const char *name, const char *suffix,
                      struct ops_conv *c, unsigned flags, struct err *err)
{
    struct model_param *p =
        add_param(m, name, suffix, c->c_out * c->c_in * c->kernel, err);

    if (!p)
        return -1;
    p->n_dims = flags & NET_LINEAR ? 2 : 3;
    p->shape[0] = c->c_out;
    p->shape[1] = c->c_in;
    p->shape[2] = flags & NET_LINEAR ? 0 : c->kernel;
    p->bound = bound_of(c);
    c->weight = p->offset;
    return 0;
}

/* Appends a layer's bias. */
static int add_bias(struct model *m, const char *name, struct ops_conv *c,
                    struct err *err)
{
    struct model_param *p = add_param(m, name, "bias", c->c_out, err);

    if (!p)
        return -1;
    p->bound = bound_of(c);
    c->bias = p->offset;
    return 0;
}

/* Appends a layer's lengths and directions. */
static int add_folded(struct model *m, const char *name, struct ops_conv *c,
                      unsigned flags, struct err *err)
{
    struct model_net *net = m->net;
    struct net_fold *rows = mem_grow(net->folds, &net->cap_folds,
                                     net->n_folds + 1, sizeof(*rows), err);
    struct model_param *p;
    size_t g = m->n_weights;

    if (!rows)
        return -1;
    net->folds = rows;
    p = add_param(m, name, "weight_g", c->c_out, err);
    if (!p)
        return -1;
    p->n_dims = 3;
    p->shape[1] = p->shape[2] = 1;
    p->init = MODEL_INIT_LENGTHS;
    if (add_weight(m, name, "weight_v", c, flags, err))
        return -1;
    rows[net->n_folds++] =
        (struct net_fold){g, c->weight, c->c_out, c->c_in * c->kernel};
    return 0;
}

/* Refuses what would not fit into memory. */
static int check_size(const struct model *m, const char *name,
                      const struct ops_conv *c, struct err *err)
{
    double count = (double)c->c_out * (double)c->c_in * (double)c->kernel;

    if ((double)m->n_weights + count + 4.0 * (double)c->c_out > MAX_WEIGHTS)
        return err_set(err, ERR_USAGE,
                       "model.params: %s: a model of over %.0f weights", name,
                       MAX_WEIGHTS);
    return 0;
}

int net_conv(struct model *m, const char *name, struct ops_conv conv,
             unsigned flags, struct err *err)
{
    struct model_net *net = m->net;
    struct ops_conv *rows = mem_grow(net->convs, &net->cap_convs,
                                     net->n_convs + 1, sizeof(*rows), err);
    int folded = (flags & NET_WEIGHT_NORM) != 0;

    if (!rows)
        return -1;
    net->convs = rows;
    conv.bias = conv.norm = OPS_NONE;
    if (check_size(m, name, &conv, err) ||
        (!folded && add_weight(m, name, "weight", &conv, flags, err)) ||
        ((flags & NET_BIAS) && add_bias(m, name, &conv, err)) ||
        (folded && add_folded(m, name, &conv, flags, err)))
        return -1;
    if (!(flags & NET_UNUSED))
        rows[net->n_convs++] = conv;
    return 0;
}

int net_layer_norm(struct model *m, const char *name, struct err *err)
{
    struct ops_conv *c = &m->net->convs[m->net->n_convs - 1];
    struct model_param *p = add_param(m, name, "weight", c->c_out, err);

    if (!p)
        return -1;
    p->init = MODEL_INIT_ONE;
    c->norm = p->offset;
    p = add_param(m, name, "bias", c->c_out, err);
    if (!p)
        return -1;
    p->init = MODEL_INIT_ZERO;
    return 0;
}

size_t net_segment(size_t n, double kept)
{
    size_t k = 1;

    while (kept * (double)(k * (k + 1)) < (double)n)
        k++;
    return k;
}

const float *net_fold(const struct model *m, float *folded)
{
    const struct model_net *net = m->net;

    if (net->n_folds == 0)
        return m->weights;
    memcpy(folded, m->weights, m->n_weights * sizeof(*folded));
    for (size_t i = 0; i < net->n_folds; i++) {
        const struct net_fold *f = &net->folds[i];

        norm_weight_forward(m->weights + f->g, m->weights + f->v, f->rows,
                            f->len, folded + f->v);
    }
    return folded;
}

void net_unfold(const struct model *m, float *dweights)
{
    for (size_t i = 0; i < m->net->n_folds; i++) {
        const struct net_fold *f = &m->net->folds[i];

        norm_weight_backward(m->weights + f->g, m->weights + f->v, f->rows,
                             f->len, dweights + f->v, dweights + f->g);
    }
}
