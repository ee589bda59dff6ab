/*
 * test_reduce - the order in which gradients of rows are summed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tap.h"
#include "train/comm.h"
#include "train/reduce.h"

/* Floats of a gradient here. */
#define N 5

/* Most rows here. */
#define ROWS 70

/* Gradients of all rows: magnitudes far apart, so that order shows. */
static float leaves[ROWS][N];

/* Fills the leaves. */
static void make_leaves(void)
{
    struct rng r;
    size_t i, k;

    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (i = 0; i < ROWS; i++)
        for (k = 0; k < N; k++)
            leaves[i][k] =
                (float)(rng_normal(&r) * pow(10, 8 * rng_uniform(&r)));
}

/*
 * The tree by its definition: the left part of n rows is the largest power
 * of two below n (n/2 when n is one itself).
 */
static void want_sum(size_t first, size_t n, float out[N])
{
    float right[N];
    size_t left = 1, k;

    if (n == 1) {
        memcpy(out, leaves[first], sizeof right);
        return;
    }
    while (left * 2 < n)
        left *= 2;
    want_sum(first, left, out);
    want_sum(first + left, n - left, right);
    for (k = 0; k < N; k++)
        out[k] += right[k];
}

/* Pushes rows [first, end) as leaves. */
static void push_rows(struct reduce *r, size_t first, size_t end)
{
    struct err err;
    float *leaf;
    size_t i;

    for (i = first; i < end; i++) {
        leaf = reduce_buffer(r, &err);
        memcpy(leaf, leaves[i], sizeof leaves[i]);
        reduce_push(r, 0, i, leaf);
    }
}

/* Every number of rows gives the bits of the definition. */
static void test_definition(void)
{
    struct reduce r;
    float want[N], *got;
    size_t n;
    bool same = true;

    reduce_init(&r, N);
    tap_ok(!reduce_finish(&r), "no row, no sum");
    for (n = 1; n <= ROWS; n++) {
        reduce_clear(&r);
        push_rows(&r, 0, n);
        got = reduce_finish(&r);
        want_sum(0, n, want);
        same = same && memcmp(got, want, sizeof want) == 0;
    }
    tap_ok(same, "1 to %d rows: the tree of the definition", ROWS);
    tap_ok(r.n_buffers <= 9, "%zu buffers are enough for %d rows", r.n_buffers,
           ROWS);
    reduce_release(&r);
}

/*
 * Rows cut into P runs, as P processes own them: each sums what it can, the
 * nodes that wait are pushed in order elsewhere. The same bits for any P.
 */
static void test_processes(size_t n, size_t P)
{
    struct reduce part, all;
    float want[N];
    struct comm c = {.size = (int)P};
    size_t first, end, k;
    struct err err;
    bool same;

    reduce_init(&all, N);
    for (c.rank = 0; c.rank < (int)P; c.rank++) {
        comm_rows(&c, n, &first, &end);
        reduce_init(&part, N);
        push_rows(&part, first, end);
        for (k = 0; k < part.n_nodes; k++) {
            float *sum = reduce_buffer(&all, &err);

            memcpy(sum, part.nodes[k].sum, N * sizeof *sum);
            reduce_push(&all, part.nodes[k].level, part.nodes[k].index, sum);
        }
        reduce_release(&part);
    }
    want_sum(0, n, want);
    same = memcmp(reduce_finish(&all), want, sizeof want) == 0;
    tap_ok(same, "%zu rows over %zu processes: the same bits", n, P);
    reduce_release(&all);
}

/* Ranges of rows follow one another and cover all. */
static void test_rows(void)
{
    struct comm c = {.size = 7};
    size_t n, first, end, last;
    bool good = true;

    for (n = 0; n < 40; n++) {
        last = 0;
        for (c.rank = 0; c.rank < 7; c.rank++) {
            comm_rows(&c, n, &first, &end);
            good = good && first == last && end >= first &&
                   end - first <= n / 7 + 1;
            last = end;
        }
        good = good && last == n;
    }
    tap_ok(good, "every row belongs to one process");
}

/* A sum in order would not do: the test can see the difference. */
static void test_order_shows(void)
{
    float want[N], plain[N] = {0};
    size_t i, k;

    want_sum(0, ROWS, want);
    for (i = 0; i < ROWS; i++)
        for (k = 0; k < N; k++)
            plain[k] += leaves[i][k];
    tap_ok(memcmp(plain, want, sizeof want) != 0,
           "another order has other bits");
}

int main(void)
{
    static const size_t rows[] = {1, 2, 3, 8, 13, 64, 70};
    size_t i, P;

    make_leaves();
    test_definition();
    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        for (P = 1; P <= 8; P += P < 5 ? 1 : 3)
            test_processes(rows[i], P);
    test_rows();
    test_order_shows();
    return tap_done();
}
