/*
 * err - what went wrong, with the exit status it asks for.
 *
 * A function that can fail takes `struct err *err` last, returns -1 (or
 * NULL) and fills it with one line of facts: where, what, wanted, got.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

/* A result that must be looked at. */
#define NODISCARD __attribute__((warn_unused_result))

/* Checks a format string against its arguments: F and A count from 1. */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Exit statuses, as a2b(7) documents them; no others exist. */
enum err_status {
    ERR_FAILED = 1,   /* any other failure */
    ERR_USAGE = 2,    /* command line or config wrong */
    ERR_DATA = 65,    /* input bad, damaged or cut off */
    ERR_MISSING = 66, /* input does not exist */
    ERR_IO = 74,      /* read, write or disk failed */
    ERR_AGAIN = 75,   /* temporary: the same call may work later */
    ERR_DENIED = 77   /* not allowed */
};

/* One failure. */
struct err {
    enum err_status status; /* what the program should exit with */
    bool upstream;          /* text came with another program's name */
    bool no_space;          /* a disk, quota or file size limit is full */
    char text[1024];        /* one line, no newline, no control characters */
};

/*
 * Records a failure: status and a printf-formatted line.
 *
 * Control characters that came in with data are written as \xNN, a line that
 * is too long is cut with "...". Returns -1, so that
 * `return err_set(err, ERR_DATA, ...)` reads well.
 */
int err_set(struct err *err, enum err_status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/*
 * Puts "prefix: " before the text that err holds already, for instance the
 * name of the file a lower layer did not know. Returns -1.
 */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Records the failed system call in errno as "what: strerror".
 *
 * The status follows errno: ENOENT and ENOTDIR are ERR_MISSING, EACCES and
 * EPERM are ERR_DENIED, everything else is ERR_IO; a full disk sets no_space.
 * Returns -1.
 */
int err_errno(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * The status for a number from a stream's end frame: itself if it is one of
 * enum err_status, else ERR_DATA.
 */
enum err_status err_status_from(long number);

#endif
