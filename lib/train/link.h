/*
 * link - bytes between the processes of one training run, by MPI.
 *
 * The only file that knows MPI is link.c. Built without it, a program is
 * always on its own. All calls but link_abort() are collective. One thread
 * makes them, and while it waits it sleeps between looks, so that a process
 * waiting for input does not take a processor away from one that computes.
 */
#ifndef TRAIN_LINK_H
#define TRAIN_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Room for link_host(). */
#define LINK_HOST_SIZE 64

/* Bytes that go to one process, or come from it. */
struct link_piece {
    int peer;    /* its rank */
    void *bytes; /* (n), borrowed; only read when sent */
    size_t n;    /* how many */
};

/* Who is told of processes that are late. */
struct link_watch {
    int seconds; /* of waiting, then twice as many, and so on; 0: nobody */
    /* one that lets us wait; -1: not known which */
    void (*late)(void *ctx, int peer, int seconds);
    void *ctx; /* its own */
};

struct link; /* what is open */

/* Whether this program was built with MPI. */
bool link_built(void);

/*
 * Joins the processes that a launcher started.
 *
 * Returns the link, which link_close() ends; NULL with err set.
 */
struct link *link_open(int *rank, int *size, struct err *err) NODISCARD;

/* Waits for all processes and leaves; NULL is fine. */
void link_close(struct link *l);

/* Ends all processes, this one too, with an exit status. */
void link_abort(int status);

/* The name of the machine this process runs on. Returns text. */
char *link_host(char text[LINK_HOST_SIZE]);

/* Gives every process the n bytes of process `root`. */
int link_broadcast(struct link *l, int root, void *bytes, size_t n,
                   struct err *err) NODISCARD;

/* From now on w, a copy of which is kept, hears of late ones in process 0. */
void link_set_watch(struct link *l, const struct link_watch *w);

/*
 * Collects a table of one entry of n bytes a process in process 0. Every
 * process has filled its own entry.
 */
int link_collect(struct link *l, void *table, size_t n,
                 struct err *err) NODISCARD;

/*
 * Completes an array in every process: process r has filled the bytes
 * [ends[r-1], ends[r]), from 0 on.
 */
int link_gather(struct link *l, void *bytes, const size_t *ends,
                struct err *err) NODISCARD;

/*
 * Sends and receives; between two processes pieces arrive in the order they
 * were sent, and must have the size they were sent with.
 */
int link_exchange(struct link *l, const struct link_piece *to, size_t n_to,
                  const struct link_piece *from, size_t n_from,
                  struct err *err) NODISCARD;

#endif
