/*
 * onnx - a model as one ONNX file: opset 13, normalisation inside.
 *
 * Input "x" (batch, time, features) raw features, output "y" (batch, time,
 * outputs), batch and time free. Sequences of a batch must have one length:
 * the graph knows no padding.
 */
#ifndef EVAL_ONNX_H
#define EVAL_ONNX_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "nn/model.h"

/* A fact for people and programs, kept in the file's metadata. */
struct onnx_fact {
    const char *key;   /* "rate_num" */
    const char *value; /* text */
};

/*
 * Appends the ModelProto of m to out.
 *
 * version: of the program; facts: n_facts, in order
 * Weight norm is folded; dropout is not there. Convolutions have explicit
 * pads and dilations, since ONNX Runtime refuses auto_pad with dilation.
 * Returns 0; -1 with err set. Source: onnx.proto3, IR version 7.
 */
int onnx_put(struct buf *out, const struct model *m, const char *version,
             const struct onnx_fact *facts, size_t n_facts,
             struct err *err) NODISCARD;

#endif
