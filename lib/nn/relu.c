/*
 * relu - loops over elements as vectors, compiled once for each path; they
 * are in relu_loops.h.
 */
#include "nn/relu.h"

#include <assert.h>
#include <string.h>


/* Elements whose dropout is decided together, a multiple of 64. */
#define CHUNK 4096

/* Consecutive elements forward. */
struct forward {
    size_t n;              /* elements */
    float *z;              /* (n) in place */
    const float *residual; /* (n) or NULL */
    uint8_t *mask;         /* bits of c > 0, or NULL */
    const uint8_t *kept;   /* bits from act_kept(), or NULL: no dropout */
    size_t shift;          /* bit of kept that is the first element's */
    float up;              /* scale of what is kept */
    int again;             /* ReLU on the sum */
};

/* Frames back, see relu_backward(). */
struct back {
    size_t C;            /* channels */
    size_t n;            /* frames */
    const float *y;      /* (n, C), NULL: no ReLU on the sum */
    const uint8_t *mask; /* n rows of bits */
    float up;            /* scale of what was kept */
    float *dy;           /* (n, C) */
    float *dz;           /* (n, C) */
    float *bias;         /* (C) */
};

/* 16 bits, or as many as there are, from bit i on. */
static inline unsigned bits_at(const uint8_t *bits, size_t i)
{
    uint32_t word;

    memcpy(&word, bits + i / 8, sizeof(word));
    return word >> i % 8;
}

/* n bits of a frame from bit i on, i a multiple of 4, n up to 16. */
static inline unsigned get_bits(const uint8_t *bits, size_t i, size_t n)
{
    unsigned low = bits[i / 8];

    return n > 8 ? low | (unsigned)bits[i / 8 + 1] << 8 : low >> i % 8;
}

/* Sets n bits from bit i on, i a multiple of 4, n up to 16. */
static inline void put_bits(uint8_t *to, size_t i, size_t n, unsigned bits)
{
    to += i / 8;
    if (n == 16) {
        uint16_t word = (uint16_t)bits;

        memcpy(to, &word, sizeof(word));
        return;
    }
    if (i % 8 != 0) {
        *to = (uint8_t)(*to | bits << 4);
        return;
    }
    *to = (uint8_t)bits;
    if (n > 8)
        to[1] = (uint8_t)(bits >> 8);
}

/* The plain path: vectors of 4 floats. */
#define PATH(name) name##_plain
#define TARGET
#define VEC 4
#include "nn/relu_loops.h"

#if defined(__x86_64__)
/* AVX2: vectors of 8 floats. */
#define PATH(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VEC 8
#include "nn/relu_loops.h"

/* AVX-512: vectors of 16 floats. */
#define PATH(name) name##_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC 16
#include "nn/relu_loops.h"
#else
#define row_avx2 row_plain
#define row_avx512 row_plain
#define back_avx2 back_plain
#define back_avx512 back_plain
#endif

size_t relu_row(size_t C)
{
    return (C + 7) / 8;
}

/* Elements [first, first + f->n) forward. */
static void forward_row(const struct act *a, size_t first, struct forward *f)
{
    uint8_t kept[CHUNK / 8 + 8];

    f->kept = NULL;
    if (a->p > 0) {
        f->shift = first % 64;
        f->kept = kept;
        f->up = act_scale(a);
        act_kept(a, first - f->shift, f->shift + f->n, kept);
    }
    if (a->path == CONV1D_AVX512)
        row_avx512(f);
    else if (a->path == CONV1D_AVX2)
        row_avx2(f);
    else
        row_plain(f);
}

void relu_forward(const struct act *a, size_t C, size_t t, size_t n, float *z,
                  const float *residual, uint8_t *mask)
{
    /* frames without spare bits are one long one */
    size_t len = C % 8 == 0 ? n * C : C, rows = C % 8 == 0 ? 1 : n;

    assert(a->relu && !a->at_sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < len; i += CHUNK - 64) {
            size_t at = r * len + i;
            struct forward f = {
                .n = len - i < CHUNK - 64 ? len - i : CHUNK - 64,
                .z = z + at,
                .residual = residual ? residual + at : NULL,
                .mask = mask ? mask + r * relu_row(C) + i / 8 : NULL,
                .again = a->relu_sum};

            forward_row(a, t * C + at, &f);
        }
}

void relu_backward(const struct act *a, size_t C, size_t n, const float *y,
                   const uint8_t *mask, float *dy, float *dz, float *bias)
{
    struct back b = {.C = C,
                     .n = n,
                     .y = a->relu_sum ? y : NULL,
                     .mask = mask,
                     .up = a->p > 0 ? act_scale(a) : 1.0f,
                     .dy = dy,
                     .dz = dz,
                     .bias = bias};

    if (a->path == CONV1D_AVX512)
        back_avx512(&b);
    else if (a->path == CONV1D_AVX2)
        back_avx2(&b);
    else
        back_plain(&b);
}
