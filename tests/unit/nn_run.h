/*
 * nn_run - small words for tests of models: open, run, end the program when
 * a step of the library fails.
 */
#ifndef NN_RUN_H
#define NN_RUN_H

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "nn/model.h"

/* Ends the program where a test cannot go on. */
__attribute__((unused)) static void must(int failed, const struct err *err)
{
    if (!failed)
        return;
    printf("Bail out! %s\n", err->text);
    exit(99);
}

/* A zeroed array of n floats. */
__attribute__((unused)) static float *floats(size_t n)
{
    float *v = calloc(n + 1, sizeof(*v));

    if (!v)
        exit(99);
    return v;
}

/* A model with PyTorch's initial weights. */
__attribute__((unused)) static struct model
made(const struct config_model *conf)
{
    struct model m;
    struct err err;

    must(model_init(&m, conf, &err), &err);
    model_init_weights(&m, 3);
    return m;
}

/* A workspace. */
__attribute__((unused)) static struct model_work *
opened(const struct model *m, size_t T, int training)
{
    struct err err;
    struct model_work *w = model_work_open(m, T, training, &err);

    must(!w, &err);
    return w;
}

/* A forward pass; owned by w. */
__attribute__((unused)) static const float *
forward(const struct model *m, struct model_work *w, const float *x, size_t T,
        const struct model_dropout *drop)
{
    struct err err;
    const float *y;

    must(model_forward(m, w, x, T, drop, &y, &err), &err);
    return y;
}

/* n random numbers in (-1, 1). */
__attribute__((unused)) static float *noise(size_t n, uint32_t position)
{
    float *v = floats(n);
    struct rng r;

    rng_init(&r, 11, RNG_TEST, position, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(2 * rng_uniform(&r) - 1);
    return v;
}

#endif
