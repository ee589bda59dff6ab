/*
 * synth - a dataset with a planted audio-to-EDA relation, in the layout of
 * PMEmo2019 or HKU956, with its known optimum.
 */
#ifndef DATASET_SYNTH_H
#define DATASET_SYNTH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* What to make. */
struct synth_conf {
    enum dataset_kind layout; /* DATASET_PMEMO2019 or DATASET_HKU956 */
    const char *links;     /* what links begin with; NULL: relative ones */
    uint64_t seed;         /* of all random numbers */
    size_t n_songs;        /* own songs */
    size_t n_subjects;     /* listeners of each song */
    size_t n_pool;         /* subjects altogether; 0: 5 x n_subjects */
    double min_s, max_s;   /* shortest and longest own song */
    uint32_t rate_hz;      /* sampling rate of own songs */
    double tonic_sd;       /* uS, drift: makes the task harder */
    double noise_sd;       /* uS, sensor noise */
    bool null_mode;        /* the EDA follows another song: nothing to learn */
    uint32_t preroll_s;    /* history before a song that the EDA has heard */
    const char *songs_dir; /* real songs to cut into clips, NULL: own songs */
    double clip_s;         /* length of a clip */
    uint64_t keep_going;   /* sound files that may be unreadable */
    int n_jobs;            /* threads, at least 1 */
    const volatile sig_atomic_t *stop; /* not 0: give up; NULL: never */
};

/* The defaults. */
#define SYNTH_CONF_INIT \
    { \
        .layout = DATASET_PMEMO2019, .seed = 42, .n_songs = 60, \
        .n_subjects = 4, .min_s = 30, .max_s = 45, \
        .rate_hz = 16000, .tonic_sd = 0.15, .noise_sd = 0.02, .clip_s = 30, \
        .n_jobs = 1 \
    }

/* What was made. {0} is empty. */
struct synth_result {
    size_t n_songs;      /* songs or clips */
    size_t n_recordings; /* recordings */
    size_t n_short;      /* pieces shorter than one clip, left out */
    double mean, p10;    /* of the optimum; NAN without any */
    struct err *failed;  /* n_failed pieces that could not be read; owned */
    size_t n_failed;     /* how many, also after a failure */
};

/*
 * Writes the dataset into a folder.
 *
 * folder: must be new or empty. Everything is written into a folder beside
 *         it that is renamed at the end, and removed after a failure.
 * out:    starts as {0}; caller releases, after a failure too
 * Returns 0; -1 with err set: ERR_USAGE for settings that cannot work and a
 * folder that is not empty, ERR_DATA when more pieces than keep_going could
 * not be read or none is as long as a clip, ERR_FAILED when stopped.
 */
int synth_write(const struct synth_conf *conf, const char *folder,
                struct synth_result *out, struct err *err) NODISCARD;

/* Frees the result; {0} is fine. */
void synth_result_release(struct synth_result *r);

#endif
