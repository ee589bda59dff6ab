/*
 * cache - objects kept on disk. The folder, its locks and the eviction are in
 * cachedir.c, the form of one file in cachefile.c.
 *
 * Looking up takes no lock but the shared one on the object itself. Writing
 * takes the folder's lock twice for a moment: to reserve room and open the
 * part, and to rename it.
 */
#define _GNU_SOURCE
#include "store/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/cachedir.h"

/* A handle. */
struct cache {
    struct cachedir dir;             /* the folder */
    atomic_uint_least64_t serial;    /* parts named so far */
    atomic_uint_least64_t n_hits;    /* see struct cache_seen */
    atomic_uint_least64_t n_damaged; /* likewise */
    atomic_uint_least64_t n_evicted; /* likewise */
};

/* Opens a handle; see cachedir_open(). */
static struct cache *open_handle(const struct cache_conf *conf, bool create,
                                 struct err *err)
{
    struct cache *c = mem_alloc(1, sizeof(*c), err);

    if (c && cachedir_open(&c->dir, conf, create, err)) {
        cache_close(c);
        c = NULL;
    }
    return c;
}

struct cache *cache_open(const struct cache_conf *conf, struct err *err)
{
    return open_handle(conf, true, err);
}

struct cache *cache_open_existing(const struct cache_conf *conf,
                                  struct err *err)
{
    return open_handle(conf, false, err);
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    cachedir_release(&c->dir);
    free(c);
}

/* The hash of a key: names its file and its claim. */
static uint64_t id_of(const char *key)
{
    return digest_xxh3(key, strlen(key));
}

/* Removes the file of an object if it is still the one that fd is. */
static int remove_same(struct cache *c, uint64_t id, int fd, struct err *err)
{
    struct stat mine, there;
    char name[64];
    int rc = 0;

    cachedir_name(id, name);
    if (cachedir_lock(&c->dir, err))
        return -1;
    if (fstat(fd, &mine) == 0 &&
        fstatat(c->dir.fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        mine.st_dev == there.st_dev && mine.st_ino == there.st_ino &&
        unlinkat(c->dir.fd, name, 0) == 0)
        rc = cachedir_account(
            &c->dir, -(int64_t)cachedir_blocks((uint64_t)mine.st_size), -1,
            err);
    cachedir_unlock(&c->dir);
    return rc;
}

/* Removes a damaged file. Returns 0, what a lookup says of it; or -1. */
static int drop_damaged(struct cache *c, uint64_t id, int fd, struct err *err)
{
    atomic_fetch_add(&c->n_damaged, 1);
    return remove_same(c, id, fd, err);
}

/* Marks an open file as used now; one of another user stays as it is. */
static void touch(int fd)
{
    struct timespec now[2];

    clock_gettime(CLOCK_REALTIME, &now[0]);
    now[1] = now[0];
    (void)!futimens(fd, now);
}

/* Opens and pins a file: 1; 0 if it is not there or just being evicted. */
static int open_pinned(struct cache *c, uint64_t id, int *fd, struct err *err)
{
    char name[64];

    cachedir_name(id, name);
    *fd = openat(c->dir.fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0)
        return errno == ENOENT ? 0
                               : err_errno(err, "%s/%s", c->dir.path, name);
    if (flock(*fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 1; /* without locks here files are just not pinned */
    close(*fd);
    return 0;
}

/* cache_lookup() but for the mark. */
static int find(struct cache *c, const char *key, const char *validator,
                struct cache_entry *e, struct err *err)
{
    int got;

    memset(e, 0, sizeof(*e));
    e->id = id_of(key);
    got = open_pinned(c, e->id, &e->fd, err);
    if (got <= 0)
        return got;
    got = cachefile_open(e->fd, &e->file, err);
    if (got == 0)
        got = drop_damaged(c, e->id, e->fd, err);
    else if (got > 0 && (e->file.key_len != strlen(key) ||
                         memcmp(e->file.names, key, e->file.key_len) != 0 ||
                         (validator && strcmp(e->file.validator, validator))))
        got = 0; /* another object of the same hash, or another version */
    if (got <= 0)
        cache_release(e);
    return got;
}

int cache_look(struct cache *c, const char *key, struct cache_entry *e,
               struct err *err)
{
    return find(c, key, NULL, e, err);
}

int cache_lookup(struct cache *c, const char *key, const char *validator,
                 struct cache_entry *e, struct err *err)
{
    int got = find(c, key, validator, e, err);

    if (got > 0)
        touch(e->fd);
    return got;
}

int cache_read(struct cache *c, const struct cache_entry *e, struct buf *out,
               struct err *err)
{
    int got = cachefile_read(e->fd, &e->file, out, err);

    if (got > 0)
        atomic_fetch_add(&c->n_hits, 1);
    return got == 0 ? drop_damaged(c, e->id, e->fd, err) : got;
}

int cache_take(struct cache *c, const struct cache_entry *e, struct blob *out,
               struct err *err)
{
    int got;

    if (e->file.size <= BLOB_MEMORY)
        return cache_read(c, e, &out->bytes, err);
    got = cachefile_verify(e->fd, &e->file, err);
    if (got == 0)
        return drop_damaged(c, e->id, e->fd, err);
    if (got < 0)
        return -1;
    out->fd = fcntl(e->fd, F_DUPFD_CLOEXEC, 0); /* shares the lock */
    if (out->fd < 0)
        return err_errno(err, "an object of the cache");
    out->in_file = true;
    out->at = cachefile_size(e->file.key_len, e->file.validator_len, 0);
    out->size = e->file.size;
    atomic_fetch_add(&c->n_hits, 1);
    return 1;
}

void cache_release(struct cache_entry *e)
{
    cachefile_release(&e->file);
    close(e->fd);
    e->fd = -1;
}

int cache_get(struct cache *c, const char *key, const char *validator,
              struct buf *out, struct err *err)
{
    struct cache_entry e;
    int got = cache_lookup(c, key, validator, &e, err);

    if (got > 0) {
        got = cache_read(c, &e, out, err);
        cache_release(&e);
    }
    return got;
}

/* Opens a part of the full size, so that the size shows what is reserved. */
static int open_part(struct cache_writer *w, uint64_t size, struct err *err)
{
    struct cache *c = w->cache;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(w->name, sizeof(w->name), "tmp/%ld-%llu-%lx%lx.part",
             (long)getpid(),
             (unsigned long long)atomic_fetch_add(&c->serial, 1),
             (unsigned long)now.tv_sec, (unsigned long)now.tv_nsec);
    w->fd = openat(c->dir.fd, w->name,
                   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (w->fd < 0)
        return err_errno(err, "%s/%s", c->dir.path, w->name);
    (void)!flock(w->fd, LOCK_EX | LOCK_NB); /* nobody else knows the name */
    if (ftruncate(w->fd, (off_t)size) == 0)
        return 0;
    err_errno(err, "%s/%s", c->dir.path, w->name);
    unlinkat(c->dir.fd, w->name, 0);
    close(w->fd);
    return -1;
}

/* Evicts what must go and opens a part, under the lock. See cache_begin(). */
static int reserve(struct cache_writer *w, uint64_t size, struct err *err)
{
    struct cachedir *d = &w->cache->dir;
    uint64_t n_evicted = 0;
    int got;

    if (cachedir_lock(d, err))
        return -1;
    got = cachedir_make_room(d, w->reserved, &n_evicted, err);
    if (got > 0 && cachedir_account(d, (int64_t)w->reserved, 0, err))
        got = -1;
    if (got > 0 && open_part(w, size, err)) {
        struct err other; /* the first error is the one to tell */

        (void)!cachedir_account(d, -(int64_t)w->reserved, 0, &other);
        got = -1;
    }
    cachedir_unlock(d);
    atomic_fetch_add(&w->cache->n_evicted, n_evicted);
    return got;
}

int cache_begin(struct cache *c, const char *key, const char *validator,
                uint64_t size, struct cache_writer *w, struct err *err)
{
    uint64_t whole;
    int got;

    memset(w, 0, sizeof(*w));
    w->cache = c;
    w->id = id_of(key);
    w->left = size;
    w->at = cachefile_size(strlen(key), strlen(validator), 0);
    if (size > INT64_MAX / 2)
        return 0;
    whole = cachefile_size(strlen(key), strlen(validator), size);
    w->reserved = cachedir_blocks(whole);
    got = reserve(w, whole, err);
    if (got > 0 && cachefile_begin(w->fd, key, validator, size, &w->d, err)) {
        cache_abort(w);
        got = -1;
    }
    return got;
}

int cache_add(struct cache_writer *w, const void *bytes, size_t n,
              struct err *err)
{
    if (n > w->left)
        return err_set(err, ERR_DATA,
                       "%s: want %llu more bytes at most, got %zu", w->name,
                       (unsigned long long)w->left, n);
    if (cachefile_write(w->fd, bytes, n))
        return err_errno(err, "%s/%s", w->cache->dir.path, w->name);
    digest_xxh3_add(&w->d, bytes, n);
    w->left -= n;
    return 0;
}

int cache_filled(struct cache_writer *w, struct err *err)
{
    if (cachefile_digest(w->fd, w->at, w->left, &w->d, err))
        return err_prefix(err, "%s/%s", w->cache->dir.path, w->name);
    w->left = 0;
    return 0;
}

/* Closes a part, which gives its lock back. */
static void end_writer(struct cache_writer *w)
{
    digest_xxh3_release(&w->d);
    close(w->fd);
    w->fd = -1;
}

/* Renames a part to its object, making the folder if it is the first. */
static int rename_part(struct cache_writer *w, const char *name)
{
    int dir = w->cache->dir.fd;
    char below[64];

    if (renameat(dir, w->name, dir, name) == 0)
        return 0;
    snprintf(below, sizeof(below), "%.*s",
             (int)(strrchr(name, '/') - name), name);
    if (errno != ENOENT || (mkdirat(dir, below, 0777) && errno != EEXIST))
        return -1;
    return renameat(dir, w->name, dir, name);
}

/* Lets the object appear and counts what it replaced, under the lock. */
static int publish(struct cache_writer *w, struct err *err)
{
    struct cachedir *d = &w->cache->dir;
    int64_t replaced = 0, more = 1;
    struct stat st;
    char name[64];
    int rc;

    cachedir_name(w->id, name);
    if (cachedir_lock(d, err))
        return -1;
    if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        replaced = (int64_t)cachedir_blocks((uint64_t)st.st_size);
        more = 0;
    }
    (void)!flock(w->fd, LOCK_SH | LOCK_NB); /* as readers pin it */
    rc = rename_part(w, name);
    if (rc)
        err_errno(err, "%s/%s", d->path, w->name);
    else
        rc = cachedir_account(d, -replaced, more, err);
    cachedir_unlock(d);
    return rc;
}

int cache_commit(struct cache_writer *w, struct err *err)
{
    int rc = -1;

    if (w->left > 0)
        err_set(err, ERR_DATA, "%s: %llu bytes are missing", w->name,
                (unsigned long long)w->left);
    else if (cachefile_end(w->fd, &w->d, err) == 0) {
        touch(w->fd);
        rc = publish(w, err);
    }
    if (rc)
        cache_abort(w);
    else
        end_writer(w);
    return rc;
}

void cache_abort(struct cache_writer *w)
{
    struct cachedir *d = &w->cache->dir;
    struct err err; /* a count that stays too high is set right later */

    if (cachedir_lock(d, &err) == 0) {
        if (unlinkat(d->fd, w->name, 0) == 0)
            (void)!cachedir_account(d, -(int64_t)w->reserved, 0, &err);
        cachedir_unlock(d);
    }
    end_writer(w);
}

int cache_put(struct cache *c, const char *key, const char *validator,
              const void *bytes, size_t n, struct err *err)
{
    struct cache_writer w;
    int got = cache_begin(c, key, validator, n, &w, err);

    if (got <= 0)
        return got;
    if (cache_add(&w, bytes, n, err)) {
        cache_abort(&w);
        return -1;
    }
    return cache_commit(&w, err) ? -1 : 1;
}

/* Tries to lock the byte that stands for a key: 1, 0 or -1 with errno. */
static int try_claim(int fd, uint64_t id)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

    lock.l_start = (off_t)(id >> 2);
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 1;
    return errno == EAGAIN || errno == EACCES || errno == EINTR ? 0 : -1;
}

int cache_claim(struct cache *c, const char *key, unsigned wait_ms,
                struct cache_claim *claim, struct err *err)
{
    struct timespec step = {0, 200000};
    uint64_t waited_ns = 0, id = id_of(key);
    int got;

    claim->fd = openat(c->dir.fd, "claims", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (claim->fd < 0)
        return err_errno(err, "%s/claims", c->dir.path);
    while ((got = try_claim(claim->fd, id)) == 0 &&
           waited_ns < (uint64_t)wait_ms * 1000000) {
        nanosleep(&step, NULL);
        waited_ns += (uint64_t)step.tv_nsec;
        if (step.tv_nsec < 10000000)
            step.tv_nsec *= 2;
    }
    if (got < 0)
        err_errno(err, "%s/claims", c->dir.path);
    if (got <= 0)
        cache_unclaim(claim);
    return got;
}

void cache_unclaim(struct cache_claim *claim)
{
    if (claim->fd >= 0)
        close(claim->fd);
    claim->fd = -1;
}

int cache_drop(struct cache *c, const char *key, struct err *err)
{
    uint64_t id = id_of(key);
    int fd, got = open_pinned(c, id, &fd, err);

    if (got > 0) {
        got = remove_same(c, id, fd, err);
        close(fd);
    }
    return got;
}

/* Removes one object; see cachedir_each(). */
static int clear_object(void *ctx, const char *name, struct err *err)
{
    struct cachedir *d = ctx;

    if (unlinkat(d->fd, name, 0) != 0 && errno != ENOENT)
        return err_errno(err, "%s/%s", d->path, name);
    return 0;
}

int cache_clear(struct cache *c, struct err *err)
{
    int rc;

    if (cachedir_lock(&c->dir, err))
        return -1;
    rc = cachedir_each(&c->dir, clear_object, &c->dir, err);
    if (!rc)
        rc = cachedir_count(&c->dir, NULL, NULL, err);
    cachedir_unlock(&c->dir);
    return rc;
}

int cache_stat(struct cache *c, struct cache_stat *stat, struct err *err)
{
    int rc;

    if (cachedir_lock(&c->dir, err))
        return -1;
    rc = cachedir_count(&c->dir, stat, NULL, err);
    cachedir_unlock(&c->dir);
    return rc;
}

/* What a check of all objects needs. */
struct gc {
    struct cache *cache;        /* whose */
    struct cache_swept *swept;  /* counts */
};

/* Reads one object and removes it if it is damaged; see cachedir_each(). */
static int gc_object(void *ctx, const char *name, struct err *err)
{
    struct gc *gc = ctx;
    struct cachefile f = {0};
    uint64_t id = 0;
    int fd = openat(gc->cache->dir.fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int got;

    if (fd < 0)
        return errno == ENOENT
                   ? 0
                   : err_errno(err, "%s/%s", gc->cache->dir.path, name);
    got = cachefile_open(fd, &f, err);
    if (got > 0)
        got = cachefile_verify(fd, &f, err);
    if (got > 0 && (digest_from_hex(strrchr(name, '/') + 1, 16, &id) ||
                    id != id_of(f.names)))
        got = 0; /* whole, but under another's name */
    cachefile_release(&f);
    if (got == 0) {
        (void)!digest_from_hex(strrchr(name, '/') + 1, 16, &id);
        gc->swept->n_damaged++;
        got = drop_damaged(gc->cache, id, fd, err);
    }
    close(fd);
    return got < 0 ? -1 : 0;
}

int cache_gc(struct cache *c, struct cache_swept *swept, struct err *err)
{
    struct gc gc = {.cache = c, .swept = swept};
    int rc;

    memset(swept, 0, sizeof(*swept));
    rc = cachedir_each(&c->dir, gc_object, &gc, err);
    if (rc || cachedir_lock(&c->dir, err))
        return -1;
    rc = cachedir_count(&c->dir, NULL, &swept->n_parts, err);
    if (!rc && cachedir_make_room(&c->dir, 0, &swept->n_evicted, err) < 0)
        rc = -1;
    cachedir_unlock(&c->dir);
    return rc;
}

void cache_seen(struct cache *c, struct cache_seen *seen)
{
    seen->n_hits = atomic_load(&c->n_hits);
    seen->n_damaged = atomic_load(&c->n_damaged);
    seen->n_evicted = atomic_load(&c->n_evicted);
}
