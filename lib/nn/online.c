/*
 * online - a model over a sequence that is still arriving.
 *
 * Outputs [done, end) are computed from the frames [done - past, end +
 * future) as if these were a sequence of their own. What is wrong in it, near
 * the ends that are none, reaches past or future frames at most, so the
 * outputs wanted are right; at the true ends the zeros beyond are the true
 * ones.
 */
#include "nn/online.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One sequence on its way. */
struct online {
    const struct model *m;   /* borrowed */
    struct model_work *work; /* activations, owned */
    size_t past;             /* frames an output sees before it */
    size_t future;           /* frames it sees after it */
    size_t step;             /* frames that are computed together, at least */
    float *x;                /* (n, C) frames still needed, owned */
    size_t n;                /* frames in x */
    size_t cap;              /* room in x, in floats */
    size_t first;            /* frame that x begins with */
    size_t done;             /* outputs handed out */
};

struct online *online_open(const struct model *m, size_t step,
                           struct err *err)
{
    struct online *o = mem_alloc(1, sizeof *o, err);
    size_t whole;

    assert(step > 0);
    if (!o)
        return NULL;
    o->m = m;
    o->step = step;
    model_receptive_field(m, &o->past, &o->future, &whole);
    o->work = model_work_open(m, 1, 0, err);
    if (!o->work) {
        online_close(o);
        return NULL;
    }
    return o;
}

void online_close(struct online *o)
{
    if (!o)
        return;
    model_work_close(o->work);
    free(o->x);
    free(o);
}

size_t online_latency(const struct online *o)
{
    return o->future + o->step - 1;
}

/* Drops the frames that no output from `done` on looks at. */
static void drop(struct online *o)
{
    size_t C = o->m->input_size, n;
    size_t first = o->done > o->past ? o->done - o->past : 0;

    n = first - o->first;
    memmove(o->x, o->x + n * C, (o->n - n) * C * sizeof *o->x);
    o->n -= n;
    o->first = first;
}

/* Outputs from `done` up to `end`. */
static int compute(struct online *o, size_t end, const float **y, size_t *n_y,
                   struct err *err)
{
    const float *all;

    if (model_forward(o->m, o->work, o->x, o->n, NULL, &all, err))
        return -1;
    *y = all + (o->done - o->first) * o->m->output_size;
    *n_y = end - o->done;
    o->done = end;
    drop(o);
    return 0;
}

int online_add(struct online *o, const float *x, size_t n, const float **y,
               size_t *n_y, struct err *err)
{
    size_t C = o->m->input_size, ready;
    float *grown;

    *n_y = 0;
    if (n == 0)
        return 0;
    grown = mem_grow(o->x, &o->cap, (o->n + n) * C, sizeof *grown, err);
    if (!grown)
        return -1;
    o->x = grown;
    memcpy(o->x + o->n * C, x, n * C * sizeof *x);
    o->n += n;
    ready = o->first + o->n > o->future ? o->first + o->n - o->future : 0;
    if (ready < o->done + o->step)
        return 0;
    return compute(o, ready, y, n_y, err);
}

int online_end(struct online *o, const float **y, size_t *n_y,
               struct err *err)
{
    *n_y = 0;
    if (o->first + o->n == o->done)
        return 0;
    return compute(o, o->first + o->n, y, n_y, err);
}
