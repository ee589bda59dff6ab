/*
 * intake - the batch stream of a2b-batch: checked, and read ahead.
 *
 * The stream is one dataset frame, then the batches of all epochs without a
 * gap. A thread reads up to `ahead` batches before they are asked for, so
 * the producer works while the model computes; what comes when does not
 * depend on it. Positions are (epoch, batch); a resumed run drops the batches
 * before its position.
 */
#ifndef TRAIN_INTAKE_H
#define TRAIN_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/frame.h"
#include "core/stream.h"
#include "train/stop.h"

/* Where a batch stands. The end is (epochs, 0). */
struct intake_position {
    uint64_t epoch; /* from 0 */
    uint64_t batch; /* of the epoch, from 0 */
};

/* What the dataset frame says. */
struct intake_plan {
    uint64_t epochs;         /* over the data */
    uint64_t *batches;       /* (epochs) batches of each, owned */
    uint64_t batch_size;     /* recordings a batch aims at */
    int64_t seed;            /* of the order */
    uint64_t recordings;     /* of the training set */
    uint64_t songs;          /* of the training set */
    uint64_t window;         /* frames of a window; 0: whole recordings */
    size_t C;                /* coefficients */
    size_t T_max;            /* frames of the longest recording */
    const float *input_mean; /* (C), borrowed from the frame */
    const float *input_std;  /* (C), borrowed from the frame */
    uint64_t rate_num;       /* frames a second = rate_num / rate_den */
    uint64_t rate_den; /* see rate_num */
    double t0_s;             /* time of frame 0 */
    const char *features;    /* JSON, borrowed from the frame */
    const char *fingerprint; /* of data and order, borrowed from the frame */
};

/* Reads a plan out of a dataset frame, which must outlive it. */
int intake_plan_init(struct intake_plan *p, const struct frame *dataset,
                     struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void intake_plan_release(struct intake_plan *p);

/* Batches of all epochs before a position. */
uint64_t intake_plan_batches(const struct intake_plan *p,
                             struct intake_position at);

/* Optimizer steps before a position, `accumulate` batches a step. */
uint64_t intake_plan_steps(const struct intake_plan *p,
                           struct intake_position at, uint64_t accumulate);

/* The position behind one. */
struct intake_position intake_plan_next(const struct intake_plan *p,
                                        struct intake_position at);

/* One batch, as its frame gives it. */
struct intake_batch {
    struct frame frame;        /* owns all of the data */
    struct intake_position at; /* where it stands */
    size_t S, T, C, R;         /* rows of x, frames, coefficients, recordings */
    const float *x;            /* (S, T, C) */
    const int32_t *len;        /* (S) frames of each row */
    const float *y;            /* (R, T) */
    const uint8_t *valid;      /* (R, T) */
    uint64_t *songs;           /* (S) XXH3-64 of "dataset/song", or of
                                  "dataset/song@frame" behind the first
                                  window; owned */
    size_t songs_cap;          /* room in songs */
    size_t *first;             /* (S+1) row s has order[first[s]...], owned */
    size_t first_cap;          /* room in first */
    size_t *order;             /* (R) recordings by row, owned */
    size_t order_cap;          /* room in order */
};

/*
 * Sets the fields of b from b->frame.
 *
 * Returns 0; -1 with ERR_DATA for rows, lengths or masks that contradict one
 * another, or C coefficients that are not those of the dataset frame.
 */
int intake_batch_view(struct intake_batch *b, const struct intake_plan *plan,
                      struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void intake_batch_release(struct intake_batch *b);

struct intake_reader; /* the thread and its queue */

/* A batch stream. */
struct intake {
    struct frame dataset;         /* the dataset frame */
    struct intake_plan plan;      /* what it says */
    struct intake_reader *reader; /* owned; NULL until intake_start() */
    struct stream_in *in;         /* borrowed until intake_close() */
};

/*
 * Reads the dataset frame.
 *
 * in: an open stream, borrowed until intake_close()
 * ERR_DATA if something else comes first.
 */
int intake_open(struct intake *f, struct stream_in *in,
                struct err *err) NODISCARD;

/*
 * Begins reading ahead.
 *
 * from:  position of the first batch wanted: the stream may begin there or
 *        earlier, and what is earlier is dropped
 * ahead: batches to hold at most, at least 1
 */
int intake_start(struct intake *f, struct intake_position from, size_t ahead,
                 struct err *err) NODISCARD;

/* What intake_next() may say beside -1 for an error. */
enum intake_got {
    INTAKE_END,    /* the stream ended as promised */
    INTAKE_BATCH,  /* a batch */
    INTAKE_STOPPED /* stop_now() while waiting */
};

/*
 * The next batch.
 *
 * b: its frame is exchanged for the new one; call intake_batch_view() on it
 * Returns enum intake_got, or -1 with err: ERR_DATA for a second dataset
 * frame, a batch that does not follow the last, and a stream cut off.
 */
int intake_next(struct intake *f, struct intake_batch *b,
                const struct stop *stop, struct err *err) NODISCARD;

/* No more batches are wanted: the rest is read, checked and dropped. */
void intake_discard(struct intake *f);

/*
 * Frees everything; {0} is fine. Never waits: if the stream was not read to
 * its end, the thread, its memory and the open input stay until the process
 * ends, and the caller must leave the input alone.
 */
void intake_close(struct intake *f);

#endif
