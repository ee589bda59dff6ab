/*
 * team - threads that share the rows of a batch: one workspace each.
 *
 * Which thread computes which row is up to chance; what is computed is not:
 * rows do not see one another, and gradients go into the tree of reduce.h in
 * the order of rows.
 */
#ifndef TRAIN_TEAM_H
#define TRAIN_TEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "eval/metric.h"
#include "nn/loss.h"
#include "nn/model.h"
#include "train/intake.h"
#include "train/reduce.h"

/* What one thread has to itself. */
struct team_member {
    struct model_work *train; /* with what backward needs, or NULL */
    struct model_work *eval;  /* forward only, or NULL */
    float *dy;                /* (T) d loss / d y, owned */
    size_t dy_cap;            /* room in dy */
};

/* The threads; {0} is none. */
struct team {
    const struct model *model;   /* borrowed */
    int n_threads;               /* at least 1 */
    enum model_training training; /* of the workspaces */
    struct team_member *members; /* (n_threads), owned */
};

/*
 * Sets up n_threads threads for a model, which must outlive them.
 *
 * training: MODEL_TRAIN or MODEL_RECOMPUTE
 */
int team_init(struct team *t, const struct model *model, int n_threads,
              enum model_training training, struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void team_release(struct team *t);

/* The forward-only workspace of the calling thread of a parallel region. */
struct model_work *team_eval_work(struct team *t, size_t T,
                                  struct err *err) NODISCARD;

/*
 * Numbers a row leaves: its share of the loss, then for each metric the sum
 * over its recordings and the number of those where it is defined.
 */
#define TEAM_WIDTH (1 + 2 * METRIC_N)

/* What one training pass needs to know beside its batch. */
struct team_pass {
    const struct config_loss *loss;       /* its terms */
    const struct loss_divisors *divisors; /* of the effective batch */
    uint64_t seed;                        /* of dropout */
    uint64_t step;      /* of dropout: differs between micro-batches */
    uint64_t first_row; /* of the batch in the effective batch */
    const bool *want;   /* (METRIC_N) training metrics; NULL: none */
};

/*
 * Forward and backward of rows [first, end) of a batch.
 *
 * r:     takes each row's gradient at first_row + row, in order
 * table: (S, TEAM_WIDTH) rows [first, end) are set
 * Source of the gradient: the sum over the recordings that share a row, so
 * that a song heard by many is computed once.
 */
int team_train(struct team *t, const struct intake_batch *b,
               const struct team_pass *p, size_t first, size_t end,
               struct reduce *r, double *table, struct err *err) NODISCARD;

#endif
