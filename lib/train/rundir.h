/*
 * rundir - the folder of a run: made, and this process's alone.
 */
#ifndef TRAIN_RUNDIR_H
#define TRAIN_RUNDIR_H

#include <stdbool.h>

#include "base/err.h"

/* An open run folder; {0} is none. */
struct rundir {
    const char *path; /* borrowed */
    int fd;           /* holds the lock; meaningful when path is set */
    bool made;        /* by us */
};

/*
 * Makes the folder with its parents and locks it.
 *
 * ERR_AGAIN if another process trains there.
 */
int rundir_open(struct rundir *r, const char *path, struct err *err) NODISCARD;

/* Removes the folder again if we made it and nothing is in it. */
void rundir_undo(struct rundir *r);

/* Leaves it; {0} is fine. */
void rundir_close(struct rundir *r);

#endif
