/*
 * frame - metadata and tensors of one document.
 *
 * All strings lie in one growing text, named by offsets, so that a frame
 * that is reused does not allocate. Replaced values leave their old bytes
 * behind until the frame is cleared: frames live for one turn of a loop.
 */
#include "core/frame.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

void frame_clear(struct frame *f)
{
    f->n_meta = 0;
    f->n_tensors = 0;
    f->text_len = 0;
    f->index = 0;
    f->offset = 0;
    f->size = 0;
    f->digest = 0;
    f->has_digest = false;
}

void frame_release(struct frame *f)
{
    free(f->meta);
    free(f->tensors);
    free(f->names);
    free(f->text);
    free(f->data);
    *f = (struct frame){0};
}

void frame_swap(struct frame *a, struct frame *b)
{
    struct frame keep = *a;

    *a = *b;
    *b = keep;
}

/* Points the tensors at their names again after text has moved. */
static void rename_tensors(struct frame *f)
{
    size_t i;

    for (i = 0; i < f->n_tensors; i++)
        f->tensors[i].name = f->text + f->names[i];
}

/* Keeps a string in the frame's text; its offset goes to *offset. */
static int keep_text(struct frame *f, const char *s, size_t *offset,
                     struct err *err)
{
    size_t size = strlen(s) + 1;
    char *text;
    bool inside = f->text && s >= f->text && s < f->text + f->text_cap;
    size_t from = inside ? (size_t)(s - f->text) : 0;

    text = mem_grow(f->text, &f->text_cap, f->text_len + size, 1, err);
    if (!text)
        return -1;
    f->text = text;
    /* s may be one of our own strings, and those have just moved. */
    memcpy(f->text + f->text_len, inside ? f->text + from : s, size);
    *offset = f->text_len;
    f->text_len += size;
    rename_tensors(f);
    return 0;
}

/*
 * Length of the UTF-8 character at s: 1 to 4, or 0 if it is none (overlong
 * forms, surrogates and numbers above U+10FFFF are none; Unicode 15, table
 * 3-7).
 */
static size_t utf8_len(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n, i;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] == 0xe0)
        low = 0xa0;
    if (s[0] == 0xed)
        high = 0x9f;
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* Fails unless text is UTF-8: no reader would take anything else. */
static int need_utf8(const char *what, const char *text, struct err *err)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n;

    for (; *s; s += n) {
        n = utf8_len(s);
        if (n == 0)
            return err_set(err, ERR_DATA, "%s: byte %td is not UTF-8", what,
                           (const char *)s - text);
    }
    return 0;
}

/* The entry of a key; NULL if there is none. */
static struct frame_meta *find(const struct frame *f, const char *key)
{
    size_t i;

    for (i = 0; i < f->n_meta; i++) {
        if (!strcmp(f->text + f->meta[i].key, key))
            return &f->meta[i];
    }
    return NULL;
}

int frame_set(struct frame *f, const char *key, const char *value,
              struct err *err)
{
    struct frame_meta *m = find(f, key), *grown;
    size_t at;

    if (!strcmp(key, "a2b") || !strcmp(key, "a2b.xxh3"))
        return err_set(err, ERR_DATA, "metadata key %s is the format's own",
                       key);
    if (need_utf8(key, value, err) || need_utf8("metadata key", key, err))
        return -1;
    if (m) {
        at = (size_t)(m - f->meta);
        return keep_text(f, value, &f->meta[at].value, err);
    }
    grown = mem_grow(f->meta, &f->meta_cap, f->n_meta + 1, sizeof *f->meta,
                     err);
    if (!grown)
        return -1;
    f->meta = grown;
    if (keep_text(f, key, &f->meta[f->n_meta].key, err) ||
        keep_text(f, value, &f->meta[f->n_meta].value, err))
        return -1;
    f->n_meta++;
    return 0;
}

int frame_set_int(struct frame *f, const char *key, int64_t value,
                  struct err *err)
{
    char text[NUM_SIZE];

    snprintf(text, sizeof text, "%lld", (long long)value);
    return frame_set(f, key, text, err);
}

int frame_set_num(struct frame *f, const char *key, double value,
                  struct err *err)
{
    char text[NUM_SIZE];

    return frame_set(f, key, num_double(text, value), err);
}

void frame_unset(struct frame *f, const char *key)
{
    struct frame_meta *m = find(f, key);
    size_t at;

    if (!m)
        return;
    at = (size_t)(m - f->meta);
    memmove(m, m + 1, (f->n_meta - at - 1) * sizeof *m);
    f->n_meta--;
}

int frame_copy_meta(struct frame *f, const struct frame *from,
                    struct err *err)
{
    const char *key, *value;
    size_t i;

    for (i = 0; i < from->n_meta; i++) {
        frame_meta_at(from, i, &key, &value);
        if (strncmp(key, "a2b.", 4) && frame_set(f, key, value, err))
            return -1;
    }
    return 0;
}

const char *frame_get(const struct frame *f, const char *key)
{
    const struct frame_meta *m = find(f, key);

    return m ? f->text + m->value : NULL;
}

/* Fails naming the frame. */
static int bad(const struct frame *f, struct err *err, const char *what,
               const char *name)
{
    char where[300];

    return err_set(err, ERR_DATA, "%s: %s %s",
                   frame_where(f, where, sizeof where), what, name);
}

int frame_need(const struct frame *f, const char *key, const char **out,
               struct err *err)
{
    *out = frame_get(f, key);
    return *out ? 0 : bad(f, err, "no metadata key", key);
}

int frame_need_int(const struct frame *f, const char *key, int64_t min,
                   int64_t max, int64_t *out, struct err *err)
{
    char where[300];
    const char *text;

    if (frame_need(f, key, &text, err))
        return -1;
    if (num_parse_int(text, out) || *out < min || *out > max)
        return err_set(err, ERR_DATA,
                       "%s: %s: want an integer in %lld..%lld, got \"%s\"",
                       frame_where(f, where, sizeof where), key,
                       (long long)min, (long long)max, text);
    return 0;
}

int frame_need_num(const struct frame *f, const char *key, double *out,
                   struct err *err)
{
    char where[300];
    const char *text;

    if (frame_need(f, key, &text, err))
        return -1;
    if (num_parse_double(text, out))
        return err_set(err, ERR_DATA, "%s: %s: want a number, got \"%s\"",
                       frame_where(f, where, sizeof where), key, text);
    return 0;
}

void frame_meta_at(const struct frame *f, size_t i, const char **key,
                   const char **value)
{
    *key = f->text + f->meta[i].key;
    *value = f->text + f->meta[i].value;
}

/* Whether the bytes of a tensor stay below 2^47, zero dimensions or not. */
static bool shape_fits(enum tensor_dtype dtype, size_t n_dims,
                       const size_t *shape)
{
    const size_t limit = (size_t)1 << 47;
    size_t size = tensor_item_size(dtype), i;

    for (i = 0; i < n_dims; i++) {
        if (shape[i] >= limit)
            return false;
        if (shape[i] && size > limit / shape[i])
            return false;
        size *= shape[i] ? shape[i] : 1;
    }
    return true;
}

int frame_add(struct frame *f, const char *name, enum tensor_dtype dtype,
              size_t n_dims, const size_t *shape, const void *data,
              struct err *err)
{
    size_t len = strlen(name), cap = f->tensors_cap;
    struct tensor *grown;
    size_t *names;

    if (len < 1 || len > 255 || !strcmp(name, "__metadata__") ||
        !strncmp(name, "a2b.", 4))
        return bad(f, err, "no tensor may be called", name);
    if (frame_tensor(f, name))
        return bad(f, err, "two tensors called", name);
    if (need_utf8("tensor name", name, err))
        return -1;
    if (n_dims > TENSOR_MAX_DIMS || !shape_fits(dtype, n_dims, shape))
        return bad(f, err, "shape too large of tensor", name);
    grown = mem_grow(f->tensors, &cap, f->n_tensors + 1, sizeof *grown, err);
    if (!grown)
        return -1;
    f->tensors = grown;
    cap = f->tensors_cap;
    names = mem_grow(f->names, &cap, f->n_tensors + 1, sizeof *names, err);
    if (!names)
        return -1;
    f->names = names;
    f->tensors_cap = cap;
    if (keep_text(f, name, &f->names[f->n_tensors], err))
        return -1;
    grown = &f->tensors[f->n_tensors++];
    grown->dtype = dtype;
    grown->n_dims = n_dims;
    if (n_dims)
        memcpy(grown->shape, shape, n_dims * sizeof *shape);
    grown->data = data;
    rename_tensors(f);
    return 0;
}

const struct tensor *frame_tensor(const struct frame *f, const char *name)
{
    size_t i;

    for (i = 0; i < f->n_tensors; i++) {
        if (!strcmp(f->tensors[i].name, name))
            return &f->tensors[i];
    }
    return NULL;
}

int frame_need_tensor(const struct frame *f, const char *name,
                      enum tensor_dtype dtype, size_t n_dims,
                      const struct tensor **out, struct err *err)
{
    char where[300];

    *out = frame_tensor(f, name);
    if (!*out)
        return bad(f, err, "no tensor", name);
    if ((*out)->dtype != dtype || (*out)->n_dims != n_dims)
        return err_set(
            err, ERR_DATA,
            "%s: tensor %s: want %s with %zu dimensions, got %s with %zu",
            frame_where(f, where, sizeof where), name,
            tensor_dtype_name(dtype), n_dims,
            tensor_dtype_name((*out)->dtype), (*out)->n_dims);
    return 0;
}

enum frame_kind frame_kind(const struct frame *f)
{
    const char *kind = frame_get(f, "a2b.kind");

    if (kind)
        return strcmp(kind, "dataset") ? FRAME_OTHER : FRAME_DATASET;
    if (frame_tensor(f, "pred"))
        return FRAME_PREDICTION;
    if (frame_tensor(f, "x") && frame_tensor(f, "y") && frame_tensor(f, "len"))
        return FRAME_BATCH;
    if (frame_tensor(f, "mfcc"))
        return FRAME_MFCC;
    if (frame_tensor(f, "eda"))
        return FRAME_EDA;
    if (frame_tensor(f, "eda_csv"))
        return FRAME_EDA_CSV;
    return frame_tensor(f, "audio") ? FRAME_AUDIO : FRAME_OTHER;
}

const char *frame_kind_name(enum frame_kind kind)
{
    static const char *const names[FRAME_N_KINDS] = {
        "data",    "audio", "eda_csv",   "mfcc", "eda",
        "dataset", "batch", "prediction"};

    return names[kind];
}

/* What a kind of frame must have: the table of a2b-stream(5). */
static const struct rule {
    struct {
        const char *name;        /* NULL ends the list */
        enum tensor_dtype dtype; /* wanted */
        size_t n_dims;           /* wanted */
    } tensors[6];
    const char *keys[12]; /* metadata that must be there, NULL ends */
} rules[FRAME_N_KINDS] = {
    [FRAME_AUDIO] = {{{"audio", TENSOR_U8, 1}}, {"key", "dataset", "song"}},
    [FRAME_EDA_CSV] = {{{"eda_csv", TENSOR_U8, 1}},
                       {"key", "dataset", "recording", "song"}},
    [FRAME_MFCC] = {{{"mfcc", TENSOR_F32, 2}},
                    {"key", "dataset", "song", "rate_num", "rate_den",
                     "t0_s"}},
    [FRAME_EDA] = {{{"eda", TENSOR_F32, 2}, {"valid", TENSOR_U8, 1}},
                   {"key", "dataset", "recording", "song", "rate_num",
                    "rate_den", "t0_s"}},
    [FRAME_DATASET] = {{{"input_mean", TENSOR_F32, 1},
                        {"input_std", TENSOR_F32, 1},
                        {"curve", TENSOR_F32, 2},
                        {"curve_n", TENSOR_I32, 1}},
                       {"features", "rate_num", "rate_den", "t0_s", "epochs",
                        "batches", "batch_size", "seed", "recordings",
                        "songs", "fingerprint"}},
    [FRAME_BATCH] = {{{"x", TENSOR_F32, 3},
                      {"len", TENSOR_I32, 1},
                      {"y", TENSOR_F32, 3},
                      {"valid", TENSOR_U8, 2},
                      {"song", TENSOR_I32, 1}},
                     {"key", "epoch", "batch", "batches", "keys",
                      "recordings"}},
    [FRAME_PREDICTION] = {{{"pred", TENSOR_F32, 2}},
                          {"key", "dataset", "song", "rate_num", "rate_den",
                           "t0_s"}},
};

/* Fails if dimension d of tensor name is not n. */
static int need_size(const struct frame *f, const char *name, size_t d,
                     size_t n, struct err *err)
{
    const struct tensor *t = frame_tensor(f, name);
    char where[300];

    if (!t || t->shape[d] == n)
        return 0;
    return err_set(err, ERR_DATA,
                   "%s: tensor %s: want %zu along dimension %zu, got %zu",
                   frame_where(f, where, sizeof where), name, n, d,
                   t->shape[d]);
}

/* Fails if values of an I32 tensor lie outside [min, max]. */
static int need_range(const struct frame *f, const char *name, int32_t min,
                      size_t max, struct err *err)
{
    const struct tensor *t = frame_tensor(f, name);
    char where[300];
    size_t i;
    int32_t v;

    for (i = 0; i < tensor_count(t); i++) {
        memcpy(&v, (const char *)t->data + 4 * i, sizeof v);
        if (v < min || (size_t)v > max)
            return err_set(err, ERR_DATA,
                           "%s: tensor %s, item %zu: want %d..%zu, got %d",
                           frame_where(f, where, sizeof where), name, i, min,
                           max, v);
    }
    return 0;
}

/* Checks that the shapes of a batch frame fit together. */
static int check_batch(const struct frame *f, struct err *err)
{
    const size_t *x = frame_tensor(f, "x")->shape;
    const size_t *y = frame_tensor(f, "y")->shape;

    if (need_size(f, "len", 0, x[0], err) ||
        need_size(f, "y", 1, x[1], err) || need_size(f, "y", 2, 1, err) ||
        need_size(f, "valid", 0, y[0], err) ||
        need_size(f, "valid", 1, x[1], err) ||
        need_size(f, "song", 0, y[0], err))
        return -1;
    if (x[0] < 1 || y[0] < 1)
        return bad(f, err, "empty tensor", x[0] < 1 ? "x" : "y");
    return need_range(f, "len", 1, x[1], err) ||
                   need_range(f, "song", 0, x[0] - 1, err)
               ? -1
               : 0;
}

/* Checks rate_num, rate_den and t0_s where a kind has them. */
static int check_grid(const struct frame *f, struct err *err)
{
    int64_t number;
    double t0;

    if (!frame_get(f, "rate_num"))
        return 0;
    return frame_need_int(f, "rate_num", 1, INT32_MAX, &number, err) ||
                   frame_need_int(f, "rate_den", 1, INT32_MAX, &number,
                                  err) ||
                   frame_need_num(f, "t0_s", &t0, err)
               ? -1
               : 0;
}

/* Checks shapes that must agree within one kind. */
static int check_shapes(const struct frame *f, enum frame_kind kind,
                        struct err *err)
{
    const struct tensor *t;

    switch (kind) {
    case FRAME_EDA:
        t = frame_tensor(f, "eda");
        return need_size(f, "eda", 1, 1, err) ||
                       need_size(f, "valid", 0, t->shape[0], err)
                   ? -1
                   : 0;
    case FRAME_DATASET:
        t = frame_tensor(f, "input_mean");
        if (need_size(f, "input_std", 0, t->shape[0], err))
            return -1;
        t = frame_tensor(f, "curve");
        return need_size(f, "curve", 1, 1, err) ||
                       need_size(f, "curve_n", 0, t->shape[0], err)
                   ? -1
                   : 0;
    case FRAME_PREDICTION:
        t = frame_tensor(f, "pred");
        return need_size(f, "pred", 1, 1, err) ||
                       need_size(f, "eda", 0, t->shape[0], err) ||
                       need_size(f, "valid", 0, t->shape[0], err)
                   ? -1
                   : 0;
    case FRAME_BATCH:
        return check_batch(f, err);
    default:
        return 0;
    }
}

/* Refuses control characters in the key: it ends up in messages and names. */
static int check_key(const struct frame *f, struct err *err)
{
    const char *key = frame_get(f, "key");

    for (; key && *key; key++) {
        if ((unsigned char)*key < 0x20 || *key == 0x7f)
            return bad(f, err, "control character in", "key");
    }
    return 0;
}

int frame_check(const struct frame *f, struct err *err)
{
    enum frame_kind kind = frame_kind(f);
    const struct rule *rule = &rules[kind];
    const struct tensor *t;
    const char *value;
    size_t i;

    if (check_key(f, err))
        return -1;

    for (i = 0; i < 6 && rule->tensors[i].name; i++) {
        if (frame_need_tensor(f, rule->tensors[i].name,
                              rule->tensors[i].dtype,
                              rule->tensors[i].n_dims, &t, err))
            return -1;
    }
    for (i = 0; i < 12 && rule->keys[i]; i++) {
        if (frame_need(f, rule->keys[i], &value, err))
            return -1;
    }
    if (kind != FRAME_OTHER && check_grid(f, err))
        return -1;
    return check_shapes(f, kind, err);
}

char *frame_where(const struct frame *f, char *text, size_t size)
{
    const char *key = frame_get(f, "key");

    if (key)
        snprintf(text, size, "frame %llu (key %.200s), byte %llu",
                 (unsigned long long)f->index, key,
                 (unsigned long long)f->offset);
    else
        snprintf(text, size, "frame %llu, byte %llu",
                 (unsigned long long)f->index,
                 (unsigned long long)f->offset);
    return text;
}
