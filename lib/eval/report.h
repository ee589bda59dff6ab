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

/* A way to cut recordings into groups. */
enum report_by { REPORT_SUBJECT, REPORT_SONG, REPORT_DATASET, REPORT_N_BY };

/* Groups of recordings. */
struct report_groups {
    size_t *group; /* (n_recordings) group of each, owned */
    char **names;  /* n names in the order of bytes, owned; a subject's is
                      "dataset/subject" where there are several datasets */
    size_t n;      /* groups */
};

/* Scores; {0} is none. Row 0 is the model, row 1 + b is baseline b. */
struct report {
    const struct pairs *pairs;         /* the recordings, borrowed */
    const char *model;                 /* what the checkpoint is called */
    double *values[1 + BASELINE_N];    /* (n_recordings, METRIC_N), owned;
                                          NaN where undefined */
    bool has[1 + BASELINE_N];          /* the row says anything at all */
    struct report_groups by[REPORT_N_BY]; /* groups */
    struct bootstrap bootstrap;        /* intervals over subjects and songs */
};

/*
 * Scores the model and every baseline that has something to say.
 *
 * s:     recordings, predictions, curve; s->pairs borrowed until release
 * model: what the report calls the checkpoint; borrowed until release
 * seed:  of the bootstrap; n_threads: recordings are scored in parallel
 */
int report_init(struct report *r, const struct baseline_source *s,
                const char *model, uint64_t seed, int n_threads,
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
