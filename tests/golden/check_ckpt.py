#!/usr/bin/python3
"""Predicts with PyTorch from a checkpoint and compares a prediction stream.

usage: check_ckpt.py CHECKPOINT FEATURES PREDICTIONS

CHECKPOINT is a checkpoint folder, FEATURES and PREDICTIONS are streams. Every
prediction is compared with what the module of make_ckpt.py, loaded strictly,
makes of its song's frames. Nothing is stored: this is a live test of
a2b-eval.bats, run where torch is installed.
"""
import base64
import json
import struct
import sys

import numpy as np
import torch

sys.dont_write_bytecode = True
from make_ckpt import model_of, read_safetensors  # noqa: E402


def frames(path):
    """Metadata and float tensors of every frame of a stream."""
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        size, = struct.unpack("<Q", data[at:at + 8])
        header = json.loads(data[at + 8:at + 8 + size])
        meta = header.pop("__metadata__", {})
        at += 8 + size
        yield meta, {
            name: np.frombuffer(data[at + t["data_offsets"][0]:
                                     at + t["data_offsets"][1]],
                                "<f4").reshape(t["shape"])
            for name, t in header.items() if t["dtype"] == "F32"}
        at += max((t["data_offsets"][1] for t in header.values()), default=0)


def main():
    """Compares; exits 1 when a number is further off than 1e-5."""
    tensors, meta = read_safetensors(sys.argv[1] + "/model.safetensors")
    model = model_of(meta)
    model.load_state_dict(tensors, strict=True)
    model.eval()
    mean, std = (np.frombuffer(base64.b64decode(meta["a2b.input_" + k]), "<f4")
                 for k in ("mean", "std"))
    songs = {m["key"]: t["mfcc"] for m, t in frames(sys.argv[2])
             if "mfcc" in t}
    worst, n = 0, 0
    for m, t in frames(sys.argv[3]):
        if "pred" not in t:
            continue
        x = songs[m["dataset"] + "/" + m["song"]][:len(t["pred"])]
        with torch.no_grad():
            want = model(torch.from_numpy((x - mean) / std)[None])[0].numpy()
        worst = max(worst, np.abs(want - t["pred"]).max())
        n += 1
    print(f"{n} predictions, largest difference {worst:.2g}")
    sys.exit(not (n > 0 and worst <= 1e-5))


main()
