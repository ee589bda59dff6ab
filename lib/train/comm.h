/*
 * comm - the processes of one training run.
 *
 * All calls are collective: every process makes the same calls in the same
 * order. Rank 0 alone reads the batch stream and writes the run folder;
 * every process owns a contiguous range of the rows of each effective batch.
 * A process on its own is rank 0 of 1, and every call is then done at once.
 */
#ifndef TRAIN_COMM_H
#define TRAIN_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/frame.h"
#include "train/reduce.h"

/* This process among the others. */
struct comm {
    int rank; /* 0 to size-1; 0 reads and writes */
    int size; /* processes */
};

/* Joins the run. Returns 0; -1 with err set. */
int comm_open(struct comm *c, struct err *err) NODISCARD;

/* Leaves it; {0} is fine. */
void comm_close(struct comm *c);

/* The rows [*first, *end) of n_rows that are this process's. */
void comm_rows(const struct comm *c, size_t n_rows, size_t *first, size_t *end);

/* Gives every process the n bytes of rank 0. */
int comm_broadcast(const struct comm *c, void *bytes, size_t n,
                   struct err *err) NODISCARD;

/*
 * Gives every process rank 0's batch frame. Of x it holds at least the rows
 * that comm_rows() names; the others are zeros there.
 */
int comm_scatter(const struct comm *c, struct frame *f,
                 struct err *err) NODISCARD;

/* Replaces n counts by their sums over all processes. */
int comm_sum(const struct comm *c, uint64_t *counts, size_t n,
             struct err *err) NODISCARD;

/* Replaces n numbers by their maxima over all processes: flags agree. */
int comm_max(const struct comm *c, uint64_t *values, size_t n,
             struct err *err) NODISCARD;

/*
 * Completes a table of n_rows rows of `width` numbers, of which each process
 * has filled those that comm_rows() names.
 */
int comm_gather(const struct comm *c, double *values, size_t n_rows,
                size_t width, struct err *err) NODISCARD;

/*
 * Completes a gradient sum in the order of the tree (reduce.h) from the
 * nodes that wait in each process; the same bits in every process.
 * *sum: (n), valid until reduce_clear(); NULL if no process had a row
 */
int comm_combine(const struct comm *c, struct reduce *r, float **sum,
                 struct err *err) NODISCARD;

/*
 * Ends all other processes after a failure here, which they cannot know of;
 * this one goes on to report it and exits with `status` itself.
 */
void comm_abort(const struct comm *c, int status);

/* Waits until every process is here. */
int comm_barrier(const struct comm *c, struct err *err) NODISCARD;

#endif
