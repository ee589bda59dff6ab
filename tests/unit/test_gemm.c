/* test_gemm - fused multiply-adds, where a product in double would not do. */
#include "tap.h"

#include "nn/gemm.h"

/* a b + c on a path, by a product of one row and one column. */
static float fused(enum conv1d_path path, float a, float b, float c)
{
    float packed[GEMM_LANES] = {b}, y = 0;
    struct gemm g = {.rows = 1,
                     .cols = 1,
                     .depth = 1,
                     .taps = 1,
                     .a = &a,
                     .b = packed,
                     .bias = &c,
                     .c = &y};

    gemm_run(path, &g);
    return y;
}

/*
 * (1 + 2^-12) (1 - 2^-12 + 2^-24) is 1 + 2^-36: over 2^24 and added to 1 it
 * lies just above the middle of two floats, and in double on it.
 */
static void test_rounding(enum conv1d_path path)
{
    const float a = 1 + 0x1p-12f, b = 0x1p-24f * (1 - 0x1p-12f + 0x1p-24f);

    tap_ok(fused(path, a, b, 1) == 1 + 0x1p-23f,
           "path %d: above the middle goes up", (int)path);
    tap_ok(fused(path, a, -b, -1) == -1 - 0x1p-23f,
           "path %d: and its negative down", (int)path);
    tap_ok(fused(path, 1, 0x1p-24f, 1) == 1,
           "path %d: the middle goes to the even one", (int)path);
    tap_ok(fused(path, 0x1p-75f, 0x1p-75f, 0) == 0 &&
               fused(path, 0x1p-75f, 0x1p-74f, 0) == 0x1p-149f,
           "path %d: the smallest numbers", (int)path);
    tap_ok(isinf(fused(path, 0x1p100f, 0x1p100f, 1)) &&
               isnan(fused(path, INFINITY, 1, -INFINITY)) &&
               isnan(fused(path, NAN, 1, 1)),
           "path %d: infinity and NaN", (int)path);
}

/* Runs all. */
int main(void)
{
    for (int path = 0; path <= (int)conv1d_best_path(); path++)
        test_rounding((enum conv1d_path)path);
    return tap_done();
}
