/*
 * fetcher - objects read ahead by background threads.
 *
 * One lock guards a table of all items (chains by hash), two queues of those
 * nobody has begun, and every item's state. Threads take the head of the
 * first queue that has one, read without the lock, and announce the result.
 * An item nobody holds is freed: at once when it is not being read, else by
 * its thread.
 */
#include "store/fetcher.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

/* Chains of the table to begin with; a power of two. */
#define FIRST_CHAINS 256

/* Items in the order they are to be read. */
struct queue {
    struct fetcher_item *head; /* first */
    struct fetcher_item *tail; /* last */
};

/* Everything the threads share. */
struct fetcher {
    struct store *store;          /* borrowed */
    struct cached *cached;        /* borrowed; NULL: no cache */
    pthread_mutex_t lock;         /* guards all that follows */
    pthread_cond_t queued;        /* an item may be taken, or stop */
    pthread_cond_t finished;      /* some item was read */
    struct fetcher_item **chains; /* n_chains lists of all items, owned */
    size_t n_chains;              /* a power of two */
    size_t n_items;               /* in all chains */
    struct queue wanted;          /* what callers will wait for */
    struct queue later;           /* what the cache is to have */
    bool stop;                    /* threads end */
    pthread_t *threads;           /* max_threads, owned */
    size_t n_threads;             /* running, the first of them */
    size_t max_threads;           /* may run */
    size_t n_idle;                /* waiting for something to take */
    size_t n_queued;              /* items in the queues */
    uint64_t n_memory;            /* bytes in memory of items that are ready */
    size_t n_files;               /* open files of items that are ready */
};

/* The queue of an item. */
static struct queue *queue_of(struct fetcher *f, const struct fetcher_item *item)
{
    return item->prefetch && item->n_holders == 0 ? &f->later : &f->wanted;
}

/* Puts an item behind another one of a queue, or at its head (NULL). */
static void insert(struct fetcher *f, struct queue *q,
                   struct fetcher_item *after, struct fetcher_item *item)
{
    struct fetcher_item **next = after ? &after->queue_next : &q->head;

    item->queue_prev = after;
    item->queue_next = *next;
    if (*next)
        (*next)->queue_prev = item;
    else
        q->tail = item;
    *next = item;
    f->n_queued++;
}

/* Takes an item out of its queue. */
static void dequeue(struct fetcher *f, struct fetcher_item *item)
{
    struct queue *q = queue_of(f, item);

    *(item->queue_prev ? &item->queue_prev->queue_next : &q->head) =
        item->queue_next;
    *(item->queue_next ? &item->queue_next->queue_prev : &q->tail) =
        item->queue_prev;
    f->n_queued--;
}

/* The chain of a hash. */
static struct fetcher_item **chain_of(struct fetcher *f, uint64_t hash)
{
    return &f->chains[hash & (f->n_chains - 1)];
}

/* Counts what a finished item holds: sign 1 when it comes, -1 when it goes. */
static void account(struct fetcher *f, const struct fetcher_item *item,
                    int sign)
{
    if (item->blob.in_file)
        f->n_files += (size_t)sign;
    else
        f->n_memory += (uint64_t)sign * item->blob.bytes.len;
}

/* Whether what is held leaves no room for more that nobody waits for. */
static bool is_full(const struct fetcher *f)
{
    return f->n_memory >= FETCHER_MEMORY || f->n_files >= FETCHER_FILES;
}

/* Frees an item that is in no list. */
static void free_item(struct fetcher_item *item)
{
    blob_release(&item->blob);
    free(item->uri);
    free(item);
}

/* Takes an item out of the table and frees it. */
static void forget(struct fetcher *f, struct fetcher_item *item)
{
    struct fetcher_item **link = chain_of(f, item->hash);
    bool full = is_full(f);

    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
    f->n_items--;
    if (item->state == FETCHER_READY)
        account(f, item, -1);
    if (full && !is_full(f))
        pthread_cond_broadcast(&f->queued);
    free_item(item);
}

/* The item that is read next; NULL: none, or the window is full. */
static struct fetcher_item *next_item(struct fetcher *f)
{
    struct fetcher_item *item = f->wanted.head;

    if (item && (item->urgent || !is_full(f)))
        return item;
    return item ? NULL : f->later.head;
}

/* Whether whole objects of this URI go through the cache. */
static bool is_cached(struct fetcher *f, const char *uri)
{
    return f->cached && cached_wants(f->cached, uri);
}

/* Reads an item's bytes, without the lock. */
static int read_item(struct fetcher *f, struct fetcher_item *item)
{
    bool whole = item->offset == 0 && item->limit == STORE_ALL;
    char validator[STORE_VALIDATOR_SIZE];

    if (whole && is_cached(f, item->uri))
        return cached_fetch(f->cached, item->uri, &item->blob, &item->err);
    if (whole)
        return store_fetch(f->store, item->uri, NULL, NULL, &item->blob,
                           validator, &item->err) < 0
                   ? -1
                   : 0;
    return store_read_range(f->store, item->uri, item->offset, item->limit,
                            &item->blob.bytes, &item->err);
}

/* Sees to it that the cache has an item, without the lock. */
static int keep_item(struct fetcher *f, struct fetcher_item *item)
{
    struct store_info info;
    int rc;

    if (!is_cached(f, item->uri)) {
        rc = store_stat(f->store, item->uri, &info, &item->err);
        if (!rc && info.folder)
            rc = err_set(&item->err, ERR_MISSING, "%s: is a folder, want a "
                                                  "file", item->uri);
        return rc;
    }
    rc = cached_fetch(f->cached, item->uri, &item->blob, &item->err);
    blob_release(&item->blob);
    return rc;
}

/* Looks where an item would come from, without the lock. */
static int look_item(struct fetcher *f, struct fetcher_item *item)
{
    char validator[STORE_VALIDATOR_SIZE];
    struct store_info info = {0};
    struct buf known = {0};
    int got = 0;

    item->place = store_is_remote(item->uri) ? FETCHER_SERVER : FETCHER_FILE;
    if (is_cached(f, item->uri))
        got = cached_look(f->cached, item->uri, &item->size, &known,
                          &item->err);
    if (got >= 0 && is_cached(f, item->uri) && cached_is_offline(f->cached)) {
        item->place = FETCHER_CACHE;
        if (got == 0)
            got = err_set(&item->err, ERR_MISSING, "%s: not in the cache",
                          item->uri);
    } else if (got >= 0) {
        if (store_stat_version(f->store, item->uri, &info, validator,
                               &item->err))
            got = -1;
        else if (got > 0 && *validator &&
                 strcmp(validator, buf_text(&known)) == 0)
            item->place = FETCHER_CACHE;
        item->size = info.size;
    }
    buf_release(&known);
    return got < 0 ? -1 : 0;
}

/* Does what is wanted of an item, without the lock. */
static int do_item(struct fetcher *f, struct fetcher_item *item)
{
    switch (item->task) {
    case FETCHER_KEEP:
        return keep_item(f, item);
    case FETCHER_LOOK:
        return look_item(f, item);
    case FETCHER_READ:
        break;
    }
    return read_item(f, item);
}

/* A reading thread. */
static void *work(void *arg)
{
    struct fetcher *f = arg;
    struct fetcher_item *item;
    int rc;

    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (!f->stop && !next_item(f)) {
            f->n_idle++;
            pthread_cond_wait(&f->queued, &f->lock);
            f->n_idle--;
        }
        if (f->stop)
            break;
        item = next_item(f);
        dequeue(f, item);
        item->state = FETCHER_READING;
        pthread_mutex_unlock(&f->lock);
        rc = do_item(f, item);
        pthread_mutex_lock(&f->lock);
        item->state = rc ? FETCHER_FAILED : FETCHER_READY;
        if (!rc)
            account(f, item, 1);
        if (item->n_holders > 0)
            pthread_cond_broadcast(&f->finished);
        else if (!rc || !item->prefetch)
            forget(f, item); /* else its failure is kept for who wants it */
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
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->queued, NULL);
    pthread_cond_init(&f->finished, NULL);
    /* some wait for their digests while as many transfers go on */
    f->max_threads = n_transfers ? n_transfers + n_transfers / 2 : 1;
    f->threads = mem_alloc(f->max_threads, sizeof(*f->threads), err);
    if (f->threads)
        f->chains = mem_alloc(FIRST_CHAINS, sizeof(struct fetcher_item *), err);
    f->n_chains = f->chains ? FIRST_CHAINS : 0;
    if (!f->chains || start(f, err)) {
        fetcher_close(f);
        return NULL;
    }
    return f;
}

void fetcher_use_cache(struct fetcher *f, struct cached *c)
{
    f->cached = c;
}

/* A new item that is in no list; its uri is copied. */
static struct fetcher_item *new_item(const struct fetcher_item *like,
                                     struct err *err)
{
    struct fetcher_item *item = mem_alloc(1, sizeof(*item), err);

    if (!item)
        return NULL;
    *item = *like;
    item->uri = mem_string(like->uri, err);
    if (!item->uri) {
        free(item);
        return NULL;
    }
    return item;
}

/* Doubles the chains; without memory they just become longer. */
static void grow_chains(struct fetcher *f)
{
    size_t before = f->n_chains, i;
    struct fetcher_item **old = f->chains, *item, *next;
    struct err err;
    struct fetcher_item **grown = mem_alloc(2 * before, sizeof(*grown), &err);

    if (!grown)
        return;
    f->chains = grown;
    f->n_chains = 2 * before;
    for (i = 0; i < before; i++) {
        for (item = old[i]; item; item = next) {
            struct fetcher_item **chain = chain_of(f, item->hash);

            next = item->next;
            item->next = *chain;
            *chain = item;
        }
    }
    free(old);
}

/* The item that does what this one would; NULL: there is none. */
static struct fetcher_item *find_item(struct fetcher *f,
                                      const struct fetcher_item *like)
{
    struct fetcher_item *item = *chain_of(f, like->hash);

    while (item && (item->hash != like->hash || item->task != like->task ||
                    item->offset != like->offset ||
                    item->limit != like->limit ||
                    strcmp(item->uri, like->uri) != 0))
        item = item->next;
    return item;
}

/* Queues a new item. Locked. NULL with err set. */
static struct fetcher_item *add_item(struct fetcher *f,
                                     const struct fetcher_item *like,
                                     struct err *err)
{
    struct fetcher_item *item = new_item(like, err), **chain;
    struct queue *q;

    if (!item)
        return NULL;
    if (f->n_items >= f->n_chains)
        grow_chains(f);
    chain = chain_of(f, item->hash);
    item->next = *chain;
    *chain = item;
    f->n_items++;
    q = queue_of(f, item);
    insert(f, q, q->tail, item);
    if (rouse(f, err)) {
        dequeue(f, item);
        forget(f, item);
        return NULL;
    }
    return item;
}

/* Finds or queues an item and holds it. */
static struct fetcher_item *want(struct fetcher *f, struct fetcher_item *like,
                                 struct err *err)
{
    struct fetcher_item *item;

    like->hash = digest_xxh3(like->uri, strlen(like->uri));
    like->n_holders = 1;
    pthread_mutex_lock(&f->lock);
    item = find_item(f, like);
    if (!item) {
        item = add_item(f, like, err);
    } else if (item->n_holders == 0 && item->state == FETCHER_QUEUED) {
        dequeue(f, item); /* it was prefetched, and now it is wanted */
        item->n_holders = 1;
        insert(f, &f->wanted, f->wanted.tail, item);
    } else {
        item->n_holders++;
    }
    pthread_mutex_unlock(&f->lock);
    return item;
}

struct fetcher_item *fetcher_want(struct fetcher *f, const char *uri,
                                  uint64_t offset, uint64_t limit,
                                  struct err *err)
{
    struct fetcher_item like = {.uri = (char *)(uintptr_t)uri,
                                .offset = offset,
                                .limit = limit};

    return want(f, &like, err);
}

struct fetcher_item *fetcher_want_kept(struct fetcher *f, const char *uri,
                                       struct err *err)
{
    struct fetcher_item like = {.uri = (char *)(uintptr_t)uri,
                                .task = FETCHER_KEEP};

    return want(f, &like, err);
}

struct fetcher_item *fetcher_want_look(struct fetcher *f, const char *uri,
                                       struct err *err)
{
    struct fetcher_item like = {.uri = (char *)(uintptr_t)uri,
                                .task = FETCHER_LOOK};

    return want(f, &like, err);
}

int fetcher_wait(struct fetcher *f, struct fetcher_item *item, struct err *err)
{
    int rc;

    pthread_mutex_lock(&f->lock);
    if (item->state == FETCHER_QUEUED && !item->urgent) {
        item->urgent = true;
        dequeue(f, item);
        insert(f, &f->wanted, NULL, item);
        pthread_cond_signal(&f->queued); /* though the window be full */
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
    if (item->n_holders > 1 || item->state == FETCHER_READING) {
        item->n_holders--;
    } else if (item->prefetch && item->state == FETCHER_QUEUED) {
        dequeue(f, item);
        item->n_holders = 0;
        item->urgent = false;
        insert(f, &f->later, f->later.tail, item);
    } else {
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

    if (!rc)
        rc = blob_append(&item->blob, out, err);
    fetcher_drop(f, item);
    return rc;
}

int fetcher_prefetch(struct fetcher *f, const char *const *uris, size_t n,
                     struct err *err)
{
    size_t i;
    int rc = 0;

    for (i = 0; !rc && i < n; i++) {
        struct fetcher_item like = {.uri = (char *)(uintptr_t)uris[i],
                                    .task = FETCHER_KEEP,
                                    .prefetch = true};

        if (!is_cached(f, uris[i]))
            continue;
        like.hash = digest_xxh3(uris[i], strlen(uris[i]));
        pthread_mutex_lock(&f->lock);
        if (!find_item(f, &like) && !add_item(f, &like, err))
            rc = -1;
        pthread_mutex_unlock(&f->lock);
    }
    return rc;
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
    for (i = 0; i < f->n_chains; i++) {
        while (f->chains[i])
            forget(f, f->chains[i]);
    }
    pthread_cond_destroy(&f->finished);
    pthread_cond_destroy(&f->queued);
    pthread_mutex_destroy(&f->lock);
    free(f->chains);
    free(f->threads);
    free(f);
}
