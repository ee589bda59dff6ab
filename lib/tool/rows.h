/*
 * rows - curves over time as text, a line for every moment: CSV or JSON
 * Lines.
 *
 *   time_s,eda                            {"time_s":0,"eda":0.25}
 *   0,0.25
 *   file,time_s,eda,eda_sd                {"file":"a.wav","time_s":0,
 *   a.wav,0,0.25,0.01                      "eda":0.25,"eda_sd":0.01}
 */
#ifndef TOOL_ROWS_H
#define TOOL_ROWS_H

#include <stdbool.h>

#include "base/buf.h"

/* Which of the two. */
enum rows_format {
    ROWS_CSV, /* a header, then lines; fields quoted where they must be */
    ROWS_JSON /* an object a line */
};

/* Appends the first line, if the format has one. */
void rows_head(struct buf *out, enum rows_format format, bool has_file,
               bool has_sd);

/* Appends what a line of this file begins with; JSON: path is UTF-8 text. */
void rows_file(struct buf *out, enum rows_format format, const char *path);

/*
 * Appends a line.
 *
 * file: from rows_file(), "" for none; sd: the spread, NULL for none
 */
void rows_line(struct buf *out, enum rows_format format, const char *file,
               double time_s, float eda, const float *sd);

#endif
