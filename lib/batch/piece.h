/*
 * piece - what is drawn in an epoch: whole recordings, or windows of them.
 *
 * A recording of T frames has windows of `window` frames at 0, hop, 2 hop,
 * ... as long as the one before does not reach its end; the last may be
 * short. A window without a valid frame is none. With hop = window every
 * frame is in exactly one of them.
 */
#ifndef BATCH_PIECE_H
#define BATCH_PIECE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "batch/pairs.h"

/* A recording's frames [start, start + T). */
struct piece {
    size_t recording; /* index into the pairs' recordings */
    size_t start;     /* first frame */
    size_t T;         /* frames, at least 1 */
};

/* All pieces of some pairs; {0} may be released. */
struct piece_list {
    struct piece *pieces; /* n, by recording, then start; owned */
    size_t n;             /* how many */
    size_t *by_group;     /* (n) pieces by song, start, place; owned */
    size_t *group_start;  /* (n_groups + 1) into by_group, owned */
    size_t n_groups;      /* pieces of one song that begin together */
};

/*
 * Cuts recordings into pieces.
 *
 * window: frames of a window, 0: whole recordings
 * hop:    frames from one to the next, 1 to window
 */
int piece_cut(struct piece_list *l, const struct pairs *p, size_t window,
              size_t hop, struct err *err) NODISCARD;

/* Frees it. */
void piece_release(struct piece_list *l);

#endif
