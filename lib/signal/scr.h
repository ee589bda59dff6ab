/*
 * scr - skin conductance responses: where they begin, how high they rise, and
 * how long they take to fall by half.
 *
 * For each recording: scr_clear, scr_scan for each piece, scr_select.
 */
#ifndef SIGNAL_SCR_H
#define SIGNAL_SCR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Recovery of a response that did not fall by half. */
#define SCR_NONE SIZE_MAX

/* One response; samples count from the start of the recording. */
struct scr_event {
    size_t onset;      /* sample of the last trough before the peak */
    size_t peak;       /* sample of the local maximum */
    size_t recovery;   /* sample where half is lost; SCR_NONE */
    size_t end;        /* end of the piece */
    double amplitude;  /* peak less onset, unit */
    double prominence; /* height over the higher of the valleys around it */
};

/* Responses found, and scratch; {0} is none. */
struct scr {
    struct scr_event *events; /* n of them, in order of time; owned */
    size_t n;                 /* responses */
    double *left, *right;     /* lowest value on the way to a higher one */
    size_t *stack;            /* samples, scratch */
    size_t events_cap, left_cap, right_cap, stack_cap; /* room */
};

/* Forgets the responses and keeps the memory. */
void scr_clear(struct scr *s);

/*
 * Adds all local maxima of a piece that have a trough before them.
 *
 * A maximum is a value, or a run of equal ones, between two lower ones; its
 * sample is the middle of the run. Troughs likewise, upside down.
 *
 * x: the phasic part of a recording; its samples start to start + n are the
 * piece, without NaN. Returns 0; -1 if memory is short.
 * Source: as scipy.signal.find_peaks and peak_prominences.
 */
int scr_scan(struct scr *s, const double *x, size_t start, size_t n,
             struct err *err) NODISCARD;

/*
 * Keeps the responses and finds their recoveries.
 *
 * min_amplitude: least peak less onset, unit; 0: any
 * min_relative: least share of the recording's largest prominence; 0: any
 * good: samples that were measured; a response whose onset or peak was not is
 *   none. NULL: all
 * The recovery is the first sample at or below the middle between onset and
 * peak, before the lowest one on the way to the next response.
 * Source: with min_amplitude 0, NeuroKit2's eda_peaks(method="neurokit"), but
 * for recoveries where a response that is not kept lies between: there it takes
 * the sample whose value is nearest below the middle.
 */
void scr_select(struct scr *s, const double *x, const uint8_t *good,
                double min_amplitude, double min_relative);

/* Frees it; {0} is fine. */
void scr_release(struct scr *s);

#endif
