/*
 * test_tcn - the TCN against PyTorch, against a double reference with
 * central differences, and its promises: receptive field, causality,
 * dropout, memory, determinism.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "nn/act.h"
#include "nn/model.h"
#include "nn_golden.h"
#include "nn_run.h"

/* A config: I, O, N, C, K, base, causal; dropout p; no norm. */
static struct config_model tcn(int I, int O, int N, int C, int K, int base,
                               int causal, double p)
{
    return (struct config_model){
        .architecture = CONFIG_TCN,
        .tcn = {I, O, N, C, K, p, base,
                causal ? CONFIG_PAD_CAUSAL : CONFIG_PAD_SAME,
                CONFIG_NORM_NONE}};
}

/* One case of the golden file: its model and input. */
static struct model golden_model(const double *c, float **x)
{
    struct config_model conf = tcn((int)c[0], (int)c[1], (int)c[2], (int)c[3],
                                   (int)c[4], (int)c[5], (int)c[6], 0.5);
    size_t I = (size_t)c[0], T = (size_t)c[7];
    struct model m = made(&conf);
    float mean[8], std[8];

    for (size_t i = 0; i < m.n_weights; i++)
        m.weights[i] = golden_wave(i, 0.4, 0.7, 0.3);
    for (size_t i = 0; i < I; i++) {
        mean[i] = golden_wave(i, 0.5, 1.1, 0.4);
        std[i] = (float)(1 + (double)golden_wave(i, 0.5, 0.9, 0.1));
    }
    model_set_input(&m, mean, std);
    *x = floats(T * I);
    for (size_t i = 0; i < T * I; i++)
        (*x)[i] = golden_wave(i, 1.5, 0.37, 0.2);
    return m;
}

/* Gradients by name against PyTorch's, relative to each tensor's largest. */
static void compare_gradients(const struct model *m, const float *dw, int k)
{
    double worst = 0;
    bool shapes = true;

    for (size_t i = 0; i < m->n_params; i++) {
        char key[128];
        double *want;
        size_t n;

        snprintf(key, sizeof(key), "%s@%d", m->params[i].name, k);
        want = golden("tcn", key, &n);
        shapes = shapes && n == m->params[i].count;
        worst = golden_worse(worst, golden_gap(dw + m->params[i].offset, want,
                                               m->params[i].count) /
                                        golden_max(want, n));
        free(want);
    }
    tap_ok(shapes, "case %d: names and sizes are PyTorch's", k);
    if (!tap_ok(worst < 1e-5, "case %d: gradients are PyTorch's", k))
        printf("# %g\n", worst);
}

/* Outputs, loss and gradients of one golden case. */
static void golden_case(int k)
{
    struct err err;
    char key[32];
    size_t n, n_c;
    float *x, *dy, *dw;
    double *c, *y, *loss, sum = 0;
    struct model m;
    struct model_work *w;
    const float *got;

    snprintf(key, sizeof(key), "case%d", k);
    c = golden("tcn", key, &n_c);
    snprintf(key, sizeof(key), "y%d", k);
    y = golden("tcn", key, &n);
    snprintf(key, sizeof(key), "loss%d", k);
    loss = golden("tcn", key, &n_c);
    m = golden_model(c, &x);
    tap_ok(m.n_weights == (size_t)c[8], "case %d: parameter count", k);
    w = opened(&m, 3, 1); /* has to grow */
    got = forward(&m, w, x, (size_t)c[7], NULL);
    tap_ok(golden_gap(got, y, n) < 1e-5, "case %d: outputs are PyTorch's", k);
    dy = floats(n);
    dw = floats(m.n_weights);
    for (size_t i = 0; i < n; i++) {
        double e = (double)got[i] - (double)golden_wave(i, 1, 0.21, 0);

        sum += e * e / (double)n;
        dy[i] = (float)(2 * e / (double)n);
    }
    tap_near(sum, *loss, 1e-6 * *loss, "loss is PyTorch's");
    must(model_backward(&m, w, dy, dw, &err), &err);
    compare_gradients(&m, dw, k);
    model_work_close(w);
    model_release(&m);
    free(c), free(y), free(loss), free(x), free(dy), free(dw);
}

/* The network in double, straight from its definition. */
struct reference {
    const struct config_tcn *c; /* settings */
    const double *w;            /* weights, in the order of the model */
    size_t T;                   /* frames */
};

/* Weights (C, n) of lengths g and directions v, in place of v. */
static void slow_fold(const double *g, double *v, size_t C, size_t n)
{
    for (size_t o = 0; o < C; o++, v += n) {
        double length = 0;

        for (size_t i = 0; i < n; i++)
            length += v[i] * v[i];
        for (size_t i = 0; i < n; i++)
            v[i] *= g[o] / sqrt(length);
    }
}

/*
 * One convolution in double: takes weight and bias from r->w; or, where
 * `folded`, bias, lengths and directions.
 */
static void slow_conv(struct reference *r, size_t C_in, size_t C, size_t K,
                      size_t d, int folded, const double *x, double *y)
{
    const double *b = folded ? r->w : r->w + C * C_in * K;
    double *w = malloc(C * C_in * K * sizeof(*w));
    size_t all = (K - 1) * d;
    size_t left = r->c->padding == CONFIG_PAD_CAUSAL ? all : all / 2;

    memcpy(w, folded ? r->w + 2 * C : r->w, C * C_in * K * sizeof(*w));
    if (folded)
        slow_fold(r->w + C, w, C, C_in * K);
    for (size_t t = 0; t < r->T; t++)
        for (size_t o = 0; o < C; o++) {
            double sum = b[o];

            for (size_t i = 0; i < C_in; i++)
                for (size_t k = 0; k < K; k++)
                    if (t + k * d >= left && t + k * d < left + r->T)
                        sum += w[(o * C_in + i) * K + k] *
                               x[(t + k * d - left) * C_in + i];
            y[t * C + o] = sum;
        }
    r->w += C * C_in * K + (folded ? 2 * C : C);
    free(w);
}

/* Layer norm in double, if the network has it: takes gamma and beta. */
static void slow_norm(struct reference *r, size_t C, double *x)
{
    if (r->c->norm != CONFIG_NORM_LAYER)
        return;
    for (size_t t = 0; t < r->T; t++, x += C) {
        double mean = 0, square = 0;

        for (size_t c = 0; c < C; c++)
            mean += x[c] / (double)C;
        for (size_t c = 0; c < C; c++)
            square += (x[c] - mean) * (x[c] - mean) / (double)C;
        for (size_t c = 0; c < C; c++)
            x[c] = r->w[c] * (x[c] - mean) / sqrt(square + 1e-5) + r->w[C + c];
    }
    r->w += 2 * C;
}

/* ReLU of n numbers. */
static void slow_relu(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

/* sum_i target_i y_i of the network with weights w: a linear loss. */
static double slow_loss(const struct config_tcn *c, const double *w,
                        const float *x, const float *target, size_t T)
{
    struct reference r = {c, w, T};
    size_t C = (size_t)c->num_channels, I = (size_t)c->input_size;
    size_t K = (size_t)c->kernel_size, O = (size_t)c->output_size, d = 1;
    size_t wide = C > I ? C : I;
    int folded = c->norm == CONFIG_NORM_WEIGHT;
    double *a = calloc(T * (3 * wide + O), sizeof(*a)), sum = 0;
    double *u = a + T * wide, *v = u + T * wide, *y = v + T * wide;

    for (size_t i = 0; i < T * I; i++)
        a[i] = (double)x[i];
    for (int64_t n = 0; n < c->num_blocks; n++) {
        size_t C_in = n ? C : I;

        slow_conv(&r, C_in, C, K, d, folded, a, u);
        slow_norm(&r, C, u);
        slow_relu(u, T * C);
        slow_conv(&r, C, C, K, d, folded, u, v);
        slow_norm(&r, C, v);
        slow_relu(v, T * C);
        if (C_in != C)
            slow_conv(&r, C_in, C, 1, 1, 0, a, u);
        for (size_t i = 0; i < T * C; i++)
            a[i] = v[i] + (C_in != C ? u[i] : a[i]);
        slow_relu(a, T * C);
        d *= (size_t)c->dilation_base;
    }
    slow_conv(&r, C, O, 1, 1, 0, a, y);
    for (size_t i = 0; i < T * O; i++)
        sum += (double)target[i] * y[i];
    free(a);
    return sum;
}

/*
 * Every weight's derivative against a central difference in double. Over a
 * kink of a ReLU the difference quotient means nothing: where two step sizes
 * disagree the element is skipped, and counted.
 */
static double check_gradient(const struct model *m, size_t T, size_t *skipped)
{
    struct err err;
    const struct config_tcn *c = &m->conf.tcn;
    float *x = noise(T * m->input_size, 1), *dw = floats(m->n_weights);
    float *target = noise(T * m->output_size, 2);
    double *w = calloc(m->n_weights, sizeof(*w)), worst = 0;
    struct model_work *work = opened(m, T, 1);

    forward(m, work, x, T, NULL);
    must(model_backward(m, work, target, dw, &err), &err);
    for (size_t i = 0; i < m->n_weights; i++)
        w[i] = (double)m->weights[i];
    for (size_t i = 0; i < m->n_weights; i++) {
        double keep = w[i], slope[2];

        for (int s = 0; s < 2; s++) {
            double h = s ? 5e-7 : 1e-6, up;

            w[i] = keep + h;
            up = slow_loss(c, w, x, target, T);
            w[i] = keep - h;
            slope[s] = (up - slow_loss(c, w, x, target, T)) / (2 * h);
        }
        w[i] = keep;
        if (fabs(slope[0] - slope[1]) > 1e-6 * (1 + fabs(slope[0])))
            ++*skipped;
        else
            worst = golden_worse(worst, fabs(slope[0] - (double)dw[i]) /
                                            (1 + fabs(slope[0])));
    }
    model_work_close(work);
    free(x), free(target), free(dw), free(w);
    return worst;
}

/* Adds one network's errors and skipped elements at four lengths. */
static void check_lengths(const struct config_model *conf, double *worst,
                          size_t *skipped, size_t *all)
{
    struct model m = made(conf);
    size_t past, future, whole, T[4] = {1, 2, 7};

    for (size_t i = 0; i < m.n_params; i++) /* no gamma is 1, no beta 0 */
        if (m.params[i].init != MODEL_INIT_UNIFORM)
            for (size_t k = 0; k < m.params[i].count; k++)
                m.weights[m.params[i].offset + k] +=
                    golden_wave(i + k, 0.3, 0.9, 0.1);
    model_receptive_field(&m, &past, &future, &whole);
    T[3] = whole + 3;
    for (int i = 0; i < 4; i++) {
        *worst = golden_worse(*worst, check_gradient(&m, T[i], skipped));
        *all += m.n_weights;
    }
    model_release(&m);
}

/*
 * Gradients of all tensors for every padding, kernel, norm, short lengths. A
 * layer norm gets more channels: where few happen to be nearly equal, it
 * magnifies rounding.
 */
static void test_gradients(void)
{
    static const char *const names[] = {"none", "weight", "layer"};

    for (int norm = 0; norm <= CONFIG_NORM_LAYER; norm++) {
        double worst = 0;
        size_t skipped = 0, all = 0;

        for (int K = 1; K <= 4; K++)
            for (int causal = 0; causal < 2; causal++)
                for (int I = 2; I <= 3; I++) {
                    struct config_model conf =
                        tcn(I, 2, 2, norm == 2 ? 6 : 3, K, 2, causal, 0.3);

                    conf.tcn.norm = (enum config_norm)norm;
                    check_lengths(&conf, &worst, &skipped, &all);
                }
        tap_ok(worst < 1e-5, "norm %s: gradients are central differences (%g)",
               names[norm], worst);
        tap_ok(skipped < all / 50, "few met a kink (%zu of %zu)", skipped, all);
    }
}

/* Gradients where Winograd computes, small and large tiles. */
static void test_winograd(void)
{
    static const enum ops_algorithm how[] = {OPS_WINOGRAD2, OPS_WINOGRAD4};
    struct err err;

    for (int h = 0; h < 2; h++)
        for (int K = 2; K <= 5; K++) {
            struct config_model conf = tcn(3, 2, 2, 4, K, 2, K == 3, 0.3);
            struct model m = made(&conf);
            size_t skipped = 0;
            double worst = 0;

            must(model_use(&m, how[h], &err), &err);
            for (size_t T = 1; T < 60; T += 19)
                worst = golden_worse(worst, check_gradient(&m, T, &skipped));
            tap_ok(worst < 1e-5 && skipped < m.n_weights / 10,
                   "F(%d, %d): gradients are central differences (%g)",
                   h ? 4 : 2, K, worst);
            model_release(&m);
        }
}

/* Counts, names and receptive fields of upstream's models. */
static void test_sizes(void)
{
    struct config_model one = tcn(40, 1, 5, 64, 3, 2, 0, 0.2);
    struct config_model three = tcn(40, 1, 8, 128, 5, 2, 0, 0.2);
    struct model m = made(&one);
    size_t past, future, whole;

    tap_ok(m.n_weights == 121601 && m.n_params == 24, "example1's size");
    tap_is(m.params[4].name, "network.0.downsample.weight", "fifth name");
    tap_is(m.params[23].name, "linear.bias", "last name");
    tap_ok(m.params[22].n_dims == 2 && m.params[22].shape[1] == 64 &&
               m.params[0].shape[1] == 40 && m.params[0].shape[2] == 3,
           "shapes are PyTorch's");
    tap_is(model_param_at(&m, 0)->name, "network.0.conv1.weight",
           "first weight");
    tap_is(model_param_at(&m, 121600)->name, "linear.bias", "last weight");
    model_receptive_field(&m, &past, &future, &whole);
    tap_ok(past == 62 && future == 62 && whole == 125, "example1 sees 125");
    tap_near(model_macs_per_frame(&m),
             40 * 64 * 3 + 64 * 64 * 3 * 9 + 40 * 64 + 64, 0, "its products");
    tap_ok(model_work_size(&m, 400, 1) > 400 * 64 * 4 * 10 &&
               model_work_size(&m, 400, 1) > model_work_size(&m, 400, 0),
           "a workspace has a size");
    model_release(&m);
    m = made(&three);
    tap_ok(m.n_weights == 1261825 && m.n_params == 36, "example3's size");
    model_receptive_field(&m, &past, &future, &whole);
    tap_ok(whole == 2041, "example3 sees 2041");
    model_release(&m);
}

/* First and last frame that an impulse in the middle changes. */
static void impulse(struct config_model conf, size_t *first, size_t *last)
{
    struct model m = made(&conf);
    struct model_work *w = opened(&m, 401, 0);
    float *x = floats(401), *base = floats(401);
    const float *y;

    for (size_t i = 0; i < m.n_weights; i++) /* no ReLU ever closes */
        m.weights[i] = 0.1f + (float)(i % 5) * 0.01f;
    y = forward(&m, w, x, 401, NULL);
    memcpy(base, y, 401 * sizeof(float));
    x[200] = 1000;
    y = forward(&m, w, x, 401, NULL);
    *first = 401;
    for (size_t t = 0; t < 401; t++)
        if (memcmp(&y[t], &base[t], sizeof(float)) != 0) {
            *first = t < *first ? t : *first;
            *last = t;
        }
    model_work_close(w);
    model_release(&m);
    free(x), free(base);
}

/* The receptive field by impulse, and nothing outside it. */
static void test_receptive_field(void)
{
    bool right = true;

    for (int K = 1; K <= 4; K++)
        for (int causal = 0; causal < 2; causal++) {
            struct config_model conf = tcn(1, 1, 3, 4, K, 2, causal, 0);
            struct model m = made(&conf);
            size_t past, future, whole, first, last = 0;

            model_receptive_field(&m, &past, &future, &whole);
            impulse(conf, &first, &last);
            right = right && first == 200 - future && last == 200 + past &&
                    whole == 1 + 14 * (size_t)(K - 1) &&
                    (!causal || future == 0);
            model_release(&m);
        }
    tap_ok(right, "an impulse reaches exactly the receptive field");
}

/* Causal: later input changes no earlier output, bit for bit. */
static void test_causal(void)
{
    struct config_model conf = tcn(3, 1, 3, 8, 3, 2, 1, 0);
    struct model m = made(&conf);
    struct model_work *w = opened(&m, 60, 0);
    float *x = noise(180, 1), before[60];
    bool same = true, other = false;

    memcpy(before, forward(&m, w, x, 60, NULL), sizeof(before));
    for (size_t i = 30 * 3; i < 180; i++)
        x[i] += 1;
    for (size_t t = 0; t < 60; t++) {
        const float *y = forward(&m, w, x, 60, NULL);
        bool equal = memcmp(&y[t], &before[t], sizeof(float)) == 0;

        same = same && (t >= 30 || equal);
        other = other || (t >= 30 && !equal);
    }
    tap_ok(same && other, "causal: only outputs from frame 30 on change");
    model_work_close(w);
    model_release(&m);
    free(x);
}

/* Elements of the dropout test, no multiple of anything. */
#define MANY 40001

/* Elements that act's dropout treats unlike rng_block()'s word says. */
static size_t wrong_words(const struct act *a, const float *kept)
{
    size_t wrong = 0;

    for (size_t i = 0; i < MANY; i++) {
        uint32_t counter[4] = {RNG_DROPOUT, (uint32_t)(i / 8), 0, 0}, out[4];
        uint32_t half;

        rng_block(a->key, counter, out);
        half = out[i % 8 / 2] >> (i % 2 ? 16 : 0) & 0xFFFF;
        wrong += kept[i] != (half / 65536.0 >= a->p
                                 ? (float)(1 / (1 - a->p))
                                 : 0.0f);
    }
    return wrong;
}

/* Share kept, scale, tiling and words of act's dropout, on every path. */
static void test_dropout(void)
{
    struct act a = {.p = 0.3, .key = act_dropout_key(1, 2, 3, 4)};
    float *whole = floats(MANY), *parts = floats(MANY);
    size_t kept = 0, at = 0, wrong = 0;

    for (size_t i = 0; i < MANY; i++)
        parts[i] = 1;
    for (size_t n = 1; at < MANY; at += n, n = n * 3 % 1009)
        act_forward(&a, at, n < MANY - at ? n : MANY - at, parts + at, NULL);
    for (int path = 0; path <= (int)conv1d_best_path(); path++) {
        a.path = (enum conv1d_path)path;
        for (size_t i = 0; i < MANY; i++)
            whole[i] = 1;
        act_forward(&a, 0, MANY, whole, NULL);
        wrong += wrong_words(&a, whole);
    }
    for (size_t i = 0; i < MANY; i++)
        kept += whole[i] > 0;
    tap_near((double)kept / MANY, 0.7, 0.01, "dropout keeps 1 - p");
    tap_ok(wrong == 0, "each element follows its own half of a Philox word");
    tap_ok(memcmp(whole, parts, MANY * sizeof(float)) == 0,
           "dropout does not depend on the tiling");
    free(whole), free(parts);
}

/* Masks are keyed by all four of seed, step, song and layer. */
static void test_dropout_key(void)
{
    uint64_t key = act_dropout_key(1, 2, 3, 4);

    tap_ok(key != act_dropout_key(2, 2, 3, 4) &&
               key != act_dropout_key(1, 3, 3, 4) &&
               key != act_dropout_key(1, 2, 4, 4) &&
               key != act_dropout_key(1, 2, 3, 5) &&
               key != act_dropout_key(1, 2 + (1ull << 32), 3, 4) &&
               key != act_dropout_key(1, 2, 3 + (1ull << 32), 4),
           "seed, step, song and layer all count");
}

/* Dropout in the model: off in evaluation, a function of its four numbers. */
static void test_model_dropout(void)
{
    struct config_model conf = tcn(3, 1, 2, 8, 3, 2, 0, 0.4);
    struct model m = made(&conf);
    struct model_work *train = opened(&m, 50, 1), *eval = opened(&m, 9, 0);
    struct model_dropout drop = {1, 2, 3};
    float *x = noise(150, 1), a[50], b[50];

    memcpy(a, forward(&m, train, x, 50, NULL), sizeof(a));
    memcpy(b, forward(&m, eval, x, 50, NULL), sizeof(b));
    tap_ok(memcmp(a, b, sizeof(a)) == 0,
           "training and evaluating workspaces give the same bits");
    memcpy(b, forward(&m, train, x, 50, &drop), sizeof(b));
    tap_ok(memcmp(a, b, sizeof(a)) != 0, "dropout changes the output");
    forward(&m, train, x, 20, NULL);
    memcpy(a, forward(&m, eval, x, 50, &drop), sizeof(a));
    tap_ok(memcmp(a, b, sizeof(a)) == 0, "the same numbers, the same mask");
    drop.song = 4;
    memcpy(b, forward(&m, eval, x, 50, &drop), sizeof(b));
    tap_ok(memcmp(a, b, sizeof(a)) != 0, "another song, another mask");
    model_work_close(train);
    model_work_close(eval);
    model_release(&m);
    free(x);
}

/*
 * The gradient with dropout on: a directional difference quotient, in the
 * model itself, with the mask held fixed by its numbers.
 */
static void test_dropout_gradient(void)
{
    struct config_model conf = tcn(3, 1, 2, 8, 3, 2, 0, 0.4);
    struct model m = made(&conf);
    struct err err;
    struct model_work *w = opened(&m, 30, 1);
    struct model_dropout drop = {5, 6, 7};
    float *x = noise(90, 1), *dy = noise(30, 2), *dw = floats(m.n_weights);
    double want = 0, sum[2] = {0, 0}, h = 1e-3;

    forward(&m, w, x, 30, &drop);
    must(model_backward(&m, w, dy, dw, &err), &err);
    for (int s = 0; s < 2; s++) {
        const float *y;

        for (size_t i = 0; i < m.n_weights; i++)
            m.weights[i] += dw[i] * (float)(s ? -2 * h : h);
        y = forward(&m, w, x, 30, &drop);
        for (size_t t = 0; t < 30; t++)
            sum[s] += (double)dy[t] * (double)y[t];
    }
    for (size_t i = 0; i < m.n_weights; i++)
        want += (double)dw[i] * (double)dw[i];
    tap_near((sum[0] - sum[1]) / (2 * h), want, 0.01 * want,
             "the gradient goes through the dropout mask");
    model_work_close(w);
    model_release(&m);
    free(x), free(dy), free(dw);
}

/* A model of N blocks whose convolutions pass their input on. */
static struct model passing(int N, double p)
{
    struct config_model conf = tcn(4, 4, N, 4, 1, 1, 0, p);
    struct model m = made(&conf);

    memset(m.weights, 0, m.n_weights * sizeof(float));
    for (size_t i = 0; i < m.n_params; i++)
        for (size_t c = 0; c < 4 && m.params[i].n_dims > 1; c++)
            m.weights[m.params[i].offset + 5 * c] = 1;
    for (size_t c = 0; c < 4; c++) /* conv1's bias: all ones */
        m.weights[m.params[1].offset + c] = 1;
    return m;
}

/*
 * Layers have masks of their own. x = 0 and p = 1/2: after block 0 an element
 * is 4 if both dropouts kept it, after block 1 it is 4 + 16 if all four did.
 */
static void test_layers(void)
{
    enum { T = 5000 };
    struct model m = passing(2, 0.5);
    struct model_work *w = opened(&m, T, 0);
    struct model_dropout drop = {1, 2, 3};
    float *x = floats(T * 4);
    const float *y = forward(&m, w, x, T, &drop);
    size_t two = 0, four = 0;

    for (size_t i = 0; i < T * 4; i++) {
        two += y[i] > 0;
        four += y[i] == 20;
    }
    tap_near((double)two / (T * 4), 0.25, 0.01, "block 0: both kept 1/4");
    tap_near((double)four / (double)two, 0.25, 0.03,
             "block 1: of these both kept 1/4");
    model_work_close(w);
    model_release(&m);
    free(x);
}

/* Standard deviation 0 counts as 1. */
static void test_input(void)
{
    struct model m = passing(1, 0);
    struct model_work *w = opened(&m, 1, 0);
    const float mean[] = {1, 2, 3, 4}, std[] = {2, 0, 1, 0.5f};
    const float x[] = {3, 3, 4, 5};
    const float *y;

    model_set_input(&m, mean, std);
    y = forward(&m, w, x, 1, NULL); /* 2 (x - mean) / std + 1 */
    tap_ok(y[0] == 3 && y[1] == 3 && y[2] == 3 && y[3] == 5,
           "input is normalised, a std of 0 is 1");
    model_work_close(w);
    model_release(&m);
}

/* Neither output nor gradient depend on what a workspace did before. */
static void test_stale(void)
{
    struct config_model conf = tcn(3, 1, 3, 20, 4, 2, 0, 0.4);
    struct model m = made(&conf);
    struct err err;
    struct model_work *used = opened(&m, 500, 1), *fresh = opened(&m, 1, 1);
    struct model_dropout drop = {5, 6, 7};
    float *x = noise(1500, 1), *dy = noise(500, 2);
    float *a = floats(m.n_weights), *b = floats(m.n_weights);

    forward(&m, used, x + 3, 499, NULL);
    must(model_backward(&m, used, dy, a, &err), &err);
    forward(&m, used, x, 131, &drop);
    must(model_backward(&m, used, dy, a, &err), &err);
    forward(&m, fresh, x, 131, &drop);
    must(model_backward(&m, fresh, dy, b, &err), &err);
    tap_ok(memcmp(a, b, m.n_weights * sizeof(*a)) == 0,
           "a used workspace gives a fresh one's bits");
    model_work_close(used);
    model_work_close(fresh);
    model_release(&m);
    free(x), free(dy), free(a), free(b);
}

/* Initial weights: bounds, spread, and each parameter its own numbers. */
static void test_init(void)
{
    struct config_model conf = tcn(40, 1, 2, 64, 3, 2, 0, 0);
    struct model m = made(&conf), n = made(&conf);
    double bound = 1 / sqrt(40 * 3), sum = 0, max = 0;
    const struct model_param *p = &m.params[0];

    for (size_t i = 0; i < p->count + 64; i++) {
        double w = (double)m.weights[i];

        sum += w * w;
        max = fmax(max, fabs(w));
    }
    tap_ok(max <= bound && max > 0.99 * bound, "within 1/sqrt(C_in K)");
    tap_near(sum / (double)(p->count + 64), bound * bound / 3,
             0.03 * bound * bound, "uniform");
    p = model_param_at(&m, m.n_weights - 2);
    max = 0;
    for (size_t i = 0; i < p->count + 1; i++)
        max = fmax(max, fabs((double)m.weights[p->offset + i]));
    tap_ok(max <= 0.125 && max > 0.115, "linear: within 1/sqrt(C)");
    tap_ok(fabs((double)m.weights[m.params[2].offset] * sqrt(64 * 3) -
                (double)m.weights[0] * sqrt(40 * 3)) > 1e-3,
           "each parameter has numbers of its own");
    tap_ok(memcmp(m.weights, n.weights, m.n_weights * sizeof(float)) == 0,
           "the same seed, the same weights");
    model_init_weights(&n, 4);
    tap_ok(memcmp(m.weights, n.weights, 4) != 0, "another seed, others");
    model_release(&m);
    model_release(&n);
}

/* A changed weight is seen by a workspace that is already open. */
static void test_changed_weights(void)
{
    struct config_model conf = tcn(3, 1, 2, 4, 3, 2, 0, 0);
    struct model m = made(&conf);
    struct model_work *old = opened(&m, 10, 1), *fresh;
    float *x = noise(30, 1), a[10];
    bool seen = true;

    for (size_t i = 0; i < m.n_params; i++) {
        forward(&m, old, x, 10, NULL);
        m.weights[m.params[i].offset] += 0.5f;
        memcpy(a, forward(&m, old, x, 10, NULL), sizeof(a));
        fresh = opened(&m, 10, 0);
        seen =
            seen && memcmp(a, forward(&m, fresh, x, 10, NULL), sizeof(a)) == 0;
        model_work_close(fresh);
    }
    tap_ok(seen, "an open workspace sees changed weights");
    model_work_close(old);
    model_release(&m);
    free(x);
}

/* Four recordings, no dropout: plain gradient descent fits them. */
static void test_overfit(void)
{
    enum { T = 80, ROWS = 4 };
    struct config_model conf = tcn(6, 1, 4, 16, 3, 2, 0, 0);
    struct model m = made(&conf);
    struct err err;
    struct model_work *w = opened(&m, T, 1);
    float *x = noise(ROWS * T * 6, 1), *y = noise(ROWS * T, 2);
    float *dw = floats(m.n_weights), *sum = floats(m.n_weights), dy[T];
    float *speed = floats(m.n_weights), *square = floats(m.n_weights);
    double first = 0, loss = 0;

    for (int step = 1; step <= 300; step++) {
        loss = 0;
        memset(sum, 0, m.n_weights * sizeof(*sum));
        for (size_t r = 0; r < ROWS; r++) {
            const float *p = forward(&m, w, x + r * T * 6, T, NULL);

            for (size_t t = 0; t < T; t++) {
                double e = (double)(p[t] - y[r * T + t]);

                loss += e * e / (ROWS * T);
                dy[t] = (float)(2 * e / (ROWS * T));
            }
            must(model_backward(&m, w, dy, dw, &err), &err);
            for (size_t i = 0; i < m.n_weights; i++)
                sum[i] += dw[i];
        }
        first = step == 1 ? loss : first;
        for (size_t i = 0; i < m.n_weights; i++) { /* Adam */
            speed[i] += 0.1f * (sum[i] - speed[i]);
            square[i] += 0.001f * (sum[i] * sum[i] - square[i]);
            m.weights[i] -=
                0.01f * speed[i] / (float)(1 - pow(0.9, step)) /
                (sqrtf(square[i] / (float)(1 - pow(0.999, step))) + 1e-8f);
        }
    }
    tap_ok(loss < 0.01 * first, "overfits four recordings (%g of %g)", loss,
           first);
    model_work_close(w);
    model_release(&m);
    free(x), free(y), free(dw), free(sum), free(speed), free(square);
}

/* Settings that are refused, each with its key. */
static void test_refusals(void)
{
    struct config_model bad[] = {
        tcn(0, 1, 1, 4, 3, 2, 0, 0),  tcn(3, 1, 1, 4, 3, 2, 0, 1.0),
        tcn(3, 1, 64, 4, 3, 2, 0, 0), tcn(3, 1, 9, 1000000, 9, 1, 0, 0)};
    static const char *const keys[] = {
        "params.input_size", "params.dropout", "params.num_blocks",
        "model.params: network"};
    struct model m;
    struct err err;

    for (size_t i = 0; i < 4; i++) {
        err.text[0] = '\0';
        tap_ok(model_init(&m, &bad[i], &err) && err.status == ERR_USAGE &&
                   strstr(err.text, keys[i]),
               "refused: %s", err.text);
    }
}

/* Runs all. */
int main(void)
{
    for (int k = 0; k < 8; k++)
        golden_case(k);
    test_sizes();
    test_gradients();
    test_winograd();
    test_receptive_field();
    test_causal();
    test_dropout();
    test_dropout_key();
    test_model_dropout();
    test_dropout_gradient();
    test_layers();
    test_input();
    test_stale();
    test_init();
    test_changed_weights();
    test_overfit();
    test_refusals();
    return tap_done();
}
