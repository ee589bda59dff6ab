/*
 * pcm - raw samples to one mono signal.
 *
 * An integer of b bits becomes value / 2^(b - 1), which is exact up to 24
 * bits and rounded once beyond, as libsndfile does it.
 */
#include "signal/pcm.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "signal/audio.h"

/* In the order of enum pcm_format. */
const char *const pcm_formats[] = {"u8",    "s16le", "s24le",
                                   "s32le", "f32le", NULL};

/* Bytes of one sample. */
static size_t sample_size(enum pcm_format format)
{
    static const size_t size[] = {1, 2, 3, 4, 4};

    return size[format];
}

size_t pcm_frame_size(const struct pcm *p)
{
    return sample_size(p->format) * p->n_channels;
}

/* One sample. */
static float sample(enum pcm_format format, const unsigned char *b)
{
    size_t n = sample_size(format), i;
    uint32_t bits = 0;
    int32_t value;
    float x;

    if (format == PCM_U8)
        return (float)(b[0] - 128) / 128.0f;
    /* at the top of 32 bits, whatever the width */
    for (i = n; i > 0; i--)
        bits = bits << 8 | b[i - 1];
    if (format == PCM_F32LE) {
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    bits <<= 8 * (4 - n);
    memcpy(&value, &bits, sizeof value);
    return (float)value * (1.0f / 2147483648.0f);
}

/* Room for n frames. */
static int reserve(struct pcm *p, size_t n, struct err *err)
{
    float *grown = mem_grow(p->mono, &p->cap, n, sizeof *grown, err);

    if (!grown)
        return -1;
    p->mono = grown;
    grown = mem_grow(p->wide, &p->cap_wide, n * p->n_channels, sizeof *grown,
                     err);
    if (!grown)
        return -1;
    p->wide = grown;
    return 0;
}

/* Refuses samples that are no finite numbers. */
static int check(const struct pcm *p, size_t n, struct err *err)
{
    size_t i;

    if (p->format != PCM_F32LE)
        return 0;
    for (i = 0; i < n; i++) {
        if (!isfinite(p->mono[i]))
            return err_set(err, ERR_DATA, "sample %llu is %s",
                           (unsigned long long)(p->n + i),
                           isnan(p->mono[i]) ? "NaN" : "infinite");
    }
    return 0;
}

int pcm_add(struct pcm *p, const void *bytes, size_t n, const float **x,
            size_t *n_x, struct err *err)
{
    size_t size = pcm_frame_size(p), one = sample_size(p->format);
    size_t frames = (p->n_rest + n) / size, f, c, at = 0;
    const unsigned char *b = bytes;

    assert(p->n_channels >= 1 && p->n_channels <= PCM_MAX_CHANNELS);
    if (reserve(p, frames + 1, err))
        return -1;
    for (f = 0; f < frames; f++) {
        const unsigned char *from = b + at;

        if (p->n_rest) {
            memcpy(p->rest + p->n_rest, b, size - p->n_rest);
            at = size - p->n_rest;
            p->n_rest = 0;
            from = p->rest;
        } else {
            at += size;
        }
        for (c = 0; c < p->n_channels; c++)
            p->wide[f * p->n_channels + c] =
                sample(p->format, from + c * one);
    }
    if (at < n)
        memcpy(p->rest + p->n_rest, b + at, n - at);
    p->n_rest += n - at;
    audio_mix(p->wide, frames, p->n_channels, p->channels, p->mono);
    if (check(p, frames, err))
        return -1;
    p->n += frames;
    *x = p->mono;
    *n_x = frames;
    return 0;
}

int pcm_end(const struct pcm *p, struct err *err)
{
    if (p->n_rest == 0)
        return 0;
    return err_set(err, ERR_DATA, "cut off within a sample: %zu of %zu bytes "
                   "behind sample %llu", p->n_rest, pcm_frame_size(p),
                   (unsigned long long)p->n);
}

void pcm_release(struct pcm *p)
{
    free(p->mono);
    free(p->wide);
    *p = (struct pcm){0};
}
