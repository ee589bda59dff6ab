/*
 * pace - how fast a run is, and what it waits for.
 *
 * Sums since pace_begin(); nothing of it reaches the run folder, whose files
 * must not differ between equal runs.
 */
#ifndef TRAIN_PACE_H
#define TRAIN_PACE_H

#include <stdint.h>

#include "base/buf.h"

/* Sums over some steps. */
struct pace {
    double flop_per_frame; /* forward and backward */
    double begun_s;        /* of stop_clock() */
    double wait_s;         /* spent waiting for batches */
    double work_s;         /* spent in steps */
    double loss;           /* sum over steps */
    uint64_t steps;        /* done */
    uint64_t frames;       /* of rows computed */
    uint64_t recordings;   /* whose losses counted */
};

/* Begins anew. */
void pace_begin(struct pace *p, double flop_per_frame);

/* Adds a wait for data. */
void pace_wait(struct pace *p, double seconds);

/* Adds a step. */
void pace_step(struct pace *p, double seconds, double loss, uint64_t frames,
               uint64_t recordings);

/* Seconds that `steps` more take if they go on like this; 0: unknown. */
double pace_left_s(const struct pace *p, uint64_t steps);

/*
 * Appends "5512 frames/s, 14.5 recordings/s, 4.02 GFLOP/s, 3 % waiting for
 * data".
 */
void pace_put(struct buf *b, const struct pace *p);

/* Appends a span of time as people write it: 95 s, 12 min, 3.5 h. */
void pace_put_time(struct buf *b, double seconds);

#endif
