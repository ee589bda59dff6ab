/*
 * vec_path - vectors of one kind of register, for loops written once and
 * compiled for each.
 *
 * No guard: a .c includes this once for each path, with
 *   PATH(name)  the path's name of a function or type
 *   TARGET      the attribute that allows its instructions
 *   VEC         floats of a vector: 4, 8 or 16
 * It defines the vector, and PATH(fma)(a, b, c) = a b + c rounded once, the
 * same bits everywhere. Vectors as wide as the registers matter: gcc keeps
 * wider ones in memory (five times slower).
 *
 * Without instructions for it a fused multiply-add is made of doubles: the
 * product is exact, the sum is rounded to odd (if it is inexact, its last bit
 * is set), and 53 bits rounded to odd round to the same 24 bits as the exact
 * sum (Boldo & Melquiond 2008).
 */
#include "nn/vec.h"

/* VEC floats at any address. */
typedef float PATH(vec)
    __attribute__((vector_size(VEC * sizeof(float)), aligned(4), may_alias));

#if VEC == 16
/* a b + c. */
TARGET VEC_INLINE PATH(vec) PATH(fma)(PATH(vec) a, PATH(vec) b, PATH(vec) c)
{
    return (PATH(vec))_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
#elif VEC == 8
/* a b + c. */
TARGET VEC_INLINE PATH(vec) PATH(fma)(PATH(vec) a, PATH(vec) b, PATH(vec) c)
{
    return (PATH(vec))_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#elif defined(__FP_FAST_FMAF)
/* a b + c. */
TARGET VEC_INLINE PATH(vec) PATH(fma)(PATH(vec) a, PATH(vec) b, PATH(vec) c)
{
    for (int i = 0; i < VEC; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
}
#else
/* Two floats. */
typedef float PATH(pair) __attribute__((vector_size(8)));
/* Two doubles. */
typedef double PATH(dpair) __attribute__((vector_size(16)));
/* Their bits, and masks. */
typedef int64_t PATH(bits) __attribute__((vector_size(16)));

/* a b + c of two floats. */
TARGET VEC_INLINE PATH(pair)
    PATH(fma_pair)(PATH(pair) a, PATH(pair) b, PATH(pair) c)
{
    PATH(dpair) p = __builtin_convertvector(a, PATH(dpair)) *
                    __builtin_convertvector(b, PATH(dpair));
    PATH(dpair) q = __builtin_convertvector(c, PATH(dpair));
    PATH(dpair) s = p + q, t = s - p, e = (p - (s - t)) + (q - t);
    PATH(bits) word = (PATH(bits))s;
    /* e is what s lacks; not so where s is infinite or not a number */
    PATH(bits) inexact = ((e < 0) | (e > 0)) & (e - e == 0);
    /* one away from 0 where s is too small, else one towards it */
    PATH(bits) step = ((e < 0) ^ (s < 0)) | 1;

    word += step & inexact & -(~word & 1);
    return __builtin_convertvector((PATH(dpair))word, PATH(pair));
}

/* a b + c. */
TARGET VEC_INLINE PATH(vec) PATH(fma)(PATH(vec) a, PATH(vec) b, PATH(vec) c)
{
    PATH(pair) low = PATH(fma_pair)((PATH(pair)){a[0], a[1]},
                                    (PATH(pair)){b[0], b[1]},
                                    (PATH(pair)){c[0], c[1]});
    PATH(pair) high = PATH(fma_pair)((PATH(pair)){a[2], a[3]},
                                     (PATH(pair)){b[2], b[3]},
                                     (PATH(pair)){c[2], c[3]});

    return (PATH(vec)){low[0], low[1], high[0], high[1]};
}
#endif
