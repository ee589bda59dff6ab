/*
 * test_pcm - raw samples: the values that a sound file of them has, however
 * the bytes are cut.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "signal/audio.h"
#include "signal/pcm.h"
#include "song.h"

/* Sample frames of a test. */
#define N 500

/* A WAV file with `data`. *size: its bytes. Caller frees. */
static unsigned char *wav_of(const struct pcm *p, const unsigned char *data,
                             size_t n, size_t *size)
{
    unsigned bytes = (unsigned)(pcm_frame_size(p) / p->n_channels);
    unsigned C = (unsigned)p->n_channels;
    unsigned char *wav = malloc(44 + n), *w = wav;

    *size = 44 + n;
    memcpy(w, "RIFF", 4);
    w = song_put(w + 4, (uint32_t)(36 + n), 4);
    memcpy(w, "WAVEfmt ", 8);
    w = song_put(w + 8, 16, 4);
    w = song_put(w, p->format == PCM_F32LE ? 3 : 1, 2);
    w = song_put(w, C, 2);
    w = song_put(w, 8000, 4);
    w = song_put(w, 8000 * C * bytes, 4);
    w = song_put(w, C * bytes, 2);
    w = song_put(w, 8 * bytes, 2);
    memcpy(w, "data", 4);
    memcpy(song_put(w + 4, (uint32_t)n, 4), data, n);
    return wav;
}

/* Bytes of any samples; floats are kept finite. Caller frees. */
static unsigned char *noise(const struct pcm *p, size_t *size)
{
    unsigned char *b;
    struct rng r;
    size_t i;

    *size = N * pcm_frame_size(p);
    b = malloc(*size);
    rng_init(&r, 3, RNG_TEST, 0, 0);
    for (i = 0; i < *size; i++)
        b[i] = (unsigned char)rng_u32(&r);
    for (i = 3; i < *size && p->format == PCM_F32LE; i += 4)
        b[i] = (unsigned char)(0x30 + b[i] % 15);
    return b;
}

/* One format and number of channels, in pieces of `piece` bytes. */
static bool same(struct pcm p, size_t piece, struct err *err)
{
    struct audio want = {0};
    size_t size, wav_size, i, k, n, at = 0;
    unsigned char *b = noise(&p, &size), *wav = wav_of(&p, b, size, &wav_size);
    bool ok = !audio_decode(&want, wav, wav_size, p.channels, "wav", err);
    const float *x;

    for (i = 0; i < size && ok; i += k) {
        k = i + piece > size ? size - i : piece;
        ok = !pcm_add(&p, b + i, k, &x, &n, err) && at + n <= want.n &&
             !memcmp(want.samples + at, x, n * sizeof *x);
        at += n;
    }
    ok = ok && at == want.n && at == N && !pcm_end(&p, err);
    audio_release(&want);
    pcm_release(&p);
    free(b);
    free(wav);
    return ok;
}

/* All formats, one to three channels, left, right and mixed. */
static void test_formats(void)
{
    static const size_t pieces[] = {1, 7, 256, 100000};
    struct err err = {0};
    size_t f, c, k, i;

    for (f = 0; pcm_formats[f]; f++) {
        bool ok = true;

        for (c = 1; c <= 3; c++)
            for (k = 0; k < 3; k++)
                for (i = 0; i < 4; i++)
                    ok = ok && same((struct pcm){.format = (enum pcm_format)f,
                                                 .n_channels = c,
                                                 .channels =
                                                     (enum config_channels)k},
                                    pieces[i], &err);
        tap_ok(ok, "%s: as a sound file has it", pcm_formats[f]);
    }
}

/* A cut sample and a float that is no number are errors with their place. */
static void test_errors(void)
{
    struct pcm p = {.format = PCM_F32LE, .n_channels = 1};
    static const unsigned char nan[] = {0, 0, 0, 0, 0, 0, 0xc0, 0x7f, 1};
    struct err err = {0};
    const float *x;
    size_t n;

    tap_ok(pcm_add(&p, nan, 8, &x, &n, &err) && err.status == ERR_DATA &&
               strstr(err.text, "sample 1 is NaN"), "%s", err.text);
    pcm_release(&p);
    p = (struct pcm){.format = PCM_S16LE, .n_channels = 2};
    tap_ok(!pcm_add(&p, nan, 7, &x, &n, &err) && n == 1 &&
               pcm_end(&p, &err) && err.status == ERR_DATA &&
               strstr(err.text, "3 of 4 bytes behind sample 1"),
           "%s", err.text);
    pcm_release(&p);
}

/* All tests. */
int main(void)
{
    test_formats();
    test_errors();
    return tap_done();
}
