#!/usr/bin/python3
"""Reference numbers for test_tonic.c.

    tests/golden/make_tonic.py > tests/golden/tonic.txt

highpass is what NeuroKit2's eda_phasic(method="highpass") does, written with
scipy.signal: Butterworth of order 2 at 0.05 Hz, high-pass for the phasic and
low-pass for the tonic part, sosfiltfilt. median is numpy.median of every
window of 4 s (odd), cut at the ends; inside, it is scipy.signal.medfilt.
"""
import sys

import numpy as np
import scipy
import scipy.signal

sys.dont_write_bytecode = True
from burst import signal


def highpass(x, rate):
    """Phasic and tonic part by two filters."""
    parts = []
    for kind in ("highpass", "lowpass"):
        f = scipy.signal.butter(2, 0.05, kind, fs=rate, output="sos")
        parts.append(scipy.signal.sosfiltfilt(f, x))
    return parts


def median(x, rate):
    """Phasic and tonic part by a running median."""
    width = int(4 * rate) | 1
    half = width // 2
    tonic = np.array([np.median(x[max(0, i - half):i + half + 1])
                      for i in range(len(x))])
    inside = scipy.signal.medfilt(x, width)[half:len(x) - half]
    assert np.array_equal(inside, tonic[half:len(x) - half])
    return x - tonic, tonic


if __name__ == "__main__":
    print("# tests/golden/make_tonic.py; numpy %s, scipy %s" %
          (np.__version__, scipy.__version__))
    for n, rate in ((1500, 50.0), (240, 4.0)):
        for name in ("highpass", "median"):
            phasic, tonic = globals()[name](signal(n, rate), rate)
            print("case %s %d %g" % (name, n, rate))
            for i in sorted({0, 1, n - 2, n - 1} | set(range(3, n, n // 12))):
                print("at %d %.12g %.12g" % (i, phasic[i], tonic[i]))
