/*
 * conv1d - dilated convolution, channels-last, direct.
 *
 *   y[t][o]     = b[o] + sum_k sum_i x[t + k d - left][i] w[o][i][k]
 *   dx[s][i]    = sum_k sum_o dy[s - k d + left][o] w[o][i][k]
 *   dw[o][i][k] = sum_t dy[t][o] x[t + k d - left][i]
 *
 * Backward to the data is the forward convolution with the taps reversed,
 * channels exchanged and left' = (K - 1) d - left, so both share one loop.
 *
 * Packed weights are panels of LANES output channels, (P, K, C_in, LANES):
 * the inner loop reads them front to back and keeps ROWS x LANES sums in
 * registers. Edges: the frames are cut where a tap enters or leaves the
 * sequence; between two cuts the taps in range are the same for all frames.
 *
 * Weight gradients keep ROWS x LANES sums (ROWS input channels) over the
 * frames of one tile in float, then add them to sums in double.
 *
 * The loops are written once, with vectors of LANES floats, and compiled
 * three times; gcc splits the vectors for narrower registers.
 */
#include "nn/conv1d.h"

#include <assert.h>
#include <string.h>

/* Channels of a panel, short. */
#define LANES CONV1D_LANES
/* Frames (or input channels) whose sums are in registers together. */
#define ROWS 6

/* Put into each path's function, where the wider registers are known. */
#define INLINE static inline __attribute__((always_inline))

/* LANES floats at any address. */
typedef float lanes
    __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
/* LANES doubles at any address. */
typedef double dlanes
    __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

/* What the shared loop of forward and backward-data works on. */
struct frames_job {
    size_t c_in, c_out;   /* channels read and written */
    size_t kernel;        /* taps */
    size_t dilation;      /* frames between taps */
    size_t left;          /* tap k reads frame t + k dilation - left */
    const float *packed;  /* (P, kernel, c_in, LANES) */
    const float *bias;    /* (c_out) or NULL */
    const float *x;       /* (T, c_in) */
    size_t T;             /* frames of the sequence */
    size_t t0, t1;        /* frames to compute */
    int add;              /* add to y instead of overwriting it */
    float *y;             /* (T, c_out) */
};

/* What the loop of backward-weights works on. */
struct weights_job {
    const struct conv1d *c; /* shape */
    const float *x;         /* (T, C_in) */
    const float *dy;        /* (T, C_out) */
    size_t T;               /* frames */
    double *sums;           /* (P, K, C_in, LANES) */
};

/* Smaller of two sizes. */
INLINE size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Larger of two sizes. */
INLINE size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Panels that n channels take. */
INLINE size_t panels(size_t n)
{
    return (n + LANES - 1) / LANES;
}

/*
 * `rows` frames from t on of one panel, with taps [k0, k1). rows is a
 * constant where this is inlined, so that acc stays in registers.
 */
INLINE void frames_tile(const struct frames_job *j, size_t panel, size_t t,
                        size_t k0, size_t k1, int rows)
{
    size_t n = smaller(LANES, j->c_out - panel * LANES);
    size_t stride = j->c_in;
    float *y = j->y + t * j->c_out + panel * LANES;
    const float *w = j->packed + (panel * j->kernel + k0) * j->c_in * LANES;
    lanes acc[ROWS], first = {0};
    int r;

    if (j->bias)
        memcpy(&first, j->bias + panel * LANES, n * sizeof(float));
#pragma GCC unroll 6
    for (r = 0; r < rows; r++) {
        acc[r] = first;
        if (j->add)
            memcpy(&acc[r], y + (size_t)r * j->c_out, n * sizeof(float));
    }
    for (size_t k = k0; k < k1; k++) {
        const float *x = j->x + (t + k * j->dilation - j->left) * stride;

        for (size_t i = 0; i < j->c_in; i++, w += LANES, x++) {
            lanes wk = *(const lanes *)w;

#pragma GCC unroll 6
            for (r = 0; r < rows; r++)
                acc[r] += wk * x[(size_t)r * stride];
        }
    }
#pragma GCC unroll 6
    for (r = 0; r < rows; r++) {
        if (n == LANES)
            *(lanes *)(y + (size_t)r * j->c_out) = acc[r];
        else
            memcpy(y + (size_t)r * j->c_out, &acc[r], n * sizeof(float));
    }
}

/* Frames [t0, t1), all with taps [k0, k1), every panel. */
INLINE void frames_segment(const struct frames_job *j, size_t t0, size_t t1,
                           size_t k0, size_t k1)
{
    for (size_t p = 0; p < panels(j->c_out); p++) {
        size_t t = t0;

        for (; t + ROWS <= t1; t += ROWS)
            frames_tile(j, p, t, k0, k1, ROWS);
        for (; t + 2 <= t1; t += 2)
            frames_tile(j, p, t, k0, k1, 2);
        if (t < t1)
            frames_tile(j, p, t, k0, k1, 1);
    }
}

/* All frames of a job, cut where the set of taps in range changes. */
INLINE void frames_all(const struct frames_job *j)
{
    size_t t = j->t0;

    while (t < j->t1) {
        size_t end = j->t1, k0 = 0, k1 = j->kernel, d = j->dilation;

        /* taps that would read before frame 0 */
        while (k0 < k1 && t + k0 * d < j->left)
            k0++;
        if (k0 > 0)
            end = smaller(end, j->left - (k0 - 1) * d);
        /* taps that would read past the last frame */
        while (k1 > k0 && t + (k1 - 1) * d >= j->T + j->left)
            k1--;
        if (k1 > k0)
            end = smaller(end, j->T + j->left - (k1 - 1) * d);
        frames_segment(j, t, end, k0, k1);
        t = end;
    }
}

/*
 * One tap's gradient for `rows` input channels from i on: n frames of x with
 * stride C_in against the panel's frames z (n, LANES).
 */
INLINE void weights_tile(const float *x, size_t stride, const float *z,
                         size_t n, int rows, double *sums)
{
    lanes acc[ROWS];
    int r;

#pragma GCC unroll 6
    for (r = 0; r < rows; r++)
        acc[r] = (lanes){0};
    for (size_t t = 0; t < n; t++, x += stride, z += LANES) {
        lanes zt = *(const lanes *)z;

#pragma GCC unroll 6
        for (r = 0; r < rows; r++)
            acc[r] += zt * x[r];
    }
#pragma GCC unroll 6
    for (r = 0; r < rows; r++)
        *(dlanes *)(sums + r * LANES) += __builtin_convertvector(acc[r],
                                                                 dlanes);
}

/* One tap of one panel and tile: all input channels. */
INLINE void weights_tap(const float *x, size_t c_in, const float *z, size_t n,
                        double *sums)
{
    size_t i = 0;

    for (; i + ROWS <= c_in; i += ROWS)
        weights_tile(x + i, c_in, z, n, ROWS, sums + i * LANES);
    for (; i + 2 <= c_in; i += 2)
        weights_tile(x + i, c_in, z, n, 2, sums + i * LANES);
    if (i < c_in)
        weights_tile(x + i, c_in, z, n, 1, sums + i * LANES);
}

/* The whole gradient, tile after tile. */
INLINE void weights_all(const struct weights_job *j)
{
    const struct conv1d *c = j->c;
    float z[CONV1D_TILE * LANES];

    for (size_t t0 = 0; t0 < j->T; t0 += CONV1D_TILE) {
        size_t t1 = smaller(t0 + CONV1D_TILE, j->T);

        for (size_t p = 0; p < panels(c->c_out); p++) {
            size_t n = smaller(LANES, c->c_out - p * LANES);

            memset(z, 0, sizeof(z));
            for (size_t t = t0; t < t1; t++)
                memcpy(z + (t - t0) * LANES,
                       j->dy + t * c->c_out + p * LANES, n * sizeof(float));
            for (size_t k = 0; k < c->kernel; k++) {
                size_t shift = k * c->dilation;
                size_t lo = larger(t0, c->left > shift ? c->left - shift : 0);
                size_t hi = j->T + c->left > shift ? j->T + c->left - shift : 0;

                hi = smaller(t1, hi);
                if (lo < hi)
                    weights_tap(j->x + (lo + shift - c->left) * c->c_in,
                                c->c_in, z + (lo - t0) * LANES, hi - lo,
                                j->sums +
                                    (p * c->kernel + k) * c->c_in * LANES);
            }
        }
    }
}

/* The shared loop, plain. */
static void frames_plain(const struct frames_job *j)
{
    frames_all(j);
}

/* The weights' loop, plain. */
static void weights_plain(const struct weights_job *j)
{
    weights_all(j);
}

#if defined(__x86_64__)
/* The shared loop with 256-bit registers. */
__attribute__((target("avx2"))) static void
frames_avx2(const struct frames_job *j)
{
    frames_all(j);
}

/* The weights' loop with 256-bit registers. */
__attribute__((target("avx2"))) static void
weights_avx2(const struct weights_job *j)
{
    weights_all(j);
}

/* The shared loop with 512-bit registers. */
__attribute__((target("avx512f"))) static void
frames_avx512(const struct frames_job *j)
{
    frames_all(j);
}

/* The weights' loop with 512-bit registers. */
__attribute__((target("avx512f"))) static void
weights_avx512(const struct weights_job *j)
{
    weights_all(j);
}
#else
#define frames_avx2 frames_plain
#define weights_avx2 weights_plain
#define frames_avx512 frames_plain
#define weights_avx512 weights_plain
#endif

/* Runs a job of the shared loop on a path. */
static void frames_run(enum conv1d_path path, const struct frames_job *j)
{
    if (path == CONV1D_AVX512)
        frames_avx512(j);
    else if (path == CONV1D_AVX2)
        frames_avx2(j);
    else
        frames_plain(j);
}

enum conv1d_path conv1d_best_path(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return CONV1D_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return CONV1D_AVX2;
#endif
    return CONV1D_PLAIN;
}

size_t conv1d_left(size_t kernel, size_t dilation, int causal)
{
    size_t whole = (kernel - 1) * dilation;

    return causal ? whole : whole / 2;
}

size_t conv1d_packed_len(const struct conv1d *c)
{
    return panels(c->c_out) * c->kernel * c->c_in * LANES;
}

size_t conv1d_packed_back_len(const struct conv1d *c)
{
    return panels(c->c_in) * c->kernel * c->c_out * LANES;
}

void conv1d_pack(const struct conv1d *c, const float *weight, float *packed)
{
    memset(packed, 0, conv1d_packed_len(c) * sizeof(*packed));
    for (size_t o = 0; o < c->c_out; o++) {
        float *panel = packed + o / LANES * c->kernel * c->c_in * LANES;

        for (size_t i = 0; i < c->c_in; i++)
            for (size_t k = 0; k < c->kernel; k++)
                panel[(k * c->c_in + i) * LANES + o % LANES] = *weight++;
    }
}

void conv1d_pack_back(const struct conv1d *c, const float *weight,
                      float *packed)
{
    memset(packed, 0, conv1d_packed_back_len(c) * sizeof(*packed));
    for (size_t o = 0; o < c->c_out; o++)
        for (size_t i = 0; i < c->c_in; i++) {
            float *panel = packed + i / LANES * c->kernel * c->c_out * LANES;

            for (size_t k = c->kernel; k-- > 0;)
                panel[(k * c->c_out + o) * LANES + i % LANES] = *weight++;
        }
}

void conv1d_forward(const struct conv1d *c, enum conv1d_path path,
                    const float *packed, const float *bias, const float *x,
                    size_t T, size_t t0, size_t t1, float *y)
{
    struct frames_job j = {c->c_in, c->c_out, c->kernel, c->dilation,
                           c->left, packed,   bias,      x,
                           T,       t0,       t1,        0,
                           y};

    assert(t0 <= t1 && t1 <= T);
    frames_run(path, &j);
}

void conv1d_backward_data(const struct conv1d *c, enum conv1d_path path,
                          const float *packed, const float *dy, size_t T,
                          int add, float *dx)
{
    size_t left = (c->kernel - 1) * c->dilation - c->left;
    struct frames_job j = {c->c_out, c->c_in, c->kernel, c->dilation,
                           left,     packed,  NULL,      dy,
                           T,        0,       T,         add,
                           dx};

    frames_run(path, &j);
}

void conv1d_backward_weights(const struct conv1d *c, enum conv1d_path path,
                             const float *x, const float *dy, size_t T,
                             double *sums)
{
    struct weights_job j = {c, x, dy, T, sums};

    if (path == CONV1D_AVX512)
        weights_avx512(&j);
    else if (path == CONV1D_AVX2)
        weights_avx2(&j);
    else
        weights_plain(&j);
}

void conv1d_backward_bias(const struct conv1d *c, const float *dy, size_t T,
                          double *sums)
{
    for (size_t t = 0; t < T; t++, dy += c->c_out)
#pragma omp simd
        for (size_t o = 0; o < c->c_out; o++)
            sums[o] += (double)dy[o];
}

void conv1d_unpack(const struct conv1d *c, const double *sums, float *dweight)
{
    for (size_t o = 0; o < c->c_out; o++) {
        const double *panel = sums + o / LANES * c->kernel * c->c_in * LANES;

        for (size_t i = 0; i < c->c_in; i++)
            for (size_t k = 0; k < c->kernel; k++)
                *dweight++ =
                    (float)panel[(k * c->c_in + i) * LANES + o % LANES];
    }
}
