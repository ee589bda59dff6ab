/*
 * cvxeda - the quadratic program and its interior-point solver.
 *
 * With q the responses' state, l the spline weights and d the line:
 *
 *   least  1/2 |M q + B l + C d - y|^2 + alpha 1'A q + gamma/2 |l|^2
 *   where  A q >= 0
 *
 * A and M are lower triangular bands of three: A is the Bateman response
 * (two time constants) by the bilinear transform, M is 1, 2, 1. p =
 * A q is the nerve's driver, M q the phasic part, B l + C d the tonic part.
 * B holds a spline every knot_s (a triangle convolved with itself), the
 * first at sample 0, the last behind the end; C is a constant and a slope.
 *
 * Below, u = (l, d) and N = (B, C). With s = A q > 0 and multipliers z > 0, a
 * step solves (Mehrotra 1992, predictor and corrector)
 *
 *   | K    M'N      | |dq|   |bq|     K = M'M + A' diag(z / s) A
 *   | N'M  N'N + g  | |du| = |bu|
 *
 * K has five bands and is factored as L D L'; what is left for du is a small
 * dense matrix, N'N + g - N'M K^-1 M'N, whose columns are solved several at a
 * time.
 */
#include "signal/cvxeda.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Columns solved at a time. */
#define CVXEDA_BLOCK 8

/* Steps after which there is no hope. */
#define CVXEDA_MAX_STEPS 100

/* Duality gap, relative to the objective, and residuals that are enough. */
#define CVXEDA_GAP 1e-8

/* Gap a sample that is enough however small the objective is. */
#define CVXEDA_TINY 1e-12

/* Share of the way to the border that a step may go. */
#define CVXEDA_SHORT 0.99

/* The band of M. */
static const double ma[3] = {1, 2, 1};

void cvxeda_release(struct cvxeda *c)
{
    free(c->memory);
    *c = (struct cvxeda){0};
}

/* out = T x for the lower triangular band t. out may not be x. */
static void band(const double t[3], const double *x, size_t n, double *out)
{
    size_t i;

    out[0] = t[0] * x[0];
    out[1] = t[0] * x[1] + t[1] * x[0];
    for (i = 2; i < n; i++)
        out[i] = t[0] * x[i] + t[1] * x[i - 1] + t[2] * x[i - 2];
}

/* out += T' x for the lower triangular band t. */
static void band_back(const double t[3], const double *x, size_t n,
                      double *out)
{
    size_t i;

    for (i = 0; i + 2 < n; i++)
        out[i] += t[0] * x[i] + t[1] * x[i + 1] + t[2] * x[i + 2];
    out[n - 2] += t[0] * x[n - 2] + t[1] * x[n - 1];
    out[n - 1] += t[0] * x[n - 1];
}

/* Samples [*lo, *hi) where column j of N is not 0. */
static void support(const struct cvxeda *c, size_t j, size_t *lo, size_t *hi)
{
    size_t half = 2 * c->step - 2, centre = j * c->step;

    *lo = 0;
    *hi = c->n;
    if (j + 2 >= c->m)
        return;
    if (centre > half)
        *lo = centre - half;
    if (centre + half + 1 < c->n)
        *hi = centre + half + 1;
}

/* Column j of N at sample i of its support. */
static double slow(const struct cvxeda *c, size_t j, size_t i)
{
    if (j + 2 < c->m)
        return c->kernel[i + 2 * c->step - 2 - j * c->step];
    return j + 2 == c->m ? 1 : (double)(i + 1) / (double)c->n;
}

/* out += scale N u. */
static void add_slow(const struct cvxeda *c, const double *u, double scale,
                     double *out)
{
    size_t i, j, lo, hi;

    for (j = 0; j < c->m; j++) {
        support(c, j, &lo, &hi);
        for (i = lo; i < hi; i++)
            out[i] += scale * u[j] * slow(c, j, i);
    }
}

/* Column j of N times x. */
static double slow_dot(const struct cvxeda *c, size_t j, const double *x)
{
    size_t i, lo, hi;
    double sum = 0;

    support(c, j, &lo, &hi);
    for (i = lo; i < hi; i++)
        sum += slow(c, j, i) * x[i];
    return sum;
}

/* Column j of N times each of the columns in v. */
static void slow_dots(const struct cvxeda *c, size_t j,
                      double sums[CVXEDA_BLOCK])
{
    size_t i, b, lo, hi;

    memset(sums, 0, CVXEDA_BLOCK * sizeof *sums);
    support(c, j, &lo, &hi);
    for (i = lo; i < hi; i++) {
        const double *v = c->v + i * CVXEDA_BLOCK, value = slow(c, j, i);

        for (b = 0; b < CVXEDA_BLOCK; b++)
            sums[b] += value * v[b];
    }
}

/* One spline: a triangle of 2 step - 1 samples convolved with itself. */
static void make_kernel(struct cvxeda *c)
{
    size_t width = 2 * c->step - 1, i, k;
    double top;

    memset(c->kernel, 0, (2 * width - 1) * sizeof *c->kernel);
    for (i = 0; i < width; i++) {
        for (k = 0; k < width; k++)
            c->kernel[i + k] +=
                (double)(i < c->step ? i + 1 : width - i) *
                (double)(k < c->step ? k + 1 : width - k);
    }
    top = c->kernel[width - 1];
    for (i = 0; i < 2 * width - 1; i++)
        c->kernel[i] /= top;
}

/* N'N + gamma on the splines. */
static void make_uu(struct cvxeda *c)
{
    size_t i, j, k, lo, hi, lo_k, hi_k;
    double sum;

    for (j = 0; j < c->m; j++) {
        support(c, j, &lo, &hi);
        for (k = 0; k <= j; k++) {
            support(c, k, &lo_k, &hi_k);
            sum = j == k && j + 2 < c->m ? c->model.gamma : 0;
            for (i = lo > lo_k ? lo : lo_k; i < hi && i < hi_k; i++)
                sum += slow(c, j, i) * slow(c, k, i);
            c->uu[j * c->m + k] = c->uu[k * c->m + j] = sum;
        }
    }
}

/* Sizes, memory and what stays the same through all steps. */
static int prepare(struct cvxeda *c, const double *y, size_t n,
                   double rate_hz, struct err *err)
{
    double delta = 1 / rate_hz, a0 = 1 / c->model.slow_s,
           a1 = 1 / c->model.fast_s, scale = (a1 - a0) * delta * delta;
    size_t need, m, step, i;
    double *p;
    double **parts[] = {&c->q, &c->s, &c->z, &c->dq, &c->ds, &c->dz, &c->rq,
                        &c->rp, &c->rc, &c->w, &c->fit, &c->bq, &c->d,
                        &c->l1, &c->l2};
    double **small[] = {&c->u, &c->du, &c->ru, &c->bu};

    step = (size_t)lround(c->model.knot_s * rate_hz);
    if (!step)
        step = 1;
    m = (n - 1 + step - 1) / step + 1 + 2;
    need = (sizeof parts / sizeof *parts + CVXEDA_BLOCK) * n +
           sizeof small / sizeof *small * m + 2 * m * m + 4 * step - 3;
    p = mem_grow(c->memory, &c->cap, need, sizeof *p, err);
    if (!p)
        return -1;
    c->memory = p;
    c->n = n;
    c->m = m;
    c->step = step;
    c->y = y;
    for (i = 0; i < sizeof parts / sizeof *parts; i++, p += n)
        *parts[i] = p;
    for (i = 0; i < sizeof small / sizeof *small; i++, p += m)
        *small[i] = p;
    c->v = p;
    c->uu = c->v + CVXEDA_BLOCK * n;
    c->schur = c->uu + m * m;
    c->kernel = c->schur + m * m;
    c->ar[0] = (a1 * delta + 2) * (a0 * delta + 2) / scale;
    c->ar[1] = (2 * a1 * a0 * delta * delta - 8) / scale;
    c->ar[2] = (a1 * delta - 2) * (a0 * delta - 2) / scale;
    make_kernel(c);
    make_uu(c);
    return 0;
}

/* Factors K for the weights in w. Returns 0; -1 if a pivot is not above 0. */
static int factor(struct cvxeda *c)
{
    double *d = c->d, *l1 = c->l1, *l2 = c->l2, k0, k1, k2;
    const double *a = c->ar, *w = c->w;
    size_t n = c->n, i, k;

    for (i = 0; i < n; i++) {
        for (k0 = k1 = 0, k = 0; k < 3 && i + k < n; k++)
            k0 += ma[k] * ma[k] + a[k] * a[k] * w[i + k];
        for (k = 0; k < 2 && i + 1 + k < n; k++)
            k1 += ma[k + 1] * ma[k] + a[k + 1] * a[k] * w[i + 1 + k];
        k2 = i + 2 < n ? ma[2] * ma[0] + a[2] * a[0] * w[i + 2] : 0;
        if (i > 0) {
            k0 -= l1[i - 1] * l1[i - 1] / d[i - 1];
            k1 -= l2[i - 1] * l1[i - 1] / d[i - 1];
        }
        if (i > 1)
            k0 -= l2[i - 2] * l2[i - 2] / d[i - 2];
        if (!(k0 > 0) || !isfinite(k0))
            return -1;
        /* l1, l2 are still times the pivot, d is the pivot itself */
        d[i] = k0;
        l1[i] = k1;
        l2[i] = k2;
    }
    for (i = 0; i < n; i++) {
        d[i] = 1 / d[i];
        l1[i] *= d[i];
        l2[i] *= d[i];
    }
    return 0;
}

/* x = K^-1 x for one column. */
static void solve_one(const struct cvxeda *c, double *x)
{
    const double *d = c->d, *l1 = c->l1, *l2 = c->l2;
    size_t n = c->n, i;

    x[1] -= l1[0] * x[0];
    for (i = 2; i < n; i++)
        x[i] -= l1[i - 1] * x[i - 1] + l2[i - 2] * x[i - 2];
    x[n - 1] *= d[n - 1];
    x[n - 2] = x[n - 2] * d[n - 2] - l1[n - 2] * x[n - 1];
    for (i = n - 2; i-- > 0;)
        x[i] = x[i] * d[i] - l1[i] * x[i + 1] - l2[i] * x[i + 2];
}

/* v = M K^-1 v for CVXEDA_BLOCK columns side by side. */
static void solve_block(struct cvxeda *c)
{
    enum { W = CVXEDA_BLOCK };
    const double *d = c->d, *l1 = c->l1, *l2 = c->l2;
    double *v = c->v;
    size_t n = c->n, i, b;

    for (b = 0; b < W; b++)
        v[W + b] -= l1[0] * v[b];
    for (i = 2; i < n; i++)
        for (b = 0; b < W; b++)
            v[i * W + b] -= l1[i - 1] * v[(i - 1) * W + b] +
                            l2[i - 2] * v[(i - 2) * W + b];
    for (b = 0; b < W; b++) {
        v[(n - 1) * W + b] *= d[n - 1];
        v[(n - 2) * W + b] = v[(n - 2) * W + b] * d[n - 2] -
                             l1[n - 2] * v[(n - 1) * W + b];
    }
    for (i = n - 2; i-- > 0;)
        for (b = 0; b < W; b++)
            v[i * W + b] = v[i * W + b] * d[i] - l1[i] * v[(i + 1) * W + b] -
                           l2[i] * v[(i + 2) * W + b];
    for (i = n - 1; i >= 2; i--)
        for (b = 0; b < W; b++)
            v[i * W + b] += 2 * v[(i - 1) * W + b] + v[(i - 2) * W + b];
    for (b = 0; b < W; b++)
        v[W + b] += 2 * v[b];
}

/* Puts column j of M'N at place b of v. */
static void put_column(struct cvxeda *c, size_t j, size_t b)
{
    double *x = c->fit; /* free between two residuals */
    size_t i, lo, hi;

    memset(x, 0, c->n * sizeof *x);
    memset(c->rc, 0, c->n * sizeof *x);
    support(c, j, &lo, &hi);
    for (i = lo; i < hi; i++)
        x[i] = slow(c, j, i);
    band_back(ma, x, c->n, c->rc);
    for (i = 0; i < c->n; i++)
        c->v[i * CVXEDA_BLOCK + b] = c->rc[i];
}

/* Cholesky factor of the small dense matrix. Returns 0, or -1. */
static int factor_schur(struct cvxeda *c)
{
    size_t m = c->m, i, j, k;
    double *a = c->schur, sum;

    for (j = 0; j < m; j++) {
        for (i = j; i < m; i++) {
            sum = a[i * m + j];
            for (k = 0; k < j; k++)
                sum -= a[i * m + k] * a[j * m + k];
            if (i > j)
                a[i * m + j] = sum / a[j * m + j];
            else if (sum > 0 && isfinite(sum))
                a[j * m + j] = sqrt(sum);
            else
                return -1;
        }
    }
    return 0;
}

/* Everything a step needs that does not depend on its right side. */
static int make_schur(struct cvxeda *c)
{
    double sums[CVXEDA_BLOCK];
    size_t m = c->m, from, b, j;

    if (factor(c))
        return -1;
    memcpy(c->schur, c->uu, m * m * sizeof *c->schur);
    for (from = 0; from < m; from += CVXEDA_BLOCK) {
        size_t width = m - from < CVXEDA_BLOCK ? m - from : CVXEDA_BLOCK;

        memset(c->v, 0, c->n * CVXEDA_BLOCK * sizeof *c->v);
        for (b = 0; b < width; b++)
            put_column(c, from + b, b);
        solve_block(c);
        for (j = from; j < m; j++) {
            slow_dots(c, j, sums);
            for (b = 0; b < width; b++)
                c->schur[j * m + from + b] -= sums[b];
        }
    }
    return factor_schur(c);
}

/* du from S du = bu, by the factor in schur. */
static void solve_small(const struct cvxeda *c)
{
    size_t m = c->m, i, k;
    const double *a = c->schur;
    double *x = c->du;

    memcpy(x, c->bu, m * sizeof *x);
    for (i = 0; i < m; i++) {
        for (k = 0; k < i; k++)
            x[i] -= a[i * m + k] * x[k];
        x[i] /= a[i * m + i];
    }
    for (i = m; i-- > 0;) {
        for (k = i + 1; k < m; k++)
            x[i] -= a[k * m + i] * x[k];
        x[i] /= a[i * m + i];
    }
}

/* dq and du for bq and bu, which are lost; uses ds and dz. */
static void solve_step(struct cvxeda *c)
{
    size_t n = c->n, j;

    memcpy(c->dq, c->bq, n * sizeof *c->dq);
    solve_one(c, c->dq);
    band(ma, c->dq, n, c->ds);
    for (j = 0; j < c->m; j++)
        c->bu[j] -= slow_dot(c, j, c->ds);
    solve_small(c);
    memset(c->ds, 0, n * sizeof *c->ds);
    add_slow(c, c->du, -1, c->ds);
    memcpy(c->dq, c->bq, n * sizeof *c->dq);
    band_back(ma, c->ds, n, c->dq);
    solve_one(c, c->dq);
}

/* The step for the complementary residuals in rc: dq, du, ds, dz. */
static void step(struct cvxeda *c)
{
    size_t n = c->n, i;

    for (i = 0; i < n; i++) {
        c->bq[i] = -c->rq[i];
        c->dz[i] = -c->rc[i] / c->s[i] - c->w[i] * c->rp[i];
    }
    band_back(c->ar, c->dz, n, c->bq);
    for (i = 0; i < c->m; i++)
        c->bu[i] = -c->ru[i];
    solve_step(c);
    band(c->ar, c->dq, n, c->ds);
    for (i = 0; i < n; i++) {
        c->ds[i] += c->rp[i];
        c->dz[i] = -(c->rc[i] + c->z[i] * c->ds[i]) / c->s[i];
    }
}

/* Longest step, at most 1, that keeps s and z above 0. */
static double reach(const struct cvxeda *c)
{
    double longest = 1;
    size_t i;

    for (i = 0; i < c->n; i++) {
        if (c->ds[i] < 0)
            longest = fmin(longest, -c->s[i] / c->ds[i]);
        if (c->dz[i] < 0)
            longest = fmin(longest, -c->z[i] / c->dz[i]);
    }
    return longest;
}

/* Residuals at the current point; the objective. */
static double residuals(struct cvxeda *c)
{
    size_t n = c->n, i;
    double value = 0;

    band(ma, c->q, n, c->fit);
    band(c->ar, c->q, n, c->rp);
    for (i = 0; i < n; i++)
        c->fit[i] -= c->y[i];
    add_slow(c, c->u, 1, c->fit);
    for (i = 0; i < n; i++) {
        value += 0.5 * c->fit[i] * c->fit[i] + c->model.alpha * c->rp[i];
        c->rp[i] -= c->s[i];
        c->rc[i] = c->model.alpha - c->z[i];
    }
    memset(c->rq, 0, n * sizeof *c->rq);
    band_back(ma, c->fit, n, c->rq);
    band_back(c->ar, c->rc, n, c->rq);
    for (i = 0; i < c->m; i++) {
        c->ru[i] = slow_dot(c, i, c->fit);
        if (i + 2 < c->m) {
            c->ru[i] += c->model.gamma * c->u[i];
            value += 0.5 * c->model.gamma * c->u[i] * c->u[i];
        }
    }
    return value;
}

/* Largest magnitude of n numbers. */
static double largest(const double *x, size_t n)
{
    double most = 0;
    size_t i;

    for (i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* s'z, with both of them t further along the step. */
static double gap_at(const struct cvxeda *c, double t)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < c->n; i++)
        sum += (c->s[i] + t * c->ds[i]) * (c->z[i] + t * c->dz[i]);
    return sum;
}

/* One predictor and corrector from residuals that are up to date. */
static int advance(struct cvxeda *c, double gap)
{
    size_t n = c->n, i;
    double affine, centre, t;

    for (i = 0; i < n; i++)
        c->w[i] = c->z[i] / c->s[i];
    if (make_schur(c))
        return -1;
    for (i = 0; i < n; i++)
        c->rc[i] = c->s[i] * c->z[i];
    step(c);
    affine = gap_at(c, reach(c)) / gap;
    centre = affine * affine * affine * gap / (double)n;
    for (i = 0; i < n; i++)
        c->rc[i] = c->s[i] * c->z[i] + c->ds[i] * c->dz[i] - centre;
    step(c);
    t = fmin(1, CVXEDA_SHORT * reach(c));
    for (i = 0; i < n; i++) {
        c->q[i] += t * c->dq[i];
        c->s[i] += t * c->ds[i];
        c->z[i] += t * c->dz[i];
    }
    for (i = 0; i < c->m; i++)
        c->u[i] += t * c->du[i];
    return 0;
}

int cvxeda_solve(struct cvxeda *c, const struct cvxeda_model *model,
                 const double *y, size_t n, double rate_hz, double *phasic,
                 double *tonic, double *objective, struct err *err)
{
    double gap = 0, size;
    size_t i;

    if (n < CVXEDA_MIN_SAMPLES)
        return err_set(err, ERR_DATA, "cvxeda: wanted at least %d samples, "
                       "got %zu", CVXEDA_MIN_SAMPLES, n);
    c->model = *model;
    if (prepare(c, y, n, rate_hz, err))
        return -1;
    memset(c->q, 0, n * sizeof *c->q);
    memset(c->u, 0, c->m * sizeof *c->u);
    for (i = 0; i < n; i++) {
        c->s[i] = 1;
        c->z[i] = c->model.alpha;
    }
    size = largest(y, n);
    for (c->n_steps = 0; c->n_steps < CVXEDA_MAX_STEPS; c->n_steps++) {
        *objective = residuals(c);
        memset(c->ds, 0, n * sizeof *c->ds);
        memset(c->dz, 0, n * sizeof *c->dz);
        gap = gap_at(c, 0);
        if (gap <= CVXEDA_GAP * *objective + CVXEDA_TINY * (double)n &&
            largest(c->rp, n) <= CVXEDA_GAP * (1 + largest(c->s, n)) &&
            largest(c->rq, n) <= CVXEDA_GAP * (1 + size))
            break;
        if (advance(c, gap) || !isfinite(gap))
            return err_set(err, ERR_DATA, "cvxeda: no answer for %zu samples "
                           "at %g Hz: not positive definite in step %zu", n,
                           rate_hz, c->n_steps);
    }
    if (c->n_steps == CVXEDA_MAX_STEPS)
        return err_set(err, ERR_DATA, "cvxeda: no answer for %zu samples at "
                       "%g Hz: gap %g after %d steps", n, rate_hz, gap,
                       CVXEDA_MAX_STEPS);
    band(ma, c->q, n, phasic);
    memset(tonic, 0, n * sizeof *tonic);
    add_slow(c, c->u, 1, tonic);
    return 0;
}
