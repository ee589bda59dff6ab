/*
 * bessel - terms until they no longer count.
 */
#include "signal/bessel.h"

double bessel_i0(double x)
{
    double sum = 1, term = 1, k;

    for (k = 1; term > 1e-17 * sum; k++) {
        term *= x * x / (4 * k * k);
        sum += term;
    }
    return sum;
}
