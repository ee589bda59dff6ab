/*
 * team - rows over threads with OpenMP.
 */
#include "train/team.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int team_init(struct team *t, const struct model *model, int n_threads,
              enum model_training training, struct err *err)
{
    memset(t, 0, sizeof *t);
    t->model = model;
    t->n_threads = n_threads;
    t->training = training;
    t->members = mem_alloc((size_t)n_threads, sizeof *t->members, err);
    return t->members ? 0 : -1;
}

void team_release(struct team *t)
{
    int i;

    for (i = 0; t->members && i < t->n_threads; i++) {
        model_work_close(t->members[i].train);
        model_work_close(t->members[i].eval);
        free(t->members[i].dy);
    }
    free(t->members);
    memset(t, 0, sizeof *t);
}

/* The calling thread's own things. */
static struct team_member *self(struct team *t)
{
    assert(omp_get_thread_num() < t->n_threads);
    return &t->members[omp_get_thread_num()];
}

struct model_work *team_eval_work(struct team *t, size_t T, struct err *err)
{
    struct team_member *me = self(t);

    if (!me->eval)
        me->eval = model_work_open(t->model, T, 0, err);
    return me->eval;
}

/* Makes a member ready for a training row of T frames; dy is zeroed. */
static int prepare(struct team *t, struct team_member *me, size_t T,
                   struct err *err)
{
    float *dy = mem_grow(me->dy, &me->dy_cap, T, sizeof *dy, err);

    if (!dy)
        return -1;
    me->dy = dy;
    memset(dy, 0, T * sizeof *dy);
    if (!me->train)
        me->train = model_work_open(t->model, T, (int)t->training, err);
    return me->train ? 0 : -1;
}

/* Adds one recording's training metrics to its row of the table. */
static int add_metrics(const struct team_pass *p, const float *pred,
                       const float *y, const uint8_t *valid, size_t T,
                       double *row, struct err *err)
{
    struct metric_input in = {pred, y, valid, T, 0, NAN};
    double metrics[METRIC_N];
    size_t k;

    if (metric_recording(&in, p->want, metrics, err))
        return -1;
    for (k = 0; k < METRIC_N; k++)
        if (!isnan(metrics[k])) {
            row[1 + 2 * k] += metrics[k];
            row[2 + 2 * k] += 1;
        }
    return 0;
}

/*
 * One row forward and backward; leaf (n_weights) gets its gradient, row
 * (TEAM_WIDTH) its numbers.
 */
static int train_row(struct team *t, const struct intake_batch *b,
                     const struct team_pass *p, size_t s, float *leaf,
                     double *row, struct err *err)
{
    struct model_dropout drop = {p->seed, p->step, b->songs[s]};
    size_t T = (size_t)b->len[s], i, at;
    struct team_member *me = self(t);
    const float *pred;

    memset(row, 0, TEAM_WIDTH * sizeof *row);
    if (prepare(t, me, T, err) ||
        model_forward(t->model, me->train, b->x + s * b->T * b->C, T, &drop,
                      &pred, err))
        return -1;
    for (i = b->first[s]; i < b->first[s + 1]; i++) {
        at = b->order[i] * b->T;
        row[0] += loss_recording(p->loss, p->divisors, pred, b->y + at,
                                 b->valid + at, T, me->dy);
        if (p->want &&
            add_metrics(p, pred, b->y + at, b->valid + at, T, row, err))
            return -1;
    }
    return model_backward(t->model, me->train, me->dy, leaf, err);
}

/*
 * One turn of the loop below: computes beside others, then waits its turn to
 * hand the leaf over.
 */
static void take_row(struct team *t, const struct intake_batch *b,
                     const struct team_pass *p, size_t s, struct reduce *r,
                     double *row, struct err *err, int *failed)
{
    struct err mine;
    float *leaf = NULL;
    int rc = -1;

#pragma omp critical(team_reduce)
    {
        if (!*failed)
            leaf = reduce_buffer(r, &mine);
        rc = leaf ? 0 : -1;
    }
    if (!rc)
        rc = train_row(t, b, p, s, leaf, row, &mine);
#pragma omp ordered
    {
#pragma omp critical(team_reduce)
        {
            if (!rc) {
                reduce_push(r, 0, p->first_row + s, leaf);
            } else if (!*failed) {
                *failed = 1;
                *err = mine;
            }
        }
    }
}

int team_train(struct team *t, const struct intake_batch *b,
               const struct team_pass *p, size_t first, size_t end,
               struct reduce *r, double *table, struct err *err)
{
    int failed = 0;
    size_t s;

#pragma omp parallel for ordered schedule(dynamic, 1) num_threads(t->n_threads)
    for (s = first; s < end; s++)
        take_row(t, b, p, s, r, table + s * TEAM_WIDTH, err, &failed);
    return failed ? -1 : 0;
}
