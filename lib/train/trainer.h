/*
 * trainer - the training loop: batch stream in, run folder out.
 *
 * A run folder holds config.yml (resolved), metrics.jsonl and the same for
 * TensorBoard (journal.h), the checkpoints with `best` and `last` (ckpt.h),
 * and once the run is over finished.json, which is written after everything
 * else.
 */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "core/stream.h"
#include "train/stop.h"

/* How important a line is. */
enum trainer_line {
    TRAINER_INFO,    /* the banner, where checkpoints went */
    TRAINER_WARNING, /* something to think about */
    TRAINER_PROGRESS, /* after every step; for a terminal */
    TRAINER_STEP     /* after every logged step; where there is no terminal */
};

/* What to do; everything is borrowed for the call. */
struct trainer_options {
    struct config *conf;    /* settled; takes over the stream's values */
    const char *run;        /* run folder */
    const char *const *val; /* (n_val) feature streams to validate on */
    size_t n_val;           /* how many */
    const char *spool;      /* folder for their spool; NULL: /var/tmp */
    bool resume;            /* go on from `last` */
    bool extend;            /* with other epochs or optimizer keys */
    bool dry_run;           /* one step, then leave nothing behind */
    uint64_t overfit;       /* repeat the first batches; 0: use all */
    uint64_t max_steps;     /* stop after this many of the run; 0: none */
    struct stop stop;       /* signal and time limit */
    int n_threads;          /* that compute */
    const char *version;    /* of the program, for checkpoints */
    /* a line for people, without newline */
    void (*say)(void *ctx, enum trainer_line what, const char *line);
    /* decides over a bad validation recording, as pairs_join() says */
    int (*bad)(void *ctx, const struct err *why);
    void *ctx; /* for both */
};

/* Why a run ended without an error. */
enum trainer_end {
    TRAINER_FINISHED, /* all steps, or early stopping: finished.json */
    TRAINER_LIMIT,    /* max_steps, or a dry run: the input was drained */
    TRAINER_STOPPED   /* signal or time limit: the input was not drained */
};

/* What came out. */
struct trainer_result {
    enum trainer_end end; /* why it ended */
    uint64_t step;        /* optimizer steps done, resumed ones included */
    char *best;           /* folder of the best checkpoint, NULL: none;
                             caller frees */
};

/*
 * Trains.
 *
 * in: an open batch stream
 * Returns 0; -1 with err: ERR_USAGE when the config contradicts the stream
 * or the run folder, ERR_DATA for a stream that is damaged, cut or not the
 * one of the checkpoint (what was learnt is saved before), ERR_FAILED when
 * training diverges.
 */
int trainer_run(const struct trainer_options *o, struct stream_in *in,
                struct trainer_result *out, struct err *err) NODISCARD;

#endif
