/*
 * test_regrid - curves onto other times: against the functions they were
 * sampled from, and in pieces.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "signal/regrid.h"

/* pi in double, which C11 does not name. */
#define PI 3.14159265358979323846

/* Frames of a test. */
#define T 400

/* Values from frames at num / den per second, given in pieces. Caller frees. */
static float *resampled(uint64_t num, uint64_t den, double t0, double rate,
                        const float *x, size_t C, size_t piece, int64_t *first,
                        size_t *n)
{
    float *out = calloc(20000, sizeof *out);
    struct err err;
    struct regrid *r = regrid_open(num, den, t0, rate, C, &err);
    const float *y;
    double late = -1e9, span = (double)num / (double)den;
    size_t i, k, got;

    *first = regrid_first(r);
    for (i = *n = 0; i < T; i += k) {
        k = i + piece > T ? T - i : piece;
        if (regrid_add(r, x + i * C, k, &y, &got, &err))
            exit(2);
        memcpy(out + *n * C, y ? y : x, got * C * sizeof *y);
        *n += got;
        late = fmax(late, t0 + (double)(i + k - 1) / span -
                              (double)(*first + (int64_t)*n) / rate);
    }
    if (late > regrid_latency_s(r))
        tap_ok(false, "%g s late, said %g", late, regrid_latency_s(r));
    if (regrid_end(r, &y, &got, &err))
        exit(2);
    memcpy(out + *n * C, y ? y : x, got * C * sizeof *y);
    *n += got;
    regrid_close(r);
    return out;
}

/* A sine of hz on one grid and back from it: largest error off the ends. */
static double sine_error(uint64_t num, uint64_t den, double t0, double rate,
                         double hz, double gain)
{
    float x[T], *y;
    double worst = 0, t, last = t0 + (T - 1) * (double)den / (double)num;
    int64_t first;
    size_t k, n;

    for (k = 0; k < T; k++)
        x[k] = (float)sin(2 * PI * hz *
                          (t0 + (double)k * (double)den / (double)num));
    y = resampled(num, den, t0, rate, x, 1, T, &first, &n);
    for (k = 0; k < n; k++) {
        t = (double)(first + (int64_t)k) / rate;
        if (t > last * 0.2 && t < last * 0.8)
            worst = fmax(worst, fabs((double)y[k] -
                                     gain * sin(2 * PI * hz * t)));
    }
    free(y);
    return worst;
}

/* What passes, what is stopped, and where the new grid lies. */
static void test_values(void)
{
    float x[T], *y;
    bool same = true;
    int64_t first;
    size_t k, n;

    tap_near(sine_error(10, 1, 0, 4, 0.3, 1), 0, 2e-4, "10 to 4 Hz: 0.3 Hz");
    tap_near(sine_error(10, 1, 0, 4, 3.5, 0), 0, 2e-4,
             "10 to 4 Hz: 3.5 Hz is gone");
    tap_near(sine_error(10, 1, 0, 50, 2, 1), 0, 2e-4, "10 to 50 Hz: 2 Hz");
    tap_near(sine_error(11025, 128, 0.0232, 12.5, 2, 1), 0, 2e-4,
             "an odd rate, a late first frame");
    for (k = 0; k < T; k++)
        x[k] = 5.25f;
    y = resampled(10, 1, 0.05, 4, x, 1, 3, &first, &n);
    for (k = 0; k < n; k++)
        same = same && y[k] == 5.25f;
    tap_ok(same && first == 1 && n == 159,
           "a constant stays one, from 0.25 s to 39.75 s: %zu", n);
    free(y);
    for (k = 0; k < T; k++)
        x[k] = (float)k * 0.7f;
    y = resampled(10, 1, 0, 10, x, 1, 1, &first, &n);
    tap_ok(n == T && first == 0 && !memcmp(y, x, sizeof x),
           "the same grid changes nothing");
    free(y);
}

/* Pieces give the bits of the whole, for three curves at once. */
static void test_pieces(void)
{
    static const size_t pieces[] = {1, 7, 100};
    static float x[3 * T];
    static const double rates[] = {4, 10, 32, 0.5};
    struct rng r;
    size_t i, k, n, got;
    int64_t first;
    float *whole, *y;

    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (k = 0; k < 3 * T; k++)
        x[k] = (float)rng_normal(&r);
    for (i = 0; i < 4; i++) {
        bool same = true;

        whole = resampled(10, 1, 0.02, rates[i], x, 3, T, &first, &n);
        for (k = 0; k < 3; k++) {
            y = resampled(10, 1, 0.02, rates[i], x, 3, pieces[k], &first,
                          &got);
            same = same && got == n &&
                   !memcmp(y, whole, 3 * n * sizeof *whole);
            free(y);
        }
        tap_ok(same && n > 0, "%g Hz: the same in pieces, %zu values",
               rates[i], n);
        free(whole);
    }
}

/* All tests. */
int main(void)
{
    test_values();
    test_pieces();
    return tap_done();
}
