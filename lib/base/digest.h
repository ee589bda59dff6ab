/*
 * digest - XXH3-64 for streams and splits, MD5 for object contents, SHA-256
 * and HMAC for signed requests.
 *
 * XXH3 finds damage, it does not resist an attacker.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* XXH3-64 (seed 0) of n bytes. */
uint64_t digest_xxh3(const void *data, size_t n);

/* A running XXH3-64. */
struct digest_xxh3 {
    void *state; /* owned by the module */
};

/* Starts one. Returns 0; -1 with err set when memory is short. */
int digest_xxh3_init(struct digest_xxh3 *d, struct err *err) NODISCARD;

/* Begins again with no bytes. */
void digest_xxh3_reset(struct digest_xxh3 *d);

/* Adds n bytes. */
void digest_xxh3_add(struct digest_xxh3 *d, const void *data, size_t n);

/* The digest of all bytes since init or reset. */
uint64_t digest_xxh3_value(const struct digest_xxh3 *d);

/* Frees it; {0} is fine. */
void digest_xxh3_release(struct digest_xxh3 *d);

/* 16 lower-case hex digits, most significant first, and a NUL. */
void digest_hex(uint64_t value, char text[17]);

/* The number in 16 lower-case hex digits. Returns 0; -1 for anything else. */
int digest_from_hex(const char *text, size_t n, uint64_t *value);

/* MD5 of n bytes as 32 hex digits and a NUL: an object's etag. */
int digest_md5(const void *data, size_t n, char text[33],
               struct err *err) NODISCARD;

/* Bytes of a SHA-256. */
#define DIGEST_SHA256_SIZE 32

/* SHA-256 of n bytes as 64 lower-case hex digits and a NUL. */
int digest_sha256(const void *data, size_t n, char text[65],
                  struct err *err) NODISCARD;

/*
 * HMAC-SHA-256 (RFC 2104) of n bytes under a key of key_size bytes; out may
 * be the key.
 */
int digest_hmac_sha256(const void *key, size_t key_size, const void *data,
                       size_t n, unsigned char out[DIGEST_SHA256_SIZE],
                       struct err *err) NODISCARD;

/* 2 n lower-case hex digits of n bytes, and a NUL. */
void digest_hex_bytes(const unsigned char *bytes, size_t n, char *text);

/*
 * The MD5 that S3 gives an object uploaded in parts of part_size bytes: that
 * of the parts' MD5s, then '-' and how many. size > 0, part_size > 0.
 */
int digest_md5_parts(const void *data, size_t size, size_t part_size,
                     char text[64], struct err *err) NODISCARD;

/* A running MD5, of everything or in parts as S3 makes it. */
struct digest_md5 {
    void *state; /* owned by the module */
};

/*
 * Starts one.
 *
 * part_size: 0 for the MD5 of all bytes; else see digest_md5_parts()
 * Returns 0; -1 with err set when memory is short or libcrypto has no MD5.
 */
int digest_md5_init(struct digest_md5 *d, uint64_t part_size,
                    struct err *err) NODISCARD;

/* Adds n bytes. */
void digest_md5_add(struct digest_md5 *d, const void *data, size_t n);

/*
 * Ends it: 32 hex digits, in parts with '-' and how many behind; no bytes may
 * be added after that. Returns 0; -1 with err set when libcrypto failed.
 */
int digest_md5_text(struct digest_md5 *d, char text[64],
                    struct err *err) NODISCARD;

/* The same as 16 bytes, not in parts. */
int digest_md5_bytes(struct digest_md5 *d, unsigned char out[16],
                     struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void digest_md5_release(struct digest_md5 *d);

/*
 * Keeps libcrypto from tidying up at exit, while background threads may still
 * be in it. To be called before anything else of libcrypto is.
 */
void digest_no_exit_handler(void);

#endif
