/*
 * cachedir - the folder of a cache. Layout and rules are in the header.
 */
#define _GNU_SOURCE
#include "store/cachedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"

/* What the version file says. */
static const char version_text[] = "a2b-cache 1\n";

/* What CACHEDIR.TAG says; the first line is the one backup programs know. */
static const char tag_text[] =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of a2b-fetch; a2b-fetch --cache-clear empties "
    "it.\n";

/* Names a cache may hold; a folder with any other is somebody else's. */
static const char *const own_names[] = {".",       "..",   "CACHEDIR.TAG",
                                        "version", "lock", "claims",
                                        "usage",   "tmp",  "entries"};

/* Part of the limit that is left after an eviction. */
#define AFTER_EVICTION 0.9

/* Seconds after which the files are counted anew. */
#define RECOUNT_S 86400

/* One object, for eviction. */
struct victim {
    char name[64];        /* below the folder */
    struct timespec used; /* last time */
    uint64_t n_bytes;     /* counted for it */
};

/* What a walk over all objects collects. */
struct scan {
    struct cachedir *dir;   /* whose */
    struct victim *victims; /* n objects; owned */
    size_t n;               /* how many */
    size_t cap;             /* room */
    uint64_t n_bytes;       /* of them and of live parts */
    uint64_t n_live;        /* live parts */
    uint64_t n_dead;        /* parts removed */
};

uint64_t cachedir_blocks(uint64_t size)
{
    return (size + 4095) / 4096 * 4096;
}

/* Writes a small file unless it is there. */
static int put_text(struct cachedir *d, const char *name, const char *text,
                    struct err *err)
{
    char temp[64];
    int fd, rc;

    if (faccessat(d->fd, name, F_OK, 0) == 0)
        return 0;
    snprintf(temp, sizeof(temp), "tmp/%s.%ld", name, (long)getpid());
    fd = openat(d->fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, "%s/%s", d->path, temp);
    rc = cachefile_write(fd, text, strlen(text));
    rc = close(fd) || rc ? -1 : 0;
    if (!rc && renameat(d->fd, temp, d->fd, name) == 0)
        return 0;
    /* another process was faster, and perhaps swept ours as left behind */
    if (!rc && errno == ENOENT && faccessat(d->fd, name, F_OK, 0) == 0)
        return 0;
    return err_errno(err, "%s/%s", d->path, name);
}

/* Whether everything in the folder has a name of ours. */
static int check_names(struct cachedir *d, struct err *err)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    size_t i;

    if (!dir) {
        rc = err_errno(err, "%s", d->path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (!rc && (entry = readdir(dir))) {
        for (i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++) {
            if (strcmp(entry->d_name, own_names[i]) == 0)
                break;
        }
        if (i == sizeof(own_names) / sizeof(own_names[0]))
            rc = err_set(err, ERR_USAGE,
                         "%s: has \"%s\" in it and is no cache: want a new or "
                         "an empty folder",
                         d->path, entry->d_name);
    }
    closedir(dir);
    return rc;
}

/* Compares the version file with ours. */
static int check_version(struct cachedir *d, struct err *err)
{
    char text[sizeof(version_text)] = {0};
    int fd = openat(d->fd, "version", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_MISSING, "%s: is no cache", d->path);
    if (fd < 0)
        return err_errno(err, "%s/version", d->path);
    got = read(fd, text, sizeof(text));
    close(fd);
    if (got == (ssize_t)sizeof(version_text) - 1 &&
        memcmp(text, version_text, sizeof(version_text) - 1) == 0)
        return 0;
    text[sizeof(text) - 1] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return err_set(err, ERR_USAGE,
                   "%s: cache of version \"%s\", want \"a2b-cache 1\"", d->path,
                   text);
}

/* Makes the folders and marks of a new cache. */
static int create_cache(struct cachedir *d, struct err *err)
{
    if (check_names(d, err))
        return -1;
    if ((mkdirat(d->fd, "tmp", 0777) && errno != EEXIST) ||
        (mkdirat(d->fd, "entries", 0777) && errno != EEXIST))
        return err_errno(err, "%s", d->path);
    return put_text(d, "CACHEDIR.TAG", tag_text, err) ||
                   put_text(d, "version", version_text, err)
               ? -1
               : 0;
}

int cachedir_open(struct cachedir *d, const struct cache_conf *conf,
                  bool create, struct err *err)
{
    memset(d, 0, sizeof(*d));
    pthread_mutex_init(&d->mutex, NULL);
    d->fd = d->lock = -1;
    d->limit = conf->size;
    d->min_free = conf->min_free;
    d->path = mem_string(conf->dir, err);
    if (!d->path)
        return -1;
    if (create && mkdir(conf->dir, 0777) && errno != EEXIST)
        return err_errno(err, "%s", conf->dir);
    d->fd = open(conf->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0)
        return err_errno(err, "%s", conf->dir);
    if (create && faccessat(d->fd, "version", F_OK, 0) &&
        create_cache(d, err))
        return -1;
    return check_version(d, err);
}

void cachedir_release(struct cachedir *d)
{
    if (d->fd >= 0)
        close(d->fd);
    free(d->path);
    pthread_mutex_destroy(&d->mutex);
}

/* Sleeps so many microseconds. */
static void nap(long us)
{
    struct timespec ts = {0, us * 1000};

    nanosleep(&ts, NULL);
}

int cachedir_lock(struct cachedir *d, struct err *err)
{
    long waited_us = 0, step_us = 50;
    int fd;

    pthread_mutex_lock(&d->mutex);
    fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        err_errno(err, "%s/lock", d->path);
        goto fail;
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            err_errno(err, "%s/lock", d->path);
            goto fail;
        }
        if (waited_us > CACHE_LOCK_MS * 1000L) {
            err_set(err, ERR_AGAIN, "%s/lock: held by another process for %d s",
                    d->path, CACHE_LOCK_MS / 1000);
            goto fail;
        }
        nap(step_us);
        waited_us += step_us;
        step_us = step_us < 5000 ? step_us * 2 : step_us;
    }
    d->lock = fd;
    return 0;
fail:
    if (fd >= 0)
        close(fd);
    pthread_mutex_unlock(&d->mutex);
    return -1;
}

void cachedir_unlock(struct cachedir *d)
{
    close(d->lock);
    d->lock = -1;
    pthread_mutex_unlock(&d->mutex);
}

void cachedir_name(uint64_t id, char name[64])
{
    char hex[17];

    digest_hex(id, hex);
    snprintf(name, 64, "entries/%.2s/%s", hex, hex);
}

/* Writes the count. */
static int save_usage(struct cachedir *d, const struct cachedir_usage *u,
                      struct err *err)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%020llu %020llu %020lld\n",
                     (unsigned long long)u->n_bytes,
                     (unsigned long long)u->n_objects, (long long)u->counted_s);
    int fd = openat(d->fd, "usage", O_WRONLY | O_CREAT | O_CLOEXEC, 0666), rc;

    if (fd < 0)
        return err_errno(err, "%s/usage", d->path);
    rc = pwrite(fd, text, (size_t)n, 0) == n && ftruncate(fd, n) == 0
             ? 0
             : err_errno(err, "%s/usage", d->path);
    close(fd);
    return rc;
}

/* Reads the count; false if it is not there, damaged or old. */
static bool load_usage(struct cachedir *d, struct cachedir_usage *u)
{
    char text[65] = {0}, *end = text;
    int fd = openat(d->fd, "usage", O_RDONLY | O_CLOEXEC);
    int64_t now = (int64_t)time(NULL);
    ssize_t got;

    if (fd < 0)
        return false;
    got = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (got != 63 || text[62] != '\n')
        return false;
    u->n_bytes = strtoull(text, &end, 10);
    if (end != text + 20)
        return false;
    u->n_objects = strtoull(text + 21, &end, 10);
    if (end != text + 41)
        return false;
    u->counted_s = strtoll(text + 42, &end, 10);
    return end == text + 62 && u->counted_s <= now &&
           now - u->counted_s < RECOUNT_S;
}

/* Opens a folder below ours; NULL with errno set. */
static DIR *open_below(struct cachedir *d, const char *name)
{
    int fd = openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

/* Visits the objects of one folder below entries. */
static int each_in(struct cachedir *d, const char *below,
                   int (*visit)(void *ctx, const char *name, struct err *err),
                   void *ctx, struct err *err)
{
    char name[64];
    struct dirent *entry;
    DIR *dir;
    uint64_t id;
    int rc = 0;

    snprintf(name, sizeof(name), "entries/%.2s", below);
    dir = open_below(d, name);
    if (!dir)
        return errno == ENOENT ? 0 : err_errno(err, "%s/%s", d->path, name);
    while (!rc && (entry = readdir(dir))) {
        if (digest_from_hex(entry->d_name, strlen(entry->d_name), &id))
            continue;
        cachedir_name(id, name);
        rc = visit(ctx, name, err);
    }
    closedir(dir);
    return rc;
}

int cachedir_each(struct cachedir *d,
                  int (*visit)(void *ctx, const char *name, struct err *err),
                  void *ctx, struct err *err)
{
    struct dirent *entry;
    DIR *dir = open_below(d, "entries");
    int rc = 0;

    if (!dir)
        return err_errno(err, "%s/entries", d->path);
    while (!rc && (entry = readdir(dir))) {
        if (strlen(entry->d_name) == 2 && entry->d_name[0] != '.')
            rc = each_in(d, entry->d_name, visit, ctx, err);
    }
    closedir(dir);
    return rc;
}

/* Notes one object; see cachedir_each(). */
static int scan_object(void *ctx, const char *name, struct err *err)
{
    struct scan *s = ctx;
    struct victim *grown;
    struct stat st;

    if (fstatat(s->dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT
                   ? 0
                   : err_errno(err, "%s/%s", s->dir->path, name);
    grown = mem_grow(s->victims, &s->cap, s->n + 1, sizeof(*grown), err);
    if (!grown)
        return -1;
    s->victims = grown;
    grown += s->n++;
    snprintf(grown->name, sizeof(grown->name), "%s", name);
    grown->used = st.st_mtim;
    grown->n_bytes = cachedir_blocks((uint64_t)st.st_size);
    s->n_bytes += grown->n_bytes;
    return 0;
}

/* Removes a part whose writer is dead, counts one whose writer lives. */
static void scan_part(struct scan *s, int tmp_fd, const char *name)
{
    int fd = openat(tmp_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        s->n_dead += unlinkat(tmp_fd, name, 0) == 0;
    } else if (fstat(fd, &st) == 0) {
        s->n_live++;
        s->n_bytes += cachedir_blocks((uint64_t)st.st_size);
    }
    close(fd);
}

/* Looks at all parts. */
static int scan_parts(struct scan *s, struct err *err)
{
    DIR *dir = open_below(s->dir, "tmp");
    struct dirent *entry;

    if (!dir)
        return err_errno(err, "%s/tmp", s->dir->path);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.')
            scan_part(s, dirfd(dir), entry->d_name);
    }
    closedir(dir);
    return 0;
}

/* Looks at all files and sets the count. */
static int scan_all(struct scan *s, struct cachedir *d, struct err *err)
{
    struct cachedir_usage usage = {0};

    s->dir = d;
    if (scan_parts(s, err) || cachedir_each(d, scan_object, s, err))
        return -1;
    usage.n_bytes = s->n_bytes;
    usage.n_objects = s->n;
    usage.counted_s = (int64_t)time(NULL);
    return save_usage(d, &usage, err);
}

/* Whether nobody has this file open through cache_lookup(). */
static bool is_free(struct cachedir *d, const char *name)
{
    int fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool result;

    if (fd < 0)
        return false;
    result = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    close(fd);
    return result;
}

int cachedir_count(struct cachedir *d, struct cache_stat *stat,
                   uint64_t *n_parts, struct err *err)
{
    struct scan s = {0};
    int rc = scan_all(&s, d, err);
    size_t i;

    if (!rc && stat) {
        stat->n_objects = s.n;
        stat->n_bytes = s.n_bytes;
        stat->n_parts = s.n_live;
        stat->limit = d->limit;
        stat->n_pinned = 0;
        for (i = 0; i < s.n; i++)
            stat->n_pinned += !is_free(d, s.victims[i].name);
    }
    if (n_parts)
        *n_parts = s.n_dead;
    free(s.victims);
    return rc;
}

int cachedir_usage(struct cachedir *d, struct cachedir_usage *usage,
                   struct err *err)
{
    if (load_usage(d, usage))
        return 0;
    if (cachedir_count(d, NULL, NULL, err))
        return -1;
    if (!load_usage(d, usage))
        return err_set(err, ERR_IO, "%s/usage: changed behind our back",
                       d->path);
    return 0;
}

int cachedir_account(struct cachedir *d, int64_t n_bytes, int64_t n_objects,
                     struct err *err)
{
    struct cachedir_usage u;

    if (cachedir_usage(d, &u, err))
        return -1;
    if (n_bytes < 0 && u.n_bytes < (uint64_t)-n_bytes)
        u.n_bytes = 0;
    else
        u.n_bytes += (uint64_t)n_bytes;
    if (n_objects < 0 && u.n_objects < (uint64_t)-n_objects)
        u.n_objects = 0;
    else
        u.n_objects += (uint64_t)n_objects;
    return save_usage(d, &u, err);
}

/* Bytes that must go so that the disk keeps its share free. */
static uint64_t lacking(struct cachedir *d, uint64_t need)
{
    struct statvfs v;
    double have, want;

    if (d->min_free <= 0 || fstatvfs(d->fd, &v) != 0)
        return 0;
    have = (double)v.f_bavail * (double)v.f_frsize;
    want = d->min_free * (double)v.f_blocks * (double)v.f_frsize + (double)need;
    return want > have ? (uint64_t)(want - have) : 0;
}

/* Orders by last use, for qsort; by name where the clock cannot tell. */
static int by_use(const void *a, const void *b)
{
    const struct victim *x = a, *y = b;

    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/*
 * Removes the object used longest ago, unless it is in use. Its own lock is
 * held while it goes, so that a reader either has it or does not find it.
 */
static bool evict(struct cachedir *d, const struct victim *v)
{
    int fd = openat(d->fd, v->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool gone = false;

    if (fd < 0)
        return errno == ENOENT;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        gone = unlinkat(d->fd, v->name, 0) == 0;
    close(fd);
    return gone;
}

/* Evicts in order of use until the cache has at most `most` bytes and freed
 * at least `least`. */
static int evict_until(struct cachedir *d, uint64_t most, uint64_t least,
                       uint64_t *n_evicted, struct err *err)
{
    struct scan s = {0};
    uint64_t freed = 0, n = 0;
    int rc = scan_all(&s, d, err);
    size_t i;

    if (!rc && s.n)
        qsort(s.victims, s.n, sizeof(*s.victims), by_use);
    for (i = 0; !rc && i < s.n && (s.n_bytes - freed > most || freed < least);
         i++) {
        if (evict(d, &s.victims[i])) {
            freed += s.victims[i].n_bytes;
            n++;
        }
    }
    if (!rc && n)
        rc = cachedir_account(d, -(int64_t)freed, -(int64_t)n, err);
    *n_evicted += n;
    free(s.victims);
    return rc;
}

int cachedir_make_room(struct cachedir *d, uint64_t need, uint64_t *n_evicted,
                       struct err *err)
{
    struct cachedir_usage u;
    uint64_t lack, most;

    if (need > d->limit)
        return 0;
    if (cachedir_usage(d, &u, err))
        return -1;
    lack = lacking(d, need);
    if (u.n_bytes <= d->limit - need && lack == 0)
        return 1;
    most = (uint64_t)(AFTER_EVICTION * (double)d->limit);
    most = most > need ? most - need : 0;
    if (u.n_bytes <= d->limit - need)
        most = UINT64_MAX;
    if (evict_until(d, most, lack, n_evicted, err) ||
        cachedir_usage(d, &u, err))
        return -1;
    return u.n_bytes <= d->limit - need && lacking(d, need) == 0;
}
