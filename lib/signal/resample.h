/*
 * resample - a mono signal from one sampling rate to another.
 *
 * The resampler decides what is left near Nyquist and so is part of the
 * definition of a feature: see `audio_resampler` in a2b-config(5).
 */
#ifndef SIGNAL_RESAMPLE_H
#define SIGNAL_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* Most coefficients a filter table may have: 16 MiB of them. */
#define RESAMPLE_MAX_TABLE 4194304u

/* A converter between two rates; its buffers are reused. */
struct resample;

/*
 * Sets up a conversion.
 *
 * in_hz, out_hz: 1 or more; equal ones only copy
 * Returns NULL with err set: ERR_DATA if the rates differ and the method is
 * CONFIG_RESAMPLE_NONE, or if their reduced ratio needs a table of more than
 * RESAMPLE_MAX_TABLE coefficients (soxr_hq has no table). Caller closes.
 * Source: torchaudio.transforms.Resample, both of its windows; libsoxr.
 */
struct resample *resample_open(enum config_resampler method, uint32_t in_hz,
                               uint32_t out_hz, struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void resample_close(struct resample *r);

/* From now on without instructions that not every processor has. */
void resample_plain(struct resample *r);

/* Samples that n samples become: ceil(n * out_hz / in_hz). */
size_t resample_n_out(const struct resample *r, size_t n);

/* Begins a signal; it is zero outside. */
int resample_begin(struct resample *r, struct err *err) NODISCARD;

/* Its next n samples. Where a signal is cut in pieces changes no bit. */
int resample_add(struct resample *r, const float *x, size_t n,
                 struct err *err) NODISCARD;

/*
 * Hands out what is done so far and drops it, for signals that go on: out
 * (n) is r's until the next call, the caller may change it.
 */
void resample_take(struct resample *r, float **out, size_t *n);

/*
 * Input samples that must have come behind an output's time before
 * resample_take() hands it out, at most. Ends a signal that is under way.
 * Returns 0; -1 with err set.
 */
int resample_delay(struct resample *r, double *delay,
                   struct err *err) NODISCARD;

/*
 * Ends the signal.
 *
 * out: (n_out) samples, n_out = resample_n_out() of all that came, less those
 * taken; owned by r until the next begin, the caller may change them
 * Returns 0; -1 with err set.
 */
int resample_end(struct resample *r, float **out, size_t *n_out,
                 struct err *err) NODISCARD;

#endif
