/*
 * a2b-index - list the recordings of datasets as a manifest.
 *
 * In:  a dataset's root, a manifest, or the roots that the config names.
 * Out: one JSON object a line, one line a recording, sorted by its id; every
 *      line has a split.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "dataset/dataset.h"
#include "dataset/manifest.h"
#include "dataset/split.h"
#include "store/store.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-index [-hqvV] [-c config] [--dataset word] [-o file] "
    "[--shard i/n]\n"
    "                 [--split name] [--split-by group] [--strict] [root]\n"
    "      --dataset WORD     hku956 or pmemo2019 [told by the files]; of a\n"
    "                         manifest, keep the recordings of this dataset\n"
    "      --shard I/N        keep the I-th of N parts, cut by song, I from 0\n"
    "      --split NAME       keep train, val or test [all]\n"
    "      --split-by GROUP   song, subject, recording or index\n"
    "                         [datasets.NAME.split_by, song]\n"
    "      --strict           fail if a song or EDA file lacks its partner\n";

/* Own long options. */
enum {
    OPT_DATASET = TOOL_OPT_OWN, /* --dataset */
    OPT_SHARD, /* --shard */
    OPT_SPLIT, /* --split */
    OPT_SPLIT_BY, /* --split-by */
    OPT_STRICT /* --strict */
};

/* What is asked for, and what was found. */
struct index {
    struct tool tool;          /* the program */
    struct store *store;       /* owned */
    const char *dataset;       /* --dataset, NULL: any */
    enum manifest_split split; /* --split, MANIFEST_NO_SPLIT: all */
    int split_by;              /* --split-by, -1: as the config says */
    uint64_t shard, n_shards;  /* --shard, n_shards 0: all */
    bool strict;               /* --strict */
    size_t n_left_out;         /* songs and EDA files without partner */
    struct manifest rows;      /* recordings */
};

/* A recording file or song that cannot be listed. */
static void on_bad(void *ctx, const struct err *item)
{
    struct index *x = ctx;

    tool_bad(&x->tool, item);
}

/* A song or EDA file without its partner: always named. */
static void on_left_out(void *ctx, const char *line)
{
    struct index *x = ctx;

    x->n_left_out++;
    tool_say(&x->tool, "%s", line);
}

/* Reads --shard I/N. */
static void parse_shard(struct index *x, const char *text)
{
    const char *slash = strchr(text, '/');
    char first[NUM_SIZE];
    int64_t i = -1, n = 0;

    if (slash && (size_t)(slash - text) < sizeof(first)) {
        memcpy(first, text, (size_t)(slash - text));
        first[slash - text] = '\0';
        if (num_parse_int(first, &i) || num_parse_int(slash + 1, &n))
            n = 0;
    }
    if (n < 1 || n > UINT32_MAX || i < 0 || i >= n)
        tool_usage_error("--shard: want I/N with 0 <= I < N, got \"%s\"", text);
    x->shard = (uint64_t)i;
    x->n_shards = (uint64_t)n;
}

/* Handles one option. */
static void option(struct index *x, int c)
{
    static const char *const splits[] = {"all", "train", "val", "test", NULL};
    static const char *const groups[] = {"song", "subject", "recording",
                                         "index", NULL};

    if (c == OPT_DATASET)
        x->dataset = optarg;
    else if (c == OPT_SHARD)
        parse_shard(x, optarg);
    else if (c == OPT_SPLIT)
        x->split = (enum manifest_split)tool_word("--split", optarg, splits);
    else if (c == OPT_SPLIT_BY)
        x->split_by = tool_word("--split-by", optarg, groups);
    else if (c == OPT_STRICT)
        x->strict = true;
    else
        tool_option(&x->tool, c);
}

/* Adds the rows of a manifest; word: of this dataset only, NULL: all. */
static void add_manifest(struct index *x, struct manifest_in *in,
                         const char *word)
{
    struct manifest_row row = {0};
    struct err err;
    int got;

    while ((got = manifest_read(in, &row, &err)) > 0) {
        if (word && strcmp(row.dataset, word) != 0)
            manifest_row_release(&row);
        else if (manifest_add(&x->rows, &row, &err))
            die(&err);
    }
    if (got < 0)
        die(&err);
    manifest_close(in);
}

/* Adds the rows of a manifest file. */
static void add_file(struct index *x, const char *uri, const char *word)
{
    struct manifest_in in = {0};
    struct buf text = {0};
    struct err err;

    if (store_read(x->store, uri, &text, &err) ||
        manifest_open_text(&in, buf_text(&text), text.len, uri, &err))
        die(&err);
    buf_release(&text);
    add_manifest(x, &in, word);
}

/* Adds the recordings of a folder; word: its dataset, NULL: look. */
static void add_folder(struct index *x, const char *root, const char *word)
{
    const struct dataset_watcher watcher = {x, on_bad, on_left_out};
    struct dataset_source source = {
        .store = x->store, .root = root, .watcher = &watcher};
    enum dataset_kind kind;
    struct err err;

    if (word) {
        kind = dataset_kind_of(word);
        if (kind == DATASET_OTHER)
            tool_usage_error("%s: dataset %s has no layout we know: want a "
                             "manifest, hku956 or pmemo2019",
                             root, word);
    } else if (dataset_recognise(x->store, root, &kind, &err)) {
        die(&err);
    }
    source.conf = config_dataset(&x->tool.config, dataset_kind_name(kind));
    source.n_transfers = x->tool.n_jobs || !store_is_remote(root)
                             ? (size_t)tool_jobs(&x->tool)
                             : STORE_TRANSFERS;
    if (dataset_list(&source, kind, &x->rows, &err))
        die(&err);
}

/* Adds what a root holds: a folder's recordings or a manifest's lines. */
static void add_root(struct index *x, const char *root, const char *word)
{
    struct manifest_in in = {0};
    struct store_info info;
    struct err err;

    if (strcmp(root, "-") == 0) {
        if (manifest_open(&in, STDIN_FILENO, "standard input", &err))
            die(&err);
        add_manifest(x, &in, word);
        return;
    }
    if (store_stat(x->store, root, &info, &err))
        die(&err);
    if (info.folder)
        add_folder(x, root, word);
    else
        add_file(x, root, word);
}

/* Adds the root that the config has for a dataset. */
static void add_dataset(struct index *x, const char *word)
{
    const struct config_dataset *d = config_dataset(&x->tool.config, word);

    if (!d || !d->root)
        tool_usage_error("dataset %s: the config has no datasets.%s.root", word,
                         word);
    add_root(x, d->root, word);
}

/* Adds the datasets of a list that were not added before. */
static size_t add_list(struct index *x, char **words, size_t n,
                       const char **added, size_t n_added)
{
    size_t i, k;

    for (i = 0; i < n; i++) {
        for (k = 0; k < n_added; k++) {
            if (strcmp(added[k], words[i]) == 0)
                break;
        }
        if (k < n_added)
            continue;
        added[n_added++] = words[i];
        add_dataset(x, words[i]);
    }
    return n_added;
}

/* Adds the datasets that the config's data section names for the split. */
static void add_config(struct index *x)
{
    const struct config_data *d = &x->tool.config.data;
    size_t most = d->n_train_datasets + d->n_val_datasets + d->n_test_datasets;
    bool all = x->split == MANIFEST_NO_SPLIT;
    const char **added;
    struct err err;
    size_t n = 0;

    added = mem_alloc(most, sizeof(*added), &err);
    if (!added)
        die(&err);
    if (all || x->split == MANIFEST_TRAIN)
        n = add_list(x, d->train_datasets, d->n_train_datasets, added, n);
    if (all || x->split == MANIFEST_VAL)
        n = add_list(x, d->val_datasets, d->n_val_datasets, added, n);
    if (all || x->split == MANIFEST_TEST)
        n = add_list(x, d->test_datasets, d->n_test_datasets, added, n);
    free(added);
    if (n == 0)
        tool_usage_error("no root, and the config names no dataset in "
                         "data.%s_datasets",
                         all ? "train" : manifest_split_name(x->split));
}

/* Says what a rule other than by song means. */
static void warn_leaks(struct index *x, const bool used[SPLIT_N_RULES])
{
    if (used[CONFIG_SPLIT_SUBJECT])
        tool_warn(&x->tool, "split by subject: songs leak, the same song is "
                            "in several splits");
    if (used[CONFIG_SPLIT_RECORDING])
        tool_warn(&x->tool, "split by recording: songs and subjects leak, "
                            "the same are in several splits");
    if (used[CONFIG_SPLIT_INDEX])
        tool_warn(&x->tool, "split by index: songs and subjects leak, the "
                            "same are in several splits");
}

/*
 * Sorts, splits and filters. A split without a recording is a failure; a
 * shard without one is not, since a job for every shard has to end well.
 */
static void choose(struct index *x)
{
    size_t counts[MANIFEST_N_SPLITS], n_repeated;
    bool used[SPLIT_N_RULES];
    struct err err;
    const char *name = manifest_split_name(x->split);

    if (manifest_sort(&x->rows, &n_repeated, &err) ||
        split_fill(&x->rows, &x->tool.config, x->split_by, used, &err))
        die(&err);
    if (n_repeated)
        tool_say(&x->tool, "%zu repeated lines left out", n_repeated);
    warn_leaks(x, used);
    split_count(&x->rows, counts);
    tool_note(&x->tool, "recordings: train %zu, val %zu, test %zu",
              counts[MANIFEST_TRAIN], counts[MANIFEST_VAL],
              counts[MANIFEST_TEST]);
    if (split_filter(&x->rows, x->split, 0, 0, &err))
        die(&err);
    if (x->rows.n == 0) {
        err_set(&err, ERR_FAILED,
                "no recording in split %s: train %zu, val %zu, test %zu",
                *name ? name : "all", counts[MANIFEST_TRAIN],
                counts[MANIFEST_VAL], counts[MANIFEST_TEST]);
        die(&err);
    }
    if (split_filter(&x->rows, x->split, x->shard, x->n_shards, &err))
        die(&err);
    if (x->rows.n == 0)
        tool_warn(&x->tool, "shard %" PRIu64 "/%" PRIu64 " has no recording",
                  x->shard, x->n_shards);
}

/* Writes all rows; one that JSON cannot hold is a bad item. */
static void write_rows(struct index *x)
{
    struct buf text = {0};
    struct err err;
    size_t i;

    for (i = 0; i < x->rows.n; i++) {
        if (manifest_put(&x->rows.rows[i], &text, &err))
            tool_bad(&x->tool, &err);
    }
    if (buf_check(&text, &err))
        die(&err);
    fwrite(buf_text(&text), 1, text.len, x->tool.text);
    buf_release(&text);
}

/* Says how much lacked its partner; with --strict that is a failure. */
static void check_left_out(struct index *x)
{
    struct err err;

    if (x->n_left_out == 0)
        return;
    if (x->strict) {
        err_set(&err, ERR_FAILED,
                "%zu songs or EDA files without partner (--strict)",
                x->n_left_out);
        die(&err);
    }
    tool_say(&x->tool, "%zu songs or EDA files without partner left out",
             x->n_left_out);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"dataset", required_argument, NULL, OPT_DATASET},
        {"shard", required_argument, NULL, OPT_SHARD},
        {"split", required_argument, NULL, OPT_SPLIT},
        {"split-by", required_argument, NULL, OPT_SPLIT_BY},
        {"strict", no_argument, NULL, OPT_STRICT},
        {0}};
    const struct store_conf remote = {.env = getenv};
    struct index x = {.split_by = -1};
    struct err err;
    int c;

    tool_init(&x.tool, argc, argv, usage, TOOL_MANIFEST);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1)
        option(&x, c);
    if (argc - optind > 1)
        tool_usage_error("one root at most, got %d", argc - optind);
    tool_config(&x.tool);
    x.store = store_open_conf(&remote, &err);
    if (!x.store)
        die(&err);
    tool_open(&x.tool, argc - optind, argv + optind);
    if (x.tool.n_operands)
        add_root(&x, x.tool.operands[0], x.dataset);
    else if (x.dataset)
        add_dataset(&x, x.dataset);
    else
        add_config(&x);
    check_left_out(&x);
    choose(&x);
    write_rows(&x);
    tool_finish(&x.tool);
    store_close(x.store);
    manifest_release(&x.rows);
    tool_release(&x.tool);
    return 0;
}
