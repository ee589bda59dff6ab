/*
 * cache - objects kept on disk, for all processes that share the folder.
 *
 * A folder of files, each one object, named by the hash of its key (where it
 * came from) and holding beside the bytes its key, its validator (the etag
 * or what else names this version) and a digest over all of it. Files appear
 * by rename, so nobody sees half of one; every read is compared with the
 * digest, and a damaged file is removed and counts as not there. The least
 * recently used objects go when the folder would outgrow its limit or the
 * disk has too little free space; files in use stay.
 *
 * All locks are those the kernel drops when a process dies, so a killed
 * process leaves nothing that has to be repaired. All functions may be
 * called from any thread.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "store/blob.h"
#include "store/cachefile.h"

/* An open cache folder. */
struct cache;

/* Where it is and how large it may get. */
struct cache_conf {
    const char *dir; /* made if it is not there; borrowed for the call */
    uint64_t size;   /* bytes all files may take, those being written too */
    double min_free; /* share of the disk that stays free, 0 to 1 */
};

/* Share of the disk that programs keep free. */
#define CACHE_MIN_FREE 0.05

/* Longest wait for a lock that is held for moments only, milliseconds. */
#define CACHE_LOCK_MS 30000

/* An object that is there, pinned until it is released. */
struct cache_entry {
    struct cachefile file; /* validator and size */
    int fd;                /* open file, share-locked */
    uint64_t id;           /* hash of the key */
};

/* An object on its way in. */
struct cache_writer {
    struct cache *cache;  /* borrowed */
    struct digest_xxh3 d; /* of what was written */
    int fd;               /* part file, locked */
    uint64_t id;          /* hash of the key */
    uint64_t left;        /* bytes still to come */
    uint64_t at;          /* where the object's bytes begin in the file */
    uint64_t reserved;    /* bytes counted for it */
    char name[64];        /* part file, below the folder */
};

/* The right to fetch an object while others wait. */
struct cache_claim {
    int fd; /* holds the lock; -1: none */
};

/* What is in a cache. */
struct cache_stat {
    uint64_t n_objects; /* complete files */
    uint64_t n_bytes;   /* they and the parts take, in whole disk blocks */
    uint64_t n_pinned;  /* of the objects in use */
    uint64_t n_parts;   /* being written */
    uint64_t limit;     /* of n_bytes */
};

/* What cache_gc() did. */
struct cache_swept {
    uint64_t n_parts;   /* left behind by dead processes, removed */
    uint64_t n_damaged; /* objects removed because their digest was wrong */
    uint64_t n_evicted; /* removed because the cache was too large */
};

/* What this handle has seen. */
struct cache_seen {
    uint64_t n_hits;    /* objects handed out */
    uint64_t n_damaged; /* damaged files removed */
    uint64_t n_evicted; /* objects removed to make room */
};

/*
 * Opens a folder as a cache, and makes it one if it is empty or not there.
 *
 * Returns NULL with err set: ERR_USAGE for a folder with other files in it
 * or of another version, else as err_errno().
 */
struct cache *cache_open(const struct cache_conf *conf,
                         struct err *err) NODISCARD;

/*
 * Opens a folder that is a cache already; ERR_MISSING if it is none.
 */
struct cache *cache_open_existing(const struct cache_conf *conf,
                                  struct err *err) NODISCARD;

/* Closes it; the files stay. NULL is fine. */
void cache_close(struct cache *c);

/*
 * Looks whether an object is there; never waits.
 *
 * validator: the version wanted; NULL: any
 * Returns 1 with e pinned (the caller releases it) and marked as used now;
 * 0 if it is not there; -1 with err set.
 */
int cache_lookup(struct cache *c, const char *key, const char *validator,
                 struct cache_entry *e, struct err *err) NODISCARD;

/* The same for any version, without marking it as used. */
int cache_look(struct cache *c, const char *key, struct cache_entry *e,
               struct err *err) NODISCARD;

/*
 * Appends the bytes of an entry to out: 1; 0 if they are damaged, the file is
 * then removed and out as before; -1 with err set.
 */
int cache_read(struct cache *c, const struct cache_entry *e, struct buf *out,
               struct err *err) NODISCARD;

/*
 * The object of an entry, compared with its digest: a small one in memory, a
 * large one as its file, which stays pinned until out, {0} before, is
 * released. Returns 1; 0 if it is damaged, the file is then removed; -1 with
 * err set.
 */
int cache_take(struct cache *c, const struct cache_entry *e, struct blob *out,
               struct err *err) NODISCARD;

/* Unpins an entry. */
void cache_release(struct cache_entry *e);

/* Lookup, read and release in one. 1 with the bytes appended, 0 or -1. */
int cache_get(struct cache *c, const char *key, const char *validator,
              struct buf *out, struct err *err) NODISCARD;

/*
 * Makes room for an object of size bytes and begins to write it.
 *
 * Returns 1; 0 if there is no room however much is evicted; -1 with err set.
 * After 1 the caller ends with cache_commit() or cache_abort().
 */
int cache_begin(struct cache *c, const char *key, const char *validator,
                uint64_t size, struct cache_writer *w,
                struct err *err) NODISCARD;

/* Adds n bytes. Returns 0; -1 with err set, also for more than size bytes. */
int cache_add(struct cache_writer *w, const void *bytes, size_t n,
              struct err *err) NODISCARD;

/*
 * Takes all bytes as written that somebody put into the file from w->at on.
 * Returns 0; -1 with err set.
 */
int cache_filled(struct cache_writer *w, struct err *err) NODISCARD;

/*
 * Makes the object appear, in place of an older version. Returns 0; -1 with
 * err set, the cache is then as before; w is done with in both cases. A copy of
 * its descriptor keeps the object pinned.
 */
int cache_commit(struct cache_writer *w, struct err *err) NODISCARD;

/* Gives up an object. */
void cache_abort(struct cache_writer *w);

/* Begin, add, commit in one. 1 if it was kept, 0 without room, -1. */
int cache_put(struct cache *c, const char *key, const char *validator,
              const void *bytes, size_t n, struct err *err) NODISCARD;

/*
 * Claims the fetching of an object. Who gets it looks again, because another
 * process may just have brought the object, and gives the claim back after
 * the commit.
 *
 * wait_ms: how long to wait for another process, or thread, that has it
 * Returns 1 with the claim; 0 if others still have it; -1 with err set.
 */
int cache_claim(struct cache *c, const char *key, unsigned wait_ms,
                struct cache_claim *claim, struct err *err) NODISCARD;

/* Gives a claim back; one that holds nothing is fine. */
void cache_unclaim(struct cache_claim *claim);

/* Removes an object. Returns 0, also if it is not there; -1 with err set. */
int cache_drop(struct cache *c, const char *key, struct err *err) NODISCARD;

/*
 * Removes all objects and the parts of dead processes; readers keep what
 * they have open, writers end undisturbed. Returns 0; -1 with err set.
 */
int cache_clear(struct cache *c, struct err *err) NODISCARD;

/* Counts what is there. Returns 0; -1 with err set. */
int cache_stat(struct cache *c, struct cache_stat *stat,
               struct err *err) NODISCARD;

/*
 * Removes the parts of dead processes, objects whose digest is wrong, and
 * what is over the limits. Returns 0; -1 with err set.
 */
int cache_gc(struct cache *c, struct cache_swept *swept,
             struct err *err) NODISCARD;

/* What this handle has seen so far. */
void cache_seen(struct cache *c, struct cache_seen *seen);

#endif
