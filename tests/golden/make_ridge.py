"""Reference predictions for tests/unit/test_ridge.c, from NumPy.

    tests/golden/make_ridge.py > tests/golden/ridge.txt

The linear baseline of lib/eval/ridge.h as a dense least squares problem: the
penalty is appended as rows, so nothing is shared with the normal equations
there. A line is `frame prediction` for the second song.
"""
import sys

import numpy as np

C, LENGTHS, RATE_HZ, PAST_S, PENALTY = 3, (60, 45), 2, 8, 0.01
RECORDINGS = ((0, 60), (0, 50), (1, 45))  # song, span


def song(s):
    """(T, C) features of song s."""
    t, c = np.meshgrid(np.arange(LENGTHS[s]), np.arange(C), indexing="ij")
    x = np.sin(0.1 * (t + 1) * (c + 1) + s) + 0.01 * ((7 * t + 13 * c) % 11)
    return x.astype(np.float32).astype(float)


def target(r, n):
    """Target and mask of recording r."""
    t = np.arange(n)
    y = np.cos(0.07 * t + r) + 0.1 * ((5 * t + r) % 7)
    return y.astype(np.float32).astype(float), (3 * t + r) % 10 != 0


def inputs(x):
    """(T, lags * C) standardised inputs, 0 before the song."""
    z = (x - MEAN) / STD
    rows = np.zeros((len(x), PAST_S + 1, C))
    for lag in range(PAST_S + 1):
        k = lag * RATE_HZ
        rows[k:, lag] = z[:len(x) - k]
    return rows.reshape(len(x), -1)


ALL = np.concatenate([song(0), song(1)])
MEAN, STD = ALL.mean(0), ALL.std(0)
xs, ys = [], []
for i, (s, n) in enumerate(RECORDINGS):
    y, valid = target(i, n)
    xs.append(inputs(song(s))[:n][valid])
    ys.append(y[valid])
X, Y = np.concatenate(xs), np.concatenate(ys)
centre, mean = X.mean(0), Y.mean()
k = X.shape[1]
A = np.concatenate([X - centre, np.sqrt(PENALTY * len(Y)) * np.eye(k)])
w = np.linalg.lstsq(A, np.concatenate([Y - mean, np.zeros(k)]), rcond=None)[0]
print(f"# tests/golden/make_ridge.py, NumPy {np.__version__}")
for t, p in enumerate((inputs(song(1)) - centre) @ w + mean):
    if t % 4 == 0:
        print(t, repr(float(p)))
sys.stdout.flush()
