/*
 * online - a model over a sequence that is still arriving: each output as
 * soon as its receptive field is there, bit for bit that of the whole.
 *
 * It counts on model_forward() giving a frame the same bits wherever the
 * frame stands in a sequence, as long as its receptive field is there: the
 * order of additions in conv1d.h does.
 *
 * Memory and work of a call are those of a sequence of one receptive field
 * and the frames that came, however long the whole is.
 */
#ifndef NN_ONLINE_H
#define NN_ONLINE_H

#include <stddef.h>

#include "base/err.h"
#include "nn/model.h"

/* One sequence on its way. */
struct online;

/*
 * Starts a sequence.
 *
 * m:    borrowed until close
 * step: frames that are waited for before they are computed together, at
 *       least 1: more makes later and cheaper outputs
 * NULL with err set when memory is short. Caller closes.
 */
struct online *online_open(const struct model *m, size_t step,
                           struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void online_close(struct online *o);

/* Frames that must have come behind a frame for its output, at most. */
size_t online_latency(const struct online *o);

/*
 * Takes the next n frames.
 *
 * x: (n, C) raw features
 * y: (n_y, O) outputs that are certain now, behind those of the call before;
 *    owned by o until the next call
 * Returns 0; -1 with err set when memory is short.
 */
int online_add(struct online *o, const float *x, size_t n, const float **y,
               size_t *n_y, struct err *err) NODISCARD;

/* Ends the sequence: y (n_y, O) are the outputs that were left. */
int online_end(struct online *o, const float **y, size_t *n_y,
               struct err *err) NODISCARD;

#endif
