/*
 * valset - the recordings a run is validated on, and their scores.
 *
 * Pairs come from feature frames by the rules of batch/pairs.h. Each song is
 * computed once for all its recordings of one span, every recording counts
 * once, and sums are taken in the order of recordings, so the numbers do not
 * depend on threads or processes.
 */
#ifndef TRAIN_VALSET_H
#define TRAIN_VALSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "batch/pairs.h"
#include "core/config.h"
#include "eval/metric.h"
#include "nn/loss.h"
#include "train/comm.h"
#include "train/intake.h"
#include "train/stop.h"
#include "train/team.h"

/* What is validated on; {0} is nothing. */
struct valset {
    struct pairs pairs; /* recordings and songs */
    size_t *order;      /* (n_recordings) by song and span, owned */
    double *table;      /* (n_recordings, 1 + METRIC_N) loss share and
                           metrics, in the order of `order`, owned */
};

/* What one validation found. */
struct valset_score {
    double loss;              /* of all recordings as one batch */
    double metrics[METRIC_N]; /* mean over the recordings where defined */
};

/*
 * Reads n feature streams: rank 0 does, for all processes.
 *
 * spool: folder of the unnamed temporary file; NULL: /var/tmp
 * bad:   decides over a recording without its song or a valid frame, as
 *        pairs_join() says
 */
int valset_load(struct valset *v, struct comm *comm, const char *const *paths,
                size_t n, const char *spool,
                int (*bad)(void *ctx, const struct err *why), void *ctx,
                struct err *err) NODISCARD;

/* Checks that features and frame times are those of the training data. */
int valset_check(const struct valset *v, const struct intake_plan *plan,
                 struct err *err) NODISCARD;

/* How a validation is done. */
struct valset_run {
    struct team *team;              /* with the model */
    struct comm *comm;              /* processes */
    const struct config_loss *loss; /* its terms */
    const bool *want;               /* (METRIC_N) metrics */
    size_t limit;                   /* first recordings; 0: all of them */
    const struct stop *stop;        /* asked before every song */
};

/*
 * Scores the model. Returns 0; 1 if stopped, then *out is not set; -1 with
 * err set.
 */
int valset_score(struct valset *v, const struct valset_run *how,
                 struct valset_score *out, struct err *err) NODISCARD;

/* Frees everything; {0} is fine. */
void valset_release(struct valset *v);

#endif
