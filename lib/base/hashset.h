/*
 * hashset - hashes that were seen, 16 bytes each: an open-addressed table
 * that doubles when it is half full.
 */
#ifndef BASE_HASHSET_H
#define BASE_HASHSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A set; {0} is empty. */
struct hashset {
    uint64_t *slots; /* n_slots hashes, 0: a free slot; owned */
    size_t n_slots;  /* a power of two, or 0 */
    size_t n;        /* hashes in it */
};

/* Whether a hash is in it; 0 and 1 are the same hash. */
bool hashset_has(const struct hashset *s, uint64_t hash);

/* Puts a hash in. Returns 0; -1 with err set when memory is short. */
int hashset_add(struct hashset *s, uint64_t hash, struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void hashset_release(struct hashset *s);

#endif
