"""Runs an exported model with ONNX Runtime and compares outputs.

usage: check_onnx.py MODEL OUTPUTS

OUTPUTS holds what a2b's model computes for the input of
tests/helpers/modelrun.c, a number a line.
"""
import sys

import numpy as np
import onnx
import onnxruntime

model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
C = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
t, c = np.meshgrid(np.arange(50), np.arange(C), indexing="ij")
x = (10 * np.sin(0.3 * t + c)).astype(np.float32)[None]
y = onnxruntime.InferenceSession(sys.argv[1]).run(["y"], {"x": x})[0].ravel()
want = np.loadtxt(sys.argv[2], comments="#").ravel()
worst = np.abs(y - want).max()
print(f"{len(model.graph.node)} nodes, largest difference {worst:.2g}")
sys.exit(not worst <= 1e-5)
