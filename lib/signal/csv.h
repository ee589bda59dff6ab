/*
 * csv - rows of comma-separated text (RFC 4180), and electrodermal
 * recordings in the two layouts of the known datasets.
 *
 * Everything is parsed from bytes in memory. Numbers have a decimal point
 * whatever the locale is. Errors name file, line, column and what was wanted.
 */
#ifndef SIGNAL_CSV_H
#define SIGNAL_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* A reader of rows; {0} is none. */
struct csv {
    const char *bytes;  /* n bytes, borrowed until release */
    size_t n;           /* bytes */
    size_t pos;         /* first byte that was not read yet */
    size_t next_line;   /* line that starts at pos, from 1 */
    size_t line;        /* line where the current row began */
    const char *name;   /* file name for messages, borrowed until release */
    char separator;     /* between fields: ',' from csv_init() on */
    struct buf text;    /* fields of the current row, each NUL-terminated */
    size_t *fields;     /* n_fields offsets into text, owned */
    size_t n_fields;    /* fields of the current row */
    size_t fields_cap;  /* room in fields */
};

/*
 * Starts reading. A byte order mark is skipped, and so are leading lines
 * that begin with '#' if comments is true.
 */
void csv_init(struct csv *c, const char *bytes, size_t n, const char *name,
              bool comments);

/*
 * Reads the next row into c->fields.
 *
 * Fields may be quoted ("" is a quote) and then hold commas and newlines;
 * LF, CRLF and CR end a row. An empty line is a row of one empty field.
 * Returns 1 for a row, 0 at the end; -1 with ERR_DATA for an open quote,
 * text behind a closing quote, a NUL byte.
 */
int csv_row(struct csv *c, struct err *err) NODISCARD;

/* Field i of the current row, i < n_fields; valid until the next row. */
const char *csv_field(const struct csv *c, size_t i);

/* Index of the first field that equals text; c->n_fields if none does. */
size_t csv_find(const struct csv *c, const char *text);

/* Frees what the reader allocated; {0} is fine. */
void csv_release(struct csv *c);

/* An electrodermal recording file: columns of numbers, perhaps a time. */
struct csv_eda {
    bool decimal_comma; /* the caller's: cells like 0,5 between semicolons */
    bool has_header;   /* the columns had names */
    bool has_time;     /* time is known */
    double rate_hz;    /* rate the file itself states; 0: none */
    size_t n_rows;     /* rows of numbers */
    size_t n_columns;  /* signals, the time column not counted */
    double *time_s;    /* (n_rows) seconds, not falling; owned */
    double *values;    /* (n_columns, n_rows), NaN where missing; owned */
    struct buf text;   /* names, each NUL-terminated */
    size_t *names;     /* n_columns offsets into text, owned */
    size_t *lines;     /* (n_rows) line of each row in the file, owned */
    size_t time_cap, values_cap, names_cap, lines_cap; /* room, items */
};

/*
 * Parses a recording file.
 *
 * With a header: comma-separated names; the first column is the time if it
 * is called `time` or `time(s)`. Without: one number a line, column `1`;
 * a first number over 1e9 is the start time of an Empatica export, the
 * second its rate in Hz. Lines beginning with '#' at the top are comments;
 * an empty cell and `nan` are missing values; numbers beyond 1e30 are none.
 * With e->decimal_comma, which stays as the caller set it, semicolons stand
 * between columns and a comma before decimals; a point is an error then.
 *
 * e: reused, or {0}; name: for messages
 * Returns 0; -1 with ERR_DATA naming line and column.
 */
int csv_eda_parse(struct csv_eda *e, const char *bytes, size_t n,
                  const char *name, struct err *err) NODISCARD;

/* Name of column i. */
const char *csv_eda_name(const struct csv_eda *e, size_t i);

/*
 * The column of a subject.
 *
 * An equal name comes first; else an id of 6 digits may have a prefix in the
 * file (`S_100083`). id NULL: the only column there is.
 * Returns 0 with *column; -1 with ERR_DATA if none or several match.
 */
int csv_eda_column(const struct csv_eda *e, const char *id,
                   const char *name, size_t *column,
                   struct err *err) NODISCARD;

/* Frees everything; {0} is fine. */
void csv_eda_release(struct csv_eda *e);

#endif
