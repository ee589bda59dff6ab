/*
 * work - items done by several threads, taken back in the order they came.
 *
 *   while (read(&items[work_slot(&w)]) > 0) {
 *       work_put(&w, bytes, true);
 *       while (work_ready(&w, false, &slot))
 *           write(&items[slot]), work_done(&w);
 *   }
 *   while (work_ready(&w, true, &slot))
 *       write(&items[slot]), work_done(&w);
 *
 * The items themselves are the caller's, WORK_SLOTS of them. Results come in
 * the order of work_put() whatever the number of threads is. The calling
 * thread is one of the n: it works too when it would have to wait.
 */
#ifndef TOOL_WORK_H
#define TOOL_WORK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Items that may be under way at once: the caller's array has as many. */
#define WORK_SLOTS 256

/* Bytes of items under way beyond which the window is full. */
#define WORK_MAX_BYTES 268435456u

/*
 * Does one item, in any thread.
 *
 * ctx: from work_open(); thread: 0 to n_threads - 1, for scratch of its own
 */
typedef void work_run(void *ctx, size_t thread, size_t slot);

/* What became of an item. */
enum work_state {
    WORK_WAITING, /* nobody has begun */
    WORK_RUNNING, /* some thread is at it */
    WORK_DONE     /* ready to be taken */
};

/* A pool; open until work_close(). */
struct work {
    work_run *run;        /* does one item */
    void *ctx;            /* its first argument */
    size_t n_threads;     /* all together, the caller's included */
    pthread_t *threads;   /* n_threads - 1, owned */
    size_t n_started;     /* threads that run */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t more;  /* an item was put, or the pool closes */
    pthread_cond_t less;  /* an item was done */
    enum work_state state[WORK_SLOTS]; /* of every item */
    bool task[WORK_SLOTS];    /* whether there was anything to do */
    uint64_t bytes[WORK_SLOTS]; /* weight of every item */
    uint64_t head;        /* number of the next item to put */
    uint64_t next;        /* number of the first item that may be waiting */
    uint64_t tail;        /* number of the oldest item not yet taken */
    uint64_t n_tasks;     /* items under way that were something to do */
    uint64_t n_bytes;     /* weight of the items under way */
    bool closing;         /* threads are to end */
};

/*
 * Starts n_threads - 1 threads.
 *
 * Returns 0; -1 with err set. w must not move while it is open.
 */
int work_open(struct work *w, size_t n_threads, work_run *run, void *ctx,
              struct err *err) NODISCARD;

/* The slot that the next work_put() hands over: the caller's to fill. */
size_t work_slot(const struct work *w);

/*
 * Hands the next slot over.
 *
 * bytes: its weight; task: false if there is nothing to do and the item only
 * keeps its place in the order
 */
void work_put(struct work *w, uint64_t bytes, bool task);

/*
 * The oldest item, if it is done, if the window is full, or if all are to
 * be `drained`; works or waits until it is done.
 * Returns whether there is one; it stays the caller's until work_done().
 */
bool work_ready(struct work *w, bool drained, size_t *slot);

/* Gives the slot of the oldest item back. */
void work_done(struct work *w);

/* Drops what waits, ends the threads and frees; {0} is fine. */
void work_close(struct work *w);

#endif
