/*
 * forecast - EDA from features or from samples as they arrive.
 *
 *   features --> model 1 --+
 *            --> ...       +--> (n, M) rows --> [regrid] --> mean, spread,
 *            --> model M --+                                 scale
 *
 * Every model's curve goes onto the new times before the mean and the spread
 * are taken of them. Live, models whose receptive fields differ are ahead of
 * each other by as much; what all of them have goes on.
 */
#include "eval/forecast.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/online.h"
#include "signal/listen.h"
#include "signal/mfcc.h"
#include "signal/regrid.h"

/* From the models' rows to results. */
struct tail {
    const struct forecast_plan *plan; /* borrowed */
    struct regrid *regrid;            /* onto other times, NULL: none */
    int64_t first;                    /* number of the first result */
    size_t n;                         /* results in eda and sd */
    float *eda;                       /* (n) results, owned */
    size_t cap_eda;                   /* room in eda */
    float *sd;                        /* (n) their spread, owned */
    size_t cap_sd;                    /* room in sd */
};

/* Models with their workspaces. */
struct forecast {
    struct tail tail;         /* what comes behind the models */
    struct model_work **work; /* one a model, owned */
    float *rows;              /* (T, M), owned */
    size_t cap;               /* room in rows */
};

/* One model of a song as it arrives. */
struct member {
    struct online *online; /* owned */
    float *y;              /* (n) outputs that wait for the others, owned */
    size_t n;              /* how many */
    size_t cap;            /* room in y */
};

/* One song as it arrives. */
struct forecast_live {
    struct tail tail;       /* what comes behind the models */
    struct listen *listen;  /* samples to features, owned */
    struct member *members; /* one a model, owned */
    size_t step;            /* frames computed together */
    float *rows;            /* (n, M), owned */
    size_t cap;             /* room in rows */
};

double forecast_time(const struct forecast_plan *p, int64_t i)
{
    if (p->rate_hz > 0)
        return (double)i / p->rate_hz;
    return p->t0_s + (double)i * (double)p->rate_den / (double)p->rate_num;
}

void forecast_rate(const struct forecast_plan *p, int64_t *num, int64_t *den)
{
    *num = (int64_t)p->rate_num;
    *den = (int64_t)p->rate_den;
    if (!(p->rate_hz > 0))
        return;
    for (*den = 1; *den < 1000000; (*den)++) {
        *num = llrint(p->rate_hz * (double)*den);
        if (fabs(p->rate_hz * (double)*den - (double)*num) < 1e-6)
            break;
    }
}

/* ---- behind the models ---- */

/* Begins a song. */
static int tail_begin(struct tail *t, struct err *err)
{
    const struct forecast_plan *p = t->plan;

    regrid_close(t->regrid);
    t->regrid = NULL;
    t->first = 0;
    t->n = 0;
    if (!(p->rate_hz > 0))
        return 0;
    t->regrid = regrid_open(p->rate_num, p->rate_den, p->t0_s, p->rate_hz,
                            p->n_models, err);
    if (!t->regrid)
        return -1;
    t->first = regrid_first(t->regrid);
    return 0;
}

/* Frees it. */
static void tail_release(struct tail *t)
{
    regrid_close(t->regrid);
    free(t->eda);
    free(t->sd);
}

/* Mean and spread of the M values of one row. */
static void reduce(const struct forecast_plan *p, const float *y, float *eda,
                   float *sd)
{
    size_t M = p->n_models, m;
    double sum = 0, squares = 0, mean, d;

    for (m = 0; m < M; m++)
        sum += (double)y[m];
    mean = sum / (double)M;
    *eda = (float)(p->std * mean + p->mean);
    if (M == 1)
        return;
    for (m = 0; m < M; m++) {
        d = (double)y[m] - mean;
        squares += d * d;
    }
    *sd = (float)(fabs(p->std) * sqrt(squares / (double)(M - 1)));
}

/* Appends results from n rows on the grid of the results. */
static int tail_append(struct tail *t, const float *y, size_t n,
                       struct err *err)
{
    size_t M = t->plan->n_models, i;
    float *eda = mem_grow(t->eda, &t->cap_eda, t->n + n + 1, sizeof *eda, err);
    float *sd;

    if (!eda)
        return -1;
    t->eda = eda;
    sd = mem_grow(t->sd, &t->cap_sd, t->n + n + 1, sizeof *sd, err);
    if (!sd)
        return -1;
    t->sd = sd;
    for (i = 0; i < n; i++)
        reduce(t->plan, y + i * M, eda + t->n + i, sd + t->n + i);
    t->n += n;
    return 0;
}

/* Appends results from n rows of the models. */
static int tail_add(struct tail *t, const float *y, size_t n, struct err *err)
{
    if (t->regrid && regrid_add(t->regrid, y, n, &y, &n, err))
        return -1;
    return tail_append(t, y, n, err);
}

/* Appends those that are left at the end. */
static int tail_end(struct tail *t, struct err *err)
{
    const float *y;
    size_t n;

    if (!t->regrid)
        return 0;
    return regrid_end(t->regrid, &y, &n, err) || tail_append(t, y, n, err)
               ? -1
               : 0;
}

/* Hands the results out and forgets them. */
static void tail_take(struct tail *t, struct forecast_rows *rows)
{
    *rows = (struct forecast_rows){t->n, t->first, t->eda,
                                   t->plan->n_models > 1 ? t->sd : NULL};
    t->first += (int64_t)t->n;
    t->n = 0;
}

/* ---- a whole song ---- */

struct forecast *forecast_open(const struct forecast_plan *plan,
                               struct err *err)
{
    struct forecast *f = mem_alloc(1, sizeof *f, err);
    size_t m;

    if (!f)
        return NULL;
    f->tail.plan = plan;
    f->work = mem_alloc(plan->n_models, sizeof *f->work, err);
    for (m = 0; f->work && m < plan->n_models; m++) {
        f->work[m] = model_work_open(plan->models[m], 1, 0, err);
        if (!f->work[m])
            break;
    }
    if (!f->work || m < plan->n_models) {
        forecast_close(f);
        return NULL;
    }
    return f;
}

void forecast_close(struct forecast *f)
{
    size_t m;

    if (!f)
        return;
    for (m = 0; f->work && m < f->tail.plan->n_models; m++)
        model_work_close(f->work[m]);
    free(f->work);
    free(f->rows);
    tail_release(&f->tail);
    free(f);
}

int forecast_song(struct forecast *f, const float *x, size_t T,
                  struct forecast_rows *rows, struct err *err)
{
    size_t M = f->tail.plan->n_models, m, t;
    const float *y;
    float *grown;

    if (T > SIZE_MAX / M)
        return err_set(err, ERR_FAILED, "%zu frames do not fit memory", T);
    grown = mem_grow(f->rows, &f->cap, T * M, sizeof *grown, err);
    if (!grown)
        return -1;
    f->rows = grown;
    for (m = 0; m < M; m++) {
        if (model_forward(f->tail.plan->models[m], f->work[m], x, T, NULL, &y,
                          err))
            return -1;
        for (t = 0; t < T; t++)
            f->rows[t * M + m] = y[t];
    }
    if (tail_begin(&f->tail, err) || tail_add(&f->tail, f->rows, T, err) ||
        tail_end(&f->tail, err))
        return -1;
    tail_take(&f->tail, rows);
    return 0;
}

/* ---- a song as it arrives ---- */

/* The features that the models want of what arrives, and no others. */
static int check_rate(const struct forecast_live *f,
                      const struct config_features *conf, struct err *err)
{
    const struct forecast_plan *p = f->tail.plan;
    uint32_t rate_hz = listen_rate_hz(f->listen);
    struct mfcc_grid grid;
    size_t m;

    mfcc_grid(conf, rate_hz, &grid);
    if ((uint64_t)grid.rate_num != p->rate_num ||
        (uint64_t)grid.rate_den != p->rate_den)
        return err_set(err, ERR_USAGE, "%u Hz make %lld/%lld frames a second, "
                       "the model was trained on %llu/%llu", rate_hz,
                       (long long)grid.rate_num, (long long)grid.rate_den,
                       (unsigned long long)p->rate_num,
                       (unsigned long long)p->rate_den);
    for (m = 0; m < p->n_models; m++) {
        if (p->models[m]->input_size != listen_n_values(f->listen))
            return err_set(err, ERR_USAGE, "the features have %zu "
                           "coefficients, model %zu wants %zu",
                           listen_n_values(f->listen), m + 1,
                           p->models[m]->input_size);
    }
    return 0;
}

/* The models' part. */
static int open_members(struct forecast_live *f, struct err *err)
{
    const struct forecast_plan *p = f->tail.plan;
    size_t m;

    f->members = mem_alloc(p->n_models, sizeof *f->members, err);
    if (!f->members)
        return -1;
    for (m = 0; m < p->n_models; m++) {
        f->members[m].online = online_open(p->models[m], f->step, err);
        if (!f->members[m].online)
            return -1;
    }
    return 0;
}

struct forecast_live *forecast_live_open(const struct forecast_plan *plan,
                                         const struct config_features *conf,
                                         uint32_t in_hz, size_t step,
                                         struct err *err)
{
    struct forecast_live *f = mem_alloc(1, sizeof *f, err);

    if (!f)
        return NULL;
    f->tail.plan = plan;
    f->step = step;
    f->listen = listen_open(conf, in_hz, err);
    if (!f->listen || check_rate(f, conf, err) || open_members(f, err) ||
        tail_begin(&f->tail, err)) {
        forecast_live_close(f);
        return NULL;
    }
    return f;
}

void forecast_live_close(struct forecast_live *f)
{
    size_t m;

    if (!f)
        return;
    for (m = 0; f->members && m < f->tail.plan->n_models; m++) {
        online_close(f->members[m].online);
        free(f->members[m].y);
    }
    free(f->members);
    listen_close(f->listen);
    free(f->rows);
    tail_release(&f->tail);
    free(f);
}

void forecast_live_latency(const struct forecast_live *f,
                           struct forecast_latency *latency)
{
    const struct forecast_plan *p = f->tail.plan;
    double frame_s = (double)p->rate_den / (double)p->rate_num;
    size_t most = 0, frames, m;

    for (m = 0; m < p->n_models; m++) {
        frames = online_latency(f->members[m].online);
        most = frames > most ? frames : most;
    }
    *latency = (struct forecast_latency){
        .framing_s = listen_latency_s(f->listen),
        .field_s = (double)(most - (f->step - 1)) * frame_s,
        .step_s = (double)(f->step - 1) * frame_s,
        .rate_s = f->tail.regrid ? regrid_latency_s(f->tail.regrid) : 0};
}

/* Appends n outputs of a model to those that wait. */
static int queue(struct member *m, const float *y, size_t n, struct err *err)
{
    float *grown = mem_grow(m->y, &m->cap, m->n + n + 1, sizeof *grown, err);

    if (!grown)
        return -1;
    m->y = grown;
    if (n)
        memcpy(m->y + m->n, y, n * sizeof *y);
    m->n += n;
    return 0;
}

/* What all models have goes on. */
static int join(struct forecast_live *f, struct err *err)
{
    size_t M = f->tail.plan->n_models, n = f->members[0].n, m, t;
    float *grown;

    for (m = 1; m < M; m++)
        n = f->members[m].n < n ? f->members[m].n : n;
    if (n == 0)
        return 0;
    grown = mem_grow(f->rows, &f->cap, n * M, sizeof *grown, err);
    if (!grown)
        return -1;
    f->rows = grown;
    for (m = 0; m < M; m++) {
        struct member *from = &f->members[m];

        for (t = 0; t < n; t++)
            f->rows[t * M + m] = from->y[t];
        from->n -= n;
        memmove(from->y, from->y + n, from->n * sizeof *from->y);
    }
    return tail_add(&f->tail, f->rows, n, err);
}

/* Features through all models. */
static int run_members(struct forecast_live *f, const float *x, size_t T,
                       struct err *err)
{
    const float *y = NULL;
    size_t m, n;

    for (m = 0; m < f->tail.plan->n_models; m++) {
        if (online_add(f->members[m].online, x, T, &y, &n, err) ||
            queue(&f->members[m], y, n, err))
            return -1;
    }
    return join(f, err);
}

int forecast_live_add(struct forecast_live *f, const float *x, size_t n,
                      struct forecast_rows *rows, struct err *err)
{
    const float *mfcc = NULL;
    size_t T;

    if (listen_add(f->listen, x, n, &mfcc, &T, err) ||
        run_members(f, mfcc, T, err))
        return -1;
    tail_take(&f->tail, rows);
    return 0;
}

int forecast_live_end(struct forecast_live *f, struct forecast_rows *rows,
                      struct err *err)
{
    const float *mfcc = NULL, *y = NULL;
    size_t T, m, n;

    if (listen_end(f->listen, &mfcc, &T, err) || run_members(f, mfcc, T, err))
        return -1;
    for (m = 0; m < f->tail.plan->n_models; m++) {
        if (online_end(f->members[m].online, &y, &n, err) ||
            queue(&f->members[m], y, n, err))
            return -1;
    }
    if (join(f, err) || tail_end(&f->tail, err))
        return -1;
    tail_take(&f->tail, rows);
    return 0;
}
