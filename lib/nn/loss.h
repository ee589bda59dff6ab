/*
 * loss - masked losses of one recording and their gradients.
 *
 * A loss is a weighted sum of terms. mse, l1, huber, smooth_l1 are means over
 * the valid frames of the whole effective batch; derivative over its valid
 * neighbour pairs; ccc, pearson, spectral and soft_dtw are means over its
 * recordings. The caller
 * counts the divisors first (loss_count over all recordings), then asks for
 * each recording's share.
 */
#ifndef NN_LOSS_H
#define NN_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include "core/config.h"

/* What the terms divide by, summed over the effective batch. */
struct loss_divisors {
    uint64_t frames;     /* valid frames */
    uint64_t pairs;      /* neighbouring frames that are both valid */
    uint64_t recordings; /* recordings with a valid frame */
};

/* Adds one recording's counts. valid: (T) 0 or 1. */
void loss_count(struct loss_divisors *d, const uint8_t *valid, size_t T);

/*
 * One recording's share of the loss, and its gradient.
 *
 * p, y: (T) prediction and target; valid: (T)
 * dp:   (T) d loss / d p is ADDED here; NULL: value only
 * Returns the share; shares of all recordings sum to the loss.
 * Source: definitions and gradients in a2b-train(1).
 */
double loss_recording(const struct config_loss *conf,
                      const struct loss_divisors *d, const float *p,
                      const float *y, const uint8_t *valid, size_t T,
                      float *dp);

#endif
