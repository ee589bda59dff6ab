/*
 * config_find - see config_find.h. Three short lists beside the table: other
 * names of a key, keys that moved since older versions, keys that are gone.
 */
#include "core/config_find.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "core/config_table.h"

/* A path and what stands for it. */
struct pair {
    const char *from; /* as written */
    const char *to;   /* as in the table */
};

/* Other names of keys, all still right. */
static const struct pair aliases[] = {
    {"optimizer.scheduler_config", "optimizer.scheduler"},
    {"optimizer.scheduler.warmup_steps", "optimizer.warmup_steps"},
    {"optimizer.scheduler.warmup_ratio", "optimizer.warmup_ratio"},
};

/* Keys at their places of older versions, the oldest ones transformers'. */
static const struct pair moved[] = {
    {"batch_size", "data.batch_size"},
    {"max_epochs", "train.max_epochs"},
    {"accumulate_grad_batches", "train.accumulate_grad_batches"},
    {"gradient_clip_val", "optimizer.gradient_clip_val"},
    {"val_check_interval", "metrics.val_check_interval"},
    {"early_stopping", "metrics.early_stopping"},
    {"early_stopping_patience", "metrics.early_stopping_patience"},
    {"early_stopping_min_delta", "metrics.early_stopping_min_delta"},
    {"logging.train_metrics", "metrics.train_metrics"},
    {"logging.val_metrics", "metrics.val_metrics"},
    {"logging.compute_metrics", "metrics.compute_metrics"},
    {"logging.val_check_interval", "metrics.val_check_interval"},
    {"logging.early_stopping", "metrics.early_stopping"},
    {"logging.early_stopping_patience", "metrics.early_stopping_patience"},
    {"logging.early_stopping_min_delta", "metrics.early_stopping_min_delta"},
    {"num_train_epochs", "train.max_epochs"},
    {"train.num_train_epochs", "train.max_epochs"},
    {"per_device_train_batch_size", "data.batch_size"},
    {"train.per_device_train_batch_size", "data.batch_size"},
    {"gradient_accumulation_steps", "train.accumulate_grad_batches"},
    {"train.gradient_accumulation_steps", "train.accumulate_grad_batches"},
    {"eval_steps", "metrics.val_every.steps"},
    {"train.eval_steps", "metrics.val_every.steps"},
    {"save_steps", "checkpoint.save_every_n_steps"},
    {"train.save_steps", "checkpoint.save_every_n_steps"},
    {"logging_steps", "logging.log_every_n_steps"},
    {"train.logging_steps", "logging.log_every_n_steps"},
    {"save_total_limit", "checkpoint.save_top_k"},
    {"train.save_total_limit", "checkpoint.save_top_k"},
    {"metric_for_best_model", "checkpoint.monitor"},
    {"train.metric_for_best_model", "checkpoint.monitor"},
    {"greater_is_better", "checkpoint.mode"},
    {"train.greater_is_better", "checkpoint.mode"},
    {"max_grad_norm", "optimizer.gradient_clip_val"},
    {"train.max_grad_norm", "optimizer.gradient_clip_val"},
    {"warmup_ratio", "optimizer.warmup_ratio"},
    {"train.warmup_ratio", "optimizer.warmup_ratio"},
};

/* Keys that nothing reads any more. */
static const char *const gone[] = {"logging.log_config"};

/* Longest name whose distance to another is computed. */
#define MAX_NAME 64

/* Whether the first n bytes of a pattern match all of a path. */
static bool match(const char *pattern, size_t n, const char *path)
{
    size_t i = 0;

    for (; i < n && pattern[i] != '*'; i++)
        if (pattern[i] != *path++)
            return false;
    if (i == n)
        return *path == '\0';
    if (*path == '\0' || *path == '.')
        return false;
    while (*path && *path != '.')
        path++;
    return match(pattern + i + 1, n - i - 1, path);
}

/* Whether a row lies in a section, at any depth below it. */
static bool is_below(const struct config_row *row, const char *section)
{
    const char *dot = row->path;

    if (!*section)
        return true;
    while ((dot = strchr(dot, '.'))) {
        if (match(row->path, (size_t)(dot - row->path), section))
            return true;
        dot++;
    }
    return false;
}

/* The name that comes next in a row's path below a section, as a length. */
static const char *next_name(const struct config_row *row,
                             const char *section, size_t *len)
{
    const char *p = row->path;
    const char *s = section;

    for (; *s; s = strchr(s, '.') ? strchr(s, '.') + 1 : s + strlen(s))
        p = strchr(p, '.') + 1;
    *len = strcspn(p, ".");
    return p;
}

int config_find_child(char out[CONFIG_PATH_SIZE], const char *parent,
                      const char *key, struct err *err)
{
    const char *dot = *parent ? "." : "";
    size_t i;
    int n;

    if (!*key || strchr(key, '.') || strchr(key, '*'))
        return err_set(err, ERR_USAGE,
                       "%s%s%s: unknown key (a key is one word, sections "
                       "are nested)", parent, dot, *key ? key : "\"\"");
    n = snprintf(out, CONFIG_PATH_SIZE, "%s%s%s", parent, dot, key);
    if (n < 0 || n >= CONFIG_PATH_SIZE)
        return err_set(err, ERR_USAGE, "%s%s%.40s...: unknown key", parent,
                       dot, key);
    for (i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(out, aliases[i].from) == 0)
            strcpy(out, aliases[i].to);
    if (strcmp(key, "dataset_root_path") == 0 &&
        match("datasets.*", strlen("datasets.*"), parent))
        snprintf(out, CONFIG_PATH_SIZE, "%s.root", parent);
    return 0;
}

size_t config_find_row(const char *path, size_t from)
{
    const struct config_row *row;

    for (; from < config_table_n(); from++) {
        row = config_table_row(from);
        if (match(row->path, strlen(row->path), path))
            break;
    }
    return from;
}

bool config_find_section(const char *path)
{
    size_t i;

    for (i = 0; i < config_table_n(); i++)
        if (is_below(config_table_row(i), path))
            return true;
    return false;
}

/* The smaller of two counts. */
static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, delete or replace to get from text to a name. */
static size_t distance(const char *text, const char *name, size_t len)
{
    size_t row[MAX_NAME + 1];
    size_t i, j, diagonal, above;

    if (len > MAX_NAME || strlen(text) > MAX_NAME)
        return MAX_NAME;
    for (j = 0; j <= len; j++)
        row[j] = j;
    for (i = 0; text[i]; i++) {
        diagonal = row[0];
        row[0] = i + 1;
        for (j = 0; j < len; j++) {
            above = row[j + 1];
            row[j + 1] = least(least(above, row[j]) + 1,
                               diagonal + (text[i] != name[j]));
            diagonal = above;
        }
    }
    return row[len];
}

/* Whether a row belongs to a model that is not the chosen one. */
static bool is_foreign(const struct config_row *row,
                       enum config_architecture a)
{
    return (row->scope == CONFIG_SCOPE_TCN && a != CONFIG_TCN) ||
           (row->scope == CONFIG_SCOPE_WAVENET && a != CONFIG_WAVENET);
}

/* The name in a section that is nearest to key; NULL if none is near. */
static const char *nearest(const char *section, const char *key,
                           enum config_architecture a, size_t *len)
{
    const struct config_row *row;
    const char *name, *best = NULL;
    size_t bound = strlen(key) / 3 + 1, n, d, i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (!is_below(row, section) || is_foreign(row, a))
            continue;
        name = next_name(row, section, &n);
        d = *name == '*' ? MAX_NAME : distance(key, name, n);
        if (d <= bound && d < n) {
            best = name;
            bound = d - (d > 0);
            *len = n;
        }
    }
    return best;
}

/* Appends the names of a section, each once. */
static void put_names(struct buf *out, const char *section,
                      enum config_architecture a)
{
    const struct config_row *row;
    const char *name, *last = "";
    size_t n, last_n = 0, i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (!is_below(row, section) || is_foreign(row, a))
            continue;
        name = next_name(row, section, &n);
        if (n == last_n && memcmp(name, last, n) == 0)
            continue;
        buf_printf(out, "%s%.*s", *last ? ", " : "", (int)n, name);
        last = name;
        last_n = n;
    }
}

/* The one row anywhere whose name is key; NULL if none or several. */
static const struct config_row *by_name(const char *key)
{
    const struct config_row *row, *found = NULL;
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (strcmp(config_table_name(row), key) != 0)
            continue;
        if (found)
            return NULL;
        found = row;
    }
    return found;
}

/* The message for a name that a section does not have. */
static int unknown(const char *path, const char *section, const char *key,
                   enum config_architecture a, struct err *err)
{
    const struct config_row *row = by_name(key);
    bool params = strcmp(section, "model.params") == 0;
    struct buf names = {0};
    size_t len = 0;
    const char *near = nearest(section, key, a, &len);

    if (row && !params)
        err_set(err, ERR_USAGE, "%s: unknown key (did you mean %s?)", path,
                row->path);
    else if (near && !params)
        err_set(err, ERR_USAGE, "%s: unknown key (did you mean %.*s?)", path,
                (int)len, near);
    else {
        put_names(&names, section, a);
        err_set(err, ERR_USAGE, "%s: unknown key%s%s (known: %s)", path,
                params ? " of a " : "",
                params ? config_architecture_name(a) : "", buf_text(&names));
        buf_release(&names);
    }
    return -1;
}

int config_find_unknown(const char *path, enum config_architecture a,
                        struct err *err)
{
    char section[CONFIG_PATH_SIZE];
    const char *dot = strrchr(path, '.');
    size_t i, n = dot ? (size_t)(dot - path) : 0;

    for (i = 0; i < sizeof moved / sizeof moved[0]; i++)
        if (strcmp(path, moved[i].from) == 0)
            return err_set(err, ERR_USAGE,
                           "%s: a key of an older version, it is %s now",
                           path, moved[i].to);
    for (i = 0; i < sizeof gone / sizeof gone[0]; i++)
        if (strcmp(path, gone[i]) == 0)
            return err_set(err, ERR_USAGE,
                           "%s: a key of an older version, it is gone and "
                           "can be left out", path);
    snprintf(section, sizeof section, "%.*s", (int)n, path);
    return unknown(path, section, dot ? dot + 1 : path, a, err);
}
