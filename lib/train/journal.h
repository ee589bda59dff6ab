/*
 * journal - metrics.jsonl: one JSON object a line, written at once, so that
 * a killed run has lost none; and the same numbers for TensorBoard and as a
 * table.
 *
 *   {"step":10,"epoch":0,"split":"train","loss":0.9,"lr":0.001,
 *    "grad_norm":1.2}
 *   {"step":20,"epoch":0,"split":"val","loss":0.8,"mse":0.8,...}
 *
 * Nothing that differs between two equal runs: no clock. null is "not a
 * number" or undefined.
 */
#ifndef TRAIN_JOURNAL_H
#define TRAIN_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* A file that only grows. */
struct journal_file {
    int fd;             /* its end; meaningful when path is set */
    char *path;         /* owned */
    struct buf waiting; /* what a full disk did not take yet */
};

/* An open journal; {0} is none. */
struct journal {
    struct journal_file lines;  /* metrics.jsonl */
    struct journal_file events; /* TFEVENTS_NAME */
    struct journal_file table;  /* CSVLOG_NAME */
};

/*
 * Opens the journal of a run folder and cuts it behind a step.
 *
 * step:     lines of later steps go; 0 empties it
 * validate: lines of a validation at that very step go too, it is to be
 *           done again
 */
int journal_open(struct journal *j, const char *run, uint64_t step,
                 bool validate, struct err *err) NODISCARD;

/*
 * Appends one line, with its newline, in one write. What a full disk does not
 * take waits in memory, and comes before the next line.
 */
int journal_put(struct journal *j, const struct buf *line,
                struct err *err) NODISCARD;

/*
 * Makes it durable: before a checkpoint that counts on its lines. -1 with
 * err->no_space while there is no room for lines that wait.
 */
int journal_sync(struct journal *j, struct err *err) NODISCARD;

/* Closes it; {0} is fine. */
void journal_close(struct journal *j);

#endif
