/*
 * trainer - set up, loop, finish.
 *
 * One round of the loop:
 *   1. read the whole effective batch (never across an epoch)
 *   2. one optimizer step
 *   3. a line in metrics.jsonl, if due
 *   4. validation, if due; early stopping
 *   5. checkpoint, if due: folder, then links, then pruning
 *   6. leave, if asked to
 * What a resumed run needs is all in ckpt_state, the model and the
 * optimizer; everything random is a function of seed and position.
 */
#include "train/trainer.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/json.h"
#include "eval/metric.h"
#include "train/run.h"
#include "train/snapshot.h"

/* How one part of a run ended, beside -1 for an error. */
enum flow {
    FLOW_ON,     /* go on */
    FLOW_STOPPED /* signal or time limit */
};

/* How validations are done; limit as in valset_run. */
static struct valset_run validation(struct run *t, size_t limit)
{
    return (struct valset_run){.team = &t->step.team,
                               .comm = &t->comm,
                               .loss = &t->conf->loss,
                               .want = t->want_val,
                               .limit = limit,
                               .stop = &t->o->stop};
}

/* Validates the weights that a checkpoint would call the model. */
static int score_model(struct run *t, const struct valset_run *how,
                       struct valset_score *score, struct err *err)
{
    float *own = t->model.weights;
    int rc;

    if (t->step.optim.average)
        t->model.weights = t->step.optim.average;
    rc = valset_score(&t->val, how, score, err);
    t->model.weights = own;
    return rc;
}

/* Appends `,"name":value` for the wanted metrics. */
static void put_metrics(struct buf *line, const bool *want,
                        const double *metrics)
{
    size_t k;

    for (k = 0; k < METRIC_N; k++)
        if (want[k]) {
            buf_printf(line, ",\"%s\":", metric_name((enum metric)k));
            json_put_num(line, metrics[k]);
        }
}

/* Logs a validation. epoch: of the step before it. */
static int log_validation(struct run *t, uint64_t epoch,
                          const struct valset_score *score, struct err *err)
{
    struct buf line = {0};
    int rc;

    buf_printf(&line,
               "{\"step\":%" PRIu64 ",\"epoch\":%" PRIu64
               ",\"split\":\"val\",\"loss\":",
               t->state.step, epoch);
    json_put_num(&line, score->loss);
    put_metrics(&line, t->want_val, score->metrics);
    buf_puts(&line, "}\n");
    rc = journal_put(&t->journal, &line, err);
    buf_release(&line);
    return rc;
}

/* The epoch of the last batch that was used. */
static uint64_t epoch_done(const struct run *t)
{
    return t->state.at.batch == 0 && t->state.at.epoch > 0
               ? t->state.at.epoch - 1
               : t->state.at.epoch;
}

/*
 * Validates, logs, decides about stopping. A validation that is left half
 * way is noted in the state, to be done again by the resumed run.
 */
static int validate(struct run *t, struct err *err)
{
    struct valset_run how = validation(t, 0);
    struct valset_score score;
    double value;
    int rc;

    t->state.validate = true;
    if (stop_now(&t->o->stop))
        return FLOW_STOPPED;
    if (t->o->n_val) {
        rc = score_model(t, &how, &score, err);
        if (rc)
            return rc < 0 ? -1 : FLOW_STOPPED;
        if (log_validation(t, epoch_done(t), &score, err))
            return -1;
        value = t->watch_loss ? score.loss : score.metrics[t->watch];
        t->state.metric = isfinite(value) ? value : (double)NAN;
        monitor_see(&t->state.monitor, t->state.metric);
        schedule_see(&t->step.schedule, t->state.metric);
        t->state.plateau = t->step.schedule.plateau;
        t->state.stopped = monitor_should_stop(&t->state.monitor) ||
                           monitor_ends(&t->state.monitor, t->state.metric);
        run_say(t, TRAINER_INFO, "step %" PRIu64 ": %s %.6g", t->state.step,
                t->state.monitor_name, value);
    }
    t->state.validate = false;
    return FLOW_ON;
}

/* How many validations a step k of an epoch of n steps has behind it. */
static uint64_t validations_before(double share, uint64_t k, uint64_t n)
{
    double most = floor(1 / share + 1e-9);
    double done = floor((double)k / (share * (double)n) + 1e-9);

    return (uint64_t)(done < most ? done : most);
}

/* Whether the step just done has a validation behind it. */
static bool validation_due(const struct run *t)
{
    const struct config_metrics *m = &t->conf->metrics;
    const struct intake_plan *plan = &t->intake.plan;
    struct intake_position first = {epoch_done(t), 0};
    struct intake_position next = {first.epoch + 1, 0};
    uint64_t before = intake_plan_steps(plan, first, t->accumulate);
    uint64_t n = intake_plan_steps(plan, next, t->accumulate) - before;
    uint64_t k = intake_plan_steps(plan, t->state.at, t->accumulate) - before;

    if (t->state.at.epoch == t->end.epoch)
        return true;
    if (m->val_every_steps)
        return t->state.step % (uint64_t)m->val_every_steps == 0;
    if (m->val_every_epochs)
        return t->state.at.batch == 0 &&
               t->state.at.epoch % (uint64_t)m->val_every_epochs == 0;
    if (m->val_check_steps)
        return t->state.step % (uint64_t)m->val_check_interval == 0;
    return validations_before(m->val_check_interval, k, n) >
           validations_before(m->val_check_interval, k - 1, n);
}

/* Whether --max-steps ends this run here. */
static bool at_limit(const struct run *t)
{
    return (t->o->max_steps && t->state.step >= t->o->max_steps) ||
           (t->o->dry_run && t->state.step > t->saved);
}

/* Reads one batch into a slot. */
static int read_batch(struct run *t, struct intake_batch *b, struct err *err)
{
    int got = intake_next(&t->intake, b, &t->o->stop, err);

    if (got < 0)
        return -1;
    if (got == INTAKE_STOPPED)
        return FLOW_STOPPED;
    assert(got == INTAKE_BATCH); /* counted before the end */
    if (comm_scatter(&t->comm, &b->frame, err) ||
        intake_batch_view(b, &t->intake.plan, err))
        return -1;
    return FLOW_ON;
}

/* Reads the batches that --overfit-batches repeats. */
static int read_repeated(struct run *t, struct err *err)
{
    size_t i;
    int rc;

    for (i = 0; t->o->overfit && i < t->n_slots; i++) {
        rc = read_batch(t, &t->slots[i], err);
        if (rc)
            return rc;
    }
    if (t->o->overfit)
        intake_discard(&t->intake);
    return FLOW_ON;
}

/* Gathers the effective batch at the position; *next is behind it. */
static int gather(struct run *t, struct intake_position *next, struct err *err)
{
    const struct intake_plan *plan = &t->intake.plan;
    uint64_t epoch = t->state.at.epoch;
    double begun = stop_clock();
    int rc;

    *next = t->state.at;
    t->n_group = 0;
    while (t->n_group < t->accumulate && next->epoch == epoch) {
        struct intake_batch *b = &t->slots[t->n_group];

        if (t->o->overfit) {
            b = &t->slots[intake_plan_batches(plan, *next) % t->n_slots];
        } else {
            rc = read_batch(t, b, err);
            if (rc)
                return rc;
        }
        t->group[t->n_group++] = b;
        *next = intake_plan_next(plan, *next);
    }
    pace_wait(&t->pace, stop_clock() - begun);
    return FLOW_ON;
}

/* Whether the step that comes is one metrics.jsonl has a line of. */
static bool log_due(const struct run *t)
{
    uint64_t every = (uint64_t)t->conf->logging.log_every_n_steps;

    return (t->state.step + 1) % every == 0;
}

/* Logs the step just done. */
static int log_step(struct run *t, const struct step_result *r, struct err *err)
{
    struct buf line = {0};
    int rc;

    buf_printf(&line,
               "{\"step\":%" PRIu64 ",\"epoch\":%" PRIu64
               ",\"split\":\"train\",\"loss\":",
               t->state.step, epoch_done(t));
    json_put_num(&line, r->loss);
    buf_puts(&line, ",\"lr\":");
    json_put_num(&line, r->lr);
    buf_puts(&line, ",\"grad_norm\":");
    json_put_num(&line, r->grad_norm);
    put_metrics(&line, t->want_train, r->metrics);
    buf_puts(&line, "}\n");
    rc = journal_put(&t->journal, &line, err);
    buf_release(&line);
    return rc;
}

/* Recordings in the effective batch at hand. */
static uint64_t count_recordings(const struct run *t)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < t->n_group; i++)
        n += t->group[i]->R;
    return n;
}

/* Begins to measure an epoch. */
static void begin_pace(struct run *t)
{
    /* backward is two products for each of the forward's */
    pace_begin(&t->pace, 6 * model_macs_per_frame(&t->model));
}

/* Says how the step just done went. */
static void say_step(struct run *t, enum trainer_line what,
                     const struct step_result *r)
{
    uint64_t left = t->state.total_steps - t->state.step;
    struct buf line = {0};

    buf_printf(&line,
               "epoch %" PRIu64 "/%" PRIu64 ", step %" PRIu64 "/%" PRIu64
               ", loss %.5g, lr %.3g, ",
               epoch_done(t) + 1, t->end.epoch, t->state.step,
               t->state.total_steps, r->loss, r->lr);
    pace_put(&line, &t->pace);
    buf_puts(&line, ", ");
    pace_put_time(&line, pace_left_s(&t->pace, left));
    buf_puts(&line, " left");
    run_say(t, what, "%s", buf_text(&line));
    buf_release(&line);
}

/* Sums up the epoch that the step just done ended. */
static void say_epoch(struct run *t)
{
    struct buf line = {0};

    buf_printf(&line, "epoch %" PRIu64 "/%" PRIu64 ": loss %.5g in ",
               epoch_done(t) + 1, t->end.epoch,
               t->pace.loss / (double)t->pace.steps);
    pace_put_time(&line, stop_clock() - t->pace.begun_s);
    buf_puts(&line, ", ");
    pace_put(&line, &t->pace);
    run_say(t, TRAINER_INFO, "%s", buf_text(&line));
    buf_release(&line);
}

/* One optimizer step with what gather() brought. */
static int do_step(struct run *t, struct intake_position next, struct err *err)
{
    bool log = log_due(t) && !t->o->dry_run;
    struct step_result r;
    double begun = stop_clock();

    t->step.epoch = t->state.at.epoch;
    if (step_run(&t->step, t->group, t->n_group,
                 log && t->any_train ? t->want_train : NULL, &r, err))
        return -1;
    t->state.step = t->step.optim.step;
    t->state.scalars = t->step.optim.scalars;
    t->state.at = next;
    t->state.metric = NAN;
    if (r.skipped)
        run_say(t, TRAINER_WARNING, "%s; skipped", r.why.text);
    pace_step(&t->pace, stop_clock() - begun, r.loss, r.frames,
              count_recordings(t));
    say_step(t, TRAINER_PROGRESS, &r);
    if (log)
        say_step(t, TRAINER_STEP, &r);
    if (next.batch == 0 && !t->o->dry_run) {
        say_epoch(t);
        begin_pace(t);
    }
    return log ? log_step(t, &r, err) : 0;
}

/* Whether the checkpoint after a validation is wanted. */
static bool wants_save(const struct run *t)
{
    return run_is_over(t) || !t->o->n_val || t->conf->checkpoint.save_last ||
           monitor_would_keep(&t->state.monitor, t->state.metric);
}

/*
 * Saves. A disk that is full costs the checkpoint, not the run: the next one
 * may find room. At the end of the run it is an error.
 */
static int save(struct run *t, bool periodic, struct err *err)
{
    if (!snapshot_save(t, periodic, err))
        return FLOW_ON;
    if (!err->no_space || run_is_over(t))
        return -1;
    run_say(t, TRAINER_WARNING,
            "%s; training goes on without the checkpoint of step %" PRIu64,
            err->text, t->state.step);
    return FLOW_ON;
}

/* Whether a step is a multiple of `every`; 0: never. */
static bool is_multiple(uint64_t step, int64_t every)
{
    return every && step % (uint64_t)every == 0;
}

/* Validation and checkpoint behind a step, or at the start of a resumed run
 * that was stopped before its validation. */
static int after_step(struct run *t, bool due, struct err *err)
{
    const struct config_checkpoint *c = &t->conf->checkpoint;
    bool periodic = is_multiple(t->state.step, c->save_every_n_steps);
    bool major = is_multiple(t->state.step, c->keep_every);
    int flow = FLOW_ON;

    if (due)
        flow = validate(t, err);
    if (flow)
        return flow;
    if (periodic || major || (due && wants_save(t)))
        return save(t, periodic, err);
    return FLOW_ON;
}

/* All rounds until the run is over, limited or stopped. */
static int loop(struct run *t, struct err *err)
{
    struct intake_position next;
    int flow = FLOW_ON;

    begin_pace(t);
    if (t->state.validate)
        flow = after_step(t, true, err);
    while (!flow && !run_is_over(t) && !at_limit(t)) {
        if (stop_now(&t->o->stop))
            return FLOW_STOPPED;
        flow = gather(t, &next, err);
        if (flow)
            return flow;
        if (do_step(t, next, err))
            return -1;
        if (!t->o->dry_run)
            flow = after_step(t, validation_due(t), err);
    }
    return flow;
}

/* Tries one validation and one checkpoint before anything is spent. */
static int rehearse(struct run *t, struct err *err)
{
    struct valset_run how = validation(t, (size_t)t->conf->data.batch_size);
    struct valset_score ignored;
    int rc = 0;

    if (t->o->n_val)
        rc = score_model(t, &how, &ignored, err);
    if (rc)
        return rc < 0 ? -1 : FLOW_STOPPED;
    return snapshot_try(t, err) ? -1 : FLOW_ON;
}

/* Writes config.yml, opens the journal, removes what is out of date. */
static int prepare_folder(struct run *t, struct err *err)
{
    char *finished = run_path(t, "finished.json", err);

    if (!finished)
        return -1;
    if (!run_is_over(t))
        unlink(finished); /* not there, as a rule */
    free(finished);
    if (snapshot_agree(t, err) ||
        ckpt_put_file(t->o->run, "config.yml", buf_text(&t->yaml), err))
        return -1;
    return journal_open(&t->journal, t->o->run, t->state.step,
                        t->state.validate, err);
}

/* Room for batches, and the thread that reads them. */
static int start_reading(struct run *t, struct err *err)
{
    struct intake_position from = t->state.at, start = {0, 0};
    uint64_t all = intake_plan_batches(&t->intake.plan, t->end);
    int64_t ahead = t->conf->data.prefetch_size;

    t->n_slots = (size_t)t->accumulate;
    if (t->o->overfit) {
        t->n_slots = (size_t)(t->o->overfit < all ? t->o->overfit : all);
        from = start;
    }
    t->slots = mem_alloc(t->n_slots, sizeof *t->slots, err);
    t->group = t->slots
                   ? mem_alloc((size_t)t->accumulate, sizeof *t->group, err)
                   : NULL;
    if (!t->group)
        return -1;
    return intake_start(&t->intake, from, ahead > 1 ? (size_t)ahead : 1, err);
}

/* Reads to the end frame, which proves the input whole. */
static int drain(struct run *t, struct err *err)
{
    struct intake_batch dropped = {0};
    int got;

    intake_discard(&t->intake);
    do {
        got = intake_next(&t->intake, &dropped, &t->o->stop, err);
    } while (got == INTAKE_BATCH);
    intake_batch_release(&dropped);
    return got < 0 ? -1 : got == INTAKE_STOPPED ? FLOW_STOPPED : FLOW_ON;
}

/* Writes finished.json: the last thing a run does. */
static int write_finished(struct run *t, struct err *err)
{
    const struct monitor *m = &t->state.monitor;
    const struct monitor_kept *best = &m->kept[monitor_best(m)];
    char name[CKPT_NAME_SIZE];
    struct buf text = {0};
    int rc;

    buf_printf(&text, "{\"step\":%" PRIu64 ",\"early_stopped\":%s,\"best\":",
               t->state.step, t->state.stopped ? "true" : "false");
    json_put_text(&text, ckpt_name(name, best->step));
    buf_puts(&text, ",\"monitor\":");
    json_put_text(&text, t->state.monitor_name);
    buf_puts(&text, ",\"value\":");
    json_put_num(&text, best->value);
    buf_puts(&text, "}\n");
    rc = buf_check(&text, err) ||
         ckpt_put_file(t->o->run, "finished.json", buf_text(&text), err);
    buf_release(&text);
    return rc ? -1 : 0;
}

/* Saves what was learnt although the input failed. */
static int save_after_failure(struct run *t, struct err *err)
{
    struct err second;

    if (err->status != ERR_DATA || t->o->dry_run)
        return -1;
    if (snapshot_save_rest(t, &second))
        *err = second;
    return -1;
}

/* The loop and what follows it. */
static int train(struct run *t, struct trainer_result *out, struct err *err)
{
    int flow = read_repeated(t, err);

    if (!flow)
        flow = loop(t, err);
    if (flow < 0)
        return save_after_failure(t, err);
    if (!t->o->dry_run && snapshot_save_rest(t, err))
        return -1;
    out->end = flow == FLOW_STOPPED               ? TRAINER_STOPPED
               : run_is_over(t) && !t->o->dry_run ? TRAINER_FINISHED
                                                  : TRAINER_LIMIT;
    if (out->end == TRAINER_STOPPED)
        return 0;
    flow = drain(t, err);
    if (flow == FLOW_STOPPED)
        out->end = TRAINER_STOPPED;
    if (flow || out->end != TRAINER_FINISHED)
        return flow < 0 ? -1 : 0;
    return write_finished(t, err);
}

/* Names the best checkpoint. */
static int name_best(const struct run *t, struct trainer_result *out,
                     struct err *err)
{
    const struct monitor *m = &t->state.monitor;
    char name[CKPT_NAME_SIZE];

    out->step = t->state.step;
    if (m->n_kept == 0)
        return 0;
    out->best =
        run_path(t, ckpt_name(name, m->kept[monitor_best(m)].step), err);
    return out->best ? 0 : -1;
}

int trainer_run(const struct trainer_options *o, struct stream_in *in,
                struct trainer_result *out, struct err *err)
{
    struct run t = {.o = o, .conf = o->conf};
    int rc, flow = FLOW_ON;

    *out = (struct trainer_result){.end = TRAINER_STOPPED};
    rc = run_open(&t, in, err);
    if (!rc) {
        flow = rehearse(&t, err);
        rc = flow < 0;
    }
    if (!rc && !flow) {
        rc = (!o->dry_run && prepare_folder(&t, err)) ||
             start_reading(&t, err) || train(&t, out, err);
    }
    rc = rc || name_best(&t, out, err);
    if (rc)
        comm_abort(&t.comm, (int)err->status);
    run_close(&t);
    return rc ? -1 : 0;
}
