/*
 * test_recompute - activations computed again: the same bits, less memory.
 */
#include "tap.h"

#include <string.h>

#include "nn_run.h"

/* Frames of the longest pass. */
#define T_MAX 150

/* A TCN of N blocks with a norm. */
static struct config_model tcn(int64_t N, enum config_norm norm)
{
    struct config_model conf = {.architecture = CONFIG_TCN};

    conf.tcn = (struct config_tcn){.input_size = 3, .output_size = 1,
                                   .num_blocks = N, .num_channels = 20,
                                   .kernel_size = 3, .dilation_base = 2,
                                   .dropout = 0.3, .norm = norm};
    return conf;
}

/* A WaveNet of M stacks of N layers; all switches on or off. */
static struct config_model wavenet(int64_t M, int64_t N, int on)
{
    struct config_model conf = {.architecture = CONFIG_WAVENET};

    conf.wavenet = (struct config_wavenet){
        .num_stacks = M, .num_layers_per_stack = N, .residual_channels = 20,
        .skip_channels = 9, .kernel_size = 3, .dilation_base = 2,
        .dropout_rate = 0.3, .input_channels = 3, .output_channels = 1,
        .use_bias = 1, .head_bias = 1, .residual_conv = on != 0,
        .weight_norm = on != 0,
        .gate = on ? CONFIG_GATE_SPLIT : CONFIG_GATE_TIED,
        .dropout_at = on ? CONFIG_DROPOUT_GATE : CONFIG_DROPOUT_RESIDUAL,
        .head = on ? CONFIG_HEAD_CHAINED : CONFIG_HEAD_SHARED};
    return conf;
}

/* Whether a model's outputs and gradients have the same bits both ways. */
static int same_bits(const struct config_model *conf)
{
    struct model m = made(conf);
    struct model_work *kept = opened(&m, 1, MODEL_TRAIN);
    struct model_work *again = opened(&m, 1, MODEL_RECOMPUTE);
    float *x = noise(3 * T_MAX, 1), *dy = noise(T_MAX, 2);
    float *a = floats(m.n_weights), *b = floats(m.n_weights);
    int same = 1;

    for (size_t pass = 0; pass < 3; pass++) { /* short, long, short again */
        struct model_dropout drop = {5, pass, 7};
        size_t T = pass == 1 ? T_MAX : 31;
        struct err err;
        const float *y = forward(&m, kept, x, T, &drop);

        same &= memcmp(y, forward(&m, again, x, T, &drop),
                       T * sizeof(*y)) == 0;
        must(model_backward(&m, kept, dy, a, &err), &err);
        must(model_backward(&m, again, dy, b, &err), &err);
        same &= memcmp(a, b, m.n_weights * sizeof(*a)) == 0;
    }
    model_work_close(kept);
    model_work_close(again);
    model_release(&m);
    free(x), free(dy), free(a), free(b);
    return same;
}

/* Segments of every length, whole and cut off, and every kind of layer. */
static void test_bits(void)
{
    int same = 1;

    for (int64_t N = 1; N <= 9; N++)
        for (int norm = 0; norm < 3; norm++) {
            struct config_model conf = tcn(N, (enum config_norm)norm);

            same &= same_bits(&conf);
        }
    tap_ok(same, "TCNs of 1 to 9 blocks: outputs and gradients, bit for bit");
    for (int on = 0; on < 2; on++) {
        same = 1;
        for (int64_t M = 1; M <= 3; M++)
            for (int64_t N = 1; N <= 7; N++) {
                struct config_model conf = wavenet(M, N, on);

                same &= same_bits(&conf);
            }
        tap_ok(same, "WaveNets of 1 to 21 layers, switches %s, too",
               on ? "on" : "off");
    }
}

/* Size of a workspace for many frames without, over that with. */
static double saved(const struct config_model *conf)
{
    struct model m = made(conf);
    double ratio = (double)model_work_size(&m, 100000, MODEL_TRAIN) /
                   (double)model_work_size(&m, 100000, MODEL_RECOMPUTE);

    model_release(&m);
    return ratio;
}

/* What it is for. */
static void test_size(void)
{
    struct config_model deep = wavenet(5, 12, 0), ex2 = wavenet(3, 10, 0);
    struct config_model ex3 = tcn(8, CONFIG_NORM_NONE);

    deep.wavenet.residual_channels = 128;
    deep.wavenet.skip_channels = 256;
    ex2.wavenet.residual_channels = 64;
    ex2.wavenet.skip_channels = 128;
    ex3.tcn.num_channels = 128;
    tap_ok(saved(&deep) > 3.5, "60 layers: a workspace %.2f times smaller",
           saved(&deep));
    tap_ok(saved(&ex2) > 2.2, "30 layers: %.2f times", saved(&ex2));
    tap_ok(saved(&ex3) > 1.5, "a TCN of 8 blocks: %.2f times", saved(&ex3));
}

/* Runs all. */
int main(void)
{
    test_bits();
    test_size();
    return tap_done();
}
