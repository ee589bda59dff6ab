/*
 * audio - the bytes of a sound file to one mono signal.
 */
#ifndef SIGNAL_AUDIO_H
#define SIGNAL_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* Most samples a file may decode to (12 hours at 48 kHz). */
#define AUDIO_MAX_SAMPLES 2147483647u

/* A mono signal; {0} is empty and its memory is reused. */
struct audio {
    float *samples;   /* (n), full scale is 1, owned */
    size_t n;         /* samples */
    size_t cap;       /* room in samples */
    uint32_t rate_hz; /* sampling rate of the file */
};

/*
 * Takes the next n samples of a mono signal.
 *
 * ctx: from audio_stream(); rate_hz: sampling rate of the file, always the
 * same. Returns 0; -1 with err set to stop the decoding.
 */
typedef int audio_sink(void *ctx, const float *x, size_t n, uint32_t rate_hz,
                       struct err *err);

/*
 * Decodes a sound file, takes one channel or the mean of all, and hands the
 * samples to sink block by block.
 *
 * bytes: n_bytes of wav, flac, ogg, mp3, ... (whatever libsndfile knows)
 * name:  for messages
 * A mono file has one channel whatever `channels` says. Samples are not
 * clipped: mp3 may decode beyond 1.
 * Returns 0; -1 with ERR_DATA for bytes that are no sound file, are damaged
 * or cut off as far as the format shows it, hold no samples, or hold NaN or
 * an infinity; or with the sink's error.
 */
int audio_stream(const void *bytes, size_t n_bytes,
                 enum config_channels channels, const char *name,
                 audio_sink *sink, void *ctx, struct err *err) NODISCARD;

/* The same into memory, whole. */
int audio_decode(struct audio *a, const void *bytes, size_t n_bytes,
                 enum config_channels channels, const char *name,
                 struct err *err) NODISCARD;

/* Whether mp3 is among what libsndfile knows here. */
bool audio_reads_mp3(void);

/*
 * One channel of n frames of C interleaved ones, or their mean.
 *
 * in: (n, C); out: (n). One channel is itself whatever `channels` says.
 */
void audio_mix(const float *in, size_t n, size_t C,
               enum config_channels channels, float *out);

/* Largest magnitude of n samples. */
float audio_peak(const float *x, size_t n);

/* Divides n samples by their peak; silence, peak 0, stays silence. */
void audio_normalize(float *x, size_t n, float peak);

/* Frees it; {0} is fine. */
void audio_release(struct audio *a);

#endif
