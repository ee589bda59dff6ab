/*
 * web - objects on HTTP servers.
 *
 * The URI is sent as it is, with bytes that no URL has percent-encoded.
 */
#include "store/web.h"

#include <stdio.h>
#include <string.h>

/* Times an object is read if it changes meanwhile. */
#define MAX_READS 8

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

/*
 * What names a version: the ETag, else the date of the last change unless
 * that was so lately that another could follow unseen; "" for neither.
 */
static void put_validator(const struct http_request *r, char *validator)
{
    time_t changed = r->modified[0] ? http_date(r->modified) : 0;

    if (r->etag[0])
        snprintf(validator, STORE_VALIDATOR_SIZE, "%s", r->etag);
    else if (changed > 0 && r->server_time > changed + 1)
        snprintf(validator, STORE_VALIDATOR_SIZE, STORE_DATED "%s", r->modified);
    else
        validator[0] = '\0';
}

int web_stat(struct http *http, const char *uri, struct store_info *info,
             char *validator, struct err *err)
{
    struct http_request r = {.method = "HEAD"};
    int rc = run(http, uri, &r, err);

    if (!rc)
        rc = check(&r, err);
    info->folder = false;
    info->size = r.total == HTTP_ALL ? 0 : r.total;
    if (validator)
        put_validator(&r, validator);
    http_release(&r);
    return rc;
}

/* A file for a large object, and who makes it. */
struct placing {
    const struct blob_sink *sink; /* borrowed */
    struct blob *out;             /* gets the file; borrowed */
    char validator[STORE_VALIDATOR_SIZE]; /* of the object */
};

/* Opens the file of a large object; see http.h. */
static int place(void *ctx, struct http_request *r, struct err *err)
{
    struct placing *p = ctx;

    blob_release(p->out);
    put_validator(r, p->validator);
    if (p->sink->place(p->sink->ctx, r->total, p->validator, &p->out->fd,
                       &p->out->at, err))
        return -1;
    p->out->in_file = true;
    r->fd = p->out->fd;
    r->fd_at = p->out->at;
    return 0;
}

/* Fetches once; 0 with the object; 1 if it changed meanwhile; 2 if it is
 * known; -1 with err set. */
static int fetch_once(struct http *http, const char *uri, const char *known,
                      struct placing *p, struct err *err)
{
    struct http_request r = {.memory = BLOB_MEMORY, .place = place, .ctx = p};
    int rc;

    if (known && strncmp(known, STORE_DATED, strlen(STORE_DATED)) == 0)
        r.if_modified_since = known + strlen(STORE_DATED);
    else if (known && *known)
        r.if_none_match = known;
    rc = run(http, uri, &r, err);
    if (!rc && r.status == 304)
        rc = 2;
    else if (!rc && r.status == 412)
        rc = 1;
    else if (!rc)
        rc = check(&r, err);
    if (!rc)
        put_validator(&r, p->validator);
    if (!rc && r.placed) {
        p->out->size = r.got;
    } else if (!rc) {
        p->out->bytes = r.body;
        r.body = (struct buf){0};
    }
    http_release(&r);
    return rc;
}

int web_fetch(struct http *http, const char *uri, const char *known,
              const struct blob_sink *sink, struct blob *out,
              char *validator, struct err *err)
{
    struct placing p = {.sink = sink, .out = out};
    int rc, n = 0;

    do {
        rc = fetch_once(http, uri, known, &p, err);
        if (rc)
            blob_release(out);
    } while (rc == 1 && ++n < MAX_READS);
    if (rc == 1)
        rc = err_set(err, ERR_AGAIN, "%s: changes while it is read", uri);
    memcpy(validator, p.validator, STORE_VALIDATOR_SIZE);
    return rc < 0 ? -1 : rc == 0;
}

int web_read(struct http *http, const char *uri, uint64_t offset,
             uint64_t limit, struct buf *out, struct err *err)
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
    http_release(&r);
    return rc;
}
