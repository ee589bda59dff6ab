/*
 * config_value - see config_value.h. Every value, whether from YAML, JSON,
 * --set or the table's own default, passes config_value_set() or
 * config_value_set_list(), so there is one check and one wording.
 */
#include "core/config_value.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/config_scheduler.h"

_Static_assert(sizeof(enum config_norm) == sizeof(unsigned),
               "enums are stored as unsigned int");

/* Longest piece of a rule: a number or a word. */
#define PIECE_SIZE 32
/* Items of the longest default list. */
#define MAX_DEFAULTS 16

/* The address of a row's field. */
static void *field_of(const struct config_row *row, void *base)
{
    return (char *)base + row->offset;
}

/* The same of a config that is only read. */
static const void *field_at(const struct config_row *row, const void *base)
{
    return (const char *)base + row->offset;
}

/* The number of items of a list's row. */
static size_t count_at(const struct config_row *row, const void *base)
{
    size_t n;

    memcpy(&n, (const char *)base + row->count, sizeof n);
    return n;
}

/* Whether a rule allows null. */
static bool is_nullable(const struct config_row *row)
{
    size_t len = strlen(row->values);

    return len > 8 && strcmp(row->values + len - 8, " or null") == 0;
}

const char *config_value_word(const char *values, size_t i, size_t *len)
{
    const char *p = values;
    const char *end = strstr(values, " or ");
    const char *comma;

    if (!end)
        end = values + strlen(values);
    for (;; i--) {
        comma = strstr(p, ", ");
        *len = (size_t)((comma && comma < end ? comma : end) - p);
        if (i == 0)
            return *len > 0 ? p : NULL;
        if (!comma || comma >= end)
            return NULL;
        p = comma + 2;
    }
}

int config_value_word_index(const char *values, const char *text)
{
    const char *word;
    size_t i, len;

    for (i = 0; (word = config_value_word(values, i, &len)); i++)
        if (strlen(text) == len && memcmp(word, text, len) == 0)
            return (int)i;
    return -1;
}

/* The index of the last word of a rule. */
static int last_word(const char *values)
{
    size_t i = 0, len;

    while (config_value_word(values, i + 1, &len))
        i++;
    return (int)i;
}

bool config_value_is_null(const char *text)
{
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

/* YAML 1.1's booleans: 1 true, 0 false, -1 neither. */
static int parse_bool(const char *text)
{
    static const char *const words[] = {
        "false", "no", "off", "False", "No", "Off", "FALSE", "NO", "OFF",
        "true", "yes", "on", "True", "Yes", "On", "TRUE", "YES", "ON"};
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0)
            return i >= sizeof words / sizeof words[0] / 2;
    return -1;
}

/* A decimal integer; 010 is refused, YAML 1.1 would read it as 8. */
static int parse_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-' || *text == '+');

    if (digits[0] == '0' && digits[1])
        return -1;
    return num_parse_int(text, out);
}

/* Splits a rule into its two ends and whether they are excluded. */
static void rule_ends(const char *values, char low[PIECE_SIZE],
                      char high[PIECE_SIZE], bool open[2])
{
    const char *end = strstr(values, " or ");
    const char *dots = strstr(values, "..");
    const char *comma = strstr(values, ", ");
    size_t len = end ? (size_t)(end - values) : strlen(values);
    bool bracket = *values == '[' || *values == '(';
    const char *split = bracket ? comma : dots;
    size_t n;

    assert(split && split < values + len);
    open[0] = bracket && *values == '(';
    open[1] = bracket && values[len - 1] == ')';
    n = (size_t)(split - values) - bracket;
    assert(n < PIECE_SIZE);
    memcpy(low, values + bracket, n);
    low[n] = '\0';
    n = (size_t)(values + len - (split + 2)) - bracket;
    assert(n < PIECE_SIZE);
    memcpy(high, split + 2, n);
    high[n] = '\0';
}

bool config_value_in(const char *values, double value)
{
    char low_text[PIECE_SIZE], high_text[PIECE_SIZE];
    double low = 0, high = 0;
    bool open[2];
    int bad;

    rule_ends(values, low_text, high_text, open);
    bad = num_parse_double(low_text, &low);
    bad |= num_parse_double(high_text, &high);
    assert(!bad);
    (void)bad;
    return (open[0] ? value > low : value >= low) &&
           (open[1] ? value < high : value <= high);
}

/* Whether an integer is inside a rule; exact over all of int64_t. */
static bool int_in(const char *values, int64_t value)
{
    char low_text[PIECE_SIZE], high_text[PIECE_SIZE];
    int64_t low = 0, high = 0;
    bool open[2];
    int bad;

    rule_ends(values, low_text, high_text, open);
    bad = num_parse_int(low_text, &low);
    bad |= num_parse_int(high_text, &high);
    assert(!bad);
    (void)bad;
    return value >= low && value <= high;
}

char *config_value_path(const struct config_row *row, const void *base,
                        char *text, size_t size)
{
    if (row->scope == CONFIG_SCOPE_DATASET)
        snprintf(text, size, "datasets.%s%s",
                 ((const struct config_dataset *)base)->name,
                 row->path + strlen("datasets.*"));
    else
        snprintf(text, size, "%s", row->path);
    return text;
}

/* What a row wants, in words. Returns text. */
static char *wanted(const struct config_row *row, char *text, size_t size)
{
    static const char *const forms[] = {
        [CONFIG_TYPE_INT] = "an integer in %s",
        [CONFIG_TYPE_NUM] = "a number in %s",
        [CONFIG_TYPE_BOOL] = "true or false",
        [CONFIG_TYPE_WORD] = "one of %s",
        [CONFIG_TYPE_FLAG] = "one of %s",
        [CONFIG_TYPE_TEXT] = "%s",
        [CONFIG_TYPE_SIZE] = "a size in bytes such as 10G",
        [CONFIG_TYPE_INTERVAL] = "a number in (0, 1] or an integer from 1",
        [CONFIG_TYPE_WORDS] = "a list out of %s",
        [CONFIG_TYPE_TEXTS] = "a list of %s",
        [CONFIG_TYPE_RATIOS] = "a list of 3 numbers that sum to 1",
        [CONFIG_TYPE_WEIGHTS] = "a mapping of dataset words to numbers in "
                                "(0, 1e9]",
        [CONFIG_TYPE_COUNTS] = "a rising list of integers in %s",
        [CONFIG_TYPE_SCHEDULERS] = "a list of {name: word, parameters}",
        [CONFIG_TYPE_TERMS] = "a list of {name: word, weight: number}, "
                              "words out of %s",
        [CONFIG_TYPE_IGNORED] = "anything",
    };
    const char *form = forms[row->type];
    const char *hole = strstr(form, "%s");

    if (hole)
        snprintf(text, size, "%.*s%s%s", (int)(hole - form), form,
                 row->values, hole + 2);
    else
        snprintf(text, size, "%s", form);
    return text;
}

int config_value_want(const struct config_row *row, const void *base,
                      const char *got, struct err *err)
{
    char path[256], want[512];

    return err_set(err, ERR_USAGE, "%s: want %s, got %s",
                   config_value_path(row, base, path, sizeof path),
                   wanted(row, want, sizeof want), got);
}

/* Says that a scalar is not what a row wants; returns -1. */
static int want_scalar(const struct config_row *row, const void *base,
                       const char *text, bool plain, struct err *err)
{
    bool worded = row->type == CONFIG_TYPE_WORD ||
                  row->type == CONFIG_TYPE_FLAG;
    char got[256];

    if (plain && config_value_is_null(text))
        return config_value_want(row, base, "null", err);
    snprintf(got, sizeof got, "%s\"%s\"",
             plain || worded ? "" : "the text ", text);
    return config_value_want(row, base, got, err);
}

/* Stores an enum. */
static void store_word(void *field, int index)
{
    unsigned value = (unsigned)index;

    memcpy(field, &value, sizeof value);
}

/* Sets a text field; NULL for null. */
static int store_text(void *field, const char *text, struct err *err)
{
    char **slot = field;
    char *copy = NULL;

    if (text && !(copy = mem_string(text, err)))
        return -1;
    free(*slot);
    *slot = copy;
    return 0;
}

/* Sets val_check_interval: 1 is a step, 1.0 an epoch. 0, or -1. */
static int store_interval(struct config_metrics *m, const char *text)
{
    int64_t steps;
    double share;

    if (parse_int(text, &steps) == 0) {
        if (steps < 1 || steps > 1000000000)
            return -1;
        m->val_check_interval = (double)steps;
        m->val_check_steps = true;
        return 0;
    }
    if (num_parse_double(text, &share) || !(share > 0) || share > 1)
        return -1;
    m->val_check_interval = share;
    m->val_check_steps = false;
    return 0;
}

/* Stores null where a rule allows it. */
static int store_null(const struct config_row *row, void *field,
                      struct err *err)
{
    int64_t none = 0;
    double zero = 0;

    if (row->type == CONFIG_TYPE_TEXT)
        return store_text(field, NULL, err);
    if (row->type == CONFIG_TYPE_INT)
        memcpy(field, &none, sizeof none);
    else
        memcpy(field, &zero, sizeof zero);
    return 0;
}

/* Stores a number or a boolean written plain. Returns 0, or -1: not one. */
static int store_plain(const struct config_row *row, void *field,
                       const char *text)
{
    int64_t integer;
    double number;
    int truth;

    switch (row->type) {
    case CONFIG_TYPE_INT:
        if (parse_int(text, &integer) || !int_in(row->values, integer))
            return -1;
        memcpy(field, &integer, sizeof integer);
        return 0;
    case CONFIG_TYPE_NUM:
        if (num_parse_double(text, &number) || !isfinite(number) ||
            !config_value_in(row->values, number))
            return -1;
        number += 0.0; /* -0 is 0 */
        memcpy(field, &number, sizeof number);
        return 0;
    case CONFIG_TYPE_BOOL:
        if ((truth = parse_bool(text)) < 0)
            return -1;
        *(bool *)field = truth;
        return 0;
    default:
        assert(row->type == CONFIG_TYPE_INTERVAL);
        return store_interval(field, text);
    }
}

/* Stores a word. Returns 0, or -1: not one of the rule's. */
static int store_of_words(const struct config_row *row, void *field,
                          const char *text, bool plain)
{
    int index = config_value_word_index(row->values, text);
    int truth = plain ? parse_bool(text) : -1;

    if (index < 0 && truth >= 0 && strstr(row->values, " or boolean"))
        index = truth ? 0 : last_word(row->values);
    if (index < 0)
        return -1;
    if (row->type == CONFIG_TYPE_FLAG)
        *(bool *)field = index != 0;
    else
        store_word(field, index);
    return 0;
}

int config_value_set(const struct config_row *row, void *base,
                     const char *text, bool plain, struct err *err)
{
    void *field = field_of(row, base);
    int64_t size;
    int bad = -1;

    if (plain && config_value_is_null(text)) {
        if (is_nullable(row))
            return store_null(row, field, err);
        return want_scalar(row, base, text, plain, err);
    }
    switch (row->type) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_NUM:
    case CONFIG_TYPE_BOOL:
    case CONFIG_TYPE_INTERVAL:
        bad = plain ? store_plain(row, field, text) : -1;
        break;
    case CONFIG_TYPE_WORD:
    case CONFIG_TYPE_FLAG:
        bad = store_of_words(row, field, text, plain);
        break;
    case CONFIG_TYPE_TEXT:
        return store_text(field, text, err);
    case CONFIG_TYPE_SIZE:
        if ((bad = num_parse_size(text, &size)) == 0)
            memcpy(field, &size, sizeof size);
        break;
    case CONFIG_TYPE_WORDS:
    case CONFIG_TYPE_TEXTS:
    case CONFIG_TYPE_RATIOS:
    case CONFIG_TYPE_WEIGHTS:
    case CONFIG_TYPE_COUNTS:
    case CONFIG_TYPE_SCHEDULERS:
    case CONFIG_TYPE_TERMS:
        break;
    case CONFIG_TYPE_IGNORED:
        return 0;
    }
    return bad ? want_scalar(row, base, text, plain, err) : 0;
}

int config_value_set_json(const struct config_row *row, void *base,
                          const struct json *value, struct err *err)
{
    char number[NUM_SIZE];
    const char *text = NULL;
    int64_t integer;
    int bad;

    switch (json_kind(value)) {
    case JSON_KIND_NULL:
        text = "null";
        break;
    case JSON_KIND_BOOL:
        text = json_bool(value, false) ? "true" : "false";
        break;
    case JSON_KIND_NUMBER:
        text = number;
        if (json_int(value, &integer) == 0)
            snprintf(number, sizeof number, "%lld", (long long)integer);
        else
            num_double(number, json_num(value, 0));
        break;
    case JSON_KIND_TEXT:
        bad = config_value_set(row, base, json_text(value), false, err);
        goto out;
    case JSON_KIND_LIST:
    case JSON_KIND_MAP:
        bad = config_value_want(row, base, "a list or an object", err);
        goto out;
    }
    bad = config_value_set(row, base, text, true, err);
out:
    if (bad)
        err->status = ERR_DATA;
    return bad;
}

/* Frees a list of texts. */
static void free_list(char **list, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

int config_value_set_list(const struct config_row *row, void *base,
                          const char *const *texts, size_t n,
                          struct err *err)
{
    char **copy;
    size_t i;

    for (i = 0; i < n && row->type == CONFIG_TYPE_WORDS; i++)
        if (config_value_word_index(row->values, texts[i]) < 0)
            return want_scalar(row, base, texts[i], true, err);
    copy = mem_alloc(n, sizeof *copy, err);
    if (!copy)
        return -1;
    for (i = 0; i < n; i++)
        if (!(copy[i] = mem_string(texts[i], err))) {
            free_list(copy, i);
            return -1;
        }
    config_value_release(row, base);
    *(char ***)field_of(row, base) = copy;
    memcpy((char *)base + row->count, &n, sizeof n);
    return 0;
}

/* Cuts "[a, b]" into its items; only for the table's own defaults. */
static size_t split(char *text, const char *items[MAX_DEFAULTS])
{
    size_t n = 0;
    char *p = text + 1, *comma;

    assert(*text == '[');
    text[strlen(text) - 1] = '\0';
    for (; *p; p = comma + 2) {
        assert(n < MAX_DEFAULTS);
        items[n++] = p;
        comma = strstr(p, ", ");
        if (!comma)
            break;
        *comma = '\0';
    }
    return n;
}

/* Sets a list of integers of the table's default. */
static int default_counts(const struct config_row *row, void *base,
                          struct err *err)
{
    const char *items[MAX_DEFAULTS];
    int64_t *list;
    char text[64];
    size_t i, n;
    int bad = 0;

    assert(strlen(row->initial) < sizeof text);
    strcpy(text, row->initial);
    n = split(text, items);
    list = n ? mem_alloc(n, sizeof *list, err) : NULL;
    if (n && !list)
        return -1;
    for (i = 0; i < n; i++)
        bad |= num_parse_int(items[i], &list[i]);
    assert(!bad);
    config_value_release(row, base);
    *(int64_t **)field_of(row, base) = list;
    memcpy((char *)base + row->count, &n, sizeof n);
    return bad;
}

/* Sets a list of the table's default; three numbers or any texts. */
static int default_list(const struct config_row *row, void *base,
                        struct err *err)
{
    const char *items[MAX_DEFAULTS];
    char text[256];
    double *ratios = field_of(row, base);
    size_t i, n;
    int bad = 0;

    assert(strlen(row->initial) < sizeof text);
    strcpy(text, row->initial);
    n = split(text, items);
    if (row->type != CONFIG_TYPE_RATIOS)
        return config_value_set_list(row, base, items, n, err);
    assert(n == 3);
    for (i = 0; i < 3; i++)
        bad |= num_parse_double(items[i], &ratios[i]);
    assert(!bad);
    return bad;
}

int config_value_default(const struct config_row *row, void *base,
                         struct err *err)
{
    switch (row->type) {
    case CONFIG_TYPE_WORDS:
    case CONFIG_TYPE_TEXTS:
    case CONFIG_TYPE_RATIOS:
        return default_list(row, base, err);
    case CONFIG_TYPE_COUNTS:
        return default_counts(row, base, err);
    case CONFIG_TYPE_WEIGHTS:
    case CONFIG_TYPE_SCHEDULERS:
    case CONFIG_TYPE_TERMS:
        config_value_release(row, base);
        return 0;
    default:
        return config_value_set(row, base, row->initial, true, err);
    }
}

/* Frees the parts of a scheduler; a part has none of its own. */
static void release_parts(struct config_scheduler *s)
{
    size_t i;

    for (i = 0; i < s->n_schedulers; i++)
        free(s->schedulers[i].milestones);
    free(s->schedulers);
    s->schedulers = NULL;
    s->n_schedulers = 0;
}

void config_value_release(const struct config_row *row, void *base)
{
    void *field = field_of(row, base);
    struct config *c = base;
    size_t none = 0;

    switch (row->type) {
    case CONFIG_TYPE_TEXT:
        free(*(char **)field);
        *(char **)field = NULL;
        break;
    case CONFIG_TYPE_WEIGHTS:
        free(c->data.weights);
        c->data.weights = NULL;
        /* fall through */
    case CONFIG_TYPE_WORDS:
    case CONFIG_TYPE_TEXTS:
        free_list(*(char ***)field, count_at(row, base));
        *(char ***)field = NULL;
        memcpy((char *)base + row->count, &none, sizeof none);
        break;
    case CONFIG_TYPE_COUNTS:
        free(*(int64_t **)field);
        *(int64_t **)field = NULL;
        memcpy((char *)base + row->count, &none, sizeof none);
        break;
    case CONFIG_TYPE_SCHEDULERS:
        release_parts(base);
        break;
    case CONFIG_TYPE_TERMS:
        free(c->loss.terms);
        c->loss.terms = NULL;
        c->loss.n_terms = 0;
        break;
    default:
        break;
    }
}

/* The bytes of one UTF-8 character and its code point; 1 if it is broken. */
static size_t utf8(const unsigned char *p, unsigned *code)
{
    size_t n = *p < 0xc0 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    size_t i;

    *code = n == 1 ? *p : *p & (0xffu >> (n + 1));
    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        *code = *code << 6 | (p[i] & 0x3fu);
    }
    return n;
}

/* Whether a YAML reader takes a character as it is between quotes. */
static bool is_printable(unsigned code)
{
    return (code >= 0x20 && code < 0x7f) ||
           (code >= 0xa0 && code < 0xd800 && code != 0x2028 &&
            code != 0x2029) ||
           (code >= 0xe000 && code < 0xfffe && code != 0xfeff) ||
           (code >= 0x10000 && code < 0x110000);
}

/* Appends text between double quotes, YAML's escapes where needed. */
static void put_quoted(struct buf *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned code;
    size_t n;

    buf_puts(out, "\"");
    for (; *p; p += n) {
        n = utf8(p, &code);
        if (*p == '"' || *p == '\\')
            buf_printf(out, "\\%c", *p);
        else if (is_printable(code))
            buf_put(out, p, n);
        else
            buf_printf(out, code < 0x100 ? "\\x%02X" : "\\u%04X", code);
    }
    buf_puts(out, "\"");
}

/* Whether text can stand unquoted and reads back as text anywhere. */
static bool is_plain(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char also[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-./";
    double number;

    if (!*text || !strchr(letters, *text) ||
        strspn(text, also) != strlen(text))
        return false;
    return !config_value_is_null(text) && parse_bool(text) < 0 &&
           num_parse_double(text, &number) && strcmp(text, "y") != 0 &&
           strcmp(text, "n") != 0 && strcmp(text, "Y") != 0 &&
           strcmp(text, "N") != 0;
}

void config_value_put_text(struct buf *out, const char *text)
{
    if (is_plain(text))
        buf_puts(out, text);
    else
        put_quoted(out, text);
}

/* Appends a number as YAML: 1e-05 gets a point, as YAML 1.1 readers want. */
static void put_yaml_num(struct buf *out, double value)
{
    char text[NUM_SIZE];
    const char *e;

    num_double(text, value);
    e = strchr(text, 'e');
    if (!e || strchr(text, '.'))
        buf_puts(out, text);
    else
        buf_printf(out, "%.*s.0%s", (int)(e - text), text, e);
}

/* Appends a number in a format. */
static void put_num(struct buf *out, enum config_format format, double value)
{
    char text[NUM_SIZE];

    if (format == CONFIG_FORMAT_YAML)
        put_yaml_num(out, value);
    else if (format == CONFIG_FORMAT_JSON)
        json_put_num(out, value);
    else
        buf_puts(out, num_double(text, value));
}

/* Appends text in a format. */
static void put_string(struct buf *out, enum config_format format,
                       const char *text)
{
    if (!text)
        buf_puts(out, "null");
    else if (format == CONFIG_FORMAT_YAML)
        config_value_put_text(out, text);
    else if (format == CONFIG_FORMAT_JSON)
        json_put_text(out, text);
    else
        buf_puts(out, text);
}

/* Appends word i of a row in a format. */
static void put_word(struct buf *out, enum config_format format,
                     const struct config_row *row, size_t i)
{
    size_t len = 0;
    const char *word = config_value_word(row->values, i, &len);
    const char *quote = format == CONFIG_FORMAT_JSON ? "\"" : "";

    assert(word);
    buf_printf(out, "%s%.*s%s", quote, (int)len, word, quote);
}

/* Appends bytes with the largest unit that divides them. */
static void put_size(struct buf *out, int64_t size)
{
    static const char units[] = "KMGT";
    int i = -1;

    while (size > 0 && size % 1024 == 0 && i < 3) {
        size /= 1024;
        i++;
    }
    buf_printf(out, "%lld", (long long)size);
    if (i >= 0)
        buf_put(out, &units[i], 1);
}

/* Appends the terms of a custom loss; others have none of their own. */
static void put_terms(struct buf *out, const struct config_row *row,
                      const struct config_loss *loss)
{
    size_t i;

    buf_puts(out, "[");
    for (i = 0; loss->name == CONFIG_LOSS_CUSTOM && i < loss->n_terms; i++) {
        buf_puts(out, i ? ", {name: " : "{name: ");
        put_word(out, CONFIG_FORMAT_YAML, row, loss->terms[i].name);
        buf_puts(out, ", weight: ");
        put_yaml_num(out, loss->terms[i].weight);
        buf_puts(out, "}");
    }
    buf_puts(out, "]");
}

/* Appends a list of integers. */
static void put_counts(struct buf *out, const int64_t *list, size_t n)
{
    size_t i;

    buf_puts(out, "[");
    for (i = 0; i < n; i++)
        buf_printf(out, "%s%lld", i ? ", " : "", (long long)list[i]);
    buf_puts(out, "]");
}

/* Appends the parts of a scheduler, each with all of its parameters. */
static void put_parts(struct buf *out, const struct config_scheduler *s)
{
    const struct config_row *row;
    size_t i, k, n;

    buf_puts(out, "[");
    for (i = 0; i < s->n_schedulers; i++) {
        buf_puts(out, i ? ", {" : "{");
        for (k = n = 0; k < config_table_n(); k++) {
            row = config_table_row(k);
            if (row->scope != CONFIG_SCOPE_SCHEDULER ||
                !config_scheduler_part_has(s->schedulers[i].name, row))
                continue;
            buf_printf(out, "%s%s: ", n++ ? ", " : "",
                       config_table_name(row));
            config_value_put(row, &s->schedulers[i], CONFIG_FORMAT_YAML, out);
        }
        buf_puts(out, "}");
    }
    buf_puts(out, "]");
}

/* Appends sampling_weights. */
static void put_weights(struct buf *out, const struct config_data *data)
{
    size_t i;

    buf_puts(out, "{");
    for (i = 0; i < data->n_weights; i++) {
        buf_puts(out, i ? ", " : "");
        config_value_put_text(out, data->weight_names[i]);
        buf_puts(out, ": ");
        put_yaml_num(out, data->weights[i]);
    }
    buf_puts(out, "}");
}

/* Appends a list of texts. */
static void put_list(struct buf *out, char *const *list, size_t n)
{
    size_t i;

    buf_puts(out, "[");
    for (i = 0; i < n; i++) {
        buf_puts(out, i ? ", " : "");
        config_value_put_text(out, list[i]);
    }
    buf_puts(out, "]");
}

/* Appends val_check_interval; 1.0 keeps its point. */
static void put_interval(struct buf *out, const struct config_metrics *m)
{
    if (m->val_check_steps)
        buf_printf(out, "%lld", (long long)m->val_check_interval);
    else if (m->val_check_interval == 1)
        buf_puts(out, "1.0");
    else
        put_yaml_num(out, m->val_check_interval);
}

/* Appends the values of the types that are lists or mappings. */
static void put_compound(const struct config_row *row, const void *base,
                         struct buf *out)
{
    const void *field = field_at(row, base);
    const double *ratios = field;
    int i;

    switch (row->type) {
    case CONFIG_TYPE_RATIOS:
        for (i = 0; i < 3; i++) {
            buf_puts(out, i ? ", " : "[");
            put_yaml_num(out, ratios[i]);
        }
        buf_puts(out, "]");
        break;
    case CONFIG_TYPE_WEIGHTS:
        put_weights(out, &((const struct config *)base)->data);
        break;
    case CONFIG_TYPE_COUNTS:
        put_counts(out, *(int64_t *const *)field, count_at(row, base));
        break;
    case CONFIG_TYPE_SCHEDULERS:
        put_parts(out, base);
        break;
    case CONFIG_TYPE_TERMS:
        put_terms(out, row, &((const struct config *)base)->loss);
        break;
    default:
        put_list(out, *(char *const *const *)field, count_at(row, base));
        break;
    }
}

void config_value_put(const struct config_row *row, const void *base,
                      enum config_format format, struct buf *out)
{
    const void *field = field_at(row, base);
    int64_t integer;
    double number;
    unsigned word;

    switch (row->type) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SIZE:
        memcpy(&integer, field, sizeof integer);
        if (row->type == CONFIG_TYPE_SIZE)
            put_size(out, integer);
        else if (integer == 0 && is_nullable(row))
            buf_puts(out, "null");
        else
            buf_printf(out, "%lld", (long long)integer);
        break;
    case CONFIG_TYPE_NUM:
        memcpy(&number, field, sizeof number);
        if (number == 0 && is_nullable(row))
            buf_puts(out, "null");
        else
            put_num(out, format, number);
        break;
    case CONFIG_TYPE_BOOL:
        buf_puts(out, *(const bool *)field ? "true" : "false");
        break;
    case CONFIG_TYPE_WORD:
        memcpy(&word, field, sizeof word);
        put_word(out, format, row, word);
        break;
    case CONFIG_TYPE_FLAG:
        put_word(out, format, row, *(const bool *)field);
        break;
    case CONFIG_TYPE_TEXT:
        put_string(out, format, *(char *const *)field);
        break;
    case CONFIG_TYPE_INTERVAL:
        put_interval(out, field);
        break;
    default:
        put_compound(row, base, out);
        break;
    }
}
