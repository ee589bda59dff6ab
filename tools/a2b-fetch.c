/*
 * a2b-fetch - read the files that a manifest names.
 *
 * In:  manifest lines; or paths and URIs as operands.
 * Out: frames with tensor "audio" or "eda_csv", U8 (n), in the order of the
 *      lines; for operands the objects' bytes as they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/frame.h"
#include "dataset/manifest.h"
#include "dataset/rowfeed.h"
#include "store/fetcher.h"
#include "store/store.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-fetch [-hqvV] [-c config] [--cache folder] [-j n] [-k n] "
    "[-o path]\n"
    "                 [--only what] [--progress when] [uri ...]\n"
    "      --cache FOLDER     keep remote objects there; files are read in\n"
    "                         place and never copied\n"
    "      --only WHAT        make only audio or only eda frames [both]\n";

/* Own long options. */
enum { OPT_CACHE = TOOL_OPT_OWN, OPT_ONLY };

/* Words of --only, indexed by enum rowfeed_only. */
static const char *const only_words[] = {"both", "audio", "eda", NULL};

/* Objects read at a time without -j. */
#define N_TRANSFERS 4

/* One run. */
struct fetch {
    struct tool tool;        /* the program */
    enum rowfeed_only only;  /* --only */
    struct store *store;     /* owned */
    struct fetcher *fetcher; /* owned */
    size_t n_transfers;      /* objects read at a time */
};

/* The progress line. */
static void progress(struct fetch *x, const char *what, size_t n)
{
    uint64_t n_reads, n_bytes;

    store_traffic(x->store, &n_reads, &n_bytes);
    tool_progress_line(&x->tool, "%zu %s, %llu objects, %.1f MB", n, what,
                       (unsigned long long)n_reads, (double)n_bytes / 1e6);
}

/* Says with -v how much was read. */
static void note_traffic(const struct fetch *x)
{
    uint64_t n_reads, n_bytes;

    store_traffic(x->store, &n_reads, &n_bytes);
    tool_note(&x->tool, "%llu objects read, %llu bytes",
              (unsigned long long)n_reads, (unsigned long long)n_bytes);
}

/* Rows read ahead: data.prefetch_size batches, never under the transfers. */
static size_t rows_ahead(const struct fetch *x)
{
    const struct config_data *d = &x->tool.config.data;
    size_t ahead = (size_t)(d->prefetch_size * d->batch_size);

    return ahead > x->n_transfers ? ahead : x->n_transfers;
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

    if (isatty(STDIN_FILENO))
        tool_usage_error("standard input is a terminal: want a manifest, as "
                         "in a2b-index ROOT | a2b-fetch");
    if (manifest_open(&in, STDIN_FILENO, "standard input", &err) == 0)
        feed = rowfeed_open(&in, x->fetcher, x->only, rows_ahead(x), &err);
    if (!feed)
        die(&err);
    tool_setting_text(&x->tool, "only", only_words[x->only]);
    while ((got = rowfeed_next(feed, &out, &bad, &err)) != 0) {
        if (got > 0)
            tool_write(&x->tool, &out);
        else if (bad)
            tool_bad(&x->tool, &err);
        else
            die(&err);
        progress(x, "recordings", rowfeed_n_rows(feed));
    }
    rowfeed_close(feed);
    frame_release(&out);
    manifest_close(&in);
}

/* Whether an operand is a manifest: by its name, or by its first line. */
static bool is_manifest(const char *uri, const struct buf *bytes)
{
    static const char suffix[] = ".jsonl";
    const char *end = bytes->len ? memchr(bytes->data, '\n', bytes->len) : NULL;
    size_t n = strlen(uri), tail = sizeof(suffix) - 1;
    struct manifest_row row = {0};
    struct err err = {0};
    bool is;

    if (n >= tail && strcmp(uri + n - tail, suffix) == 0)
        return true;
    if (!end || (size_t)(end - bytes->data) > MANIFEST_MAX_LINE)
        return false;
    is = manifest_parse(bytes->data, (size_t)(end - bytes->data), &row, &err) ==
             0 ||
         err.upstream;
    manifest_row_release(&row);
    return is;
}

/* Writes bytes to a stream and says so if that failed. */
static int put_bytes(FILE *out, const struct buf *bytes)
{
    return fwrite(buf_text(bytes), 1, bytes->len, out) == bytes->len ? 0 : -1;
}

/* Writes an object into the folder of -o, aside and renamed. */
static int save(const struct fetch *x, const char *uri, const struct buf *bytes,
                struct err *err)
{
    struct buf path = {0}, temp = {0};
    FILE *out;
    int rc = -1;

    buf_printf(&path, "%s/", x->tool.output_path);
    if (store_base_name(uri, &path, err))
        goto out;
    buf_printf(&temp, "%s.tmp.%ld", buf_text(&path), (long)getpid());
    if (buf_check(&path, err) || buf_check(&temp, err))
        goto out;
    out = fopen(temp.data, "wx");
    if (!out) {
        err_errno(err, "%s", temp.data);
        goto out;
    }
    tool_guard(temp.data);
    rc = put_bytes(out, bytes);
    rc = fclose(out) || rc ? -1 : 0;
    if (rc || rename(temp.data, path.data)) {
        rc = err_errno(err, "%s", path.data);
        unlink(temp.data);
    }
    tool_unguard(temp.data);
out:
    buf_release(&path);
    buf_release(&temp);
    return rc;
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
    if (is_manifest(uri, &item->bytes))
        tool_usage_error("%s is a manifest: give it as a2b-fetch < %s", uri,
                         uri);
    if (x->tool.output_is_folder) {
        if (save(x, uri, &item->bytes, err))
            die(err);
    } else if (put_bytes(x->tool.text, &item->bytes)) {
        tool_finish(&x->tool); /* finds the error and dies of it */
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

/* Opens the store and the output for what the operands ask. */
static void start(struct fetch *x, int n, char **operands)
{
    struct err err;

    tool_config(&x->tool);
    if (n > 0) {
        x->tool.output = TOOL_BYTES;
        x->tool.output_is_folder = n > 1 && x->tool.output_path &&
                                   strcmp(x->tool.output_path, "-") != 0;
    }
    x->n_transfers = x->tool.n_jobs ? (size_t)x->tool.n_jobs : N_TRANSFERS;
    x->store = store_open(&err);
    if (x->store)
        x->fetcher = fetcher_open(x->store, x->n_transfers, &err);
    if (!x->fetcher)
        die(&err);
    tool_open(&x->tool, n, operands);
    if (!x->tool.output_is_folder)
        return;
    check_names(x);
    if (mkdir(x->tool.output_path, 0777) && errno != EEXIST) {
        err_errno(&err, "%s", x->tool.output_path);
        die(&err);
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"cache", required_argument, NULL, OPT_CACHE},
        {"only", required_argument, NULL, OPT_ONLY},
        {0}};
    struct fetch x = {0};
    int c;

    tool_init(&x.tool, argc, argv, usage, TOOL_FRAMES);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1) {
        if (c == OPT_CACHE)
            continue; /* what this build reads lies on disk already */
        else if (c == OPT_ONLY)
            x.only = (enum rowfeed_only)tool_word("--only", optarg, only_words);
        else
            tool_option(&x.tool, c);
    }
    if (argc - optind == 1 && strcmp(argv[optind], "-") == 0)
        optind = argc;
    start(&x, argc - optind, argv + optind);
    if (x.tool.n_operands)
        fetch_operands(&x);
    else
        fetch_manifest(&x);
    tool_finish(&x.tool);
    note_traffic(&x);
    fetcher_close(x.fetcher);
    store_close(x.store);
    tool_release(&x.tool);
    return 0;
}
