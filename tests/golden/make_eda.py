#!/usr/bin/python3
"""Reference numbers for test_sos.c, test_interp.c and test_eda.c.

    tests/golden/make_eda.py sos > tests/golden/sos.txt
    tests/golden/make_eda.py spline > tests/golden/spline.txt
    tests/golden/make_eda.py chain > tests/golden/eda.txt

Filters are scipy.signal.butter(output='sos') and sosfiltfilt, splines
scipy.interpolate.CubicSpline, z-scores scipy.stats.zscore. The signals are
eda_signal() of tests/unit/eda_signal.h, number for number.
"""
import sys

import numpy as np
import scipy
import scipy.interpolate
import scipy.signal
import scipy.stats


def signal(n, rate):
    """Drift, two slow waves and noise from a linear congruence."""
    state, noise = 12345, np.empty(n)
    for i in range(n):
        state = (state * 1664525 + 1013904223) % 2**32
        noise[i] = state / 2**32 - 0.5
    t = np.arange(n) / rate
    return (5 + 0.02 * t + np.sin(2 * np.pi * 0.11 * t) +
            0.3 * np.cos(2 * np.pi * 0.7 * t) + 0.1 * noise)


def some(n):
    """Indices worth printing: both ends and a few between."""
    return sorted({0, 1, 2, 7, n // 3, n // 2, n - 8, n - 2, n - 1})


def numbers(values):
    """Numbers that read back exactly."""
    return " ".join("%.17g" % v for v in values)


def sos():
    """case KIND ORDER CUTOFF RATE N PAD, then index and value pairs."""
    for rate, n, kinds in ((50.0, 2000, (("low", 8.0), ("high", 0.05))),
                           (4.0, 300, (("low", 1.0), ("high", 0.05))),
                           (1000.0, 6000, (("low", 2.0), ("high", 0.05)))):
        x = signal(n, rate)
        for kind, cutoff in kinds:
            for order in (1, 2, 3, 4, 5):
                f = scipy.signal.butter(order, cutoff, kind, fs=rate,
                                        output="sos")
                pads = [None, 200] if order == 2 else [None]
                for pad in pads:
                    y = scipy.signal.sosfiltfilt(f, x, padlen=pad)
                    print("case", kind, order, cutoff, rate, n,
                          -1 if pad is None else pad)
                    print("sum %.17g" % y.sum())
                    for i in some(n):
                        print("at %d %.17g" % (i, y[i]))


def spline():
    """case N, the knots, the values, then position and value pairs."""
    for n in (4, 5, 9, 40):
        x = signal(n, 4.0)
        for even in (True, False):
            t = np.arange(n, dtype=float)
            if not even:
                t += 0.3 * np.sin(1.7 * np.arange(n))
            f = scipy.interpolate.CubicSpline(t, x)
            at = np.linspace(t[0], t[-1], 7)
            print("case", n, int(even))
            print("t", numbers(t))
            print("y", numbers(x))
            for u in at:
                print("at %.17g %.17g" % (u, f(u)))


def chain_case(name, rate, n, short, long, low, alias):
    """One recording: gap filled, gap cut, low-pass, z-score, cubic, 10 Hz."""
    x = signal(n, rate)
    good = np.ones(n, bool)
    good[short[0]:short[1]] = good[long[0]:long[1]] = False
    a, b = short
    x[a:b] = np.interp(np.arange(a, b), [a - 1, b], [x[a - 1], x[b]])
    pieces = [(0, long[0]), (long[1], n)]
    if low:
        f = scipy.signal.butter(low[0], low[1], fs=rate, output="sos")
        for a, b in pieces:
            x[a:b] = scipy.signal.sosfiltfilt(f, x[a:b])
    mean, std = x[good].mean(), x[good].std()
    z = (x - mean) / std
    assert np.allclose(z[good], scipy.stats.zscore(x[good]), atol=1e-12)
    if alias:
        f = scipy.signal.butter(8, 4.5, fs=rate, output="sos")
        for a, b in pieces:
            z[a:b] = scipy.signal.sosfiltfilt(f, z[a:b])
    print("case", name, "%.17g %.17g" % (mean, std))
    frames = int(np.floor((n - 1) / rate * 10 + 1e-6)) + 1
    for k in range(0, frames, 3):
        u = k / 10 * rate
        value = valid = 0
        for a, b in pieces:
            if a - 1e-6 <= u <= b - 1 + 1e-6:
                f = scipy.interpolate.CubicSpline(np.arange(a, b), z[a:b])
                value = f(u)
                lo, hi = int(np.floor(u + 1e-6)), int(np.ceil(u - 1e-6))
                valid = int(good[lo] and good[hi])
        print("frame %d %d %.9g" % (k, valid, value))


def chain():
    """case NAME MEAN STD, then every third frame: index, valid, value."""
    chain_case("lowpass", 50.0, 1000, (200, 250), (600, 750), (4, 3.0), False)
    chain_case("alias", 50.0, 1000, (200, 250), (600, 750), None, True)
    chain_case("slow", 4.0, 200, (50, 54), (100, 120), None, False)


if __name__ == "__main__":
    what = sys.argv[1]
    print("# tests/golden/make_eda.py %s; numpy %s, scipy %s" %
          (what, np.__version__, scipy.__version__))
    {"sos": sos, "spline": spline, "chain": chain}[what]()
