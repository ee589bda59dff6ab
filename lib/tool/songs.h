/*
 * songs - names of sound files that are operands: file/<name> is their key.
 */
#ifndef TOOL_SONGS_H
#define TOOL_SONGS_H

#include <stddef.h>

#include "base/err.h"

/* The names so far; {0} is none. */
struct songs {
    char **names; /* n names, owned */
    size_t n;     /* names */
    size_t cap;   /* room in names */
};

/*
 * Notes one more sound file.
 *
 * path: "music/108.mp3" is the song 108, "-" is the song stdin
 * name: (result) owned by s
 * Returns 0; -1 with ERR_USAGE for a name that is noted already (one key
 * would stand for two songs) or that is no UTF-8 text without control
 * characters (no key could hold it).
 */
int songs_add(struct songs *s, const char *path, const char **name,
              struct err *err) NODISCARD;

/* ERR_USAGE for a path that is no UTF-8 text without control characters. */
int songs_check(const char *path, struct err *err) NODISCARD;

/* Frees them; {0} is fine. */
void songs_release(struct songs *s);

#endif
