/*
 * http - requests over one pool of connections, run by one background thread.
 *
 * A caller fills a struct http_request, hands it in with http_send() and
 * sleeps in http_wait(); any number of threads may do so. The background
 * thread starts the waiting requests in the order of their priority and then
 * of their coming, at most n_transfers at a time, fewer while the server says
 * that it is asked too much.
 *
 * A try that fails for a reason that may pass (no connection, a broken or
 * stalled one, 5xx, 429) is repeated after a random, growing wait. What came
 * so far is kept: the next try asks for the rest, on condition that the
 * object is still the same (If-Match), and starts anew where the server says
 * otherwise. A reply that is not the range that was asked for is never taken
 * for it. Other replies, 4xx too, are the caller's to judge.
 *
 * libcurl takes a proxy from the environment (https_proxy and so on), as all
 * programs on it do.
 */
#ifndef STORE_HTTP_H
#define STORE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"

/* As many bytes as there are. */
#define HTTP_ALL UINT64_MAX

/* The background thread and its connections. */
struct http;

/* How the thread behaves; HTTP_CONF_INIT holds the defaults. */
struct http_conf {
    size_t n_transfers;    /* transfers at a time, at least 1 */
    unsigned n_tries;      /* tries in a row that bring nothing before giving
                              up, at least 1 */
    unsigned backoff_ms;   /* bound of the first random wait; doubles */
    long connect_s;        /* seconds for a connection to come about */
    long stall_s;          /* seconds under 1024 B/s that end a try */
    const char *ca_bundle; /* file of CA certificates, NULL: the system's;
                              borrowed until http_close() */
};

/* Defaults: 32 transfers, 8 tries, 100 ms, 10 s, 20 s, the system's CAs. */
#define HTTP_CONF_INIT {32, 8, 100, 10, 20, NULL}

/* Room for the short values of a reply. */
#define HTTP_TEXT_SIZE 256

/* One request; {0} with url and name set is a GET of everything. */
struct http_request {
    /* What is asked; all borrowed until http_wait() has returned. */
    const char *method;   /* "GET" (also NULL), "HEAD" or "PUT" */
    const char *url;      /* percent-encoded */
    const char *name;     /* for messages */
    uint64_t offset;      /* first byte wanted (GET) */
    uint64_t limit;       /* most bytes wanted; 0 counts as HTTP_ALL */
    const char *if_match; /* wanted ETag, with its quotes; NULL: any */
    const char *if_none_match;     /* ETag that is to be answered by 304 */
    const char *if_modified_since; /* date that is to be answered by 304 */
    const void *upload;   /* bytes to PUT */
    size_t upload_len;    /* how many */
    int fd;               /* file for the bytes, if placed is set */
    uint64_t fd_at;       /* where in it byte offset goes */
    bool placed;          /* by the caller, or by place */
    uint64_t memory;      /* most bytes of a body that are not placed */
    /*
     * Sets fd and fd_at for a body of more than `memory` bytes, or of unknown
     * size, before its first byte; total and etag are those of the reply. It
     * runs in the thread that waits, and may take its time. NULL: all bodies
     * go to memory. Returns 0; -1 with err refuses the reply.
     */
    int (*place)(void *ctx, struct http_request *r, struct err *err);
    uint64_t max_size;    /* bodies of more bytes are refused; 0: no limit */
    int priority;         /* higher first */
    bool follow;          /* follow redirects to other URLs */
    bool direct;          /* never by a proxy */
    unsigned n_tries;     /* instead of the conf's; 0: the conf's */
    long connect_s;       /* instead of the conf's; 0: the conf's */
    /*
     * Appends header lines, each "Name: value\n", for one try just before it
     * is sent, in the background thread; NULL: none. Returns 0; -1 with err.
     */
    int (*headers)(void *ctx, const struct http_request *r, struct buf *lines,
                   struct err *err);
    void *ctx; /* handed to headers and place */

    /* The last reply. */
    long status;                   /* 200; 0: there was none */
    struct buf body;               /* of a reply 2xx, owned by the caller */
    struct buf problem;            /* of any other, at most 64 KiB, likewise */
    uint64_t got;                  /* bytes in body or file */
    uint64_t total;                /* the object's size; HTTP_ALL: not said */
    char etag[HTTP_TEXT_SIZE];     /* with its quotes; "": none */
    char modified[64];             /* Last-Modified; "": none */
    char region[HTTP_TEXT_SIZE];   /* x-amz-bucket-region; "": none */
    char location[1024];           /* of a redirect; "": none */
    bool encrypted;                /* by KMS or SSE-C: the ETag is no MD5 */
    time_t server_time;            /* Date; 0: none */
    unsigned n_failed;             /* tries in a row that brought nothing */
    uint64_t n_all_failed;         /* all tries that failed */

    /* The thread's own. */
    uint64_t place_total;            /* total that the place was made for */
    char place_etag[HTTP_TEXT_SIZE]; /* etag likewise */
    struct http_wait *wait;    /* how http_wait() is woken, owned */
    uint64_t not_before_ms;    /* when the next try may begin */
    uint64_t retry_after_s;    /* Retry-After; 0: none */
    uint64_t number;           /* in the order of coming */
    struct http_request *next; /* in the list of those that wait */
};

/*
 * Starts the thread.
 *
 * Returns NULL with err set when threads or memory are short.
 */
struct http *http_open(const struct http_conf *conf, struct err *err) NODISCARD;

/* Queues a request, zero but for what is asked. Returns 0; -1 with err set. */
int http_send(struct http *h, struct http_request *r,
              struct err *err) NODISCARD;

/*
 * Waits for the last reply.
 *
 * Returns 0 with a status, which may be 4xx or 3xx, and is 412 for an object
 * that became another one after it was placed; -1 with err: ERR_AGAIN when
 * all tries failed, what `headers` or `place` said, ERR_IO for a file that
 * cannot be written, or ERR_DATA for a body over max_size. Call it once for
 * every request that was sent.
 */
int http_wait(struct http *h, struct http_request *r,
              struct err *err) NODISCARD;

/* Sends and waits. Returns as http_wait(). */
int http_run(struct http *h, struct http_request *r, struct err *err) NODISCARD;

/* The time of a date as HTTP writes it; -1: it is none. */
time_t http_date(const char *text);

/* Frees the bodies of a request that is not under way; {0} is fine. */
void http_release(struct http_request *r);

/* Tries that failed and were repeated so far, over all requests. */
uint64_t http_n_retried(struct http *h);

/* Transfers allowed at a time now: fewer after the server asked for it. */
size_t http_n_allowed(struct http *h);

/* Ends the thread and all connections; no request may be under way. */
void http_close(struct http *h);

#endif
