/*
 * comm - the processes of one training run.
 *
 * All calls are collective: every process makes the same calls in the same
 * order. Rank 0 alone reads the batch stream, the validation data and
 * checkpoints, and writes the run folder; every process owns a contiguous
 * range of the rows of each effective batch. A process on its own is rank 0
 * of 1, and every call is then done at once.
 *
 * A process that fails by itself goes on to the next comm_agree(), where all
 * learn of it and leave together. comm_abort() is for what that cannot
 * reach: a failure of MPI itself.
 */
#ifndef TRAIN_COMM_H
#define TRAIN_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/frame.h"
#include "train/link.h"
#include "train/reduce.h"

/* This process among the others; {0} is not open. */
struct comm {
    int rank;             /* 0 to size-1; 0 reads and writes */
    int size;             /* processes */
    bool together;        /* the last failure is one that all know of */
    bool broken;          /* a collective call failed: none works any more */
    struct link *link;    /* to the others; NULL: on its own; owned */
    struct buf pack;      /* what describes a frame on its way */
    struct reduce shard;  /* our part of the gradients of all processes */
    struct buf nodes;     /* struct comm_node of all processes */
    struct buf sends;     /* struct link_piece to send */
    struct buf receives;  /* struct link_piece to receive */
    size_t *ends;         /* (size) of a link_gather(), owned */
};

/*
 * Joins the run.
 *
 * launched: processes that a launcher started, 0: none was there,
 *           -1: their number is not known
 * Returns 0; -1 with err set: ERR_USAGE without MPI, or with a launcher of
 * another MPI.
 */
int comm_open(struct comm *c, int launched, struct err *err) NODISCARD;

/* Waits for all processes and leaves; {0} is fine. */
void comm_close(struct comm *c);

/* Has late() told in rank 0 of a process that lets it wait; NULL: nobody. */
void comm_watch(struct comm *c, int seconds,
                void (*late)(void *ctx, int peer, int seconds), void *ctx);

/* The rows [*first, *end) of n_rows that are this process's. */
void comm_rows(const struct comm *c, size_t n_rows, size_t *first, size_t *end);

/*
 * What all processes say.
 *
 * said: -1 failed, with err set; else a number that is at least 0
 * Returns the greatest; -1 in every process if one of them failed, with the
 * err of the lowest of those.
 */
int comm_agree(struct comm *c, int said, struct err *err) NODISCARD;

/* Gives every process the n bytes of rank 0. */
int comm_broadcast(struct comm *c, void *bytes, size_t n,
                   struct err *err) NODISCARD;

/* Gives every process rank 0's bytes, which replace what b held. */
int comm_text(struct comm *c, struct buf *b, struct err *err) NODISCARD;

/*
 * Gives every process rank 0's frame.
 *
 * Of a tensor `x` with rows (S, ...), row 0 being row `base` of an effective
 * batch of n_rows, it holds at least the rows that comm_rows() names; the
 * others are zeros there. n_rows 0: all of it.
 */
int comm_scatter(struct comm *c, struct frame *f, size_t base, size_t n_rows,
                 struct err *err) NODISCARD;

/*
 * Completes a table of n_rows rows of `width` numbers, of which each process
 * has filled those that comm_rows() names.
 */
int comm_gather(struct comm *c, double *values, size_t n_rows, size_t width,
                struct err *err) NODISCARD;

/*
 * Completes a gradient sum in the order of the tree (reduce.h) from the
 * nodes that wait in each process; the same bits in every process.
 * *sum: (n), valid until reduce_clear(); NULL if no process had a row
 */
int comm_combine(struct comm *c, struct reduce *r, float **sum,
                 struct err *err) NODISCARD;

/* Puts "process 1 of 4 (host): " before err where rank 0 is not meant. */
void comm_blame(const struct comm *c, struct err *err);

/*
 * Ends all processes with a status; returns where there are no others.
 * Not collective.
 */
void comm_abort(const struct comm *c, int status);

#endif
