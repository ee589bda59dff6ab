/*
 * origin - remote stores as the source of a cache.
 *
 * A known version is part of the one request that asks for the object. Bytes
 * are filed under the validator that came with them.
 */
#include "store/origin.h"

#include <string.h>
#include <strings.h>

/* See struct cached_source. */
static bool origin_remote(void *ctx, const char *uri)
{
    (void)ctx;
    return store_is_remote(uri);
}

/* The URI, and for s3:// the server before it: URLs name theirs. */
static int origin_key(void *ctx, const char *uri, struct buf *key,
                      struct err *err)
{
    const struct origin *o = ctx;
    const char *server = "";

    if (strncasecmp(uri, "s3:", 3) == 0)
        server = store_s3_server(o->store, err);
    if (!server)
        return -1;
    if (*server)
        buf_printf(key, "%s\n", server);
    buf_puts(key, uri);
    return buf_check(key, err);
}

/* See struct cached_source. */
static int origin_fetch(void *ctx, const char *uri, const char *known,
                        const struct blob_sink *sink, struct blob *out,
                        struct buf *validator, struct err *err)
{
    const struct origin *o = ctx;
    char text[STORE_VALIDATOR_SIZE];
    int got = store_fetch(o->store, uri, known, sink, out, text, err);

    if (got > 0)
        buf_puts(validator, text);
    return got > 0 && buf_check(validator, err) ? -1 : got;
}

struct cached_source origin_source(struct origin *o)
{
    return (struct cached_source){origin_remote, origin_key, origin_fetch, o};
}
