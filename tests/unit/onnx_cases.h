/*
 * onnx_cases - models with every switch that there is, for tests of exports.
 */
#ifndef ONNX_CASES_H
#define ONNX_CASES_H

#include <stdlib.h>

#include "nn/model.h"

/* One model. */
struct onnx_case {
    const char *name;         /* what is special about it */
    struct config_model conf; /* 3 inputs, 1 or 2 outputs */
};

/* Most cases. */
#define ONNX_CASES_MAX 32

/* Appends a case. */
static void onnx_case_add(struct onnx_case *cases, size_t *n,
                          const struct config_model *conf, const char *name)
{
    if (*n < ONNX_CASES_MAX)
        cases[(*n)++] = (struct onnx_case){name, *conf};
}

/* TCNs: padding, kernels, norms, shortcuts, dilations. */
static void onnx_cases_tcn(struct onnx_case *cases, size_t *n)
{
    struct config_model conf = {
        .architecture = CONFIG_TCN,
        .tcn = {3, 2, 3, 5, 3, 0.1, 2, CONFIG_PAD_SAME, CONFIG_NORM_NONE}};

    onnx_case_add(cases, n, &conf, "tcn");
    conf.tcn.padding = CONFIG_PAD_CAUSAL;
    onnx_case_add(cases, n, &conf, "tcn causal");
    conf.tcn.norm = CONFIG_NORM_LAYER;
    onnx_case_add(cases, n, &conf, "tcn causal, norm layer");
    conf.tcn.norm = CONFIG_NORM_NONE;
    conf.tcn.kernel_size = 2;
    conf.tcn.padding = CONFIG_PAD_SAME;
    onnx_case_add(cases, n, &conf, "tcn with an even kernel");
    conf.tcn.norm = CONFIG_NORM_LAYER;
    onnx_case_add(cases, n, &conf, "tcn norm layer");
    conf.tcn.norm = CONFIG_NORM_WEIGHT;
    onnx_case_add(cases, n, &conf, "tcn norm weight");
    conf.tcn.num_channels = 3;
    conf.tcn.dilation_base = 3;
    conf.tcn.output_size = 1;
    onnx_case_add(cases, n, &conf, "tcn without downsample, base 3");
    conf.tcn.num_blocks = 1;
    conf.tcn.kernel_size = 1;
    onnx_case_add(cases, n, &conf, "tcn of one block that sees one frame");
}

/* WaveNets: gates, residuals, heads, norms, biases. */
static void onnx_cases_wavenet(struct onnx_case *cases, size_t *n)
{
    struct config_model conf = {.architecture = CONFIG_WAVENET,
                                .wavenet = {.num_stacks = 2,
                                            .num_layers_per_stack = 3,
                                            .residual_channels = 4,
                                            .skip_channels = 6,
                                            .kernel_size = 3,
                                            .dilation_base = 2,
                                            .dropout_rate = 0.1,
                                            .input_channels = 3,
                                            .output_channels = 1,
                                            .use_bias = true,
                                            .head_bias = true}};

    onnx_case_add(cases, n, &conf, "wavenet");
    conf.wavenet.dropout_at = CONFIG_DROPOUT_GATE;
    onnx_case_add(cases, n, &conf, "wavenet dropout_at gate");
    conf.wavenet.head = CONFIG_HEAD_CHAINED;
    onnx_case_add(cases, n, &conf, "wavenet head chained, gate tied");
    conf.wavenet.head = CONFIG_HEAD_SHARED;
    conf.wavenet.gate = CONFIG_GATE_SPLIT;
    onnx_case_add(cases, n, &conf, "wavenet gate split");
    conf.wavenet.residual_conv = true;
    onnx_case_add(cases, n, &conf, "wavenet residual_conv");
    conf.wavenet.head = CONFIG_HEAD_CHAINED;
    onnx_case_add(cases, n, &conf, "wavenet head chained");
    conf.wavenet.weight_norm = true;
    onnx_case_add(cases, n, &conf, "wavenet weight_norm");
    conf.wavenet.use_bias = false;
    conf.wavenet.padding = CONFIG_PAD_CAUSAL;
    onnx_case_add(cases, n, &conf, "wavenet without bias, causal");
    conf.wavenet.residual_channels = 3;
    conf.wavenet.head_bias = false;
    onnx_case_add(cases, n, &conf,
                  "wavenet without projection and head bias");
    conf.wavenet.num_stacks = conf.wavenet.num_layers_per_stack = 1;
    conf.wavenet.kernel_size = 2;
    conf.wavenet.padding = CONFIG_PAD_SAME;
    onnx_case_add(cases, n, &conf, "wavenet of one layer, an even kernel");
}

/* All cases; how many. */
static size_t onnx_cases(struct onnx_case *cases)
{
    size_t n = 0;

    onnx_cases_tcn(cases, &n);
    onnx_cases_wavenet(cases, &n);
    return n;
}

/* A case's model with weights and an input normalisation. -1 with err set. */
static int onnx_case_model(const struct onnx_case *c, struct model *m,
                           struct err *err)
{
    static const float mean[3] = {0.5f, -1, 2}, std[3] = {2, 0.5f, 1};

    if (model_init(m, &c->conf, err))
        return -1;
    model_init_weights(m, 7);
    model_set_input(m, mean, std);
    return 0;
}

#endif
