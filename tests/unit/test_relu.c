/* test_relu - the pass behind a ReLU layer against plain loops. */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "nn/relu.h"
#include "nn_golden.h"

/* Frames and channels, at most. */
enum { FRAMES = 75, WIDEST = 130, MOST = FRAMES * WIDEST };

/* One case's arrays. */
struct arrays {
    float z[MOST];        /* (n, C), becomes y */
    float residual[MOST]; /* (n, C) */
    float dy[MOST];       /* (n, C) */
    float dz[MOST];       /* (n, C) */
    float bias[WIDEST];   /* (C) */
    uint8_t mask[MOST];   /* n rows of bits */
};

/* Fills n floats uniformly in (-1, 1). */
static void fill(float *v, size_t n, uint32_t position)
{
    struct rng r;

    rng_init(&r, 7, RNG_TEST, position, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(2 * rng_uniform(&r) - 1);
}

/* Fresh arrays, the same each time. */
static void start(struct arrays *a)
{
    fill(a->z, MOST, 1);
    fill(a->residual, MOST, 2);
    fill(a->dy, MOST, 3);
    a->z[0] = NAN;
    memset(a->dz, 0xff, sizeof(a->dz));
    memset(a->bias, 0, sizeof(a->bias));
    memset(a->mask, 0xff, sizeof(a->mask));
}

/* Forward and back, the same by relu.c. */
static void compute(const struct act *act, int sum, size_t C, size_t t,
                    size_t n, struct arrays *a)
{
    start(a);
    relu_forward(act, C, t, n, a->z, sum ? a->residual : NULL, a->mask);
    relu_backward(act, C, n, a->z, a->mask, a->dy, a->dz, a->bias);
}

/* Forward and back by definition, with act_dropout(); sums of dz in float. */
static void plain(const struct act *act, int sum, size_t C, size_t t, size_t n,
                  struct arrays *a)
{
    float up = act->p > 0 ? act_scale(act) : 1;

    start(a);
    for (size_t i = 0; i < n * C; i++)
        a->z[i] = a->z[i] <= 0 ? 0 : a->z[i];
    act_dropout(act, t * C, n * C, a->z);
    for (size_t i = 0; i < n * C; i++) {
        int passes = a->z[i] > 0;

        a->z[i] = sum ? a->z[i] + a->residual[i] : a->z[i] + 0.0f;
        if (act->relu_sum)
            a->z[i] = a->z[i] <= 0 ? 0 : a->z[i];
        if (act->relu_sum && !(a->z[i] > 0))
            a->dy[i] = 0;
        a->dz[i] = a->dy[i] * (passes ? up : 0);
        a->bias[i % C] += a->dz[i];
    }
}

/* Whether two results are the same numbers (0 may have either sign). */
static bool same(const float *a, const float *b, size_t n)
{
    size_t i = 0;

    while (i < n && (a[i] == b[i] || (isnan(a[i]) && isnan(b[i]))))
        i++;
    return i == n;
}

/* All settings of one shape, on every path. */
static bool shape(size_t C, size_t t, size_t n, struct arrays *a,
                  struct arrays *b)
{
    bool right = true;

    for (int s = 0; s < 8; s++)
        for (int path = 0; path <= (int)conv1d_best_path(); path++) {
            struct act act = {.relu = 1,
                              .p = s & 1 ? 0.3 : 0,
                              .key = act_dropout_key(1, 2, 3, 4),
                              .relu_sum = s >> 1 & 1,
                              .path = (enum conv1d_path)path};

            plain(&act, s >> 2, C, t, n, a);
            compute(&act, s >> 2, C, t, n, b);
            right = right && same(a->z, b->z, MOST) &&
                    same(a->dy, b->dy, MOST) && same(a->dz, b->dz, n * C) &&
                    same(a->bias, b->bias, C);
        }
    if (!right)
        printf("# %zu channels, %zu frames from %zu on\n", C, n, t);
    return right;
}

/* Odd channels and those that fill bytes and vectors, wherever frames begin. */
static void test_shapes(struct arrays *a)
{
    static const size_t channels[] = {1, 3, 8, 13, 16, 20, 40, 64, 130};
    static const size_t frames[][2] = {{0, 1}, {5, 7}, {64, 70}, {1000, 33}};

    for (size_t c = 0; c < 9; c++) {
        bool right = true;

        for (size_t f = 0; f < 4; f++)
            right = shape(channels[c], frames[f][0], frames[f][1], &a[0],
                          &a[1]) &&
                    right;
        tap_ok(right, "%zu channels agree with plain loops on all paths",
               channels[c]);
    }
}

/* Frames in pieces give the whole's numbers. */
static void test_pieces(struct arrays *a)
{
    struct act act = {.relu = 1,
                      .p = 0.5,
                      .key = act_dropout_key(4, 3, 2, 1),
                      .path = conv1d_best_path()};

    start(&a[0]);
    start(&a[1]);
    relu_forward(&act, 100, 0, 60, a[0].z, NULL, a[0].mask);
    for (size_t t = 0; t < 60; t += 7)
        relu_forward(&act, 100, t, t + 7 < 60 ? 7 : 60 - t, a[1].z + t * 100,
                     NULL, a[1].mask + t * relu_row(100));
    tap_ok(same(a[0].z, a[1].z, MOST) &&
               memcmp(a[0].mask, a[1].mask, sizeof(a->mask)) == 0,
           "pieces of a sequence give its numbers and bits");
}

/* Runs all. */
int main(void)
{
    struct arrays *a = calloc(2, sizeof(*a));

    if (!a)
        return 99;
    test_shapes(a);
    test_pieces(a);
    free(a);
    return tap_done();
}
