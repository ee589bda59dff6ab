#!/usr/bin/python3
"""A dataset of PMEmo's size, from files to a trained model, beside PyTorch.

    make bench-pmemo [SCALE=0.1] [TORCH_SCALE=0.1] [EPOCHS=20]

The dataset is planted by a2b-synth, once and outside the timing: 794 songs of
32 to 44 s (8.4 h, 44.1 kHz WAV, 2.7 GB under the build folder) with 7,962
recordings of 50 Hz; SCALE takes that share of the songs. The a2b side runs
its programs as a user would: listing, features, and 20 epochs of the example1
model on all recordings, once in random batches of 32 recordings, once with
data.group_by_song. The PyTorch side is the script one writes in an afternoon:
torchaudio for the songs, SciPy for the signals, padded random batches with a
mask, AdamW on a cosine; on TORCH_SCALE of the songs, its time scaled by the
number of recordings. Both have two threads, the same batch size, epochs,
model, loss, optimizer and schedule.

Prints wall and CPU seconds of every stage, the largest process, valid frames a
second of training, the loss at the end, and the ratios that are aimed at: 8
with random batches, 20 grouped by song.

A2B_PYTHON names the interpreter that has torch and torchaudio; without them
only the a2b side runs.
"""
import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import time

SONGS, RECORDINGS, SUBJECTS = 794, 7962, 11
BATCH, THREADS = 32, 2


def share(scale):
    """Songs and recordings of a share of the dataset."""
    songs = max(1, round(SONGS * scale))
    return songs, round(RECORDINGS * songs / SONGS)


def shell(command, cwd):
    """Runs a pipeline; wall and CPU seconds, MB of its largest process."""
    start = time.perf_counter()
    child = subprocess.Popen(["bash", "-eu", "-o", "pipefail", "-c", command],
                             cwd=cwd, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"failed: {command}")
    return (time.perf_counter() - start, used.ru_utime + used.ru_stime,
            used.ru_maxrss / 1024)


def make_dataset(folder, scale):
    """Plants the dataset if it is not there, and lists its recordings: the
    first ten listeners of every song, the eleventh of as many as it takes."""
    songs, recordings = share(scale)
    if not os.path.exists(f"{folder}/data/planted.json"):
        shutil.rmtree(f"{folder}/data", ignore_errors=True)
        shell(f"a2b-synth -q -j {THREADS} --n-songs {songs} "
              f"--n-subjects {SUBJECTS} --min-s 32 --max-s 44 "
              "--rate-hz 44100 --seed 7 -o data", folder)
    keep, heard = [], {}
    lines = subprocess.run(["a2b-index", f"{folder}/data"], check=True,
                           capture_output=True, text=True).stdout
    for line in lines.splitlines():
        song = json.loads(line)["song"]
        heard[song] = heard.get(song, 0) + 1
        spare = recordings - (SUBJECTS - 1) * songs
        if heard[song] < SUBJECTS or len(
                [s for s in keep if s[0] == SUBJECTS]) < spare:
            keep.append((heard[song], line))
    with open(f"{folder}/wanted.jsonl", "w") as f:
        for _, line in keep:
            row = json.loads(line)
            row["split"] = "train"
            f.write(json.dumps(row, separators=(",", ":")) + "\n")
    return len(heard), len(keep)


def write_config(folder, example, epochs):
    """The example's model, optimizer, loss and features, and our epochs."""
    with open(example) as f:
        text = f.read()
    text = text.replace("[hku956]", "[pmemo2019]")
    text = text.replace("max_epochs: 100 ", f"max_epochs: {epochs} ")
    with open(f"{folder}/c.yml", "w") as f:
        f.write(text)


def frames(folder):
    """Valid frames of an epoch, from the dataset's own lengths."""
    seconds = {}
    with open(f"{folder}/data/metadata.csv") as f:
        for row in csv.DictReader(f):
            seconds[row["musicId"]] = float(row["duration"])
    with open(f"{folder}/wanted.jsonl") as f:
        return sum(10 * seconds[json.loads(line)["song"]] for line in f)


def last_loss(path):
    """Mean of the last ten losses of a run."""
    with open(path) as f:
        rows = [json.loads(line) for line in f]
    tail = [r["loss"] for r in rows if r["split"] == "train"][-10:]
    return sum(tail) / len(tail)


def run_a2b(folder, epochs):
    """All stages; a list of (stage, wall s, CPU s, MB) and the loss, for
    random and for grouped batches."""
    common = f"-q -j {THREADS} -c c.yml"
    rows = []

    def stage(name, command):
        rows.append((name, *shell(command, folder)))

    stage("list", "a2b-index -q -c c.yml wanted.jsonl > train.jsonl")
    stage("features", "a2b-fetch -q -j 2 < train.jsonl"
          f" | a2b-mfcc {common} | a2b-eda {common} > train.a2b")
    for name, option in (("random", ""), ("grouped", "--group-by-song")):
        shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
        stage(f"train, {name}",
              f"a2b-batch {common} {option} train.a2b | a2b-train {common}"
              f" --set logging.log_every_n_steps=1 -o {name}")
    return rows, {n: last_loss(f"{folder}/{n}/metrics.jsonl")
                  for n in ("random", "grouped")}


def now():
    """Wall and CPU seconds of this process."""
    return time.perf_counter(), time.process_time()


def since(start, end=None):
    """What passed from one now() to another."""
    end = end or now()
    return end[0] - start[0], end[1] - start[1]


def torch_features(folder, rows):
    """Songs as MFCCs, signals as z-scores on the same 10 frames a second."""
    import numpy as np
    import torchaudio
    from scipy.signal import butter, filtfilt
    songs, items = {}, []
    start = now()
    mfcc = torchaudio.transforms.MFCC(16000, 40, melkwargs={
        "n_fft": 2048, "hop_length": 1600, "n_mels": 128})
    resamplers = {}
    for song in sorted({r["song"] for r in rows}):
        audio, rate = torchaudio.load(f"{folder}/data/chorus/{song}.wav")
        audio = audio.mean(0)
        audio = audio / audio.abs().max().clamp(min=1e-9)
        if rate not in resamplers:
            resamplers[rate] = torchaudio.transforms.Resample(rate, 16000)
        songs[song] = mfcc(resamplers[rate](audio)).T.numpy()
    middle = now()
    b, a = butter(2, 8, fs=50)
    for song in songs:
        path = f"{folder}/data/EDA/{song}_EDA.csv"
        with open(path) as f:
            names = f.readline().strip().split(",")
        table = np.loadtxt(path, delimiter=",", skiprows=1)
        for row in rows:
            if row["song"] != song:
                continue
            y = filtfilt(b, a, table[:, names.index(row["eda_column"])])
            y = (y - y.mean()) / (y.std() + 1e-9)
            t = np.arange(len(songs[song])) / 10
            t = t[t <= table[-1, 0]]
            items.append((song, np.interp(t, table[:, 0], y)
                          .astype(np.float32)))
    return songs, items, since(start, middle), since(middle)


def torch_model():
    """example1: five residual blocks of 64 channels, dilations 1 to 16."""
    from torch import nn

    class Block(nn.Module):
        """Two dilated convolutions beside a shortcut."""
        def __init__(self, n_in, n_out, dilation):
            super().__init__()
            self.a = nn.Conv1d(n_in, n_out, 3, padding=dilation,
                               dilation=dilation)
            self.b = nn.Conv1d(n_out, n_out, 3, padding=dilation,
                               dilation=dilation)
            self.s = (nn.Identity() if n_in == n_out
                      else nn.Conv1d(n_in, n_out, 1))
            self.relu, self.drop = nn.ReLU(), nn.Dropout(0.2)

        def forward(self, x):
            """(B, C, T) to (B, C, T)."""
            u = self.drop(self.relu(self.a(x)))
            u = self.drop(self.relu(self.b(u)))
            return self.relu(u + self.s(x))

    return nn.Sequential(*[Block(40 if i == 0 else 64, 64, 2 ** i)
                           for i in range(5)], nn.Conv1d(64, 1, 1))


def torch_train(songs, items, epochs):
    """Random padded batches; wall and CPU seconds, and the mean of the last
    ten losses."""
    import numpy as np
    import torch
    start = now()
    every = np.concatenate(list(songs.values()))
    mean, std = every.mean(0), every.std(0) + 1e-9
    songs = {k: ((v - mean) / std).astype(np.float32)
             for k, v in songs.items()}
    torch.manual_seed(0)
    model = torch_model()
    steps = epochs * -(-len(items) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(items)).tolist()
        for at in range(0, len(order), BATCH):
            batch = [items[i] for i in order[at:at + BATCH]]
            T = max(len(y) for _, y in batch)
            x = torch.zeros(len(batch), 40, T)
            y, ok = torch.zeros(len(batch), T), torch.zeros(len(batch), T)
            for i, (song, eda) in enumerate(batch):
                n = len(eda)
                x[i, :, :n] = torch.from_numpy(songs[song][:n].T.copy())
                y[i, :n], ok[i, :n] = torch.from_numpy(eda), 1
            error = (model(x)[:, 0] - y) ** 2 * ok
            loss = error.sum() / ok.sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return since(start), sum(losses[-10:]) / len(losses[-10:])


def run_torch(folder, scale, epochs):
    """The script on the first songs of the manifest; rows as run_a2b() has
    them, seconds scaled to `scale` of the whole dataset later."""
    import torch
    torch.set_num_threads(THREADS)
    with open(f"{folder}/wanted.jsonl") as f:
        rows = [json.loads(line) for line in f]
    n_songs = share(scale)[0]
    songs = sorted({r["song"] for r in rows}, key=int)[:n_songs]
    rows = [r for r in rows if r["song"] in set(songs)]
    songs, items, audio_s, eda_s = torch_features(folder, rows)
    train_s, loss = torch_train(songs, items, epochs)
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return len(items), [("torchaudio, songs", *audio_s, mb),
                        ("SciPy, signals", *eda_s, mb),
                        ("PyTorch, train", *train_s, mb)], loss


def table(title, rows, factor=1):
    """Prints stages and their sum."""
    print(f"\n{title}")
    print(f"  {'':<22} {'wall':>8}    {'CPU':>8}    {'largest':>7}")
    for name, wall, cpu, mb in rows:
        print(f"  {name:<22} {wall * factor:8.1f} s  {cpu * factor:8.1f} s"
              f"  {mb:7.0f} MB")


def main():
    """Runs both sides and prints the ratios."""
    cli = argparse.ArgumentParser()
    cli.add_argument("--build", default="build")
    cli.add_argument("--scale", type=float, default=1)
    cli.add_argument("--torch-scale", type=float, default=0.1)
    cli.add_argument("--epochs", type=int, default=20)
    a = cli.parse_args()
    build = os.path.abspath(a.build)
    os.environ["PATH"] = f"{build}/bin:" + os.environ["PATH"]
    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    here = os.path.dirname(os.path.abspath(__file__))
    folder = f"{build}/pmemo-{a.scale:g}"
    os.makedirs(folder, exist_ok=True)
    n_songs, n = make_dataset(folder, a.scale)
    write_config(folder, f"{here}/../../configs/example1.yml", a.epochs)
    work = a.epochs * frames(folder)
    rows, losses = run_a2b(folder, a.epochs)
    print(f"{n_songs} songs, {n} recordings, {a.epochs} epochs, "
          f"{work / 1e6:.1f} M valid frames")
    table("a2b", rows)
    total, total_cpu = ({"random": sum(r[k] for r in rows[:3]),
                         "grouped": sum(r[k] for r in rows[:2] + rows[3:])}
                        for k in (1, 2))
    for i, name in enumerate(total):
        print(f"  {name}: {total[name]:.1f} s end to end, "
              f"{work / rows[2 + i][1]:.0f} valid frames/s in training, "
              f"loss {losses[name]:.3f}")
    try:
        import torch  # noqa: F401 pylint: disable=unused-import
        import torchaudio  # noqa: F401 pylint: disable=unused-import
    except ImportError:
        print("no torch and torchaudio: no comparison")
        return
    done, rows, loss = run_torch(folder, min(a.torch_scale, a.scale),
                                 a.epochs)
    factor = n / done
    taken, cpu = sum(r[1] for r in rows), sum(r[2] for r in rows)
    table(f"PyTorch script, {done} recordings in {taken:.1f} s, "
          f"times {factor:.2f}", rows, factor)
    print(f"  {taken * factor:.1f} s end to end, "
          f"{work / factor / rows[2][1]:.0f} valid frames/s in training, "
          f"loss {loss:.3f}\n")
    for name, want in (("random", 8), ("grouped", 20)):
        print(f"{name} batches: {taken * factor / total[name]:.1f} times as "
              f"fast as the script (aim {want}), "
              f"{cpu * factor / total_cpu[name]:.1f} times by CPU time")


if __name__ == "__main__":
    main()
