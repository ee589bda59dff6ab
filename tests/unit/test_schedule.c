/* test_schedule - learning rates against torch's and transformers'. */
#include "tap.h"

#include <stdlib.h>

#include "nn/schedule.h"
#include "nn_golden.h"

/* Learning rate in it. */
#define BASE 0.3

/* A schedule's settings. */
static struct config_optimizer conf_of(enum config_scheduler_name name,
                                       int64_t warmup, double eta_min)
{
    return (struct config_optimizer){.learning_rate = BASE,
                                     .scheduler = name,
                                     .eta_min = eta_min,
                                     .warmup_steps = warmup};
}

/* A whole table against a golden line. */
static void compare(const char *key, const struct config_optimizer *conf,
                    uint64_t total)
{
    struct schedule s = schedule_make(conf, total);
    size_t n;
    double *want = golden("schedule", key, &n), gap = 0;

    for (size_t k = 0; k < n; k++)
        gap = golden_worse(gap, fabs(schedule_lr(&s, k) - want[k]));
    if (!tap_ok(gap <= 1e-14 * BASE * 10, "%s", key))
        printf("# %g\n", gap);
    free(want);
}

/* Every form with and without warmup, every step. */
static void test_golden(void)
{
    static const int cases[][2] = {{20, 0}, {20, 3}, {21, 5}, {7, 7}, {1, 0}};
    static const char *const names[] = {"constant", "linear", "cosine"};

    for (int c = 0; c < 5; c++)
        for (int i = 0; i < 3; i++) {
            struct config_optimizer conf =
                conf_of((enum config_scheduler_name)i, cases[c][1], 0);
            char key[64];

            snprintf(key, sizeof(key), "%s_%d_%d", names[i], cases[c][0],
                     cases[c][1]);
            compare(key, &conf, (uint64_t)cases[c][0]);
        }
}

/* A floor: torch's CosineAnnealingLR and LinearLR, held past the end. */
static void test_floor(void)
{
    struct config_optimizer cosine = conf_of(CONFIG_COSINE, 0, 0.02);
    struct config_optimizer linear = conf_of(CONFIG_LINEAR, 0, 0.03);
    struct schedule s = schedule_make(&cosine, 20);

    compare("annealing_20", &cosine, 20);
    compare("decline_20", &linear, 20);
    tap_near(schedule_lr(&s, 1000), 0.02, 1e-15, "past the end: the floor");
}

/* warmup_ratio counts only without warmup_steps, and rounds up. */
static void test_ratio(void)
{
    struct config_optimizer conf = conf_of(CONFIG_COSINE, 0, 0);

    conf.warmup_ratio = 0.1;
    tap_ok(schedule_make(&conf, 201).warmup == 21, "ceil(total * ratio)");
    conf.warmup_steps = 5;
    tap_ok(schedule_make(&conf, 201).warmup == 5, "warmup_steps wins");
    tap_ok(schedule_lr(&(struct schedule){CONFIG_LINEAR, 1, 0, 4, 8}, 0) == 0,
           "the first step of a warmup has rate 0");
}

/* Runs all. */
int main(void)
{
    test_golden();
    test_floor();
    test_ratio();
    return tap_done();
}
