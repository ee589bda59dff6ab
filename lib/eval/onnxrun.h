/*
 * onnxrun - an exported model, read back from its bytes and run: protobuf
 * and the operations that our files have, in double. It shares nothing with
 * the writer (onnx.c) or the engine (lib/nn), so that it can bear witness.
 */
#ifndef EVAL_ONNXRUN_H
#define EVAL_ONNXRUN_H

#include <stddef.h>

#include "base/err.h"
#include "nn/model.h"

/*
 * What the model in a file makes of one sequence.
 *
 * bytes: n bytes of a ModelProto with input "x" and output "y"
 * x:     (T, C)
 * y:     (T, *O) result, caller frees
 * Returns 0; -1 with ERR_DATA for bytes that are no such file, for an
 * operation it does not know and for shapes that do not fit.
 */
int onnxrun_forward(const void *bytes, size_t n, const float *x, size_t T,
                    size_t C, double **y, size_t *O,
                    struct err *err) NODISCARD;

/* Largest difference between file and model, relative above 1. */
#define ONNXRUN_MAX_DIFFERENCE 1e-5

/*
 * Compares a file with model_forward() at lengths of 1, 2, 7, 40 frames, of as
 * many as there are inputs (so that time taken for channels shows), and of 3
 * more than the receptive field, 4096 at most, with inputs drawn around the
 * model's mean and within twice its deviation.
 *
 * worst: largest difference
 * Returns 0; -1 with ERR_FAILED if it is above ONNXRUN_MAX_DIFFERENCE, or as
 * above.
 */
int onnxrun_verify(const void *bytes, size_t n, const struct model *m,
                   double *worst, struct err *err) NODISCARD;

/*
 * The input that verifying takes for T frames: x (T, C), a pure function of
 * the model's normalisation.
 */
void onnxrun_input(const struct model *m, size_t T, float *x);

#endif
