/* test_cached - what goes through the cache, and what it costs the source. */
#include "folder.h"
#include "store/cached.h"
#include "store/fetcher.h"
#include "tap.h"

#include <sys/wait.h>
#include <time.h>

/* A server of one version of every object. */
struct server {
    const char *version; /* what it calls it; also the bytes */
    int n_sent;          /* objects sent */
    int n_same;          /* times it said "not modified" */
    bool down;           /* everything fails */
    int log;             /* a byte for every object sent; -1: none */
};

/* All but plain paths is remote. */
static bool is_remote(void *ctx, const char *uri)
{
    (void)ctx;
    return strstr(uri, "://") != NULL;
}

/* The name itself. */
static int put_key(void *ctx, const char *uri, struct buf *key,
                   struct err *err)
{
    (void)ctx;
    buf_puts(key, uri);
    return buf_check(key, err);
}

/* Sends "URI VERSION". */
static int send_object(void *ctx, const char *uri, const char *known,
                       const struct blob_sink *sink, struct blob *out,
                       struct buf *validator, struct err *err)
{
    struct server *s = ctx;

    (void)sink;

    if (s->down)
        return err_set(err, ERR_AGAIN, "%s: down", uri);
    if (known && strcmp(known, s->version) == 0) {
        s->n_same++;
        return 0;
    }
    s->n_sent++;
    if (s->log >= 0) {
        struct timespec network = {0, 3000000};

        nanosleep(&network, NULL);
        if (write(s->log, "s", 1) != 1)
            _exit(4);
    }
    buf_printf(&out->bytes, "%s %s", uri, s->version);
    buf_puts(validator, s->version);
    return 1;
}

/* Opens a cache of a name over a server; name NULL: private. */
static struct cached *open_over(struct server *s, const char *name,
                                struct tempdir *temp)
{
    struct cached_source source = {is_remote, put_key, send_object, s};
    struct cached_conf conf = {.temp = temp, .temp_parent = folder};
    struct err err;
    struct cached *c;

    conf.cache.size = 1 << 20;
    conf.cache.dir = name ? folder_path(name) : NULL;
    c = cached_open(&source, &conf, &err);
    if (!c)
        abort();
    return c;
}

/* Whether reading gives these bytes. */
static bool reads(struct cached *c, const char *uri, const char *want)
{
    struct buf out = {0};
    struct err err;
    bool ok;

    buf_puts(&out, "before ");
    ok = cached_read(c, uri, &out, &err) == 0 &&
         strcmp(buf_text(&out) + 7, want) == 0;
    buf_release(&out);
    return ok;
}

/* First run, same run, next run, changed object, damaged file. */
static void test_runs(void)
{
    struct server s = {.version = "1", .log = -1};
    struct cached *c = open_over(&s, "runs", NULL);
    struct cached_seen seen;
    struct buf out = {0};
    struct err err;

    tap_ok(cached_find(c, "s3://b/k", &out, &err) == 0, "find: not there");
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") && s.n_sent == 1, "fetched");
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") && s.n_sent == 1 &&
               s.n_same == 0,
           "again: from the cache, the server is not asked");
    cached_seen(c, &seen);
    tap_ok(seen.n_hits == 1 && seen.n_fetched == 1 && seen.n_kept == 1,
           "counts");
    cached_close(c);

    c = open_over(&s, "runs", NULL);
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") && s.n_sent == 1 &&
               s.n_same == 1,
           "the next run asks once, nothing is sent");
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") && s.n_same == 1, "only once");
    cached_close(c);

    s.version = "2";
    c = open_over(&s, "runs", NULL);
    tap_ok(cached_find(c, "s3://b/k", &out, &err) == 1 &&
               strcmp(buf_text(&out), "s3://b/k 1") == 0,
           "find does not ask");
    tap_ok(reads(c, "s3://b/k", "s3://b/k 2") && s.n_sent == 2,
           "a changed object is fetched");
    cached_close(c);

    s.down = true;
    c = open_over(&s, "runs", NULL);
    buf_clear(&out);
    tap_ok(cached_read(c, "s3://b/k", &out, &err) == -1 &&
               err.status == ERR_AGAIN && out.len == 0,
           "server down: %s", err.text);
    cached_close(c);
    buf_release(&out);
}

/* Flips a byte of the one object in a cache. */
static void damage(const char *name)
{
    char command[1024];

    snprintf(command, sizeof(command),
             "f=$(find '%s/entries' -type f) && printf X | "
             "dd of=$f bs=1 seek=50 conv=notrunc 2>/dev/null",
             folder_path(name));
    if (system(command))
        abort();
}

/* A damaged file is fetched again, never served. */
static void test_damaged(void)
{
    struct server s = {.version = "1", .log = -1};
    struct cached *c = open_over(&s, "damaged", NULL);

    reads(c, "s3://b/k", "s3://b/k 1");
    damage("damaged");
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") && s.n_sent == 2,
           "damaged in this run: fetched again");
    cached_close(c);
    damage("damaged");
    c = open_over(&s, "damaged", NULL);
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") && s.n_sent == 3,
           "damaged between runs: fetched again");
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") && s.n_sent == 3, "and kept");
    cached_close(c);
}

/* A cache that fails costs no object. */
static void test_broken(void)
{
    struct server s = {.version = "1", .log = -1};
    struct cached *c = open_over(&s, "broken", NULL);
    struct cached_seen seen;
    char command[512];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder_path("broken"));
    tap_ok(system(command) == 0 && reads(c, "s3://b/k", "s3://b/k 1") &&
               reads(c, "s3://b/l", "s3://b/l 1"),
           "the folder is gone: objects come all the same");
    cached_seen(c, &seen);
    tap_ok(seen.problem.status != 0, "and it is said: %s", seen.problem.text);
    cached_close(c);
}

/* Four processes want twenty objects at once: each is sent once. */
static void test_shared(void)
{
    char got[256], uri[32], want[40];
    int pipes[2], i, k, status, bad = 0;
    pid_t pid[4];

    if (pipe(pipes))
        abort();
    for (i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            struct server s = {.version = "1", .log = pipes[1]};
            struct cached *c = open_over(&s, "shared", NULL);

            for (k = 0; k < 20; k++) {
                snprintf(uri, sizeof(uri), "s3://b/%d", k);
                snprintf(want, sizeof(want), "%s 1", uri);
                if (!reads(c, uri, want))
                    _exit(5);
            }
            cached_close(c);
            _exit(0);
        }
    }
    for (i = 0; i < 4; i++)
        bad += waitpid(pid[i], &status, 0) < 0 || status != 0;
    close(pipes[1]);
    tap_ok(bad == 0 && read(pipes[0], got, sizeof(got)) == 20,
           "four processes, twenty objects, twenty sent");
    close(pipes[0]);
}

/* Without a folder objects are kept in a private one for the run. */
static void test_private(void)
{
    static struct tempdir temp;
    struct server s = {.version = "1", .log = -1};
    struct cached *c = open_over(&s, NULL, &temp);

    tap_ok(!temp.path[0], "no folder before the first object");
    tap_ok(reads(c, "s3://b/k", "s3://b/k 1") &&
               reads(c, "s3://b/k", "s3://b/k 1") && s.n_sent == 1,
           "sent once");
    tap_ok(temp.path[0] && access(temp.path, F_OK) == 0, "a private folder");
    cached_close(c);
    tempdir_remove(&temp);
    tap_ok(!temp.path[0], "removed");
}

/* The fetcher reads remote objects through the cache, others in place. */
static void test_fetcher(void)
{
    struct server s = {.version = "1", .log = -1};
    struct cached *c = open_over(&s, "fetcher", NULL);
    const char *uris[] = {"s3://b/1", "s3://b/2", "s3://b/1", NULL};
    struct err err;
    struct store *store = store_open(&err);
    struct fetcher *f = store ? fetcher_open(store, 2, &err) : NULL;
    struct buf out = {0};

    if (!f)
        abort();
    fetcher_use_cache(f, c);
    folder_puts("local", "here");
    tap_ok(fetcher_get(f, folder_path("local"), &out, &err) == 0 &&
               strcmp(buf_text(&out), "here") == 0 && s.n_sent == 0,
           "a file is read in place");
    uris[3] = folder_path("local");
    tap_ok(fetcher_prefetch(f, uris, 4, &err) == 0, "prefetch");
    buf_clear(&out);
    tap_ok(fetcher_get(f, "s3://b/2", &out, &err) == 0 &&
               strcmp(buf_text(&out), "s3://b/2 1") == 0,
           "get");
    buf_clear(&out);
    tap_ok(fetcher_get(f, "s3://b/1", &out, &err) == 0 && s.n_sent == 2,
           "each was sent once");
    fetcher_close(f);
    store_close(store);
    cached_close(c);
    buf_release(&out);
}

int main(void)
{
    folder_open();
    test_runs();
    test_damaged();
    test_broken();
    test_shared();
    test_private();
    test_fetcher();
    folder_close();
    return tap_done();
}
