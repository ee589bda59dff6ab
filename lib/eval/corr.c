/*
 * corr - plain sums in double.
 */
#include "eval/corr.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

/* Mean of n values; exact for a constant, as sums start from the first. */
static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    size_t t;

    for (t = 0; t < n; t++)
        sum += x[t] - x[0];
    return x[0] + sum / (double)n;
}

struct corr_moments corr_moments(const double *p, const double *y, size_t n)
{
    struct corr_moments m = {.mean_p = mean_of(p, n), .mean_y = mean_of(y, n)};
    size_t t;

    for (t = 0; t < n; t++) {
        double dp = p[t] - m.mean_p, dy = y[t] - m.mean_y;

        m.var_p += dp * dp;
        m.var_y += dy * dy;
        m.cov += dp * dy;
    }
    m.var_p /= (double)n;
    m.var_y /= (double)n;
    m.cov /= (double)n;
    return m;
}

double corr_pearson(const struct corr_moments *m)
{
    if (!(m->var_p > 0) || !(m->var_y > 0))
        return NAN;
    return m->cov / (sqrt(m->var_p) * sqrt(m->var_y));
}

/* A value on its way to its rank. */
struct place {
    double value;  /* of the signal */
    size_t index;  /* frame */
};

/* Ascending values. */
static int by_value(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->value < y->value ? -1 : x->value > y->value;
}

/* Ranks of n values from 1; equal ones share the mean of theirs. */
static void rank(const double *x, size_t n, struct place *places, double *to)
{
    size_t i, k, end;

    for (i = 0; i < n; i++)
        places[i] = (struct place){x[i], i};
    qsort(places, n, sizeof *places, by_value);
    for (i = 0; i < n; i = end) {
        for (end = i + 1; end < n && !(places[end].value > places[i].value);)
            end++;
        for (k = i; k < end; k++)
            to[places[k].index] = (double)(i + 1 + end) / 2;
    }
}

int corr_spearman(const double *p, const double *y, size_t n, double *rho,
                  struct err *err)
{
    struct place *places = mem_alloc(n, sizeof *places, err);
    double *ranks = places ? mem_alloc(n, 2 * sizeof *ranks, err) : NULL;
    struct corr_moments m;

    if (ranks) {
        rank(p, n, places, ranks);
        rank(y, n, places, ranks + n);
        m = corr_moments(ranks, ranks + n, n);
        *rho = corr_pearson(&m);
    }
    free(places);
    free(ranks);
    return ranks ? 0 : -1;
}

double corr_lag(const double *p, const double *y, const uint8_t *valid,
                size_t T, ptrdiff_t lag, size_t least, double *work)
{
    size_t late = lag > 0 ? (size_t)lag : 0;
    size_t early = lag < 0 ? (size_t)-lag : 0;
    size_t shift = late > early ? late : early, n = 0, t;
    struct corr_moments m;

    for (t = 0; t + shift < T; t++) {
        if (valid[t + late] && valid[t + early]) {
            work[n] = p[t + late];
            work[T + n++] = y[t + early];
        }
    }
    if (n < least || n == 0)
        return NAN;
    m = corr_moments(work, work + T, n);
    return corr_pearson(&m);
}

bool corr_best_lag(const double *p, const double *y, const uint8_t *valid,
                   size_t T, size_t max_lag, double *work, double *lag,
                   double *r)
{
    size_t n = 0, t, k;
    int sign;

    *lag = *r = NAN;
    for (t = 0; t < T; t++)
        n += valid[t] != 0;
    for (k = 0; k <= max_lag && k < T; k++) {
        for (sign = 1; sign >= -1; sign -= 2) {
            double got = corr_lag(p, y, valid, T, sign * (ptrdiff_t)k,
                                  (n + 1) / 2, work);

            if (isnan(got) || got <= *r)
                continue;
            *r = got;
            *lag = k ? sign * (double)k : 0; /* no -0 */
        }
    }
    return !isnan(*r);
}
