/*
 * a2b-fetch - read the files that a manifest names.
 *
 * In:  manifest lines; or paths and URIs as operands.
 * Out: frames with tensor "audio" or "eda_csv", U8 (n), in the order of the
 *      lines; for operands the objects' bytes as they are, or with --list and
 *      --stat a line of JSON for each object.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/frame.h"
#include "core/json.h"
#include "dataset/errands.h"
#include "dataset/manifest.h"
#include "dataset/rowfeed.h"
#include "store/cache.h"
#include "store/cached.h"
#include "store/fetcher.h"
#include "store/origin.h"
#include "store/store.h"
#include "store/tempdir.h"
#include "tool/aside.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-fetch [-hqvV] [-c config] [--cache folder] [--cache-clear]\n"
    "                 [--cache-gc] [--cache-size n] [--cache-stat] [--cached]\n"
    "                 [--dry-run] [-j n] [-k n] [--list] [-o path]\n"
    "                 [--only what] [--prefetch] [--progress when] [--stat]\n"
    "                 [--timeout s] [uri ...]\n"
    "      --cache FOLDER     keep remote objects there; files are read in\n"
    "                         place and never copied\n"
    "      --cache-clear      remove all objects from the cache and exit\n"
    "      --cache-gc         check all objects in the cache, remove damaged\n"
    "                         ones and what is over its size, and exit\n"
    "      --cache-size N     largest size of the cache, bytes, with K, M, G\n"
    "                         or T behind [cache.size: 10G]\n"
    "      --cache-stat       print what is in the cache and exit\n"
    "      --cached           take remote objects from the cache only; one\n"
    "                         that is not there is missing (66)\n"
    "      --dry-run          print what would be fetched and from where, as\n"
    "                         JSON lines, and fetch nothing\n"
    "      --list             print what is below the operands, as JSON lines\n"
    "      --only WHAT        make only audio or only eda frames [both]\n"
    "      --prefetch         fill the cache and write nothing\n"
    "      --stat             print what the operands are, as JSON lines\n"
    "      --timeout S        try a transfer again after this long without\n"
    "                         bytes [20, 1..3600 s]\n";

/* Own long options. */
enum own_option {
    OPT_CACHE = TOOL_OPT_OWN, /* --cache */
    OPT_CACHE_CLEAR,          /* --cache-clear */
    OPT_CACHE_GC,             /* --cache-gc */
    OPT_CACHE_SIZE,           /* --cache-size */
    OPT_CACHE_STAT,           /* --cache-stat */
    OPT_CACHED,               /* --cached */
    OPT_DRY_RUN,              /* --dry-run */
    OPT_LIST,                 /* --list */
    OPT_ONLY,                 /* --only */
    OPT_PREFETCH,             /* --prefetch */
    OPT_STAT,                 /* --stat */
    OPT_TIMEOUT               /* --timeout */
};

/* Words of --only, indexed by enum rowfeed_only. */
static const char *const only_words[] = {"both", "audio", "eda", NULL};

/* What is kept of remote objects, and where. */
struct kept {
    const char *dir;       /* --cache; NULL: not given */
    int64_t size;          /* --cache-size; -1: not given */
    int command;           /* --cache-clear, -gc or -stat; 0: none */
    bool offline;          /* --cached */
    bool prefetch;         /* --prefetch */
    struct origin origin;  /* where objects come from */
    struct cached *cached; /* owned; NULL: nothing is kept */
};

/* The private folder of a run without --cache, for the way out. */
static struct tempdir private_folder;

/* One run. */
struct fetch {
    struct tool tool;        /* the program */
    enum rowfeed_only only;  /* --only */
    struct store *store;     /* owned */
    struct fetcher *fetcher; /* owned */
    struct buf spool;        /* folder for large objects of operands */
    size_t n_transfers;      /* objects read at a time */
    struct kept kept;        /* --cache and its relatives */
    long timeout_s;          /* --timeout; 0: not given */
    bool dry_run;            /* --dry-run */
    bool list;               /* --list */
    bool stat;               /* --stat */
    size_t n_done;           /* objects that errands are done for */
    size_t n_there;          /* of them those that need no server */
    uint64_t size_left;      /* bytes of the others */
};

/* Seconds since the first call. */
static double elapsed_s(void)
{
    static struct timespec begin;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!begin.tv_sec)
        begin = now;
    return (double)(now.tv_sec - begin.tv_sec) +
           (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
}

/*
 * How much of the work is done when n items are: of the operands, or of the
 * manifest where that is a file. 0: not known.
 */
static double share_done(const struct fetch *x, size_t n)
{
    struct stat st;
    off_t at;

    if (x->tool.n_operands)
        return (double)n / (double)x->tool.n_operands;
    at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    if (at <= 0 || fstat(STDIN_FILENO, &st) || st.st_size <= 0)
        return 0;
    return (double)at / (double)st.st_size;
}

/* The progress line: how much, how fast, what failed, how long it will take. */
static void progress(struct fetch *x, const char *what, size_t n)
{
    double s = elapsed_s(), done = share_done(x, n);
    uint64_t n_reads, n_bytes, n_retried = store_n_retried(x->store);
    char failed[64] = "", left[64] = "";

    store_traffic(x->store, &n_reads, &n_bytes);
    if (x->tool.n_failed || n_retried)
        snprintf(failed, sizeof failed, ", %llu failed, %llu tried again",
                 (unsigned long long)x->tool.n_failed,
                 (unsigned long long)n_retried);
    if (done > 0 && done < 1 && s > 0)
        snprintf(left, sizeof left, ", %.0f s left", s / done - s);
    tool_progress_line(&x->tool,
                       "%zu %s, %llu objects, %.1f MB, %.1f MB/s%s%s", n,
                       what, (unsigned long long)n_reads,
                       (double)n_bytes / 1e6,
                       s > 0 ? (double)n_bytes / 1e6 / s : 0.0, failed, left);
}

/* Says with -v how much was read. */
static void note_traffic(const struct fetch *x)
{
    uint64_t n_reads, n_bytes;

    store_traffic(x->store, &n_reads, &n_bytes);
    tool_note(&x->tool, "%llu objects read, %llu bytes",
              (unsigned long long)n_reads, (unsigned long long)n_bytes);
    if (store_n_retried(x->store))
        tool_note(&x->tool, "%llu requests were repeated",
                  (unsigned long long)store_n_retried(x->store));
}

/* Ends the output early: finds what is wrong with it and dies of it. */
static void check_output(struct fetch *x)
{
    if (ferror(x->tool.text))
        tool_finish(&x->tool);
}

/* Rows read ahead: data.prefetch_size batches, never under the transfers. */
static size_t rows_ahead(const struct fetch *x)
{
    const struct config_data *d = &x->tool.config.data;
    size_t ahead = (size_t)(d->prefetch_size * d->batch_size);

    return ahead > x->n_transfers ? ahead : x->n_transfers;
}

/* Refuses to read a manifest from a terminal. */
static void refuse_terminal(void)
{
    if (isatty(STDIN_FILENO))
        tool_usage_error("standard input is a terminal: want a manifest, as "
                         "in a2b-index ROOT | a2b-fetch");
}

/* Turns the manifest on standard input into frames. */
static void fetch_manifest(struct fetch *x)
{
    struct manifest_in in = {0};
    struct frame out = {0};
    struct rowfeed *feed = NULL;
    struct err err;
    bool bad;
    int got;

    refuse_terminal();
    if (manifest_open(&in, STDIN_FILENO, "standard input", &err) == 0)
        feed = rowfeed_open(&in, x->fetcher, x->only, rows_ahead(x), &err);
    if (!feed)
        die(&err);
    tool_setting_text(&x->tool, "only", only_words[x->only]);
    while ((got = rowfeed_next(feed, &out, &bad, &err)) != 0) {
        if (got < 0 && !bad)
            die(&err);
        if (got < 0)
            tool_bad(&x->tool, &err);
        else
            tool_write(&x->tool, &out);
        progress(x, "recordings", rowfeed_n_rows(feed));
    }
    rowfeed_close(feed);
    frame_release(&out);
    manifest_close(&in);
}

/* Whether an operand is a manifest: by its name, or by its first line. */
static bool is_manifest(const char *uri, const struct blob *blob)
{
    static const char suffix[] = ".jsonl";
    size_t n = strlen(uri), tail = sizeof(suffix) - 1, size;
    struct manifest_row row = {0};
    struct err err = {0};
    char *head, *end;
    bool is = false;

    if (n >= tail && strcmp(uri + n - tail, suffix) == 0)
        return true;
    size = blob_size(blob) < MANIFEST_MAX_LINE + 1 ? (size_t)blob_size(blob)
                                                   : MANIFEST_MAX_LINE + 1;
    head = mem_alloc(size, 1, &err);
    if (!head || blob_read(blob, 0, head, size, &err))
        die(&err);
    end = size && head[0] == '{' ? memchr(head, '\n', size) : NULL;
    if (end)
        is = manifest_parse(head, (size_t)(end - head), &row, &err) == 0 ||
             err.upstream;
    manifest_row_release(&row);
    free(head);
    return is;
}

/* Writes bytes to a stream and says so if that failed; see blob_each(). */
static int put_bytes(void *ctx, const void *bytes, size_t n, struct err *err)
{
    if (fwrite(bytes, 1, n, ctx) == n)
        return 0;
    return err_errno(err, "standard output");
}

/* Writes an object to -o, or into the folder it names: aside and renamed. */
static int save(const struct fetch *x, const char *uri,
                const struct blob *blob, struct err *err)
{
    struct buf path = {0};
    int rc = 0;

    buf_puts(&path, x->tool.output_path);
    if (x->tool.n_operands > 1) {
        buf_puts(&path, "/");
        rc = store_base_name(uri, &path, err);
    }
    if (!rc)
        rc = buf_check(&path, err);
    if (!rc && blob->in_file)
        rc = aside_take(buf_text(&path), blob->fd, blob->at, blob->size, err);
    else if (!rc)
        rc = aside_write_lightly(buf_text(&path), &blob->bytes, err);
    buf_release(&path);
    return rc ? -1 : 0;
}

/* Refuses two operands that would be one file in the folder of -o. */
static void check_names(const struct fetch *x)
{
    size_t i, k;

    for (i = 0; i < x->tool.n_operands; i++) {
        struct buf name = {0};
        struct err err;

        if (store_base_name(x->tool.operands[i], &name, &err))
            die(&err);
        for (k = 0; k < i; k++) {
            struct buf other = {0};

            if (store_base_name(x->tool.operands[k], &other, &err))
                die(&err);
            if (strcmp(buf_text(&name), buf_text(&other)) == 0)
                tool_usage_error("-o: %s and %s are both named %s",
                                 x->tool.operands[k], x->tool.operands[i],
                                 buf_text(&name));
            buf_release(&other);
        }
        buf_release(&name);
    }
}

/* Waits for one operand and writes it. Returns 0; -1 if it is a bad item. */
static int fetch_operand(struct fetch *x, const char *uri,
                         struct fetcher_item *item, struct err *err)
{
    if (fetcher_wait(x->fetcher, item, err))
        return -1;
    if (is_manifest(uri, &item->blob))
        tool_usage_error("%s is a manifest: give it as a2b-fetch < %s", uri,
                         uri);
    if (x->tool.output_is_folder) {
        if (save(x, uri, &item->blob, err))
            die(err);
    } else if (blob_each(&item->blob, put_bytes, x->tool.text, err)) {
        if (ferror(x->tool.text))
            tool_finish(&x->tool); /* finds the error and dies of it */
        die(err);
    }
    return 0;
}

/* Writes all operands in order, read ahead. */
static void fetch_operands(struct fetch *x)
{
    size_t n = x->tool.n_operands, wanted = 0, i;
    struct fetcher_item **items;
    struct err err;

    items = mem_alloc(n, sizeof(*items), &err);
    if (!items)
        die(&err);
    for (i = 0; i < n; i++) {
        for (; wanted < n && wanted <= i + x->n_transfers; wanted++) {
            items[wanted] = fetcher_want(x->fetcher, x->tool.operands[wanted],
                                         0, STORE_ALL, &err);
            if (!items[wanted])
                die(&err);
        }
        if (fetch_operand(x, x->tool.operands[i], items[i], &err))
            tool_bad(&x->tool, &err);
        fetcher_drop(x->fetcher, items[i]);
        progress(x, "operands", i + 1);
    }
    free(items);
}

/* Takes an object that is in the cache now; see struct errands_conf. */
static int kept(void *ctx, const struct fetcher_item *item, struct err *err)
{
    struct fetch *x = ctx;

    (void)item;
    (void)err;
    progress(x, "objects kept", ++x->n_done);
    return 0;
}

/* Prints where an object would come from; see struct errands_conf. */
static int looked(void *ctx, const struct fetcher_item *item, struct err *err)
{
    static const char *const places[] = {"server", "cache", "file"};
    struct fetch *x = ctx;
    struct buf line = {0};
    int rc;

    buf_puts(&line, "{\"uri\":");
    json_put_text(&line, item->uri);
    buf_printf(&line, ",\"size\":%llu,\"from\":\"%s\"}\n",
               (unsigned long long)item->size, places[item->place]);
    rc = buf_check(&line, err);
    if (!rc)
        fputs(line.data, x->tool.text);
    buf_release(&line);
    check_output(x);
    x->n_done++;
    x->n_there += item->place != FETCHER_SERVER;
    x->size_left += item->place == FETCHER_SERVER ? item->size : 0;
    return rc;
}

/* Takes an object that failed; see struct errands_conf. */
static void failed(void *ctx, const struct err *err)
{
    struct fetch *x = ctx;

    tool_bad(&x->tool, err);
}

/* Adds what a row of a manifest needs. */
static int add_row(const struct fetch *x, struct errands *e,
                   const struct manifest_row *row, struct err *err)
{
    bool audio = x->only != ROWFEED_EDA, eda = x->only != ROWFEED_AUDIO;

    if ((audio && !row->audio) || (eda && !row->eda))
        return err_set(err, ERR_DATA, "recording %s: key \"%s\" is missing",
                       row->recording,
                       audio && !row->audio ? "audio" : "eda");
    if (audio && errands_add(e, row->audio, row->recording, err))
        return -1;
    return eda ? errands_add(e, row->eda, row->recording, err) : 0;
}

/* Adds what the manifest on standard input needs. */
static int add_manifest(struct fetch *x, struct errands *e, struct err *err)
{
    struct manifest_in in = {0};
    struct manifest_row row = {0};
    int got = 0;

    refuse_terminal();
    if (manifest_open(&in, STDIN_FILENO, "standard input", err))
        return -1;
    while ((got = manifest_read(&in, &row, err)) > 0) {
        got = add_row(x, e, &row, err);
        manifest_row_release(&row);
        if (got)
            break;
    }
    manifest_row_release(&row);
    manifest_close(&in);
    return got;
}

/* Refuses a manifest as an operand of --prefetch or --dry-run. */
static void refuse_manifest(struct fetch *x, const char *uri)
{
    struct blob head = {0};
    struct err err;

    if (!store_is_remote(uri) &&
        store_read_range(x->store, uri, 0, MANIFEST_MAX_LINE + 1, &head.bytes,
                         &err))
        buf_clear(&head.bytes); /* what is wrong with it shows later */
    if (is_manifest(uri, &head))
        tool_usage_error("%s is a manifest: give it as a2b-fetch < %s", uri,
                         uri);
    blob_release(&head);
}

/* Does --prefetch or --dry-run for all operands, or for the manifest. */
static void run_errands(struct fetch *x)
{
    struct errands_conf conf = {.fetcher = x->fetcher,
                                .look = x->dry_run,
                                .window = rows_ahead(x),
                                .done = x->dry_run ? looked : kept,
                                .bad = failed,
                                .ctx = x};
    struct err err;
    struct errands *e = errands_open(&conf, &err);
    int rc = e ? 0 : -1;
    size_t i;

    for (i = 0; !rc && i < x->tool.n_operands; i++) {
        refuse_manifest(x, x->tool.operands[i]);
        rc = errands_add(e, x->tool.operands[i], NULL, &err);
    }
    if (!rc && x->tool.n_operands == 0)
        rc = add_manifest(x, e, &err);
    if (rc || errands_finish(e, &err))
        die(&err);
    errands_close(e);
    if (x->dry_run)
        tool_note(&x->tool, "%zu objects, %zu of them here, %llu bytes to "
                            "fetch", x->n_done, x->n_there,
                  (unsigned long long)x->size_left);
}

/* Removes the private folder; see tool_at_death(). */
static void remove_temp(void)
{
    tempdir_remove(&private_folder);
}

/* Takes an option about the cache. Whether it was one. */
static bool cache_option(struct fetch *x, int c)
{
    struct kept *k = &x->kept;

    if (c == OPT_CACHE)
        k->dir = optarg;
    else if (c == OPT_CACHE_SIZE && num_parse_size(optarg, &k->size))
        tool_usage_error("--cache-size %s: want a size, like 500M or 10G",
                         optarg);
    else if (c == OPT_CACHED)
        k->offline = true;
    else if (c == OPT_PREFETCH)
        k->prefetch = true;
    else if (c == OPT_CACHE_CLEAR || c == OPT_CACHE_GC || c == OPT_CACHE_STAT) {
        if (k->command)
            tool_usage_error("want one of --cache-clear, --cache-gc, "
                             "--cache-stat");
        k->command = c;
    } else if (c != OPT_CACHE_SIZE) {
        return false;
    }
    if (k->command || k->prefetch)
        x->tool.output = TOOL_TEXT;
    return true;
}

/* Refuses options about the cache that do not go together. */
static void check_cache_options(const struct fetch *x, int n_operands)
{
    const struct kept *k = &x->kept;

    if (!k->dir && (k->command || k->offline || k->prefetch))
        tool_usage_error("%s: want --cache FOLDER too",
                         k->offline    ? "--cached"
                         : k->prefetch ? "--prefetch"
                                       : "--cache-clear, -gc, -stat");
    if (k->offline && k->prefetch)
        tool_usage_error("--cached and --prefetch: want one of them");
    if (k->command && n_operands > 0)
        tool_usage_error("--cache-clear, -gc, -stat: want no operands");
    if (k->prefetch && x->tool.output_path)
        tool_usage_error("--prefetch writes nothing: want no -o");
    if (x->dry_run && (k->prefetch || k->command))
        tool_usage_error("--dry-run: want it without --prefetch and "
                         "--cache-clear, -gc, -stat");
}

/* How large the cache may be, and where it is. */
static struct cache_conf cache_conf(const struct fetch *x)
{
    int64_t size = x->kept.size >= 0 ? x->kept.size : x->tool.config.cache.size;

    return (struct cache_conf){.dir = x->kept.dir,
                               .size = (uint64_t)size,
                               .min_free = CACHE_MIN_FREE};
}

/* Where temporary folders and files go. */
static const char *temp_parent(void)
{
    const char *parent = getenv("TMPDIR");

    return parent && *parent ? parent : "/tmp";
}

/* Where large objects of operands go: beside -o, to be renamed there. */
static const char *spool_folder(struct fetch *x)
{
    const char *path = x->tool.output_path, *slash;

    if (!path || !x->tool.output_is_folder)
        return temp_parent();
    slash = strrchr(path, '/');
    if (x->tool.n_operands > 1)
        buf_puts(&x->spool, path);
    else if (slash)
        buf_printf(&x->spool, "%.*s", (int)(slash - path) + 1, path);
    else
        buf_puts(&x->spool, ".");
    return buf_text(&x->spool);
}

/*
 * Opens the cache: that of --cache, or for a manifest, which may name an
 * object in many lines, a private one that lives as long as the run.
 */
static void open_cache(struct fetch *x, int n_operands)
{
    struct kept *k = &x->kept;
    struct cached_conf conf = {.cache = cache_conf(x),
                               .temp = &private_folder};
    struct cached_source source = origin_source(&k->origin);
    struct err err;

    if (!k->dir && n_operands > 0)
        return;
    conf.temp_parent = temp_parent();
    conf.offline = k->offline;
    k->origin.store = x->store;
    k->cached = cached_open(&source, &conf, &err);
    if (!k->cached)
        die(&err);
    tool_at_death(remove_temp);
    fetcher_use_cache(x->fetcher, k->cached);
}

/* Says what the cache did, and closes it. */
static void close_cache(struct fetch *x)
{
    struct cached_seen seen;

    if (!x->kept.cached)
        return;
    cached_seen(x->kept.cached, &seen);
    if (seen.problem.status)
        tool_warn(&x->tool, "objects were not kept: %s", seen.problem.text);
    if (seen.n_hits + seen.n_fetched)
        tool_note(&x->tool,
                  "cache: %llu found, %llu fetched, %llu kept, %llu evicted, "
                  "%llu damaged",
                  (unsigned long long)seen.n_hits,
                  (unsigned long long)seen.n_fetched,
                  (unsigned long long)seen.n_kept,
                  (unsigned long long)seen.n_evicted,
                  (unsigned long long)seen.n_damaged);
    cached_close(x->kept.cached);
    tempdir_remove(&private_folder);
}

/* Prints what is in the cache. */
static int print_cache(struct fetch *x, struct cache *cache, struct err *err)
{
    struct cache_stat stat;

    if (cache_stat(cache, &stat, err))
        return -1;
    fprintf(x->tool.text,
            "objects\t%llu\nbytes\t%llu\nlimit\t%llu\nin_use\t%llu\n"
            "parts\t%llu\n",
            (unsigned long long)stat.n_objects,
            (unsigned long long)stat.n_bytes, (unsigned long long)stat.limit,
            (unsigned long long)stat.n_pinned,
            (unsigned long long)stat.n_parts);
    return 0;
}

/* Does what --cache-clear, --cache-gc or --cache-stat ask. */
static void cache_command(struct fetch *x)
{
    struct cache_conf conf;
    struct cache_swept swept;
    struct cache *cache;
    struct err err;
    int rc;

    tool_config(&x->tool);
    tool_open(&x->tool, 0, NULL);
    conf = cache_conf(x);
    cache = cache_open_existing(&conf, &err);
    if (!cache)
        die(&err);
    if (x->kept.command == OPT_CACHE_CLEAR) {
        rc = cache_clear(cache, &err);
    } else if (x->kept.command == OPT_CACHE_STAT) {
        rc = print_cache(x, cache, &err);
    } else {
        rc = cache_gc(cache, &swept, &err);
        if (!rc)
            tool_note(&x->tool,
                      "removed: %llu damaged, %llu over the size, %llu parts",
                      (unsigned long long)swept.n_damaged,
                      (unsigned long long)swept.n_evicted,
                      (unsigned long long)swept.n_parts);
    }
    if (rc)
        die(&err);
    cache_close(cache);
    tool_finish(&x->tool);
    tool_release(&x->tool);
}

/* Where a listing is printed. */
struct listing {
    struct fetch *x;   /* the run */
    const char *root;  /* the operand, without '/' at its end unless bare */
    struct buf line;   /* the current line */
};

/* Prints one object of a listing. */
static int print_object(void *ctx, const char *name, uint64_t size,
                        struct err *err)
{
    struct listing *l = ctx;
    struct buf uri = {0};
    size_t n = strlen(l->root);

    buf_printf(&uri, "%s%s%s", l->root, n && l->root[n - 1] == '/' ? "" : "/",
               name);
    buf_clear(&l->line);
    buf_puts(&l->line, "{\"uri\":");
    json_put_text(&l->line, buf_text(&uri));
    buf_printf(&l->line, ",\"size\":%llu}\n", (unsigned long long)size);
    buf_release(&uri);
    if (buf_check(&l->line, err))
        return -1;
    fputs(l->line.data, l->x->tool.text);
    check_output(l->x);
    return 0;
}

/* Prints what lies below one operand. */
static int list_operand(struct fetch *x, const char *uri, struct err *err)
{
    struct listing listing = {.x = x, .root = uri};
    struct store_visitor visitor = {print_object, &listing};
    int rc = store_list(x->store, uri, &visitor, err);

    buf_release(&listing.line);
    return rc;
}

/* Prints what one operand is. */
static int stat_operand(struct fetch *x, const char *uri, struct err *err)
{
    struct store_info info = {0};
    char version[STORE_VALIDATOR_SIZE];
    struct buf line = {0};
    int rc = store_stat_version(x->store, uri, &info, version, err);
    size_t dated = strncmp(version, STORE_DATED, strlen(STORE_DATED)) == 0
                       ? strlen(STORE_DATED)
                       : 0;

    if (rc)
        return -1;
    buf_puts(&line, "{\"uri\":");
    json_put_text(&line, uri);
    if (info.folder)
        buf_puts(&line, ",\"folder\":true");
    else
        buf_printf(&line, ",\"size\":%llu", (unsigned long long)info.size);
    if (*version) {
        buf_puts(&line, dated ? ",\"modified\":" : ",\"etag\":");
        json_put_text(&line, version + dated);
    }
    buf_puts(&line, "}\n");
    rc = buf_check(&line, err);
    if (!rc)
        fputs(line.data, x->tool.text);
    buf_release(&line);
    check_output(x);
    return rc;
}

/* Prints lines about all operands. */
static void print_operands(struct fetch *x)
{
    size_t i;

    for (i = 0; i < x->tool.n_operands; i++) {
        const char *uri = x->tool.operands[i];
        struct err err;
        int rc = x->list ? list_operand(x, uri, &err)
                         : stat_operand(x, uri, &err);

        if (rc)
            tool_bad(&x->tool, &err);
    }
}

/* Settles what is written, and where. */
static void choose_output(struct fetch *x, int n, char **operands)
{
    bool print = x->list || x->stat || x->dry_run;
    const char *path = x->tool.output_path;

    if ((x->list || x->stat) && n == 0)
        tool_usage_error("--%s: want operands", x->list ? "list" : "stat");
    if (x->list + x->stat + x->dry_run > 1)
        tool_usage_error("--dry-run, --list and --stat: want one of them");
    x->tool.operands = operands;
    x->tool.n_operands = (size_t)n;
    if (print)
        x->tool.output = TOOL_TEXT;
    else if (n > 0 && !x->kept.prefetch)
        x->tool.output = TOOL_BYTES;
    x->tool.output_is_folder = x->tool.output == TOOL_BYTES && path &&
                               strcmp(path, "-") != 0;
}

/* Opens the store and the output for what the operands ask. */
static void start(struct fetch *x, int n, char **operands)
{
    struct store_conf remote = {.env = getenv, .stall_s = x->timeout_s};
    struct err err;

    choose_output(x, n, operands);
    tool_config(&x->tool);
    x->n_transfers = x->tool.n_jobs ? (size_t)x->tool.n_jobs : STORE_TRANSFERS;
    remote.n_transfers = x->n_transfers;
    remote.temp = spool_folder(x);
    x->store = store_open_conf(&remote, &err);
    if (x->store)
        x->fetcher = fetcher_open(x->store, x->n_transfers, &err);
    if (!x->fetcher)
        die(&err);
    open_cache(x, n);
    elapsed_s(); /* begins here */
    tool_open(&x->tool, n, operands);
    if (!x->tool.output_is_folder || n < 2)
        return;
    check_names(x);
    if (mkdir(x->tool.output_path, 0777) && errno != EEXIST) {
        err_errno(&err, "%s", x->tool.output_path);
        die(&err);
    }
}

/* Takes one option. */
static void option(struct fetch *x, int c)
{
    if (c == OPT_DRY_RUN)
        x->dry_run = true;
    else if (c == OPT_LIST)
        x->list = true;
    else if (c == OPT_ONLY)
        x->only = (enum rowfeed_only)tool_word("--only", optarg, only_words);
    else if (c == OPT_STAT)
        x->stat = true;
    else if (c == OPT_TIMEOUT)
        x->timeout_s = (long)tool_int("--timeout", optarg, 1, 3600);
    else
        tool_option(&x->tool, c);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"cache", required_argument, NULL, OPT_CACHE},
        {"cache-clear", no_argument, NULL, OPT_CACHE_CLEAR},
        {"cache-gc", no_argument, NULL, OPT_CACHE_GC},
        {"cache-size", required_argument, NULL, OPT_CACHE_SIZE},
        {"cache-stat", no_argument, NULL, OPT_CACHE_STAT},
        {"cached", no_argument, NULL, OPT_CACHED},
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"list", no_argument, NULL, OPT_LIST},
        {"only", required_argument, NULL, OPT_ONLY},
        {"prefetch", no_argument, NULL, OPT_PREFETCH},
        {"stat", no_argument, NULL, OPT_STAT},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {0}};
    struct fetch x = {.kept.size = -1};
    int c;

    tool_init(&x.tool, argc, argv, usage, TOOL_FRAMES);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1) {
        if (!cache_option(&x, c))
            option(&x, c);
    }
    if (argc - optind == 1 && strcmp(argv[optind], "-") == 0)
        optind = argc;
    check_cache_options(&x, argc - optind);
    if (x.kept.command) {
        cache_command(&x);
        return 0;
    }
    start(&x, argc - optind, argv + optind);
    if (x.list || x.stat)
        print_operands(&x);
    else if (x.kept.prefetch || x.dry_run)
        run_errands(&x);
    else if (x.tool.n_operands)
        fetch_operands(&x);
    else
        fetch_manifest(&x);
    tool_finish(&x.tool);
    note_traffic(&x);
    fetcher_close(x.fetcher);
    close_cache(&x);
    store_close(x.store);
    buf_release(&x.spool);
    tool_release(&x.tool);
    return 0;
}
