/*
 * blob - the bytes of one object: in memory while they are few, else in a
 * file, so that a large object costs no memory.
 *
 * The file may be the object itself (on this machine), an entry of the cache,
 * or one without a name that is gone with its last descriptor.
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Objects of more bytes go to a file. */
#define BLOB_MEMORY ((uint64_t)1 << 20)

/* The size of an object of which nobody has said how large it is. */
#define BLOB_UNKNOWN UINT64_MAX

/* One object; {0} is none. */
struct blob {
    struct buf bytes; /* of it, unless in_file */
    bool in_file;     /* fd, at and size hold */
    int fd;           /* the file, owned */
    uint64_t at;      /* where the object begins in it */
    uint64_t size;    /* bytes of the object */
    void *map;        /* of blob_data(), owned; NULL: none */
    size_t map_size;  /* bytes of map */
};

/* Where a large object goes while it is read. */
struct blob_sink {
    /*
     * Opens a file for an object; called anew if it turns out to be another
     * than was thought, the file before is then of no use.
     *
     * size:      bytes, or BLOB_UNKNOWN
     * validator: what names this version of it
     * fd, at:    get the file, from here on the reader's, and where the
     *            object begins in it
     * Returns 0; -1 with err set.
     */
    int (*place)(void *ctx, uint64_t size, const char *validator, int *fd,
                 uint64_t *at, struct err *err);
    void *ctx; /* handed to place */
};

/* Bytes of an object. */
uint64_t blob_size(const struct blob *b);

/* Reads n bytes from offset on, which must be there. 0; -1 with err set. */
int blob_read(const struct blob *b, uint64_t offset, void *to, size_t n,
              struct err *err) NODISCARD;

/*
 * Hands all bytes to take in order, some at a time. Returns 0; -1 with err
 * set, also when take says so.
 */
int blob_each(const struct blob *b,
              int (*take)(void *ctx, const void *bytes, size_t n,
                          struct err *err),
              void *ctx, struct err *err) NODISCARD;

/*
 * All bytes as one run of memory, valid until blob_release(): for a file its
 * pages as they are touched. NULL with err set.
 */
const char *blob_data(struct blob *b, struct err *err) NODISCARD;

/* Appends all bytes to a buffer. Returns 0; -1 with err set. */
int blob_append(const struct blob *b, struct buf *out,
                struct err *err) NODISCARD;

/*
 * Opens a file without a name in a folder. Where the file system can, it may
 * get a name later. Returns 0; -1 with err set.
 */
int blob_spool(const char *folder, int *fd, struct err *err) NODISCARD;

/* Frees the memory and closes the file; {0} is fine. */
void blob_release(struct blob *b);

#endif
