/*
 * cachefile - one object as a file of the cache: what it is, then its bytes.
 *
 * Layout, numbers little-endian:
 *
 *   0   8  "a2bcache"
 *   8   4  version, 1
 *   12  4  K, bytes of the key
 *   16  4  V, bytes of the validator
 *   20  4  zero
 *   24  8  N, bytes of the object
 *   32  8  XXH3-64 of bytes 0 to 31 and of everything from byte 40 on
 *   40  K  key: where the object came from
 *       V  validator: what the server called this version of it (etag)
 *       N  the object
 *
 * A file that is not of this form to its last bit is damaged, and nothing of
 * it is ever handed out.
 */
#ifndef STORE_CACHEFILE_H
#define STORE_CACHEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

/* Bytes before the key. */
#define CACHEFILE_HEAD 40

/* Longest key and longest validator, in bytes. */
#define CACHEFILE_MAX_NAME 65536

/* What a file says of itself. */
struct cachefile {
    char *names;          /* key, NUL, validator, NUL; owned */
    const char *validator; /* in names */
    size_t key_len;       /* bytes */
    size_t validator_len; /* bytes */
    uint64_t size;        /* bytes of the object */
};

/* Bytes of the file that holds an object of size bytes. */
uint64_t cachefile_size(size_t key_len, size_t validator_len, uint64_t size);

/*
 * Writes everything before the object, the digest left open, and starts the
 * digest. Returns 0; -1 with err set. d is to be released in both cases.
 */
int cachefile_begin(int fd, const char *key, const char *validator,
                    uint64_t size, struct digest_xxh3 *d,
                    struct err *err) NODISCARD;

/* Writes the digest into its place. Returns 0; -1 with err set. */
int cachefile_end(int fd, const struct digest_xxh3 *d,
                  struct err *err) NODISCARD;

/*
 * Reads what a file says of itself; the bytes of the object are not looked at.
 *
 * Returns 1; 0 if it is damaged; -1 with err set if reading failed or memory
 * is short. Release f in all cases.
 */
int cachefile_open(int fd, struct cachefile *f, struct err *err) NODISCARD;

/*
 * Appends the object to out after comparing the digest: 1; 0 if the file is
 * damaged, out is then as before; -1 with err set as above.
 */
int cachefile_read(int fd, const struct cachefile *f, struct buf *out,
                   struct err *err) NODISCARD;

/*
 * Compares the digest, holding a small part of the object at a time. Returns
 * as cachefile_read().
 */
int cachefile_verify(int fd, const struct cachefile *f,
                     struct err *err) NODISCARD;

/*
 * Adds the object's bytes, which stand in the file already, to the digest
 * that cachefile_begin() started. Returns 0; -1 with err set.
 */
int cachefile_digest(int fd, uint64_t at, uint64_t size, struct digest_xxh3 *d,
                     struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void cachefile_release(struct cachefile *f);

/* Writes n bytes whatever write(2) makes of it. 0; -1 with errno set. */
int cachefile_write(int fd, const void *bytes, size_t n) NODISCARD;

#endif
