#!/usr/bin/python3
"""Reference report for tests/unit/test_eval.c, from NumPy and SciPy.

    tests/golden/make_eval.py > tests/golden/eval.txt

The recordings, predictions and the curve come from the formulas below, which
the test repeats. A line is `row group metric mean median p10 min undefined`:
row is the model or a baseline, group is `all` or `by/name`.
"""
import sys

import numpy as np
import scipy

sys.dont_write_bytecode = True
from make_metric import values  # noqa: E402

# Song, subject, frames of the signal, by key. Subject 2 heard b twice.
RECORDINGS = [("d/a", "1", 12), ("d/a", "2", 14), ("d/a", "3", 10),
              ("d/b", "1", 9), ("d/b", "2", 9), ("d/b", "2", 7),
              ("d/c", "1", 15)]
# Frames of the songs' features.
SONGS = {"d/a": 12, "d/b": 9, "d/c": 15}
METRICS = ["mse", "rmse", "mae", "pearson", "spearman", "ccc", "r2", "dtw",
           "dtw_norm", "frechet", "best_lag_s", "pearson_hp"]


def wave(n, scale, step, shift):
    """n float32 numbers scale * sin(step * i + shift)."""
    return (scale * np.sin(step * np.arange(n) + shift)).astype(np.float32)


def recordings():
    """Every recording with its target, mask and prediction."""
    for i, (song, subject, n) in enumerate(RECORDINGS):
        t = min(n, SONGS[song])
        s = list(SONGS).index(song)
        pred = wave(t, 0.8, 0.5, s) if song != "d/c" else \
            np.full(t, 0.25, np.float32)
        yield {"song": song, "subject": subject, "T": t, "pred": pred,
               "eda": wave(n, 1.3, 0.7, 0.9 * i)[:t],
               "valid": np.array([(k + i) % 5 != 0 for k in range(t)])}


def baseline(name, r, everybody):
    """Prediction and mask of a baseline; None if it has nothing to say."""
    T, valid = r["T"], r["valid"].copy()
    if name == "zero":
        return np.zeros(T, np.float32), valid
    if name == "time_curve":
        curve = np.zeros(T, np.float32)
        curve[:11] = wave(11, 0.4, 0.3, 0.1)[:T]
        return curve, valid
    if name == "other_listeners":
        others = [o for o in everybody if o["song"] == r["song"]
                  and o["subject"] != r["subject"]]
        y = np.full((len(others), T), np.nan)
        for row, o in zip(y, others):
            n = min(T, o["T"])
            row[:n] = np.where(o["valid"][:n], o["eda"][:n], np.nan)
        n = np.sum(~np.isnan(y), axis=0)
        y = np.nansum(y, axis=0) / np.maximum(n, 1)
        return y.astype(np.float32), valid & (n > 0)
    names = list(SONGS)
    other = names[(names.index(r["song"]) + 1) % len(names)]
    o = max((o for o in everybody if o["song"] == other),
            key=lambda o: o["T"])
    n = min(T, o["T"])
    y = np.zeros(T, np.float32)
    y[:n] = o["pred"][:n]
    valid[n:] = False
    return y, valid


def put(row, group, scores):
    """The lines of one row over one group."""
    for m in METRICS:
        v = np.array([s[m] for s in scores])
        ok = v[~np.isnan(v)]
        four = [f(ok) if len(ok) else np.nan for f in
                (np.mean, np.median, lambda x: np.quantile(x, 0.1), np.min)]
        print(row, group, m, *("%.17g" % x for x in four), len(v) - len(ok))


def score(p, r, valid):
    """All metrics; undefined where nothing is valid."""
    if not valid.any():
        return {m: np.nan for m in METRICS}
    return values(p, r["eda"], valid, 10)


print(f"# tests/golden/make_eval.py, NumPy {np.__version__}, "
      f"SciPy {scipy.__version__}")
everybody = list(recordings())
model = [score(r["pred"], r, r["valid"]) for r in everybody]
put("model", "all", model)
for by in "subject", "song":
    for name in sorted({r[by] for r in everybody}):
        put("model", f"{by}/{name}",
            [s for s, r in zip(model, everybody) if r[by] == name])
put("model", "dataset/d", model)
for b in "zero", "time_curve", "other_listeners", "shuffled_audio":
    scores = []
    for r in everybody:
        p, valid = baseline(b, r, everybody)
        scores.append(score(p, r, valid))
    put(b, "all", scores)
