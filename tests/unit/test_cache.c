/* test_cache - what the cache keeps, gives back, evicts and survives. */
#define _GNU_SOURCE
#include "folder.h"
#include "store/cache.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* Opens the cache of a name inside the folder; dies if it cannot. */
static struct cache *open_named(const char *name, uint64_t size)
{
    struct cache_conf conf = {.dir = folder_path(name), .size = size};
    struct err err;
    struct cache *c = cache_open(&conf, &err);

    if (!c) {
        printf("# %s\n", err.text);
        abort();
    }
    return c;
}

/* Puts n equal bytes; 1, 0 or -1 as cache_put(). */
static int put_fill(struct cache *c, const char *key, const char *validator,
                    char fill, size_t n)
{
    char *bytes = malloc(n + 1);
    struct err err;
    int got;

    if (!bytes)
        abort();
    memset(bytes, fill, n);
    got = cache_put(c, key, validator, bytes, n, &err);
    if (got < 0)
        printf("# %s\n", err.text);
    free(bytes);
    return got;
}

/* Whether an object is there, whole, and made of one byte. */
static bool has_fill(struct cache *c, const char *key, const char *validator,
                     char fill, size_t n)
{
    struct buf out = {0};
    struct err err;
    bool ok = cache_get(c, key, validator, &out, &err) == 1 && out.len == n;
    size_t i;

    for (i = 0; ok && i < n; i++)
        ok = out.data[i] == fill;
    buf_release(&out);
    return ok;
}

/* Whether an object is there, without marking it as used. */
static bool is_there(const char *cache, const char *key)
{
    char name[600], hex[17];

    digest_hex(digest_xxh3(key, strlen(key)), hex);
    snprintf(name, sizeof(name), "%s/entries/%.2s/%s", folder_path(cache), hex,
             hex);
    return access(name, F_OK) == 0;
}

/* The file of an object. */
static void file_of(const char *cache, const char *key, char name[600])
{
    char hex[17];

    digest_hex(digest_xxh3(key, strlen(key)), hex);
    snprintf(name, 600, "%s/entries/%.2s/%s", folder_path(cache), hex, hex);
}

/* What cache_stat() says; dies if it fails. */
static struct cache_stat stat_of(struct cache *c)
{
    struct cache_stat st;
    struct err err;

    if (cache_stat(c, &st, &err))
        abort();
    return st;
}

/* The count in the usage file, as cachedir.h says. */
static uint64_t counted(const char *cache)
{
    char name[600], text[64] = {0};
    FILE *f;

    snprintf(name, sizeof(name), "%s/usage", folder_path(cache));
    f = fopen(name, "r");
    if (!f || fread(text, 1, 63, f) != 63)
        abort();
    fclose(f);
    return strtoull(text, NULL, 10);
}

/* What is put comes back, under its key and version only. */
static void test_round(void)
{
    struct cache *c = open_named("round", 1 << 20);
    struct cache_entry e;
    struct buf out = {0};
    struct err err;

    tap_ok(cache_lookup(c, "s3://b/k", NULL, &e, &err) == 0, "empty: miss");
    tap_ok(put_fill(c, "s3://b/k", "v1", 'a', 5000) == 1, "put");
    tap_ok(has_fill(c, "s3://b/k", "v1", 'a', 5000), "get by version");
    tap_ok(has_fill(c, "s3://b/k", NULL, 'a', 5000), "get any version");
    tap_ok(!has_fill(c, "s3://b/k", "v2", 'a', 5000), "another version: miss");
    tap_ok(!has_fill(c, "s3://b/k2", NULL, 'a', 5000), "another key: miss");
    tap_ok(cache_lookup(c, "s3://b/k", NULL, &e, &err) == 1 &&
               e.file.size == 5000,
           "lookup: size");
    tap_is(e.file.validator, "v1", "lookup: validator");
    tap_ok(put_fill(c, "s3://b/k", "v2", 'b', 10) == 1, "a newer version");
    tap_ok(cache_read(c, &e, &out, &err) == 1 && out.len == 5000 &&
               out.data[4999] == 'a',
           "the pinned old one is still read");
    cache_release(&e);
    buf_release(&out);
    tap_ok(has_fill(c, "s3://b/k", "v2", 'b', 10) &&
               !has_fill(c, "s3://b/k", "v1", 'a', 5000),
           "it took the older one's place");
    tap_ok(put_fill(c, "empty", "", 'x', 0) == 1 &&
               has_fill(c, "empty", "", 'x', 0),
           "an empty object");
    tap_ok(put_fill(c, "odd \n\001\xff ../..//", "\"W/\"", 'o', 3) == 1 &&
               has_fill(c, "odd \n\001\xff ../..//", "\"W/\"", 'o', 3),
           "an odd key");
    tap_ok(stat_of(c).n_objects == 3 && stat_of(c).n_bytes == 3 * 4096 &&
               counted("round") == 3 * 4096,
           "three objects of one block");
    tap_ok(cache_drop(c, "empty", &err) == 0 && !is_there("round", "empty") &&
               cache_drop(c, "empty", &err) == 0,
           "drop, twice");
    tap_ok(cache_clear(c, &err) == 0 && stat_of(c).n_objects == 0 &&
               counted("round") == 0,
           "clear");
    cache_close(c);
}

/* The least recently used goes, whatever came first. */
static void test_lru(void)
{
    struct cache *c = open_named("lru", 10 * 8192);
    struct cache_seen seen;
    char key[16];
    int i;

    for (i = 0; i < 10; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        put_fill(c, key, "", 'a', 8000);
    }
    tap_ok(stat_of(c).n_objects == 10 && stat_of(c).n_bytes == 10 * 8192,
           "ten objects fill it");
    tap_ok(has_fill(c, "k0", NULL, 'a', 8000) &&
               has_fill(c, "k2", NULL, 'a', 8000),
           "two are used");
    tap_ok(put_fill(c, "new", "", 'n', 8000) == 1, "one more");
    tap_ok(is_there("lru", "k0") && is_there("lru", "k2") &&
               is_there("lru", "new"),
           "used and new ones stay");
    tap_ok(!is_there("lru", "k1") && !is_there("lru", "k3"),
           "those used longest ago went, down to nine tenths");
    tap_ok(is_there("lru", "k4"), "no more than needed");
    tap_ok(stat_of(c).n_objects == 9 && counted("lru") == 9 * 8192, "count");
    cache_seen(c, &seen);
    tap_ok(seen.n_evicted == 2 && seen.n_hits == 2, "evictions are counted");
    tap_ok(put_fill(c, "big", "", 'b', 10 * 8192) == 0 &&
               stat_of(c).n_objects == 9,
           "what is larger than the cache is not kept and evicts nothing");
    cache_close(c);
    c = open_named("lru", 3 * 8192);
    tap_ok(put_fill(c, "again", "", 'b', 8000) == 1 &&
               stat_of(c).n_bytes <= 3 * 8192,
           "a smaller limit holds from the next put on");
    cache_close(c);
}

/* Files in use stay, also when that leaves no room. */
static void test_pins(void)
{
    struct cache *c = open_named("pins", 3 * 4096), *d;
    struct cache_entry a, b;
    struct err err;

    put_fill(c, "a", "", 'a', 100);
    put_fill(c, "b", "", 'b', 100);
    put_fill(c, "c", "", 'c', 100);
    tap_ok(cache_lookup(c, "a", NULL, &a, &err) == 1 &&
               cache_lookup(c, "b", NULL, &b, &err) == 1,
           "two are in use");
    tap_ok(stat_of(c).n_pinned == 2, "stat counts them");
    d = open_named("pins", 3 * 4096);
    has_fill(d, "c", NULL, 'c', 100);
    tap_ok(put_fill(d, "d", "", 'd', 100) == 1 && is_there("pins", "a") &&
               is_there("pins", "b") && !is_there("pins", "c"),
           "only the free one is evicted, though used last");
    tap_ok(put_fill(d, "e", "", 'e', 5000) == 0, "no room beside the pins");
    cache_release(&a);
    cache_release(&b);
    tap_ok(put_fill(d, "e", "", 'e', 5000) == 1, "released: there is room");
    cache_close(d);
    cache_close(c);
}

/* The disk keeps its share free. */
static void test_min_free(void)
{
    struct cache *c = open_named("free", 1 << 20);
    struct cache_conf conf = {.dir = folder_path("free"), .size = 1 << 20};
    struct err err;

    put_fill(c, "a", "", 'a', 100);
    cache_close(c);
    conf.min_free = 1;
    c = cache_open(&conf, &err);
    tap_ok(c && put_fill(c, "b", "", 'b', 100) == 0 && !is_there("free", "a"),
           "a disk that is to be empty: all goes, nothing is kept");
    cache_close(c);
}

/* Changes one byte of an object's file, or cuts it. */
static void damage(const char *cache, const char *key, long at, bool cut)
{
    char name[600];
    int fd;
    char byte;

    file_of(cache, key, name);
    fd = open(name, O_RDWR);
    if (fd < 0 || pread(fd, &byte, 1, at) != 1)
        abort();
    byte ^= 0x10;
    if (cut ? ftruncate(fd, at) != 0 : pwrite(fd, &byte, 1, at) != 1)
        abort();
    close(fd);
}

/* No damaged byte is ever served: every byte of a file, and every cut. */
static void test_damage(void)
{
    struct cache *c = open_named("damage", 1 << 20);
    int n = CACHEFILE_HEAD + 3 + 4 + 20, i, bad = 0, kept = 0;
    struct cache_seen seen;
    struct cache_swept swept;
    struct err err;

    for (i = 0; i < 2 * n; i++) {
        struct buf out = {0};

        if (put_fill(c, "key", "etag", 'x', 20) != 1)
            abort();
        damage("damage", "key", i % n, i >= n);
        bad += cache_get(c, "key", NULL, &out, &err) != 0 || out.len != 0;
        kept += is_there("damage", "key");
        buf_release(&out);
    }
    tap_ok(bad == 0, "%d damaged files, none served", 2 * n);
    /* a changed key is another object's file: not damaged for this one until
     * its bytes are asked for, so the next put replaces it */
    tap_ok(kept <= 3, "they are removed (%d looked like another key)", kept);
    cache_seen(c, &seen);
    tap_ok(seen.n_damaged == (uint64_t)(2 * n - kept), "and counted");
    put_fill(c, "key", "etag", 'x', 20);
    put_fill(c, "good", "etag", 'x', 20);
    damage("damage", "key", n - 1, false);
    tap_ok(cache_gc(c, &swept, &err) == 0 && swept.n_damaged == 1 &&
               !is_there("damage", "key") && is_there("damage", "good"),
           "gc finds damage nobody asked for");
    tap_ok(stat_of(c).n_bytes == 4096 && counted("damage") == 4096, "count");
    cache_close(c);
}

/* Folders that are no caches are refused and left alone. */
static void test_foreign(void)
{
    struct cache_conf conf = {.size = 1 << 20};
    struct err err;
    struct cache *c;

    folder_mkdir("mine");
    folder_puts("mine/thesis.tex", "years of work");
    conf.dir = folder_path("mine");
    tap_ok(!cache_open(&conf, &err) && err.status == ERR_USAGE,
           "a folder with other files: %s", err.text);
    tap_ok(access(folder_path("mine/version"), F_OK) != 0, "left as it was");
    conf.dir = folder_path("nowhere");
    tap_ok(!cache_open_existing(&conf, &err) && err.status == ERR_MISSING,
           "not there: %s", err.text);
    folder_mkdir("plain");
    conf.dir = folder_path("plain");
    tap_ok(!cache_open_existing(&conf, &err) && err.status == ERR_MISSING,
           "empty is no cache yet: %s", err.text);
    c = cache_open(&conf, &err);
    tap_ok(c && access(folder_path("plain/CACHEDIR.TAG"), F_OK) == 0,
           "an empty folder becomes one, with CACHEDIR.TAG");
    cache_close(c);
    folder_puts("plain/version", "a2b-cache 2\n");
    tap_ok(!cache_open(&conf, &err) && err.status == ERR_USAGE &&
               strstr(err.text, "a2b-cache 2"),
           "another version: %s", err.text);
    folder_puts("file", "");
    conf.dir = folder_path("file");
    tap_ok(!cache_open(&conf, &err), "a file: %s", err.text);
}

/* Writing in pieces; a writer that gives up leaves nothing. */
static void test_writer(void)
{
    struct cache *c = open_named("writer", 1 << 20);
    struct cache_writer w;
    struct err err;

    tap_ok(cache_begin(c, "k", "v", 6, &w, &err) == 1 &&
               cache_add(&w, "aaa", 3, &err) == 0,
           "begin, add");
    tap_ok(stat_of(c).n_parts == 1 && stat_of(c).n_bytes == 4096 &&
               stat_of(c).n_objects == 0,
           "a part counts with its full size");
    tap_ok(cache_add(&w, "aaa", 3, &err) == 0 && cache_commit(&w, &err) == 0 &&
               has_fill(c, "k", "v", 'a', 6),
           "add, commit");
    tap_ok(cache_begin(c, "l", "v", 6, &w, &err) == 1 &&
               cache_add(&w, "aaa", 3, &err) == 0 &&
               cache_add(&w, "aaaa", 4, &err) == -1,
           "too much: %s", err.text);
    tap_ok(cache_commit(&w, &err) == -1 && !is_there("writer", "l"),
           "too little: %s", err.text);
    tap_ok(cache_begin(c, "l", "v", 6, &w, &err) == 1, "begin");
    cache_abort(&w);
    tap_ok(stat_of(c).n_parts == 0 && counted("writer") == 4096, "abort");
    cache_close(c);
}

/* A usage file that is lost or wrong is made anew. */
static void test_usage(void)
{
    struct cache *c = open_named("usage", 1 << 20);

    put_fill(c, "a", "", 'a', 100);
    folder_puts("usage/usage", "rubbish");
    put_fill(c, "b", "", 'b', 100);
    tap_ok(counted("usage") == 2 * 4096, "rubbish in usage");
    unlink(folder_path("usage/usage"));
    put_fill(c, "c", "", 'c', 100);
    tap_ok(counted("usage") == 3 * 4096, "no usage");
    folder_puts("usage/usage", "00000000000099999999 00000000000000000001 "
                               "00000000000000000009\n");
    put_fill(c, "d", "", 'd', 100);
    tap_ok(counted("usage") == 4 * 4096, "an old count");
    cache_close(c);
}

/* Bytes of object i, version v: n of them, all determined. */
static size_t make_bytes(unsigned i, unsigned v, unsigned char *bytes)
{
    size_t n = 1 + (i * 7919u + v * 104729u) % 30000, k;
    uint32_t x = i * 2654435761u + v * 40503u + 1;

    for (k = 0; k < n; k++) {
        x = x * 1664525u + 1013904223u;
        bytes[k] = (unsigned char)(x >> 24);
    }
    return n;
}

/* Puts and gets at random until killed or after n rounds. Exit 9: a wrong
 * byte, 8: an error. */
static void churn(const char *name, unsigned seed, unsigned n)
{
    struct cache *c = open_named(name, 400000);
    static unsigned char bytes[40000];
    struct buf out = {0};
    struct err err = {0};
    char key[32], validator[32];
    unsigned k;

    for (k = 0; k < n; k++) {
        unsigned r = seed = seed * 1664525u + 1013904223u;
        unsigned i = (r >> 8) % 40, v = (r >> 16) % 3;
        size_t want;
        int got;

        snprintf(key, sizeof(key), "s3://b/%u", i);
        snprintf(validator, sizeof(validator), "%u", v);
        want = make_bytes(i, v, bytes);
        buf_clear(&out);
        got = cache_get(c, key, validator, &out, &err);
        if (got > 0 &&
            (out.len != want || memcmp(out.data, bytes, want) != 0))
            _exit(9);
        if (got == 0)
            got = cache_put(c, key, validator, bytes, want, &err);
        if (got < 0) {
            printf("# %s\n", err.text);
            fflush(stdout);
            _exit(8);
        }
    }
    buf_release(&out);
    cache_close(c);
}

/* Starts a process that churns. */
static pid_t start_churn(const char *name, unsigned seed, unsigned n)
{
    pid_t pid = fork();

    if (pid < 0)
        abort();
    if (pid == 0) {
        churn(name, seed, n);
        _exit(0);
    }
    return pid;
}

/* Ends well; what waitpid said. */
static bool ended_well(pid_t pid)
{
    int status = 0;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* Several processes at once, more than fits: right bytes, limit kept. */
static void test_processes(void)
{
    struct cache *c = open_named("many", 400000);
    bool ok = true, within = true;
    pid_t pid[4];
    int i;

    for (i = 0; i < 4; i++)
        pid[i] = start_churn("many", (unsigned)i + 1, 1500);
    for (i = 0; i < 50; i++)
        within = stat_of(c).n_bytes <= 400000 && within;
    for (i = 0; i < 4; i++)
        ok = ended_well(pid[i]) && ok;
    tap_ok(ok, "four processes, 6000 rounds, every byte right");
    tap_ok(within && stat_of(c).n_bytes <= 400000, "never over the limit");
    tap_ok(stat_of(c).n_parts == 0 && stat_of(c).n_bytes == counted("many"),
           "no parts left, and the count is exact");
    cache_close(c);
}

/* Processes killed at any moment, one beside them that checks every byte. */
static void test_kill(void)
{
    const char *more = getenv("A2B_KILLS");
    int kills = more ? (int)strtol(more, NULL, 10) : 250, i, killed = 0;
    struct cache_swept swept = {0};
    struct cache *c;
    struct err err;
    pid_t reader = start_churn("kill", 7, 6000);
    bool ok = true;

    for (i = 0; i < kills; i++) {
        struct timespec ts = {0, 300000 + (i * 7919 % 5000) * 1000};
        pid_t pid = start_churn("kill", (unsigned)i + 100, 1000000);
        int status;

        nanosleep(&ts, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        killed += WIFSIGNALED(status);
        ok = ok && (WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
    tap_ok(ok && killed == kills, "%d processes killed, none saw a wrong byte",
           killed);
    tap_ok(ended_well(reader), "the reader beside them saw none either");
    c = open_named("kill", 400000);
    tap_ok(cache_gc(c, &swept, &err) == 0 && swept.n_damaged == 0,
           "no damaged object after it (%d parts swept)", (int)swept.n_parts);
    tap_ok(stat_of(c).n_parts == 0 && stat_of(c).n_bytes <= 400000 &&
               counted("kill") == stat_of(c).n_bytes,
           "nothing left over");
    cache_close(c);
    tap_ok(ended_well(start_churn("kill", 5, 300)), "the next run uses it");
}

/* A process that waits for a claim gets it when the holder is killed. */
static void test_claims(void)
{
    struct cache *c = open_named("claims", 1 << 20);
    struct cache_claim a, b, other;
    struct err err;
    int pipes[2];
    pid_t pid;
    char byte;

    tap_ok(cache_claim(c, "k", 0, &a, &err) == 1, "claim");
    tap_ok(cache_claim(c, "k", 0, &b, &err) == 0, "the same: taken");
    tap_ok(cache_claim(c, "k", 20, &b, &err) == 0, "also after waiting");
    tap_ok(cache_claim(c, "l", 0, &other, &err) == 1, "another key is free");
    cache_unclaim(&a);
    cache_unclaim(&other);
    if (pipe(pipes))
        abort();
    pid = fork();
    if (pid == 0) {
        struct cache *mine = open_named("claims", 1 << 20);

        if (cache_claim(mine, "k", 0, &a, &err) == 1 &&
            write(pipes[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    if (pid < 0 || read(pipes[0], &byte, 1) != 1)
        abort();
    tap_ok(cache_claim(c, "k", 0, &b, &err) == 0, "held by a process");
    kill(pid, SIGKILL);
    tap_ok(cache_claim(c, "k", 5000, &b, &err) == 1, "it dies: ours");
    waitpid(pid, NULL, 0);
    cache_unclaim(&b);
    close(pipes[0]);
    close(pipes[1]);
    cache_close(c);
}

/* Fetches ten objects as a program would; each fetch is a byte in a pipe. */
static void fetch_ten(int log)
{
    struct cache *c = open_named("once", 1 << 20);
    struct cache_claim claim;
    struct buf out = {0};
    struct err err;
    char key[16];
    int i;

    for (i = 0; i < 10; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        if (cache_claim(c, key, 10000, &claim, &err) != 1)
            _exit(2);
        buf_clear(&out);
        if (cache_get(c, key, NULL, &out, &err) == 0) {
            usleep(3000); /* the network */
            if (write(log, "f", 1) != 1 || put_fill(c, key, "", 'f', 999) != 1)
                _exit(3);
        }
        cache_unclaim(&claim);
    }
    cache_close(c);
    buf_release(&out);
}

/* Processes that share a cache fetch each object once. */
static void test_once(void)
{
    char got[128];
    int pipes[2], i;
    bool ok = true;
    pid_t pid[4];

    if (pipe(pipes))
        abort();
    for (i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            fetch_ten(pipes[1]);
            _exit(0);
        }
    }
    for (i = 0; i < 4; i++)
        ok = ended_well(pid[i]) && ok;
    close(pipes[1]);
    tap_ok(ok && read(pipes[0], got, sizeof(got)) == 10,
           "four processes, ten objects, ten fetches");
    close(pipes[0]);
}

int main(void)
{
    folder_open();
    test_round();
    test_lru();
    test_pins();
    test_min_free();
    test_damage();
    test_foreign();
    test_writer();
    test_usage();
    test_claims();
    test_once();
    test_processes();
    test_kill();
    folder_close();
    return tap_done();
}
