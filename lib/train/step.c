/*
 * step - rows to gradient to weights.
 */
#include "train/step.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Rows of all batches of a group. */
static size_t count_rows(const struct intake_batch *const *group, size_t n)
{
    size_t i, rows = 0;

    for (i = 0; i < n; i++)
        rows += group[i]->S;
    return rows;
}

/*
 * The rows of batch b that are ours, when b begins at row `base` of the
 * effective batch and [first, end) of it are.
 */
static void clip_rows(const struct intake_batch *b, size_t base, size_t *first,
                      size_t *end)
{
    *first = *first < base ? 0 : *first - base;
    *end = *end < base ? 0 : *end - base;
    if (*first > b->S)
        *first = b->S;
    if (*end > b->S)
        *end = b->S;
}

/* Counts divisors and frames over the effective batch. */
static int count(struct step *s, const struct intake_batch *const *group,
                 size_t n, struct loss_divisors *d, uint64_t *frames,
                 struct err *err)
{
    size_t rows = count_rows(group, n), base = 0, i, k, row, first, end;
    uint64_t counts[4];

    *frames = 0;
    memset(d, 0, sizeof *d);
    for (i = 0; i < n; base += group[i++]->S) {
        const struct intake_batch *b = group[i];

        comm_rows(s->comm, rows, &first, &end);
        clip_rows(b, base, &first, &end);
        for (row = first; row < end; row++) {
            *frames += (uint64_t)b->len[row];
            for (k = b->first[row]; k < b->first[row + 1]; k++)
                loss_count(d, b->valid + b->order[k] * b->T,
                           (size_t)b->len[row]);
        }
    }
    counts[0] = d->frames;
    counts[1] = d->pairs;
    counts[2] = d->recordings;
    counts[3] = *frames;
    if (comm_sum(s->comm, counts, 4, err))
        return -1;
    d->frames = counts[0];
    d->pairs = counts[1];
    d->recordings = counts[2];
    *frames = counts[3];
    return 0;
}

/* Forward and backward of our rows of every batch. */
static int pass(struct step *s, const struct intake_batch *const *group,
                size_t n, const struct loss_divisors *d, const bool *want,
                struct err *err)
{
    struct team_pass p = {.loss = &s->conf->loss,
                          .divisors = d,
                          .seed = (uint64_t)s->conf->seed,
                          .want = want};
    uint64_t accumulate = (uint64_t)s->conf->train.accumulate_grad_batches;
    size_t rows = count_rows(group, n), base = 0, i, first, end;

    reduce_clear(&s->reduce);
    for (i = 0; i < n; base += group[i++]->S) {
        p.step = s->optim.step * accumulate + i;
        p.first_row = base;
        comm_rows(s->comm, rows, &first, &end);
        clip_rows(group[i], base, &first, &end);
        if (team_train(&s->team, group[i], &p, first, end, &s->reduce,
                       s->table + base * TEAM_WIDTH, err))
            return -1;
    }
    return comm_gather(s->comm, s->table, rows, TEAM_WIDTH, err);
}

/* Sums the table in the order of rows. */
static void sum_table(const struct step *s, size_t rows,
                      struct step_result *out)
{
    double sums[TEAM_WIDTH] = {0};
    size_t i, k;

    for (i = 0; i < rows; i++)
        for (k = 0; k < TEAM_WIDTH; k++)
            sums[k] += s->table[i * TEAM_WIDTH + k];
    out->loss = sums[0];
    for (k = 0; k < METRIC_N; k++)
        out->metrics[k] = sums[2 + 2 * k] > 0
                              ? sums[1 + 2 * k] / sums[2 + 2 * k]
                              : (double)NAN;
}

/* Refuses a loss or a gradient that is not finite, saying where it began. */
static int check_finite(const struct step *s, const float *grad,
                        const struct step_result *r, struct err *err)
{
    const struct model *m = s->model;
    size_t bad;

    if (isfinite(r->loss) && isfinite(r->grad_norm))
        return 0;
    bad = optim_first_bad(grad, m->n_weights);
    return err_set(err, ERR_FAILED,
                   "step %" PRIu64 ": loss is %g, norm of "
                   "the gradient %g%s%s; the last checkpoint stands (lower "
                   "optimizer.learning_rate or gradient_clip_val)",
                   s->optim.step + 1, r->loss, r->grad_norm,
                   bad < m->n_weights ? ", first bad in " : "",
                   bad < m->n_weights ? model_param_at(m, bad)->name : "");
}

int step_init(struct step *s, const struct config *conf,
              const struct comm *comm, struct model *model,
              uint64_t total_steps, int n_threads, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->conf = conf;
    s->comm = comm;
    s->model = model;
    s->schedule = schedule_make(&conf->optimizer, total_steps,
                                (uint64_t)conf->train.max_epochs);
    reduce_init(&s->reduce, model->n_weights);
    if (optim_init(&s->optim, &conf->optimizer, model->n_weights, err) ||
        team_init(&s->team, model, n_threads, err))
        return -1;
    return 0;
}

int step_run(struct step *s, const struct intake_batch *const *group, size_t n,
             const bool *want, struct step_result *out, struct err *err)
{
    size_t rows = count_rows(group, n);
    struct loss_divisors d;
    double *table = mem_grow(s->table, &s->table_cap, rows,
                             TEAM_WIDTH * sizeof *table, err);
    float *grad;

    if (!table)
        return -1;
    s->table = table;
    if (count(s, group, n, &d, &out->frames, err) ||
        pass(s, group, n, &d, want, err) ||
        comm_combine(s->comm, &s->reduce, &grad, err))
        return -1;
    sum_table(s, rows, out);
    out->lr = schedule_lr(&s->schedule, s->optim.step, s->epoch);
    optim_set_momentum(&s->optim, schedule_momentum(&s->schedule,
                                                    s->optim.step, s->epoch));
    out->grad_norm = optim_clip(grad, s->model->n_weights,
                                s->conf->optimizer.gradient_clip_val);
    if (check_finite(s, grad, out, err))
        return -1;
    optim_step(&s->optim, out->lr, grad, s->model->weights);
    return 0;
}

void step_release(struct step *s)
{
    team_release(&s->team);
    optim_release(&s->optim);
    reduce_release(&s->reduce);
    free(s->table);
    memset(s, 0, sizeof *s);
}
