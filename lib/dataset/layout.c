/*
 * layout - what the listings of the known datasets have in common.
 */
#include "dataset/layout.h"

#include <assert.h>
#include <strings.h>

#include "base/buf.h"

/* Most columns of a table that are looked for. */
#define MAX_COLUMNS 8

void layout_leave_out(const struct dataset_source *source, const char *what,
                      const char *id, const char *why)
{
    const struct dataset_watcher *w = source->watcher;
    struct buf line = {0};

    buf_printf(&line, "%s: %s %s: %s", source->root, what, id, why);
    w->left_out(w->ctx, buf_text(&line));
    buf_release(&line);
}

bool layout_good_id(const char *id)
{
    const char *c;

    for (c = id; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/')
            return false;
    }
    return c > id;
}

/* Finds the columns in the first row; at: (n) gets their indices. */
static int find_columns(struct csv *csv, const char *const *columns, size_t n,
                        size_t *at, struct err *err)
{
    int got = csv_row(csv, err);
    size_t i;

    if (got < 0)
        return -1;
    for (i = 0; i < n; i++) {
        size_t n_fields = got ? csv->n_fields : 0;

        for (at[i] = 0; at[i] < n_fields; at[i]++) {
            if (strcasecmp(csv_field(csv, at[i]), columns[i]) == 0)
                break;
        }
        if (at[i] == n_fields)
            return err_set(err, ERR_DATA,
                           "%s: no column \"%s\" in the first row", csv->name,
                           columns[i]);
    }
    return 0;
}

/* Hands one row on; one that makes no sense is a bad item. */
static int take_row(const struct dataset_source *source, const struct csv *csv,
                    const size_t *at, size_t n,
                    const struct layout_visitor *visitor, struct err *err)
{
    size_t i, last = 0;
    int rc;

    if (csv->n_fields == 1 && !*csv_field(csv, 0))
        return 0; /* an empty line */
    for (i = 0; i < n; i++)
        last = at[i] > last ? at[i] : last;
    if (csv->n_fields <= last)
        rc = err_set(err, ERR_DATA, "%s: line %zu: %zu fields, want %zu",
                     csv->name, csv->line, csv->n_fields, last + 1);
    else
        rc = visitor->row(visitor->ctx, csv, at, err);
    if (rc && err->status != ERR_DATA)
        return -1;
    if (rc)
        source->watcher->bad(source->watcher->ctx, err);
    return 0;
}

int layout_table(const struct dataset_source *source, const char *uri,
                 const char *const *columns, size_t n,
                 const struct layout_visitor *visitor, struct err *err)
{
    size_t at[MAX_COLUMNS];
    struct buf bytes = {0};
    struct csv csv = {0};
    int got = store_read(source->store, uri, &bytes, err);

    assert(n <= MAX_COLUMNS);
    if (!got) {
        csv_init(&csv, buf_text(&bytes), bytes.len, uri, false);
        got = find_columns(&csv, columns, n, at, err);
    }
    if (!got) {
        while ((got = csv_row(&csv, err)) > 0) {
            if (take_row(source, &csv, at, n, visitor, err)) {
                got = -1;
                break;
            }
        }
    }
    csv_release(&csv);
    buf_release(&bytes);
    return got;
}
