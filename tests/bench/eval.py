#!/usr/bin/python3
"""Exact DTW and Frechet throughput; a2b-predict beside PyTorch.

    make bench-eval       or   tests/bench/eval.py [--build DIR] [--mp3 FILE]

The first part is tests/helpers/warprun. The second predicts sound files with
a TCN of 5 blocks of 64 channels on 40 MFCCs: a2b-predict as a whole program,
from its start to the CSV on disk, and torchaudio and PyTorch with the same
weights and features, also from file to CSV, in one Python process that has
imported everything and loaded the model before. One thread each, processor
seconds, medians over rounds in which they take turns. Beside that it prints
how far the predictions differ. The mp3 files are made by libsndfile; --mp3
names another one where that cannot. The last line is --stream: raw samples
of ten minutes through a pipe, as fast as they come.

A2B_PYTHON names the interpreter `make` uses; without torch and torchaudio
their lines are left out.
"""
import argparse
import base64
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

for name in ("OMP", "OPENBLAS", "MKL"):
    os.environ[name + "_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "golden")]
from sound import song, write_mp3  # noqa: E402

warnings.filterwarnings("ignore")
try:
    import torch
    import torchaudio
    from make_ckpt import model_of, read_safetensors
    torch.set_num_threads(1)
except ImportError:
    torch = None

CONFIG = """
model:
  architecture: tcn
  params: {input_size: 40, output_size: 1, num_blocks: 5, num_channels: 64,
           kernel_size: 3, dropout: 0.1}
train: {max_epochs: 1}
"""
# Of both sides; live sound has no peak and no loudest moment.
FEATURES = "preset=torchaudio audio_target_sample_rate=16000 " \
    "audio_hop_length=1600 audio_window_size=2048 audio_n_mfcc=40 "
WHOLE = "audio_normalize=true audio_top_db=80"
LIVE = "audio_normalize=false audio_top_db=null"


def shell(command, **env):
    """Runs a pipeline, fails with it."""
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, **env})


def train(build, run, features):
    """A checkpoint of one short epoch."""
    sets = " ".join("--set features." + f for f in features.split())
    shell(f"{build}/helpers/trainset 0 4 2 60 40 1600 {features} > f.a2b;"
          f"a2b-batch -q -c c.yml {sets} f.a2b |"
          f"a2b-train -q -j 1 -c c.yml {sets} -o {run}")


def children_s(work):
    """CPU seconds that children take during work()."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime
            - before.ru_utime - before.ru_stime)


def own_s(work):
    """CPU seconds that this process takes during work()."""
    began = time.process_time()
    work()
    return time.process_time() - began


class Theirs:
    """torchaudio and PyTorch with the weights of a checkpoint."""

    def __init__(self, run):
        tensors, meta = read_safetensors(run + "/best/model.safetensors")
        self.model = model_of(meta)
        self.model.load_state_dict(tensors, strict=True)
        self.model.eval()
        self.mean, self.std = (torch.from_numpy(np.frombuffer(
            base64.b64decode(meta["a2b.input_" + k]), "<f4").copy())
            for k in ("mean", "std"))
        assert json.loads(meta["a2b.features"])["preset"] == "torchaudio"
        self.mfcc = torchaudio.transforms.MFCC(16000, 40, melkwargs={
            "n_fft": 2048, "hop_length": 1600, "n_mels": 128})
        self.resample = {}

    def predict(self, path, out):
        """From a file to CSV."""
        x, rate = torchaudio.load(path)
        if rate not in self.resample:
            self.resample[rate] = torchaudio.transforms.Resample(rate, 16000)
        x = x.mean(0)
        x = self.mfcc(self.resample[rate](x / x.abs().max()))
        with torch.no_grad():
            y = self.model(((x.T - self.mean) / self.std)[None])[0, :, 0]
        t = np.arange(len(y)) / 10
        np.savetxt(out, np.stack([t, y.numpy()], 1), "%.9g", delimiter=",")


def row(name, seconds, sound):
    """One line of the table."""
    print("  %-22s %8.3f s %8.0f times real time" % (name, seconds,
                                                     sound / seconds))
    sys.stdout.flush()


def bench_file(path, rounds):
    """One sound file."""
    theirs = Theirs("run") if torch else None
    ours_s, theirs_s = [], []
    for _ in range(rounds + 1):  # the first one warms up
        ours_s.append(children_s(lambda: shell(
            "a2b-predict -q -j 1 -m run/best -o ours.csv " + path)))
        if theirs:
            theirs_s.append(own_s(lambda: theirs.predict(path, "theirs.csv")))
    ours = np.loadtxt("ours.csv", delimiter=",", skiprows=1)
    sound = ours[-1, 0]
    print("\n%s, %.0f s, to CSV" % (os.path.basename(path), sound))
    row("a2b-predict", statistics.median(ours_s[1:]), sound)
    if theirs:
        row("torch + torchaudio", statistics.median(theirs_s[1:]), sound)
        want = np.loadtxt("theirs.csv", delimiter=",")
        n = min(len(ours), len(want))
        print("  predictions differ by at most %.1e, mean %.1e; theirs "
              "deviate by %.1e" % (
                  np.abs(ours[:n, 1] - want[:n, 1]).max(),
                  np.abs(ours[:n, 1] - want[:n, 1]).mean(), want[:, 1].std()))


def bench_live(seconds, rounds):
    """Raw samples through a pipe."""
    (song(seconds, 16000) * 32767).astype("<i2").tofile("live.raw")
    taken = [children_s(lambda: shell(
        "cat live.raw | a2b-predict -q -m live/best --stream -o live.csv"))
        for _ in range(rounds)]
    print("\nraw samples, %.0f s, through --stream to CSV" % seconds)
    row("a2b-predict", statistics.median(taken), seconds)


def main():
    """All parts."""
    args = argparse.ArgumentParser()
    args.add_argument("--build", default="build")
    args.add_argument("--mp3")
    args.add_argument("--rounds", type=int, default=5)
    args = args.parse_args()
    build = os.path.abspath(args.build)
    mp3 = args.mp3 and os.path.abspath(args.mp3)
    subprocess.run([build + "/helpers/warprun"], check=True)
    os.environ["PATH"] = build + "/bin:" + os.environ["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("c.yml", "w", encoding="ascii") as out:
            out.write(CONFIG)
        train(build, "run", FEATURES + WHOLE)
        train(build, "live", FEATURES + LIVE)
        if mp3:
            bench_file(mp3, args.rounds)
        for seconds in (45, 600):
            name = "%ds.mp3" % seconds
            if write_mp3(name, song(seconds, 44100), 44100):
                bench_file(name, args.rounds)
            elif not mp3:
                print("\nthis libsndfile writes no mp3: name one by --mp3")
        shell(build + "/helpers/wav 600s.wav 44100 600 440")
        bench_file("600s.wav", args.rounds)
        bench_live(600, args.rounds)
        os.chdir("/")


if __name__ == "__main__":
    main()
