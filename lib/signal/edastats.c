/*
 * edastats - collecting, writing and reading subjects' statistics.
 *
 * Two sets of samples are combined by their counts, means and sums of
 * squares (Chan, Golub & LeVeque 1979), in the order of the recordings.
 */
#include "signal/edastats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "core/frame.h"
#include "core/json.h"

int edastats_init(struct edastats *s, const struct config_features *conf,
                  struct err *err)
{
    struct config_features same = *conf;
    struct frame frame = {0};
    struct buf json = {0};
    int result = -1;

    *s = (struct edastats){0};
    same.eda_normalize = CONFIG_NORMALIZE_SUBJECT;
    if (config_features_to_frame(&same, CONFIG_EDA_HALF, &frame, err) ||
        config_features_from_frame(&frame, CONFIG_EDA_HALF, &json, err) ||
        buf_check(&json, err))
        goto out;
    digest_hex(digest_xxh3(json.data, json.len), s->settings);
    result = 0;
out:
    frame_release(&frame);
    buf_release(&json);
    return result;
}

/* Where key is or belongs in a list; *found tells which. */
static size_t place(const struct edastats_list *list, const char *key,
                    bool *found)
{
    size_t low = 0, high = list->n, middle;
    int order;

    *found = false;
    while (low < high) {
        middle = low + (high - low) / 2;
        order = strcmp(list->items[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Inserts an entry at its place. */
static int insert(struct edastats_list *list, size_t at, const char *key,
                  const struct eda_moments *m, struct err *err)
{
    struct edastats_entry *items = mem_grow(list->items, &list->cap,
                                            list->n + 1, sizeof *items, err);
    char *copy;

    if (!items)
        return -1;
    list->items = items;
    copy = mem_string(key, err);
    if (!copy)
        return -1;
    memmove(items + at + 1, items + at, (list->n - at) * sizeof *items);
    items[at] = (struct edastats_entry){copy, *m};
    list->n++;
    return 0;
}

/* Puts the samples of b into a. */
static void combine(struct eda_moments *a, const struct eda_moments *b)
{
    double n_a = (double)a->n, n_b = (double)b->n, n = n_a + n_b;
    double delta = b->mean - a->mean, squares;

    if (!b->n)
        return;
    squares = a->std * a->std * n_a + b->std * b->std * n_b +
              delta * delta * n_a * n_b / n;
    a->mean += delta * n_b / n;
    a->std = sqrt(squares / n);
    a->n += b->n;
}

int edastats_add(struct edastats *s, const char *subject,
                 const char *recording, const struct eda_moments *m,
                 struct err *err)
{
    bool found;
    size_t at = place(&s->recordings, recording, &found);

    if (found)
        return 0;
    if (insert(&s->recordings, at, recording, m, err))
        return -1;
    at = place(&s->subjects, subject, &found);
    if (!found)
        return insert(&s->subjects, at, subject, m, err);
    combine(&s->subjects.items[at].of, m);
    return 0;
}

const struct eda_moments *edastats_find(const struct edastats *s,
                                        const char *subject)
{
    bool found;
    size_t at = place(&s->subjects, subject, &found);

    return found ? &s->subjects.items[at].of : NULL;
}

void edastats_put(const struct edastats *s, struct buf *out)
{
    size_t i;

    for (i = 0; i < s->subjects.n; i++) {
        const struct edastats_entry *entry = &s->subjects.items[i];

        buf_puts(out, "{\"subject\":");
        json_put_text(out, entry->key);
        buf_printf(out, ",\"n\":%zu,\"mean\":", entry->of.n);
        json_put_num(out, entry->of.mean);
        buf_puts(out, ",\"std\":");
        json_put_num(out, entry->of.std);
        buf_puts(out, ",\"settings\":");
        json_put_text(out, s->settings);
        buf_puts(out, "}\n");
    }
}

/* Takes one object; where: file and line. */
static int take(struct edastats *s, const struct json *j, const char *name,
                size_t line, struct err *err)
{
    const char *subject = json_text(json_member(j, "subject"));
    const char *settings = json_text(json_member(j, "settings"));
    struct eda_moments m;
    int64_t n;
    bool found;
    size_t at;

    m.mean = json_num(json_member(j, "mean"), NAN);
    m.std = json_num(json_member(j, "std"), NAN);
    if (!subject || json_int(json_member(j, "n"), &n) || n < 1 ||
        !isfinite(m.mean) || !(m.std >= 0) || !isfinite(m.std))
        return err_set(err, ERR_DATA, "%s: line %zu: wanted an object with "
                       "subject, n, mean and std", name, line);
    if (settings && strcmp(settings, s->settings))
        return err_set(err, ERR_DATA, "%s: line %zu: wanted statistics of "
                       "the EDA settings %s, got %.32s", name, line,
                       s->settings, settings);
    at = place(&s->subjects, subject, &found);
    if (found)
        return err_set(err, ERR_DATA, "%s: line %zu: wanted subject %s "
                       "once, got it again", name, line, subject);
    m.n = (size_t)n;
    return insert(&s->subjects, at, subject, &m, err);
}

/* Takes one line, or the whole text if it is a list. */
static int take_text(struct edastats *s, const char *text, size_t n,
                     const char *name, size_t line, struct err *err)
{
    struct json *j = json_parse(text, n, err);
    size_t i;
    int result = 0;

    if (!j)
        return err_prefix(err, "%s: line %zu", name, line);
    if (json_kind(j) != JSON_KIND_LIST)
        result = take(s, j, name, line, err);
    else
        for (i = 0; i < json_count(j) && !result; i++)
            result = take(s, json_at(j, i), name, line, err);
    json_close(j);
    return result;
}

int edastats_parse(struct edastats *s, const char *text, size_t n,
                   const char *name, struct err *err)
{
    const char *end;
    size_t i, length, line = 1;

    for (i = 0; i < n && strchr(" \t\r\n", text[i]) && text[i]; i++)
        line += text[i] == '\n';
    if (i < n && text[i] == '[')
        return take_text(s, text + i, n - i, name, line, err);
    for (; i < n; i += length + 1, line++) {
        end = memchr(text + i, '\n', n - i);
        length = end ? (size_t)(end - text) - i : n - i;
        if (length && take_text(s, text + i, length, name, line, err))
            return -1;
    }
    if (!s->subjects.n)
        return err_set(err, ERR_DATA, "%s: wanted statistics of subjects, "
                       "got none", name);
    return 0;
}

/* Frees a list. */
static void release_list(struct edastats_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++)
        free(list->items[i].key);
    free(list->items);
}

void edastats_release(struct edastats *s)
{
    release_list(&s->subjects);
    release_list(&s->recordings);
    *s = (struct edastats){0};
}
