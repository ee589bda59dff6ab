/*
 * bootstrap - the weights are drawn once and serve every metric.
 */
#include "eval/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/metric.h"

int bootstrap_init(struct bootstrap *b, const size_t *subject,
                   size_t n_subjects, const size_t *song, size_t n_songs,
                   size_t n, uint64_t seed, struct err *err)
{
    size_t width = n_subjects + n_songs, d, i;
    struct rng r;

    *b = (struct bootstrap){.n = n, .subject = subject, .song = song,
                            .n_subjects = n_subjects, .n_songs = n_songs};
    if (n_subjects < 2 && n_songs < 2)
        return 0;
    b->n_draws = BOOTSTRAP_DRAWS;
    b->times = mem_alloc(b->n_draws * width, sizeof *b->times, err);
    if (!b->times)
        return -1;
    for (d = 0; d < b->n_draws; d++) {
        uint16_t *times = b->times + d * width;

        rng_init(&r, seed, RNG_BOOTSTRAP, (uint32_t)d, 0);
        for (i = 0; i < n_subjects; i++)
            times[rng_below(&r, (uint32_t)n_subjects)]++;
        for (i = 0; i < n_songs; i++)
            times[n_subjects + rng_below(&r, (uint32_t)n_songs)]++;
    }
    return 0;
}

/* Ascending order of doubles. */
static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Weighted mean of the defined values in draw d; NaN if none was drawn. */
static double draw_mean(const struct bootstrap *b, size_t d,
                        const double *values, size_t stride)
{
    const uint16_t *times = b->times + d * (b->n_subjects + b->n_songs);
    double sum = 0, weight = 0;
    size_t i;

    for (i = 0; i < b->n; i++) {
        double w = (double)times[b->subject[i]] *
                   (double)times[b->n_subjects + b->song[i]];

        if (w > 0 && !isnan(values[i * stride])) {
            sum += w * values[i * stride];
            weight += w;
        }
    }
    return weight > 0 ? sum / weight : NAN;
}

int bootstrap_interval(const struct bootstrap *b, const double *values,
                       size_t stride, double *lo, double *hi, struct err *err)
{
    double *means;
    size_t n = 0, d;

    *lo = *hi = NAN;
    if (b->n_draws == 0)
        return 0;
    means = mem_alloc(b->n_draws, sizeof *means, err);
    if (!means)
        return -1;
    for (d = 0; d < b->n_draws; d++) {
        means[n] = draw_mean(b, d, values, stride);
        if (!isnan(means[n]))
            n++;
    }
    if (n > 1) {
        qsort(means, n, sizeof *means, ascending);
        *lo = metric_quantile(means, n, 0.025);
        *hi = metric_quantile(means, n, 0.975);
    }
    free(means);
    return 0;
}

void bootstrap_release(struct bootstrap *b)
{
    free(b->times);
    *b = (struct bootstrap){0};
}
