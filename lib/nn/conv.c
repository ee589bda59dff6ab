/*
 * conv - frames by Winograd first, then the direct ones; or all narrowed.
 */
#include "nn/conv.h"

#include "nn/gemm.h"

/* Frames of a direct sum made at a time. */
#define TILE 128
/* Blocks whose weight gradients wino.c sums in float. */
#define COLLECT 32
/* Fewest channels for which Winograd is chosen. */
#define FEW 16

/* The shape for conv1d.c. */
static struct conv1d shape_of(const struct ops_conv *c)
{
    return (struct conv1d){c->c_in, c->c_out, c->kernel, c->dilation, c->left};
}

/* The algorithm of wino.c, if there is one. */
static struct wino wino_for(const struct ops_conv *c, int training)
{
    struct conv1d s = shape_of(c);

    if (!training || c->algorithm == OPS_DIRECT || c->algorithm == OPS_BF16 ||
        (c->algorithm == OPS_AUTO && (c->c_in < FEW || c->c_out < FEW)))
        return (struct wino){.conv = s};
    return wino_of(&s, c->algorithm == OPS_WINOGRAD2);
}

/* Whether the data's gradient is ever wanted. */
static int goes_back(const struct ops_conv *c, int training)
{
    return training && !c->first;
}

/* Bytes of an arena for so many floats. */
static size_t room(size_t floats)
{
    return mem_arena_room(floats, sizeof(float));
}

size_t conv_size(const struct ops_conv *c, int training)
{
    struct conv1d s = shape_of(c);
    struct wino w = wino_for(c, training);
    size_t size = room(conv1d_packed_len(&s));

    if (c->algorithm == OPS_BF16)
        return room(conv16_packed_len(&s, 0)) +
               (goes_back(c, training) ? room(conv16_packed_len(&s, 1)) : 0);
    if (goes_back(c, training))
        size += room(conv1d_packed_back_len(&s));
    if (w.points)
        size += room(wino_packed_len(&w, 0));
    if (w.points && goes_back(c, training))
        size += room(wino_packed_len(&w, 1));
    return size;
}

/* Room for floats in an arena. */
static float *take(struct mem_arena *a, size_t floats)
{
    return mem_arena_take(a, floats, sizeof(float));
}

void conv_init(struct conv *conv, const struct ops_conv *c, int training,
               struct mem_arena *a)
{
    *conv = (struct conv){.shape = shape_of(c),
                          .wino = wino_for(c, training),
                          .algorithm = c->algorithm};
    if (c->algorithm == OPS_BF16) {
        conv->narrow = mem_arena_take(a, conv16_packed_len(&conv->shape, 0),
                                      sizeof(*conv->narrow));
        if (goes_back(c, training))
            conv->narrow_back =
                mem_arena_take(a, conv16_packed_len(&conv->shape, 1),
                               sizeof(*conv->narrow_back));
        return;
    }
    conv->packed = take(a, conv1d_packed_len(&conv->shape));
    if (goes_back(c, training))
        conv->packed_back = take(a, conv1d_packed_back_len(&conv->shape));
    if (conv->wino.points)
        conv->wino_packed = take(a, wino_packed_len(&conv->wino, 0));
    if (conv->wino.points && goes_back(c, training))
        conv->wino_back = take(a, wino_packed_len(&conv->wino, 1));
}

size_t conv_work_len(const struct ops_conv *c, int training)
{
    struct conv1d s = shape_of(c);
    struct wino w = wino_for(c, training);

    if (c->algorithm == OPS_BF16)
        return conv16_work_len(&s);
    return w.points ? wino_work_len(&w, training) : 0;
}

void conv_pack(struct conv *conv, const float *weight)
{
    if (conv->narrow)
        conv16_pack(&conv->shape, 0, weight, conv->narrow);
    if (conv->narrow_back)
        conv16_pack(&conv->shape, 1, weight, conv->narrow_back);
    if (conv->packed)
        conv1d_pack(&conv->shape, weight, conv->packed);
    if (conv->packed_back)
        conv1d_pack_back(&conv->shape, weight, conv->packed_back);
    if (conv->wino_packed)
        wino_pack(&conv->wino, 0, weight, conv->wino_packed);
    if (conv->wino_back)
        wino_pack(&conv->wino, 1, weight, conv->wino_back);
}

/* Working memory as words. */
static uint32_t *words(float *memory)
{
    return (uint32_t *)(void *)memory;
}

/* Frames of a sequence that go by Winograd. */
static size_t wino_part(const struct conv *conv, size_t T)
{
    if (!conv->wino.points)
        return 0;
    return conv->algorithm == OPS_AUTO ? wino_frames(&conv->wino, T) : T;
}

struct conv_steps conv_begin(const struct conv *conv, enum conv1d_path path,
                             const float *bias, const float *x, size_t T,
                             float *memory)
{
    struct conv_steps s = {.conv = conv,
                           .path = path,
                           .bias = bias,
                           .x = x,
                           .T = T,
                           .memory = memory,
                           .n_wino = wino_part(conv, T)};

    s.t = s.n_wino;
    if (s.n_wino > 0)
        s.work = wino_work_at(&conv->wino, 0, memory);
    return s;
}

int conv_next(struct conv_steps *s, int dense, float *z)
{
    const struct conv *c = s->conv;
    size_t next = 0, t = s->t;

    if (s->n_wino > 0)
        next = wino_block(&c->wino, s->n_wino, s->tile, &s->block);
    if (next > 0) {
        s->tile = next;
        wino_forward(&c->wino, s->path, c->wino_packed, s->bias, s->x, s->T,
                     s->n_wino, &s->block, &s->work, dense, z);
        return 1;
    }
    if (t >= s->T)
        return 0;
    s->t = t + TILE < s->T ? t + TILE : s->T;
    s->block.n_runs = 1;
    s->block.runs[0] = (struct wino_run){t, s->t - t, 0};
    if (c->narrow)
        conv16_forward(&c->shape, c->narrow, s->bias,
                       (struct conv16_rows){.wide = s->x}, s->T, t, s->t, 0,
                       dense ? z : z + t * c->shape.c_out, words(s->memory));
    else
        conv1d_forward(&c->shape, s->path, c->packed, s->bias, s->x, s->T, t,
                       s->t, dense ? z - t * c->shape.c_out : z);
    return 1;
}

/* The first n frames of x on the way back, by Winograd. */
static void wino_part_back(const struct conv *conv, enum conv1d_path path,
                           const float *x, const float *dz, size_t T, size_t n,
                           int add, float *dx, double *sums, float *memory)
{
    struct wino_work work = wino_work_at(&conv->wino, 1, memory);
    struct wino_block b;
    size_t count = 0;

    for (size_t at = 0, next; (next = wino_block(&conv->wino, n, at, &b));
         at = next) {
        wino_backward(&conv->wino, path, conv->wino_back, x, dz, T, n, &b,
                      &work, add, dx);
        if (++count % COLLECT == 0)
            wino_collect(&conv->wino, path, &work, sums);
    }
    if (count % COLLECT != 0)
        wino_collect(&conv->wino, path, &work, sums);
}

void conv_backward(const struct conv *conv, enum conv1d_path path,
                   struct conv16_rows x, struct conv16_rows dz, size_t T,
                   int add, float *dx, double *sums, float *memory)
{
    size_t n = wino_part(conv, T);

    if (conv->narrow) {
        conv16_backward_weights(&conv->shape, x, dz, T, sums, words(memory));
        if (dx)
            conv16_backward(&conv->shape, conv->narrow_back, dz, T, 0, T, add,
                            dx, words(memory));
        return;
    }
    if (n > 0)
        wino_part_back(conv, path, x.wide, dz.wide, T, n, add, dx, sums,
                       memory);
    conv1d_backward_weights_of(&conv->shape, path, x.wide, dz.wide, T, n, T,
                               sums);
    if (dx)
        conv1d_backward_frames(&conv->shape, path, conv->packed_back, dz.wide,
                               T, n, T, add, dx);
}

void conv_1x1(const struct conv *conv, enum conv1d_path path, const float *bias,
              size_t n, struct conv16_rows x, int add, float *y,
              float *memory)
{
    size_t C_in = conv->shape.c_in, C = conv->shape.c_out;
    struct gemm g = {.rows = n,
                     .cols = C,
                     .depth = C_in,
                     .taps = 1,
                     .a = x.wide,
                     .a_row = C_in,
                     .a_step = 1,
                     .b = conv->packed,
                     .b_step = GEMM_LANES,
                     .b_panel = C_in * GEMM_LANES,
                     .bias = bias,
                     .add = add,
                     .c = y,
                     .c_row = C,
                     .c_panel = GEMM_LANES};

    if (conv->narrow)
        conv16_forward(&conv->shape, conv->narrow, bias, x, n, 0, n, add, y,
                       words(memory));
    else
        gemm_run(path, &g);
}
