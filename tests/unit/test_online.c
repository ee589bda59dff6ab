/*
 * test_online - models over sequences that arrive in pieces: bit for bit what
 * they make of the whole.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "nn/online.h"

/* Most frames of a sequence. */
#define MOST 300

/* A sequence in pieces; whether outputs are those of the whole, in time. */
static bool same_in_pieces(const struct model *m, const float *x, size_t T,
                           const float *want, size_t piece, size_t step)
{
    size_t C = m->input_size, O = m->output_size, i, k, n, at = 0;
    struct err err;
    struct online *o = online_open(m, step, &err);
    bool same = o != NULL;
    const float *y = want;

    for (i = 0; i < T && same; i += k) {
        k = i + piece > T ? T - i : piece;
        same = !online_add(o, x + i * C, k, &y, &n, &err) &&
               !memcmp(y, want + at * O, n * O * sizeof *y);
        at += n;
        same = same && at + online_latency(o) >= i + k && at <= i + k;
    }
    same = same && !online_end(o, &y, &n, &err) && at + n == T &&
           (n == 0 || !memcmp(y, want + at * O, n * O * sizeof *y));
    online_close(o);
    return same;
}

/* One model: lengths, pieces and steps. */
static void compare(const struct config_model *conf, const char *name)
{
    static const size_t lengths[] = {0, 1, 2, 7, 40, MOST};
    static const size_t pieces[] = {1, 3, 64, MOST};
    float x[MOST * 3], mean[3] = {0.5f, -1, 2}, std[3] = {2, 0.5f, 1};
    struct model_work *work;
    struct model m = {0};
    size_t i, p, past, future, whole;
    bool same = true;
    const float *y;
    struct err err;
    struct rng r;

    if (model_init(&m, conf, &err))
        exit(2);
    model_init_weights(&m, 7);
    model_set_input(&m, mean, std);
    model_receptive_field(&m, &past, &future, &whole);
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (i = 0; i < MOST * 3; i++)
        x[i] = (float)rng_normal(&r);
    work = model_work_open(&m, MOST, 0, &err);
    if (!work)
        exit(2);
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        if (model_forward(&m, work, x, lengths[i], NULL, &y, &err))
            exit(2);
        for (p = 0; p < sizeof pieces / sizeof *pieces; p++)
            same = same &&
                   same_in_pieces(&m, x, lengths[i], y, pieces[p], 1) &&
                   same_in_pieces(&m, x, lengths[i], y, pieces[p], 9);
    }
    tap_ok(same && whole < MOST, "%s: the bits of the whole, %zu + 1 + %zu "
           "frames", name, past, future);
    model_work_close(work);
    model_release(&m);
}

/* TCNs. */
static void test_tcn(void)
{
    struct config_model conf = {
        .architecture = CONFIG_TCN,
        .tcn = {3, 2, 4, 20, 3, 0.1, 2, CONFIG_PAD_SAME, CONFIG_NORM_NONE}};

    compare(&conf, "tcn");
    conf.tcn.padding = CONFIG_PAD_CAUSAL;
    compare(&conf, "tcn causal");
    conf.tcn.kernel_size = 2;
    conf.tcn.padding = CONFIG_PAD_SAME;
    conf.tcn.norm = CONFIG_NORM_LAYER;
    compare(&conf, "tcn with an even kernel, norm layer");
    conf.tcn.norm = CONFIG_NORM_WEIGHT;
    conf.tcn.num_channels = 3;
    conf.tcn.num_blocks = 3;
    conf.tcn.kernel_size = 5;
    conf.tcn.dilation_base = 3;
    compare(&conf, "tcn norm weight, base 3");
}

/* WaveNets. */
static void test_wavenet(void)
{
    struct config_model conf = {.architecture = CONFIG_WAVENET,
                                .wavenet = {.num_stacks = 2,
                                            .num_layers_per_stack = 4,
                                            .residual_channels = 18,
                                            .skip_channels = 6,
                                            .kernel_size = 3,
                                            .dilation_base = 2,
                                            .dropout_rate = 0.1,
                                            .input_channels = 3,
                                            .output_channels = 1,
                                            .use_bias = true,
                                            .head_bias = true}};

    compare(&conf, "wavenet");
    conf.wavenet.gate = CONFIG_GATE_SPLIT;
    conf.wavenet.residual_conv = true;
    compare(&conf, "wavenet gate split, residual_conv");
    conf.wavenet.head = CONFIG_HEAD_CHAINED;
    conf.wavenet.weight_norm = true;
    compare(&conf, "wavenet head chained, weight_norm");
    conf.wavenet.padding = CONFIG_PAD_CAUSAL;
    conf.wavenet.use_bias = false;
    compare(&conf, "wavenet causal, without bias");
}

/* All tests. */
int main(void)
{
    test_tcn();
    test_wavenet();
    return tap_done();
}
