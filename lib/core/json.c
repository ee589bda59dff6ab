/*
 * json - jansson behind our own names.
 *
 * `struct json` is never defined: it is jansson's json_t under another name,
 * so that no other file sees <jansson.h>.
 */
#include "core/json.h"

#include <jansson.h>
#include <math.h>

#include "base/num.h"

/* jansson's view of our value. */
static const json_t *theirs(const struct json *j)
{
    return (const json_t *)j;
}

/* Our view of jansson's value. */
static const struct json *ours(const json_t *j)
{
    return (const struct json *)j;
}

struct json *json_parse(const char *text, size_t n, struct err *err)
{
    json_error_t why;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                           &why);

    if (!j)
        err_set(err, ERR_DATA, "JSON, byte %d: %s", why.position, why.text);
    return (struct json *)j;
}

void json_close(struct json *j)
{
    json_decref((json_t *)j);
}

enum json_kind json_kind(const struct json *j)
{
    if (!j)
        return JSON_KIND_NULL;
    switch (json_typeof(theirs(j))) {
    case JSON_OBJECT:
        return JSON_KIND_MAP;
    case JSON_ARRAY:
        return JSON_KIND_LIST;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
    case JSON_REAL:
        return JSON_KIND_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    default:
        return JSON_KIND_NULL;
    }
}

const struct json *json_member(const struct json *j, const char *key)
{
    return j ? ours(json_object_get(theirs(j), key)) : NULL;
}

size_t json_count(const struct json *j)
{
    switch (json_kind(j)) {
    case JSON_KIND_MAP:
        return json_object_size(theirs(j));
    case JSON_KIND_LIST:
        return json_array_size(theirs(j));
    default:
        return 0;
    }
}

const struct json *json_at(const struct json *j, size_t i)
{
    return j ? ours(json_array_get(theirs(j), i)) : NULL;
}

int json_each(const struct json *j,
              int (*visit)(void *ctx, const char *key, const struct json *v),
              void *ctx)
{
    json_t *map = (json_t *)j;
    void *it;
    int got;

    for (it = json_object_iter(map); it; it = json_object_iter_next(map, it)) {
        got = visit(ctx, json_object_iter_key(it),
                    ours(json_object_iter_value(it)));
        if (got)
            return got;
    }
    return 0;
}

const char *json_text(const struct json *j)
{
    return j ? json_string_value(theirs(j)) : NULL;
}

double json_num(const struct json *j, double otherwise)
{
    if (json_kind(j) != JSON_KIND_NUMBER)
        return otherwise;
    return json_number_value(theirs(j));
}

int json_int(const struct json *j, int64_t *out)
{
    if (!j || !json_is_integer(theirs(j)))
        return -1;
    *out = json_integer_value(theirs(j));
    return 0;
}

bool json_bool(const struct json *j, bool otherwise)
{
    if (json_kind(j) != JSON_KIND_BOOL)
        return otherwise;
    return json_is_true(theirs(j));
}

void json_put_text(struct buf *b, const char *text)
{
    const char *run = text, *s;

    buf_puts(b, "\"");
    for (s = text; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c != '"' && c != '\\' && c >= 0x20)
            continue;
        buf_put(b, run, (size_t)(s - run));
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else
            buf_printf(b, "\\u%04x", c);
        run = s + 1;
    }
    buf_put(b, run, (size_t)(s - run));
    buf_puts(b, "\"");
}

void json_put_num(struct buf *b, double value)
{
    char text[NUM_SIZE];

    buf_puts(b, isfinite(value) ? num_double(text, value) : "null");
}

void json_put_float(struct buf *b, float value)
{
    char text[NUM_SIZE];

    buf_puts(b, isfinite(value) ? num_float(text, value) : "null");
}

/* Where json_each() appends members. */
struct put_members {
    struct buf *b; /* target */
    size_t n;      /* members so far */
};

/* Appends one member of a map. */
static int put_member(void *ctx, const char *key, const struct json *v)
{
    struct put_members *p = ctx;

    if (p->n++)
        buf_puts(p->b, ",");
    json_put_text(p->b, key);
    buf_puts(p->b, ":");
    json_put_value(p->b, v);
    return 0;
}

void json_put_value(struct buf *b, const struct json *j)
{
    struct put_members members = {b, 0};
    size_t i;

    switch (json_kind(j)) {
    case JSON_KIND_MAP:
        buf_puts(b, "{");
        json_each(j, put_member, &members);
        buf_puts(b, "}");
        break;
    case JSON_KIND_LIST:
        buf_puts(b, "[");
        for (i = 0; i < json_count(j); i++) {
            if (i)
                buf_puts(b, ",");
            json_put_value(b, json_at(j, i));
        }
        buf_puts(b, "]");
        break;
    case JSON_KIND_TEXT:
        json_put_text(b, json_text(j));
        break;
    case JSON_KIND_NUMBER:
        if (json_is_integer(theirs(j)))
            buf_printf(b, "%lld", (long long)json_integer_value(theirs(j)));
        else
            json_put_num(b, json_num(j, 0));
        break;
    case JSON_KIND_BOOL:
        buf_puts(b, json_bool(j, false) ? "true" : "false");
        break;
    default:
        buf_puts(b, "null");
    }
}
