/*
 * metric - how well a prediction follows a recording, in double.
 *
 * Most metrics see the valid frames only, one after another as if nothing lay
 * between them; n is their number. Moments are biased (1/n). What looks at
 * time, lags and responses, sees the frames where they are.
 *
 * Above 0.05 Hz: between the first and the last valid frame the others are
 * filled by straight lines, in prediction and target alike; both go through
 * a high-pass forward and backward, extended on either side by the point
 * reflection of one period of the cutoff, or of all there is; then only the
 * valid frames count again.
 */
#include "eval/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/corr.h"
#include "eval/scrmatch.h"
#include "eval/warp.h"
#include "signal/sos.h"

/* Names by enum metric. */
static const char *const names[METRIC_N] = {
    "mse", "rmse", "mae", "pearson", "spearman", "ccc", "r2", "dtw",
    "dtw_norm", "dtw@5%", "frechet", "best_lag_s", "best_lag_r", "scr_f1",
    "mse_hp", "rmse_hp", "mae_hp", "pearson_hp", "spearman_hp", "ccc_hp",
    "r2_hp", "dtw_hp", "dtw_norm_hp", "dtw@5%_hp", "frechet_hp",
    "best_lag_s_hp", "best_lag_r_hp", "scr_f1_hp"};

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
    switch ((int)m % METRIC_HP) {
    case METRIC_PEARSON:
    case METRIC_SPEARMAN:
    case METRIC_CCC:
    case METRIC_R2:
    case METRIC_BEST_LAG_R:
    case METRIC_SCR_F1:
        return true;
    default:
        return false;
    }
}

bool metric_is_ordered(enum metric m)
{
    return (int)m % METRIC_HP != METRIC_BEST_LAG_S;
}

struct metric_input metric_input(const struct pairs *pairs,
                                 const struct pairs_recording *r,
                                 const float *p, const uint8_t *valid)
{
    return (struct metric_input){
        .p = p, .y = r->eda, .valid = valid, .T = r->T,
        .rate_hz = (double)pairs->rate_num / (double)pairs->rate_den,
        .us = strcmp(r->unit, "uS") == 0 && r->std > 0 ? r->std : NAN};
}

/* One recording on its way through the metrics. */
struct job {
    const struct metric_input *in; /* what was given */
    double *p, *y; /* (T) signals where they are; 0 where not valid */
    double *u, *v; /* (n) their valid frames */
    double *work;  /* (2 T) scratch */
    size_t n;      /* valid frames */
};

/* Errors frame by frame, and their share of the target's variance. */
static void errors(const struct job *j, const struct corr_moments *m,
                   double out[METRIC_HP])
{
    double squares = 0, absolutes = 0;
    size_t t;

    for (t = 0; t < j->n; t++) {
        double e = j->u[t] - j->v[t];

        squares += e * e;
        absolutes += fabs(e);
    }
    out[METRIC_MSE] = squares / (double)j->n;
    out[METRIC_RMSE] = sqrt(squares / (double)j->n);
    out[METRIC_MAE] = absolutes / (double)j->n;
    if (m->var_y > 0)
        out[METRIC_R2] = 1 - out[METRIC_MSE] / m->var_y;
}

/* What needs moments only, and the errors. */
static void simple(const struct job *j, double out[METRIC_HP])
{
    struct corr_moments m = corr_moments(j->u, j->v, j->n);
    double shift = m.mean_p - m.mean_y;

    errors(j, &m, out);
    out[METRIC_PEARSON] = corr_pearson(&m);
    out[METRIC_CCC] =
        isnan(out[METRIC_PEARSON])
            ? 0
            : 2 * m.cov / (m.var_p + m.var_y + shift * shift);
}

/* What may stretch time. */
static void warped(const struct job *j, const bool *want,
                   double out[METRIC_HP])
{
    size_t n = j->n;

    if (want[METRIC_DTW] || want[METRIC_DTW_NORM])
        out[METRIC_DTW] = warp_dtw(j->u, j->v, n, n, j->work);
    out[METRIC_DTW_NORM] = out[METRIC_DTW] / (2 * (double)n);
    if (want[METRIC_DTW_5])
        out[METRIC_DTW_5] = warp_dtw(j->u, j->v, n, n / 20, j->work);
    if (want[METRIC_FRECHET])
        out[METRIC_FRECHET] = warp_frechet(j->u, j->v, n, j->work);
}

/* What needs to know when frames are. */
static int timed(const struct job *j, const bool *want, double out[METRIC_HP],
                 struct err *err)
{
    const struct metric_input *in = j->in;
    /* a rate that is not exact in binary must not lose the last lag */
    size_t most = (size_t)floor(METRIC_MAX_LAG_S * in->rate_hz + 1e-9);

    if (!(in->rate_hz > 0))
        return 0;
    if ((want[METRIC_BEST_LAG_S] || want[METRIC_BEST_LAG_R]) &&
        corr_best_lag(j->p, j->y, in->valid, in->T, most, j->work,
                      &out[METRIC_BEST_LAG_S], &out[METRIC_BEST_LAG_R]))
        out[METRIC_BEST_LAG_S] /= in->rate_hz;
    if (want[METRIC_SCR_F1] && !isnan(in->us))
        return scrmatch_f1(j->p, j->y, in->valid, in->T, in->us, in->rate_hz,
                           j->work, &out[METRIC_SCR_F1], err);
    return 0;
}

/* The wanted metrics of the signals as they are. */
static int score(struct job *j, const bool *want, double out[METRIC_HP],
                 struct err *err)
{
    size_t t, n = 0;

    for (t = 0; t < j->in->T; t++) {
        if (j->in->valid[t]) {
            j->u[n] = j->p[t];
            j->v[n++] = j->y[t];
        }
    }
    simple(j, out);
    warped(j, want, out);
    if (want[METRIC_SPEARMAN] &&
        corr_spearman(j->u, j->v, n, &out[METRIC_SPEARMAN], err))
        return -1;
    return timed(j, want, out, err);
}

/* Fills what is not valid between valid frames by straight lines. */
static void fill(double *x, const uint8_t *valid, size_t first, size_t end)
{
    size_t from = first, t, k;

    for (t = first + 1; t < end; t++) {
        if (!valid[t])
            continue;
        for (k = from + 1; k < t; k++)
            x[k] = x[from] + (x[t] - x[from]) * (double)(k - from) /
                                 (double)(t - from);
        from = t;
    }
}

/*
 * Removes what is slower than 0.05 Hz from both signals. *done is false if
 * the rate does not allow it.
 */
static int high_pass(struct job *j, bool *done, struct err *err)
{
    const struct metric_input *in = j->in;
    size_t first = 0, end = in->T, pad;
    struct sos sos;
    double *work;
    int got;

    *done = in->rate_hz > 2 * METRIC_HP_HZ;
    if (!*done)
        return 0;
    while (!in->valid[first])
        first++;
    while (!in->valid[end - 1])
        end--;
    fill(j->p, in->valid, first, end);
    fill(j->y, in->valid, first, end);
    pad = (size_t)lround(in->rate_hz / METRIC_HP_HZ);
    pad = pad < end - first ? pad : end - first - 1;
    if (sos_butter(&sos, SOS_HIGHPASS, METRIC_HP_ORDER, METRIC_HP_HZ,
                   in->rate_hz, err))
        return -1;
    work = mem_alloc(end - first + 2 * pad, sizeof *work, err);
    if (!work)
        return -1;
    got = sos_filtfilt(&sos, j->p + first, end - first, pad, work,
                       j->p + first, err) ||
          sos_filtfilt(&sos, j->y + first, end - first, pad, work,
                       j->y + first, err);
    free(work);
    return got ? -1 : 0;
}

/*
 * Takes the valid frames. Their number is 0 too if one is not finite, since
 * no metric is defined then.
 */
static void take_valid(struct job *j)
{
    const struct metric_input *in = j->in;
    size_t t;

    for (t = 0; t < in->T; t++) {
        if (!in->valid[t])
            continue;
        if (!isfinite(in->p[t]) || !isfinite(in->y[t])) {
            j->n = 0;
            return;
        }
        j->p[t] = in->p[t];
        j->y[t] = in->y[t];
        j->n++;
    }
}

/* Scores the recording as it is, then above 0.05 Hz. */
static int score_both(struct job *j, const bool *want, double out[METRIC_N],
                      struct err *err)
{
    bool slow = false;
    int m;

    if (score(j, want, out, err))
        return -1;
    for (m = METRIC_HP; m < METRIC_N; m++)
        slow = slow || want[m];
    if (!slow)
        return 0;
    if (high_pass(j, &slow, err))
        return -1;
    return slow ? score(j, want + METRIC_HP, out + METRIC_HP, err) : 0;
}

int metric_recording(const struct metric_input *in, const bool *want,
                     double out[METRIC_N], struct err *err)
{
    double *all = mem_alloc(in->T, 6 * sizeof *all, err);
    struct job j = {.in = in};
    bool every[METRIC_N];
    int m, got = 0;

    if (!all)
        return -1;
    j.p = all;
    j.y = j.p + in->T;
    j.u = j.y + in->T;
    j.v = j.u + in->T;
    j.work = j.v + in->T;
    for (m = 0; m < METRIC_N; m++) {
        out[m] = NAN;
        every[m] = true;
    }
    want = want ? want : every;
    take_valid(&j);
    if (j.n > 0)
        got = score_both(&j, want, out, err);
    for (m = 0; m < METRIC_N; m++) {
        if (!want[m])
            out[m] = NAN;
    }
    free(all);
    return got;
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
