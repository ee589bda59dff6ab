/*
 * nn_golden - reads the lines `key n value...` that make_nn.py writes, and
 * repeats its formula for weights and inputs.
 */
#ifndef NN_GOLDEN_H
#define NN_GOLDEN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line's numbers; caller frees. Exits if the key is not there. */
__attribute__((unused)) static double *golden(const char *path,
                                              const char *key, size_t *n)
{
    FILE *f = fopen(path, "r");
    char word[128];
    double *v;

    while (f && fscanf(f, "%127s", word) == 1) {
        if (word[0] != '#' && fscanf(f, "%zu", n) == 1) {
            if (strcmp(word, key) == 0) {
                v = malloc((*n + 1) * sizeof(*v));
                for (size_t i = 0; v && i < *n; i++)
                    if (fscanf(f, "%lf", &v[i]) != 1)
                        exit(99);
                fclose(f);
                return v;
            }
        }
        if (fscanf(f, "%*[^\n]") == EOF)
            break;
    }
    printf("Bail out! %s: no line %s\n", path, key);
    exit(99);
}

/* wave() of make_nn.py: number i. */
__attribute__((unused)) static float golden_wave(size_t i, double scale,
                                                 double step, double shift)
{
    return (float)(scale * sin(step * (double)i + shift));
}

/* Largest |got - want| over n numbers; NaN counts as infinite. */
__attribute__((unused)) static double golden_gap(const float *got,
                                                 const double *want, size_t n)
{
    double gap = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);

        gap = d <= gap ? gap : isnan(d) ? INFINITY : d;
    }
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
