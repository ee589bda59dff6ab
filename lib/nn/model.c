/*
 * model - what all architectures share: the arena of weights, their initial
 * values, input normalisation, workspaces.
 */
#include "nn/model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "nn/net.h"
#include "nn/norm.h"
#include "nn/tcn.h"
#include "nn/wavenet.h"

/* Frames a workspace's room is rounded up to. */
#define ROOM 64

/* Registers the layers of the architecture asked for. */
static int architecture_init(struct model *m, struct err *err)
{
    switch (m->conf.architecture) {
    case CONFIG_TCN:
        return tcn_init(m, err);
    case CONFIG_WAVENET:
        return wavenet_init(m, err);
    }
    return err_set(err, ERR_USAGE,
                   "model.architecture: want one of tcn, wavenet");
}

int model_init(struct model *m, const struct config_model *conf,
               struct err *err)
{
    *m = (struct model){.conf = *conf};
    m->net = mem_alloc(1, sizeof(*m->net), err);
    if (!m->net)
        return -1;
    m->net->ops = ops_cpu();
    if (architecture_init(m, err))
        goto fail;
    m->weights = mem_alloc(m->n_weights, sizeof(float), err);
    m->input_mean = mem_alloc(m->input_size, sizeof(float), err);
    m->input_std = mem_alloc(m->input_size, sizeof(float), err);
    if (!m->weights || !m->input_mean || !m->input_std)
        goto fail;
    for (size_t c = 0; c < m->input_size; c++)
        m->input_std[c] = 1.0f;
    return 0;
fail:
    model_release(m);
    return -1;
}

/* Initial values of parameter i. */
static void init_param(struct model *m, size_t i, uint64_t seed)
{
    const struct model_param *p = &m->params[i];
    float *w = m->weights + p->offset;
    struct rng r;

    rng_init(&r, seed, RNG_INIT, (uint32_t)i, 0);
    for (size_t k = 0; k < p->count; k++)
        if (p->init == MODEL_INIT_UNIFORM)
            w[k] = (float)(p->bound * (2.0 * rng_uniform(&r) - 1.0));
        else
            w[k] = p->init == MODEL_INIT_ONE;
}

void model_init_weights(struct model *m, uint64_t seed)
{
    for (size_t i = 0; i < m->n_params; i++)
        init_param(m, i, seed);
    for (size_t i = 0; i < m->net->n_folds; i++) {
        const struct net_fold *f = &m->net->folds[i];

        norm_weight_lengths(m->weights + f->v, f->rows, f->len,
                            m->weights + f->g);
    }
}

void model_set_input(struct model *m, const float *mean, const float *std)
{
    for (size_t c = 0; c < m->input_size; c++) {
        m->input_mean[c] = mean[c];
        m->input_std[c] = std[c] == 0.0f ? 1.0f : std[c];
    }
}

int model_use(struct model *m, enum ops_algorithm how, struct err *err)
{
    if (!m->net->ops->can(how))
        return err_set(err, ERR_USAGE,
                       "%s: no products of bfloat16 on this processor",
                       m->net->ops->name);
    for (size_t i = 0; i < m->net->n_convs; i++)
        m->net->convs[i].algorithm = how;
    return 0;
}

void model_release(struct model *m)
{
    if (m->net) {
        free(m->net->convs);
        free(m->net->folds);
    }
    free(m->net);
    free(m->params);
    free(m->weights);
    free(m->input_mean);
    free(m->input_std);
    *m = (struct model){0};
}

void model_receptive_field(const struct model *m, size_t *past, size_t *future,
                           size_t *whole)
{
    *past = m->net->past;
    *future = m->net->future;
    *whole = *past + 1 + *future;
}

double model_macs_per_frame(const struct model *m)
{
    double macs = 0;

    for (size_t l = 0; l < m->net->n_convs; l++) {
        const struct ops_conv *c = &m->net->convs[l];

        macs += (double)c->c_in * (double)c->c_out * (double)c->kernel;
    }
    return macs;
}

/* T rounded up to what a workspace reserves. */
static size_t room(size_t T)
{
    return T > SIZE_MAX - ROOM ? T : (T + ROOM - 1) / ROOM * ROOM;
}

size_t model_work_size(const struct model *m, size_t T, int training)
{
    const struct model_net *net = m->net;
    size_t frame = (m->input_size + m->output_size) * sizeof(float);
    size_t n = net->n_bufs(m, training);

    for (size_t i = 0; i < n; i++)
        frame += net->frame_size(m, i, training);
    return sizeof(struct model_work) + frame * room(T) +
           (training ? m->n_weights * sizeof(float) : 0) +
           (net->n_folds ? m->n_weights * sizeof(float) : 0) +
           net->ops->plan_size(net->convs, net->n_convs, room(T), training);
}

/* Frees what depends on the number of frames. */
static void work_clear(struct model_work *w)
{
    for (size_t i = 0; i < w->n_bufs; i++) {
        w->ops->free(w->bufs[i]);
        w->bufs[i] = NULL;
    }
    free(w->x);
    free(w->y);
    w->x = w->y = NULL;
    w->cap_T = 0;
}

/* Makes room for T frames; what was there is lost. */
static int work_reserve(const struct model *m, struct model_work *w, size_t T,
                        struct err *err)
{
    size_t widest = m->input_size;

    if (T <= w->cap_T)
        return 0;
    T = room(T);
    work_clear(w);
    for (size_t i = 0; i < w->n_bufs; i++) {
        size_t size = m->net->frame_size(m, i, w->training);

        widest = size > widest ? size : widest;
    }
    if (T > SIZE_MAX / sizeof(float) / widest)
        return err_set(err, ERR_FAILED, "a sequence of %zu frames", T);
    for (size_t i = 0; i < w->n_bufs; i++) {
        w->bufs[i] =
            w->ops->alloc(T * m->net->frame_size(m, i, w->training), err);
        if (!w->bufs[i])
            goto fail;
    }
    w->x = mem_alloc(T * m->input_size, sizeof(float), err);
    w->y = mem_alloc(T * m->output_size, sizeof(float), err);
    if (!w->x || !w->y)
        goto fail;
    w->cap_T = T;
    return 0;
fail:
    work_clear(w);
    return -1;
}

struct model_work *model_work_open(const struct model *m, size_t T,
                                   int training, struct err *err)
{
    const struct model_net *net = m->net;
    struct model_work *w = mem_alloc(1, sizeof(*w), err);

    if (!w)
        return NULL;
    w->ops = net->ops;
    w->training = training;
    w->bufs = mem_alloc(net->n_bufs(m, training), sizeof(*w->bufs), err);
    if (!w->bufs)
        goto fail;
    w->n_bufs = net->n_bufs(m, training);
    w->batch = (struct ops_batch){1, &w->first, &w->T, &w->song};
    w->plan = w->ops->open(net->convs, net->n_convs, training, err);
    if (!w->plan)
        goto fail;
    if (net->n_folds) {
        w->folded = mem_alloc(m->n_weights, sizeof(float), err);
        if (!w->folded)
            goto fail;
    }
    if (training) {
        w->dweights = w->ops->alloc(m->n_weights * sizeof(float), err);
        if (!w->dweights)
            goto fail;
    }
    if (work_reserve(m, w, T, err))
        goto fail;
    return w;
fail:
    model_work_close(w);
    return NULL;
}

void model_work_close(struct model_work *w)
{
    if (!w)
        return;
    work_clear(w);
    w->ops->close(w->plan);
    w->ops->free(w->dweights);
    free(w->folded);
    free(w->bufs);
    free(w);
}

int model_forward(const struct model *m, struct model_work *w, const float *x,
                  size_t T, const struct model_dropout *drop, const float **y,
                  struct err *err)
{
    size_t C = m->input_size;

    if (work_reserve(m, w, T, err))
        return -1;
    for (size_t t = 0; t < T; t++)
        for (size_t c = 0; c < C; c++)
            w->x[t * C + c] =
                (x[t * C + c] - m->input_mean[c]) / m->input_std[c];
    w->T = T;
    w->dropping = drop != NULL;
    w->drop = drop ? *drop : (struct model_dropout){0};
    w->song = w->drop.song;
    w->ops->prepare(w->plan, net_fold(m, w->folded));
    w->ops->upload(w->bufs[NET_IN], w->x, T * C * sizeof(float));
    m->net->forward(m, w);
    w->ops->download(w->y, w->bufs[NET_OUT],
                     T * m->output_size * sizeof(float));
    *y = w->y;
    return 0;
}

int model_backward(const struct model *m, struct model_work *w, const float *dy,
                   float *dweights, struct err *err)
{
    assert(w->training);
    w->ops->upload(w->bufs[NET_DOUT], dy,
                   w->T * m->output_size * sizeof(float));
    if (m->net->backward(m, w, err))
        return -1;
    w->ops->download(dweights, w->dweights, m->n_weights * sizeof(float));
    net_unfold(m, dweights);
    return 0;
}

const struct model_param *model_param_at(const struct model *m, size_t i)
{
    size_t p = 0;

    assert(i < m->n_weights);
    while (p + 1 < m->n_params && m->params[p + 1].offset <= i)
        p++;
    return &m->params[p];
}
