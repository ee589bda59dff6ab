/*
 * fetcher - objects read ahead by background threads while the caller
 * computes.
 *
 * The caller says early what it will need (fetcher_want) and waits for it
 * when its turn comes (fetcher_wait). What somebody waits for goes first, then
 * what was wanted in the order it was, then what is only to be in the cache
 * (fetcher_prefetch). Equal wants share one item, so an object is read once
 * however many recordings need it as long as one of them still holds it.
 *
 * How far ahead reading goes is how many wants the caller keeps open, and the
 * window: what was read and is still held takes up to FETCHER_MEMORY bytes
 * and FETCHER_FILES files, beyond that only what somebody waits for is read.
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
#include "store/blob.h"
#include "store/cached.h"
#include "store/store.h"

/* Bytes in memory of items that were read and are held; a few objects of
 * BLOB_MEMORY more where many threads read at a time. */
#define FETCHER_MEMORY ((uint64_t)64 << 20)

/* Open files of items that were read and are held. */
#define FETCHER_FILES 256

/* Reading threads and the items they work on. */
struct fetcher;

/* How far an item has come. */
enum fetcher_state {
    FETCHER_QUEUED,  /* nobody has begun */
    FETCHER_READING, /* a thread is at it */
    FETCHER_READY,   /* what was wanted is there */
    FETCHER_FAILED   /* err says why */
};

/* What is wanted of an object. */
enum fetcher_task {
    FETCHER_READ, /* its bytes, or a range of them */
    FETCHER_KEEP, /* that the cache has it */
    FETCHER_LOOK  /* its size, and whether the cache has it */
};

/* Where an object would come from. */
enum fetcher_place {
    FETCHER_SERVER, /* over the network */
    FETCHER_CACHE,  /* the cache has the version of the server */
    FETCHER_FILE    /* it is on this machine */
};

/* One object or range; fields other than uri are valid after the wait. */
struct fetcher_item {
    char *uri;                 /* object, owned */
    enum fetcher_task task;    /* what is wanted of it */
    uint64_t offset;           /* first byte wanted */
    uint64_t limit;            /* most bytes wanted; STORE_ALL: whole */
    struct blob blob;          /* of FETCHER_READ: what was read, owned */
    enum fetcher_place place;  /* of FETCHER_LOOK */
    uint64_t size;             /* of FETCHER_LOOK: bytes */
    enum fetcher_state state;  /* under the fetcher's lock */
    bool urgent;               /* somebody waits for it, under the lock */
    size_t n_holders;          /* wants not dropped, under the lock */
    bool prefetch;             /* done though nobody holds it */
    struct err err;            /* of a failed read */
    uint64_t hash;             /* of uri: quick comparison */
    struct fetcher_item *next; /* in the list of its hash */
    struct fetcher_item *queue_next; /* behind it in its queue */
    struct fetcher_item *queue_prev; /* before it */
};

/*
 * Starts reading, with threads as they are needed: enough for n_transfers (at
 * least one), and half as many that finish what has come. The network's own
 * thread sees to it that no more transfers are under way.
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
 * Queues the fetching of an object into the cache, if the cache wants it; for
 * another one, that it is there is all that is looked at. As fetcher_want();
 * the item has no bytes.
 */
struct fetcher_item *fetcher_want_kept(struct fetcher *f, const char *uri,
                                       struct err *err) NODISCARD;

/*
 * Queues a look at an object: its size and where it would come from. Servers
 * are asked, but send nothing of it. As fetcher_want().
 */
struct fetcher_item *fetcher_want_look(struct fetcher *f, const char *uri,
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
 * cache does not want is left where it is. They give way to everything else.
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
