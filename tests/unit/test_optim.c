/*
 * test_optim - optimizers and clipping against torch.optim, lion and
 * schedule_free_adamw against their papers' formulas in NumPy.
 */
#include "tap.h"

#include <stdlib.h>

#include "nn/optim.h"
#include "nn_golden.h"

/* Weights in it, and steps. */
#define N 7
#define STEPS 30

/* One optimizer of the golden file. */
struct kind {
    const char *name;             /* key */
    struct config_optimizer conf; /* settings */
};

/* All of them. */
static const struct kind kinds[] = {
    {"sgd", {.name = CONFIG_SGD, .learning_rate = 0.1}},
    {"sgd_momentum",
     {.name = CONFIG_SGD,
      .learning_rate = 0.05,
      .momentum = 0.9,
      .weight_decay = 0.01}},
    {"sgd_nesterov",
     {.name = CONFIG_SGD,
      .learning_rate = 0.05,
      .momentum = 0.8,
      .weight_decay = 0.02,
      .nesterov = true}},
    {"adam",
     {.name = CONFIG_ADAM,
      .learning_rate = 0.01,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8}},
    {"adam_decay",
     {.name = CONFIG_ADAM,
      .learning_rate = 0.02,
      .beta1 = 0.8,
      .beta2 = 0.95,
      .eps = 1e-6,
      .weight_decay = 0.05}},
    {"adamw",
     {.name = CONFIG_ADAMW,
      .learning_rate = 0.01,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1}},
    {"sgd_dampening",
     {.name = CONFIG_SGD,
      .learning_rate = 0.05,
      .momentum = 0.9,
      .dampening = 0.3,
      .weight_decay = 0.01}},
    {"adam_amsgrad",
     {.name = CONFIG_ADAM,
      .learning_rate = 0.01,
      .beta1 = 0.9,
      .beta2 = 0.7,
      .eps = 1e-8,
      .amsgrad = true}},
    {"adamw_amsgrad",
     {.name = CONFIG_ADAMW,
      .learning_rate = 0.01,
      .beta1 = 0.9,
      .beta2 = 0.7,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .amsgrad = true}},
    {"rmsprop",
     {.name = CONFIG_RMSPROP,
      .learning_rate = 0.01,
      .alpha = 0.95,
      .eps = 1e-8,
      .weight_decay = 0.02}},
    {"rmsprop_momentum",
     {.name = CONFIG_RMSPROP,
      .learning_rate = 0.01,
      .alpha = 0.99,
      .eps = 1e-8,
      .momentum = 0.8}},
    {"lion",
     {.name = CONFIG_LION,
      .learning_rate = 0.01,
      .beta1 = 0.9,
      .beta2 = 0.99,
      .weight_decay = 0.1}},
    {"schedule_free",
     {.name = CONFIG_SCHEDULE_FREE_ADAMW,
      .learning_rate = 0.02,
      .beta1 = 0.9,
      .beta2 = 0.99,
      .eps = 1e-8,
      .weight_decay = 0.05}},
};

/* Ends the program where a test cannot go on. */
static void must(int failed, const struct err *err)
{
    if (!failed)
        return;
    printf("Bail out! %s\n", err->text);
    exit(99);
}

/* The gradient of step k. */
static void gradient(int k, float g[N])
{
    for (size_t i = 0; i < N; i++)
        g[i] = golden_wave(i, 0.5 + 0.05 * k, 1.3, 0.7 * k);
}

/* The golden line `name@what` against n floats. */
static double gap(const char *name, const char *what, const float *got)
{
    char key[64];
    size_t n;
    double *want, worst;

    snprintf(key, sizeof(key), "%s@%s", name, what);
    want = golden("optim", key, &n);
    worst = golden_gap(got, want, n);
    free(want);
    return worst;
}

/* 30 steps of one optimizer; its state is torch's, by name. */
static void test_kind(const struct kind *kind)
{
    struct optim o;
    struct err err;
    float w[N], g[N];
    double lr = kind->conf.learning_rate, worst = 0, state = 0;

    must(optim_init(&o, &kind->conf, N, &err), &err);
    for (size_t i = 0; i < N; i++)
        w[i] = golden_wave(i, 1, 0.9, 0.2);
    optim_start(&o, w);
    for (int k = 1; k <= STEPS; k++) {
        char step[16];

        lr *= 0.98;
        gradient(k, g);
        optim_step(&o, lr, g, w);
        snprintf(step, sizeof(step), "%d", k);
        if (k <= 3 || k == 10 || k == 30)
            worst = golden_worse(worst, gap(kind->name, step, w));
    }
    if (!tap_ok(worst < 1e-6, "%s: weights are the reference's", kind->name))
        printf("# %g\n", worst);
    for (size_t i = 0; i < o.n_states; i++)
        state = golden_worse(
            state, gap(kind->name, o.states[i].name, o.states[i].data));
    if (o.average)
        state = golden_worse(state, gap(kind->name, "average", o.average));
    tap_ok(state < 2e-6, "%s: %zu states are the reference's", kind->name,
           o.n_states);
    tap_ok(o.step == STEPS, "%s: counts its steps", kind->name);
    optim_release(&o);
}

/* State copied by name after 7 steps: the rest gives the same bits. */
static void test_resume(const struct kind *kind)
{
    struct optim a, b;
    struct err err;
    float w[2][N], g[N];
    bool same;

    must(optim_init(&a, &kind->conf, N, &err), &err);
    must(optim_init(&b, &kind->conf, N, &err), &err);
    for (size_t i = 0; i < N; i++)
        w[0][i] = golden_wave(i, 1, 0.9, 0.2);
    optim_start(&a, w[0]);
    for (int k = 1; k <= STEPS; k++) {
        gradient(k, g);
        optim_step(&a, 0.01, g, w[0]);
        if (k > 7)
            optim_step(&b, 0.01, g, w[1]);
        if (k != 7)
            continue;
        memcpy(w[1], w[0], sizeof(w[0]));
        b.step = a.step;
        b.scalars = a.scalars;
        if (a.average)
            memcpy(b.average, a.average, N * sizeof(float));
        for (size_t i = 0; i < a.n_states; i++)
            memcpy(b.states[i].data, a.states[i].data, N * sizeof(float));
    }
    same = memcmp(w[0], w[1], sizeof(w[0])) == 0 &&
           (!a.average ||
            memcmp(a.average, b.average, N * sizeof(float)) == 0);
    tap_ok(same, "%s: continues bit for bit", kind->name);
    optim_release(&a);
    optim_release(&b);
}

/* Clipping as torch does it, and what must stay untouched. */
static void test_clip(void)
{
    for (int i = 0; i < 3; i++) {
        char key[16];
        size_t n;
        double *want, norm;
        float g[N];

        snprintf(key, sizeof(key), "clip%d", i);
        want = golden("optim", key, &n);
        for (size_t k = 0; k < N; k++)
            g[k] = golden_wave(k, 1, 0.8, 0.1);
        norm = optim_clip(g, N, want[0]);
        tap_ok(fabs(norm - want[1]) < 1e-6 && golden_gap(g, want + 2, N) < 1e-7,
               "clipping to %g is torch's", want[0]);
        free(want);
    }
}

/* Clipping by value. */
static void test_clip_value(void)
{
    float g[N], bad[] = {1, INFINITY, -3};
    double *want;
    size_t n;

    want = golden("optim", "clip_value", &n);
    for (size_t k = 0; k < N; k++)
        g[k] = golden_wave(k, 1, 0.8, 0.1);
    tap_ok(optim_clip_value(g, N, 0) == optim_norm(g, N) &&
               optim_clip_value(g, N, 0.4) > 1 && golden_gap(g, want, n) < 1e-7,
           "clipping by value is torch's, 0 only measures");
    tap_ok(!isfinite(optim_clip_value(bad, 3, 2)) && bad[2] == -3,
           "what is not finite is not clipped");
    free(want);
}

/* Ten steps of one optimizer; w: (N) what comes out. */
static void run(struct optim *o, float w[N])
{
    float g[N];

    for (size_t i = 0; i < N; i++)
        w[i] = golden_wave(i, 1, 0.9, 0.2);
    optim_start(o, w);
    for (int k = 1; k <= 10; k++) {
        gradient(k, g);
        optim_step(o, 0.01, g, w);
    }
}

/* Spared weights go as without decay, the others as with it. */
static void test_spare(const struct kind *kind)
{
    struct config_optimizer conf = kind->conf;
    struct optim o[3];
    struct err err;
    float w[3][N];
    bool same = true;

    conf.weight_decay = 0.3;
    must(optim_init(&o[0], &conf, N, &err), &err);
    must(optim_init(&o[2], &conf, N, &err), &err);
    conf.weight_decay = 0;
    must(optim_init(&o[1], &conf, N, &err), &err);
    must(optim_spare(&o[2], 0, 2, &err), &err);
    must(optim_spare(&o[2], 4, 5, &err), &err);
    for (int k = 0; k < 3; k++)
        run(&o[k], w[k]);
    for (size_t i = 0; i < N; i++)
        same = same && w[2][i] == w[i < 2 || i == 4][i] && w[0][i] != w[1][i];
    tap_ok(same, "%s: spared weights do not decay", kind->name);
    for (int k = 0; k < 3; k++)
        optim_release(&o[k]);
}

/* The mean of the weights after step 4 to 10; before, the weights. */
static void test_swa(void)
{
    struct config_optimizer conf = kinds[5].conf;
    struct optim o;
    struct err err;
    float w[N], g[N];
    double want[N] = {0};
    bool follows = true;

    conf.swa_start = 0.3;
    must(optim_init(&o, &conf, N, &err), &err);
    o.swa_from = 3;
    for (size_t i = 0; i < N; i++)
        w[i] = (float)golden_wave(i, 1, 0.9, 0.2);
    optim_start(&o, w);
    for (int k = 1; k <= 10; k++) {
        gradient(k, g);
        optim_step(&o, 0.01, g, w);
        follows = follows && (k > 3 || !memcmp(o.average, w, sizeof w));
        for (size_t i = 0; i < N && k > 3; i++)
            want[i] += (double)w[i] / 7;
    }
    tap_ok(follows, "swa: before its start the average is the weights");
    tap_ok(golden_gap(o.average, want, N) < 1e-6, "then their plain mean");
    optim_release(&o);
}

/* The average follows the weights, and does not touch them. */
static void test_average(void)
{
    struct config_optimizer conf = kinds[5].conf;
    struct optim o, plain;
    struct err err;
    float w[N], alone[N], g[N];
    double want[N];

    must(optim_init(&plain, &conf, N, &err), &err);
    conf.ema_decay = 0.8;
    must(optim_init(&o, &conf, N, &err), &err);
    for (size_t i = 0; i < N; i++)
        want[i] = (double)(w[i] = golden_wave(i, 1, 0.9, 0.2));
    optim_start(&o, w);
    tap_ok(golden_gap(o.average, want, N) == 0, "an average begins at them");
    for (int k = 1; k <= 10; k++) {
        gradient(k, g);
        optim_step(&o, 0.01, g, w);
        for (size_t i = 0; i < N; i++)
            want[i] = 0.8 * want[i] + (1 - 0.8) * (double)w[i];
    }
    run(&plain, alone);
    tap_ok(golden_gap(o.average, want, N) < 1e-6 &&
               memcmp(w, alone, sizeof w) == 0 && !plain.average,
           "the average follows the weights, which do not notice");
    optim_release(&o);
    optim_release(&plain);
}

/* A skipped step counts as a step, and not for the bias correction. */
static void test_skip(void)
{
    struct optim a, b;
    struct err err;
    float w[2][N], g[N];

    must(optim_init(&a, &kinds[3].conf, N, &err), &err);
    must(optim_init(&b, &kinds[3].conf, N, &err), &err);
    gradient(1, g);
    for (size_t i = 0; i < N; i++)
        w[0][i] = w[1][i] = 1;
    optim_skip(&a);
    optim_step(&a, 0.1, g, w[0]);
    optim_step(&b, 0.1, g, w[1]);
    tap_ok(a.step == 2 && a.scalars.skipped == 1 &&
               memcmp(w[0], w[1], sizeof w[0]) == 0,
           "a skipped step moves nothing and is counted");
    optim_release(&a);
    optim_release(&b);
}

/* Off, and not finite. */
static void test_not_clipped(void)
{
    float g[] = {3, 4, 0}, bad[] = {1, INFINITY, NAN};

    tap_ok(optim_clip(g, 3, 0) == 5 && g[0] == 3 && g[1] == 4,
           "max_norm 0 only measures");
    tap_ok(!isfinite(optim_clip(bad, 3, 1)) && bad[0] == 1,
           "a norm that is not finite changes nothing");
    tap_ok(optim_first_bad(bad, 3) == 1 && optim_first_bad(g, 3) == 3,
           "the first element that is not finite is found");
    g[2] = 3e38f;
    tap_ok(isfinite(optim_norm(g, 3)), "large floats do not overflow");
}

/* Runs all. */
int main(void)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        test_kind(&kinds[i]);
        test_resume(&kinds[i]);
        test_spare(&kinds[i]);
    }
    test_average();
    test_swa();
    test_skip();
    test_clip();
    test_clip_value();
    test_not_clipped();
    return tap_done();
}
