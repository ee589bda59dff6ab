/*
 * conv16 - convolutions by vdpbf16ps.
 *
 * All are one product of matrices, C (R, J) += A (R, D) B (D, J), whose D runs
 * in pairs: a word of A is broadcast, 16 words of B are 16 columns. Forward
 * and backward to the data A is a tile's frames of x or dy, narrowed, once for
 * each tap, with zeros outside the sequence: rows of pairs of channels. B is
 * packed weights, (panels, K, pairs, LANES). For weight gradients D is time:
 * a tile's frames of both sides are interleaved, (pairs of frames, channels),
 * an odd last one with zeros.
 */
#include "nn/conv16.h"

#include <assert.h>
#include <string.h>

#include "nn/vec.h"

/* Columns of a panel. */
#define LANES CONV1D_LANES
/* Rows whose sums are in registers, of two panels. */
#define ROWS 14
/* Channels interleaved together. */
#define WIDTH 64
#if defined(__x86_64__)
/* Instructions that the loops need. */
#define TARGET \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16" \
                          VEC_WIDE)))
#else
#define TARGET
#endif
/* Put into the functions that know the instructions. */
#define INLINE TARGET static inline __attribute__((always_inline))

/* One product; strides are in words. */
struct product {
    size_t rows;       /* R of C */
    size_t cols;       /* J of C: columns that are written */
    size_t depth;      /* pairs of a tap */
    size_t taps;       /* taps */
    const uint32_t *a; /* A of the first tap */
    size_t a_row;      /* from row to row of A */
    size_t a_step;     /* from pair to pair of A */
    size_t a_tap;      /* from tap to tap */
    const uint32_t *b; /* B of the first tap, read by whole panels */
    size_t b_step;     /* from pair to pair of B */
    size_t b_tap;      /* from tap to tap */
    size_t b_panel;    /* from panel to panel */
    const float *bias; /* (J) what sums begin with, or NULL: 0 */
    int add;           /* add the sums to C instead of storing them */
    float *c;          /* C */
    size_t c_row;      /* from row to row of C */
    size_t c_panel;    /* from panel to panel */
};

/* Panels that n columns take. */
static size_t panels(size_t n)
{
    return (n + LANES - 1) / LANES;
}

/* Blocks of WIDTH channels that n take. */
static size_t blocks(size_t n)
{
    return (n + WIDTH - 1) / WIDTH;
}

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

size_t conv16_row(size_t C)
{
    return (C + 1) / 2;
}

size_t conv16_packed_len(const struct conv1d *c, int back)
{
    size_t in = back ? c->c_out : c->c_in, out = back ? c->c_in : c->c_out;

    return panels(out) * c->kernel * conv16_row(in) * LANES;
}

/* A float as a bfloat16: nearest, even on ties; NaN stays, denormals are 0. */
static uint32_t narrow(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return bits >> 16 | 0x40u;
    if ((bits & 0x7F800000u) == 0)
        return bits >> 16 & 0x8000u;
    return (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
}

void conv16_pack(const struct conv1d *c, int back, const float *weight,
                 uint32_t *packed)
{
    size_t K = c->kernel, row = conv16_row(back ? c->c_out : c->c_in);

    memset(packed, 0, conv16_packed_len(c, back) * sizeof(*packed));
    for (size_t o = 0; o < c->c_out; o++)
        for (size_t i = 0; i < c->c_in; i++)
            for (size_t k = 0; k < K; k++) {
                size_t from = back ? o : i, to = back ? i : o;
                size_t tap = back ? K - 1 - k : k;
                size_t at = (to / LANES * K + tap) * row + from / 2;

                packed[at * LANES + to % LANES] |= narrow(*weight++)
                                                   << from % 2 * 16;
            }
}

#if defined(__x86_64__)
int conv16_works(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bf16");
}

/* The columns of a panel that are there. */
INLINE __mmask16 mask_of(size_t n)
{
    return (__mmask16)(n < LANES ? (1u << n) - 1 : 0xFFFFu);
}

/* The pairs of one tap: `rows` rows of `wide` panels. */
INLINE void tap(const struct product *g, const uint32_t *a, const uint32_t *b,
                int rows, int wide, __m512 acc[ROWS][2])
{
    const uint32_t *base[(ROWS + 2) / 3];
    size_t row = g->a_row, step = g->a_step, b_panel = g->b_panel;
    int r, p;

#pragma GCC unroll 5
    for (r = 0; r < (rows + 2) / 3; r++)
        base[r] = a + 3 * (size_t)r * row;
    for (size_t i = 0; i < g->depth; i++, b += g->b_step) {
        __m512bh w[2];

#pragma GCC unroll 2
        for (p = 0; p < wide; p++)
            w[p] = (__m512bh)_mm512_loadu_si512(b + (size_t)p * b_panel);
#pragma GCC unroll 14
        for (r = 0; r < rows; r++) {
            uint32_t pair = base[r / 3][(size_t)(r % 3) * row];
            __m512bh x = (__m512bh)_mm512_set1_epi32((int)pair);

#pragma GCC unroll 2
            for (p = 0; p < wide; p++)
                acc[r][p] = _mm512_dpbf16_ps(acc[r][p], w[p], x);
        }
#pragma GCC unroll 5
        for (r = 0; r < (rows + 2) / 3; r++) {
            base[r] += step;
            /* or gcc makes an address of its own for each row */
            __asm__("" : "+r"(base[r]));
        }
    }
}

/* `rows` rows from `row` on of `wide` panels from `panel` on. */
INLINE void tile(const struct product *g, size_t row, size_t panel, int rows,
                 int wide)
{
    const uint32_t *a = g->a + row * g->a_row, *b = g->b + panel * g->b_panel;
    float *c = g->c + row * g->c_row + panel * g->c_panel;
    size_t left = g->cols - panel * LANES;
    __m512 acc[ROWS][2];
    __mmask16 mask[2];
    int r, p;

#pragma GCC unroll 2
    for (p = 0; p < wide; p++) {
        mask[p] = mask_of(left - (size_t)p * LANES);
        acc[0][p] = _mm512_setzero_ps();
        if (g->bias)
            acc[0][p] = _mm512_maskz_loadu_ps(
                mask[p], g->bias + (panel + (size_t)p) * LANES);
    }
#pragma GCC unroll 14
    for (r = 1; r < rows; r++)
#pragma GCC unroll 2
        for (p = 0; p < wide; p++)
            acc[r][p] = acc[0][p];
    for (size_t k = 0; k < g->taps; k++, a += g->a_tap, b += g->b_tap)
        tap(g, a, b, rows, wide, acc);
#pragma GCC unroll 14
    for (r = 0; r < rows; r++, c += g->c_row)
#pragma GCC unroll 2
        for (p = 0; p < wide; p++) {
            float *to = c + (size_t)p * g->c_panel;
            __m512 sum = acc[r][p];

            if (g->add)
                sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask[p], to));
            _mm512_mask_storeu_ps(to, mask[p], sum);
        }
}

/* tile() with its number of rows known when it is compiled. */
INLINE void rows_of(const struct product *g, size_t row, size_t panel,
                    size_t rows, int wide)
{
#define CASE(n) \
    case n: \
        tile(g, row, panel, n, wide); \
        break
    switch (rows) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
        CASE(13);
        CASE(14);
    }
#undef CASE
}

/* All rows of some panels, in tiles that differ by at most one row. */
INLINE void panels_of(const struct product *g, size_t panel, int wide)
{
    size_t left = (g->rows + ROWS - 1) / ROWS;

    for (size_t row = 0; left > 0; left--) {
        size_t n = (g->rows - row + left - 1) / left;

        rows_of(g, row, panel, n, wide);
        row += n;
    }
}

/* One product. */
TARGET static void product(const struct product *g)
{
    size_t p = 0, n = panels(g->cols);

    for (; p + 2 <= n; p += 2)
        panels_of(g, p, 2);
    if (p < n)
        panels_of(g, p, 1);
}

TARGET void conv16_narrow(size_t T, size_t C, const float *x, uint32_t *out)
{
    size_t rows = C % 2 ? T : 1, n = C % 2 ? C : T * C;

    for (size_t t = 0; t < rows; t++, x += n, out += conv16_row(n)) {
        size_t i = 0;

        for (; i + 32 <= n; i += 32)
            _mm512_storeu_si512(out + i / 2, (__m512i)_mm512_cvtne2ps_pbh(
                                                 _mm512_loadu_ps(x + i + 16),
                                                 _mm512_loadu_ps(x + i)));
        for (; i + 1 < n; i += 2)
            out[i / 2] = narrow(x[i]) | narrow(x[i + 1]) << 16;
        if (i < n)
            out[i / 2] = narrow(x[i]);
    }
}

/* The lower 16 words of 16 even and 16 odd ones side by side. */
INLINE __m512i lower(__m512i even, __m512i odd)
{
    const __m512i at = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18,
                                        2, 17, 1, 16, 0);

    return _mm512_permutex2var_epi32(even, at, odd);
}

/* The upper 16 of them. */
INLINE __m512i upper(__m512i even, __m512i odd)
{
    const __m512i at = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11,
                                        26, 10, 25, 9, 24, 8);

    return _mm512_permutex2var_epi32(even, at, odd);
}

/*
 * Interleaves n frames of x, `row` words apart, of which `words` are taken:
 * word (p, i) of out (pairs, WIDTH) is channel i of frames 2 p and 2 p + 1.
 */
TARGET static void interleave(size_t n, size_t row, size_t words,
                              const uint32_t *x, uint32_t *out)
{
    const __m512i low = _mm512_set1_epi32(0xFFFF);

    for (size_t t = 0; t < n; t += 2, x += 2 * row, out += WIDTH)
        for (size_t w = 0; w < words; w += 16) {
            __mmask16 in = mask_of(words - w);
            __m512i a = _mm512_maskz_loadu_epi32(in, x + w);
            __m512i b =
                _mm512_maskz_loadu_epi32(t + 1 < n ? in : 0, x + row + w);
            __m512i even = _mm512_or_si512(_mm512_and_si512(a, low),
                                           _mm512_slli_epi32(b, 16));
            __m512i odd = _mm512_or_si512(_mm512_srli_epi32(a, 16),
                                          _mm512_andnot_si512(low, b));

            _mm512_storeu_si512(out + 2 * w, lower(even, odd));
            _mm512_storeu_si512(out + 2 * w + 16, upper(even, odd));
        }
}

#else
int conv16_works(void)
{
    return 0;
}

/* The float of a word's half. */
static float half(uint32_t word, int high)
{
    uint32_t bits = high ? word & 0xFFFF0000u : word << 16;
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* One product, slowly. */
static void product(const struct product *g)
{
    for (size_t r = 0; r < g->rows; r++)
        for (size_t c = 0; c < g->cols; c++) {
            float *to =
                g->c + r * g->c_row + c / LANES * g->c_panel + c % LANES;
            float sum = g->bias ? g->bias[c] : 0;

            for (size_t i = 0; i < g->taps * g->depth; i++) {
                size_t k = i / g->depth, d = i % g->depth;
                uint32_t a = g->a[r * g->a_row + k * g->a_tap + d * g->a_step];
                uint32_t b = g->b[c / LANES * g->b_panel + k * g->b_tap +
                                  d * g->b_step + c % LANES];

                sum += half(a, 1) * half(b, 1);
                sum += half(a, 0) * half(b, 0);
            }
            *to = g->add ? *to + sum : sum;
        }
}

void conv16_narrow(size_t T, size_t C, const float *x, uint32_t *out)
{
    for (size_t t = 0; t < T; t++, x += C, out += conv16_row(C))
        for (size_t i = 0; i < C; i += 2)
            out[i / 2] =
                narrow(x[i]) | (i + 1 < C ? narrow(x[i + 1]) << 16 : 0);
}

/* Interleaves n frames as the loop for x86-64 does. */
static void interleave(size_t n, size_t row, size_t words, const uint32_t *x,
                       uint32_t *out)
{
    for (size_t t = 0; t < n; t += 2, x += 2 * row, out += WIDTH)
        for (size_t w = 0; w < WIDTH / 2; w++) {
            uint32_t a = w < words ? x[w] : 0;
            uint32_t b = w < words && t + 1 < n ? x[row + w] : 0;

            out[2 * w] = (a & 0xFFFFu) | b << 16;
            out[2 * w + 1] = a >> 16 | (b & 0xFFFF0000u);
        }
}
#endif

size_t conv16_work_len(const struct conv1d *c)
{
    size_t in = conv16_row(c->c_in), out = conv16_row(c->c_out);

    return CONV16_TILE * (larger(c->kernel, 2) * larger(in, out) +
                          blocks(c->c_out) * WIDTH / 2);
}

/* Rows [first, first + n) of x, C channels each, narrowed. */
static void copy_rows(struct conv16_rows x, size_t C, size_t first, size_t n,
                      uint32_t *out)
{
    if (x.narrow)
        memcpy(out, x.narrow + first * conv16_row(C),
               n * conv16_row(C) * sizeof(*out));
    else
        conv16_narrow(n, C, x.wide + first * C, out);
}

/*
 * n narrowed rows of x (T, C), whose first is frame t - before of the
 * sequence: zeros outside it.
 */
static void gather(struct conv16_rows x, size_t T, size_t C, size_t t,
                   size_t before, size_t n, uint32_t *out)
{
    size_t row = conv16_row(C);
    size_t skip = before > t ? smaller(before - t, n) : 0;
    size_t first = t + skip - before;
    size_t some = 0;

    if (skip < n && first < T)
        some = smaller(n - skip, T - first);
    memset(out, 0, skip * row * sizeof(*out));
    if (some > 0)
        copy_rows(x, C, first, some, out + skip * row);
    memset(out + (skip + some) * row, 0,
           (n - skip - some) * row * sizeof(*out));
}

/* The rows that the taps of some frames read. */
struct taps {
    const uint32_t *rows; /* of the first tap, narrowed */
    size_t step;          /* rows from tap to tap */
};

/*
 * Rows for the K taps of n frames from t on, before: as for gather(). They
 * are where they lie, or else in memory, where taps that overlap share them.
 */
static struct taps gather_taps(size_t K, size_t d, struct conv16_rows x,
                               size_t T, size_t C, size_t t, size_t before,
                               size_t n, uint32_t *memory)
{
    size_t row = conv16_row(C), all = n + (K - 1) * d;

    if (x.narrow && t >= before && t - before + all <= T)
        return (struct taps){x.narrow + (t - before) * row, d};
    if ((K - 1) * d <= CONV16_TILE) {
        gather(x, T, C, t, before, all, memory);
        return (struct taps){memory, d};
    }
    for (size_t k = 0; k < K; k++)
        gather(x, T, C, t + k * d, before, n, memory + k * CONV16_TILE * row);
    return (struct taps){memory, CONV16_TILE};
}

/* A word's half as a float. */
union wide {
    uint32_t i; /* its bits, the lower half 0 */
    float f;    /* the number */
};

TARGET void conv16_widen(size_t T, size_t C, const uint32_t *x, float *out)
{
    size_t rows = C % 2 ? T : 1, n = C % 2 ? C : T * C;

    for (size_t t = 0; t < rows; t++, out += n, x += conv16_row(n)) {
#pragma omp simd
        for (size_t i = 0; i < n / 2; i++) {
            union wide low = {.i = x[i] << 16}, high = {.i = x[i] & ~0xFFFFu};

            out[2 * i] = low.f;
            out[2 * i + 1] = high.f;
        }
        if (n % 2)
            out[n - 1] = ((union wide){.i = x[n / 2] << 16}).f;
    }
}

/* What the loop of the ways forward and back works on. */
struct frames_job {
    size_t in, out;         /* channels read and written */
    size_t kernel;          /* taps */
    size_t dilation;        /* frames between taps */
    size_t left;            /* tap k reads frame t + k dilation - left */
    const uint32_t *packed; /* (panels, kernel, pairs, LANES) */
    const float *bias;      /* (out) or NULL */
    struct conv16_rows x;   /* (T, in) */
    size_t T;               /* frames of the sequence */
    int add;                /* add to y instead of overwriting it */
    float *y;               /* (t1 - t0, out) */
    uint32_t *memory;       /* of conv16_work_len() */
};

/* Frames [t, t1), t1 - t at most CONV16_TILE, into y's first rows. */
static void frames_tile(const struct frames_job *j, size_t t, size_t t1,
                        float *y)
{
    size_t row = conv16_row(j->in);
    struct taps taps = gather_taps(j->kernel, j->dilation, j->x, j->T, j->in, t,
                                   j->left, t1 - t, j->memory);
    struct product g = {.rows = t1 - t,
                        .cols = j->out,
                        .depth = row,
                        .taps = j->kernel,
                        .a_row = row,
                        .a_step = 1,
                        .b = j->packed,
                        .b_step = LANES,
                        .b_tap = row * LANES,
                        .b_panel = j->kernel * row * LANES,
                        .bias = j->bias,
                        .add = j->add,
                        .c = y,
                        .c_row = j->out,
                        .c_panel = LANES};

    g.a = taps.rows;
    g.a_tap = taps.step * row;
    product(&g);
}

/* Frames [t0, t1), tile after tile. */
static void frames_run(const struct frames_job *j, size_t t0, size_t t1)
{
    for (size_t t = t0; t < t1; t += CONV16_TILE)
        frames_tile(j, t, smaller(t + CONV16_TILE, t1),
                    j->y + (t - t0) * j->out);
}

void conv16_forward(const struct conv1d *c, const uint32_t *packed,
                    const float *bias, struct conv16_rows x, size_t T,
                    size_t t0, size_t t1, int add, float *y, uint32_t *memory)
{
    struct frames_job j = {c->c_in, c->c_out, c->kernel, c->dilation,
                           c->left, packed,   bias,      x,
                           T,       add,      y,         memory};

    assert(t0 <= t1 && t1 <= T);
    frames_run(&j, t0, t1);
}

void conv16_backward(const struct conv1d *c, const uint32_t *packed,
                     struct conv16_rows dy, size_t T, size_t t0, size_t t1,
                     int add, float *dx, uint32_t *memory)
{
    size_t left = (c->kernel - 1) * c->dilation - c->left;
    struct frames_job j = {c->c_out, c->c_in, c->kernel, c->dilation,
                           left,     packed,  NULL,      dy,
                           T,        add,     dx,        memory};

    assert(t0 <= t1 && t1 <= T);
    frames_run(&j, t0, t1);
}

/* A block of a tile's weight gradients: channels i on by channels o on. */
struct block {
    const struct conv1d *c; /* shape */
    size_t k;               /* tap */
    size_t i;               /* first input channel, a multiple of WIDTH */
    size_t o;               /* first output channel, likewise */
    size_t n;               /* frames */
};

/* Adds a block's gradients from its interleaved frames, WIDTH channels each. */
TARGET static void block_sums(const struct block *b, const uint32_t *x,
                              const uint32_t *dy, double *sums)
{
    size_t n_in = smaller(WIDTH, b->c->c_in - b->i);
    size_t n_out = smaller(WIDTH, b->c->c_out - b->o);
    float c[WIDTH * WIDTH];
    struct product g = {.rows = n_in,
                        .cols = panels(n_out) * LANES,
                        .depth = (b->n + 1) / 2,
                        .taps = 1,
                        .a = x,
                        .a_row = 1,
                        .a_step = WIDTH,
                        .b = dy,
                        .b_step = WIDTH,
                        .b_panel = LANES,
                        .c = c,
                        .c_row = LANES,
                        .c_panel = WIDTH * LANES};

    product(&g);
    for (size_t p = 0; p < panels(n_out); p++) {
        size_t panel = b->o / LANES + p;
        double *to =
            sums + ((panel * b->c->kernel + b->k) * b->c->c_in + b->i) * LANES;

#pragma omp simd
        for (size_t e = 0; e < n_in * LANES; e++)
            to[e] += (double)c[p * WIDTH * LANES + e];
    }
}

/*
 * One tap of a tile of n frames: x narrowed (n, pairs) against dy interleaved
 * (blocks, CONV16_TILE / 2, WIDTH).
 */
static void tap_sums(const struct conv1d *c, size_t k, size_t n,
                     const uint32_t *x, const uint32_t *dy, double *sums)
{
    uint32_t left[CONV16_TILE / 2 * WIDTH];
    size_t row = conv16_row(c->c_in);

    for (size_t i = 0; i < c->c_in; i += WIDTH) {
        interleave(n, row, smaller(WIDTH / 2, row - i / 2), x + i / 2, left);
        for (size_t o = 0; o < c->c_out; o += WIDTH) {
            struct block b = {c, k, i, o, n};

            block_sums(&b, left, dy + o * CONV16_TILE / 2, sums);
        }
    }
}

void conv16_backward_weights(const struct conv1d *c, struct conv16_rows x,
                             struct conv16_rows dy, size_t T, double *sums,
                             uint32_t *memory)
{
    size_t row = conv16_row(c->c_out), row_x = conv16_row(c->c_in);
    uint32_t *turned =
        memory + CONV16_TILE * larger(c->kernel, 2) * larger(row, row_x);

    for (size_t t = 0; t < T; t += CONV16_TILE) {
        size_t n = smaller(CONV16_TILE, T - t);
        struct taps taps = gather_taps(1, 0, dy, T, c->c_out, t, 0, n, memory);

        for (size_t o = 0; o < c->c_out; o += WIDTH)
            interleave(n, row, smaller(WIDTH / 2, row - o / 2),
                       taps.rows + o / 2, turned + o * CONV16_TILE / 2);
        taps = gather_taps(c->kernel, c->dilation, x, T, c->c_in, t, c->left, n,
                           memory);
        for (size_t k = 0; k < c->kernel; k++)
            tap_sums(c, k, n, taps.rows + k * taps.step * row_x, turned, sums);
    }
}
