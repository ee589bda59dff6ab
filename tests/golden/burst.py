"""eda_burst() of tests/unit/eda_signal.h, number for number."""
import numpy as np


def signal(n, rate, noise=0.01):
    """A drifting level, a response every few seconds, and noise."""
    x = np.empty(n)
    state = 12345
    for i in range(n):
        t = i / rate
        state = (state * 1664525 + 1013904223) % 2**32
        x[i] = 5 + 0.3 * np.sin(0.05 * t) + 0.002 * t
        x[i] += noise * (state / 2**32 - 0.5)
        for k in range(int(t / 7) + 1):
            s = t - 7 * k - 2 * np.sin(k)
            if s > 0:
                x[i] += (0.3 + 0.2 * np.cos(3 * k)) * (
                    np.exp(-s / 2) - np.exp(-s / 0.7))
    return x
