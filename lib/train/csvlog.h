/*
 * csvlog - the lines of metrics.jsonl as a table, metrics.csv.
 *
 * The columns are the same in every run: step, epoch, split, loss, lr,
 * grad_norm, then every metric there is. A field is empty where the line has
 * no such number, and nan where it is undefined. Like the event file it is a
 * function of the lines, so that a resumed run writes it anew.
 */
#ifndef TRAIN_CSVLOG_H
#define TRAIN_CSVLOG_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Its name in a run folder. */
#define CSVLOG_NAME "metrics.csv"

/* Appends the row of column names. */
void csvlog_put_head(struct buf *out);

/* Appends the row of one line of n bytes; ERR_DATA if it is no JSON. */
int csvlog_put_line(struct buf *out, const char *line, size_t n,
                    struct err *err) NODISCARD;

#endif
