/*
 * link - MPI, where the program was built with it (A2B_MPI).
 *
 * Only calls that do not block are used: MPI's own waiting takes a whole
 * processor, and waiting for a slow producer can last.
 */
#include "train/link.h"

#ifdef A2B_MPI
#include <mpi.h>
#include <sched.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

char *link_host(char text[LINK_HOST_SIZE])
{
    if (gethostname(text, LINK_HOST_SIZE))
        snprintf(text, LINK_HOST_SIZE, "?");
    text[LINK_HOST_SIZE - 1] = '\0';
    return text;
}

#ifdef A2B_MPI

/* Most bytes of one message: MPI counts with an int. */
#define LINK_MESSAGE ((size_t)1 << 30)

/* Most bytes that go straight to every process. */
#define LINK_DIRECT ((size_t)1 << 20)

/* Looks before the first nap; others may run in between. */
#define LINK_LOOKS 200

/* Naps between looks, ns: short at first, long after LINK_PATIENCE of them. */
#define LINK_NAP_NS 50000L
#define LINK_LONG_NAP_NS 1000000L
#define LINK_PATIENCE 2000

/* The open link: messages under way. */
struct link {
    MPI_Request *requests; /* (n) owned */
    int *peers;            /* (n) other end of each, -1: all, owned */
    int *completed;        /* (n) scratch, owned */
    size_t n;              /* how many */
    size_t cap;            /* room in these */
    size_t left;           /* of them not through */
    int *counts;           /* (2 size) of a gather, owned */
    int rank;              /* ours */
    int size;              /* processes */
    struct link_watch watch; /* told of late ones in process 0 */
};

bool link_built(void)
{
    return true;
}

/* Records a failed call; returns -1. */
static int failed(int code, const char *call, struct err *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;

    MPI_Error_string(code, text, &n);
    return err_set(err, ERR_IO, "%s: %.200s", call, text);
}

struct link *link_open(int *rank, int *size, struct err *err)
{
    struct link *l = mem_alloc(1, sizeof *l, err);
    int got, code;

    if (!l)
        return NULL;
    code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &got);
    if (code) {
        failed(code, "MPI_Init_thread", err);
        free(l);
        return NULL;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &l->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &l->size);
    *rank = l->rank;
    *size = l->size;
    l->counts = mem_alloc(2 * (size_t)l->size, sizeof *l->counts, err);
    if (!l->counts) {
        link_close(l);
        return NULL;
    }
    return l;
}

void link_close(struct link *l)
{
    if (!l)
        return;
    MPI_Finalize();
    free(l->requests);
    free(l->peers);
    free(l->completed);
    free(l->counts);
    free(l);
}

void link_abort(int status)
{
    MPI_Abort(MPI_COMM_WORLD, status);
}

/* Room for one more message, to or from a peer; NULL with err set. */
static MPI_Request *add(struct link *l, int peer, struct err *err)
{
    size_t cap = l->cap;
    MPI_Request *requests =
        mem_grow(l->requests, &cap, l->n + 1, sizeof *requests, err);
    int *peers, *completed;

    if (!requests)
        return NULL;
    l->requests = requests;
    cap = l->cap;
    peers = mem_grow(l->peers, &cap, l->n + 1, sizeof *peers, err);
    if (!peers)
        return NULL;
    l->peers = peers;
    cap = l->cap;
    completed = mem_grow(l->completed, &cap, l->n + 1, sizeof *completed, err);
    if (!completed)
        return NULL;
    l->completed = completed;
    l->cap = cap;
    l->peers[l->n] = peer;
    return &l->requests[l->n++];
}

/* Seconds of a clock that only goes forward. */
static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Tells of the first message that is not through. */
static void tell(const struct link *l, int seconds)
{
    size_t i = 0;

    while (i < l->n && l->requests[i] == MPI_REQUEST_NULL)
        i++;
    if (i < l->n)
        l->watch.late(l->watch.ctx, l->peers[i], seconds);
}

/* Looks whether all messages are through. Returns an MPI error, or 0. */
static int look(struct link *l, int *done)
{
    int n, code;

    code = MPI_Testsome((int)l->n, l->requests, &n, l->completed,
                        MPI_STATUSES_IGNORE);
    if (!code && n != MPI_UNDEFINED)
        l->left -= (size_t)n;
    *done = l->left == 0;
    return code;
}

/* Waits for all messages. */
static int finish(struct link *l, const char *call, struct err *err)
{
    struct timespec nap = {0, LINK_NAP_NS};
    double begun = now(), patience = l->rank == 0 ? l->watch.seconds : 0;
    unsigned looks;
    int code, done;

    l->left = l->n;
    for (looks = 0;; looks++) {
        code = look(l, &done);
        if (code || done)
            break;
        if (looks == LINK_LOOKS + LINK_PATIENCE)
            nap.tv_nsec = LINK_LONG_NAP_NS;
        if (looks < LINK_LOOKS)
            sched_yield();
        else
            nanosleep(&nap, NULL);
        if (patience > 0 && now() - begun > patience) {
            tell(l, (int)patience);
            patience *= 2;
        }
    }
    l->n = 0;
    return code ? failed(code, call, err) : 0;
}

int link_gather(struct link *l, void *bytes, const size_t *ends,
                struct err *err)
{
    int *counts = l->counts, *starts = l->counts + l->size, code, r;
    MPI_Request *request = add(l, -1, err);

    if (!request)
        return -1;
    if (ends[l->size - 1] > LINK_MESSAGE)
        return err_set(err, ERR_FAILED, "gathering %zu bytes: at most %zu go",
                       ends[l->size - 1], LINK_MESSAGE);
    for (r = 0; r < l->size; r++) {
        starts[r] = r ? (int)ends[r - 1] : 0;
        counts[r] = (int)ends[r] - starts[r];
    }
    code = MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, bytes, counts, starts,
                           MPI_BYTE, MPI_COMM_WORLD, request);
    if (code)
        return failed(code, "MPI_Iallgatherv", err);
    return finish(l, "MPI_Iallgatherv", err);
}

/* Begins to send (or to receive) one piece. */
static int begin(struct link *l, const struct link_piece *p, bool send,
                 struct err *err)
{
    size_t left = p->n, part;
    char *at = p->bytes;
    MPI_Request *r;
    int code;

    for (; left > 0; left -= part, at += part) {
        part = left < LINK_MESSAGE ? left : LINK_MESSAGE;
        r = add(l, p->peer, err);
        if (!r)
            return -1;
        code = send ? MPI_Isend(at, (int)part, MPI_BYTE, p->peer, 0,
                                MPI_COMM_WORLD, r)
                    : MPI_Irecv(at, (int)part, MPI_BYTE, p->peer, 0,
                                MPI_COMM_WORLD, r);
        if (code)
            return failed(code, send ? "MPI_Isend" : "MPI_Irecv", err);
    }
    return 0;
}

int link_exchange(struct link *l, const struct link_piece *to, size_t n_to,
                  const struct link_piece *from, size_t n_from,
                  struct err *err)
{
    size_t i;

    for (i = 0; i < n_from; i++)
        if (begin(l, &from[i], false, err))
            return -1;
    for (i = 0; i < n_to; i++)
        if (begin(l, &to[i], true, err))
            return -1;
    return finish(l, "MPI_Isend", err);
}

/* Gives every process many bytes, over a tree of processes. */
static int broadcast_much(struct link *l, int root, char *at, size_t n,
                          struct err *err)
{
    MPI_Request *r;
    size_t part;
    int code;

    for (; n > 0; n -= part, at += part) {
        part = n < LINK_MESSAGE ? n : LINK_MESSAGE;
        r = add(l, -1, err);
        if (!r)
            return -1;
        code = MPI_Ibcast(at, (int)part, MPI_BYTE, root, MPI_COMM_WORLD, r);
        if (code)
            return failed(code, "MPI_Ibcast", err);
    }
    return finish(l, "MPI_Ibcast", err);
}

int link_broadcast(struct link *l, int root, void *bytes, size_t n,
                   struct err *err)
{
    struct link_piece one = {root, bytes, n};

    if (n > LINK_DIRECT)
        return broadcast_much(l, root, bytes, n, err);
    if (l->rank != root)
        return link_exchange(l, NULL, 0, &one, 1, err);
    for (one.peer = 0; one.peer < l->size; one.peer++)
        if (one.peer != root && begin(l, &one, true, err))
            return -1;
    return finish(l, "MPI_Isend", err);
}

int link_collect(struct link *l, void *table, size_t n, struct err *err)
{
    struct link_piece one = {0, table, n};

    if (l->rank) {
        one.bytes = (char *)table + (size_t)l->rank * n;
        return link_exchange(l, &one, 1, NULL, 0, err);
    }
    for (one.peer = 1; one.peer < l->size; one.peer++) {
        one.bytes = (char *)table + (size_t)one.peer * n;
        if (begin(l, &one, false, err))
            return -1;
    }
    return finish(l, "MPI_Irecv", err);
}

void link_set_watch(struct link *l, const struct link_watch *w)
{
    l->watch = *w;
}

#else

bool link_built(void)
{
    return false;
}

struct link *link_open(int *rank, int *size, struct err *err)
{
    *rank = 0;
    *size = 1;
    err_set(err, ERR_USAGE,
            "a launcher (mpirun or srun) started this a2b-train as one of "
            "several processes, but it was built without MPI: install "
            "libopenmpi-dev and build it again, or start it by itself");
    return NULL;
}

void link_close(struct link *l)
{
    (void)l;
}

void link_abort(int status)
{
    (void)status;
}

int link_broadcast(struct link *l, int root, void *bytes, size_t n,
                   struct err *err)
{
    (void)l, (void)root, (void)bytes, (void)n, (void)err;
    return 0;
}

int link_gather(struct link *l, void *bytes, const size_t *ends,
                struct err *err)
{
    (void)l, (void)bytes, (void)ends, (void)err;
    return 0;
}

int link_exchange(struct link *l, const struct link_piece *to, size_t n_to,
                  const struct link_piece *from, size_t n_from,
                  struct err *err)
{
    (void)l, (void)to, (void)n_to, (void)from, (void)n_from, (void)err;
    return 0;
}

int link_collect(struct link *l, void *table, size_t n, struct err *err)
{
    (void)l, (void)table, (void)n, (void)err;
    return 0;
}

void link_set_watch(struct link *l, const struct link_watch *w)
{
    (void)l, (void)w;
}

#endif
