/*
 * ops - the processor's backend: wino.c and conv1d.c for the sums, norm.c and
 * act.c for the rest.
 *
 * A plan holds the weights packed for each way and algorithm, and a plain
 * copy by which prepare() sees that a layer has not changed. A sequence's
 * first frames, as many as wino_frames() says, go by Winograd and the others
 * by direct sums. Forward, frames get their epilogue while they are still in
 * the cache.
 */
#include "nn/ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/act.h"
#include "nn/conv1d.h"
#include "nn/norm.h"
#include "nn/wino.h"

/* Frames that go through an epilogue together. */
#define TILE 128
/* Blocks whose weight gradients wino.c sums in float. */
#define COLLECT 32

/* Host memory. */
struct ops_buf {
    char *data;  /* owned */
    size_t size; /* bytes */
};

/* A layer in a plan. */
struct layer {
    struct ops_conv conv; /* as the model gave it */
    struct conv1d shape;  /* the same for conv1d.c */
    struct wino wino;     /* the same for wino.c; no points: not used */
    size_t n_weights;     /* floats of its weight */
    float *weight;        /* plain copy (C_out, C_in, K), in the arena */
    float *packed;        /* for the way forward, in the arena */
    float *packed_back;   /* for the way back, NULL if not wanted */
    float *wino_packed;   /* as packed, for wino.c */
    float *wino_back;     /* as packed_back, for wino.c */
    float *bias;          /* (C_out), in the arena */
    float *norm;          /* gamma and beta (2, C_out), in the arena, or NULL */
    int ready;            /* the packed weights are those of weight */
};

/* A model's layers. */
struct ops_plan {
    struct mem_arena arena; /* everything of fixed size */
    struct layer *layers;   /* n_layers, owned */
    size_t n_layers;        /* layers */
    int training;           /* there is a way back */
    enum conv1d_path path;  /* instructions to use */
    double *sums;           /* weight gradient of one layer, packed */
    double *bias_sums;      /* bias, gamma and beta gradients of one layer */
    float *wino_memory;     /* working memory of wino.c, in the arena */
    float *dz;              /* (T, C) behind the convolution, owned, grows */
    size_t cap_dz;          /* floats of dz */
};

/* Zeroed host memory. */
static struct ops_buf *cpu_alloc(size_t size, struct err *err)
{
    struct ops_buf *b = mem_alloc(1, sizeof(*b), err);

    if (!b)
        return NULL;
    b->data = mem_alloc(size, 1, err);
    b->size = size;
    if (!b->data) {
        free(b);
        return NULL;
    }
    return b;
}

/* Frees a buffer. */
static void cpu_free(struct ops_buf *b)
{
    if (b)
        free(b->data);
    free(b);
}

/* Copies in. */
static void cpu_upload(struct ops_buf *b, const void *from, size_t size)
{
    assert(size <= b->size);
    memcpy(b->data, from, size);
}

/* Copies out. */
static void cpu_download(void *to, const struct ops_buf *b, size_t size)
{
    assert(size <= b->size);
    memcpy(to, b->data, size);
}

/* A layer's shape for conv1d.c. */
static struct conv1d shape_of(const struct ops_conv *c)
{
    return (struct conv1d){c->c_in, c->c_out, c->kernel, c->dilation, c->left};
}

/* Floats of a layer's weight. */
static size_t weight_len(const struct ops_conv *c)
{
    return c->c_out * c->c_in * c->kernel;
}

/* Whether a layer's data gradient is ever wanted. */
static int goes_back(const struct ops_conv *c, int training)
{
    return training && !c->first;
}

/* A layer's algorithm of wino.c. */
static struct wino wino_for(const struct ops_conv *c)
{
    struct conv1d s = shape_of(c);

    if (c->algorithm == OPS_DIRECT ||
        (c->algorithm == OPS_AUTO && (c->c_in < 16 || c->c_out < 16)))
        return (struct wino){.conv = s};
    return wino_of(&s, c->algorithm == OPS_WINOGRAD2);
}

/* What the largest layer needs of each, in elements. */
struct most {
    size_t sums;  /* doubles of a weight gradient */
    size_t width; /* C_out */
    size_t wino;  /* floats of wino.c's working memory */
};

/* Larger of two sizes. */
static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Bytes of a layer's weights in every form. */
static size_t layer_size(const struct ops_conv *c, int training)
{
    struct conv1d s = shape_of(c);
    struct wino w = wino_for(c);
    size_t size = mem_arena_room(weight_len(c), sizeof(float)) +
                  mem_arena_room(conv1d_packed_len(&s), sizeof(float)) +
                  mem_arena_room(s.c_out, sizeof(float));

    if (goes_back(c, training))
        size += mem_arena_room(conv1d_packed_back_len(&s), sizeof(float));
    if (w.points)
        size += mem_arena_room(wino_packed_len(&w, 0), sizeof(float));
    if (w.points && goes_back(c, training))
        size += mem_arena_room(wino_packed_len(&w, 1), sizeof(float));
    if (c->norm != OPS_NONE)
        size += mem_arena_room(2 * s.c_out, sizeof(float));
    return size;
}

/* Bytes of everything fixed. */
static size_t arena_size(const struct ops_conv *convs, size_t n, int training,
                         struct most *most)
{
    size_t size = 0;

    *most = (struct most){0};
    for (size_t l = 0; l < n; l++) {
        struct conv1d s = shape_of(&convs[l]);
        struct wino w = wino_for(&convs[l]);

        size += layer_size(&convs[l], training);
        if (w.points)
            most->wino = larger(most->wino, wino_work_len(&w, training));
        if (training) {
            most->sums = larger(most->sums, conv1d_packed_len(&s));
            most->width = larger(most->width, s.c_out);
        }
    }
    return size + mem_arena_room(most->sums, sizeof(double)) +
           mem_arena_room(3 * most->width, sizeof(double)) +
           mem_arena_room(most->wino, sizeof(float));
}

/* Bytes that a plan takes. */
static size_t cpu_plan_size(const struct ops_conv *convs, size_t n, size_t T,
                            int training)
{
    struct most most;
    size_t size = arena_size(convs, n, training, &most);

    return sizeof(struct ops_plan) + n * sizeof(struct layer) + size +
           T * most.width * sizeof(float);
}

/* Frees a plan. */
static void cpu_close(struct ops_plan *p)
{
    if (!p)
        return;
    free(p->dz);
    free(p->layers);
    mem_arena_release(&p->arena);
    free(p);
}

/* Gives a layer its room in the arena. */
static void layer_init(struct ops_plan *p, struct layer *l,
                       const struct ops_conv *c, int training)
{
    struct mem_arena *a = &p->arena;

    l->conv = *c;
    l->shape = shape_of(c);
    l->n_weights = weight_len(c);
    l->weight = mem_arena_take(a, l->n_weights, sizeof(float));
    l->packed = mem_arena_take(a, conv1d_packed_len(&l->shape), sizeof(float));
    if (goes_back(c, training))
        l->packed_back =
            mem_arena_take(a, conv1d_packed_back_len(&l->shape), sizeof(float));
    l->wino = wino_for(c);
    if (l->wino.points)
        l->wino_packed =
            mem_arena_take(a, wino_packed_len(&l->wino, 0), sizeof(float));
    if (l->wino.points && goes_back(c, training))
        l->wino_back =
            mem_arena_take(a, wino_packed_len(&l->wino, 1), sizeof(float));
    l->bias = mem_arena_take(a, c->c_out, sizeof(float));
    if (c->norm != OPS_NONE)
        l->norm = mem_arena_take(a, 2 * c->c_out, sizeof(float));
}

/* A plan. */
static struct ops_plan *cpu_open(const struct ops_conv *convs, size_t n,
                                 int training, struct err *err)
{
    struct ops_plan *p = mem_alloc(1, sizeof(*p), err);
    struct most most;
    size_t size = arena_size(convs, n, training, &most);

    if (!p)
        return NULL;
    p->n_layers = n;
    p->training = training;
    p->path = conv1d_best_path();
    p->layers = mem_alloc(n, sizeof(*p->layers), err);
    if (!p->layers || mem_arena_init(&p->arena, size, err)) {
        cpu_close(p);
        return NULL;
    }
    for (size_t l = 0; l < n; l++)
        layer_init(p, &p->layers[l], &convs[l], training);
    p->sums = mem_arena_take(&p->arena, most.sums, sizeof(double));
    p->bias_sums = mem_arena_take(&p->arena, 3 * most.width, sizeof(double));
    p->wino_memory = mem_arena_take(&p->arena, most.wino, sizeof(float));
    return p;
}

/* Packs a layer's weights for each way and algorithm. */
static void pack(struct layer *l)
{
    conv1d_pack(&l->shape, l->weight, l->packed);
    if (l->packed_back)
        conv1d_pack_back(&l->shape, l->weight, l->packed_back);
    if (l->wino_packed)
        wino_pack(&l->wino, 0, l->weight, l->wino_packed);
    if (l->wino_back)
        wino_pack(&l->wino, 1, l->weight, l->wino_back);
}

/* Packs the layers whose weights changed. */
static void cpu_prepare(struct ops_plan *p, const float *weights)
{
    for (size_t i = 0; i < p->n_layers; i++) {
        struct layer *l = &p->layers[i];
        const float *weight = weights + l->conv.weight;
        size_t size = l->n_weights * sizeof(float);

        if (l->conv.bias != OPS_NONE)
            memcpy(l->bias, weights + l->conv.bias,
                   l->conv.c_out * sizeof(float));
        if (l->norm)
            memcpy(l->norm, weights + l->conv.norm,
                   2 * l->conv.c_out * sizeof(float));
        if (l->ready && memcmp(weight, l->weight, size) == 0)
            continue;
        memcpy(l->weight, weight, size);
        pack(l);
        l->ready = 1;
    }
}

/* The epilogue's arithmetic for one sequence. */
static struct act act_of(const struct ops_plan *p, const struct ops_epilogue *e,
                         uint64_t song)
{
    struct act a = {.relu = e->relu,
                    .p = e->dropout,
                    .at_sum = e->at_sum,
                    .relu_sum = e->relu_sum,
                    .path = p->path};

    if (a.p > 0)
        a.key = act_dropout_key(e->seed, e->step, song, e->layer);
    return a;
}

/* Floats of a buffer from element i on; NULL for no buffer. */
static float *floats(const struct ops_buf *b, size_t i)
{
    return b ? (float *)(void *)b->data + i : NULL;
}

/* Bytes of a buffer from i on; NULL for no buffer. */
static uint8_t *bytes(const struct ops_buf *b, size_t i)
{
    return b ? (uint8_t *)b->data + i : NULL;
}

/*
 * Frames [at, at + n) behind a gated layer's convolution: the gate into y,
 * and the second output.
 */
static void gate_frames(const struct ops_plan *p, const struct layer *l,
                        const struct ops_epilogue *e, const struct act *a,
                        size_t start, size_t at, size_t n, struct ops_buf *y)
{
    int split = e->gate == OPS_GATE_SPLIT;
    size_t C = l->conv.c_out / (split ? 2 : 1), i = (start + at) * C;
    const float *residual = floats(e->residual, i);
    float *c = floats(y, i), *sum = floats(e->sum, i);

    act_gate(a, split, p->training, n, C,
             floats(e->slope, (start + at) * l->conv.c_out), c);
    if (!a->at_sum)
        act_dropout(a, at * C, n * C, c);
    if (!sum)
        return;
#pragma omp simd
    for (size_t k = 0; k < n * C; k++)
        sum[k] = c[k] + residual[k];
    if (a->at_sum)
        act_dropout(a, at * C, n * C, sum);
}

/* Frames of a sequence that a layer computes by Winograd. */
static size_t wino_part(const struct layer *l, size_t T)
{
    if (!l->wino.points)
        return 0;
    return l->conv.algorithm == OPS_AUTO ? wino_frames(&l->wino, T) : T;
}

/* Frames [at, at + n) of a sequence behind the convolution, z to y. */
static void follow(const struct ops_plan *p, const struct layer *l,
                   const struct ops_epilogue *e, const struct act *a,
                   size_t start, size_t at, size_t n, struct ops_buf *y)
{
    size_t C = l->conv.c_out, i = (start + at) * C;
    float *z = floats(e->gate ? e->slope : y, i);

    if (l->norm)
        norm_layer_forward(l->norm, l->norm + C, n, C, z, floats(e->hat, i),
                           floats(e->rstd, start + at));
    if (e->gate)
        gate_frames(p, l, e, a, start, at, n, y);
    else
        act_forward(a, at * C, n * C, z, floats(e->residual, i),
                    bytes(e->mask, i));
}

/* One sequence of a layer forward. */
static void forward_sequence(struct ops_plan *p, const struct layer *l,
                             const struct ops_batch *batch, size_t s,
                             const struct ops_buf *x, struct ops_buf *y,
                             const struct ops_epilogue *e)
{
    size_t T = batch->length[s], start = batch->first[s], n = wino_part(l, T);
    struct act a = act_of(p, e, batch->song[s]);
    const float *in = floats(x, start * l->conv.c_in);
    float *z = floats(e->gate ? e->slope : y, start * l->conv.c_out);
    struct wino_work work = {0};
    struct wino_block b;

    if (n > 0)
        work = wino_work_at(&l->wino, 0, p->wino_memory);
    for (size_t at = 0, next; n > 0 && (next = wino_block(&l->wino, n, at, &b));
         at = next) {
        wino_forward(&l->wino, p->path, l->wino_packed, l->bias, in, T, n, &b,
                     &work, z);
        for (size_t r = 0; r < b.n_runs; r++)
            follow(p, l, e, &a, start, b.runs[r].t, b.runs[r].n, y);
    }
    for (size_t t = n; t < T; t += TILE) {
        size_t end = t + TILE < T ? t + TILE : T;

        conv1d_forward(&l->shape, p->path, l->packed, l->bias, in, T, t, end,
                       z);
        follow(p, l, e, &a, start, t, end - t, y);
    }
}

/* One layer forward. */
static void cpu_conv_fwd(struct ops_plan *p, size_t layer,
                         const struct ops_batch *batch, const struct ops_buf *x,
                         struct ops_buf *y, const struct ops_epilogue *e)
{
    for (size_t s = 0; s < batch->n; s++)
        forward_sequence(p, &p->layers[layer], batch, s, x, y, e);
}

/* One sequence's gradient at a gate: from dy and dsum to p->dz. */
static const float *gate_back(struct ops_plan *p, const struct layer *l,
                              size_t start, size_t T, uint64_t song,
                              const struct ops_grads *g,
                              const struct ops_epilogue *e)
{
    int split = e->gate == OPS_GATE_SPLIT;
    size_t C = l->conv.c_out / (split ? 2 : 1), n = T * C;
    float *dy = floats(g->dy, start * C), *dsum = floats(g->dsum, start * C);
    struct act a = act_of(p, e, song);

    if (dsum) {
        if (a.at_sum)
            act_dropout(&a, 0, n, dsum);
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            dy[i] += dsum[i];
    }
    if (!a.at_sum)
        act_dropout(&a, 0, n, dy);
    act_gate_backward(split, T, C, floats(e->slope, start * l->conv.c_out), dy,
                      p->dz);
    return p->dz;
}

/* One sequence's gradient without a gate: from dy to dy or p->dz. */
static const float *plain_back(struct ops_plan *p, const struct layer *l,
                               size_t start, size_t T, uint64_t song,
                               const struct ops_grads *g,
                               const struct ops_epilogue *e)
{
    size_t n = T * l->conv.c_out, at = start * l->conv.c_out;
    struct act a = act_of(p, e, song);
    float *dy = floats(g->dy, at);

    act_backward_sum(&a, n, floats(g->y, at), dy);
    if (a.at_sum)
        act_dropout(&a, 0, n, dy);
    if (e->relu)
        act_backward(&a, n, bytes(e->mask, at), dy, p->dz);
    else if (l->norm)
        memcpy(p->dz, dy, n * sizeof(*dy));
    else
        return dy;
    return p->dz;
}

/* The first n frames of x on the way back, by Winograd. */
static void wino_back(struct ops_plan *p, const struct layer *l, const float *x,
                      const float *dz, size_t T, size_t n, int add, float *dx)
{
    struct wino_work work = wino_work_at(&l->wino, 1, p->wino_memory);
    struct wino_block b;
    size_t count = 0;

    for (size_t at = 0, next; (next = wino_block(&l->wino, n, at, &b));
         at = next) {
        wino_backward(&l->wino, p->path, l->wino_back, x, dz, T, n, &b, &work,
                      add, dx);
        if (++count % COLLECT == 0)
            wino_collect(&l->wino, &work, p->sums);
    }
    wino_collect(&l->wino, &work, p->sums);
}

/* One sequence of a layer backward: adds to the plan's sums. */
static void backward_sequence(struct ops_plan *p, const struct layer *l,
                              const struct ops_batch *batch, size_t s,
                              const struct ops_grads *g,
                              const struct ops_epilogue *e)
{
    size_t C = l->conv.c_out, start = batch->first[s], T = batch->length[s];
    size_t at = start * C, n = wino_part(l, T);
    const float *x = floats(g->x, start * l->conv.c_in);
    float *dx = floats(g->dx, start * l->conv.c_in);
    const float *dz = (e->gate ? gate_back : plain_back)(p, l, start, T,
                                                         batch->song[s], g, e);

    if (l->norm)
        norm_layer_backward(l->norm, T, C, floats(e->hat, at),
                            floats(e->rstd, start), p->dz, p->bias_sums + C,
                            p->bias_sums + 2 * C);
    conv1d_backward_bias(&l->shape, dz, T, p->bias_sums);
    if (n > 0)
        wino_back(p, l, x, dz, T, n, g->add, dx);
    conv1d_backward_weights_of(&l->shape, p->path, x, dz, T, n, T, p->sums);
    if (dx)
        conv1d_backward_frames(&l->shape, p->path, l->packed_back, dz, T, n, T,
                               g->add, dx);
}

/* Room for the gradient behind a convolution of n floats. */
static int reserve_dz(struct ops_plan *p, size_t n, struct err *err)
{
    float *dz;

    if (n <= p->cap_dz)
        return 0;
    dz = mem_grow(p->dz, &p->cap_dz, n, sizeof(*dz), err);
    if (!dz)
        return -1;
    p->dz = dz;
    return 0;
}

/* A layer's gradients from the plan's sums. */
static void store_gradients(const struct ops_plan *p, const struct layer *l,
                            struct ops_buf *dweights)
{
    size_t C = l->conv.c_out;

    conv1d_unpack(&l->shape, p->sums, floats(dweights, l->conv.weight));
    if (l->conv.bias != OPS_NONE)
        for (size_t c = 0; c < C; c++)
            floats(dweights, l->conv.bias)[c] = (float)p->bias_sums[c];
    if (l->norm)
        for (size_t c = 0; c < 2 * C; c++)
            floats(dweights, l->conv.norm)[c] = (float)p->bias_sums[C + c];
}

/* One layer backward. */
static int cpu_conv_bwd(struct ops_plan *p, size_t layer,
                        const struct ops_batch *batch,
                        const struct ops_grads *g, const struct ops_epilogue *e,
                        struct err *err)
{
    const struct layer *l = &p->layers[layer];
    size_t longest = 0, C = l->conv.c_out;

    assert(!e->relu || e->mask);
    assert(!l->norm || (e->hat && e->rstd));
    assert(e->relu || e->gate || e->at_sum || !(e->dropout > 0));
    assert(!g->dx || l->packed_back);
    for (size_t s = 0; s < batch->n; s++)
        longest = batch->length[s] > longest ? batch->length[s] : longest;
    if (reserve_dz(p, longest * C, err))
        return -1;
    memset(p->sums, 0, conv1d_packed_len(&l->shape) * sizeof(*p->sums));
    memset(p->bias_sums, 0, 3 * C * sizeof(*p->bias_sums));
    for (size_t s = 0; s < batch->n; s++)
        backward_sequence(p, l, batch, s, g, e);
    store_gradients(p, l, g->dweights);
    return 0;
}

const struct ops *ops_cpu(void)
{
    static const struct ops cpu = {
        .name = "cpu",
        .alloc = cpu_alloc,
        .free = cpu_free,
        .upload = cpu_upload,
        .download = cpu_download,
        .open = cpu_open,
        .close = cpu_close,
        .plan_size = cpu_plan_size,
        .prepare = cpu_prepare,
        .conv_fwd = cpu_conv_fwd,
        .conv_bwd = cpu_conv_bwd,
    };

    return &cpu;
}
