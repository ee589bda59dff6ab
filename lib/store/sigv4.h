/*
 * sigv4 - AWS Signature Version 4 for S3 requests.
 *
 * Source: AWS General Reference, "Create a signed AWS API request".
 */
#ifndef STORE_SIGV4_H
#define STORE_SIGV4_H

#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"

/* SHA-256 of nothing, in hex: the payload of a GET. */
#define SIGV4_EMPTY \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Room for a time stamp: "20130524T000000Z". */
#define SIGV4_STAMP_SIZE 17

/* One header that is signed. */
struct sigv4_header {
    const char *name;  /* lower case */
    const char *value; /* without blanks around it */
};

/* What is signed; all borrowed. */
struct sigv4_request {
    const char *method;  /* "GET" */
    const char *path;    /* encoded as it is sent, from '/' on */
    const char *query;   /* encoded, sorted, "a=1&b="; "" if there is none */
    const char *payload; /* SHA-256 of the body in hex */
    const struct sigv4_header *headers; /* n_headers, sorted by name */
    size_t n_headers;                   /* how many are signed */
};

/* Who signs, and for what; all borrowed. */
struct sigv4_key {
    const char *access;  /* access key id */
    const char *secret;  /* secret key */
    const char *region;  /* "us-east-1" */
    const char *service; /* "s3" */
};

/* The time as x-amz-date wants it. */
void sigv4_stamp(time_t now, char stamp[SIGV4_STAMP_SIZE]);

/*
 * Appends the value of the Authorization header.
 *
 * stamp: the request's x-amz-date, which is among the headers
 * Returns 0; -1 with err set when memory or libcrypto fails.
 */
int sigv4_sign(const struct sigv4_key *key, const struct sigv4_request *request,
               const char *stamp, struct buf *out, struct err *err) NODISCARD;

/*
 * Appends text percent-encoded as SigV4 wants it: all but letters, digits
 * and "-._~" as upper-case %XX.
 *
 * keep: one more byte that stays, '/' in a path; '\0': none
 */
void sigv4_encode(struct buf *out, const char *text, char keep);

#endif
