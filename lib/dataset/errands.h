/*
 * errands - something done for every object of a list, in its order, many at
 * a time: kept in the cache, or looked at.
 *
 * Objects are added one by one; each is begun at once, and settled when the
 * window is full or at the end. One that went well is not done again.
 */
#ifndef DATASET_ERRANDS_H
#define DATASET_ERRANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "store/fetcher.h"

/* One list on its way. */
struct errands;

/* What is done, and who hears of it. */
struct errands_conf {
    struct fetcher *fetcher; /* borrowed until errands_close() */
    bool look;               /* look at the objects; else keep them */
    size_t window;           /* objects begun before the first is settled */
    /* Takes an object that went well, once each. 0; -1 with err ends it all. */
    int (*done)(void *ctx, const struct fetcher_item *item, struct err *err);
    /* Takes what went wrong; it may be called again for the same object. */
    void (*bad)(void *ctx, const struct err *err);
    void *ctx; /* handed to done and bad */
};

/* Starts; conf is copied. NULL with err set when memory is short. */
struct errands *errands_open(const struct errands_conf *conf,
                             struct err *err) NODISCARD;

/*
 * Adds an object.
 *
 * recording: who needs it, for messages; NULL: nobody in particular
 * Returns 0; -1 with err set when memory is short or `done` said so.
 */
int errands_add(struct errands *e, const char *uri, const char *recording,
                struct err *err) NODISCARD;

/* Settles all that were added. Returns as errands_add(). */
int errands_finish(struct errands *e, struct err *err) NODISCARD;

/* Frees everything; NULL is fine. */
void errands_close(struct errands *e);

#endif
