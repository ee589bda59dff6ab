/*
 * test_onnx - exported models, read back and run by onnxrun.c, and what that
 * does with files that are wrong. What ONNX Runtime makes of the same files
 * is asked in a2b-export.bats.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "eval/onnx.h"
#include "eval/onnxrun.h"
#include "onnx_cases.h"
#include "tap.h"

/* Every switch: the file computes what the model does. */
static void test_switches(void)
{
    struct onnx_case cases[ONNX_CASES_MAX];
    size_t n = onnx_cases(cases), i;
    struct err err;

    for (i = 0; i < n; i++) {
        struct buf file = {0};
        struct model m;
        double worst;
        bool same;

        if (onnx_case_model(&cases[i], &m, &err) ||
            onnx_put(&file, &m, "1", NULL, 0, &err)) {
            tap_ok(false, "%s: %s", cases[i].name, err.text);
            continue;
        }
        same = !onnxrun_verify(file.data, file.len, &m, &worst, &err);
        tap_ok(same && worst < 1e-5, "%s: %.2g", cases[i].name, worst);
        model_release(&m);
        buf_release(&file);
    }
}

/* A file of other weights, or with one of them changed, is found out. */
static void test_others(void)
{
    struct onnx_case cases[ONNX_CASES_MAX];
    struct buf file = {0};
    struct model m;
    struct err err;
    double worst;
    float *weight;
    char *at;
    size_t i;

    onnx_cases(cases);
    if (onnx_case_model(&cases[0], &m, &err) ||
        onnx_put(&file, &m, "1", NULL, 0, &err))
        exit(2);
    weight = m.weights;
    *weight += 0.01f;
    tap_ok(onnxrun_verify(file.data, file.len, &m, &worst, &err) &&
               err.status == ERR_FAILED && strstr(err.text, "differ by"),
           "a weight is another: %s", err.text);
    *weight = NAN;
    tap_ok(onnxrun_verify(file.data, file.len, &m, &worst, &err) &&
               err.status == ERR_FAILED,
           "a weight is NaN: %s", err.text);
    *weight = 0;
    /* values are called after operations, too */
    for (at = file.data, i = 0; i + 4 < file.len; i++, at++) {
        if (!memcmp(at, "Relu", 4))
            memcpy(at, "Nope", 4);
    }
    tap_ok(onnxrun_verify(file.data, file.len, &m, &worst, &err) &&
               strstr(err.text, "unknown operation Nope"),
           "an operation is another: %s", err.text);
    model_release(&m);
    buf_release(&file);
}

/* A file cut at every 7th byte, or with it changed, is refused or differs. */
static void test_damaged(void)
{
    struct onnx_case cases[ONNX_CASES_MAX];
    float x[3 * 5] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct buf file = {0};
    struct model m;
    struct err err;
    double *y;
    size_t i, O, refused = 0, ran = 0;

    onnx_cases(cases);
    if (onnx_case_model(&cases[4], &m, &err) ||
        onnx_put(&file, &m, "1", NULL, 0, &err))
        exit(2);
    for (i = 0; i < file.len; i += 7) {
        char *copy = malloc(i + 1); /* so that a read beyond it is seen */

        memcpy(copy, file.data, i);
        if (onnxrun_forward(copy, i, x, 5, 3, &y, &O, &err)) {
            refused += err.status == ERR_DATA;
        } else {
            ran++;
            free(y);
        }
        free(copy);
    }
    /* what stands behind the graph is not needed to run it */
    tap_ok(refused + ran == (file.len + 6) / 7 && ran < 9,
           "%zu cuts are refused, %zu leave the graph whole", refused, ran);
    for (i = refused = 0; i < file.len; i += 7) {
        file.data[i] = (char)(file.data[i] ^ 0x11);
        if (onnxrun_forward(file.data, file.len, x, 5, 3, &y, &O, &err))
            refused++;
        else
            free(y);
        file.data[i] = (char)(file.data[i] ^ 0x11);
    }
    tap_ok(refused > file.len / 70, "%zu of %zu changed bytes are refused",
           refused, (file.len + 6) / 7);
    model_release(&m);
    buf_release(&file);
}

/* All tests. */
int main(void)
{
    test_switches();
    test_others();
    test_damaged();
    return tap_done();
}
