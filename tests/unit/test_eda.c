/*
 * test_eda - the chain from samples to frames, against scipy, against known
 * functions, and masks counted by hand.
 */
#include "signal/eda.h"

#include <stdlib.h>

#include "base/err.h"
#include "eda_signal.h"
#include "signal/sos.h"
#include "tap.h"

/* Most samples of a test signal. */
#define MAX_SAMPLES 4000

/* A full turn. */
#define TURN 6.28318530717958647692

/* A file with one column, and its numbers. */
static struct {
    double time_s[MAX_SAMPLES]; /* stamps */
    double x[MAX_SAMPLES];      /* values */
    size_t lines[MAX_SAMPLES];  /* line numbers */
    size_t name;                /* offset of the column's name */
    struct csv_eda csv;         /* the file */
} file;

/* The default settings, without filters. */
static struct config_features conf;

/* A frame rate of 10 Hz. */
static const struct eda_grid ten = {10, 1, 0};

/* Settings as a config without keys has them, the filters off. */
static void reset(void)
{
    conf = (struct config_features){
        .eda_normalize = CONFIG_NORMALIZE_NONE, .eda_lowpass_hz = 8,
        .eda_lowpass_order = 2, .eda_highpass_hz = 0.05,
        .eda_highpass_order = 2, .eda_max = 60, .eda_max_gap_s = 2,
        .eda_std_min = 0.01};
}

/* A file of the n values in file.x, with the stamps if timed. */
static const struct csv_eda *make(size_t n, bool timed)
{
    size_t i;

    for (i = 0; i < n; i++)
        file.lines[i] = i + 2;
    buf_clear(&file.csv.text);
    buf_put(&file.csv.text, "c", 2);
    file.csv.has_time = timed;
    file.csv.n_rows = n;
    file.csv.n_columns = 1;
    file.csv.time_s = file.time_s;
    file.csv.values = file.x;
    file.csv.names = &file.name;
    file.csv.lines = file.lines;
    return &file.csv;
}

/* The whole chain for the n values in file.x. Returns 0 or -1. */
static int chain(struct eda *e, size_t n, double rate_hz, bool is_us,
                 const struct eda_grid *grid, struct err *err)
{
    return eda_load(e, make(n, false), 0, rate_hz, is_us, "f", err) ||
                   eda_filter(e, "f", err) || eda_normalize(e, NULL, err) ||
                   eda_resample(e, grid, "f", err)
               ? -1 : 0;
}

/* The mask as text. */
static const char *mask(const struct eda *e)
{
    static char text[MAX_SAMPLES];
    size_t k;

    for (k = 0; k < e->n_frames; k++)
        text[k] = (char)('0' + e->valid[k]);
    text[k] = '\0';
    return text;
}

/* One golden recording; its frames follow in f. */
static void check_golden(FILE *f, struct eda *e, const char *name,
                         double mean, double std)
{
    bool low = strcmp(name, "lowpass") == 0, slow = strcmp(name, "slow") == 0;
    size_t n = slow ? 200 : 1000, i, k;
    double rate_hz = slow ? 4 : 50, want, worst = 0;
    struct err err;
    int valid, frames = 0;
    bool same = true, ok;

    reset();
    conf.eda_normalize = CONFIG_NORMALIZE_RECORDING;
    conf.eda_interpolation = CONFIG_CUBIC;
    conf.filter_lowpass = low || slow;
    conf.eda_lowpass_hz = slow ? 8 : 3;
    conf.eda_lowpass_order = 4;
    eda_signal(file.x, n, rate_hz);
    for (i = slow ? 50 : 200; i < (slow ? 54u : 250u); i++)
        file.x[i] = NAN;
    for (i = slow ? 100 : 600; i < (slow ? 120u : 750u); i++)
        file.x[i] = NAN;
    ok = !chain(e, n, rate_hz, false, &ten, &err);
    while (fscanf(f, " frame %zu %d %lf", &k, &valid, &want) == 3) {
        ok = ok && k < e->n_frames;
        if (!ok)
            continue;
        same = same && e->valid[k] == valid;
        worst = fmax(worst, fabs((double)e->out[k] - want));
        frames++;
    }
    tap_ok(ok && frames > 60 && worst < 1e-6,
           "%s: %d frames within %.1e of scipy", name, frames, worst);
    tap_ok(same, "%s: mask", name);
    tap_ok(fabs(e->mean - mean) < 1e-9 && fabs(e->std - std) < 1e-9,
           "%s: mean and std", name);
}

/* All golden recordings. */
static void test_golden(struct eda *e)
{
    FILE *f = fopen("tests/golden/eda.txt", "r");
    double mean, std;
    char name[16];
    int cases = 0;

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %15s %lf %lf", name, &mean, &std) == 3) {
        check_golden(f, e, name, mean, std);
        cases++;
    }
    tap_ok(cases == 3, "3 recordings were read");
    fclose(f);
}

/* Largest error of a sine of hz against the frames, margin_s off the ends. */
static double sine_error(struct eda *e, double hz, double rate_hz, size_t n,
                         const struct eda_grid *grid, double margin_s)
{
    double last_s = (double)(n - 1) / rate_hz, worst = 0, t;
    struct err err;
    size_t i, k;

    for (i = 0; i < n; i++)
        file.x[i] = sin(TURN * hz * (double)i / rate_hz + 1);
    if (chain(e, n, rate_hz, false, grid, &err))
        return INFINITY;
    for (k = 0; k < e->n_frames; k++) {
        t = grid->t0_s + (double)k * (double)grid->rate_den /
                             (double)grid->rate_num;
        if (t >= margin_s && t <= last_s - margin_s)
            worst = fmax(worst, fabs((double)e->out[k] -
                                     sin(TURN * hz * t + 1)));
    }
    return worst;
}

/* Interpolation of known functions, both ways, up and down. */
static void test_accuracy(struct eda *e)
{
    const struct eda_grid odd = {16000, 441, 0.0125};
    double worst;

    reset();
    worst = sine_error(e, 1.2, 4, 400, &ten, 5);
    tap_ok(worst < 1e-5, "sinc, 1.2 Hz, 4 to 10 Hz: %.1e", worst);
    worst = sine_error(e, 1, 50, 2000, &odd, 1);
    tap_ok(worst < 2e-6, "sinc, 1 Hz, 50 to 36.28 Hz: %.1e", worst);
    worst = sine_error(e, 1, 50, 2000, &ten, 2);
    tap_ok(worst < 2e-6, "sinc, 1 Hz, 50 to 10 Hz: %.1e", worst);
    worst = sine_error(e, 0.3, 4, 400, &ten, 0);
    tap_ok(worst < 2e-2, "sinc, 0.3 Hz, to the ends: %.1e", worst);
    worst = sine_error(e, 8, 50, 2000, &ten, 2);
    tap_ok(worst > 0.9 && fabs((double)e->out[100]) < 1e-3,
           "8 Hz does not fold into 10 frames a second");
    conf.eda_interpolation = CONFIG_CUBIC;
    worst = sine_error(e, 0.3, 4, 400, &ten, 5);
    tap_ok(worst < 2e-3, "cubic, 0.3 Hz, 4 to 10 Hz: %.1e", worst);
}

/* The sampling rate comes from the stamps, rounded as they may be. */
static void test_rate(struct eda *e)
{
    struct err err;
    size_t i;

    reset();
    for (i = 0; i < 600; i++) {
        file.time_s[i] = round((double)i * 49.16 / 599 / 0.02) * 0.02;
        file.x[i] = (double)(i % 7);
    }
    tap_ok(!eda_load(e, make(600, true), 0, 50, false, "f", &err) &&
               !e->irregular, "stamps rounded to 20 ms are even");
    tap_near(e->rate_hz, 599 / 49.16, 1e-9,
             "(n - 1) / (t_last - t_first), and it beats the given rate");
    file.csv.rate_hz = 8;
    tap_ok(!eda_load(e, make(600, false), 0, 4, false, "f", &err) &&
               e->rate_hz == 8, "without stamps the file's own rate wins");
    file.csv.rate_hz = 0;
    tap_ok(!eda_load(e, make(600, false), 0, 4, false, "f", &err) &&
               e->rate_hz == 4, "else the given rate");
    tap_ok(eda_load(e, make(600, false), 0, 0, false, "f", &err) == -1 &&
               err.status == ERR_USAGE, "no rate at all is a usage error");
    for (i = 0; i < 3; i++)
        file.time_s[i] = 1;
    tap_ok(eda_load(e, make(3, true), 0, 0, false, "f", &err) == -1,
           "stamps that stand still");
    tap_is(err.text, "f: line 4, column 1: wanted times that rise, got 3 of "
           "1 s", "and the message");
}

/* Uneven stamps are interpolated from, and a hole in them is a gap. */
static void test_irregular(struct eda *e)
{
    double t = 0, worst = 0;
    struct err err;
    size_t i, k;
    bool ok;

    reset();
    for (i = 0; i < 400; i++) {
        file.time_s[i] = t;
        file.x[i] = sin(t);
        /* 10 Hz with jitter; no data from 20 to 25 s */
        t += i == 200 ? 5 : 0.1 + 0.02 * sin(3.0 * (double)i);
    }
    ok = !eda_load(e, make(400, true), 0, 0, false, "f", &err) &&
         e->irregular && !eda_filter(e, "f", &err) &&
         !eda_normalize(e, NULL, &err) && !eda_resample(e, &ten, "f", &err);
    tap_ok(ok && e->n_pieces == 2, "uneven stamps with a hole: two pieces");
    for (k = 0; ok && k < e->n_frames; k++)
        if (e->valid[k])
            worst = fmax(worst, fabs((double)e->out[k] -
                                     sin((double)k / 10)));
    tap_ok(ok && worst < 1e-3, "values follow the stamps: %.1e", worst);
    tap_ok(ok && !e->valid[203] && !e->valid[245] && e->valid[198] &&
               e->valid[254], "frames in the hole are masked");
    file.time_s[301] = file.time_s[300];
    tap_ok(eda_load(e, make(400, true), 0, 0, false, "f", &err) == -1,
           "a stamp twice among uneven ones is refused");
}

/* Gaps at 4 Hz on a grid of 4 Hz: masks by hand. */
static void test_gaps(struct eda *e)
{
    struct err err;
    size_t i;

    reset();
    conf.eda_max_gap_s = 0.5;
    for (i = 0; i < 12; i++)
        file.x[i] = (double)i;
    file.x[3] = file.x[4] = NAN;
    tap_ok(!chain(e, 12, 4, false, &(struct eda_grid){4, 1, 0}, &err),
           "a gap of 0.5 s");
    tap_is(mask(e), "111001111111", "is filled and masked");
    tap_near((double)e->out[3], 3, 1e-6, "along a straight line");
    tap_ok(!chain(e, 12, 4, false, &(struct eda_grid){8, 1, 0}, &err) &&
               e->n_frames == 23, "at 8 Hz");
    tap_is(mask(e), "11111000001111111111111",
           "frames beside a filled sample are masked too");
    file.x[5] = NAN;
    tap_ok(!chain(e, 12, 4, false, &(struct eda_grid){4, 1, 0}, &err) &&
               e->n_pieces == 2, "a gap of 0.75 s splits");
    tap_is(mask(e), "111000111111", "and is masked");
    tap_ok(e->out[3] == 0 && e->out[4] == 0 && e->out[5] == 0,
           "with zeros in it");
    file.x[0] = file.x[1] = file.x[11] = NAN;
    tap_ok(!chain(e, 12, 4, false, &(struct eda_grid){4, 1, 0}, &err) &&
               e->n_frames == 11, "missing ends");
    tap_is(mask(e), "00100011111", "are cut off, the grid still starts at 0");
}

/* A piece too short for its filter is masked, not filtered. */
static void test_short_piece(struct eda *e)
{
    struct err err;
    size_t i;

    reset();
    conf.filter_lowpass = true;
    conf.eda_lowpass_hz = 1;
    conf.eda_max_gap_s = 0;
    for (i = 0; i < 40; i++)
        file.x[i] = (double)(i % 3);
    file.x[9] = file.x[25] = NAN;
    tap_ok(!chain(e, 40, 4, false, &(struct eda_grid){4, 1, 0}, &err) &&
               e->n_pieces == 2, "9 samples are too few for order 2");
    tap_is(mask(e), "0000000000111111111111111011111111111111",
           "and are masked");
    file.x[18] = file.x[32] = NAN;
    tap_ok(chain(e, 40, 4, false, &ten, &err) == -1 &&
               err.status == ERR_DATA, "nothing long enough is bad data");
    tap_is(err.text, "f: wanted 10 samples without a gap of over 0 s for the "
           "filters, got 40 samples in all", "and the message");
}

/* The grid ends with the last sample and starts where it is told. */
static void test_grid(struct eda *e)
{
    struct err err;
    size_t i;

    reset();
    for (i = 0; i < 451; i++)
        file.x[i] = (double)i / 10;
    tap_ok(!chain(e, 451, 10, false, &ten, &err) && e->n_frames == 451,
           "t_k = t_last is in: 45 s at 10 Hz are 451 frames");
    tap_ok(!chain(e, 451, 10, false, &(struct eda_grid){10, 1, 0.05}, &err) &&
               e->n_frames == 450 && e->n_valid == 450,
           "an origin of 50 ms leaves 450");
    tap_near((double)e->out[7], 0.75, 1e-5, "and shifts the values");
    tap_ok(!chain(e, 451, 10, false, &(struct eda_grid){441, 16, 0}, &err) &&
               e->n_frames == 1241, "44100 / 1600 frames a second: 1241");
    for (i = 0; i < 451; i++)
        file.time_s[i] = 2 + (double)i / 10;
    tap_ok(!eda_load(e, make(451, true), 0, 0, false, "f", &err) &&
               !eda_filter(e, "f", &err) && !eda_normalize(e, NULL, &err) &&
               !eda_resample(e, &ten, "f", &err) && e->n_frames == 471 &&
               !e->valid[19] && e->valid[20] && e->out[19] == 0,
           "a recording that starts at 2 s is masked before");
    tap_ok(chain(e, 451, 10, false, &(struct eda_grid){10, 1, 50}, &err) ==
               -1 && err.status == ERR_DATA,
           "a grid behind the recording has no frame");
}

/* Range limits hold for microsiemens only. */
static void test_range(struct eda *e)
{
    struct err err;
    size_t i;

    reset();
    for (i = 0; i < 12; i++)
        file.x[i] = 1 + 0.1 * (double)i;
    file.x[4] = -0.01;
    file.x[7] = 60.5;
    tap_ok(!chain(e, 12, 4, true, &(struct eda_grid){4, 1, 0}, &err), "uS");
    tap_is(mask(e), "111101101111", "values out of range are gaps");
    tap_near(e->quality.missing, 2.0 / 12, 1e-12, "and count as missing");
    tap_ok(!chain(e, 12, 4, false, &(struct eda_grid){4, 1, 0}, &err),
           "unknown unit");
    tap_is(mask(e), "111111111111", "nothing is out of range");
    for (i = 0; i < 12; i++)
        file.x[i] = -1;
    tap_ok(!eda_load(e, make(12, false), 0, 4, true, "f", &err) &&
               e->n == 0 && e->quality.score == 0,
           "all out of range: score 0");
    tap_ok(eda_filter(e, "f", &err) == -1 && err.status == ERR_DATA,
           "and nothing to filter");
    for (i = 0; i < 12; i++)
        file.x[i] = NAN;
    tap_ok(eda_load(e, make(12, false), 0, 4, true, "f", &err) == -1 &&
               err.status == ERR_DATA, "an empty column is bad data");
    tap_is(err.text, "f: column 'c': wanted numbers, got an empty column",
           "and the message");
}

/* Mean and population standard deviation of the n samples in e->x. */
static void spread(struct eda *e, double *mean, double *std)
{
    struct eda_moments m = eda_moments(e);

    *mean = m.mean;
    *std = m.std;
}

/* Loads, filters and normalises n values of file.x. */
static bool normalized(struct eda *e, enum config_normalize how, size_t n,
                       bool is_us, const struct eda_moments *subject)
{
    struct err err;

    conf.eda_normalize = how;
    return !eda_load(e, make(n, false), 0, 4, is_us, "f", &err) &&
           !eda_filter(e, "f", &err) && !eda_normalize(e, subject, &err);
}

/* The five normalisations. */
static void test_normalize(struct eda *e)
{
    const struct eda_moments subject = {100, 1, 2};
    double mean, std;
    size_t i;

    reset();
    for (i = 0; i < 9; i++)
        file.x[i] = (double)(i * i);
    tap_ok(normalized(e, CONFIG_NORMALIZE_RECORDING, 9, false, NULL),
           "recording");
    spread(e, &mean, &std);
    tap_ok(fabs(mean) < 1e-15 && fabs(std - 1) < 1e-15, "mean 0, std 1");
    tap_near(e->x[8] * e->std + e->mean, 64, 1e-12, "and back");
    tap_ok(normalized(e, CONFIG_NORMALIZE_ROBUST, 9, false, NULL) &&
               e->mean == 16, "robust: median");
    tap_near(e->std, 15 * 1.482602218505602, 1e-12, "and scaled MAD");
    tap_ok(normalized(e, CONFIG_NORMALIZE_MINMAX, 9, false, NULL) &&
               e->x[0] == 0 && e->x[8] == 1 && e->std == 64, "minmax");
    tap_ok(normalized(e, CONFIG_NORMALIZE_NONE, 9, false, NULL) &&
               e->x[8] == 64 && e->mean == 0 && e->std == 1, "none");
    tap_ok(normalized(e, CONFIG_NORMALIZE_SUBJECT, 9, false, &subject) &&
               e->x[3] == 4, "subject");
    tap_ok(!normalized(e, CONFIG_NORMALIZE_SUBJECT, 9, false, NULL),
           "subject without statistics is refused");
    file.x[4] = NAN;
    tap_ok(normalized(e, CONFIG_NORMALIZE_MINMAX, 9, false, NULL) &&
               eda_moments(e).n == 8, "filled samples do not count");
    for (i = 0; i < 9; i++)
        file.x[i] = i < 8 ? 1 : 3;
    tap_ok(normalized(e, CONFIG_NORMALIZE_ROBUST, 9, false, NULL) &&
               isfinite(e->x[8]) && e->std > 0.5,
           "robust with no MAD takes the std");
}

/* Nothing is divided by zero or by noise. */
static void test_constant(struct eda *e)
{
    static const enum config_normalize all[] = {
        CONFIG_NORMALIZE_RECORDING, CONFIG_NORMALIZE_ROBUST,
        CONFIG_NORMALIZE_MINMAX};
    size_t i, k;
    bool zeros = true;

    reset();
    conf.filter_lowpass = true;
    conf.eda_lowpass_hz = 1;
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 40; k++)
            file.x[k] = 0.3;
        zeros = zeros && normalized(e, all[i], 40, i == 0, NULL) &&
                e->quality.constant && e->std == 1;
        for (k = 0; zeros && k < 40; k++)
            zeros = e->x[k] == 0;
    }
    tap_ok(zeros, "a constant becomes zeros, with its flag");
    conf.filter_lowpass = false;
    for (k = 0; k < 40; k++)
        file.x[k] = 1 + 0.001 * (double)(k % 2);
    tap_ok(normalized(e, CONFIG_NORMALIZE_RECORDING, 40, true, NULL) &&
               e->std == 0.01, "uS: noise below eda_std_min stays small");
    tap_ok(normalized(e, CONFIG_NORMALIZE_RECORDING, 40, false, NULL) &&
               fabs(e->std - 0.0005) < 1e-12, "other units have no floor");
}

/* Cutoffs against the sampling rate. */
static void test_cutoffs(struct eda *e)
{
    struct err err;
    size_t i;

    reset();
    conf.filter_lowpass = true;
    for (i = 0; i < 100; i++)
        file.x[i] = (double)(i % 11);
    tap_ok(!chain(e, 100, 4, false, &ten, &err) && e->lowpass_skipped &&
               e->x[60] == 5, "8 Hz low-pass on 4 Hz data is skipped");
    tap_ok(!chain(e, 100, 16, false, &ten, &err) && e->lowpass_skipped,
           "also at half the rate exactly");
    tap_ok(!chain(e, 100, 16.1, false, &ten, &err) && !e->lowpass_skipped,
           "not above");
    conf.filter_highpass = true;
    conf.eda_highpass_hz = 2;
    tap_ok(chain(e, 100, 4, false, &ten, &err) == -1 &&
               err.status == ERR_DATA, "a high-pass there is bad data");
    tap_is(err.text, "f: high-pass at 2 Hz: wanted a rate over 4 Hz, got 4 "
           "Hz", "and the message");
}

/* filter_pad auto extends by two periods of the cutoff where it can. */
static void test_pad(struct eda *e)
{
    static double y[300], work[300 + 600];
    struct sos f;
    struct err err;
    size_t i, n, pad;
    bool same;

    reset();
    conf.filter_highpass = true;
    conf.eda_filter_pad = CONFIG_FILTER_PAD_AUTO;
    for (n = 100; n <= 300; n += 200) {
        pad = n > 160 ? 160 : n - 1;
        eda_signal(file.x, n, 4);
        same = !eda_load(e, make(n, false), 0, 4, false, "f", &err) &&
               !eda_filter(e, "f", &err) &&
               !sos_butter(&f, SOS_HIGHPASS, 2, 0.05, 4, &err) &&
               !sos_filtfilt(&f, file.x, n, pad, work, y, &err);
        for (i = 0; same && i < n; i++)
            same = e->x[i] == y[i];
        tap_ok(same, "%zu samples are extended by %zu", n, pad);
    }
}

/* Quality of a recording counted by hand. */
static void test_quality(struct eda *e)
{
    const struct eda_quality *q = &e->quality;
    struct err err;
    size_t i;
    bool ok;

    reset();
    for (i = 0; i < 40; i++)
        file.x[i] = (double)(i % 20);
    for (i = 10; i < 20; i++)
        file.x[i] = 19; /* 2.5 s at the largest value */
    file.x[25] = file.x[26] = file.x[30] = NAN;
    ok = !eda_load(e, make(40, false), 0, 4, false, "f", &err);
    tap_ok(ok && q->levels == 19, "levels");
    tap_near(q->flat_s, 2.5, 1e-12, "longest run of one value");
    tap_near(q->clipped, 10.0 / 37, 1e-12, "clipped share");
    tap_near(q->slope, 19 * 4, 1e-12, "largest slope, from 19 to 0");
    tap_near(q->missing, 3.0 / 40, 1e-12, "missing share");
    tap_near(q->gap_s, 0.5, 1e-12, "longest gap");
    tap_near(q->nonpositive, 2.0 / 37, 1e-12, "share at or below 0");
    tap_near(q->score, 27.0 / 37, 1e-12, "score: the worst of them");
    tap_is(q->reason, "clipped", "and which it was");
    ok = !eda_load(e, make(40, false), 0, 4, true, "f", &err);
    tap_near(q->score, 10.0 / 76, 1e-12, "in uS the slope counts");
    for (i = 0; i < 40; i++)
        file.x[i] = (double)(i % 20 < 6 ? 1 : i % 20);
    for (i = 34; i < 40; i++)
        file.x[i] = 19;
    ok = !eda_load(e, make(40, false), 0, 4, false, "f", &err);
    tap_near(ok ? q->clipped : -1, 18.0 / 40, 1e-12,
             "runs at the least value are clipped too");
    for (i = 0; i < 40; i++)
        file.x[i] = (double)(i % 9);
    ok = !eda_load(e, make(40, false), 0, 4, false, "f", &err);
    tap_ok(ok && q->score == 0 && !q->constant, "9 levels: score 0");
    tap_is(q->reason, "levels", "because of them");
    for (i = 0; i < 40; i++)
        file.x[i] = (double)(i % 10);
    ok = !eda_load(e, make(40, false), 0, 4, false, "f", &err);
    tap_near(ok ? q->score : -1, 0.5, 1e-12, "10 levels: half");
    for (i = 0; i < 80; i++)
        file.x[i] = i < 40 ? (double)(i % 25) : 3;
    ok = !eda_load(e, make(80, false), 0, 4, false, "f", &err);
    tap_near(ok ? q->score : -1, 0.5, 1e-12, "10 s of one value: half");
    for (i = 0; i < 40; i++)
        file.x[i] = 1 + 0.0001 * (double)i;
    ok = !eda_load(e, make(40, false), 0, 4, true, "f", &err);
    tap_near(ok ? q->score : -1, q->std / 0.01, 1e-12,
             "in uS a small std counts");
}

/* Rates as fractions. */
static void test_fraction(void)
{
    static const struct {
        double hz;    /* asked */
        uint64_t num; /* wanted */
        uint64_t den; /* wanted */
    } cases[] = {{4, 4, 1}, {50.000000000001, 50, 1}, {0.5, 1, 2},
                 {12.5, 25, 2}, {599 / 49.16, 12184703, 1000000},
                 {44100, 44100, 1}, {100000.25, 400001, 4}};
    uint64_t num, den;
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        eda_rate_fraction(cases[i].hz, &num, &den);
        tap_ok(num == cases[i].num && den == cases[i].den,
               "%g Hz is %llu/%llu", cases[i].hz, (unsigned long long)num,
               (unsigned long long)den);
    }
}

/* The unit follows the dataset unless it is given. */
static void test_unit(void)
{
    reset();
    tap_ok(eda_unit_is_us(&conf, "hku956") &&
               !eda_unit_is_us(&conf, "pmemo2019"), "auto: hku956 is in uS");
    conf.eda_unit = CONFIG_UNIT_US;
    tap_ok(eda_unit_is_us(&conf, "pmemo2019"), "uS for all");
    conf.eda_unit = CONFIG_UNIT_UNKNOWN;
    tap_ok(!eda_unit_is_us(&conf, "hku956"), "unknown for all");
}

int main(void)
{
    struct eda e;

    eda_init(&e, &conf);
    test_golden(&e);
    test_accuracy(&e);
    test_rate(&e);
    test_irregular(&e);
    test_gaps(&e);
    test_short_piece(&e);
    test_grid(&e);
    test_range(&e);
    test_normalize(&e);
    test_constant(&e);
    test_cutoffs(&e);
    test_pad(&e);
    test_quality(&e);
    test_fraction();
    test_unit();
    eda_release(&e);
    buf_release(&file.csv.text);
    return tap_done();
}
