/*
 * buf - bytes that grow.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for n more bytes and a NUL; marks b failed if that cannot be. */
static bool reserve(struct buf *b, size_t n)
{
    size_t room = b->cap ? b->cap : 64;
    char *p;

    if (b->failed || n > SIZE_MAX / 4 - b->len) {
        b->failed = true;
        return false;
    }
    if (b->data && b->len + n < b->cap)
        return true;
    while (room <= b->len + n)
        room *= 2;
    p = realloc(b->data, room);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = room;
    return true;
}

void buf_put(struct buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(b, (size_t)n)) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

int buf_check(const struct buf *b, struct err *err)
{
    if (b->failed)
        return err_set(err, ERR_FAILED, "out of memory for text");
    return 0;
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
