/*
 * wino - Winograd convolution block after block: frames to points, a product
 * of matrices at every point, points to frames.
 *
 * A block's points take some 100 KB and stay in the second cache, its
 * products (two panels at a time) in the first. Tiles are numbered
 * q = j d + r: tile q begins at frame j m d + r, so d tiles fill m d frames
 * without a gap, and blocks are made of whole such groups, or for a large
 * dilation of parts of one.
 *
 * Transforms are in wino_loops.h, compiled once for each path.
 */
#include "nn/wino.h"

#include <assert.h>
#include <string.h>

#include "nn/gemm.h"

/* Channels of a panel, short. */
#define LANES CONV1D_LANES
/* Panels whose products are made together. */
#define WIDE 2
/* Floats between planes, so that they do not share lines of the cache. */
#define PLANE_GAP 16

/* Directions of a transform. */
enum transform_kind { TO_POINTS, EXPAND, FROM_POINTS };

/* What a transform works on. */
struct transform {
    size_t n_tiles;      /* of the block */
    const size_t *first; /* (n_tiles) their first frames */
    size_t dilation;     /* frames between those of a tile */
    size_t left;         /* to points: zeros before frame 0 */
    size_t T;            /* frames read or written: [0, T) */
    size_t channels;     /* of a frame */
    const float *x;      /* (T, channels) to points */
    const float *zeros;  /* (channels) what lies outside */
    float *points_at;    /* the points */
    size_t row;          /* floats from tile to tile */
    size_t plane;        /* floats from point to point */
    size_t n_lanes;      /* from points: channels made */
    const float *bias;   /* (n_lanes) or NULL */
    int add;             /* add to y instead of overwriting it */
    size_t y_first;      /* row of y of the first tile's first frame */
    size_t y_step;       /* rows of y between frames of a tile */
    float *y;            /* (rows, channels) from points, at first channel */
};

/* What collecting weight gradients works on. */
struct collect {
    size_t len;        /* elements of a plane */
    size_t kernel;     /* K */
    const float *from; /* (points, len) sums at the points */
    double *to;        /* (K, len) the last tap first, added to */
    float g[WINO_POINTS][WINO_POINTS]; /* (K, points) G^T */
};

/* Powers of the positive points. */
static const float powers[3][WINO_OUTPUTS] = {
    {1, 1, 1, 1, 1},
    {1, 2, 4, 8, 16},
    {1, 1 / 2.0f, 1 / 4.0f, 1 / 8.0f, 1 / 16.0f}};

/* The plain path: vectors of 4 floats. */
#define PATH(name) name##_plain
#define TARGET
#define VEC 4
#include "nn/wino_loops.h"

#if defined(__x86_64__)
/* AVX2: vectors of 8 floats. */
#define PATH(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VEC 8
#include "nn/wino_loops.h"

/* AVX-512: vectors of 16 floats. */
#define PATH(name) name##_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC 16
#include "nn/wino_loops.h"
#else
#define transform_avx2 transform_plain
#define transform_avx512 transform_plain
#define collect_avx2 collect_plain
#define collect_avx512 collect_plain
#endif

/* Runs a transform on a path. */
static void transform(enum conv1d_path path, const struct wino *w,
                      enum transform_kind kind, const struct transform *f)
{
    if (path == CONV1D_AVX512)
        transform_avx512(kind, w->points, w->outputs, f);
    else if (path == CONV1D_AVX2)
        transform_avx2(kind, w->points, w->outputs, f);
    else
        transform_plain(kind, w->points, w->outputs, f);
}

/* Smaller of two sizes. */
static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Channels rounded up to whole panels. */
static size_t whole(size_t channels)
{
    return gemm_panels(channels) * LANES;
}

/* Floats from point to point, for frames of some channels. */
static size_t plane_of(size_t channels)
{
    return WINO_TILES * whole(channels) + PLANE_GAP;
}

struct wino wino_of(const struct conv1d *c, int small)
{
    static const size_t points[][2] = {{6, 4}, {6, 4}, {6, 6},
                                       {8, 6}, {8, 8}, {8, 8}};
    struct wino w = {.conv = *c};

    if (c->kernel < 2 || c->kernel > 7)
        return w;
    w.points = points[c->kernel - 2][small != 0];
    w.outputs = w.points + 1 - c->kernel;
    return w;
}

/* Products that the direct sum of frames [t0, t1) takes, of channels. */
static double direct_cost(const struct conv1d *c, size_t T, size_t t0,
                          size_t t1)
{
    double cost = 0;

    for (size_t k = 0; k < c->kernel; k++) {
        size_t shift = k * c->dilation;
        size_t lo = c->left > shift ? c->left - shift : 0;
        size_t hi = T + c->left > shift ? T + c->left - shift : 0;

        lo = lo > t0 ? lo : t0;
        hi = smaller(hi, t1);
        cost += hi > lo ? (double)(hi - lo) : 0;
    }
    return cost;
}

/* Tiles that make frames [0, n). */
static size_t tiles_of(const struct wino *w, size_t n)
{
    size_t d = w->conv.dilation, group = w->outputs * d;

    return n / group * d + smaller(d, n % group);
}

size_t wino_frames(const struct wino *w, size_t T)
{
    const struct conv1d *c = &w->conv;
    size_t group = w->outputs * c->dilation, best = 0, i;
    size_t ends[2] = {T / group * group, T};
    /* transforms cost as much as products with so many more channels */
    double tile = (double)w->points *
                  (1 + 5 / (double)c->c_in + 5 / (double)c->c_out);
    double least = direct_cost(c, T, 0, T);

    for (i = 0; i < 2; i++) {
        double cost = tile * (double)tiles_of(w, ends[i]) +
                      direct_cost(c, T, ends[i], T);

        if (cost < least) {
            least = cost;
            best = ends[i];
        }
    }
    return best;
}

size_t wino_packed_len(const struct wino *w, int back)
{
    size_t to = back ? w->conv.c_in : w->conv.c_out;
    size_t from = back ? w->conv.c_out : w->conv.c_in;

    return whole(to) * w->points * from;
}

/* G: (points, kernel), weights at the points over B^T's scale. */
static void weights_at(const struct wino *w,
                       double g[WINO_POINTS][WINO_POINTS])
{
    static const double at[] = {0, 1, -1, 2, -2, 0.5, -0.5};
    size_t finite = w->points - 1;

    for (size_t a = 0; a < finite; a++) {
        double power = 1;

        for (size_t q = 0; q < finite; q++)
            power /= q == a ? 1 : at[a] - at[q];
        for (size_t k = 0; k < w->conv.kernel; k++, power *= at[a])
            g[a][k] = power;
    }
    for (size_t k = 0; k < w->conv.kernel; k++)
        g[finite][k] = k + 1 == w->conv.kernel;
}

void wino_pack(const struct wino *w, int back, const float *weight,
               float *packed)
{
    size_t K = w->conv.kernel, c_in = w->conv.c_in;
    size_t to = back ? c_in : w->conv.c_out, from = back ? w->conv.c_out : c_in;
    double g[WINO_POINTS][WINO_POINTS];

    weights_at(w, g);
    for (size_t p = 0; p < gemm_panels(to); p++)
        for (size_t i = 0; i < from; i++) {
            float *out = packed + (p * w->points * from + i) * LANES;
            double taps[WINO_POINTS][LANES] = {{0}};

            for (size_t lane = 0; lane < smaller(LANES, to - p * LANES);
                 lane++) {
                size_t o = p * LANES + lane;
                const float *v =
                    weight + (back ? i * c_in + o : o * c_in + i) * K;

                for (size_t k = 0; k < K; k++)
                    taps[k][lane] = (double)v[back ? K - 1 - k : k];
            }
            for (size_t a = 0; a < w->points; a++, out += from * LANES)
#pragma omp simd
                for (size_t lane = 0; lane < LANES; lane++) {
                    double sum = 0;

                    for (size_t k = 0; k < K; k++)
                        sum += g[a][k] * taps[k][lane];
                    out[lane] = (float)sum;
                }
        }
}

/* Floats of (points, tiles, channels). */
static size_t points_len(const struct wino *w, size_t channels)
{
    return w->points * plane_of(channels);
}

/* The wider side of a convolution. */
static size_t wider(const struct wino *w)
{
    return w->conv.c_in > w->conv.c_out ? w->conv.c_in : w->conv.c_out;
}

size_t wino_work_len(const struct wino *w, int training)
{
    size_t len = points_len(w, wider(w)) + points_len(w, WIDE * LANES) +
                 whole(wider(w));

    if (training)
        len += points_len(w, w->conv.c_in) + wino_packed_len(w, 0);
    return len;
}

struct wino_work wino_work_at(const struct wino *w, int training,
                              float *memory)
{
    struct wino_work work = {.inputs = memory};

    work.products = work.inputs + points_len(w, wider(w));
    work.zeros = work.products + points_len(w, WIDE * LANES);
    memset(work.zeros, 0, whole(wider(w)) * sizeof(float));
    if (!training)
        return work;
    work.expanded = work.zeros + whole(wider(w));
    work.sums = work.expanded + points_len(w, w->conv.c_in);
    memset(work.sums, 0, wino_packed_len(w, 0) * sizeof(float));
    return work;
}

/* Tiles [r, r + n) of group j, and the runs of frames that they make. */
static void part_of_group(const struct wino *w, size_t frames, size_t start,
                          size_t r, size_t n, struct wino_block *b)
{
    for (size_t i = 0; i < n; i++)
        b->first[b->n_tiles++] = start + r + i;
    for (size_t i = 0; i < w->outputs; i++) {
        size_t t = start + i * w->conv.dilation + r;

        if (t < frames)
            b->runs[b->n_runs++] =
                (struct wino_run){t, smaller(n, frames - t), i * n};
    }
}

size_t wino_block(const struct wino *w, size_t n, size_t tile,
                  struct wino_block *b)
{
    size_t d = w->conv.dilation, group = w->outputs * d;
    size_t j = tile / d, r = tile % d, start = j * group;

    b->n_tiles = b->n_runs = 0;
    if (start + r >= n)
        return 0;
    if (d > WINO_TILES) {
        size_t parts = (d + WINO_TILES - 1) / WINO_TILES;
        size_t part = smaller((d + parts - 1) / parts, d - r);

        part_of_group(w, n, start, r, smaller(part, n - start - r), b);
        /* a part that begins behind the last frame ends the last group */
        return tile + part;
    }
    b->runs[b->n_runs++] = (struct wino_run){.t = start};
    while (b->n_tiles + d <= WINO_TILES && start < n) {
        for (r = 0; r < d && start + r < n; r++)
            b->first[b->n_tiles++] = start + r;
        start += group;
    }
    b->runs[0].n = smaller(start, n) - b->runs[0].t;
    return start / group * d;
}

/* A transform over a block's tiles. */
static struct transform over(const struct wino *w, const struct wino_block *b,
                             const struct wino_work *work)
{
    return (struct transform){.n_tiles = b->n_tiles,
                              .first = b->first,
                              .dilation = w->conv.dilation,
                              .zeros = work->zeros,
                              .y_first = b->first[0],
                              .y_step = w->conv.dilation};
}

/*
 * Frames from points: products of work->inputs (from channels) with packed
 * weights, panels in turn, into y (to channels).
 */
static void multiply(const struct wino *w, enum conv1d_path path, size_t from,
                     size_t to, const float *packed,
                     const struct wino_work *work, struct transform *f)
{
    const float *bias = f->bias;
    float *y = f->y;

    f->channels = to;
    f->row = WIDE * LANES;
    f->plane = plane_of(WIDE * LANES);
    f->points_at = work->products;
    for (size_t c = 0; c < to; c += WIDE * LANES) {
        size_t lanes = smaller(WIDE * LANES, to - c);

        for (size_t a = 0; a < w->points; a++) {
            struct gemm g = {.rows = f->n_tiles,
                             .cols = whole(lanes),
                             .depth = from,
                             .taps = 1,
                             .a = work->inputs + a * plane_of(from),
                             .a_row = whole(from),
                             .a_step = 1,
                             .b = packed + (c * w->points + a * LANES) * from,
                             .b_step = LANES,
                             .b_panel = w->points * from * LANES,
                             .c = work->products + a * f->plane,
                             .c_row = f->row,
                             .c_panel = LANES};

            gemm_run(path, &g);
        }
        f->n_lanes = lanes;
        f->bias = bias ? bias + c : NULL;
        f->y = y + c;
        transform(path, w, FROM_POINTS, f);
    }
}

/* B^T x, or A x, of a block. */
static void to_points(const struct wino *w, enum conv1d_path path,
                      enum transform_kind kind, const float *x,
                      size_t channels, float *points_at, struct transform f)
{
    f.x = x;
    f.channels = channels;
    f.points_at = points_at;
    f.row = whole(channels);
    f.plane = plane_of(channels);
    transform(path, w, kind, &f);
}

void wino_forward(const struct wino *w, enum conv1d_path path,
                  const float *packed, const float *bias, const float *x,
                  size_t T, size_t n, const struct wino_block *b,
                  const struct wino_work *work, int dense, float *y)
{
    struct transform f = over(w, b, work);

    f.left = w->conv.left;
    f.T = T;
    to_points(w, path, TO_POINTS, x, w->conv.c_in, work->inputs, f);
    f.T = n;
    f.bias = bias;
    f.y = y;
    if (dense) {
        f.y_first = 0;
        f.y_step = b->n_runs > 1 ? b->runs[1].row : f.y_step;
    }
    multiply(w, path, w->conv.c_in, w->conv.c_out, packed, work, &f);
}

void wino_backward(const struct wino *w, enum conv1d_path path,
                   const float *packed, const float *x, const float *dy,
                   size_t T, size_t n, const struct wino_block *b,
                   const struct wino_work *work, int add, float *dx)
{
    size_t c_in = w->conv.c_in, c_out = w->conv.c_out;
    struct transform f = over(w, b, work);

    f.left = (w->conv.kernel - 1) * w->conv.dilation - w->conv.left;
    f.T = T;
    to_points(w, path, TO_POINTS, dy, c_out, work->inputs, f);
    f.left = 0;
    f.T = n;
    to_points(w, path, EXPAND, x, c_in, work->expanded, f);
    for (size_t a = 0; a < w->points; a++) {
        struct gemm g = {.rows = c_in,
                         .cols = whole(c_out),
                         .depth = b->n_tiles,
                         .taps = 1,
                         .a = work->expanded + a * plane_of(c_in),
                         .a_row = 1,
                         .a_step = whole(c_in),
                         .b = work->inputs + a * plane_of(c_out),
                         .b_step = whole(c_out),
                         .b_panel = LANES,
                         .add = 1,
                         .c = work->sums + a * c_in * LANES,
                         .c_row = LANES,
                         .c_panel = w->points * c_in * LANES};

        gemm_run(path, &g);
    }
    if (!dx)
        return;
    f.add = add;
    f.y = dx;
    multiply(w, path, c_out, c_in, packed, work, &f);
}

void wino_collect(const struct wino *w, enum conv1d_path path,
                  const struct wino_work *work, double *sums)
{
    struct collect c = {.len = w->conv.c_in * LANES, .kernel = w->conv.kernel};
    double g[WINO_POINTS][WINO_POINTS];

    weights_at(w, g);
    for (size_t a = 0; a < w->points; a++)
        for (size_t k = 0; k < c.kernel; k++)
            c.g[k][a] = (float)g[a][k];
    for (size_t p = 0; p < gemm_panels(w->conv.c_out); p++) {
        c.from = work->sums + p * w->points * c.len;
        c.to = sums + p * c.kernel * c.len;
        if (path == CONV1D_AVX512)
            collect_avx512(&c, w->points);
        else if (path == CONV1D_AVX2)
            collect_avx2(&c, w->points);
        else
            collect_plain(&c, w->points);
    }
    memset(work->sums, 0, wino_packed_len(w, 0) * sizeof(float));
}
