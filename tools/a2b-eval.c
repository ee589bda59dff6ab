/*
 * a2b-eval - score a model beside baselines.
 *
 * In:  mfcc and eda frames, in any order, from any number of streams; a
 *      checkpoint or its predictions; perhaps a second one.
 * Out: a table, or one JSON object; on request prediction frames, a line for
 *      every recording, plots, and a page with all of it.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/num.h"
#include "batch/pairs.h"
#include "eval/lagcurve.h"
#include "eval/page.h"
#include "eval/report.h"
#include "store/tempdir.h"
#include "tool/aside.h"
#include "tool/plot.h"
#include "tool/tool.h"
#include "train/ckpt.h"

static const char usage[] =
    "usage: a2b-eval [-hqvV] [--json] [-c file] [--compare model] [-j n]\n"
    "                [-k n] -m model [-o file] [--per-recording file]\n"
    "                [--plot dir] [--predictions file] [--report file]\n"
    "                [--seed n] [--set key=value] [--train file] [file ...]\n"
    "      --compare PATH     another model, for differences recording by\n"
    "                         recording\n"
    "      --json             one JSON object instead of the table\n"
    "  -m, --model PATH       checkpoint folder, a link to it, its model\n"
    "                         file, or a stream of predictions\n"
    "      --per-recording FILE\n"
    "                         write the metrics of every recording as TSV\n"
    "      --plot DIR         draw the best, median and worst recording, how\n"
    "                         r is spread, and r by lag\n"
    "      --predictions FILE write prediction frames\n"
    "      --report FILE      write scores and plots as one HTML page\n"
    "      --seed N           of intervals and permutations [42]\n"
    "      --train FILE       training features, for the baseline ridge and\n"
    "                         the check that no song or listener is in both;\n"
    "                         may be repeated\n";

/* Ends of a song and a recording may differ by this, in seconds. */
#define MAX_SKEW_S 2.0

/* Own options. */
enum { OPT_COMPARE = TOOL_OPT_OWN, OPT_JSON, OPT_PER_RECORDING, OPT_PLOT,
       OPT_PREDICTIONS, OPT_REPORT, OPT_SEED, OPT_TRAIN };

/* A picture: the name of its file, and what the page says below it. */
struct picture {
    const char *name;    /* of the file */
    const char *caption; /* below it */
};

/* The pictures; the first N_OVERLAYS are recordings and their predictions. */
static const struct picture pictures[] = {
    {"best", "The recording with the highest r, and its prediction"},
    {"median", "The recording in the middle, and its prediction"},
    {"worst", "The recording with the lowest r, and its prediction"},
    {"r", "Pearson r of the recordings"},
    {"lag", "Mean r over recordings when the prediction is shifted; positive "
            "lags: it is late"}};

/* How many of them there are. */
enum { N_OVERLAYS = 3, N_PICTURES = sizeof pictures / sizeof pictures[0] };

/* Where pictures for the page alone are drawn. */
static struct tempdir private_folder;

/* A model that is scored: a checkpoint, or a stream of its predictions. */
struct scored {
    const char *path;       /* as given; NULL: none */
    bool is_stream;         /* predictions, no checkpoint */
    struct ckpt_model ckpt; /* the model, unless is_stream */
    struct infer infer;     /* its predictions */
};

/* The whole run. */
struct run {
    struct tool tool;        /* options, inputs, output */
    struct scored model;     /* -m */
    struct scored other;     /* --compare */
    const char *per_recording; /* --per-recording, NULL: none */
    const char *plot;        /* --plot, NULL: none */
    const char *predictions; /* --predictions, NULL: none */
    const char *page;        /* --report, NULL: none */
    char **remarks;          /* n_remarks warnings for the page, owned */
    size_t n_remarks;        /* how many */
    size_t remarks_cap;      /* room in remarks */
    bool json;               /* --json */
    uint64_t seed;           /* --seed */
    const char **train;      /* --train, n_train of them, owned */
    size_t n_train;          /* how many */
    size_t train_cap;        /* room in train */
    struct pairs trained;    /* what they hold */
    struct ridge ridge;      /* fitted to it */
    struct frame dataset;    /* the model's dataset frame, empty if none */
    struct pairs pairs;      /* what it is scored on */
    struct report report;    /* its scores */
};

/* Dies unless a step of the library went well. */
static void need(int got, const struct err *err)
{
    if (got)
        die(err);
}

/* Takes one of our own options. */
static void own_option(struct run *run, int c)
{
    const char **grown;
    struct err err;

    switch (c) {
    case 'm':
        run->model.path = optarg;
        break;
    case OPT_COMPARE:
        run->other.path = optarg;
        break;
    case OPT_PER_RECORDING:
        run->per_recording = optarg;
        break;
    case OPT_JSON:
        run->json = true;
        break;
    case OPT_PLOT:
        run->plot = optarg;
        break;
    case OPT_PREDICTIONS:
        run->predictions = optarg;
        break;
    case OPT_REPORT:
        run->page = optarg;
        break;
    case OPT_SEED:
        run->seed = (uint64_t)tool_int("--seed", optarg, 0, INT64_MAX);
        break;
    default:
        grown = mem_grow(run->train, &run->train_cap, run->n_train + 1,
                         sizeof *grown, &err);
        if (!grown)
            die(&err);
        run->train = grown;
        run->train[run->n_train++] = optarg;
    }
}

/* Refuses one of our files if it is standard output, or another's. */
static void check_outputs(const struct run *run)
{
    const struct {
        const char *option; /* that names it */
        const char *path;   /* NULL: not given */
    } files[] = {{"-o", run->tool.output_path},
                 {"--per-recording", run->per_recording},
                 {"--predictions", run->predictions},
                 {"--report", run->page}};
    size_t n = sizeof files / sizeof files[0], i, k;

    for (i = 1; i < n; i++) {
        if (files[i].path && !strcmp(files[i].path, "-"))
            tool_usage_error("%s wants a file: standard output is for the "
                             "scores", files[i].option);
        for (k = 0; k < i && files[i].path; k++) {
            if (files[k].path && !strcmp(files[i].path, files[k].path))
                tool_usage_error("%s and %s name one file: %s",
                                 files[k].option, files[i].option,
                                 files[i].path);
        }
    }
}

/* Parses the command line. */
static void parse(struct run *run, int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"compare", required_argument, NULL, OPT_COMPARE},
        {"json", no_argument, NULL, OPT_JSON},
        {"model", required_argument, NULL, 'm'},
        {"per-recording", required_argument, NULL, OPT_PER_RECORDING},
        {"plot", required_argument, NULL, OPT_PLOT},
        {"predictions", required_argument, NULL, OPT_PREDICTIONS},
        {"report", required_argument, NULL, OPT_REPORT},
        {"seed", required_argument, NULL, OPT_SEED},
        {"train", required_argument, NULL, OPT_TRAIN},
        {0}};
    int c;

    run->seed = 42;
    while ((c = getopt_long(argc, argv, TOOL_SHORT "m:", longs, NULL)) !=
           -1) {
        if (c == 'm' || c >= TOOL_OPT_OWN)
            own_option(run, c);
        else
            tool_option(&run->tool, c);
    }
    tool_config(&run->tool);
    if (!run->model.path)
        tool_usage_error("which model? -m CHECKPOINT");
    check_outputs(run);
}

/*
 * Whether a path is a stream of predictions: a file that is there, and by
 * its name no model file.
 */
static bool is_stream(const char *path)
{
    const char *dot = strrchr(path, '.');
    struct stat st;

    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode) &&
           !(dot && !strcmp(dot, ".safetensors"));
}

/* Warns, and keeps the warning for the page. */
static void remark(struct run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void remark(struct run *run, const char *fmt, ...)
{
    struct err text, err;
    va_list args;
    char **grown;

    va_start(args, fmt);
    vsnprintf(text.text, sizeof text.text, fmt, args);
    va_end(args);
    tool_warn(&run->tool, "%s", text.text);
    grown = mem_grow(run->remarks, &run->remarks_cap, run->n_remarks + 1,
                     sizeof *grown, &err);
    if (!grown)
        die(&err);
    run->remarks = grown;
    run->remarks[run->n_remarks] = mem_string(text.text, &err);
    if (!run->remarks[run->n_remarks++])
        die(&err);
}

/* Loads a checkpoint and notes its weights; a stream has to wait. */
static void load_model(struct run *run, struct scored *m, const char *setting)
{
    struct err err;
    char hex[17];

    m->is_stream = is_stream(m->path);
    if (m->is_stream)
        return;
    need(ckpt_load_predictor(&m->ckpt, m->path, hex, &err), &err);
    tool_setting_text(&run->tool, setting, hex);
}

/* Loads the checkpoint's dataset frame, where there is one. */
static void load_dataset(struct run *run)
{
    struct err err;

    if (run->model.is_stream) {
        remark(run, "no baseline time_curve: %s: predictions have "
                  "no dataset frame", run->model.path);
        return;
    }
    if (!ckpt_load_dataset(&run->model.ckpt, &run->dataset, &err)) {
        if (frame_check(&run->dataset, &err)) {
            err_prefix(&err, "%s/dataset.safetensors",
                       run->model.ckpt.folder);
            die(&err);
        }
        return;
    }
    if (err.status != ERR_MISSING)
        die(&err);
    remark(run, "no baseline time_curve: %s", err.text);
}

/* A pair that cannot be used: left out within -k. */
static int bad_pair(void *ctx, const struct err *why)
{
    struct run *run = ctx;

    tool_bad(&run->tool, why);
    return 0;
}

/* Reads the features and pairs them; says what was left out. */
static void read_pairs(struct run *run)
{
    struct pairs *p = &run->pairs;
    char skew[NUM_SIZE];
    struct frame f = {0};
    struct err err;

    need(pairs_init(p, &err), &err);
    p->spool_dir = getenv("TMPDIR");
    if (p->spool_dir && !*p->spool_dir)
        p->spool_dir = NULL;
    while (tool_read(&run->tool, &f))
        need(pairs_add(p, &f, run->tool.in.name, &err), &err);
    frame_release(&f);
    need(pairs_join(p, MAX_SKEW_S, bad_pair, run, &err), &err);
    if (p->n_unheard)
        tool_say(&run->tool, "left out %zu song%s without recordings",
                 p->n_unheard, p->n_unheard == 1 ? "" : "s");
    if (p->n_skewed)
        remark(run, "%zu of %zu recordings end over %s s before or "
                  "after their songs", p->n_skewed, p->n_recordings,
                  num_double(skew, MAX_SKEW_S));
}

/* Dies unless the features are those that a model was trained on. */
static void check_features(const struct run *run, const struct scored *m)
{
    const struct ckpt_model *ckpt = &m->ckpt;
    struct err err;

    if (m->is_stream)
        return;
    need(pairs_check_features(&run->pairs, ckpt->features_json,
                              ckpt->rate_num, ckpt->rate_den, ckpt->t0_s,
                              ckpt->path, &err),
         &err);
    if (run->pairs.C != ckpt->model.input_size) {
        err_set(&err, ERR_DATA, "%s wants %zu coefficients, got %zu",
                ckpt->path, ckpt->model.input_size, run->pairs.C);
        die(&err);
    }
}

/*
 * Reads the training features, fits the linear baseline to them, and warns
 * of what is in both.
 */
static void read_train(struct run *run)
{
    struct pairs *p = &run->trained;
    size_t songs, subjects, i;
    struct err err;

    if (!run->n_train) {
        tool_note(&run->tool, "no baseline ridge: it needs --train");
        return;
    }
    need(pairs_init(p, &err), &err);
    p->spool_dir = run->pairs.spool_dir;
    for (i = 0; i < run->n_train; i++)
        need(pairs_read(p, run->train[i], &err), &err);
    need(pairs_join(p, MAX_SKEW_S, bad_pair, run, &err) ||
             pairs_check_features(p, run->pairs.features, run->pairs.rate_num,
                                  run->pairs.rate_den, run->pairs.t0_s,
                                  "what is evaluated", &err) ||
             ridge_fit(&run->ridge, p, &err),
         &err);
    pairs_shared(&run->pairs, p, &songs, &subjects);
    if (songs)
        remark(run, "leakage: %zu song%s in training too", songs,
                  songs == 1 ? " is" : "s are");
    if (subjects)
        remark(run, "%zu listener%s in training too: this does not "
                  "say how the model does for new listeners", subjects,
                  subjects == 1 ? " is" : "s are");
}

/* Sets the metadata of one recording's prediction. */
static int set_prediction(struct frame *f, const struct pairs *p,
                          const struct pairs_recording *r, struct err *err)
{
    return frame_set(f, "key", r->key, err) ||
           frame_set(f, "dataset", r->dataset, err) ||
           frame_set(f, "recording", r->key, err) ||
           (r->subject[0] && frame_set(f, "subject", r->subject, err)) ||
           frame_set(f, "song", r->song_name, err) ||
           frame_set_int(f, "rate_num", (int64_t)p->rate_num, err) ||
           frame_set_int(f, "rate_den", (int64_t)p->rate_den, err) ||
           frame_set_num(f, "t0_s", p->t0_s, err);
}

/* Writes the prediction for every recording. */
static int put_predictions(const struct run *run, struct stream_out *out,
                           struct err *err)
{
    const struct pairs *p = &run->pairs;
    struct frame f = {0};
    int got = 0;
    size_t i;

    for (i = 0; i < p->n_recordings && !got; i++) {
        const struct pairs_recording *r = &p->recordings[i];
        size_t shape[2] = {r->T, 1};

        frame_clear(&f);
        got = set_prediction(&f, p, r, err) ||
              frame_add(&f, "pred", TENSOR_F32, 2, shape,
                        run->model.infer.pred[i], err) ||
              frame_add(&f, "eda", TENSOR_F32, 2, shape, r->eda, err) ||
              frame_add(&f, "valid", TENSOR_U8, 1, shape, r->valid, err) ||
              stream_write(out, &f, err);
    }
    frame_release(&f);
    return got ? -1 : 0;
}

/* Writes --predictions, aside and renamed. */
static void write_predictions(struct run *run)
{
    const struct tool *t = &run->tool;
    struct buf settings = {0}, temp = {0};
    struct stream_out out;
    struct err err;
    int got;

    buf_printf(&settings, "{%s}", buf_text(&t->settings));
    need(buf_check(&settings, &err), &err);
    need(prov_append(&run->tool.prov, t->name, tool_version(),
                     buf_text(&settings), &err),
         &err);
    need(stream_create(&out, run->predictions, &err), &err);
    buf_puts(&temp, out.temp);
    tool_guard(buf_text(&temp));
    got = put_predictions(run, &out, &err) ||
          stream_finish(&out, t->n_failed + t->n_failed_before, &t->prov,
                        &err);
    stream_discard(&out);
    tool_unguard(buf_text(&temp));
    buf_release(&settings);
    buf_release(&temp);
    need(got, &err);
}

/* Draws the best, the median and the worst recording. */
static int draw_overlays(const struct run *run, const char *folder,
                         struct err *err)
{
    const struct pairs *p = &run->pairs;
    size_t n = p->n_recordings, *order, i;
    int got;

    order = mem_alloc(n, sizeof *order, err);
    if (!order)
        return -1;
    got = report_rank(&run->report, order, err);
    for (i = 0; i < N_OVERLAYS && !got; i++) {
        size_t at = order[i * (n - 1) / 2];
        const struct pairs_recording *r = &p->recordings[at];
        struct plot_curve curves[] = {
            {"EDA", r->eda, r->valid, r->T},
            {"prediction", run->model.infer.pred[at], NULL, r->T}};

        got = plot_curves(folder, pictures[i].name, r->key, p->t0_s,
                          (double)p->rate_den / (double)p->rate_num, curves,
                          2, err);
    }
    free(order);
    return got;
}

/* Draws how r is spread over the recordings. */
static int draw_spread(const struct run *run, const char *folder,
                       const struct picture *as, struct err *err)
{
    static const struct plot_axes axes = {"pearson", "recordings"};
    size_t n = run->pairs.n_recordings, i;
    double *r = mem_alloc(n, sizeof *r, err);
    int got;

    if (!r)
        return -1;
    for (i = 0; i < n; i++)
        r[i] = run->report.values[REPORT_MODEL][i * METRIC_N +
                                                METRIC_PEARSON];
    got = plot_histogram(folder, as->name, as->caption, &axes, r, n, -1, 1,
                         err);
    free(r);
    return got;
}

/* Draws r by lag, of the other model too. */
static int draw_lags(const struct run *run, const char *folder,
                     const struct picture *as, struct err *err)
{
    static const struct plot_axes axes = {"lag (s)", "mean pearson"};
    const struct scored *models[] = {&run->model, &run->other};
    size_t n = run->other.path ? 2 : 1, i;
    struct lagcurve lags[2] = {{0}, {0}};
    struct plot_curve curves[2];
    int got = 0;

    for (i = 0; i < n && !got; i++) {
        got = lagcurve_init(&lags[i], &run->pairs, &models[i]->infer,
                            tool_jobs(&run->tool), err);
        curves[i] = (struct plot_curve){models[i]->path, lags[i].mean, NULL,
                                        lags[i].n};
    }
    if (!got)
        got = plot_lines(folder, as->name, as->caption, &axes,
                         lags[0].first_s, lags[0].step_s, curves, n, err);
    lagcurve_release(&lags[0]);
    lagcurve_release(&lags[1]);
    return got;
}

/* Draws all pictures into a folder. */
static int draw(const struct run *run, const char *folder, struct err *err)
{
    const struct picture *rest = pictures + N_OVERLAYS;

    return draw_overlays(run, folder, err) ||
                   draw_spread(run, folder, &rest[0], err) ||
                   draw_lags(run, folder, &rest[1], err)
               ? -1
               : 0;
}

/* Removes the private folder; see tool_at_death(). */
static void remove_private(void)
{
    tempdir_remove(&private_folder);
}

/*
 * Reads the pictures for the page, drawn already with --plot, into svg. Where
 * they cannot be drawn the page says why.
 */
static void take_pictures(struct run *run, struct buf svg[N_PICTURES],
                          struct page_figure figures[N_PICTURES])
{
    const char *parent = getenv("TMPDIR"), *folder = run->plot;
    bool drawn = folder != NULL;
    struct err err, why;
    size_t i;

    if (!folder) {
        tool_at_death(remove_private);
        need(tempdir_open(&private_folder,
                          parent && *parent ? parent : "/tmp", &err),
             &err);
        folder = private_folder.path;
        drawn = !draw(run, folder, &why);
        if (!drawn)
            tool_warn(&run->tool, "%s: no pictures: %s", run->page,
                      why.text);
    }
    for (i = 0; i < N_PICTURES; i++) {
        figures[i].caption = pictures[i].caption;
        figures[i].why = "gnuplot is needed to draw this, and could not.";
        if (drawn) {
            need(plot_read(folder, pictures[i].name, &svg[i], &err), &err);
            figures[i].svg = buf_text(&svg[i]);
        }
    }
    remove_private();
}

/* Writes --report. */
static void write_page(struct run *run)
{
    struct page_figure figures[N_PICTURES] = {{0}};
    struct buf svg[N_PICTURES] = {{0}}, prov = {0}, out = {0}, program = {0};
    struct page page = {.seed = run->seed, .remarks = run->remarks,
                        .n_remarks = run->n_remarks, .figures = figures,
                        .n_figures = N_PICTURES};
    struct err err;
    size_t i;

    take_pictures(run, svg, figures);
    prov_put(&run->tool.prov, &prov);
    buf_printf(&program, "%s %s", run->tool.name, tool_version());
    need(buf_check(&prov, &err) || buf_check(&program, &err), &err);
    page.provenance = buf_text(&prov);
    page.program = buf_text(&program);
    need(page_put(&page, &run->report, &out, &err) ||
             aside_write(run->page, &out, &err),
         &err);
    for (i = 0; i < N_PICTURES; i++)
        buf_release(&svg[i]);
    buf_release(&prov);
    buf_release(&program);
    buf_release(&out);
}

/* Predicts, or reads the predictions. */
static void predict(struct run *run, struct scored *m)
{
    struct err err;

    need(m->is_stream
             ? infer_read(&m->infer, &run->pairs, m->path, &err)
             : infer_run(&m->infer, &m->ckpt.model, &run->pairs,
                         tool_jobs(&run->tool), &err),
         &err);
}

/* Warns of baselines that the model does not beat. */
static void warn_unbeaten(struct run *run)
{
    char mean[NUM_SIZE], lo[NUM_SIZE], hi[NUM_SIZE];
    struct report_difference d;
    enum metric m;
    struct err err;
    bool unbeaten;
    int b;

    for (b = 0; b < BASELINE_N; b++) {
        need(report_unbeaten(&run->report, (enum baseline)b, &unbeaten, &m,
                             &d, &err),
             &err);
        if (!unbeaten)
            continue;
        remark(run, "the model does not beat %s: %s less its is %s "
                  "(95 %% interval %s to %s)",
                  baseline_name((enum baseline)b), metric_name(m),
                  num_float(mean, (float)d.mean), num_float(lo, (float)d.lo),
                  num_float(hi, (float)d.hi));
    }
}

/* Predicts and scores. */
static void evaluate(struct run *run)
{
    const struct tensor *curve = frame_tensor(&run->dataset, "curve");
    struct baseline_source source = {.pairs = &run->pairs,
                                     .model = &run->model.infer};
    struct report_other other = {run->other.path, &run->other.infer};
    struct err err;

    if (curve) {
        source.curve = curve->data;
        source.n_curve = curve->shape[0];
    }
    if (run->n_train)
        source.ridge = &run->ridge;
    predict(run, &run->model);
    if (other.name)
        predict(run, &run->other);
    need(report_init(&run->report, &source, run->model.path,
                     other.name ? &other : NULL, run->seed,
                     tool_jobs(&run->tool), &err),
         &err);
    warn_unbeaten(run);
}

/* Writes --per-recording. */
static void write_recordings(const struct run *run)
{
    struct buf out = {0};
    struct err err;

    need(report_put_recordings(&run->report, &out, &err) ||
             aside_write(run->per_recording, &out, &err),
         &err);
    buf_release(&out);
}

/* Writes the scores, and sees to it that they arrived. */
static void write_scores(struct run *run)
{
    struct buf out = {0};
    struct err err;

    need(run->json ? report_put_json(&run->report, &out, &err)
                   : report_put_table(&run->report, &out, &err),
         &err);
    fwrite(buf_text(&out), 1, out.len, run->tool.text);
    buf_release(&out);
    if (fflush(run->tool.text)) {
        err_errno(&err, "%s", run->tool.text_temp ? run->tool.output_path
                                                  : "standard output");
        err.status = ERR_IO;
        die(&err);
    }
}

/* Frees everything. */
static void release(struct run *run)
{
    report_release(&run->report);
    infer_release(&run->model.infer);
    infer_release(&run->other.infer);
    ckpt_model_release(&run->model.ckpt);
    ckpt_model_release(&run->other.ckpt);
    pairs_release(&run->pairs);
    pairs_release(&run->trained);
    free(run->train);
    while (run->n_remarks)
        free(run->remarks[--run->n_remarks]);
    free(run->remarks);
    frame_release(&run->dataset);
    tool_release(&run->tool);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct err err;

    tool_init(&run.tool, argc, argv, usage, TOOL_TEXT);
    parse(&run, argc, argv);
    tool_open(&run.tool, argc - optind, argv + optind);
    load_model(&run, &run.model, "weights");
    if (run.other.path)
        load_model(&run, &run.other, "compared_weights");
    load_dataset(&run);
    read_pairs(&run);
    check_features(&run, &run.model);
    if (run.other.path)
        check_features(&run, &run.other);
    read_train(&run);
    evaluate(&run);
    if (run.plot)
        need(draw(&run, run.plot, &err), &err);
    write_scores(&run);
    if (run.page)
        write_page(&run);
    if (run.per_recording)
        write_recordings(&run);
    if (run.predictions)
        write_predictions(&run);
    tool_finish(&run.tool);
    release(&run);
    return 0;
}
