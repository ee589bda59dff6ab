/*
 * store - one interface over the places objects lie in.
 *
 * Every call finds the row of the table for its URI, decodes the place where
 * the row says that names are percent-encoded, and calls the row's function.
 * A scheme is a letter, then letters, digits, '+', '-', '.', then "://"
 * (RFC 3986, 3.1); anything else is a plain path.
 */
#include "store/store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "store/files.h"

/* Connections and counters. */
struct store {
    atomic_uint_least64_t n_reads; /* reads that succeeded */
    atomic_uint_least64_t n_bytes; /* bytes they brought */
};

/* Every kind of place; one without functions is known, but not read. */
static const struct store_backend backends[] = {
    {NULL, false, files_stat, files_read, files_list},
    {"file", true, files_stat, files_read, files_list},
    {"s3", false, NULL, NULL, NULL},
    {"http", true, NULL, NULL, NULL},
    {"https", true, NULL, NULL, NULL},
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
    if (b->percent)
        return put_decoded(out, rest, uri, err);
    buf_puts(out, rest);
    return buf_check(out, err);
}

/* Finds the row of a URI, which must have functions, and its place. */
static int locate(const char *uri, const struct store_backend **b,
                  struct buf *place, struct err *err)
{
    *b = find_backend(uri);
    if (uri[0] == '\0')
        return err_set(err, ERR_USAGE, "empty name, want a path or URI");
    if (!*b || !(*b)->read)
        return err_set(err, ERR_USAGE,
                       "%s: this build reads files and file:// only", uri);
    return put_place(*b, uri, place, err);
}

struct store *store_open(struct err *err)
{
    return mem_alloc(1, sizeof(struct store), err);
}

void store_close(struct store *s)
{
    free(s);
}

void store_traffic(const struct store *s, uint64_t *n_reads, uint64_t *n_bytes)
{
    *n_reads = atomic_load(&s->n_reads);
    *n_bytes = atomic_load(&s->n_bytes);
}

int store_stat(struct store *s, const char *uri, struct store_info *info,
               struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    int rc = locate(uri, &b, &place, err);

    (void)s;
    if (!rc)
        rc = b->stat(buf_text(&place), uri, info, err);
    buf_release(&place);
    return rc;
}

int store_stat_etag(struct store *s, const char *uri, struct store_info *info,
                    char *etag, struct err *err)
{
    etag[0] = '\0'; /* files have none */
    return store_stat(s, uri, info, err);
}

bool store_is_remote(const char *uri)
{
    const struct store_backend *b = find_backend(uri);

    return b && !b->read;
}

int store_list(struct store *s, const char *folder,
               const struct store_visitor *visitor, struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    int rc = locate(folder, &b, &place, err);

    (void)s;
    if (!rc)
        rc = b->list(buf_text(&place), folder, visitor, err);
    buf_release(&place);
    return rc;
}

int store_read(struct store *s, const char *uri, struct buf *out,
               struct err *err)
{
    return store_read_range(s, uri, 0, STORE_ALL, out, err);
}

int store_read_range(struct store *s, const char *uri, uint64_t offset,
                     uint64_t limit, struct buf *out, struct err *err)
{
    const struct store_backend *b;
    struct buf place = {0};
    size_t before = out->len;
    int rc = locate(uri, &b, &place, err);

    if (!rc)
        rc = b->read(buf_text(&place), uri, offset, limit, out, err);
    if (!rc) {
        atomic_fetch_add(&s->n_reads, 1);
        atomic_fetch_add(&s->n_bytes, out->len - before);
    }
    buf_release(&place);
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
