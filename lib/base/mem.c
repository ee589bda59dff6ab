/*
 * mem - memory that fails with a message instead of a crash.
 */
#include "base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Alignment of arena blocks: a cache line, and any vector register. */
#define ALIGNMENT 64

void *mem_grow(void *p, size_t *cap, size_t need, size_t item_size,
               struct err *err)
{
    size_t room = *cap;
    void *q;

    if (p && need <= room)
        return p;
    if (need > SIZE_MAX / 2 / item_size) {
        err_set(err, ERR_FAILED, "too large: %zu items of %zu bytes", need,
                item_size);
        return NULL;
    }
    if (room < 16)
        room = 16;
    while (room < need)
        room += room / 2;
    if (room > SIZE_MAX / 2 / item_size)
        room = need;
    q = realloc(p, room * item_size);
    if (!q) {
        err_set(err, ERR_FAILED, "out of memory for %zu bytes",
                room * item_size);
        return NULL;
    }
    *cap = room;
    return q;
}

void *mem_alloc(size_t n, size_t item_size, struct err *err)
{
    void *p = calloc(n ? n : 1, item_size ? item_size : 1);

    if (!p)
        err_set(err, ERR_FAILED, "out of memory for %zu items of %zu bytes",
                n, item_size);
    return p;
}

char *mem_string(const char *text, struct err *err)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size, 1, err);

    return copy ? memcpy(copy, text, size) : NULL;
}

size_t mem_arena_room(size_t n, size_t item_size)
{
    return (n * item_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int mem_arena_init(struct mem_arena *a, size_t size, struct err *err)
{
    void *p = NULL;

    *a = (struct mem_arena){0};
    if (posix_memalign(&p, ALIGNMENT, size ? size : 1))
        return err_set(err, ERR_FAILED, "out of memory for %zu bytes", size);
    memset(p, 0, size);
    a->base = p;
    a->size = size;
    return 0;
}

void *mem_arena_take(struct mem_arena *a, size_t n, size_t item_size)
{
    size_t room = mem_arena_room(n, item_size);
    void *p = a->base + a->used;

    assert(room <= a->size - a->used);
    a->used += room;
    return p;
}

void mem_arena_release(struct mem_arena *a)
{
    free(a->base);
    *a = (struct mem_arena){0};
}
