/*
 * test_wavenet - the WaveNet, and the TCN's norms, against PyTorch; the
 * WaveNet against a double reference with central differences, with and
 * without dropout; its gate, sizes, receptive field, causality, memory.
 */
#define GOLDEN_PATH "tests/golden/models.txt"
#include "tap.h"

#include <stdlib.h>

#include "nn/act.h"
#include "nn_golden.h"
#include "nn_run.h"

/* Cases of the golden file. */
enum { WAVENETS = 20, NORMS = 4 };

/* A config: M, N, R, S, K, base, I, O; everything else at its default. */
static struct config_model wavenet(int M, int N, int R, int S, int K, int base,
                                   int I, int O)
{
    return (struct config_model){.architecture = CONFIG_WAVENET,
                                 .wavenet = {.num_stacks = M,
                                             .num_layers_per_stack = N,
                                             .residual_channels = R,
                                             .skip_channels = S,
                                             .kernel_size = K,
                                             .dilation_base = base,
                                             .input_channels = I,
                                             .output_channels = O,
                                             .use_bias = true,
                                             .head_bias = true}};
}

/* Sets the seven switches of a golden case. */
static void set_switches(struct config_wavenet *c, const int s[7])
{
    c->use_bias = s[0];
    c->gate = s[1] ? CONFIG_GATE_SPLIT : CONFIG_GATE_TIED;
    c->residual_conv = s[2];
    c->head = s[3] ? CONFIG_HEAD_CHAINED : CONFIG_HEAD_SHARED;
    c->head_bias = s[4];
    c->padding = s[5] ? CONFIG_PAD_CAUSAL : CONFIG_PAD_SAME;
    c->weight_norm = s[6];
}

/* The config of a golden WaveNet. */
static struct config_model wavenet_case(const double *c)
{
    struct config_model conf =
        wavenet((int)c[0], (int)c[1], (int)c[2], (int)c[3], (int)c[4],
                (int)c[5], (int)c[6], (int)c[7]);
    int s[7];

    for (int i = 0; i < 7; i++)
        s[i] = (int)c[8 + i];
    set_switches(&conf.wavenet, s);
    return conf;
}

/* The config of a golden TCN. */
static struct config_model norm_case(const double *c)
{
    return (struct config_model){
        .architecture = CONFIG_TCN,
        .tcn = {(int)c[0], (int)c[1], (int)c[2], (int)c[3], (int)c[4], 0.5,
                (int)c[5], c[6] > 0 ? CONFIG_PAD_CAUSAL : CONFIG_PAD_SAME,
                (enum config_norm)(int)c[7]}};
}

/* Gradients by name against PyTorch's, relative to each tensor's largest. */
static void compare_gradients(const struct model *m, const char *test,
                              const float *dw, int k)
{
    double worst = 0;
    bool shapes = true;

    for (size_t i = 0; i < m->n_params; i++) {
        const struct model_param *p = &m->params[i];
        char key[128];
        double *want;
        size_t n;

        snprintf(key, sizeof(key), "%s@%d", p->name, k);
        want = golden(test, key, &n);
        shapes = shapes && n == p->count;
        worst = golden_worse(worst, golden_gap(dw + p->offset, want, n) /
                                        (1e-3 + golden_max(want, n)));
        free(want);
    }
    tap_ok(shapes, "%s %d: names and sizes are PyTorch's", test, k);
    if (!tap_ok(worst < 1e-5, "%s %d: gradients are PyTorch's", test, k))
        printf("# %g\n", worst);
}

/* Runs one golden case: outputs y, gradients dw; returns the loss. */
static double run_case(const struct model *m, size_t T, float *y, float *dw)
{
    size_t n = T * m->output_size;
    float *x = floats(T * m->input_size), *dy = floats(n);
    struct model_work *w = opened(m, 3, 1); /* has to grow */
    struct err err;
    double sum = 0;

    for (size_t i = 0; i < T * m->input_size; i++)
        x[i] = golden_wave(i, 1.5, 0.37, 0.2);
    memcpy(y, forward(m, w, x, T, NULL), n * sizeof(*y));
    for (size_t i = 0; i < n; i++) {
        double e = (double)y[i] - (double)golden_wave(i, 1, 0.21, 0);

        sum += e * e / (double)n;
        dy[i] = (float)(2 * e / (double)n);
    }
    must(model_backward(m, w, dy, dw, &err), &err);
    model_work_close(w);
    free(x), free(dy);
    return sum;
}

/* Outputs, loss and gradients of one golden case. */
static void golden_case(const char *test, int k)
{
    char key[32];
    size_t n, n_c, T;
    double *c, *want, *loss, got;
    struct config_model conf;
    struct model m;
    float *y, *dw;

    snprintf(key, sizeof(key), "case%d", k);
    c = golden(test, key, &n_c);
    snprintf(key, sizeof(key), "y%d", k);
    want = golden(test, key, &n);
    snprintf(key, sizeof(key), "loss%d", k);
    loss = golden(test, key, &T);
    conf = strcmp(test, "norm") == 0 ? norm_case(c) : wavenet_case(c);
    m = made(&conf);
    tap_ok(m.n_weights == (size_t)c[n_c - 1], "%s %d: count", test, k);
    for (size_t i = 0; i < m.n_weights; i++)
        m.weights[i] = golden_wave(i, 0.5, 0.7, 0.3);
    y = floats(n);
    dw = floats(m.n_weights);
    got = run_case(&m, (size_t)c[n_c - 2], y, dw);
    tap_ok(golden_gap(y, want, n) < 1e-6 * (1 + golden_max(want, n)),
           "%s %d: outputs are PyTorch's", test, k);
    tap_near(got, *loss, 1e-6 * *loss, "loss is PyTorch's");
    compare_gradients(&m, test, dw, k);
    model_release(&m);
    free(c), free(want), free(loss), free(y), free(dw);
}

/* The network in double, straight from its definition. */
struct reference {
    const struct model *m;            /* names and settings */
    const double *w;                  /* weights, in the order of m */
    const struct model_dropout *drop; /* NULL: no dropout */
    size_t T;                         /* frames */
};

/* The parameter <layer>.<suffix>; NULL if there is none. */
static const double *slow_param(const struct reference *r, const char *layer,
                                const char *suffix)
{
    char name[128];

    snprintf(name, sizeof(name), "%s.%s", layer, suffix);
    for (size_t i = 0; i < r->m->n_params; i++)
        if (strcmp(r->m->params[i].name, name) == 0)
            return r->w + r->m->params[i].offset;
    return NULL;
}

/* Weights (C, n) of a layer in double; caller frees. */
static double *slow_weight(const struct reference *r, const char *layer,
                           size_t C, size_t n)
{
    const double *v = slow_param(r, layer, "weight"), *g = NULL;
    double *w = malloc(C * n * sizeof(*w));

    if (!v) {
        v = slow_param(r, layer, "weight_v");
        g = slow_param(r, layer, "weight_g");
    }
    if (!w || !v)
        exit(99);
    for (size_t o = 0; o < C; o++) {
        double square = 0, scale;

        for (size_t i = 0; i < n; i++)
            square += v[o * n + i] * v[o * n + i];
        scale = g ? g[o] / sqrt(square) : 1;
        for (size_t i = 0; i < n; i++)
            w[o * n + i] = v[o * n + i] * scale;
    }
    return w;
}

/* y (T, C) = the layer's convolution of x (T, C_in); caller frees. */
static double *slow_conv(const struct reference *r, const char *layer,
                         size_t C_in, size_t C, size_t K, size_t d,
                         const double *x)
{
    const double *b = slow_param(r, layer, "bias");
    double *w = slow_weight(r, layer, C, C_in * K);
    double *y = calloc(r->T * C, sizeof(*y));
    size_t all = (K - 1) * d;
    size_t left =
        r->m->conf.wavenet.padding == CONFIG_PAD_CAUSAL ? all : all / 2;

    for (size_t t = 0; t < r->T; t++)
        for (size_t o = 0; o < C; o++) {
            y[t * C + o] = b ? b[o] : 0;
            for (size_t i = 0; i < C_in; i++)
                for (size_t k = 0; k < K; k++)
                    if (t + k * d >= left && t + k * d < left + r->T)
                        y[t * C + o] += w[(o * C_in + i) * K + k] *
                                        x[(t + k * d - left) * C_in + i];
        }
    free(w);
    return y;
}

/* Drops values of v (T, R) in layer `layer` as the model would. */
static void slow_dropout(const struct reference *r, uint32_t layer, double *v)
{
    const struct config_wavenet *c = &r->m->conf.wavenet;
    size_t n = r->T * (size_t)c->residual_channels;
    float *mask = floats(n);
    struct act a = {.p = c->dropout_rate};

    if (r->drop) {
        a.key = act_dropout_key(r->drop->seed, r->drop->step, r->drop->song,
                                layer);
        for (size_t i = 0; i < n; i++)
            mask[i] = 1;
        act_dropout(&a, 0, n, mask);
        for (size_t i = 0; i < n; i++)
            v[i] *= (double)mask[i];
    }
    free(mask);
}

/* The gate of z, (T, R) or (T, 2 R); caller frees. */
static double *slow_gate(const struct reference *r, const double *z)
{
    const struct config_wavenet *c = &r->m->conf.wavenet;
    size_t R = (size_t)c->residual_channels;
    size_t wide = c->gate == CONFIG_GATE_SPLIT ? 2 * R : R;
    double *g = malloc(r->T * R * sizeof(*g));

    for (size_t t = 0; t < r->T; t++)
        for (size_t i = 0; i < R; i++)
            g[t * R + i] = tanh(z[t * wide + i]) /
                           (1 + exp(-z[t * wide + wide - R + i]));
    return g;
}

/* One layer: adds to skip, replaces *x (owned) by what follows it. */
static void slow_layer(const struct reference *r, size_t s, size_t n, size_t d,
                       size_t C_in, double *skip, double **x)
{
    const struct config_wavenet *c = &r->m->conf.wavenet;
    size_t R = (size_t)c->residual_channels, S = (size_t)c->skip_channels;
    uint32_t number = (uint32_t)(s * (size_t)c->num_layers_per_stack + n);
    double *z, *g, *k, *sum;
    char name[96];

    snprintf(name, sizeof(name), "stacks.%zu.layers.%zu", s, n);
    z = slow_conv(r, name, C_in, c->gate == CONFIG_GATE_SPLIT ? 2 * R : R,
                  (size_t)c->kernel_size, d, *x);
    g = slow_gate(r, z);
    if (c->dropout_at == CONFIG_DROPOUT_GATE)
        slow_dropout(r, number, g);
    snprintf(name, sizeof(name), "stacks.%zu.skip_connections.%zu", s, n);
    k = slow_conv(r, name, R, S, 1, 1, g);
    for (size_t i = 0; i < r->T * S; i++)
        skip[i] += k[i];
    snprintf(name, sizeof(name), "stacks.%zu.residual_projection", s);
    sum = C_in != R ? slow_conv(r, name, C_in, R, 1, 1, *x) : NULL;
    free(k);
    snprintf(name, sizeof(name), "stacks.%zu.residual_connections.%zu", s, n);
    k = c->residual_conv ? slow_conv(r, name, R, R, 1, 1, g) : NULL;
    for (size_t i = 0; i < r->T * R; i++)
        g[i] = (k ? k[i] : g[i]) + (sum ? sum[i] : (*x)[i]);
    if (c->dropout_at == CONFIG_DROPOUT_RESIDUAL)
        slow_dropout(r, number, g);
    free(*x), free(z), free(k), free(sum);
    *x = g;
}

/* A head of n outputs on a skip sum; prefix is a stack's, or "". */
static double *slow_head(const struct reference *r, const char *prefix,
                         size_t n, double *skip)
{
    size_t S = (size_t)r->m->conf.wavenet.skip_channels;
    double *hidden, *y;
    char name[96];

    for (size_t i = 0; i < r->T * S; i++)
        skip[i] = fmax(skip[i], 0);
    snprintf(name, sizeof(name), "%sconv_out1", prefix);
    hidden = slow_conv(r, name, S, S, 1, 1, skip);
    for (size_t i = 0; i < r->T * S; i++)
        hidden[i] = fmax(hidden[i], 0);
    snprintf(name, sizeof(name), "%sconv_out2", prefix);
    y = slow_conv(r, name, S, n, 1, 1, hidden);
    free(hidden);
    return y;
}

/* The network's output (T, O); caller frees. */
static double *slow_forward(const struct reference *r, const float *input)
{
    const struct config_wavenet *c = &r->m->conf.wavenet;
    size_t M = (size_t)c->num_stacks, I = (size_t)c->input_channels;
    size_t R = (size_t)c->residual_channels, O = (size_t)c->output_channels;
    size_t n_skip = r->T * (size_t)c->skip_channels;
    double *skip = calloc(n_skip, sizeof(*skip)), *y;
    double *x = malloc(r->T * I * sizeof(*x));
    char prefix[32];

    for (size_t i = 0; i < r->T * I; i++)
        x[i] = (double)input[i];
    for (size_t s = 0; s < M; s++) {
        for (size_t n = 0, d = 1; n < (size_t)c->num_layers_per_stack;
             n++, d *= (size_t)c->dilation_base)
            slow_layer(r, s, n, d, s + n > 0 ? R : I, skip, &x);
        if (c->head == CONFIG_HEAD_SHARED)
            continue;
        snprintf(prefix, sizeof(prefix), "stacks.%zu.", s);
        free(x);
        x = slow_head(r, prefix, s + 1 < M ? R : O, skip);
        memset(skip, 0, n_skip * sizeof(*skip));
    }
    y = c->head == CONFIG_HEAD_SHARED ? slow_head(r, "", O, skip) : x;
    if (y != x)
        free(x);
    free(skip);
    return y;
}

/* sum_i target_i y_i: a linear loss. */
static double slow_loss(const struct reference *r, const float *x,
                        const float *target)
{
    double *y = slow_forward(r, x), sum = 0;

    for (size_t i = 0; i < r->T * r->m->output_size; i++)
        sum += (double)target[i] * y[i];
    free(y);
    return sum;
}

/* Slope of the loss by weight i, with step h. */
static double slope_of(struct reference *r, double *w, size_t i, double h,
                       const float *x, const float *target)
{
    double keep = w[i], up, down;

    w[i] = keep + h;
    up = slow_loss(r, x, target);
    w[i] = keep - h;
    down = slow_loss(r, x, target);
    w[i] = keep;
    return (up - down) / (2 * h);
}

/*
 * Every weight's derivative against a central difference in double; where two
 * step sizes disagree there was a ReLU's kink: skipped, and counted. Also the
 * output itself. Returns the worst relative error.
 */
static double check_gradient(const struct model *m, size_t T, int dropping,
                             size_t *skipped, size_t *live)
{
    struct err err;
    struct model_dropout drop = {5, 6, 7};
    float *x = noise(T * m->input_size, 1), *dw = floats(m->n_weights);
    float *target = noise(T * m->output_size, 2);
    double *w = calloc(m->n_weights, sizeof(*w)), *slow, worst;
    struct model_work *work = opened(m, T, 1);
    struct reference r = {m, w, dropping ? &drop : NULL, T};
    const float *y = forward(m, work, x, T, r.drop);

    for (size_t i = 0; i < m->n_weights; i++)
        w[i] = (double)m->weights[i];
    slow = slow_forward(&r, x);
    worst = golden_gap(y, slow, T * m->output_size);
    must(model_backward(m, work, target, dw, &err), &err);
    for (size_t i = 0; i < m->n_weights; i++) {
        double a = slope_of(&r, w, i, 1e-6, x, target);
        double b = slope_of(&r, w, i, 5e-7, x, target);

        *live += fabs(a) > 1e-7;
        if (fabs(a - b) > 1e-6 * (1 + fabs(a)))
            ++*skipped;
        else
            worst = golden_worse(worst,
                                 fabs(a - (double)dw[i]) / (1 + fabs(a)));
    }
    model_work_close(work);
    free(x), free(target), free(dw), free(w), free(slow);
    return worst;
}

/* Gradients of one network at T = 1, 2, 7, RF + 3. */
static void check_lengths(const struct config_model *conf, int dropping,
                          const char *what)
{
    struct model m = made(conf);
    size_t past, future, whole, T[4] = {1, 2, 7};
    size_t skipped = 0, all = 0, live = 0;
    double worst = 0;

    for (size_t i = 0; i < m.n_weights; i++)
        m.weights[i] = golden_wave(i, 0.6, 0.7, 0.3);
    model_receptive_field(&m, &past, &future, &whole);
    T[3] = whole + 3;
    for (int i = 0; i < 4; i++) {
        worst = golden_worse(worst, check_gradient(&m, T[i], dropping, &skipped,
                                                   &live));
        all += m.n_weights;
    }
    tap_ok(worst < 1e-6, "%s: gradients are central differences (%g)", what,
           worst);
    tap_ok(skipped <= all / 50 && live > all * 2 / 5,
           "few met a kink, many are not 0 (%zu, %zu of %zu)", skipped, live,
           all);
    model_release(&m);
}

/* Gradients of all tensors for every switch alone and in pairs. */
static void test_gradients(void)
{
    static const struct {
        const char *what; /* the switches */
        int on[7];        /* as set_switches() takes them */
        int I;            /* input channels; R is 3 */
        int K;            /* taps */
    } cases[] = {{"tied", {1, 0, 0, 0, 1, 0, 0}, 2, 3},
                 {"tied, I = R, even", {1, 0, 0, 0, 1, 0, 0}, 3, 2},
                 {"split", {1, 1, 0, 0, 1, 0, 0}, 2, 2},
                 {"residual_conv", {1, 0, 1, 0, 1, 0, 0}, 2, 3},
                 {"chained", {1, 0, 0, 1, 1, 0, 0}, 2, 4},
                 {"no biases", {0, 1, 1, 1, 0, 0, 0}, 2, 2},
                 {"causal", {1, 0, 0, 0, 1, 1, 0}, 2, 2},
                 {"weight_norm", {1, 0, 0, 0, 1, 0, 1}, 2, 3},
                 {"all", {1, 1, 1, 1, 1, 1, 1}, 2, 2},
                 {"all but chained", {1, 1, 1, 0, 1, 1, 1}, 3, 2}};
    char what[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (int dropping = 0; dropping < 3; dropping++) {
            struct config_model conf =
                wavenet(2, 2, 3, 6, cases[i].K, 2, cases[i].I, 2);

            set_switches(&conf.wavenet, cases[i].on);
            conf.wavenet.dropout_rate = 0.3;
            conf.wavenet.dropout_at = dropping == 2 ? CONFIG_DROPOUT_GATE
                                                    : CONFIG_DROPOUT_RESIDUAL;
            snprintf(what, sizeof(what), "%s%s", cases[i].what,
                     dropping == 0   ? ""
                     : dropping == 1 ? ", dropout at residual"
                                     : ", dropout at gate");
            check_lengths(&conf, dropping > 0, what);
        }
}

/* The gate's accuracy, and the same bits on every path. */
static void test_gate(void)
{
    enum { N = 30000 };
    float *z[3], *y[3];
    double worst = 0;
    bool same = true;

    for (int path = 0; path <= (int)conv1d_best_path(); path++) {
        struct act a = {.path = (enum conv1d_path)path};

        z[path] = floats(2 * N);
        y[path] = floats(2 * N);
        for (size_t i = 0; i < N; i++)
            z[path][i] = (float)((double)i / 500 - 30);
        memcpy(z[path] + N, z[path], N * sizeof(float));
        act_gate(&a, 0, N / 6, 6, z[path], z[path], y[path]);
        act_gate(&a, 1, N / 30, 15, z[path] + N, z[path] + N, y[path] + N);
        same = same &&
               memcmp(z[0], z[path], 2 * N * sizeof(float)) == 0 &&
               memcmp(y[0], y[path], 2 * N * sizeof(float)) == 0;
    }
    for (size_t i = 0; i < N; i++) {
        double v = (double)(float)((double)i / 500 - 30), t = tanh(v);
        double s = 1 / (1 + exp(-v));

        worst = golden_worse(worst, fabs((double)y[0][i] - t * s));
        worst = golden_worse(worst, fabs((double)z[0][i] - (1 - t * t) * s -
                                         t * s * (1 - s)));
    }
    tap_ok(worst < 2e-7, "gate and derivative are right (%g)", worst);
    tap_ok(same, "the same bits on every path");
    for (int path = 0; path <= (int)conv1d_best_path(); path++)
        free(z[path]), free(y[path]);
}

/* Extreme numbers at the gate: nothing overflows, NaN stays. */
static void test_gate_extremes(void)
{
    float z[6] = {NAN, INFINITY, -INFINITY, 1e30f, -0.0f, 1e-30f}, y[6];
    struct act a = {.path = conv1d_best_path()};

    act_gate(&a, 0, 1, 6, z, z, y);
    tap_ok(isnan(y[0]) && isnan(z[0]), "NaN stays NaN");
    tap_ok(y[1] == 1 && y[3] == 1 && fabsf(y[2]) < 1e-8f && z[1] < 1e-7f,
           "far out it is flat");
    tap_ok(y[4] == 0 && y[5] == 5e-31f && z[5] == 0.5f,
           "near 0 nothing cancels");
}

/* A golden-sized config of example2 with one switch. */
static struct config_model example2(int split, int conv, int chained, int bias)
{
    struct config_model conf = wavenet(3, 10, 64, 128, 3, 2, 40, 1);

    set_switches(&conf.wavenet,
                 (int[]){bias, split, conv, chained, bias, 0, 0});
    return conf;
}

/* Counts, names, shapes and receptive field of example2 and its variants. */
static void test_sizes(void)
{
    static const struct {
        int split, conv, chained, bias; /* switches */
        size_t n;                       /* parameters */
    } counts[] = {{0, 0, 0, 1, 634817},  {0, 0, 1, 1, 684353},
                  {1, 0, 0, 1, 1000769}, {0, 1, 0, 1, 759617},
                  {1, 1, 0, 1, 1125569}, {0, 0, 0, 0, 628864}};
    size_t past, future, whole;
    struct config_model conf;
    struct model m;
    struct err err;

    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        conf = example2(counts[i].split, counts[i].conv, counts[i].chained,
                        counts[i].bias);
        must(model_init(&m, &conf, &err), &err);
        tap_ok(m.n_weights == counts[i].n, "%zu parameters", counts[i].n);
        model_release(&m);
    }
    conf = example2(0, 0, 0, 1);
    m = made(&conf);
    tap_ok(m.n_params == 126, "126 tensors");
    tap_is(m.params[40].name, "stacks.0.residual_projection.weight", "a name");
    tap_is(m.params[2].name, "stacks.0.layers.1.weight", "another");
    tap_is(m.params[125].name, "conv_out2.bias", "the last");
    tap_ok(m.params[124].n_dims == 3 && m.params[124].shape[0] == 1 &&
               m.params[124].shape[1] == 128 && m.params[124].shape[2] == 1,
           "the head is 1x1 convolutions");
    model_receptive_field(&m, &past, &future, &whole);
    tap_ok(past == 3069 && future == 3069 && whole == 6139,
           "example2 sees 6139");
    tap_near(model_macs_per_frame(&m),
             40 * 64 * 3 + 29 * 64 * 64 * 3 + 30 * 64 * 128 + 40 * 64 +
                 128 * 128 + 128,
             0, "its products");
    tap_ok(model_work_size(&m, 640, 1) > 640 * 30 * 3 * 64 * 4 &&
               model_work_size(&m, 640, 0) < 640 * 20 * 64 * 4 + (8 << 20),
           "a workspace keeps 3 R floats a layer for the way back only");
    model_release(&m);
}

/* What nothing uses has parameters, no products, and no gradient. */
static void test_unused(void)
{
    struct config_model conf = wavenet(1, 2, 4, 3, 3, 2, 4, 1);
    struct model m;
    struct err err;
    struct model_work *w;
    float *x = noise(80, 1), *dy = noise(20, 2), *dw;
    double sum = 0, used = 0, macs;

    m = made(&conf);
    macs = model_macs_per_frame(&m);
    model_release(&m);
    conf.wavenet.residual_conv = true;
    m = made(&conf);
    tap_near(model_macs_per_frame(&m), macs + 16, 0,
             "only the first residual convolution is computed");
    dw = floats(m.n_weights);
    w = opened(&m, 20, 1);
    forward(&m, w, x, 20, NULL);
    must(model_backward(&m, w, dy, dw, &err), &err);
    for (size_t i = 0; i < m.n_params; i++)
        for (size_t k = 0; k < m.params[i].count; k++) {
            double size = fabs((double)dw[m.params[i].offset + k]);

            if (strstr(m.params[i].name, "residual_connections.1"))
                sum += size;
            else if (strstr(m.params[i].name, "residual_connections.0"))
                used += size;
        }
    tap_ok(sum == 0 && used > 0, "the last one's gradient is 0");
    model_work_close(w);
    model_release(&m);
    free(x), free(dy), free(dw);
}

/* The receptive field by impulse, and nothing outside it. */
static void test_receptive_field(void)
{
    enum { T = 301, AT = 150 };
    float *x = floats(T), base[T];
    bool right = true;

    for (int i = 0; i < 16; i++) {
        struct config_model conf = wavenet(2, 3, 4, 3, 1 + i / 4, 2, 1, 1);
        size_t past, future, whole, first = T, last = 0;
        struct model_work *w;
        struct model m;
        const float *y;

        set_switches(&conf.wavenet, (int[]){1, 0, 0, i % 4 / 2, 1, i % 2, 0});
        m = made(&conf);
        for (size_t p = 0; p < m.n_params; p++) /* all 0 without an impulse */
            for (size_t k = 0; k < m.params[p].count; k++)
                m.weights[m.params[p].offset + k] =
                    m.params[p].n_dims > 1 ? 0.1f + (float)(k % 5) * 0.01f : 0;
        model_receptive_field(&m, &past, &future, &whole);
        w = opened(&m, T, 0);
        x[AT] = 0;
        memcpy(base, forward(&m, w, x, T, NULL), sizeof(base));
        x[AT] = 1;
        y = forward(&m, w, x, T, NULL);
        for (size_t t = 0; t < T; t++)
            if (memcmp(&y[t], &base[t], sizeof(float)) != 0) {
                first = t < first ? t : first;
                last = t;
            }
        right = right && first == AT - future && last == AT + past &&
                whole == 1 + 14 * (size_t)(i / 4) &&
                (i % 2 == 0 || future == 0);
        model_work_close(w);
        model_release(&m);
    }
    tap_ok(right, "an impulse reaches exactly the receptive field");
    free(x);
}

/* Causal: later input changes no earlier output, bit for bit. */
static void test_causal(void)
{
    struct config_model conf = wavenet(2, 3, 8, 8, 3, 2, 3, 1);
    float *x = noise(180, 1), before[60];
    bool same = true, other = false;
    struct model_work *w;
    struct model m;
    const float *y;

    set_switches(&conf.wavenet, (int[]){1, 1, 1, 1, 1, 1, 1});
    m = made(&conf);
    w = opened(&m, 60, 0);
    memcpy(before, forward(&m, w, x, 60, NULL), sizeof(before));
    for (size_t i = 30 * 3; i < 180; i++)
        x[i] += 1;
    y = forward(&m, w, x, 60, NULL);
    for (size_t t = 0; t < 60; t++) {
        bool equal = memcmp(&y[t], &before[t], sizeof(float)) == 0;

        same = same && (t >= 30 || equal);
        other = other || (t >= 30 && !equal);
    }
    tap_ok(same && other, "causal: only outputs from frame 30 on change");
    model_work_close(w);
    model_release(&m);
    free(x);
}

/* A used workspace gives a fresh one's bits, training or not. */
static void test_stale(void)
{
    for (int on = 0; on < 2; on++) {
        struct config_model conf = wavenet(2, 3, 20, 9, 4, 2, 3, 1);
        struct model_dropout drop = {5, 6, 7};
        float *x = noise(1500, 1), *dy = noise(500, 2), *a, *b, y[131];
        struct model_work *used, *fresh, *eval;
        struct err err;
        struct model m;

        set_switches(&conf.wavenet, (int[]){1, on, on, on, 1, 0, on});
        conf.wavenet.dropout_rate = 0.4;
        m = made(&conf);
        /* Winograd is for training only, and rounds otherwise */
        must(model_use(&m, OPS_DIRECT, &err), &err);
        a = floats(m.n_weights);
        b = floats(m.n_weights);
        used = opened(&m, 500, 1);
        fresh = opened(&m, 1, 1);
        eval = opened(&m, 1, 0);
        forward(&m, used, x + 3, 499, NULL);
        must(model_backward(&m, used, dy, a, &err), &err);
        memcpy(y, forward(&m, used, x, 131, &drop), sizeof(y));
        must(model_backward(&m, used, dy, a, &err), &err);
        forward(&m, fresh, x, 131, &drop);
        must(model_backward(&m, fresh, dy, b, &err), &err);
        tap_ok(memcmp(a, b, m.n_weights * sizeof(*a)) == 0,
               "a used workspace gives a fresh one's gradient");
        forward(&m, eval, x, 7, NULL);
        tap_ok(memcmp(y, forward(&m, eval, x, 131, &drop), sizeof(y)) == 0,
               "training and evaluating workspaces give the same bits");
        model_work_close(used), model_work_close(fresh);
        model_work_close(eval);
        model_release(&m);
        free(x), free(dy), free(a), free(b);
    }
}

/* Weight norm begins as the plain layer: g is the length of v. */
static void test_init(void)
{
    struct config_model conf = wavenet(1, 2, 8, 5, 3, 2, 3, 1);
    bool right = true;
    struct model m;

    conf.wavenet.weight_norm = true;
    m = made(&conf);
    tap_is(m.params[0].name, "stacks.0.layers.0.bias", "PyTorch's order");
    tap_is(m.params[1].name, "stacks.0.layers.0.weight_g", "lengths");
    tap_is(m.params[2].name, "stacks.0.layers.0.weight_v", "directions");
    for (size_t r = 0; r < 8; r++) {
        const float *v = m.weights + m.params[2].offset + r * 9;
        double square = 0;

        for (int i = 0; i < 9; i++)
            square += (double)v[i] * (double)v[i];
        right = right && fabs(sqrt(square) -
                              (double)m.weights[m.params[1].offset + r]) <
                             1e-6;
    }
    tap_ok(right && m.params[1].n_dims == 3 && m.params[1].shape[2] == 1,
           "weight_g (C, 1, 1) is the length of each row of weight_v");
    model_release(&m);
}

/* Adam, step by step, on n weights. */
static void adam(size_t n, int step, const float *sum, float *speed,
                 float *square, float *w)
{
    for (size_t i = 0; i < n; i++) {
        speed[i] += 0.1f * (sum[i] - speed[i]);
        square[i] += 0.001f * (sum[i] * sum[i] - square[i]);
        w[i] -= 0.01f * speed[i] / (float)(1 - pow(0.9, step)) /
                (sqrtf(square[i] / (float)(1 - pow(0.999, step))) + 1e-8f);
    }
}

/* Loss of four recordings, and its gradient. */
static double four(const struct model *m, struct model_work *w, const float *x,
                   const float *y, size_t T, float *dw, float *sum)
{
    float *dy = floats(T);
    struct err err;
    double loss = 0;

    memset(sum, 0, m->n_weights * sizeof(*sum));
    for (size_t r = 0; r < 4; r++) {
        const float *p = forward(m, w, x + r * T * m->input_size, T, NULL);

        for (size_t t = 0; t < T; t++) {
            double e = (double)(p[t] - y[r * T + t]);

            loss += e * e / (4 * (double)T);
            dy[t] = (float)(2 * e / (4 * (double)T));
        }
        must(model_backward(m, w, dy, dw, &err), &err);
        for (size_t i = 0; i < m->n_weights; i++)
            sum[i] += dw[i];
    }
    free(dy);
    return loss;
}

/* Four recordings, no dropout: both architectures' variants fit them. */
static void overfit(struct config_model conf, const char *what)
{
    enum { T = 80 };
    struct model m = made(&conf);
    struct model_work *w = opened(&m, T, 1);
    float *x = noise(4 * T * 6, 1), *y = noise(4 * T, 2);
    float *dw = floats(m.n_weights), *sum = floats(m.n_weights);
    float *speed = floats(m.n_weights), *square = floats(m.n_weights);
    double first = 0, loss = 0;
    int step;

    for (step = 1; step <= 300 && (step == 1 || loss > 0.01 * first); step++) {
        loss = four(&m, w, x, y, T, dw, sum);
        first = step == 1 ? loss : first;
        adam(m.n_weights, step, sum, speed, square, m.weights);
    }
    tap_ok(loss <= 0.01 * first, "%s: overfits in %d steps (%g of %g)", what,
           step - 1, loss, first);
    model_work_close(w);
    model_release(&m);
    free(x), free(y), free(dw), free(sum), free(speed), free(square);
}

/* One batch is learnt by heart. */
static void test_overfit(void)
{
    struct config_model conf = wavenet(2, 4, 16, 24, 3, 2, 6, 1);

    overfit(conf, "tied");
    set_switches(&conf.wavenet, (int[]){1, 1, 1, 0, 1, 0, 0});
    overfit(conf, "split, residual_conv");
    set_switches(&conf.wavenet, (int[]){1, 0, 0, 1, 1, 0, 1});
    overfit(conf, "chained, weight_norm");
    conf = (struct config_model){
        .architecture = CONFIG_TCN,
        .tcn = {6, 1, 4, 16, 3, 0, 2, CONFIG_PAD_SAME, CONFIG_NORM_LAYER}};
    overfit(conf, "tcn, norm layer");
    conf.tcn.norm = CONFIG_NORM_WEIGHT;
    overfit(conf, "tcn, norm weight");
}

/* Settings that are refused, each with its key. */
static void test_refusals(void)
{
    struct config_model bad[] = {
        wavenet(0, 1, 1, 1, 1, 1, 1, 1),  wavenet(1, 0, 1, 1, 1, 1, 1, 1),
        wavenet(1, 1, 0, 1, 1, 1, 1, 1),  wavenet(1, 1, 1, 0, 1, 1, 1, 1),
        wavenet(1, 1, 1, 1, 0, 1, 1, 1),  wavenet(1, 1, 1, 1, 1, 0, 1, 1),
        wavenet(1, 1, 1, 1, 1, 1, 0, 1),  wavenet(1, 1, 1, 1, 1, 1, 1, 0),
        wavenet(1, 64, 1, 1, 3, 2, 1, 1), wavenet(1, 1, 1, 1, 1, 1, 1, 1),
        wavenet(9, 9, 999999, 9, 9, 1, 9, 9)};
    static const char *const keys[] = {
        "params.num_stacks",      "params.num_layers_per_stack",
        "params.residual_chan",   "params.skip_channels",
        "params.kernel_size",     "params.dilation_base",
        "params.input_channels",  "params.output_channels",
        "params.num_layers_per_", "params.dropout_rate",
        "model.params: stacks"};
    struct model m;
    struct err err;

    bad[9].wavenet.dropout_rate = 1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        err.text[0] = '\0';
        tap_ok(model_init(&m, &bad[i], &err) && err.status == ERR_USAGE &&
                   strstr(err.text, keys[i]),
               "refused: %s", err.text);
    }
}

/* Runs all. */
int main(void)
{
    for (int k = 0; k < WAVENETS; k++)
        golden_case("wavenet", k);
    for (int k = 0; k < NORMS; k++)
        golden_case("norm", k);
    test_gradients();
    test_gate();
    test_gate_extremes();
    test_sizes();
    test_unused();
    test_receptive_field();
    test_causal();
    test_stale();
    test_init();
    test_overfit();
    test_refusals();
    return tap_done();
}
