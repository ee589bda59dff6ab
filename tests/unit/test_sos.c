/*
 * test_sos - zero-phase filters against scipy.signal.sosfiltfilt.
 */
#include "signal/sos.h"

#include <stdlib.h>

#include "base/err.h"
#include "eda_signal.h"
#include "tap.h"

/* One golden case. */
struct golden {
    char kind[8];     /* low or high */
    int order;        /* of one pass */
    double cutoff_hz; /* of the design */
    double rate_hz;   /* of the signal */
    size_t n;         /* samples */
    long pad;         /* -1: scipy's default */
};

/* Filters the signal of a case into out. Returns 0 or -1. */
static int filter_case(const struct golden *g, double *out)
{
    double *x = malloc(g->n * sizeof *x), *work;
    struct sos f;
    struct err err;
    size_t pad;
    int result;

    if (sos_butter(&f, strcmp(g->kind, "low") ? SOS_HIGHPASS : SOS_LOWPASS,
                   g->order, g->cutoff_hz, g->rate_hz, &err)) {
        free(x);
        return -1;
    }
    pad = g->pad < 0 ? sos_padlen(&f) : (size_t)g->pad;
    work = malloc((g->n + 2 * pad) * sizeof *work);
    eda_signal(x, g->n, g->rate_hz);
    result = sos_filtfilt(&f, x, g->n, pad, work, out, &err);
    free(x);
    free(work);
    return result;
}

/* Compares the printed samples of one case; 1e-9 of the range, which is 2. */
static void check_case(FILE *f, const struct golden *g)
{
    double *y = malloc(g->n * sizeof *y);
    double sum = 0, want, worst = 0;
    size_t i;
    int points = 0;
    bool done = !filter_case(g, y) && fscanf(f, " sum %lf", &want) == 1;

    for (i = 0; done && i < g->n; i++)
        sum += y[i];
    worst = fabs(sum - want) / (double)g->n;
    while (fscanf(f, " at %zu %lf", &i, &want) == 2 && i < g->n) {
        worst = fmax(worst, fabs(y[i] - want));
        points++;
    }
    tap_ok(done && points >= 8 && worst < 2e-9,
           "%s-pass order %d at %g of %g Hz, pad %ld: within %.1e of scipy",
           g->kind, g->order, g->cutoff_hz, g->rate_hz, g->pad, worst);
    free(y);
}

/* All golden cases. */
static void test_golden(void)
{
    FILE *f = fopen("tests/golden/sos.txt", "r");
    struct golden g;
    int cases = 0;

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %7s %d %lf %lf %zu %ld", g.kind, &g.order,
                  &g.cutoff_hz, &g.rate_hz, &g.n, &g.pad) == 6) {
        check_case(f, &g);
        cases++;
    }
    tap_ok(cases == 36, "36 cases were read");
    fclose(f);
}

/* Extension lengths are scipy's. */
static void test_padlen(void)
{
    static const size_t want[] = {6, 9, 12, 15, 18, 21};
    struct sos f;
    struct err err;
    int order;
    bool same = true;

    for (order = 1; order <= 6; order++)
        same = same &&
               !sos_butter(&f, SOS_HIGHPASS, order, 1, 10, &err) &&
               sos_padlen(&f) == want[order - 1];
    tap_ok(same, "padlen of orders 1 to 6 is 6, 9, 12, 15, 18, 21");
}

/* A constant passes the low-pass as it is and dies in the high-pass. */
static void test_constant(void)
{
    double x[40], work[80], low[40], high[40], worst = 0;
    struct sos f;
    struct err err;
    size_t i;
    bool ok;

    for (i = 0; i < 40; i++)
        x[i] = 3;
    ok = !sos_butter(&f, SOS_LOWPASS, 4, 1, 10, &err) &&
         !sos_filtfilt(&f, x, 40, 15, work, low, &err) &&
         !sos_butter(&f, SOS_HIGHPASS, 4, 1, 10, &err) &&
         !sos_filtfilt(&f, x, 40, 15, work, high, &err);
    for (i = 0; i < 40; i++)
        worst = fmax(worst, fmax(fabs(low[i] - 3), fabs(high[i])));
    tap_ok(ok && worst < 1e-12, "a constant is exact in both bands");
}

/* What cannot be filtered is refused by name. */
static void test_refusals(void)
{
    double x[16] = {0}, work[64], y[16];
    struct sos f;
    struct err err;

    tap_ok(sos_butter(&f, SOS_LOWPASS, 2, 2, 4, &err) == -1 &&
               err.status == ERR_USAGE,
           "a cutoff at half the rate is refused");
    tap_is(err.text,
           "low-pass: wanted a cutoff over 0 and below half the sampling "
           "rate of 4 Hz, got 2 Hz", "and the message says so");
    tap_ok(sos_butter(&f, SOS_HIGHPASS, 0, 1, 4, &err) == -1 &&
               sos_butter(&f, SOS_HIGHPASS, 33, 1, 4, &err) == -1,
           "orders 0 and 33 are refused");
    tap_ok(!sos_butter(&f, SOS_LOWPASS, 4, 1, 4, &err) &&
               sos_filtfilt(&f, x, 15, 15, work, y, &err) == -1 &&
               err.status == ERR_DATA,
           "15 samples are too few for an extension of 15");
    tap_is(err.text,
           "wanted over 15 samples for a zero-phase filter, got 15",
           "and the message says how many it takes");
    tap_ok(!sos_filtfilt(&f, x, 16, 15, work, y, &err), "16 are enough");
}

int main(void)
{
    test_golden();
    test_padlen();
    test_constant();
    test_refusals();
    return tap_done();
}
