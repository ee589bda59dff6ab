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

/* Elements whose dropout numbers are made together; a multiple of 4. */
#define CHUNK 256

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

/* Dropout numbers of elements [first, first + n), n <= CHUNK. */
static void dropout_words(uint64_t key, size_t first, size_t n,
                          uint32_t words[CHUNK + 4])
{
    uint64_t block = first / 4;

    for (size_t i = 0; i < n + first % 4; i += 4, block++) {
        const uint32_t counter[4] = {RNG_DROPOUT, (uint32_t)block,
                                     (uint32_t)(block >> 32), 0};

        rng_block(key, counter, words + i);
    }
}

/* Scale of what dropout keeps. */
static float scale(const struct act *a)
{
    return (float)(1.0 / (1.0 - a->p));
}

/* Dropout of elements [first, first + n), n <= CHUNK, in place. */
static void dropout_chunk(const struct act *a, size_t first, size_t n,
                          float *z)
{
    uint32_t words[CHUNK + 4];
    const uint32_t *word = words + first % 4;
    double limit = ceil(a->p * 4294967296.0);
    uint32_t keep = limit < 4294967295.0 ? (uint32_t)limit : UINT32_MAX;
    float up = scale(a);

    dropout_words(a->key, first, n, words);
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = word[i] >= keep ? z[i] * up : 0.0f;
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

void act_backward_sum(const struct act *a, size_t n, const float *y,
                      float *dy)
{
    if (!a->relu_sum)
        return;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dy[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

void act_backward(const struct act *a, size_t n, const uint8_t *mask,
                  const float *dy, float *dz)
{
    float up = a->p > 0 ? scale(a) : 1.0f;

#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dz[i] = mask[i] ? dy[i] * up : 0.0f;
}
