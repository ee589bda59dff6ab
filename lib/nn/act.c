/*
 * act - ReLU, dropout, residual sum, and their gradients.
 *
 * Dropout's key is a chain of two Philox blocks over (seed, step) and (song,
 * layer); its numbers are the blocks 0, 1, 2, ... under that key, four
 * elements each. Nothing is drawn in an order, so any element can be
 * computed alone.
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

/* Scale of what dropout keeps. */
static float scale(const struct act *a)
{
    return (float)(1.0 / (1.0 - a->p));
}

/* Dropout of elements [first, first + n), n <= CHUNK, in place. */
static void dropout_chunk(const struct act *a, size_t first, size_t n, float *z)
{
    uint32_t words[4 * BLOCKS];
    const uint32_t *word = words + first % 4;
    double limit = ceil(a->p * 4294967296.0);
    uint32_t keep = limit < 4294967295.0 ? (uint32_t)limit : UINT32_MAX;
    float up = scale(a);

    blocks(a->path, a->key, first / 4, words);
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] *= word[i] >= keep ? up : 0.0f;
}

void act_forward(const struct act *a, size_t first, size_t n, float *z,
                 const float *residual, uint8_t *mask)
{
    if (a->relu) {
        /* written so that a NaN stays one */
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            z[i] = z[i] <= 0.0f ? 0.0f : z[i];
    }
    if (a->p > 0)
        for (size_t i = 0; i < n; i += CHUNK)
            dropout_chunk(a, first + i, n - i < CHUNK ? n - i : CHUNK, z + i);
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
    if (a->relu_sum) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            z[i] = z[i] <= 0.0f ? 0.0f : z[i];
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
    float up = a->p > 0 ? scale(a) : 1.0f;

#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dz[i] = dy[i] * ((float)mask[i] * up);
}
