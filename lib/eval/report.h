/*
 * report - scores of a model and of the baselines beside it, as JSON and as
 * a table.
 *
 * Every metric is computed per recording, then summarised over recordings.
 */
#ifndef EVAL_REPORT_H
#define EVAL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "eval/baseline.h"
#include "eval/bootstrap.h"
#include "eval/metric.h"
#include "eval/permutation.h"

/* A way to cut recordings into groups. */
enum report_by { REPORT_SUBJECT, REPORT_SONG, REPORT_DATASET, REPORT_N_BY };

/* Groups of recordings. */
struct report_groups {
    size_t *group; /* (n_recordings) group of each, owned */
    char **names;  /* n names in the order of bytes, owned; a subject's is
                      "dataset/subject" where there are several datasets */
    size_t n;      /* groups */
};

/* What a model is compared with; borrowed. */
struct report_other {
    const char *name;          /* what the report calls it */
    const struct infer *infer; /* its predictions for the same recordings */
};

/* Rows of scores; baseline b is row 1 + b. */
enum report_row {
    REPORT_MODEL,                  /* the model */
    REPORT_OTHER = 1 + BASELINE_N, /* what it is compared with */
    REPORT_N_ROWS                  /* how many there are */
};

/* Scores; {0} is none. */
struct report {
    const struct pairs *pairs;         /* the recordings, borrowed */
    const char *model;                 /* what the checkpoint is called */
    const char *other;                 /* the other model; NULL: none */
    double *values[REPORT_N_ROWS];     /* (n_recordings, METRIC_N), owned;
                                          NaN where undefined */
    bool has[REPORT_N_ROWS];           /* the row says anything at all */
    struct permutation permutation;    /* the model against other songs */
    struct report_groups by[REPORT_N_BY]; /* groups */
    struct bootstrap bootstrap;        /* intervals over subjects and songs */
    size_t *nobody;                    /* (n_recordings) zeros: one group for
                                          all, owned */
    struct bootstrap songs;            /* intervals over songs alone */
};

/*
 * Scores the model and every baseline that has something to say.
 *
 * s:     recordings, predictions, curve; s->pairs borrowed until release
 * model: what the report calls the checkpoint; borrowed until release
 * other: a second model; NULL: none
 * seed:  of bootstrap and permutations; n_threads: recordings are scored in
 *        parallel
 */
int report_init(struct report *r, const struct baseline_source *s,
                const char *model, const struct report_other *other,
                uint64_t seed, int n_threads, struct err *err) NODISCARD;

/* One metric over recordings. */
struct report_summary {
    struct metric_summary of; /* mean and so on */
    double lo, hi;            /* 95 % interval of the mean, over subjects and
                                 songs; NaN: none */
    double song_lo, song_hi;  /* the same over songs alone */
};

/*
 * Summarises one metric of one row.
 *
 * g: ways to group, NULL: all recordings; which: the group
 * Intervals are those of all recordings; groups are too small for them.
 */
int report_summarise(const struct report *r, size_t row, enum metric m,
                     const struct report_groups *g, size_t which,
                     struct report_summary *s, struct err *err) NODISCARD;

/* The model less another row in one metric, over the recordings of both. */
struct report_difference {
    double mean;   /* NaN: no recording has both */
    double lo, hi; /* 95 % interval of the mean; NaN: none */
    size_t n;      /* recordings where both are defined */
};

/* Compares the model with a row, recording by recording. */
int report_difference(const struct report *r, size_t row, enum metric m,
                      struct report_difference *out,
                      struct err *err) NODISCARD;

/*
 * Whether the model fails to beat a baseline.
 *
 * m: (result) what was judged by: pearson, or mse where the baseline or the
 *    model has no r anywhere
 * d: (result) the difference
 * *unbeaten is set if the mean difference is not to the good, or its interval
 * holds 0. Never of other_listeners, which is a ceiling rather than a floor,
 * nor of a baseline that says nothing.
 */
int report_unbeaten(const struct report *r, enum baseline b, bool *unbeaten,
                    enum metric *m, struct report_difference *d,
                    struct err *err) NODISCARD;

/* Appends a TSV of the model's metrics: a header, a line a recording. */
int report_put_recordings(const struct report *r, struct buf *out,
                          struct err *err) NODISCARD;

/* Appends the one JSON object of a2b-eval(1). */
int report_put_json(const struct report *r, struct buf *out,
                    struct err *err) NODISCARD;

/* Appends the table for people. */
int report_put_table(const struct report *r, struct buf *out,
                     struct err *err) NODISCARD;

/*
 * Recordings ordered by the model's r, best first, undefined last.
 *
 * order: (n_recordings) indices of recordings
 */
int report_rank(const struct report *r, size_t *order,
                struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void report_release(struct report *r);

#endif
