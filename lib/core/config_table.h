/*
 * config_table - the one table of config keys. Private to config*.c.
 *
 * The `values` text of a row is its rule, parsed when a value is checked:
 *
 *   integer, size     "1..1024"             both ends allowed
 *   number            "0..1000"             both ends allowed
 *                     "[0, 1)" "(0, 1]"     round brackets exclude the end
 *   word, words       "hann, hann_sym"      index in the list = enum value
 *   any               "... or null"         null is stored as 0 or NULL
 *   word              "... or boolean"      true is the first word, false
 *                                           the last
 */
#ifndef CORE_CONFIG_TABLE_H
#define CORE_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/config.h"

/* What a field holds and how its value is written. */
enum config_type {
    CONFIG_TYPE_INT,      /* int64_t */
    CONFIG_TYPE_NUM,      /* double */
    CONFIG_TYPE_BOOL,     /* bool */
    CONFIG_TYPE_WORD,     /* an enum, index into the words */
    CONFIG_TYPE_FLAG,     /* bool, index into two words */
    CONFIG_TYPE_TEXT,     /* char *, owned */
    CONFIG_TYPE_SIZE,     /* int64_t bytes, written 10G */
    CONFIG_TYPE_INTERVAL, /* struct config_metrics: share or steps */
    CONFIG_TYPE_WORDS,    /* char **, size_t: a list of words */
    CONFIG_TYPE_TEXTS,    /* char **, size_t: a list of texts, or one text */
    CONFIG_TYPE_RATIOS,   /* double[3] */
    CONFIG_TYPE_WEIGHTS,  /* struct config_data: dataset word to number */
    CONFIG_TYPE_COUNTS,   /* int64_t *, size_t: a rising list of integers */
    CONFIG_TYPE_SCHEDULERS, /* struct config_scheduler: its parts */
    CONFIG_TYPE_TERMS,    /* struct config_loss: list of {name, weight} */
    CONFIG_TYPE_IGNORED   /* upstream's key, read by nothing */
};

/* The struct that a row's offset counts from. */
enum config_scope {
    CONFIG_SCOPE_CONFIG,   /* struct config */
    CONFIG_SCOPE_FEATURES, /* struct config_features */
    CONFIG_SCOPE_TCN,      /* struct config_tcn */
    CONFIG_SCOPE_WAVENET,  /* struct config_wavenet */
    CONFIG_SCOPE_SCHEDULER, /* struct config_scheduler */
    CONFIG_SCOPE_DATASET   /* struct config_dataset; `*` in the path */
};

/* One key. */
struct config_row {
    const char *path;    /* "datasets.*.root": `*` stands for any word */
    enum config_type type;   /* what the field holds */
    enum config_scope scope; /* where the field lies */
    size_t offset;       /* of the field in its scope's struct, bytes */
    size_t count;        /* of the field with the list's length, or 0 */
    const char *values;  /* the rule, see the file's comment */
    const char *initial; /* default as YAML */
    bool required;       /* model.params must name it */
    const char *doc;     /* one line with the unit, no full stop */
};

/* Rows of the table. */
size_t config_table_n(void);

/* Row i. */
const struct config_row *config_table_row(size_t i);

/* "integer", "list of words" and so on. */
const char *config_table_type_name(enum config_type type);

/* Index of the row with exactly this path; asserts that there is one. */
size_t config_table_index(const char *path);

/* The row's name: what follows the last dot of its path. */
const char *config_table_name(const struct config_row *row);

/* The struct that a row's offset counts from; not for datasets. */
void *config_table_base(struct config *c, const struct config_row *row);

/* The same of a config that is only read. */
const void *config_table_at(const struct config *c,
                            const struct config_row *row);

#endif
