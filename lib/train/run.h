/*
 * run - everything one training run has open, and how it begins.
 */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/stream.h"
#include "eval/metric.h"
#include "nn/model.h"
#include "train/ckpt.h"
#include "train/comm.h"
#include "train/intake.h"
#include "train/journal.h"
#include "train/pace.h"
#include "train/rundir.h"
#include "train/step.h"
#include "train/trainer.h"
#include "train/valset.h"

/* A run. */
struct run {
    const struct trainer_options *o;   /* what to do */
    struct config *conf;               /* o->conf */
    struct comm comm;                  /* processes */
    struct intake intake;              /* batch stream */
    struct rundir dir;                 /* run folder, locked */
    char *from;                        /* checkpoint resumed, NULL: none */
    struct model model;                /* what learns */
    struct step step;                  /* optimizer and threads */
    struct valset val;                 /* if o->n_val */
    struct journal journal;            /* metrics.jsonl */
    struct pace pace;                  /* of the epoch at hand */
    struct ckpt_state state;           /* where we stand */
    uint64_t saved;                    /* step of the newest checkpoint */
    uint64_t ckpt_size;                /* bytes of a checkpoint */
    struct intake_position end;        /* behind the last batch */
    uint64_t accumulate;               /* batches a step */
    struct intake_batch *slots;        /* (n_slots) batches, owned */
    size_t n_slots;                    /* accumulate, or those overfitted */
    const struct intake_batch **group; /* (accumulate) of one step, owned */
    size_t n_group;                    /* batches in it now */
    struct buf yaml;                   /* resolved config */
    bool watch_loss;                   /* the monitor is val_loss */
    enum metric watch;                 /* otherwise this metric */
    bool want_val[METRIC_N];           /* metrics of validations */
    bool want_train[METRIC_N];         /* metrics of logged steps */
    bool any_train;                    /* want_train has one */
};

/*
 * Opens everything up to the first step: settings that cannot work are
 * refused, the run folder is locked, the stream's dataset frame is read, the
 * model is built or resumed, validation data are read, and it is said what
 * will be done.
 *
 * t: o and conf are set, all else is {0}; release it after a failure too
 */
int run_open(struct run *t, struct stream_in *in, struct err *err) NODISCARD;

/* Frees everything. */
void run_close(struct run *t);

/* Whether all steps are done, or early stopping ended them. */
bool run_is_over(const struct run *t);

/* Says a line. */
void run_say(const struct run *t, enum trainer_line what, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* "run/name"; caller frees. NULL with err set. */
char *run_path(const struct run *t, const char *name,
               struct err *err) NODISCARD;

#endif
