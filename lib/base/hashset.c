/*
 * hashset - hashes that were seen, with linear probing.
 */
#include "base/hashset.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Slots of the smallest table. */
#define FIRST_SLOTS 1024

/* The slot of a hash, or the free one it would get; there is a free one. */
static size_t slot_of(const struct hashset *s, uint64_t hash)
{
    size_t i = (size_t)hash & (s->n_slots - 1);

    while (s->slots[i] && s->slots[i] != hash)
        i = (i + 1) & (s->n_slots - 1);
    return i;
}

/* Doubles the slots. */
static int grow(struct hashset *s, struct err *err)
{
    struct hashset grown = {.n_slots = s->n_slots ? 2 * s->n_slots
                                                  : FIRST_SLOTS};
    size_t i;

    grown.slots = mem_alloc(grown.n_slots, sizeof(*grown.slots), err);
    if (!grown.slots)
        return -1;
    for (i = 0; i < s->n_slots; i++) {
        if (s->slots[i])
            grown.slots[slot_of(&grown, s->slots[i])] = s->slots[i];
    }
    grown.n = s->n;
    free(s->slots);
    *s = grown;
    return 0;
}

bool hashset_has(const struct hashset *s, uint64_t hash)
{
    hash = hash ? hash : 1;
    return s->n_slots && s->slots[slot_of(s, hash)] == hash;
}

int hashset_add(struct hashset *s, uint64_t hash, struct err *err)
{
    size_t i;

    hash = hash ? hash : 1;
    if (2 * s->n >= s->n_slots && grow(s, err))
        return -1;
    i = slot_of(s, hash);
    s->n += s->slots[i] != hash;
    s->slots[i] = hash;
    return 0;
}

void hashset_release(struct hashset *s)
{
    free(s->slots);
    memset(s, 0, sizeof(*s));
}
