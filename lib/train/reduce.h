/*
 * reduce - gradients of rows summed in one order, whoever computed them.
 *
 * A leaf is the gradient of one row of x. Leaves are combined in a fixed
 * binary tree over the row's index in the global batch:
 *
 *      level 2            0..3              node (level, index) holds rows
 *      level 1      0..1        2..3        [index 2^level,
 *      level 0     0    1      2    3   4    (index+1) 2^level)
 *
 * Siblings are added as soon as both are there, so at most one node a level
 * waits (a binary counter) when rows come in order from 0. Rows left over at
 * the end (4 above) are added from the right to the left. Float addition is
 * not associative; this order depends on nothing but the number of rows, so
 * the sum has the same bits for any number of threads or processes.
 */
#ifndef TRAIN_REDUCE_H
#define TRAIN_REDUCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* Most nodes that can wait: two a level for a run that starts anywhere. */
#define REDUCE_MAX_NODES 128

/* The sum over one aligned run of rows. */
struct reduce_node {
    unsigned level; /* 2^level rows */
    uint64_t index; /* of the run among the runs of its level */
    float *sum;     /* (n), one of the buffers */
};

/* A sum that is being built; {0} may be released. */
struct reduce {
    size_t n;                  /* floats of one gradient */
    struct mem_arena *buffers; /* n_buffers of n floats each, owned */
    size_t n_buffers;          /* buffers reserved so far */
    size_t buffers_cap;        /* room in buffers and spare */
    float **spare;             /* n_spare buffers not in use, owned list */
    size_t n_spare;            /* how many */
    struct reduce_node nodes[REDUCE_MAX_NODES]; /* waiting, by first row */
    size_t n_nodes;                             /* how many */
};

/* Prepares sums of gradients of n floats. */
void reduce_init(struct reduce *r, size_t n);

/* Forgets the last sum; its buffers are spare again. */
void reduce_clear(struct reduce *r);

/*
 * A buffer of n floats to compute a leaf in, 64-byte aligned, with any
 * content. NULL with err set when memory is short. reduce_push() takes it.
 */
float *reduce_buffer(struct reduce *r, struct err *err) NODISCARD;

/*
 * Adds the sum over one aligned run of rows; runs come in order of rows.
 *
 * level, index: see struct reduce_node; a row is level 0
 * sum: from reduce_buffer(), owned by r from here on
 */
void reduce_push(struct reduce *r, unsigned level, uint64_t index, float *sum);

/*
 * Adds what waits, from the right to the left.
 * Returns the sum (n), valid until reduce_clear(); NULL without any row.
 */
float *reduce_finish(struct reduce *r);

/* Frees everything; {0} is fine. */
void reduce_release(struct reduce *r);

#endif
