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
#include "batch/pairs.h"

/* The metrics, in the order of tables. Names: metric_name(). */
enum metric {
    METRIC_MSE, /* mean squared error */
    METRIC_RMSE, /* its root */
    METRIC_MAE, /* mean absolute error */
    METRIC_PEARSON, /* r */
    METRIC_SPEARMAN, /* r of the ranks */
    METRIC_CCC, /* concordance */
    METRIC_R2, /* 1 - squared error / squared deviation */
    METRIC_DTW, /* dynamic time warping, |.| cost */
    METRIC_DTW_NORM, /* dtw / 2n */
    METRIC_DTW_5, /* dtw within 5 % of the frames: dtw@5% */
    METRIC_FRECHET, /* discrete Frechet distance */
    METRIC_BEST_LAG_S, /* lag of the largest r within 5 s */
    METRIC_BEST_LAG_R, /* the r there */
    METRIC_SCR_F1, /* skin conductance responses found */
    METRIC_HP, /* here they begin again, above 0.05 Hz: mse_hp ... */
    METRIC_N = 2 * METRIC_HP /* how many there are */
};

/* Lags that are tried, seconds. */
#define METRIC_MAX_LAG_S 5.0
/* What is slower is removed for the metrics from METRIC_HP on, Hz. */
#define METRIC_HP_HZ 0.05
/* Order of the Butterworth filter that does, run in both directions. */
#define METRIC_HP_ORDER 2

/* "mse", "pearson" and so on. */
const char *metric_name(enum metric m);

/* The metric of a name, without "val_" or "val/". Returns 0; -1 if none. */
int metric_parse(const char *name, enum metric *out);

/* Whether more is better (pearson, ccc, ...). */
bool metric_higher_is_better(enum metric m);

/* Whether more or less is better at all: not so for a lag. */
bool metric_is_ordered(enum metric m);

/* What a recording is scored from. */
struct metric_input {
    const float *p;       /* (T) prediction */
    const float *y;       /* (T) target */
    const uint8_t *valid; /* (T) frames that count */
    size_t T;             /* frames */
    double rate_hz;       /* frames a second; 0: unknown */
    double us;            /* what 1 of p and y is in uS; NaN: unknown */
};

/* The input for one recording of pairs, over its span. */
struct metric_input metric_input(const struct pairs *pairs,
                                 const struct pairs_recording *r,
                                 const float *p, const uint8_t *valid);

/*
 * The wanted metrics of one recording.
 *
 * want: METRIC_N flags, NULL: all; out: METRIC_N values, NaN where undefined
 * (r of a constant; lags and what is above 0.05 Hz without a rate, responses
 * without a unit; everything without a valid frame) or not wanted
 * Sources: Lin 1989 (ccc); Sakoe & Chiba 1978 (dtw, |.| cost, unnormalised;
 * dtw_norm divides by 2 n); Eiter & Mannila 1994 (discrete Frechet).
 */
int metric_recording(const struct metric_input *in, const bool *want,
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
