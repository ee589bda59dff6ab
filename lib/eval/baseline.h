/*
 * baseline - predictions that need no model, or misuse it: what a model must
 * beat before its numbers mean anything.
 */
#ifndef EVAL_BASELINE_H
#define EVAL_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch/pairs.h"
#include "eval/infer.h"
#include "eval/ridge.h"

/* The baselines, in the order of tables. */
enum baseline {
    BASELINE_ZERO,            /* 0 everywhere: the mean of z-scores */
    BASELINE_TIME_CURVE,      /* the training set's mean over time */
    BASELINE_RIDGE,           /* linear in the recent MFCCs */
    BASELINE_OTHER_LISTENERS, /* mean over the song's other subjects */
    BASELINE_SHUFFLED_AUDIO,  /* the model on another song's audio */
    BASELINE_N /* how many there are */
};

/* "zero", "time_curve" and so on, as in JSON. */
const char *baseline_name(enum baseline b);

/* What baselines are made from; all borrowed. */
struct baseline_source {
    const struct pairs *pairs; /* the recordings */
    const struct infer *model; /* the model's predictions for them */
    const float *curve;        /* (n_curve) of the dataset frame, or NULL */
    size_t n_curve;            /* Tmax; the curve beyond it is 0 */
    const struct ridge *ridge; /* fitted to training features, or NULL */
};

/*
 * One baseline's prediction for one recording.
 *
 * p:     (T) prediction
 * valid: (T) the recording's own mask, less the frames where the baseline
 *        has nothing to say
 * Returns false if it has nothing to say at all (no dataset frame, no
 * training features, nobody else heard the song, there is no other song).
 */
bool baseline_predict(const struct baseline_source *s, enum baseline which,
                      size_t recording, float *p, uint8_t *valid);

#endif
