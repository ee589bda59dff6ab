/*
 * a2b-batch - join features and signals, and order them for training.
 *
 * In:  mfcc and eda frames, in any order, from any number of streams.
 * Out: one dataset frame, then padded, shuffled batch frames for all epochs;
 *      with --dry-run the order as text. Nothing is written before all input
 *      proved complete.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "batch/batch.h"
#include "batch/pairs.h"
#include "core/json.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-batch [-hqvV] [--dry-run] [--group-by-song] [-c config]\n"
    "                 [--epochs n] [--hop n] [-k n] [--max-skew s] [-o file]\n"
    "                 [--pool n] [--seed n] [--set key=value] [--spool dir]\n"
    "                 [--start-epoch n] [--window n] [file ...]\n"
    "      --dry-run          write the order as text: epoch, batch, key\n"
    "      --group-by-song    a batch takes whole songs [data.group_by_song]\n"
    "      --epochs N         how many epochs [train.max_epochs]\n"
    "      --hop N            frames from one window to the next\n"
    "                         [data.hop, else the window]\n"
    "      --max-skew S       count pairs that end further apart\n"
    "                         [2, 0..1000000 s]\n"
    "      --pool N           batches per pool of similar lengths; 1 is a\n"
    "                         plain shuffle [data.pool]\n"
    "      --seed N           of the order [seed]\n"
    "      --spool DIR        folder of the unnamed temporary file\n"
    "                         [$TMPDIR, else /var/tmp]\n"
    "      --start-epoch N    leave out the epochs before this one [0]\n"
    "      --window N         cut recordings into windows of N frames\n"
    "                         [data.window, else none]\n";

/* Own long options. */
enum {
    OPT_DRY_RUN = TOOL_OPT_OWN, /* --dry-run */
    OPT_EPOCHS, /* --epochs */
    OPT_GROUP, /* --group-by-song */
    OPT_HOP, /* --hop */
    OPT_MAX_SKEW, /* --max-skew */
    OPT_POOL, /* --pool */
    OPT_SEED, /* --seed */
    OPT_SPOOL, /* --spool */
    OPT_START, /* --start-epoch */
    OPT_WINDOW /* --window */
};

/* What the options say beyond the config. */
struct options {
    bool dry_run;        /* --dry-run */
    double max_skew_s;   /* --max-skew */
    int64_t start;       /* --start-epoch */
    const char *spool;   /* --spool; NULL: the default */
    struct buf sets[6];  /* options that stand for keys, as assignments */
    size_t n_sets;       /* how many were given */
};

/* Notes an option that stands for a key of the config. */
static void assign(struct options *o, const char *key, const char *value)
{
    struct err err;
    struct buf *b = NULL;
    size_t i;

    for (i = 0; i < o->n_sets && !b; i++) {
        if (!strncmp(o->sets[i].data, key, strlen(key)))
            b = &o->sets[i]; /* the last one counts */
    }
    if (!b)
        b = &o->sets[o->n_sets++];
    buf_clear(b);
    buf_printf(b, "%s=%s", key, value);
    if (buf_check(b, &err))
        die(&err);
}

/* Takes one of our own options. */
static void own_option(struct tool *t, struct options *o, int c)
{
    switch (c) {
    case OPT_DRY_RUN:
        o->dry_run = true;
        t->output = TOOL_TEXT;
        signal(SIGPIPE, SIG_DFL);
        break;
    case OPT_EPOCHS:
        tool_int("--epochs", optarg, 1, 1000000);
        assign(o, "train.max_epochs", optarg);
        break;
    case OPT_GROUP:
        assign(o, "data.group_by_song", "true");
        break;
    case OPT_HOP:
        tool_int("--hop", optarg, 1, 1000000000);
        assign(o, "data.hop", optarg);
        break;
    case OPT_WINDOW:
        tool_int("--window", optarg, 1, 1000000000);
        assign(o, "data.window", optarg);
        break;
    case OPT_MAX_SKEW:
        o->max_skew_s = tool_num("--max-skew", optarg, 0, 1e6);
        break;
    case OPT_POOL:
        tool_int("--pool", optarg, 1, 1048576);
        assign(o, "data.pool", optarg);
        break;
    case OPT_SEED:
        tool_int("--seed", optarg, 0, INT64_MAX);
        assign(o, "seed", optarg);
        break;
    case OPT_SPOOL:
        o->spool = optarg;
        break;
    default:
        o->start = tool_int("--start-epoch", optarg, 0, 1000000);
    }
}

/* Parses the command line and settles the config. */
static void parse(struct tool *t, struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"epochs", required_argument, NULL, OPT_EPOCHS},
        {"group-by-song", no_argument, NULL, OPT_GROUP},
        {"hop", required_argument, NULL, OPT_HOP},
        {"max-skew", required_argument, NULL, OPT_MAX_SKEW},
        {"pool", required_argument, NULL, OPT_POOL},
        {"seed", required_argument, NULL, OPT_SEED},
        {"spool", required_argument, NULL, OPT_SPOOL},
        {"start-epoch", required_argument, NULL, OPT_START},
        {"window", required_argument, NULL, OPT_WINDOW},
        {0}};
    size_t i;
    int c;

    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1) {
        if (c >= TOOL_OPT_OWN)
            own_option(t, o, c);
        else
            tool_option(t, c);
    }
    for (i = 0; i < o->n_sets; i++) {
        optarg = o->sets[i].data; /* options win over every --set */
        tool_option(t, TOOL_OPT_SET);
    }
    tool_config(t);
    if (t->config.data.hop && !t->config.data.window)
        tool_usage_error("--hop goes with --window");
    if (t->config.data.hop > t->config.data.window)
        tool_usage_error("--hop %" PRId64 " is longer than the window of %"
                         PRId64 " frames", t->config.data.hop,
                         t->config.data.window);
    if (o->start > t->config.train.max_epochs)
        tool_usage_error("--start-epoch %" PRId64 " is beyond the last of %"
                         PRId64 " epochs", o->start,
                         t->config.train.max_epochs);
}

/* Frames from one window to the next. */
static int64_t effective_hop(const struct config *c)
{
    return c->data.hop ? c->data.hop : c->data.window;
}

/* Notes the windows, if there are any. */
static void note_window(struct tool *t)
{
    char number[NUM_SIZE];

    if (!t->config.data.window)
        return;
    snprintf(number, sizeof(number), "%" PRId64, t->config.data.window);
    tool_setting(t, "window", number);
    snprintf(number, sizeof(number), "%" PRId64, effective_hop(&t->config));
    tool_setting(t, "hop", number);
}

/* Notes the effective settings for the provenance entry. */
static void note_settings(struct tool *t, const struct options *o)
{
    const struct config *c = &t->config;
    struct buf weights = {0};
    char number[NUM_SIZE];
    size_t i;

    snprintf(number, sizeof(number), "%" PRId64, c->seed);
    tool_setting(t, "seed", number);
    snprintf(number, sizeof(number), "%" PRId64, c->train.max_epochs);
    tool_setting(t, "epochs", number);
    snprintf(number, sizeof(number), "%" PRId64, c->data.batch_size);
    tool_setting(t, "batch_size", number);
    snprintf(number, sizeof(number), "%" PRId64, c->data.pool);
    tool_setting(t, "pool", number);
    tool_setting(t, "group_by_song", c->data.group_by_song ? "true" : "false");
    snprintf(number, sizeof(number), "%" PRId64, o->start);
    tool_setting(t, "start_epoch", number);
    note_window(t);
    if (!c->data.n_weights)
        return;
    for (i = 0; i < c->data.n_weights; i++) {
        buf_puts(&weights, i ? "," : "{");
        json_put_text(&weights, c->data.weight_names[i]);
        buf_puts(&weights, ":");
        json_put_num(&weights, c->data.weights[i]);
    }
    buf_puts(&weights, "}");
    tool_setting(t, "sampling_weights", buf_text(&weights));
    buf_release(&weights);
}

/* Leaves a recording out, as far as -k allows. */
static int on_bad(void *ctx, const struct err *why)
{
    tool_bad(ctx, why);
    return 0;
}

/* Reads all inputs and joins them; says what was left out. */
static void read_pairs(struct tool *t, const struct options *o,
                       struct pairs *p)
{
    struct frame f = {0};
    char skew[NUM_SIZE];
    struct err err;

    if (pairs_init(p, &err))
        die(&err);
    p->spool_dir = o->spool ? o->spool : getenv("TMPDIR");
    if (p->spool_dir && !*p->spool_dir)
        p->spool_dir = NULL;
    while (tool_read(t, &f)) {
        if (pairs_add(p, &f, t->in.name, &err))
            die(&err);
    }
    frame_release(&f);
    if (pairs_join(p, o->max_skew_s, on_bad, t, &err))
        die(&err);
    if (p->n_unheard)
        tool_say(t, "left out %zu song%s without recordings", p->n_unheard,
                 p->n_unheard == 1 ? "" : "s");
    if (p->n_skewed)
        tool_warn(t, "%zu of %zu recordings end over %s s before or after "
                  "their songs", p->n_skewed, p->n_recordings,
                  num_double(skew, o->max_skew_s));
}

/* --dry-run, a line: epoch, batch, recording, with windows its first frame. */
static void print_draw(struct tool *t, const struct batch *b, int64_t epoch,
                       size_t k, size_t i)
{
    const struct crop *crop = batch_crop(b, i);

    fprintf(t->text, "%" PRId64 "\t%zu\t%s", epoch, k,
            b->pairs->recordings[crop->recording].key);
    if (b->conf.window)
        fprintf(t->text, "\t%zu", crop->start);
    fputc('\n', t->text);
}

/* --dry-run: a line per recording or window. */
static void print_order(struct tool *t, const struct options *o,
                        struct batch *b)
{
    struct err err;
    int64_t e;
    size_t k, i;

    for (e = o->start; e < t->config.train.max_epochs; e++) {
        if (batch_plan(b, (uint32_t)e, &err))
            die(&err);
        for (k = 0; k < b->n_batches; k++) {
            for (i = batch_start(b, k); i < b->ends[k]; i++)
                print_draw(t, b, e, k, i);
        }
    }
}

/* Writes the dataset frame and the batches of all epochs. */
static void write_batches(struct tool *t, const struct options *o,
                          struct batch *b)
{
    int64_t e, epochs = t->config.train.max_epochs;
    uint64_t filled = 0, all = 0, n_batches = 0;
    struct frame f = {0};
    struct err err;
    size_t k;

    if (batch_dataset_frame(b, (uint32_t)epochs, &f, &err))
        die(&err);
    tool_write(t, &f);
    for (e = o->start; e < epochs; e++) {
        if (batch_plan(b, (uint32_t)e, &err) ||
            batch_padding(b, &filled, &all, &err))
            die(&err);
        for (k = 0; k < b->n_batches; k++) {
            if (batch_frame(b, k, &f, &err))
                die(&err);
            tool_write(t, &f);
        }
        n_batches += k;
    }
    frame_release(&f);
    tool_note(t, "%zu recordings, %zu songs, %" PRIu64 " batches in %" PRId64
              " epochs, %.1f %% padding", b->pairs->n_recordings,
              b->pairs->n_songs, n_batches, epochs - o->start,
              all ? 100.0 * (double)(all - filled) / (double)all : 0.0);
}

int main(int argc, char **argv)
{
    struct options options = {.max_skew_s = 2};
    struct batch_conf conf;
    struct pairs pairs;
    struct batch batch;
    struct tool tool;
    struct err err;
    size_t i;

    tool_init(&tool, argc, argv, usage, TOOL_FRAMES);
    signal(SIGUSR1, SIG_IGN); /* a scheduler's notice is for a2b-train */
    parse(&tool, &options, argc, argv);
    tool_open(&tool, argc - optind, argv + optind);
    note_settings(&tool, &options);
    read_pairs(&tool, &options, &pairs);
    conf = (struct batch_conf){
        .seed = tool.config.seed,
        .batch_size = (size_t)tool.config.data.batch_size,
        .pool = (size_t)tool.config.data.pool,
        .group_by_song = tool.config.data.group_by_song,
        .window = (size_t)tool.config.data.window,
        .hop = (size_t)tool.config.data.hop,
        .weight_names = tool.config.data.weight_names,
        .weights = tool.config.data.weights,
        .n_weights = tool.config.data.n_weights};
    if (batch_init(&batch, &pairs, &conf, &err))
        die(&err);
    if (options.dry_run)
        print_order(&tool, &options, &batch);
    else
        write_batches(&tool, &options, &batch);
    tool_finish(&tool);
    batch_release(&batch);
    pairs_release(&pairs);
    for (i = 0; i < options.n_sets; i++)
        buf_release(&options.sets[i]);
    tool_release(&tool);
    return 0;
}
