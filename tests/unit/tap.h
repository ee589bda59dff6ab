/*
 * tap - the few lines a unit program needs to speak TAP.
 *
 *   int main(void) { tap_ok(1 + 1 == 2, "sums"); return tap_done(); }
 */
#ifndef TAP_H
#define TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Tests so far. */
static int tap_n;
/* Of them failed. */
static int tap_failed;

/* One test: its result and what it says. Returns the result. */
__attribute__((format(printf, 2, 3), unused)) static bool
tap_ok(bool ok, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", ok ? "" : "not ", ++tap_n);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    tap_failed += !ok;
    return ok;
}

/* Two strings must be equal; shows both if they are not. */
__attribute__((unused)) static bool tap_is(const char *got, const char *want,
                                           const char *name)
{
    bool ok = got && want ? strcmp(got, want) == 0 : got == want;

    tap_ok(ok, "%s", name);
    if (!ok)
        printf("#  got: %s\n# want: %s\n", got ? got : "(null)",
               want ? want : "(null)");
    return ok;
}

/* Two numbers must be within tol; shows both if they are not. */
__attribute__((unused)) static bool tap_near(double got, double want,
                                             double tol, const char *name)
{
    bool ok = fabs(got - want) <= tol;

    tap_ok(ok, "%s", name);
    if (!ok)
        printf("#  got: %.17g\n# want: %.17g within %g\n", got, want, tol);
    return ok;
}

/* Prints the plan; main's result. */
__attribute__((unused)) static int tap_done(void)
{
    printf("1..%d\n", tap_n);
    return tap_failed ? 1 : 0;
}

#endif
