/*
 * bootstrap - intervals for a mean over recordings that share subjects and
 * songs.
 *
 * Subjects and songs are resampled independently, and a recording weighs the
 * product of how often its subject and its song were drawn: recordings of one
 * listener or one song are alike, and an interval that resamples recordings
 * alone is far too narrow.
 * Source: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007.
 */
#ifndef EVAL_BOOTSTRAP_H
#define EVAL_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Draws of one interval. */
#define BOOTSTRAP_DRAWS 2000

/* Weights of all recordings in all draws; {0} is none. */
struct bootstrap {
    size_t n;        /* recordings */
    size_t n_draws;  /* BOOTSTRAP_DRAWS; 0 for one subject and one song */
    uint16_t *times; /* (n_draws, n_subjects + n_songs) drawn, owned */
    size_t n_subjects;     /* groups */
    size_t n_songs;        /* groups */
    const size_t *subject; /* (n) group of each recording, borrowed */
    const size_t *song;    /* (n) group of each recording, borrowed */
};

/*
 * Draws the weights.
 *
 * subject, song: (n) group of each recording, in [0, n_subjects) and
 *                [0, n_songs); borrowed until release
 */
int bootstrap_init(struct bootstrap *b, const size_t *subject,
                   size_t n_subjects, const size_t *song, size_t n_songs,
                   size_t n, uint64_t seed, struct err *err) NODISCARD;

/*
 * The 95 % interval of the mean of the defined among n values.
 *
 * values: value i is values[i * stride]
 * lo, hi: quantiles 0.025 and 0.975 over the draws that drew a defined value;
 *         NaN when there is no interval: one subject and one song, or
 *         nothing defined
 */
int bootstrap_interval(const struct bootstrap *b, const double *values,
                       size_t stride, double *lo, double *hi,
                       struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void bootstrap_release(struct bootstrap *b);

#endif
