/*
 * interp - values of a sampled signal between its samples.
 *
 * Two ways: a cubic spline, also over uneven knots, and a windowed sinc for
 * even ones. Neither looks beyond the first and the last sample.
 */
#ifndef SIGNAL_INTERP_H
#define SIGNAL_INTERP_H

#include <stddef.h>

/* Samples the sinc uses on either side of a position. */
#define INTERP_TAPS 16

/*
 * Second derivatives of the cubic spline through n points ("not-a-knot": the
 * outer two pieces on each side are one polynomial).
 *
 * t: (n) rising knots, NULL for 0, 1, 2, ...; y: (n) values
 * m: (n) result; work: (n) scratch
 * Fewer than 4 points get straight lines: m is 0.
 * Source: de Boor, A Practical Guide to Splines, 1978, chapter IV.
 */
void interp_spline(const double *t, const double *y, size_t n, double *m,
                   double *work);

/*
 * The spline at x between knots i and i + 1, with m from interp_spline().
 */
double interp_spline_at(const double *t, const double *y, const double *m,
                        size_t i, double x);

/*
 * Copies x with INTERP_TAPS samples of odd extension on either side, each
 * period of the reflection going on where the last one ended.
 *
 * x: (n), n >= 1; out: (n + 2 * INTERP_TAPS)
 */
void interp_extend(const double *x, size_t n, double *out);

/*
 * The signal at position u in [0, n - 1] by 2 * INTERP_TAPS taps of a sinc
 * with a Kaiser window of beta 12; taps are scaled to sum 1, so that a
 * constant stays one.
 *
 * ext: what interp_extend() made of n samples
 * Source: Kaiser 1974; Oppenheim & Schafer, section on FIR windows.
 */
double interp_sinc(const double *ext, size_t n, double u);

#endif
