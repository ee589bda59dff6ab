/*
 * agree - comparisons of settings.
 */
#include "train/agree.h"

#include <inttypes.h>
#include <string.h>

#include "core/json.h"

/* Whether somebody wrote a key down. */
static bool is_given(const struct config *c, const char *path)
{
    size_t i;

    for (i = 0; c->given && i < config_n_keys(); i++)
        if (c->given[i] && strcmp(config_key_at(i).path, path) == 0)
            return true;
    return false;
}

/* Takes the stream's value of a key, unless another one was given. */
static int adopt(const struct config *c, const char *path, int64_t *value,
                 int64_t want, const char *whose, struct err *err)
{
    if (*value != want && is_given(c, path))
        return err_set(err, ERR_USAGE, "%s is %" PRId64 ", but %s %" PRId64,
                       path, *value, whose, want);
    *value = want;
    return 0;
}

/* Inputs and outputs of the model. */
static int adopt_sizes(struct config *c, size_t C, struct err *err)
{
    static const char in[] = "the stream's frames have",
                      out[] = "a2b-train wants";
    struct config_model *m = &c->model;

    if (m->architecture == CONFIG_TCN)
        return adopt(c, "model.params.input_size", &m->tcn.input_size,
                     (int64_t)C, in, err) ||
                       adopt(c, "model.params.output_size", &m->tcn.output_size,
                             1, out, err)
                   ? -1
                   : 0;
    return adopt(c, "model.params.input_channels", &m->wavenet.input_channels,
                 (int64_t)C, in, err) ||
                   adopt(c, "model.params.output_channels",
                         &m->wavenet.output_channels, 1, out, err)
               ? -1
               : 0;
}

/* Two feature sections on their way to being compared. */
struct comparison {
    const struct config *config; /* knows what was given */
    const struct json *stream;   /* the stream's features */
    struct buf *notes;           /* gets a line a difference */
};

/* Notes a feature that was given and is not the stream's. */
static int compare_feature(void *ctx, const char *key, const struct json *v)
{
    const struct comparison *c = ctx;
    struct buf path = {0}, own = {0}, other = {0};

    buf_printf(&path, "features.%s", key);
    json_put_value(&own, v);
    json_put_value(&other, json_member(c->stream, key));
    if (is_given(c->config, buf_text(&path)) &&
        strcmp(buf_text(&own), buf_text(&other)) != 0)
        buf_printf(c->notes,
                   "%s is %s, but the stream was made with %s, which is what "
                   "the model learns\n",
                   buf_text(&path), buf_text(&own), buf_text(&other));
    buf_release(&path);
    buf_release(&own);
    buf_release(&other);
    return 0;
}

/* Takes the stream's features. */
static int adopt_features(struct config *c, const char *features,
                          struct buf *notes, struct err *err)
{
    struct buf own = {0};
    struct json *mine = NULL,
                *stream = json_parse(features, strlen(features), err);
    struct comparison both = {c, stream, notes};
    int rc = -1;

    config_features_put_json(&c->features, &own);
    if (stream && !buf_check(&own, err))
        mine = json_parse(own.data, own.len, err);
    if (mine) {
        json_each(mine, compare_feature, &both);
        rc = config_features_from_json(&c->features, features, err);
    }
    json_close(mine);
    json_close(stream);
    buf_release(&own);
    return rc;
}

int agree_stream(struct config *c, const struct intake_plan *plan,
                 struct buf *notes, struct err *err)
{
    static const char whose[] = "the batch stream was made with";

    if (adopt(c, "train.max_epochs", &c->train.max_epochs,
              (int64_t)plan->epochs, whose, err) ||
        adopt(c, "data.batch_size", &c->data.batch_size,
              (int64_t)plan->batch_size, whose, err) ||
        adopt(c, "seed", &c->seed, plan->seed, whose, err) ||
        adopt_sizes(c, plan->C, err))
        return -1;
    return adopt_features(c, plan->features, notes, err);
}

/* The lines of a top-level section (or one top-level key); *n their size. */
static const char *section_of(const char *yaml, const char *name, size_t *n)
{
    size_t len = strlen(name);
    const char *p = yaml, *end;

    while (p && !(strncmp(p, name, len) == 0 && p[len] == ':')) {
        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }
    *n = 0;
    if (!p)
        return "";
    end = p + strcspn(p, "\n");
    while (end[0] == '\n' && (end[1] == ' ' || end[1] == '-'))
        end += 1 + strcspn(end + 1, "\n");
    *n = (size_t)(end - p);
    return p;
}

/* Length of a line without its comment. */
static int line_len(const char *line, size_t n)
{
    size_t i;

    for (i = 0; i < n && line[i] != '\n'; i++)
        if (i + 2 < n && strncmp(line + i, "  # ", 4) == 0)
            break;
    return (int)i;
}

/* Compares one section. */
static int same_section(const char *now, const char *then, const char *name,
                        const char *hint, struct err *err)
{
    size_t n, m, i, line = 0;
    const char *a = section_of(now, name, &n);
    const char *b = section_of(then, name, &m);

    if (n == m && memcmp(a, b, n) == 0)
        return 0;
    for (i = 0; i < n && i < m && a[i] == b[i]; i++)
        if (a[i] == '\n')
            line = i + 1;
    while (line < n && a[line] == ' ')
        line++;
    return err_set(err, ERR_USAGE,
                   "%s: the config has \"%.*s\", the "
                   "checkpoint \"%.*s\"%s",
                   name, line < n ? line_len(a + line, n - line) : 0, a + line,
                   line < m ? line_len(b + line, m - line) : 0,
                   line < m ? b + line : "", hint);
}

int agree_checkpoint(const char *now, const char *then, bool extend,
                     struct err *err)
{
    static const char hint[] = " (--extend-schedule goes on with the "
                               "config's)";

    if (same_section(now, then, "seed", "", err) ||
        same_section(now, then, "model", "", err) ||
        same_section(now, then, "loss", "", err))
        return -1;
    if (!extend && (same_section(now, then, "optimizer", hint, err) ||
                    same_section(now, then, "train", hint, err)))
        return -1;
    return 0;
}
