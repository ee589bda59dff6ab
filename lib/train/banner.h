/*
 * banner - every resolved number of a run, in lines for people.
 */
#ifndef TRAIN_BANNER_H
#define TRAIN_BANNER_H

#include <stdint.h>

#include "base/buf.h"
#include "core/config.h"
#include "nn/model.h"
#include "train/intake.h"

/* Past a model must see, seconds: a skin response takes so long. */
#define BANNER_MIN_PAST_S 8.0

/* What is said. */
struct banner {
    const struct config *conf;      /* resolved */
    const struct model *model;      /* built */
    const struct intake_plan *plan; /* of the stream */
    uint64_t total_steps;           /* planned */
    uint64_t done_steps;            /* by the run that is resumed */
    size_t n_moments;               /* arenas of the optimizer */
    size_t n_val;                   /* validation recordings */
    size_t val_T;                   /* frames of the longest of them */
    size_t val_frames;              /* of all their signals */
    int n_threads;                  /* that compute */
    double memory;                  /* bytes this process may have */
};

/* Appends the lines. */
void banner_put(struct buf *b, const struct banner *what);

/*
 * Appends warnings, a line each: a past too short for a skin response, windows
 * shorter than what the model sees, more memory than there is.
 */
void banner_warn(struct buf *b, const struct banner *what);

/*
 * Peak of a run's memory as foreseen, bytes: the program, weights, optimizer,
 * gradients, workspaces of every thread for the longest recording, the
 * batches held, and the validation.
 */
double banner_memory(const struct banner *what);

#endif
