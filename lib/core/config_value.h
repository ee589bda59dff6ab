/*
 * config_value - the rows of the table at work: a field set from text, and
 * written as YAML, JSON or bare text. Private to config*.c.
 */
#ifndef CORE_CONFIG_VALUE_H
#define CORE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/config_table.h"
#include "core/json.h"

/* How a value is written. */
enum config_format {
    CONFIG_FORMAT_YAML, /* strings quoted when needed */
    CONFIG_FORMAT_JSON, /* typed */
    CONFIG_FORMAT_TEXT  /* the bare text, for a frame's metadata */
};

/*
 * Word number i of a rule, as a length; NULL beyond the last.
 * Leaves out " or null" and " or boolean".
 */
const char *config_value_word(const char *values, size_t i, size_t *len);

/* Index of a word in a rule; -1 if it has none such. */
int config_value_word_index(const char *values, const char *text);

/* Whether plain (unquoted) YAML text is null: empty, ~, null. */
bool config_value_is_null(const char *text);

/*
 * Sets a row's field from one scalar.
 *
 * base:  the struct of the row's scope
 * plain: the text was not quoted: it may be null, a boolean or a number
 * Returns 0; -1 with "path: want ..., got ..." and ERR_USAGE.
 */
int config_value_set(const struct config_row *row, void *base,
                     const char *text, bool plain,
                     struct err *err) NODISCARD;

/* The same from a JSON value; ERR_DATA. */
int config_value_set_json(const struct config_row *row, void *base,
                          const struct json *value,
                          struct err *err) NODISCARD;

/* Sets a row's field to its default. */
int config_value_default(const struct config_row *row, void *base,
                         struct err *err) NODISCARD;

/* Replaces a list by n copies of texts. */
int config_value_set_list(const struct config_row *row, void *base,
                          const char *const *texts, size_t n,
                          struct err *err) NODISCARD;

/* Frees what a row's field owns. */
void config_value_release(const struct config_row *row, void *base);

/* Sets err to "path: want <rule>, got <got>"; returns -1, ERR_USAGE. */
int config_value_want(const struct config_row *row, const void *base,
                      const char *got, struct err *err);

/* Whether a number is inside a rule such as "0..1", "[0, 1)". */
bool config_value_in(const char *values, double value);

/* The row's path, `*` replaced by the dataset's name. Returns text. */
char *config_value_path(const struct config_row *row, const void *base,
                        char *text, size_t size);

/* Appends a field's value. */
void config_value_put(const struct config_row *row, const void *base,
                      enum config_format format, struct buf *out);

/* Appends text as a YAML scalar, quoted when it needs it. */
void config_value_put_text(struct buf *out, const char *text);

#endif
