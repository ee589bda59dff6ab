/*
 * gemm - small matrix products with one fixed order of additions: what every
 * convolution here comes down to.
 *
 *   C[r][j] = start + sum_k sum_i A_k[r][i] B_k[i][j]
 *
 * over taps k and, inside a tap, over i, both ascending. Every element is one
 * chain of fused multiply-adds, from the bias or from 0, which begins anew
 * for each product: how rows and columns are tiled changes no bit, nor does
 * the processor. Columns come in panels of GEMM_LANES.
 */
#ifndef NN_GEMM_H
#define NN_GEMM_H

#include <stddef.h>

#include "nn/conv1d.h"

/* Columns of a panel. */
#define GEMM_LANES CONV1D_LANES

/* One product; strides are in floats. */
struct gemm {
    size_t rows;       /* R of C */
    size_t cols;       /* J of C: columns that are written */
    size_t depth;      /* products of a tap */
    size_t taps;       /* K */
    const float *a;    /* A of the first tap */
    size_t a_row;      /* from row to row of A */
    size_t a_step;     /* from column to column of A */
    size_t a_tap;      /* from tap to tap */
    const float *b;    /* B of the first tap, read by whole panels */
    size_t b_step;     /* from row to row of B */
    size_t b_tap;      /* from tap to tap */
    size_t b_panel;    /* from panel to panel */
    const float *bias; /* (J) what sums begin with, or NULL: 0 */
    int add;           /* add the sums to C instead of storing them */
    float *c;          /* C, any alignment */
    size_t c_row;      /* from row to row of C */
    size_t c_panel;    /* from panel to panel */
};

/* Panels that n columns take. */
size_t gemm_panels(size_t n);

/* Computes one product. */
void gemm_run(enum conv1d_path path, const struct gemm *g);

#endif
