/*
 * s3 - requests to S3 and what their replies mean.
 *
 * A call goes through these steps, each at most a few times: send; if the
 * server says that our clock is off, sign with its time; if the bucket is in
 * another region, sign for that; if it is at another host of the same domain,
 * go there; if our keys have expired, look for new ones. What is left is the
 * result. Replies in trouble (5xx and so on) were repeated by http before.
 */
#include "store/s3.h"

#include <expat.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/md5pool.h"
#include "base/mem.h"
#include "store/etag.h"
#include "store/s3url.h"
#include "store/sigv4.h"

/* An object up to this size comes in one request, a larger one in ranges of
 * it. */
#define PART ((uint64_t)8 << 20)
/* Ranges of one object under way at a time. */
#define N_PARTS 8
/* Most steps of one call. */
#define MAX_STEPS 6
/* Times a whole object is read if its bytes turn out wrong. */
#define MAX_READS 8
/* Keys asked for in one page. */
#define PAGE_KEYS "1000"
/* No listing page or error is larger. */
#define MAX_XML ((uint64_t)64 << 20)
/* Keys are renewed this many seconds before they expire. */
#define RENEW_S 300
/* A clock off by this many seconds may be why a request was refused. */
#define SKEW_S 240

/* A bucket whose region a reply named. */
struct bucket_region {
    char *bucket;               /* owned */
    char *region;               /* owned */
    struct bucket_region *next; /* older ones */
};

/* One server. */
struct s3 {
    const struct creds_site *site;  /* borrowed */
    const struct creds_env *env;    /* borrowed */
    struct http *http;              /* borrowed */
    struct md5pool *md5pool;        /* where fetching threads meet, owned */
    pthread_mutex_t renewing;       /* held while keys are looked for */
    pthread_mutex_t lock;           /* guards all that follows */
    bool has_creds;                 /* they were looked for */
    struct creds creds;             /* all NULL: anonymous */
    time_t clock_offset;            /* server's time minus ours */
    struct bucket_region *regions;  /* learnt so far */
};

/* One call: what is asked of which bucket, and the request that asks. */
struct call {
    struct s3 *s3;                  /* whose */
    const char *uri;                /* for messages */
    char bucket[S3URL_BUCKET_SIZE]; /* its name */
    const char *key;                /* raw */
    const char *query;              /* encoded, sorted */
    char payload[65];               /* SHA-256 of the upload in hex */
    char region[HTTP_TEXT_SIZE];    /* signed for */
    char host[HTTP_TEXT_SIZE];      /* of a redirect; "": the usual one */
    struct s3url url;               /* owned */
    struct http_request r;          /* its bodies are owned */
    struct large *large;            /* what a large object needs, or NULL */
};

/* Frees what a call holds. */
static void call_release(struct call *c)
{
    s3url_release(&c->url);
    http_release(&c->r);
}

/* Prepares a call for a place; see s3url_split() for the errors. */
static int call_init(struct call *c, struct s3 *s, const char *place,
                     const char *uri, struct err *err)
{
    *c = (struct call){.s3 = s, .uri = uri, .query = ""};
    memcpy(c->payload, SIGV4_EMPTY, sizeof(c->payload));
    c->r.name = uri;
    return s3url_split(place, uri, c->bucket, &c->key, err);
}

/* Refuses a place without a key. */
static int want_key(const struct call *c, struct err *err)
{
    if (*c->key)
        return 0;
    return err_set(err, ERR_USAGE, "%s: no key, want s3://BUCKET/KEY", c->uri);
}

/* Looks for keys unless they are there and fresh. */
static int renew(struct s3 *s, bool anyway, struct err *err)
{
    struct creds fresh;
    bool due;
    int rc = 0;

    pthread_mutex_lock(&s->renewing);
    pthread_mutex_lock(&s->lock);
    due = anyway || !s->has_creds ||
          (s->creds.expires && s->creds.expires < time(NULL) + RENEW_S);
    pthread_mutex_unlock(&s->lock); /* signing must not wait for the network */
    if (due)
        rc = creds_load(s->env, s->http, &fresh, err);
    if (due && !rc) {
        pthread_mutex_lock(&s->lock);
        creds_release(&s->creds);
        s->creds = fresh;
        s->has_creds = true;
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&s->renewing);
    return rc;
}

/* Copies the region of a bucket, as far as we know. */
static void find_region(struct s3 *s, const char *bucket, char *region)
{
    const struct bucket_region *b;

    pthread_mutex_lock(&s->lock);
    for (b = s->regions; b; b = b->next) {
        if (strcmp(b->bucket, bucket) == 0)
            break;
    }
    snprintf(region, HTTP_TEXT_SIZE, "%s", b ? b->region : s->site->region);
    pthread_mutex_unlock(&s->lock);
}

/* Notes a bucket's region; forgetting it for lack of memory is no harm. */
static void learn_region(struct s3 *s, const char *bucket, const char *region)
{
    struct err err;
    struct bucket_region *b = mem_alloc(1, sizeof(*b), &err);

    if (!b)
        return;
    b->bucket = mem_string(bucket, &err);
    b->region = mem_string(region, &err);
    if (!b->bucket || !b->region) {
        free(b->bucket);
        free(b->region);
        free(b);
        return;
    }
    pthread_mutex_lock(&s->lock);
    b->next = s->regions;
    s->regions = b;
    pthread_mutex_unlock(&s->lock);
}

/* Appends the signature's headers for one try: runs when it is sent. */
static int sign(void *ctx, const struct http_request *r, struct buf *lines,
                struct err *err)
{
    struct call *c = ctx;
    struct s3 *s = c->s3;
    char stamp[SIGV4_STAMP_SIZE];
    struct sigv4_header headers[4] = {{"host", buf_text(&c->url.host)},
                                      {"x-amz-content-sha256", c->payload},
                                      {"x-amz-date", stamp}};
    struct sigv4_request request = {
        .method = r->method ? r->method : "GET",
        .path = buf_text(&c->url.path),
        .query = c->query,
        .payload = c->payload,
        .headers = headers,
        .n_headers = 3};
    struct sigv4_key key = {.region = c->region, .service = "s3"};
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    key.access = s->creds.access;
    key.secret = s->creds.secret;
    sigv4_stamp(time(NULL) + s->clock_offset, stamp);
    if (key.access) {
        buf_printf(lines, "x-amz-content-sha256: %s\nx-amz-date: %s\n",
                   c->payload, stamp);
        if (s->creds.token) {
            headers[request.n_headers++] = (struct sigv4_header){
                "x-amz-security-token", s->creds.token};
            buf_printf(lines, "x-amz-security-token: %s\n", s->creds.token);
        }
        buf_puts(lines, "Authorization: ");
        rc = sigv4_sign(&key, &request, stamp, lines, err);
        buf_puts(lines, "\n");
    }
    pthread_mutex_unlock(&s->lock);
    return rc ? err_prefix(err, "%s", c->uri) : 0;
}

/* Makes a call's URL and request anew for its region and host. */
static int aim(struct call *c, struct err *err)
{
    if (s3url_make(c->s3->site, c->region, *c->host ? c->host : NULL, c->bucket,
                   c->key, c->query, &c->url, err))
        return -1;
    c->r.url = c->url.url.data;
    c->r.headers = sign;
    c->r.ctx = c;
    return 0;
}

/* Corrects our clock if the server's differs. Returns whether it did. */
static bool set_clock(struct s3 *s, time_t server)
{
    time_t offset = server - time(NULL), change;

    if (!server)
        return false;
    pthread_mutex_lock(&s->lock);
    change = offset - s->clock_offset;
    s->clock_offset = offset;
    pthread_mutex_unlock(&s->lock);
    return change > SKEW_S || change < -SKEW_S;
}

/*
 * Takes the host out of a redirect if it is in the same domain as ours: its
 * name without the first label ends as ours does. Returns whether it did.
 */
static bool follow(struct call *c)
{
    const char *to = strstr(c->r.location, "://"), *ours;
    char host[HTTP_TEXT_SIZE];
    size_t n;

    if (!to)
        return false;
    n = strcspn(to + 3, "/?#");
    if (n == 0 || n >= sizeof(host) || memchr(to + 3, '@', n))
        return false;
    memcpy(host, to + 3, n);
    host[n] = '\0';
    ours = c->s3->site->endpoint ? strstr(c->s3->site->endpoint, "://") + 3
                                 : ".amazonaws.com";
    if (n <= strlen(ours) || strcmp(host + n - strlen(ours), ours) != 0 ||
        (*ours != '.' && host[n - strlen(ours) - 1] != '.') ||
        strncmp(host, c->bucket, strlen(c->bucket)) != 0 ||
        strcmp(host, c->host) == 0)
        return false;
    snprintf(c->host, sizeof(c->host), "%s", host);
    return true;
}

/* The status a refused request asks for. */
static enum err_status status_of(long status, const char *code)
{
    static const char *const denied[] = {"ExpiredToken", "InvalidToken",
                                         "InvalidAccessKeyId", NULL};
    size_t i;

    for (i = 0; denied[i]; i++) {
        if (strcmp(code, denied[i]) == 0)
            return ERR_DENIED;
    }
    if (status == 404 || status == 410)
        return ERR_MISSING;
    if (status == 401 || status == 403)
        return ERR_DENIED;
    if (status == 400 && strcmp(code, "InvalidBucketName") == 0)
        return ERR_USAGE;
    return ERR_FAILED;
}

/* Says how a request was refused. */
static int refused(struct call *c, const char *code, struct err *err)
{
    bool anonymous;

    pthread_mutex_lock(&c->s3->lock);
    anonymous = !c->s3->creds.access;
    pthread_mutex_unlock(&c->s3->lock);
    return err_set(err, status_of(c->r.status, code),
                   "%s: the server says %ld%s%.60s%s", c->uri, c->r.status,
                   *code ? " " : "", code,
                   anonymous && (c->r.status == 403 || c->r.status == 401)
                       ? " (no keys found, so the request was not signed)"
                       : "");
}

/*
 * Looks at a reply that is not 2xx. Returns 1 if the call is to be sent
 * again; else -1 with err set.
 */
static int react(struct call *c, bool *renewed, struct err *err)
{
    struct s3_page page = {0};
    struct err ignored;
    const char *code, *region;
    int rc = -1;

    if (c->r.problem.len && s3_parse(c->r.problem.data, c->r.problem.len,
                                     c->uri, &page, &ignored))
        s3_page_release(&page);
    code = page.code ? page.code : "";
    region = page.region ? page.region : c->r.region;
    if ((strcmp(code, "RequestTimeTooSkewed") == 0 ||
         (c->r.status == 403 && !*code)) &&
        set_clock(c->s3, c->r.server_time)) {
        rc = 1;
    } else if (*region && strcmp(region, c->region) != 0 &&
               (c->r.status == 301 || c->r.status == 307 ||
                c->r.status == 400 || c->r.status == 403)) {
        snprintf(c->region, sizeof(c->region), "%s", region);
        learn_region(c->s3, c->bucket, region);
        rc = 1;
    } else if ((c->r.status == 307 || c->r.status == 301) && follow(c)) {
        rc = 1;
    } else if (!*renewed && strcmp(code, "ExpiredToken") == 0) {
        *renewed = true;
        rc = renew(c->s3, true, err) ? -1 : 1;
        if (rc < 0)
            goto out;
    }
    if (rc < 0)
        refused(c, code, err);
out:
    s3_page_release(&page);
    return rc;
}

/*
 * Sends a call, and again as long as that helps.
 *
 * Returns 0 with a reply 2xx or 304 or 416 or 412; -1 with err set.
 */
static int call_run(struct call *c, struct err *err)
{
    bool renewed = false;
    int step;

    find_region(c->s3, c->bucket, c->region);
    if (renew(c->s3, false, err))
        return -1;
    for (step = 0; step < MAX_STEPS; step++) {
        if (aim(c, err) || http_run(c->s3->http, &c->r, err))
            return -1;
        if (c->r.status / 100 == 2 || c->r.status == 304 ||
            c->r.status == 416 || c->r.status == 412)
            return 0;
        if (react(c, &renewed, err) < 0)
            return -1;
    }
    return refused(c, "", err);
}

/* Where an XML reply is read. */
struct reader {
    struct s3_page *page; /* filled */
    struct buf text;      /* of the element we are in */
    struct buf token;     /* NextContinuationToken */
    bool encoded;         /* EncodingType is url */
    bool truncated;       /* IsTruncated is true */
    bool failed;          /* out of memory */
};

/* An element begins. */
static void XMLCALL on_start(void *arg, const XML_Char *name,
                             const XML_Char **attributes)
{
    struct reader *x = arg;
    struct s3_page *p = x->page;
    struct s3_entry *grown;
    struct err err;

    (void)attributes;
    buf_clear(&x->text);
    if (strcmp(name, "Contents") != 0)
        return;
    grown = mem_grow(p->entries, &p->cap, p->n + 1, sizeof(*grown), &err);
    if (!grown) {
        x->failed = true;
        return;
    }
    p->entries = grown;
    grown[p->n++] = (struct s3_entry){0};
}

/* Characters of an element. */
static void XMLCALL on_text(void *arg, const XML_Char *text, int n)
{
    struct reader *x = arg;

    buf_put(&x->text, text, (size_t)n);
}

/* Keeps a copy of the element's text. */
static void keep(struct reader *x, char **to)
{
    struct err err;

    free(*to);
    *to = mem_string(buf_text(&x->text), &err);
    x->failed = x->failed || !*to;
}

/* An element ends. */
static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reader *x = arg;
    struct s3_page *p = x->page;
    struct s3_entry *last = p->n ? &p->entries[p->n - 1] : NULL;
    const char *text = buf_text(&x->text);

    if (strcmp(name, "Key") == 0 && last)
        keep(x, &last->key);
    else if (strcmp(name, "Size") == 0 && last)
        last->size = strtoull(text, NULL, 10);
    else if (strcmp(name, "EncodingType") == 0)
        x->encoded = strcmp(text, "url") == 0;
    else if (strcmp(name, "IsTruncated") == 0)
        x->truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "NextContinuationToken") == 0)
        keep(x, &p->token);
    else if (strcmp(name, "Code") == 0)
        keep(x, &p->code);
    else if (strcmp(name, "Region") == 0)
        keep(x, &p->region);
    buf_clear(&x->text);
}

/* Settles what was read: names decoded, the token only if there is more. */
static int settle(struct reader *x, const char *what, struct err *err)
{
    struct s3_page *p = x->page;
    size_t i;

    if (x->failed || x->text.failed)
        return err_set(err, ERR_FAILED, "%s: out of memory for a reply", what);
    for (i = 0; i < p->n; i++) {
        if (!p->entries[i].key)
            return err_set(err, ERR_AGAIN, "%s: the listing has no key", what);
        if (x->encoded)
            s3url_decode(p->entries[i].key);
    }
    if (!x->truncated) {
        free(p->token);
        p->token = NULL;
    } else if (!p->token) {
        return err_set(err, ERR_AGAIN, "%s: the listing has more pages, but "
                                       "does not say where", what);
    }
    return 0;
}

int s3_parse(const char *text, size_t n, const char *what,
             struct s3_page *page, struct err *err)
{
    struct reader x = {.page = page};
    XML_Parser parser = XML_ParserCreate(NULL);
    int rc;

    if (!parser)
        return err_set(err, ERR_FAILED, "%s: out of memory for a reply", what);
    XML_SetUserData(parser, &x);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    if (n > INT32_MAX || !XML_Parse(parser, text, (int)n, 1))
        rc = err_set(err, ERR_AGAIN, "%s: the server's XML is damaged: %s at "
                                     "line %lu", what,
                     XML_ErrorString(XML_GetErrorCode(parser)),
                     (unsigned long)XML_GetCurrentLineNumber(parser));
    else
        rc = settle(&x, what, err);
    XML_ParserFree(parser);
    buf_release(&x.text);
    buf_release(&x.token);
    return rc;
}

void s3_page_release(struct s3_page *page)
{
    size_t i;

    for (i = 0; i < page->n; i++)
        free(page->entries[i].key);
    free(page->entries);
    free(page->token);
    free(page->code);
    free(page->region);
    *page = (struct s3_page){0};
}

struct s3 *s3_open(const struct creds_site *site, const struct creds_env *env,
                   struct http *http, struct err *err)
{
    struct s3 *s = mem_alloc(1, sizeof(*s), err);

    if (!s)
        return NULL;
    s->site = site;
    s->env = env;
    s->http = http;
    s->md5pool = md5pool_open(err);
    if (!s->md5pool) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->renewing, NULL);
    return s;
}

void s3_close(struct s3 *s)
{
    if (!s)
        return;
    while (s->regions) {
        struct bucket_region *b = s->regions;

        s->regions = b->next;
        free(b->bucket);
        free(b->region);
        free(b);
    }
    creds_release(&s->creds);
    md5pool_close(s->md5pool);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->renewing);
    free(s);
}

/* Reads one page of a listing into a page that is empty. */
static int read_page(struct s3 *s, const char *place, const char *uri,
                     const char *prefix, const char *max_keys,
                     const char *token, struct s3_page *page, struct err *err)
{
    struct buf query = {0};
    struct call c;
    int rc = call_init(&c, s, place, uri, err);

    if (rc)
        return -1;
    if (token) {
        buf_puts(&query, "continuation-token=");
        sigv4_encode(&query, token, '\0');
        buf_puts(&query, "&");
    }
    buf_printf(&query, "encoding-type=url&list-type=2&max-keys=%s&prefix=",
               max_keys);
    sigv4_encode(&query, prefix, '\0');
    rc = buf_check(&query, err);
    c.key = "";
    c.query = buf_text(&query);
    c.r.max_size = MAX_XML;
    if (!rc)
        rc = call_run(&c, err);
    if (!rc && c.r.status != 200)
        rc = refused(&c, "", err);
    if (!rc)
        rc = s3_parse(buf_text(&c.r.body), c.r.body.len, uri, page, err);
    call_release(&c);
    buf_release(&query);
    return rc;
}

/* The prefix below which a folder's keys lie: "" or with '/' at its end. */
static int folder_prefix(const char *place, const char *uri, struct buf *out,
                         struct err *err)
{
    char bucket[S3URL_BUCKET_SIZE];
    const char *key;

    if (s3url_split(place, uri, bucket, &key, err))
        return -1;
    buf_puts(out, key);
    if (*key && key[strlen(key) - 1] != '/')
        buf_puts(out, "/");
    return buf_check(out, err);
}

/* Hands the objects of a page out. */
static int visit_page(const struct s3_page *page, const struct buf *prefix,
                      const char *uri, const struct store_visitor *visitor,
                      struct err *err)
{
    size_t i;

    for (i = 0; i < page->n; i++) {
        const char *key = page->entries[i].key;

        if (strncmp(key, buf_text(prefix), prefix->len) != 0)
            return err_set(err, ERR_AGAIN, "%s: the listing names \"%s\", "
                                           "which is not below it", uri, key);
        if (key[prefix->len] && /* else the folder's own mark */
            visitor->visit(visitor->ctx, key + prefix->len,
                           page->entries[i].size, err))
            return -1;
    }
    return 0;
}

int s3_list(struct s3 *s, const char *place, const char *uri,
            const struct store_visitor *visitor, struct err *err)
{
    struct buf prefix = {0};
    char *token = NULL;
    size_t n_seen = 0;
    int rc = folder_prefix(place, uri, &prefix, err);

    while (!rc) {
        struct s3_page page = {0};

        rc = read_page(s, place, uri, buf_text(&prefix), PAGE_KEYS, token,
                       &page, err);
        if (!rc)
            rc = visit_page(&page, &prefix, uri, visitor, err);
        n_seen += page.n;
        if (!rc && token && page.token && strcmp(token, page.token) == 0)
            rc = err_set(err, ERR_AGAIN, "%s: the listing does not go on", uri);
        free(token);
        token = page.token;
        page.token = NULL;
        s3_page_release(&page);
        if (!token)
            break;
    }
    free(token);
    if (!rc && n_seen == 0 && prefix.len)
        rc = err_set(err, ERR_MISSING, "%s: no object is below it", uri);
    buf_release(&prefix);
    return rc;
}

/* Looks whether keys lie below a place. */
static int stat_folder(struct s3 *s, const char *place, const char *uri,
                       struct store_info *info, struct err *err)
{
    struct s3_page page = {0};
    struct buf prefix = {0};
    int rc = folder_prefix(place, uri, &prefix, err);

    if (!rc)
        rc = read_page(s, place, uri, buf_text(&prefix), "1", NULL, &page, err);
    if (!rc && page.n == 0 && prefix.len)
        rc = err_set(err, ERR_MISSING, "%s: no such object or folder", uri);
    info->folder = true;
    info->size = 0;
    s3_page_release(&page);
    buf_release(&prefix);
    return rc;
}

int s3_stat(struct s3 *s, const char *place, const char *uri,
            struct store_info *info, char *etag, struct err *err)
{
    struct call c;
    size_t n;
    int rc = call_init(&c, s, place, uri, err);

    if (rc)
        return -1;
    if (etag)
        etag[0] = '\0';
    n = strlen(c.key);
    if (n == 0 || c.key[n - 1] == '/') {
        call_release(&c);
        return stat_folder(s, place, uri, info, err);
    }
    c.r.method = "HEAD";
    rc = call_run(&c, err);
    if (!rc) {
        info->folder = false;
        info->size = c.r.total == HTTP_ALL ? 0 : c.r.total;
        if (etag)
            memcpy(etag, c.r.etag, HTTP_TEXT_SIZE);
    } else if (c.r.status == 404) {
        rc = stat_folder(s, place, uri, info, err);
    }
    call_release(&c);
    return rc;
}

/* One range of a large object. */
struct part {
    struct call c;  /* its request */
};

/* A large object on its way into a file. */
struct large {
    const struct blob_sink *sink; /* opens the file; borrowed */
    struct blob *out;             /* gets the file; borrowed */
    uint64_t size;                /* of the object */
    struct part parts[N_PARTS];   /* ranges under way: a ring */
    size_t head;                  /* the earliest of them */
    size_t n;                     /* how many */
    uint64_t next;                /* first byte that was not asked for */
    struct etag sum;              /* of the bytes that are there */
};

/* Sends the next range of a large object. */
static int send_part(struct large *l, const struct call *first,
                     struct err *err)
{
    struct call *c = &l->parts[(l->head + l->n) % N_PARTS].c;

    *c = (struct call){.s3 = first->s3,
                       .uri = first->uri,
                       .key = first->key,
                       .query = ""};
    memcpy(c->bucket, first->bucket, sizeof(c->bucket));
    memcpy(c->payload, first->payload, sizeof(c->payload));
    memcpy(c->region, first->region, sizeof(c->region));
    memcpy(c->host, first->host, sizeof(c->host));
    c->r.name = first->uri;
    c->r.offset = l->next;
    c->r.limit = l->size - l->next < PART ? l->size - l->next : PART;
    c->r.fd = l->out->fd;
    c->r.fd_at = l->out->at + l->next;
    c->r.placed = true;
    c->r.if_match = first->r.place_etag;
    if (aim(c, err) || http_send(c->s3->http, &c->r, err)) {
        call_release(c);
        return -1;
    }
    l->next += c->r.limit;
    l->n++;
    return 0;
}

/*
 * Waits for the earliest range. Returns 0; 1 if the object was changed
 * meanwhile; -1 with err set.
 */
static int finish_part(struct large *l, struct err *err)
{
    struct call *c = &l->parts[l->head].c;
    struct http_request *r = &c->r;
    int rc = http_wait(c->s3->http, r, err);

    l->head = (l->head + 1) % N_PARTS;
    l->n--;
    if (!rc && r->status / 100 != 2 && r->status != 412 && r->status != 416)
        rc = call_run(c, err); /* keys may have expired meanwhile */
    if (!rc && (r->status == 412 || r->status == 416 || r->got != r->limit ||
                r->total != l->size || strcmp(r->etag, r->if_match) != 0))
        rc = 1;
    call_release(c);
    return rc;
}

/* Ends everything under way for a large object and forgets its file. */
static void large_reset(struct large *l)
{
    struct err ignored;

    while (l->n > 0)
        (void)!finish_part(l, &ignored);
    etag_release(&l->sum);
    blob_release(l->out);
}

/* Opens the file of a large object and asks for its ranges; see http.h. */
static int place_large(void *ctx, struct http_request *r, struct err *err)
{
    struct call *first = ctx;
    struct large *l = first->large;
    struct blob *out = l->out;

    large_reset(l);
    if (l->sink->place(l->sink->ctx, r->total, r->etag, &out->fd, &out->at,
                       err))
        return -1;
    out->in_file = true;
    l->size = r->total;
    l->next = r->limit;
    r->fd = out->fd;
    r->fd_at = out->at;
    etag_open(&l->sum, r->encrypted ? "" : r->etag, l->size);
    if (etag_begin(&l->sum, err) < 0)
        return -1;
    while (l->size != HTTP_ALL && l->next < l->size && l->n < N_PARTS) {
        if (send_part(l, first, err))
            return -1;
    }
    return 0;
}

/* A thread that sums up a large object while its ranges come. */
struct summer {
    pthread_t thread;     /* it */
    bool started;         /* it runs */
    pthread_mutex_t lock; /* guards end and ended */
    pthread_cond_t more;  /* one of them has changed */
    uint64_t end;         /* bytes that are there */
    bool ended;           /* no more will come */
    struct large *large;  /* whose file and sum */
    int rc;               /* of etag_take() */
    struct err err;       /* likewise */
};

/* Sums up what is there, again and again. */
static void *sum_loop(void *arg)
{
    struct summer *m = arg;
    struct blob file = *m->large->out; /* its size is changed meanwhile */
    uint64_t seen = 0;

    pthread_mutex_lock(&m->lock);
    for (;;) {
        while (!m->ended && m->end == seen)
            pthread_cond_wait(&m->more, &m->lock);
        if (m->end == seen)
            break;
        file.size = seen = m->end;
        pthread_mutex_unlock(&m->lock);
        if (!m->rc)
            m->rc = etag_take(&m->large->sum, &file, seen, &m->err);
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* Starts the thread, with all signals left to others. */
static int summer_start(struct summer *m, struct large *l, struct err *err)
{
    sigset_t all, before;
    int rc;

    m->large = l;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->more, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&m->thread, NULL, sum_loop, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return err_set(err, ERR_AGAIN, "cannot start a thread: %s",
                       strerror(rc));
    m->started = true;
    return 0;
}

/* Tells the thread that bytes up to `end` are there. */
static void summer_tell(struct summer *m, uint64_t end, bool ended)
{
    pthread_mutex_lock(&m->lock);
    m->end = end;
    m->ended = ended;
    pthread_cond_signal(&m->more);
    pthread_mutex_unlock(&m->lock);
}

/* Waits until all is summed up. Returns 0; -1 with err set. */
static int summer_finish(struct summer *m, uint64_t end, struct err *err)
{
    if (m->started) {
        summer_tell(m, end, true);
        pthread_join(m->thread, NULL);
        if (m->rc)
            *err = m->err;
    }
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->more);
    return m->rc;
}

/* Compares the whole file with the ETag: 0; 1 if it is wrong; -1. */
static int check_large(struct large *l, struct err *err)
{
    int begun = 1;

    if (etag_fits(&l->sum))
        return 0;
    while ((begun = etag_begin(&l->sum, err)) > 0) {
        if (etag_take(&l->sum, l->out, l->out->size, err))
            return -1;
        if (etag_fits(&l->sum))
            return 0;
    }
    return begun < 0 ? -1 : etag_is_sure(&l->sum);
}

/*
 * Takes the ranges of a large object, in order, after its first one came.
 * Returns 0; 1 if the bytes are not of one version or wrong; -1 with err set.
 */
static int finish_large(struct large *l, const struct call *first,
                        struct err *err)
{
    uint64_t done = first->r.got;
    struct summer m = {0};
    struct err late;
    int rc;

    l->out->size = done;
    if (l->n == 0)
        return etag_take(&l->sum, l->out, done, err) ? -1
                                                     : check_large(l, err);
    rc = summer_start(&m, l, err);
    if (!rc)
        summer_tell(&m, done, false);
    while (!rc && l->n > 0) {
        uint64_t limit = l->parts[l->head].c.r.limit;

        rc = finish_part(l, err);
        if (!rc && l->next < l->size)
            rc = send_part(l, first, err);
        if (!rc)
            summer_tell(&m, done += limit, false);
    }
    if (summer_finish(&m, done, rc ? &late : err) && !rc)
        rc = -1;
    l->out->size = done;
    return rc ? rc : check_large(l, err);
}

/*
 * Fetches once. Returns 0 with the object in l->out; 1 if the bytes are not
 * of one version or not what the ETag says; 2 if it is the known version; -1
 * with err set.
 */
static int fetch_once(struct call *c, const char *known, struct err *err)
{
    struct large *l = c->large;
    int rc;

    c->r = (struct http_request){.name = c->uri, .limit = PART};
    c->r.memory = BLOB_MEMORY;
    c->r.place = place_large;
    c->r.if_none_match = known && *known ? known : NULL;
    if (call_run(c, err))
        return -1;
    if (c->r.status == 416) {
        http_release(&c->r); /* an empty object has no byte 0 */
        c->r = (struct http_request){.name = c->uri};
        if (call_run(c, err))
            return -1;
    }
    if (c->r.status == 304)
        return 2;
    if (c->r.status / 100 != 2)
        return 1;
    if (c->r.placed) {
        rc = finish_large(l, c, err);
    } else {
        rc = !c->r.encrypted &&
             etag_check(c->r.etag, buf_text(&c->r.body), c->r.body.len,
                        c->s3->md5pool) < 0;
        if (!rc) {
            l->out->bytes = c->r.body;
            c->r.body = (struct buf){0};
        }
    }
    return rc;
}

/* Says that an object is wrong however often it is read. */
static int never_right(const struct call *c, struct err *err)
{
    return err_set(err, ERR_DATA, "%s: what comes is not what its ETag says "
                                  "(read %d times)", c->uri, MAX_READS);
}

int s3_fetch(struct s3 *s, const char *place, const char *uri,
             const char *known, const struct blob_sink *sink,
             struct blob *out, char *etag, struct err *err)
{
    struct large *l;
    struct call c;
    int rc, n = 0;

    if (call_init(&c, s, place, uri, err) || want_key(&c, err))
        return -1;
    l = mem_alloc(1, sizeof(*l), err);
    if (!l)
        return -1;
    l->sink = sink;
    l->out = out;
    c.large = l;
    md5pool_enter(s->md5pool);
    do {
        http_release(&c.r);
        rc = fetch_once(&c, known, err);
        if (rc)
            large_reset(l);
    } while (rc == 1 && ++n < MAX_READS);
    md5pool_leave(s->md5pool);
    if (rc == 1)
        rc = never_right(&c, err);
    memcpy(etag, c.r.etag, HTTP_TEXT_SIZE);
    etag_release(&l->sum);
    free(l);
    call_release(&c);
    return rc < 0 ? -1 : rc == 0;
}

/*
 * Reads once. Returns 0 with the bytes appended to out; 1 if they are not of
 * one version or not what the ETag says; -1 with err set.
 */
static int read_once(struct call *c, uint64_t offset, uint64_t limit,
                     struct buf *out, struct err *err)
{
    bool whole;

    c->r = (struct http_request){.name = c->uri, .offset = offset};
    c->r.limit = limit;
    if (call_run(c, err))
        return -1;
    if (c->r.status == 416 && offset == 0) {
        http_release(&c->r); /* an empty object has no byte 0 */
        c->r = (struct http_request){.name = c->uri};
        if (call_run(c, err))
            return -1;
    }
    if (c->r.status == 416)
        return 0;
    if (c->r.status / 100 != 2)
        return 1;
    whole = offset == 0 && (c->r.total == HTTP_ALL || c->r.got == c->r.total);
    if (whole && !c->r.encrypted &&
        etag_check(c->r.etag, buf_text(&c->r.body), c->r.body.len, NULL) < 0)
        return 1;
    buf_put(out, c->r.body.data, c->r.body.len);
    return buf_check(out, err);
}

int s3_read(struct s3 *s, const char *place, const char *uri, uint64_t offset,
            uint64_t limit, struct buf *out, struct err *err)
{
    struct call c;
    int rc, n = 0;

    if (call_init(&c, s, place, uri, err) || want_key(&c, err))
        return -1;
    if (limit == 0)
        return 0;
    do {
        http_release(&c.r);
        rc = read_once(&c, offset, limit, out, err);
    } while (rc > 0 && ++n < MAX_READS);
    if (rc > 0)
        rc = never_right(&c, err);
    call_release(&c);
    return rc;
}

int s3_put(struct s3 *s, const char *place, const char *uri, const void *bytes,
           size_t n, struct err *err)
{
    struct call c;
    int rc = call_init(&c, s, place, uri, err);

    if (!rc)
        rc = digest_sha256(bytes, n, c.payload, err);
    if (rc)
        return -1;
    c.r.method = "PUT";
    c.r.upload = bytes;
    c.r.upload_len = n;
    rc = call_run(&c, err);
    if (!rc && c.r.status != 200)
        rc = refused(&c, "", err);
    call_release(&c);
    return rc;
}
