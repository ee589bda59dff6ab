/*
 * scrmatch - two lists of peaks, walked side by side: with one tolerance for
 * all, taking the first that fits is the largest matching there is.
 */
#include "eval/scrmatch.h"

#include <math.h>

#include "signal/scr.h"

/* Finds the responses of x (T), scaled into work. */
static int find(struct scr *s, const double *x, const uint8_t *valid, size_t T,
                double us, double *work, struct err *err)
{
    size_t t, end;

    for (t = 0; t < T; t++)
        work[t] = valid[t] ? x[t] * us : 0;
    for (t = 0; t < T; t = end) {
        for (end = t + 1; end < T && valid[end] == valid[t];)
            end++;
        if (valid[t] && scr_scan(s, work, t, end - t, err))
            return -1;
    }
    scr_select(s, work, NULL, SCRMATCH_MIN_US, 0);
    return 0;
}

/* How many peaks are matched, at most `apart` frames from each other. */
static size_t match(const struct scr *p, const struct scr *y, size_t apart)
{
    size_t i = 0, j = 0, n = 0;

    while (i < p->n && j < y->n) {
        if (p->events[i].peak + apart < y->events[j].peak) {
            i++;
        } else if (y->events[j].peak + apart < p->events[i].peak) {
            j++;
        } else {
            i++;
            j++;
            n++;
        }
    }
    return n;
}

int scrmatch_f1(const double *p, const double *y, const uint8_t *valid,
                size_t T, double us, double rate_hz, double *work, double *f1,
                struct err *err)
{
    /* so that a rate like 10/1 or 0.1 s steps cannot miss by rounding */
    size_t apart = (size_t)floor(SCRMATCH_MAX_S * rate_hz + 1e-9);
    struct scr of_p = {0}, of_y = {0};
    int got;

    got = find(&of_p, p, valid, T, us, work, err) ||
          find(&of_y, y, valid, T, us, work, err);
    *f1 = NAN;
    if (!got && of_p.n + of_y.n > 0)
        *f1 = 2 * (double)match(&of_p, &of_y, apart) /
              (double)(of_p.n + of_y.n);
    scr_release(&of_p);
    scr_release(&of_y);
    return got ? -1 : 0;
}
