/*
 * dataset - the layouts of known datasets: which one a folder has, and the
 * list of its recordings.
 */
#ifndef DATASET_DATASET_H
#define DATASET_DATASET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/config.h"
#include "dataset/manifest.h"
#include "store/store.h"

/* Who is told about what a listing leaves out. */
struct dataset_watcher {
    void *ctx; /* handed to both */
    /* An item that should be there but cannot be listed. */
    void (*bad)(void *ctx, const struct err *item);
    /* A song without its partner, or a recording file without its. */
    void (*left_out)(void *ctx, const char *line);
};

/* Where and how to list. */
struct dataset_source {
    struct store *store;               /* borrowed */
    const char *root;                  /* folder or URI, borrowed */
    const struct config_dataset *conf; /* folder names; NULL: the layout's */
    size_t n_transfers;                /* files read at a time */
    const struct dataset_watcher *watcher; /* borrowed */
};

/* The kind a dataset word names; DATASET_OTHER if we know no layout. */
enum dataset_kind dataset_kind_of(const char *word);

/* "hku956", "pmemo2019"; "" for DATASET_OTHER. */
const char *dataset_kind_name(enum dataset_kind kind);

/*
 * Tells by the files below a root which layout it has.
 *
 * Returns 0 with *kind; -1 with ERR_MISSING if it has none of ours.
 */
int dataset_recognise(struct store *s, const char *root,
                      enum dataset_kind *kind, struct err *err) NODISCARD;

/*
 * Appends all recordings below a root to out, splits unknown, any order.
 *
 * What has no partner is left out and told to the watcher.
 * Returns 0; -1 with err set: ERR_USAGE for DATASET_OTHER.
 */
int dataset_list(const struct dataset_source *source, enum dataset_kind kind,
                 struct manifest *out, struct err *err) NODISCARD;

#endif
