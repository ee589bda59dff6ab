/*
 * err - one failure as one line of text.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Length of the control character at s: 1 for C0 and DEL, 2 for a C1 control
 * in UTF-8 (a terminal obeys those too), 0 for anything else.
 */
static size_t control_len(const unsigned char *s)
{
    if (s[0] < 0x20 || s[0] == 0x7f)
        return 1;
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
        return 2;
    return 0;
}

/* Copies raw to the text of err with control characters made visible. */
static void put_clean(struct err *err, const char *raw)
{
    const unsigned char *s = (const unsigned char *)raw;
    size_t n = 0, room = sizeof err->text - 4; /* keep "..." and NUL */

    while (*s) {
        size_t len = control_len(s);
        size_t need = len ? 4 * len : 1;
        size_t i;

        if (n + need > room) {
            memcpy(err->text + n, "...", 3);
            n += 3;
            break;
        }
        for (i = 0; i < len; i++)
            n += (size_t)snprintf(err->text + n, 5, "\\x%02x", s[i]);
        if (!len)
            err->text[n++] = (char)*s;
        s += len ? len : 1;
    }
    err->text[n] = '\0';
}

int err_set(struct err *err, enum err_status status, const char *fmt, ...)
{
    char raw[sizeof err->text];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    err->status = status;
    err->upstream = false;
    err->no_space = false;
    put_clean(err, raw);
    return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    char raw[sizeof err->text], all[2 * sizeof err->text + 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    snprintf(all, sizeof all, "%s: %s", raw, err->text);
    put_clean(err, all);
    return -1;
}

int err_errno(struct err *err, const char *fmt, ...)
{
    int number = errno;
    char raw[sizeof err->text], reason[128];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    if (number == ENOENT || number == ENOTDIR)
        err->status = ERR_MISSING;
    else if (number == EACCES || number == EPERM)
        err->status = ERR_DENIED;
    else
        err->status = ERR_IO;
    if (strerror_r(number, reason, sizeof reason))
        snprintf(reason, sizeof reason, "error %d", number);
    err_set(err, err->status, "%s", reason);
    err->no_space = number == ENOSPC || number == EDQUOT || number == EFBIG;
    return err_prefix(err, "%s", raw);
}

enum err_status err_status_from(long number)
{
    switch (number) {
    case ERR_FAILED:
    case ERR_USAGE:
    case ERR_DATA:
    case ERR_MISSING:
    case ERR_IO:
    case ERR_AGAIN:
    case ERR_DENIED:
        return (enum err_status)number;
    default:
        return ERR_DATA;
    }
}
