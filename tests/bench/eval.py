#!/usr/bin/python3
"""Exact DTW and Frechet throughput; a2b-predict beside PyTorch.

    make bench-eval       or   tests/bench/eval.py [--build DIR] [--seconds S]

The first part is tests/helpers/warprun. The second predicts one sound file
(WAV, 44.1 kHz) with a TCN of 5 blocks of 64 channels on 40 MFCCs: a2b-predict
as a whole program, from its start to the CSV on disk, and torchaudio and
PyTorch with the same weights and like MFCCs in one Python process that has
imported everything before. One thread each, CPU times, medians over rounds.

A2B_PYTHON names the interpreter `make` uses; without torch and torchaudio
their line is left out.
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

import numpy as np

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
try:
    import torch
    import torchaudio
    from make_ckpt import Tcn, read_safetensors
except ImportError:
    torch = None

CONFIG = """
model:
  architecture: tcn
  params: {input_size: 40, output_size: 1, num_blocks: 5, num_channels: 64,
           kernel_size: 3, dropout: 0.1}
train: {max_epochs: 1}
features: {audio_n_mfcc: 40, audio_hop_length: 1600}
"""


def shell(command, **env):
    """Runs a pipeline, fails with it."""
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, **env})


def children_s():
    """CPU seconds of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def torch_predict(path, out):
    """The same prediction by torchaudio and PyTorch, from file to CSV."""
    tensors, meta = read_safetensors("run/best/model.safetensors")
    model = Tcn(json.loads(meta["a2b.params"]))
    model.load_state_dict(tensors, strict=True)
    model.eval()
    mean, std = (torch.from_numpy(np.frombuffer(
        base64.b64decode(meta["a2b.input_" + k]), "<f4").copy())
        for k in ("mean", "std"))
    audio, rate = torchaudio.load(path)
    audio = torchaudio.functional.resample(audio.mean(0), rate, 16000)
    mfcc = torchaudio.transforms.MFCC(16000, 40, melkwargs={
        "n_fft": 2048, "hop_length": 1600, "n_mels": 128})(audio)
    with torch.no_grad():
        y = model(((mfcc.T - mean) / std)[None])[0].numpy()
    np.savetxt(out, y, "%.9g")


def median_s(rounds, clock, work):
    """Median of what the clock advanced during work()."""
    taken = []
    for _ in range(rounds):
        began = clock()
        work()
        taken.append(clock() - began)
    return statistics.median(taken)


def main():
    """Both parts."""
    args = argparse.ArgumentParser()
    args.add_argument("--build", default="build")
    args.add_argument("--seconds", type=int, default=600)
    args.add_argument("--rounds", type=int, default=3)
    args = args.parse_args()
    build = os.path.abspath(args.build)
    subprocess.run([build + "/helpers/warprun"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        path = build + "/bin:" + os.environ["PATH"]
        with open("c.yml", "w", encoding="ascii") as out:
            out.write(CONFIG)
        shell(build + "/helpers/trainset 0 4 2 60 40 | a2b-batch -q -c c.yml |"
              " a2b-train -q -j 1 -c c.yml -o run", PATH=path)
        shell("%s/helpers/wav song.wav 44100 %d 440" % (build, args.seconds))
        ours = median_s(args.rounds, children_s, lambda: shell(
            "a2b-predict -q -j 1 -m run/best -o song.csv song.wav",
            PATH=path))
        print("a2b-predict      %7.3f s %8.0f times real time"
              % (ours, args.seconds / ours))
        if torch:
            torch.set_num_threads(1)
            theirs = median_s(args.rounds, time.process_time,
                              lambda: torch_predict("song.wav", "torch.csv"))
            print("torch+torchaudio %7.3f s %8.0f times real time"
                  % (theirs, args.seconds / theirs))
        os.chdir("/")


if __name__ == "__main__":
    main()
