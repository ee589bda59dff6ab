/*
 * test_work - the pool hands items back in order, all of them, for any
 * number of threads, and never has too many under way.
 */
#include "tap.h"

#include <stdatomic.h>
#include <time.h>

#include "base/err.h"
#include "tool/work.h"

/* Items of one test. */
#define N_ITEMS 1500

/* What the pool's callback sees. */
struct jobs {
    size_t value[WORK_SLOTS]; /* number of the item in a slot */
    size_t result[WORK_SLOTS]; /* what became of it */
    atomic_size_t n_run;      /* items done */
    atomic_size_t worst_thread; /* highest number of a thread */
};

/* Squares an item; every seventh takes long, so that order is at stake. */
static void square(void *ctx, size_t thread, size_t slot)
{
    struct jobs *jobs = ctx;
    struct timespec nap = {0, 300000};

    if (jobs->value[slot] % 7 == 0)
        nanosleep(&nap, NULL);
    jobs->result[slot] = jobs->value[slot] * jobs->value[slot];
    jobs->n_run++;
    if (thread > jobs->worst_thread)
        jobs->worst_thread = thread;
}

/* Takes what is ready; adds to *n as long as order and result are right. */
static void take(struct work *w, const struct jobs *jobs, bool all, size_t *n)
{
    size_t slot;

    while (work_ready(w, all, &slot)) {
        size_t want = *n % 3 ? *n * *n : 0;

        if (jobs->value[slot] == *n && jobs->result[slot] == want)
            ++*n;
        work_done(w);
    }
}

/* All items through n_threads; two of three are tasks. */
static void test_order(size_t n_threads)
{
    static struct jobs jobs;
    struct work w;
    struct err err;
    size_t i, n = 0, slot, most = 0;

    jobs = (struct jobs){{0}, {0}, 0, 0};
    if (work_open(&w, n_threads, square, &jobs, &err)) {
        tap_ok(false, "%s", err.text);
        return;
    }
    for (i = 0; i < N_ITEMS; i++) {
        slot = work_slot(&w);
        jobs.value[slot] = i;
        jobs.result[slot] = 0;
        work_put(&w, 1, i % 3 != 0);
        take(&w, &jobs, false, &n);
        if (w.n_tasks > most)
            most = w.n_tasks;
    }
    take(&w, &jobs, true, &n);
    tap_ok(n == N_ITEMS && jobs.n_run == N_ITEMS - N_ITEMS / 3,
           "%zu threads: %zu of %d in order", n_threads, n, N_ITEMS);
    tap_ok(most < 2 * n_threads && jobs.worst_thread < n_threads,
           "%zu threads: at most %zu tasks stay under way", n_threads, most);
    work_close(&w);
}

/* Passing items wait behind a task, up to the slots there are. */
static void test_full(void)
{
    static struct jobs jobs;
    struct work w;
    struct err err;
    size_t i, slot, taken = 0;

    jobs = (struct jobs){{0}, {0}, 0, 0};
    if (work_open(&w, 3, square, &jobs, &err)) {
        tap_ok(false, "%s", err.text);
        return;
    }
    for (i = 0; i < 3 * WORK_SLOTS; i++) {
        work_put(&w, i == 5 ? WORK_MAX_BYTES + 1ull : 0, i % 100 == 0);
        while (work_ready(&w, false, &slot)) {
            work_done(&w);
            taken++;
        }
        if (i == 5)
            tap_ok(taken == 6, "a heavy item empties the window");
    }
    tap_ok(w.head - w.tail < WORK_SLOTS, "no more under way than slots");
    work_close(&w);
    tap_ok(w.threads == NULL, "closes with items still waiting");
}

/* All tests. */
int main(void)
{
    test_order(1);
    test_order(2);
    test_order(5);
    test_full();
    return tap_done();
}
