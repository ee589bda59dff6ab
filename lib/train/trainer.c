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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/json.h"
#include "eval/metric.h"
#include "nn/model.h"
#include "train/agree.h"
#include "train/banner.h"
#include "train/ckpt.h"
#include "train/comm.h"
#include "train/intake.h"
#include "train/journal.h"
#include "train/rundir.h"
#include "train/step.h"
#include "train/valset.h"

/* How one part of a run ended, beside -1 for an error. */
enum flow {
    FLOW_ON,     /* go on */
    FLOW_STOPPED /* signal or time limit */
};

/* A run. */
struct trainer {
    const struct trainer_options *o;   /* what to do */
    struct config *conf;               /* o->conf */
    struct comm comm;                  /* processes */
    struct intake intake;              /* batch stream */
    struct rundir dir;                 /* run folder, locked */
    char *from;                        /* checkpoint resumed, NULL: none */
    struct model model;                /* what learns */
    struct step step;                  /* optimizer and threads */
    struct valset val;                 /* if o->n_val */
    struct journal journal;            /* metrics.jsonl */
    struct ckpt_state state;           /* where we stand */
    uint64_t saved;                    /* step of the newest checkpoint */
    struct intake_position end;        /* behind the last batch */
    uint64_t accumulate;               /* batches a step */
    struct intake_batch *slots;        /* (n_slots) batches, owned */
    size_t n_slots;                    /* accumulate, or those overfitted */
    const struct intake_batch **group; /* (accumulate) of one step, owned */
    size_t n_group;                    /* batches in it now */
    struct buf yaml;                   /* resolved config */
    bool watch_loss;                   /* the monitor is val_loss */
    enum metric watch;                 /* otherwise this metric */
    bool want_val[METRIC_N];           /* metrics of validations */
    bool want_train[METRIC_N];         /* metrics of logged steps */
    bool any_train;                    /* want_train has one */
};

/* ---- words ---- */

/* Says a line. */
PRINTF_LIKE(3, 4)
static void say(const struct trainer *t, enum trainer_line what,
                const char *fmt, ...)
{
    struct buf line = {0};
    char raw[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    buf_puts(&line, raw);
    if (t->o->say)
        t->o->say(t->o->ctx, what, buf_text(&line));
    buf_release(&line);
}

/* Says each line of a text and empties it. */
static void say_lines(const struct trainer *t, enum trainer_line what,
                      struct buf *text)
{
    char *line = text->data, *end;

    for (; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        say(t, what, "%s", line);
    }
    buf_clear(text);
}

/* "run/name"; caller frees. */
static char *path_in(const struct trainer *t, const char *name, struct err *err)
{
    struct buf path = {0};

    buf_printf(&path, "%s/%s", t->o->run, name);
    if (buf_check(&path, err)) {
        buf_release(&path);
        return NULL;
    }
    return path.data;
}

/* ---- settings ---- */

/* Sets the flags of a list of metric names; "loss" is always there. */
static int want_metrics(bool want[METRIC_N], char *const *names, size_t n,
                        struct err *err)
{
    enum metric m;
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(names[i], "loss") == 0)
            continue;
        if (metric_parse(names[i], &m))
            return err_set(err, ERR_USAGE, "metrics: %s is none", names[i]);
        want[m] = true;
    }
    return 0;
}

/* Resolves checkpoint.monitor: val_loss, val/loss, val_<metric>, ... */
static int find_monitor(struct trainer *t, struct err *err)
{
    const char *name = t->conf->checkpoint.monitor;
    const char *bare = name;

    if (strncmp(name, "val_", 4) == 0 || strncmp(name, "val/", 4) == 0)
        bare += 4;
    t->watch_loss = bare != name && strcmp(bare, "loss") == 0;
    if (t->watch_loss)
        return 0;
    if (bare == name || metric_parse(bare, &t->watch))
        return err_set(err, ERR_USAGE,
                       "checkpoint.monitor: want val_loss or "
                       "val_<metric> (mse, pearson, dtw, ...), got \"%s\"",
                       name);
    t->want_val[t->watch] = true;
    if (metric_higher_is_better(t->watch) != t->conf->checkpoint.mode_max)
        say(t, TRAINER_WARNING,
            "checkpoint.mode is %s, but a better %s is "
            "%s",
            t->conf->checkpoint.mode_max ? "max" : "min", name,
            t->conf->checkpoint.mode_max ? "lower" : "higher");
    return 0;
}

/* Everything that can be refused before the first byte is read. */
static int settle(struct trainer *t, struct err *err)
{
    struct config_metrics *m = &t->conf->metrics;
    struct monitor *w = &t->state.monitor;
    size_t k;

    t->accumulate = (uint64_t)t->conf->train.accumulate_grad_batches;
    if (m->compute_metrics &&
        (want_metrics(t->want_val, m->val_metrics, m->n_val_metrics, err) ||
         want_metrics(t->want_train, m->train_metrics, m->n_train_metrics,
                      err)))
        return -1;
    for (k = 0; k < METRIC_N; k++)
        t->any_train = t->any_train || t->want_train[k];
    monitor_init(w);
    w->mode_max = t->conf->checkpoint.mode_max;
    w->top_k = t->conf->checkpoint.save_top_k;
    w->min_delta = m->early_stopping_min_delta;
    w->patience = m->early_stopping && t->o->n_val
                      ? (uint64_t)m->early_stopping_patience
                      : 0;
    return find_monitor(t, err);
}

/* ---- beginning ---- */

/* Makes config.yml's text from the resolved config. */
static int resolve_config(struct trainer *t, struct err *err)
{
    buf_clear(&t->yaml);
    config_put_yaml(t->conf, &t->yaml);
    return buf_check(&t->yaml, err);
}

/* The state of a run that begins. */
static int begin_state(struct trainer *t, uint64_t total, struct err *err)
{
    struct ckpt_state *s = &t->state;

    s->total_steps = total;
    s->seed = t->conf->seed;
    s->overfit = t->o->overfit;
    s->metric = NAN;
    s->monitor_name = mem_string(t->conf->checkpoint.monitor, err);
    s->fingerprint =
        s->monitor_name ? mem_string(t->intake.plan.fingerprint, err) : NULL;
    return s->fingerprint ? 0 : -1;
}

/* Starts from the weights of another checkpoint. */
static int load_weights(struct trainer *t, struct err *err)
{
    const char *path = t->conf->checkpoint.load_from_checkpoint;
    struct buf own = {0}, other = {0};
    struct ckpt_model c;
    int rc = 0;

    if (ckpt_load_model(&c, path, err))
        return -1;
    config_model_put_json(&t->model.conf, &own);
    config_model_put_json(&c.model.conf, &other);
    if (t->model.conf.architecture != c.model.conf.architecture ||
        strcmp(buf_text(&own), buf_text(&other)) != 0)
        rc = err_set(err, ERR_USAGE,
                     "%s: its model is %s %s, the config's "
                     "is %s %s",
                     path, config_architecture_name(c.model.conf.architecture),
                     buf_text(&other),
                     config_architecture_name(t->model.conf.architecture),
                     buf_text(&own));
    buf_clear(&own);
    buf_clear(&other);
    config_features_put_json(&t->conf->features, &own);
    config_features_put_json(&c.features, &other);
    if (!rc && strcmp(buf_text(&own), buf_text(&other)) != 0)
        rc = err_set(err, ERR_DATA,
                     "%s: it was trained on other features "
                     "than the stream's",
                     path);
    if (!rc) {
        memcpy(t->model.weights, c.model.weights,
               t->model.n_weights * sizeof *t->model.weights);
        model_set_input(&t->model, c.model.input_mean, c.model.input_std);
    }
    buf_release(&own);
    buf_release(&other);
    ckpt_model_release(&c);
    return rc;
}

/* The optimizer's arenas as checkpoints name them. */
static size_t moments_of(const struct trainer *t,
                         struct ckpt_moment out[OPTIM_STATES])
{
    const struct optim *o = &t->step.optim;
    size_t i;

    for (i = 0; i < o->n_states; i++)
        out[i] = (struct ckpt_moment){o->states[i].name, o->states[i].data};
    return o->n_states;
}

/* Refuses a checkpoint of other data, another plan or another config. */
static int check_resume(struct trainer *t, uint64_t total, struct err *err)
{
    const struct ckpt_state *s = &t->state;
    char *then;
    int rc;

    if (strcmp(s->fingerprint, t->intake.plan.fingerprint) != 0)
        return err_set(err, ERR_DATA,
                       "%s: trained on data and order with "
                       "fingerprint %s, the stream's is %s",
                       t->from, s->fingerprint, t->intake.plan.fingerprint);
    then = ckpt_load_config(t->from, err);
    if (!then)
        return -1;
    rc = agree_checkpoint(buf_text(&t->yaml), then, t->o->extend, err);
    free(then);
    if (rc)
        return err_prefix(err, "%s", t->from);
    if (s->overfit != t->o->overfit)
        return err_set(err, ERR_USAGE,
                       "%s: it was trained with "
                       "--overfit-batches %" PRIu64,
                       t->from, s->overfit);
    if (!t->o->extend && s->total_steps != total)
        return err_set(err, ERR_USAGE,
                       "%s: its schedule has %" PRIu64
                       " steps, this run's %" PRIu64 " (--extend-schedule "
                       "goes on with this run's)",
                       t->from, s->total_steps, total);
    if (!t->o->extend &&
        s->step != intake_plan_steps(&t->intake.plan, s->at, t->accumulate))
        return err_set(err, ERR_DATA,
                       "%s: step %" PRIu64 " is not at batch "
                       "%" PRIu64 "/%" PRIu64 " of this stream",
                       t->from, s->step, s->at.epoch, s->at.batch);
    return 0;
}

/* Goes on from t->from. */
static int load_run(struct trainer *t, uint64_t total, struct err *err)
{
    struct ckpt_moment moments[OPTIM_STATES];
    struct ckpt_model c;
    size_t n = moments_of(t, moments);

    if (ckpt_verify(t->from, NULL, err) ||
        ckpt_load_state(t->from, &t->state, err) ||
        check_resume(t, total, err) ||
        ckpt_load_moments(t->from, &t->model, moments, n, t->state.step, err) ||
        ckpt_load_model(&c, t->from, err))
        return -1;
    /* the model's section of config.yml was equal, so are the layouts */
    assert(c.model.n_weights == t->model.n_weights);
    memcpy(t->model.weights, c.model.weights,
           t->model.n_weights * sizeof *t->model.weights);
    model_set_input(&t->model, c.model.input_mean, c.model.input_std);
    ckpt_model_release(&c);
    t->step.optim.step = t->state.step;
    t->saved = t->state.step;
    t->state.total_steps = total;
    if (t->o->extend) {
        t->state.stopped = false;
        t->state.monitor.early_bad = 0;
    }
    return 0;
}

/* Opens the run folder and finds what is there. */
static int open_folder(struct trainer *t, struct err *err)
{
    if (rundir_open(&t->dir, t->o->run, err) ||
        ckpt_latest(t->o->run, &t->from, err))
        return -1;
    if (t->from && !t->o->resume)
        return err_set(err, ERR_USAGE,
                       "%s has checkpoints: go on with "
                       "--resume, or choose another run folder",
                       t->o->run);
    return 0;
}

/* Builds the model with its weights, and the optimizer with its state. */
static int build(struct trainer *t, struct err *err)
{
    const struct intake_plan *plan = &t->intake.plan;
    uint64_t total;

    t->end = (struct intake_position){plan->epochs, 0};
    total = intake_plan_steps(plan, t->end, t->accumulate);
    if (resolve_config(t, err) || model_init(&t->model, &t->conf->model, err) ||
        step_init(&t->step, t->conf, &t->comm, &t->model, total,
                  t->o->n_threads, err))
        return -1;
    if (t->from)
        return load_run(t, total, err);
    model_init_weights(&t->model, (uint64_t)t->conf->seed);
    model_set_input(&t->model, plan->input_mean, plan->input_std);
    if (t->conf->checkpoint.load_from_checkpoint && load_weights(t, err))
        return -1;
    return begin_state(t, total, err);
}

/* Reads the validation recordings. */
static int open_validation(struct trainer *t, struct err *err)
{
    if (!t->o->n_val)
        return 0;
    if (valset_load(&t->val, t->o->val, t->o->n_val, t->o->spool, t->o->bad,
                    t->o->ctx, err))
        return -1;
    return valset_check(&t->val, &t->intake.plan, err);
}

/* Says what will be done. */
static void introduce(struct trainer *t)
{
    struct banner b = {.conf = t->conf,
                       .model = &t->model,
                       .plan = &t->intake.plan,
                       .total_steps = t->state.total_steps,
                       .done_steps = t->state.step,
                       .n_moments = t->step.optim.n_states,
                       .n_val = t->val.pairs.n_recordings,
                       .n_threads = t->o->n_threads};
    struct buf text = {0};

    banner_put(&text, &b);
    say_lines(t, TRAINER_INFO, &text);
    banner_warn(&text, &b);
    say_lines(t, TRAINER_WARNING, &text);
    buf_release(&text);
    if (t->from)
        say(t, TRAINER_INFO, "resuming %s", t->from);
}

/* ---- checkpoints ---- */

/* What a checkpoint of this moment holds. */
static struct ckpt_content content_of(const struct trainer *t,
                                      struct ckpt_moment *moments)
{
    return (struct ckpt_content){.model = &t->model,
                                 .moments = moments,
                                 .n_moments = moments_of(t, moments),
                                 .dataset = &t->intake.dataset,
                                 .plan = &t->intake.plan,
                                 .state = &t->state,
                                 .config = buf_text(&t->yaml),
                                 .version = t->o->version};
}

/* Sets the links. */
static int link_kept(const struct trainer *t, struct err *err)
{
    const struct monitor *m = &t->state.monitor;

    if (ckpt_link(t->o->run, "best", m->kept[monitor_best(m)].step, err))
        return -1;
    return ckpt_link(t->o->run, "last", t->state.step, err);
}

/* Saves, moves the links, prunes. */
static int save(struct trainer *t, bool periodic, struct err *err)
{
    struct monitor *m = &t->state.monitor;
    struct ckpt_moment moments[OPTIM_STATES];
    struct ckpt_content content = content_of(t, moments);

    if (monitor_add(m, t->state.step, t->state.metric, periodic, err))
        return -1;
    monitor_prune(m);
    if (journal_sync(&t->journal, err) || ckpt_save(t->o->run, &content, err) ||
        link_kept(t, err) || ckpt_tidy(t->o->run, m, err))
        return -1;
    t->saved = t->state.step;
    return 0;
}

/* Saves if there is anything new. */
static int save_rest(struct trainer *t, struct err *err)
{
    return t->state.step != t->saved ? save(t, false, err) : 0;
}

/* ---- validation ---- */

/* How validations are done; limit as in valset_run. */
static struct valset_run validation(struct trainer *t, size_t limit)
{
    return (struct valset_run){.team = &t->step.team,
                               .comm = &t->comm,
                               .loss = &t->conf->loss,
                               .want = t->want_val,
                               .limit = limit,
                               .stop = &t->o->stop};
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
static int log_validation(struct trainer *t, uint64_t epoch,
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
static uint64_t epoch_done(const struct trainer *t)
{
    return t->state.at.batch == 0 && t->state.at.epoch > 0
               ? t->state.at.epoch - 1
               : t->state.at.epoch;
}

/*
 * Validates, logs, decides about stopping. A validation that is left half
 * way is noted in the state, to be done again by the resumed run.
 */
static int validate(struct trainer *t, struct err *err)
{
    struct valset_run how = validation(t, 0);
    struct valset_score score;
    double value;
    int rc;

    t->state.validate = true;
    if (stop_now(&t->o->stop))
        return FLOW_STOPPED;
    if (t->o->n_val) {
        rc = valset_score(&t->val, &how, &score, err);
        if (rc)
            return rc < 0 ? -1 : FLOW_STOPPED;
        if (log_validation(t, epoch_done(t), &score, err))
            return -1;
        value = t->watch_loss ? score.loss : score.metrics[t->watch];
        t->state.metric = isfinite(value) ? value : (double)NAN;
        monitor_see(&t->state.monitor, t->state.metric);
        t->state.stopped = monitor_should_stop(&t->state.monitor);
        say(t, TRAINER_INFO, "step %" PRIu64 ": %s %.6g", t->state.step,
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
static bool validation_due(const struct trainer *t)
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
    if (m->val_check_steps)
        return t->state.step % (uint64_t)m->val_check_interval == 0;
    return validations_before(m->val_check_interval, k, n) >
           validations_before(m->val_check_interval, k - 1, n);
}

/* ---- steps ---- */

/* Whether all steps are done, or early stopping ended them. */
static bool is_over(const struct trainer *t)
{
    return t->state.stopped || t->state.at.epoch >= t->end.epoch;
}

/* Whether --max-steps ends this run here. */
static bool at_limit(const struct trainer *t)
{
    return (t->o->max_steps && t->state.step >= t->o->max_steps) ||
           (t->o->dry_run && t->state.step > t->saved);
}

/* Reads one batch into a slot. */
static int read_batch(struct trainer *t, struct intake_batch *b,
                      struct err *err)
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
static int read_repeated(struct trainer *t, struct err *err)
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
static int gather(struct trainer *t, struct intake_position *next,
                  struct err *err)
{
    const struct intake_plan *plan = &t->intake.plan;
    uint64_t epoch = t->state.at.epoch;
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
    return FLOW_ON;
}

/* Whether the step that comes is one metrics.jsonl has a line of. */
static bool log_due(const struct trainer *t)
{
    uint64_t every = (uint64_t)t->conf->logging.log_every_n_steps;

    return (t->state.step + 1) % every == 0;
}

/* Logs the step just done. */
static int log_step(struct trainer *t, const struct step_result *r,
                    struct err *err)
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

/* One optimizer step with what gather() brought. */
static int do_step(struct trainer *t, struct intake_position next,
                   struct err *err)
{
    bool log = log_due(t) && !t->o->dry_run;
    struct step_result r;
    double begun = stop_clock();

    if (step_run(&t->step, t->group, t->n_group,
                 log && t->any_train ? t->want_train : NULL, &r, err))
        return -1;
    t->state.step = t->step.optim.step;
    t->state.at = next;
    t->state.metric = NAN;
    say(t, TRAINER_PROGRESS,
        "epoch %" PRIu64 "/%" PRIu64 ", step %" PRIu64 "/%" PRIu64
        ", loss %.5g, lr %.3g, %.0f frames/s",
        epoch_done(t) + 1, t->end.epoch, t->state.step, t->state.total_steps,
        r.loss, r.lr, (double)r.frames / (stop_clock() - begun + 1e-9));
    return log ? log_step(t, &r, err) : 0;
}

/* Whether the checkpoint after a validation is wanted. */
static bool wants_save(const struct trainer *t)
{
    return is_over(t) || !t->o->n_val || t->conf->checkpoint.save_last ||
           monitor_would_keep(&t->state.monitor, t->state.metric);
}

/* Validation and checkpoint behind a step, or at the start of a resumed run
 * that was stopped before its validation. */
static int after_step(struct trainer *t, bool due, struct err *err)
{
    uint64_t every = (uint64_t)t->conf->checkpoint.save_every_n_steps;
    bool periodic = every && t->state.step % every == 0;
    int flow = FLOW_ON;

    if (due)
        flow = validate(t, err);
    if (flow)
        return flow;
    if (periodic || (due && wants_save(t)))
        return save(t, periodic, err);
    return FLOW_ON;
}

/* All rounds until the run is over, limited or stopped. */
static int loop(struct trainer *t, struct err *err)
{
    struct intake_position next;
    int flow = FLOW_ON;

    if (t->state.validate)
        flow = after_step(t, true, err);
    while (!flow && !is_over(t) && !at_limit(t)) {
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

/* ---- the whole run ---- */

/* Tries one validation and one checkpoint before anything is spent. */
static int rehearse(struct trainer *t, struct err *err)
{
    struct valset_run how = validation(t, (size_t)t->conf->data.batch_size);
    struct ckpt_moment moments[OPTIM_STATES];
    struct ckpt_content content = content_of(t, moments);
    struct valset_score ignored;
    int rc = 0;

    if (t->o->n_val)
        rc = valset_score(&t->val, &how, &ignored, err);
    if (rc)
        return rc < 0 ? -1 : FLOW_STOPPED;
    return ckpt_try(t->o->run, &content, err) ? -1 : FLOW_ON;
}

/*
 * Makes folders, list and links of a resumed run agree: it may have been
 * killed between two of them, and somebody may have removed folders.
 */
static int agree_folders(struct trainer *t, struct err *err)
{
    struct monitor *m = &t->state.monitor;
    size_t i;

    for (i = m->n_kept; i-- > 0;)
        if (!ckpt_has(t->o->run, m->kept[i].step))
            monitor_drop(m, m->kept[i].step);
    if (t->from && link_kept(t, err))
        return -1;
    return ckpt_tidy(t->o->run, m, err);
}

/* Writes config.yml, opens the journal, removes what is out of date. */
static int prepare_folder(struct trainer *t, struct err *err)
{
    char *config = path_in(t, "config.yml", err);
    char *finished = config ? path_in(t, "finished.json", err) : NULL;
    int rc = -1;

    if (finished) {
        if (!is_over(t))
            unlink(finished); /* not there, as a rule */
        rc = agree_folders(t, err) ||
             ckpt_put_file(config, buf_text(&t->yaml), err) ||
             journal_open(&t->journal, t->o->run, t->state.step,
                          t->state.validate, err);
    }
    free(config);
    free(finished);
    return rc ? -1 : 0;
}

/* Room for batches, and the thread that reads them. */
static int start_reading(struct trainer *t, struct err *err)
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
static int drain(struct trainer *t, struct err *err)
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
static int write_finished(struct trainer *t, struct err *err)
{
    const struct monitor *m = &t->state.monitor;
    const struct monitor_kept *best = &m->kept[monitor_best(m)];
    char name[CKPT_NAME_SIZE], *path = path_in(t, "finished.json", err);
    struct buf text = {0};
    int rc;

    if (!path)
        return -1;
    buf_printf(&text, "{\"step\":%" PRIu64 ",\"early_stopped\":%s,\"best\":",
               t->state.step, t->state.stopped ? "true" : "false");
    json_put_text(&text, ckpt_name(name, best->step));
    buf_puts(&text, ",\"monitor\":");
    json_put_text(&text, t->state.monitor_name);
    buf_puts(&text, ",\"value\":");
    json_put_num(&text, best->value);
    buf_puts(&text, "}\n");
    rc = buf_check(&text, err) || ckpt_put_file(path, buf_text(&text), err);
    buf_release(&text);
    free(path);
    return rc ? -1 : 0;
}

/* Saves what was learnt although the input failed. */
static int save_after_failure(struct trainer *t, struct err *err)
{
    struct err second;

    if (err->status != ERR_DATA || t->o->dry_run)
        return -1;
    if (save_rest(t, &second))
        *err = second;
    return -1;
}

/* The loop and what follows it. */
static int train(struct trainer *t, struct trainer_result *out, struct err *err)
{
    int flow = read_repeated(t, err);

    if (!flow)
        flow = loop(t, err);
    if (flow < 0)
        return save_after_failure(t, err);
    if (!t->o->dry_run && save_rest(t, err))
        return -1;
    out->end = flow == FLOW_STOPPED           ? TRAINER_STOPPED
               : is_over(t) && !t->o->dry_run ? TRAINER_FINISHED
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
static int name_best(const struct trainer *t, struct trainer_result *out,
                     struct err *err)
{
    const struct monitor *m = &t->state.monitor;
    char name[CKPT_NAME_SIZE];

    out->step = t->state.step;
    if (m->n_kept == 0)
        return 0;
    out->best = path_in(t, ckpt_name(name, m->kept[monitor_best(m)].step), err);
    return out->best ? 0 : -1;
}

/* Everything before the loop. */
static int open_run(struct trainer *t, struct stream_in *in, struct err *err)
{
    struct buf notes = {0};
    int rc = settle(t, err) || comm_open(&t->comm, err) ||
             open_folder(t, err) || intake_open(&t->intake, in, err) ||
             agree_stream(t->conf, &t->intake.plan, &notes, err);

    say_lines(t, TRAINER_WARNING, &notes);
    buf_release(&notes);
    if (rc || build(t, err) || open_validation(t, err))
        return -1;
    introduce(t);
    return 0;
}

/* Frees everything. */
static void close_run(struct trainer *t)
{
    size_t i;

    intake_close(&t->intake);
    for (i = 0; t->slots && i < t->n_slots; i++)
        intake_batch_release(&t->slots[i]);
    free(t->slots);
    free(t->group);
    journal_close(&t->journal);
    valset_release(&t->val);
    step_release(&t->step);
    model_release(&t->model);
    ckpt_state_release(&t->state);
    buf_release(&t->yaml);
    free(t->from);
    rundir_undo(&t->dir);
    rundir_close(&t->dir);
    comm_close(&t->comm);
}

int trainer_run(const struct trainer_options *o, struct stream_in *in,
                struct trainer_result *out, struct err *err)
{
    struct trainer t = {.o = o, .conf = o->conf};
    int rc, flow = FLOW_ON;

    *out = (struct trainer_result){.end = TRAINER_STOPPED};
    rc = open_run(&t, in, err);
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
    close_run(&t);
    return rc ? -1 : 0;
}
