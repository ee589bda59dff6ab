/*
 * net - the table of parameters, filled layer by layer in the order in which
 * PyTorch would register them.
 */
#include "nn/net.h"

#include <stdio.h>

#include "base/mem.h"

/* Most floats one model may have: 4 GiB of weights. */
#define MAX_WEIGHTS 1073741824.0

/* Appends a parameter at the end of the arena. Returns its row, or NULL. */
static struct model_param *add_param(struct model *m, const char *name,
                                     const char *suffix, struct err *err)
{
    struct model_param *rows = mem_grow(m->params, &m->net->cap_params,
                                        m->n_params + 1, sizeof(*rows), err);
    struct model_param *p;

    if (!rows)
        return NULL;
    m->params = rows;
    p = &rows[m->n_params++];
    *p = (struct model_param){.offset = m->n_weights};
    snprintf(p->name, sizeof(p->name), "%s.%s", name, suffix);
    return p;
}

/* Appends a layer's weight. */
static int add_weight(struct model *m, const char *name,
                      const struct ops_conv *c, int linear, struct err *err)
{
    struct model_param *p;
    double count = (double)c->c_out * (double)c->c_in * (double)c->kernel;

    if ((double)m->n_weights + count + (double)c->c_out > MAX_WEIGHTS)
        return err_set(err, ERR_USAGE,
                       "model.params: %s: a model of over %.0f weights", name,
                       MAX_WEIGHTS);
    p = add_param(m, name, "weight", err);
    if (!p)
        return -1;
    p->n_dims = linear ? 2 : 3;
    p->shape[0] = c->c_out;
    p->shape[1] = c->c_in;
    p->shape[2] = linear ? 0 : c->kernel;
    p->count = c->c_out * c->c_in * c->kernel;
    m->n_weights += p->count;
    return 0;
}

/* Appends a layer's bias. */
static int add_bias(struct model *m, const char *name, const struct ops_conv *c,
                    struct err *err)
{
    struct model_param *p = add_param(m, name, "bias", err);

    if (!p)
        return -1;
    p->n_dims = 1;
    p->shape[0] = p->count = c->c_out;
    m->n_weights += p->count;
    return 0;
}

int net_conv(struct model *m, const char *name, struct ops_conv conv, int bias,
             int linear, struct err *err)
{
    struct model_net *net = m->net;
    struct ops_conv *rows = mem_grow(net->convs, &net->cap_convs,
                                     net->n_convs + 1, sizeof(*rows), err);

    if (!rows)
        return -1;
    net->convs = rows;
    conv.weight = m->n_weights;
    conv.bias = OPS_NONE;
    if (add_weight(m, name, &conv, linear, err))
        return -1;
    if (bias) {
        conv.bias = m->n_weights;
        if (add_bias(m, name, &conv, err))
            return -1;
    }
    rows[net->n_convs++] = conv;
    return 0;
}
