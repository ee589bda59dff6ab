/*
 * warp - one loop for each distance; what lies outside is infinitely far.
 */
#include "eval/warp.h"

#include <math.h>

/* The least of three; c may come late, as it is looked at last. */
static double least(double a, double b, double c)
{
    double m = a < b ? a : b;

    return m < c ? m : c;
}

/* The larger of two. */
static double most(double a, double b)
{
    return a > b ? a : b;
}

/* Marks a row as out of reach. */
static void clear(double *row, size_t n)
{
    size_t j;

    for (j = 0; j < n; j++)
        row[j] = INFINITY;
}

double warp_dtw(const double *p, const double *y, size_t n, size_t band,
                double *row)
{
    size_t i, j;

    clear(row, n);
    for (i = 0; i < n; i++) {
        size_t from = i > band ? i - band : 0;
        size_t end = band < n - i ? i + band + 1 : n;
        double corner = from > 0 ? row[from - 1] : INFINITY;
        double left = INFINITY;

        if (i == 0)
            corner = 0; /* the path begins here */
        for (j = from; j < end; j++) {
            left = fabs(p[i] - y[j]) + least(row[j], corner, left);
            corner = row[j];
            row[j] = left;
        }
    }
    return row[n - 1];
}

double warp_frechet(const double *p, const double *y, size_t n, double *row)
{
    size_t i, j;

    clear(row, n);
    for (i = 0; i < n; i++) {
        double corner = i > 0 ? INFINITY : 0;
        double left = INFINITY;

        for (j = 0; j < n; j++) {
            left = most(fabs(p[i] - y[j]), least(row[j], corner, left));
            corner = row[j];
            row[j] = left;
        }
    }
    return row[n - 1];
}
