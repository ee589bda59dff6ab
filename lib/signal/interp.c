/*
 * interp - cubic spline and windowed sinc.
 *
 * Spline: the second derivatives M solve, with h_i = t_{i+1} - t_i and
 * slopes s_i = (y_{i+1} - y_i) / h_i,
 *
 *   h_{i-1} M_{i-1} + 2 (h_{i-1} + h_i) M_i + h_i M_{i+1} = 6 (s_i - s_{i-1})
 *
 * Not-a-knot says M_0 = (1 + r) M_1 - r M_2 with r = h_0 / h_1, and likewise
 * at the end; put into the first and last row it leaves a tridiagonal system
 * whose diagonal dominates, so elimination needs no pivots.
 */
#include "signal/interp.h"

#include <math.h>
#include <string.h>

#include "signal/bessel.h"

/* Shape of the Kaiser window: stop band at -118 dB. */
#define BETA 12.0

/* Positions this near to a sample, in samples, are at it. */
#define AT_SAMPLE 1e-9

/* Width of the interval behind knot i. */
static double width(const double *t, size_t i)
{
    return t ? t[i + 1] - t[i] : 1;
}

/* Slope of the chord behind knot i. */
static double slope(const double *t, const double *y, size_t i)
{
    return (y[i + 1] - y[i]) / width(t, i);
}

void interp_spline(const double *t, const double *y, size_t n, double *m,
                   double *work)
{
    double h, g, low, diag, up, r;
    size_t i;

    memset(m, 0, n * sizeof *m);
    if (n < 4)
        return;
    /* Elimination: work holds the upper band, m the right side. */
    for (i = 1; i + 1 < n; i++) {
        h = width(t, i - 1);
        g = width(t, i);
        low = h;
        up = g;
        diag = 2 * (h + g);
        if (i == 1) {
            diag += h * (1 + h / g);
            up -= h * h / g;
            low = 0;
        }
        if (i + 2 == n) {
            diag += g * (1 + g / h);
            low -= g * g / h;
            up = 0;
        }
        r = diag - (i > 1 ? low * work[i - 1] : 0);
        work[i] = up / r;
        m[i] = 6 * (slope(t, y, i) - slope(t, y, i - 1));
        m[i] = (m[i] - (i > 1 ? low * m[i - 1] : 0)) / r;
    }
    for (i = n - 3; i >= 1; i--)
        m[i] -= work[i] * m[i + 1];
    r = width(t, 0) / width(t, 1);
    m[0] = (1 + r) * m[1] - r * m[2];
    r = width(t, n - 2) / width(t, n - 3);
    m[n - 1] = (1 + r) * m[n - 2] - r * m[n - 3];
}

double interp_spline_at(const double *t, const double *y, const double *m,
                        size_t i, double x)
{
    double h = width(t, i);
    double b = (x - (t ? t[i] : (double)i)) / h, a = 1 - b;

    return a * y[i] + b * y[i + 1] +
           ((a * a * a - a) * m[i] + (b * b * b - b) * m[i + 1]) * h * h / 6;
}

void interp_extend(const double *x, size_t n, double *out)
{
    long last = (long)n - 1, i, whole, rest;
    double rise = 2 * (x[n - 1] - x[0]);

    for (i = -INTERP_TAPS; i < (long)n + INTERP_TAPS; i++) {
        if (last == 0) {
            out[i + INTERP_TAPS] = x[0];
            continue;
        }
        rest = i % (2 * last);
        rest += rest < 0 ? 2 * last : 0;
        whole = (i - rest) / (2 * last);
        out[i + INTERP_TAPS] = (double)whole * rise +
            (rest <= last ? x[rest] : 2 * x[last] - x[2 * last - rest]);
    }
}

double interp_sinc(const double *ext, size_t n, double u)
{
    double whole = floor(u), part = u - whole, d, w, sum = 0, total = 0;
    const double *x;
    long j;

    if (part > 1 - AT_SAMPLE) {
        whole++;
        part = 0;
    }
    x = ext + INTERP_TAPS + (size_t)whole;
    if (part < AT_SAMPLE || whole >= (double)n - 1)
        return *x;
    for (j = 1 - INTERP_TAPS; j <= INTERP_TAPS; j++) {
        d = part - (double)j;
        /* sin(pi (part - j)) is sin(pi part) with j's sign: it cancels. */
        w = (j % 2 ? -1 : 1) / d *
            bessel_i0(BETA * sqrt(1 - d * d / (INTERP_TAPS * INTERP_TAPS)));
        sum += w * x[j];
        total += w;
    }
    return sum / total;
}
