/*
 * a2b-eval - score a model beside baselines.
 *
 * In:  mfcc and eda frames, in any order, from any number of streams; a
 *      checkpoint.
 * Out: a table, or one JSON object; on request prediction frames and plots.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "batch/pairs.h"
#include "eval/report.h"
#include "tool/plot.h"
#include "tool/tool.h"
#include "train/ckpt.h"

static const char usage[] =
    "usage: a2b-eval [-hqvV] [--json] [-c file] [-j n] [-k n] -m model\n"
    "                [-o file] [--plot dir] [--predictions file]\n"
    "                [--seed n] [--set key=value] [file ...]\n"
    "      --json             one JSON object instead of the table\n"
    "  -m, --model PATH       checkpoint folder, a link to it, or its model\n"
    "                         file\n"
    "      --plot DIR         draw the best, median and worst recording\n"
    "      --predictions FILE write prediction frames\n"
    "      --seed N           of the intervals [42]\n";

/* Own options. */
enum { OPT_JSON = TOOL_OPT_OWN, OPT_PLOT, OPT_PREDICTIONS, OPT_SEED };

/* The whole run. */
struct run {
    struct tool tool;             /* options, inputs, output */
    const char *model_path;       /* -m */
    const char *plot;             /* --plot, NULL: none */
    const char *predictions;      /* --predictions, NULL: none */
    bool json;                    /* --json */
    uint64_t seed;                /* --seed */
    struct ckpt_model ckpt;       /* the model */
    struct frame dataset;         /* its dataset frame, empty if it has none */
    struct pairs pairs;           /* what it is scored on */
    struct infer infer;           /* its predictions */
    struct report report;         /* its scores */
};

/* Dies unless a step of the library went well. */
static void need(int got, const struct err *err)
{
    if (got)
        die(err);
}

/* Parses the command line. */
static void parse(struct run *run, int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"json", no_argument, NULL, OPT_JSON},
        {"model", required_argument, NULL, 'm'},
        {"plot", required_argument, NULL, OPT_PLOT},
        {"predictions", required_argument, NULL, OPT_PREDICTIONS},
        {"seed", required_argument, NULL, OPT_SEED},
        {0}};
    int c;

    run->seed = 42;
    while ((c = getopt_long(argc, argv, TOOL_SHORT "m:", longs, NULL)) !=
           -1) {
        if (c == 'm')
            run->model_path = optarg;
        else if (c == OPT_JSON)
            run->json = true;
        else if (c == OPT_PLOT)
            run->plot = optarg;
        else if (c == OPT_PREDICTIONS)
            run->predictions = optarg;
        else if (c == OPT_SEED)
            run->seed = (uint64_t)tool_int("--seed", optarg, 0, INT64_MAX);
        else
            tool_option(&run->tool, c);
    }
    tool_config(&run->tool);
    if (!run->model_path)
        tool_usage_error("which model? -m CHECKPOINT");
}

/* Loads the checkpoint and, where there is one, its dataset frame. */
static void load(struct run *run)
{
    struct err err;

    need(ckpt_load_model(&run->ckpt, run->model_path, &err), &err);
    if (run->ckpt.model.output_size != 1) {
        err_set(&err, ERR_DATA, "%s: %zu outputs, want 1", run->ckpt.path,
                run->ckpt.model.output_size);
        die(&err);
    }
    if (ckpt_load_dataset(&run->ckpt, &run->dataset, &err)) {
        if (err.status != ERR_MISSING)
            die(&err);
        tool_warn(&run->tool, "%s (no time curve)", err.text);
    }
}

/* A pair that cannot be used: left out within -k. */
static int bad_pair(void *ctx, const struct err *why)
{
    struct run *run = ctx;

    tool_bad(&run->tool, why);
    return 0;
}

/* Reads the features and pairs them. */
static void read_pairs(struct run *run)
{
    struct frame f = {0};
    struct err err;

    need(pairs_init(&run->pairs, &err), &err);
    while (tool_read(&run->tool, &f))
        need(pairs_add(&run->pairs, &f, run->tool.in.name, &err), &err);
    frame_release(&f);
    need(pairs_join(&run->pairs, 2.0, bad_pair, run, &err), &err);
    need(pairs_check_features(&run->pairs, run->ckpt.features_json,
                              run->ckpt.rate_num, run->ckpt.rate_den,
                              run->ckpt.t0_s, run->ckpt.path, &err),
         &err);
    if (run->pairs.C != run->ckpt.model.input_size) {
        err_set(&err, ERR_DATA, "%s wants %zu coefficients, got %zu",
                run->ckpt.path, run->ckpt.model.input_size, run->pairs.C);
        die(&err);
    }
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

/* Writes the prediction frames, aside and renamed. */
static void write_predictions(struct run *run)
{
    const struct pairs *p = &run->pairs;
    struct prov prov = {0};
    struct stream_out out;
    struct frame f = {0};
    struct err err;
    size_t i;

    need(prov_join(&prov, &run->tool.prov, &err), &err);
    need(prov_append(&prov, run->tool.name, tool_version(), "{}", &err),
         &err);
    need(stream_create(&out, run->predictions, &err), &err);
    for (i = 0; i < p->n_recordings; i++) {
        const struct pairs_recording *r = &p->recordings[i];
        size_t shape[2] = {r->T, 1};

        frame_clear(&f);
        if (set_prediction(&f, p, r, &err) ||
            frame_add(&f, "pred", TENSOR_F32, 2, shape, run->infer.pred[i],
                      &err) ||
            frame_add(&f, "eda", TENSOR_F32, 2, shape, r->eda, &err) ||
            frame_add(&f, "valid", TENSOR_U8, 1, shape, r->valid, &err) ||
            stream_write(&out, &f, &err)) {
            stream_discard(&out);
            die(&err);
        }
    }
    if (stream_finish(&out, run->tool.n_failed, &prov, &err)) {
        stream_discard(&out);
        die(&err);
    }
    stream_discard(&out);
    frame_release(&f);
    prov_release(&prov);
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
            {"prediction", run->infer.pred[at], NULL, r->T}};

        need(plot_curves(run->plot, names[i], r->key, p->t0_s,
                         (double)p->rate_den / (double)p->rate_num, curves, 2,
                         &err),
             &err);
    }
    free(order);
}

/* Scores and writes. */
static void evaluate(struct run *run)
{
    const struct tensor *curve = frame_tensor(&run->dataset, "curve");
    struct baseline_source source = {.pairs = &run->pairs,
                                     .model = &run->infer};
    struct buf out = {0};
    struct err err;

    if (curve) {
        source.curve = curve->data;
        source.n_curve = curve->shape[0];
    }
    need(infer_run(&run->infer, &run->ckpt.model, &run->pairs,
                   tool_jobs(&run->tool), &err),
         &err);
    need(report_init(&run->report, &source, run->model_path, run->seed,
                     tool_jobs(&run->tool), &err),
         &err);
    need(run->json ? report_put_json(&run->report, &out, &err)
                   : report_put_table(&run->report, &out, &err),
         &err);
    tool_finish_input(&run->tool);
    if (run->predictions)
        write_predictions(run);
    if (run->plot)
        draw(run);
    fwrite(buf_text(&out), 1, out.len, run->tool.text);
    buf_release(&out);
}

int main(int argc, char **argv)
{
    struct run run = {0};

    tool_init(&run.tool, argc, argv, usage, TOOL_TEXT);
    parse(&run, argc, argv);
    tool_open(&run.tool, argc - optind, argv + optind);
    load(&run);
    read_pairs(&run);
    evaluate(&run);
    tool_finish(&run.tool);
    report_release(&run.report);
    infer_release(&run.infer);
    pairs_release(&run.pairs);
    frame_release(&run.dataset);
    ckpt_model_release(&run.ckpt);
    tool_release(&run.tool);
    return 0;
}
