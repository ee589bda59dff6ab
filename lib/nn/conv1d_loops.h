/*
 * conv1d_loops - the loops of conv1d.c for one kind of register.
 *
 * No guard: conv1d.c includes this once for each path, with
 *   PATH(name)  the path's name of a function or type
 *   TARGET      the attribute that allows its instructions
 *   VEC         floats of a vector, LANES a multiple of it
 *   ROWS        frames (or input channels) whose LANES sums are in registers
 * and all four are undefined again at the end. The order of additions of an
 * element depends on none of them.
 */

/* Vectors that make a panel's LANES. */
#define PARTS (LANES / VEC)

/* VEC floats at any address. */
typedef float PATH(vec)
    __attribute__((vector_size(VEC * sizeof(float)), aligned(4), may_alias));
/* VEC doubles at any address. */
typedef double PATH(dvec)
    __attribute__((vector_size(VEC * sizeof(double)), aligned(8), may_alias));

/* LANES floats as vectors. */
union PATH(panel) {
    PATH(vec) part[PARTS]; /* for the sums */
    float lane[LANES];     /* for what is no whole panel */
};

/* Where the sums of `rows` frames begin: bias, or y if added to. */
TARGET INLINE void PATH(frames_start)(const struct frames_job *j, size_t panel,
                                      size_t n, const float *y, int rows,
                                      PATH(vec) acc[ROWS][PARTS])
{
    union PATH(panel) first = {.lane = {0}};
    int r, p;

    if (j->bias)
        memcpy(first.lane, j->bias + panel * LANES, n * sizeof(float));
#pragma GCC unroll 6
    for (r = 0; r < rows; r++) {
        if (j->add)
            memcpy(first.lane, y + (size_t)r * j->c_out, n * sizeof(float));
#pragma GCC unroll 4
        for (p = 0; p < PARTS; p++)
            acc[r][p] = first.part[p];
    }
}

/* Writes the sums of `rows` frames: n channels of each. */
TARGET INLINE void PATH(frames_end)(const struct frames_job *j, size_t n,
                                    float *y, int rows,
                                    PATH(vec) acc[ROWS][PARTS])
{
    union PATH(panel) last;
    int r, p;

#pragma GCC unroll 6
    for (r = 0; r < rows; r++, y += j->c_out) {
        if (n == LANES) {
#pragma GCC unroll 4
            for (p = 0; p < PARTS; p++)
                *(PATH(vec) *)(y + p * VEC) = acc[r][p];
            continue;
        }
#pragma GCC unroll 4
        for (p = 0; p < PARTS; p++)
            last.part[p] = acc[r][p];
        memcpy(y, last.lane, n * sizeof(float));
    }
}

/*
 * `rows` frames from t on of one panel, with taps [k0, k1). rows is a
 * constant where this is inlined, so that acc stays in registers.
 */
TARGET INLINE void PATH(frames_tile)(const struct frames_job *j, size_t panel,
                                     size_t t, size_t k0, size_t k1, int rows)
{
    size_t n = smaller(LANES, j->c_out - panel * LANES);
    size_t stride = j->c_in;
    float *y = j->y + t * j->c_out + panel * LANES;
    const float *w = j->packed + (panel * j->kernel + k0) * j->c_in * LANES;
    PATH(vec) acc[ROWS][PARTS];
    int r, p;

    PATH(frames_start)(j, panel, n, y, rows, acc);
    for (size_t k = k0; k < k1; k++) {
        const float *x = j->x + (t + k * j->dilation - j->left) * stride;

        for (size_t i = 0; i < j->c_in; i++, w += LANES, x++) {
#pragma GCC unroll 6
            for (r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (p = 0; p < PARTS; p++)
                    acc[r][p] += *(const PATH(vec) *)(w + p * VEC) *
                                 x[(size_t)r * stride];
        }
    }
    PATH(frames_end)(j, n, y, rows, acc);
}

/* Frames [t0, t1), all with taps [k0, k1), every panel. */
TARGET INLINE void PATH(frames_segment)(const struct frames_job *j, size_t t0,
                                        size_t t1, size_t k0, size_t k1)
{
    for (size_t p = 0; p < panels(j->c_out); p++) {
        size_t t = t0;

        for (; t + ROWS <= t1; t += ROWS)
            PATH(frames_tile)(j, p, t, k0, k1, ROWS);
        for (; t + 2 <= t1; t += 2)
            PATH(frames_tile)(j, p, t, k0, k1, 2);
        if (t < t1)
            PATH(frames_tile)(j, p, t, k0, k1, 1);
    }
}

/* All frames of a job, cut where the set of taps in range changes. */
TARGET static void PATH(frames_all)(const struct frames_job *j)
{
    size_t t = j->t0;

    while (t < j->t1) {
        size_t end = j->t1, k0 = 0, k1 = j->kernel, d = j->dilation;

        /* taps that would read before frame 0 */
        while (k0 < k1 && t + k0 * d < j->left)
            k0++;
        if (k0 > 0)
            end = smaller(end, j->left - (k0 - 1) * d);
        /* taps that would read past the last frame */
        while (k1 > k0 && t + (k1 - 1) * d >= j->T + j->left)
            k1--;
        if (k1 > k0)
            end = smaller(end, j->T + j->left - (k1 - 1) * d);
        PATH(frames_segment)(j, t, end, k0, k1);
        t = end;
    }
}

/*
 * One tap's gradient for `rows` input channels from i on: n frames of x with
 * stride C_in against the panel's frames z (n, LANES).
 */
TARGET INLINE void PATH(weights_tile)(const float *x, size_t stride,
                                      const float *z, size_t n, int rows,
                                      double *sums)
{
    PATH(vec) acc[ROWS][PARTS];
    int r, p;

#pragma GCC unroll 6
    for (r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (p = 0; p < PARTS; p++)
            acc[r][p] = (PATH(vec)){0};
    for (size_t t = 0; t < n; t++, x += stride, z += LANES) {
#pragma GCC unroll 6
        for (r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (p = 0; p < PARTS; p++)
                acc[r][p] += *(const PATH(vec) *)(z + p * VEC) * x[r];
    }
#pragma GCC unroll 6
    for (r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (p = 0; p < PARTS; p++)
            *(PATH(dvec) *)(sums + r * LANES + p * VEC) +=
                __builtin_convertvector(acc[r][p], PATH(dvec));
}

/* One tap of one panel and tile: all input channels. */
TARGET INLINE void PATH(weights_tap)(const float *x, size_t c_in,
                                     const float *z, size_t n, double *sums)
{
    size_t i = 0;

    for (; i + ROWS <= c_in; i += ROWS)
        PATH(weights_tile)(x + i, c_in, z, n, ROWS, sums + i * LANES);
    for (; i + 2 <= c_in; i += 2)
        PATH(weights_tile)(x + i, c_in, z, n, 2, sums + i * LANES);
    if (i < c_in)
        PATH(weights_tile)(x + i, c_in, z, n, 1, sums + i * LANES);
}

/* The whole gradient, tile after tile. */
TARGET static void PATH(weights_all)(const struct weights_job *j)
{
    const struct conv1d *c = j->c;
    float z[CONV1D_TILE * LANES];

    for (size_t t0 = 0; t0 < j->T; t0 += CONV1D_TILE) {
        size_t t1 = smaller(t0 + CONV1D_TILE, j->T);

        for (size_t p = 0; p < panels(c->c_out); p++) {
            size_t n = smaller(LANES, c->c_out - p * LANES);

            memset(z, 0, sizeof(z));
            for (size_t t = t0; t < t1; t++)
                memcpy(z + (t - t0) * LANES, j->dy + t * c->c_out + p * LANES,
                       n * sizeof(float));
            for (size_t k = 0; k < c->kernel; k++) {
                size_t shift = k * c->dilation;
                size_t lo = larger(t0, c->left > shift ? c->left - shift : 0);
                size_t hi = j->T + c->left > shift ? j->T + c->left - shift : 0;

                hi = smaller(t1, hi);
                if (lo < hi)
                    PATH(weights_tap)
                    (j->x + (lo + shift - c->left) * c->c_in, c->c_in,
                     z + (lo - t0) * LANES, hi - lo,
                     j->sums + (p * c->kernel + k) * c->c_in * LANES);
            }
        }
    }
}

#undef PARTS
#undef PATH
#undef TARGET
#undef VEC
#undef ROWS
