/*
 * spectral - short windows by the sums of the definition: no transform of
 * the lengths in use is worth a plan, and the order of every sum is fixed.
 */
#include "nn/spectral.h"

#include <math.h>
#include <stdbool.h>

/* Keeps the logarithm finite. */
#define TINY 1e-4

/* Windows of one size. */
struct grid {
    size_t n;                    /* frames of a window */
    size_t hop;                  /* frames between two */
    double window[SPECTRAL_MAX]; /* Hann */
    double cosine[SPECTRAL_MAX]; /* of 2 pi i / n */
    double sine[SPECTRAL_MAX];   /* of 2 pi i / n */
};

/* Fills a grid. */
static void grid_init(struct grid *g, size_t n)
{
    const double turn = 6.28318530717958647692;

    g->n = n;
    g->hop = n / 4;
    for (size_t i = 0; i < n; i++) {
        g->cosine[i] = cos(turn * (double)i / (double)n);
        g->sine[i] = sin(turn * (double)i / (double)n);
        g->window[i] = 0.5 - 0.5 * g->cosine[i];
    }
}

/* Whether all frames of the window at t are valid. */
static bool is_whole(const struct grid *g, const uint8_t *valid, size_t t)
{
    size_t i = 0;

    while (i < g->n && valid[t + i])
        i++;
    return i == g->n;
}

/* Windows that count. */
static size_t count(const struct grid *g, const uint8_t *valid, size_t T)
{
    size_t windows = 0;

    for (size_t t = 0; t + g->n <= T; t += g->hop)
        windows += is_whole(g, valid, t);
    return windows;
}

/* Bin k of n frames at x. */
static void transform(const struct grid *g, const float *x, size_t k,
                      double *re, double *im)
{
    size_t at = 0;

    *re = *im = 0;
    for (size_t i = 0; i < g->n; i++) {
        double value = (double)x[i] * g->window[i];

        *re += value * g->cosine[at];
        *im -= value * g->sine[at];
        at += k;
        at -= at >= g->n ? g->n : 0;
    }
}

/* Adds bin k's part of the gradient: a Re P_k + b Im P_k, differentiated. */
static void add_bin(const struct grid *g, size_t k, double a, double b,
                    double *slope)
{
    size_t at = 0;

    for (size_t i = 0; i < g->n; i++) {
        slope[i] += g->window[i] * (a * g->cosine[at] - b * g->sine[at]);
        at += k;
        at -= at >= g->n ? g->n : 0;
    }
}

/* The sum over the bins of one window; its slope is added to dp. */
static double one_window(const struct grid *g, double scale, const float *p,
                         const float *y, float *dp)
{
    double slope[SPECTRAL_MAX] = {0}, sum = 0;

    for (size_t k = 0; k <= g->n / 2; k++) {
        double pr, pi, yr, yi, power, gap, way;

        transform(g, p, k, &pr, &pi);
        transform(g, y, k, &yr, &yi);
        power = pr * pr + pi * pi + TINY;
        gap = 0.5 * (log(power) - log(yr * yr + yi * yi + TINY));
        sum += fabs(gap);
        way = (gap > 0) - (gap < 0);
        if (dp)
            add_bin(g, k, way * pr / power, way * pi / power, slope);
    }
    for (size_t i = 0; dp && i < g->n; i++)
        dp[i] += (float)(scale * slope[i]);
    return scale * sum;
}

double spectral_loss(const int64_t *sizes, size_t n_sizes, double scale,
                     const float *p, const float *y, const uint8_t *valid,
                     size_t T, float *dp)
{
    struct grid g;
    size_t used = 0, windows;
    double sum = 0, each;

    for (size_t i = 0; i < n_sizes; i++) {
        g.n = (size_t)sizes[i];
        g.hop = g.n / 4;
        used += count(&g, valid, T) > 0;
    }
    for (size_t i = 0; used > 0 && i < n_sizes; i++) {
        grid_init(&g, (size_t)sizes[i]);
        windows = count(&g, valid, T);
        each = scale / ((double)used * (double)windows *
                        (double)(g.n / 2 + 1));
        for (size_t t = 0; windows > 0 && t + g.n <= T; t += g.hop)
            if (is_whole(&g, valid, t))
                sum += one_window(&g, each, p + t, y + t, dp ? dp + t : NULL);
    }
    return sum;
}
