#!/usr/bin/python3
"""Carries models between a2b and PyTorch.

usage: make_ckpt.py CHECKPOINT OUTPUTS [FILE]
       make_ckpt.py --make CHECKPOINT FILE

Loads a checkpoint's model.safetensors into PyTorch and compares outputs.
CHECKPOINT is a checkpoint folder; OUTPUTS holds what a2b's model computes for
the input of tests/helpers/modelrun.c. The tensors must equal those of FILE.
--make writes FILE: the state_dict of a new PyTorch model with the settings of
CHECKPOINT, without any metadata. The modules are those of make_models.py,
written from the description of the models alone. Nothing is stored: this is a
live test of a2b-train.bats, run where torch is installed. Without operands it
does nothing.
"""
import base64
import json
import struct
import sys

import numpy as np
import torch

from make_models import Tcn, WaveNet


def read_safetensors(path):
    """All tensors and the metadata of a file, without the package."""
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        begin, end = (8 + size + n for n in t["data_offsets"])
        array = np.frombuffer(data[begin:end], "<f4").reshape(t["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors, meta


def write_safetensors(path, tensors):
    """A file of tensors without metadata."""
    header, data = {}, b""
    for name, t in tensors.items():
        part = t.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def model_of(meta):
    """A new module with the settings a checkpoint's metadata has."""
    params = json.loads(meta["a2b.params"])
    return {"tcn": Tcn, "wavenet": WaveNet}[meta["a2b.architecture"]](params)


def make(checkpoint, path):
    """Writes a new model's weights."""
    torch.manual_seed(5)
    meta = read_safetensors(checkpoint + "/model.safetensors")[1]
    write_safetensors(path, model_of(meta).state_dict())


def main():
    """Compares; exits 1 when an output is further off than 1e-5."""
    tensors, meta = read_safetensors(sys.argv[1] + "/model.safetensors")
    model = model_of(meta)
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
    same = True
    if len(sys.argv) > 3:
        other = read_safetensors(sys.argv[3])[0]
        same = (other.keys() == tensors.keys()
                and all(torch.allclose(other[k], tensors[k], 0, 1e-20)
                        for k in other))
        print("tensors are", "equal" if same else "other ones")
    sys.exit(not (same and len(got) == len(want) and worst <= 1e-5))


if __name__ == "__main__" and len(sys.argv) > 3 and sys.argv[1] == "--make":
    make(*sys.argv[2:4])
elif __name__ == "__main__" and len(sys.argv) > 2:
    main()
