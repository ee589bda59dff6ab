/*
 * config_scheduler - one line a scheduler: the names of its parameters. The
 * table has the rows, in one list for all of them.
 */
#include "core/config_scheduler.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/config_value.h"

/* Parameters by name of the scheduler. */
static const char *const params[] = {
    [CONFIG_CONSTANT] = "",
    [CONFIG_LINEAR] = "eta_min",
    [CONFIG_COSINE] = "eta_min, t_max, periodic",
    [CONFIG_COSINE_RESTARTS] = "eta_min, num_cycles",
    [CONFIG_WARM_RESTARTS] = "eta_min, t_0, t_mult",
    [CONFIG_STEP] = "step_size, gamma",
    [CONFIG_MULTISTEP] = "milestones, gamma",
    [CONFIG_EXPONENTIAL] = "gamma",
    [CONFIG_POLYNOMIAL] = "eta_min, total_iters, power",
    [CONFIG_INVERSE_SQRT] = "timescale",
    [CONFIG_ONECYCLE] = "pct_start, anneal_strategy, div_factor, "
                        "final_div_factor, three_phase, cycle_momentum, "
                        "base_momentum, max_momentum",
    [CONFIG_CYCLIC] = "base_lr, step_size_up, step_size_down, mode, gamma, "
                      "cycle_momentum, base_momentum, max_momentum",
    [CONFIG_WSD] = "eta_min, decay_ratio, decay",
    [CONFIG_PLATEAU] = "mode, factor, patience, threshold, threshold_mode, "
                       "cooldown, min_lr, eps",
    [CONFIG_CONSTANT_TORCH] = "factor, total_iters",
    [CONFIG_LINEAR_TORCH] = "start_factor, end_factor, total_iters",
    [CONFIG_SEQUENTIAL] = "milestones, schedulers",
    [CONFIG_CHAINED] = "schedulers",
};

/* Whether a scheduler has a parameter beside name and interval. */
static bool has_own(enum config_scheduler_name name,
                    const struct config_row *row)
{
    return config_value_word_index(params[name], config_table_name(row)) >= 0;
}

bool config_scheduler_has(enum config_scheduler_name name,
                          const struct config_row *row)
{
    const char *param = config_table_name(row);

    /* a plateau is counted in validations */
    if (strcmp(param, "interval") == 0)
        return name != CONFIG_PLATEAU;
    return strcmp(param, "name") == 0 || has_own(name, row);
}

bool config_scheduler_part_has(enum config_scheduler_name name,
                               const struct config_row *row)
{
    return strcmp(config_table_name(row), "name") == 0 || has_own(name, row);
}

/* A scheduler's name. Returns text. */
static char *name_of(enum config_scheduler_name name, char text[32])
{
    size_t row = config_table_index("optimizer.scheduler.name"), len = 0;
    const char *word =
        config_value_word(config_table_row(row)->values, name, &len);

    snprintf(text, 32, "%.*s", (int)len, word ? word : "");
    return text;
}

int config_scheduler_refuse(enum config_scheduler_name name,
                            const struct config_row *row, struct err *err)
{
    char word[32];

    return err_set(err, ERR_USAGE, "%s: %s has no such parameter%s%s%s",
                   row->path, name_of(name, word),
                   *params[name] ? " (it has " : "", params[name],
                   *params[name] ? ")" : "");
}

/* The row of a parameter. */
static const struct config_row *row_of(const char *param)
{
    char path[64];

    snprintf(path, sizeof path, "optimizer.scheduler.%s", param);
    return config_table_row(config_table_index(path));
}

/* Sets err to "path: why" and *row; returns -1. */
static int refuse(const char *param, const char *why,
                  const struct config_row **row, struct err *err)
{
    *row = row_of(param);
    return err_set(err, ERR_USAGE, "%s: %s", (*row)->path, why);
}

/* Fills what is null and depends on the name alone. */
static void fill(struct config_scheduler *s)
{
    bool once = s->name == CONFIG_ONECYCLE;

    if (s->gamma == 0)
        s->gamma = s->name == CONFIG_EXPONENTIAL ? 0.95
                   : s->name == CONFIG_CYCLIC    ? 1
                                                 : 0.1;
    if (s->factor == 0)
        s->factor = s->name == CONFIG_CONSTANT_TORCH ? 1.0 / 3 : 0.1;
    if (s->total_iters == 0 && s->name != CONFIG_POLYNOMIAL)
        s->total_iters = 5;
    if (s->step_size_down == 0)
        s->step_size_down = s->step_size_up;
    if (s->base_momentum == 0)
        s->base_momentum = once ? 0.85 : 0.8;
    if (s->max_momentum == 0)
        s->max_momentum = once ? 0.95 : 0.9;
    if (s->mode == CONFIG_MODE_AUTO && s->name == CONFIG_CYCLIC)
        s->mode = CONFIG_MODE_TRIANGULAR;
}

/* Rules of one scheduler's own parameters. */
static int check(const struct config_scheduler *s,
                 const struct config_row **row, struct err *err)
{
    bool cyclic = s->name == CONFIG_CYCLIC;

    if (s->name == CONFIG_WARM_RESTARTS && s->t_0 == 0)
        return refuse("t_0", "cosine_warm_restarts needs it", row, err);
    if (s->name == CONFIG_MULTISTEP && s->n_milestones == 0)
        return refuse("milestones", "multistep needs some", row, err);
    if (cyclic && s->base_lr == 0)
        return refuse("base_lr", "cyclic needs it", row, err);
    if (cyclic && s->mode < CONFIG_MODE_TRIANGULAR)
        return refuse("mode", "cyclic wants triangular, triangular2 or "
                      "exp_range", row, err);
    if (s->name == CONFIG_PLATEAU && s->mode > CONFIG_MODE_MAX)
        return refuse("mode", "reduce_on_plateau wants min or max", row, err);
    if (s->name == CONFIG_PLATEAU && s->factor >= 1)
        return refuse("factor", "reduce_on_plateau wants one below 1", row,
                      err);
    if ((cyclic || s->name == CONFIG_ONECYCLE) && s->cycle_momentum &&
        s->base_momentum > s->max_momentum)
        return refuse("base_momentum", "is over max_momentum", row, err);
    return 0;
}

/* Whether a scheduler is a product of factors, so that it can be chained. */
static bool is_factor(const struct config_scheduler *s)
{
    switch (s->name) {
    case CONFIG_CONSTANT_TORCH:
    case CONFIG_LINEAR_TORCH:
    case CONFIG_STEP:
    case CONFIG_MULTISTEP:
    case CONFIG_EXPONENTIAL:
        return true;
    case CONFIG_POLYNOMIAL:
    case CONFIG_COSINE:
        return s->eta_min == 0;
    default:
        return false;
    }
}

/* Rules of the parts of sequential and chained. */
static int settle_parts(struct config_scheduler *s,
                        const struct config_row **row, struct err *err)
{
    bool chained = s->name == CONFIG_CHAINED;
    size_t i;

    if (s->n_schedulers == 0)
        return refuse("schedulers", "sequential and chained need some", row,
                      err);
    if (!chained && s->n_milestones + 1 != s->n_schedulers)
        return refuse("milestones", "sequential needs one fewer than "
                      "schedulers", row, err);
    for (i = 0; i < s->n_schedulers; i++) {
        struct config_scheduler *part = &s->schedulers[i];

        fill(part);
        if (check(part, row, err))
            return err_prefix(err, "schedulers[%zu]", i);
        if (chained && !is_factor(part))
            return refuse("schedulers", "chained takes constant_torch, "
                          "linear_torch, step, multistep, exponential, and "
                          "cosine and polynomial with eta_min 0", row, err);
        if (part->name == CONFIG_PLATEAU || part->name == CONFIG_ONECYCLE ||
            part->name == CONFIG_SEQUENTIAL || part->name == CONFIG_CHAINED)
            return refuse("schedulers", "reduce_on_plateau, onecycle, "
                          "sequential and chained cannot be parts", row,
                          err);
        if (part->name == CONFIG_CYCLIC && part->cycle_momentum)
            return refuse("cycle_momentum", "a cyclic part wants false", row,
                          err);
    }
    return 0;
}

int config_scheduler_settle(struct config_scheduler *s,
                            const struct config_row **row, struct err *err)
{
    fill(s);
    if (check(s, row, err))
        return -1;
    if (s->name != CONFIG_SEQUENTIAL && s->name != CONFIG_CHAINED)
        return 0;
    return settle_parts(s, row, err);
}
