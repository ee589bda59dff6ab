#!/usr/bin/python3
"""Ten training steps in PyTorch, to compare a2b-train's losses with.

usage: make_train.py > train.txt
       make_train.py CONFIG RUN

Prints a line a step: loss, learning rate, norm of the gradient before
clipping; ten for a TCN, then ten for a WaveNet. With operands it is a live
test instead: the model of CONFIG, an experiment, without dropout; a2b-train
leaves its run in RUN and its losses must be PyTorch's within 1e-5 of them.

Initial weights and batches are those of a2b-train.bats, made here
by the programs in $A2B_BUILD [build]; reader and model are written anew here
and in make_ckpt.py; losses, clipping, AdamW and the cosine are PyTorch's.
"""
import base64
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

# The experiments of a2b-train.bats.
STEPS, DECAY, CLIP, ACCUMULATE = 10, 0.01, 1.0, 2
MODELS = ["""
model:
  architecture: tcn
  params: {input_size: 3, output_size: 1, num_blocks: 2, num_channels: 6,
           kernel_size: 3, dropout: 0.0}
""", """
model:
  architecture: wavenet
  params: {num_stacks: 2, num_layers_per_stack: 3, residual_channels: 6,
           skip_channels: 5, kernel_size: 3, dilation_base: 2,
           dropout_rate: 0.0, input_channels: 3, output_channels: 1,
           use_bias: true}
"""]
# Of the live test: what example3's warmup reaches in ten steps. Adam begins
# with the gradient's signs, so weights whose gradient is rounding go anywhere
# at that rate, in every implementation.
RATE = 2e-5
REST = """
optimizer: {name: adamw, learning_rate: %g, scheduler: cosine}
data: {batch_size: 4}
logging: {log_every_n_steps: 1}
train: {max_epochs: 5, accumulate_grad_batches: 2}
"""


def make(folder, config, frames, features):
    """Writes batches `b` and a checkpoint `one/last` with the weights."""
    build = os.path.abspath(os.environ.get("A2B_BUILD", "build"))
    with open(folder + "/c.yml", "w") as f:
        f.write(config)
    subprocess.run(["bash", "-euo", "pipefail", "-c",
                    'PATH="$1/bin:$1/helpers:$PATH"; '
                    "trainset 0 6 2 $2 $3 | a2b-batch -q -c c.yml >b; "
                    "a2b-train -q -c c.yml -o one --max-steps 1 b >list",
                    "make_train", build, str(frames), str(features)],
                   cwd=folder, check=True)


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


def train(folder, peak, dtype=torch.float64):
    """Loss, rate and norm of ten steps."""
    from make_ckpt import model_of, read_safetensors

    every = list(groups(folder + "/b"))
    tensors, meta = read_safetensors(folder + "/one/last/model.safetensors")
    model = model_of(meta).to(dtype)
    model.load_state_dict({k: v.to(dtype) for k, v in tensors.items()})
    mean, std = (np.frombuffer(base64.b64decode(meta["a2b.input_" + k]), "<f4")
                 for k in ("mean", "std"))
    optimizer = torch.optim.AdamW(model.parameters(), peak,
                                  weight_decay=DECAY)
    for step, rows in enumerate(every[:STEPS]):
        rate = peak * (1 + math.cos(math.pi * step / len(every))) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate
        count = sum(v.sum() for _, recs in rows for _, v in recs)
        loss = 0
        for x, recs in rows:
            x = torch.from_numpy((x.astype(float) - mean) / std).to(dtype)
            p = model(x[None])[0, :, 0]
            for y, valid in recs:
                e = (p - torch.from_numpy(y.copy()).to(dtype))[valid != 0]
                loss = loss + (e * e).sum() / count
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        yield loss.item(), rate, norm.item()


def golden():
    """Both models on the batches of a2b-train.bats."""
    print("# tests/golden/make_train.py, python %d.%d, torch %s"
          % (*sys.version_info[:2], torch.__version__))
    for model in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            make(folder, model + REST % 0.01, 40, 3)
            for numbers in train(folder, 0.01):
                print("%.9g %.9g %.9g" % numbers)


def live(config, run):
    """An experiment's model without dropout against a2b-train."""
    with open(config, encoding="ascii") as f:
        text = f.read()
    model = re.search("^model:.*?(?=^[a-z])", text, re.M | re.S)[0]
    model = re.sub("(dropout(?:_rate)?:) [0-9.]+", r"\1 0.0", model)
    os.mkdir(run)
    make(run, model + REST % RATE, 400, 40)
    build = os.path.abspath(os.environ.get("A2B_BUILD", "build"))
    subprocess.run([build + "/bin/a2b-train", "-q", "-c", "c.yml", "-o",
                    "two", "--set", "checkpoint.load_from_checkpoint=one/last",
                    "b"], cwd=run, check=True, stdout=subprocess.DEVNULL)
    with open(run + "/two/metrics.jsonl", encoding="ascii") as f:
        got = [line["loss"] for line in map(json.loads, f)
               if line["split"] == "train"]
    double, single = (np.array([row[0] for row in train(run, RATE, dtype)])
                      for dtype in (torch.float64, torch.float32))
    ours, theirs = (np.max(np.abs(x - double) / double)
                    for x in (np.array(got), single))
    print("%s: from PyTorch in double, relative: a2b %.2g, PyTorch in float32"
          " %.2g" % (config, ours, theirs))
    sys.exit(not ours <= 1e-5)


if len(sys.argv) == 3:
    live(*sys.argv[1:])
else:
    golden()
