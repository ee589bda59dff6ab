/*
 * forecast - EDA from features or from samples as they arrive: one model or
 * several, on the frames or on other times, with the scale of the recordings
 * if that is wanted.
 *
 * What several models say becomes their mean and their spread, the standard
 * deviation over n - 1.
 */
#ifndef EVAL_FORECAST_H
#define EVAL_FORECAST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "nn/model.h"

/* What is asked for; borrowed until close. */
struct forecast_plan {
    const struct model *const *models; /* n_models of one output each */
    size_t n_models;                   /* 1 or more */
    uint64_t rate_num, rate_den;       /* frames a second of the features */
    double t0_s;                       /* time of frame 0 */
    double rate_hz;                    /* of the results; 0: the frames */
    double mean, std;                  /* results are std y + mean */
};

/* Results, one behind the other. */
struct forecast_rows {
    size_t n;          /* how many */
    int64_t first;     /* number of the first one, for forecast_time() */
    const float *eda;  /* (n) values */
    const float *sd;   /* (n) spread; NULL for one model */
};

/* The seconds of result i. */
double forecast_time(const struct forecast_plan *p, int64_t i);

/* Results a second as a fraction: rate_hz within 1e-6 / den, den <= 10^6. */
void forecast_rate(const struct forecast_plan *p, int64_t *num, int64_t *den);

/* Models with their workspaces: for one song at a time. */
struct forecast;

/* Starts it. NULL with err set when memory is short. Caller closes. */
struct forecast *forecast_open(const struct forecast_plan *plan,
                               struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void forecast_close(struct forecast *f);

/*
 * The results for a whole song.
 *
 * x:    (T, C) raw features
 * rows: owned by f until the next call
 * Returns 0; -1 with err set when memory is short.
 */
int forecast_song(struct forecast *f, const float *x, size_t T,
                  struct forecast_rows *rows, struct err *err) NODISCARD;

/* One song as it arrives. */
struct forecast_live;

/*
 * Starts a song.
 *
 * conf:  settled features of the models, without listen_obstacle()
 * in_hz: sampling rate of what will come
 * step:  frames that are computed together at least, 1 or more
 * Returns NULL with err set: as listen_open(); ERR_USAGE if the features do
 * not have the rate of the plan. Caller closes.
 */
struct forecast_live *forecast_live_open(const struct forecast_plan *plan,
                                         const struct config_features *conf,
                                         uint32_t in_hz, size_t step,
                                         struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void forecast_live_close(struct forecast_live *f);

/* How far results are behind the sound at most, in seconds. */
struct forecast_latency {
    double framing_s; /* half a window, resampling, differences in time */
    double field_s;   /* the part of the receptive field that lies ahead */
    double step_s;    /* frames waited for to compute them together */
    double rate_s;    /* the filter onto other times */
};

/* The latency; the sum is what counts. */
void forecast_live_latency(const struct forecast_live *f,
                           struct forecast_latency *latency);

/*
 * Takes the next n samples, full scale 1; rows are the results that are
 * certain now, the bits that forecast_song() gives for the whole. Owned by f
 * until the next call. Returns 0; -1 with ERR_DATA.
 */
int forecast_live_add(struct forecast_live *f, const float *x, size_t n,
                      struct forecast_rows *rows, struct err *err) NODISCARD;

/* Ends the song: the results that were left. */
int forecast_live_end(struct forecast_live *f, struct forecast_rows *rows,
                      struct err *err) NODISCARD;

#endif
