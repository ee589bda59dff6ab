#!/usr/bin/python3
"""Reference numbers for test_cvxeda.c and test_tonic.c.

    tests/golden/make_cvxeda.py > tests/golden/cvxeda.txt

The quadratic program of Greco et al. 2016 as it stands at the top of
lib/signal/cvxeda.c, with its matrices written out, solved by cvxopt's
general solver. The signals are eda_burst() of tests/unit/eda_signal.h.
"""
import sys

import cvxopt
import numpy as np

sys.dont_write_bytecode = True
from burst import signal


def band(coefficients, n):
    """Lower triangular Toeplitz matrix of three bands."""
    m = np.zeros((n, n))
    for k, value in enumerate(coefficients):
        m += value * np.eye(n, k=-k)
    return m


PAPER = (2.0, 0.7, 10, 8e-4, 1e-2)


def decompose(y, rate, slow_s, fast_s, knot_s, alpha, gamma):
    """Objective, phasic and tonic part of a z-scored signal."""
    n, d = len(y), 1 / rate
    a0, a1 = 1 / slow_s, 1 / fast_s
    ar = np.array([(a1 * d + 2) * (a0 * d + 2), 2 * a1 * a0 * d**2 - 8,
                   (a1 * d - 2) * (a0 * d - 2)]) / ((a1 - a0) * d**2)
    a, m = band(ar, n), band([1, 2, 1], n)
    step = int(round(knot_s * rate))
    triangle = np.concatenate([np.arange(1, step), np.arange(step, 0, -1)])
    spline = np.convolve(triangle, triangle).astype(float)
    spline /= spline.max()
    half = len(spline) // 2
    columns = []
    for centre in range(0, n - 1 + step, step):
        at = np.arange(n) - centre + half
        inside = (at >= 0) & (at < len(spline))
        columns.append(np.where(inside, spline[np.clip(at, 0, len(spline) - 1)],
                                0))
    b = np.array(columns).T
    slow = np.hstack([b, np.ones((n, 1)), np.arange(1, n + 1)[:, None] / n])
    whole = np.hstack([m, slow])
    penalty = np.zeros(whole.shape[1])
    penalty[n:n + b.shape[1]] = gamma
    p = whole.T @ whole + np.diag(penalty)
    q = -whole.T @ y
    q[:n] += alpha * a.sum(axis=0)
    g = np.hstack([-a, np.zeros_like(slow)])
    cvxopt.solvers.options.update(show_progress=False, abstol=1e-12,
                                  reltol=1e-12, feastol=1e-12, maxiters=200)
    got = cvxopt.solvers.qp(cvxopt.matrix(p), cvxopt.matrix(q),
                            cvxopt.sparse(cvxopt.matrix(g)),
                            cvxopt.matrix(np.zeros(n)))
    x = np.array(got["x"]).ravel()
    value = 0.5 * ((whole @ x - y)**2).sum() + alpha * (a @ x[:n]).sum()
    value += 0.5 * (penalty * x**2).sum()
    return value, m @ x[:n], slow @ x[n:]


if __name__ == "__main__":
    print("# tests/golden/make_cvxeda.py; numpy %s, cvxopt %s" %
          (np.__version__, cvxopt.__version__))
    for n, rate, model in ((160, 4.0, PAPER), (600, 4.0, PAPER),
                           (400, 8.0, PAPER), (500, 25.0, PAPER),
                           (300, 4.0, (3.75, 0.75, 6, 4e-3, 1e-2)),
                           (200, 8.0, (2.0, 0.7, 15, 8e-4, 0.1))):
        x = signal(n, rate)
        y = (x - x.mean()) / x.std()
        value, phasic, tonic = decompose(y, rate, *model)
        print("case %d %g %.12g %g %g %g %g %g" % (n, rate, value, *model))
        for i in sorted({0, 1, n // 2, n - 1} | set(range(5, n, n // 25))):
            print("at %d %.9g %.9g" % (i, phasic[i], tonic[i]))
