/*
 * ckpt_state - trainer.json of a checkpoint: where a run stands.
 */
#ifndef TRAIN_CKPT_STATE_H
#define TRAIN_CKPT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "nn/optim.h"
#include "nn/schedule.h"
#include "train/intake.h"
#include "train/monitor.h"

/* Where a run stands. */
struct ckpt_state {
    uint64_t step;             /* optimizer steps done */
    struct intake_position at; /* next batch */
    uint64_t total_steps;      /* planned: the schedule runs over them */
    int64_t seed;              /* of the run */
    uint64_t overfit;          /* batches repeated; 0: all are used */
    bool validate;             /* a validation is due before the next step */
    bool stopped;              /* early stopping ended the run */
    double metric;             /* watched number here, NAN: none */
    char *monitor_name;        /* of the watched number; "": none; owned */
    struct monitor monitor;    /* early stopping and kept checkpoints */
    struct schedule_plateau plateau; /* of the scheduler */
    struct optim_scalars scalars;    /* of the optimizer */
    char *fingerprint;         /* of data and order, owned */
};

/* Appends trainer.json. */
void ckpt_state_put(struct buf *b, const struct ckpt_state *s);

/*
 * Reads trainer.json into s; settings in s->monitor (mode, top_k, ...) stay.
 * ERR_DATA naming the key.
 */
int ckpt_state_parse(const char *text, size_t n, struct ckpt_state *s,
                     struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void ckpt_state_release(struct ckpt_state *s);

#endif
