/*
 * scrmatch - whether a prediction has the skin conductance responses of a
 * recording, at the right time.
 */
#ifndef EVAL_SCRMATCH_H
#define EVAL_SCRMATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Least rise of a response from its trough to its peak, uS. */
#define SCRMATCH_MIN_US 0.05
/* Most between two peaks that are one response, seconds. */
#define SCRMATCH_MAX_S 1.0

/*
 * The F1 of the prediction's responses, 2 m / (n_p + n_y).
 *
 * Responses are those of signal/scr.h in each run of valid frames. They are
 * matched one to one in the order of time; m is the number of matches.
 *
 * p, y, valid: (T); us: what 1 of p and y is, uS; rate_hz: frames a second
 * work: (T) scratch
 * f1: NaN if neither has a response
 * Returns 0; -1 if memory is short.
 */
int scrmatch_f1(const double *p, const double *y, const uint8_t *valid,
                size_t T, double us, double rate_hz, double *work, double *f1,
                struct err *err) NODISCARD;

#endif
