/*
 * report - per recording first, then over recordings.
 */
#include "eval/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/json.h"

/* Names of the ways to group, as in JSON. */
static const char *const by_names[REPORT_N_BY] = {"subject", "song",
                                                  "dataset"};

/* ---- groups ---- */

/* Whether the recordings come from more than one dataset. */
static bool is_mixed(const struct pairs *p)
{
    size_t i;

    for (i = 1; i < p->n_recordings; i++) {
        if (strcmp(p->recordings[i].dataset, p->recordings[0].dataset))
            return true;
    }
    return false;
}

/*
 * What a recording is grouped by; NULL with err set. Caller frees.
 *
 * A subject's id is one person within one dataset only.
 */
static char *group_name(const struct pairs *p, size_t i, enum report_by by,
                        bool mixed, struct err *err)
{
    const struct pairs_recording *r = &p->recordings[i];
    struct buf name = {0};

    if (by == REPORT_SONG)
        buf_puts(&name, p->songs[r->song].key);
    else if (by == REPORT_DATASET)
        buf_puts(&name, r->dataset);
    else if (mixed && r->subject[0])
        buf_printf(&name, "%s/%s", r->dataset, r->subject);
    else
        buf_puts(&name, r->subject);
    if (buf_check(&name, err)) {
        buf_release(&name);
        return NULL;
    }
    return name.data ? name.data : mem_string("", err);
}

/* A recording on its way to its group. */
struct member {
    char *name;   /* of its group, owned */
    size_t index; /* of the recording */
};

/* Order by the bytes of names. */
static int by_name(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Numbers n sorted members; g takes over one name of every group. */
static void number(struct report_groups *g, struct member *members, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (g->n == 0 || strcmp(g->names[g->n - 1], members[i].name)) {
            g->names[g->n++] = members[i].name;
            members[i].name = NULL;
        }
        g->group[members[i].index] = g->n - 1;
    }
}

/* Groups the recordings in one way. */
static int group(struct report_groups *g, const struct pairs *p,
                 enum report_by by, struct err *err)
{
    size_t n = p->n_recordings, i;
    struct member *members = mem_alloc(n, sizeof *members, err);
    bool mixed = is_mixed(p), whole = true;

    if (!members)
        return -1;
    g->group = mem_alloc(n, sizeof *g->group, err);
    g->names = mem_alloc(n, sizeof *g->names, err);
    whole = g->group && g->names;
    for (i = 0; i < n && whole; i++) {
        members[i] = (struct member){group_name(p, i, by, mixed, err), i};
        whole = members[i].name != NULL;
    }
    if (whole) {
        qsort(members, n, sizeof *members, by_name);
        number(g, members, n);
    }
    for (i = 0; i < n; i++)
        free(members[i].name);
    free(members);
    return whole ? 0 : -1;
}

/* ---- scoring ---- */

/* Scratch of one thread: as long as the longest recording. */
struct scratch {
    float *p;       /* prediction */
    uint8_t *valid; /* mask */
};

/* What all rows are made from. */
struct sources {
    const struct baseline_source *s; /* model and baselines */
    const struct infer *other;       /* second model; NULL: none */
};

/* Scores one recording in every row. */
static int score(struct report *r, const struct sources *from, size_t i,
                 const struct scratch *w, struct err *err)
{
    const struct baseline_source *s = from->s;
    const struct pairs_recording *rec = &r->pairs->recordings[i];
    struct metric_input in =
        metric_input(r->pairs, rec, s->model->pred[i], rec->valid);
    size_t row, m;

    if (metric_recording(&in, NULL, r->values[0] + i * METRIC_N, err))
        return -1;
    if (from->other) {
        in = metric_input(r->pairs, rec, from->other->pred[i], rec->valid);
        if (metric_recording(&in, NULL,
                             r->values[REPORT_OTHER] + i * METRIC_N, err))
            return -1;
    }
    in = metric_input(r->pairs, rec, w->p, w->valid);
    for (row = 1; row <= BASELINE_N; row++) {
        double *out = r->values[row] + i * METRIC_N;

        if (baseline_predict(s, (enum baseline)(row - 1), i, w->p,
                             w->valid)) {
            if (metric_recording(&in, NULL, out, err))
                return -1;
        } else {
            for (m = 0; m < METRIC_N; m++)
                out[m] = NAN;
        }
    }
    return 0;
}

/* Scores what one thread of the team takes. */
static int score_thread(struct report *r, const struct sources *s, size_t T,
                        struct err *err)
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
static int score_all(struct report *r, const struct sources *s, int n_threads,
                     struct err *err)
{
    size_t T = 0, i;
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
    return failed ? -1 : 0;
}

/* Notes which rows say anything about any recording. */
static void note_rows(struct report *r)
{
    size_t row, i;

    for (row = 0; row < REPORT_N_ROWS; row++) {
        if (row == REPORT_OTHER && !r->other)
            continue;
        for (i = 0; i < r->pairs->n_recordings && !r->has[row]; i++)
            r->has[row] = !isnan(r->values[row][i * METRIC_N + METRIC_MSE]);
    }
}

int report_init(struct report *r, const struct baseline_source *s,
                const char *model, const struct report_other *other,
                uint64_t seed, int n_threads, struct err *err)
{
    struct sources from = {s, other ? other->infer : NULL};
    size_t n = s->pairs->n_recordings, row;
    int by;

    *r = (struct report){.pairs = s->pairs, .model = model,
                         .other = other ? other->name : NULL};
    for (row = 0; row < REPORT_N_ROWS; row++) {
        r->values[row] = mem_alloc(n * METRIC_N, sizeof(double), err);
        if (!r->values[row])
            goto fail;
    }
    r->nobody = mem_alloc(n, sizeof *r->nobody, err);
    if (!r->nobody)
        goto fail;
    for (by = 0; by < REPORT_N_BY; by++) {
        if (group(&r->by[by], s->pairs, (enum report_by)by, err))
            goto fail;
    }
    if (bootstrap_init(&r->bootstrap, r->by[REPORT_SUBJECT].group,
                       r->by[REPORT_SUBJECT].n, r->by[REPORT_SONG].group,
                       r->by[REPORT_SONG].n, n, seed, err) ||
        bootstrap_init(&r->songs, r->nobody, 1, r->by[REPORT_SONG].group,
                       r->by[REPORT_SONG].n, n, seed, err) ||
        score_all(r, &from, n_threads, err) ||
        permutation_run(&r->permutation, s->pairs, s->model, seed, n_threads,
                        err))
        goto fail;
    note_rows(r);
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

int report_summarise(const struct report *r, size_t row, enum metric m,
                     const struct report_groups *g, size_t which,
                     struct report_summary *s, struct err *err)
{
    double *column = mem_alloc(r->pairs->n_recordings, sizeof *column, err);
    int got;

    if (!column)
        return -1;
    s->lo = s->hi = s->song_lo = s->song_hi = NAN;
    got = metric_summarise(column, gather(r, row, m, g, which, column),
                           &s->of, err);
    free(column);
    /* groups are too small for intervals; those are for the whole */
    if (!got && !g)
        got = bootstrap_interval(&r->bootstrap, r->values[row] + m, METRIC_N,
                                 &s->lo, &s->hi, err) ||
              bootstrap_interval(&r->songs, r->values[row] + m, METRIC_N,
                                 &s->song_lo, &s->song_hi, err);
    return got ? -1 : 0;
}

int report_difference(const struct report *r, size_t row, enum metric m,
                      struct report_difference *out, struct err *err)
{
    size_t n = r->pairs->n_recordings, i;
    double *column = mem_alloc(n, sizeof *column, err);
    struct metric_summary of;
    int got;

    if (!column)
        return -1;
    for (i = 0; i < n; i++) /* NaN where either is */
        column[i] = r->values[REPORT_MODEL][i * METRIC_N + m] -
                    r->values[row][i * METRIC_N + m];
    got = metric_summarise(column, n, &of, err) ||
          bootstrap_interval(&r->bootstrap, column, 1, &out->lo, &out->hi,
                             err);
    free(column);
    if (got)
        return -1;
    out->mean = of.mean;
    out->n = n - of.undefined;
    return 0;
}

int report_unbeaten(const struct report *r, enum baseline b, bool *unbeaten,
                    enum metric *m, struct report_difference *d,
                    struct err *err)
{
    double worst, mean;

    *unbeaten = false;
    *m = METRIC_PEARSON;
    if (b == BASELINE_OTHER_LISTENERS || !r->has[1 + b])
        return 0;
    if (report_difference(r, 1 + b, *m, d, err))
        return -1;
    if (d->n == 0) {
        *m = METRIC_MSE;
        if (report_difference(r, 1 + b, *m, d, err))
            return -1;
    }
    mean = *m == METRIC_MSE ? -d->mean : d->mean;
    worst = *m == METRIC_MSE ? -d->hi : d->lo;
    *unbeaten = !(mean > 0) || worst <= 0;
    return 0;
}

/* Appends an interval, or null. */
static void put_interval(double lo, double hi, struct buf *out)
{
    if (isnan(lo)) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "[");
    json_put_num(out, lo);
    buf_puts(out, ",");
    json_put_num(out, hi);
    buf_puts(out, "]");
}

/* Appends {"mean":...,"ci95":...,"undefined":n}. */
static void put_summary(const struct report_summary *s, struct buf *out)
{
    buf_puts(out, "{\"mean\":");
    json_put_num(out, s->of.mean);
    buf_puts(out, ",\"median\":");
    json_put_num(out, s->of.median);
    buf_puts(out, ",\"p10\":");
    json_put_num(out, s->of.p10);
    buf_puts(out, ",\"min\":");
    json_put_num(out, s->of.min);
    buf_puts(out, ",\"ci95\":");
    put_interval(s->lo, s->hi, out);
    buf_puts(out, ",\"ci95_songs\":");
    put_interval(s->song_lo, s->song_hi, out);
    buf_printf(out, ",\"undefined\":%zu}", s->of.undefined);
}

/* Appends all metrics of one row, over one group or all. */
static int put_metrics(const struct report *r, size_t row,
                       const struct report_groups *g, size_t which,
                       struct buf *out, struct err *err)
{
    struct report_summary s;
    int m;

    buf_puts(out, "{");
    for (m = 0; m < METRIC_N; m++) {
        if (report_summarise(r, row, (enum metric)m, g, which, &s, err))
            return -1;
        buf_printf(out, "%s\"%s\":", m ? "," : "",
                   metric_name((enum metric)m));
        put_summary(&s, out);
    }
    buf_puts(out, "}");
    return 0;
}

/* Appends the model's scores of every group of one way to group. */
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

/* Appends the differences between the model and a row, metric by metric. */
static int put_differences(const struct report *r, size_t row,
                           struct buf *out, struct err *err)
{
    struct report_difference d;
    int m;

    buf_puts(out, "{");
    for (m = 0; m < METRIC_N; m++) {
        if (report_difference(r, row, (enum metric)m, &d, err))
            return -1;
        buf_printf(out, "%s\"%s\":{\"mean\":", m ? "," : "",
                   metric_name((enum metric)m));
        json_put_num(out, d.mean);
        buf_puts(out, ",\"ci95\":");
        put_interval(d.lo, d.hi, out);
        buf_printf(out, ",\"recordings\":%zu}", d.n);
    }
    buf_puts(out, "}");
    return 0;
}

/* Appends what the model is compared with, or null. */
static int put_other(const struct report *r, struct buf *out, struct err *err)
{
    buf_puts(out, ",\"compare\":");
    if (!r->other) {
        buf_puts(out, "null");
        return 0;
    }
    buf_puts(out, "{\"model\":");
    json_put_text(out, r->other);
    buf_puts(out, ",\"metrics\":");
    if (put_metrics(r, REPORT_OTHER, NULL, 0, out, err))
        return -1;
    buf_puts(out, ",\"differences\":");
    if (put_differences(r, REPORT_OTHER, out, err))
        return -1;
    buf_puts(out, "}");
    return 0;
}

/* Appends the differences from each baseline, and which are not beaten. */
static int put_against(const struct report *r, struct buf *out,
                       struct err *err)
{
    struct report_difference d;
    const char *comma = "";
    enum metric m;
    bool unbeaten;
    int b;

    buf_puts(out, ",\"differences\":{");
    for (b = 0; b < BASELINE_N; b++) {
        buf_printf(out, "%s\"%s\":", b ? "," : "",
                   baseline_name((enum baseline)b));
        if (!r->has[1 + b])
            buf_puts(out, "null");
        else if (put_differences(r, 1 + (size_t)b, out, err))
            return -1;
    }
    buf_puts(out, "},\"unbeaten\":[");
    for (b = 0; b < BASELINE_N; b++) {
        if (report_unbeaten(r, (enum baseline)b, &unbeaten, &m, &d, err))
            return -1;
        if (unbeaten) {
            buf_printf(out, "%s\"%s\"", comma,
                       baseline_name((enum baseline)b));
            comma = ",";
        }
    }
    buf_puts(out, "]");
    return 0;
}

/* Appends the permutation test, or null. */
static void put_permutation(const struct permutation *p, struct buf *out)
{
    buf_puts(out, ",\"permutation\":");
    if (isnan(p->p)) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{\"metric\":\"pearson\",\"observed\":");
    json_put_num(out, p->observed);
    buf_puts(out, ",\"null_mean\":");
    json_put_num(out, p->null_mean);
    buf_puts(out, ",\"null_p95\":");
    json_put_num(out, p->null_p95);
    buf_puts(out, ",\"p\":");
    json_put_num(out, p->p);
    buf_printf(out, ",\"draws\":%d}", PERMUTATION_DRAWS);
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
    buf_printf(out, "},\"why\":{%s}",
               r->has[1 + BASELINE_RIDGE]
                   ? ""
                   : "\"ridge\":\"needs the training features: --train\"");
    if (put_against(r, out, err) || put_other(r, out, err))
        return -1;
    put_permutation(&r->permutation, out);
    buf_puts(out, ",\"by\":{");
    for (by = 0; by < REPORT_N_BY; by++) {
        buf_printf(out, "%s\"%s\":", by ? "," : "", by_names[by]);
        if (put_groups(r, &r->by[by], out, err))
            return -1;
    }
    buf_puts(out, "}}\n");
    return buf_check(out, err);
}

/* ---- recordings ---- */

/* Appends a name as one cell: a tab or line end in it becomes a space. */
static void put_name(struct buf *out, const char *name)
{
    for (; *name; name++) {
        char c[2] = {(unsigned char)*name < ' ' ? ' ' : *name, '\0'};

        buf_puts(out, c);
    }
}

int report_put_recordings(const struct report *r, struct buf *out,
                          struct err *err)
{
    char text[NUM_SIZE];
    size_t i, t, n;
    int m;

    buf_puts(out, "recording\tdataset\tsong\tsubject\tframes\tvalid");
    for (m = 0; m < METRIC_N; m++)
        buf_printf(out, "\t%s", metric_name((enum metric)m));
    buf_puts(out, "\n");
    for (i = 0; i < r->pairs->n_recordings; i++) {
        const struct pairs_recording *rec = &r->pairs->recordings[i];
        const char *names[] = {rec->key, rec->dataset, rec->song_name,
                               rec->subject};

        for (n = 0; n < 4; n++) {
            put_name(out, names[n]);
            buf_puts(out, "\t");
        }
        for (t = n = 0; t < rec->T; t++)
            n += rec->valid[t] != 0;
        buf_printf(out, "%zu\t%zu", rec->T, n);
        for (m = 0; m < METRIC_N; m++) {
            double v = r->values[REPORT_MODEL][i * METRIC_N + (size_t)m];

            buf_printf(out, "\t%s", isnan(v) ? "nan" : num_double(text, v));
        }
        buf_puts(out, "\n");
    }
    return buf_check(out, err);
}

/* ---- table ---- */

/* Metrics that are columns of the table. */
static const enum metric columns[] = {METRIC_PEARSON, METRIC_CCC, METRIC_MSE,
                                      METRIC_DTW_NORM, METRIC_FRECHET};
/* How many there are. */
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* Statistics that are lines of the table. */
enum statistic { MEAN, MEDIAN, P10, MIN, N_STATISTICS };

/* One of them. */
static double statistic_of(const struct metric_summary *s,
                           enum statistic which)
{
    const double values[N_STATISTICS] = {s->mean, s->median, s->p10, s->min};

    return values[which];
}

/* Appends a cell: the shortest decimal of a float, "-" if undefined. */
static void put_cell(struct buf *out, double value)
{
    char text[NUM_SIZE];

    buf_printf(out, " %12s", isnan(value) ? "-"
                                          : num_float(text, (float)value));
}

/* Appends one line: a name, then one statistic of every column. */
static void put_line(const struct report_summary *s, const char *name,
                     enum statistic which, struct buf *out)
{
    size_t c;

    buf_printf(out, "%-15s", name);
    for (c = 0; c < N_COLUMNS; c++)
        put_cell(out, statistic_of(&s[c].of, which));
    buf_puts(out, "\n");
}

/* Appends the head: what was scored, names of the columns. */
static void put_head(const struct report *r, struct buf *out)
{
    size_t c;

    buf_printf(out, "%s: recordings %zu, songs %zu, subjects %zu\n", r->model,
               r->pairs->n_recordings, r->by[REPORT_SONG].n,
               r->by[REPORT_SUBJECT].n);
    buf_printf(out, "%-15s", "");
    for (c = 0; c < N_COLUMNS; c++)
        buf_printf(out, " %12s", metric_name(columns[c]));
    buf_puts(out, "\n");
}

/* Appends a mean and its interval behind what they are of. */
static void put_mean(struct buf *out, const char *what, double mean, double lo,
                     double hi)
{
    char text[NUM_SIZE];

    buf_printf(out, "%s: %s", what, num_float(text, (float)mean));
    if (!isnan(lo)) {
        buf_printf(out, ", 95 %% interval %s", num_float(text, (float)lo));
        buf_printf(out, " to %s", num_float(text, (float)hi));
    }
    buf_puts(out, "\n");
}

/* Appends what the columns cannot say of the model's r. */
static void put_foot(const struct report_summary *pearson, struct buf *out)
{
    char lo[NUM_SIZE], hi[NUM_SIZE];

    if (!isnan(pearson->lo))
        buf_printf(out, "pearson: 95 %% interval %s to %s over subjects and "
                   "songs\n", num_float(lo, (float)pearson->lo),
                   num_float(hi, (float)pearson->hi));
    if (!isnan(pearson->song_lo))
        buf_printf(out, "pearson: 95 %% interval %s to %s over songs alone\n",
                   num_float(lo, (float)pearson->song_lo),
                   num_float(hi, (float)pearson->song_hi));
    if (pearson->of.undefined)
        buf_printf(out, "pearson: undefined for %zu of %zu recordings\n",
                   pearson->of.undefined, pearson->of.n);
}

/* Appends r without trends, the test with other songs, the other model. */
static int put_proof(const struct report *r, struct buf *out, struct err *err)
{
    static const enum metric compared[] = {METRIC_PEARSON,
                                           METRIC_HP + METRIC_PEARSON,
                                           METRIC_CCC, METRIC_MSE};
    char a[NUM_SIZE], b[NUM_SIZE], what[64];
    struct report_difference d;
    struct report_summary hp;
    size_t i;

    if (report_summarise(r, REPORT_MODEL, METRIC_HP + METRIC_PEARSON, NULL, 0,
                         &hp, err))
        return -1;
    if (!isnan(hp.of.mean))
        put_mean(out, "pearson above 0.05 Hz", hp.of.mean, hp.lo, hp.hi);
    if (!isnan(r->permutation.p))
        buf_printf(out, "permuted songs: pearson %s, p %s\n",
                   num_float(a, (float)r->permutation.null_mean),
                   num_float(b, (float)r->permutation.p));
    if (!r->other)
        return 0;
    buf_printf(out, "less %s, recording by recording\n", r->other);
    for (i = 0; i < sizeof compared / sizeof *compared; i++) {
        if (report_difference(r, REPORT_OTHER, compared[i], &d, err))
            return -1;
        snprintf(what, sizeof what, "  %s", metric_name(compared[i]));
        if (d.n)
            put_mean(out, what, d.mean, d.lo, d.hi);
    }
    return 0;
}

int report_put_table(const struct report *r, struct buf *out,
                     struct err *err)
{
    static const char *const names[N_STATISTICS] = {"model, mean", "  median",
                                                    "  p10", "  min"};
    struct report_summary s[N_COLUMNS], pearson = {0};
    size_t row, c;
    int which;

    put_head(r, out);
    for (row = 0; row < REPORT_N_ROWS; row++) {
        for (c = 0; c < N_COLUMNS; c++) {
            if (report_summarise(r, row, columns[c], NULL, 0, &s[c], err))
                return -1;
        }
        if (row > 0) {
            if (r->has[row])
                put_line(s, row == REPORT_OTHER
                                ? "compared with"
                                : baseline_name((enum baseline)(row - 1)),
                         MEAN, out);
            continue;
        }
        pearson = s[0];
        for (which = 0; which < N_STATISTICS; which++)
            put_line(s, names[which], (enum statistic)which, out);
    }
    put_foot(&pearson, out);
    return put_proof(r, out, err) ? -1 : buf_check(out, err);
}

/* ---- order ---- */

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
    size_t row, i;
    int by;

    for (row = 0; row < REPORT_N_ROWS; row++)
        free(r->values[row]);
    for (by = 0; by < REPORT_N_BY; by++) {
        for (i = 0; i < r->by[by].n; i++)
            free(r->by[by].names[i]);
        free(r->by[by].group);
        free(r->by[by].names);
    }
    bootstrap_release(&r->bootstrap);
    bootstrap_release(&r->songs);
    free(r->nobody);
    *r = (struct report){0};
}
