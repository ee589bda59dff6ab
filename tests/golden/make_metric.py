#!/usr/bin/python3
"""Reference values for tests/unit/test_metric.c, from NumPy and SciPy.

    tests/golden/make_metric.py > tests/golden/metric.txt

DTW and the discrete Frechet distance are computed on full matrices from
their recursive definitions; everything else by library calls.
"""
import functools
import sys

import numpy as np
import scipy
import scipy.optimize
import scipy.signal
import scipy.stats

sys.setrecursionlimit(100000)


def recursion(p, y, join):
    """C(i, j) by memoised recursion from the last corner backwards."""

    @functools.lru_cache(maxsize=None)
    def cell(i, j):
        before = [
            cell(a, b)
            for a, b in ((i - 1, j), (i, j - 1), (i - 1, j - 1))
            if a >= 0 and b >= 0
        ]
        return join(abs(p[i] - y[j]), min(before) if before else None)

    return cell(len(p) - 1, len(y) - 1)


def banded(p, y, band):
    """DTW on a full matrix, infinite where |i - j| > band."""
    n = len(p)
    c = np.full((n + 1, n + 1), np.inf)
    c[0, 0] = 0
    for i in range(n):
        for j in range(n):
            if abs(i - j) <= band:
                c[i + 1, j + 1] = abs(p[i] - y[j]) + min(
                    c[i, j], c[i, j + 1], c[i + 1, j])
    return c[n, n]


def pearson(p, y):
    """r; NaN of a constant."""
    if len(p) == 0 or np.ptp(p) == 0 or np.ptp(y) == 0:
        return np.nan
    return np.corrcoef(p, y)[0, 1]


def best_lag(p, y, valid, rate):
    """Lag in seconds, positive where p is late, and r there."""
    best = (np.nan, np.nan)
    for k in range(min(int(5 * rate + 1e-9), len(p) - 1) + 1):
        for lag in (k, -k):
            late, early = max(lag, 0), max(-lag, 0)
            n = len(p) - k
            ok = valid[late:late + n] & valid[early:early + n]
            if 2 * ok.sum() < valid.sum():
                continue
            r = pearson(p[late:late + n][ok], y[early:early + n][ok])
            if not np.isnan(r) and not r <= best[1]:
                best = (lag / rate, r)
    return best


def responses(x):
    """Peaks at least 0.05 over the last trough before them."""
    peaks = scipy.signal.find_peaks(x)[0]
    troughs = scipy.signal.find_peaks(-x)[0]
    for peak in peaks:
        before = troughs[troughs < peak]
        if len(before) and x[peak] - x[before[-1]] >= 0.05:
            yield peak


def scr_f1(p, y, valid, rate, us):
    """F1 by the largest matching in the graph of pairs within 1 s."""
    found = []
    for x in (p * us, y * us):
        edges = np.flatnonzero(np.diff(np.r_[0, valid, 0]))
        found.append([a + peak for a, b in edges.reshape(-1, 2)
                      for peak in responses(x[a:b])])
    n = len(found[0]) + len(found[1])
    if n == 0:
        return np.nan
    if not found[0] or not found[1]:
        return 0.0
    near = np.abs(np.subtract.outer(*found)) <= int(rate + 1e-9)
    rows, cols = scipy.optimize.linear_sum_assignment(near, maximize=True)
    return 2 * near[rows, cols].sum() / n


def part(p, y, valid, rate, us):
    """All metrics of two signals as they are."""
    u, v = p[valid], y[valid]
    e = u - v
    flat = np.ptp(u) == 0 or np.ptp(v) == 0
    cov = np.atleast_2d(np.cov(u, v, bias=True))
    ccc = 0.0 if flat else 2 * cov[0, 1] / (
        cov[0, 0] + cov[1, 1] + (u.mean() - v.mean()) ** 2)
    dtw = recursion(u, v, lambda d, c: d if c is None else d + c)
    lag, r = best_lag(p, y, valid, rate) if rate else (np.nan, np.nan)
    return {
        "mse": np.mean(e ** 2),
        "rmse": np.sqrt(np.mean(e ** 2)),
        "mae": np.mean(np.abs(e)),
        "pearson": np.nan if flat else scipy.stats.pearsonr(u, v)[0],
        "spearman": np.nan if flat else scipy.stats.spearmanr(u, v)[0],
        "ccc": ccc,
        "r2": np.nan if np.ptp(v) == 0 else
        1 - np.sum(e ** 2) / np.sum((v - v.mean()) ** 2),
        "dtw": dtw,
        "dtw_norm": dtw / (2 * len(u)),
        "dtw@5%": banded(u, v, len(u) // 20),
        "frechet": recursion(u, v, lambda d, c: d if c is None else max(d, c)),
        "best_lag_s": lag,
        "best_lag_r": r,
        "scr_f1": scr_f1(p, y, valid, rate, us) if rate and us else np.nan,
    }


def high_pass(x, valid, rate):
    """What is above 0.05 Hz between the first and the last valid frame."""
    at = np.flatnonzero(valid)
    first, end = at[0], at[-1] + 1
    x = np.interp(np.arange(len(x)), at, x[valid])
    if np.ptp(x) == 0:
        return np.zeros(len(x))
    sos = scipy.signal.butter(2, 0.05, "highpass", fs=rate, output="sos")
    out = np.zeros(len(x))
    out[first:end] = scipy.signal.sosfiltfilt(
        sos, x[first:end], padlen=min(int(round(rate / 0.05)),
                                      end - first - 1))
    return out


def values(p, y, valid, rate=0, us=0):
    """All metrics of one recording."""
    p = p.astype(np.float64)
    y = y.astype(np.float64)
    valid = np.asarray(valid) > 0
    out = part(p, y, valid, rate, us)
    if rate:
        hp = part(high_pass(p, valid, rate), high_pass(y, valid, rate), valid,
                  rate, us)
    else:
        hp = dict.fromkeys(out, np.nan)
    out.update({name + "_hp": value for name, value in hp.items()})
    return out


def bumps(rng, n, rate, at, drift):
    """A slow drift with responses of some 0.1 uS at these seconds."""
    t = np.arange(n) / rate
    x = drift * t + 0.002 * rng.normal(size=n)
    for onset in at:
        s = np.maximum(t - onset, 0)
        x += 0.12 * s * np.exp(1 - s / 1.5) / 1.5
    return x


def cases():
    """name, prediction, target, valid, rate in Hz, uS of 1."""
    rng = np.random.default_rng(7)
    walk = rng.normal(size=60).cumsum()
    yield ("noisy", walk + 0.3 * rng.normal(size=60), walk, np.ones(60), 10,
           1)
    yield "late", np.roll(walk, 4), walk, np.ones(60), 2, 0.01
    valid = (rng.random(60) < 0.7).astype(int)
    yield ("masked", 2 * walk + 5, walk + rng.normal(size=60), valid, 8,
           0.02)
    yield ("unlike", rng.normal(size=40), 100 + rng.normal(size=40),
           np.ones(40), 0, 0)
    yield ("one", np.array([1.5, 2.0]), np.array([0.25, 9.0]),
           np.array([1, 0]), 10, 1)
    yield ("flat", np.full(9, 0.1), np.linspace(-1, 2, 9), np.ones(9), 10,
           1)
    yield ("ties", np.round(walk[:40] / 4), np.round(walk[1:41] / 4),
           np.ones(40), 1, 0)
    valid = np.ones(240)
    valid[:7] = valid[100:118] = valid[150] = 0
    yield ("responses",
           20 * bumps(rng, 240, 4, [6.6, 19, 34, 41.9, 50], 0.01),
           20 * bumps(rng, 240, 4, [6, 12, 20.6, 33.5, 41, 52], -0.004),
           valid, 4, 0.05)


def main():
    """Writes every case: its numbers, then its metrics."""
    print(f"# tests/golden/make_metric.py, NumPy {np.__version__}, "
          f"SciPy {scipy.__version__}")
    for name, p, y, valid, rate, us in cases():
        # Two decimals are exact enough to print and no less telling.
        p = np.round(p, 2).astype(np.float32)
        y = np.round(y, 2).astype(np.float32)
        print("case", name, len(p), rate, us)
        for row in zip(p, y, valid):
            print(f"{row[0]:.2f} {row[1]:.2f} {int(row[2])}")
        for metric, value in values(p, y, valid, rate, us).items():
            print(metric, repr(float(value)))


if __name__ == "__main__":
    main()
