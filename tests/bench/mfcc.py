#!/usr/bin/python3
"""`make bench-mfcc`: our MFCCs beside torchaudio, librosa, kaldi-native-fbank.

    tests/bench/mfcc.py HELPER PROGRAM [MP3]

HELPER is the build of tests/bench/mfcc.c, PROGRAM is a2b-mfcc. All see the
same samples (or the same mp3 file) and take turns; every figure is the median
of processor seconds of one call, in one thread. Peers that are not installed
are left out. MP3 replaces the song that is made for the comparison from a
file, which needs a libsndfile that writes mp3.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[name + "_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

sys.dont_write_bytecode = True
from sound import song, write_mp3  # noqa: E402

try:
    import torch
    import torchaudio
    torch.set_num_threads(1)
except ImportError:
    torchaudio = None
try:
    import librosa
except ImportError:
    librosa = None
try:
    import kaldi_native_fbank as knf
except ImportError:
    knf = None

warnings.filterwarnings("ignore")
RATE, W, H, M, C = 16000, 400, 160, 128, 40
PLAIN = ["preset=torchaudio", "audio_hop_length=%d" % H]
KALDI = ["preset=kaldi", "audio_use_energy=false"]
FILE = ["preset=torchaudio", "audio_hop_length=%d" % H,
        "audio_target_sample_rate=%d" % RATE, "audio_normalize=true"]
MEMORY = """
import sys, torch, torchaudio
torch.set_num_threads(1)
x, r = torchaudio.load(sys.argv[1])
x = x.mean(0)
x = x / x.abs().max()
if int(sys.argv[2]) != r:
    x = torchaudio.transforms.Resample(r, int(sys.argv[2]))(x)
torchaudio.transforms.MFCC(int(sys.argv[2]), 40, melkwargs=dict(
    n_fft=400, hop_length=160, n_mels=128))(x)
"""


SMALL = """
import os, sys
pid = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print("failed" if status else "%.0f MB" % (usage.ru_maxrss / 1e3))
"""


class Ours:
    """The helper process: a call is one transform, its answer seconds."""

    def __init__(self, *args):
        self.p = subprocess.Popen([sys.argv[1], *map(str, args)], text=True,
                                  stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)

    def ask(self, line):
        """One request."""
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return float(self.p.stdout.readline())

    def __call__(self):
        return self.ask("go")

    def result(self, path, width):
        """The coefficients of the latest call."""
        self.ask("write " + path)
        return np.fromfile(path, np.float32).reshape(-1, width)

    def close(self):
        """Ends the process."""
        self.p.stdin.close()
        self.p.wait()


def timed(function):
    """The function as one that answers its processor seconds."""
    def call():
        before = time.process_time()
        function()
        return time.process_time() - before
    return call


def table(title, calls, turns):
    """Lets them take turns and prints medians; the first one is ours."""
    seconds = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            s = call()
            if turn:
                seconds[name].append(s)
    ours = statistics.median(seconds["a2b"])
    print("\n%s (%d turns)" % (title, turns))
    for name, all_of_it in seconds.items():
        s = statistics.median(all_of_it)
        print("  %-22s %9.2f ms   %5.1f times a2b" % (name, 1e3 * s,
                                                      s / ours))
    sys.stdout.flush()


def torch_mfcc():
    """torchaudio's transform with our settings."""
    return torchaudio.transforms.MFCC(RATE, C, melkwargs=dict(
        n_fft=W, hop_length=H, n_mels=M))


def kaldi_mfcc(x):
    """kaldi-native-fbank over a whole clip, samples as 16-bit integers."""
    o = knf.MfccOptions()
    o.frame_opts.dither = 0
    o.use_energy = False
    m = knf.OnlineMfcc(o)
    m.accept_waveform(RATE, x)
    m.input_finished()
    return [m.get_frame(i) for i in range(m.num_frames_ready)]


def bench_samples(folder, seconds, turns):
    """One length of clip, samples in memory."""
    x = song(seconds, RATE)
    path = os.path.join(folder, "pcm")
    x.tofile(path)
    ours, kaldi = (Ours("pcm", path, RATE, *keys) for keys in (PLAIN, KALDI))
    calls = {"a2b": ours}
    if torchaudio:
        t, transform = torch.from_numpy(x), torch_mfcc()
        calls["torchaudio"] = timed(lambda: transform(t))
    if librosa:
        calls["librosa"] = timed(lambda: librosa.feature.mfcc(
            y=x, sr=RATE, n_mfcc=C, n_fft=W, hop_length=H, n_mels=M, htk=True,
            norm="ortho", pad_mode="reflect"))
    table("%g s at %d Hz, %d/%d, %d mels, %d coefficients" % (
        seconds, RATE, W, H, M, C), calls, turns)
    if torchaudio:
        away = np.abs(ours.result(path + ".out", C) - transform(t).T.numpy())
        print("  from torchaudio: max %.1e, mean %.1e" % (away.max(),
                                                          away.mean()))
    if knf:
        big = (x * 32768).tolist()
        table("%g s, Kaldi's settings" % seconds, {
            "a2b": kaldi, "kaldi-native-fbank": timed(
                lambda: kaldi_mfcc(big))}, turns)
    ours.close()
    kaldi.close()


def bench_file(path, turns):
    """From an mp3 file to coefficients at 16 kHz, peak normalised."""
    ours = Ours("song", path, *FILE)
    calls = {"a2b": ours}
    if torchaudio:
        transform, rate = torch_mfcc(), torchaudio.info(path).sample_rate
        resample = torchaudio.transforms.Resample(rate, RATE)

        def theirs():
            x = torchaudio.load(path)[0].mean(0)
            transform(resample(x / x.abs().max()))
        calls["torchaudio"] = timed(theirs)
    table("mp3 file %s to MFCC at %d Hz" % (os.path.basename(path), RATE),
          calls, turns)
    ours.close()


def peak(command):
    """
    Peak memory of a command, MB. It begins at that of the process that
    starts it, so a small one does.
    """
    return subprocess.run([sys.executable, "-S", "-c", SMALL, *command],
                          stdout=subprocess.PIPE, text=True,
                          check=False).stdout.strip()


def bench_memory(path, rate):
    """Peak memory of whole programs on a file of ten minutes."""
    out = path + ".a2b"
    sets = [s for key in FILE for s in ("--set", "features." + key)]
    sets += ["--set", "features.audio_target_sample_rate=%d" % rate]
    print("\npeak memory, %.0f MB of mp3, analysed at %d Hz" % (
        os.path.getsize(path) / 1e6, rate))
    print("  %-22s %s" % ("a2b-mfcc", peak(
        [sys.argv[2], "-q", "-j", "1", *sets, "-o", out, path])))
    if torchaudio:
        print("  %-22s %s" % ("torchaudio", peak(
            [sys.executable, "-W", "ignore", "-c", MEMORY, path,
             str(rate)])))
    sys.stdout.flush()


def main():
    """Everything."""
    print("torchaudio %s, librosa %s, kaldi-native-fbank %s" % tuple(
        getattr(m, "__version__", "there") if m else "not installed"
        for m in (torchaudio, librosa, knf)))
    with tempfile.TemporaryDirectory() as folder:
        bench_samples(folder, 45, 25)
        bench_samples(folder, 600, 5)
        short, long = (os.path.join(folder, n) for n in ("45s.mp3",
                                                         "10min.mp3"))
        if len(sys.argv) > 3:
            bench_file(sys.argv[3], 9)
        elif write_mp3(short, song(45, 44100), 44100):
            bench_file(short, 9)
        else:
            print("\nthis libsndfile writes no mp3: name one as MP3=FILE")
        if write_mp3(long, song(600, 44100), 44100):
            bench_memory(long, RATE)
            bench_memory(long, 44100)


main()
