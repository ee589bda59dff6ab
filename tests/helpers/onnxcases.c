/*
 * onnxcases - exports of models with every switch, and what the models make
 * of some inputs, for tests with ONNX Runtime.
 *
 *   onnxcases FOLDER
 *
 * FOLDER/<i>.onnx is case i; FOLDER/<i>.txt holds its name, then for several
 * lengths T a line "T <T>", a line of inputs (T, 3), a line of outputs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/onnx_cases.h"
#include "base/num.h"
#include "eval/onnx.h"
#include "eval/onnxrun.h"

/* Ends the program when a step fails. */
static void need(int got, const char *what)
{
    if (!got)
        return;
    fprintf(stderr, "onnxcases: %s\n", what);
    exit(1);
}

/* Opens folder/i.suffix for writing. */
static FILE *create(const char *folder, size_t i, const char *suffix)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%zu.%s", folder, i, suffix);
    f = fopen(path, "wb");
    need(!f, path);
    return f;
}

/* A line of n numbers. */
static void put_line(FILE *f, const float *x, size_t n)
{
    char text[NUM_SIZE];
    size_t i;

    for (i = 0; i < n; i++)
        fprintf(f, "%s%s", i ? " " : "", num_float(text, x[i]));
    fputs("\n", f);
}

/* One case. */
static void put_case(const char *folder, size_t i, const struct onnx_case *c)
{
    static const size_t lengths[] = {1, 2, 3, 7, 50, 300};
    static float x[300 * 3];
    struct model_work *work;
    struct buf file = {0};
    struct model m;
    struct err err;
    const float *y;
    FILE *f;
    size_t k;

    need(onnx_case_model(c, &m, &err) ||
             onnx_put(&file, &m, "1", NULL, 0, &err),
         err.text);
    f = create(folder, i, "onnx");
    fwrite(file.data, 1, file.len, f);
    need(fclose(f), "cannot write");
    work = model_work_open(&m, 300, 0, &err);
    need(!work, err.text);
    onnxrun_input(&m, 300, x);
    f = create(folder, i, "txt");
    fprintf(f, "%s\n", c->name);
    for (k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        need(model_forward(&m, work, x, lengths[k], NULL, &y, &err),
             err.text);
        fprintf(f, "T %zu\n", lengths[k]);
        put_line(f, x, lengths[k] * m.input_size);
        put_line(f, y, lengths[k] * m.output_size);
    }
    need(fclose(f), "cannot write");
    model_work_close(work);
    model_release(&m);
    buf_release(&file);
}

int main(int argc, char **argv)
{
    struct onnx_case cases[ONNX_CASES_MAX];
    size_t n = onnx_cases(cases), i;

    for (i = 0; i < n && argc > 1; i++)
        put_case(argv[1], i, &cases[i]);
    return argc > 1 ? 0 : 2;
}
