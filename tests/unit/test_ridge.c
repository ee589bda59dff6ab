/*
 * test_ridge - the linear baseline against NumPy.
 */
#include <stdlib.h>

#include "eval/ridge.h"
#include "tap.h"

/* Coefficients of the songs. */
#define N_C 3

/* Features of a song, as make_ridge.py has them. */
static void make_song(size_t s, size_t T, float *x)
{
    size_t t, c;

    for (t = 0; t < T; t++) {
        for (c = 0; c < N_C; c++)
            x[t * N_C + c] =
                (float)(sin(0.1 * (double)((t + 1) * (c + 1)) + (double)s) +
                        0.01 * (double)((7 * t + 13 * c) % 11));
    }
}

/* Target and mask of a recording, as make_ridge.py has them. */
static void make_recording(size_t r, size_t T, float *y, uint8_t *valid)
{
    size_t t;

    for (t = 0; t < T; t++) {
        y[t] = (float)(cos(0.07 * (double)t + (double)r) +
                       0.1 * (double)((5 * t + r) % 7));
        valid[t] = (3 * t + r) % 10 != 0;
    }
}

/* Compares with every line of the golden file. */
static void compare(const float *y)
{
    FILE *f = fopen("tests/golden/ridge.txt", "r");
    double worst = 0, want;
    char line[200];
    size_t n = 0, t;

    if (!tap_ok(f != NULL, "the golden file is there"))
        return;
    while (fgets(line, sizeof line, f)) {
        char *end;

        if (line[0] == '#')
            continue;
        t = strtoul(line, &end, 10);
        want = strtod(end, NULL);
        if (!(fabs((double)y[t] - want) <= worst))
            worst = fabs((double)y[t] - want);
        n++;
    }
    fclose(f);
    tap_ok(n == 12 && worst < 1e-6, "NumPy agrees: %zu frames, %.2g", n,
           worst);
}

int main(void)
{
    static float x[2][60 * N_C], eda[3][60], y[45];
    static uint8_t valid[3][60];
    static char keys[2][4] = {"d/a", "d/b"};
    struct pairs_song songs[2] = {
        {.key = keys[0], .T = 60, .mfcc = x[0], .used = true},
        {.key = keys[1], .T = 45, .mfcc = x[1], .used = true}};
    struct pairs_recording recordings[3] = {
        {.T = 60, .eda = eda[0], .valid = valid[0], .song = 0},
        {.T = 50, .eda = eda[1], .valid = valid[1], .song = 0},
        {.T = 45, .eda = eda[2], .valid = valid[2], .song = 1}};
    struct pairs p = {.songs = songs, .n_songs = 2, .recordings = recordings,
                      .n_recordings = 3, .C = N_C, .rate_num = 2,
                      .rate_den = 1};
    struct ridge r;
    struct err err;
    size_t i;

    make_song(0, 60, x[0]);
    make_song(1, 45, x[1]);
    for (i = 0; i < 3; i++)
        make_recording(i, recordings[i].T, eda[i], valid[i]);
    tap_ok(!ridge_fit(&r, &p, &err), "it fits");
    ridge_predict(&r, x[1], 45, N_C, y);
    compare(y);
    memset(valid, 0, sizeof valid);
    tap_ok(ridge_fit(&r, &p, &err) && err.status == ERR_DATA,
           "nothing valid is an error");
    return tap_done();
}
