/*
 * etag - whether the bytes of an S3 object are those its ETag speaks of.
 *
 * An ETag of 32 hex digits is the MD5 of the object; "DIGITS-N" that of the
 * MD5s of the N parts it was uploaded in, whose size it does not tell: those
 * that uploaders use and that fit are tried. Others, and those of objects
 * that the server encrypts with its own keys, say nothing.
 *
 * Objects in memory are compared by etag_check(), MD5s of whole ones side by
 * side over all threads. One in a file is summed up while it grows, its parts
 * side by side:
 *
 *   etag_open(&e, etag, size);
 *   while (etag_begin(&e, err) > 0) { etag_take(&e, ...); etag_fits(&e, ...) }
 */
#ifndef STORE_ETAG_H
#define STORE_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/md5pool.h"
#include "store/blob.h"

/* One comparison; {0} compares nothing. */
struct etag {
    char want[64];       /* the digits, "-N" behind; "": says nothing */
    uint64_t size;       /* of the object */
    uint64_t n_parts;    /* N; 0: the MD5 of the whole */
    size_t next;         /* size of parts that is tried next */
    uint64_t part;       /* size of the parts of this try */
    uint64_t taken;      /* bytes summed up in this try */
    struct digest_md5 d; /* of the object, or of its parts' MD5s; owned */
    char *chunks;        /* bytes read back, owned */
};

/*
 * Compares an object in memory.
 *
 * pool: the calling thread has entered; NULL: none
 * Returns 1 if it is right, 0 if this ETag cannot tell, -1 if it is wrong.
 */
int etag_check(const char *etag, const void *bytes, size_t n,
               struct md5pool *pool);

/* Looks at an ETag, with its quotes as it came, for an object of size bytes. */
void etag_open(struct etag *e, const char *etag, uint64_t size);

/*
 * Begins the next try. Returns 1; 0 if there is none left; -1 with err set
 * when memory is short.
 */
int etag_begin(struct etag *e, struct err *err) NODISCARD;

/*
 * Sums up the bytes of an object in a file, as far as they are there.
 *
 * end: bytes that are there; e->size: all
 * Returns 0; -1 with err set. Does nothing if no try was begun.
 */
int etag_take(struct etag *e, const struct blob *blob, uint64_t end,
              struct err *err) NODISCARD;

/* Ends a try: whether the bytes of this try are what the ETag says. */
bool etag_fits(struct etag *e);

/* Whether bytes that never fitted are wrong: the ETag names no parts. */
bool etag_is_sure(const struct etag *e);

/* Frees it; {0} is fine. */
void etag_release(struct etag *e);

#endif
