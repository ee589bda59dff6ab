/*
 * cached - whole remote objects, read through a cache.
 *
 * An object that is in the cache is handed out from there once the server has
 * said, in this run, that it is still the same; one that is not is fetched
 * and kept. While one process or thread fetches an object, others that share
 * the cache wait for it instead of fetching it too. A cache that fails (disk
 * full, not writable) costs speed, never the object.
 */
#ifndef STORE_CACHED_H
#define STORE_CACHED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/blob.h"
#include "store/cache.h"
#include "store/tempdir.h"

/* Where objects come from. */
struct cached_source {
    /* Whether objects of this URI are kept: those that are not on this
     * machine. */
    bool (*remote)(void *ctx, const char *uri);
    /* Appends what names the object among all servers. 0; -1 with err set. */
    int (*key)(void *ctx, const char *uri, struct buf *key, struct err *err);
    /*
     * Fetches an object unless it is still the version `known` (NULL: fetch).
     *
     * sink: where it goes if it is large; NULL is never given
     * Returns 1 with the object in out, which is {0}, and what names this
     * version appended to validator; 0 if it is still the known one; -1 with
     * err set.
     */
    int (*fetch)(void *ctx, const char *uri, const char *known,
                 const struct blob_sink *sink, struct blob *out,
                 struct buf *validator, struct err *err);
    void *ctx; /* handed to all three */
};

/* How. */
struct cached_conf {
    struct cache_conf cache; /* dir NULL: a private folder for this run */
    struct tempdir *temp;    /* gets the private folder when the first object
                                comes; borrowed until the program ends */
    const char *temp_parent; /* where it is made, and large objects go that
                                the cache has no room for; borrowed likewise */
    bool offline;            /* the source is never asked: what the cache
                                does not have is ERR_MISSING */
};

/* A source and its cache, for any number of threads. */
struct cached;

/* What happened so far. */
struct cached_seen {
    uint64_t n_hits;    /* objects from the cache */
    uint64_t n_fetched; /* objects from the source */
    uint64_t n_kept;    /* of them now in the cache */
    uint64_t n_evicted; /* objects that made room */
    uint64_t n_damaged; /* files whose digest was wrong, fetched again */
    struct err problem; /* first failure of the cache itself, if status != 0 */
};

/* Longest wait for another process that fetches the object, milliseconds. */
#define CACHED_WAIT_MS 600000

/*
 * Opens the cache. source is copied.
 * Returns NULL with err set; see cache_open().
 */
struct cached *cached_open(const struct cached_source *source,
                           const struct cached_conf *conf,
                           struct err *err) NODISCARD;

/* Whether the source is never asked. */
bool cached_is_offline(const struct cached *c);

/* Whether this object goes through the cache. */
bool cached_wants(struct cached *c, const char *uri);

/*
 * An object, from wherever: a small one in memory, a large one in its file.
 *
 * out: {0}; the caller releases it, also after a failure
 * Returns 0; -1 with err set, for an object the cache does not have
 * ERR_MISSING if offline.
 */
int cached_fetch(struct cached *c, const char *uri, struct blob *out,
                 struct err *err) NODISCARD;

/* The same, appended to out whatever its size. */
int cached_read(struct cached *c, const char *uri, struct buf *out,
                struct err *err) NODISCARD;

/*
 * What the cache has of an object, which is neither read nor marked as used.
 *
 * size, validator: of it; validator appended
 * Returns 1; 0 if it is not there; -1 with err set.
 */
int cached_look(struct cached *c, const char *uri, uint64_t *size,
                struct buf *validator, struct err *err) NODISCARD;

/*
 * Appends an object if the cache has it, without asking the source.
 * Returns 1; 0 if it is not there; -1 with err set.
 */
int cached_find(struct cached *c, const char *uri, struct buf *out,
                struct err *err) NODISCARD;

/* What happened so far. */
void cached_seen(struct cached *c, struct cached_seen *seen);

/* Closes the cache; NULL is fine. */
void cached_close(struct cached *c);

#endif
