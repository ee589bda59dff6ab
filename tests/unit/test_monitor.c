/*
 * test_monitor - when to stop, what is best, what to keep.
 */
#include <stdlib.h>

#include "tap.h"
#include "train/monitor.h"

/* Adds a checkpoint. */
static void add(struct monitor *m, uint64_t step, double value, bool periodic)
{
    struct err err;

    if (monitor_add(m, step, value, periodic, &err))
        exit(1);
}

/* The kept steps as text. */
static const char *steps(const struct monitor *m)
{
    static char text[256];
    size_t i, n = 0;

    text[0] = '\0';
    for (i = 0; i < m->n_kept; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", i ? " " : "",
                              (int)m->kept[i].step);
    return text;
}

/* Patience counts validations without an improvement over min_delta. */
static void test_stopping(void)
{
    struct monitor m;

    monitor_init(&m);
    m.patience = 2;
    m.min_delta = 0.1;
    monitor_see(&m, 1);
    monitor_see(&m, 0.95);
    tap_ok(m.early_bad == 1 && m.early_best == 1,
           "less than min_delta is no improvement");
    monitor_see(&m, 0.89);
    tap_ok(m.early_bad == 0 && m.early_best == 0.89, "more is");
    monitor_see(&m, NAN);
    tap_ok(m.early_bad == 1 && m.early_best == 0.89,
           "not a number never improves");
    tap_ok(!monitor_should_stop(&m), "patience is not over");
    monitor_see(&m, 0.89);
    tap_ok(monitor_should_stop(&m), "now it is");
    m.patience = 0;
    tap_ok(!monitor_should_stop(&m), "no patience, no stopping");
    monitor_init(&m);
    m.mode_max = true;
    monitor_see(&m, -0.5);
    monitor_see(&m, 0.5);
    tap_ok(m.early_best == 0.5 && m.early_bad == 0, "mode max");
}

/* Values that end a run by themselves, in both modes, and only if asked. */
static void test_ends(void)
{
    struct monitor m;

    monitor_init(&m);
    m.patience = 5;
    tap_ok(!monitor_ends(&m, 0) && !monitor_ends(&m, NAN), "none by default");
    m.enough = 0.1;
    m.diverged = 10;
    tap_ok(monitor_ends(&m, 0.1) && !monitor_ends(&m, 0.11), "good enough");
    tap_ok(monitor_ends(&m, 10.1) && !monitor_ends(&m, 10), "too bad");
    m.check_finite = true;
    tap_ok(monitor_ends(&m, NAN), "no number");
    m.mode_max = true;
    m.enough = 0.9;
    m.diverged = -0.5;
    tap_ok(monitor_ends(&m, 0.9) && !monitor_ends(&m, 0.89) &&
               monitor_ends(&m, -0.6) && !monitor_ends(&m, -0.5),
           "mode max");
    m.patience = 0;
    tap_ok(!monitor_ends(&m, 0.95), "not without early stopping");
}

/* The k best stay, the older of two equal ones; best and newest always. */
static void test_top(void)
{
    struct monitor m;

    monitor_init(&m);
    m.top_k = 2;
    add(&m, 1, 3, false);
    add(&m, 2, 1, false);
    add(&m, 3, 2, false);
    add(&m, 4, 2, false);
    add(&m, 5, NAN, false);
    tap_ok(monitor_would_keep(&m, 1.5) && !monitor_would_keep(&m, 2) &&
               !monitor_would_keep(&m, NAN),
           "equal to the second best is not better");
    monitor_prune(&m);
    tap_is(steps(&m), "2 3 5", "two best and the newest");
    tap_ok(m.kept[monitor_best(&m)].step == 2, "the best of them");
    add(&m, 5, 0.5, false);
    monitor_prune(&m);
    tap_is(steps(&m), "2 5", "a step replaced, a worse one gone");
    tap_ok(monitor_has(&m, 2) && !monitor_has(&m, 3), "what is there");
    monitor_drop(&m, 2);
    tap_is(steps(&m), "5", "one dropped");
    monitor_release(&m);
}

/* Periodic ones: the last two. top_k 0 and -1. */
static void test_periodic(void)
{
    struct monitor m;
    uint64_t i;

    monitor_init(&m);
    m.top_k = 1;
    for (i = 1; i <= 9; i++)
        add(&m, i, i == 2 ? 0 : 1, i % 2 == 0);
    monitor_prune(&m);
    tap_is(steps(&m), "2 6 8 9", "best, two periodic, newest");
    m.top_k = 0;
    tap_ok(m.kept[monitor_best(&m)].step == 9, "top_k 0: best is newest");
    monitor_prune(&m);
    tap_is(steps(&m), "6 8 9", "top_k 0 keeps no best");
    m.top_k = -1;
    monitor_prune(&m);
    tap_is(steps(&m), "6 8 9", "top_k -1 keeps all");
    monitor_release(&m);
    monitor_init(&m);
    m.top_k = 3;
    add(&m, 1, NAN, false);
    add(&m, 2, NAN, false);
    tap_ok(m.kept[monitor_best(&m)].step == 2,
           "without values the newest is the best");
    monitor_prune(&m);
    tap_is(steps(&m), "2", "and the only one");
    monitor_release(&m);
}

int main(void)
{
    test_stopping();
    test_ends();
    test_top();
    test_periodic();
    return tap_done();
}
