/*
 * page - a head with all style inside, then section after section.
 *
 * Numbers have four significant digits: people read them; programs read the
 * JSON. A dash is an undefined value.
 */
#include "eval/page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The page before its title. */
static const char head[] =
    "<!DOCTYPE html>\n"
    "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
    "<meta charset=\"utf-8\" />\n"
    "<meta name=\"viewport\" content=\"width=device-width\" />\n"
    "<style>\n"
    "body { font: 16px/1.45 sans-serif; max-width: 62rem; margin: 2rem auto;"
    " padding: 0 1rem; color: #222; }\n"
    "h1, h2 { line-height: 1.2; overflow-wrap: anywhere; }\n"
    "table { border-collapse: collapse; margin: 1rem 0; }\n"
    "th, td { padding: .2rem .6rem; text-align: right;"
    " border-bottom: 1px solid #ddd; }\n"
    "th:first-child, td:first-child { text-align: left; }\n"
    "thead th { border-bottom: 2px solid #888; }\n"
    ".wide { overflow-x: auto; }\n"
    ".remarks { background: #fff4d6; border-left: 4px solid #d90;"
    " padding: .6rem 1rem .6rem 2rem; }\n"
    "figure { margin: 1.5rem 0; }\nfigure img { max-width: 100%; }\n"
    "figcaption { color: #555; }\n"
    "pre { white-space: pre-wrap; overflow-wrap: anywhere;"
    " background: #f5f5f5; padding: .6rem; }\n"
    "summary { cursor: pointer; }\n"
    "</style>\n<title>";

/* Metrics that are columns where groups and baselines are lines. */
static const enum metric columns[] = {
    METRIC_PEARSON, METRIC_HP + METRIC_PEARSON, METRIC_CCC, METRIC_MSE,
    METRIC_DTW_NORM, METRIC_FRECHET};
/* How many there are. */
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* Appends text; nothing in it is markup, control characters go. */
static void put_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        default:
            if ((unsigned char)*text >= 0x20 && *text != 0x7f)
                buf_put(out, text, 1);
        }
    }
}

/* Appends bytes as part of a data: address, RFC 3986 escaped. */
static void put_escaped(struct buf *out, const char *text)
{
    static const char plain[] = " !()*+,-./:;=?@_~";

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
            (c >= 'a' && c <= 'z') || strchr(plain, c))
            buf_put(out, text, 1);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* Appends a number, or a dash if it is undefined. */
static void put_number(struct buf *out, double value)
{
    if (isnan(value))
        buf_puts(out, "\xe2\x80\x93");
    else
        buf_printf(out, "%.4g", value);
}

/* Appends a number as one cell. */
static void put_cell(struct buf *out, double value)
{
    buf_puts(out, "<td>");
    put_number(out, value);
    buf_puts(out, "</td>");
}

/* Appends an interval as one cell. */
static void put_interval(struct buf *out, double lo, double hi)
{
    buf_puts(out, "<td>");
    put_number(out, lo);
    if (!isnan(lo)) {
        buf_puts(out, " to ");
        put_number(out, hi);
    }
    buf_puts(out, "</td>");
}

/* Appends a text as the first cell of a line. */
static void put_name(struct buf *out, const char *name)
{
    buf_puts(out, "<tr><td>");
    put_text(out, name[0] ? name : "(none)");
    buf_puts(out, "</td>");
}

/* Opens a table whose columns have these names. */
static void open_table(struct buf *out, const char *const *names, size_t n)
{
    size_t i;

    buf_puts(out, "<div class=\"wide\"><table>\n<thead><tr>");
    for (i = 0; i < n; i++) {
        buf_puts(out, "<th>");
        put_text(out, names[i]);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr></thead>\n<tbody>\n");
}

/* Ends it. */
static void close_table(struct buf *out)
{
    buf_puts(out, "</tbody></table></div>\n");
}

/* Opens a table with a name, a number, and a column for each of columns. */
static void open_columns(struct buf *out, const char *what,
                         const char *number)
{
    const char *names[2 + N_COLUMNS] = {what, number};
    size_t c;

    for (c = 0; c < N_COLUMNS; c++)
        names[2 + c] = metric_name(columns[c]);
    open_table(out, names, 2 + N_COLUMNS);
}

/* Appends metrics [from, end) of the model, a line each. */
static int put_metrics(const struct report *r, int from, int end,
                       struct buf *out, struct err *err)
{
    static const char *const names[] = {
        "metric", "mean", "95 % interval", "over songs alone", "median",
        "p10", "min", "undefined"};
    struct report_summary s;
    int m;

    open_table(out, names, sizeof names / sizeof names[0]);
    for (m = from; m < end; m++) {
        if (report_summarise(r, REPORT_MODEL, (enum metric)m, NULL, 0, &s,
                             err))
            return -1;
        put_name(out, metric_name((enum metric)m));
        put_cell(out, s.of.mean);
        put_interval(out, s.lo, s.hi);
        put_interval(out, s.song_lo, s.song_hi);
        put_cell(out, s.of.median);
        put_cell(out, s.of.p10);
        put_cell(out, s.of.min);
        buf_printf(out, "<td>%zu of %zu</td></tr>\n", s.of.undefined,
                   s.of.n);
    }
    close_table(out);
    return 0;
}

/* Appends one row's means, and its distance from the model. */
static int put_row(const struct report *r, size_t row, const char *name,
                   struct buf *out, struct err *err)
{
    struct report_difference d;
    struct report_summary s;
    size_t c;

    put_name(out, name);
    for (c = 0; c < N_COLUMNS; c++) {
        if (report_summarise(r, row, columns[c], NULL, 0, &s, err))
            return -1;
        put_cell(out, s.of.mean);
    }
    if (row == REPORT_MODEL) {
        buf_puts(out, "<td></td><td></td></tr>\n");
        return 0;
    }
    if (report_difference(r, row, METRIC_PEARSON, &d, err))
        return -1;
    put_cell(out, d.mean);
    put_interval(out, d.lo, d.hi);
    buf_puts(out, "</tr>\n");
    return 0;
}

/* Appends the model beside baselines and the other model. */
static int put_rows(const struct report *r, struct buf *out, struct err *err)
{
    const char *names[3 + N_COLUMNS] = {"mean over recordings"};
    size_t row, c;

    for (c = 0; c < N_COLUMNS; c++)
        names[1 + c] = metric_name(columns[c]);
    names[1 + N_COLUMNS] = "pearson: model less this";
    names[2 + N_COLUMNS] = "95 % interval";
    open_table(out, names, 3 + N_COLUMNS);
    for (row = 0; row < REPORT_N_ROWS; row++) {
        const char *name = row == REPORT_MODEL   ? "the model"
                           : row == REPORT_OTHER ? r->other
                               : baseline_name((enum baseline)(row - 1));

        if (r->has[row] && put_row(r, row, name, out, err))
            return -1;
    }
    close_table(out);
    for (row = 1; row <= BASELINE_N; row++) {
        if (!r->has[row])
            buf_printf(out, "<p>Baseline %s: nothing to say here%s.</p>\n",
                       baseline_name((enum baseline)(row - 1)),
                       row == 1 + BASELINE_RIDGE
                           ? "; it needs the training features (--train)"
                           : "");
    }
    return 0;
}

/* Appends every difference between the model and the one beside it. */
static int put_other(const struct report *r, struct buf *out, struct err *err)
{
    static const char *const names[] = {"metric", "model less other",
                                        "95 % interval", "recordings"};
    struct report_difference d;
    int m;

    buf_puts(out, "<h2>Compared with ");
    put_text(out, r->other);
    buf_puts(out, "</h2>\n<p>Differences recording by recording.</p>\n");
    open_table(out, names, sizeof names / sizeof names[0]);
    for (m = 0; m < METRIC_N; m++) {
        if (report_difference(r, REPORT_OTHER, (enum metric)m, &d, err))
            return -1;
        put_name(out, metric_name((enum metric)m));
        put_cell(out, d.mean);
        put_interval(out, d.lo, d.hi);
        buf_printf(out, "<td>%zu</td></tr>\n", d.n);
    }
    close_table(out);
    return 0;
}

/* Appends what the permutation test found. */
static void put_permutation(const struct permutation *p, struct buf *out)
{
    buf_puts(out, "<h2>Does it know which song was heard?</h2>\n<p>");
    if (isnan(p->p)) {
        buf_puts(out, "A permutation test needs two songs of one dataset and "
                 "an r.</p>\n");
        return;
    }
    buf_puts(out, "Mean r with the true songs: ");
    put_number(out, p->observed);
    buf_printf(out, ". With the predictions permuted among the songs, %d "
               "times: ", PERMUTATION_DRAWS);
    put_number(out, p->null_mean);
    buf_puts(out, " on average, a twentieth of them above ");
    put_number(out, p->null_p95);
    buf_puts(out, "; p = ");
    put_number(out, p->p);
    buf_puts(out, ".</p>\n");
}

/* Appends the pictures. */
static void put_figures(const struct page *page, struct buf *out)
{
    size_t i;

    if (page->n_figures)
        buf_puts(out, "<h2>Figures</h2>\n");
    for (i = 0; i < page->n_figures; i++) {
        const struct page_figure *f = &page->figures[i];

        buf_puts(out, "<figure>");
        if (f->svg) {
            buf_puts(out, "<img alt=\"");
            put_text(out, f->caption);
            buf_puts(out, "\" src=\"data:image/svg+xml,");
            put_escaped(out, f->svg);
            buf_puts(out, "\" />");
        } else {
            buf_puts(out, "<p>");
            put_text(out, f->why);
            buf_puts(out, "</p>");
        }
        buf_puts(out, "<figcaption>");
        put_text(out, f->caption);
        buf_puts(out, "</figcaption></figure>\n");
    }
}

/* Appends one way to group: a line a group. */
static int put_groups(const struct report *r, enum report_by by,
                      const char *title, const char *what, struct buf *out,
                      struct err *err)
{
    const struct report_groups *g = &r->by[by];
    struct report_summary s;
    size_t i, c;

    buf_printf(out, "<details%s><summary>%s: %zu</summary>\n",
               g->n <= 12 ? " open=\"open\"" : "", title, g->n);
    open_columns(out, what, "recordings");
    for (i = 0; i < g->n; i++) {
        put_name(out, g->names[i]);
        for (c = 0; c < N_COLUMNS; c++) {
            if (report_summarise(r, REPORT_MODEL, columns[c], g, i, &s, err))
                return -1;
            if (c == 0)
                buf_printf(out, "<td>%zu</td>", s.of.n);
            put_cell(out, s.of.mean);
        }
        buf_puts(out, "</tr>\n");
    }
    close_table(out);
    buf_puts(out, "</details>\n");
    return 0;
}

/* Appends every recording. */
static void put_recordings(const struct report *r, struct buf *out)
{
    size_t i, t, n, c;

    buf_printf(out, "<details><summary>Recordings: %zu</summary>\n",
               r->pairs->n_recordings);
    open_columns(out, "recording", "valid frames");
    for (i = 0; i < r->pairs->n_recordings; i++) {
        const struct pairs_recording *rec = &r->pairs->recordings[i];

        for (t = n = 0; t < rec->T; t++)
            n += rec->valid[t] != 0;
        put_name(out, rec->key);
        buf_printf(out, "<td>%zu</td>", n);
        for (c = 0; c < N_COLUMNS; c++)
            put_cell(out, r->values[REPORT_MODEL][i * METRIC_N +
                                                  (size_t)columns[c]]);
        buf_puts(out, "</tr>\n");
    }
    close_table(out);
    buf_puts(out, "</details>\n");
}

/* Appends the beginning: title, what was scored, remarks. */
static void put_top(const struct page *page, const struct report *r,
                    struct buf *out)
{
    size_t i;

    buf_puts(out, head);
    put_text(out, r->model);
    buf_puts(out, "</title>\n</head>\n<body>\n<h1>Evaluation of ");
    put_text(out, r->model);
    buf_printf(out, "</h1>\n<p>%zu recordings of %zu songs by %zu listeners "
               "in %zu dataset%s. Every metric is computed for each "
               "recording, then summarised over recordings.</p>\n",
               r->pairs->n_recordings, r->by[REPORT_SONG].n,
               r->by[REPORT_SUBJECT].n, r->by[REPORT_DATASET].n,
               r->by[REPORT_DATASET].n == 1 ? "" : "s");
    if (page->n_remarks)
        buf_puts(out, "<ul class=\"remarks\">\n");
    for (i = 0; i < page->n_remarks; i++) {
        buf_puts(out, "<li>");
        put_text(out, page->remarks[i]);
        buf_puts(out, "</li>\n");
    }
    if (page->n_remarks)
        buf_puts(out, "</ul>\n");
}

/* Appends how the numbers came about. */
static void put_bottom(const struct page *page, struct buf *out)
{
    buf_printf(out, "<h2>How these numbers were made</h2>\n"
               "<p>Intervals resample subjects and songs independently, %d "
               "times (seed %llu); those of the next column resample songs "
               "alone. p10 is the value that a tenth of the recordings lie "
               "below. Metrics in _hp are of what is faster than %g Hz. "
               "Definitions: a2b-eval(1). Written by ", BOOTSTRAP_DRAWS,
               (unsigned long long)page->seed, METRIC_HP_HZ);
    put_text(out, page->program);
    buf_puts(out, ".</p>\n<details><summary>Programs and settings behind the "
             "features</summary>\n<pre>");
    put_text(out, page->provenance);
    buf_puts(out, "</pre></details>\n</body>\n</html>\n");
}

int page_put(const struct page *page, const struct report *r, struct buf *out,
             struct err *err)
{
    put_top(page, r, out);
    buf_puts(out, "<h2>Model and baselines</h2>\n");
    if (put_rows(r, out, err))
        return -1;
    buf_puts(out, "<h2>The model</h2>\n");
    if (put_metrics(r, 0, METRIC_HP, out, err))
        return -1;
    buf_puts(out, "<h2>The model above 0.05 Hz</h2>\n");
    if (put_metrics(r, METRIC_HP, METRIC_N, out, err) ||
        (r->other && put_other(r, out, err)))
        return -1;
    put_permutation(&r->permutation, out);
    put_figures(page, out);
    buf_puts(out, "<h2>By dataset, song and subject</h2>\n");
    if (put_groups(r, REPORT_DATASET, "Datasets", "dataset", out, err) ||
        put_groups(r, REPORT_SONG, "Songs", "song", out, err) ||
        put_groups(r, REPORT_SUBJECT, "Subjects", "subject", out, err))
        return -1;
    put_recordings(r, out);
    put_bottom(page, out);
    return buf_check(out, err);
}
