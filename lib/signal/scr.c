/*
 * scr - local maxima with their prominence, by one pass with a stack in each
 * direction: the stack holds falling values, and what a value pops has its
 * valley inside that value's own.
 */
#include "signal/scr.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

void scr_clear(struct scr *s)
{
    s->n = 0;
}

void scr_release(struct scr *s)
{
    free(s->events);
    free(s->left);
    free(s->right);
    free(s->stack);
    *s = (struct scr){0};
}

/* Room for n samples of scratch. */
static int reserve(struct scr *s, size_t n, struct err *err)
{
    double *left = mem_grow(s->left, &s->left_cap, n, sizeof *left, err);
    double *right;
    size_t *stack;

    if (!left)
        return -1;
    s->left = left;
    right = mem_grow(s->right, &s->right_cap, n, sizeof *right, err);
    if (!right)
        return -1;
    s->right = right;
    stack = mem_grow(s->stack, &s->stack_cap, n, sizeof *stack, err);
    if (!stack)
        return -1;
    s->stack = stack;
    return 0;
}

/*
 * out[i]: lowest value from i to the next higher one, or the end, going back
 * if backward is false, forth if it is true.
 */
static void valleys(const double *x, size_t n, bool backward, size_t *stack,
                    double *out)
{
    size_t k, i, depth = 0;

    for (k = 0; k < n; k++) {
        i = backward ? n - 1 - k : k;
        out[i] = x[i];
        while (depth && x[stack[depth - 1]] <= x[i])
            out[i] = fmin(out[i], out[stack[--depth]]);
        stack[depth++] = i;
    }
}

/*
 * Whether a run of equal values begins at i, after a lower one and before a
 * lower one (sign 1; -1: higher ones). *last is where the run ends.
 */
static bool is_top(const double *x, size_t n, size_t i, double sign,
                   size_t *last)
{
    *last = i;
    if (!(sign * x[i] > sign * x[i - 1]))
        return false;
    while (*last + 1 < n && x[*last + 1] == x[i])
        ++*last;
    return *last + 1 < n && sign * x[*last + 1] < sign * x[i];
}

/* Adds one local maximum. */
static int add(struct scr *s, const struct scr_event *event, struct err *err)
{
    struct scr_event *events = mem_grow(s->events, &s->events_cap, s->n + 1,
                                        sizeof *events, err);

    if (!events)
        return -1;
    s->events = events;
    events[s->n++] = *event;
    return 0;
}

int scr_scan(struct scr *s, const double *x, size_t start, size_t n,
             struct err *err)
{
    size_t i, last, trough = SCR_NONE;

    if (reserve(s, n, err))
        return -1;
    x += start;
    valleys(x, n, false, s->stack, s->left);
    valleys(x, n, true, s->stack, s->right);
    for (i = 1; i + 1 < n; i = last + 1) {
        if (is_top(x, n, i, -1, &last)) {
            trough = (i + last) / 2;
        } else if (is_top(x, n, i, 1, &last) && trough != SCR_NONE) {
            size_t peak = (i + last) / 2;
            struct scr_event event = {
                .onset = start + trough, .peak = start + peak,
                .recovery = SCR_NONE, .end = start + n,
                .amplitude = x[peak] - x[trough],
                .prominence = x[peak] - fmax(s->left[peak],
                                             s->right[peak])};

            if (add(s, &event, err))
                return -1;
        }
    }
    return 0;
}

/* The recovery of a response whose successor peaks at `next`. */
static size_t recover(const double *x, const struct scr_event *e,
                      size_t next)
{
    double half = x[e->onset] + e->amplitude / 2;
    size_t end = next < e->end ? next : e->end, lowest = e->peak, i;

    for (i = e->peak; i < end; i++)
        if (x[i] < x[lowest])
            lowest = i;
    for (i = e->peak; i < lowest; i++)
        if (x[i] <= half)
            return i;
    return SCR_NONE;
}

void scr_select(struct scr *s, const double *x, const uint8_t *good,
                double min_amplitude, double min_relative)
{
    double most = 0;
    size_t i, n = 0;

    for (i = 0; i < s->n; i++)
        most = fmax(most, s->events[i].prominence);
    for (i = 0; i < s->n; i++) {
        const struct scr_event *e = &s->events[i];

        if (e->prominence >= min_relative * most &&
            e->amplitude >= min_amplitude &&
            (!good || (good[e->onset] && good[e->peak])))
            s->events[n++] = *e;
    }
    s->n = n;
    for (i = 0; i < n; i++)
        s->events[i].recovery = recover(
            x, &s->events[i], i + 1 < n ? s->events[i + 1].peak : SCR_NONE);
}
