/*
 * mem - overflow-checked growth of arrays, and one arena per model.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/err.h"

/*
 * Makes room for at least `need` items of item_size bytes in the array p.
 *
 * p:   NULL or an earlier result; *cap is its room in items and is updated
 * Returns the array (moved or not); NULL with err set if the size overflows
 * or memory is short, p and *cap are then unchanged. Caller frees.
 */
void *mem_grow(void *p, size_t *cap, size_t need, size_t item_size,
               struct err *err) NODISCARD;

/*
 * n zeroed items of item_size bytes (never NULL for n = 0).
 * Returns NULL with err set on overflow or short memory. Caller frees.
 */
void *mem_alloc(size_t n, size_t item_size, struct err *err) NODISCARD;

/* A copy of a string; NULL with err set when memory is short. Caller frees. */
char *mem_string(const char *text, struct err *err) NODISCARD;

/* One block that many tensors share: reserved once, released once. */
struct mem_arena {
    char *base;  /* owned, 64-byte aligned */
    size_t size; /* bytes reserved */
    size_t used; /* bytes handed out */
};

/* Reserves size zeroed bytes. Returns 0; -1 with err set. */
int mem_arena_init(struct mem_arena *a, size_t size,
                   struct err *err) NODISCARD;

/*
 * The next n items of item_size bytes, aligned to 64 bytes.
 * Asserts that the arena was reserved large enough: its size is our sum.
 */
void *mem_arena_take(struct mem_arena *a, size_t n, size_t item_size);

/* Bytes that n items take in an arena, alignment included. */
size_t mem_arena_room(size_t n, size_t item_size);

/* Frees the block; {0} is fine. */
void mem_arena_release(struct mem_arena *a);

#endif
