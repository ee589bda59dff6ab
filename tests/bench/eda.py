#!/usr/bin/python3
"""a2b-eda against SciPy and NeuroKit2 on the same recordings.

    make bench-eda        or   tests/bench/eda.py [--rounds N] [--programs DIR]

Every task is done by each of them in turn, several rounds, and CPU times are
medians over the rounds. Ours is the whole program, from its start to its last
byte on disk; theirs is one Python process that has imported everything
before, and keeps its results in memory. All read the same CSV files.

A2B_PYTHON names the interpreter `make` uses, for instance one that has
NeuroKit2; what is not installed is left out.
"""
import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
import warnings

import numpy as np
import scipy
import scipy.interpolate
import scipy.signal

try:
    import neurokit2
except ImportError:
    neurokit2 = None
try:
    import cvxopt
except ImportError:
    cvxopt = None

FRAMES_HZ = 10


def recording(seed, n, rate):
    """A drifting level, responses at random times, and noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / rate
    x = 5 + 0.002 * t + 0.005 * rng.standard_normal(n)
    for onset in np.sort(rng.uniform(0, t[-1], max(1, int(t[-1] / 6)))):
        s = np.clip(t - onset, 0, None)
        x += rng.uniform(0.05, 0.6) * (np.exp(-s / 2) - np.exp(-s / 0.7))
    return x


def write_files(folder, n_files, n_columns, seconds, rate):
    """CSV files in PMEmo2019's layout; their paths."""
    paths = []
    n = int(seconds * rate) + 1
    for f in range(n_files):
        columns = [recording(100 * f + c, n, rate) for c in range(n_columns)]
        path = os.path.join(folder, "%d_EDA.csv" % f)
        with open(path, "w", encoding="ascii") as out:
            out.write("time(s)," + ",".join(
                str(100001 + c) for c in range(n_columns)) + "\n")
            for i in range(n):
                out.write("%.2f," % (i / rate) + ",".join(
                    "%.5f" % c[i] for c in columns) + "\n")
        paths.append(path)
    return paths


def read(path):
    """Rate and columns of one file."""
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    rate = (len(table) - 1) / (table[-1, 0] - table[0, 0])
    return rate, table[:, 1:].T


def onto_frames(x, rate):
    """Z-score, then a cubic spline on the frame times."""
    z = (x - x.mean()) / x.std()
    t = np.arange(0, (len(x) - 1) / rate + 1e-9, 1 / FRAMES_HZ)
    return scipy.interpolate.CubicSpline(np.arange(len(x)), z)(t * rate)


def by_scipy(task, paths):
    """The task written with scipy.signal alone; None if it has no such."""
    if task == "cvxeda":
        return None
    for path in paths:
        rate, columns = read(path)
        low = scipy.signal.butter(4, 3, fs=rate, output="sos")
        high = scipy.signal.butter(2, 0.05, "high", fs=rate, output="sos")
        for x in columns:
            x = scipy.signal.sosfiltfilt(low, x)
            if task != "clean":
                x = scipy.signal.sosfiltfilt(high, x)
            if task == "responses":
                peaks, _ = scipy.signal.find_peaks(x)
                height = scipy.signal.peak_prominences(x, peaks)[0]
                scipy.signal.find_peaks(-x)
                peaks = peaks[height >= 0.1 * height.max()]
            onto_frames(x, rate)
    return True


def by_neurokit(task, paths):
    """The task in NeuroKit2's words."""
    for path in paths:
        rate, columns = read(path)
        rate = int(round(rate))
        for x in columns:
            x = neurokit2.eda_clean(x, sampling_rate=rate)
            if task == "cvxeda":
                x = neurokit2.eda_phasic(x, sampling_rate=rate,
                                         method="cvxeda")["EDA_Phasic"].values
            elif task != "clean":
                x = neurokit2.eda_phasic(
                    x, sampling_rate=rate,
                    method="highpass")["EDA_Phasic"].values
            if task == "responses":
                neurokit2.eda_peaks(x, sampling_rate=rate)
            onto_frames(np.asarray(x), rate)
    return True


def by_us(task, paths, programs, folder):
    """The program, its stream and its table on disk."""
    command = [os.path.join(programs, "a2b-eda"), "-q", "--lowpass-hz", "3",
               "--lowpass-order", "4", "--interpolation", "cubic", "--rate",
               str(FRAMES_HZ), "-o", os.path.join(folder, "out.a2b")]
    if task != "clean":
        command += ["--component", "phasic"]
    if task == "cvxeda":
        command += ["--decomposition", "cvxeda"]
    if task == "responses":
        command += ["--scr", os.path.join(folder, "scr.tsv"),
                    "--scr-relative", "0.1"]
    subprocess.run(command + paths, check=True)
    return True


def cpu_s():
    """CPU seconds of this process and of its children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(rivals, rounds):
    """Median CPU seconds of each rival, all in turn in every round."""
    times = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, work in rivals.items():
            start = cpu_s()
            if work():
                times[name].append(cpu_s() - start)
    return {name: statistics.median(t) for name, t in times.items() if t}


def main():
    """All tasks; a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", default="build/bin")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    print("scipy %s, neurokit2 %s, cvxopt %s; medians of %d rounds" %
          (scipy.__version__,
           neurokit2.__version__ if neurokit2 else "not installed",
           cvxopt.__version__ if cvxopt else "not installed", args.rounds))
    print("%-10s %12s %12s %12s %10s %10s" %
          ("task", "a2b-eda", "scipy", "neurokit2", "scipy", "neurokit2"))
    for task, shape in (("clean", (10, 10, 60, 50)),
                        ("phasic", (10, 10, 60, 50)),
                        ("responses", (10, 10, 60, 50)),
                        ("cvxeda", (5, 4, 60, 25))):
        with tempfile.TemporaryDirectory() as folder:
            paths = write_files(folder, *shape)
            rivals = {"a2b": lambda t=task, p=paths, f=folder:
                      by_us(t, p, args.programs, f),
                      "scipy": lambda t=task, p=paths: by_scipy(t, p)}
            if neurokit2 and (task != "cvxeda" or cvxopt):
                rivals["neurokit2"] = lambda t=task, p=paths: by_neurokit(t, p)
            got = measure(rivals, args.rounds)
        n = shape[0] * shape[1]
        row = "%-10s" % task
        for name in ("a2b", "scipy", "neurokit2"):
            row += " %9.3f ms" % (1000 * got[name] / n) if name in got \
                else " %12s" % "-"
        for name in ("scipy", "neurokit2"):
            row += " %9.1fx" % (got[name] / got["a2b"]) if name in got \
                else " %10s" % "-"
        print(row, flush=True)
    print("ms of CPU a recording (60 s; 50 Hz, cvxeda 25 Hz), and how many "
          "times ours that is")


if __name__ == "__main__":
    main()
