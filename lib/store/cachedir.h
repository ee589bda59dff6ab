/*
 * cachedir - the folder of a cache: its marks, its locks, the count of its
 * bytes, and what is evicted when it is full.
 *
 *   CACHEDIR.TAG      tells backup programs to leave it out
 *   version           "a2b-cache 1\n"
 *   lock              flock: held while the folder changes
 *   claims            byte range locks: which objects are being fetched
 *   usage             three numbers: bytes, objects, time of the last count
 *   entries/ab/ab...  the objects (cachefile.h); modified = last used
 *   tmp/NAME.part     objects being written, locked by their writer
 *
 * The count is raised before a file appears and lowered after it has gone,
 * so a process that is killed between leaves it too high, never too low. It
 * is made anew by looking at all files at each eviction, once a day, and
 * when the file is missing or damaged.
 */
#ifndef STORE_CACHEDIR_H
#define STORE_CACHEDIR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/cache.h"

/* The folder, open. */
struct cachedir {
    int fd;                /* of the folder */
    char *path;            /* for messages, owned */
    uint64_t limit;        /* bytes */
    double min_free;       /* share of the disk */
    pthread_mutex_t mutex; /* before the lock file, for our own threads */
    int lock;              /* lock file while held, else -1 */
};

/* Bytes and objects by the count. */
struct cachedir_usage {
    uint64_t n_bytes;   /* in whole blocks, reserved parts too */
    uint64_t n_objects; /* complete ones */
    int64_t counted_s;  /* when all files were looked at, seconds since 1970 */
};

/* Bytes a file of this size counts: whole blocks of 4 KiB. */
uint64_t cachedir_blocks(uint64_t size);

/*
 * Opens a folder, made a cache if create is set. Returns 0; -1 with err set
 * (see cache_open()); release it in both cases.
 */
int cachedir_open(struct cachedir *d, const struct cache_conf *conf,
                  bool create, struct err *err) NODISCARD;

/* Closes it. */
void cachedir_release(struct cachedir *d);

/*
 * Takes the lock, within CACHE_LOCK_MS; ERR_AGAIN beyond. 0; -1 with err set.
 */
int cachedir_lock(struct cachedir *d, struct err *err) NODISCARD;

/* Gives the lock back. */
void cachedir_unlock(struct cachedir *d);

/* The name of an object below the folder. */
void cachedir_name(uint64_t id, char name[64]);

/*
 * The functions below want the lock held.
 *
 * Reads the count, or counts all files if it is old, missing or damaged.
 */
int cachedir_usage(struct cachedir *d, struct cachedir_usage *usage,
                   struct err *err) NODISCARD;

/* Changes the count by so much; never below 0. */
int cachedir_account(struct cachedir *d, int64_t n_bytes, int64_t n_objects,
                     struct err *err) NODISCARD;

/*
 * Evicts until `need` more bytes fit; n_evicted is raised by what went.
 * Returns 1; 0 if they do not fit; -1 with err set.
 */
int cachedir_make_room(struct cachedir *d, uint64_t need, uint64_t *n_evicted,
                       struct err *err) NODISCARD;

/*
 * Looks at every file: removes the parts of dead processes and sets the
 * count anew. stat and n_parts (parts removed) may be NULL.
 */
int cachedir_count(struct cachedir *d, struct cache_stat *stat,
                   uint64_t *n_parts, struct err *err) NODISCARD;

/*
 * Calls visit with the name below the folder of every object, in no order.
 * Removing it is allowed. Returns 0; -1 with err set, also by visit.
 */
int cachedir_each(struct cachedir *d,
                  int (*visit)(void *ctx, const char *name, struct err *err),
                  void *ctx, struct err *err) NODISCARD;

#endif
