"""Runs exported models with ONNX Runtime and compares outputs.

usage: check_onnx.py FOLDER
       check_onnx.py MODEL OUTPUTS

FOLDER is what tests/helpers/onnxcases.c wrote: models with every switch, with
inputs of several lengths and what a2b's model makes of them. Every length is
run alone and twice in one batch. OUTPUTS holds what a2b's model computes for
the input of tests/helpers/modelrun.c, a number a line. Exits 1 when a number
is further off than 1e-5.
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime


def load(path):
    """A checked model as a session, and its number of inputs."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    opset = [o.version for o in model.opset_import if o.domain == ""]
    if opset != [13]:
        sys.exit(f"{path}: opset {opset}")
    for node in model.graph.node:
        names = {a.name for a in node.attribute}
        if node.op_type == "Conv" and not {"pads", "dilations"} <= names:
            sys.exit(f"{path}: a Conv without explicit pads and dilations")
    C = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    return onnxruntime.InferenceSession(path), C, len(model.graph.node)


def check_folder(folder):
    """Every case at every length; the largest difference."""
    worst, n = 0, 0
    for name in sorted(f for f in os.listdir(folder) if f.endswith(".onnx")):
        session, C, nodes = load(os.path.join(folder, name))
        text = open(os.path.join(folder, name[:-5] + ".txt"))
        title, off = text.readline().strip(), 0
        while line := text.readline():
            T = int(line.split()[1])
            x = np.array(text.readline().split(), np.float32).reshape(1, T, C)
            want = np.array(text.readline().split(), np.float32)
            y = session.run(["y"], {"x": np.concatenate([x, x])})[0]
            one = session.run(["y"], {"x": x})[0]
            off = max(off, np.abs(one.ravel() - want).max(),
                      *np.abs(y.reshape(2, -1) - want).max(1))
            n += 1
        print(f"{title}: {nodes} nodes, largest difference {off:.2g}")
        worst = max(worst, off)
    return worst if n else np.inf


def check_one(path, outputs):
    """One model; the largest difference."""
    session, C, nodes = load(path)
    t, c = np.meshgrid(np.arange(50), np.arange(C), indexing="ij")
    x = (10 * np.sin(0.3 * t + c)).astype(np.float32)[None]
    y = session.run(["y"], {"x": x})[0].ravel()
    worst = np.abs(y - np.loadtxt(outputs, comments="#").ravel()).max()
    print(f"{nodes} nodes, largest difference {worst:.2g}")
    return worst


sys.exit(not (check_folder(sys.argv[1]) if len(sys.argv) == 2
              else check_one(*sys.argv[1:])) <= 1e-5)
