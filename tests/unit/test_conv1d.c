/* test_conv1d - convolutions against a double loop, and path against path. */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "nn/conv1d.h"
#include "nn_golden.h"

/* Largest array of any case here, in elements. */
#define MOST 60000

/* One case's arrays. */
struct arrays {
    float w[MOST];      /* (C_out, C_in, K) */
    float b[MOST];      /* (C_out) */
    float x[MOST];      /* (T, C_in) */
    float dy[MOST];     /* (T, C_out) */
    float y[MOST];      /* (T, C_out) */
    float dx[MOST];     /* (T, C_in) */
    float dw[MOST];     /* (C_out, C_in, K) */
    float packed[MOST]; /* either way */
    double sums[MOST];  /* weight gradient */
    double db[MOST];    /* bias gradient */
};

/* Fills n floats uniformly in (-1, 1). */
static void fill(float *v, size_t n, uint32_t position)
{
    struct rng r;

    rng_init(&r, 7, RNG_TEST, position, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(2 * rng_uniform(&r) - 1);
}

/* x[t][i], zero outside the sequence. */
static double at(const float *x, size_t C, size_t T, long t, size_t i)
{
    return t < 0 || t >= (long)T ? 0 : (double)x[(size_t)t * C + i];
}

/* Computes everything on one path, in two pieces forward. */
static void compute(const struct conv1d *c, enum conv1d_path path, size_t T,
                    struct arrays *a)
{
    size_t cut = T / 3;

    conv1d_pack(c, a->w, a->packed);
    conv1d_forward(c, path, a->packed, a->b, a->x, T, cut, T, a->y);
    conv1d_forward(c, path, a->packed, a->b, a->x, T, 0, cut, a->y);
    conv1d_pack_back(c, a->w, a->packed);
    conv1d_backward_data(c, path, a->packed, a->dy, T, 0, a->dx);
    memset(a->sums, 0, conv1d_packed_len(c) * sizeof(double));
    memset(a->db, 0, c->c_out * sizeof(double));
    conv1d_backward_weights(c, path, a->x, a->dy, T, a->sums);
    conv1d_backward_bias(c, a->dy, T, a->db);
    conv1d_unpack(c, a->sums, a->dw);
}

/* Largest error of y against the definition in double. */
static double error_forward(const struct conv1d *c, size_t T,
                            const struct arrays *a)
{
    double worst = 0;

    for (size_t t = 0; t < T; t++)
        for (size_t o = 0; o < c->c_out; o++) {
            double sum = (double)a->b[o];

            for (size_t i = 0; i < c->c_in; i++)
                for (size_t k = 0; k < c->kernel; k++)
                    sum += (double)a->w[(o * c->c_in + i) * c->kernel + k] *
                           at(a->x, c->c_in, T,
                              (long)(t + k * c->dilation) - (long)c->left, i);
            worst =
                golden_worse(worst, fabs(sum - (double)a->y[t * c->c_out + o]));
        }
    return worst;
}

/* Largest error of dx, dw and db against their definitions in double. */
static double error_backward(const struct conv1d *c, size_t T,
                             const struct arrays *a)
{
    double worst = 0, *dx = calloc(T * c->c_in + 1, sizeof(*dx));

    for (size_t o = 0; o < c->c_out; o++) {
        double db = 0;

        for (size_t t = 0; t < T; t++)
            db += (double)a->dy[t * c->c_out + o];
        worst = golden_worse(worst, fabs(db - a->db[o]));
        for (size_t i = 0; i < c->c_in; i++)
            for (size_t k = 0; k < c->kernel; k++) {
                size_t w = (o * c->c_in + i) * c->kernel + k;
                double dw = 0;

                for (size_t t = 0; t < T; t++) {
                    double dy = (double)a->dy[t * c->c_out + o];
                    long s = (long)(t + k * c->dilation) - (long)c->left;

                    dw += dy * at(a->x, c->c_in, T, s, i);
                    if (s >= 0 && s < (long)T)
                        dx[(size_t)s * c->c_in + i] += dy * (double)a->w[w];
                }
                worst = golden_worse(worst, fabs(dw - (double)a->dw[w]));
            }
    }
    for (size_t j = 0; j < T * c->c_in; j++)
        worst = golden_worse(worst, fabs(dx[j] - (double)a->dx[j]));
    free(dx);
    return worst;
}

/* Whether two results are the same bits. */
static bool same(const struct conv1d *c, size_t T, const struct arrays *a,
                 const struct arrays *b)
{
    return memcmp(a->y, b->y, T * c->c_out * sizeof(float)) == 0 &&
           memcmp(a->dx, b->dx, T * c->c_in * sizeof(float)) == 0 &&
           memcmp(a->sums, b->sums, conv1d_packed_len(c) * sizeof(double)) == 0;
}

/* One shape: errors, all paths' bits, nothing read outside. */
static void shape(struct arrays *a, struct arrays *b, const struct conv1d *c,
                  size_t T, bool *right, bool *equal)
{
    double tol = 1e-6 * (2 + sqrt((double)(c->c_in * c->kernel + T)));

    fill(a->w, c->c_out * c->c_in * c->kernel, 1);
    fill(a->b, c->c_out, 2);
    fill(a->x, T * c->c_in, 3);
    fill(a->dy, T * c->c_out, 4);
    /* what lies before and behind x and dy spoils every sum it enters */
    for (size_t i = 1; i < 2000; i++) {
        a->b[MOST - i] = a->x[MOST - i] = NAN;
        a->x[T * c->c_in + i - 1] = a->dy[T * c->c_out + i - 1] = NAN;
    }
    compute(c, CONV1D_PLAIN, T, a);
    if (!(error_forward(c, T, a) < tol && error_backward(c, T, a) < tol)) {
        printf("# %zu->%zu k%zu d%zu left %zu T %zu: forward %g back %g\n",
               c->c_in, c->c_out, c->kernel, c->dilation, c->left, T,
               error_forward(c, T, a), error_backward(c, T, a));
        *right = false;
    }
    for (int path = 0; path <= (int)conv1d_best_path(); path++) {
        memcpy(b, a, sizeof(*b));
        memset(b->y, 0xff, sizeof(b->y));
        memset(b->dx, 0xff, sizeof(b->dx));
        compute(c, (enum conv1d_path)path, T, b);
        *equal = *equal && same(c, T, a, b);
    }
}

/* Kernels of 1 to 6 taps, same and causal, dilated, of all lengths. */
static void test_shapes(struct arrays *a, struct arrays *b)
{
    static const size_t lengths[] = {1, 2, 7, 20, 64, 65, 150};
    static const size_t channels[][2] = {
        {1, 1}, {3, 5}, {16, 16}, {7, 33}, {40, 20}};
    bool right = true, equal = true;

    for (size_t k = 1; k <= 6; k++)
        for (size_t d = 1; d <= 9; d += d == 4 ? 5 : d)
            for (int causal = 0; causal < 2; causal++)
                for (size_t l = 0; l < 7; l++)
                    for (size_t n = 0; n < 5; n++) {
                        struct conv1d c = {channels[n][0], channels[n][1], k, d,
                                           conv1d_left(k, d, causal)};

                        shape(a, b, &c, lengths[l], &right, &equal);
                    }
    tap_ok(right, "all shapes agree with the double loop");
    tap_ok(equal, "all paths up to %d give the same bits",
           (int)conv1d_best_path());
}

/* add keeps what dx held. */
static void test_add(struct arrays *a)
{
    struct conv1d c = {3, 5, 3, 2, 2};
    double worst = 0;
    static float before[MOST];

    fill(a->w, 45, 1);
    fill(a->dy, 50, 2);
    fill(a->dx, 30, 3);
    memcpy(before, a->dx, 30 * sizeof(float));
    conv1d_pack_back(&c, a->w, a->packed);
    conv1d_backward_data(&c, CONV1D_PLAIN, a->packed, a->dy, 10, 1, a->dx);
    memcpy(a->y, a->dx, 30 * sizeof(float));
    conv1d_backward_data(&c, CONV1D_PLAIN, a->packed, a->dy, 10, 0, a->dx);
    for (size_t i = 0; i < 30; i++)
        worst = golden_worse(worst, fabs((double)a->y[i] - (double)before[i] -
                                         (double)a->dx[i]));
    tap_ok(worst < 2e-6, "backward to the data adds when asked");
}

/* Zeros on the left are torch's for padding='same', all for causal. */
static void test_left(void)
{
    tap_ok(conv1d_left(3, 4, 0) == 4 && conv1d_left(2, 1, 0) == 0 &&
               conv1d_left(4, 3, 0) == 4 && conv1d_left(1, 8, 0) == 0,
           "same: floor((K - 1) d / 2) zeros on the left");
    tap_ok(conv1d_left(3, 4, 1) == 8, "causal: (K - 1) d zeros on the left");
}

/* Runs all. */
int main(void)
{
    struct arrays *a = calloc(2, sizeof(*a));

    if (!a)
        return 99;
    test_left();
    test_shapes(&a[0], &a[1]);
    test_add(&a[0]);
    free(a);
    return tap_done();
}
