/*
 * mfccframe - one sound file to one mfcc frame.
 */
#ifndef SIGNAL_MFCCFRAME_H
#define SIGNAL_MFCCFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "core/frame.h"
#include "signal/mfcc.h"
#include "signal/resample.h"

/* Most channels that are analysed side by side. */
#define MFCCFRAME_MOST 2

/* One channel on its way to coefficients. */
struct mfccframe_channel {
    struct mfcc *engine;       /* for the converter's engine_rate, or NULL */
    struct resample *resample; /* from its resample_rate, or NULL */
    float *held;               /* (n_held) samples that wait for the peak */
    size_t n_held;             /* samples held */
    size_t held_cap;           /* room in held */
};

/* A converter from sound file bytes to mfcc frames; keeps engines by rate. */
struct mfccframe {
    const struct config_features *conf; /* settled; borrowed */
    struct config_features effective;   /* conf with the rate filled in */
    struct mfccframe_channel channels[MFCCFRAME_MOST]; /* some in use */
    size_t n_channels;                  /* in use: 2 for each, else 1 */
    uint32_t engine_rate;               /* Hz */
    uint32_t resample_rate;             /* Hz */
    const char *name;                   /* of this file, borrowed */
    uint32_t file_rate;                 /* Hz of this file, 0: not yet known */
    bool holds;                         /* samples wait for the peak */
    float peak;                         /* of this file so far */
    float *both;                        /* (T, 2 D) of two channels, owned */
    size_t both_cap;                    /* room in both */
};

/* Sets one up. */
void mfccframe_init(struct mfccframe *c,
                         const struct config_features *conf);

/*
 * Decodes, mixes, normalises, resamples and transforms one sound file, all of
 * it piece by piece.
 *
 * bytes: n bytes of mp3, wav, flac, ogg, ...; name: for messages
 * out:   gets tensor mfcc (T, D), (T, 2 D) for audio_channels each (owned by
 *        the converter until the next call) and metadata rate_num, rate_den,
 *        t0_s and every effective setting; the caller sets key, dataset and
 *        song
 * Returns 0; -1 with ERR_DATA.
 */
int mfccframe_convert(struct mfccframe *c, const void *bytes, size_t n,
                      const char *name, struct frame *out,
                      struct err *err) NODISCARD;

/*
 * Makes the tensor of the frame that mfccframe_convert() filled last the
 * caller's, who frees it; the frame then borrows it from the caller.
 */
float *mfccframe_take(struct mfccframe *c, struct frame *out);

/* Frees it; {0} is fine. */
void mfccframe_release(struct mfccframe *c);

#endif
