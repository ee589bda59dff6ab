/*
 * act - ReLU, gate, dropout, residual sum, and their gradients.
 *
 * Dropout's key is a chain of two Philox blocks over (seed, step) and (song,
 * layer); its numbers are the blocks 0, 1, 2, ... under that key, eight
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
#include <string.h>

#include "base/rng.h"
#include "nn/vec.h"

/* Philox blocks made together. */
#define BLOCKS 64
/* Elements they are enough for, wherever the first lies in its block. */
#define CHUNK (8 * BLOCKS - 8)

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
 * rng_block() of many blocks side by side: block `first` + i of a key has the
 * halves of its words, low one first, in out[8 i]. What rng_block() gives,
 * several times faster, because the rounds of Philox4x32-10 run over arrays.
 */
static inline __attribute__((always_inline)) void
blocks_all(uint64_t key, uint64_t first, uint16_t out[8 * BLOCKS])
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
        const uint32_t words[4] = {c0[i], c1[i], c2[i], c3[i]};

        for (int k = 0; k < 4; k++) {
            out[8 * i + 2 * k] = (uint16_t)words[k];
            out[8 * i + 2 * k + 1] = (uint16_t)(words[k] >> 16);
        }
    }
}

/* A float and its bits: loops over these vectorise. */
union act_bits {
    float f;    /* the number */
    uint32_t i; /* sign, exponent, fraction */
};

/* What is kept, and how: halves from `keep` on are, times `up`. */
struct drop {
    uint64_t key;  /* of the blocks */
    uint16_t keep; /* smallest half that keeps */
    float up;      /* scale of what is kept */
};

/* Dropout of elements [first, first + n), n <= CHUNK, in place. */
static inline __attribute__((always_inline)) void
drop_all(const struct drop *d, size_t first, size_t n, float *z)
{
    uint16_t halves[8 * BLOCKS];
    const uint16_t *half = halves + first % 8;

    blocks_all(d->key, first / 8, halves);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        int kept = half[i] >= d->keep;
        union act_bits v = {.f = z[i] * (kept ? d->up : 0.0f) + 0.0f};

        v.i |= kept ? 0 : 0x80000000u;
        z[i] = v.f;
    }
}

/* drop_all() for any processor. */
static void drop_plain(const struct drop *d, size_t first, size_t n, float *z)
{
    drop_all(d, first, n, z);
}

/*
 * Which of 64 elements from `first` on, a multiple of 64, are kept, bit by
 * bit, and so on up to n.
 */
static inline __attribute__((always_inline)) void
kept_all(const struct drop *d, size_t first, size_t n, uint8_t *kept)
{
    for (size_t i = 0; i < n; i += 8 * BLOCKS) {
        uint16_t halves[8 * BLOCKS];

        blocks_all(d->key, (first + i) / 8, halves);
        for (size_t e = 0; e < 8 * BLOCKS && i + e < n; e += 8) {
            unsigned bits = 0;

            for (size_t k = 0; k < 8; k++)
                bits |= (unsigned)(halves[e + k] >= d->keep) << k;
            kept[(i + e) / 8] = (uint8_t)bits;
        }
    }
}

/* kept_all() for any processor. */
static void kept_plain(const struct drop *d, size_t first, size_t n,
                       uint8_t *kept)
{
    kept_all(d, first, n, kept);
}

#if defined(__x86_64__)
/* drop_all() with 256-bit registers. */
__attribute__((target("avx2"))) static void
drop_avx2(const struct drop *d, size_t first, size_t n, float *z)
{
    drop_all(d, first, n, z);
}

/* drop_all() with 512-bit registers. */
__attribute__((target("avx512f" VEC_WIDE))) static void
drop_avx512(const struct drop *d, size_t first, size_t n, float *z)
{
    drop_all(d, first, n, z);
}

/* kept_all() with 256-bit registers. */
__attribute__((target("avx2"))) static void
kept_avx2(const struct drop *d, size_t first, size_t n, uint8_t *kept)
{
    __m256i keep = _mm256_set1_epi16((short)d->keep);

    for (size_t i = 0; i < n; i += 8 * BLOCKS) {
        uint16_t halves[8 * BLOCKS];

        blocks_all(d->key, (first + i) / 8, halves);
        for (size_t e = 0; e < 8 * BLOCKS && i + e < n; e += 32) {
            __m256i a = _mm256_loadu_si256((const void *)(halves + e));
            __m256i b = _mm256_loadu_si256((const void *)(halves + e + 16));
            uint32_t bits;

            a = _mm256_cmpeq_epi16(_mm256_max_epu16(a, keep), a);
            b = _mm256_cmpeq_epi16(_mm256_max_epu16(b, keep), b);
            /* packs works on halves of registers */
            a = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xD8);
            bits = (uint32_t)_mm256_movemask_epi8(a);
            memcpy(kept + (i + e) / 8, &bits, sizeof(bits));
        }
    }
}

/* Instructions that drop_fast() and kept_fast() need. */
#define FAST __attribute__((target("avx512f,avx512dq,avx512vl,bmi2")))

/* High and low halves of 16 products x m. */
FAST static inline __attribute__((always_inline)) void
products(__m512i x, uint32_t m, __m512i *high, __m512i *low)
{
    __m512i by = _mm512_set1_epi64(m);
    __m512i even = _mm512_mul_epu32(x, by);
    __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), by);

    *high = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), 0xAAAA, odd);
    *low = _mm512_mask_mov_epi32(even, 0xAAAA, _mm512_slli_epi64(odd, 32));
}

/* Bits of the halves of 16 words that keep, of each block's two in turn. */
FAST static inline __attribute__((always_inline)) void
spread(__m512i words, __m512i keep, int word, uint64_t kept[2])
{
    uint32_t low = _mm512_cmpge_epu32_mask(_mm512_slli_epi32(words, 16), keep);
    uint32_t high = _mm512_cmpge_epu32_mask(words, keep);
    uint64_t at = 0x0101010101010101u << 2 * word;

    kept[0] |= _pdep_u64(low, at) | _pdep_u64(high, at << 1);
    kept[1] |= _pdep_u64(low >> 8, at) | _pdep_u64(high >> 8, at << 1);
}

/*
 * Which of the 128 elements of 16 blocks from `first` on are kept, bit by
 * bit: Philox with the words of a round in four registers.
 */
FAST static inline __attribute__((always_inline)) void
kept_blocks(const struct drop *d, uint64_t first, uint64_t kept[2])
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5,
                                          4, 3, 2, 1, 0);
    __m512i keep = _mm512_set1_epi32((int)((uint32_t)d->keep << 16));
    __m512i c0 = _mm512_set1_epi32(RNG_DROPOUT), c3 = {0};
    __m512i c1 = _mm512_add_epi32(_mm512_set1_epi32((int)first), lane);
    /* a carry into the high half where the low one wraps around */
    __mmask16 wraps = _mm512_cmplt_epu32_mask(c1, lane);
    __m512i c2 = _mm512_set1_epi32((int)(first >> 32));
    uint32_t k0 = (uint32_t)d->key, k1 = (uint32_t)(d->key >> 32);

    c2 = _mm512_mask_add_epi32(c2, wraps, c2, _mm512_set1_epi32(1));
    for (int round = 0; round < 10; round++) {
        __m512i high0, low0, high1, low1;

        products(c0, 0xD2511F53u, &high0, &low0);
        products(c2, 0xCD9E8D57u, &high1, &low1);
        c0 = _mm512_ternarylogic_epi32(high1, c1, _mm512_set1_epi32((int)k0),
                                       0x96);
        c2 = _mm512_ternarylogic_epi32(high0, c3, _mm512_set1_epi32((int)k1),
                                       0x96);
        c1 = low1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    kept[0] = kept[1] = 0;
    spread(c0, keep, 0, kept);
    spread(c1, keep, 1, kept);
    spread(c2, keep, 2, kept);
    spread(c3, keep, 3, kept);
}

/* kept_all() with 512-bit registers. */
FAST static void kept_fast(const struct drop *d, size_t first, size_t n,
                           uint8_t *kept)
{
    for (size_t i = 0; i < n; i += 128) {
        uint64_t bits[2];

        kept_blocks(d, (first + i) / 8, bits);
        memcpy(kept + i / 8, bits, n - i > 64 ? 16 : 8);
    }
}

/*
 * drop_avx512() for n elements, a multiple of 128, from the first of a block.
 */
FAST static void drop_fast(const struct drop *d, size_t first, size_t n,
                           float *z)
{
    __m512 up = _mm512_set1_ps(d->up), zero = {0};
    __m512 minus = _mm512_set1_ps(-0.0f);

    for (size_t i = 0; i < n; i += 128) {
        uint64_t kept[2];

        kept_blocks(d, (first + i) / 8, kept);
        for (int v = 0; v < 128; v += 16) {
            __mmask16 in = (__mmask16)(kept[v / 64] >> v % 64);
            __m512 a = _mm512_loadu_ps(z + i + v);

            a = _mm512_mul_ps(a, _mm512_maskz_mov_ps(in, up));
            a = _mm512_add_ps(a, zero);
            a = _mm512_mask_or_ps(a, (__mmask16)~in, a, minus);
            _mm512_storeu_ps(z + i + v, a);
        }
    }
}

/* Whether the processor has what drop_fast() needs. */
static int has_fast(void)
{
    return __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
}
#else
#define drop_avx2 drop_plain
#define drop_avx512 drop_plain
#define drop_fast drop_plain
#define kept_avx2 kept_plain
#define kept_fast kept_plain
/* There is none. */
static int has_fast(void)
{
    return 0;
}
#endif

float act_scale(const struct act *a)
{
    return (float)(1.0 / (1.0 - a->p));
}

/* What an act's dropout keeps. */
static struct drop drop_of(const struct act *a)
{
    double limit = ceil(a->p * 65536.0);

    return (struct drop){a->key,
                         limit < 65535.0 ? (uint16_t)limit : UINT16_MAX,
                         act_scale(a)};
}

void act_kept(const struct act *a, size_t first, size_t n, uint8_t *kept)
{
    struct drop d = drop_of(a);

    if (a->path == CONV1D_AVX512 && has_fast())
        kept_fast(&d, first, n, kept);
    else if (a->path != CONV1D_PLAIN)
        kept_avx2(&d, first, n, kept);
    else
        kept_plain(&d, first, n, kept);
}

void act_dropout(const struct act *a, size_t first, size_t n, float *z)
{
    struct drop d = drop_of(a);
    size_t i = 0;

    if (!(a->p > 0))
        return;
    if (a->path == CONV1D_AVX512 && first % 8 == 0 && has_fast()) {
        i = n / 128 * 128;
        drop_fast(&d, first, i, z);
    }
    for (; i < n; i += CHUNK) {
        size_t some = n - i < CHUNK ? n - i : CHUNK;

        if (a->path == CONV1D_AVX512)
            drop_avx512(&d, first + i, some, z + i);
        else if (a->path == CONV1D_AVX2)
            drop_avx2(&d, first + i, some, z + i);
        else
            drop_plain(&d, first + i, some, z + i);
    }
}

/* ReLU of n elements, written so that a NaN stays one. */
static void relu(size_t n, float *z)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = z[i] <= 0.0f ? 0.0f : z[i];
}

void act_forward(const struct act *a, size_t first, size_t n, float *z,
                 const float *residual)
{
    if (a->relu)
        relu(n, z);
    if (!a->at_sum)
        act_dropout(a, first, n, z);
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

/*
 * act_gate() for n elements of u and v, which are the same or apart, and of
 * their derivatives du and dv, if wanted.
 */
static inline __attribute__((always_inline)) void
gate_all(int split, int slope, size_t n, const float *u, const float *v,
         float *du, float *dv, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float dt, ds, m = gate_expm1(u[i]), t = gate_tanh(u[i], m, &dt);
        float s = split ? gate_sigmoid(v[i], gate_expm1(v[i]), &ds)
                        : gate_sigmoid(u[i], m, &ds);

        y[i] = t * s;
        if (slope && split) {
            du[i] = dt * s;
            dv[i] = t * ds;
        } else if (slope) {
            du[i] = dt * s + t * ds;
        }
    }
}

/* gate_all() with its switches known when it is compiled. */
static inline __attribute__((always_inline)) void
gate_switched(int split, size_t n, const float *z, size_t C, float *slope,
              float *y)
{
    if (split && slope)
        gate_all(1, 1, n, z, z + C, slope, slope + C, y);
    else if (split)
        gate_all(1, 0, n, z, z + C, NULL, NULL, y);
    else if (slope)
        gate_all(0, 1, n, z, z, slope, slope, y);
    else
        gate_all(0, 0, n, z, z, NULL, NULL, y);
}

/* gate_switched() for any processor. */
static void gate_plain(int split, size_t n, const float *z, size_t C,
                       float *slope, float *y)
{
    gate_switched(split, n, z, C, slope, y);
}

#if defined(__x86_64__)
/* gate_switched() with 256-bit registers. */
__attribute__((target("avx2"))) static void
gate_avx2(int split, size_t n, const float *z, size_t C, float *slope, float *y)
{
    gate_switched(split, n, z, C, slope, y);
}

/* gate_switched() with 512-bit registers. */
__attribute__((target("avx512f" VEC_WIDE))) static void
gate_avx512(int split, size_t n, const float *z, size_t C, float *slope,
            float *y)
{
    gate_switched(split, n, z, C, slope, y);
}
#else
#define gate_avx2 gate_plain
#define gate_avx512 gate_plain
#endif

void act_gate(const struct act *a, int split, size_t T, size_t C,
              const float *z, float *slope, float *y)
{
    size_t rows = split ? T : 1, n = split ? C : T * C;

    for (size_t r = 0; r < rows; r++, z += 2 * C, y += C) {
        if (a->path == CONV1D_AVX512)
            gate_avx512(split, n, z, C, slope, y);
        else if (a->path == CONV1D_AVX2)
            gate_avx2(split, n, z, C, slope, y);
        else
            gate_plain(split, n, z, C, slope, y);
        slope = slope ? slope + 2 * C : NULL;
    }
}

void act_backward_sum(const struct act *a, size_t n, const float *y, float *dy)
{
    if (!a->relu_sum)
        return;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dy[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}
