/*
 * nn_golden - reads the lines `test/key n value...` that make_nn.py and
 * make_models.py write, and repeats their formula for weights and inputs.
 */
#ifndef NN_GOLDEN_H
#define NN_GOLDEN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file, unless the program names its own; unit programs run in the source
   folder. */
#ifndef GOLDEN_PATH
#define GOLDEN_PATH "tests/golden/nn.txt"
#endif

/* The numbers of line test/key; caller frees. Exits if there is none. */
__attribute__((unused)) static double *golden(const char *test, const char *key,
                                              size_t *n)
{
    FILE *f = fopen(GOLDEN_PATH, "r");
    char want[128], word[128];
    double *v;

    snprintf(want, sizeof(want), "%s/%s", test, key);
    while (f && fscanf(f, "%127s", word) == 1) {
        if (strcmp(word, want) == 0 && fscanf(f, "%zu", n) == 1) {
            v = malloc((*n + 1) * sizeof(*v));
            for (size_t i = 0; v && i < *n; i++)
                if (fscanf(f, "%lf", &v[i]) != 1)
                    exit(99);
            fclose(f);
            return v;
        }
        if (fscanf(f, "%*[^\n]") == EOF)
            break;
    }
    printf("Bail out! %s: no line %s\n", GOLDEN_PATH, want);
    exit(99);
}

/* wave() of make_nn.py: number i. */
__attribute__((unused)) static float golden_wave(size_t i, double scale,
                                                 double step, double shift)
{
    return (float)(scale * sin(step * (double)i + shift));
}

/* The larger error; unlike with fmax(), NaN is the largest of all. */
__attribute__((unused)) static double golden_worse(double a, double b)
{
    return isnan(b) ? INFINITY : b > a ? b : a;
}

/* Largest |got - want| over n numbers; NaN counts as infinite. */
__attribute__((unused)) static double golden_gap(const float *got,
                                                 const double *want, size_t n)
{
    double gap = 0;

    for (size_t i = 0; i < n; i++)
        gap = golden_worse(gap, fabs((double)got[i] - want[i]));
    return gap;
}

/* Largest |want| over n numbers. */
__attribute__((unused)) static double golden_max(const double *want, size_t n)
{
    double max = 0;

    for (size_t i = 0; i < n; i++)
        max = fabs(want[i]) > max ? fabs(want[i]) : max;
    return max;
}

#endif
