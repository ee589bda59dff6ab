/*
 * mfcc - one mono signal to mel-frequency cepstral coefficients, and one
 * sound file to one mfcc frame.
 */
#ifndef SIGNAL_MFCC_H
#define SIGNAL_MFCC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "core/frame.h"
#include "signal/resample.h"

/* Where frames lie in time: frame k is at t0_s + k * rate_den / rate_num. */
struct mfcc_grid {
    int64_t rate_num; /* sampling rate over hop, reduced: frames a second */
    int64_t rate_den; /* its denominator */
    double t0_s;      /* frame 0: 0 when centred, else half a frame */
};

/* The grid of signals of one sampling rate. conf: settled features. */
void mfcc_grid(const struct config_features *conf, uint32_t rate_hz,
               struct mfcc_grid *grid);

/* An MFCC engine for one sampling rate; buffers are reused. */
struct mfcc;

/* How frames are computed. All but the first give the same bits. */
enum mfcc_path {
    MFCC_FFTW,   /* one by one: lengths of transform that no other has */
    MFCC_PLAIN,  /* many at once, on any processor */
    MFCC_AVX2,   /* with its registers */
    MFCC_AVX512, /* with its registers */
};

/*
 * Sets up window, FFT plan, mel filters and DCT.
 *
 * conf:    settled features; borrowed until release
 * rate_hz: sampling rate of the signals
 * Returns NULL with err set: ERR_USAGE for settings that cannot work.
 */
struct mfcc *mfcc_open(const struct config_features *conf, uint32_t rate_hz,
                       struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void mfcc_close(struct mfcc *m);

/*
 * Takes another path than the best one, for tests and comparisons.
 * Returns 0; -1 with ERR_USAGE if the transform or the processor has no such
 * path, ERR_FAILED if memory is short.
 */
int mfcc_force(struct mfcc *m, enum mfcc_path path, struct err *err) NODISCARD;

/*
 * Mel filters that cover no bin of the spectrum and so are constant.
 *
 * index: (result) their numbers from 0, owned by m
 * Returns how many there are.
 */
size_t mfcc_empty_filters(const struct mfcc *m, const size_t **index);

/* Values a frame: audio_n_mfcc, and as many for each order of deltas. */
size_t mfcc_n_values(const struct mfcc *m);

/* Frames of a signal of n samples; 0 if it is too short. */
size_t mfcc_n_frames(const struct mfcc *m, size_t n);

/*
 * Which samples frames take: frame k has its window over `window` samples
 * from k hop - pad + offset on.
 */
struct mfcc_frames {
    size_t hop;    /* H: samples from frame to frame */
    size_t pad;    /* P: samples that frame 0 reaches before the signal */
    size_t frame;  /* F: samples a frame takes */
    size_t window; /* W: of them under the window */
    size_t offset; /* where in the frame the window begins */
    size_t shortest; /* samples of the shortest signal that has a frame */
};

/* The frames of m. */
void mfcc_frames(const struct mfcc *m, struct mfcc_frames *frames);

/*
 * MFCCs of one mono signal.
 *
 * x:   (n) samples in [-1, 1]
 * out: (T, D), T = mfcc_n_frames(m, n), D = mfcc_n_values(m); owned by m
 *      until the next call
 * Returns 0; -1 with ERR_DATA if x is too short, has NaN or infinities,
 * or samples of more than 1e10.
 * Source: Davis & Mermelstein 1980; definitions in a2b-mfcc(1).
 */
int mfcc_signal(struct mfcc *m, const float *x, size_t n, const float **out,
                struct err *err) NODISCARD;

/* A converter from sound file bytes to mfcc frames; keeps engines by rate. */
struct mfcc_converter {
    const struct config_features *conf; /* settled; borrowed */
    struct config_features effective;   /* conf with the rate filled in */
    struct mfcc *engine;                /* for engine_rate, or NULL */
    uint32_t engine_rate;               /* Hz */
    struct resample *resample;          /* from resample_rate, or NULL */
    uint32_t resample_rate;             /* Hz */
    const char *name;                   /* of this file, borrowed */
    uint32_t file_rate;                 /* Hz of this file, 0: not yet known */
    float peak;                         /* of this file so far */
};

/* Sets one up. */
void mfcc_converter_init(struct mfcc_converter *c,
                         const struct config_features *conf);

/*
 * Decodes, mixes, normalises, resamples and transforms one sound file.
 *
 * bytes: n bytes of mp3, wav, flac, ogg, ...; name: for messages
 * out:   gets tensor mfcc (T, D) (owned by the converter until the next
 *        call) and metadata rate_num, rate_den, t0_s and every effective
 *        setting; the caller sets key, dataset and song
 * Returns 0; -1 with ERR_DATA.
 */
int mfcc_convert(struct mfcc_converter *c, const void *bytes, size_t n,
                 const char *name, struct frame *out,
                 struct err *err) NODISCARD;

/*
 * Makes the tensor of the frame that mfcc_convert() filled last the caller's,
 * who frees it; the frame then borrows it from the caller.
 */
float *mfcc_converter_take(struct mfcc_converter *c, struct frame *out);

/* Frees it; {0} is fine. */
void mfcc_converter_release(struct mfcc_converter *c);

#endif
