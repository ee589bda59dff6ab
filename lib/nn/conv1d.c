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
 * The loops are in conv1d_loops.h, with vectors of VEC floats, and compiled
 * once for each path. Vectors as wide as the registers matter: gcc keeps
 * wider ones in memory (five times slower).
 */
#include "nn/conv1d.h"

#include <assert.h>
#include <string.h>

/* Channels of a panel, short. */
#define LANES CONV1D_LANES
/* Put into each path's function, where the wider registers are known. */
#define INLINE static inline __attribute__((always_inline))

/* What the shared loop of forward and backward-data works on. */
struct frames_job {
    size_t c_in, c_out;  /* channels read and written */
    size_t kernel;       /* taps */
    size_t dilation;     /* frames between taps */
    size_t left;         /* tap k reads frame t + k dilation - left */
    const float *packed; /* (P, kernel, c_in, LANES) */
    const float *bias;   /* (c_out) or NULL */
    const float *x;      /* (T, c_in) */
    size_t T;            /* frames of the sequence */
    size_t t0, t1;       /* frames to compute */
    int add;             /* add to y instead of overwriting it */
    float *y;            /* (T, c_out) */
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

/* The plain path: 16 registers of 4 floats. */
#define PATH(name) name##_plain
#define TARGET
#define VEC 4
#define ROWS 3
#include "nn/conv1d_loops.h"

#if defined(__x86_64__)
/* AVX2: 16 registers of 8 floats. */
#define PATH(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#define VEC 8
#define ROWS 6
#include "nn/conv1d_loops.h"

/* AVX-512: 32 registers of 16 floats. */
#define PATH(name) name##_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC 16
#define ROWS 6
#include "nn/conv1d_loops.h"
#else
#define frames_all_avx2 frames_all_plain
#define weights_all_avx2 weights_all_plain
#define frames_all_avx512 frames_all_plain
#define weights_all_avx512 weights_all_plain
#endif

/* Runs a job of the shared loop on a path. */
static void frames_run(enum conv1d_path path, const struct frames_job *j)
{
    if (path == CONV1D_AVX512)
        frames_all_avx512(j);
    else if (path == CONV1D_AVX2)
        frames_all_avx2(j);
    else
        frames_all_plain(j);
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
    struct frames_job j = {c->c_in, c->c_out, c->kernel, c->dilation, c->left,
                           packed,  bias,     x,         T,           t0,
                           t1,      0,        y};

    assert(t0 <= t1 && t1 <= T);
    frames_run(path, &j);
}

void conv1d_backward_data(const struct conv1d *c, enum conv1d_path path,
                          const float *packed, const float *dy, size_t T,
                          int add, float *dx)
{
    size_t left = (c->kernel - 1) * c->dilation - c->left;
    struct frames_job j = {c->c_out, c->c_in, c->kernel, c->dilation, left,
                           packed,   NULL,    dy,        T,           0,
                           T,        add,     dx};

    frames_run(path, &j);
}

void conv1d_backward_weights(const struct conv1d *c, enum conv1d_path path,
                             const float *x, const float *dy, size_t T,
                             double *sums)
{
    struct weights_job j = {c, x, dy, T, sums};

    if (path == CONV1D_AVX512)
        weights_all_avx512(&j);
    else if (path == CONV1D_AVX2)
        weights_all_avx2(&j);
    else
        weights_all_plain(&j);
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
