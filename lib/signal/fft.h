/*
 * fft - the power spectrum of a real frame, by FFTW in single precision.
 */
#ifndef SIGNAL_FFT_H
#define SIGNAL_FFT_H

#include <stddef.h>

#include "base/err.h"

/* A transform of one length, with its buffers; one thread at a time. */
struct fft;

/*
 * A real transform of n >= 2 samples.
 *
 * Plans are made by estimate, without timing anything: the same machine
 * gives the same bits on every run, and measured plans are no faster here.
 * Safe to call from several threads. Returns NULL with err set when memory
 * is short. Caller closes.
 */
struct fft *fft_open(size_t n, struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void fft_close(struct fft *f);

/* Where the caller puts the n samples of the next transform. */
float *fft_input(struct fft *f);

/*
 * |X_b|^2 of the input's discrete Fourier transform, b = 0..n/2.
 *
 * power: (n / 2 + 1)
 */
void fft_power(struct fft *f, float *power);

#endif
