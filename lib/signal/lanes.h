/*
 * lanes - log mel energies and cepstra of LANES_N frames at once, a frame a
 * vector lane.
 */
#ifndef SIGNAL_LANES_H
#define SIGNAL_LANES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/config.h"
#include "signal/mel.h"

/* Frames of a block. */
#define LANES_N 16

/* Which build of the loops runs. The bits of the result are the same. */
enum lanes_path {
    LANES_PLAIN,  /* 4 floats a vector, any processor */
    LANES_AVX2,   /* 8 */
    LANES_AVX512, /* 16 */
};

/* What an engine is made from; the pointers are borrowed until close. */
struct lanes_setup {
    const struct config_features *conf; /* settled */
    size_t win_len;          /* W: samples of a frame */
    size_t n_fft;            /* N: length of the transform */
    size_t n_ceps;           /* C: coefficients */
    float scale;             /* factor on samples */
    const float *window;     /* (W) */
    const struct mel *mel;   /* M filters */
    const double *dct;       /* (M, C), lifter included */
};

/* An engine with its buffers; one thread at a time. */
struct lanes;

/* The widest path that this processor runs. */
enum lanes_path lanes_best_path(void);

/*
 * Whether a transform of n_fft can be done: n_fft / 2 = 2^a 5^b with a >= 2,
 * and n_fft <= 4096. 400, 512, 1024 and 2048 are.
 */
bool lanes_fits(size_t n_fft);

/* Sets up. lanes_fits(n_fft). NULL with err set if memory is short. */
struct lanes *lanes_open(const struct lanes_setup *setup, enum lanes_path path,
                         struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void lanes_close(struct lanes *l);

/*
 * Logarithms of the mel energies of a block.
 *
 * frame:  LANES_N pointers to W samples each
 * amin:   what energies are raised to, or what is added; a normal number
 * logs:   (M, LANES_N) result
 * energy: (LANES_N) log energies, written if audio_use_energy
 * Returns the largest of logs.
 */
float lanes_logs(struct lanes *l, const float *const *frame, float amin,
                 float *logs, float *energy);

/*
 * Coefficients of a block.
 *
 * logs: (M, LANES_N); values under low count as low, then more is added
 * Returns (LANES_N, C), owned by l until the next call.
 */
const float *lanes_cepstra(struct lanes *l, const float *logs, float low,
                           float more);

/* Values of a block that are packed: LANES_N of n filters, and up to 64. */
#define LANES_PACKED(n_mels) (LANES_N * (((n_mels) + 3) / 4 * 4))

/*
 * Packs values into 24 bits each, evenly spaced from just below `low` to low +
 * range; what lies below counts as its beginning. Values come back within
 * 2^-24 of the range, and as they were where floats are no finer than that.
 *
 * x: (n), n a LANES_PACKED(), none above low + range but by rounding
 * out: (3 n / 4) words, to be unpacked by the same path
 */
void lanes_pack(enum lanes_path path, const float *x, size_t n, float low,
                float range, float *out);

/* The values again, to x (n): the same ones on every path. */
void lanes_unpack(enum lanes_path path, const float *packed, size_t n,
                  float low, float range, float *x);

#endif
