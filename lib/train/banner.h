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
    int n_threads;                  /* that compute, in this process */
    int n_processes;                /* that share each batch */
    double memory;                  /* bytes this process may have */
};

/* Appends the lines. */
void banner_put(struct buf *b, const struct banner *what);

/*
 * Appends warnings, a line each: a past too short for a skin response, windows
 * shorter than what the model sees, more memory than there is, processes
 * without work.
 */
void banner_warn(struct buf *b, const struct banner *what);

/*
 * Estimated peak of one process, bytes: weights, optimizer, gradients, one
 * workspace a thread for the longest recording, and the batches held.
 */
double banner_memory(const struct banner *what);

#endif
