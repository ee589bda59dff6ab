/*
 * sos - Butterworth filters as second-order sections, run forward and
 * backward so that nothing is delayed.
 *
 * Equal to scipy.signal.butter(output='sos') and sosfiltfilt() within 1e-9 of
 * the signal's range. All in double: narrow filters leave no room for less.
 */
#ifndef SIGNAL_SOS_H
#define SIGNAL_SOS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Most sections: orders up to twice as many. */
#define SOS_MAX_SECTIONS 16

/* Which side of the cutoff passes. */
enum sos_kind {
    SOS_LOWPASS,  /* below it */
    SOS_HIGHPASS  /* above it */
};

/* A filter. */
struct sos {
    size_t n_sections;                /* ceil(order / 2) */
    double b[SOS_MAX_SECTIONS][3];    /* numerators */
    double a[SOS_MAX_SECTIONS][2];    /* denominators behind the leading 1 */
};

/*
 * Designs a Butterworth filter by the bilinear transform.
 *
 * order: 1 to 2 * SOS_MAX_SECTIONS
 * cutoff_hz: -3 dB in one pass, -6 dB in two; over 0, below rate_hz / 2
 * rate_hz: sampling rate
 * Returns 0; -1 with ERR_USAGE for other numbers.
 * Source: Butterworth 1930; Oppenheim & Schafer, bilinear transform.
 */
int sos_butter(struct sos *f, enum sos_kind kind, int order,
               double cutoff_hz, double rate_hz, struct err *err) NODISCARD;

/*
 * Samples by which sos_filtfilt() extends either side unless told otherwise,
 * as scipy: 3 * (2 * sections + 1, less 1 for an odd order).
 */
size_t sos_padlen(const struct sos *f);

/*
 * Samples of extension for a signal of n samples: sos_padlen(), or, if wide,
 * two periods of the cutoff where the signal is long enough for them.
 */
size_t sos_pad(const struct sos *f, double cutoff_hz, double rate_hz,
               size_t n, bool wide);

/*
 * Filters forward and backward.
 *
 * x:    (n) samples; out: (n), may be x
 * pad:  samples of odd extension on either side
 * work: (n + 2 * pad) scratch
 * Returns 0; -1 with ERR_DATA if n is not over pad.
 * Source: Gustafsson 1996 for the problem; initial states are those of a
 * step response, as in scipy's sosfilt_zi.
 */
int sos_filtfilt(const struct sos *f, const double *x, size_t n, size_t pad,
                 double *work, double *out, struct err *err) NODISCARD;

#endif
