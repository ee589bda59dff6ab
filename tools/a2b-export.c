/*
 * a2b-export - a checkpoint as one ONNX file.
 *
 * In:  a checkpoint.
 * Out: the bytes of an ONNX model: features in, EDA out.
 */
#include <string.h>

#include "base/num.h"
#include "eval/onnx.h"
#include "tool/tool.h"
#include "train/ckpt.h"

static const char usage[] =
    "usage: a2b-export [-hqvV] [-c file] [-j n] [-k n] -m model [-o file]\n"
    "                  [--set key=value]\n"
    "  -m, --model PATH       checkpoint folder, a link to it, or its model\n"
    "                         file\n";

/* Appends the model with what a caller must know to feed it. */
static int put_model(const struct ckpt_model *c, struct buf *out,
                     struct err *err)
{
    char num[NUM_SIZE], den[NUM_SIZE], t0[NUM_SIZE], field[NUM_SIZE];
    struct buf params = {0};
    size_t past, future, whole;
    int got;

    model_receptive_field(&c->model, &past, &future, &whole);
    config_model_put_json(&c->model.conf, &params);
    {
        const struct onnx_fact facts[] = {
            {"a2b.architecture",
             config_architecture_name(c->model.conf.architecture)},
            {"a2b.params", buf_text(&params)},
            {"a2b.features", c->features_json},
            {"a2b.rate_num", num_double(num, (double)c->rate_num)},
            {"a2b.rate_den", num_double(den, (double)c->rate_den)},
            {"a2b.t0_s", num_double(t0, c->t0_s)},
            {"a2b.receptive_field", num_double(field, (double)whole)}};

        got = buf_check(&params, err) ||
              onnx_put(out, &c->model, tool_version(), facts,
                       sizeof facts / sizeof facts[0], err);
    }
    buf_release(&params);
    return got ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG, {"model", required_argument, NULL, 'm'}, {0}};
    const char *path = NULL;
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
        else
            tool_option(&tool, c);
    }
    tool_config(&tool);
    if (!path)
        tool_usage_error("which model? -m CHECKPOINT");
    if (optind < argc)
        tool_usage_error("%s: no operands are read", argv[optind]);
    tool_open(&tool, 0, NULL);
    if (ckpt_load_model(&ckpt, path, &err) || put_model(&ckpt, &out, &err))
        die(&err);
    fwrite(out.data, 1, out.len, tool.text);
    tool_finish(&tool);
    buf_release(&out);
    ckpt_model_release(&ckpt);
    tool_release(&tool);
    return 0;
}
