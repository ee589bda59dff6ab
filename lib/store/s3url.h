/*
 * s3url - what an s3:// URI names, and the HTTP URL that asks for it.
 *
 * "s3://BUCKET/KEY": the key is everything behind the first '/', raw, with
 * nothing decoded and no part of it meaning anything.
 */
#ifndef STORE_S3URL_H
#define STORE_S3URL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/creds.h"

/* Room for a bucket's name. */
#define S3URL_BUCKET_SIZE 256

/*
 * Splits "BUCKET/KEY" or "BUCKET".
 *
 * place:  what stands behind s3://
 * bucket: S3URL_BUCKET_SIZE bytes
 * key:    points into place; "" if there is none
 * Returns 0; -1 with ERR_USAGE naming uri for a missing or impossible bucket.
 */
int s3url_split(const char *place, const char *uri, char *bucket,
                const char **key, struct err *err) NODISCARD;

/* One request's address; release it with s3url_release(). */
struct s3url {
    struct buf host; /* "bucket.s3.eu-west-1.amazonaws.com", with a port */
    struct buf path; /* encoded, from '/' on: what is signed */
    struct buf url;  /* all of it, with the query */
};

/*
 * Makes the address of a bucket's key.
 *
 * region: of the bucket
 * host:   NULL; or the host a redirect named, which holds the bucket
 * key:    raw; "" for the bucket itself
 * query:  encoded, sorted; "" for none
 * Returns 0; -1 with err set when memory is short.
 */
int s3url_make(const struct creds_site *site, const char *region,
               const char *host, const char *bucket, const char *key,
               const char *query, struct s3url *out, struct err *err) NODISCARD;

/* Frees them; {0} is fine. */
void s3url_release(struct s3url *url);

/*
 * Decodes a form-encoded value in place: %XX, and '+' is a space, as listings
 * with encoding-type=url come. Bad escapes stay as they are.
 */
void s3url_decode(char *text);

#endif
