/*
 * base64 - floats in metadata: RFC 4648's alphabet with padding, over
 * little-endian float32.
 */
#ifndef TRAIN_BASE64_H
#define TRAIN_BASE64_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends n floats. */
void base64_put_floats(struct buf *b, const float *values, size_t n);

/* Reads exactly n floats. Returns 0; -1 if text is anything else. */
int base64_parse_floats(const char *text, float *values, size_t n);

#endif
