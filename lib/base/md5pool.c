/*
 * md5pool - MD5s for many threads, made side by side.
 *
 * Jobs stand in a list in the order they came. The thread that finds a reason
 * to begin takes the first of them, its own or not, makes their MD5s and wakes
 * their threads. Few jobs are faster one by one.
 */
#include "base/md5pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"
#include "base/md5s.h"
#include "base/mem.h"

/* Fewer jobs than this are made one by one by libcrypto. */
#define FEW 4

/* One thread's bytes, on its stack. */
struct job {
    const void *bytes;   /* of the caller */
    size_t n;            /* how many */
    char *text;          /* gets the MD5 */
    bool done;           /* it is there, or rc and err say why not */
    int rc;              /* of digest_md5() */
    struct err err;      /* likewise */
    pthread_cond_t wake; /* done, or a batch may be due */
    struct job *next;    /* behind it */
};

/* The threads that meet. */
struct md5pool {
    pthread_mutex_t lock; /* guards all that follows */
    struct job *first;    /* of those that wait */
    struct job **last;    /* where the next one is linked */
    size_t n_waiting;     /* in the list */
    size_t n_inside;      /* threads that entered */
    bool busy;            /* a batch is being made */
};

struct md5pool *md5pool_open(struct err *err)
{
    struct md5pool *p = mem_alloc(1, sizeof(*p), err);

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->last = &p->first;
    return p;
}

void md5pool_close(struct md5pool *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void md5pool_enter(struct md5pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->n_inside++;
    pthread_mutex_unlock(&p->lock);
}

/* Whether there is nobody left to wait for. Locked. */
static bool is_due(const struct md5pool *p)
{
    return !p->busy && p->n_waiting > 0 &&
           (p->n_waiting >= MD5S_LANES || p->n_waiting >= p->n_inside);
}

void md5pool_leave(struct md5pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->n_inside--;
    if (is_due(p))
        pthread_cond_signal(&p->first->wake);
    pthread_mutex_unlock(&p->lock);
}

/* Makes the MD5s of jobs, without the lock. */
static void sum_all(struct job **jobs, size_t n)
{
    struct md5s_job runs[MD5S_LANES];
    size_t i;

    if (n < FEW) {
        for (i = 0; i < n; i++)
            jobs[i]->rc = digest_md5(jobs[i]->bytes, jobs[i]->n, jobs[i]->text,
                                     &jobs[i]->err);
        return;
    }
    for (i = 0; i < n; i++) {
        runs[i].bytes = jobs[i]->bytes;
        runs[i].n = jobs[i]->n;
    }
    md5s_all(runs, n);
    for (i = 0; i < n; i++)
        digest_hex_bytes(runs[i].out, MD5S_SIZE, jobs[i]->text);
}

/* Takes the first jobs, makes their MD5s and wakes their threads. Locked. */
static void make_batch(struct md5pool *p)
{
    struct job *jobs[MD5S_LANES];
    size_t n = 0, i;

    while (p->first && n < MD5S_LANES) {
        jobs[n++] = p->first;
        p->first = p->first->next;
    }
    if (!p->first)
        p->last = &p->first;
    p->n_waiting -= n;
    p->busy = true;
    pthread_mutex_unlock(&p->lock);
    sum_all(jobs, n);
    pthread_mutex_lock(&p->lock);
    p->busy = false;
    for (i = 0; i < n; i++) {
        jobs[i]->done = true;
        pthread_cond_signal(&jobs[i]->wake);
    }
    if (p->first)
        pthread_cond_signal(&p->first->wake);
}

/* The time so many milliseconds from now. */
static struct timespec in_ms(long ms)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

int md5pool_sum(struct md5pool *p, const void *bytes, size_t n, char text[33],
                struct err *err)
{
    struct job job = {.bytes = bytes, .n = n, .text = text};
    struct timespec until = in_ms(MD5POOL_WAIT_MS);
    bool late = false;

    pthread_cond_init(&job.wake, NULL);
    pthread_mutex_lock(&p->lock);
    *p->last = &job;
    p->last = &job.next;
    p->n_waiting++;
    while (!job.done) {
        if (is_due(p) || (late && !p->busy))
            make_batch(p);
        else if (late)
            pthread_cond_wait(&job.wake, &p->lock);
        else
            late = pthread_cond_timedwait(&job.wake, &p->lock, &until) != 0;
    }
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&job.wake);
    if (job.rc)
        *err = job.err;
    return job.rc;
}
