/*
 * config_model - model.params of both architectures: which keys belong
 * together, and the section as JSON, as checkpoints carry it.
 */
#include "core/config_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/config_find.h"
#include "core/config_value.h"

/* Largest distance between two taps that a model may have, frames. */
#define MAX_SPAN (INT64_C(1) << 30)

/* The scope of an architecture's params. */
static enum config_scope scope_of(enum config_architecture a)
{
    return a == CONFIG_TCN ? CONFIG_SCOPE_TCN : CONFIG_SCOPE_WAVENET;
}

/* The struct of the chosen architecture's params. */
static void *params_of(struct config_model *m)
{
    return m->architecture == CONFIG_TCN ? (void *)&m->tcn
                                         : (void *)&m->wavenet;
}

/* Whether a row is a param that only the other architecture has. */
static bool is_foreign(const struct config_row *row,
                       enum config_architecture a)
{
    enum config_scope own = scope_of(a);
    size_t i;

    if (row->scope == own || (row->scope != CONFIG_SCOPE_TCN &&
                              row->scope != CONFIG_SCOPE_WAVENET))
        return false;
    for (i = config_find_row(row->path, 0); i < config_table_n();
         i = config_find_row(row->path, i + 1))
        if (config_table_row(i)->scope == own)
            return false;
    return true;
}

/* Names the required key that is missing, and all required ones. */
static int missing(const struct config_row *lacks, enum config_architecture a,
                   struct err *err)
{
    const struct config_row *row;
    struct buf names = {0};
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope == scope_of(a) && row->required)
            buf_printf(&names, "%s%s", names.len ? ", " : "",
                       config_table_name(row));
    }
    err_set(err, ERR_USAGE, "model.params: key %s is missing (a %s needs %s)",
            config_table_name(lacks), config_architecture_name(a),
            buf_text(&names));
    buf_release(&names);
    return -1;
}

/* Refuses dilations that no sequence could be long enough for. */
static int check_span(const struct config_model *m, struct err *err)
{
    bool tcn = m->architecture == CONFIG_TCN;
    int64_t base = tcn ? m->tcn.dilation_base : m->wavenet.dilation_base;
    int64_t layers =
        tcn ? m->tcn.num_blocks : m->wavenet.num_layers_per_stack;
    int64_t kernel = tcn ? m->tcn.kernel_size : m->wavenet.kernel_size;
    int64_t span = kernel - 1;
    int64_t i;

    for (i = 1; i < layers && span <= MAX_SPAN; i++)
        span *= base;
    if (span > MAX_SPAN)
        return err_set(err, ERR_USAGE,
                       "model.params.dilation_base: %lld to the power of "
                       "%lld layers is over 2^30 frames", (long long)base,
                       (long long)(layers - 1));
    return 0;
}

int config_model_settle(struct config_model *m, const bool *given,
                        bool whole, size_t *row, struct err *err)
{
    enum config_architecture a = m->architecture;
    const struct config_row *r;
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        r = config_table_row(i);
        *row = i;
        if (given[i] && is_foreign(r, a))
            return config_find_unknown(r->path, a, err);
    }
    for (i = 0; i < config_table_n() && whole; i++) {
        r = config_table_row(i);
        *row = config_table_n();
        if (r->scope == scope_of(a) && r->required && !given[i])
            return missing(r, a, err);
    }
    if (!given[config_table_index("model.params.head_bias")])
        m->wavenet.head_bias = m->wavenet.use_bias;
    *row = config_table_n();
    return check_span(m, err);
}

void config_model_put_json(const struct config_model *m, struct buf *out)
{
    const void *params = m->architecture == CONFIG_TCN
                             ? (const void *)&m->tcn
                             : (const void *)&m->wavenet;
    const struct config_row *row;
    const char *comma = "";
    size_t i;

    buf_puts(out, "{");
    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope != scope_of(m->architecture))
            continue;
        buf_printf(out, "%s\"%s\":", comma, config_table_name(row));
        config_value_put(row, params, CONFIG_FORMAT_JSON, out);
        comma = ",";
    }
    buf_puts(out, "}");
}

/* What a visit of params JSON fills. */
struct reader {
    struct config_model *m; /* the model */
    bool *given;            /* per row of the table */
    struct err *err;        /* what was wrong */
};

/* One member of params JSON. */
static int visit(void *ctx, const char *key, const struct json *value)
{
    struct reader *r = ctx;
    char path[CONFIG_PATH_SIZE];
    const struct config_row *row;
    size_t i, n = config_table_n();

    if (config_find_child(path, "model.params", key, r->err))
        return -1;
    for (i = config_find_row(path, 0); i < n;
         i = config_find_row(path, i + 1)) {
        row = config_table_row(i);
        if (row->scope != scope_of(r->m->architecture))
            continue;
        r->given[i] = true;
        return config_value_set_json(row, params_of(r->m), value, r->err);
    }
    return config_find_unknown(path, r->m->architecture, r->err);
}

/* Sets every param of both architectures to its default. */
static int params_default(struct config_model *m, struct err *err)
{
    const struct config_row *row;
    void *base;
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope != CONFIG_SCOPE_TCN &&
            row->scope != CONFIG_SCOPE_WAVENET)
            continue;
        base = row->scope == CONFIG_SCOPE_TCN ? (void *)&m->tcn
                                              : (void *)&m->wavenet;
        if (config_value_default(row, base, err))
            return -1;
    }
    return 0;
}

/* Reads an architecture's name. */
static int read_architecture(struct config_model *m, const char *name,
                             struct err *err)
{
    if (strcmp(name, config_architecture_name(CONFIG_TCN)) == 0)
        m->architecture = CONFIG_TCN;
    else if (strcmp(name, config_architecture_name(CONFIG_WAVENET)) == 0)
        m->architecture = CONFIG_WAVENET;
    else
        return err_set(err, ERR_DATA,
                       "model.architecture: want one of tcn, wavenet, got "
                       "\"%s\"", name);
    return 0;
}

int config_model_from_json(struct config_model *m, const char *architecture,
                           const char *params, struct err *err)
{
    struct reader r = {.m = m, .err = err};
    struct json *j = json_parse(params, strlen(params), err);
    size_t row;
    int bad = -1;

    memset(m, 0, sizeof *m);
    if (!j || read_architecture(m, architecture, err) ||
        params_default(m, err))
        goto out;
    if (json_kind(j) != JSON_KIND_MAP) {
        err_set(err, ERR_DATA, "model.params: want a JSON object");
        goto out;
    }
    r.given = mem_alloc(config_table_n(), sizeof *r.given, err);
    if (r.given && json_each(j, visit, &r) == 0)
        bad = config_model_settle(m, r.given, true, &row, err);
    if (bad && err->status == ERR_USAGE)
        err->status = ERR_DATA;
out:
    free(r.given);
    json_close(j);
    return bad;
}
