#!/usr/bin/python3
"""Reference numbers for test_scr.c.

    tests/golden/make_scr.py > tests/golden/scr.txt

neurokit2.eda_peaks(method="neurokit") on the phasic part of
neurokit2.eda_phasic(method="highpass") of eda_burst() without its noise.
"""
import sys

import numpy as np
import neurokit2 as nk

sys.dont_write_bytecode = True
from burst import signal

if __name__ == "__main__":
    print("# tests/golden/make_scr.py; numpy %s, neurokit2 %s" %
          (np.__version__, nk.__version__))
    for n, rate, least in ((3000, 50, 0.1), (6000, 50, 0.25), (600, 4, 0.1),
                           (2000, 25, 0.01)):
        phasic = nk.eda_phasic(signal(n, float(rate), noise=0.0),
                               sampling_rate=rate,
                               method="highpass")["EDA_Phasic"].values
        _, got = nk.eda_peaks(phasic, sampling_rate=rate, method="neurokit",
                              amplitude_min=least)
        print("case %d %g %g" % (n, rate, least))
        for k in range(len(got["SCR_Peaks"])):
            if np.isnan(got["SCR_Onsets"][k]):
                continue
            print("scr %d %d %.12g %.12g %.12g" %
                  (got["SCR_Onsets"][k], got["SCR_Peaks"][k],
                   got["SCR_Amplitude"][k], got["SCR_RiseTime"][k],
                   got["SCR_RecoveryTime"][k]))
