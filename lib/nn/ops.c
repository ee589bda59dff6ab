/*
 * ops - the processor's backend: conv1d.c for the sums, act.c for the rest.
 *
 * A plan holds the weights twice, packed for each way, and a plain copy by
 * which prepare() sees that a layer has not changed. Forward, a tile of
 * frames gets its epilogue while it is still in the cache.
 */
#include "nn/ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/act.h"
#include "nn/conv1d.h"

/* Host memory. */
struct ops_buf {
    char *data;  /* owned */
    size_t size; /* bytes */
};

/* A layer in a plan. */
struct layer {
    struct ops_conv conv; /* as the model gave it */
    struct conv1d shape;  /* the same for conv1d.c */
    size_t n_weights;     /* floats of its weight */
    float *weight;        /* plain copy (C_out, C_in, K), in the arena */
    float *packed;        /* for the way forward, in the arena */
    float *packed_back;   /* for the way back, NULL if not wanted */
    float *bias;          /* (C_out), in the arena */
    int ready;            /* the packed weights are those of weight */
};

/* A model's layers. */
struct ops_plan {
    struct mem_arena arena; /* everything of fixed size */
    struct layer *layers;   /* n_layers, owned */
    size_t n_layers;        /* layers */
    enum conv1d_path path;  /* instructions to use */
    double *sums;           /* weight gradient of one layer, packed */
    double *bias_sums;      /* bias gradient of one layer */
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

/* Bytes of everything fixed; also the largest sums of one layer. */
static size_t arena_size(const struct ops_conv *convs, size_t n, int training,
                         size_t *sums, size_t *bias_sums)
{
    size_t size = 0;

    *sums = *bias_sums = 0;
    for (size_t l = 0; l < n; l++) {
        struct conv1d s = shape_of(&convs[l]);
        size_t packed = conv1d_packed_len(&s);

        size += mem_arena_room(weight_len(&convs[l]), sizeof(float));
        size += mem_arena_room(packed, sizeof(float));
        if (goes_back(&convs[l], training))
            size += mem_arena_room(conv1d_packed_back_len(&s), sizeof(float));
        size += mem_arena_room(s.c_out, sizeof(float));
        if (training && packed > *sums)
            *sums = packed;
        if (training && s.c_out > *bias_sums)
            *bias_sums = s.c_out;
    }
    return size + mem_arena_room(*sums, sizeof(double)) +
           mem_arena_room(*bias_sums, sizeof(double));
}

/* Bytes that a plan takes. */
static size_t cpu_plan_size(const struct ops_conv *convs, size_t n, size_t T,
                            int training)
{
    size_t sums, bias_sums; /* the latter is also the widest layer */
    size_t size = arena_size(convs, n, training, &sums, &bias_sums);

    return sizeof(struct ops_plan) + n * sizeof(struct layer) + size +
           T * bias_sums * sizeof(float);
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
    l->bias = mem_arena_take(a, c->c_out, sizeof(float));
}

/* A plan. */
static struct ops_plan *cpu_open(const struct ops_conv *convs, size_t n,
                                 int training, struct err *err)
{
    struct ops_plan *p = mem_alloc(1, sizeof(*p), err);
    size_t sums, bias_sums;
    size_t size = arena_size(convs, n, training, &sums, &bias_sums);

    if (!p)
        return NULL;
    p->n_layers = n;
    p->path = conv1d_best_path();
    p->layers = mem_alloc(n, sizeof(*p->layers), err);
    if (!p->layers || mem_arena_init(&p->arena, size, err)) {
        cpu_close(p);
        return NULL;
    }
    for (size_t l = 0; l < n; l++)
        layer_init(p, &p->layers[l], &convs[l], training);
    p->sums = mem_arena_take(&p->arena, sums, sizeof(double));
    p->bias_sums = mem_arena_take(&p->arena, bias_sums, sizeof(double));
    return p;
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
        if (l->ready && memcmp(weight, l->weight, size) == 0)
            continue;
        memcpy(l->weight, weight, size);
        conv1d_pack(&l->shape, weight, l->packed);
        if (l->packed_back)
            conv1d_pack_back(&l->shape, weight, l->packed_back);
        l->ready = 1;
    }
}

/* The epilogue's arithmetic for one sequence. */
static struct act act_of(const struct ops_plan *p, const struct ops_epilogue *e,
                         uint64_t song)
{
    struct act a = {.relu = e->relu,
                    .p = e->dropout,
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

/* One layer forward. */
static void cpu_conv_fwd(struct ops_plan *p, size_t layer,
                         const struct ops_batch *batch, const struct ops_buf *x,
                         struct ops_buf *y, const struct ops_epilogue *e)
{
    const struct layer *l = &p->layers[layer];
    size_t C = l->conv.c_out;

    for (size_t s = 0; s < batch->n; s++) {
        size_t T = batch->length[s], start = batch->first[s];
        struct act a = act_of(p, e, batch->song[s]);

        for (size_t t = 0; t < T; t += CONV1D_TILE) {
            size_t end = t + CONV1D_TILE < T ? t + CONV1D_TILE : T;
            size_t at = (start + t) * C;

            conv1d_forward(&l->shape, p->path, l->packed, l->bias,
                           floats(x, start * l->conv.c_in), T, t, end,
                           floats(y, start * C));
            act_forward(&a, t * C, (end - t) * C, floats(y, at),
                        floats(e->residual, at), bytes(e->mask, at));
        }
    }
}

/* One sequence of a layer backward: adds to the plan's sums. */
static void backward_sequence(struct ops_plan *p, const struct layer *l,
                              size_t start, size_t T, const struct ops_grads *g,
                              const struct ops_epilogue *e)
{
    size_t C = l->conv.c_out, at = start * C, at_in = start * l->conv.c_in;
    struct act a = act_of(p, e, 0);
    const float *dz = floats(g->dy, at);

    act_backward_sum(&a, T * C, floats(g->y, at), floats(g->dy, at));
    if (e->relu) {
        act_backward(&a, T * C, bytes(e->mask, at), dz, p->dz);
        dz = p->dz;
    }
    conv1d_backward_weights(&l->shape, p->path, floats(g->x, at_in), dz, T,
                            p->sums);
    conv1d_backward_bias(&l->shape, dz, T, p->bias_sums);
    if (g->dx)
        conv1d_backward_data(&l->shape, p->path, l->packed_back, dz, T, g->add,
                             floats(g->dx, at_in));
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
    assert(e->relu || !(e->dropout > 0));
    assert(!g->dx || l->packed_back);
    for (size_t s = 0; s < batch->n; s++)
        longest = batch->length[s] > longest ? batch->length[s] : longest;
    if (longest * C > p->cap_dz) {
        float *dz = mem_grow(p->dz, &p->cap_dz, longest * C, sizeof(*dz), err);

        if (!dz)
            return -1;
        p->dz = dz;
    }
    memset(p->sums, 0, conv1d_packed_len(&l->shape) * sizeof(*p->sums));
    memset(p->bias_sums, 0, C * sizeof(*p->bias_sums));
    for (size_t s = 0; s < batch->n; s++)
        backward_sequence(p, l, batch->first[s], batch->length[s], g, e);
    conv1d_unpack(&l->shape, p->sums, floats(g->dweights, l->conv.weight));
    if (l->conv.bias != OPS_NONE)
        for (size_t c = 0; c < C; c++)
            floats(g->dweights, l->conv.bias)[c] = (float)p->bias_sums[c];
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
