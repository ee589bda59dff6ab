/*
 * bessel - the function behind Kaiser's window.
 */
#ifndef SIGNAL_BESSEL_H
#define SIGNAL_BESSEL_H

/*
 * Modified Bessel function of the first kind and order 0, by its power series
 * (Abramowitz & Stegun 9.6.12).
 */
double bessel_i0(double x);

#endif
