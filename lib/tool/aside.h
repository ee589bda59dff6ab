/*
 * aside - a file that is there whole or not at all.
 */
#ifndef TOOL_ASIDE_H
#define TOOL_ASIDE_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Writes text, or any bytes, to path: beside it first, then renamed. A signal
 * removes what was written so far, as tool_guard() says.
 */
int aside_write(const char *path, const struct buf *text,
                struct err *err) NODISCARD;

#endif
