/*
 * software - what a run was computed with: program, processor, compiler, C
 * library. Equal bits need all of these equal.
 */
#ifndef TRAIN_SOFTWARE_H
#define TRAIN_SOFTWARE_H

#include "base/buf.h"

/* Name of the file in a run folder. */
#define SOFTWARE_NAME "software.json"

/*
 * Appends {"a2b":...,"kernels":...,"processor":...,"compiler":...,
 * "libc":...,"threads":N} and a newline.
 */
void software_put(struct buf *b, const char *version, int n_threads);

#endif
