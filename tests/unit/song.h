/*
 * song - the test signal that tests/golden/make_mfcc.py makes too, and the
 * sound files made of it.
 */
#ifndef SONG_H
#define SONG_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * n samples at `rate` Hz: two tones, one of them gliding, and noise, with a
 * stretch 60 dB down and a silent one. Caller frees.
 */
__attribute__((unused)) static float *song_make(size_t n, unsigned rate)
{
    static const double gains[4] = {1, 1, 0.001, 0};
    const double two_pi = 2 * 3.14159265358979323846;
    float *x = calloc(n, sizeof(*x));
    uint32_t state = 12345;
    size_t i;

    for (i = 0; x && i < n; i++) {
        double t = (double)i / rate;

        state = state * 1664525u + 1013904223u;
        x[i] = (float)(gains[i / 1500 % 4] *
                       (0.4 * sin(two_pi * (300 + 500 * t) * t) +
                        0.2 * sin(two_pi * 0.31 * (double)i) +
                        0.1 * ((state >> 8) / 8388608.0 - 1)));
    }
    return x;
}

/* Appends an integer of n bytes, least significant first; returns the end. */
__attribute__((unused)) static unsigned char *song_put(unsigned char *p,
                                                       uint32_t value, int n)
{
    for (; n > 0; n--, value >>= 8)
        *p++ = (unsigned char)value;
    return p;
}

/*
 * A WAV file of n frames of C interleaved channels of 32-bit floats.
 * *size: its bytes. Caller frees.
 */
__attribute__((unused)) static unsigned char *
song_wav(const float *x, size_t n, unsigned C, unsigned rate, size_t *size)
{
    uint32_t data = (uint32_t)(n * C * 4);
    unsigned char *wav = malloc(44 + data), *p = wav;

    *size = 44 + data;
    if (!wav)
        return NULL;
    memcpy(p, "RIFF", 4);
    p = song_put(p + 4, 36 + data, 4);
    memcpy(p, "WAVEfmt ", 8);
    p = song_put(p + 8, 16, 4);
    p = song_put(p, 3, 2); /* IEEE float */
    p = song_put(p, C, 2);
    p = song_put(p, rate, 4);
    p = song_put(p, rate * C * 4, 4);
    p = song_put(p, C * 4, 2);
    p = song_put(p, 32, 2);
    memcpy(p, "data", 4);
    p = song_put(p + 4, data, 4);
    if (data)
        memcpy(p, x, data);
    return wav;
}

#endif
