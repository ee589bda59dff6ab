/*
 * piece - the sound files of a folder, by name.
 */
#ifndef DATASET_PIECE_H
#define DATASET_PIECE_H

#include <stddef.h>

#include "base/err.h"
#include "signal/audio.h"

/* One sound file. */
struct piece {
    char *path; /* folder and file name; owned */
    char *stem; /* file name without its last suffix; owned */
};

/* The sound files of a folder; {0} is none. */
struct piece_list {
    struct piece *item; /* n pieces ordered by stem; owned */
    size_t n;           /* pieces */
};

/*
 * Lists the files of a folder but hidden ones; folders in it are passed over.
 *
 * Returns 0; -1 with err set: the system's status, or ERR_DATA if there are
 * no files, two with one stem, or a name that is no UTF-8 or has control
 * characters. Caller releases, after a failure too.
 */
int piece_list(struct piece_list *list, const char *folder,
               struct err *err) NODISCARD;

/* Reads and decodes one. Returns 0; -1 with err set. Caller releases out. */
int piece_read(const struct piece *p, struct audio *out,
               struct err *err) NODISCARD;

/* Frees a list; {0} is fine. */
void piece_list_release(struct piece_list *list);

#endif
