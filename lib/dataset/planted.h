/*
 * planted - songs, and skin conductance that follows their loudness by a
 * known formula.
 *
 * What a model could learn at best is then known: the correlation of the
 * noiseless response with the signal that was written. planted.c lays the
 * formulas out; every number is a function of seed and position.
 */
#ifndef DATASET_PLANTED_H
#define DATASET_PLANTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Samples a second of drivers and responses. */
#define PLANTED_EDA_HZ 50
/* Written values are whole multiples of 1/PLANTED_EDA_SCALE uS. */
#define PLANTED_EDA_SCALE 10000
/* Largest sample of a song, of 1. */
#define PLANTED_PEAK 0.99
/* Seconds from a loudness to the begin of its response. */
#define PLANTED_DELAY_S 1

/* What random numbers are drawn for: the first half of their position. */
enum planted_draw {
    PLANTED_DRAW_LENGTH = 1, /* duration of a song */
    PLANTED_DRAW_LEVEL,      /* level curve of a song */
    PLANTED_DRAW_NOTES,      /* its notes */
    PLANTED_DRAW_HISS,       /* its white noise */
    PLANTED_DRAW_LISTENERS,  /* who hears a song */
    PLANTED_DRAW_SUBJECT,    /* gain and tonic level of a subject */
    PLANTED_DRAW_RECORDING,  /* drift and sensor noise of a recording */
    PLANTED_DRAW_PLAYS       /* lengths, repeats and ratings of plays */
};

/*
 * One synthetic song.
 *
 * seed, song: position of its random numbers
 * rate_hz:    sampling rate
 * n_before:   samples of a history that fades in from silence; 0 for none
 * n:          samples of the song, at least 1
 * x:          (n_before + n) gets the samples, not yet scaled
 * Returns 0; -1 with err set when memory is short.
 */
int planted_song(uint64_t seed, uint32_t song, uint32_t rate_hz,
                 size_t n_before, size_t n, float *x,
                 struct err *err) NODISCARD;

/*
 * Scales a song to PLANTED_PEAK and rounds it to 16 bits.
 *
 * x, pcm: (n_before + n); the peak is that of the last n, the history before
 *         them gets the same gain and is clipped
 * Silence stays silence.
 */
void planted_quantise(const float *x, size_t n_before, size_t n, int16_t *pcm);

/*
 * Level in dB of full scale at times i / PLANTED_EDA_HZ.
 *
 * pcm:   (n) samples at rate_hz
 * level: (n_out) gets 10 log10 of the mean power over the 250 ms around each
 *        time, the part inside the signal; -120 for silence
 * Returns 0; -1 with err set when memory is short.
 */
int planted_level(const int16_t *pcm, size_t n, uint32_t rate_hz, double *level,
                  size_t n_out, struct err *err) NODISCARD;

/* The driver of levels: clip((L + 45) / 33, 0, 1) squared; (n) in place. */
void planted_driver(double *level, size_t n);

/*
 * Phasic response to a driver, for gain 1: (d * h)(t - PLANTED_DELAY_S).
 *
 * d, p: (n) at PLANTED_EDA_HZ, different arrays; d is 0 before its begin
 * Source: Bateman function as in Ledalab (Benedek & Kaernbach 2010).
 */
void planted_response(const double *d, size_t n, double *p);

/* What makes one recording differ from another of the same song. */
struct planted_recording {
    uint64_t seed;      /* of the dataset */
    uint32_t subject;   /* number of the subject */
    uint32_t recording; /* number of the recording */
    uint32_t rate_hz;   /* samples of skin conductance a second */
    double tonic_sd;    /* uS, of the slow drift */
    double noise_sd;    /* uS, of the sensor noise */
};

/*
 * The signal of one recording: gain x response + tonic + sensor noise.
 *
 * p:   (n) response for gain 1, at rate_hz
 * eda: (n) gets the signal in 1/PLANTED_EDA_SCALE uS
 */
void planted_eda(const struct planted_recording *r, const double *p, size_t n,
                 int32_t *eda);

/* Pearson correlation of response and signal; NAN if either is constant. */
double planted_optimum(const double *p, const int32_t *eda, size_t n);

#endif
