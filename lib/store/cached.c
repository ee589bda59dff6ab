/*
 * cached - whole remote objects, read through a cache.
 *
 * An object counts as fresh when the source was asked about it in this run,
 * or when it appeared in the cache while we were after it: then another
 * process has just fetched it.
 */
#include "store/cached.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

/* Everything. */
struct cached {
    struct cached_source source; /* where objects come from */
    struct cached_conf conf;     /* how; dir of the cache not kept */
    bool private;                /* the cache is this run's own */
    pthread_mutex_t lock;        /* guards all that follows */
    struct cache *cache;         /* owned; NULL: not there yet, or failed */
    uint64_t *fresh;             /* hashes of fresh keys, n_slots slots */
    size_t n_slots;              /* power of two, or 0 */
    size_t n_fresh;              /* slots in use */
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

/* The slot of a hash, or the free one it would get; there is a free one. */
static size_t slot_of(const struct cached *c, uint64_t hash)
{
    size_t i = (size_t)hash & (c->n_slots - 1);

    while (c->fresh[i] && c->fresh[i] != hash)
        i = (i + 1) & (c->n_slots - 1);
    return i;
}

/* The hash of a key, never 0, which marks a free slot. */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = digest_xxh3(key, strlen(key));

    return hash ? hash : 1;
}

/* Whether the source was asked about this object in this run. */
static bool is_fresh(struct cached *c, const char *key)
{
    uint64_t hash = hash_of(key);
    bool fresh;

    pthread_mutex_lock(&c->lock);
    fresh = c->private || (c->n_slots && c->fresh[slot_of(c, hash)] == hash);
    pthread_mutex_unlock(&c->lock);
    return fresh;
}

/* Doubles the slots. False without memory: then more is asked than needed. */
static bool grow_fresh(struct cached *c)
{
    size_t n = c->n_slots, i;
    uint64_t *before = c->fresh;
    struct err err;
    uint64_t *grown = mem_alloc(n ? 2 * n : 1024, sizeof(*grown), &err);

    if (!grown)
        return false;
    c->fresh = grown;
    c->n_slots = n ? 2 * n : 1024;
    for (i = 0; i < n; i++) {
        if (before[i])
            grown[slot_of(c, before[i])] = before[i];
    }
    free(before);
    return true;
}

/* From here on this object is fresh. */
static void set_fresh(struct cached *c, const char *key)
{
    uint64_t hash = hash_of(key);
    size_t i;

    pthread_mutex_lock(&c->lock);
    if (!c->private && (2 * c->n_fresh < c->n_slots || grow_fresh(c))) {
        i = slot_of(c, hash);
        c->n_fresh += c->fresh[i] != hash;
        c->fresh[i] = hash;
    }
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

/* As cache_get(), failures of the cache being misses. */
static bool take(struct cached *c, struct cache *cache, const char *key,
                 const char *validator, struct buf *out)
{
    struct err err;
    int got = cache_get(cache, key, validator, out, &err);

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

/* Fetches an object, and keeps it if it can be kept. */
static int fetch(struct cached *c, struct cache *cache, const char *uri,
                 const char *key, const char *known, struct buf *out,
                 struct err *err)
{
    struct buf validator = {0};
    size_t before = out->len;
    struct err problem;
    int got = c->source.fetch(c->source.ctx, uri, known, out, &validator, err);
    int kept = 0;

    if (got > 0 && cache) {
        kept = cache_put(cache, key, buf_text(&validator),
                         buf_text(out) + before, out->len - before, &problem);
        if (kept < 0)
            note_problem(c, &problem);
    }
    if (got > 0)
        count(c, false, kept > 0);
    buf_release(&validator);
    return got;
}

/* cached_read() once we alone are after the object. */
static int read_claimed(struct cached *c, struct cache *cache, const char *uri,
                        const char *key, struct buf *out, const char *known,
                        struct err *err)
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

/* cached_read() with the key of the object. */
static int read_key(struct cached *c, const char *uri, const char *key,
                    struct buf *out, struct err *err)
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
    rc = read_claimed(c, cache, uri, key, out,
                      there ? buf_text(&known) : NULL, err);
    cache_unclaim(&claim);
    buf_release(&known);
    if (!rc)
        set_fresh(c, key);
    return rc;
}

bool cached_wants(struct cached *c, const char *uri)
{
    return c->source.remote(c->source.ctx, uri);
}

int cached_read(struct cached *c, const char *uri, struct buf *out,
                struct err *err)
{
    struct buf key = {0};
    int rc = c->source.key(c->source.ctx, uri, &key, err);

    if (!rc)
        rc = read_key(c, uri, buf_text(&key), out, err);
    buf_release(&key);
    return rc;
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
    free(c->fresh);
    free(c);
}
