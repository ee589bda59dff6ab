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


def values(p, y):
    """All metrics of one recording's valid frames."""
    p = p.astype(np.float64)
    y = y.astype(np.float64)
    e = p - y
    flat = p.std() == 0 or y.std() == 0
    cov = np.cov(p, y, bias=True)
    ccc = 0.0 if flat else 2 * cov[0, 1] / (
        cov[0, 0] + cov[1, 1] + (p.mean() - y.mean()) ** 2)
    dtw = recursion(p, y, lambda d, c: d if c is None else d + c)
    return {
        "mse": np.mean(e ** 2),
        "rmse": np.sqrt(np.mean(e ** 2)),
        "mae": np.mean(np.abs(e)),
        "pearson": np.nan if flat else scipy.stats.pearsonr(p, y)[0],
        "ccc": ccc,
        "dtw": dtw,
        "dtw_norm": dtw / (2 * len(p)),
        "frechet": recursion(p, y, lambda d, c: d if c is None else max(d, c)),
    }


def cases():
    """name, prediction, target, valid."""
    rng = np.random.default_rng(7)
    walk = rng.normal(size=60).cumsum()
    yield "noisy", walk + 0.3 * rng.normal(size=60), walk, np.ones(60)
    yield "late", np.roll(walk, 4), walk, np.ones(60)
    valid = (rng.random(60) < 0.7).astype(int)
    yield "masked", 2 * walk + 5, walk + rng.normal(size=60), valid
    yield "unlike", rng.normal(size=40), 100 + rng.normal(size=40), np.ones(40)
    yield "one", np.array([1.5, 2.0]), np.array([0.25, 9.0]), np.array([1, 0])
    yield "flat", np.full(9, 0.1), np.linspace(-1, 2, 9), np.ones(9)


def main():
    """Writes every case: its numbers, then its metrics."""
    print(f"# tests/golden/make_metric.py, NumPy {np.__version__}, "
          f"SciPy {scipy.__version__}")
    for name, p, y, valid in cases():
        # Two decimals are exact enough to print and no less telling.
        p = np.round(p, 2).astype(np.float32)
        y = np.round(y, 2).astype(np.float32)
        print("case", name, len(p))
        for row in zip(p, y, valid):
            print(f"{row[0]:.2f} {row[1]:.2f} {int(row[2])}")
        keep = np.asarray(valid) > 0
        for metric, value in values(p[keep], y[keep]).items():
            print(metric, repr(float(value)))


if __name__ == "__main__":
    main()
