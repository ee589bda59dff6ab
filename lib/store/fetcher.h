/*
 * fetcher - whole objects, or ranges of them, read ahead by background
 * threads while the caller computes.
 *
 * The caller says early what it will need (fetcher_want) and waits for it
 * when its turn comes (fetcher_wait). Wants are read in the order they were
 * made, except that one somebody waits for goes first. Equal wants share one
 * item, so an object is read once however many recordings need it as long
 * as one of them still holds it. How far ahead reading goes is how many
 * wants the caller keeps open.
 *
 * Threads only read: a program may exit while they do.
 */
#ifndef STORE_FETCHER_H
#define STORE_FETCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/cached.h"
#include "store/store.h"

/* Reading threads and the items they work on. */
struct fetcher;

/* How far an item has come. */
enum fetcher_state {
    FETCHER_QUEUED,  /* nobody has begun */
    FETCHER_READING, /* a thread is at it */
    FETCHER_READY,   /* bytes are there */
    FETCHER_FAILED   /* err says why */
};

/* One object or range; fields other than uri are valid after the wait. */
struct fetcher_item {
    char *uri;                        /* object, owned */
    uint64_t offset;                  /* first byte wanted */
    uint64_t limit;                   /* most bytes wanted; STORE_ALL: whole */
    struct buf bytes;                 /* what was read, owned */
    enum fetcher_state state;         /* under the fetcher's lock */
    size_t n_holders;                 /* wants not dropped, under the lock */
    bool prefetch;                    /* read it though nobody holds it */
    struct err err;                   /* of a failed read */
    uint64_t hash;                    /* XXH3-64 of uri: quick comparison */
    struct fetcher_item *next;        /* in the list of all items */
    struct fetcher_item *next_queued; /* in the queue */
};

/*
 * Starts reading, with up to n_transfers threads (at least one) as they are
 * needed; those of remote objects only wait for the network's own thread.
 *
 * s: borrowed until fetcher_close()
 * Returns NULL with err set when memory or threads are short.
 */
struct fetcher *fetcher_open(struct store *s, size_t n_transfers,
                             struct err *err) NODISCARD;

/*
 * From here on whole objects that the cache wants are read through it.
 * Call it before the first want; c is borrowed until fetcher_close().
 */
void fetcher_use_cache(struct fetcher *f, struct cached *c);

/*
 * Queues an object for reading and returns at once.
 *
 * offset, limit: the range; 0 and STORE_ALL are the whole object
 * Returns the item, perhaps one that others hold too; NULL with err set when
 * memory is short. The caller gives it back with fetcher_drop().
 */
struct fetcher_item *fetcher_want(struct fetcher *f, const char *uri,
                                  uint64_t offset, uint64_t limit,
                                  struct err *err) NODISCARD;

/*
 * Waits until an item is read; it stays held. Returns 0; -1 with the read's
 * err (store.h says which).
 */
int fetcher_wait(struct fetcher *f, struct fetcher_item *item,
                 struct err *err) NODISCARD;

/* Gives an item back, read or not; NULL is fine. */
void fetcher_drop(struct fetcher *f, struct fetcher_item *item);

/* Appends a whole object to out, waiting for it. Returns 0; -1 with err set. */
int fetcher_get(struct fetcher *f, const char *uri, struct buf *out,
                struct err *err) NODISCARD;

/*
 * Queues n objects that the cache is to have and returns at once. Nobody
 * waits for them: a failure shows when the object is wanted, and what the
 * cache does not want is left where it is.
 * Returns 0; -1 with err set when memory is short.
 */
int fetcher_prefetch(struct fetcher *f, const char *const *uris, size_t n,
                     struct err *err) NODISCARD;

/*
 * Ends the threads after the reads they are in and frees everything, items
 * that are still held too; NULL is fine.
 */
void fetcher_close(struct fetcher *f);

#endif
