/*
 * step - rows to gradient to weights.
 */
#include "train/step.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/json.h"

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

/* Whether one of a row's valid targets is not finite. */
static bool is_bad(const struct intake_batch *b, size_t recording, size_t len)
{
    const uint8_t *valid = b->valid + recording * b->T;
    const float *y = b->y + recording * b->T;
    size_t t = 0;

    while (t < len && !(valid[t] && !isfinite(y[t])))
        t++;
    return t < len;
}

/*
 * Appends the first recording of a row of a batch whose target is not
 * finite, or else, as what is bad is what they share, its song.
 */
static void put_bad(struct buf *out, const struct intake_batch *b, size_t row)
{
    const char *list = "keys", *text = NULL;
    size_t at = row, k;
    struct err ignored;
    struct json *keys;

    for (k = b->first[row]; k < b->first[row + 1]; k++)
        if (is_bad(b, b->order[k], (size_t)b->len[row])) {
            list = "recordings";
            at = b->order[k];
            break;
        }
    if (b->first[row + 1] == b->first[row] + 1) {
        list = "recordings";
        at = b->order[b->first[row]];
    }
    if (frame_need(&b->frame, list, &text, &ignored))
        return;
    keys = json_parse(text, strlen(text), &ignored);
    text = json_text(json_at(keys, at));
    if (text)
        buf_printf(out, ", first bad %s %s", *list == 'k' ? "song"
                                                          : "recording",
                   text);
    json_close(keys);
}

/* Appends the first row whose loss is not finite, if there is one. */
static void put_bad_row(const struct step *s, struct buf *out,
                        const struct intake_batch *const *group, size_t n)
{
    size_t base = 0, i, row;

    for (i = 0; i < n; base += group[i++]->S)
        for (row = 0; row < group[i]->S; row++)
            if (!isfinite(s->table[(base + row) * TEAM_WIDTH])) {
                put_bad(out, group[i], row);
                return;
            }
}

/* Says where a step went wrong; returns -1, ERR_FAILED. */
static int say_bad(const struct step *s,
                   const struct intake_batch *const *group, size_t n,
                   const float *grad, const struct step_result *r,
                   struct err *err)
{
    const struct model *m = s->model;
    size_t bad = optim_first_bad(grad, m->n_weights);
    struct buf where = {0};

    if (bad < m->n_weights)
        buf_printf(&where, ", first bad in %s", model_param_at(m, bad)->name);
    put_bad_row(s, &where, group, n);
    err_set(err, ERR_FAILED,
            "step %" PRIu64 ": loss is %g, norm of the gradient %g%s",
            s->optim.step + 1, r->loss, r->grad_norm, buf_text(&where));
    buf_release(&where);
    return -1;
}

/*
 * Decides over a step that is not finite: 0 if it may be skipped, which
 * *out then says; -1 with err if it ends the run.
 */
static int judge(struct step *s, struct step_result *out, struct err *err)
{
    const struct config_train *how = &s->conf->train;
    char text[sizeof err->text];

    memcpy(text, err->text, sizeof text);
    if (how->nan_policy == CONFIG_NAN_STOP)
        return err_set(err, ERR_FAILED,
                       "%s; the last checkpoint stands (lower "
                       "optimizer.learning_rate or gradient_clip_val)",
                       text);
    if (s->optim.scalars.skipped >= (uint64_t)how->nan_limit)
        return err_set(err, ERR_FAILED,
                       "%s; %" PRIu64 " steps were skipped before "
                       "(train.nan_limit); the last checkpoint stands",
                       text, s->optim.scalars.skipped);
    out->skipped = true;
    out->why = *err;
    optim_skip(&s->optim);
    return 0;
}

/* Spares biases and other tensors of one dimension the weight decay. */
static int spare_biases(struct step *s, struct err *err)
{
    const struct model_param *p = s->model->params;
    size_t i;

    for (i = 0; i < s->model->n_params; i++)
        if (p[i].n_dims == 1 &&
            optim_spare(&s->optim, p[i].offset, p[i].offset + p[i].count, err))
            return -1;
    return 0;
}

enum ops_algorithm step_algorithm(const struct config *conf)
{
    static const enum ops_algorithm ways[] = {
        [CONFIG_CONVOLUTION_AUTO] = OPS_AUTO,
        [CONFIG_CONVOLUTION_DIRECT] = OPS_DIRECT,
        [CONFIG_WINOGRAD2] = OPS_WINOGRAD2,
        [CONFIG_WINOGRAD4] = OPS_WINOGRAD4};

    return conf->hardware.precision == CONFIG_BF16
               ? OPS_BF16
               : ways[conf->hardware.convolution];
}

enum model_training step_training(const struct config *conf)
{
    return conf->train.recompute ? MODEL_RECOMPUTE : MODEL_TRAIN;
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
        team_init(&s->team, model, n_threads, step_training(conf), err))
        return -1;
    s->optim.swa_from =
        (uint64_t)ceil((double)total_steps * conf->optimizer.swa_start);
    return conf->optimizer.decay_bias ? 0 : spare_biases(s, err);
}

/* Clips the gradient as the config says; returns its norm before. */
static double clip(const struct config_optimizer *conf, float *grad, size_t n)
{
    if (conf->gradient_clip_algorithm == CONFIG_CLIP_VALUE)
        return optim_clip_value(grad, n, conf->gradient_clip_val);
    return optim_clip(grad, n, conf->gradient_clip_val);
}

int step_run(struct step *s, const struct intake_batch *const *group, size_t n,
             const bool *want, struct step_result *out, struct err *err)
{
    const struct config_optimizer *conf = &s->conf->optimizer;
    size_t rows = count_rows(group, n);
    struct loss_divisors d;
    double *table = mem_grow(s->table, &s->table_cap, rows,
                             TEAM_WIDTH * sizeof *table, err);
    float *grad;

    if (!table)
        return -1;
    s->table = table;
    out->skipped = false;
    if (count(s, group, n, &d, &out->frames, err) ||
        pass(s, group, n, &d, want, err) ||
        comm_combine(s->comm, &s->reduce, &grad, err))
        return -1;
    sum_table(s, rows, out);
    out->lr = schedule_lr(&s->schedule, s->optim.step, s->epoch);
    optim_set_momentum(&s->optim, schedule_momentum(&s->schedule,
                                                    s->optim.step, s->epoch));
    out->grad_norm = clip(conf, grad, s->model->n_weights);
    if (!isfinite(out->loss) || !isfinite(out->grad_norm)) {
        say_bad(s, group, n, grad, out, err);
        return judge(s, out, err);
    }
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
