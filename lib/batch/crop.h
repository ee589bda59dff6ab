/*
 * crop - what is drawn in an epoch: whole recordings, or windows of them.
 *
 * A recording of T frames has windows of `window` frames at 0, hop, 2 hop,
 * ... as long as the one before does not reach its end; the last may be
 * short. A window without a valid frame is none. With hop = window every
 * frame is in exactly one of them.
 */
#ifndef BATCH_CROP_H
#define BATCH_CROP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "batch/pairs.h"

/* A recording's frames [start, start + T). */
struct crop {
    size_t recording; /* index into the pairs' recordings */
    size_t start;     /* first frame */
    size_t T;         /* frames, at least 1 */
};

/* All crops of some pairs; {0} may be released. */
struct crop_list {
    struct crop *crops; /* n, by recording, then start; owned */
    size_t n;             /* how many */
    size_t *by_group;     /* (n) crops by song, start, place; owned */
    size_t *group_start;  /* (n_groups + 1) into by_group, owned */
    size_t n_groups;      /* crops of one song that begin together */
};

/*
 * Cuts recordings into crops.
 *
 * window: frames of a window, 0: whole recordings
 * hop:    frames from one to the next, 1 to window
 */
int crop_cut(struct crop_list *l, const struct pairs *p, size_t window,
              size_t hop, struct err *err) NODISCARD;

/* Frees it. */
void crop_release(struct crop_list *l);

#endif
