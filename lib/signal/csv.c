/*
 * csv - RFC 4180 rows, and on top of them the two layouts of electrodermal
 * recordings:
 *
 *   time(s),100083,100081     PMEmo2019: seconds, then a column per subject
 *   0.00,0.9157,-0.8893
 *   0.02,,-0.9063             an empty cell is a missing value
 *
 *   0.259814                  HKU956: one number a line, nothing else
 *   0.262376
 *
 * A first row of numbers means there is no header. Values are kept column by
 * column, because a caller wants one subject at a time.
 */
#include "signal/csv.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"

/* Longest text that is still a number. */
#define CSV_NUMBER_SIZE 64

/* No signal is larger; squares and sums of such numbers stay finite. */
#define CSV_LARGEST 1e30

/* First values above this are the clock time of an Empatica export. */
#define CSV_CLOCK_MIN 1e9

void csv_init(struct csv *c, const char *bytes, size_t n, const char *name,
              bool comments)
{
    const char *end;

    csv_release(c);
    *c = (struct csv){.bytes = bytes, .n = n, .next_line = 1, .name = name,
                      .separator = ','};
    if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        c->pos = 3;
    while (comments && c->pos < n && bytes[c->pos] == '#') {
        end = memchr(bytes + c->pos, '\n', n - c->pos);
        c->pos = end ? (size_t)(end - bytes) + 1 : n;
        c->next_line++;
    }
}

/* Steps over a line end at pos. Returns whether there was one. */
static bool skip_newline(struct csv *c)
{
    if (c->pos < c->n && c->bytes[c->pos] == '\r') {
        c->pos++;
        if (c->pos < c->n && c->bytes[c->pos] == '\n')
            c->pos++;
    } else if (c->pos < c->n && c->bytes[c->pos] == '\n') {
        c->pos++;
    } else {
        return false;
    }
    c->next_line++;
    return true;
}

/* Whether a bare field ends at pos. */
static bool at_field_end(const struct csv *c)
{
    return c->pos >= c->n || c->bytes[c->pos] == c->separator ||
           c->bytes[c->pos] == '\r' || c->bytes[c->pos] == '\n';
}

/* Appends a quoted field's text; pos is behind the opening quote. */
static int read_quoted(struct csv *c, struct err *err)
{
    size_t line = c->next_line;
    char b;

    while (c->pos < c->n) {
        b = c->bytes[c->pos++];
        if (b == '"') {
            if (c->pos >= c->n || c->bytes[c->pos] != '"')
                return 0;
            c->pos++;
        }
        c->next_line += b == '\n';
        buf_put(&c->text, &b, 1);
    }
    return err_set(err, ERR_DATA, "%s: line %zu, column %zu: wanted a "
                   "closing quote, got the end of the file", c->name, line,
                   c->n_fields);
}

/* Appends a bare field's text. */
static void read_bare(struct csv *c)
{
    size_t start = c->pos;

    while (!at_field_end(c))
        c->pos++;
    buf_put(&c->text, c->bytes + start, c->pos - start);
}

/* Reads one field and what separates it from the next. */
static int read_field(struct csv *c, struct err *err)
{
    size_t start = c->text.len;
    size_t *fields = mem_grow(c->fields, &c->fields_cap, c->n_fields + 1,
                              sizeof *fields, err);

    if (!fields)
        return -1;
    c->fields = fields;
    c->fields[c->n_fields++] = start;
    if (c->pos < c->n && c->bytes[c->pos] == '"') {
        c->pos++;
        if (read_quoted(c, err))
            return -1;
        if (!at_field_end(c))
            return err_set(err, ERR_DATA, "%s: line %zu, column %zu: wanted "
                           "a %s behind the closing quote, got '%c'",
                           c->name, c->next_line, c->n_fields,
                           c->separator == ';' ? "semicolon" : "comma",
                           c->bytes[c->pos]);
    } else {
        read_bare(c);
    }
    buf_put(&c->text, "", 1);
    if (buf_check(&c->text, err))
        return -1;
    if (strlen(c->text.data + start) != c->text.len - start - 1)
        return err_set(err, ERR_DATA, "%s: line %zu, column %zu: wanted "
                       "text, got a NUL byte", c->name, c->line,
                       c->n_fields);
    return 0;
}

int csv_row(struct csv *c, struct err *err)
{
    if (c->pos >= c->n)
        return 0;
    c->line = c->next_line;
    c->n_fields = 0;
    buf_clear(&c->text);
    for (;;) {
        if (read_field(c, err))
            return -1;
        if (c->pos >= c->n || skip_newline(c))
            return 1;
        c->pos++; /* the separator */
    }
}

const char *csv_field(const struct csv *c, size_t i)
{
    return c->text.data + c->fields[i];
}

size_t csv_find(const struct csv *c, const char *text)
{
    size_t i;

    for (i = 0; i < c->n_fields; i++)
        if (strcmp(csv_field(c, i), text) == 0)
            break;
    return i;
}

void csv_release(struct csv *c)
{
    buf_release(&c->text);
    free(c->fields);
    *c = (struct csv){0};
}

/*
 * A plain decimal of few digits, "-12.3456": the digits and a power of ten
 * are both exact, so that one division rounds as strtod() does (Clinger
 * 1990), in a tenth of the time. Returns whether text is such a one.
 */
static bool parse_plain(const char *text, char point, double *out)
{
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};
    const char *s = text + (*text == '-');
    int n_digits = 0, n_decimals = 0;
    bool behind = false;
    int64_t digits = 0;

    for (; *s; s++) {
        if (*s >= '0' && *s <= '9') {
            digits = 10 * digits + (*s - '0');
            n_decimals += behind;
            if (++n_digits > 14)
                return false;
        } else if (*s == point && !behind && n_digits) {
            behind = true;
        } else {
            return false;
        }
    }
    if (!n_digits || (behind && !n_decimals))
        return false;
    *out = (double)digits / tens[n_decimals];
    if (*text == '-')
        *out = -*out;
    return true;
}

/*
 * Field i of the current row as a number, NaN for a missing one (empty, or
 * nan in any case). Between semicolons the decimals stand behind a comma.
 * Returns 0; -1 if it is anything else.
 */
static int parse_cell(const struct csv *c, size_t i, double *out)
{
    const char *text = csv_field(c, i);
    char copy[CSV_NUMBER_SIZE], *comma;
    size_t n;

    if (parse_plain(text, c->separator == ';' ? ',' : '.', out))
        return 0;
    text += strspn(text, " \t");
    n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    *out = NAN;
    if (n == 0)
        return 0;
    if (n >= sizeof copy)
        return -1;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (strcasecmp(copy, "nan") == 0)
        return 0;
    if (c->separator == ';') {
        if (strchr(copy, '.'))
            return -1;
        comma = strchr(copy, ',');
        if (comma)
            *comma = '.';
    }
    if (num_parse_double(copy, out) || !(fabs(*out) <= CSV_LARGEST))
        return -1;
    return 0;
}

/* Whether the current row, which is not empty, holds numbers only. */
static bool is_numbers(const struct csv *c)
{
    double value;
    size_t i;

    for (i = 0; i < c->n_fields; i++)
        if (parse_cell(c, i, &value))
            return false;
    return true;
}

/* Whether a column of this name holds seconds. */
static bool is_time_name(const char *name)
{
    static const char *const names[] = {"time", "time(s)", "time (s)",
                                        "time_s", "time[s]", "time [s]"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Notes the name of one more column. */
static int add_name(struct csv_eda *e, const char *name, struct err *err)
{
    size_t *names = mem_grow(e->names, &e->names_cap, e->n_columns + 1,
                             sizeof *names, err);

    if (!names)
        return -1;
    e->names = names;
    e->names[e->n_columns++] = e->text.len;
    buf_put(&e->text, name, strlen(name) + 1);
    return buf_check(&e->text, err);
}

/* Takes the names of the columns from the header row. */
static int read_header(struct csv_eda *e, const struct csv *c,
                       struct err *err)
{
    const char *name;
    size_t i;

    e->has_header = true;
    e->has_time = is_time_name(csv_field(c, 0));
    for (i = e->has_time; i < c->n_fields; i++) {
        name = csv_field(c, i);
        if (!*name)
            return err_set(err, ERR_DATA, "%s: line %zu, column %zu: wanted "
                           "%s, got an empty name", c->name, c->line, i + 1,
                           i ? "a subject" : "time(s) or a subject");
        if (i == 0 && strncasecmp(name, "time", 4) == 0)
            return err_set(err, ERR_DATA, "%s: line %zu, column 1: wanted "
                           "time(s), got '%s'", c->name, c->line, name);
        if (add_name(e, name, err))
            return -1;
    }
    if (!e->n_columns)
        return err_set(err, ERR_DATA, "%s: line %zu: wanted a column per "
                       "subject behind the time, got none", c->name,
                       c->line);
    return 0;
}

/* The number in field i; the error names the place. */
static int read_cell(const struct csv *c, size_t i, double *out,
                     struct err *err)
{
    if (parse_cell(c, i, out))
        return err_set(err, ERR_DATA, "%s: line %zu, column %zu: wanted a "
                       "number%s or nothing, got '%.40s'", c->name, c->line,
                       i + 1, c->separator == ';' ? " like 0,5" : "",
                       csv_field(c, i));
    return 0;
}

/* Makes room for one more row. */
static int grow_rows(struct csv_eda *e, struct err *err)
{
    size_t need = e->n_rows + 1;
    double *time_s = mem_grow(e->time_s, &e->time_cap, need, sizeof *time_s,
                              err);
    double *values;
    size_t *lines;

    if (!time_s)
        return -1;
    e->time_s = time_s;
    values = mem_grow(e->values, &e->values_cap, need * e->n_columns,
                      sizeof *values, err);
    if (!values)
        return -1;
    e->values = values;
    lines = mem_grow(e->lines, &e->lines_cap, need, sizeof *lines, err);
    if (!lines)
        return -1;
    e->lines = lines;
    return 0;
}

/* Takes the current row of numbers; values are row by row until the end. */
static int read_numbers(struct csv_eda *e, const struct csv *c,
                        struct err *err)
{
    size_t want = e->n_columns + e->has_time, i;
    double *row;

    if (c->n_fields != want)
        return err_set(err, ERR_DATA, "%s: line %zu: wanted %zu column%s, "
                       "got %zu", c->name, c->line, want,
                       want == 1 ? "" : "s", c->n_fields);
    if (grow_rows(e, err))
        return -1;
    row = e->values + e->n_rows * e->n_columns;
    if (e->has_time) {
        if (read_cell(c, 0, &e->time_s[e->n_rows], err))
            return -1;
        if (isnan(e->time_s[e->n_rows]))
            return err_set(err, ERR_DATA, "%s: line %zu, column 1: wanted a "
                           "time in seconds, got none", c->name, c->line);
        if (e->n_rows && e->time_s[e->n_rows] < e->time_s[e->n_rows - 1])
            return err_set(err, ERR_DATA, "%s: line %zu, column 1: wanted a "
                           "time of at least %g s, got %g s", c->name,
                           c->line, e->time_s[e->n_rows - 1],
                           e->time_s[e->n_rows]);
    }
    for (i = 0; i < e->n_columns; i++)
        if (read_cell(c, i + e->has_time, &row[i], err))
            return -1;
    e->lines[e->n_rows++] = c->line;
    return 0;
}

/* Turns (n_rows, n_columns) into (n_columns, n_rows). */
static int transpose(struct csv_eda *e, struct err *err)
{
    double *columns;
    size_t i, j;

    if (e->n_columns == 1)
        return 0;
    columns = mem_alloc(e->values_cap, sizeof *columns, err);
    if (!columns)
        return -1;
    for (i = 0; i < e->n_rows; i++)
        for (j = 0; j < e->n_columns; j++)
            columns[j * e->n_rows + i] = e->values[i * e->n_columns + j];
    free(e->values);
    e->values = columns;
    return 0;
}

/* Cuts the clock time and the rate off an Empatica export. */
static int take_empatica(struct csv_eda *e, const char *name,
                         struct err *err)
{
    if (e->has_header || e->n_rows < 2 || !(e->values[0] > CSV_CLOCK_MIN))
        return 0;
    if (!(e->values[1] > 0) || e->values[1] > 1e6)
        return err_set(err, ERR_DATA, "%s: line %zu: wanted a rate in Hz "
                       "below the start time, got %g", name, e->lines[1],
                       e->values[1]);
    e->rate_hz = e->values[1];
    e->n_rows -= 2;
    memmove(e->values, e->values + 2, e->n_rows * sizeof *e->values);
    memmove(e->lines, e->lines + 2, e->n_rows * sizeof *e->lines);
    return 0;
}

/* Forgets the file that e held and keeps its memory. */
static void clear(struct csv_eda *e)
{
    e->has_header = e->has_time = false;
    e->rate_hz = 0;
    e->n_rows = e->n_columns = 0;
    buf_clear(&e->text);
}

/* Whether the current row is an empty line. */
static bool is_blank(const struct csv *c)
{
    return c->n_fields == 1 && !*csv_field(c, 0);
}

/*
 * Settles from the first row that is not empty what the columns are.
 * n_blank empty lines before it are missing values of a file without header.
 */
static int read_first(struct csv_eda *e, const struct csv *c, size_t n_blank,
                      struct err *err)
{
    if (!is_numbers(c))
        return read_header(e, c, err);
    if (c->n_fields > 1)
        return err_set(err, ERR_DATA, "%s: line %zu: wanted a header "
                       "(time(s), then subjects) or one number a line, got "
                       "%zu numbers", c->name, c->line, c->n_fields);
    if (add_name(e, "1", err))
        return -1;
    for (; n_blank; n_blank--) {
        if (grow_rows(e, err))
            return -1;
        e->lines[e->n_rows] = c->line - n_blank;
        e->values[e->n_rows++] = NAN;
    }
    return read_numbers(e, c, err);
}

/* All rows; blank lines count as missing only between single numbers. */
static int read_rows(struct csv_eda *e, struct csv *c, struct err *err)
{
    size_t n_solid = 0, n_blank = 0;
    int got;

    while ((got = csv_row(c, err)) > 0) {
        if (is_blank(c) && !e->n_columns) {
            n_blank++;
            continue;
        }
        if (is_blank(c) && e->n_columns + e->has_time > 1)
            continue;
        if (e->n_columns ? read_numbers(e, c, err)
                         : read_first(e, c, n_blank, err))
            return -1;
        if (!is_blank(c))
            n_solid = e->n_rows;
    }
    e->n_rows = n_solid;
    return got;
}

int csv_eda_parse(struct csv_eda *e, const char *bytes, size_t n,
                  const char *name, struct err *err)
{
    struct csv c = {0};
    int result;

    clear(e);
    csv_init(&c, bytes, n, name, true);
    if (e->decimal_comma)
        c.separator = ';';
    result = read_rows(e, &c, err);
    csv_release(&c);
    if (result || take_empatica(e, name, err))
        return -1;
    if (!e->n_rows)
        return err_set(err, ERR_DATA, "%s: wanted rows of numbers, got none",
                       name);
    return transpose(e, err);
}

const char *csv_eda_name(const struct csv_eda *e, size_t i)
{
    return e->text.data + e->names[i];
}

/* Whether id is 6 digits and name is a prefix without digit and id. */
static bool has_prefix(const char *name, const char *id)
{
    size_t n = strlen(name);

    return strlen(id) == 6 && strspn(id, "0123456789") == 6 && n > 6 &&
           !isdigit((unsigned char)name[n - 7]) &&
           strcmp(name + n - 6, id) == 0;
}

int csv_eda_column(const struct csv_eda *e, const char *id,
                   const char *name, size_t *column, struct err *err)
{
    size_t i, exact = 0, prefixed = 0, at_exact = 0, at_prefixed = 0;

    if (!id) {
        *column = 0;
        if (e->n_columns == 1)
            return 0;
        return err_set(err, ERR_DATA, "%s: wanted the name of one of its "
                       "%zu columns, got none", name, e->n_columns);
    }
    for (i = 0; i < e->n_columns; i++) {
        if (strcmp(csv_eda_name(e, i), id) == 0) {
            exact++;
            at_exact = i;
        } else if (has_prefix(csv_eda_name(e, i), id)) {
            prefixed++;
            at_prefixed = i;
        }
    }
    *column = exact ? at_exact : at_prefixed;
    if (exact == 1 || (!exact && prefixed == 1))
        return 0;
    if (exact + prefixed == 0)
        return err_set(err, ERR_DATA, "%s: wanted column '%s', got '%s' and "
                       "%zu more", name, id, csv_eda_name(e, 0),
                       e->n_columns - 1);
    return err_set(err, ERR_DATA, "%s: wanted one column '%s', got %zu",
                   name, id, exact ? exact : prefixed);
}

void csv_eda_release(struct csv_eda *e)
{
    free(e->time_s);
    free(e->values);
    free(e->names);
    free(e->lines);
    buf_release(&e->text);
    *e = (struct csv_eda){0};
}
