/*
 * a2b-predict - electrodermal activity from songs.
 *
 * In:  sound files and a checkpoint.
 * Out: CSV "time_s,eda" (several files: "file,time_s,eda"), or prediction
 *      frames; plots on request.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "signal/mfccframe.h"
#include "tool/plot.h"
#include "tool/songs.h"
#include "tool/tool.h"
#include "tool/work.h"
#include "train/ckpt.h"

static const char usage[] =
    "usage: a2b-predict [-hqvV] [--frames] [-c file] [-j n] [-k n] -m model\n"
    "                   [-o file] [--plot dir] [--set key=value] [file ...]\n"
    "      --frames           write prediction frames instead of CSV\n"
    "  -m, --model PATH       checkpoint folder, a link to it, or its model\n"
    "                         file\n"
    "      --plot DIR         draw each prediction into DIR\n";

/* Own options. */
enum { OPT_FRAMES = TOOL_OPT_OWN, OPT_PLOT };

/* One song on its way through the threads. */
struct item {
    const char *path; /* operand, borrowed */
    const char *song; /* its name, borrowed; NULL: not asked for */
    struct buf name;  /* the input's, for messages */
    struct buf bytes; /* of the sound file */
    float *y;         /* (T) prediction, owned */
    size_t T;         /* frames */
    bool failed;      /* err holds why */
    struct err err;   /* of this song */
};

/* What a thread has for itself. */
struct engine {
    struct mfccframe converter; /* sound to features */
    struct frame features;           /* of the song at hand */
    struct model_work *work;         /* activations */
};

/* The whole run. */
struct run {
    struct tool tool;              /* options, inputs, output */
    const char *model_path;        /* -m */
    const char *plot;              /* --plot, NULL: none */
    struct ckpt_model ckpt;        /* the model */
    struct engine *engines;        /* one a thread, owned */
    struct work work;              /* the threads */
    struct item items[WORK_SLOTS]; /* songs under way */
    struct songs songs;            /* names, if they are asked for */
    bool has_head;                 /* the CSV's first line is written */
};

/* Parses the command line. */
static void parse(struct run *run, int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"frames", no_argument, NULL, OPT_FRAMES},
        {"model", required_argument, NULL, 'm'},
        {"plot", required_argument, NULL, OPT_PLOT},
        {0}};
    int c;

    while ((c = getopt_long(argc, argv, TOOL_SHORT "m:", longs, NULL)) !=
           -1) {
        if (c == 'm')
            run->model_path = optarg;
        else if (c == OPT_FRAMES)
            run->tool.output = TOOL_FRAMES;
        else if (c == OPT_PLOT)
            run->plot = optarg;
        else
            tool_option(&run->tool, c);
    }
    tool_config(&run->tool);
    if (!run->model_path)
        tool_usage_error("which model? -m CHECKPOINT");
}

/* Loads the checkpoint. */
static void load_model(struct run *run)
{
    struct err err;
    char hex[17];

    if (ckpt_load_predictor(&run->ckpt, run->model_path, hex, &err))
        die(&err);
    tool_setting_text(&run->tool, "weights", hex);
}

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
    const float *y;

    frame_clear(&e->features);
    if (mfccframe_convert(&e->converter, item->bytes.data, item->bytes.len,
                          name, &e->features, err) ||
        check_features(c, &e->features, name, err))
        return -1;
    mfcc = frame_tensor(&e->features, "mfcc");
    item->T = mfcc->shape[0];
    if (model_forward(&c->model, e->work, mfcc->data, item->T, NULL, &y, err))
        return -1;
    item->y = mem_alloc(item->T, sizeof *y, err);
    if (!item->y)
        return -1;
    memcpy(item->y, y, item->T * sizeof *y);
    return 0;
}

/* Predicts for the song in a slot; a work_run. */
static void predict_slot(void *ctx, size_t thread, size_t slot)
{
    struct run *run = ctx;
    struct item *item = &run->items[slot];

    item->failed = predict(&run->ckpt, &run->engines[thread], item,
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
        mfccframe_init(&run->engines[i].converter, &run->ckpt.features);
        run->engines[i].work = model_work_open(&run->ckpt.model, 1, 0, &err);
        if (!run->engines[i].work)
            die(&err);
    }
    if (work_open(&run->work, n, predict_slot, run, &err))
        die(&err);
}

/* Appends a field of CSV, quoted where it must be. */
static void put_field(struct buf *b, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        buf_puts(b, text);
        return;
    }
    buf_puts(b, "\"");
    for (; *text; text++)
        buf_puts(b, *text == '"' ? "\"\"" : (char[]){*text, '\0'});
    buf_puts(b, "\"");
}

/* Writes the first line of the CSV, once. */
static void write_head(struct run *run)
{
    if (run->has_head)
        return;
    fprintf(run->tool.text, "%stime_s,eda\n",
            run->tool.n_operands > 1 ? "file," : "");
    run->has_head = true;
}

/* Writes a prediction as lines of CSV. */
static void write_csv(struct run *run, const struct item *item)
{
    const struct ckpt_model *c = &run->ckpt;
    char t[NUM_SIZE], y[NUM_SIZE];
    struct buf file = {0};
    struct err err;
    size_t k;

    if (run->tool.n_operands > 1) {
        put_field(&file, item->path);
        buf_puts(&file, ",");
    }
    if (buf_check(&file, &err))
        die(&err);
    write_head(run);
    for (k = 0; k < item->T; k++) {
        double time_s = c->t0_s +
                        (double)(k * c->rate_den) / (double)c->rate_num;

        fprintf(run->tool.text, "%s%s,%s\n", buf_text(&file),
                num_double(t, time_s), num_float(y, item->y[k]));
    }
    buf_release(&file);
}

/* Writes a prediction as a frame. */
static void write_frame(struct run *run, const struct item *item)
{
    size_t shape[2] = {item->T, 1};
    struct buf key = {0};
    struct frame f = {0};
    struct err err;

    buf_printf(&key, "file/%s", item->song);
    if (buf_check(&key, &err) ||
        frame_set(&f, "key", buf_text(&key), &err) ||
        frame_set(&f, "dataset", "file", &err) ||
        frame_set(&f, "song", item->song, &err) ||
        frame_set_int(&f, "rate_num", (int64_t)run->ckpt.rate_num, &err) ||
        frame_set_int(&f, "rate_den", (int64_t)run->ckpt.rate_den, &err) ||
        frame_set_num(&f, "t0_s", run->ckpt.t0_s, &err) ||
        frame_add(&f, "pred", TENSOR_F32, 2, shape, item->y, &err))
        die(&err);
    tool_write(&run->tool, &f);
    frame_release(&f);
    buf_release(&key);
}

/* Draws a prediction. */
static void draw(struct run *run, const struct item *item)
{
    struct plot_curve curve = {"prediction", item->y, NULL, item->T};
    struct err err;

    if (plot_curves(run->plot, item->song, item->song, run->ckpt.t0_s,
                    (double)run->ckpt.rate_den / (double)run->ckpt.rate_num,
                    &curve, 1, &err))
        die(&err);
}

/* Writes a song that is done, or counts it as bad, and empties its slot. */
static void emit(struct run *run, struct item *item)
{
    if (item->failed) {
        tool_bad(&run->tool, &item->err);
    } else {
        if (run->plot)
            draw(run, item);
        if (run->tool.output == TOOL_FRAMES)
            write_frame(run, item);
        else
            write_csv(run, item);
    }
    buf_release(&item->name);
    buf_release(&item->bytes);
    free(item->y);
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
        ((run->plot || t->output == TOOL_FRAMES) &&
         songs_add(&run->songs, item->path, &item->song, &err)))
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

/* Ends the threads and frees everything. */
static void release(struct run *run)
{
    size_t n = run->work.n_threads, i;

    work_close(&run->work);
    for (i = 0; i < n; i++) {
        model_work_close(run->engines[i].work);
        mfccframe_release(&run->engines[i].converter);
        frame_release(&run->engines[i].features);
    }
    free(run->engines);
    songs_release(&run->songs);
    ckpt_model_release(&run->ckpt);
    tool_release(&run->tool);
}

int main(int argc, char **argv)
{
    static struct run run;
    bool is_stream;

    tool_init(&run.tool, argc, argv, usage, TOOL_TEXT);
    parse(&run, argc, argv);
    tool_open(&run.tool, argc - optind, argv + optind);
    load_model(&run);
    open_engines(&run);
    while (tool_next(&run.tool, &is_stream))
        take(&run, is_stream);
    emit_ready(&run, true);
    if (run.tool.output == TOOL_TEXT)
        write_head(&run);
    tool_finish(&run.tool);
    release(&run);
    return 0;
}
