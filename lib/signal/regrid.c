/*
 * regrid - curves on one even grid of times to another.
 *
 * With c = min(1, new rate / old rate), the value at frame position u is
 *
 *     y(u) = sum_k x[k] h(c (k - u)) / sum_k h(c (k - u)),
 *     h(v) = sinc(v) I0(beta sqrt(1 - (v / ZEROS)^2)),  |v| < ZEROS
 *
 * with x[k] for k outside [0, T) that of the nearest end. Positions that are
 * a frame, with c = 1, take its value as it is.
 */
#include "signal/regrid.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "signal/bessel.h"

/* Zero crossings of the sinc on either side. */
#define ZEROS 8

/* Shape of the Kaiser window: stop band at -80 dB. */
#define BETA 7.857

/* pi in double, which C11 does not name. */
#define PI 3.14159265358979323846

/* Positions this near to a frame, in frames, are at it. */
#define AT_FRAME 1e-9

/* One set of curves on its way. */
struct regrid {
    double frames_hz;  /* of the old grid */
    double t0_s;       /* its first time */
    double rate_hz;    /* of the new grid */
    double cutoff;     /* c */
    size_t half;       /* frames that taps reach to either side */
    size_t n_columns;  /* curves */
    int64_t next;      /* j of the next value */
    float *x;          /* (n, n_columns) rows still needed, owned */
    size_t n;          /* rows in x */
    size_t cap;        /* room in x, in floats */
    size_t first;      /* row that x begins with */
    float *y;          /* values handed out, owned */
    size_t cap_y;      /* room in y, in floats */
    double *sum;       /* (n_columns) sums, owned */
};

struct regrid *regrid_open(uint64_t rate_num, uint64_t rate_den, double t0_s,
                           double rate_hz, size_t n_columns, struct err *err)
{
    struct regrid *r = mem_alloc(1, sizeof *r, err);

    if (!r)
        return NULL;
    r->frames_hz = (double)rate_num / (double)rate_den;
    r->t0_s = t0_s;
    r->rate_hz = rate_hz;
    r->cutoff = fmin(1, rate_hz / r->frames_hz);
    r->half = (size_t)ceil(ZEROS / r->cutoff);
    r->n_columns = n_columns;
    r->next = (int64_t)ceil(t0_s * rate_hz - AT_FRAME);
    r->sum = mem_alloc(n_columns, sizeof *r->sum, err);
    if (!r->sum) {
        regrid_close(r);
        return NULL;
    }
    return r;
}

void regrid_close(struct regrid *r)
{
    if (!r)
        return;
    free(r->x);
    free(r->y);
    free(r->sum);
    free(r);
}

int64_t regrid_first(const struct regrid *r)
{
    return (int64_t)ceil(r->t0_s * r->rate_hz - AT_FRAME);
}

double regrid_latency_s(const struct regrid *r)
{
    return (double)(r->half + 1) / r->frames_hz;
}

/* h(v). */
static double weight(double v)
{
    double u = v / ZEROS;

    if (fabs(u) >= 1)
        return 0;
    return bessel_i0(BETA * sqrt(1 - u * u)) *
           (v == 0 ? 1 : sin(PI * v) / (PI * v));
}

/* Where value j lies, in frames of the old grid. */
static double position(const struct regrid *r, int64_t j)
{
    double u = ((double)j / r->rate_hz - r->t0_s) * r->frames_hz;
    double near = nearbyint(u);

    return fabs(u - near) < AT_FRAME * (1 + fabs(near)) ? near : u;
}

/* Value j, of T rows in all as far as they are known, to y (n_columns). */
static void value(const struct regrid *r, double u, size_t T, float *y)
{
    int64_t low = (int64_t)floor(u) - (int64_t)r->half, k;
    int64_t high = (int64_t)floor(u) + (int64_t)r->half + 1, row;
    double total = 0, w;
    size_t c;

    if (u == floor(u) && r->cutoff == 1)
        low = high = (int64_t)u;
    memset(r->sum, 0, r->n_columns * sizeof *r->sum);
    for (k = low; k <= high; k++) {
        w = low == high ? 1 : weight(r->cutoff * ((double)k - u));
        row = k < 0 ? 0 : k < (int64_t)T ? k : (int64_t)T - 1;
        total += w;
        for (c = 0; c < r->n_columns; c++)
            r->sum[c] += w * (double)r->x[((size_t)row - r->first) *
                                              r->n_columns + c];
    }
    for (c = 0; c < r->n_columns; c++)
        y[c] = (float)(r->sum[c] / total);
}

/* All values that are certain; T: rows in all, known ones unless ended. */
static int run(struct regrid *r, bool ended, const float **y, size_t *n_y,
               struct err *err)
{
    size_t T = r->first + r->n, C = r->n_columns, n = 0, first;
    float *grown;
    double u;

    while (T > 0) {
        u = position(r, r->next);
        if (u > (double)(T - 1) ||
            (!ended && floor(u) + (double)r->half + 1 > (double)(T - 1)))
            break;
        grown = mem_grow(r->y, &r->cap_y, (n + 1) * C, sizeof *grown, err);
        if (!grown)
            return -1;
        r->y = grown;
        value(r, u, T, r->y + n++ * C);
        r->next++;
    }
    *y = r->y;
    *n_y = n;
    u = floor(position(r, r->next)) - (double)r->half;
    first = u > 0 ? (size_t)u : 0;
    if (first > T)
        first = T;
    if (first > r->first) {
        memmove(r->x, r->x + (first - r->first) * C,
                (T - first) * C * sizeof *r->x);
        r->n = T - first;
        r->first = first;
    }
    return 0;
}

int regrid_add(struct regrid *r, const float *x, size_t n, const float **y,
               size_t *n_y, struct err *err)
{
    size_t C = r->n_columns;
    float *grown;

    *n_y = 0;
    if (n == 0)
        return 0;
    grown = mem_grow(r->x, &r->cap, (r->n + n) * C, sizeof *grown, err);
    if (!grown)
        return -1;
    r->x = grown;
    memcpy(r->x + r->n * C, x, n * C * sizeof *x);
    r->n += n;
    return run(r, false, y, n_y, err);
}

int regrid_end(struct regrid *r, const float **y, size_t *n_y,
               struct err *err)
{
    return run(r, true, y, n_y, err);
}
