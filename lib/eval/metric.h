/*
 * metric - how well a prediction follows a recording, in double.
 *
 * Only valid frames count. Definitions: a2b-eval(1).
 */
#ifndef EVAL_METRIC_H
#define EVAL_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The metrics, in the order of tables. Names: metric_name(). */
enum metric {
    METRIC_MSE, /* mean squared error */
    METRIC_RMSE, /* its root */
    METRIC_MAE, /* mean absolute error */
    METRIC_PEARSON, /* r */
    METRIC_CCC, /* concordance */
    METRIC_DTW, /* dynamic time warping, |.| cost */
    METRIC_DTW_NORM, /* dtw / 2n */
    METRIC_FRECHET, /* discrete Frechet distance */
    METRIC_N /* how many there are */
};

/* "mse", "pearson" and so on. */
const char *metric_name(enum metric m);

/* The metric of a name, without "val_" or "val/". Returns 0; -1 if none. */
int metric_parse(const char *name, enum metric *out);

/* Whether more is better (pearson, ccc). */
bool metric_higher_is_better(enum metric m);

/*
 * The wanted metrics of one recording.
 *
 * p, y: (T) prediction and target; valid: (T)
 * want: METRIC_N flags; out: METRIC_N values, NaN where undefined (r of a
 * constant; everything without a valid frame) or not wanted
 * Sources: Lin 1989 (ccc); Sakoe & Chiba 1978 (dtw, |.| cost, unnormalised;
 * dtw_norm divides by 2 n); Eiter & Mannila 1994 (discrete Frechet).
 */
int metric_recording(const float *p, const float *y, const uint8_t *valid,
                     size_t T, const bool want[METRIC_N],
                     double out[METRIC_N], struct err *err) NODISCARD;

/*
 * The value below which share q of n ascending values lie, n > 0, linearly
 * between neighbours: type 7 of Hyndman & Fan 1996, NumPy's default.
 */
double metric_quantile(const double *sorted, size_t n, double q);

/* Mean, median, p10 and min over the defined of n values. */
struct metric_summary {
    double mean, median, p10, min; /* NaN when all are undefined */
    size_t n;                      /* values */
    size_t undefined;              /* of them NaN */
};

/* Summarises n values, in any order. */
int metric_summarise(const double *values, size_t n,
                     struct metric_summary *out, struct err *err) NODISCARD;

#endif
