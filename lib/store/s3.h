/*
 * s3 - buckets as a store: listings, sizes, objects and ranges of them.
 *
 * A whole object is compared with its ETag where that is an MD5, of the
 * object or of its parts (etag.h), and read again if it differs; ranges and
 * other ETags can be checked by size alone. Large objects (over 8 MiB) come
 * in ranges of 8 MiB, several at a time, all of the same version (If-Match),
 * and go straight into a file, where they are summed up as they come.
 */
#ifndef STORE_S3_H
#define STORE_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/blob.h"
#include "store/creds.h"
#include "store/http.h"
#include "store/store.h"

/* One server, who we are there, and what it told us of buckets' regions. */
struct s3;

/*
 * Opens it; keys are looked for at the first request.
 *
 * site, env, http: borrowed until s3_close()
 */
struct s3 *s3_open(const struct creds_site *site, const struct creds_env *env,
                   struct http *http, struct err *err) NODISCARD;

/* Closes it; NULL is fine. */
void s3_close(struct s3 *s);

/*
 * What is at a place. See store_stat(): an object, or a folder if keys begin
 * with the place and '/'. etag: HTTP_TEXT_SIZE bytes, "" for a folder; or NULL
 */
int s3_stat(struct s3 *s, const char *place, const char *uri,
            struct store_info *info, char *etag, struct err *err) NODISCARD;

/* Appends at most limit bytes from offset on. See store_read_range(). */
int s3_read(struct s3 *s, const char *place, const char *uri, uint64_t offset,
            uint64_t limit, struct buf *out, struct err *err) NODISCARD;

/*
 * A whole object, unless it is still of the version `known`. See
 * store_fetch().
 *
 * known: an ETag; NULL or "": none
 * etag:  HTTP_TEXT_SIZE bytes for that of the object, "" for none
 */
int s3_fetch(struct s3 *s, const char *place, const char *uri,
             const char *known, const struct blob_sink *sink,
             struct blob *out, char *etag, struct err *err) NODISCARD;

/* Visits all objects below a folder in byte order. See store_list(). */
int s3_list(struct s3 *s, const char *place, const char *uri,
            const struct store_visitor *visitor, struct err *err) NODISCARD;

/* Makes a bucket (key "") or an object of n bytes. Returns 0; -1 with err. */
int s3_put(struct s3 *s, const char *place, const char *uri, const void *bytes,
           size_t n, struct err *err) NODISCARD;

/* One object of a listing. */
struct s3_entry {
    char *key;     /* decoded, owned */
    uint64_t size; /* bytes */
};

/* One page of a listing, or an error's facts; {0} to begin with. */
struct s3_page {
    struct s3_entry *entries; /* n of them, owned */
    size_t n;                 /* how many */
    size_t cap;               /* how many fit */
    char *token;              /* where the next page begins; NULL: last */
    char *code;               /* of an error: "NoSuchKey"; NULL: none */
    char *region;             /* of an error: the bucket's; NULL: not said */
};

/*
 * Reads a reply's XML.
 *
 * what: for messages
 * Returns 0; -1 with ERR_AGAIN for XML that is damaged or cut off.
 */
int s3_parse(const char *text, size_t n, const char *what,
             struct s3_page *page, struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void s3_page_release(struct s3_page *page);

#endif
