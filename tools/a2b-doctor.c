/*
 * a2b-doctor - is everything here that the other programs need?
 *
 * In:  nothing; on request a config and places of data to be looked at.
 * Out: a line for each thing that was looked at: ok, note (works, but a part
 *      is missing), or bad with what to do about it.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "signal/audio.h"
#include "store/cache.h"
#include "store/creds.h"
#include "store/http.h"
#include "store/store.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-doctor [-hqvV] [--cache dir] [-c config] [-j n] [-k n]\n"
    "                  [-o file] [--progress when] [--set key=value]\n"
    "                  [uri ...]\n"
    "      --cache DIR        look at this cache of a2b-fetch\n";

/* Own options. */
enum { OPT_CACHE = TOOL_OPT_OWN };

/* Less free space than this in the temporary folder is worth a note. */
#define FEW_BYTES (1024.0 * 1024 * 1024)

/* The whole run. */
struct doctor {
    struct tool tool;    /* options, output */
    const char *cache;   /* --cache, NULL: none */
    struct store *store; /* for the places, opened when there is one */
    unsigned n_bad;      /* things that have to change */
};

/* How a thing is. */
enum state { OK, NOTE, BAD };

/* Writes one line: how a thing is, what it is, and the facts. */
static void say(struct doctor *d, enum state state, const char *what,
                const char *fmt, ...) PRINTF_LIKE(4, 5);

static void say(struct doctor *d, enum state state, const char *what,
                const char *fmt, ...)
{
    static const char *const words[] = {"ok", "note", "bad"};
    va_list args;

    if (state == OK && d->tool.quiet)
        return;
    fprintf(d->tool.text, "%-5s%s: ", words[state], what);
    va_start(args, fmt);
    vfprintf(d->tool.text, fmt, args);
    va_end(args);
    fputc('\n', d->tool.text);
    d->n_bad += state == BAD;
}

/* Writes what to do about the line before. */
static void advise(struct doctor *d, const char *advice)
{
    fprintf(d->tool.text, "     do: %s\n", advice);
}

/* Which of our kernels this processor runs, and how many at a time. */
static void look_at_processor(struct doctor *d)
{
    const char *vectors = "plain";
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    double bytes = (double)sysconf(_SC_PHYS_PAGES) *
                   (double)sysconf(_SC_PAGESIZE);

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        vectors = "AVX-512";
    else if (__builtin_cpu_supports("avx2"))
        vectors = "AVX2";
#endif
    say(d, *vectors == 'p' ? NOTE : OK, "processor",
        "%s kernels, %ld thread%s, %.3g GiB of memory", vectors, n,
        n == 1 ? "" : "s", bytes / (1024.0 * 1024 * 1024));
    if (*vectors == 'p')
        advise(d, "nothing; all programs work, several times slower");
}

/* Which sound files can be read. */
static void look_at_sound(struct doctor *d)
{
    bool mp3 = audio_reads_mp3();

    say(d, mp3 ? OK : BAD, "sound files", "wav, flac, ogg%s",
        mp3 ? ", mp3" : "; mp3 not");
    if (!mp3)
        advise(d, "install libsndfile 1.1 or newer");
}

/* Whether a program of another package is on PATH. */
static void look_at_program(struct doctor *d, const char *name,
                            const char *what_for, const char *package)
{
    const char *path = getenv("PATH"), *end;
    char file[4096];

    for (; path && *path; path = *end ? end + 1 : end) {
        end = path + strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)(end - path), path, name);
        if (access(file, X_OK) == 0) {
            say(d, OK, name, "%s", file);
            return;
        }
    }
    say(d, NOTE, name, "not installed; it is for %s", what_for);
    fprintf(d->tool.text, "     do: apt-get install %s, if you want that\n",
            package);
}

/* Whether a folder can be written, and how much fits. */
static void look_at_folder(struct doctor *d, const char *what,
                           const char *path)
{
    struct statvfs fs;
    double bytes;

    if (access(path, W_OK | X_OK) != 0 || statvfs(path, &fs) != 0) {
        say(d, BAD, what, "%s cannot be written", path);
        advise(d, "set TMPDIR to a folder of yours");
        return;
    }
    bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    say(d, bytes < FEW_BYTES ? NOTE : OK, what, "%s, %.3g GiB free", path,
        bytes / (1024.0 * 1024 * 1024));
    if (bytes < FEW_BYTES)
        advise(d, "large batches are spooled there: set TMPDIR to a folder "
                  "with more room");
}

/* The cache that was named. */
static void look_at_cache(struct doctor *d)
{
    struct cache_conf conf = {.dir = d->cache,
                              .size = (uint64_t)d->tool.config.cache.size,
                              .min_free = CACHE_MIN_FREE};
    struct cache_stat stat;
    struct cache *cache;
    struct err err;

    cache = cache_open_existing(&conf, &err);
    if (!cache && err.status == ERR_MISSING) {
        say(d, NOTE, "cache", "%s is not there yet", d->cache);
        advise(d, "nothing; a2b-fetch makes it");
        return;
    }
    if (!cache || cache_stat(cache, &stat, &err)) {
        say(d, BAD, "cache", "%s", err.text);
        advise(d, "give --cache a folder of its own that you may write");
    } else {
        say(d, OK, "cache", "%s: %llu objects, %.3g of %.3g GiB", d->cache,
            (unsigned long long)stat.n_objects,
            (double)stat.n_bytes / (1024.0 * 1024 * 1024),
            (double)stat.limit / (1024.0 * 1024 * 1024));
    }
    cache_close(cache);
}

/* Says whose keys there are, and never what they are. */
static void say_keys(struct doctor *d, const struct creds *keys)
{
    char until[64] = "";
    struct tm tm;

    if (!keys->access) {
        say(d, NOTE, "S3 keys", "none: requests are not signed");
        advise(d, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
                  "AWS_PROFILE, unless the data is public");
        return;
    }
    if (keys->expires && gmtime_r(&keys->expires, &tm))
        strftime(until, sizeof until, ", until %Y-%m-%dT%H:%M:%SZ", &tm);
    say(d, keys->expires && keys->expires < time(NULL) ? BAD : OK, "S3 keys",
        "found%s%s", keys->token ? ", with a session token" : "", until);
    if (keys->expires && keys->expires < time(NULL))
        advise(d, "they are out of date: log in again");
}

/* Which S3 server is asked, and with which keys. */
static void look_at_keys(struct doctor *d)
{
    const struct creds_env env = {.get = getenv};
    struct http_conf conf = HTTP_CONF_INIT;
    struct creds_site site = {0};
    struct creds keys = {0};
    struct http *http = NULL;
    struct err err;

    if (creds_site_load(&env, &site, &err)) {
        say(d, BAD, "S3 server", "%s", err.text);
        advise(d, "correct that setting of the AWS tools");
        goto out;
    }
    say(d, OK, "S3 server", "%s, region %s",
        site.endpoint ? site.endpoint : "AWS", site.region);
    if (site.anonymous) {
        say(d, OK, "S3 keys", "not wanted: AWS_NO_SIGN_REQUEST");
        goto out;
    }
    conf.ca_bundle = site.ca_bundle;
    http = http_open(&conf, &err);
    if (!http || creds_load(&env, http, &keys, &err)) {
        say(d, BAD, "S3 keys", "%s", err.text);
        advise(d, "correct that in ~/.aws or the environment");
        goto out;
    }
    say_keys(d, &keys);
out:
    creds_release(&keys);
    creds_site_release(&site);
    http_close(http);
}

/* What to do about a place that could not be looked at. */
static const char *advice_for(enum err_status status)
{
    switch (status) {
    case ERR_MISSING:
        return "correct the name, or ask who has the data";
    case ERR_DENIED:
        return "use keys that may list and read there";
    case ERR_AGAIN:
        return "see that the server runs, that AWS_ENDPOINT_URL names it and "
               "that a proxy or firewall lets you through";
    default:
        return "correct it";
    }
}

/* Whether the data is where it is said to be. */
static void look_at_place(struct doctor *d, const char *uri)
{
    struct store_conf conf = {.env = getenv};
    struct store_info info;
    struct err err;

    if (!d->store) {
        d->store = store_open_conf(&conf, &err);
        if (!d->store)
            die(&err);
    }
    if (store_stat(d->store, uri, &info, &err)) {
        say(d, BAD, "data", "%s", err.text);
        advise(d, advice_for(err.status));
    } else if (info.folder) {
        say(d, OK, "data", "%s: a folder", uri);
    } else {
        say(d, OK, "data", "%s: %llu bytes", uri,
            (unsigned long long)info.size);
    }
}

/* Whether a name is among n words. */
static bool is_among(const char *name, char *const *words, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (!strcmp(words[i], name))
            return true;
    }
    return false;
}

/* The roots of the datasets that the config's data section names. */
static void look_at_roots(struct doctor *d)
{
    const struct config_data *data = &d->tool.config.data;
    size_t i;

    for (i = 0; i < d->tool.config.n_datasets; i++) {
        const struct config_dataset *set = &d->tool.config.datasets[i];

        if (set->root &&
            (is_among(set->name, data->train_datasets,
                      data->n_train_datasets) ||
             is_among(set->name, data->val_datasets, data->n_val_datasets) ||
             is_among(set->name, data->test_datasets,
                      data->n_test_datasets)))
            look_at_place(d, set->root);
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG, {"cache", required_argument, NULL, OPT_CACHE}, {0}};
    struct doctor d = {0};
    const char *tmp;
    int c;

    tool_init(&d.tool, argc, argv, usage, TOOL_TEXT);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1) {
        if (c == OPT_CACHE)
            d.cache = optarg;
        else
            tool_option(&d.tool, c);
    }
    tool_config(&d.tool);
    tool_open(&d.tool, argc - optind, argv + optind);
    look_at_processor(&d);
    look_at_sound(&d);
    tmp = getenv("TMPDIR");
    look_at_folder(&d, "temporary folder", tmp && *tmp ? tmp : "/tmp");
    if (d.cache)
        look_at_cache(&d);
    look_at_program(&d, "gnuplot", "pictures (--plot, --report)",
                    "gnuplot-nox");
    look_at_program(&d, "make", "pipelines/train.sh and a2b.mk", "make");
    look_at_program(&d, "parallel", "pipelines/shards.sh", "parallel");
    look_at_keys(&d);
    if (d.tool.config_path)
        look_at_roots(&d);
    for (; d.tool.next_operand < d.tool.n_operands; d.tool.next_operand++)
        look_at_place(&d, d.tool.operands[d.tool.next_operand]);
    store_close(d.store);
    tool_finish(&d.tool);
    tool_release(&d.tool);
    return d.n_bad ? ERR_FAILED : 0;
}
