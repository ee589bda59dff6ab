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

/* Looks before the first nap; others may run in between. */
#define LINK_LOOKS 200

/* Naps between looks, ns: short at first, long after LINK_PATIENCE of them. */
#define LINK_NAP_NS 50000L
#define LINK_LONG_NAP_NS 1000000L
#define LINK_PATIENCE 2000

/* The open link: messages under way. */
struct link {
    MPI_Request *requests; /* (n) owned */
    size_t n;              /* how many */
    size_t cap;            /* room */
    int *counts;           /* (2 size) of a gather, owned */
    int size;              /* processes */
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
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, &l->size);
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
    free(l->counts);
    free(l);
}

void link_abort(int status)
{
    MPI_Abort(MPI_COMM_WORLD, status);
}

/* Room for one more message; NULL with err set. */
static MPI_Request *add(struct link *l, struct err *err)
{
    MPI_Request *grown =
        mem_grow(l->requests, &l->cap, l->n + 1, sizeof *grown, err);

    if (!grown)
        return NULL;
    l->requests = grown;
    return &l->requests[l->n++];
}

/* Waits for all messages. */
static int finish(struct link *l, const char *call, struct err *err)
{
    struct timespec nap = {0, LINK_NAP_NS};
    unsigned looks;
    int code, done;

    for (looks = 0;; looks++) {
        code = MPI_Testall((int)l->n, l->requests, &done, MPI_STATUSES_IGNORE);
        if (code || done)
            break;
        if (looks == LINK_LOOKS + LINK_PATIENCE)
            nap.tv_nsec = LINK_LONG_NAP_NS;
        if (looks < LINK_LOOKS)
            sched_yield();
        else
            nanosleep(&nap, NULL);
    }
    l->n = 0;
    return code ? failed(code, call, err) : 0;
}

int link_broadcast(struct link *l, int root, void *bytes, size_t n,
                   struct err *err)
{
    char *at = bytes;
    MPI_Request *r;
    size_t part;
    int code;

    for (; n > 0; n -= part, at += part) {
        part = n < LINK_MESSAGE ? n : LINK_MESSAGE;
        r = add(l, err);
        if (!r)
            return -1;
        code = MPI_Ibcast(at, (int)part, MPI_BYTE, root, MPI_COMM_WORLD, r);
        if (code)
            return failed(code, "MPI_Ibcast", err);
    }
    return finish(l, "MPI_Ibcast", err);
}

int link_gather(struct link *l, void *bytes, const size_t *ends,
                struct err *err)
{
    int *counts = l->counts, *starts = l->counts + l->size, code, r;
    MPI_Request *request = add(l, err);

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
        r = add(l, err);
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

#endif
