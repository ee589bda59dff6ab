/*
 * mel - a bank of triangular filters on the mel scale.
 */
#ifndef SIGNAL_MEL_H
#define SIGNAL_MEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* A bank; {0} is empty. Only weights that are not zero are kept. */
struct mel {
    size_t n_filters; /* audio_n_mels */
    size_t *first;    /* (n_filters) lowest bin of a filter, owned */
    size_t *n_bins;   /* (n_filters) bins of a filter, 0: empty, owned */
    size_t *at;       /* (n_filters) its first weight, owned */
    float *weight;    /* all weights in a row, owned */
    size_t cap;       /* room in weight */
};

/*
 * Builds a bank for spectra of n_fft / 2 + 1 bins.
 *
 * HTK: 2595 log10(1 + f/700); Slaney: linear below 1 kHz, logarithmic above;
 * both have triangles that are linear in Hz. Kaldi: 1127 ln(1 + f/700),
 * triangles linear in mel, the Nyquist bin left out.
 * Returns 0; -1 with ERR_USAGE for limits that are no frequency band.
 * Source: torchaudio, librosa, kaldi (see a2b-mfcc(1)).
 */
int mel_init(struct mel *m, const struct config_features *conf, size_t n_fft,
             uint32_t rate_hz, struct err *err) NODISCARD;

/* Filter sums of one spectrum. power: (n_fft / 2 + 1); out: (n_filters). */
void mel_apply(const struct mel *m, const float *power, float *out);

/* Frees it; {0} is fine. */
void mel_release(struct mel *m);

#endif
