/* test_wino - Winograd against a double loop, path against path. */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "nn/wino.h"
#include "nn_golden.h"

/* Largest error, of the largest value, of the way forward and to the data. */
#define TOL 3e-6
/* Largest error of a weight gradient, of its largest value. */
#define TOL_WEIGHTS 6e-6

/* One case's arrays, owned. */
struct arrays {
    float *w;     /* (C_out, C_in, K) */
    float *b;     /* (C_out) */
    float *x;     /* (T, C_in) */
    float *dy;    /* (T, C_out) */
    float *y;     /* (T, C_out) */
    float *dx;    /* (T, C_in) */
    float *dw;    /* (C_out, C_in, K) */
    double *sums; /* weight gradient, packed */
};

/* n floats uniformly in (-1, 1), between NaNs. */
static float *drawn(size_t n, uint32_t position)
{
    float *v = malloc((n + 64) * sizeof(*v));
    struct rng r;

    rng_init(&r, 7, RNG_TEST, position, 0);
    for (size_t i = 0; i < n + 64; i++)
        v[i] = i < 32 || i >= n + 32 ? NAN : (float)(2 * rng_uniform(&r) - 1);
    return v + 32;
}

/* Arrays of a case. */
static struct arrays arrays_of(const struct conv1d *c, size_t T)
{
    size_t n_w = c->c_out * c->c_in * c->kernel;

    return (struct arrays){drawn(n_w, 1),
                           drawn(c->c_out, 2),
                           drawn(T * c->c_in, 3),
                           drawn(T * c->c_out, 4),
                           drawn(T * c->c_out, 5),
                           drawn(T * c->c_in, 6),
                           drawn(n_w, 7),
                           calloc(conv1d_packed_len(c), sizeof(double))};
}

/* Frees them. */
static void arrays_free(struct arrays *a)
{
    free(a->w - 32), free(a->b - 32), free(a->x - 32), free(a->dy - 32);
    free(a->y - 32), free(a->dx - 32), free(a->dw - 32), free(a->sums);
}

/* Frames [0, n) forward and back, by Winograd on one path. */
static void compute(const struct wino *w, enum conv1d_path path, size_t T,
                    size_t n, struct arrays *a)
{
    float *packed = calloc(wino_packed_len(w, 0), sizeof(*packed));
    float *back = calloc(wino_packed_len(w, 1), sizeof(*back));
    float *memory = malloc(wino_work_len(w, 1) * sizeof(*memory));
    struct wino_work work = wino_work_at(w, 1, memory);
    struct wino_block b;

    wino_pack(w, 0, a->w, packed);
    wino_pack(w, 1, a->w, back);
    memset(a->sums, 0, conv1d_packed_len(&w->conv) * sizeof(double));
    for (size_t at = 0, next; (next = wino_block(w, n, at, &b)); at = next) {
        wino_forward(w, path, packed, a->b, a->x, T, n, &b, &work, 0, a->y);
        wino_backward(w, path, back, a->x, a->dy, T, n, &b, &work, 0, a->dx);
    }
    wino_collect(w, path, &work, a->sums);
    conv1d_unpack(&w->conv, a->sums, a->dw);
    free(packed), free(back), free(memory);
}

/* v[t][i] in double, zero outside the sequence. */
static double at(const float *v, size_t C, size_t T, long t, size_t i)
{
    return t < 0 || t >= (long)T ? 0 : (double)v[(size_t)t * C + i];
}

/* The larger of two; NaN wins. */
static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Largest error of y, of its largest value. */
static double error_forward(const struct conv1d *c, size_t T, size_t n,
                            const struct arrays *a)
{
    double worst = 0, most = 0;

    for (size_t t = 0; t < n; t++)
        for (size_t o = 0; o < c->c_out; o++) {
            double sum = (double)a->b[o];

            for (size_t k = 0; k < c->kernel; k++)
                for (size_t i = 0; i < c->c_in; i++)
                    sum += (double)a->w[(o * c->c_in + i) * c->kernel + k] *
                           at(a->x, c->c_in, T,
                              (long)(t + k * c->dilation) - (long)c->left, i);
            worst =
                golden_worse(worst, fabs(sum - (double)a->y[t * c->c_out + o]));
            most = larger(most, fabs(sum));
        }
    return most > 0 ? worst / most : worst;
}

/* Largest error of dx, of its largest value. */
static double error_data(const struct conv1d *c, size_t T, size_t n,
                         const struct arrays *a)
{
    double worst = 0, most = 0;

    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < c->c_in; i++) {
            double sum = 0;

            for (size_t k = 0; k < c->kernel; k++)
                for (size_t o = 0; o < c->c_out; o++)
                    sum += (double)a->w[(o * c->c_in + i) * c->kernel + k] *
                           at(a->dy, c->c_out, T,
                              (long)(s + c->left) - (long)(k * c->dilation), o);
            worst =
                golden_worse(worst, fabs(sum - (double)a->dx[s * c->c_in + i]));
            most = larger(most, fabs(sum));
        }
    return most > 0 ? worst / most : worst;
}

/* Largest error of dw of frames [0, n) of x, of its largest value. */
static double error_weights(const struct conv1d *c, size_t T, size_t n,
                            const struct arrays *a)
{
    double worst = 0, most = 0;

    for (size_t o = 0; o < c->c_out; o++)
        for (size_t i = 0; i < c->c_in; i++)
            for (size_t k = 0; k < c->kernel; k++) {
                double dw = 0;

                for (size_t s = 0; s < n; s++)
                    dw += (double)a->x[s * c->c_in + i] *
                          at(a->dy, c->c_out, T,
                             (long)(s + c->left) - (long)(k * c->dilation), o);
                worst = golden_worse(
                    worst,
                    fabs(dw -
                         (double)a->dw[(o * c->c_in + i) * c->kernel + k]));
                most = larger(most, fabs(dw));
            }
    return most > 0 ? worst / most : worst;
}

/* What the cases left: largest errors, and whether paths agree. */
struct found {
    double forward; /* of y */
    double data;    /* of dx */
    double weights; /* of dw */
    int paths;      /* all gave the same bits */
};

/* One shape on all paths. */
static void shape(const struct conv1d *c, int small, size_t T, size_t n,
                  struct found *f)
{
    struct wino w = wino_of(c, small);
    struct arrays a = arrays_of(c, T), b;

    compute(&w, conv1d_best_path(), T, n, &a);
    f->forward = golden_worse(f->forward, error_forward(c, T, n, &a));
    f->data = golden_worse(f->data, error_data(c, T, n, &a));
    f->weights = golden_worse(f->weights, error_weights(c, T, n, &a));
    for (int path = 0; path < (int)conv1d_best_path(); path++) {
        b = arrays_of(c, T);
        compute(&w, (enum conv1d_path)path, T, n, &b);
        f->paths = f->paths &&
                   memcmp(a.y, b.y, n * c->c_out * sizeof(float)) == 0 &&
                   memcmp(a.dx, b.dx, n * c->c_in * sizeof(float)) == 0 &&
                   memcmp(a.sums, b.sums,
                          conv1d_packed_len(c) * sizeof(double)) == 0;
        arrays_free(&b);
    }
    arrays_free(&a);
}

/* Reports what cases of F(., K) left. */
static void report(const struct found *f, const char *what)
{
    printf("# %s: forward %.1e, data %.1e, weights %.1e\n", what, f->forward,
           f->data, f->weights);
    tap_ok(f->forward < TOL && f->data < TOL && f->weights < TOL_WEIGHTS,
           "%s is right", what);
    tap_ok(f->paths, "%s has the same bits on all paths", what);
}

/* 2 to 7 taps, all dilations, same and causal, odd lengths and channels. */
static void test_taps(size_t K, int small)
{
    static const size_t dilations[] = {1, 2, 3, 16, 67, 128, 512};
    static const size_t lengths[] = {1, 5, 63, 301, 1237};
    static const size_t channels[][2] = {{1, 3}, {19, 35}, {33, 16}};
    struct found f = {.paths = 1};
    char what[64];
    size_t turn = K + (size_t)small;

    for (size_t d = 0; d < 7; d++)
        for (size_t l = 0; l < 5; l++, turn++) {
            const size_t *C = channels[turn % 3];
            size_t n = turn % 5 ? lengths[l] : (lengths[l] + 1) / 2;
            struct conv1d c = {
                C[0], C[1], K, dilations[d],
                conv1d_left(K, dilations[d], turn % 2 == 0)};

            shape(&c, small, lengths[l], n, &f);
        }
    snprintf(what, sizeof(what), "%s F(., %zu)", small ? "small" : "large", K);
    report(&f, what);
}

/* Runs all. */
int main(void)
{
    for (size_t K = 2; K <= 7; K++) {
        test_taps(K, 0);
        test_taps(K, 1);
    }
    return tap_done();
}
