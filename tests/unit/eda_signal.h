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
static inline void eda_signal(double *x, size_t n, double rate_hz)
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

#endif
