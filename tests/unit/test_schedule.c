/*
 * test_schedule - learning rates and momenta against torch.optim's and
 * transformers', number by number.
 */
#define GOLDEN_PATH "tests/golden/schedule.txt"

#include "tap.h"

#include <stdlib.h>

#include "core/config.h"
#include "nn/schedule.h"
#include "nn_golden.h"

/* Learning rate in it. */
#define BASE 0.3

/* Ends the program where a test cannot go on. */
static void must(int failed, const struct err *err)
{
    if (!failed)
        return;
    printf("Bail out! %s\n", err->text);
    exit(99);
}

/* A settled config with a scheduler as a mapping. */
static void load(struct config *c, const char *scheduler, int warmup)
{
    struct err err;
    char set[512];

    must(config_init(c, &err), &err);
    snprintf(set, sizeof set, "optimizer={learning_rate: %.17g, "
             "momentum: 0.9, warmup_steps: %d, scheduler: %s}", BASE, warmup,
             scheduler);
    must(config_set(c, set, &err), &err);
    must(config_settle(c, NULL, &err), &err);
}

/* A whole table against a golden line: rates, or momenta for key_m. */
static void compare(const char *key, const char *scheduler, int warmup,
                    uint64_t total)
{
    struct config c;
    struct schedule s;
    size_t n, len = strlen(key);
    double *want = golden("schedule", key, &n), gap = 0;
    bool momenta = len > 2 && strcmp(key + len - 2, "_m") == 0;

    load(&c, scheduler, warmup);
    s = schedule_make(&c.optimizer, total, 1);
    for (size_t k = 0; k < n; k++)
        gap = golden_worse(gap, fabs((momenta ? schedule_momentum(&s, k, 0)
                                              : schedule_lr(&s, k, 0)) -
                                     want[k]));
    if (!tap_ok(gap <= 1e-14, "%s", key))
        printf("# %g\n", gap);
    free(want);
    config_release(&c);
}

/* The forms that know the planned end, with and without warmup. */
static void test_planned(void)
{
    static const int cases[][2] = {{20, 0}, {20, 3}, {21, 5}, {7, 7}, {1, 0}};
    static const char *const names[] = {"constant", "linear", "cosine"};

    for (int c = 0; c < 5; c++)
        for (int i = 0; i < 3; i++) {
            char key[64];

            snprintf(key, sizeof(key), "%s_%d_%d", names[i], cases[c][0],
                     cases[c][1]);
            compare(key, names[i], cases[c][1], (uint64_t)cases[c][0]);
        }
    compare("annealing_20", "{name: cosine, eta_min: 0.02}", 0, 20);
    compare("decline_20", "{name: linear, eta_min: 0.03}", 0, 20);
    compare("restarts_hf", "{name: cosine_with_restarts, num_cycles: 3}", 5,
            24);
    compare("polynomial_hf", "{name: polynomial, power: 2, eta_min: 0.01}", 5,
            24);
    compare("inverse_hf", "inverse_sqrt", 5, 24);
}

/* torch's own, by the names of their parameters. */
static void test_torch(void)
{
    static const char *const cases[][2] = {
        {"annealing",
         "{name: cosine, t_max: 8, eta_min: 0.02, periodic: true}"},
        {"warm", "{name: cosine_warm_restarts, t_0: 7, eta_min: 0.01}"},
        {"warm2", "{name: cosine_warm_restarts, t_0: 3, t_mult: 2}"},
        {"step", "{name: step, step_size: 5, gamma: 0.4}"},
        {"multistep", "{name: multistep, milestones: [3, 4, 11], "
                      "gamma: 0.3}"},
        {"exponential", "exponential"},
        {"polynomial", "{name: polynomial, total_iters: 16, power: 1.7}"},
        {"constant_torch", "constant_torch"},
        {"linear_torch", "{end_factor: 0.9, total_iters: 9, "
                         "name: linear_torch}"},
        {"sequential",
         "{name: sequential, milestones: [6, 14], schedulers: [{name: "
         "linear_torch, start_factor: 0.1, total_iters: 6}, {name: step, "
         "step_size: 3, gamma: 0.5}, {name: exponential, gamma: 0.8}]}"},
        {"chained",
         "{name: chained, schedulers: [{name: constant_torch, factor: 0.25, "
         "total_iters: 4}, {name: exponential, gamma: 0.9}, {name: "
         "multistep, milestones: [10], gamma: 0.2}, {name: polynomial, "
         "total_iters: 30, power: 2}]}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        compare(cases[i][0], cases[i][1], 0, 24);
}

/* Those that move the momentum too. */
static void test_cycles(void)
{
    static const char *const cases[][2] = {
        {"onecycle", "onecycle"},
        {"onecycle3", "{name: onecycle, pct_start: 0.4, three_phase: true, "
                      "div_factor: 10, final_div_factor: 50, "
                      "anneal_strategy: linear}"},
        {"cyclic", "{name: cyclic, base_lr: 0.05, step_size_up: 4, "
                   "step_size_down: 3}"},
        {"cyclic2", "{name: cyclic, base_lr: 0.05, step_size_up: 3, "
                    "mode: triangular2}"},
        {"cyclic_exp", "{name: cyclic, base_lr: 0.05, step_size_up: 5, "
                       "mode: exp_range, gamma: 0.93}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char key[64];

        compare(cases[i][0], cases[i][1], 0, 24);
        snprintf(key, sizeof key, "%s_m", cases[i][0]);
        compare(key, cases[i][1], 0, 24);
    }
}

/* 60 validations of reduce_on_plateau, its state copied at each. */
static void plateau(const char *key, const char *scheduler)
{
    struct config c;
    struct schedule s, again;
    char seen_key[64];
    size_t n;
    double *want = golden("schedule", key, &n), *seen, gap = 0;

    snprintf(seen_key, sizeof seen_key, "%s_seen", key);
    seen = golden("schedule", seen_key, &n);
    load(&c, scheduler, 0);
    s = schedule_make(&c.optimizer, 1000, 1);
    for (size_t k = 0; k < n; k++) {
        schedule_see(&s, seen[k]);
        gap = golden_worse(gap, fabs(schedule_lr(&s, k, 0) - want[k]));
        again = schedule_make(&c.optimizer, 1000, 1);
        again.plateau = s.plateau;
        s = again;
    }
    tap_ok(gap <= 1e-14 && want[0] > 5 * want[n - 1], "%s", key);
    free(want);
    free(seen);
    config_release(&c);
}

/* reduce_on_plateau, both ways. */
static void test_plateau(void)
{
    plateau("plateau_min", "{name: reduce_on_plateau, mode: min, "
                           "patience: 3, factor: 0.5, cooldown: 2}");
    plateau("plateau_max", "{name: reduce_on_plateau, mode: max, "
                           "patience: 2, factor: 0.3, threshold: 0.02, "
                           "threshold_mode: abs, min_lr: 0.001}");
}

/* interval epoch counts epochs, as torch users step a scheduler. */
static void test_epochs(void)
{
    struct config c;
    struct schedule s;

    load(&c, "{name: cosine, interval: epoch, t_max: 100}", 0);
    s = schedule_make(&c.optimizer, 5000, 500);
    tap_ok(schedule_lr(&s, 0, 0) == BASE && schedule_lr(&s, 9, 0) == BASE,
           "the rate stays within an epoch");
    tap_near(schedule_lr(&s, 500, 50), BASE / 2, 1e-15, "half way by epochs");
    tap_near(schedule_lr(&s, 1500, 150), 0, 1e-15, "past t_max: the floor");
    config_release(&c);
    load(&c, "{name: linear, interval: epoch}", 4);
    s = schedule_make(&c.optimizer, 100, 10);
    tap_near(schedule_lr(&s, 2, 0), BASE / 2, 1e-15, "warmup is in steps");
    tap_near(schedule_lr(&s, 50, 5), BASE / 2, 1e-15, "planned epochs count");
    config_release(&c);
}

/* wsd: warmup, the top, and both forms of the fall. */
static void test_wsd(void)
{
    struct config c;
    struct schedule s;

    load(&c, "{name: wsd, decay_ratio: 0.4, eta_min: 0.1}", 10);
    s = schedule_make(&c.optimizer, 110, 1);
    tap_ok(schedule_lr(&s, 5, 0) == BASE / 2 && schedule_lr(&s, 10, 0) == BASE
               && schedule_lr(&s, 70, 0) == BASE, "wsd: warm and stable");
    tap_near(schedule_lr(&s, 80, 0), 0.25, 1e-15, "wsd: a quarter of the fall");
    tap_near(schedule_lr(&s, 110, 0), 0.1, 1e-15, "wsd: the floor");
    c.optimizer.scheduler.decay = CONFIG_DECAY_SQRT;
    tap_near(schedule_lr(&s, 80, 0), 0.2, 1e-15, "wsd: the root falls sooner");
    config_release(&c);
}

/* warmup_ratio counts only without warmup_steps, and rounds up. */
static void test_ratio(void)
{
    struct config c;
    struct schedule s;

    load(&c, "{name: cosine, eta_min: 0.02}", 0);
    c.optimizer.warmup_ratio = 0.1;
    s = schedule_make(&c.optimizer, 201, 1);
    tap_ok(s.warmup == 21, "ceil(total * ratio)");
    tap_near(schedule_lr(&s, 1000, 0), 0.02, 1e-15, "past the end: the floor");
    c.optimizer.warmup_steps = 5;
    s = schedule_make(&c.optimizer, 201, 1);
    tap_ok(s.warmup == 5, "warmup_steps wins");
    tap_ok(schedule_lr(&s, 0, 0) == 0,
           "the first step of a warmup has rate 0");
    c.optimizer.warmup_start = 1;
    s = schedule_make(&c.optimizer, 201, 1);
    tap_near(schedule_lr(&s, 0, 0), s.base / 5, 1e-15,
             "warmup_start 1: it has a share of the rate");
    tap_near(schedule_lr(&s, 4, 0), s.base, 1e-15, "and the last has all");
    config_release(&c);
}

/* Runs all. */
int main(void)
{
    test_planned();
    test_torch();
    test_cycles();
    test_plateau();
    test_epochs();
    test_wsd();
    test_ratio();
    return tap_done();
}
