/*
 * sos - design and zero-phase filtering.
 *
 * With wc = tan(pi fc / fs), pair k of an order N Butterworth filter has
 *
 *   q = 2 sin(pi (2k + 1) / 2N)        a0 = 1 + q wc + wc^2
 *   a1 = 2 (wc^2 - 1) / a0             a2 = (1 - q wc + wc^2) / a0
 *   low-pass  b = wc^2 / a0 [1, 2, 1]  high-pass  b = 1 / a0 [1, -2, 1]
 *
 * and an odd order adds one real pole. A section runs in transposed direct
 * form II. The signal is extended on both sides by its own point reflection,
 * and each pass starts in the steady state of its first sample.
 */
#include "signal/sos.h"

#include <math.h>
#include <string.h>

/* The circle's number, which C11 does not have. */
#define PI 3.14159265358979323846

/* Fills section s with the pole pair k of N poles. */
static void design_pair(struct sos *f, size_t s, enum sos_kind kind, int k,
                        int order, double wc)
{
    double q = 2 * sin(PI * (2 * k + 1) / (2.0 * order));
    double a0 = 1 + q * wc + wc * wc;
    double g = (kind == SOS_LOWPASS ? wc * wc : 1) / a0;

    f->a[s][0] = 2 * (wc * wc - 1) / a0;
    f->a[s][1] = (1 - q * wc + wc * wc) / a0;
    f->b[s][0] = f->b[s][2] = g;
    f->b[s][1] = kind == SOS_LOWPASS ? 2 * g : -2 * g;
}

/* Fills section s with the single real pole of an odd order. */
static void design_single(struct sos *f, size_t s, enum sos_kind kind,
                          double wc)
{
    double g = (kind == SOS_LOWPASS ? wc : 1) / (1 + wc);

    f->a[s][0] = (wc - 1) / (1 + wc);
    f->a[s][1] = 0;
    f->b[s][0] = g;
    f->b[s][1] = kind == SOS_LOWPASS ? g : -g;
    f->b[s][2] = 0;
}

int sos_butter(struct sos *f, enum sos_kind kind, int order,
               double cutoff_hz, double rate_hz, struct err *err)
{
    const char *name = kind == SOS_LOWPASS ? "low" : "high";
    size_t s;
    double wc;

    if (order < 1 || order > 2 * SOS_MAX_SECTIONS)
        return err_set(err, ERR_USAGE, "%s-pass: wanted an order of 1 to "
                       "%d, got %d", name, 2 * SOS_MAX_SECTIONS, order);
    if (!(rate_hz > 0 && cutoff_hz > 0 && cutoff_hz < rate_hz / 2))
        return err_set(err, ERR_USAGE, "%s-pass: wanted a cutoff over 0 and "
                       "below half the sampling rate of %g Hz, got %g Hz",
                       name, rate_hz, cutoff_hz);
    memset(f, 0, sizeof *f);
    wc = tan(PI * cutoff_hz / rate_hz);
    if (order % 2)
        design_single(f, f->n_sections++, kind, wc);
    /* Poles of low Q first, so that no section overshoots for the next. */
    for (s = (size_t)order / 2; s-- > 0;)
        design_pair(f, f->n_sections++, kind, (int)s, order, wc);
    return 0;
}

size_t sos_padlen(const struct sos *f)
{
    size_t s, odd = 0;

    for (s = 0; s < f->n_sections; s++)
        odd += f->b[s][2] == 0 && f->a[s][1] == 0;
    return 3 * (2 * f->n_sections + 1 - odd);
}

size_t sos_pad(const struct sos *f, double cutoff_hz, double rate_hz,
               size_t n, bool wide)
{
    size_t pad = sos_padlen(f);
    double want = ceil(2 * rate_hz / cutoff_hz);

    if (wide && want > (double)pad)
        pad = want < (double)n ? (size_t)want : n > pad ? n - 1 : pad;
    return pad;
}

/*
 * Runs all sections over x in place, in the given direction, beginning in
 * the steady state of the first sample.
 */
static void run(const struct sos *f, double *x, size_t n, int backward)
{
    double level = backward ? x[n - 1] : x[0];
    size_t s, i;

    for (s = 0; s < f->n_sections; s++) {
        const double *b = f->b[s], *a = f->a[s];
        double gain = (b[0] + b[1] + b[2]) / (1 + a[0] + a[1]);
        double z1 = (b[2] - a[1] * gain) * level;
        double z0 = (b[1] - a[0] * gain) * level + z1;

        for (i = 0; i < n; i++) {
            double *p = backward ? &x[n - 1 - i] : &x[i];
            double in = *p, y = b[0] * in + z0;

            z0 = b[1] * in - a[0] * y + z1;
            z1 = b[2] * in - a[1] * y;
            *p = y;
        }
        level *= gain;
    }
}

int sos_filtfilt(const struct sos *f, const double *x, size_t n, size_t pad,
                 double *work, double *out, struct err *err)
{
    size_t i;

    if (n <= pad)
        return err_set(err, ERR_DATA, "wanted over %zu samples for a "
                       "zero-phase filter, got %zu", pad, n);
    for (i = 0; i < pad; i++) {
        work[i] = 2 * x[0] - x[pad - i];
        work[pad + n + i] = 2 * x[n - 1] - x[n - 2 - i];
    }
    memcpy(work + pad, x, n * sizeof *x);
    run(f, work, n + 2 * pad, 0);
    run(f, work, n + 2 * pad, 1);
    memcpy(out, work + pad, n * sizeof *out);
    return 0;
}
