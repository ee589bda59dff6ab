/*
 * lagcurve - r at every lag of every recording, then means in their order.
 */
#include "eval/lagcurve.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "eval/corr.h"
#include "eval/metric.h"

/* r of one recording at every lag, into r: (n). work: (4 T). */
static void follow(const struct pairs_recording *rec, const float *pred,
                   size_t n, double *work, double *r)
{
    double *p = work, *y = work + rec->T;
    ptrdiff_t most = (ptrdiff_t)(n / 2);
    size_t valid = 0, t, k;

    for (t = 0; t < rec->T; t++) {
        p[t] = rec->valid[t] ? pred[t] : 0;
        y[t] = rec->valid[t] ? rec->eda[t] : 0;
        valid += rec->valid[t] != 0;
    }
    for (k = 0; k < n; k++)
        r[k] = corr_lag(p, y, rec->valid, rec->T, (ptrdiff_t)k - most,
                        (valid + 1) / 2, work + 2 * rec->T);
}

/* Follows what one thread of the team takes. r: (n_recordings, n). */
static int follow_thread(const struct pairs *p, const struct infer *model,
                         size_t T, size_t n, double *r, struct err *err)
{
    double *work = mem_alloc(T, 4 * sizeof *work, err);
    size_t i;

#pragma omp for schedule(dynamic)
    for (i = 0; i < p->n_recordings; i++) {
        if (work)
            follow(&p->recordings[i], model->pred[i], n, work, r + i * n);
    }
    free(work);
    return work ? 0 : -1;
}

/* Follows all recordings. */
static int follow_all(const struct pairs *p, const struct infer *model,
                      size_t n, double *r, int n_threads, struct err *err)
{
    size_t T = 0, i;
    int failed = 0;

    for (i = 0; i < p->n_recordings; i++)
        T = p->recordings[i].T > T ? p->recordings[i].T : T;
#pragma omp parallel num_threads(n_threads)
    {
        struct err mine;

        if (follow_thread(p, model, T, n, r, &mine)) {
#pragma omp critical
            {
                *err = mine;
                failed = 1;
            }
        }
    }
    return failed ? -1 : 0;
}

int lagcurve_init(struct lagcurve *c, const struct pairs *p,
                  const struct infer *model, int n_threads, struct err *err)
{
    double rate_hz = (double)p->rate_num / (double)p->rate_den, *r;
    size_t most = (size_t)floor(METRIC_MAX_LAG_S * rate_hz + 1e-9), i, k;

    *c = (struct lagcurve){.n = 2 * most + 1, .step_s = 1 / rate_hz,
                           .first_s = -(double)most / rate_hz};
    r = mem_alloc(p->n_recordings * c->n, sizeof *r, err);
    c->mean = mem_alloc(c->n, sizeof *c->mean, err);
    if (!r || !c->mean || follow_all(p, model, c->n, r, n_threads, err)) {
        free(r);
        lagcurve_release(c);
        return -1;
    }
    for (k = 0; k < c->n; k++) {
        double sum = 0;
        size_t n = 0;

        for (i = 0; i < p->n_recordings; i++) {
            if (isnan(r[i * c->n + k]))
                continue;
            sum += r[i * c->n + k];
            n++;
        }
        c->mean[k] = n ? (float)(sum / (double)n) : NAN;
    }
    free(r);
    return 0;
}

void lagcurve_release(struct lagcurve *c)
{
    free(c->mean);
    *c = (struct lagcurve){0};
}
