/*
 * json - strict JSON in (jansson, duplicates refused) and out.
 *
 * Values are opaque; names avoid those that libjansson exports.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct json; /* one parsed value; sub-values are borrowed from the root */

/* What a value is. */
enum json_kind {
    JSON_KIND_NULL, /* null, or no value at all */
    JSON_KIND_BOOL, /* true or false */
    JSON_KIND_NUMBER, /* integer or real */
    JSON_KIND_TEXT, /* a string */
    JSON_KIND_LIST, /* an array */
    JSON_KIND_MAP /* an object */
};

/*
 * Parses n bytes that hold exactly one JSON value.
 *
 * Refuses duplicate keys, bad UTF-8, NUL in strings and trailing bytes.
 * Returns the value, or NULL with err (ERR_DATA) that names the byte.
 * Caller closes.
 */
struct json *json_parse(const char *text, size_t n,
                        struct err *err) NODISCARD;

/* Frees a value that json_parse() returned; NULL is fine. */
void json_close(struct json *j);

/* What j is; NULL counts as null. */
enum json_kind json_kind(const struct json *j);

/* Member `key` of a map; NULL if j is no map or has none. */
const struct json *json_member(const struct json *j, const char *key);

/* Items of a list or members of a map; 0 for anything else. */
size_t json_count(const struct json *j);

/* Item i of a list; NULL beyond its end. */
const struct json *json_at(const struct json *j, size_t i);

/*
 * Calls visit for each member of a map in the order of the text; stops and
 * returns the first value that is not 0.
 */
int json_each(const struct json *j,
              int (*visit)(void *ctx, const char *key, const struct json *v),
              void *ctx);

/* A text value; NULL if j is none. Borrowed from the root. */
const char *json_text(const struct json *j);

/* A number as double, or `otherwise` if j is none. */
double json_num(const struct json *j, double otherwise);

/*
 * A number without fraction or exponent. Returns 0; -1 if j is none or out
 * of the range of int64_t.
 */
int json_int(const struct json *j, int64_t *out);

/* A boolean, or `otherwise` if j is none. */
bool json_bool(const struct json *j, bool otherwise);

/*
 * Appends text as a JSON string with its quotes. Only quote, backslash and
 * U+0000-001F are escaped.
 */
void json_put_text(struct buf *b, const char *text);

/* Appends a number in shortest form; null for nan and infinities. */
void json_put_num(struct buf *b, double value);

/* Appends a float in its own shortest form; null for nan and infinities. */
void json_put_float(struct buf *b, float value);

/* Appends any parsed value, compact, members in their order. */
void json_put_value(struct buf *b, const struct json *j);

#endif
