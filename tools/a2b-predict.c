/*
 * a2b-predict - electrodermal activity from songs, or from sound as it comes.
 *
 * In:  sound files, folders of them, or raw samples on stdin, and a
 *      checkpoint or several.
 * Out: CSV "time_s,eda" (several files: "file,time_s,eda"; several models:
 *      "eda_sd" too), JSON Lines, NumPy arrays or prediction frames; plots on
 *      request.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/json.h"
#include "core/npy.h"
#include "eval/forecast.h"
#include "signal/edastats.h"
#include "signal/listen.h"
#include "signal/mfcc.h"
#include "signal/pcm.h"
#include "tool/aside.h"
#include "tool/operands.h"
#include "tool/plot.h"
#include "tool/rows.h"
#include "tool/songs.h"
#include "tool/tool.h"
#include "tool/work.h"
#include "train/ckpt.h"

static const char usage[] =
    "usage: a2b-predict [-hqvV] [--frames] [--stream] [-c file]\n"
    "                   [--denorm mean,std] [--every seconds]\n"
    "                   [--format format] [--input-channels n]\n"
    "                   [--input-format format] [--input-rate hz] [-j n]\n"
    "                   [-k n] -m model [-o file] [--plot dir] [--rate hz]\n"
    "                   [--set key=value] [--stats file] [--subject id]\n"
    "                   [--units units] [file ...]\n"
    "      --denorm MEAN,STD  write STD times the prediction plus MEAN\n"
    "      --every SECONDS    with --stream: predict once in so much sound\n"
    "                         [0, every frame]\n"
    "      --format FORMAT    csv, jsonl, npy or frames [csv]\n"
    "      --frames           the same as --format frames\n"
    "      --input-channels N with --stream: interleaved channels [1, 1..64]\n"
    "      --input-format F   with --stream: u8, s16le, s24le, s32le, f32le\n"
    "                         [s16le]\n"
    "      --input-rate HZ    with --stream: sampling rate [the model's]\n"
    "  -m, --model PATH       checkpoint folder, a link to it, or its model\n"
    "                         file; again: the mean of several models\n"
    "      --plot DIR         draw each prediction into DIR\n"
    "      --rate HZ          values a second [the model's frames]\n"
    "      --stats FILE       subjects' statistics, made by a2b-eda\n"
    "      --stream           raw samples on standard input, lines as soon as\n"
    "                         they are certain; latency: what the model sees\n"
    "                         ahead, half a window, resampling (-v prints it)\n"
    "      --subject ID       a listener in --stats: write EDA as theirs\n"
    "      --units UNITS      model, or original: as recorded [model]\n";

/* Own options. */
enum {
    OPT_FRAMES = TOOL_OPT_OWN, /* --frames */
    OPT_PLOT, /* --plot */
    OPT_DENORM, /* --denorm */
    OPT_EVERY, /* --every */
    OPT_FORMAT, /* --format */
    OPT_CHANNELS, /* --input-channels */
    OPT_INPUT_FORMAT, /* --input-format */
    OPT_INPUT_RATE, /* --input-rate */
    OPT_RATE, /* --rate */
    OPT_STATS, /* --stats */
    OPT_STREAM, /* --stream */
    OPT_SUBJECT, /* --subject */
    OPT_UNITS /* --units */
};

/* Bytes of raw samples read at a time, at most. */
#define READ_SIZE 65536

/* What is written. */
enum format {
    FORMAT_CSV,   /* lines */
    FORMAT_JSONL, /* objects */
    FORMAT_NPY,   /* an array, or a folder of them */
    FORMAT_FRAMES /* a stream */
};

/* One song on its way through the threads. */
struct item {
    const char *path;          /* operand, borrowed */
    const char *song;          /* its name, borrowed; NULL: not asked for */
    struct buf name;           /* the input's, for messages */
    struct buf bytes;          /* of the sound file */
    struct forecast_rows rows; /* prediction; its arrays are owned */
    bool failed;               /* err holds why */
    struct err err;            /* of this song */
};

/* What a thread has for itself. */
struct engine {
    struct mfcc_converter converter; /* sound to features */
    struct frame features;           /* of the song at hand */
    struct forecast *forecast;       /* models with their activations */
};

/* How raw samples come in. */
struct live {
    bool on;           /* --stream */
    bool given;        /* one of the options below was */
    int64_t rate_hz;   /* --input-rate, 0: the model's */
    int64_t channels;  /* --input-channels */
    int format;        /* --input-format, of pcm_formats */
    double every_s;    /* --every */
};

/* The scale that is asked for. */
struct scale {
    bool original;       /* --units original, or what implies it */
    const char *denorm;  /* --denorm, NULL: not given */
    const char *stats;   /* --stats, NULL: not given */
    const char *subject; /* --subject, NULL: not given */
};

/* The whole run. */
struct run {
    struct tool tool;              /* options, inputs, output */
    const char **model_paths;      /* -m, n_models, owned */
    size_t n_models;               /* -m given */
    size_t cap_models;             /* room in model_paths */
    enum format format;            /* --format */
    const char *plot;              /* --plot, NULL: none */
    struct live live;              /* raw samples */
    struct scale scale;            /* recordings' scale */
    struct operands inputs;     /* operands, folders opened up */
    struct ckpt_model *ckpts;      /* the models, n_models, owned */
    const struct model **models;   /* their models, owned */
    struct forecast_plan plan;     /* what is asked of them */
    struct engine *engines;        /* one a thread, owned */
    struct work work;              /* the threads */
    struct item items[WORK_SLOTS]; /* songs under way */
    struct songs songs;            /* names, if they are asked for */
    bool has_file;                 /* lines say which file */
    bool has_head;                 /* the first line is written */
};

/* Dies unless a step of the library went well. */
static void need(int got, const struct err *err)
{
    if (got)
        die(err);
}

/* Another -m. */
static void add_model(struct run *run, const char *path)
{
    struct err err;
    const char **grown = mem_grow(run->model_paths, &run->cap_models,
                                  run->n_models + 1, sizeof *grown, &err);

    if (!grown)
        die(&err);
    run->model_paths = grown;
    grown[run->n_models++] = path;
}

/* Takes an option of raw samples. */
static void live_option(struct live *live, int c)
{
    live->given = live->given || c != OPT_STREAM;
    switch (c) {
    case OPT_STREAM:
        live->on = true;
        break;
    case OPT_EVERY:
        live->every_s = tool_num("--every", optarg, 0, 86400);
        break;
    case OPT_CHANNELS:
        live->channels = tool_int("--input-channels", optarg, 1,
                                  PCM_MAX_CHANNELS);
        break;
    case OPT_INPUT_FORMAT:
        live->format = tool_word("--input-format", optarg, pcm_formats);
        break;
    default:
        live->rate_hz = tool_int("--input-rate", optarg, 1, 1000000);
    }
}

/* Settles what is written; an error after it ends a stream as one. */
static void set_format(struct run *run, enum format format)
{
    static const enum tool_output sorts[] = {TOOL_TEXT, TOOL_TEXT, TOOL_BYTES,
                                             TOOL_FRAMES};

    run->format = format;
    run->tool.output = sorts[format];
}

/* Takes one of our own options. */
static void own_option(struct run *run, int c)
{
    static const char *const formats[] = {"csv", "jsonl", "npy", "frames",
                                          NULL};
    static const char *const units[] = {"model", "original", NULL};

    switch (c) {
    case 'm':
        add_model(run, optarg);
        break;
    case OPT_FRAMES:
        set_format(run, FORMAT_FRAMES);
        break;
    case OPT_FORMAT:
        set_format(run, (enum format)tool_word("--format", optarg, formats));
        break;
    case OPT_PLOT:
        run->plot = optarg;
        break;
    case OPT_RATE:
        run->plan.rate_hz = tool_num("--rate", optarg, 1e-3, 1e6);
        break;
    case OPT_DENORM:
        run->scale.denorm = optarg;
        break;
    case OPT_STATS:
        run->scale.stats = optarg;
        break;
    case OPT_SUBJECT:
        run->scale.subject = optarg;
        break;
    case OPT_UNITS:
        run->scale.original = tool_word("--units", optarg, units) == 1;
        break;
    default:
        live_option(&run->live, c);
    }
}

/* Refuses options that do not go together. */
static void check_options(const struct run *run)
{
    const struct scale *s = &run->scale;

    if (run->n_models == 0)
        tool_usage_error("which model? -m CHECKPOINT");
    if (run->live.given && !run->live.on)
        tool_usage_error("--every and --input-... are for --stream");
    if (run->live.on && (run->plot || run->format > FORMAT_JSONL))
        tool_usage_error("--stream writes csv or jsonl, and no plots: the "
                         "others need the whole prediction");
    if (!s->stats != !s->subject)
        tool_usage_error("--stats FILE and --subject ID belong together");
    if (s->denorm && s->stats)
        tool_usage_error("--denorm or --stats: which scale?");
}

/* Parses the command line. */
static void parse(struct run *run, int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"denorm", required_argument, NULL, OPT_DENORM},
        {"every", required_argument, NULL, OPT_EVERY},
        {"format", required_argument, NULL, OPT_FORMAT},
        {"frames", no_argument, NULL, OPT_FRAMES},
        {"input-channels", required_argument, NULL, OPT_CHANNELS},
        {"input-format", required_argument, NULL, OPT_INPUT_FORMAT},
        {"input-rate", required_argument, NULL, OPT_INPUT_RATE},
        {"model", required_argument, NULL, 'm'},
        {"plot", required_argument, NULL, OPT_PLOT},
        {"rate", required_argument, NULL, OPT_RATE},
        {"stats", required_argument, NULL, OPT_STATS},
        {"stream", no_argument, NULL, OPT_STREAM},
        {"subject", required_argument, NULL, OPT_SUBJECT},
        {"units", required_argument, NULL, OPT_UNITS},
        {0}};
    int c;

    run->live.channels = 1;
    run->live.format = PCM_S16LE;
    while ((c = getopt_long(argc, argv, TOOL_SHORT "m:", longs, NULL)) !=
           -1) {
        if (c == 'm' || c >= TOOL_OPT_OWN)
            own_option(run, c);
        else
            tool_option(&run->tool, c);
    }
    tool_config(&run->tool);
    check_options(run);
}

/* Takes the operands and opens the output. */
static void open_files(struct run *run, int n, char **operands)
{
    struct tool *t = &run->tool;
    struct err err;

    if (run->live.on && (n > 1 || (n == 1 && strcmp(operands[0], "-"))))
        tool_usage_error("%s: --stream reads standard input", operands[n - 1]);
    need(operands_expand(&run->inputs, operands, (size_t)n, &err), &err);
    run->has_file = run->inputs.n > 1 || run->inputs.is_folder;
    if (run->format == FORMAT_NPY) {
        t->output_is_folder = run->has_file;
        if (run->has_file && (!t->output_path || !strcmp(t->output_path, "-")))
            tool_usage_error("npy of several songs wants -o FOLDER");
    }
    tool_open(t, (int)run->inputs.n, run->inputs.paths);
    if (t->output_is_folder && mkdir(t->output_path, 0777) &&
        errno != EEXIST) {
        err_errno(&err, "%s", t->output_path);
        die(&err);
    }
}

/* Dies unless all models predict from the same features. */
static void check_models(const struct run *run)
{
    const struct ckpt_model *a = &run->ckpts[0], *b;
    size_t i;

    for (i = 1; i < run->n_models; i++) {
        b = &run->ckpts[i];
        if (strcmp(a->features_json, b->features_json) ||
            a->rate_num != b->rate_num || a->rate_den != b->rate_den ||
            a->t0_s != b->t0_s)
            tool_usage_error("%s and %s were trained on different features "
                             "(a2b.features): there is no mean of them",
                             run->model_paths[0], run->model_paths[i]);
    }
}

/* Loads the checkpoints. */
static void load_models(struct run *run)
{
    struct buf weights = {0};
    struct err err;
    char hex[17];
    size_t i;

    run->ckpts = mem_alloc(run->n_models, sizeof *run->ckpts, &err);
    if (!run->ckpts)
        die(&err);
    run->models = mem_alloc(run->n_models, sizeof *run->models, &err);
    if (!run->models)
        die(&err);
    for (i = 0; i < run->n_models; i++) {
        need(ckpt_load_predictor(&run->ckpts[i], run->model_paths[i], hex,
                                 &err),
             &err);
        buf_printf(&weights, "%s%s", i ? " " : "", hex);
        run->models[i] = &run->ckpts[i].model;
    }
    check_models(run);
    run->plan.models = run->models;
    run->plan.n_models = run->n_models;
    run->plan.rate_num = run->ckpts[0].rate_num;
    run->plan.rate_den = run->ckpts[0].rate_den;
    run->plan.t0_s = run->ckpts[0].t0_s;
    need(buf_check(&weights, &err), &err);
    tool_setting_text(&run->tool, "weights", buf_text(&weights));
    buf_release(&weights);
}

/* ---- scale ---- */

/* MEAN,STD of --denorm. */
static void read_denorm(struct run *run)
{
    const char *comma = strchr(run->scale.denorm, ',');
    char mean[NUM_SIZE];

    if (!comma || (size_t)(comma - run->scale.denorm) >= sizeof mean)
        tool_usage_error("--denorm: want MEAN,STD, got \"%s\"",
                         run->scale.denorm);
    memcpy(mean, run->scale.denorm, (size_t)(comma - run->scale.denorm));
    mean[comma - run->scale.denorm] = '\0';
    run->plan.mean = tool_num("--denorm MEAN", mean, -1e9, 1e9);
    run->plan.std = tool_num("--denorm STD", comma + 1, 1e-9, 1e9);
}

/* The scale of a listener of --stats, as a2b-eda applied it. */
static void read_stats(struct run *run)
{
    const struct config_features *conf = &run->ckpts[0].features;
    const struct scale *s = &run->scale;
    const struct eda_moments *m;
    struct stream_in file = {0};
    struct edastats stats = {0};
    struct buf text = {0};
    struct err err;
    bool is_us = conf->eda_unit == CONFIG_UNIT_US ||
                 (conf->eda_unit == CONFIG_UNIT_AUTO &&
                  !strncmp(s->subject, "hku956/", 7));

    need(edastats_init(&stats, conf, &err) ||
             stream_open(&file, s->stats, &err) ||
             stream_slurp(&file, &text, &err) ||
             edastats_parse(&stats, buf_text(&text), text.len, s->stats,
                            &err),
         &err);
    m = edastats_find(&stats, s->subject);
    if (!m)
        tool_usage_error("%s: no subject %s (want dataset/subject)", s->stats,
                         s->subject);
    run->plan.mean = m->mean;
    run->plan.std = is_us && m->std < conf->eda_std_min ? conf->eda_std_min
                                                        : m->std;
    edastats_release(&stats);
    stream_close(&file);
    buf_release(&text);
}

/* Dies: the models' EDA cannot be had as it was recorded. */
static void refuse_units(const struct run *run)
{
    struct err err;
    struct json *json = json_parse(run->ckpts[0].features_json,
                                   strlen(run->ckpts[0].features_json), &err);
    const char *how = json_text(json_member(json, "eda_normalize"));

    tool_usage_error("%s was trained on EDA with eda_normalize %s, a scale "
                     "that no song tells: give %s, or train with "
                     "--set features.eda_normalize=none",
                     run->model_paths[0], how ? how : "unknown",
                     run->ckpts[0].features.eda_normalize ==
                             CONFIG_NORMALIZE_SUBJECT
                         ? "--stats FILE --subject ID, or --denorm MEAN,STD"
                         : "--denorm MEAN,STD of a recording");
}

/* Settles the scale of the results. */
static void choose_scale(struct run *run)
{
    enum config_normalize how = run->ckpts[0].features.eda_normalize;
    struct scale *s = &run->scale;
    char text[NUM_SIZE];

    run->plan.std = 1;
    if (how == CONFIG_NORMALIZE_NONE && (s->denorm || s->stats))
        tool_usage_error("%s predicts EDA as recorded (eda_normalize none): "
                         "it needs no other scale", run->model_paths[0]);
    if (how != CONFIG_NORMALIZE_SUBJECT && s->stats)
        tool_usage_error("--stats is for models trained with eda_normalize "
                         "subject");
    if (s->denorm)
        read_denorm(run);
    else if (s->stats)
        read_stats(run);
    else if (s->original && how != CONFIG_NORMALIZE_NONE)
        refuse_units(run);
    s->original = s->original || s->denorm || s->stats;
    if (s->denorm || s->stats) {
        tool_setting(&run->tool, "mean", num_double(text, run->plan.mean));
        tool_setting(&run->tool, "std", num_double(text, run->plan.std));
    }
    if (run->plan.rate_hz > 0)
        tool_setting(&run->tool, "rate_hz",
                     num_double(text, run->plan.rate_hz));
}

/* ---- songs ---- */

/* Checks that a song's frames are those the model was trained on. */
static int check_features(const struct ckpt_model *c, const struct frame *f,
                          const char *name, struct err *err)
{
    const struct tensor *mfcc;
    int64_t num, den;

    if (frame_need_int(f, "rate_num", 1, INT32_MAX, &num, err) ||
        frame_need_int(f, "rate_den", 1, INT32_MAX, &den, err) ||
        frame_need_tensor(f, "mfcc", TENSOR_F32, 2, &mfcc, err))
        return -1;
    if ((uint64_t)num != c->rate_num || (uint64_t)den != c->rate_den)
        return err_set(err, ERR_DATA, "%s: %lld/%lld frames a second, the "
                       "model was trained on %llu/%llu: resample the song",
                       name, (long long)num, (long long)den,
                       (unsigned long long)c->rate_num,
                       (unsigned long long)c->rate_den);
    if (mfcc->shape[1] != c->model.input_size)
        return err_set(err, ERR_DATA, "%s wants %zu coefficients, its "
                       "a2b.features give %zu", c->path, c->model.input_size,
                       mfcc->shape[1]);
    return 0;
}

/* Predicts for one song. */
static int predict(const struct ckpt_model *c, struct engine *e,
                   struct item *item, struct err *err)
{
    const char *name = buf_text(&item->name);
    const struct tensor *mfcc;
    struct forecast_rows rows;
    float *copy;

    frame_clear(&e->features);
    if (mfcc_convert(&e->converter, item->bytes.data, item->bytes.len, name,
                     &e->features, err) ||
        check_features(c, &e->features, name, err))
        return -1;
    mfcc = frame_tensor(&e->features, "mfcc");
    if (forecast_song(e->forecast, mfcc->data, mfcc->shape[0], &rows, err))
        return -1;
    copy = mem_alloc(2 * rows.n, sizeof *copy, err);
    if (!copy)
        return -1;
    memcpy(copy, rows.eda, rows.n * sizeof *copy);
    if (rows.sd)
        memcpy(copy + rows.n, rows.sd, rows.n * sizeof *copy);
    item->rows = rows;
    item->rows.eda = copy;
    item->rows.sd = rows.sd ? copy + rows.n : NULL;
    return 0;
}

/* Predicts for the song in a slot; a work_run. */
static void predict_slot(void *ctx, size_t thread, size_t slot)
{
    struct run *run = ctx;
    struct item *item = &run->items[slot];

    item->failed = predict(&run->ckpts[0], &run->engines[thread], item,
                           &item->err) != 0;
}

/* Starts the threads, with an engine each. */
static void open_engines(struct run *run)
{
    size_t n = (size_t)tool_jobs(&run->tool), i;
    struct err err;

    run->engines = mem_alloc(n, sizeof *run->engines, &err);
    if (!run->engines)
        die(&err);
    for (i = 0; i < n; i++) {
        mfcc_converter_init(&run->engines[i].converter,
                            &run->ckpts[0].features);
        run->engines[i].forecast = forecast_open(&run->plan, &err);
        if (!run->engines[i].forecast)
            die(&err);
    }
    if (work_open(&run->work, n, predict_slot, run, &err))
        die(&err);
}

/* ---- output ---- */

/* Writes text out. */
static void write_text(struct run *run, struct buf *text)
{
    struct err err;

    need(buf_check(text, &err), &err);
    fwrite(buf_text(text), 1, text->len, run->tool.text);
    buf_clear(text);
}

/* Writes the first line, once. */
static void write_head(struct run *run)
{
    struct buf text = {0};

    if (run->has_head || run->format > FORMAT_JSONL)
        return;
    rows_head(&text, (enum rows_format)run->format, run->has_file,
              run->n_models > 1);
    write_text(run, &text);
    buf_release(&text);
    run->has_head = true;
}

/* Writes results as lines. file: their beginning */
static void write_rows(struct run *run, const char *file,
                       const struct forecast_rows *rows)
{
    struct buf text = {0};
    size_t i;

    write_head(run);
    for (i = 0; i < rows->n; i++) {
        rows_line(&text, (enum rows_format)run->format, file,
                  forecast_time(&run->plan, rows->first + (int64_t)i),
                  rows->eda[i], rows->sd ? &rows->sd[i] : NULL);
        if (text.len > READ_SIZE)
            write_text(run, &text);
    }
    write_text(run, &text);
    buf_release(&text);
}

/* Writes a song as lines. */
static void write_lines(struct run *run, const struct item *item)
{
    struct buf file = {0};
    struct err err;

    if (run->has_file)
        rows_file(&file, (enum rows_format)run->format, item->path);
    need(buf_check(&file, &err), &err);
    write_rows(run, buf_text(&file), &item->rows);
    buf_release(&file);
}

/* Writes a song as an array: columns time, EDA and, of several models, sd. */
static void write_npy(struct run *run, const struct item *item)
{
    const struct forecast_rows *rows = &item->rows;
    size_t wide = rows->sd ? 3 : 2, i;
    struct buf bytes = {0}, path = {0};
    struct err err;
    double *table = mem_alloc(rows->n * wide, sizeof *table, &err);
    struct tensor t = {"table", TENSOR_F64, 2, {rows->n, wide}, table};

    if (!table)
        die(&err);
    for (i = 0; i < rows->n; i++) {
        table[i * wide] = forecast_time(&run->plan, rows->first + (int64_t)i);
        table[i * wide + 1] = (double)rows->eda[i];
        if (rows->sd)
            table[i * wide + 2] = (double)rows->sd[i];
    }
    need(npy_put(&bytes, &t, &err), &err);
    if (run->has_file) {
        buf_printf(&path, "%s/%s.npy", run->tool.output_path, item->song);
        need(buf_check(&path, &err) ||
                 aside_write(buf_text(&path), &bytes, &err),
             &err);
    } else {
        write_text(run, &bytes);
    }
    free(table);
    buf_release(&bytes);
    buf_release(&path);
}

/* Writes a prediction as a frame. */
static void write_frame(struct run *run, const struct item *item)
{
    const struct forecast_rows *rows = &item->rows;
    size_t shape[2] = {rows->n, 1};
    struct buf key = {0};
    struct frame f = {0};
    int64_t num, den;
    struct err err;

    forecast_rate(&run->plan, &num, &den);
    buf_printf(&key, "file/%s", item->song);
    need(buf_check(&key, &err) ||
             frame_set(&f, "key", buf_text(&key), &err) ||
             frame_set(&f, "dataset", "file", &err) ||
             frame_set(&f, "song", item->song, &err) ||
             frame_set_int(&f, "rate_num", num, &err) ||
             frame_set_int(&f, "rate_den", den, &err) ||
             frame_set_num(&f, "t0_s", forecast_time(&run->plan, rows->first),
                           &err) ||
             (run->scale.original &&
              frame_set(&f, "normalisation", "none", &err)) ||
             frame_add(&f, "pred", TENSOR_F32, 2, shape, rows->eda, &err) ||
             (rows->sd && frame_add(&f, "pred_sd", TENSOR_F32, 2, shape,
                                    rows->sd, &err)),
         &err);
    tool_write(&run->tool, &f);
    frame_release(&f);
    buf_release(&key);
}

/* Draws a prediction, between its spread if there is one. */
static void draw(struct run *run, const struct item *item)
{
    const struct forecast_rows *rows = &item->rows;
    struct plot_curve curves[3] = {
        {"prediction", rows->eda, NULL, rows->n},
        {"mean + sd", NULL, NULL, rows->n},
        {"mean - sd", NULL, NULL, rows->n}};
    struct err err;
    float *band = mem_alloc(2 * rows->n, sizeof *band, &err);
    double t0_s = forecast_time(&run->plan, rows->first);
    size_t i;

    if (!band)
        die(&err);
    for (i = 0; i < rows->n && rows->sd; i++) {
        band[i] = rows->eda[i] + rows->sd[i];
        band[rows->n + i] = rows->eda[i] - rows->sd[i];
    }
    curves[1].y = band;
    curves[2].y = band + rows->n;
    need(plot_curves(run->plot, item->song, item->song, t0_s,
                     forecast_time(&run->plan, rows->first + 1) - t0_s,
                     curves, rows->sd ? 3 : 1, &err),
         &err);
    free(band);
}

/* Writes a song that is done, or counts it as bad, and empties its slot. */
static void emit(struct run *run, struct item *item)
{
    if (item->failed) {
        tool_bad(&run->tool, &item->err);
    } else {
        if (run->plot)
            draw(run, item);
        if (run->format == FORMAT_FRAMES)
            write_frame(run, item);
        else if (run->format == FORMAT_NPY)
            write_npy(run, item);
        else
            write_lines(run, item);
        free((float *)(uintptr_t)item->rows.eda); /* predict() made it */
    }
    buf_release(&item->name);
    buf_release(&item->bytes);
    *item = (struct item){0};
}

/* Writes what is done; with `all`, waits for everything under way. */
static void emit_ready(struct run *run, bool all)
{
    size_t slot;

    while (work_ready(&run->work, all, &slot)) {
        emit(run, &run->items[slot]);
        work_done(&run->work);
    }
}

/* Reads the open input into the next slot and hands it over. */
static void take(struct run *run, bool is_stream)
{
    struct item *item = &run->items[work_slot(&run->work)];
    struct tool *t = &run->tool;
    struct err err;

    item->path = t->n_operands ? t->operands[t->next_operand - 1] : "-";
    buf_puts(&item->name, t->in.name);
    if (buf_check(&item->name, &err) ||
        ((run->plot || t->output_is_folder || t->output == TOOL_FRAMES) &&
         songs_add(&run->songs, item->path, &item->song, &err)) ||
        (run->format == FORMAT_JSONL &&
         songs_check(item->path, &err)))
        die(&err);
    if (is_stream) {
        err_set(&item->err, ERR_DATA, "%s: this is a stream, want a sound "
                "file (a2b-eval --predictions predicts for features)",
                t->in.name);
        item->failed = true;
    } else if (stream_slurp(&t->in, &item->bytes, &err)) {
        die(&err);
    }
    work_put(&run->work, item->bytes.len, !is_stream);
    emit_ready(run, false);
}

/* Predicts for every file. */
static void run_files(struct run *run)
{
    bool is_stream;

    open_engines(run);
    while (tool_next(&run->tool, &is_stream))
        take(run, is_stream);
    emit_ready(run, true);
}

/* ---- raw samples ---- */

/* Says how late lines are. */
static void print_latency(const struct run *run,
                          const struct forecast_live *live)
{
    char sum[NUM_SIZE], field[NUM_SIZE], framing[NUM_SIZE], step[NUM_SIZE],
        rate[NUM_SIZE];
    struct forecast_latency l;

    forecast_live_latency(live, &l);
    tool_note(&run->tool, "latency at most %s s: receptive field ahead %s, "
              "framing and resampling %s, --every %s, --rate %s",
              num_float(sum, (float)(l.field_s + l.framing_s + l.step_s +
                                     l.rate_s)),
              num_float(field, (float)l.field_s),
              num_float(framing, (float)l.framing_s),
              num_float(step, (float)l.step_s),
              num_float(rate, (float)l.rate_s));
}

/* Writes what is certain, and lets it go. */
static void write_live(struct run *run, const struct forecast_rows *rows)
{
    write_head(run);
    write_rows(run, "", rows);
    /* nobody who has gone away is worth listening for: finish says it */
    if (fflush(run->tool.text))
        tool_finish(&run->tool);
}

/* The next bytes of standard input; 0 at its end. */
static size_t read_some(unsigned char *bytes)
{
    struct err err;
    ssize_t n;

    do
        n = read(STDIN_FILENO, bytes, READ_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        err_errno(&err, "standard input");
        err.status = ERR_IO;
        die(&err);
    }
    return (size_t)n;
}

/* Reads samples to their end and writes as they come. */
static void listen_on(struct run *run, struct forecast_live *live,
                      struct pcm *pcm)
{
    static unsigned char bytes[READ_SIZE];
    struct forecast_rows rows;
    const float *x;
    struct err err;
    size_t n, n_x;
    int got;

    while ((n = read_some(bytes)) > 0) {
        got = pcm_add(pcm, bytes, n, &x, &n_x, &err) ||
              forecast_live_add(live, x, n_x, &rows, &err);
        if (got)
            err_prefix(&err, "standard input");
        need(got, &err);
        write_live(run, &rows);
    }
    got = forecast_live_end(live, &rows, &err);
    if (!got)
        write_live(run, &rows);
    got = got || pcm_end(pcm, &err);
    if (got)
        err_prefix(&err, "standard input");
    need(got, &err);
}

/* Predicts for standard input as it comes. */
static void run_live(struct run *run)
{
    const struct config_features *conf = &run->ckpts[0].features;
    int64_t rate_hz = run->live.rate_hz ? run->live.rate_hz
                                        : conf->audio_target_sample_rate;
    double frames = run->live.every_s * (double)run->plan.rate_num /
                    (double)run->plan.rate_den;
    struct pcm pcm = {.format = (enum pcm_format)run->live.format,
                      .n_channels = (size_t)run->live.channels,
                      .channels = conf->audio_channels};
    struct forecast_live *live;
    struct err err;

    if (rate_hz < 1)
        tool_usage_error("--stream: which sampling rate? --input-rate HZ");
    if (isatty(STDIN_FILENO))
        tool_usage_error("standard input is a terminal: give a pipe");
    live = forecast_live_open(&run->plan, conf, (uint32_t)rate_hz,
                              frames > 1 ? (size_t)(frames + 0.5) : 1, &err);
    if (!live) {
        err_prefix(&err, "%s", run->model_paths[0]);
        die(&err);
    }
    print_latency(run, live);
    listen_on(run, live, &pcm);
    forecast_live_close(live);
    pcm_release(&pcm);
}

/* Ends the threads and frees everything. */
static void release(struct run *run)
{
    size_t n = run->work.n_threads, i;

    if (n)
        work_close(&run->work);
    for (i = 0; i < n; i++) {
        forecast_close(run->engines[i].forecast);
        mfcc_converter_release(&run->engines[i].converter);
        frame_release(&run->engines[i].features);
    }
    free(run->engines);
    for (i = 0; i < run->n_models; i++)
        ckpt_model_release(&run->ckpts[i]);
    free(run->ckpts);
    free(run->models);
    free(run->model_paths);
    songs_release(&run->songs);
    operands_release(&run->inputs);
    tool_release(&run->tool);
}

int main(int argc, char **argv)
{
    static struct run run;

    tool_init(&run.tool, argc, argv, usage, TOOL_TEXT);
    parse(&run, argc, argv);
    open_files(&run, argc - optind, argv + optind);
    load_models(&run);
    choose_scale(&run);
    if (run.live.on)
        run_live(&run);
    else
        run_files(&run);
    write_head(&run);
    tool_finish(&run.tool);
    release(&run);
    return 0;
}
