#!/usr/bin/python3
"""Ten training steps in PyTorch, to compare a2b-train's losses with.

usage: make_train.py > train.txt

Prints a line a step: loss, learning rate, norm of the gradient before
clipping. Initial weights and batches are those of a2b-train.bats, made here
by the programs in $A2B_BUILD [build]; reader and model are written anew here
and in make_ckpt.py; losses, clipping, AdamW and the cosine are PyTorch's.
"""
import base64
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

# The experiment of a2b-train.bats.
STEPS, RATE, DECAY, CLIP, ACCUMULATE = 10, 0.01, 0.01, 1.0, 2
CONFIG = """
model:
  architecture: tcn
  params: {input_size: 3, output_size: 1, num_blocks: 2, num_channels: 6,
           kernel_size: 3, dropout: 0.0}
optimizer: {name: adamw, learning_rate: 0.01, scheduler: cosine}
data: {batch_size: 4}
train: {max_epochs: 5, accumulate_grad_batches: 2}
"""


def make(folder):
    """Writes batches `b` and a checkpoint `one/last` with the weights."""
    build = os.path.abspath(os.environ.get("A2B_BUILD", "build"))
    with open(folder + "/c.yml", "w") as f:
        f.write(CONFIG)
    subprocess.run(["bash", "-euo", "pipefail", "-c",
                    'PATH="$1/bin:$1/helpers:$PATH"; '
                    "trainset 0 6 2 40 3 | a2b-batch -q -c c.yml >b; "
                    "a2b-train -q -c c.yml -o one --max-steps 1 b >list",
                    "make_train", build], cwd=folder, check=True)


def frames(path):
    """Metadata and arrays of every frame; digests are others' business."""
    data, at = open(path, "rb").read(), 0
    kinds = {"F32": "<f4", "I32": "<i4", "U8": "u1"}
    while at < len(data):
        size = struct.unpack_from("<Q", data, at)[0]
        header = json.loads(data[at + 8:at + 8 + size])
        meta, at = header.pop("__metadata__"), at + 8 + size
        yield meta, {k: np.frombuffer(data[at + t["data_offsets"][0]:
                                           at + t["data_offsets"][1]],
                                      kinds[t["dtype"]]).reshape(t["shape"])
                     for k, t in header.items()}
        at += max((t["data_offsets"][1] for t in header.values()), default=0)


def batches(path):
    """Every batch as a list of (x, [(y, valid)]) rows, by epoch."""
    for meta, get in frames(path):
        if "x" not in get:
            continue
        rows = []
        for s, n in enumerate(get["len"]):
            mine = np.flatnonzero(get["song"] == s)
            rows.append((get["x"][s, :n],
                         [(get["y"][r, :n, 0], get["valid"][r, :n])
                          for r in mine]))
        yield int(meta["epoch"]), rows


def groups(path):
    """Rows of each effective batch; none crosses an epoch."""
    group, count, last = [], 0, 0
    for epoch, rows in batches(path):
        if count and (epoch != last or count == ACCUMULATE):
            yield group
            group, count = [], 0
        group, count, last = group + rows, count + 1, epoch
    yield group


def main():
    """Trains and prints."""
    from make_ckpt import Tcn, read_safetensors

    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        every = list(groups(folder + "/b"))
        tensors, meta = read_safetensors(folder
                                         + "/one/last/model.safetensors")
    model = Tcn(json.loads(meta["a2b.params"])).double()
    model.load_state_dict({k: v.double() for k, v in tensors.items()})
    mean, std = (np.frombuffer(base64.b64decode(meta["a2b.input_" + k]), "<f4")
                 for k in ("mean", "std"))
    optimizer = torch.optim.AdamW(model.parameters(), RATE,
                                  weight_decay=DECAY)
    print("# tests/golden/make_train.py, python %d.%d, torch %s"
          % (*sys.version_info[:2], torch.__version__))
    for step, rows in enumerate(every[:STEPS]):
        rate = RATE * (1 + math.cos(math.pi * step / len(every))) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate
        count = sum(v.sum() for _, recs in rows for _, v in recs)
        loss = 0
        for x, recs in rows:
            x = torch.from_numpy((x.astype(float) - mean) / std)
            p = model(x[None])[0, :, 0]
            for y, valid in recs:
                e = (p - torch.from_numpy(y.astype(float)))[valid != 0]
                loss = loss + (e * e).sum() / count
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        print("%.9g %.9g %.9g" % (loss.item(), rate, norm.item()))


main()
