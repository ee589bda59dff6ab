/*
 * batch - the order of every epoch, the dataset frame and the batch frames.
 *
 * The order is a function of seed, epoch and the sorted keys alone: not of
 * the order of reading, of threads, or of the epochs before.
 */
#ifndef BATCH_BATCH_H
#define BATCH_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "batch/pairs.h"
#include "batch/crop.h"
#include "core/frame.h"

/* What decides the order. */
struct batch_conf {
    int64_t seed;              /* of all epochs */
    size_t batch_size;         /* recordings, at least 1 */
    size_t pool;               /* batches per length pool; 1: plain shuffle */
    bool group_by_song;        /* a batch takes whole songs */
    size_t window;             /* frames of a window; 0: whole recordings */
    size_t hop;                /* frames from one to the next; 0: window */
    char *const *weight_names; /* n_weights datasets, borrowed */
    const double *weights;     /* n_weights shares, borrowed */
    size_t n_weights;          /* 0: every recording once an epoch */
};

/* What is shuffled: a crop, or all crops of a song that begin together. */
struct batch_unit {
    size_t id;       /* index of the crop, or of the group */
    size_t n;        /* crops in it */
    size_t T;        /* longest span in it, frames */
    size_t position; /* place in the permutation */
};

/* One row of x in the batch at hand. */
struct batch_row {
    size_t song;  /* index of the song */
    size_t start; /* its first frame in the song */
    size_t T;     /* its frames: the span of all crops that share it */
    size_t next;  /* another row of the same song; SIZE_MAX: none */
};

/* Recordings in batches. */
struct batch {
    const struct pairs *pairs; /* borrowed until batch_release() */
    struct batch_conf conf;    /* a copy; its arrays are borrowed */
    struct crop_list crops;  /* what is drawn: recordings or windows */
    size_t *song_T;            /* n_songs frames some recording uses, owned */
    size_t *weight_share;      /* n_weights draws an epoch, owned */
    uint32_t epoch;            /* the epoch that batch_plan() planned */
    size_t *order;             /* n_order crops of that epoch, owned */
    size_t n_order;            /* draws of the epoch */
    size_t order_cap;          /* room in order */
    size_t *ends;              /* n_batches: behind the batch's last draw */
    size_t n_batches;          /* batches of the epoch */
    size_t ends_cap;           /* room in ends */
    size_t *draws;             /* units in permuted order, owned */
    size_t n_draws;            /* units of the epoch */
    size_t draws_cap;          /* room in draws */
    size_t *deck;              /* one dataset's permutation, owned */
    struct batch_unit *units;  /* one pool, owned */
    size_t units_cap;          /* room in units */
    size_t *cuts;              /* first unit of each batch of a pool, owned */
    size_t cuts_cap;           /* room in cuts */
    size_t *turns;             /* order of a pool's batches, owned */
    size_t turns_cap;          /* room in turns */
    size_t *first_row;         /* n_songs: row of a song, or SIZE_MAX */
    struct batch_row *rows;    /* S rows of the batch at hand, owned */
    size_t rows_cap;           /* room in rows */
    float *x;                  /* (S, T, C), owned like all tensors */
    size_t x_cap;              /* floats reserved, and so on below */
    float *y;                  /* (R, T, 1) */
    size_t y_cap; /* room in y */
    uint8_t *valid;            /* (R, T) */
    size_t valid_cap; /* room in valid */
    int32_t *len;              /* (S) */
    size_t len_cap; /* room in len */
    int32_t *song;             /* (R) */
    size_t song_cap; /* room in song */
    float *stats;              /* input_mean (C), input_std (C), curve */
    int32_t *curve_n;          /* (Tmax) */
};

/*
 * Starts on joined pairs. ERR_USAGE if the hop is longer than the window, or
 * sampling_weights misses a dataset, names one that has no recording, or
 * leaves nothing.
 */
int batch_init(struct batch *b, const struct pairs *p,
               const struct batch_conf *conf, struct err *err) NODISCARD;

/*
 * Plans one epoch, without touching features: order, ends and n_batches.
 * Batch k holds order[ends[k-1]] to order[ends[k] - 1].
 */
int batch_plan(struct batch *b, uint32_t epoch, struct err *err) NODISCARD;

/* The crop that draw i of the planned epoch takes. */
const struct crop *batch_crop(const struct batch *b, size_t i);

/* First draw of batch k of the planned epoch. */
size_t batch_start(const struct batch *b, size_t k);

/*
 * Frames of x in the planned epoch: those that songs fill, and all with the
 * padding. Adds to both.
 */
int batch_padding(struct batch *b, uint64_t *filled, uint64_t *all,
                  struct err *err) NODISCARD;

/*
 * The dataset frame for `epochs` epochs. May plan to count their batches, so
 * plan again before batch_frame(). out borrows b's memory.
 *
 * input_mean, input_std: over the frames that some recording uses, every
 * song once, in double; population standard deviation, 0 becomes 1
 */
int batch_dataset_frame(struct batch *b, uint32_t epochs, struct frame *out,
                        struct err *err) NODISCARD;

/*
 * Batch k of the planned epoch as a frame. Rows of x are songs in order of
 * their first draw; crops of one song, start and span share a row. out borrows
 * b's memory until the next call.
 */
int batch_frame(struct batch *b, size_t k, struct frame *out,
                struct err *err) NODISCARD;

/* Frees everything; {0} is fine. */
void batch_release(struct batch *b);

#endif
