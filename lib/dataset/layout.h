/*
 * layout - what the listings of the known datasets have in common: their
 * tables, their names and what they say about what is left out.
 */
#ifndef DATASET_LAYOUT_H
#define DATASET_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "dataset/dataset.h"
#include "signal/csv.h"

/* Tells the source's watcher "ROOT: WHAT ID: WHY". */
void layout_leave_out(const struct dataset_source *source, const char *what,
                      const char *id, const char *why);

/* Whether an id can be part of a recording's id and of a file name. */
bool layout_good_id(const char *id);

/* Who takes the rows of a table. */
struct layout_visitor {
    /*
     * Takes one row. at: index of each named column. Returns 0; -1 with
     * ERR_DATA for a row that makes no sense, which is a bad item, or with
     * another status to give up.
     */
    int (*row)(void *ctx, const struct csv *csv, const size_t *at,
               struct err *err);
    void *ctx; /* handed to row */
};

/*
 * Reads a table whose first row names its columns.
 *
 * columns: n names, 8 at most, found whatever their case
 * A row with too few fields is a bad item, an empty line is passed over.
 * Returns 0; -1 with err set: ERR_DATA for a column that is not there, or
 * what the store says about the file.
 */
int layout_table(const struct dataset_source *source, const char *uri,
                 const char *const *columns, size_t n,
                 const struct layout_visitor *visitor,
                 struct err *err) NODISCARD;

#endif
