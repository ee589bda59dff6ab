/*
 * newdir - a folder that appears complete or not at all.
 *
 * It is filled under a temporary name beside its place and renamed at the
 * end. Saving is safe from several threads at once.
 */
#ifndef DATASET_NEWDIR_H
#define DATASET_NEWDIR_H

#include <stddef.h>

#include "base/err.h"

/* One folder in the making; {0} is none. */
struct newdir {
    char *path; /* where it will be; owned */
    char *temp; /* where it is now, NULL once renamed; owned */
};

/*
 * Begins one. Returns 0; -1 with ERR_USAGE if path is a file or a folder that
 * is not empty, or the status of what the system refused.
 */
int newdir_open(struct newdir *d, const char *path, struct err *err) NODISCARD;

/* Makes a folder inside it. */
int newdir_folder(const struct newdir *d, const char *name,
                  struct err *err) NODISCARD;

/* Writes n bytes as the file `name` inside it, and closes it. */
int newdir_save(const struct newdir *d, const char *name, const void *bytes,
                size_t n, struct err *err) NODISCARD;

/* Puts it in its place. */
int newdir_commit(struct newdir *d, struct err *err) NODISCARD;

/* Frees it and removes what was not committed; {0} is fine. */
void newdir_release(struct newdir *d);

#endif
