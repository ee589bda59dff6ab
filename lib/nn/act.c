/*
 * act - ReLU, gate, dropout, residual sum, and their gradients.
 *
 * Dropout's key is a chain of two Philox blocks over (seed, step) and (song,
 * layer); its numbers are the blocks 0, 1, 2, ... under that key, four
 * elements each. Nothing is drawn in an order, so any element can be
 * computed alone.
 *
 * tanh and sigmoid come from m = exp(|z|) - 1 without cancellation:
 *
 *   tanh |z| = q / (q + 2),  q = m (m + 2) = exp(2 |z|) - 1
 *   sigmoid |z| = (m + 1) / (m + 2),  sigmoid -|z| = 1 / (m + 2)
 *
 * and m from |z| = k ln 2 + r, |r| <= ln 2 / 2: m = 2^k (e^r - 1) + 2^k - 1,
 * e^r - 1 by its power series up to r^7 (the rest is under 6e-9).
 */
#include "nn/act.h"

#include <math.h>

#include "base/rng.h"

/* Philox blocks made together. */
#define BLOCKS 64
/* Elements they are enough for, wherever the first lies in its block. */
#define CHUNK (4 * BLOCKS - 4)

/* First 64 bits of the block at (use, a, b, c). */
static uint64_t block64(uint64_t seed, uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t counter[4] = {RNG_DROPOUT, a, b, c};
    uint32_t out[4];

    rng_block(seed, counter, out);
    return (uint64_t)out[1] << 32 | out[0];
}

uint64_t act_dropout_key(uint64_t seed, uint64_t step, uint64_t song,
                         uint32_t layer)
{
    uint64_t pass = block64(seed, (uint32_t)step, (uint32_t)(step >> 32), 0);

    return block64(pass, (uint32_t)song, (uint32_t)(song >> 32), layer);
}

/*
 * rng_block() of many blocks side by side: block `first` + i of a key has its
 * words in out[4 i]. Word for word what rng_block() gives, several times
 * faster, because the rounds of Philox4x32-10 run over arrays.
 */
static inline __attribute__((always_inline)) void
blocks_all(uint64_t key, uint64_t first, uint32_t out[4 * BLOCKS])
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0[BLOCKS], c1[BLOCKS], c2[BLOCKS], c3[BLOCKS];

#pragma omp simd
    for (int i = 0; i < BLOCKS; i++) {
        c0[i] = RNG_DROPOUT;
        c1[i] = (uint32_t)first + (uint32_t)i;
        c2[i] = (uint32_t)((first + (uint64_t)i) >> 32);
        c3[i] = 0;
    }
    for (int round = 0; round < 10; round++) {
#pragma omp simd
        for (int i = 0; i < BLOCKS; i++) {
            uint64_t p0 = (uint64_t)c0[i] * 0xD2511F53u;
            uint64_t p1 = (uint64_t)c2[i] * 0xCD9E8D57u;

            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < BLOCKS; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

/* blocks_all() for any processor. */
static void blocks_plain(uint64_t key, uint64_t first, uint32_t *out)
{
    blocks_all(key, first, out);
}

#if defined(__x86_64__)
/* blocks_all() with 256-bit registers. */
__attribute__((target("avx2"))) static void
blocks_avx2(uint64_t key, uint64_t first, uint32_t *out)
{
    blocks_all(key, first, out);
}

/* blocks_all() with 512-bit registers. */
__attribute__((target("avx512f"))) static void
blocks_avx512(uint64_t key, uint64_t first, uint32_t *out)
{
    blocks_all(key, first, out);
}
#else
#define blocks_avx2 blocks_plain
#define blocks_avx512 blocks_plain
#endif

/* BLOCKS blocks on a path; all paths give the same words. */
static void blocks(enum conv1d_path path, uint64_t key, uint64_t first,
                   uint32_t *out)
{
    if (path == CONV1D_AVX512)
        blocks_avx512(key, first, out);
    else if (path == CONV1D_AVX2)
        blocks_avx2(key, first, out);
    else
        blocks_plain(key, first, out);
}

float act_scale(const struct act *a)
{
    return (float)(1.0 / (1.0 - a->p));
}

/* A float and its bits: loops over these vectorise. */
union act_bits {
    float f;    /* the number */
    uint32_t i; /* sign, exponent, fraction */
};

/* Dropout of elements [first, first + n), n <= CHUNK, in place. */
static void dropout_chunk(const struct act *a, size_t first, size_t n, float *z)
{
    uint32_t words[4 * BLOCKS];
    const uint32_t *word = words + first % 4;
    double limit = ceil(a->p * 4294967296.0);
    uint32_t keep = limit < 4294967295.0 ? (uint32_t)limit : UINT32_MAX;
    float up = act_scale(a);

    blocks(a->path, a->key, first / 4, words);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        int kept = word[i] >= keep;
        union act_bits v = {.f = z[i] * (kept ? up : 0.0f) + 0.0f};

        v.i |= kept ? 0 : 0x80000000u;
        z[i] = v.f;
    }
}

void act_dropout(const struct act *a, size_t first, size_t n, float *z)
{
    if (a->p > 0)
        for (size_t i = 0; i < n; i += CHUNK)
            dropout_chunk(a, first + i, n - i < CHUNK ? n - i : CHUNK, z + i);
}

/* ReLU of n elements, written so that a NaN stays one. */
static void relu(size_t n, float *z)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = z[i] <= 0.0f ? 0.0f : z[i];
}

void act_forward(const struct act *a, size_t first, size_t n, float *z,
                 const float *residual, uint8_t *mask)
{
    if (a->relu)
        relu(n, z);
    if (!a->at_sum)
        act_dropout(a, first, n, z);
    if (mask) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            mask[i] = z[i] > 0.0f;
    }
    if (residual) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            z[i] += residual[i];
    }
    if (a->at_sum)
        act_dropout(a, first, n, z);
    if (a->relu_sum)
        relu(n, z);
}

/* Rounds a float to an integer by adding and subtracting it: 1.5 2^23. */
#define ROUNDER 12582912.0f

/*
 * exp(|z|) - 1, from |z| = 20 on as if it were 20: there tanh and sigmoid are
 * 1 in float. NaN stays NaN.
 */
static inline __attribute__((always_inline)) float gate_expm1(float z)
{
    union act_bits size = {.f = z}, most = {.f = 20.0f}, two;
    float rounded, k, r, p = 1.0f / 5040;

    size.i &= 0x7FFFFFFFu;
    /* 0x7F800000 is infinity, NaNs are above it */
    size.i = size.i > 0x7F800000u ? size.i
             : size.i < most.i    ? size.i
                                  : most.i;
    rounded = size.f * 1.44269504f + ROUNDER;
    k = rounded - ROUNDER;
    /* ln 2 in two parts, the first short enough that k times it is exact */
    r = (size.f - k * 0.693359375f) - k * -2.12194440e-4f;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r;
    two.f = rounded;
    two.i = (two.i - 0x4B400000u + 127u) << 23; /* 2^k */
    return two.f * p + (two.f - 1.0f);
}

/* tanh(z) from m = exp(|z|) - 1, and 1 - tanh(z)^2 in *slope. */
static inline __attribute__((always_inline)) float
gate_tanh(float z, float m, float *slope)
{
    float q = m * (m + 2.0f), rest = 1.0f / (q + 2.0f), t = q * rest;

    *slope = 2.0f * rest * (1.0f + t);
    return copysignf(t, z);
}

/* sigmoid(z) from m = exp(|z|) - 1, and its derivative in *slope. */
static inline __attribute__((always_inline)) float
gate_sigmoid(float z, float m, float *slope)
{
    union act_bits bits = {.f = z};
    float low = 1.0f / (m + 2.0f), high = (m + 1.0f) * low;

    *slope = low * high;
    return bits.i >> 31 ? low : high;
}

/* act_gate() for n elements of u and v, which are the same or apart. */
static inline __attribute__((always_inline)) void
gate_all(int split, int slope, size_t n, float *u, float *v, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float dt, ds, m = gate_expm1(u[i]), t = gate_tanh(u[i], m, &dt);
        float s = split ? gate_sigmoid(v[i], gate_expm1(v[i]), &ds)
                        : gate_sigmoid(u[i], m, &ds);

        y[i] = t * s;
        if (slope && split) {
            u[i] = dt * s;
            v[i] = t * ds;
        } else if (slope) {
            u[i] = dt * s + t * ds;
        }
    }
}

/* gate_all() with its switches known when it is compiled. */
static inline __attribute__((always_inline)) void
gate_switched(int split, int slope, size_t n, float *u, float *v, float *y)
{
    if (split && slope)
        gate_all(1, 1, n, u, v, y);
    else if (split)
        gate_all(1, 0, n, u, v, y);
    else if (slope)
        gate_all(0, 1, n, u, u, y);
    else
        gate_all(0, 0, n, u, u, y);
}

/* gate_switched() for any processor. */
static void gate_plain(int split, int slope, size_t n, float *u, float *v,
                       float *y)
{
    gate_switched(split, slope, n, u, v, y);
}

#if defined(__x86_64__)
/* gate_switched() with 256-bit registers. */
__attribute__((target("avx2"))) static void
gate_avx2(int split, int slope, size_t n, float *u, float *v, float *y)
{
    gate_switched(split, slope, n, u, v, y);
}

/* gate_switched() with 512-bit registers. */
__attribute__((target("avx512f,prefer-vector-width=512"))) static void
gate_avx512(int split, int slope, size_t n, float *u, float *v, float *y)
{
    gate_switched(split, slope, n, u, v, y);
}
#else
#define gate_avx2 gate_plain
#define gate_avx512 gate_plain
#endif

void act_gate(const struct act *a, int split, int slope, size_t T, size_t C,
              float *z, float *y)
{
    size_t rows = split ? T : 1, n = split ? C : T * C;

    for (size_t r = 0; r < rows; r++, z += 2 * C, y += C) {
        if (a->path == CONV1D_AVX512)
            gate_avx512(split, slope, n, z, z + C, y);
        else if (a->path == CONV1D_AVX2)
            gate_avx2(split, slope, n, z, z + C, y);
        else
            gate_plain(split, slope, n, z, z + C, y);
    }
}

void act_gate_backward(int split, size_t T, size_t C, const float *slope,
                       const float *dy, float *dz)
{
    size_t n = T * C;

    if (!split) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            dz[i] = dy[i] * slope[i];
        return;
    }
    for (size_t t = 0; t < T; t++, dy += C, slope += 2 * C, dz += 2 * C) {
#pragma omp simd
        for (size_t c = 0; c < C; c++) {
            dz[c] = dy[c] * slope[c];
            dz[C + c] = dy[c] * slope[C + c];
        }
    }
}

void act_backward_sum(const struct act *a, size_t n, const float *y, float *dy)
{
    if (!a->relu_sum)
        return;
    for (size_t i = 0; i < n; i++)
        dy[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

void act_backward(const struct act *a, size_t n, const uint8_t *mask,
                  const float *dy, float *dz)
{
    float up = a->p > 0 && !a->at_sum ? act_scale(a) : 1.0f;

#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dz[i] = dy[i] * ((float)mask[i] * up);
}
