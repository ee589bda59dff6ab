/*
 * work - items done by several threads, taken back in the order they came.
 *
 * Items are numbered from 0; item i lives in slot i mod WORK_SLOTS and
 * tail <= next <= head <= tail + WORK_SLOTS. The window is full when all
 * slots are taken, when 2 n_threads tasks are under way (one with a single
 * thread, which can do no more at a time), or when their bytes are many.
 */
#include "tool/work.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* What a thread is started with. */
struct worker {
    struct work *work; /* its pool */
    size_t thread;     /* its number */
};

/*
 * Does the oldest item that nobody has begun; the lock is held on entry and
 * on return. Returns whether there was one.
 */
static bool do_one(struct work *w, size_t thread)
{
    size_t slot;

    while (w->next < w->head &&
           w->state[w->next % WORK_SLOTS] != WORK_WAITING)
        w->next++;
    if (w->next == w->head)
        return false;
    slot = w->next++ % WORK_SLOTS;
    w->state[slot] = WORK_RUNNING;
    pthread_mutex_unlock(&w->lock);
    w->run(w->ctx, thread, slot);
    pthread_mutex_lock(&w->lock);
    w->state[slot] = WORK_DONE;
    pthread_cond_signal(&w->less);
    return true;
}

/* Body of a thread. */
static void *work_loop(void *arg)
{
    struct worker *worker = arg;
    struct work *w = worker->work;
    size_t thread = worker->thread;

    free(worker);
    pthread_mutex_lock(&w->lock);
    while (!w->closing)
        if (!do_one(w, thread))
            pthread_cond_wait(&w->more, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Starts one more thread. */
static int start(struct work *w, struct err *err)
{
    struct worker *worker = mem_alloc(1, sizeof(*worker), err);

    if (!worker)
        return -1;
    worker->work = w;
    worker->thread = w->n_started + 1;
    if (pthread_create(&w->threads[w->n_started], NULL, work_loop, worker)) {
        free(worker);
        return err_set(err, ERR_FAILED, "cannot start thread %zu of %zu",
                       w->n_started + 1, w->n_threads - 1);
    }
    w->n_started++;
    return 0;
}

int work_open(struct work *w, size_t n_threads, work_run *run, void *ctx,
              struct err *err)
{
    assert(n_threads >= 1);
    *w = (struct work){.run = run, .ctx = ctx, .n_threads = n_threads};
    w->threads = mem_alloc(n_threads, sizeof(*w->threads), err);
    if (!w->threads)
        return -1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    pthread_cond_init(&w->less, NULL);
    while (w->n_started + 1 < n_threads)
        if (start(w, err)) {
            work_close(w);
            return -1;
        }
    return 0;
}

/* Whether nothing more may be put. */
static bool is_full(const struct work *w)
{
    uint64_t limit = w->n_threads > 1 ? 2 * w->n_threads : 1;

    return w->head - w->tail == WORK_SLOTS || w->n_tasks >= limit ||
           w->n_bytes > WORK_MAX_BYTES;
}

size_t work_slot(const struct work *w)
{
    return w->head % WORK_SLOTS;
}

void work_put(struct work *w, uint64_t bytes, bool task)
{
    size_t slot = w->head % WORK_SLOTS;

    pthread_mutex_lock(&w->lock);
    assert(w->head - w->tail < WORK_SLOTS);
    w->state[slot] = task ? WORK_WAITING : WORK_DONE;
    w->task[slot] = task;
    w->bytes[slot] = bytes;
    w->n_tasks += task;
    w->n_bytes += bytes;
    w->head++;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

bool work_ready(struct work *w, bool drained, size_t *slot)
{
    bool ready = false;

    pthread_mutex_lock(&w->lock);
    *slot = w->tail % WORK_SLOTS;
    if (w->tail < w->head) {
        if (drained || is_full(w))
            while (w->state[*slot] != WORK_DONE)
                if (!do_one(w, 0))
                    pthread_cond_wait(&w->less, &w->lock);
        ready = w->state[*slot] == WORK_DONE;
    }
    pthread_mutex_unlock(&w->lock);
    return ready;
}

void work_done(struct work *w)
{
    size_t slot = w->tail % WORK_SLOTS;

    pthread_mutex_lock(&w->lock);
    assert(w->tail < w->head && w->state[slot] == WORK_DONE);
    w->n_tasks -= w->task[slot];
    w->n_bytes -= w->bytes[slot];
    w->tail++;
    if (w->next < w->tail)
        w->next = w->tail;
    pthread_mutex_unlock(&w->lock);
}

void work_close(struct work *w)
{
    size_t i;

    if (!w->threads)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (i = 0; i < w->n_started; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->less);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w->threads);
    *w = (struct work){0};
}
