/*
 * monitor - comparisons of the watched number, and the list they rule.
 */
#include "train/monitor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Whether a beats b by more than delta; NAN beats nothing, all beat NAN. */
static bool beats(const struct monitor *m, double a, double b, double delta)
{
    if (isnan(a))
        return false;
    if (isnan(b))
        return true;
    return m->mode_max ? a > b + delta : a < b - delta;
}

void monitor_init(struct monitor *m)
{
    memset(m, 0, sizeof *m);
    m->early_best = NAN;
    m->keep_last = 2;
}

void monitor_see(struct monitor *m, double value)
{
    if (beats(m, value, m->early_best, m->min_delta)) {
        m->early_best = value;
        m->early_bad = 0;
    } else {
        m->early_bad++;
    }
}

bool monitor_should_stop(const struct monitor *m)
{
    return m->patience > 0 && m->early_bad >= m->patience;
}

bool monitor_ends(const struct monitor *m, double value)
{
    bool has_enough = m->enough < 0 || m->enough > 0;
    bool has_diverged = m->diverged < 0 || m->diverged > 0;

    if (m->patience == 0)
        return false;
    if (isnan(value))
        return m->check_finite;
    return (has_enough && !beats(m, m->enough, value, 0)) ||
           (has_diverged && beats(m, m->diverged, value, 0));
}

/* How many kept checkpoints beat `value`, or equal it and are older. */
static size_t rank_of(const struct monitor *m, double value, uint64_t step)
{
    size_t i, n = 0;

    for (i = 0; i < m->n_kept; i++) {
        const struct monitor_kept *k = &m->kept[i];

        if (k->step != step && !isnan(k->value) &&
            (beats(m, k->value, value, 0) ||
             (!beats(m, value, k->value, 0) && k->step < step)))
            n++;
    }
    return n;
}

/* Whether a value taken at a step is among the top_k. */
static bool in_top(const struct monitor *m, double value, uint64_t step)
{
    if (m->top_k < 0)
        return true;
    return !isnan(value) && rank_of(m, value, step) < (size_t)m->top_k;
}

bool monitor_would_keep(const struct monitor *m, double value)
{
    return in_top(m, value, UINT64_MAX);
}

int monitor_add(struct monitor *m, uint64_t step, double value, bool periodic,
                struct err *err)
{
    struct monitor_kept *kept;

    if (m->n_kept > 0 && m->kept[m->n_kept - 1].step == step)
        m->n_kept--;
    kept = mem_grow(m->kept, &m->kept_cap, m->n_kept + 1, sizeof *kept, err);
    if (!kept)
        return -1;
    m->kept = kept;
    kept[m->n_kept++] = (struct monitor_kept){step, value, periodic, false};
    return 0;
}

size_t monitor_best(const struct monitor *m)
{
    size_t i, best = m->n_kept;

    if (m->n_kept == 0)
        return 0;
    for (i = 0; m->top_k != 0 && i < m->n_kept; i++)
        if (!isnan(m->kept[i].value) &&
            (best == m->n_kept ||
             beats(m, m->kept[i].value, m->kept[best].value, 0)))
            best = i;
    return best == m->n_kept ? m->n_kept - 1 : best;
}

void monitor_prune(struct monitor *m)
{
    size_t best = monitor_best(m), i, n = 0;
    uint64_t periodic = 0;

    for (i = m->n_kept; i-- > 0;) {
        struct monitor_kept *k = &m->kept[i];

        k->keep =
            i + 1 == m->n_kept || i == best || in_top(m, k->value, k->step);
        if (k->periodic && periodic++ < m->keep_last)
            k->keep = true;
        if (m->keep_every && k->step % m->keep_every == 0)
            k->keep = true;
    }
    for (i = 0; i < m->n_kept; i++)
        if (m->kept[i].keep)
            m->kept[n++] = m->kept[i];
    m->n_kept = n;
}

void monitor_drop(struct monitor *m, uint64_t step)
{
    size_t i, n = 0;

    for (i = 0; i < m->n_kept; i++)
        if (m->kept[i].step != step)
            m->kept[n++] = m->kept[i];
    m->n_kept = n;
}

bool monitor_has(const struct monitor *m, uint64_t step)
{
    size_t i;

    for (i = 0; i < m->n_kept; i++)
        if (m->kept[i].step == step)
            return true;
    return false;
}

void monitor_release(struct monitor *m)
{
    free(m->kept);
    memset(m, 0, sizeof *m);
}
