/*
 * step - one optimizer step over an effective batch.
 *
 * Order: count what the loss divides by over the whole effective batch,
 * forward and backward of every row, sum of the gradients in the order of
 * the tree, norm, clipping, learning rate, optimizer.
 */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "nn/model.h"
#include "nn/optim.h"
#include "nn/schedule.h"
#include "train/comm.h"
#include "train/intake.h"
#include "train/reduce.h"
#include "train/team.h"

/* What steps need; {0} may be released. */
struct step {
    const struct config *conf; /* loss, optimizer, seed; borrowed */
    const struct comm *comm;   /* processes; borrowed */
    struct model *model;       /* its weights move; borrowed */
    struct team team;          /* threads */
    struct optim optim;        /* its step counts the steps done */
    struct schedule schedule;  /* over all planned steps */
    uint64_t epoch;            /* of the step that comes; the caller's */
    struct reduce reduce;      /* gradient sum */
    double *table;             /* (rows, TEAM_WIDTH), owned */
    size_t table_cap;          /* room in table, rows */
};

/* What a step found. */
struct step_result {
    double loss;              /* of the effective batch, before the step */
    double lr;                /* learning rate used */
    double grad_norm;         /* 2-norm before clipping */
    double metrics[METRIC_N]; /* mean over recordings, NAN: not wanted */
    uint64_t frames;          /* of all rows */
    bool skipped;             /* it was not finite, nothing moved */
    struct err why;           /* of a skipped one */
};

/* How a config wants convolutions computed. */
enum ops_algorithm step_algorithm(const struct config *conf);

/* What a config wants workspaces for training to keep. */
enum model_training step_training(const struct config *conf);

/* Sets up; everything borrowed must outlive it. */
int step_init(struct step *s, const struct config *conf,
              const struct comm *comm, struct model *model,
              uint64_t total_steps, int n_threads, struct err *err) NODISCARD;

/*
 * Does step number s->optim.step (from 0) over n batches.
 *
 * want: (METRIC_N) training metrics, NULL for none
 * Returns 0; -1 with ERR_FAILED naming step, parameter and recording when
 * loss or gradient are not finite, unless train.nan_policy skips them and
 * nan_limit is not reached: the weights have then not moved.
 */
int step_run(struct step *s, const struct intake_batch *const *group, size_t n,
             const bool *want, struct step_result *out,
             struct err *err) NODISCARD;

/* Frees everything; {0} is fine. */
void step_release(struct step *s);

#endif
