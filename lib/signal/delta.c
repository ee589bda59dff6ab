/*
 * delta - what is done to the coefficients of a whole clip: differences in
 * time, and normalisation to mean 0 and variance 1.
 *
 * Sums are in double. A column counts as constant if its deviation is lost
 * in the rounding of its values.
 */
#include "signal/delta.h"

#include <float.h>
#include <math.h>
#include <string.h>

void delta_spread(float *x, size_t T, size_t C, size_t D)
{
    size_t t;

    for (t = T; t-- > 0;)
        memmove(x + t * D, x + t * C, C * sizeof(*x));
}

void delta_rows(const float *x, size_t T, size_t C, size_t stride,
                size_t width, float *d)
{
    size_t n = width / 2, t, c, k;
    double norm = 0;

    for (k = 1; k <= n; k++)
        norm += 2 * (double)k * (double)k;
    for (t = 0; t < T; t++)
        for (c = 0; c < C; c++) {
            double sum = 0;

            for (k = 1; k <= n; k++) {
                size_t after = t + k < T ? t + k : T - 1;
                size_t before = t > k ? t - k : 0;

                sum += (double)k * ((double)x[after * stride + c] -
                                    (double)x[before * stride + c]);
            }
            d[t * stride + c] = (float)(sum / norm);
        }
}

/* Subtracts from every column its mean. */
static void centre(float *x, size_t T, size_t D, double *sum)
{
    size_t t, c;

    memset(sum, 0, D * sizeof(*sum));
    for (t = 0; t < T; t++)
        for (c = 0; c < D; c++)
            sum[c] += (double)x[t * D + c];
    for (t = 0; t < T; t++)
        for (c = 0; c < D; c++)
            x[t * D + c] = (float)((double)x[t * D + c] -
                                   sum[c] / (double)T);
}

void delta_normalize(float *x, size_t T, size_t D, double *sum)
{
    size_t t, c;
    double mean;

    centre(x, T, D, sum);
    for (c = 0; c < D; c++) {
        mean = fabs(sum[c] / (double)T);
        sum[c] = 0;
        for (t = 0; t < T; t++)
            sum[c] += (double)x[t * D + c] * (double)x[t * D + c];
        sum[c] = sqrt(sum[c] / (double)T);
        if (sum[c] <= 4 * (double)FLT_EPSILON * mean)
            sum[c] = INFINITY;
        if (sum[c] == 0)
            sum[c] = 1;
    }
    for (t = 0; t < T; t++)
        for (c = 0; c < D; c++)
            x[t * D + c] = (float)((double)x[t * D + c] / sum[c]);
}
