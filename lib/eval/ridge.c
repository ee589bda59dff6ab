/*
 * ridge - normal equations, solved by Cholesky's method in double.
 *
 * All listeners of a song share its inputs, so the matrix is summed once per
 * song frame, weighted by the number of recordings that are valid there.
 */
#include "eval/ridge.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Most inputs of the linear model. */
#define MAX_INPUTS ((RIDGE_PAST_S + 1) * RIDGE_COEFFICIENTS)

/* Sums over the training frames. */
struct sums {
    double *xx;       /* (MAX_INPUTS, MAX_INPUTS) inputs times inputs, owned */
    double *xy;       /* (MAX_INPUTS) inputs times targets, owned */
    double *x;        /* (MAX_INPUTS) inputs, owned */
    uint32_t *times;  /* (T) valid recordings of the song at hand, owned */
    double *target;   /* (T) sum of their targets, owned */
    double y;         /* targets */
    double n;         /* frames */
};

/* Inputs of frame t, standardised; before the song they are 0, the mean. */
static void inputs(const struct ridge *r, const float *x, size_t t, size_t C,
                   double *row)
{
    size_t l, c;

    for (l = 0; l <= RIDGE_PAST_S; l++) {
        for (c = 0; c < r->n_coefficients; c++)
            *row++ = t < r->lag[l]
                         ? 0
                         : ((double)x[(t - r->lag[l]) * C + c] - r->mean[c]) /
                               r->std[c];
    }
}

/* Mean and std of each coefficient over the songs that are used. */
static void standardise(struct ridge *r, const struct pairs *p)
{
    double n = 0;
    size_t s, t, c;

    for (c = 0; c < r->n_coefficients; c++)
        r->mean[c] = r->std[c] = 0;
    for (s = 0; s < p->n_songs; s++) {
        if (!p->songs[s].used)
            continue;
        for (t = 0; t < p->songs[s].T; t++) {
            for (c = 0; c < r->n_coefficients; c++) {
                double v = (double)p->songs[s].mfcc[t * p->C + c];

                r->mean[c] += v;
                r->std[c] += v * v;
            }
        }
        n += (double)p->songs[s].T;
    }
    for (c = 0; c < r->n_coefficients; c++) {
        r->mean[c] /= n;
        r->std[c] = r->std[c] / n - r->mean[c] * r->mean[c];
        r->std[c] = r->std[c] > 1e-12 ? sqrt(r->std[c]) : 1;
    }
}

/* Counts, per frame of a song, its valid recordings and their targets. */
static size_t collect(const struct pairs *p, size_t song, struct sums *s)
{
    size_t T = 0, i, t;

    memset(s->times, 0, p->songs[song].T * sizeof *s->times);
    memset(s->target, 0, p->songs[song].T * sizeof *s->target);
    for (i = 0; i < p->n_recordings; i++) {
        const struct pairs_recording *rec = &p->recordings[i];

        if (rec->song != song)
            continue;
        T = rec->T > T ? rec->T : T;
        for (t = 0; t < rec->T; t++) {
            if (rec->valid[t]) {
                s->times[t]++;
                s->target[t] += (double)rec->eda[t];
            }
        }
    }
    return T;
}

/* Adds one song's frames to the sums. */
static void add_song(const struct ridge *r, const struct pairs *p,
                     size_t song, struct sums *s)
{
    size_t k = r->n_coefficients * (RIDGE_PAST_S + 1), t, i, j;
    size_t T = collect(p, song, s);
    double row[MAX_INPUTS];

    for (t = 0; t < T; t++) {
        if (!s->times[t])
            continue;
        inputs(r, p->songs[song].mfcc, t, p->C, row);
        for (i = 0; i < k; i++) {
            double w = row[i] * (double)s->times[t];

            for (j = 0; j <= i; j++)
                s->xx[i * MAX_INPUTS + j] += w * row[j];
            s->x[i] += w;
            s->xy[i] += row[i] * s->target[t];
        }
        s->y += s->target[t];
        s->n += (double)s->times[t];
    }
}

/* Solves A w = b in place for a positive definite lower triangle A. */
static void solve(double *A, double *b, size_t k)
{
    size_t i, j, m;

    for (i = 0; i < k; i++) {
        for (j = 0; j <= i; j++) {
            double v = A[i * MAX_INPUTS + j];

            for (m = 0; m < j; m++)
                v -= A[i * MAX_INPUTS + m] * A[j * MAX_INPUTS + m];
            A[i * MAX_INPUTS + j] = i == j ? sqrt(v)
                                           : v / A[j * MAX_INPUTS + j];
        }
    }
    for (i = 0; i < k; i++) {
        for (m = 0; m < i; m++)
            b[i] -= A[i * MAX_INPUTS + m] * b[m];
        b[i] /= A[i * MAX_INPUTS + i];
    }
    for (i = k; i-- > 0;) {
        for (m = i + 1; m < k; m++)
            b[i] -= A[m * MAX_INPUTS + i] * b[m];
        b[i] /= A[i * MAX_INPUTS + i];
    }
}

/* Centres the sums, adds the penalty, and solves for the weights. */
static void finish(struct ridge *r, struct sums *s)
{
    size_t k = r->n_coefficients * (RIDGE_PAST_S + 1), i, j;
    double mean_y = s->y / s->n;

    for (i = 0; i < k; i++) {
        for (j = 0; j <= i; j++)
            s->xx[i * MAX_INPUTS + j] -= s->x[i] * s->x[j] / s->n;
        s->xx[i * MAX_INPUTS + i] += RIDGE_PENALTY * s->n;
        s->xy[i] -= s->x[i] * mean_y;
    }
    solve(s->xx, s->xy, k);
    memcpy(r->weight, s->xy, k * sizeof *r->weight);
    r->intercept = mean_y;
    for (i = 0; i < k; i++)
        r->intercept -= r->weight[i] * s->x[i] / s->n;
}

int ridge_fit(struct ridge *r, const struct pairs *train, struct err *err)
{
    double rate_hz = (double)train->rate_num / (double)train->rate_den;
    struct sums s = {0};
    size_t T = 0, i;
    int got = -1;

    *r = (struct ridge){0};
    r->n_coefficients =
        train->C < RIDGE_COEFFICIENTS ? train->C : RIDGE_COEFFICIENTS;
    for (i = 0; i <= RIDGE_PAST_S; i++)
        r->lag[i] = (size_t)lround((double)i * rate_hz);
    for (i = 0; i < train->n_songs; i++)
        T = train->songs[i].T > T ? train->songs[i].T : T;
    s.xx = mem_alloc((size_t)MAX_INPUTS * MAX_INPUTS, sizeof *s.xx, err);
    s.xy = mem_alloc(MAX_INPUTS, sizeof *s.xy, err);
    s.x = mem_alloc(MAX_INPUTS, sizeof *s.x, err);
    s.times = mem_alloc(T, sizeof *s.times, err);
    s.target = mem_alloc(T, sizeof *s.target, err);
    if (!s.xx || !s.xy || !s.x || !s.times || !s.target)
        goto out;
    standardise(r, train);
    for (i = 0; i < train->n_songs; i++) {
        if (train->songs[i].used)
            add_song(r, train, i, &s);
    }
    if (s.n > 0) {
        finish(r, &s);
        got = 0;
    } else {
        err_set(err, ERR_DATA, "no valid frame to fit a linear model to");
    }
out:
    free(s.xx);
    free(s.xy);
    free(s.x);
    free(s.times);
    free(s.target);
    return got;
}

void ridge_predict(const struct ridge *r, const float *x, size_t T, size_t C,
                   float *y)
{
    size_t k = r->n_coefficients * (RIDGE_PAST_S + 1), t, i;
    double row[MAX_INPUTS], sum;

    for (t = 0; t < T; t++) {
        inputs(r, x, t, C, row);
        sum = r->intercept;
        for (i = 0; i < k; i++)
            sum += r->weight[i] * row[i];
        y[t] = (float)sum;
    }
}
