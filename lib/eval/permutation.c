/*
 * permutation - r of every recording with every song first, then sums.
 */
#include "eval/permutation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/corr.h"
#include "eval/metric.h"

/* The test at hand. */
struct test {
    const struct pairs *p;     /* recordings */
    const struct infer *model; /* predictions */
    size_t *longest;           /* (n_songs) recording of each, owned */
    double *r;                 /* (n_recordings, n_songs), owned */
    size_t *order;             /* (n_songs) a permutation, owned */
    double *means;             /* (PERMUTATION_DRAWS), owned */
};

/* r of a recording and a prediction of T frames; work: twice its span. */
static double r_of(const struct pairs_recording *rec, const float *pred,
                   size_t T, double *work)
{
    struct corr_moments m;
    size_t t, n = 0;

    for (t = 0; t < T && t < rec->T; t++) {
        if (!rec->valid[t])
            continue;
        if (!isfinite(pred[t]) || !isfinite(rec->eda[t]))
            return NAN;
        work[n] = (double)pred[t];
        work[rec->T + n++] = (double)rec->eda[t];
    }
    if (n == 0)
        return NAN;
    m = corr_moments(work, work + rec->T, n);
    return corr_pearson(&m);
}

/* Fills one recording's row of r; its own song's is the model's own. */
static int fill_row(struct test *t, size_t i, struct err *err)
{
    const struct pairs_recording *rec = &t->p->recordings[i];
    double *work = mem_alloc(rec->T, 2 * sizeof *work, err);
    size_t s, from;

    if (!work)
        return -1;
    for (s = 0; s < t->p->n_songs; s++) {
        from = s == rec->song ? i : t->longest[s];
        t->r[i * t->p->n_songs + s] =
            r_of(rec, t->model->pred[from], t->p->recordings[from].T, work);
    }
    free(work);
    return 0;
}

/* Fills the table of r, recordings side by side. */
static int fill_table(struct test *t, int n_threads, struct err *err)
{
    int failed = 0;
    size_t i;

#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (i = 0; i < t->p->n_recordings; i++) {
        struct err mine;

        if (fill_row(t, i, &mine)) {
#pragma omp critical
            {
                *err = mine;
                failed = 1;
            }
        }
    }
    return failed ? -1 : 0;
}

/* Mean r when song s is taken for order[s]. */
static double mean_of(const struct test *t)
{
    double sum = 0, r;
    size_t n = 0, i;

    for (i = 0; i < t->p->n_recordings; i++) {
        r = t->r[i * t->p->n_songs + t->order[t->p->recordings[i].song]];
        if (!isnan(r)) {
            sum += r;
            n++;
        }
    }
    return n ? sum / (double)n : NAN;
}

/* Begins with the true songs. Returns whether any dataset has two. */
static bool restore(struct test *t)
{
    bool any = false;
    size_t s;

    for (s = 0; s < t->p->n_songs; s++) {
        t->order[s] = s;
        any = any || (s && !strcmp(t->p->songs[s].dataset,
                                   t->p->songs[s - 1].dataset));
    }
    return any;
}

/* Permutes the songs of each dataset; they are neighbours. */
static void permute(struct test *t, struct rng *rng)
{
    const struct pairs_song *songs = t->p->songs;
    size_t first, end;

    restore(t);
    for (first = 0; first < t->p->n_songs; first = end) {
        for (end = first + 1; end < t->p->n_songs &&
                              !strcmp(songs[end].dataset,
                                      songs[first].dataset);)
            end++;
        rng_shuffle(rng, t->order + first, end - first);
    }
}

/* Ascending order of doubles. */
static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Draws, counts, summarises. */
static void draw(struct test *t, uint64_t seed, struct permutation *out)
{
    size_t n = 0, above = 0, d;
    bool can = restore(t);
    double sum = 0;
    struct rng rng;

    out->observed = mean_of(t);
    if (!can || isnan(out->observed))
        return;
    for (d = 0; d < PERMUTATION_DRAWS; d++) {
        rng_init(&rng, seed, RNG_PERMUTATION, (uint32_t)d, 0);
        permute(t, &rng);
        t->means[n] = mean_of(t);
        if (isnan(t->means[n]))
            continue;
        sum += t->means[n];
        above += t->means[n++] >= out->observed;
    }
    if (n == 0)
        return;
    qsort(t->means, n, sizeof *t->means, ascending);
    out->null_mean = sum / (double)n;
    out->null_p95 = metric_quantile(t->means, n, 0.95);
    out->p = (double)(1 + above) / (double)(1 + n);
}

int permutation_run(struct permutation *out, const struct pairs *p,
                    const struct infer *model, uint64_t seed, int n_threads,
                    struct err *err)
{
    struct test t = {.p = p, .model = model};
    size_t i;
    int got = -1;

    *out = (struct permutation){NAN, NAN, NAN, NAN};
    t.longest = mem_alloc(p->n_songs, sizeof *t.longest, err);
    t.order = mem_alloc(p->n_songs, sizeof *t.order, err);
    t.r = mem_alloc(p->n_recordings * p->n_songs, sizeof *t.r, err);
    t.means = mem_alloc(PERMUTATION_DRAWS, sizeof *t.means, err);
    if (t.longest && t.order && t.r && t.means) {
        for (i = p->n_recordings; i-- > 0;) {
            size_t *best = &t.longest[p->recordings[i].song];

            /* songs have recordings; the first one seen replaces the 0 */
            if (p->recordings[*best].song != p->recordings[i].song ||
                p->recordings[i].T >= p->recordings[*best].T)
                *best = i;
        }
        got = fill_table(&t, n_threads, err);
        if (!got)
            draw(&t, seed, out);
    }
    free(t.longest);
    free(t.order);
    free(t.r);
    free(t.means);
    return got;
}
