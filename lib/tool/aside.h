/*
 * aside - a file that is there whole or not at all.
 */
#ifndef TOOL_ASIDE_H
#define TOOL_ASIDE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Writes text, or any bytes, to path: beside it first, then renamed. A signal
 * removes what was written so far, as tool_guard() says.
 */
int aside_write(const char *path, const struct buf *text,
                struct err *err) NODISCARD;

/* The same, not synced to the disk: for what can be fetched again. */
int aside_write_lightly(const char *path, const struct buf *text,
                        struct err *err) NODISCARD;

/*
 * Makes size bytes of an open file, from byte `at` on, the file path: a file
 * that has no name yet and is just that gets this one where the system can,
 * else they are copied. As aside_write_lightly().
 */
int aside_take(const char *path, int fd, uint64_t at, uint64_t size,
               struct err *err) NODISCARD;

#endif
