/*
 * hq - libsoxr at high quality, where this build has it.
 */
#ifndef SIGNAL_HQ_H
#define SIGNAL_HQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One mono signal on its way from one rate to another. */
struct hq;

/* Whether there is one. */
bool hq_is_built(void);

/*
 * Starts on a signal of in_hz, to become one of out_hz. NULL with err set:
 * ERR_USAGE in a build without libsoxr.
 */
struct hq *hq_open(uint32_t in_hz, uint32_t out_hz, struct err *err) NODISCARD;

/*
 * Takes n samples, all of them, and hands out what they bring.
 *
 * x: (n), or NULL: the signal has ended
 * y: room for what comes, n_y at most; *made: how many came
 * Returns 0; -1 with err set.
 */
int hq_run(struct hq *h, const float *x, size_t n, float *y, size_t n_y,
           size_t *made, struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void hq_close(struct hq *h);

#endif
