/*
 * monitor - the watched number: what is best, when to stop, what to keep.
 *
 * Decisions only, no files: a run that resumes with the same state decides
 * the same. A value is NAN where nothing was measured; NAN never improves.
 */
#ifndef TRAIN_MONITOR_H
#define TRAIN_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One checkpoint that is there. */
struct monitor_kept {
    uint64_t step; /* it was taken after */
    double value;  /* watched number, NAN: none */
    bool periodic; /* save_every_n_steps asked for it */
    bool keep;     /* scratch of monitor_prune() */
};

/* State of the watched number; {0} and monitor_init() begin a run. */
struct monitor {
    bool mode_max;             /* more is better */
    double min_delta;          /* least change that counts against stopping */
    uint64_t patience;         /* validations without one; 0: never stop */
    double enough;             /* a value this good ends the run; 0: none */
    double diverged;           /* a worse value ends the run; 0: none */
    bool check_finite;         /* no value ends the run */
    int64_t top_k;             /* best to keep; -1: all, 0: none */
    uint64_t keep_last;        /* periodic ones kept beside others */
    uint64_t keep_every;       /* multiples of this stay for good; 0: none */
    double early_best;         /* best that counted, NAN: none yet */
    uint64_t early_bad;        /* validations since */
    struct monitor_kept *kept; /* n_kept checkpoints by step, owned */
    size_t n_kept;             /* how many */
    size_t kept_cap;           /* room in kept */
};

/* Nothing seen, nothing kept; keep_last 2, other settings 0. */
void monitor_init(struct monitor *m);

/* Takes the value of one validation into account for stopping. */
void monitor_see(struct monitor *m, double value);

/* Whether patience has run out. */
bool monitor_should_stop(const struct monitor *m);

/* Whether a value by itself ends the run: good enough, too bad, or none. */
bool monitor_ends(const struct monitor *m, double value);

/* Whether a checkpoint with this value would be among the top_k. */
bool monitor_would_keep(const struct monitor *m, double value);

/* Enters a checkpoint; one of the same step is replaced. */
int monitor_add(struct monitor *m, uint64_t step, double value, bool periodic,
                struct err *err) NODISCARD;

/*
 * The best checkpoint's place in kept: the best value (the older of two
 * equal ones), or the newest where none has a value or top_k is 0.
 * n_kept if there is none.
 */
size_t monitor_best(const struct monitor *m);

/*
 * Takes what need not be kept out of the list: not the newest, not the best,
 * not among the top_k, not one of the last keep_last periodic, and of no step
 * that is a multiple of keep_every.
 */
void monitor_prune(struct monitor *m);

/* Takes a step out of the list: its checkpoint is gone. */
void monitor_drop(struct monitor *m, uint64_t step);

/* Whether the list holds this step. */
bool monitor_has(const struct monitor *m, uint64_t step);

/* Frees the list; {0} is fine. */
void monitor_release(struct monitor *m);

#endif
