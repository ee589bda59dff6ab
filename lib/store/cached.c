/*
 * cached - whole remote objects, read through a cache.
 *
 * An object counts as fresh when the source was asked about it in this run,
 * or when it appeared in the cache while we were after it: then another
 * process has just fetched it.
 */
#include "store/cached.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/hashset.h"
#include "base/mem.h"

/* Everything. */
struct cached {
    struct cached_source source; /* where objects come from */
    struct cached_conf conf;     /* how; dir of the cache not kept */
    bool private;                /* the cache is this run's own */
    pthread_mutex_t lock;        /* guards all that follows */
    struct cache *cache;         /* owned; NULL: not there yet, or failed */
    struct hashset fresh;        /* hashes of fresh keys */
    struct cached_seen seen;     /* counts */
};

struct cached *cached_open(const struct cached_source *source,
                           const struct cached_conf *conf, struct err *err)
{
    struct cached *c = mem_alloc(1, sizeof(*c), err);

    if (!c)
        return NULL;
    c->source = *source;
    c->conf = *conf;
    c->private = !conf->cache.dir;
    pthread_mutex_init(&c->lock, NULL);
    if (!c->private) {
        c->cache = cache_open(&conf->cache, err);
        if (!c->cache) {
            cached_close(c);
            return NULL;
        }
    }
    return c;
}

/* Remembers the first failure of the cache itself; the run goes on. */
static void note_problem(struct cached *c, const struct err *err)
{
    pthread_mutex_lock(&c->lock);
    if (!c->seen.problem.status)
        c->seen.problem = *err;
    pthread_mutex_unlock(&c->lock);
}

/* Makes the private folder and a cache in it. */
static struct cache *open_private(struct cached *c, struct err *err)
{
    struct cache_conf conf = c->conf.cache;

    if (tempdir_open(c->conf.temp, c->conf.temp_parent, err))
        return NULL;
    conf.dir = c->conf.temp->path;
    return cache_open(&conf, err);
}

/* The cache; NULL if there is none to be had. */
static struct cache *get_cache(struct cached *c)
{
    struct cache *cache;

    pthread_mutex_lock(&c->lock);
    if (!c->cache && c->private && !c->seen.problem.status) {
        struct err err;

        c->cache = open_private(c, &err);
        if (!c->cache)
            c->seen.problem = err;
    }
    cache = c->cache;
    pthread_mutex_unlock(&c->lock);
    return cache;
}

/* Whether the source was asked about this object in this run. */
static bool is_fresh(struct cached *c, const char *key)
{
    uint64_t hash = digest_xxh3(key, strlen(key));
    bool fresh;

    pthread_mutex_lock(&c->lock);
    fresh = c->private || hashset_has(&c->fresh, hash);
    pthread_mutex_unlock(&c->lock);
    return fresh;
}

/* From here on this object is fresh; without memory it is asked for again. */
static void set_fresh(struct cached *c, const char *key)
{
    struct err err;

    pthread_mutex_lock(&c->lock);
    if (!c->private)
        (void)!hashset_add(&c->fresh, digest_xxh3(key, strlen(key)), &err);
    pthread_mutex_unlock(&c->lock);
}

/* Counts an object handed out. */
static void count(struct cached *c, bool hit, bool kept)
{
    pthread_mutex_lock(&c->lock);
    c->seen.n_hits += hit;
    c->seen.n_fetched += !hit;
    c->seen.n_kept += kept;
    pthread_mutex_unlock(&c->lock);
}

/* Takes an object from the cache; its failures are misses. */
static bool take(struct cached *c, struct cache *cache, const char *key,
                 const char *validator, struct blob *out)
{
    struct cache_entry e;
    struct err err;
    int got = cache_lookup(cache, key, validator, &e, &err);

    if (got > 0) {
        got = cache_take(cache, &e, out, &err);
        cache_release(&e);
    }
    if (got < 0)
        note_problem(c, &err);
    if (got > 0)
        count(c, true, false);
    return got > 0;
}

/* Appends the version that the cache has. Whether it has one. */
static bool known_version(struct cached *c, struct cache *cache,
                          const char *key, struct buf *validator)
{
    struct cache_entry e;
    struct err err;
    int got = cache_lookup(cache, key, NULL, &e, &err);

    if (got < 0)
        note_problem(c, &err);
    if (got > 0) {
        buf_puts(validator, e.file.validator);
        cache_release(&e);
    }
    return got > 0 && !validator->failed;
}

/* An object on its way from the source into the cache. */
struct keeping {
    struct cached *cached;  /* whose */
    struct cache *cache;    /* NULL: none to be had */
    const char *key;        /* of the object */
    struct cache_writer w;  /* a large object's file */
    bool open;              /* w is to be ended */
    bool no_room;           /* there was no room, or no way, for w */
};

/* Opens the file of a large object: the cache's, else one without a name. */
static int place(void *ctx, uint64_t size, const char *validator, int *fd,
                 uint64_t *at, struct err *err)
{
    struct keeping *k = ctx;
    struct err problem;
    int got = 0;

    if (k->open)
        cache_abort(&k->w);
    k->open = false;
    if (k->cache && size != BLOB_UNKNOWN)
        got = cache_begin(k->cache, k->key, validator, size, &k->w, &problem);
    k->no_room = size != BLOB_UNKNOWN;
    if (got > 0) {
        *at = k->w.at;
        *fd = fcntl(k->w.fd, F_DUPFD_CLOEXEC, 0);
        k->open = *fd >= 0;
        if (k->open)
            return 0;
        got = err_errno(&problem, "a file of the cache");
        cache_abort(&k->w);
    }
    if (got < 0)
        note_problem(k->cached, &problem);
    *at = 0;
    return blob_spool(k->cached->conf.temp_parent ? k->cached->conf.temp_parent
                                                  : "/tmp",
                      fd, err);
}

/* Adds bytes to the cache's file; see blob_each(). */
static int add(void *ctx, const void *bytes, size_t n, struct err *err)
{
    return cache_add(ctx, bytes, n, err);
}

/* Copies an object into the cache: 1; 0 without room; -1 with err set. */
static int copy(struct keeping *k, const char *validator,
                const struct blob *out, struct err *err)
{
    int got = cache_begin(k->cache, k->key, validator, blob_size(out), &k->w,
                          err);

    if (got > 0 && blob_each(out, add, &k->w, err)) {
        cache_abort(&k->w);
        got = -1;
    }
    if (got > 0 && cache_commit(&k->w, err))
        got = -1;
    return got;
}

/* Lets an object that came appear in the cache. Whether it is kept. */
static bool keep(struct keeping *k, const char *validator,
                 const struct blob *out)
{
    struct err problem;
    int got = 0;

    if (k->open) {
        k->open = false;
        got = cache_filled(&k->w, &problem);
        if (got)
            cache_abort(&k->w);
        else
            got = cache_commit(&k->w, &problem) ? -1 : 1;
    } else if (k->cache && (!out->in_file || !k->no_room)) {
        got = copy(k, validator, out, &problem);
    }
    if (got < 0)
        note_problem(k->cached, &problem);
    return got > 0;
}

/* Fetches an object, and keeps it if it can be kept. */
static int fetch(struct cached *c, struct cache *cache, const char *uri,
                 const char *key, const char *known, struct blob *out,
                 struct err *err)
{
    struct keeping k = {.cached = c, .cache = cache, .key = key};
    struct blob_sink sink = {place, &k};
    struct buf validator = {0};
    int got = c->source.fetch(c->source.ctx, uri, known, &sink, out,
                              &validator, err);

    if (got > 0)
        count(c, false, keep(&k, buf_text(&validator), out));
    else if (k.open)
        cache_abort(&k.w);
    buf_release(&validator);
    return got;
}

/* cached_fetch() once we alone are after the object. */
static int fetch_claimed(struct cached *c, struct cache *cache,
                         const char *uri, const char *key, struct blob *out,
                         const char *known, struct err *err)
{
    struct buf now = {0};
    bool there = known_version(c, cache, key, &now);
    int got;

    if (there && (!known || strcmp(known, buf_text(&now)) != 0) &&
        take(c, cache, key, NULL, out)) {
        buf_release(&now); /* appeared while we waited */
        return 0;
    }
    got = fetch(c, cache, uri, key, there ? buf_text(&now) : NULL, out, err);
    if (got == 0 && !take(c, cache, key, buf_text(&now), out))
        got = fetch(c, cache, uri, key, NULL, out, err);
    buf_release(&now);
    return got < 0 ? -1 : 0;
}

/* cached_fetch() with the key of the object. */
static int fetch_key(struct cached *c, const char *uri, const char *key,
                     struct blob *out, struct err *err)
{
    struct cache *cache = get_cache(c);
    struct cache_claim claim = {.fd = -1};
    struct buf known = {0};
    struct err problem;
    bool there;
    int rc;

    if (!cache)
        return fetch(c, NULL, uri, key, NULL, out, err) < 0 ? -1 : 0;
    if ((c->conf.offline || is_fresh(c, key)) &&
        take(c, cache, key, NULL, out))
        return 0;
    if (c->conf.offline)
        return err_set(err, ERR_MISSING, "%s: not in the cache", uri);
    there = known_version(c, cache, key, &known);
    if (cache_claim(cache, key, CACHED_WAIT_MS, &claim, &problem) < 0)
        note_problem(c, &problem);
    rc = fetch_claimed(c, cache, uri, key, out,
                       there ? buf_text(&known) : NULL, err);
    cache_unclaim(&claim);
    buf_release(&known);
    if (!rc)
        set_fresh(c, key);
    return rc;
}

bool cached_is_offline(const struct cached *c)
{
    return c->conf.offline;
}

bool cached_wants(struct cached *c, const char *uri)
{
    return c->source.remote(c->source.ctx, uri);
}

int cached_fetch(struct cached *c, const char *uri, struct blob *out,
                 struct err *err)
{
    struct buf key = {0};
    int rc = c->source.key(c->source.ctx, uri, &key, err);

    if (!rc)
        rc = fetch_key(c, uri, buf_text(&key), out, err);
    buf_release(&key);
    return rc;
}

int cached_read(struct cached *c, const char *uri, struct buf *out,
                struct err *err)
{
    struct blob blob = {0};
    int rc = cached_fetch(c, uri, &blob, err);

    if (!rc)
        rc = blob_append(&blob, out, err);
    blob_release(&blob);
    return rc;
}

int cached_look(struct cached *c, const char *uri, uint64_t *size,
                struct buf *validator, struct err *err)
{
    struct cache *cache = c->private ? NULL : get_cache(c);
    struct cache_entry e;
    struct buf key = {0};
    int got = c->source.key(c->source.ctx, uri, &key, err);

    if (!got && cache)
        got = cache_look(cache, buf_text(&key), &e, err);
    if (got > 0) {
        *size = e.file.size;
        buf_puts(validator, e.file.validator);
        cache_release(&e);
        got = buf_check(validator, err) ? -1 : 1;
    }
    buf_release(&key);
    return got;
}

int cached_find(struct cached *c, const char *uri, struct buf *out,
                struct err *err)
{
    struct cache *cache = get_cache(c);
    struct buf key = {0};
    int got = c->source.key(c->source.ctx, uri, &key, err);

    if (!got && cache)
        got = cache_get(cache, buf_text(&key), NULL, out, err);
    buf_release(&key);
    return got;
}

void cached_seen(struct cached *c, struct cached_seen *seen)
{
    struct cache_seen of_cache = {0};

    pthread_mutex_lock(&c->lock);
    *seen = c->seen;
    if (c->cache)
        cache_seen(c->cache, &of_cache);
    pthread_mutex_unlock(&c->lock);
    seen->n_evicted = of_cache.n_evicted;
    seen->n_damaged = of_cache.n_damaged;
}

void cached_close(struct cached *c)
{
    if (!c)
        return;
    cache_close(c->cache);
    pthread_mutex_destroy(&c->lock);
    hashset_release(&c->fresh);
    free(c);
}
