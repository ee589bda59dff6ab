/*
 * tonic - splits a piece of a recording. The filters are those of sos, the
 * median keeps the window's values sorted and swaps one in and one out.
 */
#include "signal/tonic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "signal/interp.h"
#include "signal/sos.h"

/* Low-pass before samples are left out for cvxEDA: order, share of a rate. */
#define TONIC_ALIAS_ORDER 8
#define TONIC_ALIAS_CUTOFF 0.45

/* Rates this little above the highest are it. */
#define TONIC_ROUNDING 1e-6

void tonic_release(struct tonic *t)
{
    free(t->work);
    cvxeda_release(&t->solver);
    *t = (struct tonic){0};
}

/* Room for n doubles of scratch. */
static int reserve(struct tonic *t, size_t n, struct err *err)
{
    double *work = mem_grow(t->work, &t->cap, n, sizeof *work, err);

    if (!work)
        return -1;
    t->work = work;
    return 0;
}

/* Samples between those that cvxEDA gets. */
static size_t cvxeda_stride(double rate_hz)
{
    return (size_t)fmax(1, ceil(rate_hz / CVXEDA_MAX_HZ - TONIC_ROUNDING));
}

/* The filter of a side of eda_highpass_hz. */
static int design(const struct config_features *conf, enum sos_kind kind,
                  double rate_hz, struct sos *f, struct err *err)
{
    if (conf->eda_highpass_hz >= rate_hz / 2)
        return err_set(err, ERR_DATA, "eda_decomposition highpass at %g Hz: "
                       "wanted a rate over %g Hz, got %g Hz",
                       conf->eda_highpass_hz, 2 * conf->eda_highpass_hz,
                       rate_hz);
    return sos_butter(f, kind, (int)conf->eda_highpass_order,
                      conf->eda_highpass_hz, rate_hz, err);
}

int tonic_min(const struct config_features *conf, double rate_hz, size_t *n,
              struct err *err)
{
    struct sos f;

    *n = 1;
    if (conf->eda_decomposition == CONFIG_DECOMPOSITION_CVXEDA)
        *n = CVXEDA_MIN_SAMPLES * cvxeda_stride(rate_hz);
    if (conf->eda_decomposition != CONFIG_DECOMPOSITION_HIGHPASS)
        return 0;
    if (design(conf, SOS_HIGHPASS, rate_hz, &f, err))
        return -1;
    *n = sos_padlen(&f) + 1;
    return 0;
}

/* One side of eda_highpass_hz. */
static int filter(struct tonic *t, const struct config_features *conf,
                  enum sos_kind kind, const double *x, size_t n,
                  double rate_hz, double *out, struct err *err)
{
    struct sos f;
    size_t pad;

    if (design(conf, kind, rate_hz, &f, err))
        return -1;
    pad = sos_pad(&f, conf->eda_highpass_hz, rate_hz, n,
                  conf->eda_filter_pad == CONFIG_FILTER_PAD_AUTO);
    if (reserve(t, n + 2 * pad, err))
        return -1;
    return sos_filtfilt(&f, x, n, pad, t->work, out, err);
}

/* First of n sorted values that is not below x. */
static size_t place(const double *sorted, size_t n, double x)
{
    size_t low = 0, high = n, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (sorted[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Puts x into n sorted values. */
static void put(double *sorted, size_t n, double x)
{
    size_t at = place(sorted, n, x);

    memmove(sorted + at + 1, sorted + at, (n - at) * sizeof *sorted);
    sorted[at] = x;
}

/* Takes x out of n sorted values. */
static void take(double *sorted, size_t n, double x)
{
    size_t at = place(sorted, n, x);

    memmove(sorted + at, sorted + at + 1, (n - at - 1) * sizeof *sorted);
}

void tonic_median(const double *x, size_t n, size_t width, double *work,
                  double *out)
{
    size_t half = width / 2, held = 0, i;

    for (i = 0; i < n && i < half; i++)
        put(work, held++, x[i]);
    for (i = 0; i < n; i++) {
        if (i + half < n)
            put(work, held++, x[i + half]);
        out[i] = (work[(held - 1) / 2] + work[held / 2]) / 2;
        if (i >= half)
            take(work, held--, x[i - half]);
    }
}

/* Tonic by the running median, phasic the rest. */
static int split_median(struct tonic *t, const double *x, size_t n,
                        double rate_hz, double *phasic, double *tonic,
                        struct err *err)
{
    double samples = fmin(TONIC_MEDIAN_S * rate_hz, 2.0 * (double)n);
    size_t width = (size_t)samples | 1, i;

    if (reserve(t, width, err))
        return -1;
    tonic_median(x, n, width, t->work, tonic);
    for (i = 0; i < n; i++)
        phasic[i] = x[i] - tonic[i];
    return 0;
}

/* Puts k values, stride samples apart, back onto n samples. */
static void expand(const double *y, size_t k, size_t stride, double *m,
                   double *work, double *out, size_t n)
{
    size_t i, at;

    interp_spline(NULL, y, k, m, work);
    for (i = 0; i < n; i++) {
        /* Less than a stride of samples lies behind the last value. */
        double u = fmin((double)i / (double)stride, (double)(k - 1));

        at = i / stride < k - 1 ? i / stride : k - 2;
        out[i] = interp_spline_at(NULL, y, m, at, u);
    }
}

/* Leaves every stride-th of n low-passed values in z: *k of them. */
static int decimate(double *z, size_t n, size_t stride, double rate_hz,
                    double *work, size_t *k, struct err *err)
{
    double cutoff_hz = TONIC_ALIAS_CUTOFF * rate_hz / (double)stride;
    struct sos f;
    size_t pad, i;

    *k = n;
    if (stride == 1)
        return 0;
    if (sos_butter(&f, SOS_LOWPASS, TONIC_ALIAS_ORDER, cutoff_hz, rate_hz,
                   err))
        return -1;
    pad = sos_padlen(&f) < n ? sos_padlen(&f) : n - 1;
    if (sos_filtfilt(&f, z, n, pad, work, z, err))
        return -1;
    *k = (n + stride - 1) / stride;
    for (i = 0; i < *k; i++)
        z[i] = z[i * stride];
    return 0;
}

/* Both parts by cvxEDA. */
static int split_cvxeda(struct tonic *t, const struct config_features *conf,
                        const double *x, size_t n, double rate_hz,
                        double mean, double std, double *phasic,
                        double *tonic, struct err *err)
{
    const struct cvxeda_model model = {
        conf->eda_cvxeda_tau_slow_s, conf->eda_cvxeda_tau_fast_s,
        conf->eda_cvxeda_knot_s, conf->eda_cvxeda_alpha,
        conf->eda_cvxeda_gamma};
    size_t stride = cvxeda_stride(rate_hz), i, k;
    double objective, *z, *part;

    for (i = 0; i < n && !(std > 0); i++) {
        phasic[i] = 0;
        tonic[i] = x[i];
    }
    if (!(std > 0))
        return 0;
    if (reserve(t, 5 * n + 12 * SOS_MAX_SECTIONS, err))
        return -1;
    z = t->work;
    part = z + n;
    for (i = 0; i < n; i++)
        z[i] = (x[i] - mean) / std;
    if (decimate(z, n, stride, rate_hz, z + n, &k, err) ||
        cvxeda_solve(&t->solver, &model, z, k, rate_hz / (double)stride, part,
                     part + n, &objective, err))
        return -1;
    expand(part, k, stride, part + 2 * n, part + 3 * n, phasic, n);
    expand(part + n, k, stride, part + 2 * n, part + 3 * n, tonic, n);
    for (i = 0; i < n; i++) {
        phasic[i] *= std;
        tonic[i] = tonic[i] * std + mean;
    }
    return 0;
}

int tonic_split(struct tonic *t, const struct config_features *conf,
                const double *x, size_t n, double rate_hz, double mean,
                double std, double *phasic, double *tonic, struct err *err)
{
    switch (conf->eda_decomposition) {
    case CONFIG_DECOMPOSITION_MEDIAN:
        return split_median(t, x, n, rate_hz, phasic, tonic, err);
    case CONFIG_DECOMPOSITION_CVXEDA:
        return split_cvxeda(t, conf, x, n, rate_hz, mean, std, phasic, tonic,
                            err);
    case CONFIG_DECOMPOSITION_HIGHPASS:
        break;
    }
    return filter(t, conf, SOS_HIGHPASS, x, n, rate_hz, phasic, err) ||
                   filter(t, conf, SOS_LOWPASS, x, n, rate_hz, tonic, err)
               ? -1 : 0;
}
