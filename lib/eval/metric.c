/*
 * metric - how well a prediction follows a recording, in double.
 *
 * All metrics see the valid frames only, one after another as if nothing lay
 * between them; n is their number. Moments are biased (1/n). DTW and the
 * discrete Frechet distance are exact dynamic programmes that keep one row
 * and one corner:
 *   dtw      C_ij = |p_i - y_j| + min(C_i-1,j, C_i,j-1, C_i-1,j-1)
 *   frechet  C_ij = max(|p_i - y_j|, min(C_i-1,j, C_i,j-1, C_i-1,j-1))
 * with nothing before C_11; the metric is C_nn.
 */
#include "eval/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Names by enum metric. */
static const char *const names[METRIC_N] = {
    "mse", "rmse", "mae", "pearson", "ccc", "dtw", "dtw_norm", "frechet"};

const char *metric_name(enum metric m)
{
    return names[m];
}

int metric_parse(const char *name, enum metric *out)
{
    int m;

    for (m = 0; m < METRIC_N; m++) {
        if (strcmp(name, names[m]) == 0) {
            *out = (enum metric)m;
            return 0;
        }
    }
    return -1;
}

bool metric_higher_is_better(enum metric m)
{
    return m == METRIC_PEARSON || m == METRIC_CCC;
}

/* Moments of prediction and target. */
struct moments {
    double mean_p, mean_y; /* means */
    double var_p, var_y;   /* variances, 1/n */
    double cov;            /* covariance, 1/n */
};

/* Mean of n values; exact for a constant, as sums start from the first. */
static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    size_t t;

    for (t = 0; t < n; t++)
        sum += x[t] - x[0];
    return x[0] + sum / (double)n;
}

/* Moments of n pairs, in two passes. */
static struct moments moments_of(const double *p, const double *y, size_t n)
{
    struct moments m = {.mean_p = mean_of(p, n), .mean_y = mean_of(y, n)};
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

/* Pearson and CCC. */
static void correlations(const double *p, const double *y, size_t n,
                         double out[METRIC_N])
{
    struct moments m = moments_of(p, y, n);
    double shift = m.mean_p - m.mean_y;
    bool constant = !(m.var_p > 0) || !(m.var_y > 0);

    out[METRIC_PEARSON] =
        constant ? NAN : m.cov / (sqrt(m.var_p) * sqrt(m.var_y));
    out[METRIC_CCC] =
        constant ? 0 : 2 * m.cov / (m.var_p + m.var_y + shift * shift);
}

/* Errors frame by frame. */
static void errors(const double *p, const double *y, size_t n,
                   double out[METRIC_N])
{
    double squares = 0, absolutes = 0;
    size_t t;

    for (t = 0; t < n; t++) {
        double e = p[t] - y[t];

        squares += e * e;
        absolutes += fabs(e);
    }
    out[METRIC_MSE] = squares / (double)n;
    out[METRIC_RMSE] = sqrt(squares / (double)n);
    out[METRIC_MAE] = absolutes / (double)n;
}

/* The least of three. */
static double least(double a, double b, double c)
{
    double m = a < b ? a : b;

    return m < c ? m : c;
}

/* DTW; row: n doubles of scratch. */
static double dtw(const double *p, const double *y, size_t n, double *row)
{
    size_t i, j;

    row[0] = fabs(p[0] - y[0]);
    for (j = 1; j < n; j++)
        row[j] = row[j - 1] + fabs(p[0] - y[j]);
    for (i = 1; i < n; i++) {
        double corner = row[0]; /* C_i-1,j-1 */
        double left = row[0] = corner + fabs(p[i] - y[0]);

        for (j = 1; j < n; j++) {
            left = fabs(p[i] - y[j]) + least(row[j], left, corner);
            corner = row[j];
            row[j] = left;
        }
    }
    return row[n - 1];
}

/* The larger of two. */
static double most(double a, double b)
{
    return a > b ? a : b;
}

/* Discrete Frechet distance; row: n doubles of scratch. */
static double frechet(const double *p, const double *y, size_t n,
                      double *row)
{
    size_t i, j;

    row[0] = fabs(p[0] - y[0]);
    for (j = 1; j < n; j++)
        row[j] = most(row[j - 1], fabs(p[0] - y[j]));
    for (i = 1; i < n; i++) {
        double corner = row[0]; /* C_i-1,j-1 */
        double left = row[0] = most(corner, fabs(p[i] - y[0]));

        for (j = 1; j < n; j++) {
            left = most(fabs(p[i] - y[j]), least(row[j], left, corner));
            corner = row[j];
            row[j] = left;
        }
    }
    return row[n - 1];
}

/*
 * Copies the valid frames to p and y. Returns their number; 0 too if one is
 * not finite, since no metric is defined then.
 */
static size_t take_valid(const float *p, const float *y,
                         const uint8_t *valid, size_t T, double *to_p,
                         double *to_y)
{
    size_t t, n = 0;

    for (t = 0; t < T; t++) {
        if (!valid[t])
            continue;
        if (!isfinite(p[t]) || !isfinite(y[t]))
            return 0;
        to_p[n] = p[t];
        to_y[n++] = y[t];
    }
    return n;
}

int metric_recording(const float *p, const float *y, const uint8_t *valid,
                     size_t T, const bool want[METRIC_N],
                     double out[METRIC_N], struct err *err)
{
    double *work = mem_alloc(T, 3 * sizeof(*work), err);
    double *u, *v, *row;
    size_t n;
    int m;

    if (!work)
        return -1;
    u = work;
    v = u + T;
    row = v + T;
    n = take_valid(p, y, valid, T, u, v);
    for (m = 0; m < METRIC_N; m++)
        out[m] = NAN;
    if (n > 0) {
        errors(u, v, n, out);
        correlations(u, v, n, out);
        if (want[METRIC_DTW] || want[METRIC_DTW_NORM])
            out[METRIC_DTW] = dtw(u, v, n, row);
        out[METRIC_DTW_NORM] = out[METRIC_DTW] / (2 * (double)n);
        if (want[METRIC_FRECHET])
            out[METRIC_FRECHET] = frechet(u, v, n, row);
    }
    for (m = 0; m < METRIC_N; m++) {
        if (!want[m])
            out[m] = NAN;
    }
    free(work);
    return 0;
}

/* Orders doubles. */
static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double metric_quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;

    if (i + 1 >= n)
        return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

int metric_summarise(const double *values, size_t n,
                     struct metric_summary *out, struct err *err)
{
    double *sorted = mem_alloc(n, sizeof(*sorted), err);
    double sum = 0;
    size_t i, k = 0;

    if (!sorted)
        return -1;
    for (i = 0; i < n; i++) {
        if (!isnan(values[i]))
            sorted[k++] = values[i];
    }
    *out = (struct metric_summary){
        .mean = NAN, .median = NAN, .p10 = NAN, .min = NAN, .n = n,
        .undefined = n - k};
    if (k > 0) {
        qsort(sorted, k, sizeof(*sorted), compare_double);
        for (i = 0; i < k; i++)
            sum += sorted[i];
        out->mean = sum / (double)k;
        out->median = metric_quantile(sorted, k, 0.5);
        out->p10 = metric_quantile(sorted, k, 0.1);
        out->min = sorted[0];
    }
    free(sorted);
    return 0;
}
