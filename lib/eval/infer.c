/*
 * infer - songs in parallel, each on its own.
 */
#include "eval/infer.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A recording as it is sorted. */
struct place {
    size_t song;      /* index of the song */
    size_t T;         /* span */
    size_t recording; /* index of the recording */
};

/* By song, then span, then recording. */
static int by_song(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->song != y->song)
        return x->song < y->song ? -1 : 1;
    if (x->T != y->T)
        return x->T < y->T ? -1 : 1;
    return x->recording < y->recording ? -1 : x->recording > y->recording;
}

/* Whether the recording at place i begins a new song and span. */
static bool leads(const struct pairs *p, const size_t *order, size_t i)
{
    const struct pairs_recording *r = &p->recordings[order[i]];
    const struct pairs_recording *before;

    if (i == 0)
        return true;
    before = &p->recordings[order[i - 1]];
    return before->song != r->song || before->T != r->T;
}

/* Sorts the recordings into f->order. */
static int sort_recordings(struct infer *f, const struct pairs *p,
                           struct err *err)
{
    size_t n = p->n_recordings, i;
    struct place *places = mem_alloc(n, sizeof *places, err);

    if (!places)
        return -1;
    f->order = mem_alloc(n, sizeof *f->order, err);
    for (i = 0; i < n; i++)
        places[i] = (struct place){p->recordings[i].song, p->recordings[i].T,
                                   i};
    qsort(places, n, sizeof *places, by_song);
    for (i = 0; f->order && i < n; i++)
        f->order[i] = places[i].recording;
    free(places);
    return f->order ? 0 : -1;
}

/* Gives every song and span its part of the block. */
static int share_out(struct infer *f, const struct pairs *p, struct err *err)
{
    size_t n = p->n_recordings, total = 0, at = 0, i;

    f->pred = mem_alloc(n, sizeof *f->pred, err);
    if (!f->pred)
        return -1;
    for (i = 0; i < n; i++)
        total += leads(p, f->order, i) ? p->recordings[f->order[i]].T : 0;
    f->block = mem_alloc(total, sizeof *f->block, err);
    if (!f->block)
        return -1;
    for (i = 0; i < n; i++) {
        const struct pairs_recording *r = &p->recordings[f->order[i]];

        if (leads(p, f->order, i)) {
            f->pred[f->order[i]] = f->block + at;
            at += r->T;
        } else {
            f->pred[f->order[i]] = f->pred[f->order[i - 1]];
        }
    }
    return 0;
}

/* Computes the groups that one thread of the team takes. */
static int run_thread(struct infer *f, const struct model *m,
                      const struct pairs *p, struct err *err)
{
    struct model_work *w = model_work_open(m, 1, 0, err);
    const float *y;
    size_t i;
    int got = w ? 0 : -1;

#pragma omp for schedule(dynamic)
    for (i = 0; i < p->n_recordings; i++) {
        const struct pairs_recording *r = &p->recordings[f->order[i]];

        if (got || !leads(p, f->order, i))
            continue;
        got = model_forward(m, w, p->songs[r->song].mfcc, r->T, NULL, &y,
                            err);
        if (!got)
            memcpy(f->pred[f->order[i]], y, r->T * sizeof *y);
    }
    model_work_close(w);
    return got;
}

int infer_run(struct infer *f, const struct model *m, const struct pairs *p,
              int n_threads, struct err *err)
{
    int failed = 0;

    assert(m->output_size == 1);
    *f = (struct infer){0};
    if (sort_recordings(f, p, err) || share_out(f, p, err)) {
        infer_release(f);
        return -1;
    }
#pragma omp parallel num_threads(n_threads)
    {
        struct err mine;

        if (run_thread(f, m, p, &mine)) {
#pragma omp critical
            {
                *err = mine;
                failed = 1;
            }
        }
    }
    if (failed)
        infer_release(f);
    return failed ? -1 : 0;
}

void infer_release(struct infer *f)
{
    free(f->pred);
    free(f->block);
    free(f->order);
    *f = (struct infer){0};
}
