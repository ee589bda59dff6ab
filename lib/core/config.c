/*
 * config - from YAML to struct config, and the struct's life.
 *
 * A document is walked from its root: a key is looked up in the table by its
 * path; a path with rows below it is a section and is walked on, a path with
 * a row is a value. Every error gets file, line and column of the key or of
 * the value it is about; --set has no file and is walked the same way.
 *
 * model.params depends on model.architecture, which may come later in the
 * file or by --set: a key that both architectures have is set in both, and
 * which keys are right is decided when everything was read
 * (config_model.c). Writing the whole mapping model.params forgets the
 * params before it.
 *
 * The rest of the module: config_table (rows), config_value (one value),
 * config_find (names), config_features and config_model (rules of those
 * sections, JSON), config_settle (rules), config_put (YAML, mdoc).
 */
#include "core/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/config_find.h"
#include "core/config_scheduler.h"
#include "core/config_table.h"
#include "core/config_value.h"

/* Largest file that is read, bytes. */
#define MAX_FILE (1 << 20)
/* Deepest nesting and most nodes of a document that is read. */
#define MAX_DEPTH 32
#define MAX_NODES 10000
/* Longest word that names a dataset, bytes. */
#define MAX_WORD 64

/* One document being read. */
struct reader {
    struct config *c;     /* what it is read into */
    const char *file;     /* for messages; NULL: --set */
    const char *root;     /* path of the whole document; "" in a file */
    yaml_document_t *doc; /* parsed */
    bool *seen;           /* per row: written in this document */
};

/* Upstream's bucket, for the datasets it holds. */
static const struct {
    const char *name;       /* dataset word */
    enum dataset_kind kind; /* its layout */
    const char *root;       /* where it lies */
} known_datasets[] = {
    {"hku956", DATASET_HKU956, "s3://audio2biosignal-train-data/HKU956/"},
    {"pmemo2019", DATASET_PMEMO2019,
     "s3://audio2biosignal-train-data/PMEmo2019/"},
};

/* Number of known_datasets. */
#define N_KNOWN (sizeof known_datasets / sizeof known_datasets[0])

/* Puts file, line and column before an error; returns -1. */
static int at(const struct reader *r, yaml_mark_t mark, struct err *err)
{
    if (r->file)
        err_prefix(err, "%s:%zu:%zu", r->file, mark.line + 1,
                   mark.column + 1);
    return -1;
}

/* The same for an error about the text itself: --set gets its key. */
static int at_text(const struct reader *r, yaml_mark_t mark, struct err *err)
{
    if (!r->file)
        return err_prefix(err, "%s", r->root);
    return at(r, mark, err);
}

/* A document's node. */
static yaml_node_t *node_at(const struct reader *r, int index)
{
    return yaml_document_get_node(r->doc, index);
}

/* Number of a sequence's items. */
static size_t n_items(const yaml_node_t *node)
{
    return (size_t)(node->data.sequence.items.top -
                    node->data.sequence.items.start);
}

/* Item i of a sequence. */
static yaml_node_t *item_at(const struct reader *r, const yaml_node_t *node,
                            size_t i)
{
    return node_at(r, node->data.sequence.items.start[i]);
}

/* Number of a mapping's pairs. */
static size_t n_pairs(const yaml_node_t *node)
{
    return (size_t)(node->data.mapping.pairs.top -
                    node->data.mapping.pairs.start);
}

/* Key i of a mapping. */
static yaml_node_t *key_at(const struct reader *r, const yaml_node_t *node,
                           size_t i)
{
    return node_at(r, node->data.mapping.pairs.start[i].key);
}

/* Value i of a mapping. */
static yaml_node_t *value_at(const struct reader *r, const yaml_node_t *node,
                             size_t i)
{
    return node_at(r, node->data.mapping.pairs.start[i].value);
}

/* A scalar's text; asserts that it is one. */
static const char *text_of(const yaml_node_t *node)
{
    assert(node->type == YAML_SCALAR_NODE);
    return (const char *)node->data.scalar.value;
}

/* Whether a scalar was written without quotes. */
static bool is_plain(const yaml_node_t *node)
{
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Whether a node is null. */
static bool is_null(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && is_plain(node) &&
           config_value_is_null(text_of(node));
}

/* What a node is, for messages. Returns text. */
static const char *describe(const yaml_node_t *node, char *text, size_t size)
{
    if (is_null(node))
        return "null";
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    snprintf(text, size, "\"%s\"", text_of(node));
    return text;
}

/* Says that a node is not what a row wants; returns -1. */
static int want(const struct reader *r, const struct config_row *row,
                const void *base, const yaml_node_t *node, struct err *err)
{
    char got[256];

    config_value_want(row, base, describe(node, got, sizeof got), err);
    return at(r, node->start_mark, err);
}

/* Refuses tags and U+0000, which would change what a value means. */
static int check_node(const struct reader *r, const char *path,
                      const yaml_node_t *node, struct err *err)
{
    static const char *const plain_tags[] = {
        YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    const char *tag = (const char *)node->tag;
    size_t i;

    for (i = 0; tag && i < 3; i++)
        if (strcmp(tag, plain_tags[i]) == 0)
            break;
    if (i == 3) {
        err_set(err, ERR_USAGE, "%s: tag %s is not supported", path, tag);
        return at(r, node->start_mark, err);
    }
    if (node->type == YAML_SCALAR_NODE &&
        strlen(text_of(node)) != node->data.scalar.length) {
        err_set(err, ERR_USAGE, "%s: text with U+0000", path);
        return at(r, node->start_mark, err);
    }
    return 0;
}

/* A list of texts or words, or one text, which is a list of one. */
static int set_list(const struct reader *r, const struct config_row *row,
                    void *base, const yaml_node_t *node, struct err *err)
{
    bool one = node->type == YAML_SCALAR_NODE && !is_null(node) &&
               row->scope == CONFIG_SCOPE_DATASET;
    const char **texts;
    const yaml_node_t *item;
    size_t i, n = one ? 1 : 0;
    int bad = -1;

    if (node->type == YAML_SEQUENCE_NODE)
        n = n_items(node);
    else if (!one && !is_null(node))
        return want(r, row, base, node, err);
    texts = mem_alloc(n, sizeof *texts, err);
    if (!texts)
        return -1;
    for (i = 0; i < n; i++) {
        item = one ? node : item_at(r, node, i);
        if (item->type != YAML_SCALAR_NODE || is_null(item)) {
            want(r, row, base, item, err);
            goto out;
        }
        if (check_node(r, row->path, item, err))
            goto out;
        texts[i] = text_of(item);
        if (config_value_set_list(row, base, &texts[i], 1, err)) {
            at(r, item->start_mark, err);
            goto out;
        }
    }
    bad = config_value_set_list(row, base, texts, n, err);
out:
    free(texts);
    return bad;
}

/* A plain number inside a rule. 0, or -1. */
static int read_number(const yaml_node_t *node, const char *rule,
                       double *out)
{
    return node->type == YAML_SCALAR_NODE && is_plain(node) &&
           num_parse_double(text_of(node), out) == 0 &&
           config_value_in(rule, *out) ? 0 : -1;
}

/* Three numbers that sum to 1. */
static int set_ratios(const struct reader *r, const struct config_row *row,
                      void *base, const yaml_node_t *node, struct err *err)
{
    double *ratios = (double *)(void *)((char *)base + row->offset);
    double sum = 0, value[3];
    size_t i;

    if (node->type != YAML_SEQUENCE_NODE || n_items(node) != 3)
        return want(r, row, base, node, err);
    for (i = 0; i < 3; i++) {
        if (read_number(item_at(r, node, i), row->values, &value[i]))
            return want(r, row, base, item_at(r, node, i), err);
        sum += value[i];
    }
    if (sum < 1 - 1e-6 || sum > 1 + 1e-6) {
        char got[64];

        snprintf(got, sizeof got, "a sum of %g", sum);
        config_value_want(row, base, got, err);
        return at(r, node->start_mark, err);
    }
    memcpy(ratios, value, sizeof value);
    return 0;
}

/* Dataset words and their weights. */
static int set_weights(const struct reader *r, const struct config_row *row,
                       struct config_data *data, const yaml_node_t *node,
                       struct err *err)
{
    const yaml_node_t *key;
    size_t i, n;

    config_value_release(row, r->c);
    if (is_null(node))
        return 0;
    if (node->type != YAML_MAPPING_NODE)
        return want(r, row, r->c, node, err);
    n = n_pairs(node);
    data->weight_names = mem_alloc(n, sizeof *data->weight_names, err);
    data->weights = mem_alloc(n, sizeof *data->weights, err);
    if (!data->weight_names || !data->weights)
        return -1;
    for (i = 0; i < n; i++) {
        key = key_at(r, node, i);
        if (key->type != YAML_SCALAR_NODE || is_null(key))
            return want(r, row, r->c, key, err);
        if (read_number(value_at(r, node, i), "(0, 1e9]",
                        &data->weights[i]))
            return want(r, row, r->c, value_at(r, node, i), err);
        data->weight_names[i] = mem_string(text_of(key), err);
        if (!data->weight_names[i])
            return -1;
        data->n_weights = i + 1;
    }
    return 0;
}

/* One term of a custom loss. */
static int read_term(const struct reader *r, const struct config_row *row,
                     const yaml_node_t *node, struct config_loss_term *term,
                     struct err *err)
{
    const yaml_node_t *key, *value;
    int index = -1;
    bool weighted = false;
    size_t i;

    if (node->type != YAML_MAPPING_NODE || n_pairs(node) != 2)
        return want(r, row, r->c, node, err);
    for (i = 0; i < 2; i++) {
        key = key_at(r, node, i);
        value = value_at(r, node, i);
        if (key->type != YAML_SCALAR_NODE ||
            value->type != YAML_SCALAR_NODE)
            return want(r, row, r->c, value, err);
        if (index < 0 && strcmp(text_of(key), "name") == 0) {
            index = config_value_word_index(row->values, text_of(value));
            if (index < 0)
                return want(r, row, r->c, value, err);
            term->name = (enum config_loss_name)index;
        } else if (!weighted && strcmp(text_of(key), "weight") == 0) {
            if (read_number(value, "(0, 1e9]", &term->weight))
                return want(r, row, r->c, value, err);
            weighted = true;
        } else {
            return want(r, row, r->c, key, err);
        }
    }
    return 0;
}

/* The terms of a custom loss. */
static int set_terms(const struct reader *r, const struct config_row *row,
                     struct config_loss *loss, const yaml_node_t *node,
                     struct err *err)
{
    size_t i, n;

    config_value_release(row, r->c);
    if (is_null(node))
        return 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return want(r, row, r->c, node, err);
    n = n_items(node);
    loss->terms = mem_alloc(n, sizeof *loss->terms, err);
    if (!loss->terms)
        return -1;
    for (i = 0; i < n; i++)
        if (read_term(r, row, item_at(r, node, i), &loss->terms[i], err))
            return -1;
    loss->n_terms = n;
    return 0;
}

/* Declared here because a scheduler's parts are set as it is. */
static int set_row(const struct reader *r, const struct config_row *row,
                   void *base, const yaml_node_t *node, struct err *err);

/* A rising list of integers. */
static int set_counts(const struct reader *r, const struct config_row *row,
                      void *base, const yaml_node_t *node, struct err *err)
{
    int64_t *list;
    size_t i, n;

    config_value_release(row, base);
    if (is_null(node))
        return 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return want(r, row, base, node, err);
    n = n_items(node);
    list = mem_alloc(n, sizeof *list, err);
    if (!list)
        return -1;
    *(int64_t **)(void *)((char *)base + row->offset) = list;
    memcpy((char *)base + row->count, &n, sizeof n);
    for (i = 0; i < n; i++) {
        const yaml_node_t *item = item_at(r, node, i);

        if (item->type != YAML_SCALAR_NODE || !is_plain(item) ||
            num_parse_int(text_of(item), &list[i]) ||
            !config_value_in(row->values, (double)list[i]) ||
            (i > 0 && list[i] <= list[i - 1]))
            return want(r, row, base, item, err);
    }
    return 0;
}

/* The row of a key of a part; NULL if schedulers have none such. */
static const struct config_row *part_row(const char *key)
{
    char path[CONFIG_PATH_SIZE];
    size_t i;

    snprintf(path, sizeof path, "optimizer.scheduler.%.64s", key);
    i = config_find_row(path, 0);
    return i < config_table_n() ? config_table_row(i) : NULL;
}

/* One key of a part: its name in the first pass, the others in the second. */
static int set_part_key(const struct reader *r, struct config_scheduler *s,
                        const yaml_node_t *key, const yaml_node_t *value,
                        int pass, struct err *err)
{
    const struct config_row *row =
        key->type == YAML_SCALAR_NODE ? part_row(text_of(key)) : NULL;

    if (!row) {
        err_set(err, ERR_USAGE, "optimizer.scheduler.schedulers: unknown "
                "key%s%s", key->type == YAML_SCALAR_NODE ? " " : "",
                key->type == YAML_SCALAR_NODE ? text_of(key) : "");
        return at(r, key->start_mark, err);
    }
    if ((strcmp(text_of(key), "name") == 0) != (pass == 0))
        return 0;
    if (pass == 1 && !config_scheduler_part_has(s->name, row)) {
        config_scheduler_refuse(s->name, row, err);
        return at(r, key->start_mark, err);
    }
    if (row->type == CONFIG_TYPE_SCHEDULERS)
        return want(r, row, s, value, err);
    return set_row(r, row, s, value, err);
}

/* One part of a scheduler. */
static int read_part(const struct reader *r, const struct config_row *row,
                     const yaml_node_t *node, struct config_scheduler *s,
                     struct err *err)
{
    size_t i, j;
    bool named = false;
    int pass;

    if (node->type != YAML_MAPPING_NODE)
        return want(r, row, s, node, err);
    for (i = 0; i < config_table_n(); i++)
        if (config_table_row(i)->scope == CONFIG_SCOPE_SCHEDULER &&
            config_value_default(config_table_row(i), s, err))
            return -1;
    for (pass = 0; pass < 2; pass++)
        for (i = 0; i < n_pairs(node); i++) {
            const yaml_node_t *key = key_at(r, node, i);

            if (set_part_key(r, s, key, value_at(r, node, i), pass, err))
                return -1;
            named = named || strcmp(text_of(key), "name") == 0;
            for (j = 0; j < i; j++)
                if (strcmp(text_of(key), text_of(key_at(r, node, j))) == 0)
                    return want(r, row, s, key, err);
        }
    return named ? 0 : want(r, row, s, node, err);
}

/* The parts of sequential and chained. */
static int set_parts(const struct reader *r, const struct config_row *row,
                     struct config_scheduler *s, const yaml_node_t *node,
                     struct err *err)
{
    size_t i, n;

    config_value_release(row, s);
    if (is_null(node))
        return 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return want(r, row, s, node, err);
    n = n_items(node);
    s->schedulers = mem_alloc(n, sizeof *s->schedulers, err);
    if (!s->schedulers)
        return -1;
    s->n_schedulers = n;
    for (i = 0; i < n; i++)
        if (read_part(r, row, item_at(r, node, i), &s->schedulers[i], err))
            return -1;
    return 0;
}

/* Notes that a key of upstream's datasets is not used. */
static int note_ignored(const struct reader *r, const struct config_row *row,
                        const void *base, struct err *err)
{
    char path[256];

    buf_printf(&r->c->notes, "%s: has no effect\n",
               config_value_path(row, base, path, sizeof path));
    return buf_check(&r->c->notes, err);
}

/* Sets one row's field from a node. */
static int set_row(const struct reader *r, const struct config_row *row,
                   void *base, const yaml_node_t *node, struct err *err)
{
    if (row->type == CONFIG_TYPE_IGNORED)
        return note_ignored(r, row, base, err);
    if (check_node(r, row->path, node, err))
        return -1;
    switch (row->type) {
    case CONFIG_TYPE_WORDS:
    case CONFIG_TYPE_TEXTS:
        return set_list(r, row, base, node, err);
    case CONFIG_TYPE_RATIOS:
        return set_ratios(r, row, base, node, err);
    case CONFIG_TYPE_WEIGHTS:
        return set_weights(r, row, &r->c->data, node, err);
    case CONFIG_TYPE_COUNTS:
        return set_counts(r, row, base, node, err);
    case CONFIG_TYPE_SCHEDULERS:
        return set_parts(r, row, base, node, err);
    case CONFIG_TYPE_TERMS:
        return set_terms(r, row, &r->c->loss, node, err);
    default:
        if (node->type != YAML_SCALAR_NODE)
            return want(r, row, base, node, err);
        if (config_value_set(row, base, text_of(node), is_plain(node), err))
            return at(r, node->start_mark, err);
        return 0;
    }
}

/* The entry of a dataset word, added with its defaults if it is new. */
static struct config_dataset *dataset_add(struct config *c, const char *name,
                                          struct err *err)
{
    struct config_dataset *d, *grown;
    size_t i, cap = c->n_datasets;

    for (i = 0; i < c->n_datasets; i++)
        if (strcmp(c->datasets[i].name, name) == 0)
            return &c->datasets[i];
    grown = mem_grow(c->datasets, &cap, cap + 1, sizeof *grown, err);
    if (!grown)
        return NULL;
    c->datasets = grown;
    d = &grown[c->n_datasets];
    memset(d, 0, sizeof *d);
    if (!(d->name = mem_string(name, err)))
        return NULL;
    c->n_datasets++;
    d->kind = DATASET_OTHER;
    for (i = 0; i < config_table_n(); i++)
        if (config_table_row(i)->scope == CONFIG_SCOPE_DATASET &&
            config_table_row(i)->type != CONFIG_TYPE_IGNORED &&
            config_value_default(config_table_row(i), d, err))
            return NULL;
    for (i = 0; i < N_KNOWN; i++)
        if (strcmp(name, known_datasets[i].name) == 0) {
            d->kind = known_datasets[i].kind;
            if (!(d->root = mem_string(known_datasets[i].root, err)))
                return NULL;
        }
    return d;
}

/* The dataset that a path below `datasets` means; checks its name. */
static struct config_dataset *dataset_of(struct config *c, const char *path,
                                         struct err *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *word = path + strlen("datasets.");
    size_t len = strcspn(word, ".");
    char name[MAX_WORD + 1];

    if (len > MAX_WORD || strspn(word, letters) < len) {
        err_set(err, ERR_USAGE,
                "datasets.%.*s: want a name of letters, digits, - and _, "
                "at most %d", (int)len, word, MAX_WORD);
        return NULL;
    }
    memcpy(name, word, len);
    name[len] = '\0';
    return dataset_add(c, name, err);
}

/* Forgets a scheduler's parameters, before another name is written. */
static int forget_scheduler(struct config *c, struct err *err)
{
    const struct config_row *row;
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope != CONFIG_SCOPE_SCHEDULER)
            continue;
        c->given[i] = false;
        if (config_value_default(row, config_table_base(c, row), err))
            return -1;
    }
    return 0;
}

/* Sets the rows that a path means: one, or one in each architecture. */
static int assign(const struct reader *r, const char *path,
                  const yaml_node_t *key, const yaml_node_t *node,
                  struct err *err)
{
    const struct config_row *row;
    struct config *c = r->c;
    size_t i, n = config_table_n();
    void *base;

    for (i = config_find_row(path, 0); i < n;
         i = config_find_row(path, i + 1)) {
        row = config_table_row(i);
        base = row->scope == CONFIG_SCOPE_DATASET
                   ? dataset_of(c, path, err) : config_table_base(c, row);
        if (!base)
            return key ? at(r, key->start_mark, err) : -1;
        if (r->seen[i] && row->scope != CONFIG_SCOPE_DATASET) {
            err_set(err, ERR_USAGE, "%s: written twice", path);
            return key ? at(r, key->start_mark, err) : -1;
        }
        if (strcmp(path, "optimizer.scheduler.name") == 0 &&
            forget_scheduler(c, err))
            return -1;
        if (set_row(r, row, base, node, err))
            return -1;
        r->seen[i] = true;
        c->given[i] = true;
        c->places[i] = (struct config_place){0};
        if (r->file)
            c->places[i] = (struct config_place){
                node->start_mark.line + 1, node->start_mark.column + 1};
    }
    return 0;
}

/* Forgets all params, before they are written anew. */
static int forget_params(struct config *c, struct err *err)
{
    const struct config_row *row;
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope != CONFIG_SCOPE_TCN &&
            row->scope != CONFIG_SCOPE_WAVENET)
            continue;
        c->given[i] = false;
        if (config_value_default(row, config_table_base(c, row), err))
            return -1;
    }
    return 0;
}

/* What must happen before a section's keys are read. */
static int enter(const struct reader *r, const char *path,
                 const yaml_node_t *node, struct err *err)
{
    bool params = strcmp(path, "model.params") == 0;

    if (strncmp(path, "datasets.", strlen("datasets.")) == 0)
        return dataset_of(r->c, path, err) ? 0 : -1;
    if (!params && (strcmp(path, "model") != 0 || is_null(node)))
        return 0;
    r->c->model_written = true;
    r->c->model_place = (struct config_place){0};
    if (r->file)
        r->c->model_place = (struct config_place){
            node->start_mark.line + 1, node->start_mark.column + 1};
    return params ? forget_params(r->c, err) : 0;
}

/* Declared here because sections hold sections. */
static int walk(const struct reader *r, const char *path,
                const yaml_node_t *key, const yaml_node_t *node,
                struct err *err);

/*
 * The path of key i of a section; refuses keys that are no words and keys
 * that an earlier one of the same mapping means too.
 */
static int path_of_key(const struct reader *r, const char *section,
                       const yaml_node_t *node, size_t i,
                       char path[CONFIG_PATH_SIZE], struct err *err)
{
    const yaml_node_t *key = key_at(r, node, i);
    char other[CONFIG_PATH_SIZE];
    size_t j;

    if (key->type != YAML_SCALAR_NODE) {
        err_set(err, ERR_USAGE, "%s: want a word as key, got %s",
                *section ? section : "config",
                key->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping");
        return at(r, key->start_mark, err);
    }
    if (check_node(r, *section ? section : "config", key, err))
        return -1;
    if (config_find_child(path, section, text_of(key), err))
        return at(r, key->start_mark, err);
    for (j = 0; j < i; j++) {
        if (config_find_child(other, section, text_of(key_at(r, node, j)),
                              err))
            return -1;
        if (strcmp(path, other) != 0)
            continue;
        err_set(err, ERR_USAGE, "%s: written twice, first in line %zu", path,
                key_at(r, node, j)->start_mark.line + 1);
        return at(r, key->start_mark, err);
    }
    return 0;
}

/* Whether a key decides what others of its section mean. */
static bool goes_first(const char *path)
{
    return strcmp(path, "model.architecture") == 0 ||
           strcmp(path, "optimizer.scheduler.name") == 0;
}

/* Walks a section's keys; a key that decides over others before them. */
static int walk_section(const struct reader *r, const char *path,
                        const yaml_node_t *node, struct err *err)
{
    char child[CONFIG_PATH_SIZE];
    size_t i;
    int pass;

    for (pass = 0; pass < 2; pass++)
        for (i = 0; i < n_pairs(node); i++) {
            if (path_of_key(r, path, node, i, child, err))
                return -1;
            if (goes_first(child) != (pass == 0))
                continue;
            if (walk(r, child, key_at(r, node, i), value_at(r, node, i),
                     err))
                return -1;
        }
    return 0;
}

/* Reads what stands at a path: a value or a section. key: NULL for --set. */
static int walk(const struct reader *r, const char *path,
                const yaml_node_t *key, const yaml_node_t *node,
                struct err *err)
{
    char name[CONFIG_PATH_SIZE];
    char got[256];

    if (config_find_row(path, 0) < config_table_n())
        return assign(r, path, key, node, err);
    if (!config_find_section(path)) {
        config_find_unknown(path, r->c->model.architecture, err);
        return key ? at(r, key->start_mark, err) : -1;
    }
    if (strcmp(path, "optimizer.scheduler") == 0 &&
        node->type == YAML_SCALAR_NODE && !is_null(node)) {
        snprintf(name, sizeof name, "%s.name", path);
        return assign(r, name, key, node, err);
    }
    if (enter(r, path, node, err))
        return key ? at(r, key->start_mark, err) : -1;
    if (is_null(node))
        return 0;
    if (check_node(r, *path ? path : "config", node, err))
        return -1;
    if (node->type != YAML_MAPPING_NODE) {
        err_set(err, ERR_USAGE, "%s: want a mapping, got %s",
                *path ? path : "config", describe(node, got, sizeof got));
        return at(r, node->start_mark, err);
    }
    return walk_section(r, path, node, err);
}

/* Puts the parser's own complaint into err; returns -1. */
static int bad_yaml(const struct reader *r, const yaml_parser_t *parser,
                    struct err *err)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return err_set(err, ERR_FAILED, "out of memory");
    err_set(err, ERR_USAGE, "not YAML: %s%s%s",
            parser->problem ? parser->problem : "cannot be parsed",
            parser->context ? ", " : "",
            parser->context ? parser->context : "");
    if (parser->error == YAML_READER_ERROR) {
        err_prefix(err, "%s: byte %zu", r->file ? r->file : r->root,
                   parser->problem_offset);
        return -1;
    }
    return at_text(r, parser->problem_mark, err);
}

/* Checks that a document is the last one. */
static int check_last(const struct reader *r, yaml_parser_t *parser,
                      struct err *err)
{
    yaml_document_t next;
    yaml_node_t *root;
    yaml_mark_t mark;

    if (!yaml_parser_load(parser, &next))
        return bad_yaml(r, parser, err);
    root = yaml_document_get_root_node(&next);
    mark = root ? root->start_mark : next.start_mark;
    yaml_document_delete(&next);
    if (!root)
        return 0;
    err_set(err, ERR_USAGE, "a second YAML document; want one");
    return at_text(r, mark, err);
}

/* How deep an event leads: 1 into a list or mapping, -1 out of one. */
static int step_of(yaml_event_type_t type)
{
    if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
        return 1;
    if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT)
        return -1;
    return 0;
}

/*
 * Refuses text nested too deep or too long for a config, event by event:
 * libyaml's time grows with the square of the depth, ours with that of the
 * nodes. What is no YAML is left to the reading proper.
 */
static int check_extent(const struct reader *r, const char *text, size_t len,
                        struct err *err)
{
    int depth = 0, nodes = 0;
    yaml_parser_t parser;
    yaml_event_t event;
    yaml_mark_t mark = {0};
    bool last = false;

    if (!yaml_parser_initialize(&parser))
        return err_set(err, ERR_FAILED, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (!last && depth <= MAX_DEPTH && nodes <= MAX_NODES &&
           yaml_parser_parse(&parser, &event)) {
        depth += step_of(event.type);
        nodes++;
        mark = event.start_mark;
        last = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (depth > MAX_DEPTH)
        err_set(err, ERR_USAGE, "nested over %d levels deep, no config",
                MAX_DEPTH);
    else if (nodes > MAX_NODES)
        err_set(err, ERR_USAGE, "over %d values, no config", MAX_NODES);
    if (depth > MAX_DEPTH || nodes > MAX_NODES)
        at_text(r, mark, err);
    yaml_parser_delete(&parser);
    return depth > MAX_DEPTH || nodes > MAX_NODES ? -1 : 0;
}

/* Reads YAML text as what stands at a path. */
static int read_yaml(struct config *c, const char *file, const char *path,
                     const char *text, size_t len, struct err *err)
{
    struct reader r = {.c = c, .file = file, .root = path};
    yaml_parser_t parser;
    yaml_document_t doc;
    yaml_node_t empty = {.type = YAML_SCALAR_NODE};
    yaml_node_t *root;
    int bad = -1;

    if (check_extent(&r, text, len, err))
        return -1;
    if (!yaml_parser_initialize(&parser))
        return err_set(err, ERR_FAILED, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &doc)) {
        bad_yaml(&r, &parser, err);
        yaml_parser_delete(&parser);
        return -1;
    }
    r.doc = &doc;
    root = yaml_document_get_root_node(&doc);
    empty.data.scalar.value = (yaml_char_t *)"";
    empty.data.scalar.style = YAML_PLAIN_SCALAR_STYLE;
    r.seen = mem_alloc(config_table_n(), sizeof *r.seen, err);
    if (r.seen && !(root && check_last(&r, &parser, err)))
        bad = walk(&r, path, NULL, root ? root : &empty, err);
    free(r.seen);
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return bad;
}

/* A whole file as text; caller releases. */
static int read_file(const char *path, struct buf *text, struct err *err)
{
    char block[8192];
    FILE *f = fopen(path, "rb");
    size_t n;
    int bad = 0;

    if (!f)
        return err_errno(err, "%s", path);
    errno = 0;
    while ((n = fread(block, 1, sizeof block, f)) > 0 && text->len <= MAX_FILE)
        buf_put(text, block, n);
    if (ferror(f))
        bad = err_errno(err, "%s", path);
    else if (text->len > MAX_FILE)
        bad = err_set(err, ERR_USAGE, "%s: over %d bytes, no config", path,
                      MAX_FILE);
    fclose(f);
    return bad ? bad : buf_check(text, err);
}

int config_init(struct config *c, struct err *err)
{
    const struct config_row *row;
    size_t i, n = config_table_n();

    memset(c, 0, sizeof *c);
    c->given = mem_alloc(n, sizeof *c->given, err);
    c->places = mem_alloc(n, sizeof *c->places, err);
    if (!c->given || !c->places)
        goto fail;
    for (i = 0; i < n; i++) {
        row = config_table_row(i);
        if (row->scope != CONFIG_SCOPE_DATASET &&
            config_value_default(row, config_table_base(c, row), err))
            goto fail;
    }
    for (i = 0; i < N_KNOWN; i++)
        if (!dataset_add(c, known_datasets[i].name, err))
            goto fail;
    return 0;
fail:
    config_release(c);
    return -1;
}

int config_load(struct config *c, const char *path, struct err *err)
{
    struct buf text = {0};
    char *copy;
    int bad = -1;

    copy = mem_string(path, err);
    if (!copy)
        return -1;
    free(c->path);
    c->path = copy;
    if (read_file(path, &text, err) == 0)
        bad = read_yaml(c, path, "", buf_text(&text), text.len, err);
    buf_release(&text);
    return bad;
}

int config_set(struct config *c, const char *assignment, struct err *err)
{
    char path[CONFIG_PATH_SIZE] = "", child[CONFIG_PATH_SIZE];
    char key[CONFIG_PATH_SIZE];
    const char *equals = strchr(assignment, '=');
    const char *p = assignment;
    size_t len;

    if (!equals)
        return err_set(err, ERR_USAGE, "want KEY=VALUE, got \"%s\"",
                       assignment);
    for (;; p += len + 1) {
        len = strcspn(p, ".=");
        if (len >= sizeof key)
            return err_set(err, ERR_USAGE, "%.60s...: unknown key",
                           assignment);
        memcpy(key, p, len);
        key[len] = '\0';
        if (config_find_child(child, path, key, err))
            return -1;
        strcpy(path, child);
        if (p + len == equals)
            break;
        if (config_find_row(path, 0) < config_table_n())
            return err_set(err, ERR_USAGE,
                           "%s: is a value and has no keys below it", path);
        if (!config_find_section(path))
            return config_find_unknown(path, c->model.architecture, err);
    }
    if (read_yaml(c, NULL, path, equals + 1, strlen(equals + 1), err))
        return -1;
    if (strcmp(path, "model.architecture") == 0)
        c->model_written = true;
    return 0;
}

const struct config_dataset *config_dataset(const struct config *c,
                                            const char *name)
{
    size_t i;

    for (i = 0; i < c->n_datasets; i++)
        if (strcmp(c->datasets[i].name, name) == 0)
            return &c->datasets[i];
    return NULL;
}

void config_release(struct config *c)
{
    const struct config_row *row;
    size_t i, j;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->type == CONFIG_TYPE_IGNORED)
            continue;
        if (row->scope != CONFIG_SCOPE_DATASET)
            config_value_release(row, config_table_base(c, row));
        for (j = 0; row->scope == CONFIG_SCOPE_DATASET && j < c->n_datasets;
             j++)
            config_value_release(row, &c->datasets[j]);
    }
    for (j = 0; j < c->n_datasets; j++)
        free(c->datasets[j].name);
    free(c->datasets);
    free(c->path);
    free(c->given);
    free(c->places);
    buf_release(&c->notes);
    memset(c, 0, sizeof *c);
}

const char *config_architecture_name(enum config_architecture a)
{
    return a == CONFIG_WAVENET ? "wavenet" : "tcn";
}

size_t config_n_keys(void)
{
    return config_table_n();
}

struct config_key config_key_at(size_t i)
{
    const struct config_row *row = config_table_row(i);

    return (struct config_key){
        .path = row->path,
        .type = config_table_type_name(row->type),
        .values = row->values,
        .initial = row->initial,
        .doc = row->doc,
    };
}

const char *config_option_path(const char *option, enum config_half half)
{
    static const char *const prefixes[][2] = {
        [CONFIG_AUDIO_HALF] = {"audio_", ""},
        [CONFIG_EDA_HALF] = {"eda_", ""},
    };
    char path[CONFIG_PATH_SIZE];
    const char *name;
    size_t i, j, row;
    bool own;

    for (i = 0; i < 2; i++) {
        if ((size_t)snprintf(path, sizeof path, "features.%s%s",
                             prefixes[half][i], option) >= sizeof path)
            return NULL;
        for (j = strlen("features."); path[j]; j++)
            if (path[j] == '-')
                path[j] = '_';
        row = config_find_row(path, 0);
        if (row == config_table_n())
            continue;
        name = config_table_name(config_table_row(row));
        own = half == CONFIG_AUDIO_HALF
                  ? strcmp(name, "preset") == 0
                  : strncmp(name, "filter_", strlen("filter_")) == 0;
        if (i == 0 || own)
            return config_table_row(row)->path;
    }
    return NULL;
}
