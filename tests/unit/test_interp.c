/*
 * test_interp - spline against scipy, sinc against a known function.
 */
#include "signal/interp.h"

#include "tap.h"

/* Most knots of a golden case. */
#define MAX_KNOTS 64

/* The interval of x among n knots. */
static size_t interval(const double *t, size_t n, double x)
{
    size_t i = 0;

    while (i + 2 < n && x > t[i + 1])
        i++;
    return i;
}

/* Reads n numbers behind a word. */
static bool read_row(FILE *f, const char *word, double *row, size_t n)
{
    char got[8];
    size_t i;

    if (fscanf(f, " %7s", got) != 1 || strcmp(got, word))
        return false;
    for (i = 0; i < n; i++)
        if (fscanf(f, "%lf", &row[i]) != 1)
            return false;
    return true;
}

/* All golden splines. */
static void test_spline(void)
{
    FILE *f = fopen("tests/golden/spline.txt", "r");
    double t[MAX_KNOTS], y[MAX_KNOTS], m[MAX_KNOTS], work[MAX_KNOTS];
    double at, want, worst;
    size_t n, i;
    int even, cases = 0;

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %zu %d", &n, &even) == 2 && n <= MAX_KNOTS &&
           read_row(f, "t", t, n) && read_row(f, "y", y, n)) {
        interp_spline(even ? NULL : t, y, n, m, work);
        worst = 0;
        while (fscanf(f, " at %lf %lf", &at, &want) == 2) {
            i = interval(t, n, at);
            worst = fmax(worst,
                         fabs(interp_spline_at(even ? NULL : t, y, m, i,
                                               at) - want));
        }
        tap_ok(worst < 1e-12, "spline over %zu %s knots is scipy's", n,
               even ? "even" : "uneven");
        cases++;
    }
    tap_ok(cases == 8, "8 splines were read");
    fclose(f);
}

/* Fewer than 4 knots are joined by straight lines. */
static void test_short(void)
{
    const double y[3] = {1, 3, 2};
    double m[3], work[3];

    interp_spline(NULL, y, 3, m, work);
    tap_near(interp_spline_at(NULL, y, m, 1, 1.5), 2.5, 1e-15,
             "three knots: straight lines");
}

/* The odd extension goes on beyond a period of the signal. */
static void test_extend(void)
{
    const double x[3] = {1, 2, 4}, one[1] = {7};
    double ext[3 + 2 * INTERP_TAPS];
    const double *at = ext + INTERP_TAPS;

    interp_extend(x, 3, ext);
    tap_ok(at[0] == 1 && at[2] == 4, "the signal stays in the middle");
    tap_ok(at[-1] == 0 && at[-2] == -2, "point reflection on the left");
    tap_ok(at[3] == 6 && at[4] == 7, "point reflection on the right");
    tap_ok(at[5] == 8 && at[6] == 10 && at[-3] == -4,
           "and on from there");
    interp_extend(one, 1, ext);
    tap_ok(at[-INTERP_TAPS] == 7 && at[INTERP_TAPS] == 7,
           "a single sample is repeated");
}

/* Largest error of a sine of f cycles a sample, from margin to n - margin. */
static double sine_error(double f, size_t n, size_t margin)
{
    double x[256], ext[256 + 2 * INTERP_TAPS], worst = 0, u;
    size_t i;

    for (i = 0; i < n; i++)
        x[i] = sin(6.28318530717958647692 * f * (double)i + 0.4);
    interp_extend(x, n, ext);
    for (u = (double)margin; u <= (double)(n - 1 - margin); u += 0.137)
        worst = fmax(worst, fabs(interp_sinc(ext, n, u) -
                                 sin(6.28318530717958647692 * f * u + 0.4)));
    return worst;
}

/* The sinc reproduces what is below 0.6 of half the rate. */
static void test_sinc(void)
{
    double ext[200 + 2 * INTERP_TAPS], x[200];
    size_t i;

    tap_ok(sine_error(0.05, 256, 20) < 1e-6, "sine at a tenth: %.1e",
           sine_error(0.05, 256, 20));
    tap_ok(sine_error(0.3, 256, 20) < 1e-5, "sine at 0.6: %.1e",
           sine_error(0.3, 256, 20));
    tap_ok(sine_error(0.05, 256, 0) < 0.05, "sine at the ends: %.1e",
           sine_error(0.05, 256, 0));
    for (i = 0; i < 200; i++)
        x[i] = 2 + 0.5 * (double)i;
    interp_extend(x, 200, ext);
    tap_near(interp_sinc(ext, 200, 0.25), 2.125, 1e-5,
             "a straight line goes on at its start");
    tap_near(interp_sinc(ext, 200, 77), 40.5, 0, "a sample is itself");
    tap_near(interp_sinc(ext, 200, 199), 101.5, 0, "so is the last one");
    for (i = 0; i < 200 + 2 * INTERP_TAPS; i++)
        ext[i] = 3;
    tap_near(interp_sinc(ext, 200, 10.3), 3, 1e-15, "a constant stays one");
}

int main(void)
{
    test_spline();
    test_short();
    test_extend();
    test_sinc();
    return tap_done();
}
