/*
 * manifest - one recording a line, as JSON: what a2b-index writes and
 * a2b-fetch reads. a2b-manifest(5) is the format.
 */
#ifndef DATASET_MANIFEST_H
#define DATASET_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Longest line that is read, bytes. */
#define MANIFEST_MAX_LINE 1048576u

/* `split` of a recording. */
enum manifest_split {
    MANIFEST_NO_SPLIT, /* the line does not say */
    MANIFEST_TRAIN,
    MANIFEST_VAL,
    MANIFEST_TEST,
    MANIFEST_N_SPLITS
};

/* One recording; {0} is empty. Text is owned, NULL where unknown. */
struct manifest_row {
    char *dataset;             /* word; never NULL in a row that was read */
    char *recording;           /* id, with its dataset part; likewise */
    char *subject;             /* listener */
    char *song;                /* id without its dataset part; likewise */
    enum manifest_split split; /* train, val, test */
    char *audio;               /* path or URI of the song */
    char *eda;                 /* path or URI of the recording file */
    char *eda_column;          /* name of the recording's column there */
    double eda_rate_hz;        /* sampling rate; 0: unknown */
    char *extra;               /* `,"key":value` of all other keys */
};

/* Name of a split: "train", "val", "test"; "" for none. */
const char *manifest_split_name(enum manifest_split split);

/* The split of a name. Returns 0; -1 if it is none. */
int manifest_split_parse(const char *name, enum manifest_split *split);

/*
 * Sets a text field of a row to a copy of value; NULL empties it.
 * Returns 0; -1 with err set when memory is short.
 */
int manifest_set(char **field, const char *value, struct err *err) NODISCARD;

/* Frees the fields; {0} is fine. */
void manifest_row_release(struct manifest_row *row);

/*
 * Reads one line, without its newline, into row (emptied first).
 *
 * dataset, recording and song must be there. Values are text without control
 * characters, eda_rate_hz a positive number.
 * Returns 0; -1 with ERR_DATA, or for an error line with the status and
 * message that it carries, unchanged, and err->upstream set.
 */
int manifest_parse(const char *line, size_t n, struct manifest_row *row,
                   struct err *err) NODISCARD;

/*
 * Appends a row as one line with its newline, keys in the order of the
 * struct, unknown values left out.
 * Returns 0; -1 with ERR_DATA if the line would not read back (no UTF-8,
 * control characters); out is then as it was.
 */
int manifest_put(const struct manifest_row *row, struct buf *out,
                 struct err *err) NODISCARD;

/* Rows being read; {0} is closed. */
struct manifest_in {
    int fd;          /* descriptor, borrowed; -1: text has everything */
    char *name;      /* for messages, owned */
    struct buf text; /* bytes read */
    size_t start;    /* first byte of text not handed out */
    size_t line;     /* number of the line last handed out, from 1 */
    bool at_end;     /* nothing more will come into text */
};

/* Starts reading a descriptor, borrowed. Returns 0; -1 without memory. */
int manifest_open(struct manifest_in *in, int fd, const char *name,
                  struct err *err) NODISCARD;

/* Starts reading n bytes, which are copied. Returns 0; -1 likewise. */
int manifest_open_text(struct manifest_in *in, const char *text, size_t n,
                       const char *name, struct err *err) NODISCARD;

/*
 * The next row.
 *
 * Returns 1 for a row; 0 at the end; -1 with err: ERR_DATA with name and
 * line for a bad line, a last line without its newline, no line at all; the
 * status and message of an error line unchanged; ERR_IO.
 */
int manifest_read(struct manifest_in *in, struct manifest_row *row,
                  struct err *err) NODISCARD;

/* Frees everything; {0} is fine. */
void manifest_close(struct manifest_in *in);

/* A list of rows; {0} is empty. */
struct manifest {
    struct manifest_row *rows; /* n rows, owned */
    size_t n;                  /* how many */
    size_t cap;                /* room in rows */
};

/*
 * Moves a row to the end of the list and empties it.
 * Returns 0; -1 with err set when memory is short, the row is then freed.
 */
int manifest_add(struct manifest *m, struct manifest_row *row,
                 struct err *err) NODISCARD;

/*
 * Sorts the rows by the bytes of dataset, then recording, and drops rows
 * that repeat another exactly.
 *
 * n_repeated: gets how many were dropped
 * Returns 0; -1 with ERR_DATA for two different rows of one recording.
 */
int manifest_sort(struct manifest *m, size_t *n_repeated,
                  struct err *err) NODISCARD;

/* Frees all rows; {0} is fine. */
void manifest_release(struct manifest *m);

#endif
