/*
 * a2b-eval - score a model beside baselines.
 *
 * In:  mfcc and eda frames, in any order, from any number of streams; a
 *      checkpoint or its predictions; perhaps a second one.
 * Out: a table, or one JSON object; on request prediction frames, a line for
 *      every recording, and plots.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/num.h"
#include "batch/pairs.h"
#include "eval/report.h"
#include "tool/aside.h"
#include "tool/plot.h"
#include "tool/tool.h"
#include "train/ckpt.h"

static const char usage[] =
    "usage: a2b-eval [-hqvV] [--json] [-c file] [--compare model] [-j n]\n"
    "                [-k n] -m model [-o file] [--per-recording file]\n"
    "                [--plot dir] [--predictions file] [--seed n]\n"
    "                [--set key=value] [--train file] [file ...]\n"
    "      --compare PATH     another model, for differences recording by\n"
    "                         recording\n"
    "      --json             one JSON object instead of the table\n"
    "  -m, --model PATH       checkpoint folder, a link to it, its model\n"
    "                         file, or a stream of predictions\n"
    "      --per-recording FILE\n"
    "                         write the metrics of every recording as TSV\n"
    "      --plot DIR         draw the best, median and worst recording\n"
    "      --predictions FILE write prediction frames\n"
    "      --seed N           of intervals and permutations [42]\n"
    "      --train FILE       training features, for the baseline ridge and\n"
    "                         the check that no song or listener is in both;\n"
    "                         may be repeated\n";

/* Ends of a song and a recording may differ by this, in seconds. */
#define MAX_SKEW_S 2.0

/* Own options. */
enum { OPT_COMPARE = TOOL_OPT_OWN, OPT_JSON, OPT_PER_RECORDING, OPT_PLOT,
       OPT_PREDICTIONS, OPT_SEED, OPT_TRAIN };

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

/* Refuses one of our files if it is standard output, or taken. */
static void check_output(const char *option, const char *path,
                         const char *taken_by, const char *taken)
{
    if (path && !strcmp(path, "-"))
        tool_usage_error("%s wants a file: standard output is for the scores",
                         option);
    if (path && taken && !strcmp(path, taken))
        tool_usage_error("%s and %s name one file: %s", taken_by, option,
                         path);
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
    check_output("--predictions", run->predictions, "-o",
                 run->tool.output_path);
    check_output("--per-recording", run->per_recording, "-o",
                 run->tool.output_path);
    check_output("--predictions", run->predictions, "--per-recording",
                 run->per_recording);
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
        tool_warn(&run->tool, "no baseline time_curve: %s: predictions have "
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
    tool_warn(&run->tool, "no baseline time_curve: %s", err.text);
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
        tool_warn(&run->tool, "%zu of %zu recordings end over %s s before or "
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
        tool_warn(&run->tool, "leakage: %zu song%s in training too", songs,
                  songs == 1 ? " is" : "s are");
    if (subjects)
        tool_warn(&run->tool, "%zu listener%s in training too: this does not "
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
static void draw(struct run *run)
{
    static const char *const names[] = {"best", "median", "worst"};
    const struct pairs *p = &run->pairs;
    size_t n = p->n_recordings, *order, i;
    struct err err;

    order = mem_alloc(n, sizeof *order, &err);
    if (!order)
        die(&err);
    need(report_rank(&run->report, order, &err), &err);
    for (i = 0; i < 3; i++) {
        size_t at = order[i * (n - 1) / 2];
        const struct pairs_recording *r = &p->recordings[at];
        struct plot_curve curves[] = {
            {"EDA", r->eda, r->valid, r->T},
            {"prediction", run->model.infer.pred[at], NULL, r->T}};

        need(plot_curves(run->plot, names[i], r->key, p->t0_s,
                         (double)p->rate_den / (double)p->rate_num, curves, 2,
                         &err),
             &err);
    }
    free(order);
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
        tool_warn(&run->tool, "the model does not beat %s: %s less its is %s "
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
    frame_release(&run->dataset);
    tool_release(&run->tool);
}

int main(int argc, char **argv)
{
    struct run run = {0};

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
        draw(&run);
    write_scores(&run);
    if (run.per_recording)
        write_recordings(&run);
    if (run.predictions)
        write_predictions(&run);
    tool_finish(&run.tool);
    release(&run);
    return 0;
}
