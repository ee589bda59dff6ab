/* test_conv16 - convolutions in bfloat16 against a double loop. */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "nn/conv16.h"
#include "nn_golden.h"

/* Largest error, of the largest value, against operands in double. */
#define TOL 4e-3
/* The same against operands that are narrowed before. */
#define TOL_NARROWED 3e-6

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

/* n floats uniformly in (-1, 1). */
static float *drawn(size_t n, uint32_t position)
{
    float *v = malloc(n * sizeof(*v));
    struct rng r;

    rng_init(&r, 7, RNG_TEST, position, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(2 * rng_uniform(&r) - 1);
    return v;
}

/* Arrays of a case. */
static struct arrays arrays_of(const struct conv1d *c, size_t T)
{
    size_t n_w = c->c_out * c->c_in * c->kernel;
    struct arrays a = {
        drawn(n_w, 1),          drawn(c->c_out, 2),
        drawn(T * c->c_in, 3),  drawn(T * c->c_out, 4),
        drawn(T * c->c_out, 5), drawn(T * c->c_in, 6),
        drawn(n_w, 7),          calloc(conv1d_packed_len(c), sizeof(double))};

    return a;
}

/* Frees them. */
static void arrays_free(struct arrays *a)
{
    free(a->w), free(a->b), free(a->x), free(a->dy), free(a->y), free(a->dx);
    free(a->dw), free(a->sums);
}

/* Forward and back, frames cut at `cut`, operands narrowed before or not. */
static void compute(const struct conv1d *c, size_t T, size_t cut, bool narrowed,
                    struct arrays *a)
{
    uint32_t *x16 = malloc(T * conv16_row(c->c_in) * sizeof(*x16));
    uint32_t *dy16 = malloc(T * conv16_row(c->c_out) * sizeof(*dy16));
    struct conv16_rows x = {.wide = a->x}, dy = {.wide = a->dy};
    uint32_t *packed = malloc(conv16_packed_len(c, 0) * sizeof(*packed));
    uint32_t *back = malloc(conv16_packed_len(c, 1) * sizeof(*back));
    uint32_t *memory = malloc(conv16_work_len(c) * sizeof(*memory));

    if (narrowed) {
        conv16_narrow(T, c->c_in, a->x, x16);
        conv16_narrow(T, c->c_out, a->dy, dy16);
        x = (struct conv16_rows){.narrow = x16};
        dy = (struct conv16_rows){.narrow = dy16};
    }
    conv16_pack(c, 0, a->w, packed);
    conv16_pack(c, 1, a->w, back);
    conv16_forward(c, packed, a->b, x, T, cut, T, 0, a->y + cut * c->c_out,
                   memory);
    conv16_forward(c, packed, a->b, x, T, 0, cut, 0, a->y, memory);
    conv16_backward(c, back, dy, T, cut, T, 0, a->dx + cut * c->c_in, memory);
    conv16_backward(c, back, dy, T, 0, cut, 0, a->dx, memory);
    conv16_backward_weights(c, x, dy, T, a->sums, memory);
    conv1d_unpack(c, a->sums, a->dw);
    free(packed), free(back), free(memory), free(x16), free(dy16);
}

/* Sums of the products of frames t and s = t + k d - left, in double. */
static void reference(const struct conv1d *c, size_t T, const struct arrays *a,
                      double *y, double *dx, double *dw)
{
    size_t K = c->kernel;

    for (size_t i = 0; i < T * c->c_out; i++)
        y[i] = (double)a->b[i % c->c_out];
    for (size_t t = 0; t < T; t++)
        for (size_t k = 0; k < K; k++) {
            size_t s = t + k * c->dilation - c->left;

            if (t + k * c->dilation < c->left || s >= T)
                continue;
            for (size_t o = 0; o < c->c_out; o++)
                for (size_t i = 0; i < c->c_in; i++) {
                    size_t at = (o * c->c_in + i) * K + k;
                    double w = (double)a->w[at], dy, x;

                    dy = (double)a->dy[t * c->c_out + o];
                    x = (double)a->x[s * c->c_in + i];
                    y[t * c->c_out + o] += w * x;
                    dx[s * c->c_in + i] += w * dy;
                    dw[at] += dy * x;
                }
        }
}

/* Largest error of n numbers over the largest number. */
static double error_of(const float *got, const double *want, size_t n)
{
    return golden_gap(got, want, n) / (1e-30 + golden_max(want, n));
}

/* Cuts n floats to what a bfloat16 holds. */
static void cut_short(size_t n, float *v)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, v + i, sizeof(bits));
        bits &= 0xFFFF0000u;
        memcpy(v + i, &bits, sizeof(bits));
    }
}

/* One shape, both ways; worst error in *worst. */
static void check_shape(const struct conv1d *c, size_t T, bool narrowed,
                        double *worst)
{
    struct arrays a = arrays_of(c, T);
    size_t n_w = c->c_out * c->c_in * c->kernel;
    double *y = calloc(T * c->c_out, sizeof(*y));
    double *dx = calloc(T * c->c_in, sizeof(*dx));
    double *dw = calloc(n_w, sizeof(*dw));

    if (narrowed) {
        cut_short(n_w, a.w);
        cut_short(T * c->c_in, a.x);
        cut_short(T * c->c_out, a.dy);
    }
    reference(c, T, &a, y, dx, dw);
    compute(c, T, T / 3, narrowed, &a);
    *worst = golden_worse(*worst, error_of(a.y, y, T * c->c_out));
    *worst = golden_worse(*worst, error_of(a.dx, dx, T * c->c_in));
    *worst = golden_worse(*worst, error_of(a.dw, dw, n_w));
    free(y), free(dx), free(dw);
    arrays_free(&a);
}

/* Odd lengths, dilations up to 512, 1 to 7 taps, odd channels. */
static void test_shapes(void)
{
    static const size_t channels[][2] = {{1, 1},   {3, 5},   {16, 17}, {40, 64},
                                         {64, 40}, {65, 63}, {33, 128}};
    double worst = 0;

    for (size_t K = 1; K <= 7; K++)
        for (size_t d = 1; d <= 512; d *= 8)
            for (size_t i = 0; i < sizeof(channels) / sizeof(*channels); i++) {
                size_t T = 1 + (i * 67 + K * 31 + d) % 301;
                struct conv1d c = {channels[i][0], channels[i][1], K, d,
                                   conv1d_left(K, d, i % 2 == 1)};

                check_shape(&c, T, true, &worst);
            }
    tap_ok(worst < TOL_NARROWED, "products and sums are right (%g)", worst);
    worst = 0;
    check_shape(&(struct conv1d){64, 64, 3, 512, 512}, 1237, false, &worst);
    check_shape(&(struct conv1d){35, 127, 5, 3, 6}, 611, false, &worst);
    tap_ok(worst < TOL, "narrowing costs little (%g)", worst);
}

/* Cuts change no bit; add is the sum of two. */
static void test_cuts(void)
{
    const struct conv1d c = {37, 50, 3, 5, 5};
    struct arrays a = arrays_of(&c, 300), b = arrays_of(&c, 300);
    uint32_t *packed = malloc(conv16_packed_len(&c, 0) * sizeof(*packed));
    uint32_t *memory = malloc(conv16_work_len(&c) * sizeof(*memory));
    struct conv16_rows x = {.wide = a.x};
    bool same = true;

    compute(&c, 300, 100, false, &a);
    compute(&c, 300, 7, true, &b);
    tap_ok(memcmp(a.y, b.y, 300 * 50 * sizeof(float)) == 0 &&
               memcmp(a.dx, b.dx, 300 * 37 * sizeof(float)) == 0 &&
               memcmp(a.dw, b.dw, 3 * 50 * 37 * sizeof(float)) == 0,
           "neither cuts nor narrowing before change a bit");
    conv16_pack(&c, 0, a.w, packed);
    conv16_forward(&c, packed, a.b, x, 300, 0, 300, 1, b.y, memory);
    for (size_t i = 0; i < (size_t)300 * 50; i++)
        same = same && b.y[i] == a.y[i] + a.y[i];
    tap_ok(same, "add adds");
    free(packed), free(memory);
    arrays_free(&a), arrays_free(&b);
}

/* Rounding of single numbers, in a whole vector and behind it. */
static void test_narrow(void)
{
    static const float in[8] = {1.0f,  1.00390625f, 1.01171875f, -3.0f,
                                -0.0f, 1e-40f,      INFINITY,    NAN};
    static const uint32_t want[7] = {0x3F80, 0x3F80, 0x3F82, 0xC040,
                                     0x8000, 0,      0x7F80};
    float x[40], back[40];
    uint32_t out[24];
    bool right = true;

    for (size_t i = 0; i < 40; i++)
        x[i] = in[i % 8];
    conv16_narrow(1, 40, x, out);
    for (size_t i = 0; i < 40; i++) {
        uint32_t got = out[i / 2] >> i % 2 * 16 & 0xFFFF;

        right = right &&
                (i % 8 == 7 ? (got & 0x7FFF) > 0x7F80 : got == want[i % 8]);
    }
    conv16_narrow(8, 5, x, out);
    conv16_widen(8, 5, out, back);
    for (size_t i = 0; i < 40; i++)
        right = right && (isnan(x[i]) ? isnan(back[i])
                                      : fabsf(back[i] - x[i]) <= 0.005f ||
                                            back[i] == x[i]);
    tap_ok(right, "numbers are rounded to nearest, even on ties");
}

int main(void)
{
    if (!conv16_works()) {
        printf("1..0 # SKIP this processor has no AVX512_BF16\n");
        return 0;
    }
    test_narrow();
    test_shapes();
    test_cuts();
    return tap_done();
}
