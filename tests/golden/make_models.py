#!/usr/bin/python3
"""Reference numbers of the models for tests/unit, from PyTorch.

    tests/golden/make_models.py > tests/golden/models.txt

The modules below are written from the description of the models alone, with
one parameter for each switch; make_ckpt.py uses them too. A line is
`test/key n value...`. Weights and inputs come from the formula of wave(),
which the tests repeat; weights take it in the order of state_dict().
"""
import math
import platform
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import weight_norm


def normed(conv, on):
    """The convolution, its weight as a direction and a length if on."""
    return weight_norm(conv) if on else conv


class Conv(nn.Conv1d):
    """A dilated convolution that keeps the length; x is (B, C, T)."""

    def __init__(self, n_in, n_out, kernel, dilation, bias=True, causal=False):
        super().__init__(n_in, n_out, kernel, dilation=dilation, bias=bias)
        whole = (kernel - 1) * dilation
        self.pad = (whole, 0) if causal else (whole // 2, whole - whole // 2)

    def forward(self, x):
        return super().forward(F.pad(x, self.pad))


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, n_in, p, dilation):
        super().__init__()
        n, k, norm = p["num_channels"], p["kernel_size"], p["norm"]
        causal, fold = p["padding"] == "causal", norm == "weight"
        self.conv1 = normed(Conv(n_in, n, k, dilation, causal=causal), fold)
        if norm == "layer":
            self.norm1 = nn.LayerNorm(n)
        self.conv2 = normed(Conv(n, n, k, dilation, causal=causal), fold)
        if norm == "layer":
            self.norm2 = nn.LayerNorm(n)
        self.downsample = nn.Conv1d(n_in, n, 1) if n_in != n else None

    def frames(self, name, x):
        """Layer norm of every frame, if there is one."""
        norm = getattr(self, name, None)
        return norm(x.transpose(1, 2)).transpose(1, 2) if norm else x

    def forward(self, x):
        y = torch.relu(self.frames("norm1", self.conv1(x)))
        y = torch.relu(self.frames("norm2", self.conv2(y)))
        return torch.relu(y + (self.downsample(x) if self.downsample else x))


class Tcn(nn.Module):
    """The temporal convolutional network; x is (B, T, C)."""

    def __init__(self, p):
        super().__init__()
        n = p["num_channels"]
        self.network = nn.Sequential(*[
            Block(p["input_size"] if i == 0 else n, p,
                  p["dilation_base"] ** i)
            for i in range(p["num_blocks"])])
        self.linear = nn.Linear(n, p["output_size"])

    def forward(self, x):
        return self.linear(self.network(x.transpose(1, 2)).transpose(1, 2))


class Stack(nn.Module):
    """One stack of gated layers; n_out is 0 without a head of its own."""

    def __init__(self, n_in, n_out, p):
        super().__init__()
        r, s, n = (p["residual_channels"], p["skip_channels"],
                   p["num_layers_per_stack"])
        bias, fold = p["use_bias"], p["weight_norm"]
        self.split = p["gate"] == "split"
        self.layers = nn.ModuleList([normed(
            Conv(n_in if i == 0 else r, 2 * r if self.split else r,
                 p["kernel_size"], p["dilation_base"] ** i, bias,
                 p["padding"] == "causal"), fold) for i in range(n)])
        self.skip_connections = nn.ModuleList([
            normed(nn.Conv1d(r, s, 1, bias=bias), fold) for _ in range(n)])
        if p["residual_conv"]:
            self.residual_connections = nn.ModuleList([
                normed(nn.Conv1d(r, r, 1, bias=bias), fold)
                for _ in range(n)])
        if n_in != r:
            self.residual_projection = normed(
                nn.Conv1d(n_in, r, 1, bias=bias), fold)
        if n_out:
            self.conv_out1 = normed(
                nn.Conv1d(s, s, 1, bias=p["head_bias"]), fold)
            self.conv_out2 = normed(
                nn.Conv1d(s, n_out, 1, bias=p["head_bias"]), fold)

    def forward(self, x):
        skips = 0
        for i, layer in enumerate(self.layers):
            z = layer(x)
            u, v = z.chunk(2, 1) if self.split else (z, z)
            g = torch.tanh(u) * torch.sigmoid(v)
            skips = skips + self.skip_connections[i](g)
            if i == 0 and hasattr(self, "residual_projection"):
                x = self.residual_projection(x)
            if hasattr(self, "residual_connections"):
                g = self.residual_connections[i](g)
            x = x + g
        return x, skips


def head(m, skips):
    """ReLU, 1x1, ReLU, 1x1 with the convolutions of m."""
    return m.conv_out2(torch.relu(m.conv_out1(torch.relu(skips))))


class WaveNet(nn.Module):
    """The WaveNet; x is (B, T, C)."""

    def __init__(self, p):
        super().__init__()
        r, s, n = p["residual_channels"], p["skip_channels"], p["num_stacks"]
        o, bias, fold = (p["output_channels"], p["head_bias"],
                         p["weight_norm"])
        self.chained = p["head"] == "chained"
        self.stacks = nn.ModuleList([
            Stack(p["input_channels"] if i == 0 else r,
                  (r if i + 1 < n else o) if self.chained else 0, p)
            for i in range(n)])
        if not self.chained:
            self.conv_out1 = normed(nn.Conv1d(s, s, 1, bias=bias), fold)
            self.conv_out2 = normed(nn.Conv1d(s, o, 1, bias=bias), fold)

    def forward(self, x):
        x, total = x.transpose(1, 2), 0
        for stack in self.stacks:
            x, skips = stack(x)
            if self.chained:
                x = head(stack, skips)
            else:
                total = total + skips
        return (x if self.chained else head(self, total)).transpose(1, 2)


def wave(n, scale, step, shift):
    """n float32 numbers scale * sin(step * i + shift), as float64."""
    x = [scale * math.sin(step * i + shift) for i in range(n)]
    return torch.tensor(x, dtype=torch.float32).double()


def put(key, values, digits=7):
    """One line."""
    values = [float(v) for v in values]
    text = " ".join("%.*g" % (digits, v) for v in values)
    print("%s %d %s" % (key, len(values), text))


def case(test, number, model, sizes, n_in, n_out):
    """Outputs, loss and gradients of one small network in float64."""
    T = 11
    n = sum(p.numel() for p in model.parameters())
    weights, at = wave(n, 0.5, 0.7, 0.3), 0
    params = dict(model.named_parameters())
    for name in model.state_dict():
        p = params[name]
        p.data = weights[at:at + p.numel()].reshape(p.shape).clone()
        at += p.numel()
    x = wave(T * n_in, 1.5, 0.37, 0.2).reshape(1, T, n_in)
    target = wave(T * n_out, 1.0, 0.21, 0.0).reshape(1, T, n_out)
    y = model(x)
    loss = F.mse_loss(y, target)
    loss.backward()
    put("%s/case%d" % (test, number), sizes + [T, n])
    put("%s/y%d" % (test, number), y.flatten().tolist())
    put("%s/loss%d" % (test, number), [loss.item()], 17)
    for name, p in params.items():
        grad = torch.zeros_like(p) if p.grad is None else p.grad
        put("%s/%s@%d" % (test, name, number), grad.flatten().tolist())


# Of all cases: M, N, R, S, K, base, I, O.
SIZES = {"default": [2, 2, 4, 3, 3, 2, 3, 2], "even": [2, 2, 3, 3, 2, 3, 3, 1],
         "four": [1, 2, 3, 2, 4, 2, 2, 1], "one": [2, 2, 3, 2, 1, 2, 2, 1],
         "single": [1, 1, 3, 2, 3, 2, 2, 1], "deep": [3, 1, 3, 4, 2, 2, 2, 1]}
# Sizes, use_bias, split, residual_conv, chained, head_bias, causal,
# weight_norm.
WAVENETS = [
    ("default", 1, 0, 0, 0, 1, 0, 0), ("even", 1, 0, 0, 0, 1, 0, 0),
    ("default", 1, 1, 0, 0, 1, 0, 0), ("default", 1, 0, 1, 0, 1, 0, 0),
    ("even", 0, 1, 1, 0, 0, 0, 0), ("default", 1, 0, 0, 1, 1, 0, 0),
    ("even", 1, 1, 1, 1, 1, 0, 0), ("default", 1, 0, 0, 0, 1, 1, 0),
    ("even", 1, 0, 0, 0, 1, 1, 0), ("default", 1, 0, 0, 0, 1, 0, 1),
    ("even", 0, 1, 1, 1, 0, 1, 1), ("single", 1, 0, 1, 0, 1, 0, 0),
    ("single", 1, 1, 1, 1, 1, 0, 0), ("even", 0, 0, 0, 0, 1, 0, 0),
    ("even", 1, 0, 0, 0, 0, 0, 0), ("four", 1, 0, 0, 0, 1, 0, 0),
    ("four", 1, 1, 0, 0, 1, 1, 0), ("one", 1, 0, 0, 0, 1, 0, 0),
    ("deep", 1, 0, 1, 1, 1, 0, 0), ("deep", 1, 1, 1, 0, 1, 0, 0)]
# I, O, N, C, K, base, causal, norm (1 weight, 2 layer).
TCNS = [(3, 2, 2, 4, 3, 2, 0, 1), (3, 2, 2, 4, 3, 2, 0, 2),
        (4, 1, 2, 4, 2, 3, 1, 1), (4, 1, 2, 4, 2, 3, 1, 2)]


def main():
    """All cases."""
    for number, (sizes, bias, split, conv, chained, hb, causal,
                 fold) in enumerate(WAVENETS):
        M, N, R, S, K, base, I, O = SIZES[sizes]
        model = WaveNet({
            "num_stacks": M, "num_layers_per_stack": N,
            "residual_channels": R, "skip_channels": S, "kernel_size": K,
            "dilation_base": base, "input_channels": I, "output_channels": O,
            "use_bias": bool(bias), "gate": ["tied", "split"][split],
            "residual_conv": bool(conv), "head_bias": bool(hb),
            "head": ["shared", "chained"][chained],
            "padding": ["same", "causal"][causal], "weight_norm": bool(fold)})
        case("wavenet", number, model.double(),
             SIZES[sizes] + [bias, split, conv, chained, hb, causal, fold],
             I, O)
    for number, (I, O, N, C, K, base, causal, norm) in enumerate(TCNS):
        model = Tcn({
            "input_size": I, "output_size": O, "num_blocks": N,
            "num_channels": C, "kernel_size": K, "dilation_base": base,
            "padding": ["same", "causal"][causal],
            "norm": ["none", "weight", "layer"][norm]})
        case("norm", number, model.double(), list(TCNS[number]), I, O)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print("# tests/golden/make_models.py, Python %s, torch %s"
          % (platform.python_version(), torch.__version__))
    main()
