/*
 * a2b-predict - electrodermal activity from songs.
 *
 * In:  sound files and a checkpoint.
 * Out: CSV "time_s,eda" (several files: "file,time_s,eda"), or prediction
 *      frames; plots on request.
 */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "signal/mfcc.h"
#include "tool/plot.h"
#include "tool/tool.h"
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

/* The whole run. */
struct run {
    struct tool tool;                /* options, inputs, output */
    const char *model_path;          /* -m */
    const char *plot;                /* --plot, NULL: none */
    struct ckpt_model ckpt;          /* the model */
    struct mfcc_converter converter; /* sound to features */
    struct model_work *work;         /* activations */
    struct frame features;           /* of the song at hand */
    struct buf bytes;                /* of the sound file at hand */
    struct buf song;                 /* its name without folder and suffix */
    const float *y;                  /* (T) prediction of the song at hand */
    size_t T;                        /* frames of it */
    size_t n_done;                   /* songs written */
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

/* Loads the checkpoint and sets up its features. */
static void load(struct run *run)
{
    struct err err;

    if (ckpt_load_model(&run->ckpt, run->model_path, &err))
        die(&err);
    if (run->ckpt.model.output_size != 1) {
        err_set(&err, ERR_DATA, "%s: %zu outputs, want 1", run->ckpt.path,
                run->ckpt.model.output_size);
        die(&err);
    }
    mfcc_converter_init(&run->converter, &run->ckpt.features);
    run->work = model_work_open(&run->ckpt.model, 1, 0, &err);
    if (!run->work)
        die(&err);
}

/* Notes the song's name: the file's without folder and suffix. */
static void name_song(struct run *run, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');

    buf_clear(&run->song);
    if (!strcmp(path, "-"))
        buf_puts(&run->song, "stdin");
    else
        buf_put(&run->song, base,
                dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

/* Checks that a song's frames are those the model was trained on. */
static int check_rate(const struct run *run, const char *name,
                      struct err *err)
{
    int64_t num, den;

    if (frame_need_int(&run->features, "rate_num", 1, INT32_MAX, &num, err) ||
        frame_need_int(&run->features, "rate_den", 1, INT32_MAX, &den, err))
        return -1;
    if ((uint64_t)num != run->ckpt.rate_num ||
        (uint64_t)den != run->ckpt.rate_den)
        return err_set(err, ERR_DATA, "%s: %lld/%lld frames a second, the "
                       "model was trained on %llu/%llu: resample the song",
                       name, (long long)num, (long long)den,
                       (unsigned long long)run->ckpt.rate_num,
                       (unsigned long long)run->ckpt.rate_den);
    return 0;
}

/* Predicts for the sound file that is open. */
static int predict(struct run *run, bool is_stream, struct err *err)
{
    const char *name = run->tool.in.name;
    const struct tensor *mfcc;

    if (is_stream)
        return err_set(err, ERR_DATA, "%s: this is a stream, want a sound "
                       "file (a2b-eval --predictions predicts for features)",
                       name);
    buf_clear(&run->bytes);
    frame_clear(&run->features);
    if (stream_slurp(&run->tool.in, &run->bytes, err) ||
        mfcc_convert(&run->converter, run->bytes.data, run->bytes.len, name,
                     &run->features, err) ||
        check_rate(run, name, err) ||
        frame_need_tensor(&run->features, "mfcc", TENSOR_F32, 2, &mfcc, err))
        return -1;
    run->T = mfcc->shape[0];
    return model_forward(&run->ckpt.model, run->work, mfcc->data, run->T,
                         NULL, &run->y, err);
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

/* Writes the prediction as lines of CSV. */
static void write_csv(struct run *run, const char *path)
{
    char t[NUM_SIZE], y[NUM_SIZE];
    struct buf name = {0};
    size_t k;

    if (run->tool.n_operands > 1) {
        put_field(&name, path);
        buf_puts(&name, ",");
    }
    if (run->n_done == 0)
        fprintf(run->tool.text, "%stime_s,eda\n", name.len ? "file," : "");
    for (k = 0; k < run->T; k++) {
        double time_s = run->ckpt.t0_s + (double)(k * run->ckpt.rate_den) /
                                             (double)run->ckpt.rate_num;

        fprintf(run->tool.text, "%s%s,%s\n", buf_text(&name),
                num_double(t, time_s), num_float(y, run->y[k]));
    }
    buf_release(&name);
}

/* Writes the prediction as a frame. */
static void write_frame(struct run *run)
{
    size_t shape[2] = {run->T, 1};
    struct buf key = {0};
    struct frame f = {0};
    struct err err;

    buf_printf(&key, "file/%s", buf_text(&run->song));
    if (buf_check(&key, &err) ||
        frame_set(&f, "key", buf_text(&key), &err) ||
        frame_set(&f, "dataset", "file", &err) ||
        frame_set(&f, "song", buf_text(&run->song), &err) ||
        frame_set_int(&f, "rate_num", (int64_t)run->ckpt.rate_num, &err) ||
        frame_set_int(&f, "rate_den", (int64_t)run->ckpt.rate_den, &err) ||
        frame_set_num(&f, "t0_s", run->ckpt.t0_s, &err) ||
        frame_add(&f, "pred", TENSOR_F32, 2, shape, run->y, &err))
        die(&err);
    tool_write(&run->tool, &f);
    frame_release(&f);
    buf_release(&key);
}

/* Draws the prediction. */
static void draw(struct run *run)
{
    struct plot_curve curve = {"prediction", run->y, NULL, run->T};
    struct err err;

    if (plot_curves(run->plot, buf_text(&run->song), buf_text(&run->song),
                    run->ckpt.t0_s,
                    (double)run->ckpt.rate_den / (double)run->ckpt.rate_num,
                    &curve, 1, &err))
        die(&err);
}

/* Frees everything. */
static void release(struct run *run)
{
    model_work_close(run->work);
    mfcc_converter_release(&run->converter);
    frame_release(&run->features);
    buf_release(&run->bytes);
    buf_release(&run->song);
    ckpt_model_release(&run->ckpt);
    tool_release(&run->tool);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    const char *path;
    struct err err;
    bool is_stream;

    tool_init(&run.tool, argc, argv, usage, TOOL_TEXT);
    parse(&run, argc, argv);
    tool_open(&run.tool, argc - optind, argv + optind);
    load(&run);
    while (tool_next(&run.tool, &is_stream)) {
        path = run.tool.n_operands
                   ? run.tool.operands[run.tool.next_operand - 1]
                   : "-";
        name_song(&run, path);
        if (predict(&run, is_stream, &err)) {
            tool_bad(&run.tool, &err);
            continue;
        }
        if (run.tool.output == TOOL_FRAMES)
            write_frame(&run);
        else
            write_csv(&run, path);
        if (run.plot)
            draw(&run);
        run.n_done++;
    }
    tool_finish(&run.tool);
    release(&run);
    return 0;
}
