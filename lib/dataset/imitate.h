/*
 * imitate - the files of a planted dataset in the layout of a known one:
 * names, recordings and tables.
 */
#ifndef DATASET_IMITATE_H
#define DATASET_IMITATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/config.h"
#include "dataset/newdir.h"

/* One play of a song: a recording. */
struct imitate_play {
    uint32_t subject;        /* number of the listener in the pool */
    uint32_t song_no;        /* which one of the listener's plays, from 0 */
    size_t n;                /* samples of skin conductance */
    double valence, arousal; /* ratings, -10 to 10 */
    double optimum; /* correlation that a perfect model reaches, or NAN */
};

/* One song. */
struct imitate_song {
    char *id;     /* song's id; owned */
    char *title;  /* for the metadata; owned */
    size_t at_s;  /* where in its piece it begins, whole seconds */
    size_t n_eda; /* length in samples at PLANTED_EDA_HZ */
    struct imitate_play *plays; /* n_plays; borrowed from the list of all */
    size_t n_plays;             /* recordings of it */
};

/* What is written, and where. */
struct imitate {
    enum dataset_kind kind; /* DATASET_PMEMO2019 or DATASET_HKU956 */
    const char *links;      /* what hku956's links begin with, NULL: relative;
                               borrowed */
    struct newdir dir;      /* where; owned by the caller */
    struct imitate_song *songs; /* n_songs; borrowed */
    size_t n_songs;             /* how many */
};

/* Sampling rate of the recordings, Hz. */
uint32_t imitate_eda_hz(enum dataset_kind kind);

/* Makes the folders that do not depend on who listens. */
int imitate_begin(const struct imitate *m, struct err *err) NODISCARD;

/* Writes a song's sound file, n bytes of WAV. */
int imitate_audio(const struct imitate *m, const char *id, const void *wav,
                  size_t n, struct err *err) NODISCARD;

/* Makes the folders of all who have a play, where the layout has some. */
int imitate_listeners(const struct imitate *m, struct err *err) NODISCARD;

/*
 * Writes the recordings of a song.
 *
 * eda: (n_plays, stride) in 1/PLANTED_EDA_SCALE uS
 */
int imitate_eda(const struct imitate *m, const struct imitate_song *song,
                const int32_t *eda, size_t stride, struct err *err) NODISCARD;

/* Writes the tables of the dataset. */
int imitate_tables(const struct imitate *m, struct err *err) NODISCARD;

/* Appends the id of a recording, as a2b-index names it. */
void imitate_put_id(const struct imitate *m, const struct imitate_song *song,
                    const struct imitate_play *play, struct buf *out);

#endif
