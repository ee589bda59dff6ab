#!/usr/bin/python3
"""Whole training steps beside PyTorch, in turns.

    make bench-train   or   tests/bench/train.py [options] build/bench/train

A step is forward, backward, clipping of the gradient's norm, and AdamW, with
dropout, on one batch that is in memory: 8 sequences of 4000 frames, or 8 of
300 to 900 as songs have them, which PyTorch pads to the longest (its loss is
masked). The models are those of configs/example*.yml and "big", a WaveNet of
5 x 12 layers with 128 and 256 channels.

Every side is a process of its own that computes on request, so that they
take turns step by step and meet the same load of the machine; before their
turns each has done two steps. A step's number is the median over the turns:
CPU time of the process, and wall time. GFLOP/s count the multiply-adds of
the convolutions as they are defined, whoever computes fewer; the peak is a
loop of multiply-adds on registers in the same run. One thread is compared by
CPU time, several by wall time.

PyTorch runs as: eager, compile (torch.compile), each also with "nhwc" (the
same as 2-d convolutions, memory format channels_last) and with "bf16"
(autocast); AdamW is its fused one where it has that. OURS adds rows of ours
with other settings, ALSO one of another build.
"""
import argparse
import ctypes
import json
import os
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = os.path.join(HERE, "..", "..", "configs")

# Models by name: architecture and parameters; those of the examples are
# read from them by read_example().
BIG = {"num_stacks": 5, "num_layers_per_stack": 12, "residual_channels": 128,
       "skip_channels": 256, "kernel_size": 3, "dilation_base": 2,
       "dropout_rate": 0.2, "input_channels": 40, "output_channels": 1,
       "use_bias": True}
MODELS = ["example1", "example2", "example3", "big"]
MODES = ["eager", "compile", "nhwc-eager", "nhwc-compile", "bf16-eager",
         "bf16-compile"]
# What both sides train with.
KEYS = ["optimizer.name=adamw", "optimizer.learning_rate=1e-4",
        "optimizer.weight_decay=0.01", "optimizer.gradient_clip_val=1",
        "loss.name=mse"]


def read_example(name):
    """Architecture and parameters of configs/NAME.yml, which is plain."""
    params, architecture, inside = {}, None, False
    path = os.path.join(CONFIGS, name + ".yml")
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split("#")[0].split()
            if words and not line.startswith(" "):
                inside = words == ["model:"]
            elif inside and len(words) == 2:
                key, value = words[0][:-1], words[1]
                if key == "architecture":
                    architecture = value
                else:
                    params[key] = json.loads(value)
    return architecture, params


def model_of(name):
    """Architecture and parameters."""
    return ("wavenet", BIG) if name == "big" else read_example(name)


def lengths_of(shape, frames):
    """Frames of each of 8 sequences."""
    if shape == "ragged":
        draw = random.Random(7)
        return [draw.randint(300, 900) for _ in range(8)]
    return [frames] * 8


# ------------------------------------------------------------------ PyTorch

def build(torch, architecture, p, flat):
    """A module; flat: 1-d convolutions, else 2-d ones of height 1."""
    nn = torch.nn

    def conv(n_in, n_out, kernel=1, dilation=1, bias=True):
        pad = (kernel - 1) * dilation // 2
        if flat:
            return nn.Conv1d(n_in, n_out, kernel, padding=pad,
                             dilation=dilation, bias=bias)
        return nn.Conv2d(n_in, n_out, (1, kernel), padding=(0, pad),
                         dilation=(1, dilation), bias=bias)

    class Block(nn.Module):
        """A TCN's block."""

        def __init__(self, n_in, dilation):
            super().__init__()
            n, k = p["num_channels"], p["kernel_size"]
            self.conv1 = conv(n_in, n, k, dilation)
            self.conv2 = conv(n, n, k, dilation)
            self.short = conv(n_in, n) if n_in != n else None
            self.drop = nn.Dropout(p["dropout"])

        def forward(self, x):
            y = self.drop(torch.relu(self.conv1(x)))
            y = self.drop(torch.relu(self.conv2(y)))
            return torch.relu(y + (self.short(x) if self.short else x))

    class WaveNet(nn.Module):
        """A WaveNet with its gate tied and one head."""

        def __init__(self):
            super().__init__()
            r, s, n_in = (p["residual_channels"], p["skip_channels"],
                          p["input_channels"])
            n = p["num_stacks"] * p["num_layers_per_stack"]
            self.layers = nn.ModuleList([conv(
                n_in if i == 0 else r, r, p["kernel_size"],
                p["dilation_base"] ** (i % p["num_layers_per_stack"]))
                for i in range(n)])
            self.skips = nn.ModuleList([conv(r, s) for _ in range(n)])
            self.short = conv(n_in, r)
            self.out1, self.out2 = conv(s, s), conv(s, p["output_channels"])
            self.drop = nn.Dropout(p["dropout_rate"])

        def forward(self, x):
            total = 0
            for i, layer in enumerate(self.layers):
                z = layer(x)
                g = torch.tanh(z) * torch.sigmoid(z)
                total = total + self.skips[i](g)
                x = self.drop((self.short(x) if i == 0 else x) + g)
            return self.out2(torch.relu(self.out1(torch.relu(total))))

    if architecture == "wavenet":
        return WaveNet()
    n = p["num_channels"]
    return nn.Sequential(*[Block(p["input_size"] if i == 0 else n, 2 ** i)
                           for i in range(p["num_blocks"])],
                         conv(n, p["output_size"]))


def worker(job):
    """A PyTorch process: one step for each line on standard input."""
    import torch

    mode, lengths = job["mode"].split("-"), job["lengths"]
    torch.set_num_threads(job["threads"])
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    flat, half = "nhwc" not in mode, "bf16" in mode
    module = build(torch, *job["model"], flat)
    params = list(module.parameters())
    size = (len(lengths), params[0].shape[1], 1, max(lengths))
    x, y = torch.randn(size), torch.randn(size[0], 1, 1, size[3])
    if flat:
        x, y = x[:, :, 0].contiguous(), y[:, :, 0].contiguous()
    else:
        module = module.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    mask = (torch.arange(size[3]) < torch.tensor(lengths)[:, None]).float()
    mask = mask.reshape(y.shape)
    try:
        optimizer = torch.optim.AdamW(params, 1e-4, weight_decay=0.01,
                                      fused=True)
    except (TypeError, RuntimeError):
        optimizer = torch.optim.AdamW(params, 1e-4, weight_decay=0.01)

    def loss_of(x, y, mask):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            out = module(x)
        return ((out.float() - y) ** 2 * mask).sum() / mask.sum()

    if "compile" in mode:
        import torch._inductor.config
        # its own random numbers make dropout slower still
        torch._inductor.config.fallback_random = True
        loss_of = torch.compile(loss_of)

    def step():
        optimizer.zero_grad()
        loss = loss_of(x, y, mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        return loss.item()

    # what big steps leave behind must not add up over the processes
    trim = ctypes.CDLL("libc.so.6").malloc_trim if job["trim"] else int
    print("ready 0", flush=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.monotonic()
        loss = step()
        print("%.6f %.6f %.9g" % (time.process_time() - cpu,
                                  time.monotonic() - wall, loss), flush=True)
        trim(0)


# ---------------------------------------------------------------- the bench

class Side:
    """One process that takes turns."""

    def __init__(self, name, command):
        self.name, self.turns, self.dead = name, [], None
        self.p = subprocess.Popen(command, text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        answer = self.p.stdout.readline().split()
        self.flop = float(answer[1]) if answer else 0
        if not answer:
            self.die()

    def die(self):
        """It said nothing: what its last line on stderr was."""
        lines = self.p.communicate()[1].split("\n")
        self.dead = ([line for line in lines if line] or ["died"])[-1]

    def ask(self, line):
        """Numbers in answer to a line; None once it is dead."""
        if self.dead is None:
            self.p.stdin.write(line + "\n")
            self.p.stdin.flush()
            answer = self.p.stdout.readline().split()
            if answer:
                return [float(word) for word in answer]
            self.die()
        return None

    def turn(self, counts):
        """One step."""
        took = self.ask("go")
        if took and counts:
            self.turns.append(took)

    def median(self, which):
        """Median over the turns: 0 CPU, 1 wall."""
        return statistics.median(t[which] for t in self.turns)

    def close(self):
        """Ends the process."""
        if self.dead is None:
            self.p.stdin.close()
            self.p.wait()


def sides_of(args, model, lengths, threads):
    """Ours first, then PyTorch's."""
    architecture, params = model
    keys = KEYS + ["model={architecture: %s, params: %s}" % (
        architecture, json.dumps(params))]
    text = ",".join(map(str, lengths))
    ours = [("a2b", args.program, [])]
    ours += [("a2b " + o.rpartition(".")[2], args.program, o.split(","))
             for o in args.ours.split()]
    ours += [("a2b, other build", args.also, [])] if args.also else []
    sides = [Side(name, [program, str(threads), text, *keys, *more])
             for name, program, more in ours]
    trim = len(lengths) * max(lengths) * params.get("skip_channels", 0) > 8e6
    for mode in args.modes.split():
        job = {"mode": mode, "model": model, "lengths": lengths,
               "threads": threads, "trim": trim}
        sides.append(Side(mode, [args.python, os.path.abspath(__file__),
                                 "--worker", json.dumps(job)]))
    return sides


def compare(args, name, shape, threads):
    """One table. Returns its line of the summary, or None."""
    lengths = lengths_of(shape, args.frames)
    sides = sides_of(args, model_of(name), lengths, threads)
    ours, peaks = sides[0], []
    if ours.dead:
        sys.exit("%s: %s" % (args.program, ours.dead))
    for turn in range(-2, args.rounds):
        if turn == 0 or turn == args.rounds - 1:
            peaks.append(ours.ask("peak 0.3")[0])
        for side in sides:
            side.turn(turn >= 0)
    peak = statistics.mean(peaks)
    print("\n%s, %s, %d thread%s: %.1f GFLOP a step, peak %.0f GFLOP/s, "
          "median of %d" % (name, "8 x %d frames" % args.frames
                            if shape == "full" else
                            "8 of %d to %d frames" % (min(lengths),
                                                      max(lengths)),
                            threads, "s" * (threads > 1), 1e-9 * ours.flop,
                            peak, args.rounds))
    which = 0 if threads == 1 else 1
    print("  %-18s %8s %8s %8s %6s %10s %6s" % (
        "", "CPU s", "wall s", "GFLOP/s", "peak", "CPU ratio", "wall"))
    for side in sides:
        side.close()
        if side.dead:
            print("  %-18s %s" % (side.name, side.dead))
            continue
        rate = 1e-9 * ours.flop / side.median(which)
        print("  %-18s %8.3f %8.3f %8.1f %5.0f%% %10.2f %6.2f" % (
            side.name, side.median(0), side.median(1), rate,
            100 * rate / peak if peak else 0,
            *[side.median(k) / ours.median(k) for k in (0, 1)]))
    sys.stdout.flush()
    best = {}
    for side in sides:
        if not side.dead and not side.name.startswith("a2b"):
            kind = "bf16" if "bf16" in side.name else "float32"
            ratio = side.median(which) / ours.median(which)
            best[kind] = min(best.get(kind, (ratio, side.name)),
                             (ratio, side.name))
    return (name, shape, threads, best)


def versions(python):
    """What PyTorch says it is."""
    return subprocess.run([python, "-c", "import torch; print('PyTorch', "
                           "torch.__version__)"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          check=False).stdout.strip().split("\n")[-1]


def cpu_name():
    """The processor."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":")[1].strip() for line in lines
                 if line.startswith("model name")]
    return "%d x %s" % (len(names), names[0]) if names else "unknown processor"


def main():
    """All tables and a summary."""
    args = argparse.ArgumentParser()
    args.add_argument("program")
    for key, value in (("models", " ".join(MODELS)), ("shapes", "full ragged"),
                       ("modes", " ".join(MODES)), ("threads", "1 2"),
                       ("ours", ""), ("also", ""),
                       ("python", sys.executable)):
        args.add_argument("--" + key, default=value)
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--frames", type=int, default=4000)
    args = args.parse_args()
    print("%s, %s, load %.1f" % (cpu_name(), versions(args.python),
                                 os.getloadavg()[0]))
    lines = []
    for name in args.models.split():
        for shape in args.shapes.split():
            for threads in args.threads.split():
                lines.append(compare(args, name, shape, int(threads)))
    print("\nfastest of PyTorch, times a2b (1 thread by CPU time, more by "
          "wall time)")
    for name, shape, threads, best in lines:
        print("  %-10s %-7s %d  %s" % (name, shape, threads, "   ".join(
            "%s %.2f (%s)" % (kind, *best[kind]) for kind in sorted(
                best, reverse=True))))


if len(sys.argv) > 2 and sys.argv[1] == "--worker":
    worker(json.loads(sys.argv[2]))
else:
    main()
