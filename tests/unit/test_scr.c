/*
 * test_scr - responses against NeuroKit2 (tests/golden/make_scr.py), and
 * signals whose responses are counted by hand.
 */
#include "signal/scr.h"

#include <stdlib.h>

#include "base/err.h"
#include "eda_signal.h"
#include "signal/tonic.h"
#include "tap.h"

/* Most samples of a test signal. */
#define MAX_SAMPLES 6000

/* A recording and its phasic and tonic part. */
static double x[MAX_SAMPLES], phasic[MAX_SAMPLES], tonic[MAX_SAMPLES];

/* The phasic part of a golden signal. */
static void make(size_t n, double rate_hz)
{
    struct config_features conf = {.eda_highpass_hz = 0.05,
                                   .eda_highpass_order = 2};
    struct tonic t = {0};
    struct err err;

    eda_burst_clean(x, n, rate_hz);
    if (tonic_split(&t, &conf, x, n, rate_hz, 0, 1, phasic, tonic, &err))
        exit(99);
    tonic_release(&t);
}

/* Compares one recording with the rows that follow in f. */
static void check_case(FILE *f, struct scr *s, size_t n, double rate_hz,
                       double least)
{
    size_t onset, peak, i = 0, same = 0, want = 0;
    double amplitude, rise_s, worst = 0;
    char recovery[32], text[32];
    struct err err;

    make(n, rate_hz);
    scr_clear(s);
    if (scr_scan(s, phasic, 0, n, &err))
        exit(99);
    scr_select(s, phasic, NULL, 0, least);
    while (fscanf(f, " scr %zu %zu %lf %lf %31s", &onset, &peak, &amplitude,
                  &rise_s, recovery) == 5) {
        const struct scr_event *e = &s->events[i];

        want++;
        if (i >= s->n)
            continue;
        strcpy(text, "nan");
        if (e->recovery != SCR_NONE)
            snprintf(text, sizeof text, "%.12g",
                     (double)(e->recovery - e->peak) / rate_hz);
        same += e->onset == onset && e->peak == peak &&
                strcmp(text, recovery) == 0 &&
                fabs((double)(peak - onset) / rate_hz - rise_s) < 1e-9;
        worst = fmax(worst, fabs(e->amplitude - amplitude));
        i++;
    }
    tap_ok(want > 5 && s->n == want && same == want,
           "%zu samples at %g Hz, over %g: %zu of %zu responses as NeuroKit2 "
           "has them", n, rate_hz, least, same, want);
    tap_ok(worst < 1e-9, "amplitudes within %.1e", worst);
}

/* All golden recordings. */
static void test_golden(struct scr *s)
{
    FILE *f = fopen("tests/golden/scr.txt", "r");
    double rate_hz, least;
    int cases = 0;
    size_t n;

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %zu %lf %lf", &n, &rate_hz, &least) == 3) {
        check_case(f, s, n, rate_hz, least);
        cases++;
    }
    tap_ok(cases == 4, "4 recordings were read");
    fclose(f);
}

/* What a short signal's responses are, as "onset-peak-recovery ...". */
static const char *found(struct scr *s, const double *y, size_t n,
                         const uint8_t *good, double least, double share)
{
    static char text[256];
    size_t i, at = 0;
    struct err err;

    scr_clear(s);
    if (scr_scan(s, y, 0, n, &err))
        exit(99);
    scr_select(s, y, good, least, share);
    text[0] = '\0';
    for (i = 0; i < s->n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%zu-%zu-%d",
                               i ? " " : "", s->events[i].onset,
                               s->events[i].peak,
                               s->events[i].recovery == SCR_NONE
                                   ? -1 : (int)s->events[i].recovery);
    return text;
}

/* Counted by hand. */
static void test_hand(struct scr *s)
{
    static const double y[] = {2, 1, 1, 1, 5, 5, 3, 2, 4, 2, 0, 9, 1, 0};
    static const double flat[] = {1, 1, 1, 1};
    uint8_t good[14];
    size_t i;

    for (i = 0; i < 14; i++)
        good[i] = 1;
    tap_is(found(s, y, 14, good, 0, 0), "2-4-6 7-8-9 10-11-12",
           "plateaus, onsets, recoveries");
    tap_is(found(s, y, 14, good, 3, 0), "2-4-6 10-11-12",
           "an absolute threshold");
    tap_is(found(s, y, 14, good, 0, 0.9), "10-11-12",
           "a relative threshold");
    good[4] = 0;
    tap_is(found(s, y, 14, good, 0, 0), "7-8-9 10-11-12",
           "a peak that was not measured");
    tap_is(found(s, y, 12, NULL, 0, 0), "2-4-6 7-8-9",
           "a rise to the end has no peak yet");
    tap_is(found(s, flat, 4, NULL, 0, 0), "", "a constant");
    tap_is(found(s, flat, 1, NULL, 0, 0), "", "one sample");
}

int main(void)
{
    struct scr s = {0};

    test_golden(&s);
    test_hand(&s);
    scr_release(&s);
    return tap_done();
}
