/*
 * regrid - curves on one even grid of times to another, also while they are
 * still arriving.
 *
 * Value j of the new grid is at j / rate_hz seconds, for every j with a time
 * within the old grid: nothing is extrapolated.
 */
#ifndef SIGNAL_REGRID_H
#define SIGNAL_REGRID_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One set of curves on its way. */
struct regrid;

/*
 * Starts a set of curves.
 *
 * Frame k of the old grid is at t0_s + k * rate_den / rate_num.
 * rate_hz:   of the new grid, above 0
 * n_columns: curves, side by side in a row
 * NULL with err set when memory is short. Caller closes.
 */
struct regrid *regrid_open(uint64_t rate_num, uint64_t rate_den, double t0_s,
                           double rate_hz, size_t n_columns,
                           struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void regrid_close(struct regrid *r);

/* The first j of the new grid, at j / rate_hz seconds. */
int64_t regrid_first(const struct regrid *r);

/* Seconds that a value looks ahead of its time, at most. */
double regrid_latency_s(const struct regrid *r);

/*
 * Takes the next n rows.
 *
 * x: (n, n_columns) values on the old grid
 * y: (n_y, n_columns) those on the new one that are certain now, behind those
 *    of the call before; owned by r until the next call
 * A windowed sinc, its cutoff at the lower of both Nyquist frequencies, its
 * taps scaled to sum 1 so that a constant stays one; beyond the ends the end
 * values stand. Where the curves are cut in pieces changes no bit.
 * Source: Oppenheim & Schafer, FIR design with the Kaiser window.
 */
int regrid_add(struct regrid *r, const float *x, size_t n, const float **y,
               size_t *n_y, struct err *err) NODISCARD;

/* Ends the curves: y (n_y, n_columns) are the values that were left. */
int regrid_end(struct regrid *r, const float **y, size_t *n_y,
               struct err *err) NODISCARD;

#endif
