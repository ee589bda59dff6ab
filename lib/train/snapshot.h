/*
 * snapshot - checkpoints of a run: taken, linked, pruned.
 */
#ifndef TRAIN_SNAPSHOT_H
#define TRAIN_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "train/ckpt.h"
#include "train/run.h"

/* The optimizer's arenas as checkpoints name them. Returns how many. */
size_t snapshot_moments(const struct run *t,
                        struct ckpt_moment out[OPTIM_STATES]);

/*
 * Saves, moves the links, prunes.
 *
 * periodic: save_every_n_steps asked for it
 * -1 with err->no_space: there is no room, and everything is as before
 */
int snapshot_save(struct run *t, bool periodic, struct err *err) NODISCARD;

/* Saves if there is anything new. */
int snapshot_save_rest(struct run *t, struct err *err) NODISCARD;

/*
 * Writes a checkpoint and takes it away again; warns if the run will keep
 * more of them than there is room for.
 */
int snapshot_try(struct run *t, struct err *err) NODISCARD;

/*
 * Makes folders, list and links of a resumed run agree: it may have been
 * killed between two of them, and somebody may have removed folders.
 */
int snapshot_agree(struct run *t, struct err *err) NODISCARD;

#endif
