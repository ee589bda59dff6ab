/*
 * gated - the tile passes of a WaveNet's layer.
 *
 * Forward a tile's z is made in scratch, then the gate, then what its 1x1
 * convolutions add while g is in the cache. Backward:
 *
 *   dsum  = dropout's gradient of dsum             in place
 *   dg    = dskip Ws^T + dsum Wr^T, or + dsum      one tile in scratch
 *   dz    = dropout's gradient of dg, times slope  in place of slope
 *   dWs  += g^T dskip, dWr += g^T dsum
 *
 * and, as they need dz of other tiles, dW += x^T dz and dx += dz W^T last.
 * Loops over elements are compiled once for each path; no addition's order
 * depends on it.
 */
#include "nn/gated.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "nn/gemm.h"
#include "nn/vec.h"

/* Columns summed together. */
#define COLUMNS 64

/* What the loop over a tile's elements backward works on. */
struct back_job {
    size_t n;             /* frames */
    size_t C;             /* channels of g */
    int split;            /* slope has 2 C */
    float up;             /* scale of what dropout kept */
    const float *at_gate; /* (n, C) g with what was dropped, or NULL */
    const float *dsum;    /* (n, C) to be added to dg, or NULL */
    float *dg;            /* (n, C) */
    float *slope;         /* (n, C) or (n, 2 C), becomes dz */
};

/* A float and its bits. */
union bits {
    float f;    /* the number */
    uint32_t i; /* sign, exponent, fraction */
};

/* The gradient d behind dropout, by the value that dropout left. */
static inline __attribute__((always_inline)) float undrop(float left, float d,
                                                          float up)
{
    union bits b = {.f = left};

    return b.i == 0x80000000u ? 0.0f : d * up;
}

/* d = dropout's gradient of d, for n elements that dropout left as `left`. */
static inline __attribute__((always_inline)) void
undrop_all(size_t n, float up, const float *left, float *d)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        d[i] = undrop(left[i], d[i], up);
}

/* dz from dg, see struct back_job. */
static inline __attribute__((always_inline)) void
back_all(const struct back_job *j)
{
    size_t n = j->n * j->C, C = j->C;

    if (j->dsum) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            j->dg[i] += j->dsum[i];
    }
    if (j->at_gate)
        undrop_all(n, j->up, j->at_gate, j->dg);
    if (!j->split) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            j->slope[i] *= j->dg[i];
        return;
    }
    for (size_t t = 0; t < j->n; t++) {
        float *slope = j->slope + 2 * t * C;
        const float *dg = j->dg + t * C;

#pragma omp simd
        for (size_t c = 0; c < C; c++) {
            slope[c] *= dg[c];
            slope[C + c] *= dg[c];
        }
    }
}

/* Adds the sums of the C columns of v (n, C) to sums: in float, then in double.
 */
static inline __attribute__((always_inline)) void
columns_all(size_t n, size_t C, const float *v, double *sums)
{
    for (size_t c = 0; c < C; c += COLUMNS) {
        size_t some = C - c < COLUMNS ? C - c : COLUMNS;
        float part[COLUMNS] = {0};

        if (some == COLUMNS) {
            for (size_t t = 0; t < n; t++)
#pragma omp simd
                for (size_t i = 0; i < COLUMNS; i++)
                    part[i] += v[t * C + c + i];
        } else {
            for (size_t t = 0; t < n; t++)
                for (size_t i = 0; i < some; i++)
                    part[i] += v[t * C + c + i];
        }
        for (size_t i = 0; i < some; i++)
            sums[c + i] += (double)part[i];
    }
}

/* sum = a + b for n elements. */
static inline __attribute__((always_inline)) void
add_all(size_t n, const float *a, const float *b, float *sum)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        sum[i] = a[i] + b[i];
}

/* The loops for one kind of processor. */
#define LOOPS(path, target) \
    /* undrop_all() on a path */ \
    target static void undrop_##path(size_t n, float up, const float *left, \
                                     float *d) \
    { \
        undrop_all(n, up, left, d); \
    } \
    /* back_all() on a path */ \
    target static void back_##path(const struct back_job *j) \
    { \
        back_all(j); \
    } \
    /* add_all() on a path */ \
    target static void add_##path(size_t n, const float *a, const float *b, \
                                  float *sum) \
    { \
        add_all(n, a, b, sum); \
    } \
    /* columns_all() on a path */ \
    target static void columns_##path(size_t n, size_t C, const float *v, \
                                      double *sums) \
    { \
        columns_all(n, C, v, sums); \
    }

LOOPS(plain, )
#if defined(__x86_64__)
LOOPS(avx2, __attribute__((target("avx2"))))
LOOPS(avx512, __attribute__((target("avx512f" VEC_WIDE))))
#else
LOOPS(avx2, )
LOOPS(avx512, )
#endif

/* Calls a loop on a path. */
#define ON(path, name, ...) \
    ((path) == CONV1D_AVX512 ? name##_avx512(__VA_ARGS__) \
     : (path) == CONV1D_AVX2 ? name##_avx2(__VA_ARGS__) \
                             : name##_plain(__VA_ARGS__))

/* n frames from t on of g or slope as operands, of C channels. */
static struct conv16_rows rows_of(const struct gated_kept *k, size_t t,
                                  size_t C)
{
    if (k->narrow)
        return (struct conv16_rows){.narrow = k->narrow + t * conv16_row(C)};
    return (struct conv16_rows){.wide = k->wide + t * C};
}

/* Where n frames from t on can be written: in place, or in scratch. */
static float *room_of(const struct gated_kept *k, size_t t, size_t C,
                      float *scratch)
{
    if (k->narrow)
        return scratch;
    return k->wide ? k->wide + t * C : NULL;
}

/* Keeps n frames from t on that were written there. */
static void keep(const struct gated_kept *k, size_t t, size_t n, size_t C,
                 const float *written)
{
    if (k->narrow)
        conv16_narrow(n, C, written, k->narrow + t * conv16_row(C));
}

/* The floats of n frames from t on: in place, or in scratch. */
static float *floats_of(const struct gated_kept *k, size_t t, size_t n,
                        size_t C, float *scratch)
{
    if (k->narrow)
        conv16_widen(n, C, k->narrow + t * conv16_row(C), scratch);
    return room_of(k, t, C, scratch);
}

/* A tile of the residual stream behind the layer; its first frame is t. */
static void sum_tile(const struct gated *l, size_t t, size_t n, const float *g,
                     const struct gated_frames *f)
{
    const struct gated_conv *c = &l->residual;
    size_t C = l->skip.conv->shape.c_in;
    const float *stream = f->stream + t * C;
    float *sum = f->sum + t * C;

    if (c->conv) {
        conv_1x1(c->conv, l->act.path, c->bias, n, rows_of(&f->g, t, C), 0, sum,
                 f->memory);
        ON(l->act.path, add, n * C, sum, stream, sum);
    } else {
        ON(l->act.path, add, n * C, g, stream, sum);
    }
    if (!l->at_gate)
        act_dropout(&l->act, t * C, n * C, sum);
}

/* n frames from t on behind the dilated convolution. */
static void follow(const struct gated *l, size_t t, size_t n, float *z,
                   const struct gated_frames *f)
{
    size_t C = l->skip.conv->shape.c_in, S = l->skip.conv->shape.c_out;
    size_t Z = l->dilated.conv->shape.c_out;
    struct act relu = {.relu_sum = 1, .path = l->act.path};
    float *g = room_of(&f->g, t, C, f->scratch + GATED_TILE * Z);
    float *slope = room_of(&f->slope, t, Z, z);

    act_gate(&l->act, l->split, n, C, z, slope, g);
    if (l->at_gate)
        act_dropout(&l->act, t * C, n * C, g);
    keep(&f->g, t, n, C, g);
    if (slope)
        keep(&f->slope, t, n, Z, slope);
    if (f->skip)
        conv_1x1(l->skip.conv, l->act.path, l->skip.bias, n,
                 rows_of(&f->g, t, C), !l->first, f->skip + t * S, f->memory);
    if (f->skip && l->relu)
        act_forward(&relu, 0, n * S, f->skip + t * S, NULL);
    if (f->sum)
        sum_tile(l, t, n, g, f);
}

void gated_forward(const struct gated *l, size_t T,
                   const struct gated_frames *f)
{
    const struct gated_conv *d = &l->dilated;
    struct conv_steps s =
        conv_begin(d->conv, l->act.path, d->bias, f->x, T, f->memory);

    while (conv_next(&s, 1, f->scratch))
        for (size_t r = 0; r < s.block.n_runs; r++) {
            const struct wino_run *run = &s.block.runs[r];

            for (size_t i = 0; i < run->n; i += GATED_TILE)
                follow(l, run->t + i,
                       run->n - i < GATED_TILE ? run->n - i : GATED_TILE,
                       f->scratch + (run->row + i) * d->conv->shape.c_out, f);
        }
}

/* A 1x1 convolution's gradients from a tile: of its weights, and into dg. */
static void back_1x1(const struct gated_conv *c, enum conv1d_path path,
                     size_t t, size_t n, const float *dy, int add,
                     const struct gated_frames *f)
{
    conv_backward(c->conv, path, rows_of(&f->g, t, c->conv->shape.c_in),
                  (struct conv16_rows){.wide = dy}, n, add, f->scratch, c->sums,
                  f->memory);
    ON(path, columns, n, c->conv->shape.c_out, dy, c->bias_sums);
}

/* n frames from t on: from dskip and dsum to dz. */
static void back_tile(const struct gated *l, size_t t, size_t n,
                      const struct gated_frames *f)
{
    const struct gated_conv *d = &l->dilated, *r = &l->residual;
    enum conv1d_path path = l->act.path;
    size_t C = l->skip.conv->shape.c_in, S = l->skip.conv->shape.c_out;
    size_t Z = d->conv->shape.c_out;
    float *dsum = f->dsum ? f->dsum + t * C : NULL, *at = f->scratch;
    float *slope = floats_of(&f->slope, t, n, Z, at += GATED_TILE * C);
    int dropping = l->act.p > 0;
    struct back_job j = {n,          C,
                         l->split,   act_scale(&l->act),
                         NULL,       r->conv ? NULL : dsum,
                         f->scratch, slope};
    struct act relu = {.relu_sum = l->relu};

    if (dropping && l->at_gate)
        j.at_gate = floats_of(&f->g, t, n, C, at + GATED_TILE * Z);
    if (dsum && dropping && !l->at_gate)
        ON(path, undrop, n * C, j.up, f->sum + t * C, dsum);
    act_backward_sum(&relu, n * S, f->skip + t * S, f->dskip + t * S);
    back_1x1(&l->skip, path, t, n, f->dskip + t * S, 0, f);
    if (dsum && r->conv)
        back_1x1(r, path, t, n, dsum, 1, f);
    ON(path, back, &j);
    keep(&f->slope, t, n, Z, slope);
    ON(path, columns, n, Z, slope, d->bias_sums);
}

void gated_backward(const struct gated *l, size_t T,
                    const struct gated_frames *f)
{
    const struct gated_conv *d = &l->dilated;

    for (size_t t = 0; t < T; t += GATED_TILE)
        back_tile(l, t, T - t < GATED_TILE ? T - t : GATED_TILE, f);
    conv_backward(d->conv, l->act.path, (struct conv16_rows){.wide = f->x},
                  rows_of(&f->slope, 0, d->conv->shape.c_out), T, f->add, f->dx,
                  d->sums, f->memory);
}
