/* Tests of lib/dataset/planted.c: every formula against its definition. */
#include "dataset/planted.h"

#include <stdlib.h>

#include "tap.h"

/* Sampling rate of the signals here. */
#define RATE_HZ 8000
/* Samples of them: 12 s. */
#define N (12 * RATE_HZ)
/* Samples of skin conductance: 12 s. */
#define N_EDA (12 * PLANTED_EDA_HZ)

/* One second of history and the song, its 16-bit samples, its level. */
static float x[N + RATE_HZ];
static int16_t pcm[N + RATE_HZ];
static double level[N_EDA + PLANTED_EDA_HZ];

/* A tone of amplitude 1/2 has mean power 1/8, an eighth of it half as much. */
static void test_level(void)
{
    struct err err;
    size_t i;

    for (i = 0; i < N; i++)
        pcm[i] = (int16_t)lrint(
            16384 * sin(2 * 3.14159265358979 * 440 * (double)i / RATE_HZ));
    for (i = 0; i < N / 4; i++)
        pcm[i] = 0;
    tap_ok(planted_level(pcm, N, RATE_HZ, level, N_EDA, &err) == 0,
           "level is computed");
    tap_near(level[300], 10 * log10(.125), 1e-3, "level of a tone");
    tap_near(level[0], -120, 1e-9, "level of silence");
    tap_near(level[150], 10 * log10(.0625), .05,
             "half of the window in silence, half in the tone: 3 dB less");
    tap_near(level[143], -120, 1e-9, "the window is 125 ms to each side");
    tap_ok(level[144] > -60, "and no less");
    tap_near(level[N_EDA - 1], 10 * log10(.125), 1e-2,
             "the window stops at the end");
}

/* The driver at and beyond its corners. */
static void test_driver(void)
{
    double d[] = {-120, -45, -28.5, -12, 0};

    planted_driver(d, 5);
    tap_ok(d[0] == 0 && d[1] == 0, "driver is 0 up to -45 dB");
    tap_near(d[2], .25, 1e-15, "driver at -28.5 dB");
    tap_ok(d[3] == 1 && d[4] == 1, "driver is 1 from -12 dB");
}

/* The response to one impulse is h, a second late. */
static void test_response(void)
{
    double d[N_EDA] = {0}, p[N_EDA], worst = 0, peak = 0;
    size_t i, at = 0;

    d[10] = PLANTED_EDA_HZ; /* area 1 */
    planted_response(d, N_EDA, p);
    for (i = 0; i < N_EDA; i++) {
        double t = ((double)i - 10) / PLANTED_EDA_HZ - 1;
        double h = t < 0 ? 0 : (exp(-t / 2) - exp(-t / .75)) / .3470;

        worst = fmax(worst, fabs(p[i] - h));
        if (p[i] > peak) {
            peak = p[i];
            at = i;
        }
    }
    tap_near(worst, 0, 1e-12, "response to an impulse is h(t - 1)");
    tap_near((double)at / PLANTED_EDA_HZ, .2 + 1 + 1.177, .01,
             "its peak is 2.177 s after the sound");
    tap_near(peak, 1, 1e-3, "and is 1");
}

/* Without drift and noise a recording is a line of the response. */
static void test_eda(void)
{
    struct planted_recording r = {7, 3, 11, PLANTED_EDA_HZ, 0, 0};
    double d[N_EDA], p[N_EDA];
    int32_t eda[N_EDA], other[N_EDA];
    size_t i;

    for (i = 0; i < N_EDA; i++)
        d[i] = i % 200 < 100;
    planted_response(d, N_EDA, p);
    planted_eda(&r, p, N_EDA, eda);
    tap_ok(eda[0] >= 2 * PLANTED_EDA_SCALE && eda[0] <= 8 * PLANTED_EDA_SCALE,
           "tonic level is 2 to 8 uS");
    tap_near(planted_optimum(p, eda, N_EDA), 1, 5e-3,
             "without drift and noise the optimum is near 1");
    r.noise_sd = 5;
    planted_eda(&r, p, N_EDA, other);
    tap_ok(planted_optimum(p, other, N_EDA) < .5, "noise lowers the optimum");
    r.noise_sd = 0;
    r.recording = 12;
    planted_eda(&r, p, N_EDA, other);
    tap_ok(other[0] == eda[0], "another recording has the same tonic level");
    tap_ok(other[N_EDA - 1] != eda[N_EDA - 1], "and a drift of its own");
    memset(p, 0, sizeof p);
    tap_ok(isnan(planted_optimum(p, eda, N_EDA)), "no response has no optimum");
}

/* A song has peak 0.99 after its history, which fades in from silence. */
static void test_song(void)
{
    struct err err;
    int peak = 0, again = 0;
    size_t i;

    tap_ok(planted_song(1, 5, RATE_HZ, RATE_HZ, N, x, &err) == 0,
           "a song is made");
    planted_quantise(x, RATE_HZ, N, pcm);
    for (i = RATE_HZ; i < N + RATE_HZ; i++)
        peak = abs(pcm[i]) > peak ? abs(pcm[i]) : peak;
    tap_near(peak, .99 * 32768, .51, "its peak is 0.99");
    tap_ok(planted_level(pcm, N + RATE_HZ, RATE_HZ, level,
                         N_EDA + PLANTED_EDA_HZ, &err) == 0,
           "has a level");
    tap_ok(level[0] < level[45] - 30, "its history fades in");
    peak = pcm[2 * RATE_HZ];
    tap_ok(planted_song(1, 5, RATE_HZ, RATE_HZ, N, x, &err) == 0, "again");
    planted_quantise(x, RATE_HZ, N, pcm);
    again = pcm[2 * RATE_HZ];
    tap_ok(peak == again, "the same song twice");
    memset(x, 0, sizeof x);
    planted_quantise(x, RATE_HZ, N, pcm);
    tap_ok(pcm[RATE_HZ] == 0, "silence stays silence");
}

int main(void)
{
    test_level();
    test_driver();
    test_response();
    test_eda();
    test_song();
    return tap_done();
}
