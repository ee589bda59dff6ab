/*
 * warprun - how fast the distances that may stretch time are.
 *
 *   warprun [FRAMES [BAND]]
 *
 * Two random walks of FRAMES frames [20000]; prints a line for each distance:
 * name, processor seconds, millions of pairs of frames a second, the value.
 * BAND [FRAMES / 20] is that of the banded one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "eval/warp.h"

/* Seconds of processor time, so that other programs do not count. */
static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Prints one line. */
static void put(const char *name, double seconds, double cells, double value)
{
    printf("%-16s %7.3f s %8.1f Mcell/s  value %.6g\n", name, seconds,
           1e-6 * cells / seconds, value);
}

/* A random walk. */
static void walk(double *x, size_t n, uint32_t which)
{
    struct rng r;
    size_t t;

    rng_init(&r, 1, RNG_TEST, which, 0);
    for (t = 0; t < n; t++)
        x[t] = (t ? x[t - 1] : 0) + rng_normal(&r);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000, band;
    double *p, *y, *row, began, value, N = (double)n, B;

    band = argc > 2 ? strtoul(argv[2], NULL, 10) : n / 20;
    p = calloc(n ? n : 1, sizeof *p);
    y = calloc(n ? n : 1, sizeof *y);
    row = calloc(n ? n : 1, sizeof *row);
    if (!n || band >= n || !p || !y || !row)
        return 2;
    walk(p, n, 1);
    walk(y, n, 2);
    B = (double)band;
    began = now_s();
    value = warp_dtw(p, y, n, n, row);
    put("dtw", now_s() - began, N * N, value);
    began = now_s();
    value = warp_dtw(p, y, n, band, row);
    put("banded", now_s() - began, N * (2 * B + 1) - B * (B + 1), value);
    began = now_s();
    value = warp_frechet(p, y, n, row);
    put("frechet", now_s() - began, N * N, value);
    free(p);
    free(y);
    free(row);
    return 0;
}
