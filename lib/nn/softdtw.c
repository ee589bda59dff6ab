/*
 * softdtw - the whole table R is kept for the way back; of E two rows are.
 */
#include "nn/softdtw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers that the three comparisons of one recording share. */
struct work {
    size_t n;        /* points */
    double gamma;    /* g */
    double *p, *y;   /* (n) points */
    double *share;   /* (n) valid frames of each block */
    double *slope;   /* (n) d / d p */
    double *row[2];  /* (n + 2) rows of E */
    double *R;       /* (n + 1, n + 1) */
    double *storage; /* all of them; owned */
};

/* Room for n points. Returns 0; -1 when memory is short. */
static int work_init(struct work *w, size_t n, double gamma)
{
    double *at;

    if (n > 65536)
        return -1;
    at = calloc(6 * n + 4 + (n + 1) * (n + 1), sizeof *at);
    if (!at)
        return -1;
    *w = (struct work){.n = n, .gamma = gamma, .storage = at};
    w->p = at;
    w->y = at + n;
    w->share = at + 2 * n;
    w->slope = at + 3 * n;
    w->row[0] = at + 4 * n;
    w->row[1] = at + 5 * n + 2;
    w->R = at + 6 * n + 4;
    return 0;
}

/* Valid frames of the block at t, and the sums over them. */
static size_t block(const float *p, const float *y, const uint8_t *valid,
                    size_t t, size_t end, double *sum_p, double *sum_y)
{
    size_t n = 0;

    *sum_p = *sum_y = 0;
    for (; t < end; t++)
        if (valid[t]) {
            *sum_p += (double)p[t];
            *sum_y += (double)y[t];
            n++;
        }
    return n;
}

/* End of the block at t. */
static size_t block_end(size_t t, size_t pool, size_t T)
{
    return T - t > pool ? t + pool : T;
}

/* Points of both signals; w NULL: only counts them. Returns how many. */
static size_t gather(struct work *w, size_t pool, const float *p,
                     const float *y, const uint8_t *valid, size_t T)
{
    size_t points = 0, n;
    double sum_p, sum_y;

    for (size_t t = 0; t < T; t = block_end(t, pool, T)) {
        n = block(p, y, valid, t, block_end(t, pool, T), &sum_p, &sum_y);
        if (n > 0 && w) {
            w->p[points] = sum_p / (double)n;
            w->y[points] = sum_y / (double)n;
            w->share[points] = (double)n;
        }
        points += n > 0;
    }
    return points;
}

/* The soft minimum of three numbers, of which one is finite. */
static double smin(double a, double b, double c, double gamma)
{
    double least = a < b ? a : b;

    least = least < c ? least : c;
    return least - gamma * log(exp((least - a) / gamma) +
                               exp((least - b) / gamma) +
                               exp((least - c) / gamma));
}

/* Fills R for a and b; returns s(a, b). */
static double forward(struct work *w, const double *a, const double *b)
{
    size_t n = w->n, W = n + 1;

    for (size_t j = 0; j <= n; j++)
        w->R[j] = w->R[j * W] = INFINITY;
    w->R[0] = 0;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= n; j++) {
            const double *above = &w->R[(i - 1) * W + j];
            double d = a[i - 1] - b[j - 1];

            w->R[i * W + j] =
                d * d + smin(above[0], w->R[i * W + j - 1], above[-1],
                             w->gamma);
        }
    return w->R[n * W + n];
}

/* How much of E at cell (i, j), from 1, comes by the next cell (k, l). */
static double part(const struct work *w, const double *a, const double *b,
                   size_t i, size_t j, size_t k, size_t l, double E)
{
    size_t W = w->n + 1;
    double d;

    if (k > w->n || l > w->n)
        return 0;
    d = a[k - 1] - b[l - 1];
    return E * exp((w->R[k * W + l] - w->R[i * W + j] - d * d) / w->gamma);
}

/*
 * Adds scale * d s(a, b) / d a to the slope, and the same for b where b is
 * the same signal.
 */
static void backward(struct work *w, const double *a, const double *b,
                     double scale)
{
    double *below = w->row[0], *now = w->row[1], *swap;

    memset(below, 0, (w->n + 2) * sizeof *below);
    for (size_t i = w->n; i > 0; i--) {
        memset(now, 0, (w->n + 2) * sizeof *now);
        for (size_t j = w->n; j > 0; j--) {
            double e = i == w->n && j == w->n;
            double slope;

            e += part(w, a, b, i, j, i + 1, j, below[j]);
            e += part(w, a, b, i, j, i, j + 1, now[j + 1]);
            e += part(w, a, b, i, j, i + 1, j + 1, below[j + 1]);
            now[j] = e;
            slope = scale * 2 * e * (a[i - 1] - b[j - 1]);
            w->slope[i - 1] += slope;
            if (a == b)
                w->slope[j - 1] -= slope;
        }
        swap = below;
        below = now;
        now = swap;
    }
}

/* Gives every valid frame its share of its point's slope. */
static void spread(const struct work *w, size_t pool, const uint8_t *valid,
                   size_t T, float *dp)
{
    size_t point = 0;

    for (size_t t = 0; t < T;) {
        size_t end = block_end(t, pool, T), before = point;

        for (; t < end; t++)
            if (valid[t]) {
                dp[t] += (float)(w->slope[before] / w->share[before]);
                point = before + 1;
            }
    }
}

double softdtw_loss(double gamma, size_t pool, double scale, const float *p,
                    const float *y, const uint8_t *valid, size_t T, float *dp)
{
    size_t n = gather(NULL, pool, p, y, valid, T);
    double each = scale / (double)(n ? n : 1), value;
    struct work w;

    if (n == 0)
        return 0;
    if (work_init(&w, n, gamma))
        return NAN;
    gather(&w, pool, p, y, valid, T);
    value = each * forward(&w, w.p, w.y);
    if (dp)
        backward(&w, w.p, w.y, each);
    value -= 0.5 * each * forward(&w, w.p, w.p);
    if (dp) {
        backward(&w, w.p, w.p, -0.5 * each);
        spread(&w, pool, valid, T, dp);
    }
    value -= 0.5 * each * forward(&w, w.y, w.y);
    free(w.storage);
    return value;
}
