/*
 * digest - XXH3-64 for streams and splits, MD5 for object contents.
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

#endif
