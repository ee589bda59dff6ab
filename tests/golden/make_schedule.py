#!/usr/bin/python3
"""Learning rates of torch.optim for tests/unit/test_schedule.c.

    tests/golden/make_schedule.py > tests/golden/schedule.txt

A line is `schedule/key n value...`: the rates before each step, or the
momenta for a key that ends in _m. Base rate 0.3 as in the test.
"""
import math
import platform
import warnings

import torch
from torch.optim import lr_scheduler as S

BASE = 0.3


def put(key, values):
    """One line."""
    print("schedule/%s %d %s" % (key, len(values),
                                 " ".join("%.17g" % v for v in values)))


def table(make, steps, momentum=None):
    """Rates and momenta before each of the steps."""
    p = torch.nn.Parameter(torch.zeros(1))
    opt = torch.optim.SGD([p], lr=BASE, momentum=momentum or 0)
    sched, rates, momenta = make(opt), [], []
    for k in range(steps):
        rates.append(opt.param_groups[0]["lr"])
        momenta.append(opt.param_groups[0]["momentum"])
        opt.step()
        if k + 1 < steps:
            sched.step()
    return rates, momenta


def torch_tables():
    """torch's own schedulers, 24 steps each."""
    kinds = {
        "annealing": lambda o: S.CosineAnnealingLR(o, 8, eta_min=0.02),
        "warm": lambda o: S.CosineAnnealingWarmRestarts(o, 7, eta_min=0.01),
        "warm2": lambda o: S.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
        "step": lambda o: S.StepLR(o, 5, gamma=0.4),
        "multistep": lambda o: S.MultiStepLR(o, [3, 4, 11], gamma=0.3),
        "exponential": lambda o: S.ExponentialLR(o, 0.95),
        "polynomial": lambda o: S.PolynomialLR(o, total_iters=16, power=1.7),
        "constant_torch": lambda o: S.ConstantLR(o),
        "linear_torch": lambda o: S.LinearLR(o, end_factor=0.9,
                                             total_iters=9),
        "sequential": lambda o: S.SequentialLR(o, [
            S.LinearLR(o, start_factor=0.1, total_iters=6),
            S.StepLR(o, 3, gamma=0.5), S.ExponentialLR(o, 0.8)], [6, 14]),
        "chained": lambda o: S.ChainedScheduler([
            S.ConstantLR(o, 0.25, 4), S.ExponentialLR(o, 0.9),
            S.MultiStepLR(o, [10], gamma=0.2),
            S.PolynomialLR(o, total_iters=30, power=2)]),
    }
    for name, make in kinds.items():
        put(name, table(make, 24)[0])


def cycles():
    """Schedulers that move the momentum too."""
    kinds = {
        "onecycle": lambda o: S.OneCycleLR(o, BASE, 24),
        "onecycle3": lambda o: S.OneCycleLR(
            o, BASE, 24, pct_start=0.4, three_phase=True, div_factor=10,
            final_div_factor=50, anneal_strategy="linear"),
        "cyclic": lambda o: S.CyclicLR(o, 0.05, BASE, 4, 3),
        "cyclic2": lambda o: S.CyclicLR(o, 0.05, BASE, 3,
                                        mode="triangular2"),
        "cyclic_exp": lambda o: S.CyclicLR(o, 0.05, BASE, 5,
                                           mode="exp_range", gamma=0.93),
    }
    for name, make in kinds.items():
        rates, momenta = table(make, 24, 0.9)
        put(name, rates)
        put(name + "_m", momenta)


def lambdas():
    """transformers' formulas over torch's LambdaLR: N 24, W 5."""
    N, W = 24, 5

    def warm(rest):
        return lambda o: S.LambdaLR(
            o, lambda k: k / max(1, W) if k < W else rest(k))

    def restarts(k):
        x = (k - W) / max(1, N - W)
        return 0.0 if x >= 1 else max(
            0.0, 0.5 * (1 + math.cos(math.pi * ((3 * x) % 1.0))))

    def polynomial(k):
        end, power = 0.01, 2.0
        return ((BASE - end) * (1 - (k - W) / (N - W)) ** power + end) / BASE

    def inverse(k):
        return 1.0 / math.sqrt((k + W - W) / W)

    put("restarts_hf", table(warm(restarts), N)[0])
    put("polynomial_hf", table(warm(polynomial), N)[0])
    put("inverse_hf", table(warm(inverse), N)[0])


def planned():
    """transformers' constant, linear and cosine over N steps, W warmup."""
    for N, W in [(20, 0), (20, 3), (21, 5), (7, 7), (1, 0)]:
        forms = {
            "constant": lambda k: 1.0,
            "linear": lambda k: max(0.0, (N - k) / max(1, N - W)),
            "cosine": lambda k: max(0.0, 0.5 * (1.0 + math.cos(
                math.pi * 0.5 * 2.0 * (k - W) / max(1, N - W)))),
        }
        for name, form in forms.items():
            put("%s_%d_%d" % (name, N, W), table(lambda o: S.LambdaLR(
                o, lambda k: k / max(1, W) if k < W else form(k)), N)[0])
    put("annealing_20", table(
        lambda o: S.CosineAnnealingLR(o, 20, eta_min=0.02), 21)[0])
    put("decline_20", table(
        lambda o: S.LinearLR(o, 1.0, 0.1, total_iters=20), 25)[0])


def plateau():
    """ReduceLROnPlateau over 60 numbers: two lines each, numbers, rates."""
    kinds = {
        "plateau_min": dict(mode="min", patience=3, factor=0.5, cooldown=2),
        "plateau_max": dict(mode="max", patience=2, factor=0.3,
                            threshold=0.02, threshold_mode="abs",
                            min_lr=0.001),
    }
    for name, how in kinds.items():
        p = torch.nn.Parameter(torch.zeros(1))
        opt = torch.optim.SGD([p], lr=BASE)
        sched = S.ReduceLROnPlateau(opt, **how)
        seen, rates = [], []
        for k in range(60):
            seen.append(round(math.cos(0.37 * k * k) + 2 / (1 + k), 4))
            sched.step(seen[-1])
            rates.append(opt.param_groups[0]["lr"])
        put(name + "_seen", seen)
        put(name, rates)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print("# tests/golden/make_schedule.py, Python %s, torch %s"
          % (platform.python_version(), torch.__version__))
    torch_tables()
    cycles()
    lambdas()
    planned()
    plateau()
