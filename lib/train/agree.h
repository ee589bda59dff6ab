/*
 * agree - a config must not contradict the stream it trains on, nor the
 * checkpoint it goes on from.
 *
 * What nobody wrote down is taken from the other side; what somebody did
 * write, and differs, is ERR_USAGE naming the key.
 */
#ifndef TRAIN_AGREE_H
#define TRAIN_AGREE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/config.h"
#include "train/intake.h"

/*
 * Compares epochs, batch_size, seed, inputs and outputs with the stream's,
 * and puts the stream's values and features into c.
 *
 * notes: gets a line for each feature that was given and is not the stream's
 */
int agree_stream(struct config *c, const struct intake_plan *plan,
                 struct buf *notes, struct err *err) NODISCARD;

/*
 * Compares a resumed run's settled config with its checkpoint's, both as
 * config_put_yaml() writes them: model, loss and seed always, optimizer and
 * train unless `extend`.
 */
int agree_checkpoint(const char *now, const char *then, bool extend,
                     struct err *err) NODISCARD;

#endif
