/*
 * eda - the chain from raw samples to frames.
 *
 * Order: range and gaps, filter, normalise, interpolate. Normalising comes
 * behind the filters so that the result has the promised variance.
 *
 * A gap is a run of missing samples. Up to eda_max_gap_s it is bridged by a
 * straight line, so that the filters run through, and masked afterwards;
 * a longer one ends a piece, and pieces never see one another.
 */
#include "signal/eda.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "signal/interp.h"
#include "signal/sos.h"
#include "signal/tonic.h"

/* Stamps this far off an even grid, in steps, are uneven. */
#define EDA_MAX_JITTER 1.5

/* Longest signal and most frames: far beyond any recording. */
#define EDA_MAX_SAMPLES 100000000.0

/* Anti-alias filter: order, cutoff as a share of the frame rate. */
#define EDA_ALIAS_ORDER 8
#define EDA_ALIAS_CUTOFF 0.45

/* A grid is below the sampling rate if it is below this share of it. */
#define EDA_ALIAS_BELOW 0.9999

/* Frames may be this far, in frames, behind the last sample by rounding. */
#define EDA_ROUNDING 1e-6

/* Parts of a hertz that rates are rounded to. */
#define EDA_RATE_PARTS 1000000u

/* Deviation, relative to the raw values, that is only rounding. */
#define EDA_NO_VARIANCE 1e-9

/* Median absolute deviation times this estimates a standard deviation. */
#define EDA_MAD_TO_STD 1.482602218505602

/* Limits of the quality score; a2b-eda(1) gives their reasons. */
#define EDA_MIN_LEVELS 10   /* distinct values below which nothing is left */
#define EDA_GOOD_LEVELS 20  /* distinct values that are enough */
#define EDA_GOOD_FLAT_S 5.0 /* seconds of one value that are normal */
#define EDA_GOOD_SLOPE 10.0 /* uS a second that skin can do */
#define EDA_CLIP_S 1.0      /* seconds at either end that are normal */

void eda_init(struct eda *e, const struct config_features *conf)
{
    *e = (struct eda){.conf = conf};
}

void eda_release(struct eda *e)
{
    free(e->x);
    free(e->good);
    free(e->pieces);
    free(e->out);
    free(e->valid);
    free(e->work);
    free(e->phasic);
    free(e->tonic);
    tonic_release(&e->split);
    *e = (struct eda){0};
}

bool eda_unit_is_us(const struct config_features *conf, const char *dataset)
{
    if (conf->eda_unit == CONFIG_UNIT_AUTO)
        return strcmp(dataset, "hku956") == 0;
    return conf->eda_unit == CONFIG_UNIT_US;
}

/* Room for n samples and n_work doubles of scratch, at least n. */
static int reserve(struct eda *e, size_t n, size_t n_work, struct err *err)
{
    double *x = mem_grow(e->x, &e->x_cap, n, sizeof *x, err), *work;
    uint8_t *good;

    n_work = n_work > n ? n_work : n;
    if (!x)
        return -1;
    e->x = x;
    good = mem_grow(e->good, &e->good_cap, n, sizeof *good, err);
    if (!good)
        return -1;
    e->good = good;
    work = mem_grow(e->work, &e->work_cap, n_work, sizeof *work, err);
    if (!work)
        return -1;
    e->work = work;
    return 0;
}

/* Order of numbers for qsort(). */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Mean and population standard deviation of n values. */
static struct eda_moments moments_of(const double *x, size_t n)
{
    struct eda_moments m = {.n = n};
    double sum = 0;
    size_t i;

    if (!n)
        return m;
    for (i = 0; i < n; i++)
        sum += x[i];
    m.mean = sum / (double)n;
    for (i = 0, sum = 0; i < n; i++)
        sum += (x[i] - m.mean) * (x[i] - m.mean);
    m.std = sqrt(sum / (double)n);
    return m;
}

/* Median of n sorted values. */
static double median_of(const double *sorted, size_t n)
{
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* Whether a value is missing, or out of range where there is one. */
static bool is_missing(const struct eda *e, double value)
{
    return isnan(value) ||
           (e->is_us && (value < e->conf->eda_min ||
                         value > e->conf->eda_max));
}

/* Takes samples as they are, those out of range as missing. */
static void take(struct eda *e, const double *y)
{
    size_t i;

    for (i = 0; i < e->n; i++)
        e->x[i] = is_missing(e, y[i]) ? NAN : y[i];
}

/* Whether rising stamps stay near the even grid between their ends. */
static bool is_even(const double *t, size_t n, double step)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (fabs(t[i] - t[0] - (double)i * step) > EDA_MAX_JITTER * step)
            return false;
    return true;
}

/* Median step of uneven stamps, which must rise; uses the scratch. */
static int median_step(struct eda *e, const struct csv_eda *csv,
                       const char *name, double *step, struct err *err)
{
    size_t i;

    for (i = 0; i + 1 < csv->n_rows; i++) {
        e->work[i] = csv->time_s[i + 1] - csv->time_s[i];
        if (!(e->work[i] > 0))
            return err_set(err, ERR_DATA, "%s: line %zu, column 1: wanted a "
                           "time over %g s, got the same again", name,
                           csv->lines[i + 1], csv->time_s[i]);
    }
    qsort(e->work, csv->n_rows - 1, sizeof *e->work, by_value);
    *step = median_of(e->work, csv->n_rows - 1);
    return 0;
}

/*
 * Puts uneven stamps on the even grid of e->rate_hz: a spline through every
 * run without a hole (a step over 1.5 median steps, or a missing value).
 */
static void even_out(struct eda *e, const double *t, const double *y,
                     size_t n_rows)
{
    double step = 1 / e->rate_hz, *m = e->work, *work = m + n_rows, at;
    size_t from = 0, to, i, k = 0;

    for (; from < n_rows; from = to) {
        to = from + 1;
        if (is_missing(e, y[from]))
            continue;
        while (to < n_rows && !is_missing(e, y[to]) &&
               t[to] - t[to - 1] <= EDA_MAX_JITTER * step)
            to++;
        interp_spline(t + from, y + from, to - from, m, work);
        for (i = from; k < e->n; k++) {
            at = t[0] + (double)k * step;
            if (at > t[to - 1] + EDA_ROUNDING * step)
                break;
            while (i + 2 < to && at > t[i + 1])
                i++;
            if (at < t[from] - EDA_ROUNDING * step)
                e->x[k] = NAN;
            else if (to - from == 1)
                e->x[k] = y[from];
            else
                e->x[k] = interp_spline_at(t + from, y + from, m, i - from,
                                           at);
        }
    }
    for (; k < e->n; k++)
        e->x[k] = NAN;
}

/* Rate and samples of a file with stamps. */
static int load_stamped(struct eda *e, const struct csv_eda *csv,
                        const double *y, const char *name, struct err *err)
{
    size_t n = csv->n_rows;
    double span = csv->time_s[n - 1] - csv->time_s[0], step, count;

    if (!(span > 0))
        return err_set(err, ERR_DATA, "%s: line %zu, column 1: wanted times "
                       "that rise, got %zu of %g s", name,
                       csv->lines[n - 1], n, csv->time_s[0]);
    if (reserve(e, n, 2 * n, err))
        return -1;
    step = span / (double)(n - 1);
    e->rate_hz = 1 / step;
    e->first_s = csv->time_s[0];
    e->n = n;
    e->irregular = !is_even(csv->time_s, n, step);
    if (!e->irregular) {
        take(e, y);
        return 0;
    }
    if (median_step(e, csv, name, &step, err))
        return -1;
    count = floor(span / step + EDA_ROUNDING) + 1;
    if (count > EDA_MAX_SAMPLES)
        return err_set(err, ERR_DATA, "%s: column 1: wanted at most %g "
                       "samples, got %g s in steps of %g s", name,
                       EDA_MAX_SAMPLES, span, step);
    e->rate_hz = 1 / step;
    e->n = (size_t)count;
    if (reserve(e, e->n, 2 * n, err))
        return -1;
    even_out(e, csv->time_s, y, n);
    return 0;
}

/* Length of the run of one value that starts at y[i]. */
static size_t run_length(const double *y, size_t n, size_t i)
{
    size_t end = i + 1;

    while (end < n && y[end] == y[i])
        end++;
    return end - i;
}

/* A number's bits, well mixed (Steele, Lea & Flood 2014). */
static uint64_t mix(double value)
{
    uint64_t x;

    value += 0.0; /* both zeros are one value */
    memcpy(&x, &value, sizeof x);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Number of distinct values among the first n in the scratch. */
static int count_levels(struct eda *e, size_t n, size_t *levels,
                        struct err *err)
{
    size_t size = 2, i, at;
    double *x, *table;

    while (size < 2 * n)
        size *= 2;
    x = mem_grow(e->work, &e->work_cap, n + size, sizeof *x, err);
    if (!x)
        return -1;
    e->work = x;
    table = x + n;
    for (i = 0; i < size; i++)
        table[i] = NAN;
    for (i = 0, *levels = 0; i < n; i++) {
        at = (size_t)mix(x[i]) & (size - 1);
        while (!isnan(table[at]) && table[at] != x[i])
            at = (at + 1) & (size - 1);
        *levels += isnan(table[at]) != 0;
        table[at] = x[i];
    }
    return 0;
}

/* Quality of n_rows raw values, those out of range left out. */
static int judge_values(struct eda *e, const double *y, size_t n_rows,
                        struct err *err)
{
    struct eda_quality *q = &e->quality;
    double *kept = e->work, top = -INFINITY, bottom = INFINITY;
    size_t i, n = 0, run, longest = 0, clipped = 0, low = 0;

    for (i = 0; i < n_rows; i++) {
        if (is_missing(e, y[i]))
            continue;
        kept[n++] = y[i];
        top = y[i] > top ? y[i] : top;
        bottom = y[i] < bottom ? y[i] : bottom;
        low += y[i] <= 0;
    }
    q->std = moments_of(kept, n).std;
    if (count_levels(e, n, &q->levels, err))
        return -1;
    for (i = 0; i < n_rows; i += run) {
        run = run_length(y, n_rows, i);
        if (is_missing(e, y[i]))
            continue;
        longest = run > longest ? run : longest;
        if ((y[i] == top || y[i] == bottom) &&
            (double)run > EDA_CLIP_S * e->rate_hz)
            clipped += run;
        if (i && !is_missing(e, y[i - 1]))
            q->slope = fmax(q->slope, fabs(y[i] - y[i - 1]) * e->rate_hz);
    }
    q->constant = q->levels == 1;
    q->flat_s = (double)longest / e->rate_hz;
    q->clipped = n ? (double)clipped / (double)n : 0;
    q->nonpositive = n ? (double)low / (double)n : 0;
    return 0;
}

/* Share of missing samples and the longest run of them. */
static void judge_gaps(struct eda *e)
{
    size_t i, run = 0, longest = 0, n = 0;

    for (i = 0; i < e->n; i++) {
        run = isnan(e->x[i]) ? run + 1 : 0;
        longest = run > longest ? run : longest;
        n += run > 0;
    }
    e->quality.missing = (double)n / (double)e->n;
    e->quality.gap_s = (double)longest / e->rate_hz;
}

/* Lowers the score to value and says why. */
static void limit_score(struct eda_quality *q, double value,
                        const char *reason)
{
    if (value < q->score) {
        q->score = fmax(value, 0);
        q->reason = reason;
    }
}

/* The score of a recording whose other qualities are known. */
static void score(struct eda *e)
{
    struct eda_quality *q = &e->quality;

    q->score = 1;
    q->reason = "nothing";
    limit_score(q, 1 - q->missing, "missing");
    limit_score(q, 1 - q->clipped, "clipped");
    limit_score(q, (double)q->levels / EDA_GOOD_LEVELS, "levels");
    if (q->flat_s > 0)
        limit_score(q, EDA_GOOD_FLAT_S / q->flat_s, "flat_s");
    if (e->is_us && q->slope > 0)
        limit_score(q, EDA_GOOD_SLOPE / q->slope, "slope");
    if (e->is_us && e->conf->eda_std_min > 0)
        limit_score(q, q->std / e->conf->eda_std_min, "std");
    if (q->levels < EDA_MIN_LEVELS && q->missing < 1)
        limit_score(q, 0, "levels");
}

/* Cuts missing samples off both ends; n is 0 if all are missing. */
static void trim(struct eda *e)
{
    size_t first = 0;

    while (e->n && isnan(e->x[e->n - 1]))
        e->n--;
    while (first < e->n && isnan(e->x[first]))
        first++;
    e->n -= first;
    e->first_s += (double)first / e->rate_hz;
    memmove(e->x, e->x + first, e->n * sizeof *e->x);
}

/* Rate and samples of a file without stamps. */
static int load_plain(struct eda *e, const struct csv_eda *csv,
                      const double *y, double rate_hz, const char *name,
                      struct err *err)
{
    e->rate_hz = csv->rate_hz > 0 ? csv->rate_hz : rate_hz;
    if (!(e->rate_hz > 0))
        return err_set(err, ERR_USAGE, "%s: wanted a sampling rate, got "
                       "neither a time column nor a rate in Hz", name);
    if (reserve(e, csv->n_rows, csv->n_rows, err))
        return -1;
    e->n = csv->n_rows;
    take(e, y);
    return 0;
}

int eda_load(struct eda *e, const struct csv_eda *csv, size_t column,
             double rate_hz, bool is_us, const char *name, struct err *err)
{
    const double *y = csv->values + column * csv->n_rows;
    size_t i;

    for (i = 0; i < csv->n_rows && isnan(y[i]); i++)
        continue;
    if (i == csv->n_rows)
        return err_set(err, ERR_DATA, "%s: column '%s': wanted numbers, got "
                       "an empty column", name, csv_eda_name(csv, column));
    e->is_us = is_us;
    e->first_s = 0;
    e->irregular = e->lowpass_skipped = false;
    e->n_pieces = e->n_frames = e->n_valid = 0;
    e->quality = (struct eda_quality){0};
    if (csv->has_time ? load_stamped(e, csv, y, name, err)
                      : load_plain(e, csv, y, rate_hz, name, err))
        return -1;
    if (judge_values(e, y, csv->n_rows, err))
        return -1;
    judge_gaps(e);
    score(e);
    trim(e);
    return 0;
}

/* Bridges the missing samples from i to end by a straight line. */
static void bridge(struct eda *e, size_t i, size_t end)
{
    double from = e->x[i - 1], steps = (double)(end - i + 1);
    double rise = (e->x[end] - from) / steps;
    size_t k;

    for (k = i; k < end; k++) {
        e->x[k] = from + rise * (double)(k - i + 1);
        e->good[k] = 0;
    }
}

/* Adds samples start to end as a piece if there are at least n_min. */
static int add_piece(struct eda *e, size_t start, size_t end, size_t n_min,
                     struct err *err)
{
    struct eda_piece *pieces;

    if (end - start < n_min) {
        memset(e->good + start, 0, end - start);
        return 0;
    }
    pieces = mem_grow(e->pieces, &e->pieces_cap, e->n_pieces + 1,
                      sizeof *pieces, err);
    if (!pieces)
        return -1;
    e->pieces = pieces;
    pieces[e->n_pieces++] = (struct eda_piece){start, end - start};
    return 0;
}

/* Bridges short gaps and cuts at long ones. */
static int split(struct eda *e, size_t n_min, struct err *err)
{
    size_t start = 0, i, end;

    e->n_pieces = 0;
    for (i = 0; i < e->n; i = end) {
        end = i + 1;
        e->good[i] = 1;
        if (!isnan(e->x[i]))
            continue;
        while (isnan(e->x[end])) /* trimmed: the last sample is a number */
            end++;
        if ((double)(end - i) <=
            e->conf->eda_max_gap_s * e->rate_hz + EDA_ROUNDING) {
            bridge(e, i, end);
            continue;
        }
        memset(e->good + i, 0, end - i);
        if (add_piece(e, start, i, n_min, err))
            return -1;
        start = end;
    }
    return add_piece(e, start, e->n, n_min, err);
}

/* Samples of extension for a filter, on a piece of n samples. */
static size_t padding(const struct eda *e, const struct sos *f,
                      double cutoff_hz, size_t n)
{
    return sos_pad(f, cutoff_hz, e->rate_hz, n,
                   e->conf->eda_filter_pad == CONFIG_FILTER_PAD_AUTO);
}

/* Filters one piece of x in place. */
static int filter_piece(struct eda *e, const struct sos *f, size_t pad,
                        const struct eda_piece *p, double *x,
                        struct err *err)
{
    double *work = mem_grow(e->work, &e->work_cap, p->n + 2 * pad,
                            sizeof *work, err);

    if (!work)
        return -1;
    e->work = work;
    return sos_filtfilt(f, x, p->n, pad, work, x, err);
}

/* Runs one filter over all pieces. */
static int filter_pieces(struct eda *e, const struct sos *f,
                         double cutoff_hz, struct err *err)
{
    size_t i;

    for (i = 0; i < e->n_pieces; i++) {
        struct eda_piece *p = &e->pieces[i];

        if (filter_piece(e, f, padding(e, f, cutoff_hz, p->n), p,
                         e->x + p->start, err))
            return -1;
    }
    return 0;
}

/* Whether the signal is to be taken apart. */
static bool decomposes(const struct eda *e)
{
    return e->want_phasic ||
           e->conf->eda_component != CONFIG_COMPONENT_SIGNAL;
}

/* Designs the filters in use; *n_min is what a piece needs for all steps. */
static int design(struct eda *e, struct sos *low, struct sos *high,
                  bool *use_low, size_t *n_min, struct err *err)
{
    const struct config_features *conf = e->conf;

    *n_min = 1;
    *use_low = conf->filter_lowpass;
    if (*use_low && conf->eda_lowpass_hz >= e->rate_hz / 2) {
        e->lowpass_skipped = true;
        *use_low = false;
    }
    if (*use_low) {
        if (sos_butter(low, SOS_LOWPASS, (int)conf->eda_lowpass_order,
                       conf->eda_lowpass_hz, e->rate_hz, err))
            return -1;
        *n_min = sos_padlen(low) + 1;
    }
    if (conf->filter_highpass) {
        if (conf->eda_highpass_hz >= e->rate_hz / 2)
            return err_set(err, ERR_DATA, "high-pass at %g Hz: wanted a "
                           "rate over %g Hz, got %g Hz",
                           conf->eda_highpass_hz, 2 * conf->eda_highpass_hz,
                           e->rate_hz);
        if (sos_butter(high, SOS_HIGHPASS, (int)conf->eda_highpass_order,
                       conf->eda_highpass_hz, e->rate_hz, err))
            return -1;
        if (sos_padlen(high) >= *n_min)
            *n_min = sos_padlen(high) + 1;
    }
    if (decomposes(e)) {
        size_t least;

        if (tonic_min(conf, e->rate_hz, &least, err))
            return -1;
        *n_min = least > *n_min ? least : *n_min;
    }
    return 0;
}

/* Copies the good samples to out, which has room for all; their number. */
static size_t gather(const struct eda *e, double *out)
{
    size_t i, n = 0;

    for (i = 0; i < e->n; i++)
        if (e->good[i])
            out[n++] = e->x[i];
    return n;
}

struct eda_moments eda_moments(struct eda *e)
{
    return moments_of(e->work, gather(e, e->work));
}

/* Takes every piece apart and keeps the component that is asked for. */
static int decompose(struct eda *e, struct err *err)
{
    struct eda_moments m = eda_moments(e);
    double *phasic = mem_grow(e->phasic, &e->phasic_cap, e->n,
                              sizeof *phasic, err);
    double *tonic;
    size_t i;

    if (!phasic)
        return -1;
    e->phasic = phasic;
    tonic = mem_grow(e->tonic, &e->tonic_cap, e->n, sizeof *tonic, err);
    if (!tonic)
        return -1;
    e->tonic = tonic;
    if (m.std <= EDA_NO_VARIANCE * e->largest)
        m.std = 0;
    for (i = 0; i < e->n_pieces; i++) {
        const struct eda_piece *p = &e->pieces[i];
        double *x = e->x + p->start, *part = NULL;

        if (tonic_split(&e->split, e->conf, x, p->n, e->rate_hz, m.mean,
                        m.std, phasic + p->start, tonic + p->start, err))
            return -1;
        if (e->conf->eda_component == CONFIG_COMPONENT_PHASIC)
            part = phasic + p->start;
        if (e->conf->eda_component == CONFIG_COMPONENT_TONIC)
            part = tonic + p->start;
        if (part)
            memcpy(x, part, p->n * sizeof *x);
    }
    return 0;
}

int eda_filter(struct eda *e, const char *name, struct err *err)
{
    struct sos low, high;
    bool use_low;
    size_t n_min, i;

    if (!e->n)
        return err_set(err, ERR_DATA, "%s: wanted values of %g to %g uS, got "
                       "none", name, e->conf->eda_min, e->conf->eda_max);
    if (design(e, &low, &high, &use_low, &n_min, err))
        return err_prefix(err, "%s", name);
    if (split(e, n_min, err))
        return -1;
    if (!e->n_pieces)
        return err_set(err, ERR_DATA, "%s: wanted %zu samples without a gap "
                       "of over %g s for the filters, got %zu samples in "
                       "all", name, n_min, e->conf->eda_max_gap_s, e->n);
    e->largest = 0;
    for (i = 0; i < e->n; i++)
        if (e->good[i])
            e->largest = fmax(e->largest, fabs(e->x[i]));
    if (use_low && filter_pieces(e, &low, e->conf->eda_lowpass_hz, err))
        return err_prefix(err, "%s", name);
    if (e->conf->filter_highpass &&
        filter_pieces(e, &high, e->conf->eda_highpass_hz, err))
        return err_prefix(err, "%s", name);
    if (decomposes(e) && decompose(e, err))
        return err_prefix(err, "%s", name);
    return 0;
}

/* Median and scaled median deviation of n samples, which are sorted. */
static void robust(double *x, size_t n, double *mean, double *std)
{
    double middle, fallback = moments_of(x, n).std;
    size_t i;

    qsort(x, n, sizeof *x, by_value);
    middle = median_of(x, n);
    for (i = 0; i < n; i++)
        x[i] = fabs(x[i] - middle);
    qsort(x, n, sizeof *x, by_value);
    *mean = middle;
    *std = EDA_MAD_TO_STD * median_of(x, n);
    if (*std <= EDA_NO_VARIANCE * fabs(middle))
        *std = fallback; /* over half of the samples are one value */
}

/* Smallest value and span of n samples. */
static void minmax(const double *x, size_t n, double *low, double *span)
{
    double high = x[0];
    size_t i;

    *low = x[0];
    for (i = 1; i < n; i++) {
        *low = fmin(*low, x[i]);
        high = fmax(high, x[i]);
    }
    *span = high - *low;
}

/* Sets mean and std to what the recording, or its subject, says. */
static void measure(struct eda *e, const struct eda_moments *subject)
{
    struct eda_moments m;
    size_t n = gather(e, e->work);

    switch (e->conf->eda_normalize) {
    case CONFIG_NORMALIZE_SUBJECT:
        e->mean = subject->mean;
        e->std = subject->std;
        break;
    case CONFIG_NORMALIZE_ROBUST:
        robust(e->work, n, &e->mean, &e->std);
        break;
    case CONFIG_NORMALIZE_MINMAX:
        minmax(e->work, n, &e->mean, &e->std);
        break;
    case CONFIG_NORMALIZE_NONE:
        e->mean = 0;
        e->std = 1;
        break;
    case CONFIG_NORMALIZE_RECORDING:
        m = moments_of(e->work, n);
        e->mean = m.mean;
        e->std = m.std;
        break;
    }
}

int eda_normalize(struct eda *e, const struct eda_moments *subject,
                  struct err *err)
{
    enum config_normalize how = e->conf->eda_normalize;
    bool own = how != CONFIG_NORMALIZE_SUBJECT &&
               how != CONFIG_NORMALIZE_NONE;
    bool zeros = false;
    size_t i;

    if (how == CONFIG_NORMALIZE_SUBJECT && !subject)
        return err_set(err, ERR_USAGE, "eda_normalize subject: wanted "
                       "statistics of the subject, got none");
    measure(e, subject);
    if (own)
        zeros = e->quality.constant || e->std <= EDA_NO_VARIANCE * e->largest;
    if (zeros || !(e->std > 0)) {
        e->quality.constant = e->quality.constant || zeros;
        e->std = 1;
    } else if (e->is_us && how != CONFIG_NORMALIZE_MINMAX &&
               how != CONFIG_NORMALIZE_NONE) {
        e->std = fmax(e->std, e->conf->eda_std_min);
    }
    for (i = 0; i < e->n; i++)
        e->x[i] = zeros ? 0 : (e->x[i] - e->mean) / e->std;
    return 0;
}

void eda_rate_fraction(double rate_hz, uint64_t *num, uint64_t *den)
{
    uint64_t parts = EDA_RATE_PARTS, scaled, common;

    while (rate_hz * (double)parts > INT32_MAX && parts > 1)
        parts /= 10;
    scaled = (uint64_t)llround(rate_hz * (double)parts);
    common = num_gcd(scaled, parts);
    *num = scaled / common;
    *den = parts / common;
}

/* Low-passes all pieces for a grid of frame_hz, if that is needed. */
static int anti_alias(struct eda *e, double frame_hz, struct err *err)
{
    double cutoff_hz = EDA_ALIAS_CUTOFF * frame_hz;
    struct sos f;
    size_t i, pad;

    if (frame_hz >= EDA_ALIAS_BELOW * e->rate_hz ||
        (e->conf->filter_lowpass && !e->lowpass_skipped &&
         e->conf->eda_lowpass_hz <= cutoff_hz))
        return 0;
    if (sos_butter(&f, SOS_LOWPASS, EDA_ALIAS_ORDER, cutoff_hz, e->rate_hz,
                   err))
        return -1;
    for (i = 0; i < e->n_pieces; i++) {
        struct eda_piece *p = &e->pieces[i];

        pad = padding(e, &f, cutoff_hz, p->n);
        if (pad >= p->n)
            pad = p->n - 1;
        if (filter_piece(e, &f, pad, p, e->x + p->start, err))
            return -1;
    }
    return 0;
}

/* Number of frames of the grid up to the last sample. */
static int count_frames(struct eda *e, const char *name, struct err *err)
{
    double last_s = e->first_s + (double)(e->n - 1) / e->rate_hz;
    double n = floor((last_s - e->grid.t0_s) * (double)e->grid.rate_num /
                     (double)e->grid.rate_den + EDA_ROUNDING) + 1;
    float *out;
    uint8_t *valid;

    if (!(n >= 1) || n > EDA_MAX_SAMPLES)
        return err_set(err, ERR_DATA, "%s: wanted 1 to %g frames from %g s "
                       "on, got a last sample at %g s", name,
                       EDA_MAX_SAMPLES, e->grid.t0_s, last_s);
    e->n_frames = (size_t)n;
    out = mem_grow(e->out, &e->out_cap, e->n_frames, sizeof *out, err);
    if (!out)
        return -1;
    e->out = out;
    valid = mem_grow(e->valid, &e->valid_cap, e->n_frames, sizeof *valid,
                     err);
    if (!valid)
        return -1;
    e->valid = valid;
    memset(out, 0, e->n_frames * sizeof *out);
    memset(valid, 0, e->n_frames);
    return 0;
}

/* The position of frame k in samples of e. */
static double position(const struct eda *e, size_t k)
{
    double at_s = e->grid.t0_s + (double)k * (double)e->grid.rate_den /
                                     (double)e->grid.rate_num;

    return (at_s - e->first_s) * e->rate_hz;
}

/* Whether the samples on both sides of position u in a piece are good. */
static bool is_good(const struct eda *e, const struct eda_piece *p, double u)
{
    size_t i = (size_t)floor(u + EDA_ROUNDING);
    size_t j = (size_t)fmax(ceil(u - EDA_ROUNDING), 0);
    const uint8_t *good = e->good + p->start;

    return good[i < p->n ? i : p->n - 1] && good[j < p->n ? j : p->n - 1];
}

/* Fills the frames that lie in one piece, from frame *k on. */
static void fill_piece(struct eda *e, const struct eda_piece *p, size_t *k)
{
    bool cubic = e->conf->eda_interpolation == CONFIG_CUBIC;
    const double *x = e->x + p->start;
    double *work = e->work, u, last = (double)(p->n - 1), slack;
    size_t i;

    slack = EDA_ROUNDING * e->rate_hz * (double)e->grid.rate_den /
                (double)e->grid.rate_num + EDA_ROUNDING;
    if (cubic)
        interp_spline(NULL, x, p->n, work, work + p->n);
    else
        interp_extend(x, p->n, work);
    for (; *k < e->n_frames; ++*k) {
        u = position(e, *k) - (double)p->start;
        if (u < -slack)
            continue;
        if (u > last + slack)
            break;
        u = fmin(fmax(u, 0), last);
        i = (size_t)fmin(floor(u), p->n > 1 ? last - 1 : 0);
        e->valid[*k] = is_good(e, p, u);
        e->out[*k] = (float)(p->n == 1 ? x[0] :
                             cubic ? interp_spline_at(NULL, x, work, i, u) :
                                     interp_sinc(work, p->n, u));
        e->n_valid += e->valid[*k];
    }
}

int eda_resample(struct eda *e, const struct eda_grid *grid,
                 const char *name, struct err *err)
{
    size_t i, k = 0;

    e->grid = *grid;
    e->n_valid = 0;
    if (count_frames(e, name, err) ||
        anti_alias(e, (double)grid->rate_num / (double)grid->rate_den, err))
        return -1;
    if (reserve(e, e->n, 2 * e->n + 2 * INTERP_TAPS, err))
        return -1;
    for (i = 0; i < e->n_pieces; i++)
        fill_piece(e, &e->pieces[i], &k);
    if (!e->n_valid)
        return err_set(err, ERR_DATA, "%s: wanted a frame with data, got "
                       "none among %zu", name, e->n_frames);
    return 0;
}

/* "recording" and so on, as the config spells it. */
static const char *normalize_name(enum config_normalize how)
{
    switch (how) {
    case CONFIG_NORMALIZE_RECORDING: return "recording";
    case CONFIG_NORMALIZE_SUBJECT: return "subject";
    case CONFIG_NORMALIZE_ROBUST: return "robust";
    case CONFIG_NORMALIZE_MINMAX: return "minmax";
    case CONFIG_NORMALIZE_NONE: break;
    }
    return "none";
}

/* Writes the quality into a frame's metadata. */
static int put_quality(const struct eda *e, struct frame *f, struct err *err)
{
    const struct eda_quality *q = &e->quality;

    return frame_set_num(f, "quality_score", q->score, err) ||
           frame_set_int(f, "quality_levels", (int64_t)q->levels, err) ||
           frame_set_num(f, "quality_std", q->std, err) ||
           frame_set_num(f, "quality_flat_s", q->flat_s, err) ||
           frame_set_num(f, "quality_clipped", q->clipped, err) ||
           frame_set_num(f, "quality_slope", q->slope, err) ||
           frame_set_num(f, "quality_missing", q->missing, err) ||
           frame_set_num(f, "quality_gap_s", q->gap_s, err) ||
           frame_set_num(f, "quality_nonpositive", q->nonpositive, err) ||
           frame_set_int(f, "quality_constant", q->constant, err) ||
           frame_set_int(f, "quality_irregular", e->irregular, err) ||
           frame_set_int(f, "quality_lowpass_skipped", e->lowpass_skipped,
                         err)
               ? -1 : 0;
}

int eda_put_frame(const struct eda *e, struct frame *f, struct err *err)
{
    const size_t shape[2] = {e->n_frames, 1};

    if (frame_set_int(f, "rate_num", (int64_t)e->grid.rate_num, err) ||
        frame_set_int(f, "rate_den", (int64_t)e->grid.rate_den, err) ||
        frame_set_num(f, "t0_s", e->grid.t0_s, err) ||
        frame_set(f, "unit", e->is_us ? "uS" : "unknown", err) ||
        frame_set(f, "normalisation",
                  normalize_name(e->conf->eda_normalize), err) ||
        frame_set_num(f, "mean", e->mean, err) ||
        frame_set_num(f, "std", e->std, err) || put_quality(e, f, err))
        return -1;
    if (frame_add(f, "eda", TENSOR_F32, 2, shape, e->out, err) ||
        frame_add(f, "valid", TENSOR_U8, 1, shape, e->valid, err))
        return -1;
    return config_features_to_frame(e->conf, CONFIG_EDA_HALF, f, err);
}
