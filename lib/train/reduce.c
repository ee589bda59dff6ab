/*
 * reduce - the binary counter of partial gradient sums; see the header.
 */
#include "train/reduce.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* left += right. */
static void add(float *left, const float *right, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        left[i] += right[i];
}

/* Adds the last node into the one before it, which takes a new place. */
static void merge(struct reduce *r, unsigned level, uint64_t index)
{
    struct reduce_node *left = &r->nodes[r->n_nodes - 2];
    struct reduce_node *right = &r->nodes[r->n_nodes - 1];

    add(left->sum, right->sum, r->n);
    r->spare[r->n_spare++] = right->sum;
    left->level = level;
    left->index = index;
    r->n_nodes--;
}

void reduce_init(struct reduce *r, size_t n)
{
    memset(r, 0, sizeof *r);
    r->n = n;
}

void reduce_clear(struct reduce *r)
{
    while (r->n_nodes > 0)
        r->spare[r->n_spare++] = r->nodes[--r->n_nodes].sum;
}

float *reduce_buffer(struct reduce *r, struct err *err)
{
    size_t cap = r->buffers_cap;
    struct mem_arena *buffers;
    float **spare;

    if (r->n_spare > 0)
        return r->spare[--r->n_spare];
    spare = mem_grow(r->spare, &cap, r->n_buffers + 1, sizeof *spare, err);
    if (!spare)
        return NULL;
    r->spare = spare;
    cap = r->buffers_cap;
    buffers =
        mem_grow(r->buffers, &cap, r->n_buffers + 1, sizeof *buffers, err);
    if (!buffers)
        return NULL;
    r->buffers = buffers;
    r->buffers_cap = cap;
    if (mem_arena_init(&buffers[r->n_buffers],
                       mem_arena_room(r->n, sizeof(float)), err))
        return NULL;
    return mem_arena_take(&buffers[r->n_buffers++], r->n, sizeof(float));
}

void reduce_push(struct reduce *r, unsigned level, uint64_t index, float *sum)
{
    struct reduce_node *last;

    assert(r->n_nodes < REDUCE_MAX_NODES);
    r->nodes[r->n_nodes++] = (struct reduce_node){level, index, sum};
    while (r->n_nodes >= 2) {
        last = &r->nodes[r->n_nodes - 1];
        if (last[-1].level != last->level || last[-1].index % 2 != 0 ||
            last[-1].index + 1 != last->index)
            return;
        merge(r, last->level + 1, last->index / 2);
    }
}

float *reduce_finish(struct reduce *r)
{
    while (r->n_nodes >= 2)
        merge(r, r->nodes[r->n_nodes - 2].level,
              r->nodes[r->n_nodes - 2].index);
    return r->n_nodes == 1 ? r->nodes[0].sum : NULL;
}

void reduce_release(struct reduce *r)
{
    size_t i;

    for (i = 0; i < r->n_buffers; i++)
        mem_arena_release(&r->buffers[i]);
    free(r->buffers);
    free(r->spare);
    memset(r, 0, sizeof *r);
}
