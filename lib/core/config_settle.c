/*
 * config_settle - what depends on several keys, once all were read.
 */
#include "core/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/config_features.h"
#include "core/config_model.h"
#include "core/config_scheduler.h"
#include "core/config_table.h"

/* Puts file, line and column before an error, if there are any; -1. */
static int at(const struct config *c, struct config_place place,
              struct err *err)
{
    if (place.line && c->path)
        err_prefix(err, "%s:%zu:%zu", c->path, place.line, place.column);
    return -1;
}

/* The same for the row of a path. */
static int at_row(const struct config *c, const char *path, struct err *err)
{
    return at(c, c->places[config_table_index(path)], err);
}

int config_place(const struct config *c, const char *path, struct err *err)
{
    return at_row(c, path, err);
}

/* The model section. */
static int settle_model(struct config *c, struct err *err)
{
    size_t row = config_table_n();

    if (config_model_settle(&c->model, c->given, c->model_written, &row,
                            err) == 0)
        return 0;
    return at(c, row < config_table_n() ? c->places[row] : c->model_place,
              err);
}

/* The features section. */
static int settle_features(struct config *c, struct buf *notes,
                           struct err *err)
{
    size_t row = config_table_n();

    if (config_features_settle(&c->features, c->given, &row, notes, err) ==
        0)
        return 0;
    return row < config_table_n() ? at(c, c->places[row], err) : -1;
}

/* Gives a loss that is not custom its one term. */
static int settle_loss(struct config *c, struct err *err)
{
    struct config_loss *loss = &c->loss;
    bool custom = loss->name == CONFIG_LOSS_CUSTOM;

    if (custom && !loss->n_terms) {
        err_set(err, ERR_USAGE,
                "loss.terms: loss.name custom needs a list of "
                "{name, weight}");
        return at_row(c, "loss.name", err);
    }
    if (custom)
        return 0;
    if (c->given[config_table_index("loss.terms")] && loss->n_terms) {
        err_set(err, ERR_USAGE,
                "loss.terms: has an effect only with loss.name custom");
        return at_row(c, "loss.terms", err);
    }
    free(loss->terms);
    loss->n_terms = 0;
    loss->terms = mem_alloc(1, sizeof *loss->terms, err);
    if (!loss->terms)
        return -1;
    loss->terms[0] = (struct config_loss_term){loss->name, 1};
    loss->n_terms = 1;
    return 0;
}

/* Whether a key was written. */
static bool is_given(const struct config *c, const char *path)
{
    return c->given[config_table_index(path)];
}

/* The scheduler: its own parameters only, and the rules between them. */
static int settle_scheduler(struct config *c, struct err *err)
{
    struct config_scheduler *s = &c->optimizer.scheduler;
    const struct config_row *row = NULL;
    size_t i;

    if (c->optimizer.name == CONFIG_SCHEDULE_FREE_ADAMW &&
        !is_given(c, "optimizer.scheduler.name"))
        s->name = CONFIG_CONSTANT;
    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope != CONFIG_SCOPE_SCHEDULER || !c->given[i] ||
            config_scheduler_has(s->name, row))
            continue;
        config_scheduler_refuse(s->name, row, err);
        return at_row(c, row->path, err);
    }
    if (config_scheduler_settle(s, &row, err))
        return at_row(c, row->path, err);
    if (s->name == CONFIG_PLATEAU && s->mode == CONFIG_MODE_AUTO)
        s->mode = c->checkpoint.mode_max ? CONFIG_MODE_MAX : CONFIG_MODE_MIN;
    return 0;
}

/* Whether the scheduler moves the momentum. */
static bool cycles_momentum(const struct config_scheduler *s)
{
    return (s->name == CONFIG_ONECYCLE || s->name == CONFIG_CYCLIC) &&
           s->cycle_momentum;
}

/* Rules of the optimizer, and the defaults that depend on its name. */
static int settle_optimizer(struct config *c, struct err *err)
{
    struct config_optimizer *o = &c->optimizer;
    bool cycles = cycles_momentum(&o->scheduler);

    if (o->name == CONFIG_LION && !is_given(c, "optimizer.beta2"))
        o->beta2 = 0.99;
    if (o->nesterov && o->name == CONFIG_SGD &&
        (o->momentum == 0 || o->dampening > 0)) {
        err_set(err, ERR_USAGE,
                "optimizer.nesterov: needs optimizer.momentum over 0%s",
                o->dampening > 0 ? " and optimizer.dampening 0" : "");
        return at_row(c, "optimizer.nesterov", err);
    }
    if (cycles && o->momentum == 0 &&
        (o->name == CONFIG_SGD || o->name == CONFIG_RMSPROP)) {
        err_set(err, ERR_USAGE,
                "optimizer.scheduler.cycle_momentum: needs "
                "optimizer.momentum over 0; or set it false");
        return at_row(c, "optimizer.scheduler.name", err);
    }
    if (o->name != CONFIG_SCHEDULE_FREE_ADAMW)
        return 0;
    if (cycles) {
        err_set(err, ERR_USAGE, "optimizer.scheduler.cycle_momentum: "
                "schedule_free_adamw wants it false");
        return at_row(c, "optimizer.scheduler.name", err);
    }
    if (o->ema_decay > 0) {
        err_set(err, ERR_USAGE, "optimizer.ema_decay: schedule_free_adamw "
                "has an average of its own");
        return at_row(c, "optimizer.ema_decay", err);
    }
    return 0;
}

/* Refuses what this version cannot compute on, warns of what it ignores. */
static int check_hardware(const struct config *c, struct buf *notes,
                          struct err *err)
{
    static const char *const devices[] = {"auto", "cpu", "cuda", "mps"};
    const struct config_hardware *h = &c->hardware;

    if (h->device == CONFIG_CUDA || h->device == CONFIG_MPS) {
        err_set(err, ERR_USAGE, "hardware.device: %s is not available here; "
                "use --set hardware.device=auto", devices[h->device]);
        return at_row(c, "hardware.device", err);
    }
    if (h->precision == CONFIG_FP16) {
        err_set(err, ERR_USAGE, "hardware.precision: fp16 is not available "
                "here; use --set hardware.precision=fp32");
        return at_row(c, "hardware.precision", err);
    }
    if (h->precision == CONFIG_BF16 &&
        h->convolution > CONFIG_CONVOLUTION_DIRECT) {
        err_set(err, ERR_USAGE, "hardware.convolution: bf16 has no Winograd; "
                "use --set hardware.convolution=auto");
        return at_row(c, "hardware.convolution", err);
    }
    if (h->num_gpus)
        buf_printf(notes, "hardware.num_gpus: %lld has no effect, the CPU "
                   "computes\n", (long long)h->num_gpus);
    if (h->distributed)
        buf_puts(notes, "hardware.distributed: has no effect; start "
                 "a2b-train by mpirun or srun\n");
    return 0;
}

/* Checks that words of a list name datasets, each once. */
static int check_words(const struct config *c, const char *path,
                       char *const *words, size_t n, struct err *err)
{
    struct buf known = {0};
    size_t i, j;

    for (i = 0; i < n; i++) {
        for (j = 0; j < i && strcmp(words[i], words[j]) != 0; j++)
            continue;
        if (j < i) {
            err_set(err, ERR_USAGE, "%s: %s is written twice", path,
                    words[i]);
            return at_row(c, path, err);
        }
        if (config_dataset(c, words[i]))
            continue;
        for (j = 0; j < c->n_datasets; j++)
            buf_printf(&known, "%s%s", j ? ", " : "", c->datasets[j].name);
        err_set(err, ERR_USAGE, "%s: unknown dataset \"%s\" (known: %s)",
                path, words[i], buf_text(&known));
        buf_release(&known);
        return at_row(c, path, err);
    }
    return 0;
}

/* All places that name datasets. */
static int check_datasets(const struct config *c, struct err *err)
{
    const struct config_data *d = &c->data;

    if (check_words(c, "data.train_datasets", d->train_datasets,
                    d->n_train_datasets, err) ||
        check_words(c, "data.val_datasets", d->val_datasets,
                    d->n_val_datasets, err) ||
        check_words(c, "data.test_datasets", d->test_datasets,
                    d->n_test_datasets, err) ||
        check_words(c, "data.sampling_weights", d->weight_names,
                    d->n_weights, err))
        return -1;
    return 0;
}

int config_settle(struct config *c, struct buf *notes, struct err *err)
{
    struct buf unread = {0};
    struct buf *to = notes ? notes : &unread;
    int bad;

    buf_puts(to, buf_text(&c->notes));
    buf_clear(&c->notes);
    bad = settle_model(c, err) || settle_features(c, to, err) ||
          settle_loss(c, err) || settle_scheduler(c, err) ||
          settle_optimizer(c, err) ||
          check_hardware(c, to, err) || check_datasets(c, err) ||
          buf_check(to, err);
    if (!bad && c->metrics.val_check_steps &&
        c->metrics.val_check_interval == 1)
        buf_puts(to, "metrics.val_check_interval: 1 is after every optimizer "
                 "step; 1.0 is once an epoch\n");
    buf_release(&unread);
    return bad ? -1 : 0;
}
