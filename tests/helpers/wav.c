/*
 * wav - writes a sine as a mono PCM16 WAV file, for tests.
 *
 *   wav FILE RATE SECONDS HZ [AMPLITUDE]
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Circle constant. */
#define PI 3.14159265358979323846

/* Writes n little-endian bytes of value. */
static void put(FILE *f, uint32_t value, int n)
{
    while (n--) {
        putc((int)(value & 0xff), f);
        value >>= 8;
    }
}

int main(int argc, char **argv)
{
    uint32_t rate, n, i;
    double hz, amplitude;
    FILE *f;

    if (argc < 5 || !(f = fopen(argv[1], "wb")))
        return 2;
    rate = (uint32_t)strtoul(argv[2], NULL, 10);
    n = (uint32_t)(strtod(argv[3], NULL) * rate);
    hz = strtod(argv[4], NULL);
    amplitude = argc > 5 ? strtod(argv[5], NULL) : 0.5;
    fputs("RIFF", f);
    put(f, 36 + 2 * n, 4);
    fputs("WAVEfmt ", f);
    put(f, 16, 4);
    put(f, 1, 2);
    put(f, 1, 2);
    put(f, rate, 4);
    put(f, 2 * rate, 4);
    put(f, 2, 2);
    put(f, 16, 2);
    fputs("data", f);
    put(f, 2 * n, 4);
    for (i = 0; i < n; i++) {
        double x = amplitude * sin(2 * PI * hz * i / rate);

        put(f, (uint32_t)(int32_t)lrint(32767 * x), 2);
    }
    return fclose(f) ? 1 : 0;
}
