/*
 * md5pool - MD5s for many threads, each of which has one run of bytes now and
 * then: those that come at about the same time are made side by side (md5s.h).
 *
 * A thread waits until MD5S_LANES have come, until everybody who could come is
 * there, or for MD5POOL_WAIT_MS, whichever is first.
 */
#ifndef BASE_MD5POOL_H
#define BASE_MD5POOL_H

#include <stddef.h>

#include "base/err.h"

/* Longest wait for others, in milliseconds. */
#define MD5POOL_WAIT_MS 20

/* The threads that meet. */
struct md5pool;

/* Opens one. NULL with err set when memory is short. */
struct md5pool *md5pool_open(struct err *err) NODISCARD;

/* This thread may come with bytes soon; no others are waited for. */
void md5pool_enter(struct md5pool *p);

/* It will not come. */
void md5pool_leave(struct md5pool *p);

/*
 * The MD5 of n bytes as 32 hex digits and a NUL. The thread has entered.
 * Returns 0; -1 with err set when libcrypto has no MD5.
 */
int md5pool_sum(struct md5pool *p, const void *bytes, size_t n, char text[33],
                struct err *err) NODISCARD;

/* Closes it; nobody may be inside. NULL is fine. */
void md5pool_close(struct md5pool *p);

#endif
