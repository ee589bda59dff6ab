/*
 * eda_signal - a signal like a recording that tests and
 * tests/golden/make_eda.py both make, number for number.
 */
#ifndef EDA_SIGNAL_H
#define EDA_SIGNAL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* n samples of drift, two slow waves and noise from a linear congruence. */
__attribute__((unused)) static void eda_signal(double *x, size_t n,
                                               double rate_hz)
{
    const double turn = 6.28318530717958647692;
    uint32_t state = 12345;
    size_t i;

    for (i = 0; i < n; i++) {
        double t = (double)i / rate_hz;

        state = state * 1664525u + 1013904223u;
        x[i] = 5 + 0.02 * t + sin(turn * 0.11 * t) +
               0.3 * cos(turn * 0.7 * t) +
               0.1 * ((double)state / 4294967296.0 - 0.5);
    }
}

/* eda_burst() with uniform noise of this width. */
__attribute__((unused)) static void
eda_burst_noise(double *x, size_t n, double rate_hz, double noise)
{
    uint32_t state = 12345;
    size_t i, k;

    for (i = 0; i < n; i++) {
        double t = (double)i / rate_hz, s;

        state = state * 1664525u + 1013904223u;
        x[i] = 5 + 0.3 * sin(0.05 * t) + 0.002 * t +
               noise * ((double)state / 4294967296.0 - 0.5);
        for (k = 0; k <= (size_t)(t / 7); k++) {
            s = t - 7 * (double)k - 2 * sin((double)k);
            if (s > 0)
                x[i] += (0.3 + 0.2 * cos(3 * (double)k)) *
                        (exp(-s / 2) - exp(-s / 0.7));
        }
    }
}

/*
 * n samples with a skin conductance response about every 7 s on a drifting
 * level, with little noise; tests/golden/burst.py makes the same.
 */
__attribute__((unused)) static void eda_burst(double *x, size_t n,
                                              double rate_hz)
{
    eda_burst_noise(x, n, rate_hz, 0.01);
}

/* The same without noise. */
__attribute__((unused)) static void eda_burst_clean(double *x, size_t n,
                                                    double rate_hz)
{
    eda_burst_noise(x, n, rate_hz, 0);
}

#endif
