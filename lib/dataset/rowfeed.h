/*
 * rowfeed - manifest rows in, frames with the files' bytes out.
 *
 * Rows are read some way ahead of the frames, so that a fetcher can read
 * their objects meanwhile; frames come in the order of the rows. A song's
 * audio comes once, before the first of its recordings.
 */
#ifndef DATASET_ROWFEED_H
#define DATASET_ROWFEED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/frame.h"
#include "dataset/manifest.h"
#include "store/fetcher.h"

/* Which frames are made. */
enum rowfeed_only {
    ROWFEED_BOTH,  /* audio and EDA */
    ROWFEED_AUDIO, /* audio only */
    ROWFEED_EDA    /* EDA only */
};

/* One manifest on its way. */
struct rowfeed;

/*
 * Starts. in and f are borrowed until rowfeed_close().
 *
 * ahead: rows read before the first one's frames come, at least 1
 * Returns NULL with err set when memory is short.
 */
struct rowfeed *rowfeed_open(struct manifest_in *in, struct fetcher *f,
                             enum rowfeed_only only, size_t ahead,
                             struct err *err) NODISCARD;

/*
 * The next frame.
 *
 * out: gets key, metadata and the tensor, whose data is borrowed until the
 *      next call
 * bad: gets whether a failure is that of one recording, which has then no
 *      frame; the next call goes on behind it
 * Returns 1 for a frame; 0 at the end of the manifest; -1 with err: of an
 * object, named with its recording; ERR_DATA for a row without the object it
 * should name or with other audio for a known song; of manifest_read().
 */
int rowfeed_next(struct rowfeed *f, struct frame *out, bool *bad,
                 struct err *err) NODISCARD;

/* Rows done, for a progress line. */
size_t rowfeed_n_rows(const struct rowfeed *f);

/* Frees everything; NULL is fine. */
void rowfeed_close(struct rowfeed *f);

#endif
