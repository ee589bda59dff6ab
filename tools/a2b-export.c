/*
 * a2b-export - a checkpoint as one ONNX file.
 *
 * In:  a checkpoint.
 * Out: the bytes of an ONNX model: features in, EDA out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "eval/onnx.h"
#include "eval/onnxrun.h"
#include "tool/tool.h"
#include "train/base64.h"
#include "train/ckpt.h"

static const char usage[] =
    "usage: a2b-export [-hqvV] [--verify] [-c file] [-j n] [-k n] -m model\n"
    "                  [-o file] [--set key=value]\n"
    "  -m, --model PATH       checkpoint folder, a link to it, or its model\n"
    "                         file\n"
    "      --verify           read the file back, run it, and write it only\n"
    "                         if it computes what the model does\n";

/* Frames of the example in the file's metadata. */
#define EXAMPLE_FRAMES 8

/* Appends an example: inputs and outputs of the model, as JSON. */
static int put_example(const struct model *m, struct buf *out,
                       struct err *err)
{
    size_t C = m->input_size;
    struct model_work *work = model_work_open(m, EXAMPLE_FRAMES, 0, err);
    float *x = work ? mem_alloc(EXAMPLE_FRAMES * C, sizeof *x, err) : NULL;
    const float *y;
    int got = -1;

    if (!x)
        goto out;
    onnxrun_input(m, EXAMPLE_FRAMES, x);
    if (model_forward(m, work, x, EXAMPLE_FRAMES, NULL, &y, err))
        goto out;
    buf_printf(out, "{\"frames\":%d,\"x\":\"", EXAMPLE_FRAMES);
    base64_put_floats(out, x, EXAMPLE_FRAMES * C);
    buf_puts(out, "\",\"y\":\"");
    base64_put_floats(out, y, EXAMPLE_FRAMES * m->output_size);
    buf_puts(out, "\"}");
    got = buf_check(out, err);
out:
    free(x);
    model_work_close(work);
    return got;
}

/* Appends the model with what a caller must know to feed it. */
static int put_model(const struct ckpt_model *c, bool verify, struct buf *out,
                     struct err *err)
{
    char num[NUM_SIZE], den[NUM_SIZE], t0[NUM_SIZE], field[NUM_SIZE];
    struct buf params = {0}, example = {0};
    size_t past, future, whole;
    int got;

    model_receptive_field(&c->model, &past, &future, &whole);
    config_model_put_json(&c->model.conf, &params);
    if (verify && put_example(&c->model, &example, err))
        return -1;
    {
        const struct onnx_fact facts[] = {
            {"a2b.architecture",
             config_architecture_name(c->model.conf.architecture)},
            {"a2b.params", buf_text(&params)},
            {"a2b.features", c->features_json},
            {"a2b.rate_num", num_double(num, (double)c->rate_num)},
            {"a2b.rate_den", num_double(den, (double)c->rate_den)},
            {"a2b.t0_s", num_double(t0, c->t0_s)},
            {"a2b.receptive_field", num_double(field, (double)whole)},
            {"a2b.example", buf_text(&example)}};
        size_t n_facts = sizeof facts / sizeof facts[0] - (verify ? 0 : 1);

        got = buf_check(&params, err) ||
              onnx_put(out, &c->model, tool_version(), facts, n_facts, err);
    }
    buf_release(&params);
    buf_release(&example);
    return got ? -1 : 0;
}

/* Dies unless the file computes what the model does. */
static void check(const struct tool *t, const struct ckpt_model *c,
                  const struct buf *file)
{
    char text[NUM_SIZE];
    struct err err;
    double worst;

    if (onnxrun_verify(file->data, file->len, &c->model, &worst, &err)) {
        err_prefix(&err, "%s", c->path);
        die(&err);
    }
    tool_note(t, "verified: file and model differ by at most %s",
              num_float(text, (float)worst));
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"model", required_argument, NULL, 'm'},
        {"verify", no_argument, NULL, TOOL_OPT_OWN},
        {0}};
    const char *path = NULL;
    bool verify = false;
    struct ckpt_model ckpt = {0};
    struct buf out = {0};
    struct tool tool;
    struct err err;
    int c;

    tool_init(&tool, argc, argv, usage, TOOL_BYTES);
    while ((c = getopt_long(argc, argv, TOOL_SHORT "m:", longs, NULL)) !=
           -1) {
        if (c == 'm')
            path = optarg;
        else if (c == TOOL_OPT_OWN)
            verify = true;
        else
            tool_option(&tool, c);
    }
    tool_config(&tool);
    if (!path)
        tool_usage_error("which model? -m CHECKPOINT");
    if (optind < argc)
        tool_usage_error("%s: no operands are read", argv[optind]);
    tool_open(&tool, 0, NULL);
    if (ckpt_load_model(&ckpt, path, &err) ||
        put_model(&ckpt, verify, &out, &err))
        die(&err);
    if (verify)
        check(&tool, &ckpt, &out);
    fwrite(out.data, 1, out.len, tool.text);
    tool_finish(&tool);
    buf_release(&out);
    ckpt_model_release(&ckpt);
    tool_release(&tool);
    return 0;
}
