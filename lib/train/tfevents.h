/*
 * tfevents - the lines of metrics.jsonl as a TensorBoard event file.
 *
 * The file is a function of the lines: a resumed run writes it anew from
 * those that stay. The time of an event is its step, in seconds: no clock.
 */
#ifndef TRAIN_TFEVENTS_H
#define TRAIN_TFEVENTS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Its name in a run folder; TensorBoard looks for "tfevents". */
#define TFEVENTS_NAME "events.out.tfevents.a2b"

/* Appends what every event file begins with. */
void tfevents_put_head(struct buf *out);

/*
 * Appends the event of one line of n bytes: every number of it but step as a
 * scalar split/key ("val/loss"), null as NaN.
 */
int tfevents_put_line(struct buf *out, const char *line, size_t n,
                      struct err *err) NODISCARD;

#endif
