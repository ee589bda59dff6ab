/*
 * lanes - log mel energies and cepstra of LANES_N frames at once, a frame a
 * vector lane.
 *
 * Every lane does what a program for one frame would do, in the same order,
 * and lanes never meet (but in a maximum, which has no order). So neither
 * the width of the vectors nor the place of a frame in a block changes a
 * bit. With V lanes in a vector, a block is worked on in LANES_N / V parts:
 *
 *  1. V x V tiles of samples are transposed: sample n of V frames becomes
 *     one vector. Mean, energy, pre-emphasis, window.
 *  2. The N real samples are N / 2 complex ones, transformed in stages of
 *     radix 8, 4 and 5 (Stockham: each stage sorts as it goes, from one
 *     buffer to the other):
 *         y[q + s (R p + j)] = w^(p j) sum_k x[q + s (p + k n / R)] W_R^(j k)
 *     for p < n / R, q < s, w = exp(-2 pi i / n); then n /= R, s *= R.
 *  3. With Z the transform, H = N / 2, E = (Z_k + Z*_(H-k)) / 2 and
 *     O = (Z_k - Z*_(H-k)) / 2i, the spectrum is X_k = E + exp(-2 pi i k/N) O
 *     and X_(H-k) its mirror with the other sign.
 *  4. Mel filters, logarithm: x = 2^e m with m in [sqrt 1/2, sqrt 2), ln m by
 *     the polynomial of Cephes' logf (Moshier), e ln 2 in two parts.
 *  5. DCT: its rows are even or odd around the middle filter, so sums and
 *     differences of mirrored filters halve the work.
 *
 * Logarithms that wait for the end of the signal are packed, four into three
 * words: one each in the lower 24 bits of a word, and the fourth in the upper
 * 8 of all three. The upper 8 bits of a packed value count coarse steps of 8
 * significant bits from a base that is a multiple of them, so that what they
 * say is exact in a float, and only the lower 16 are rounded.
 *
 * The loops are in lanes_loops.h, compiled once for each path.
 */
#include "signal/lanes.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* pi in double, which C11 does not name. */
#define PI 3.14159265358979323846
/* Longest transform: its two buffers stay in the second cache. */
#define MAX_FFT 4096
/* Most stages a transform has: 2048 = 8 8 8 4. */
#define MAX_STAGES 8
/* Coefficients whose sums are in registers together: half of them even. */
#define TILE 8
/* Bytes of a vector of the widest path: what buffers are aligned to. */
#define ALIGN 64
/* Put into each path's function, where the wider registers are known. */
#define INLINE static inline __attribute__((always_inline))

/* How a logarithm is put together from exponent e and ln m. */
struct log_scale {
    float high; /* of e, few enough bits for an exact product */
    float low;  /* of e, the rest */
    float ln;   /* of ln m */
};

/* How values are packed. */
struct packing {
    float base;       /* what 0 stands for, a multiple of coarse */
    float coarse;     /* what the upper 8 bits count */
    float fine;       /* what the lower 16 bits count */
    float per_coarse; /* 1 / coarse */
    float per_fine;   /* 1 / fine */
};

/* An engine with its buffers. */
struct lanes {
    struct lanes_setup s;   /* what it was made from */
    enum lanes_path path;   /* build of the loops */
    size_t n_mels;          /* M */
    size_t n_tiles;         /* ceil(C / TILE) */
    size_t n_stages;        /* of the transform */
    int radix[MAX_STAGES];  /* of each stage */
    const float *twiddle[MAX_STAGES]; /* (n / R, R - 1, 2), in table */
    const float *split;     /* (N / 4 + 1, 2) cos and sin, in table */
    const float *dct;       /* (n_tiles, ceil(M / 2), TILE), in table */
    bool prepare;           /* mean, energy or pre-emphasis is wanted */
    struct log_scale log;   /* of the logarithm */
    float *table;           /* owned */
    float *memory;          /* owned, the buffers below are in it */
    float *a, *b;           /* (N + 2, V) each */
    float *fold;            /* (M + 1, V) sums and differences */
    float *rows;            /* (LANES_N, C) result */
};

/* The plain path: registers of 4 floats. */
#define PATH(name) name##_plain
#define TARGET
#define VEC 4
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#include "signal/lanes_loops.h"

#if defined(__x86_64__)
/* AVX2: 8 floats. */
#define PATH(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#define VEC 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#include "signal/lanes_loops.h"

/* AVX-512: 16 floats. */
#define PATH(name) name##_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#include "signal/lanes_loops.h"
#else
#define logs_all_avx2 logs_all_plain
#define logs_all_avx512 logs_all_plain
#define cepstra_all_avx2 cepstra_all_plain
#define cepstra_all_avx512 cepstra_all_plain
#define pack_all_avx2 pack_all_plain
#define pack_all_avx512 pack_all_plain
#define unpack_all_avx2 unpack_all_plain
#define unpack_all_avx512 unpack_all_plain
#endif

enum lanes_path lanes_best_path(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return LANES_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return LANES_AVX2;
#endif
    return LANES_PLAIN;
}

/*
 * Stages of a complex transform of n; 0 if it has none.
 * radix: (MAX_STAGES) result
 */
static size_t find_stages(size_t n, int *radix)
{
    size_t n_stages = 0, fives = 0, twos = 0;

    for (; n % 5 == 0; n /= 5)
        fives++;
    for (; n % 2 == 0; n /= 2)
        twos++;
    if (n != 1 || twos < 2)
        return 0;
    for (; twos % 3; twos -= 2)
        radix[n_stages++] = 4;
    for (; twos; twos -= 3)
        radix[n_stages++] = 8;
    for (; fives; fives--)
        radix[n_stages++] = 5;
    return n_stages;
}

bool lanes_fits(size_t n_fft)
{
    int radix[MAX_STAGES];

    return n_fft >= 2 && n_fft % 2 == 0 && n_fft <= MAX_FFT &&
           find_stages(n_fft / 2, radix) > 0;
}

/* Writes the twiddles of all stages; returns where they end. */
static float *make_twiddles(struct lanes *l, float *t)
{
    size_t n = l->s.n_fft / 2, i, p;
    int j;

    for (i = 0; i < l->n_stages; n /= (size_t)l->radix[i++]) {
        l->twiddle[i] = t;
        for (p = 0; p < n / (size_t)l->radix[i]; p++)
            for (j = 1; j < l->radix[i]; j++) {
                double angle = 2 * PI * (double)p * j / (double)n;

                *t++ = (float)cos(angle);
                *t++ = (float)-sin(angle);
            }
    }
    return t;
}

/* Writes cos and sin of step 3; returns where they end. */
static float *make_split(struct lanes *l, float *t)
{
    size_t k, N = l->s.n_fft;

    l->split = t;
    for (k = 0; k <= N / 4; k++) {
        *t++ = (float)cos(2 * PI * (double)k / (double)N);
        *t++ = (float)sin(2 * PI * (double)k / (double)N);
    }
    return t;
}

/* Writes the first half of the DCT's rows, tile by tile. */
static void make_dct(struct lanes *l, float *t)
{
    size_t M = l->n_mels, C = l->s.n_ceps, tile, n, i;

    l->dct = t;
    for (tile = 0; tile < l->n_tiles; tile++)
        for (n = 0; n < (M + 1) / 2; n++)
            for (i = 0; i < TILE; i++, t++) {
                size_t c = tile * TILE + i;

                *t = c < C ? (float)l->s.dct[n * C + c] : 0;
            }
}

/* Floats of n, rounded up to whole alignments. */
static size_t whole(size_t n)
{
    return (n + ALIGN / sizeof(float) - 1) / (ALIGN / sizeof(float)) *
           (ALIGN / sizeof(float));
}

/* Tables and buffers. */
static int set_up(struct lanes *l, struct err *err)
{
    size_t N = l->s.n_fft, M = l->n_mels, C = l->s.n_ceps;
    size_t buffer = whole((N + 2) * LANES_N), fold = whole((M + 1) * LANES_N);
    char *base;

    l->table = mem_alloc(3 * N + l->n_tiles * (M + 1) * TILE,
                         sizeof(*l->table), err);
    l->memory = l->table ? mem_alloc(2 * buffer + fold + LANES_N * C + ALIGN,
                                     sizeof(*l->memory), err)
                         : NULL;
    if (!l->memory)
        return -1;
    make_dct(l, make_split(l, make_twiddles(l, l->table)));
    base = (char *)l->memory;
    base += (ALIGN - (uintptr_t)base % ALIGN) % ALIGN;
    l->a = (float *)(void *)base;
    l->b = l->a + buffer;
    l->fold = l->b + buffer;
    l->rows = l->fold + fold;
    return 0;
}

struct lanes *lanes_open(const struct lanes_setup *setup, enum lanes_path path,
                         struct err *err)
{
    /* high parts have 10 bits or less: e has 8. */
    static const struct log_scale db = {3.0107421875f, -4.42230870189e-4f,
                                        4.342944819032518f};
    static const struct log_scale ln = {0.693359375f, -2.12194440e-4f, 1};
    struct lanes *l = mem_alloc(1, sizeof(*l), err);

    assert(lanes_fits(setup->n_fft));
    if (!l)
        return NULL;
    l->s = *setup;
    l->path = path;
    l->n_mels = setup->mel->n_filters;
    l->n_tiles = (setup->n_ceps + TILE - 1) / TILE;
    l->n_stages = find_stages(setup->n_fft / 2, l->radix);
    l->prepare = setup->conf->audio_remove_dc ||
                 setup->conf->audio_use_energy ||
                 (float)setup->conf->audio_preemphasis != 0;
    l->log = setup->conf->audio_log == CONFIG_LOG_DB ? db : ln;
    if (set_up(l, err)) {
        lanes_close(l);
        return NULL;
    }
    return l;
}

void lanes_close(struct lanes *l)
{
    if (!l)
        return;
    free(l->table);
    free(l->memory);
    free(l);
}

float lanes_logs(struct lanes *l, const float *const *frame, float amin,
                 float *logs, float *energy)
{
    if (l->path == LANES_AVX512)
        return logs_all_avx512(l, frame, amin, logs, energy);
    if (l->path == LANES_AVX2)
        return logs_all_avx2(l, frame, amin, logs, energy);
    return logs_all_plain(l, frame, amin, logs, energy);
}

const float *lanes_cepstra(struct lanes *l, const float *logs, float low,
                           float more)
{
    if (l->path == LANES_AVX512)
        cepstra_all_avx512(l, logs, low, more);
    else if (l->path == LANES_AVX2)
        cepstra_all_avx2(l, logs, low, more);
    else
        cepstra_all_plain(l, logs, low, more);
    return l->rows;
}

/* The packing of [low, low + range]: 254 coarse steps, two to spare. */
static struct packing make_packing(float low, float range)
{
    int exponent;
    float mantissa = frexpf(range / 254, &exponent);
    float coarse = ldexpf(ceilf(mantissa * 256) / 256, exponent);

    return (struct packing){floorf(low / coarse) * coarse, coarse,
                            coarse / 65536, 1 / coarse, 65536 / coarse};
}

void lanes_pack(enum lanes_path path, const float *x, size_t n, float low,
                float range, float *out)
{
    struct packing p = make_packing(low, range);

    if (path == LANES_AVX512)
        pack_all_avx512(&p, x, n, out);
    else if (path == LANES_AVX2)
        pack_all_avx2(&p, x, n, out);
    else
        pack_all_plain(&p, x, n, out);
}

void lanes_unpack(enum lanes_path path, const float *packed, size_t n,
                  float low, float range, float *x)
{
    struct packing p = make_packing(low, range);

    if (path == LANES_AVX512)
        unpack_all_avx512(&p, packed, n, x);
    else if (path == LANES_AVX2)
        unpack_all_avx2(&p, packed, n, x);
    else
        unpack_all_plain(&p, packed, n, x);
}
