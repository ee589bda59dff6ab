/*
 * run - settings, run folder, model and validation data of one run.
 */
#include "train/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "train/agree.h"
#include "train/banner.h"
#include "train/snapshot.h"

void run_say(const struct run *t, enum trainer_line what, const char *fmt, ...)
{
    struct buf line = {0};
    char raw[2048];
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
static void say_lines(const struct run *t, enum trainer_line what,
                      struct buf *text)
{
    char *line = text->data, *end;

    for (; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        run_say(t, what, "%s", line);
    }
    buf_clear(text);
}

char *run_path(const struct run *t, const char *name, struct err *err)
{
    struct buf path = {0};

    buf_printf(&path, "%s/%s", t->o->run, name);
    if (buf_check(&path, err)) {
        buf_release(&path);
        return NULL;
    }
    return path.data;
}

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
static int find_monitor(struct run *t, struct err *err)
{
    const char *name = t->conf->checkpoint.monitor;
    const char *bare = name;

    if (strncmp(name, "val_", 4) == 0 || strncmp(name, "val/", 4) == 0)
        bare += 4;
    t->watch_loss = bare != name && strcmp(bare, "loss") == 0;
    if (t->watch_loss)
        return 0;
    if (bare == name || metric_parse(bare, &t->watch) ||
        !metric_is_ordered(t->watch))
        return err_set(err, ERR_USAGE,
                       "checkpoint.monitor: want val_loss or "
                       "val_<metric> (mse, pearson, dtw, ...), got \"%s\"",
                       name);
    t->want_val[t->watch] = true;
    if (metric_higher_is_better(t->watch) != t->conf->checkpoint.mode_max)
        run_say(t, TRAINER_WARNING,
                "checkpoint.mode is %s, but a better %s is "
                "%s",
                t->conf->checkpoint.mode_max ? "max" : "min", name,
                t->conf->checkpoint.mode_max ? "lower" : "higher");
    return 0;
}

/* Everything that can be refused before the first byte is read. */
static int settle(struct run *t, struct err *err)
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
    w->keep_last = (uint64_t)t->conf->checkpoint.keep_last;
    w->keep_every = (uint64_t)t->conf->checkpoint.keep_every;
    w->min_delta = m->early_stopping_min_delta;
    w->patience = m->early_stopping && t->o->n_val
                      ? (uint64_t)m->early_stopping_patience
                      : 0;
    w->enough = m->early_stopping_threshold;
    w->diverged = m->early_stopping_divergence;
    w->check_finite = m->early_stopping_check_finite;
    if (m->val_every_steps && m->val_every_epochs)
        return err_set(err, ERR_USAGE,
                       "metrics.val_every: want steps or epochs, got both");
    if (t->conf->optimizer.swa_start > 0 &&
        (t->conf->optimizer.ema_decay > 0 ||
         t->conf->optimizer.name == CONFIG_SCHEDULE_FREE_ADAMW))
        return err_set(err, ERR_USAGE,
                       "optimizer.swa_start: ema_decay or the optimizer has "
                       "an average already");
    if (t->conf->optimizer.scheduler.name == CONFIG_PLATEAU && !t->o->n_val)
        return err_set(err, ERR_USAGE,
                       "optimizer.scheduler: reduce_on_plateau needs --val");
    return find_monitor(t, err);
}

/* Makes config.yml's text from the resolved config. */
static int resolve_config(struct run *t, struct err *err)
{
    buf_clear(&t->yaml);
    config_put_yaml(t->conf, &t->yaml);
    return buf_check(&t->yaml, err);
}

/* The state of a run that begins. */
static int begin_state(struct run *t, uint64_t total, struct err *err)
{
    struct ckpt_state *s = &t->state;

    s->total_steps = total;
    s->seed = t->conf->seed;
    s->overfit = t->o->overfit;
    s->metric = NAN;
    s->plateau = t->step.schedule.plateau;
    s->monitor_name = mem_string(t->conf->checkpoint.monitor, err);
    s->fingerprint =
        s->monitor_name ? mem_string(t->intake.plan.fingerprint, err) : NULL;
    return s->fingerprint ? 0 : -1;
}

/*
 * Starts from the weights of another checkpoint, and its input normalisation;
 * a state_dict of PyTorch has none.
 */
static int load_weights(struct run *t, struct err *err)
{
    const char *path = t->conf->checkpoint.load_from_checkpoint;
    struct buf own = {0}, other = {0};
    struct ckpt_model c;
    bool plain;
    int rc = 0;

    if (ckpt_load_plain(&t->model, path, &plain, err))
        return -1;
    if (plain)
        return 0;
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

/* Refuses a checkpoint of other data, another plan or another config. */
static int check_resume(struct run *t, uint64_t total, struct err *err)
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

/* Reads the weights of t->from, and their average if there is one. */
static int load_all_weights(struct run *t, struct err *err)
{
    float *average = t->step.optim.average;

    if (average && ckpt_load_weights(t->from, "model.safetensors", &t->model,
                                     average, err))
        return -1;
    return ckpt_load_weights(t->from,
                             average ? "raw.safetensors" : "model.safetensors",
                             &t->model, t->model.weights, err);
}

/*
 * Goes back from t->from to the newest checkpoint that is whole; says which
 * ones are not. ERR_DATA naming the newest if none is.
 */
static int find_whole(struct run *t, struct err *err)
{
    struct err first, ignored;
    char *older;

    if (!ckpt_verify(t->from, NULL, err))
        return 0;
    first = *err;
    do {
        if (ckpt_before(t->o->run, ckpt_step(t->from), &older, &ignored) ||
            !older) {
            *err = first;
            return -1;
        }
        run_say(t, TRAINER_WARNING, "%s; going back to %s", err->text, older);
        free(t->from);
        t->from = older;
    } while (ckpt_verify(t->from, NULL, err));
    return 0;
}

/* Goes on from t->from. */
static int load_run(struct run *t, uint64_t total, struct err *err)
{
    struct ckpt_moment moments[OPTIM_STATES];
    size_t n = snapshot_moments(t, moments);

    if (ckpt_load_state(t->from, &t->state, err) ||
        check_resume(t, total, err) ||
        ckpt_load_moments(t->from, &t->model, moments, n, t->state.step, err) ||
        load_all_weights(t, err))
        return -1;
    t->step.optim.step = t->state.step;
    t->step.optim.scalars = t->state.scalars;
    t->step.schedule.plateau = t->state.plateau;
    t->saved = t->state.step;
    t->state.total_steps = total;
    if (t->o->extend) {
        t->state.stopped = false;
        t->state.monitor.early_bad = 0;
    }
    return 0;
}

/* Opens the run folder and finds what is there. */
static int open_folder(struct run *t, struct err *err)
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

/* Has the model computed as the config wants. */
static int set_algorithm(struct run *t, struct err *err)
{
    enum ops_algorithm how = step_algorithm(t->conf);

    if (how == OPS_AUTO || model_use(&t->model, how, err) == 0)
        return 0;
    err_set(err, ERR_USAGE,
            "hardware.precision: bf16 needs a processor with AVX512_BF16; use "
            "--set hardware.precision=fp32");
    return config_place(t->conf, "hardware.precision", err);
}

/* Builds the model with its weights, and the optimizer with its state. */
static int build(struct run *t, struct err *err)
{
    const struct intake_plan *plan = &t->intake.plan;
    uint64_t total;

    t->end = (struct intake_position){plan->epochs, 0};
    total = intake_plan_steps(plan, t->end, t->accumulate);
    if (resolve_config(t, err) || model_init(&t->model, &t->conf->model, err) ||
        set_algorithm(t, err) ||
        step_init(&t->step, t->conf, &t->comm, &t->model, total,
                  t->o->n_threads, err))
        return -1;
    if (t->from)
        return find_whole(t, err) ? -1 : load_run(t, total, err);
    model_init_weights(&t->model, (uint64_t)t->conf->seed);
    model_set_input(&t->model, plan->input_mean, plan->input_std);
    if (t->conf->checkpoint.load_from_checkpoint && load_weights(t, err))
        return -1;
    optim_start(&t->step.optim, t->model.weights);
    return begin_state(t, total, err);
}

/* Reads the validation recordings. */
static int open_validation(struct run *t, struct err *err)
{
    if (!t->o->n_val)
        return 0;
    if (valset_load(&t->val, t->o->val, t->o->n_val, t->o->spool, t->o->bad,
                    t->o->ctx, err))
        return -1;
    return valset_check(&t->val, &t->intake.plan, err);
}

/* Bytes this process may have: the machine's, or a limit below it. */
static double memory_size(void)
{
    double all = (double)sysconf(_SC_PHYS_PAGES) *
                 (double)sysconf(_SC_PAGESIZE);
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        (double)limit.rlim_cur < all)
        return (double)limit.rlim_cur;
    return all;
}

/* Says what will be done. */
static void introduce(struct run *t)
{
    struct banner b = {.conf = t->conf,
                       .model = &t->model,
                       .plan = &t->intake.plan,
                       .total_steps = t->state.total_steps,
                       .done_steps = t->state.step,
                       .n_moments = t->step.optim.n_states +
                                    (t->step.optim.average != NULL),
                       .n_val = t->val.pairs.n_recordings,
                       .n_threads = t->o->n_threads,
                       .memory = memory_size()};
    struct buf text = {0};

    for (size_t i = 0; i < b.n_val; i++) {
        const struct pairs_recording *r = &t->val.pairs.recordings[i];

        b.val_T = r->T > b.val_T ? r->T : b.val_T;
        b.val_frames += r->N;
    }
    banner_put(&text, &b);
    say_lines(t, TRAINER_INFO, &text);
    banner_warn(&text, &b);
    say_lines(t, TRAINER_WARNING, &text);
    buf_release(&text);
    if (t->from)
        run_say(t, TRAINER_INFO, "resuming %s", t->from);
}

bool run_is_over(const struct run *t)
{
    return t->state.stopped || t->state.at.epoch >= t->end.epoch;
}

int run_open(struct run *t, struct stream_in *in, struct err *err)
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

void run_close(struct run *t)
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
