/*
 * test_bf16 - whole models with products in bfloat16 against the same in
 * float: every switch of the WaveNet, every norm of the TCN.
 */
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/conv16.h"
#include "nn_run.h"

/* Frames of the sequences. */
#define T 331
/* Largest distance of outputs from float, as 2-norms. */
#define TOL 0.01
/* The same of gradients: more of them cancels, and ReLUs flip. */
#define TOL_GRADIENT 0.12

/* Outputs and gradient of one pass with dropout. */
struct pass {
    float *y;  /* (T, O) */
    float *dw; /* (n_weights) */
};

/* Forward and back in a fresh workspace. */
static struct pass run(const struct model *m)
{
    const struct model_dropout drop = {5, 6, 7};
    size_t n = T * m->output_size;
    struct pass p = {floats(n), floats(m->n_weights)};
    struct model_work *w = opened(m, T, 1);
    float *x = noise(T * m->input_size, 1), *dy = noise(n, 2);
    struct err err;

    memcpy(p.y, forward(m, w, x, T, &drop), n * sizeof(*p.y));
    must(model_backward(m, w, dy, p.dw, &err), &err);
    model_work_close(w);
    free(x), free(dy);
    return p;
}

/* 2-norm of a - b over that of b. */
static double distance(const float *a, const float *b, size_t n)
{
    double sum = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        all += (double)b[i] * (double)b[i];
    }
    return sqrt(sum / all);
}

/* One model in float and twice in bfloat16. */
static void check(const struct config_model *conf, const char *name)
{
    struct model m = made(conf);
    struct pass a = run(&m), b, c;
    size_t n = T * m.output_size;
    struct err err;
    double y, dw;

    must(model_use(&m, OPS_BF16, &err), &err);
    b = run(&m);
    c = run(&m);
    y = distance(b.y, a.y, n);
    dw = distance(b.dw, a.dw, m.n_weights);
    tap_ok(y > 1e-5 && y < TOL && dw > 1e-5 && dw < TOL_GRADIENT,
           "%s: near float, and not float (%.2g, %.2g)", name, y, dw);
    tap_ok(memcmp(b.y, c.y, n * sizeof(*b.y)) == 0 &&
               memcmp(b.dw, c.dw, m.n_weights * sizeof(*b.dw)) == 0,
           "%s: the same bits again", name);
    free(a.y), free(a.dw), free(b.y), free(b.dw), free(c.y), free(c.dw);
    model_release(&m);
}

/* The WaveNet's switches, as the bits of a number. */
static void check_wavenet(unsigned on)
{
    struct config_model conf = {
        .architecture = CONFIG_WAVENET,
        .wavenet = {.num_stacks = 2,
                    .num_layers_per_stack = 4,
                    .residual_channels = 24,
                    .skip_channels = 33,
                    .kernel_size = 3,
                    .dilation_base = 3,
                    .dropout_rate = 0.2,
                    .input_channels = 7,
                    .output_channels = 2,
                    .use_bias = true,
                    .head_bias = true,
                    .gate = on & 1 ? CONFIG_GATE_SPLIT : CONFIG_GATE_TIED,
                    .residual_conv = on & 2,
                    .head = on & 4 ? CONFIG_HEAD_CHAINED : CONFIG_HEAD_SHARED,
                    .dropout_at =
                        on & 8 ? CONFIG_DROPOUT_GATE : CONFIG_DROPOUT_RESIDUAL,
                    .weight_norm = on & 16}};
    char name[32];

    snprintf(name, sizeof(name), "wavenet %u", on);
    check(&conf, name);
}

int main(void)
{
    static const char *const norms[] = {"tcn", "tcn, weight norm",
                                        "tcn, layer norm"};

    if (!conv16_works()) {
        printf("1..0 # SKIP this processor has no AVX512_BF16\n");
        return 0;
    }
    for (unsigned on = 0; on < 32; on = 2 * on + 1)
        check_wavenet(on);
    check_wavenet(8);
    check_wavenet(18);
    for (int norm = 0; norm < 3; norm++) {
        struct config_model conf = {.architecture = CONFIG_TCN,
                                    .tcn = {.input_size = 7,
                                            .output_size = 2,
                                            .num_blocks = 3,
                                            .num_channels = 24,
                                            .kernel_size = 3,
                                            .dropout = 0.2,
                                            .dilation_base = 2,
                                            .norm = (enum config_norm)norm}};

        check(&conf, norms[norm]);
    }
    return tap_done();
}
