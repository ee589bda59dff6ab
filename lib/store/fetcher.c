/*
 * fetcher - objects read ahead by background threads.
 *
 * One lock guards a list of all items, a queue of those nobody has begun,
 * and every item's state. Threads take the head of the queue, read without
 * the lock, and announce the result. An item nobody holds is freed: at once
 * when it is not being read, else by its thread.
 */
#include "store/fetcher.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

/* Everything the threads share. */
struct fetcher {
    struct store *store;        /* borrowed */
    struct cached *cached;      /* borrowed; NULL: no cache */
    pthread_mutex_t lock;       /* guards all that follows */
    pthread_cond_t queued;      /* the queue got an item, or stop */
    pthread_cond_t finished;    /* some item was read */
    struct fetcher_item *items; /* all items */
    struct fetcher_item *head;  /* first of the queue */
    struct fetcher_item **tail; /* where the next queued item is linked */
    bool stop;                  /* threads end */
    pthread_t *threads;         /* max_threads, owned */
    size_t n_threads;           /* running, the first of them */
    size_t max_threads;         /* may run */
    size_t n_idle;              /* waiting for the queue */
    size_t n_queued;            /* items in the queue */
};

/* Frees an item that is in no list. */
static void free_item(struct fetcher_item *item)
{
    buf_release(&item->bytes);
    free(item->uri);
    free(item);
}

/* Takes an item out of the list of all items and frees it. */
static void forget(struct fetcher *f, struct fetcher_item *item)
{
    struct fetcher_item **link = &f->items;

    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
    free_item(item);
}

/* Puts an item at the end of the queue. */
static void enqueue(struct fetcher *f, struct fetcher_item *item)
{
    item->next_queued = NULL;
    *f->tail = item;
    f->tail = &item->next_queued;
    f->n_queued++;
}

/* Takes an item out of the queue. */
static void dequeue(struct fetcher *f, struct fetcher_item *item)
{
    struct fetcher_item **link = &f->head;

    while (*link != item)
        link = &(*link)->next_queued;
    *link = item->next_queued;
    if (f->tail == &item->next_queued)
        f->tail = link;
    f->n_queued--;
}

/* Reads an item's bytes, without the lock. */
static int read_item(struct fetcher *f, struct fetcher_item *item)
{
    if (f->cached && item->offset == 0 && item->limit == STORE_ALL &&
        cached_wants(f->cached, item->uri))
        return cached_read(f->cached, item->uri, &item->bytes, &item->err);
    return store_read_range(f->store, item->uri, item->offset, item->limit,
                            &item->bytes, &item->err);
}

/* A reading thread. */
static void *work(void *arg)
{
    struct fetcher *f = arg;
    struct fetcher_item *item;
    int rc;

    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (!f->stop && !f->head) {
            f->n_idle++;
            pthread_cond_wait(&f->queued, &f->lock);
            f->n_idle--;
        }
        if (f->stop)
            break;
        item = f->head;
        dequeue(f, item);
        item->state = FETCHER_READING;
        pthread_mutex_unlock(&f->lock);
        rc = read_item(f, item);
        pthread_mutex_lock(&f->lock);
        item->state = rc ? FETCHER_FAILED : FETCHER_READY;
        if (item->n_holders == 0)
            forget(f, item);
        else
            pthread_cond_broadcast(&f->finished);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* Starts one more thread, which leaves all signals to the others. Locked. */
static int start(struct fetcher *f, struct err *err)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&f->threads[f->n_threads], NULL, work, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        f->n_threads++;
    else if (f->n_threads == 0)
        return err_set(err, ERR_AGAIN, "cannot start a reading thread: %s",
                       strerror(rc));
    return 0;
}

/* Sees to it that a thread will take what was queued. Locked. */
static int rouse(struct fetcher *f, struct err *err)
{
    if (f->n_queued > f->n_idle && f->n_threads < f->max_threads)
        return start(f, err);
    pthread_cond_signal(&f->queued);
    return 0;
}

struct fetcher *fetcher_open(struct store *s, size_t n_transfers,
                             struct err *err)
{
    struct fetcher *f = mem_alloc(1, sizeof(*f), err);

    if (!f)
        return NULL;
    f->store = s;
    f->tail = &f->head;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->queued, NULL);
    pthread_cond_init(&f->finished, NULL);
    f->max_threads = n_transfers ? n_transfers : 1;
    f->threads = mem_alloc(f->max_threads, sizeof(*f->threads), err);
    if (!f->threads || start(f, err)) {
        fetcher_close(f);
        return NULL;
    }
    return f;
}

void fetcher_use_cache(struct fetcher *f, struct cached *c)
{
    f->cached = c;
}

/* A new item that is in no list. */
static struct fetcher_item *new_item(const char *uri, uint64_t offset,
                                     uint64_t limit, uint64_t hash,
                                     struct err *err)
{
    struct fetcher_item *item = mem_alloc(1, sizeof(*item), err);

    if (!item)
        return NULL;
    item->uri = mem_string(uri, err);
    if (!item->uri) {
        free(item);
        return NULL;
    }
    item->offset = offset;
    item->limit = limit;
    item->hash = hash;
    item->state = FETCHER_QUEUED;
    return item;
}

struct fetcher_item *fetcher_want(struct fetcher *f, const char *uri,
                                  uint64_t offset, uint64_t limit,
                                  struct err *err)
{
    uint64_t hash = digest_xxh3(uri, strlen(uri));
    struct fetcher_item *item;

    pthread_mutex_lock(&f->lock);
    for (item = f->items; item; item = item->next) {
        if (item->hash == hash && item->offset == offset &&
            item->limit == limit && strcmp(item->uri, uri) == 0)
            break;
    }
    if (!item) {
        item = new_item(uri, offset, limit, hash, err);
        if (item) {
            item->next = f->items;
            f->items = item;
            enqueue(f, item);
            if (rouse(f, err)) {
                dequeue(f, item);
                forget(f, item);
                item = NULL;
            }
        }
    }
    if (item)
        item->n_holders++;
    pthread_mutex_unlock(&f->lock);
    return item;
}

int fetcher_wait(struct fetcher *f, struct fetcher_item *item, struct err *err)
{
    int rc;

    pthread_mutex_lock(&f->lock);
    if (item->state == FETCHER_QUEUED && f->head != item) {
        dequeue(f, item);
        item->next_queued = f->head;
        f->head = item; /* the queue was not empty: its tail stays */
        f->n_queued++;
    }
    while (item->state == FETCHER_QUEUED || item->state == FETCHER_READING)
        pthread_cond_wait(&f->finished, &f->lock);
    rc = item->state == FETCHER_FAILED ? -1 : 0;
    if (rc)
        *err = item->err;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

void fetcher_drop(struct fetcher *f, struct fetcher_item *item)
{
    if (!item)
        return;
    pthread_mutex_lock(&f->lock);
    item->n_holders--;
    if (item->n_holders == 0 && item->state != FETCHER_READING &&
        !(item->prefetch && item->state == FETCHER_QUEUED)) {
        if (item->state == FETCHER_QUEUED)
            dequeue(f, item);
        forget(f, item);
    }
    pthread_mutex_unlock(&f->lock);
}

int fetcher_get(struct fetcher *f, const char *uri, struct buf *out,
                struct err *err)
{
    struct fetcher_item *item = fetcher_want(f, uri, 0, STORE_ALL, err);
    int rc = item ? fetcher_wait(f, item, err) : -1;

    if (!rc) {
        buf_put(out, buf_text(&item->bytes), item->bytes.len);
        rc = buf_check(out, err);
    }
    fetcher_drop(f, item);
    return rc;
}

int fetcher_prefetch(struct fetcher *f, const char *const *uris, size_t n,
                     struct err *err)
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct fetcher_item *item;

        if (!f->cached || !cached_wants(f->cached, uris[i]))
            continue;
        item = fetcher_want(f, uris[i], 0, STORE_ALL, err);
        if (!item)
            return -1;
        pthread_mutex_lock(&f->lock);
        item->prefetch = true;
        pthread_mutex_unlock(&f->lock);
        fetcher_drop(f, item);
    }
    return 0;
}

void fetcher_close(struct fetcher *f)
{
    size_t i;

    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_broadcast(&f->queued);
    pthread_mutex_unlock(&f->lock);
    for (i = 0; i < f->n_threads; i++)
        pthread_join(f->threads[i], NULL);
    while (f->items)
        forget(f, f->items);
    pthread_cond_destroy(&f->finished);
    pthread_cond_destroy(&f->queued);
    pthread_mutex_destroy(&f->lock);
    free(f->threads);
    free(f);
}
