/*
 * ops - the processor's backend: conv.c for the sums, norm.c, act.c and
 * gated.c for the rest.
 *
 * A plan holds the weights packed for each way and algorithm, and a plain
 * copy by which prepare() sees that a layer has not changed. Forward, frames
 * get their epilogue while they are still in the cache.
 */
#include "nn/ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/act.h"
#include "nn/conv.h"
#include "nn/conv16.h"
#include "nn/gated.h"
#include "nn/norm.h"
#include "nn/relu.h"

/* Layers whose weight gradients are summed side by side: of a gated layer. */
#define SLOTS 3

/* Frames whose bias gradients are summed in float. */
#define TILE 128

/* Host memory. */
struct ops_buf {
    char *data;  /* owned */
    size_t size; /* bytes */
};

/* A layer in a plan. */
struct layer {
    struct ops_conv conv; /* as the model gave it */
    struct conv c;        /* the same for conv.c, with packed weights */
    size_t n_weights;     /* floats of its weight */
    float *weight;        /* plain copy (C_out, C_in, K), in the arena */
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
    double *sums[SLOTS];    /* weight gradients, packed; behind the first only
                               of 1x1 convolutions */
    double *bias_sums;      /* (SLOTS, widest): bias gradients of each, or
                               bias, gamma and beta gradients of one layer */
    size_t widest;          /* largest C_out */
    float *tile;            /* (CONV_MOST, widest), in the arena */
    float *memory;          /* working memory of conv.c, in the arena */
    float *dz;              /* (T, C) behind the convolution, owned, grows */
    size_t cap_dz;          /* floats of dz */
};

/* bfloat16 is not everywhere. */
static int cpu_can(enum ops_algorithm algorithm)
{
    return algorithm != OPS_BF16 || conv16_works();
}

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

/* Floats of a layer's weight. */
static size_t weight_len(const struct ops_conv *c)
{
    return c->c_out * c->c_in * c->kernel;
}

/* What the largest layer needs of each, in elements. */
struct most {
    size_t sums[SLOTS]; /* doubles of a weight gradient, of each slot */
    size_t width;       /* C_out */
    size_t memory;      /* floats of conv.c's working memory */
};

/* Makes *a at least b. */
static void at_least(size_t *a, size_t b)
{
    if (*a < b)
        *a = b;
}

/* Bytes of everything fixed. */
static size_t arena_size(const struct ops_conv *convs, size_t n, int training,
                         struct most *most)
{
    size_t size = 0;

    *most = (struct most){0};
    for (size_t l = 0; l < n; l++) {
        const struct ops_conv *c = &convs[l];
        struct conv1d s = {.c_in = c->c_in, .c_out = c->c_out, c->kernel};
        size_t sums = training ? conv1d_packed_len(&s) : 0;

        size += mem_arena_room(weight_len(c), sizeof(float)) +
                mem_arena_room(c->c_out, sizeof(float)) +
                conv_size(c, training);
        if (c->norm != OPS_NONE)
            size += mem_arena_room(2 * c->c_out, sizeof(float));
        at_least(&most->sums[0], sums);
        for (size_t i = 1; i < SLOTS && c->kernel == 1; i++)
            at_least(&most->sums[i], sums);
        at_least(&most->width, c->c_out);
        at_least(&most->memory, conv_work_len(c, training));
    }
    for (size_t i = 0; i < SLOTS; i++)
        size += mem_arena_room(most->sums[i], sizeof(double));
    return size + mem_arena_room(SLOTS * most->width, sizeof(double)) +
           mem_arena_room(CONV_MOST * most->width, sizeof(float)) +
           mem_arena_room(most->memory, sizeof(float));
}

/* Bytes that a plan takes. */
static size_t cpu_plan_size(const struct ops_conv *convs, size_t n, size_t T,
                            int training)
{
    struct most most;
    size_t size = arena_size(convs, n, training, &most);

    return sizeof(struct ops_plan) + n * sizeof(struct layer) + size +
           (training ? T * most.width * sizeof(float) : 0);
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
    l->n_weights = weight_len(c);
    l->weight = mem_arena_take(a, l->n_weights, sizeof(float));
    conv_init(&l->c, c, training, a);
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
    for (size_t i = 0; i < SLOTS; i++)
        p->sums[i] = mem_arena_take(&p->arena, most.sums[i], sizeof(double));
    p->widest = most.width;
    p->bias_sums =
        mem_arena_take(&p->arena, SLOTS * p->widest, sizeof(double));
    p->tile = mem_arena_take(&p->arena, CONV_MOST * p->widest, sizeof(float));
    p->memory = mem_arena_take(&p->arena, most.memory, sizeof(float));
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
        if (l->norm)
            memcpy(l->norm, weights + l->conv.norm,
                   2 * l->conv.c_out * sizeof(float));
        if (l->ready && memcmp(weight, l->weight, size) == 0)
            continue;
        memcpy(l->weight, weight, size);
        conv_pack(&l->c, weight);
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

/* One sequence of a layer forward. */
static void forward_sequence(struct ops_plan *p, const struct layer *l,
                             const struct ops_batch *batch, size_t s,
                             const struct ops_buf *x, struct ops_buf *y,
                             const struct ops_epilogue *e)
{
    size_t C = l->conv.c_out, start = batch->first[s];
    struct act a = act_of(p, e, batch->song[s]);
    struct conv_steps steps =
        conv_begin(&l->c, p->path, l->bias, floats(x, start * l->conv.c_in),
                   batch->length[s], p->memory);

    while (conv_next(&steps, 0, floats(y, start * C)))
        for (size_t r = 0; r < steps.block.n_runs; r++) {
            size_t t = steps.block.runs[r].t, n = steps.block.runs[r].n;
            size_t at = (start + t) * C;

            if (l->norm)
                norm_layer_forward(l->norm, l->norm + C, n, C, floats(y, at),
                                   floats(e->hat, at),
                                   floats(e->rstd, start + t));
            if (e->relu)
                relu_forward(&a, C, t, n, floats(y, at),
                             floats(e->residual, at),
                             bytes(e->mask, (start + t) * relu_row(C)));
            else
                act_forward(&a, t * C, n * C, floats(y, at),
                            floats(e->residual, at));
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

/*
 * One sequence's gradient at the ReLU, in p->dz; without a norm its sums are
 * the bias's gradient.
 */
static void relu_back(struct ops_plan *p, const struct layer *l, size_t start,
                      size_t T, const struct act *a, const struct ops_grads *g,
                      const struct ops_epilogue *e)
{
    size_t C = l->conv.c_out;

    for (size_t t = 0; t < T; t += TILE) {
        size_t n = T - t < TILE ? T - t : TILE, at = (start + t) * C;

        memset(p->tile, 0, C * sizeof(*p->tile));
        relu_backward(a, C, n, floats(g->y, at),
                      bytes(e->mask, (start + t) * relu_row(C)),
                      floats(g->dy, at), p->dz + t * C, p->tile);
        for (size_t c = 0; !l->norm && c < C; c++)
            p->bias_sums[c] += (double)p->tile[c];
    }
}

/* One sequence's gradient behind the convolution: from dy to dy or p->dz. */
static const float *back_to_dz(struct ops_plan *p, const struct layer *l,
                               size_t start, size_t T, uint64_t song,
                               const struct ops_grads *g,
                               const struct ops_epilogue *e)
{
    size_t C = l->conv.c_out, n = T * C, at = start * C;
    struct act a = act_of(p, e, song);
    float *dy = floats(g->dy, at), *dz = l->norm || e->relu ? p->dz : dy;

    if (e->relu) {
        relu_back(p, l, start, T, &a, g, e);
    } else {
        act_backward_sum(&a, n, floats(g->y, at), dy);
        if (a.at_sum)
            act_dropout(&a, 0, n, dy);
        if (l->norm)
            memcpy(dz, dy, n * sizeof(*dy));
    }
    if (l->norm)
        norm_layer_backward(l->norm, T, C, floats(e->hat, at),
                            floats(e->rstd, start), dz, p->bias_sums + C,
                            p->bias_sums + 2 * C);
    if (l->norm || !e->relu)
        conv1d_backward_bias(&l->c.shape, dz, T, p->bias_sums);
    return dz;
}

/* One sequence of a layer backward: adds to the plan's sums. */
static void backward_sequence(struct ops_plan *p, const struct layer *l,
                              const struct ops_batch *batch, size_t s,
                              const struct ops_grads *g,
                              const struct ops_epilogue *e)
{
    size_t start = batch->first[s], T = batch->length[s];
    size_t at_in = start * l->conv.c_in;
    const float *dz = back_to_dz(p, l, start, T, batch->song[s], g, e);

    conv_backward(&l->c, p->path,
                  (struct conv16_rows){.wide = floats(g->x, at_in)},
                  (struct conv16_rows){.wide = dz}, T, g->add,
                  floats(g->dx, at_in), p->sums[0], p->memory);
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

/* A layer's gradients of weight and bias from the sums of a slot. */
static void store_gradients(const struct ops_plan *p, const struct layer *l,
                            size_t slot, struct ops_buf *dweights)
{
    const double *bias = p->bias_sums + slot * p->widest;

    conv1d_unpack(&l->c.shape, p->sums[slot], floats(dweights, l->conv.weight));
    if (l->conv.bias != OPS_NONE)
        for (size_t c = 0; c < l->conv.c_out; c++)
            floats(dweights, l->conv.bias)[c] = (float)bias[c];
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
    assert(e->relu ? !e->at_sum : e->at_sum || !(e->dropout > 0));
    assert(!g->dx || !l->conv.first);
    for (size_t s = 0; s < batch->n; s++)
        longest = batch->length[s] > longest ? batch->length[s] : longest;
    if (reserve_dz(p, longest * C, err))
        return -1;
    memset(p->sums[0], 0, conv1d_packed_len(&l->c.shape) * sizeof(double));
    memset(p->bias_sums, 0, 3 * C * sizeof(*p->bias_sums));
    for (size_t s = 0; s < batch->n; s++)
        backward_sequence(p, l, batch, s, g, e);
    store_gradients(p, l, 0, g->dweights);
    if (l->norm)
        for (size_t c = 0; c < 2 * C; c++)
            floats(g->dweights, l->conv.norm)[c] = (float)p->bias_sums[C + c];
    return 0;
}

/* One of a gated layer's convolutions, whose gradients go to a slot. */
static struct gated_conv part_of(const struct ops_plan *p, size_t layer,
                                 size_t slot)
{
    const struct layer *l = layer == OPS_NONE ? NULL : &p->layers[layer];

    if (!l)
        return (struct gated_conv){0};
    return (struct gated_conv){&l->c, l->bias, p->sums[slot],
                               p->bias_sums + slot * p->widest};
}

/* A gated layer's settings, for one sequence. */
static struct gated gated_of(const struct ops_plan *p,
                             const struct ops_gated *l, uint64_t song)
{
    struct gated gated = {.dilated = part_of(p, l->dilated, 0),
                          .skip = part_of(p, l->skip, 1),
                          .residual = part_of(p, l->residual, 2),
                          .split = l->gate == OPS_GATE_SPLIT,
                          .at_gate = l->at_gate,
                          .first = l->first,
                          .relu = l->last,
                          .act = {.p = l->dropout, .path = p->path}};

    if (l->dropout > 0)
        gated.act.key =
            act_dropout_key(l->seed, l->step, song, l->layer);
    return gated;
}

/* Floats that a frame of g or slope of C channels takes, narrowed or not. */
static size_t kept_len(size_t C, enum ops_algorithm how)
{
    return how == OPS_BF16 ? conv16_row(C) : C;
}

/* Bytes a frame of g or slope takes. */
static size_t cpu_kept_size(size_t C, enum ops_algorithm how)
{
    return kept_len(C, how) * sizeof(float);
}

/* g or slope from a frame on, of C channels. */
static struct gated_kept kept_of(const struct conv *c, const struct ops_buf *b,
                                 size_t start, size_t C)
{
    float *at = floats(b, start * kept_len(C, c->algorithm));

    if (c->algorithm == OPS_BF16)
        return (struct gated_kept){.narrow = (uint32_t *)(void *)at};
    return (struct gated_kept){.wide = at};
}

/* A gated layer's arrays, of one sequence. */
static struct gated_frames frames_of(const struct ops_plan *p,
                                     const struct gated *gated,
                                     const struct ops_gated *l, size_t start)
{
    const struct conv1d *dilated = &gated->dilated.conv->shape;
    const struct conv1d *skip = &gated->skip.conv->shape;
    size_t C = skip->c_in;

    return (struct gated_frames){
        .x = floats(l->x, start * dilated->c_in),
        .stream = floats(l->stream, start * C),
        .slope = kept_of(gated->dilated.conv, l->slope, start, dilated->c_out),
        .g = kept_of(gated->dilated.conv, l->g, start, C),
        .sum = floats(l->sum, start * C),
        .skip = floats(l->skips, start * skip->c_out),
        .scratch = p->tile,
        .memory = p->memory};
}

/* One gated layer forward. */
static void cpu_gated_fwd(struct ops_plan *p, const struct ops_batch *batch,
                          const struct ops_gated *l)
{
    for (size_t s = 0; s < batch->n; s++) {
        struct gated gated = gated_of(p, l, batch->song[s]);
        struct gated_frames f = frames_of(p, &gated, l, batch->first[s]);

        gated_forward(&gated, batch->length[s], &f);
    }
}

/* Zeroes the sums of one of a gated layer's convolutions. */
static void clear_part(const struct gated_conv *c)
{
    if (!c->conv)
        return;
    memset(c->sums, 0, conv1d_packed_len(&c->conv->shape) * sizeof(*c->sums));
    memset(c->bias_sums, 0, c->conv->shape.c_out * sizeof(*c->bias_sums));
}

/* One gated layer backward. */
static void cpu_gated_bwd(struct ops_plan *p, const struct ops_batch *batch,
                          const struct ops_gated *l,
                          const struct ops_gated_grads *g)
{
    struct gated gated = gated_of(p, l, 0);
    const struct conv1d *skip = &gated.skip.conv->shape;

    assert(p->training && (!g->dx || !p->layers[l->dilated].conv.first));
    clear_part(&gated.dilated);
    clear_part(&gated.skip);
    clear_part(&gated.residual);
    for (size_t s = 0; s < batch->n; s++) {
        size_t start = batch->first[s];
        struct gated_frames f = frames_of(p, &gated, l, start);

        f.dskip = floats(g->dskips, start * skip->c_out);
        f.dsum = floats(g->dsum, start * skip->c_in);
        f.dx = floats(g->dx, start * gated.dilated.conv->shape.c_in);
        f.add = g->add;
        gated_backward(&gated, batch->length[s], &f);
    }
    store_gradients(p, &p->layers[l->dilated], 0, g->dweights);
    store_gradients(p, &p->layers[l->skip], 1, g->dweights);
    if (l->residual != OPS_NONE)
        store_gradients(p, &p->layers[l->residual], 2, g->dweights);
}

const struct ops *ops_cpu(void)
{
    static const struct ops cpu = {
        .name = "cpu",
        .can = cpu_can,
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
        .kept_size = cpu_kept_size,
        .gated_fwd = cpu_gated_fwd,
        .gated_bwd = cpu_gated_bwd,
    };

    return &cpu;
}
