/*
 * audio - the bytes of a sound file to one mono signal.
 *
 * libsndfile reads the bytes through callbacks, a block at a time, and every
 * block is mixed at once, so that a stereo file is never held whole.
 */
#include "signal/audio.h"

#include <math.h>
#include <pthread.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Floats decoded at a time, over all channels. */
#define BLOCK 65536

/* Guards the reason of a failed open, which libsndfile keeps in a global. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

/* Bytes as libsndfile's callbacks see them. */
struct source {
    const unsigned char *bytes; /* the file, borrowed */
    sf_count_t size;            /* bytes */
    sf_count_t at;              /* next byte */
};

/* sf_vio_get_filelen */
static sf_count_t source_size(void *user)
{
    struct source *s = user;

    return s->size;
}

/* sf_vio_seek */
static sf_count_t source_seek(sf_count_t offset, int whence, void *user)
{
    struct source *s = user;
    sf_count_t from = whence == SEEK_SET   ? 0
                      : whence == SEEK_CUR ? s->at
                                           : s->size;

    if (offset < -from || offset > s->size - from)
        return -1;
    s->at = from + offset;
    return s->at;
}

/* sf_vio_read */
static sf_count_t source_read(void *out, sf_count_t n, void *user)
{
    struct source *s = user;

    if (n > s->size - s->at)
        n = s->size - s->at;
    if (n <= 0)
        return 0;
    memcpy(out, s->bytes + s->at, (size_t)n);
    s->at += n;
    return n;
}

/* sf_vio_write: a source cannot be written. */
static sf_count_t source_write(const void *bytes, sf_count_t n, void *user)
{
    (void)bytes;
    (void)n;
    (void)user;
    return 0;
}

/* sf_vio_tell */
static sf_count_t source_tell(void *user)
{
    struct source *s = user;

    return s->at;
}

void audio_mix(const float *in, size_t n, size_t C,
               enum config_channels channels, float *out)
{
    size_t i, c;

    if (C == 1) {
        memcpy(out, in, n * sizeof(*out));
    } else if (channels != CONFIG_MIX) {
        for (i = 0; i < n; i++)
            out[i] = in[i * C + (channels == CONFIG_RIGHT)];
    } else if (C == 2) {
        /* Halves are exact: one rounding, as in double. */
#pragma omp simd
        for (i = 0; i < n; i++)
            out[i] = 0.5f * in[2 * i] + 0.5f * in[2 * i + 1];
    } else {
        for (i = 0; i < n; i++) {
            double sum = 0;

            for (c = 0; c < C; c++)
                sum += (double)in[i * C + c];
            out[i] = (float)(sum / (double)C);
        }
    }
}

/* Index of the first sample that is no finite number; n if all are. */
static size_t find_bad(const float *x, size_t n)
{
    float probe = 0;
    size_t i;

    /* 0 x is 0 for every number and NaN for NaN and the infinities. */
#pragma omp simd reduction(+ : probe)
    for (i = 0; i < n; i++)
        probe += 0 * x[i];
    if (probe == 0)
        return n;
    for (i = 0; i < n && isfinite(x[i]); i++)
        ;
    return i;
}

/* A file on its way to a sink. */
struct reader {
    SNDFILE *file;                /* open */
    SF_INFO info;                 /* rate, channels, format, length */
    enum config_channels channels; /* what becomes the mono signal */
    const char *name;             /* for messages */
    audio_sink *sink;             /* takes the samples */
    void *ctx;                    /* sink's first argument */
    float *block;                 /* (BLOCK) interleaved samples */
    float *mono;                  /* (BLOCK) mixed samples */
    size_t n;                     /* mono samples so far */
};

/* Decodes, mixes and hands on to the end; r->n counts. */
static int read_all(struct reader *r, struct err *err)
{
    size_t C = (size_t)r->info.channels, n, bad;
    sf_count_t got;

    while ((got = sf_readf_float(r->file, r->block,
                                 (sf_count_t)(BLOCK / C))) > 0) {
        n = (size_t)got;
        if (r->n + n > AUDIO_MAX_SAMPLES)
            return err_set(err, ERR_DATA, "%s: more than %u samples", r->name,
                           AUDIO_MAX_SAMPLES);
        audio_mix(r->block, n, C, r->channels, r->mono);
        bad = find_bad(r->mono, n);
        if (bad < n)
            return err_set(err, ERR_DATA, "%s: sample %zu is %s", r->name,
                           r->n + bad,
                           isnan(r->mono[bad]) ? "NaN" : "infinite");
        if (r->sink(r->ctx, r->mono, n, (uint32_t)r->info.samplerate, err))
            return -1;
        r->n += n;
    }
    return 0;
}

/* Whether all that the file promised came; mp3 only estimates its length. */
static int check_end(const struct reader *r, struct err *err)
{
    const SF_INFO *info = &r->info;
    bool estimated = (info->format & SF_FORMAT_TYPEMASK) == SF_FORMAT_MPEG;

    if (sf_error(r->file))
        return err_set(err, ERR_DATA, "%s: sample %zu: %s", r->name, r->n,
                       sf_strerror(r->file));
    if (r->n == 0)
        return err_set(err, ERR_DATA, "%s: sound file without samples",
                       r->name);
    if (!estimated && info->frames > 0 && info->frames < SF_COUNT_MAX &&
        (sf_count_t)r->n < info->frames)
        return err_set(err, ERR_DATA,
                       "%s: sound ends after %zu of %lld samples", r->name,
                       r->n, (long long)info->frames);
    return 0;
}

/*
 * A WAV or AIFF file that is shorter than its header says was cut off, which
 * libsndfile overlooks. Writers into pipes leave sizes at or near their
 * limit, which says nothing.
 */
static int check_size(const unsigned char *b, size_t n, const char *name,
                      struct err *err)
{
    bool little = n >= 8 && memcmp(b, "RIFF", 4) == 0;
    uint64_t size = 0, i;

    if (!little && (n < 8 || memcmp(b, "FORM", 4) != 0))
        return 0;
    for (i = 0; i < 4; i++)
        size = size << 8 | b[little ? 7 - i : 4 + i];
    /* An odd last chunk may lack its byte of padding. */
    if (size >= 0x7f000000 || size + 8 <= n + 1)
        return 0;
    return err_set(err, ERR_DATA,
                   "%s: sound file cut off: want %llu bytes, got %zu", name,
                   (unsigned long long)size + 8, n);
}

/*
 * Bytes of an mp3 file without the zeros some writers fill blocks with: the
 * decoder gives up when it finds 1024 bytes without a frame.
 */
static size_t without_padding(const unsigned char *b, size_t n)
{
    size_t end = n;

    if (n < 4 || (memcmp(b, "ID3", 3) && (b[0] != 0xff || b[1] < 0xe0)))
        return n;
    while (end > 0 && b[end - 1] == 0)
        end--;
    /* A last frame may end in zeros of its own; few do no harm. */
    return n - end > 1000 ? end + 500 : n;
}

/* Opens a source; NULL with err set. */
static SNDFILE *open_source(struct source *source, SF_INFO *info,
                            const char *name, struct err *err)
{
    SF_VIRTUAL_IO io = {source_size, source_seek, source_read, source_write,
                        source_tell};
    SNDFILE *file;

    pthread_mutex_lock(&opening);
    file = sf_open_virtual(&io, SFM_READ, info, source);
    if (!file)
        err_set(err, ERR_DATA,
                "%s: no sound file that libsndfile reads (%lld bytes): %s",
                name, (long long)source->size, sf_strerror(NULL));
    pthread_mutex_unlock(&opening);
    return file;
}

int audio_stream(const void *bytes, size_t n_bytes,
                 enum config_channels channels, const char *name,
                 audio_sink *sink, void *ctx, struct err *err)
{
    struct source source = {bytes, 0, 0};
    struct reader r = {.channels = channels, .name = name, .sink = sink,
                       .ctx = ctx};
    int failed = -1;

    if (n_bytes == 0)
        return err_set(err, ERR_DATA, "%s: empty file, want a sound file",
                       name);
    if (check_size(bytes, n_bytes, name, err))
        return -1;
    source.size = (sf_count_t)without_padding(bytes, n_bytes);
    r.file = open_source(&source, &r.info, name, err);
    if (!r.file)
        return -1;
    r.block = mem_alloc(BLOCK, sizeof(*r.block), err);
    r.mono = r.block ? mem_alloc(BLOCK, sizeof(*r.mono), err) : NULL;
    if (!r.mono)
        goto out;
    if (r.info.samplerate < 1 || r.info.channels < 1 ||
        r.info.channels > BLOCK) {
        err_set(err, ERR_DATA, "%s: %d Hz, %d channels", name,
                r.info.samplerate, r.info.channels);
        goto out;
    }
    failed = read_all(&r, err) || check_end(&r, err) ? -1 : 0;
out:
    free(r.mono);
    free(r.block);
    sf_close(r.file);
    return failed;
}

/* Appends to a struct audio; an audio_sink. */
static int append(void *ctx, const float *x, size_t n, uint32_t rate_hz,
                  struct err *err)
{
    struct audio *a = ctx;
    float *grown = mem_grow(a->samples, &a->cap, a->n + n, sizeof(*x), err);

    if (!grown)
        return -1;
    memcpy(grown + a->n, x, n * sizeof(*x));
    a->samples = grown;
    a->n += n;
    a->rate_hz = rate_hz;
    return 0;
}

int audio_decode(struct audio *a, const void *bytes, size_t n_bytes,
                 enum config_channels channels, const char *name,
                 struct err *err)
{
    a->n = 0;
    return audio_stream(bytes, n_bytes, channels, name, append, a, err);
}

bool audio_reads_mp3(void)
{
    SF_FORMAT_INFO info;
    int n = 0, i;

    sf_command(NULL, SFC_GET_FORMAT_MAJOR_COUNT, &n, sizeof n);
    for (i = 0; i < n; i++) {
        info.format = i;
        if (sf_command(NULL, SFC_GET_FORMAT_MAJOR, &info, sizeof info) == 0 &&
            info.format == SF_FORMAT_MPEG)
            return true;
    }
    return false;
}

float audio_peak(const float *x, size_t n)
{
    float peak[4] = {0}, most = 0;
    size_t i, j;

    /* Four chains, so that none waits for the one before. */
    for (i = 0; i + 4 <= n; i += 4)
        for (j = 0; j < 4; j++)
            peak[j] = fabsf(x[i + j]) > peak[j] ? fabsf(x[i + j]) : peak[j];
    for (; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    for (j = 0; j < 4; j++)
        most = fmaxf(most, peak[j]);
    return most;
}

void audio_normalize(float *x, size_t n, float peak)
{
    size_t i;

    if (!(peak > 0))
        return;
#pragma omp simd
    for (i = 0; i < n; i++)
        x[i] /= peak;
}

void audio_release(struct audio *a)
{
    free(a->samples);
    *a = (struct audio){0};
}
