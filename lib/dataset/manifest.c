/*
 * manifest - one recording a line, as JSON.
 *
 *   {"dataset":"pmemo2019","recording":"pmemo2019/108/100083",
 *    "subject":"100083","song":"108","split":"train",
 *    "audio":"...","eda":"...","eda_column":"100083","eda_rate_hz":50}
 *
 * on one line, always in this order when written and in any when read. No
 * line depends on another. Unknown keys are kept behind the known ones. A
 * failing writer's last line is
 *
 *   {"a2b.status":"error","a2b.exit":75,"a2b.message":"..."}
 *
 * and readers fail as it says. A line without its newline was cut off.
 */
#include "dataset/manifest.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/json.h"

/* Bytes asked of one read(). */
#define CHUNK 65536u

/* A text key and the field it fills. */
struct text_key {
    const char *name; /* JSON key */
    size_t offset;    /* of the char * in struct manifest_row */
    bool needed;      /* a line without it is bad */
};

/* Text keys before and behind "split", in writing order. */
static const struct text_key text_keys[] = {
    {"dataset", offsetof(struct manifest_row, dataset), true},
    {"recording", offsetof(struct manifest_row, recording), true},
    {"subject", offsetof(struct manifest_row, subject), false},
    {"song", offsetof(struct manifest_row, song), true},
    {"audio", offsetof(struct manifest_row, audio), false},
    {"eda", offsetof(struct manifest_row, eda), false},
    {"eda_column", offsetof(struct manifest_row, eda_column), false},
};

/* Entries of text_keys. */
#define N_TEXT_KEYS (sizeof(text_keys) / sizeof(text_keys[0]))

/* How many of them stand before "split". */
#define N_BEFORE_SPLIT 4

/* The field of a text key. */
static char **field_of(struct manifest_row *row, const struct text_key *key)
{
    return (char **)(void *)((char *)row + key->offset);
}

/* The value of a text key; NULL if unknown. */
static const char *value_of(const struct manifest_row *row,
                            const struct text_key *key)
{
    return *(char *const *)(const void *)((const char *)row + key->offset);
}

const char *manifest_split_name(enum manifest_split split)
{
    static const char *const names[MANIFEST_N_SPLITS] = {"", "train", "val",
                                                         "test"};

    return names[split];
}

int manifest_split_parse(const char *name, enum manifest_split *split)
{
    int i;

    for (i = MANIFEST_TRAIN; i < MANIFEST_N_SPLITS; i++) {
        if (strcmp(name, manifest_split_name((enum manifest_split)i)) == 0) {
            *split = (enum manifest_split)i;
            return 0;
        }
    }
    return -1;
}

int manifest_set(char **field, const char *value, struct err *err)
{
    char *copy = NULL;

    if (value) {
        copy = mem_string(value, err);
        if (!copy)
            return -1;
    }
    free(*field);
    *field = copy;
    return 0;
}

void manifest_row_release(struct manifest_row *row)
{
    static const struct manifest_row empty = {0};
    size_t i;

    for (i = 0; i < N_TEXT_KEYS; i++)
        free(*field_of(row, &text_keys[i]));
    free(row->extra);
    *row = empty;
}

/* Whether text has a control character (C0 or DEL). */
static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    }
    return false;
}

/* One line while its members are visited. */
struct parse {
    struct manifest_row *row; /* being filled */
    struct buf extra;         /* keys we do not know */
    struct err *err;          /* the caller's */
};

/* Takes the value of a text key. */
static int take_text(struct parse *p, const struct text_key *key,
                     const struct json *value)
{
    const char *text = json_text(value);

    if (!text || !*text || has_control(text))
        return err_set(p->err, ERR_DATA,
                       "key \"%s\": want text without control characters",
                       key->name);
    return manifest_set(field_of(p->row, key), text, p->err);
}

/* Takes one member of the line's object. */
static int take_member(void *ctx, const char *name, const struct json *value)
{
    struct parse *p = ctx;
    const char *text = json_text(value);
    size_t i;

    for (i = 0; i < N_TEXT_KEYS; i++) {
        if (strcmp(name, text_keys[i].name) == 0)
            return take_text(p, &text_keys[i], value);
    }
    if (strcmp(name, "split") == 0) {
        if (!text || manifest_split_parse(text, &p->row->split))
            return err_set(p->err, ERR_DATA,
                           "key \"split\": want train, val or test");
    } else if (strcmp(name, "eda_rate_hz") == 0) {
        p->row->eda_rate_hz = json_num(value, 0);
        if (!(p->row->eda_rate_hz > 0))
            return err_set(p->err, ERR_DATA,
                           "key \"eda_rate_hz\": want a number over 0");
    } else {
        buf_puts(&p->extra, ",");
        json_put_text(&p->extra, name);
        buf_puts(&p->extra, ":");
        json_put_value(&p->extra, value);
    }
    return 0;
}

/* Checks that what a row needs is there and makes sense together. */
static int check_row(const struct manifest_row *row, struct err *err)
{
    size_t i;

    for (i = 0; i < N_TEXT_KEYS; i++) {
        if (text_keys[i].needed && !value_of(row, &text_keys[i]))
            return err_set(err, ERR_DATA, "key \"%s\" is missing",
                           text_keys[i].name);
    }
    if (strchr(row->dataset, '/'))
        return err_set(err, ERR_DATA,
                       "key \"dataset\": \"%s\" has a '/', want a word",
                       row->dataset);
    return 0;
}

/* Fails as an error line says, if j is one; 0 for any other line. */
static int error_line(const struct json *j, struct err *err)
{
    const char *message = json_text(json_member(j, "a2b.message"));
    int64_t status = 0;

    if (!json_member(j, "a2b.status"))
        return 0;
    if (json_int(json_member(j, "a2b.exit"), &status) || status < 0 ||
        status > 255)
        status = ERR_DATA;
    err_set(err, err_status_from((long)status), "%s",
            message ? message : "the manifest ends with an error");
    err->upstream = true;
    return -1;
}

int manifest_parse(const char *line, size_t n, struct manifest_row *row,
                   struct err *err)
{
    struct parse p = {.row = row, .err = err};
    struct json *j;
    int rc = -1;

    manifest_row_release(row);
    j = json_parse(line, n, err);
    if (!j)
        return -1;
    if (json_kind(j) != JSON_KIND_MAP) {
        err_set(err, ERR_DATA, "no JSON object, want a recording");
        goto out;
    }
    if (error_line(j, err) || json_each(j, take_member, &p) ||
        check_row(row, err) || buf_check(&p.extra, err))
        goto out;
    rc = p.extra.len ? manifest_set(&row->extra, p.extra.data, err) : 0;
out:
    json_close(j);
    buf_release(&p.extra);
    return rc;
}

/* Appends one text key with the comma before it. */
static void put_text(const struct manifest_row *row, const struct text_key *key,
                     struct buf *out)
{
    const char *value = value_of(row, key);

    if (!value)
        return;
    buf_printf(out, "%s\"%s\":", key == text_keys ? "{" : ",", key->name);
    json_put_text(out, value);
}

int manifest_put(const struct manifest_row *row, struct buf *out,
                 struct err *err)
{
    struct manifest_row again = {0};
    size_t before = out->len, i;
    int rc;

    for (i = 0; i < N_TEXT_KEYS; i++) {
        if (i == N_BEFORE_SPLIT && row->split != MANIFEST_NO_SPLIT)
            buf_printf(out, ",\"split\":\"%s\"",
                       manifest_split_name(row->split));
        put_text(row, &text_keys[i], out);
    }
    if (row->eda_rate_hz > 0) {
        buf_puts(out, ",\"eda_rate_hz\":");
        json_put_num(out, row->eda_rate_hz);
    }
    buf_puts(out, row->extra ? row->extra : "");
    buf_puts(out, "}\n");
    if (buf_check(out, err))
        return -1;
    rc = manifest_parse(out->data + before, out->len - 1 - before, &again, err);
    if (rc) {
        err_prefix(err, "recording %s", row->recording);
        out->len = before;
        out->data[before] = '\0';
    }
    manifest_row_release(&again);
    return rc;
}

int manifest_open(struct manifest_in *in, int fd, const char *name,
                  struct err *err)
{
    static const struct manifest_in closed = {0};

    *in = closed;
    in->fd = fd;
    in->name = mem_string(name, err);
    return in->name ? 0 : -1;
}

int manifest_open_text(struct manifest_in *in, const char *text, size_t n,
                       const char *name, struct err *err)
{
    if (manifest_open(in, -1, name, err))
        return -1;
    in->at_end = true;
    buf_put(&in->text, text, n);
    return buf_check(&in->text, err);
}

/* Drops what was handed out and reads more. Returns 0; -1 with err. */
static int fill(struct manifest_in *in, struct err *err)
{
    char chunk[CHUNK];
    ssize_t got;

    if (in->start > 0) {
        in->text.len -= in->start;
        memmove(in->text.data, in->text.data + in->start, in->text.len);
        in->start = 0;
    }
    do
        got = read(in->fd, chunk, sizeof(chunk));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_errno(err, "%s", in->name);
    in->at_end = got == 0;
    buf_put(&in->text, chunk, (size_t)got);
    return buf_check(&in->text, err);
}

/*
 * Finds the next line.
 *
 * line, n: get its first byte, valid until the next call, and its length
 * Returns 1; 0 at the end; -1 with err.
 */
static int next_line(struct manifest_in *in, const char **line, size_t *n,
                     struct err *err)
{
    for (;;) {
        size_t left = in->text.len - in->start;
        const char *first = buf_text(&in->text) + in->start;
        const char *end = left ? memchr(first, '\n', left) : NULL;

        if (end) {
            *line = first;
            *n = (size_t)(end - first);
            in->start += *n + 1;
            in->line++;
            return 1;
        }
        if (in->at_end && left)
            return err_set(err, ERR_DATA,
                           "%s: line %zu: cut off, want a newline at its end",
                           in->name, in->line + 1);
        if (in->at_end && in->line == 0)
            return err_set(err, ERR_DATA, "%s: no line, want recordings",
                           in->name);
        if (in->at_end)
            return 0;
        if (left > MANIFEST_MAX_LINE)
            return err_set(err, ERR_DATA, "%s: line %zu: longer than %u bytes",
                           in->name, in->line + 1, MANIFEST_MAX_LINE);
        if (fill(in, err))
            return -1;
    }
}

int manifest_read(struct manifest_in *in, struct manifest_row *row,
                  struct err *err)
{
    const char *line = "";
    size_t n = 0;
    int got = next_line(in, &line, &n, err);

    if (got <= 0)
        return got;
    if (manifest_parse(line, n, row, err) == 0)
        return 1;
    if (!err->upstream)
        err_prefix(err, "%s: line %zu", in->name, in->line);
    return -1;
}

void manifest_close(struct manifest_in *in)
{
    static const struct manifest_in closed = {0};

    free(in->name);
    buf_release(&in->text);
    *in = closed;
}

int manifest_add(struct manifest *m, struct manifest_row *row, struct err *err)
{
    static const struct manifest_row empty = {0};
    struct manifest_row *grown =
        mem_grow(m->rows, &m->cap, m->n + 1, sizeof(*grown), err);

    if (!grown) {
        manifest_row_release(row);
        return -1;
    }
    m->rows = grown;
    grown[m->n++] = *row;
    *row = empty;
    return 0;
}

/* Orders rows by dataset, then recording, for qsort. */
static int by_recording(const void *a, const void *b)
{
    const struct manifest_row *x = a, *y = b;
    int order = strcmp(x->dataset, y->dataset);

    return order ? order : strcmp(x->recording, y->recording);
}

/* Whether two texts are equal; NULL equals only NULL. */
static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether two rows say the same. */
static bool same_row(const struct manifest_row *a, const struct manifest_row *b)
{
    size_t i;

    for (i = 0; i < N_TEXT_KEYS; i++) {
        if (!same_text(value_of(a, &text_keys[i]), value_of(b, &text_keys[i])))
            return false;
    }
    return a->split == b->split && !(a->eda_rate_hz < b->eda_rate_hz) &&
           !(a->eda_rate_hz > b->eda_rate_hz) && same_text(a->extra, b->extra);
}

int manifest_sort(struct manifest *m, size_t *n_repeated, struct err *err)
{
    size_t kept = 0, i;

    *n_repeated = 0;
    if (m->n == 0)
        return 0;
    qsort(m->rows, m->n, sizeof(*m->rows), by_recording);
    for (i = 1; i < m->n; i++) {
        struct manifest_row *row = &m->rows[i];

        if (by_recording(&m->rows[i - 1], row) == 0 &&
            !same_row(&m->rows[i - 1], row))
            return err_set(err, ERR_DATA,
                           "recording %s is there twice, with different "
                           "values",
                           row->recording);
    }
    for (i = 1; i < m->n; i++) {
        if (by_recording(&m->rows[kept], &m->rows[i]) == 0) {
            manifest_row_release(&m->rows[i]);
            ++*n_repeated;
        } else {
            m->rows[++kept] = m->rows[i];
        }
    }
    m->n = kept + 1;
    return 0;
}

void manifest_release(struct manifest *m)
{
    static const struct manifest empty = {0};
    size_t i;

    for (i = 0; i < m->n; i++)
        manifest_row_release(&m->rows[i]);
    free(m->rows);
    *m = empty;
}
