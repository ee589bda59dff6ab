/*
 * origin - remote stores as the source of a cache.
 *
 * A version that is known is compared by a request for the ETag alone. Bytes
 * are filed under the ETag that came with them.
 */
#include "store/origin.h"

#include <string.h>

/* See struct cached_source. */
static bool origin_remote(void *ctx, const char *uri)
{
    (void)ctx;
    return store_is_remote(uri);
}

/* The server and the URI, which holds no newline unescaped before it. */
static int origin_key(void *ctx, const char *uri, struct buf *key,
                      struct err *err)
{
    const struct origin *o = ctx;

    if (o->place)
        buf_printf(key, "%s\n", o->place);
    buf_puts(key, uri);
    return buf_check(key, err);
}

/* See struct cached_source. */
static int origin_fetch(void *ctx, const char *uri, const char *known,
                        struct buf *bytes, struct buf *validator,
                        struct err *err)
{
    const struct origin *o = ctx;
    struct store_info info = {0};
    char etag[STORE_ETAG_SIZE] = "";

    if (!o->no_versions && known && *known) {
        if (store_stat_etag(o->store, uri, &info, etag, err))
            return -1;
        if (strcmp(known, etag) == 0)
            return 0;
    }
    if (store_read_etag(o->store, uri, bytes, etag, err))
        return -1;
    if (!o->no_versions)
        buf_puts(validator, etag);
    return buf_check(validator, err) ? -1 : 1;
}

struct cached_source origin_source(struct origin *o)
{
    return (struct cached_source){origin_remote, origin_key, origin_fetch, o};
}
