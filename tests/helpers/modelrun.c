/*
 * modelrun - what the model of a checkpoint computes, one number a line.
 *
 *   modelrun CHECKPOINT
 *
 * The input is x[t][c] = 10 sin(0.3 t + c) in float32, 50 frames; make_ckpt.py
 * gives the same to PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "train/ckpt.h"

/* Frames of the input. */
#define T 50

int main(int argc, char **argv)
{
    char text[NUM_SIZE];
    struct ckpt_model c;
    struct model_work *work = NULL;
    struct err err;
    const float *y;
    float *x = NULL;
    size_t i, C;
    int rc = 1;

    if (ckpt_load_model(&c, argc > 1 ? argv[1] : "", &err)) {
        fprintf(stderr, "modelrun: %s\n", err.text);
        return (int)err.status;
    }
    C = c.model.input_size;
    x = malloc(T * C * sizeof *x);
    work = model_work_open(&c.model, T, 0, &err);
    if (!x || !work)
        goto out;
    for (i = 0; i < T * C; i++)
        x[i] = (float)(10 * sin(0.3 * (double)(i / C) + (double)(i % C)));
    if (model_forward(&c.model, work, x, T, NULL, &y, &err))
        goto out;
    for (i = 0; i < T * c.model.output_size; i++)
        puts(num_float(text, y[i]));
    rc = 0;
out:
    free(x);
    model_work_close(work);
    ckpt_model_release(&c);
    return rc;
}
