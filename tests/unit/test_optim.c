/* test_optim - optimizers and clipping against torch.optim. */
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
    for (int k = 1; k <= STEPS; k++) {
        char step[16];

        lr *= 0.98;
        gradient(k, g);
        optim_step(&o, lr, g, w);
        snprintf(step, sizeof(step), "%d", k);
        if (k <= 3 || k == 10 || k == 30)
            worst = golden_worse(worst, gap(kind->name, step, w));
    }
    if (!tap_ok(worst < 1e-6, "%s: weights are torch's", kind->name))
        printf("# %g\n", worst);
    for (size_t i = 0; i < o.n_states; i++)
        state = golden_worse(
            state, gap(kind->name, o.states[i].name, o.states[i].data));
    tap_ok(state < 2e-6, "%s: %zu states are torch's", kind->name, o.n_states);
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
    for (int k = 1; k <= STEPS; k++) {
        gradient(k, g);
        optim_step(&a, 0.01, g, w[0]);
        if (k > 7)
            optim_step(&b, 0.01, g, w[1]);
        if (k != 7)
            continue;
        memcpy(w[1], w[0], sizeof(w[0]));
        b.step = a.step;
        for (size_t i = 0; i < a.n_states; i++)
            memcpy(b.states[i].data, a.states[i].data, N * sizeof(float));
    }
    same = memcmp(w[0], w[1], sizeof(w[0])) == 0;
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
    }
    test_clip();
    test_not_clipped();
    return tap_done();
}
