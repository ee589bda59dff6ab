/*
 * relu_loops - the loops of relu.c for one kind of register.
 *
 * No guard: relu.c includes this once for each path, with what vec_path.h
 * wants; all is undefined again at the end.
 */
#include "nn/vec_path.h"

/* n floats, or as many as a vector has; 0 behind them. */
TARGET VEC_INLINE PATH(vec) PATH(load)(const float *x, size_t n)
{
    PATH(vec) v = {0};

    if (n >= VEC)
        return *(const PATH(vec) *)x;
    memcpy(&v, x, n * sizeof(float));
    return v;
}

/* Stores n floats of a vector, or all. */
TARGET VEC_INLINE void PATH(store)(float *y, size_t n, PATH(vec) v)
{
    if (n >= VEC)
        *(PATH(vec) *)y = v;
    else
        memcpy(y, &v, n * sizeof(float));
}

/* Lanes of v whose bits are set, 0 elsewhere. */
TARGET VEC_INLINE PATH(vec) PATH(only)(unsigned bits, PATH(vec) v)
{
#if VEC == 16
    return (PATH(vec))_mm512_maskz_mov_ps((__mmask16)bits, (__m512)v);
#elif VEC == 8
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i all = _mm256_and_si256(_mm256_set1_epi32((int)bits), bit);

    return (PATH(vec))_mm256_and_ps(
        (__m256)v, _mm256_castsi256_ps(_mm256_cmpeq_epi32(all, bit)));
#else
    for (int i = 0; i < VEC; i++)
        v[i] = bits >> i & 1 ? v[i] : 0.0f;
    return v;
#endif
}

/* Bits of the lanes above 0. */
TARGET VEC_INLINE unsigned PATH(above)(PATH(vec) v)
{
#if VEC == 16
    return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_GT_OQ);
#elif VEC == 8
    return (unsigned)_mm256_movemask_ps(
        _mm256_cmp_ps((__m256)v, _mm256_setzero_ps(), _CMP_GT_OQ));
#else
    unsigned bits = 0;

    for (int i = 0; i < VEC; i++)
        bits |= (unsigned)(v[i] > 0.0f) << i;
    return bits;
#endif
}

/* 0 in the lanes up to 0; a NaN stays one. */
TARGET VEC_INLINE PATH(vec) PATH(relu)(PATH(vec) v)
{
#if VEC == 16
    return (PATH(vec))_mm512_maskz_mov_ps(
        _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_NLE_UQ),
        (__m512)v);
#elif VEC == 8
    return (PATH(vec))_mm256_and_ps(
        (__m256)v,
        _mm256_cmp_ps((__m256)v, _mm256_setzero_ps(), _CMP_NLE_UQ));
#else
    for (int i = 0; i < VEC; i++)
        v[i] = v[i] <= 0.0f ? 0.0f : v[i];
    return v;
#endif
}

/* One row forward, see struct forward. */
TARGET VEC_INLINE void PATH(row_all)(const struct forward *f, int drop,
                                     int residual, int mask, int again)
{
    PATH(vec) up = f->up - (PATH(vec)){0};

    for (size_t i = 0; i < f->n; i += VEC) {
        size_t left = f->n - i;
        PATH(vec) v = PATH(relu)(PATH(load)(f->z + i, left));

        if (drop)
            v *= PATH(only)(bits_at(f->kept, f->shift + i), up);
        if (mask)
            put_bits(f->mask, i, left < VEC ? left : VEC, PATH(above)(v));
        if (residual)
            v += PATH(load)(f->residual + i, left);
        if (again)
            v = PATH(relu)(v);
        PATH(store)(f->z + i, left, v);
    }
}

/* row_all() with its switches known when it is compiled. */
TARGET static void PATH(row)(const struct forward *f)
{
    if (f->kept && f->mask && f->residual && f->again)
        PATH(row_all)(f, 1, 1, 1, 1);
    else if (f->kept && f->mask && !f->residual && !f->again)
        PATH(row_all)(f, 1, 0, 1, 0);
    else
        PATH(row_all)(f, f->kept != NULL, f->residual != NULL, f->mask != NULL,
                      f->again);
}

/* n frames back, see relu_backward(). */
TARGET VEC_INLINE void PATH(back_all)(const struct back *b, int again)
{
    size_t C = b->C, row = relu_row(C);
    PATH(vec) up = b->up - (PATH(vec)){0};

    for (size_t t = 0; t < b->n; t++)
        for (size_t c = 0; c < C; c += VEC) {
            size_t at = t * C + c, left = C - c;
            PATH(vec) v = PATH(load)(b->dy + at, left);
            PATH(vec) sum = PATH(load)(b->bias + c, left);

            if (again) {
                v = PATH(only)(PATH(above)(PATH(load)(b->y + at, left)), v);
                PATH(store)(b->dy + at, left, v);
            }
            v *= PATH(only)(get_bits(b->mask + t * row, c,
                                     left < VEC ? left : VEC), up);
            PATH(store)(b->dz + at, left, v);
            PATH(store)(b->bias + c, left, sum + v);
        }
}

/* back_all() with its switch known when it is compiled. */
TARGET static void PATH(back)(const struct back *b)
{
    if (b->y)
        PATH(back_all)(b, 1);
    else
        PATH(back_all)(b, 0);
}

#undef PATH
#undef TARGET
#undef VEC
