#!/usr/bin/python3
"""Loads a checkpoint's model.safetensors into PyTorch and compares outputs.

usage: make_ckpt.py CHECKPOINT OUTPUTS

CHECKPOINT is a checkpoint folder; OUTPUTS holds what a2b's model computes for
the input of tests/helpers/modelrun.c. The modules below are written from the
description of the models alone. Nothing is stored: this is a live test of
a2b-train.bats, run where torch is installed. Without operands it does nothing.
"""
import base64
import json
import struct
import sys

import numpy as np
import torch
from torch import nn


def read_safetensors(path):
    """All tensors and the metadata of a file, without the package."""
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    meta = header.pop("__metadata__")
    tensors = {}
    for name, t in header.items():
        begin, end = (8 + size + n for n in t["data_offsets"])
        array = np.frombuffer(data[begin:end], "<f4").reshape(t["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors, meta


class Conv(nn.Conv1d):
    """A dilated convolution that keeps the length."""

    def __init__(self, n_in, n_out, kernel, dilation, bias=True, causal=False):
        super().__init__(n_in, n_out, kernel, dilation=dilation, bias=bias)
        whole = (kernel - 1) * dilation
        self.pad = (whole, 0) if causal else (whole // 2, whole - whole // 2)

    def forward(self, x):
        return super().forward(nn.functional.pad(x, self.pad))


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, n_in, n, kernel, dilation, causal):
        super().__init__()
        self.conv1 = Conv(n_in, n, kernel, dilation, causal=causal)
        self.conv2 = Conv(n, n, kernel, dilation, causal=causal)
        self.downsample = nn.Conv1d(n_in, n, 1) if n_in != n else None

    def forward(self, x):
        y = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return torch.relu(y + (self.downsample(x) if self.downsample else x))


class Tcn(nn.Module):
    """The temporal convolutional network, norm: none."""

    def __init__(self, p):
        super().__init__()
        n = p["num_channels"]
        self.network = nn.Sequential(*[
            Block(p["input_size"] if i == 0 else n, n, p["kernel_size"],
                  p["dilation_base"] ** i, p["padding"] == "causal")
            for i in range(p["num_blocks"])])
        self.linear = nn.Linear(n, p["output_size"])

    def forward(self, x):
        return self.linear(self.network(x.transpose(1, 2)).transpose(1, 2))


class Stack(nn.Module):
    """One stack of gated layers, gate: tied."""

    def __init__(self, n_in, p):
        super().__init__()
        r, bias = p["residual_channels"], p["use_bias"]
        n = p["num_layers_per_stack"]
        self.layers = nn.ModuleList([
            Conv(n_in if i == 0 else r, r, p["kernel_size"],
                 p["dilation_base"] ** i, bias, p["padding"] == "causal")
            for i in range(n)])
        self.skip_connections = nn.ModuleList([
            nn.Conv1d(r, p["skip_channels"], 1, bias=bias) for _ in range(n)])
        if n_in != r:
            self.residual_projection = nn.Conv1d(n_in, r, 1, bias=bias)

    def forward(self, x):
        skips = 0
        for i, (layer, skip) in enumerate(zip(self.layers,
                                              self.skip_connections)):
            z = layer(x)
            z = torch.tanh(z) * torch.sigmoid(z)
            if i == 0 and hasattr(self, "residual_projection"):
                x = self.residual_projection(x)
            x = x + z
            skips = skips + skip(z)
        return x, skips


class WaveNet(nn.Module):
    """The WaveNet with one shared head."""

    def __init__(self, p):
        super().__init__()
        r, s = p["residual_channels"], p["skip_channels"]
        self.stacks = nn.ModuleList([
            Stack(p["input_channels"] if i == 0 else r, p)
            for i in range(p["num_stacks"])])
        self.conv_out1 = nn.Conv1d(s, s, 1, bias=p["head_bias"])
        self.conv_out2 = nn.Conv1d(s, p["output_channels"], 1,
                                   bias=p["head_bias"])

    def forward(self, x):
        x, total = x.transpose(1, 2), 0
        for stack in self.stacks:
            x, skips = stack(x)
            total = total + skips
        y = self.conv_out2(torch.relu(self.conv_out1(torch.relu(total))))
        return y.transpose(1, 2)


def main():
    """Compares; exits 1 when an output is further off than 1e-5."""
    tensors, meta = read_safetensors(sys.argv[1] + "/model.safetensors")
    params = json.loads(meta["a2b.params"])
    model = {"tcn": Tcn, "wavenet": WaveNet}[meta["a2b.architecture"]](params)
    model.load_state_dict(tensors, strict=True)
    model.eval()
    mean, std = (np.frombuffer(base64.b64decode(meta["a2b.input_" + k]), "<f4")
                 for k in ("mean", "std"))
    t, c = np.arange(50)[:, None], np.arange(len(mean))[None, :]
    x = (10 * np.sin(0.3 * t + c)).astype(np.float32)
    with torch.no_grad():
        want = model(torch.from_numpy((x - mean) / std)[None]).numpy().ravel()
    got = np.loadtxt(sys.argv[2], dtype=np.float32)
    worst = np.abs(got - want).max()
    print(f"loads strictly: {len(tensors)} tensors, {len(got)} outputs, "
          f"largest difference {worst:.2g}")
    sys.exit(not (len(got) == len(want) and worst <= 1e-5))


if len(sys.argv) == 3:
    main()
