/*
 * infer - a model's prediction for every recording of a set of pairs.
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
    float **pred;  /* (n_recordings) to (T) each, shared by recordings of one
                      song and span, inside block */
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

/* Frees it; {0} is fine. */
void infer_release(struct infer *f);

#endif
