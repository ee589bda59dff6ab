/*
 * gemm_loops - the loops of gemm.c for one kind of register.
 *
 * No guard: gemm.c includes this once for each path, with what vec_path.h
 * wants and
 *   ROWS  rows whose sums are in registers, at most 14
 *   WIDE  panels whose sums are in registers, 1 or 2
 * and all are undefined again at the end.
 */
#include "nn/vec_path.h"

/* Vectors of a panel. */
#define PARTS (GEMM_LANES / VEC)
/* Vectors of a row of a tile. */
#define NV (WIDE * PARTS)

/* A panel as vectors and as floats. */
union PATH(panel) {
    PATH(vec) part[PARTS];  /* for the sums */
    float lane[GEMM_LANES]; /* for what is no whole panel */
};

/* Sums of a panel of one row begin: bias or 0. */
TARGET VEC_INLINE void PATH(start)(const struct gemm *g, size_t panel,
                                    PATH(vec) * sum)
{
    union PATH(panel) first = {.lane = {0}};
    size_t at = panel * GEMM_LANES, n = g->cols - at;

    if (g->bias && n >= GEMM_LANES)
        memcpy(first.lane, g->bias + at, sizeof(first.lane));
    else if (g->bias)
        memcpy(first.lane, g->bias + at, n * sizeof(float));
    for (int p = 0; p < PARTS; p++)
        sum[p] = first.part[p];
}

/* Stores the sums of a panel of one row, n columns of it. */
TARGET VEC_INLINE void PATH(end)(int add, size_t n, float *c,
                                  const PATH(vec) * sum)
{
    union PATH(panel) last;

    if (n >= GEMM_LANES) {
        for (int p = 0; p < PARTS; p++) {
            PATH(vec) *to = (PATH(vec) *)(c + p * VEC), all = sum[p];

            if (add)
                all += *to;
            *to = all;
        }
        return;
    }
    for (int p = 0; p < PARTS; p++)
        last.part[p] = sum[p];
    for (size_t i = 0; add && i < n; i++)
        last.lane[i] += c[i];
    memcpy(c, last.lane, n * sizeof(float));
}

/*
 * The products of one tap. Rows are addressed from every third, so that few
 * registers hold addresses.
 */
TARGET VEC_INLINE void PATH(tap)(const struct gemm *g, const float *a,
                                  const float *b, int rows, int nv,
                                  PATH(vec) acc[ROWS][NV])
{
    size_t row = g->a_row, step = g->a_step, b_panel = g->b_panel;
    const float *base[(ROWS + 2) / 3];
    int r, v;

#pragma GCC unroll 5
    for (r = 0; r < (rows + 2) / 3; r++)
        base[r] = a + 3 * (size_t)r * row;
    for (size_t i = 0; i < g->depth; i++, b += g->b_step) {
        PATH(vec) w[NV];

#pragma GCC unroll 4
        for (v = 0; v < nv; v++)
            w[v] = *(const PATH(vec) *)(b + (size_t)(v / PARTS) * b_panel +
                                        v % PARTS * VEC);
#pragma GCC unroll 14
        for (r = 0; r < rows; r++) {
            PATH(vec) x = base[r / 3][(size_t)(r % 3) * row] - (PATH(vec)){0};

#pragma GCC unroll 4
            for (v = 0; v < nv; v++)
                acc[r][v] = PATH(fma)(w[v], x, acc[r][v]);
        }
#pragma GCC unroll 5
        for (r = 0; r < (rows + 2) / 3; r++) {
            base[r] += step;
            /* or gcc makes an address of its own for each row */
            __asm__("" : "+r"(base[r]));
        }
    }
}

/*
 * `rows` rows from `row` on of `wide` panels from `panel` on. rows and wide
 * are constants where this is inlined, so that the sums stay in registers.
 */
TARGET VEC_INLINE void PATH(tile)(const struct gemm *g, size_t row,
                                   size_t panel, int rows, int wide)
{
    const float *a = g->a + row * g->a_row, *b = g->b + panel * g->b_panel;
    float *c = g->c + row * g->c_row + panel * g->c_panel;
    size_t n = g->cols - panel * GEMM_LANES;
    PATH(vec) acc[ROWS][NV];
    int r, p;

#pragma GCC unroll 2
    for (p = 0; p < wide; p++)
        PATH(start)(g, panel + (size_t)p, &acc[0][p * PARTS]);
#pragma GCC unroll 14
    for (r = 1; r < rows; r++)
#pragma GCC unroll 4
        for (p = 0; p < wide * PARTS; p++)
            acc[r][p] = acc[0][p];
    for (size_t k = 0; k < g->taps; k++, a += g->a_tap, b += g->b_tap)
        PATH(tap)(g, a, b, rows, wide * PARTS, acc);
#pragma GCC unroll 14
    for (r = 0; r < rows; r++, c += g->c_row)
#pragma GCC unroll 2
        for (p = 0; p < wide; p++)
            PATH(end)(g->add, n - (size_t)p * GEMM_LANES,
                      c + (size_t)p * g->c_panel, &acc[r][p * PARTS]);
}

/* tile() with its number of rows known when it is compiled. */
TARGET VEC_INLINE void PATH(rows)(const struct gemm *g, size_t row,
                                   size_t panel, size_t rows, int wide)
{
#define CASE(n)                                                               \
    case n:                                                                   \
        PATH(tile)(g, row, panel, n <= ROWS ? n : ROWS, wide);                \
        break
    switch (rows) {
        CASE(1);
        CASE(2);
#if ROWS > 2
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
#endif
#if ROWS > 6
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
        CASE(13);
        CASE(14);
#endif
    }
#undef CASE
}

/* All rows of some panels, in tiles that differ by at most one row. */
TARGET VEC_INLINE void PATH(panels)(const struct gemm *g, size_t panel,
                                     int wide)
{
    size_t left = (g->rows + ROWS - 1) / ROWS;

    for (size_t row = 0; left > 0; left--) {
        size_t n = (g->rows - row + left - 1) / left;

        PATH(rows)(g, row, panel, n, wide);
        row += n;
    }
}

/* gemm_run(). */
TARGET static void PATH(run)(const struct gemm *g)
{
    size_t p = 0, n = gemm_panels(g->cols);

#if WIDE > 1
    for (; p + WIDE <= n; p += WIDE)
        PATH(panels)(g, p, WIDE);
#endif
    for (; p < n; p++)
        PATH(panels)(g, p, 1);
}

#undef NV
#undef PARTS
#undef PATH
#undef TARGET
#undef VEC
#undef ROWS
#undef WIDE
