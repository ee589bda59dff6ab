/*
 * scale - from what a model predicts back to EDA as it was recorded, where
 * that can be known.
 */
#ifndef EVAL_SCALE_H
#define EVAL_SCALE_H

#include <stdbool.h>

#include "base/err.h"
#include "core/config.h"

/* What was asked for; {0} is the model's own scale. Texts are borrowed. */
struct scale {
    bool original;       /* --units original */
    const char *denorm;  /* --denorm MEAN,STD; NULL: not given */
    const char *stats;   /* --stats FILE of a2b-eda; NULL: not given */
    const char *subject; /* --subject, dataset/subject; NULL: not given */
};

/* Whether results are to have the recordings' scale. */
bool scale_is_original(const struct scale *s);

/*
 * What results are multiplied by, and what is added then.
 *
 * conf: settled features that the model was trained on
 * mean, std: results are std y + mean; 0 and 1 for the model's own scale
 * Returns 0; -1 with ERR_USAGE if the scale cannot be known, or is given
 * where there is none to give, with what to do; ERR_DATA, ERR_MISSING for the
 * file of statistics.
 */
int scale_choose(const struct scale *s, const struct config_features *conf,
                 double *mean, double *std, struct err *err) NODISCARD;

#endif
