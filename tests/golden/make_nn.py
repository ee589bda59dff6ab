#!/usr/bin/python3
"""Reference numbers of lib/nn for tests/unit, from PyTorch.

    tests/golden/make_nn.py > tests/golden/nn.txt

A line is `test/key n value...`. Weights and inputs come from the formula of
wave(), which the tests repeat.
"""
import math
import platform
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Golden:
    """The lines of one test."""

    def __init__(self, test):
        self.test = test

    def put(self, key, values, digits=9):
        """One line."""
        values = [float(v) for v in values]
        text = " ".join("%.*g" % (digits, v) for v in values)
        print("%s/%s %d %s" % (self.test, key, len(values), text))


def wave(n, scale, step, shift):
    """n float32 numbers scale * sin(step * i + shift), as float64."""
    x = [scale * math.sin(step * i + shift) for i in range(n)]
    return torch.tensor(x, dtype=torch.float32).double()


class Block(nn.Module):
    """Two dilated convolutions and a shortcut; x is (1, C, T)."""

    def __init__(self, c_in, c, k, d, causal):
        super().__init__()
        pad = 0 if causal else "same"
        self.conv1 = nn.Conv1d(c_in, c, k, dilation=d, padding=pad)
        self.conv2 = nn.Conv1d(c, c, k, dilation=d, padding=pad)
        if c_in != c:
            self.downsample = nn.Conv1d(c_in, c, 1)
        self.zeros = (k - 1) * d if causal else 0

    def forward(self, x):
        u = F.relu(self.conv1(F.pad(x, (self.zeros, 0))))
        v = F.relu(self.conv2(F.pad(u, (self.zeros, 0))))
        s = self.downsample(x) if hasattr(self, "downsample") else x
        return F.relu(v + s)


class TCN(nn.Module):
    """Blocks with dilation base^i, then a linear layer; x is (T, C)."""

    def __init__(self, c_in, c_out, n, c, k, base, causal):
        super().__init__()
        self.network = nn.Sequential(*[
            Block(c_in if i == 0 else c, c, k, base**i, causal)
            for i in range(n)])
        self.linear = nn.Linear(c, c_out)

    def forward(self, x):
        return self.linear(self.network(x.T[None])[0].T)


def tcn():
    """Outputs, loss and gradients of small networks in float64."""
    g = Golden("tcn")
    cases = [(4, 2, False, 2), (4, 2, True, 2), (4, 3, False, 2),
             (4, 3, True, 2), (4, 4, False, 2), (4, 4, True, 2),
             (5, 3, False, 3), (5, 1, False, 2)]
    for number, (c_in, k, causal, base) in enumerate(cases):
        T, O, N, C = 17, 2, 3, 5
        model = TCN(c_in, O, N, C, k, base, causal).double()
        n = sum(p.numel() for p in model.parameters())
        weights, at = wave(n, 0.4, 0.7, 0.3), 0
        for p in model.parameters():
            p.data = weights[at:at + p.numel()].reshape(p.shape).clone()
            at += p.numel()
        x = wave(T * c_in, 1.5, 0.37, 0.2).reshape(T, c_in)
        mean, std = wave(c_in, 0.5, 1.1, 0.4), 1 + wave(c_in, 0.5, 0.9, 0.1)
        std = std.float().double()
        target = wave(T * O, 1.0, 0.21, 0.0).reshape(T, O)
        y = model((x - mean) / std)
        loss = F.mse_loss(y, target)
        loss.backward()
        g.put("case%d" % number, [c_in, O, N, C, k, base, causal, T, n])
        g.put("y%d" % number, y.flatten().tolist())
        g.put("loss%d" % number, [loss.item()], 17)
        for name, p in model.named_parameters():
            g.put("%s@%d" % (name, number), p.grad.flatten().tolist())


def spectral(p, y, m, sizes=(4, 8)):
    """The mean of |log spectra's difference| over windows that are whole."""
    parts = []
    for n in sizes:
        window = torch.hann_window(n, dtype=torch.float64)
        at = [t for t in range(0, len(p) - n + 1, n // 4)
              if m[t:t + n].all()]
        if not at:
            continue
        logs = []
        for x in (p, y):
            f = torch.fft.rfft(torch.stack([x[t:t + n] for t in at]) * window)
            logs.append(torch.log(f.real ** 2 + f.imag ** 2 + 1e-4))
        parts.append((logs[0] - logs[1]).abs().mean() / 2)
    return torch.stack(parts).mean() if parts else None


def soft_dtw(a, b, gamma):
    """s(a, b), cell by cell."""
    R = {(0, 0): torch.zeros((), dtype=torch.float64)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            before = [R[c] for c in ((i - 1, j), (i, j - 1), (i - 1, j - 1))
                      if c in R]
            R[i, j] = (a[i - 1] - b[j - 1]) ** 2 - gamma * torch.logsumexp(
                -torch.stack(before) / gamma, 0)
    return R[len(a), len(b)]


def soft_divergence(p, y, m, gamma=0.4, pool=3):
    """The divergence over the means of blocks, by their number."""
    blocks = [slice(t, t + pool) for t in range(0, len(p), pool)
              if m[t:t + pool].any()]
    if not blocks:
        return None
    a, b = [torch.stack([x[s][m[s]].mean() for s in blocks]) for x in (p, y)]
    return (soft_dtw(a, b, gamma) - soft_dtw(a, a, gamma) / 2
            - soft_dtw(b, b, gamma) / 2) / len(blocks)


def masked_losses(name, p, y, valid):
    """One loss over a batch of recordings by its definition."""
    flat = [torch.cat([a[m] for a, m in zip(x, valid)]) for x in (p, y)]
    if name == "mse":
        return F.mse_loss(*flat)
    if name == "l1":
        return F.l1_loss(*flat)
    if name == "huber":
        return F.huber_loss(*flat, delta=0.7)
    if name == "smooth_l1":
        return F.smooth_l1_loss(*flat, beta=0.3)
    if name == "derivative":
        parts = []
        for a, b, m in zip(p, y, valid):
            both = m[1:] & m[:-1]
            parts.append(((a[1:] - a[:-1]) - (b[1:] - b[:-1]))[both] ** 2)
        return torch.cat(parts).mean()
    if name in ("spectral", "soft_dtw"):
        form = spectral if name == "spectral" else soft_divergence
        parts = [form(*x) for x in zip(p, y, valid)]
        n = sum(bool(m.any()) for m in valid)
        return sum(x for x in parts if x is not None) / n
    parts = []
    for a, b, m in zip(p, y, valid):
        a, b = a[m], b[m]
        if len(a) == 0:
            continue
        va, vb = a.var(unbiased=False), b.var(unbiased=False)
        c = ((a - a.mean()) * (b - b.mean())).mean()
        if name == "ccc":
            gap = a.mean() - b.mean()
            parts.append(1 - 2 * c / (va + vb + gap * gap + 1e-8))
        else:
            parts.append(1 - c / torch.sqrt(va * vb + 1e-8))
    return torch.stack(parts).mean()


def loss():
    """Losses of three masked recordings and their gradients."""
    g = Golden("loss")
    lengths = [23, 9, 5]
    p = [wave(n, 1.2, 0.5, 0.3 * n).requires_grad_() for n in lengths]
    y = [wave(n, 0.9, 0.31, 0.1 * n) for n in lengths]
    valid = [torch.tensor([i % 5 != 3 and n > 5 for i in range(n)])
             for n in lengths]
    for r, n in enumerate(lengths):
        g.put("p%d" % r, p[r].tolist())
        g.put("y%d" % r, y[r].tolist())
        g.put("valid%d" % r, valid[r].tolist())
    names = ("mse l1 huber smooth_l1 ccc pearson derivative spectral "
             "soft_dtw").split()
    for name in names + ["custom"]:
        for a in p:
            a.grad = None
        if name == "custom":
            value = (masked_losses("pearson", p, y, valid)
                     + 0.25 * masked_losses("mse", p, y, valid)
                     + 0.5 * masked_losses("derivative", p, y, valid))
        else:
            value = masked_losses(name, p, y, valid)
        value.backward()
        g.put(name, [value.item()], 17)
        for r, a in enumerate(p):
            grad = [0] * lengths[r] if a.grad is None else a.grad.tolist()
            g.put("%s@%d" % (name, r), grad)


def lion(g):
    """Lion in float64 from the formulas of Chen et al. 2023, algorithm 2."""
    p, m, lr = wave(7, 1.0, 0.9, 0.2).numpy(), np.zeros(7), 0.01
    for k in range(1, 31):
        lr *= 0.98
        grad = wave(7, 0.5 + 0.05 * k, 1.3, 0.7 * k).numpy()
        c = 0.9 * m + 0.1 * grad
        p = p - lr * (np.sign(c) + 0.1 * p)
        m = 0.99 * m + 0.01 * grad
        if k in (1, 2, 3, 10, 30):
            g.put("lion@%d" % k, p)
    g.put("lion@exp_avg", m)


def schedule_free(g):
    """Schedule-free AdamW in float64 from Defazio et al. 2024, algorithm 1."""
    b1, b2, lam, lr, eps = 0.9, 0.99, 0.05, 0.02, 1e-8
    x = z = wave(7, 1.0, 0.9, 0.2).numpy()
    v, top, total = np.zeros(7), 0, 0
    y = (1 - b1) * z + b1 * x
    for k in range(1, 31):
        lr *= 0.98
        grad = wave(7, 0.5 + 0.05 * k, 1.3, 0.7 * k).numpy()
        v = b2 * v + (1 - b2) * grad * grad
        rate = lr * math.sqrt(1 - b2 ** k)
        top = max(top, rate)
        total += top ** 2
        z = z - rate * (grad / (np.sqrt(v) + eps) + lam * y)
        c = top ** 2 / total
        x = (1 - c) * x + c * z
        y = (1 - b1) * z + b1 * x
        if k in (1, 2, 3, 10, 30):
            g.put("schedule_free@%d" % k, y)
    g.put("schedule_free@z", z)
    g.put("schedule_free@exp_avg_sq", v)
    g.put("schedule_free@average", x)


def optim():
    """Weights after some of 30 steps, and clipped gradients, in float32."""
    g = Golden("optim")
    kinds = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "sgd_momentum": lambda p: torch.optim.SGD(
            p, lr=0.05, momentum=0.9, weight_decay=0.01),
        "sgd_nesterov": lambda p: torch.optim.SGD(
            p, lr=0.05, momentum=0.8, weight_decay=0.02, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01),
        "adam_decay": lambda p: torch.optim.Adam(
            p, lr=0.02, weight_decay=0.05, betas=(0.8, 0.95), eps=1e-6),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
        "sgd_dampening": lambda p: torch.optim.SGD(
            p, lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.01),
        "adam_amsgrad": lambda p: torch.optim.Adam(
            p, lr=0.01, betas=(0.9, 0.7), amsgrad=True),
        "adamw_amsgrad": lambda p: torch.optim.AdamW(
            p, lr=0.01, betas=(0.9, 0.7), weight_decay=0.1, amsgrad=True),
        "rmsprop": lambda p: torch.optim.RMSprop(
            p, lr=0.01, alpha=0.95, weight_decay=0.02),
        "rmsprop_momentum": lambda p: torch.optim.RMSprop(
            p, lr=0.01, momentum=0.8),
    }
    for name, make in kinds.items():
        p = nn.Parameter(wave(7, 1.0, 0.9, 0.2).float())
        opt = make([p])
        for k in range(1, 31):
            opt.param_groups[0]["lr"] *= 0.98
            p.grad = wave(7, 0.5 + 0.05 * k, 1.3, 0.7 * k).float()
            opt.step()
            if k in (1, 2, 3, 10, 30):
                g.put("%s@%d" % (name, k), p.tolist())
        state = opt.state[p]
        for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "square_avg",
                    "momentum_buffer"):
            if state.get(key) is not None:
                g.put("%s@%s" % (name, key), state[key].tolist())
    lion(g)
    schedule_free(g)
    grad = nn.Parameter(torch.zeros(7))
    grad.grad = wave(7, 1.0, 0.8, 0.1).float()
    nn.utils.clip_grad_value_([grad], 0.4)
    g.put("clip_value", grad.grad.tolist())
    for i, limit in enumerate([0.5, 1.0, 100.0]):
        p = [nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(3))]
        grad = wave(7, 1.0, 0.8, 0.1).float()
        p[0].grad, p[1].grad = grad[:4].clone(), grad[4:].clone()
        norm = nn.utils.clip_grad_norm_(p, limit)
        g.put("clip%d" % i, [limit, norm] + p[0].grad.tolist()
              + p[1].grad.tolist())


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # padding='same' with even kernels copies
    print("# tests/golden/make_nn.py, Python %s, torch %s"
          % (platform.python_version(), torch.__version__))
    tcn()
    loss()
    optim()
