/*
 * infer - a prediction for every recording of a set of pairs.
 *
 * A song is computed once for all its recordings of one span.
 */
#ifndef EVAL_INFER_H
#define EVAL_INFER_H

#include <stddef.h>

#include "base/err.h"
#include "batch/pairs.h"
#include "nn/model.h"

/* Predictions; {0} is none. */
struct infer {
    float **pred;  /* (n_recordings) to (T) each, inside block, shared by
                      recordings of one song and span if a model made them */
    float *block;  /* all of them, owned */
    size_t *order; /* recordings by song and span, owned */
};

/*
 * Runs the model over all recordings with n_threads threads.
 *
 * The model must have one output; p must be joined.
 * Returns 0; -1 with err set. The numbers do not depend on n_threads.
 */
int infer_run(struct infer *f, const struct model *m, const struct pairs *p,
              int n_threads, struct err *err) NODISCARD;

/*
 * Takes the predictions from a stream instead.
 *
 * A recording's is the prediction frame of its key; where there is none, the
 * beginning of the one of its song. Other frames are ignored.
 * Returns 0; -1 with err set: ERR_DATA for another rate or origin, for a
 * prediction that is too short or missing, and for two of one key.
 */
int infer_read(struct infer *f, const struct pairs *p, const char *path,
               struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void infer_release(struct infer *f);

#endif
