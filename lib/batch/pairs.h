/*
 * pairs - feature streams joined into recordings: which song's frames go
 * with which subject's signal, over which span.
 *
 * Reads mfcc and eda frames in any order from any number of streams, keeps
 * them in an unlinked spool file, checks that all share rate, origin,
 * coefficients and feature settings, joins by (dataset, song), and cuts to
 * the common span [0, min(T, N)). Rows come sorted by bytes of their keys,
 * so the order of reading cannot matter. a2b-batch, a2b-train --val and
 * a2b-eval all pair with this.
 */
#ifndef BATCH_PAIRS_H
#define BATCH_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/frame.h"

/* One song's features. */
struct pairs_song {
    char *key;         /* "dataset/song", owned */
    char *dataset;     /* owned */
    char *song;        /* owned */
    size_t T;          /* frames */
    const float *mfcc; /* (T, C), borrowed from pairs */
    uint64_t digest;   /* of its frame */
    bool used;         /* some recording pairs with it */
};

/* One recording with its song. */
struct pairs_recording {
    char *key;            /* recording id, owned */
    char *dataset;        /* owned */
    char *subject;        /* owned; "" if unknown */
    char *song_name;      /* owned */
    char *split;          /* owned; "" if unknown */
    char *unit;           /* of the signal before normalisation, owned */
    char *normalisation;  /* "recording", "none", ... owned */
    double mean, std;     /* of the normalisation: value*std + mean is unit */
    size_t N;             /* frames of the signal */
    size_t T;             /* span: min(song's T, N) */
    const float *eda;     /* (N), borrowed from pairs */
    const uint8_t *valid; /* (N), borrowed from pairs */
    uint64_t digest;      /* of its frame */
    size_t song;          /* index into songs */
};

struct pairs_store; /* spool and indices */

/* Everything that was read, joined. */
struct pairs {
    struct pairs_song *songs;           /* n_songs, by key */
    size_t n_songs; /* how many */
    struct pairs_recording *recordings; /* n_recordings, by key */
    size_t n_recordings; /* how many */
    size_t C;              /* coefficients */
    uint64_t rate_num;     /* frames a second = rate_num / rate_den */
    uint64_t rate_den; /* see rate_num */
    double t0_s;           /* time of frame 0 */
    char *features;        /* JSON object of all effective settings, owned */
    size_t n_unheard;      /* songs without recordings, dropped */
    size_t n_skewed;       /* pairs whose ends differ by over max_skew_s */
    const char *spool_dir; /* folder of the spool, borrowed, set between
                              pairs_init() and the first pairs_add(); NULL:
                              /var/tmp */
    struct pairs_store *store; /* owned */
};

/* Starts empty. */
int pairs_init(struct pairs *p, struct err *err) NODISCARD;

/*
 * Takes one frame of a stream: mfcc and eda frames are kept, predictions
 * and others ignored, byte frames remembered (an audio frame without its
 * mfcc frame is ERR_DATA at pairs_join, naming the missing stage).
 * Equal duplicates count once. where: input name for messages.
 */
int pairs_add(struct pairs *p, const struct frame *f, const char *where,
              struct err *err) NODISCARD;

/*
 * Takes every frame of one stream file ("-": standard input) to its end.
 */
int pairs_read(struct pairs *p, const char *path, struct err *err) NODISCARD;

/*
 * Joins. A recording without its song, without a valid frame in its span, is
 * handed to bad() (NULL: it is an error), which returns 0 to leave it out or
 * -1 to stop. max_skew_s: see n_skewed.
 * Returns 0; -1 with ERR_DATA, also when no recording is left.
 */
int pairs_join(struct pairs *p, double max_skew_s,
               int (*bad)(void *ctx, const struct err *why), void *ctx,
               struct err *err) NODISCARD;

/*
 * Checks that these features equal those of another source (a dataset
 * frame, a checkpoint). ERR_DATA naming the first setting that differs.
 */
int pairs_check_features(const struct pairs *p, const char *features,
                         uint64_t rate_num, uint64_t rate_den, double t0_s,
                         const char *other, struct err *err) NODISCARD;

/*
 * Indices of all recordings ordered by song, then span, then index, so that
 * those which share a row of x stand together.
 * order: (n_recordings), filled. Returns 0; -1 when memory is short.
 */
int pairs_by_song(const struct pairs *p, size_t *order,
                  struct err *err) NODISCARD;

/* Whether place i of that order begins another song or span. */
bool pairs_leads(const struct pairs *p, const size_t *order, size_t i);

/* How many songs and listeners of p are in `other` too: leakage. */
void pairs_shared(const struct pairs *p, const struct pairs *other,
                  size_t *n_songs, size_t *n_subjects);

/* Frees everything; {0} is fine. */
void pairs_release(struct pairs *p);

#endif
