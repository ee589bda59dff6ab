/*
 * http - requests through libcurl's multi interface.
 *
 * The background thread owns all of libcurl's handles. Callers reach it by a
 * list of waiting requests under a lock and a wake-up. A request that fails
 * and may be repeated goes back to that list with the time of its next try.
 *
 * How many transfers run at a time: n_transfers; half of what is allowed
 * after "slow down" (not more often than every 200 ms, since all transfers
 * under way hear it), and one more after every 20 replies that were good.
 */
#include "store/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/retry.h"

/* Most bytes kept of a reply that reports a problem. */
#define MAX_PROBLEM 65536
/* Longest sleep of the thread, in ms; wake-ups cut it short. */
#define MAX_SLEEP_MS 1000
/* Good replies before one more transfer is allowed. */
#define GOOD_TO_GROW 20
/* Least time between two halvings, in ms. */
#define HALVE_MS 200
/* Under this many bytes a second a transfer stalls. */
#define STALL_BYTES 1024

/* How a waiting caller is woken. */
struct http_wait {
    pthread_cond_t done; /* signalled under the loop's lock */
    bool asks;           /* the body wants a place */
    bool answered;       /* it has one, or place_rc is not 0 */
    int place_rc;        /* of r->place() */
    struct err place_err; /* likewise */
    bool finished;       /* nothing more will happen */
    int rc;              /* of the request */
    struct err err;      /* of the request */
};

/* One handle of libcurl and the try it is at. */
struct transfer {
    CURL *easy;                 /* owned */
    struct http *http;          /* whose */
    struct http_request *r;     /* NULL: idle */
    struct curl_slist *headers; /* of this try, owned */
    char reason[CURL_ERROR_SIZE]; /* libcurl's words */
    bool begun;                 /* the first byte of the body was seen */
    bool enough;                /* we ended it: all wanted bytes are there */
    bool broken;                /* we ended it: the reply is not what was
                                   asked for */
    struct err refused;         /* we ended it for good: why */
    bool has_refused;           /* refused is set */
    bool paused;                /* waits for a place */
    bool changed;               /* we ended it: it is not the object that a
                                   place was made for */
    uint64_t want;              /* bytes of the whole body, 0: not known */
    bool ranged;                /* Content-Range came */
    uint64_t first, last;       /* of Content-Range */
    uint64_t total;             /* of Content-Range or Content-Length */
    char etag[HTTP_TEXT_SIZE];  /* of this reply */
    uint64_t skip;              /* bytes to throw away yet */
    uint64_t before;            /* r->got when the try began */
    size_t sent;                /* of the upload */
    struct transfer *next;      /* in the list of all */
};

/* The thread and what it shares. */
struct http {
    struct http_conf conf;       /* as opened */
    CURLM *multi;                /* used by the thread; wake-ups by all */
    pthread_t thread;            /* the loop */
    bool started;                /* thread runs */
    pthread_mutex_t lock;        /* guards waiting, n_waiting, stop, counts */
    struct http_request *waiting; /* not under way, by priority, number */
    bool stop;                   /* the thread ends */
    uint64_t n_sent;             /* requests so far */
    uint64_t n_retried;          /* failed tries that were repeated */
    size_t n_answered;           /* places made that the thread has to see */
    double allowed;              /* transfers at a time now */
    struct transfer *transfers;  /* all handles, the thread's */
    size_t n_active;             /* under way, the thread's */
    size_t n_good;               /* since the last growth, the thread's */
    uint64_t halved_ms;          /* when allowed was halved, the thread's */
    struct rng rng;              /* of the waits, the thread's */
};

/* Milliseconds of a clock that never jumps. */
static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Most bytes a request wants. */
static uint64_t limit_of(const struct http_request *r)
{
    return r->limit ? r->limit : HTTP_ALL;
}

/* Whether a request asks for a part of an object. */
static bool is_ranged(const struct http_request *r)
{
    return r->offset > 0 || limit_of(r) != HTTP_ALL;
}

/* Whether a method is this one. */
static bool is_method(const struct http_request *r, const char *method)
{
    return strcmp(r->method ? r->method : "GET", method) == 0;
}

/* Copies a header's value if the line has this name. */
static bool take_value(const char *line, size_t n, const char *name,
                       char *value, size_t size)
{
    size_t len = strlen(name);

    if (n <= len || line[len] != ':' || strncasecmp(line, name, len) != 0)
        return false;
    for (len++; len < n && (line[len] == ' ' || line[len] == '\t'); len++)
        ;
    while (n > len && strchr(" \t\r\n", line[n - 1]))
        n--;
    if (n - len >= size) /* too long to be of use */
        value[0] = '\0';
    else
        snprintf(value, size, "%.*s", (int)(n - len), line + len);
    return true;
}

/* Forgets what an earlier reply of the same try said. */
static void clear_reply(struct transfer *t)
{
    struct http_request *r = t->r;

    t->begun = false;
    t->ranged = false;
    t->total = HTTP_ALL;
    t->etag[0] = '\0';
    r->region[0] = '\0';
    r->modified[0] = '\0';
    r->location[0] = '\0';
    r->encrypted = false;
    r->server_time = 0;
    r->retry_after_s = 0;
    buf_clear(&r->problem);
}

/* Takes one header line of a reply. */
static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    struct http_request *r = t->r;
    size_t n = size * count;
    char text[HTTP_TEXT_SIZE];

    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        clear_reply(t);
        return n;
    }
    if (take_value(line, n, "content-range", text, sizeof(text)))
        t->ranged =
            retry_content_range(text, &t->first, &t->last, &t->total) == 0;
    else if (take_value(line, n, "content-length", text, sizeof(text))) {
        if (!t->ranged)
            t->total = strtoull(text, NULL, 10);
    } else if (take_value(line, n, "date", text, sizeof(text)))
        r->server_time = curl_getdate(text, NULL);
    else if (take_value(line, n, "last-modified", text, sizeof(text)))
        snprintf(r->modified, sizeof(r->modified), "%.63s", text);
    else if (take_value(line, n, "retry-after", text, sizeof(text)))
        r->retry_after_s = strtoull(text, NULL, 10);
    else if (take_value(line, n, "x-amz-server-side-encryption", text,
                        sizeof(text)))
        r->encrypted = r->encrypted || strncmp(text, "aws:kms", 7) == 0;
    else if (take_value(line, n,
                        "x-amz-server-side-encryption-customer-algorithm", text,
                        sizeof(text)))
        r->encrypted = true;
    else if (!take_value(line, n, "etag", t->etag, sizeof(t->etag)) &&
             !take_value(line, n, "x-amz-bucket-region", r->region,
                         sizeof(r->region)))
        take_value(line, n, "location", r->location, sizeof(r->location));
    return n;
}

/* Room for n bytes more in a body, so that it grows in one step. */
static bool reserve(struct buf *b, uint64_t n)
{
    struct err err;
    char *grown;

    if (n > SIZE_MAX / 4)
        return false;
    if (b->data && b->cap - b->len > n)
        return true;
    grown = mem_grow(b->data, &b->cap, b->len + (size_t)n + 1, 1, &err);
    if (!grown)
        return false;
    b->data = grown;
    return true;
}

/* Throws away what came so far. */
static void forget_body(struct http_request *r)
{
    r->got = 0;
    r->body.len = 0;
    r->total = HTTP_ALL;
    r->etag[0] = '\0';
}

/* Refuses a reply for good. */
static void refuse(struct transfer *t, enum err_status status, const char *why)
{
    err_set(&t->refused, status, "%s: %s", t->r->name, why);
    t->has_refused = true;
}

/* Whether a reply that began goes to a file that is not there yet. */
static bool needs_place(const struct transfer *t)
{
    const struct http_request *r = t->r;

    return r->place && !r->placed &&
           (t->want > r->memory || r->total == HTTP_ALL);
}

/*
 * Looks at the head of a good reply before its first byte is taken. What we
 * have is kept only if this is the rest of the same object.
 * Returns whether to go on.
 */
static bool begin_body(struct transfer *t, long status)
{
    struct http_request *r = t->r;
    uint64_t at = r->offset + r->got, want;

    t->begun = true;
    t->skip = 0;
    if (status == 206) {
        if (!t->ranged || t->first != at) {
            t->broken = true;
            return false;
        }
    } else if (r->got > 0 || r->offset > 0) {
        forget_body(r); /* the whole object: the server ignored the range */
        t->before = 0;
        t->skip = r->offset;
    }
    if (r->placed && r->place &&
        (t->total != r->place_total || strcmp(t->etag, r->place_etag) != 0)) {
        t->changed = true;
        return false;
    }
    if (r->got > 0 &&
        (t->total != r->total || strcmp(t->etag, r->etag) != 0)) {
        forget_body(r); /* another object than before */
        t->broken = true;
        return false;
    }
    r->total = t->total;
    memcpy(r->etag, t->etag, sizeof(r->etag));
    want = r->total == HTTP_ALL || r->total <= r->offset
               ? 0
               : r->total - r->offset;
    want = want < limit_of(r) ? want : limit_of(r);
    t->want = want;
    if (r->max_size && want > r->max_size) {
        refuse(t, ERR_DATA, "reply is too large");
        return false;
    }
    if (!r->placed && !needs_place(t) &&
        !reserve(&r->body, want > r->got ? want - r->got : 0)) {
        refuse(t, ERR_FAILED, "out of memory for it");
        return false;
    }
    return true;
}

/* Asks the waiting thread for a place; the transfer pauses meanwhile. */
static size_t ask_place(struct transfer *t)
{
    struct http_request *r = t->r;

    if (!t->paused) {
        t->paused = true;
        r->place_total = r->total;
        memcpy(r->place_etag, r->etag, sizeof(r->etag));
        pthread_mutex_lock(&t->http->lock);
        r->wait->asks = true;
        r->wait->answered = false;
        pthread_cond_signal(&r->wait->done);
        pthread_mutex_unlock(&t->http->lock);
    }
    return CURL_WRITEFUNC_PAUSE;
}

/* Writes bytes to a request's file. Returns 0; -1 with errno set. */
static int write_placed(const struct http_request *r, const char *data,
                        size_t n)
{
    off_t at = (off_t)(r->fd_at + r->got);

    while (n > 0) {
        ssize_t put = pwrite(r->fd, data, n, at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return -1;
        data += put;
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

/* Takes bytes of a good reply; returns how many libcurl may go on after. */
static size_t take_body(struct transfer *t, const char *data, size_t n)
{
    struct http_request *r = t->r;
    size_t left = n;
    uint64_t room;

    if (t->skip) {
        size_t over = t->skip < left ? (size_t)t->skip : left;

        t->skip -= over;
        data += over;
        left -= over;
    }
    room = limit_of(r) - r->got;
    if (left > room) {
        left = (size_t)room;
        t->enough = true;
    }
    if (r->max_size && r->got + left > r->max_size) {
        refuse(t, ERR_DATA, "reply is too large");
        return 0;
    }
    if (r->placed) {
        if (write_placed(r, data, left)) {
            refuse(t, ERR_IO, strerror(errno));
            return 0;
        }
    } else {
        buf_put(&r->body, data, left);
        if (r->body.failed) {
            refuse(t, ERR_FAILED, "out of memory for it");
            return 0;
        }
    }
    r->got += left;
    return t->enough ? 0 : n;
}

/* Takes bytes of any reply. */
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t n = size * count;
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2) {
        size_t room = MAX_PROBLEM - t->r->problem.len;

        buf_put(&t->r->problem, data, n < room ? n : room);
        return n;
    }
    if (!t->begun && !begin_body(t, status))
        return 0;
    if (needs_place(t))
        return ask_place(t);
    return take_body(t, data, n);
}

/* Hands out bytes of an upload. */
static size_t on_upload(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t left = t->r->upload_len - t->sent, n = size * count;

    n = n < left ? n : left;
    if (n)
        memcpy(data, (const char *)t->r->upload + t->sent, n);
    t->sent += n;
    return n;
}

/* Begins an upload anew, for a connection that was closed meanwhile. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;

    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    t->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Adds one header line to a try. */
static int add_header(struct transfer *t, const char *line, struct err *err)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);

    if (!longer)
        return err_set(err, ERR_FAILED, "out of memory for a header");
    t->headers = longer;
    return 0;
}

/* Collects the headers of a try. */
static int make_headers(struct transfer *t, struct err *err)
{
    struct http_request *r = t->r;
    const char *etag = r->got > 0 ? r->etag : r->if_match;
    char line[HTTP_TEXT_SIZE + 16];
    struct buf lines = {0};
    char *at, *end;
    int rc = 0;

    if (r->headers)
        rc = r->headers(r->ctx, r, &lines, err);
    if (!rc)
        rc = buf_check(&lines, err);
    for (at = lines.data; !rc && at && *at; at = end + 1) {
        end = strchr(at, '\n');
        *end = '\0';
        rc = add_header(t, at, err);
    }
    buf_release(&lines);
    if (!rc && etag && retry_strong_etag(etag)) {
        snprintf(line, sizeof(line), "If-Match: %s", etag);
        rc = add_header(t, line, err);
    }
    if (!rc && r->if_none_match && r->got == 0) {
        snprintf(line, sizeof(line), "If-None-Match: %s", r->if_none_match);
        rc = add_header(t, line, err);
    }
    if (!rc && r->if_modified_since && r->got == 0) {
        snprintf(line, sizeof(line), "If-Modified-Since: %s",
                 r->if_modified_since);
        rc = add_header(t, line, err);
    }
    if (!rc && is_method(r, "PUT"))
        rc = add_header(t, "Expect:", err);
    return rc;
}

/* Sets what all tries have in common. */
static void set_manners(struct transfer *t)
{
    const struct http_conf *conf = &t->http->conf;
    const struct http_request *r = t->r;
    CURL *e = t->easy;

    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 262144L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT,
                     r->connect_s ? r->connect_s : conf->connect_s);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, conf->stall_s);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "a2b");
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    if (conf->ca_bundle)
        curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca_bundle);
    if (r->direct)
        curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    if (r->follow) {
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(e, CURLOPT_MAXREDIRS, 5L);
    }
    if (r->n_failed) /* the old connection may be the trouble */
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
}

/* Sets what this try asks for. */
static void set_question(struct transfer *t)
{
    struct http_request *r = t->r;
    uint64_t at = r->offset + r->got;
    char range[64];

    curl_easy_setopt(t->easy, CURLOPT_URL, r->url);
    if (is_method(r, "HEAD")) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    } else if (is_method(r, "PUT")) {
        curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE,
                         (curl_off_t)r->upload_len);
        curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
        curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
    } else if (is_ranged(r) || r->got > 0) {
        if (limit_of(r) == HTTP_ALL || limit_of(r) - 1 > UINT64_MAX - r->offset)
            snprintf(range, sizeof(range), "%llu-", (unsigned long long)at);
        else
            snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)at,
                     (unsigned long long)(r->offset + limit_of(r) - 1));
        curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
    }
}

/* An idle handle, made if there is none; NULL when memory is short. */
static struct transfer *idle(struct http *h)
{
    struct transfer *t;
    struct err err;

    for (t = h->transfers; t; t = t->next) {
        if (!t->r)
            return t;
    }
    t = mem_alloc(1, sizeof(*t), &err);
    if (!t)
        return NULL;
    t->easy = curl_easy_init();
    if (!t->easy) {
        free(t);
        return NULL;
    }
    t->http = h;
    t->next = h->transfers;
    h->transfers = t;
    return t;
}

/* Ends a request: wakes who waits. Takes the lock. */
static void finish(struct http *h, struct http_request *r, int rc,
                   const struct err *err)
{
    pthread_mutex_lock(&h->lock);
    r->wait->rc = rc;
    if (rc)
        r->wait->err = *err;
    r->wait->finished = true;
    pthread_cond_signal(&r->wait->done);
    pthread_mutex_unlock(&h->lock);
}

/* Begins a try. */
static void begin(struct http *h, struct http_request *r)
{
    struct transfer *t = idle(h);
    struct err err = {0};

    if (!t) {
        err_set(&err, ERR_FAILED, "out of memory for a transfer");
        finish(h, r, -1, &err);
        return;
    }
    t->r = r;
    t->begun = t->enough = t->broken = t->has_refused = false;
    t->paused = t->changed = false;
    t->want = 0;
    t->before = r->got;
    t->sent = 0;
    t->reason[0] = '\0';
    r->status = 0;
    curl_easy_reset(t->easy);
    set_manners(t);
    set_question(t);
    if (make_headers(t, &err)) {
        curl_slist_free_all(t->headers);
        t->headers = NULL;
        t->r = NULL;
        finish(h, r, -1, &err);
        return;
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_multi_add_handle(h->multi, t->easy);
    h->n_active++;
}

/* Puts a request among those that wait, by priority and number. Locked. */
static void enqueue(struct http *h, struct http_request *r)
{
    struct http_request **link = &h->waiting;

    while (*link && ((*link)->priority > r->priority ||
                     ((*link)->priority == r->priority &&
                      (*link)->number < r->number)))
        link = &(*link)->next;
    r->next = *link;
    *link = r;
}

/*
 * Begins as many tries as are allowed and due. Returns the milliseconds until
 * the next one is due.
 */
static int begin_due(struct http *h)
{
    uint64_t now = now_ms(), next = now + MAX_SLEEP_MS;
    struct http_request **link, *r;

    pthread_mutex_lock(&h->lock);
    link = &h->waiting;
    while (*link && h->n_active < (size_t)h->allowed) {
        r = *link;
        if (r->not_before_ms > now) {
            next = r->not_before_ms < next ? r->not_before_ms : next;
            link = &r->next;
            continue;
        }
        *link = r->next;
        pthread_mutex_unlock(&h->lock);
        begin(h, r);
        pthread_mutex_lock(&h->lock);
        link = &h->waiting; /* the list may have changed meanwhile */
    }
    pthread_mutex_unlock(&h->lock);
    return (int)(next - now);
}

/* Fewer transfers after "slow down", slowly more after good replies. */
static void adapt(struct http *h, bool good)
{
    uint64_t now = now_ms();

    pthread_mutex_lock(&h->lock);
    if (good && ++h->n_good >= GOOD_TO_GROW) {
        h->n_good = 0;
        if (h->allowed < (double)h->conf.n_transfers)
            h->allowed += 1;
    } else if (!good && now - h->halved_ms >= HALVE_MS) {
        h->halved_ms = now;
        h->n_good = 0;
        h->allowed = h->allowed / 2 < 1 ? 1 : h->allowed / 2;
    }
    pthread_mutex_unlock(&h->lock);
}

/* Whether what went wrong inside libcurl may pass. */
static bool may_pass(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_WRITE_ERROR:
        return true;
    default:
        return false;
    }
}

/* Plans the next try of a request, or gives it up. reason: for a message */
static void again(struct http *h, struct transfer *t, const char *reason)
{
    struct http_request *r = t->r;
    unsigned n_tries = r->n_tries ? r->n_tries : h->conf.n_tries;
    struct err err = {0};
    uint64_t wait;

    r->n_failed = r->got > t->before ? 1 : r->n_failed + 1;
    r->n_all_failed++;
    if (!retry_strong_etag(r->etag))
        forget_body(r); /* the rest could be another object's */
    if (r->n_failed >= n_tries) {
        err_set(&err, ERR_AGAIN, "%s: %s (tried %u times)", r->name, reason,
                n_tries);
        finish(h, r, -1, &err);
        return;
    }
    wait = retry_delay_ms(&h->rng, r->n_failed - 1, h->conf.backoff_ms);
    if (r->retry_after_s && r->retry_after_s <= 20 &&
        r->retry_after_s * 1000 > wait)
        wait = r->retry_after_s * 1000;
    r->not_before_ms = now_ms() + wait;
    pthread_mutex_lock(&h->lock);
    h->n_retried++;
    enqueue(h, r);
    pthread_mutex_unlock(&h->lock);
}

/* Whether a good reply brought all that was asked for. */
static bool is_whole(struct transfer *t, long status)
{
    struct http_request *r = t->r;
    uint64_t want;

    if (!is_method(r, "GET"))
        return true;
    if (!t->begun && !begin_body(t, status))
        return false; /* nothing came: the object is empty, or it is wrong */
    if (r->total == HTTP_ALL)
        return true;
    want = r->total > r->offset ? r->total - r->offset : 0;
    want = want < limit_of(r) ? want : limit_of(r);
    return r->got == want;
}

/* Judges a try that libcurl ended. */
static void judge(struct http *h, struct transfer *t, CURLcode code)
{
    struct http_request *r = t->r;
    enum retry_verdict verdict;
    struct err err = {0};
    char text[64];

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &r->status);
    if (t->enough && !t->has_refused)
        code = CURLE_OK;
    if (t->has_refused) {
        finish(h, r, -1, &t->refused);
    } else if (t->changed) {
        r->status = 412;
        finish(h, r, 0, NULL);
    } else if (code != CURLE_OK) {
        const char *reason =
            t->broken ? "the reply is not what was asked for"
            : t->reason[0] ? t->reason
                           : curl_easy_strerror(code);

        if (may_pass(code)) {
            again(h, t, reason);
            return;
        }
        err_set(&err, ERR_IO, "%s: %s", r->name, reason);
        finish(h, r, -1, &err);
    } else if (r->status / 100 == 2) {
        if (!is_whole(t, r->status)) {
            again(h, t, "the reply is not what was asked for");
            return;
        }
        if (is_method(r, "HEAD")) {
            r->total = t->total;
            memcpy(r->etag, t->etag, sizeof(r->etag));
        }
        adapt(h, true);
        finish(h, r, 0, NULL);
    } else if (r->status == 412 && r->got > 0) {
        forget_body(r);
        again(h, t, "the object changes while it is read");
    } else {
        verdict = retry_judge(r->status, buf_text(&r->problem), r->problem.len);
        if (verdict == RETRY_SLOWER)
            adapt(h, false);
        snprintf(text, sizeof(text), "the server says %ld", r->status);
        if (verdict == RETRY_DONE)
            finish(h, r, 0, NULL);
        else
            again(h, t, text);
    }
}

/* Ends a try. */
static void end_try(struct http *h, struct transfer *t, CURLcode code)
{
    curl_multi_remove_handle(h->multi, t->easy);
    h->n_active--;
    judge(h, t, code);
    t->r = NULL;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

/* Ends the tries that libcurl reports as done. Returns how many. */
static size_t end_tries(struct http *h)
{
    CURLMsg *message;
    size_t n = 0;
    int left;

    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        struct transfer *t = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        end_try(h, t, code);
        n++;
    }
    return n;
}

/* Goes on with a paused transfer whose place is there, or refused. */
static void go_on(struct http *h, struct transfer *t)
{
    struct http_wait *wait = t->r->wait;
    CURLcode code = CURLE_WRITE_ERROR;

    if (wait->place_rc) {
        t->refused = wait->place_err;
        t->has_refused = true;
    } else {
        t->r->placed = true;
        code = curl_easy_pause(t->easy, CURLPAUSE_CONT);
    }
    if (code != CURLE_OK)
        end_try(h, t, code);
}

/* Goes on with all paused transfers that the waiting threads answered. */
static void see_answers(struct http *h)
{
    struct transfer *t;
    size_t n;

    pthread_mutex_lock(&h->lock);
    n = h->n_answered;
    h->n_answered = 0;
    pthread_mutex_unlock(&h->lock);
    for (t = h->transfers; n > 0 && t; t = t->next) {
        bool answered;

        if (!t->r || !t->paused)
            continue;
        pthread_mutex_lock(&h->lock);
        answered = t->r->wait->answered;
        t->r->wait->answered = false;
        pthread_mutex_unlock(&h->lock);
        if (answered) {
            t->paused = false;
            go_on(h, t);
        }
    }
}

/* The background thread. */
static void *loop(void *arg)
{
    struct http *h = arg;
    int running, sleep_ms;
    bool stop = false;

    while (!stop) {
        sleep_ms = begin_due(h);
        see_answers(h);
        curl_multi_perform(h->multi, &running);
        if (end_tries(h) > 0)
            sleep_ms = 0; /* a place became free: begin what is due first */
        pthread_mutex_lock(&h->lock);
        stop = h->stop;
        pthread_mutex_unlock(&h->lock);
        if (!stop && sleep_ms)
            curl_multi_poll(h->multi, NULL, 0, sleep_ms, NULL);
    }
    return NULL;
}

/* Starts the thread, which leaves all signals to the others. */
static int start(struct http *h, struct err *err)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&h->thread, NULL, loop, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return err_set(err, ERR_AGAIN, "cannot start the network's thread: %s",
                       strerror(rc));
    h->started = true;
    return 0;
}

struct http *http_open(const struct http_conf *conf, struct err *err)
{
    struct http *h = mem_alloc(1, sizeof(*h), err);
    struct timespec t;

    if (!h)
        return NULL;
    digest_no_exit_handler();
    h->conf = *conf;
    h->allowed = (double)(conf->n_transfers ? conf->n_transfers : 1);
    pthread_mutex_init(&h->lock, NULL);
    clock_gettime(CLOCK_REALTIME, &t);
    rng_init(&h->rng, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec,
             RNG_RETRY, 0, 0);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        h->multi = curl_multi_init();
    if (!h->multi) {
        err_set(err, ERR_FAILED, "cannot start libcurl");
        http_close(h);
        return NULL;
    }
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
                      (long)(conf->n_transfers + 1));
    if (start(h, err)) {
        http_close(h);
        return NULL;
    }
    return h;
}

int http_send(struct http *h, struct http_request *r, struct err *err)
{
    r->wait = mem_alloc(1, sizeof(*r->wait), err);
    if (!r->wait)
        return -1;
    pthread_cond_init(&r->wait->done, NULL);
    forget_body(r);
    r->status = 0;
    r->placed = r->placed && !r->place;
    r->n_failed = 0;
    r->not_before_ms = 0;
    pthread_mutex_lock(&h->lock);
    r->number = h->n_sent++;
    enqueue(h, r);
    pthread_mutex_unlock(&h->lock);
    curl_multi_wakeup(h->multi);
    return 0;
}

int http_wait(struct http *h, struct http_request *r, struct err *err)
{
    struct http_wait *wait = r->wait;
    int rc;

    pthread_mutex_lock(&h->lock);
    while (!wait->finished) {
        if (!wait->asks) {
            pthread_cond_wait(&wait->done, &h->lock);
            continue;
        }
        wait->asks = false;
        pthread_mutex_unlock(&h->lock);
        rc = r->place(r->ctx, r, &wait->place_err);
        pthread_mutex_lock(&h->lock);
        wait->place_rc = rc;
        wait->answered = true;
        h->n_answered++;
        curl_multi_wakeup(h->multi);
    }
    pthread_mutex_unlock(&h->lock);
    rc = wait->rc;
    if (rc)
        *err = wait->err;
    pthread_cond_destroy(&wait->done);
    free(wait);
    r->wait = NULL;
    return rc;
}

int http_run(struct http *h, struct http_request *r, struct err *err)
{
    return http_send(h, r, err) ? -1 : http_wait(h, r, err);
}

time_t http_date(const char *text)
{
    return curl_getdate(text, NULL);
}

void http_release(struct http_request *r)
{
    buf_release(&r->body);
    buf_release(&r->problem);
}

uint64_t http_n_retried(struct http *h)
{
    uint64_t n;

    pthread_mutex_lock(&h->lock);
    n = h->n_retried;
    pthread_mutex_unlock(&h->lock);
    return n;
}

size_t http_n_allowed(struct http *h)
{
    size_t n;

    pthread_mutex_lock(&h->lock);
    n = (size_t)h->allowed;
    pthread_mutex_unlock(&h->lock);
    return n;
}

void http_close(struct http *h)
{
    if (!h)
        return;
    if (h->started) {
        pthread_mutex_lock(&h->lock);
        h->stop = true;
        pthread_mutex_unlock(&h->lock);
        curl_multi_wakeup(h->multi);
        pthread_join(h->thread, NULL);
    }
    while (h->transfers) {
        struct transfer *t = h->transfers;

        h->transfers = t->next;
        if (t->r)
            curl_multi_remove_handle(h->multi, t->easy);
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        free(t);
    }
    if (h->multi)
        curl_multi_cleanup(h->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&h->lock);
    free(h);
}
