#!/usr/bin/python3
"""Reference numbers for test_mfcc.c and test_resample.c.

    tests/golden/make_mfcc.py mfcc > tests/golden/mfcc.txt
    tests/golden/make_mfcc.py resample > tests/golden/resample.txt
    tests/golden/make_mfcc.py librosa > tests/golden/librosa.txt

`float64` rows are a NumPy evaluation in double of the definition at the top
of lib/signal/mfcc.c; `torch` rows are torchaudio itself on the same float32
samples. The signal is signal_make() of tests/unit/test_mfcc.c, number for
number.
"""
import math
import sys
import warnings

import numpy as np
import torch
import torchaudio
import torchaudio.compliance.kaldi as kaldi

warnings.filterwarnings("ignore")

# Every case: samples, rate, then what differs from BASE.
BASE = dict(preset="torchaudio", W=400, H=160, N=400, M=128, C=40,
            window="hann", center=True, pad="reflect", pre=0.0, dc=False,
            power=2, f_min=0.0, f_max=0.0, scale="htk", norm=False, log="db",
            amin=1e-10, top_db=80.0, lifter=0.0, energy=False, order=0,
            width=5, cmvn=False, db="clip", dct="ortho", each=False,
            loud=False)
KALDI = dict(preset="kaldi", N=512, M=23, C=13, window="povey", center=False,
             pre=0.97, dc=True, f_min=20.0, scale="kaldi", log="ln",
             amin=float(np.finfo(np.float32).eps), top_db=0.0, lifter=22.0,
             energy=True)
LIBROSA = dict(preset="librosa", W=2048, H=512, N=2048, C=20, pad="zero",
               scale="slaney", norm=True)
CASES = {
    "torchaudio_16k": (24001, 16000, {}),
    "torchaudio_44k": (30011, 44100, {}),
    "torchaudio_512": (16003, 16000, dict(N=512, M=40, C=13)),
    "torchaudio_2048": (44107, 44100, dict(W=2048, H=512, N=2048, C=20)),
    "torchaudio_odd": (11025, 11025, dict(W=401, H=201, N=401, M=64)),
    "torchaudio_uncentred": (16001, 16000, dict(N=512, M=40, C=13,
                                                center=False)),
    "torchaudio_lnoffset": (16001, 16000, dict(log="ln_offset", top_db=0.0)),
    "librosa_22k": (33077, 22050, LIBROSA),
    "librosa_lifter": (22051, 22050, dict(LIBROSA, lifter=22.0)),
    "kaldi_energy": (16007, 16000, KALDI),
    "kaldi_c0": (16007, 16000, dict(KALDI, energy=False)),
    "kaldi_hamming": (16007, 16000, dict(KALDI, window="hamming")),
    "music": (32011, 16000, dict(preset="default", W=2048, H=1600, N=2048,
                                 M=64, C=20)),
    "options": (8009, 8000, dict(preset="default", W=200, H=77, N=256, M=20,
                                 C=12, window="blackman", pad="edge",
                                 pre=0.9, power=1, f_min=50.0, f_max=3700.0,
                                 top_db=30.0, lifter=15.0)),
    "torchaudio_deltas": (16003, 16000, dict(N=512, M=40, C=13, order=2)),
    "torchaudio_delta9": (12345, 16000, dict(N=512, M=40, C=13, order=1,
                                             width=9)),
    "torchaudio_cmvn": (12345, 16000, dict(N=512, M=40, C=13, order=1,
                                           cmvn=True)),
}
SMALL = dict(N=512, M=40, C=13)
CASES.update({
    "kaldi_centred": (16007, 16000, dict(KALDI, center=True, pad="mirror")),
    "kaldi_short": (300, 16000, dict(KALDI, center=True, pad="mirror")),
    "mirror": (8001, 16000, dict(SMALL, preset="default", pad="mirror")),
    "torchaudio_dctnone": (8001, 16000, dict(SMALL, dct=None)),
    "htk_lifter": (8001, 16000, dict(SMALL, preset="default", lifter=22.0)),
    "absolute": (8001, 16000, dict(SMALL, preset="default", db="absolute",
                                   top_db=30.0)),
    "torchaudio_clipped": (8001, 44100, dict(SMALL, loud=True)),
    "each_clip": (8001, 16000, dict(SMALL, each=True)),
    "each_channel": (8001, 16000, dict(SMALL, each=True, db="channel")),
})
RATIOS = [(44100, 16000), (16000, 22050), (8000, 16000), (16000, 8000)]


def signal(n, rate):
    """Two gliding tones, noise, a stretch 60 dB down and a silent one."""
    state = 12345
    x = np.zeros(n)
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        t = i / rate
        gain = (1.0, 1.0, 0.001, 0.0)[i // 1500 % 4]
        x[i] = gain * (0.4 * math.sin(2 * math.pi * (300 + 500 * t) * t)
                       + 0.2 * math.sin(2 * math.pi * 0.31 * i)
                       + 0.1 * ((state >> 8) / 8388608.0 - 1))
    return x.astype(np.float32)


def mel_scale(scale):
    """Functions Hz to mel and back."""
    if scale == "htk":
        return (lambda f: 2595 * np.log10(1 + f / 700),
                lambda m: 700 * (10 ** (m / 2595) - 1))
    if scale == "kaldi":
        return (lambda f: 1127 * np.log(1 + f / 700),
                lambda m: 700 * (np.exp(m / 1127) - 1))
    step = math.log(6.4) / 27
    return (lambda f: np.where(f < 1000, f * 3 / 200, 15 + np.log(
                np.maximum(f, 1e-9) / 1000) / step),
            lambda m: np.where(m < 15, m * 200 / 3,
                               1000 * np.exp((m - 15) * step)))


def bank(o, rate):
    """Filters, (M, N / 2 + 1)."""
    mel, hz = mel_scale(o["scale"])
    whole = o["preset"] == "torchaudio"
    nyquist = rate // 2 if whole else rate / 2
    top = o["f_max"] or nyquist
    edges = np.linspace(float(mel(o["f_min"])), float(mel(top)), o["M"] + 2)
    b = np.arange(o["N"] // 2 + 1)
    f = b * nyquist / (o["N"] // 2) if whole else b * rate / o["N"]
    p = hz(edges)
    q, g = (edges, mel(f)) if o["scale"] == "kaldi" else (p, f)
    rise = (g[None] - q[:-2, None]) / (q[1:-1] - q[:-2])[:, None]
    fall = (q[2:, None] - g[None]) / (q[2:] - q[1:-1])[:, None]
    fb = np.maximum(0, np.minimum(rise, fall))
    if o["norm"]:
        fb *= (2 / (p[2:] - p[:-2]))[:, None]
    if o["scale"] == "kaldi":
        fb[:, o["N"] // 2:] = 0
    return fb


def window(o):
    """Window of W samples."""
    n, W = np.arange(o["W"]), o["W"]
    p, s = 2 * np.pi * n / W, 2 * np.pi * n / (W - 1)
    a = s if o["preset"] == "kaldi" else p
    return {"hann": 0.5 - 0.5 * np.cos(p),
            "povey": (0.5 - 0.5 * np.cos(s)).clip(0) ** 0.85,
            "hamming": 0.54 - 0.46 * np.cos(a),
            "blackman": 0.42 - 0.5 * np.cos(a) + 0.08 * np.cos(2 * a),
            }[o["window"]]


def channels(x):
    """Two channels of one signal, the second one quiet and backwards."""
    return [x, (np.float32(0.02) * x[::-1])]


def mfcc64(x, rate, o, most=None):
    """
    The definition in double: (T, C). most: what top_db counts from, when it
    is not the largest of x; "find" returns that.
    """
    if o["each"] and most is None:
        both = channels(x)
        largest = [mfcc64(y, rate, o, "find") for y in both]
        if o["db"] == "clip":
            largest = [max(largest)] * 2
        return np.hstack([mfcc64(y, rate, o, m)
                          for y, m in zip(both, largest)])
    W, N, H, M, C = o["W"], o["N"], o["H"], o["M"], o["C"]
    x = x.astype(np.float64) * (32768 if o["preset"] == "kaldi" else 1)
    F = W if o["preset"] == "kaldi" else N
    mode = {"reflect": "reflect", "zero": "constant", "edge": "edge",
            "mirror": "symmetric"}
    if o["center"] and o["preset"] == "kaldi":
        T = (len(x) + H // 2) // H
        x = np.pad(x, (W // 2 - H // 2, W), mode[o["pad"]])
    else:
        if o["center"]:
            x = np.pad(x, F // 2, mode[o["pad"]])
        T = 1 + (len(x) - F) // H
    fr = np.stack([x[k * H + (F - W) // 2:][:W] for k in range(T)])
    if o["dc"]:
        fr = fr - fr.mean(1, keepdims=True)
    energy = np.log(np.maximum((fr ** 2).sum(1), o["amin"]))
    if o["pre"]:
        fr = fr - o["pre"] * np.concatenate([fr[:, :1], fr[:, :-1]], 1)
    P = np.abs(np.fft.rfft(fr * window(o), N)) ** o["power"]
    S = P @ bank(o, rate).T
    if o["log"] == "ln_offset":
        S = np.log(S + 1e-6)
    elif o["log"] == "ln":
        S = np.log(np.maximum(S, o["amin"]))
    else:
        S = 10 * np.log10(np.maximum(S, o["amin"]))
        if most == "find":
            return S.max()
        top = S.max() if most is None else most
        S = np.maximum(S, (0 if o["db"] == "absolute" else top) - o["top_db"])
    n, c = np.arange(M), np.arange(C)[:, None]
    D = np.cos(np.pi * c * (n + 0.5) / M)
    D *= math.sqrt(2 / M) if o["dct"] else 2
    D[0] /= math.sqrt(2) if o["dct"] else 1
    out = S @ D.T
    if o["lifter"]:
        k = np.arange(C) + (o["preset"] == "librosa")
        out *= 1 + o["lifter"] / 2 * np.sin(np.pi * k / o["lifter"])
    if o["energy"]:
        out[:, 0] = energy
    return out


def finish64(x, o):
    """Deltas and normalisation of (T, C), in double."""
    n, parts = o["width"] // 2, [x]
    for _ in range(o["order"]):
        y, T = np.pad(parts[-1], ((n, n), (0, 0)), "edge"), len(x)
        parts.append(sum(k * (y[n + k:][:T] - y[n - k:][:T])
                         for k in range(1, n + 1))
                     / (2 * sum(k * k for k in range(1, n + 1))))
    x = np.concatenate(parts, 1)
    return (x - x.mean(0)) / x.std(0) if o["cmvn"] else x


def finish_torch(x, o):
    """Deltas by torchaudio; None where more is wanted."""
    if x is None or o["cmvn"]:
        return None
    parts = [torch.from_numpy(np.ascontiguousarray(x.T))]
    for _ in range(o["order"]):
        parts.append(torchaudio.functional.compute_deltas(
            parts[-1], win_length=o["width"]))
    return torch.cat(parts).T.numpy()


def mfcc_torch(x, rate, o):
    """torchaudio's own answer, or None where it has none."""
    if o["each"]:
        both = torch.from_numpy(np.stack(channels(x)))
        mel = dict(n_fft=o["N"], win_length=o["W"], hop_length=o["H"],
                   n_mels=o["M"])
        f = torchaudio.transforms.MFCC(rate, o["C"], melkwargs=mel)
        rows = f(both) if o["db"] == "clip" else [f(y) for y in both]
        return np.hstack([y.T.numpy() for y in rows])
    if o["preset"] == "torchaudio":
        mel = dict(n_fft=o["N"], win_length=o["W"], hop_length=o["H"],
                   n_mels=o["M"], center=o["center"])
        return torchaudio.transforms.MFCC(
            rate, o["C"], log_mels=o["log"] == "ln_offset", norm=o["dct"],
            melkwargs=mel)(torch.from_numpy(x)).T.numpy()
    if o["preset"] == "kaldi" and len(x) >= o["W"]:
        return kaldi.mfcc(
            torch.from_numpy(x)[None] * 32768, num_ceps=o["C"],
            num_mel_bins=o["M"], use_energy=o["energy"], energy_floor=0.0,
            window_type=o["window"], dither=0.0,
            snip_edges=not o["center"]).numpy()
    return None


def put(kind, rows, frames):
    """One line a frame."""
    for k in frames:
        print(kind, k, *("%.5f" % v for v in rows[k]))


def write_mfcc():
    """All cases, a few frames of each, and how far torch is from double."""
    for name, (n, rate, change) in CASES.items():
        o = dict(BASE, **change)
        x = signal(n, rate)
        if o["loud"]:
            x = np.clip(np.float32(3) * x, -1, 1)
        want = finish64(mfcc64(x, rate, o), o)
        torch_rows = finish_torch(mfcc_torch(x, rate, o), o)
        T, C = want.shape
        frames = sorted({0, 1, T // 3, T // 2, T - 1})
        print("case", name, n, rate, T, C)
        put("float64", want, frames)
        if torch_rows is not None:
            assert torch_rows.shape == want.shape, (name, torch_rows.shape)
            put("torch", torch_rows, frames)
            away = np.abs(torch_rows - want)
            print("%s: torch - float64: max %.2g mean %.2g" % (
                name, away.max(), away.mean()), file=sys.stderr)
    write_dither()


def write_dither():
    """Mean and deviation of Kaldi's coefficients of dithered silence."""
    torch.manual_seed(1)
    y = kaldi.mfcc(torch.zeros(1, 160 * 20000), num_ceps=13, num_mel_bins=23,
                   use_energy=True, energy_floor=0.0, dither=1.0).numpy()
    print("dither mean", *("%.3f" % v for v in y.mean(0)))
    print("dither std", *("%.3f" % v for v in y.std(0)))


def write_librosa():
    """librosa.feature.mfcc itself, where it is installed."""
    import librosa
    print("# tests/golden/make_mfcc.py librosa; numpy %s, librosa %s"
          % (np.__version__, librosa.__version__))
    for name in ("librosa_22k", "librosa_lifter"):
        n, rate, change = CASES[name]
        o = dict(BASE, **change)
        rows = librosa.feature.mfcc(y=signal(n, rate), sr=rate, n_mfcc=o["C"],
                                    lifter=o["lifter"]).T
        T, C = rows.shape
        print("case", name, n, rate, T, C)
        put("librosa", rows, sorted({0, 1, T // 3, T // 2, T - 1}))


def write_resample():
    """Start, middle and end of conversions by both kernels."""
    kernels = {"torchaudio": {},
               "kaiser_best": dict(lowpass_filter_width=64,
                                   rolloff=0.9475937167399596,
                                   resampling_method="kaiser_window",
                                   beta=14.769656459379492)}
    for a, b in RATIOS:
        for name, arg in kernels.items():
            x = signal(9001, a)
            y = torchaudio.transforms.Resample(a, b, **arg)(
                torch.from_numpy(x)).numpy()
            print("case", name, len(x), a, b, len(y))
            for i in (0, len(y) // 3, len(y) - 12):
                print("at", i, *("%.7f" % v for v in y[i:i + 12]))


def main():
    """Writes the file that the first argument names."""
    torch.set_num_threads(1)
    what = sys.argv[1]
    if what == "librosa":
        write_librosa()
        return
    print("# tests/golden/make_mfcc.py %s; numpy %s, torch %s, torchaudio %s"
          % (what, np.__version__, torch.__version__,
             torchaudio.__version__))
    {"mfcc": write_mfcc, "resample": write_resample}[what]()


main()
