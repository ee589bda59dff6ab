/*
 * web - objects on HTTP servers.
 *
 * The URI is sent as it is, with bytes that no URL has percent-encoded.
 */
#include "store/web.h"

#include <string.h>

/* Appends a URI without its fragment; blanks and such become %XX. */
static void put_url(struct buf *out, const char *uri)
{
    for (; *uri && *uri != '#'; uri++) {
        unsigned char c = (unsigned char)*uri;

        if (c > 0x20 && c < 0x7f && !strchr("\"<>\\^`{|}", c))
            buf_put(out, uri, 1);
        else
            buf_printf(out, "%%%02X", (unsigned)c);
    }
}

/* The failure a status means; 0 for 2xx. */
static int check(const struct http_request *r, struct err *err)
{
    enum err_status status = ERR_FAILED;

    if (r->status / 100 == 2)
        return 0;
    if (r->status == 404 || r->status == 410)
        status = ERR_MISSING;
    else if (r->status == 401 || r->status == 403 || r->status == 407)
        status = ERR_DENIED;
    return err_set(err, status, "%s: the server says %ld", r->name, r->status);
}

/* Sends a request for a URI. */
static int run(struct http *http, const char *uri, struct http_request *r,
               struct err *err)
{
    struct buf url = {0};
    int rc;

    if (!uri[strcspn(uri, ":") + 3])
        return err_set(err, ERR_USAGE, "%s: no host", uri);
    put_url(&url, uri);
    rc = buf_check(&url, err);
    r->name = uri;
    r->url = buf_text(&url);
    r->follow = true;
    if (!rc)
        rc = http_run(http, r, err);
    buf_release(&url);
    return rc;
}

int web_stat(struct http *http, const char *uri, struct store_info *info,
             char *etag, struct err *err)
{
    struct http_request r = {.method = "HEAD"};
    int rc = run(http, uri, &r, err);

    if (!rc)
        rc = check(&r, err);
    info->folder = false;
    info->size = r.total == HTTP_ALL ? 0 : r.total;
    if (etag)
        memcpy(etag, r.etag, HTTP_TEXT_SIZE);
    http_release(&r);
    return rc;
}

int web_read(struct http *http, const char *uri, uint64_t offset,
             uint64_t limit, struct buf *out, char *etag, struct err *err)
{
    struct http_request r = {.offset = offset, .limit = limit};
    int rc;

    if (limit == 0)
        return 0;
    rc = run(http, uri, &r, err);
    if (!rc && r.status != 416) /* 416: nothing is there from offset on */
        rc = check(&r, err);
    if (!rc && r.status != 416) {
        buf_put(out, r.body.data, r.body.len);
        rc = buf_check(out, err);
    }
    if (etag)
        memcpy(etag, r.etag, HTTP_TEXT_SIZE);
    http_release(&r);
    return rc;
}
