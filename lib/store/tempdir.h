/*
 * tempdir - a private temporary folder that does not outlive its program.
 *
 * tempdir_remove() may be called from a signal handler, so the owner can
 * remove the folder on every way out but SIGKILL; what that leaves behind is
 * removed by the next tempdir_open() with the same parent, which tells a dead
 * owner by the lock that the kernel dropped.
 */
#ifndef STORE_TEMPDIR_H
#define STORE_TEMPDIR_H

#include "base/err.h"

/* Longest path of a folder, its NUL too. */
#define TEMPDIR_PATH 4096

/* One folder; {0} is none. */
struct tempdir {
    char path[TEMPDIR_PATH]; /* "": none */
    int fd;                  /* of the folder, locked while the owner lives */
};

/*
 * Removes the folders of dead programs below parent and makes a new one,
 * readable by its owner only. Returns 0; -1 with err set.
 */
int tempdir_open(struct tempdir *t, const char *parent,
                 struct err *err) NODISCARD;

/*
 * Removes the folder and everything in it, though threads may still be
 * writing there. Async-signal-safe; {0} and a second call are fine.
 */
void tempdir_remove(struct tempdir *t);

/* Removes the folders of dead programs below parent; how many went. */
unsigned tempdir_sweep(const char *parent);

#endif
