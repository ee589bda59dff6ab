/*
 * buf - bytes that grow: text, JSON and headers are built in one.
 *
 * Failure is sticky: after a failed append all others do nothing, and
 * buf_check() reports it once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* A growing run of bytes; {0} is empty. */
struct buf {
    char *data;  /* owned; NUL-terminated once something was appended */
    size_t len;  /* bytes in use, the NUL not counted */
    size_t cap;  /* bytes reserved */
    bool failed; /* an append ran out of memory */
};

/* Appends n bytes. */
void buf_put(struct buf *b, const void *bytes, size_t n);

/* Appends a string. */
void buf_puts(struct buf *b, const char *text);

/* Appends formatted text. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Empties it, keeping the memory. */
void buf_clear(struct buf *b);

/* The text so far, "" when empty; valid until the next append. */
const char *buf_text(const struct buf *b);

/* Returns 0, or -1 with err set if an append had failed. */
int buf_check(const struct buf *b, struct err *err) NODISCARD;

/* Frees the bytes; {0} is fine. */
void buf_release(struct buf *b);

#endif
