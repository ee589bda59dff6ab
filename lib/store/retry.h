/*
 * retry - what a failed request means, how long to wait before the next one,
 * and how replies name ranges.
 */
#ifndef STORE_RETRY_H
#define STORE_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

/* What to do after a reply. */
enum retry_verdict {
    RETRY_DONE,  /* it is final, good or bad */
    RETRY_AGAIN, /* the server is in trouble: later again */
    RETRY_SLOWER /* the server is asked too much: later, and fewer at once */
};

/*
 * What a status means, with the beginning of the error text that came with it
 * (n bytes, may be NULL).
 */
enum retry_verdict retry_judge(long status, const char *text, size_t n);

/*
 * Milliseconds before try n_failed + 1: uniform in [0, base_ms 2^n), the
 * bound capped at 20 s ("full jitter").
 */
uint64_t retry_delay_ms(struct rng *rng, unsigned n_failed, uint64_t base_ms);

/*
 * Reads a Content-Range value, "bytes FIRST-LAST/TOTAL".
 *
 * total: UINT64_MAX where it says '*'
 * Returns 0; -1 for anything else, also when first > last or last >= total.
 */
int retry_content_range(const char *text, uint64_t *first, uint64_t *last,
                        uint64_t *total);

/* Whether an ETag may be used in If-Match: quoted and not weak. */
bool retry_strong_etag(const char *etag);

#endif
