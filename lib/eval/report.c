/*
 * report - per recording first, then over recordings.
 */
#include "eval/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/json.h"

/* Names of the ways to group, as in JSON. */
static const char *const by_names[REPORT_N_BY] = {"subject", "song",
                                                  "dataset"};

/* ---- groups ---- */

/* What a recording is grouped by. */
static const char *group_name(const struct pairs *p, size_t i,
                              enum report_by by)
{
    const struct pairs_recording *r = &p->recordings[i];

    if (by == REPORT_SONG)
        return p->songs[r->song].key;
    return by == REPORT_SUBJECT ? r->subject : r->dataset;
}

/* Order of names by bytes. */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Collects the names of one way to group and numbers the recordings. */
static int group(struct report_groups *g, const struct pairs *p,
                 enum report_by by, struct err *err)
{
    const char *name, **found;
    size_t i;

    g->group = mem_alloc(p->n_recordings, sizeof *g->group, err);
    g->names = mem_alloc(p->n_recordings, sizeof *g->names, err);
    if (!g->group || !g->names)
        return -1;
    for (i = 0; i < p->n_recordings; i++)
        g->names[i] = group_name(p, i, by);
    qsort(g->names, p->n_recordings, sizeof *g->names, by_bytes);
    for (i = 0; i < p->n_recordings; i++) {
        if (g->n == 0 || strcmp(g->names[g->n - 1], g->names[i]))
            g->names[g->n++] = g->names[i];
    }
    for (i = 0; i < p->n_recordings; i++) {
        name = group_name(p, i, by);
        found = bsearch(&name, g->names, g->n, sizeof *g->names, by_bytes);
        g->group[i] = (size_t)(found - g->names);
    }
    return 0;
}

/* ---- scoring ---- */

/* Scratch of one thread: as long as the longest recording. */
struct scratch {
    float *p;       /* prediction */
    uint8_t *valid; /* mask */
};

/* Scores one recording in every row. */
static int score(struct report *r, const struct baseline_source *s, size_t i,
                 const struct scratch *w, struct err *err)
{
    static const bool all[METRIC_N] = {true, true, true, true,
                                       true, true, true, true};
    const struct pairs_recording *rec = &r->pairs->recordings[i];
    size_t row, m;

    if (metric_recording(s->model->pred[i], rec->eda, rec->valid, rec->T, all,
                         r->values[0] + i * METRIC_N, err))
        return -1;
    for (row = 1; row <= BASELINE_N; row++) {
        double *out = r->values[row] + i * METRIC_N;

        if (baseline_predict(s, (enum baseline)(row - 1), i, w->p,
                             w->valid)) {
            if (metric_recording(w->p, rec->eda, w->valid, rec->T, all, out,
                                 err))
                return -1;
        } else {
            for (m = 0; m < METRIC_N; m++)
                out[m] = NAN;
        }
    }
    return 0;
}

/* Scores what one thread of the team takes. */
static int score_thread(struct report *r, const struct baseline_source *s,
                        size_t T, struct err *err)
{
    struct scratch w;
    size_t i;
    int got;

    w.p = mem_alloc(T, sizeof *w.p, err);
    w.valid = mem_alloc(T, 1, err);
    got = w.p && w.valid ? 0 : -1;
#pragma omp for schedule(dynamic)
    for (i = 0; i < r->pairs->n_recordings; i++) {
        if (!got)
            got = score(r, s, i, &w, err);
    }
    free(w.p);
    free(w.valid);
    return got;
}

/* Scores all recordings. */
static int score_all(struct report *r, const struct baseline_source *s,
                     int n_threads, struct err *err)
{
    size_t T = 0, i, row;
    int failed = 0;

    for (i = 0; i < r->pairs->n_recordings; i++) {
        if (r->pairs->recordings[i].T > T)
            T = r->pairs->recordings[i].T;
    }
#pragma omp parallel num_threads(n_threads)
    {
        struct err mine;

        if (score_thread(r, s, T, &mine)) {
#pragma omp critical
            {
                *err = mine;
                failed = 1;
            }
        }
    }
    for (row = 0; row <= BASELINE_N; row++) {
        for (i = 0; i < r->pairs->n_recordings; i++)
            r->has[row] = r->has[row] ||
                          !isnan(r->values[row][i * METRIC_N + METRIC_MSE]);
    }
    return failed ? -1 : 0;
}

int report_init(struct report *r, const struct baseline_source *s,
                const char *model, uint64_t seed, int n_threads,
                struct err *err)
{
    size_t n = s->pairs->n_recordings, row;
    int by;

    *r = (struct report){.pairs = s->pairs, .model = model};
    for (row = 0; row <= BASELINE_N; row++) {
        r->values[row] = mem_alloc(n * METRIC_N, sizeof(double), err);
        if (!r->values[row])
            goto fail;
    }
    for (by = 0; by < REPORT_N_BY; by++) {
        if (group(&r->by[by], s->pairs, (enum report_by)by, err))
            goto fail;
    }
    if (bootstrap_init(&r->bootstrap, r->by[REPORT_SUBJECT].group,
                       r->by[REPORT_SUBJECT].n, r->by[REPORT_SONG].group,
                       r->by[REPORT_SONG].n, n, seed, err) ||
        score_all(r, s, n_threads, err))
        goto fail;
    return 0;
fail:
    report_release(r);
    return -1;
}

/* ---- summaries ---- */

/*
 * Values of one metric of one row over the recordings of one group (NULL:
 * all), into column. Returns how many.
 */
static size_t gather(const struct report *r, size_t row, enum metric m,
                     const struct report_groups *g, size_t which,
                     double *column)
{
    size_t n = 0, i;

    for (i = 0; i < r->pairs->n_recordings; i++) {
        if (!g || g->group[i] == which)
            column[n++] = r->values[row][i * METRIC_N + m];
    }
    return n;
}

/* Appends {"mean":...,"ci95":...,"undefined":n} of one metric. */
static int put_summary(const struct report *r, size_t row, enum metric m,
                       const struct report_groups *g, size_t which,
                       struct buf *out, struct err *err)
{
    struct metric_summary s;
    double *column = mem_alloc(r->pairs->n_recordings, sizeof *column, err);
    double lo = NAN, hi = NAN;
    int got;

    if (!column)
        return -1;
    got = metric_summarise(column, gather(r, row, m, g, which, column), &s,
                           err);
    free(column);
    /* groups are too small for intervals; those are for the whole */
    if (!got && !g)
        got = bootstrap_interval(&r->bootstrap, r->values[row] + m, METRIC_N,
                                 &lo, &hi, err);
    if (got)
        return -1;
    buf_puts(out, "{\"mean\":");
    json_put_num(out, s.mean);
    buf_puts(out, ",\"median\":");
    json_put_num(out, s.median);
    buf_puts(out, ",\"p10\":");
    json_put_num(out, s.p10);
    buf_puts(out, ",\"min\":");
    json_put_num(out, s.min);
    if (!g) {
        buf_puts(out, ",\"ci95\":");
        if (isnan(lo)) {
            buf_puts(out, "null");
        } else {
            buf_puts(out, "[");
            json_put_num(out, lo);
            buf_puts(out, ",");
            json_put_num(out, hi);
            buf_puts(out, "]");
        }
    }
    buf_printf(out, ",\"undefined\":%zu}", s.undefined);
    return 0;
}

/* Appends all metrics of one row, over one group or all. */
static int put_metrics(const struct report *r, size_t row,
                       const struct report_groups *g, size_t which,
                       struct buf *out, struct err *err)
{
    int m;

    buf_puts(out, "{");
    for (m = 0; m < METRIC_N; m++) {
        buf_printf(out, "%s\"%s\":", m ? "," : "",
                   metric_name((enum metric)m));
        if (put_summary(r, row, (enum metric)m, g, which, out, err))
            return -1;
    }
    buf_puts(out, "}");
    return 0;
}

/* Appends the model's scores by one way to group. */
static int put_groups(const struct report *r, const struct report_groups *g,
                      struct buf *out, struct err *err)
{
    size_t i, j, n;

    buf_puts(out, "{");
    for (i = 0; i < g->n; i++) {
        for (j = 0, n = 0; j < r->pairs->n_recordings; j++)
            n += g->group[j] == i;
        buf_puts(out, i ? "," : "");
        json_put_text(out, g->names[i]);
        buf_printf(out, ":{\"recordings\":%zu,\"metrics\":", n);
        if (put_metrics(r, 0, g, i, out, err))
            return -1;
        buf_puts(out, "}");
    }
    buf_puts(out, "}");
    return 0;
}

int report_put_json(const struct report *r, struct buf *out, struct err *err)
{
    size_t row;
    int by;

    buf_puts(out, "{\"model\":");
    json_put_text(out, r->model);
    buf_printf(out, ",\"recordings\":%zu,\"metrics\":",
               r->pairs->n_recordings);
    if (put_metrics(r, 0, NULL, 0, out, err))
        return -1;
    buf_puts(out, ",\"baselines\":{");
    for (row = 1; row <= BASELINE_N; row++) {
        buf_printf(out, "%s\"%s\":", row > 1 ? "," : "",
                   baseline_name((enum baseline)(row - 1)));
        if (!r->has[row])
            buf_puts(out, "null");
        else if (put_metrics(r, row, NULL, 0, out, err))
            return -1;
    }
    buf_puts(out, "},\"by\":{");
    for (by = 0; by < REPORT_N_BY; by++) {
        buf_printf(out, "%s\"%s\":", by ? "," : "", by_names[by]);
        if (put_groups(r, &r->by[by], out, err))
            return -1;
    }
    buf_puts(out, "}}\n");
    return buf_check(out, err);
}

/* Metrics that are columns of the table. */
static const enum metric columns[] = {METRIC_PEARSON, METRIC_CCC, METRIC_MSE,
                                      METRIC_MAE, METRIC_DTW_NORM,
                                      METRIC_FRECHET};
/* How many there are. */
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* Appends a number of the table, "-" if it is undefined. */
static void put_cell(struct buf *out, double value)
{
    if (isnan(value))
        buf_printf(out, " %9s", "-");
    else
        buf_printf(out, " %9.4f", value);
}

/* Appends one line: a name, then one statistic of every column. */
static int put_line(const struct report *r, size_t row, const char *name,
                    size_t statistic, struct buf *out, struct err *err)
{
    double *column = mem_alloc(r->pairs->n_recordings, sizeof *column, err);
    struct metric_summary s;
    size_t c;

    if (!column)
        return -1;
    buf_printf(out, "%-22s", name);
    for (c = 0; c < N_COLUMNS; c++) {
        size_t n = gather(r, row, columns[c], NULL, 0, column);

        if (metric_summarise(column, n, &s, err)) {
            free(column);
            return -1;
        }
        put_cell(out, statistic == 0   ? s.mean
                      : statistic == 1 ? s.median
                      : statistic == 2 ? s.p10
                                       : s.min);
    }
    free(column);
    buf_puts(out, "\n");
    return 0;
}

int report_put_table(const struct report *r, struct buf *out,
                     struct err *err)
{
    static const char *const statistics[] = {"model, mean", "  median",
                                             "  p10", "  min"};
    struct metric_summary s;
    double *column, lo, hi;
    size_t i, n;

    buf_printf(out, "%s: %zu recordings, %zu songs, %zu subjects\n", r->model,
               r->pairs->n_recordings, r->by[REPORT_SONG].n,
               r->by[REPORT_SUBJECT].n);
    buf_printf(out, "%-22s", "");
    for (i = 0; i < N_COLUMNS; i++)
        buf_printf(out, " %9s", metric_name(columns[i]));
    buf_puts(out, "\n");
    for (i = 0; i < 4; i++) {
        if (put_line(r, 0, statistics[i], i, out, err))
            return -1;
    }
    for (i = 1; i <= BASELINE_N; i++) {
        if (r->has[i] && put_line(r, i, baseline_name((enum baseline)(i - 1)),
                                  0, out, err))
            return -1;
    }
    column = mem_alloc(r->pairs->n_recordings, sizeof *column, err);
    if (!column)
        return -1;
    n = gather(r, 0, METRIC_PEARSON, NULL, 0, column);
    i = (size_t)metric_summarise(column, n, &s, err);
    free(column);
    if (i || bootstrap_interval(&r->bootstrap, r->values[0] + METRIC_PEARSON,
                                METRIC_N, &lo, &hi, err))
        return -1;
    if (!isnan(lo))
        buf_printf(out, "pearson: 95 %% interval over subjects and songs "
                   "%.4f to %.4f\n", lo, hi);
    if (s.undefined)
        buf_printf(out, "pearson: undefined for %zu recordings\n",
                   s.undefined);
    return buf_check(out, err);
}

/* A recording and its r. */
struct rank {
    double r;     /* NaN: undefined */
    size_t index; /* of the recording */
};

/* Higher r first, undefined last, then by index. */
static int by_rank(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (isnan(x->r) != isnan(y->r))
        return isnan(x->r) ? 1 : -1;
    if (!isnan(x->r) && x->r != y->r)
        return x->r > y->r ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

int report_rank(const struct report *r, size_t *order, struct err *err)
{
    size_t n = r->pairs->n_recordings, i;
    struct rank *ranks = mem_alloc(n, sizeof *ranks, err);

    if (!ranks)
        return -1;
    for (i = 0; i < n; i++)
        ranks[i] = (struct rank){
            r->values[0][i * METRIC_N + METRIC_PEARSON], i};
    qsort(ranks, n, sizeof *ranks, by_rank);
    for (i = 0; i < n; i++)
        order[i] = ranks[i].index;
    free(ranks);
    return 0;
}

void report_release(struct report *r)
{
    size_t row;
    int by;

    for (row = 0; row <= BASELINE_N; row++)
        free(r->values[row]);
    for (by = 0; by < REPORT_N_BY; by++) {
        free(r->by[by].group);
        free(r->by[by].names);
    }
    bootstrap_release(&r->bootstrap);
    *r = (struct report){0};
}
