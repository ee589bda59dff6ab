/*
 * test_audio - sound files in memory to mono signals.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/err.h"
#include "signal/audio.h"
#include "song.h"

/* Decodes a WAV made of n frames of C channels; the error goes to err. */
static int decode(struct audio *a, const float *x, size_t n, unsigned C,
                  enum config_channels channels, struct err *err)
{
    size_t size;
    unsigned char *wav = song_wav(x, n, C, 8000, &size);
    int failed = audio_decode(a, wav, size, channels, "x.wav", err);

    free(wav);
    return failed;
}

/* Mono keeps every bit, also beyond full scale; stereo mixes or chooses. */
static void test_channels(void)
{
    static const float mono[4] = {0.5f, -1.25f, 0, 0.125f};
    static const float stereo[6] = {1, 0.5f, -1, 0, 0.25f, 0.25f};
    struct audio a = {0};
    struct err err = {0};

    tap_ok(!decode(&a, mono, 4, 1, CONFIG_RIGHT, &err) && a.n == 4 &&
               a.rate_hz == 8000 && memcmp(a.samples, mono, 16) == 0,
           "mono is kept bit for bit");
    tap_ok(!decode(&a, stereo, 3, 2, CONFIG_MIX, &err) && a.n == 3 &&
               a.samples[0] == 0.75f && a.samples[1] == -0.5f &&
               a.samples[2] == 0.25f,
           "mix is the mean");
    tap_ok(!decode(&a, stereo, 3, 2, CONFIG_LEFT, &err) &&
               a.samples[1] == -1 && a.samples[0] == 1,
           "left is the first channel");
    tap_ok(!decode(&a, stereo, 3, 2, CONFIG_RIGHT, &err) &&
               a.samples[1] == 0 && a.samples[0] == 0.5f,
           "right is the second channel");
    audio_release(&a);
}

/* More than one block arrives whole. */
static void test_long(void)
{
    size_t n = 150001;
    float *x = song_make(n, 8000);
    struct audio a = {0};
    struct err err = {0};

    tap_ok(!decode(&a, x, n, 1, CONFIG_MIX, &err) && a.n == n &&
               memcmp(a.samples, x, n * sizeof(*x)) == 0,
           "150001 samples");
    tap_ok(!decode(&a, x, n / 3, 3, CONFIG_MIX, &err) && a.n == n / 3,
           "three channels");
    audio_release(&a);
    free(x);
}

/* The peak becomes 1; silence stays silence. */
static void test_normalize(void)
{
    static const float loud[3] = {0.25f, -2, 1};
    static const float silent[3] = {0, 0, 0};
    struct audio a = {0};
    struct err err = {0};

    if (decode(&a, loud, 3, 1, CONFIG_MIX, &err))
        tap_ok(false, "%s", err.text);
    audio_normalize(a.samples, a.n, audio_peak(a.samples, a.n));
    tap_ok(a.samples[0] == 0.125f && a.samples[1] == -1 &&
               a.samples[2] == 0.5f,
           "peak 2 becomes 1");
    if (decode(&a, silent, 3, 1, CONFIG_MIX, &err))
        tap_ok(false, "%s", err.text);
    audio_normalize(a.samples, a.n, audio_peak(a.samples, a.n));
    tap_ok(a.samples[0] == 0 && a.samples[2] == 0, "silence stays silence");
    audio_release(&a);
}

/* One refusal: status 65, file and fact named. */
static void refused(int failed, const struct err *err, const char *fact,
                    const char *name)
{
    bool named = strstr(err->text, "x.wav: ") && strstr(err->text, fact);

    tap_ok(failed && err->status == ERR_DATA && named, "%s: %s", name,
           err->text);
}

/* Bad input is refused by name. */
static void test_bad(void)
{
    float x[5] = {0.5f, 0.25f, NAN, 0, 0};
    unsigned char *wav;
    struct audio a = {0};
    struct err err = {0};
    size_t size;
    int failed;

    failed = decode(&a, x, 5, 1, CONFIG_MIX, &err);
    refused(failed, &err, "sample 2 is NaN", "NaN");
    x[2] = -INFINITY;
    failed = decode(&a, x, 5, 1, CONFIG_MIX, &err);
    refused(failed, &err, "sample 2 is infinite", "infinity");
    failed = decode(&a, x, 0, 1, CONFIG_MIX, &err);
    refused(failed, &err, "without samples", "no samples");
    failed = audio_decode(&a, "", 0, CONFIG_MIX, "x.wav", &err);
    refused(failed, &err, "empty file", "no bytes");
    failed = audio_decode(&a, "time,eda\n0,1\n", 13, CONFIG_MIX, "x.wav",
                          &err);
    refused(failed, &err, "no sound file", "text");
    wav = song_wav(x, 5, 1, 8000, &size);
    failed = audio_decode(&a, wav, 30, CONFIG_MIX, "x.wav", &err);
    refused(failed, &err, "want 64 bytes, got 30", "cut header");
    failed = audio_decode(&a, wav, size - 4, CONFIG_MIX, "x.wav", &err);
    refused(failed, &err, "want 64 bytes, got 60", "cut samples");
    free(wav);
    audio_release(&a);
}

/* All tests. */
int main(void)
{
    test_channels();
    test_long();
    test_normalize();
    test_bad();
    return tap_done();
}
