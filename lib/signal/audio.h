/*
 * audio - the bytes of a sound file to one mono signal.
 */
#ifndef SIGNAL_AUDIO_H
#define SIGNAL_AUDIO_H

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
 * Decodes a sound file and takes one channel or the mean of all.
 *
 * bytes: n_bytes of wav, flac, ogg, mp3, ... (whatever libsndfile knows)
 * name:  for messages
 * A mono file has one channel whatever `channels` says. Samples are not
 * clipped: mp3 may decode beyond 1.
 * Returns 0; -1 with ERR_DATA for bytes that are no sound file, are damaged
 * or cut off as far as the format shows it, hold no samples, or hold NaN or
 * an infinity.
 */
int audio_decode(struct audio *a, const void *bytes, size_t n_bytes,
                 enum config_channels channels, const char *name,
                 struct err *err) NODISCARD;

/* Divides by the largest magnitude; silence stays silence. */
void audio_normalize(struct audio *a);

/* Frees it; {0} is fine. */
void audio_release(struct audio *a);

#endif
