/*
 * store - one interface over the places objects lie in.
 *
 * Every call finds the row of the table for its URI, decodes the place where
 * the row says that names are percent-encoded, and calls the row's function.
 * A scheme is a letter, then letters, digits, '+', '-', '.', then "://"
 * (RFC 3986, 3.1); anything else is a plain path.
 */
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "store/creds.h"
#include "store/files.h"
#include "store/http.h"
#include "store/s3.h"
#include "store/web.h"

/* Connections and counters. */
struct store {
    struct store_conf conf;        /* as opened */
    struct creds_env env;          /* conf.env for creds */
    atomic_uint_least64_t n_reads; /* reads that succeeded */
    atomic_uint_least64_t n_bytes; /* bytes they brought */
    pthread_mutex_t lock;          /* guards the opening of what follows */
    bool has_site;                 /* site was read */
    struct creds_site site;        /* where S3 is */
    struct http *http;             /* NULL: nothing remote was asked for yet */
    struct s3 *s3;                 /* opened with http */
};

/* Reads where S3 is unless that was done. Locked. */
static int find_site(struct store *s, struct err *err)
{
    if (s->has_site)
        return 0;
    if (creds_site_load(&s->env, &s->site, err)) {
        creds_site_release(&s->site);
        return -1;
    }
    s->has_site = true;
    return 0;
}

/* Starts the network unless it runs. Returns 0; -1 with err set. */
static int connect_all(struct store *s, struct err *err)
{
    struct http_conf conf = HTTP_CONF_INIT;
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    if (!s->http) {
        rc = find_site(s, err);
        conf.ca_bundle = s->site.ca_bundle;
        if (s->site.n_tries)
            conf.n_tries = s->site.n_tries;
        if (s->conf.n_transfers)
            conf.n_transfers = s->conf.n_transfers;
        if (s->conf.stall_s)
            conf.stall_s = s->conf.stall_s;
        if (!rc)
            s->http = http_open(&conf, err);
        if (s->http)
            s->s3 = s3_open(&s->site, &s->env, s->http, err);
        if (!s->s3) {
            http_close(s->http);
            s->http = NULL;
            rc = -1;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* What is at a path. */
static int stat_file(struct store *s, const char *place, const char *uri,
                     struct store_info *info, struct err *err)
{
    (void)s;
    return files_stat(place, uri, info, err);
}

/* Reads a file. */
static int read_file(struct store *s, const char *place, const char *uri,
                     uint64_t offset, uint64_t limit, struct buf *out,
                     struct err *err)
{
    (void)s;
    return files_read(place, uri, offset, limit, out, err);
}

/* Lists a folder of files. */
static int list_files(struct store *s, const char *place, const char *uri,
                      const struct store_visitor *visitor, struct err *err)
{
    (void)s;
    return files_list(place, uri, visitor, err);
}

/* What is at a place on S3. */
static int stat_s3(struct store *s, const char *place, const char *uri,
                   struct store_info *info, struct err *err)
{
    return s3_stat(s->s3, place, uri, info, NULL, err);
}

/* Reads an object on S3. */
static int read_s3(struct store *s, const char *place, const char *uri,
                   uint64_t offset, uint64_t limit, struct buf *out,
                   struct err *err)
{
    return s3_read(s->s3, place, uri, offset, limit, out, err);
}

/* Lists a folder on S3. */
static int list_s3(struct store *s, const char *place, const char *uri,
                   const struct store_visitor *visitor, struct err *err)
{
    return s3_list(s->s3, place, uri, visitor, err);
}

/* What is at a URL. */
static int stat_web(struct store *s, const char *place, const char *uri,
                    struct store_info *info, struct err *err)
{
    (void)place;
    return web_stat(s->http, uri, info, NULL, err);
}

/* Reads what is at a URL. */
static int read_web(struct store *s, const char *place, const char *uri,
                    uint64_t offset, uint64_t limit, struct buf *out,
                    struct err *err)
{
    (void)place;
    return web_read(s->http, uri, offset, limit, out, err);
}

/* A file: the file itself, or its bytes if there are few or no end is known. */
static int fetch_file(struct store *s, const char *place, const char *uri,
                      const char *known, const struct blob_sink *sink,
                      struct blob *out, char *validator, struct err *err)
{
    (void)s;
    (void)known;
    (void)sink;
    (void)validator;
    return files_fetch(place, uri, out, err) ? -1 : 1;
}

/* An object on S3. */
static int fetch_s3(struct store *s, const char *place, const char *uri,
                    const char *known, const struct blob_sink *sink,
                    struct blob *out, char *validator, struct err *err)
{
    return s3_fetch(s->s3, place, uri, known, sink, out, validator, err);
}

/* What is at a URL. */
static int fetch_web(struct store *s, const char *place, const char *uri,
                     const char *known, const struct blob_sink *sink,
                     struct blob *out, char *validator, struct err *err)
{
    (void)place;
    return web_fetch(s->http, uri, known, sink, out, validator, err);
}

/* Every kind of place. */
static const struct store_backend backends[] = {
    {NULL, false, false, stat_file, read_file, fetch_file, list_files},
    {"file", true, false, stat_file, read_file, fetch_file, list_files},
    {"s3", false, true, stat_s3, read_s3, fetch_s3, list_s3},
    {"http", true, true, stat_web, read_web, fetch_web, NULL},
    {"https", true, true, stat_web, read_web, fetch_web, NULL},
};

/* A letter of the alphabet, whatever the locale. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A decimal digit. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the scheme before "://"; 0 for a plain path. */
static size_t scheme_len(const char *uri)
{
    size_t n = 0;

    if (!is_letter(uri[0]))
        return 0;
    while (is_letter(uri[n]) || is_digit(uri[n]) ||
           (uri[n] && strchr("+-.", uri[n])))
        n++;
    return strncmp(uri + n, "://", 3) == 0 ? n : 0;
}

/* The row of a URI; NULL for a scheme that is in no row. */
static const struct store_backend *find_backend(const char *uri)
{
    size_t n = scheme_len(uri), i;

    for (i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        const char *scheme = backends[i].scheme;

        if (n == 0 ? !scheme
                   : scheme && strlen(scheme) == n &&
                         strncasecmp(scheme, uri, n) == 0)
            return &backends[i];
    }
    return NULL;
}

/* Value of a hexadecimal digit, -1 if it is none. */
static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Appends text with its percent escapes resolved. uri: for messages. */
static int put_decoded(struct buf *out, const char *text, const char *uri,
                       struct err *err)
{
    for (; *text; text++) {
        char byte = *text;

        if (byte == '%') {
            int high = hex_value(text[1]);
            int low = high < 0 ? -1 : hex_value(text[2]);

            if (low < 0 || high * 16 + low == 0)
                return err_set(err, ERR_DATA, "%s: bad percent escape \"%.3s\"",
                               uri, text);
            byte = (char)(unsigned char)(high * 16 + low);
            text += 2;
        }
        buf_put(out, &byte, 1);
    }
    return buf_check(out, err);
}

/* Appends a path with all but RFC 3986's pchar and '/' escaped. */
static void put_encoded(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (is_letter(*text) || is_digit(*text) ||
            strchr("-._~!$&'()*+,;=:@/", *text))
            buf_put(out, text, 1);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

/*
 * Appends what the backend calls a URI's place: a path for plain names and
 * file://, everything behind "://" for the others.
 */
static int put_place(const struct store_backend *b, const char *uri,
                     struct buf *out, struct err *err)
{
    const char *rest = b->scheme ? strstr(uri, "://") + 3 : uri;

    if (b->scheme && strcmp(b->scheme, "file") == 0) {
        if (strncasecmp(rest, "localhost/", 10) == 0)
            rest += 9;
        if (*rest != '/')
            return err_set(err, ERR_DATA,
                           "%s: want file:///PATH, an absolute path", uri);
    }
    if (b->percent && !b->remote) /* web.c sends its URI as it is */
        return put_decoded(out, rest, uri, err);
    buf_puts(out, rest);
    return buf_check(out, err);
}

/* Finds the row of a URI and its place, and connects if it is remote. */
static int locate(struct store *s, const char *uri,
                  const struct store_backend **b, struct buf *place,
                  struct err *err)
{
    *b = find_backend(uri);
    if (uri[0] == '\0')
        return err_set(err, ERR_USAGE, "empty name, want a path or URI");
    if (!*b)
        return err_set(err, ERR_USAGE,
                       "%s: want a file, file://, s3:// or http(s)://", uri);
    if (put_place(*b, uri, place, err))
        return -1;
    return (*b)->remote ? connect_all(s, err) : 0;
}

struct store *store_open_conf(const struct store_conf *conf, struct err *err)
{
    struct store *s = mem_alloc(1, sizeof(*s), err);

    if (!s)
        return NULL;
    if (conf)
        s->conf = *conf;
    s->env.get = s->conf.env;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

struct store *store_open(struct err *err)
{
    return store_open_conf(NULL, err);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->http)
        http_close(s->http);
    s3_close(s->s3);
    creds_site_release(&s->site);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void store_traffic(const struct store *s, uint64_t *n_reads, uint64_t *n_bytes)
{
    *n_reads = atomic_load(&s->n_reads);
    *n_bytes = atomic_load(&s->n_bytes);
}

uint64_t store_n_retried(const struct store *s)
{
    return s->http ? http_n_retried(s->http) : 0;
}

const char *store_s3_server(struct store *s, struct err *err)
{
    int rc;

    pthread_mutex_lock(&s->lock);
    rc = find_site(s, err);
    pthread_mutex_unlock(&s->lock);
    if (rc)
        return NULL;
    return s->site.endpoint ? s->site.endpoint : "";
}

bool store_is_remote(const char *uri)
{
    const struct store_backend *b = find_backend(uri);

    return b && b->remote;
}

int store_stat(struct store *s, const char *uri, struct store_info *info,
               struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    int rc = locate(s, uri, &b, &place, err);

    if (!rc)
        rc = b->stat(s, buf_text(&place), uri, info, err);
    buf_release(&place);
    return rc;
}

int store_stat_version(struct store *s, const char *uri, struct store_info *info,
                       char *validator, struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    int rc = locate(s, uri, &b, &place, err);

    validator[0] = '\0';
    if (!rc && b->stat == stat_s3)
        rc = s3_stat(s->s3, buf_text(&place), uri, info, validator, err);
    else if (!rc && b->stat == stat_web)
        rc = web_stat(s->http, uri, info, validator, err);
    else if (!rc)
        rc = b->stat(s, buf_text(&place), uri, info, err);
    buf_release(&place);
    return rc;
}

int store_put(struct store *s, const char *uri, const void *bytes, size_t n,
              struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    int rc = locate(s, uri, &b, &place, err);

    if (!rc && b->read != read_s3)
        rc = err_set(err, ERR_USAGE, "%s: want s3:// to write to", uri);
    if (!rc)
        rc = s3_put(s->s3, buf_text(&place), uri, bytes, n, err);
    buf_release(&place);
    return rc;
}

int store_list(struct store *s, const char *folder,
               const struct store_visitor *visitor, struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    int rc = locate(s, folder, &b, &place, err);

    if (!rc && !b->list)
        rc = err_set(err, ERR_USAGE, "%s: HTTP servers have no listings, want "
                                     "a folder or s3://", folder);
    if (!rc)
        rc = b->list(s, buf_text(&place), folder, visitor, err);
    buf_release(&place);
    return rc;
}

int store_read(struct store *s, const char *uri, struct buf *out,
               struct err *err)
{
    return store_read_range(s, uri, 0, STORE_ALL, out, err);
}

/* Counts a read. */
static void count(struct store *s, uint64_t n_bytes)
{
    atomic_fetch_add(&s->n_reads, 1);
    atomic_fetch_add(&s->n_bytes, n_bytes);
}

int store_read_range(struct store *s, const char *uri, uint64_t offset,
                     uint64_t limit, struct buf *out, struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    size_t before = out->len;
    int rc = locate(s, uri, &b, &place, err);

    if (!rc)
        rc = b->read(s, buf_text(&place), uri, offset, limit, out, err);
    if (!rc)
        count(s, out->len - before);
    buf_release(&place);
    return rc;
}

/* Opens a file without a name; see struct blob_sink. */
static int spool(void *ctx, uint64_t size, const char *validator, int *fd,
                 uint64_t *at, struct err *err)
{
    const struct store *s = ctx;

    (void)size;
    (void)validator;
    *at = 0;
    return blob_spool(s->conf.temp ? s->conf.temp : "/tmp", fd, err);
}

int store_fetch(struct store *s, const char *uri, const char *known,
                const struct blob_sink *sink, struct blob *out,
                char *validator, struct err *err)
{
    struct blob_sink nameless = {spool, s};
    const struct store_backend *b;
    struct buf place = {0};
    int got = locate(s, uri, &b, &place, err);

    memset(out, 0, sizeof(*out));
    validator[0] = '\0';
    if (!got)
        got = b->fetch(s, buf_text(&place), uri, known,
                       sink ? sink : &nameless, out, validator, err);
    if (got > 0)
        count(s, blob_size(out));
    buf_release(&place);
    return got;
}

int store_get(const char *uri, char *(*env)(const char *name),
              struct buf *out, struct err *err)
{
    struct store_conf conf = {.env = env};
    struct store *s = store_open_conf(&conf, err);
    int rc = s ? store_read(s, uri, out, err) : -1;

    store_close(s);
    return rc;
}

/* Whether some part of a path is "..". */
static bool climbs(const char *path)
{
    while (path) {
        if (strncmp(path, "..", 2) == 0 && (path[2] == '/' || !path[2]))
            return true;
        path = strchr(path, '/');
        path = path ? path + 1 : NULL;
    }
    return false;
}

int store_join(const char *root, const char *name, struct buf *out,
               struct err *err)
{
    const struct store_backend *b = find_backend(root);

    if (name[0] == '\0')
        return err_set(err, ERR_DATA, "%s: empty name below it", root);
    if (name[0] == '/' || scheme_len(name) > 0)
        return err_set(err, ERR_DATA, "%s: name \"%s\" is no relative path",
                       root, name);
    if (climbs(name))
        return err_set(err, ERR_DATA, "%s: name \"%s\" leaves it", root, name);
    buf_puts(out, root);
    if (root[0] && root[strlen(root) - 1] != '/')
        buf_puts(out, "/");
    if (b && b->percent)
        put_encoded(out, name);
    else
        buf_puts(out, name);
    return buf_check(out, err);
}

int store_base_name(const char *uri, struct buf *out, struct err *err)
{
    const struct store_backend *b = find_backend(uri);
    size_t scheme = scheme_len(uri);
    const char *path = scheme ? uri + scheme + 3 : uri;
    const char *slash = strrchr(path, '/');
    const char *last = slash ? slash + 1 : scheme ? "" : path;
    size_t before = out->len;

    if (b && b->percent) {
        if (put_decoded(out, last, uri, err))
            return -1;
    } else {
        buf_puts(out, last);
    }
    if (buf_check(out, err))
        return -1;
    last = buf_text(out) + before;
    if (!*last || strchr(last, '/') || strcmp(last, ".") == 0 ||
        strcmp(last, "..") == 0)
        return err_set(err, ERR_USAGE, "%s: has no file name", uri);
    return 0;
}
