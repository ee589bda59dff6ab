/*
 * conv1d - dilated convolution, channels-last, direct.
 *
 *   y[t][o]     = b[o] + sum_k sum_i x[t + k d - left][i] w[o][i][k]
 *   dx[s][i]    = sum_k sum_o dy[s - k d + left][o] w[o][i][k]
 *   dw[o][i][k] = sum_s x[s][i] dy[s - k d + left][o]
 *
 * Backward to the data is the forward convolution with the taps reversed,
 * channels exchanged and left' = (K - 1) d - left, so both share one loop.
 *
 * Packed weights are panels of LANES output channels, (P, K, C_in, LANES), as
 * gemm.h reads them. Edges: the frames are cut where a tap enters or leaves
 * the sequence; between two cuts the taps in range are the same for all
 * frames, and what is left is a product of matrices.
 *
 * Weight gradients are products of x, turned, with dy, tile after tile of
 * frames of x in float, added to sums in double.
 */
#include "nn/conv1d.h"

#include <assert.h>
#include <string.h>

#include "nn/gemm.h"

/* Channels of a panel, short. */
#define LANES CONV1D_LANES
/* Input channels whose weight gradients are made together. */
#define ROWS 56

/* What the shared loop of forward and backward-data works on. */
struct frames_job {
    size_t c_in, c_out;    /* channels read and written */
    size_t kernel;         /* taps */
    size_t dilation;       /* frames between taps */
    size_t left;           /* tap k reads frame t + k dilation - left */
    enum conv1d_path path; /* instructions to use */
    const float *packed;   /* (P, kernel, c_in, LANES) */
    const float *bias;     /* (c_out) or NULL */
    const float *x;        /* (T, c_in) */
    size_t T;              /* frames of the sequence */
    size_t t0, t1;         /* frames to compute */
    int add;               /* add to y instead of overwriting it */
    float *y;              /* (T, c_out) */
};

/* What the loop of backward-weights works on. */
struct weights_job {
    const struct conv1d *c; /* shape */
    enum conv1d_path path;  /* instructions to use */
    const float *x;         /* (T, C_in) */
    const float *dy;        /* (T, C_out) */
    size_t T;               /* frames */
    double *sums;           /* (P, K, C_in, LANES) */
};

/* Smaller of two sizes. */
static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Larger of two sizes. */
static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Frames [t0, t1), all with taps [k0, k1). */
static void frames_segment(const struct frames_job *j, size_t t0, size_t t1,
                           size_t k0, size_t k1)
{
    struct gemm g = {.rows = t1 - t0,
                     .cols = j->c_out,
                     .depth = j->c_in,
                     .taps = k1 - k0,
                     .a_row = j->c_in,
                     .a_step = 1,
                     .a_tap = j->dilation * j->c_in,
                     .b = j->packed + k0 * j->c_in * LANES,
                     .b_step = LANES,
                     .b_tap = j->c_in * LANES,
                     .b_panel = j->kernel * j->c_in * LANES,
                     .bias = j->bias,
                     .add = j->add,
                     .c = j->y + t0 * j->c_out,
                     .c_row = j->c_out,
                     .c_panel = LANES};

    /* without a tap there is nothing to point at */
    g.a = k1 > k0 ? j->x + (t0 + k0 * j->dilation - j->left) * j->c_in : j->x;
    gemm_run(j->path, &g);
}

/* All frames of a job, cut where the set of taps in range changes. */
static void frames_run(const struct frames_job *j)
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
 * One tap's gradient of panels [panel, panel + n / LANES): frames [lo, hi) of
 * x against dy (hi - lo frames, stride apart).
 */
static void weights_panels(const struct weights_job *j, size_t k, size_t panel,
                           size_t n, size_t lo, size_t hi, const float *dy,
                           size_t stride)
{
    size_t c_in = j->c->c_in;
    float c[ROWS * 2 * LANES];

    for (size_t i = 0; i < c_in; i += ROWS) {
        struct gemm g = {.rows = smaller(ROWS, c_in - i),
                         .cols = n,
                         .depth = hi - lo,
                         .taps = 1,
                         .a = j->x + lo * c_in + i,
                         .a_row = 1,
                         .a_step = c_in,
                         .b = dy,
                         .b_step = stride,
                         .b_panel = LANES,
                         .c = c,
                         .c_row = LANES,
                         .c_panel = ROWS * LANES};

        gemm_run(j->path, &g);
        for (size_t p = 0; p < n / LANES; p++) {
            size_t at = ((panel + p) * j->c->kernel + k) * c_in + i;

#pragma omp simd
            for (size_t e = 0; e < g.rows * LANES; e++)
                j->sums[at * LANES + e] += (double)c[p * ROWS * LANES + e];
        }
    }
}

/* One tap's gradient of frames [lo, hi) of x. */
static void weights_tap(const struct weights_job *j, size_t k, size_t lo,
                        size_t hi)
{
    const struct conv1d *c = j->c;
    const float *dy = j->dy + (lo + c->left - k * c->dilation) * c->c_out;
    float padded[CONV1D_TILE * LANES] = {0};
    size_t p = 0;

    for (; (p + 2) * LANES <= c->c_out; p += 2)
        weights_panels(j, k, p, 2 * LANES, lo, hi, dy + p * LANES, c->c_out);
    if ((p + 1) * LANES <= c->c_out) {
        weights_panels(j, k, p, LANES, lo, hi, dy + p * LANES, c->c_out);
        p++;
    }
    if (p * LANES == c->c_out)
        return;
    for (size_t t = 0; t < hi - lo; t++)
        memcpy(padded + t * LANES, dy + t * c->c_out + p * LANES,
               (c->c_out - p * LANES) * sizeof(float));
    weights_panels(j, k, p, LANES, lo, hi, padded, LANES);
}

enum conv1d_path conv1d_best_path(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return CONV1D_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
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
    return gemm_panels(c->c_out) * c->kernel * c->c_in * LANES;
}

size_t conv1d_packed_back_len(const struct conv1d *c)
{
    return gemm_panels(c->c_in) * c->kernel * c->c_out * LANES;
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
    struct frames_job j = {c->c_in, c->c_out, c->kernel, c->dilation, c->left,
                           path,    packed,   bias,      x,           T,
                           t0,      t1,       0,         y};

    assert(t0 <= t1 && t1 <= T);
    frames_run(&j);
}

void conv1d_backward_frames(const struct conv1d *c, enum conv1d_path path,
                            const float *packed, const float *dy, size_t T,
                            size_t t0, size_t t1, int add, float *dx)
{
    size_t left = (c->kernel - 1) * c->dilation - c->left;
    struct frames_job j = {c->c_out, c->c_in, c->kernel, c->dilation, left,
                           path,     packed,  NULL,      dy,          T,
                           t0,       t1,      add,       dx};

    assert(t0 <= t1 && t1 <= T);
    frames_run(&j);
}

void conv1d_backward_data(const struct conv1d *c, enum conv1d_path path,
                          const float *packed, const float *dy, size_t T,
                          int add, float *dx)
{
    conv1d_backward_frames(c, path, packed, dy, T, 0, T, add, dx);
}

void conv1d_backward_weights_of(const struct conv1d *c, enum conv1d_path path,
                                const float *x, const float *dy, size_t T,
                                size_t t0, size_t t1, double *sums)
{
    struct weights_job j = {c, path, x, dy, T, sums};

    for (size_t t = t0; t < t1; t += CONV1D_TILE)
        for (size_t k = 0; k < c->kernel; k++) {
            size_t shift = k * c->dilation;
            size_t lo = larger(t, shift > c->left ? shift - c->left : 0);
            size_t hi = T + shift > c->left ? T + shift - c->left : 0;

            hi = smaller(hi, smaller(t1, t + CONV1D_TILE));
            if (lo < hi)
                weights_tap(&j, k, lo, hi);
        }
}

void conv1d_backward_weights(const struct conv1d *c, enum conv1d_path path,
                             const float *x, const float *dy, size_t T,
                             double *sums)
{
    conv1d_backward_weights_of(c, path, x, dy, T, 0, T, sums);
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
    size_t len = c->c_in * c->kernel;

    for (size_t o = 0; o < c->c_out; o += LANES)
        for (size_t i = 0; i < c->c_in; i++)
            for (size_t k = 0; k < c->kernel; k++) {
                const double *from = sums + (o * c->kernel + k * LANES) *
                                                c->c_in + i * LANES;

                for (size_t l = 0; l < smaller(LANES, c->c_out - o); l++)
                    dweight[(o + l) * len + i * c->kernel + k] =
                        (float)from[l];
            }
}
