"""Songs that the comparisons are made with."""
import ctypes

import numpy as np


def song(seconds, rate):
    """Chords, a beat and noise: mono float32 within 1."""
    t = np.arange(int(seconds * rate)) / rate
    rng = np.random.default_rng(1)
    x = 0.05 * rng.standard_normal(len(t)) * (1 + np.sin(9 * t))
    for f in (110, 220, 277, 330, 1760, 5000):
        x += 0.1 * np.sin(2 * np.pi * f * (1 + 0.1 * np.floor(t % 8)) * t)
    x += 0.3 * np.exp(-8 * (t % 0.5)) * np.sin(2 * np.pi * 60 * t)
    return (0.9 * x / np.abs(x).max()).astype(np.float32)


def write_mp3(path, x, rate):
    """A stereo mp3 by libsndfile; False where that cannot."""
    class Info(ctypes.Structure):
        """SF_INFO"""
        _fields_ = [("frames", ctypes.c_int64)] + [
            (n, ctypes.c_int) for n in ("rate", "channels", "format",
                                        "sections", "seekable")]

    try:
        lib = ctypes.CDLL("libsndfile.so.1")
    except OSError:
        return False
    lib.sf_open.restype = ctypes.c_void_p
    info = Info(0, rate, 2, 0x230000 | 0x82, 0, 0)  # MPEG, layer III
    f = lib.sf_open(path.encode(), 0x20, ctypes.byref(info))
    if not f:
        return False
    both = np.stack([x, 0.8 * np.roll(x, 11)], 1).astype(np.float32)
    lib.sf_writef_float(ctypes.c_void_p(f), both.ctypes.data_as(
        ctypes.c_void_p), ctypes.c_int64(len(x)))
    lib.sf_close(ctypes.c_void_p(f))
    return True
