/*
 * norm - layer norm and weight norm, forward and backward.
 *
 * With h = (z - mean) / std and e = gamma da, the gradient of layer norm is
 *
 *   dz = (e - mean(e) - h mean(e h)) / std
 *
 * means over the channels of the frame.
 */
#include "nn/norm.h"

#include <math.h>

/* Sum of the partial sums, in order. */
static double total(const double part[NORM_LANES])
{
    double sum = 0;

    for (size_t k = 0; k < NORM_LANES; k++)
        sum += part[k];
    return sum;
}

/* Mean over a frame. */
static double mean_of(const float *z, size_t C)
{
    double part[NORM_LANES] = {0};
    size_t c = 0;

    for (; c + NORM_LANES <= C; c += NORM_LANES)
#pragma omp simd
        for (size_t k = 0; k < NORM_LANES; k++)
            part[k] += (double)z[c + k];
    for (size_t k = 0; c + k < C; k++)
        part[k] += (double)z[c + k];
    return total(part) / (double)C;
}

/* Mean squared distance from mean over a frame. */
static double variance_of(const float *z, size_t C, double mean)
{
    double part[NORM_LANES] = {0};
    size_t c = 0;

    for (; c + NORM_LANES <= C; c += NORM_LANES)
#pragma omp simd
        for (size_t k = 0; k < NORM_LANES; k++)
            part[k] += ((double)z[c + k] - mean) * ((double)z[c + k] - mean);
    for (size_t k = 0; c + k < C; k++)
        part[k] += ((double)z[c + k] - mean) * ((double)z[c + k] - mean);
    return total(part) / (double)C;
}

void norm_layer_forward(const float *gamma, const float *beta, size_t T,
                        size_t C, float *z, float *hat, float *rstd)
{
    for (size_t t = 0; t < T; t++, z += C) {
        double mean = mean_of(z, C);
        double r = 1.0 / sqrt(variance_of(z, C, mean) + NORM_EPS);

        if (hat)
            rstd[t] = (float)r;
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            z[c] = (float)(((double)z[c] - mean) * r);
        if (hat) {
#pragma omp simd
            for (size_t c = 0; c < C; c++)
                hat[t * C + c] = z[c];
        }
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            z[c] = z[c] * gamma[c] + beta[c];
    }
}

/* Means of e = gamma da and of e hat over a frame. */
static void means_back(const float *gamma, const float *hat, const float *da,
                       size_t C, double mean[2])
{
    double part[2][NORM_LANES] = {{0}};
    size_t c = 0;

    for (; c + NORM_LANES <= C; c += NORM_LANES)
#pragma omp simd
        for (size_t k = 0; k < NORM_LANES; k++) {
            double e = (double)gamma[c + k] * (double)da[c + k];

            part[0][k] += e;
            part[1][k] += e * (double)hat[c + k];
        }
    for (size_t k = 0; c + k < C; k++) {
        double e = (double)gamma[c + k] * (double)da[c + k];

        part[0][k] += e;
        part[1][k] += e * (double)hat[c + k];
    }
    mean[0] = total(part[0]) / (double)C;
    mean[1] = total(part[1]) / (double)C;
}

void norm_layer_backward(const float *gamma, size_t T, size_t C,
                         const float *hat, const float *rstd, float *da,
                         double *dgamma_sums, double *dbeta_sums)
{
    for (size_t t = 0; t < T; t++, da += C, hat += C) {
        double mean[2], r = (double)rstd[t];

#pragma omp simd
        for (size_t c = 0; c < C; c++) {
            dgamma_sums[c] += (double)da[c] * (double)hat[c];
            dbeta_sums[c] += (double)da[c];
        }
        means_back(gamma, hat, da, C, mean);
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            da[c] = (float)(r * ((double)gamma[c] * (double)da[c] - mean[0] -
                                 (double)hat[c] * mean[1]));
    }
}

/* 2-norm of a row. */
static double length_of(const float *v, size_t len)
{
    double sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += (double)v[i] * (double)v[i];
    return sqrt(sum);
}

void norm_weight_forward(const float *g, const float *v, size_t rows,
                         size_t len, float *w)
{
    for (size_t r = 0; r < rows; r++, v += len, w += len) {
        double length = length_of(v, len);
        double scale = length > 0 ? (double)g[r] / length : 0;

        for (size_t i = 0; i < len; i++)
            w[i] = (float)((double)v[i] * scale);
    }
}

void norm_weight_backward(const float *g, const float *v, size_t rows,
                          size_t len, float *dw, float *dg)
{
    for (size_t r = 0; r < rows; r++, v += len, dw += len) {
        double length = length_of(v, len), along = 0;
        double inverse = length > 0 ? 1 / length : 0;

        for (size_t i = 0; i < len; i++)
            along += (double)dw[i] * (double)v[i] * inverse;
        dg[r] = (float)along;
        for (size_t i = 0; i < len; i++)
            dw[i] = (float)((double)g[r] * inverse *
                            ((double)dw[i] - along * (double)v[i] * inverse));
    }
}

void norm_weight_lengths(const float *v, size_t rows, size_t len, float *g)
{
    for (size_t r = 0; r < rows; r++)
        g[r] = (float)length_of(v + r * len, len);
}
