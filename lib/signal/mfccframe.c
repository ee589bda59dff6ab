/*
 * mfccframe - one sound file to one mfcc frame.
 *
 * Blocks go from the decoder through the resampler into the engine while they
 * are in the processor's cache, so that a song is never held whole. Resampling
 * is linear: the peak of the file may divide afterwards, and the engine can
 * mostly let it wait for the end. Where it cannot (mfcc_divides()), the
 * resampled samples are held.
 */
#include "signal/mfccframe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "signal/audio.h"

void mfccframe_init(struct mfccframe *c,
                         const struct config_features *conf)
{
    *c = (struct mfccframe){.conf = conf, .effective = *conf};
    c->n_channels = conf->audio_channels == CONFIG_EACH ? MFCCFRAME_MOST : 1;
}

/* Frees the resamplers, or the engines too. */
static void clear(struct mfccframe *c, bool engines)
{
    size_t i;

    for (i = 0; i < MFCCFRAME_MOST; i++) {
        resample_close(c->channels[i].resample);
        c->channels[i].resample = NULL;
        if (engines)
            mfcc_close(c->channels[i].engine);
        if (engines)
            c->channels[i].engine = NULL;
    }
}

/* The resampler and the engine of one channel, and a new signal in both. */
static int prepare_channel(struct mfccframe *c, struct mfccframe_channel *ch,
                           struct err *err)
{
    if (!ch->resample)
        ch->resample = resample_open(c->conf->audio_resampler,
                                     c->resample_rate, c->engine_rate, err);
    if (!ch->resample)
        return -1;
    if (!ch->engine)
        ch->engine = mfcc_open(&c->effective, c->engine_rate, err);
    if (!ch->engine)
        return -1;
    c->holds = c->conf->audio_normalize && !mfcc_divides(ch->engine);
    ch->n_held = 0;
    mfcc_begin(ch->engine, c->conf->audio_normalize && !c->holds);
    return resample_begin(ch->resample, err);
}

/* All channels for files of in_hz. */
static int prepare(struct mfccframe *c, uint32_t in_hz, struct err *err)
{
    int64_t target = c->conf->audio_target_sample_rate;
    uint32_t out_hz = target > 0 ? (uint32_t)target : in_hz;
    size_t i;

    if (c->resample_rate != in_hz || c->engine_rate != out_hz)
        clear(c, c->engine_rate != out_hz);
    if (c->engine_rate != out_hz) {
        c->effective = *c->conf;
        config_features_at_rate(&c->effective, out_hz);
    }
    c->resample_rate = in_hz;
    c->engine_rate = out_hz;
    for (i = 0; i < c->n_channels; i++)
        if (prepare_channel(c, &c->channels[i], err))
            return -1;
    return 0;
}

/* Samples at the engine's rate: into it, or held. */
static int pass(const struct mfccframe *c, struct mfccframe_channel *ch,
                const float *x, size_t n, struct err *err)
{
    float *grown;

    if (n == 0)
        return 0;
    if (!c->holds)
        return mfcc_add(ch->engine, x, n, err);
    grown = mem_grow(ch->held, &ch->held_cap, ch->n_held + n, sizeof(*x),
                     err);
    if (!grown)
        return -1;
    ch->held = grown;
    memcpy(ch->held + ch->n_held, x, n * sizeof(*x));
    ch->n_held += n;
    return 0;
}

/* Takes a block of one channel of the decoded file; an audio_sink. */
static int take(void *ctx, size_t channel, const float *x, size_t n,
                uint32_t rate_hz, struct err *err)
{
    struct mfccframe *c = ctx;
    struct mfccframe_channel *ch = &c->channels[channel];
    float *made;
    int failed;

    if (!c->file_rate && prepare(c, rate_hz, err))
        return err_prefix(err, "%s", c->name);
    c->file_rate = rate_hz;
    c->peak = fmaxf(c->peak, audio_peak(x, n));
    if (c->resample_rate == c->engine_rate) {
        failed = pass(c, ch, x, n, err);
    } else {
        failed = resample_add(ch->resample, x, n, err);
        resample_take(ch->resample, &made, &n);
        failed = failed || pass(c, ch, made, n, err);
    }
    return failed ? err_prefix(err, "%s", c->name) : 0;
}

/* The end of one channel. */
static int end(struct mfccframe *c, struct mfccframe_channel *ch,
               struct err *err)
{
    float *made;
    size_t n;

    if (c->resample_rate != c->engine_rate &&
        (resample_end(ch->resample, &made, &n, err) ||
         pass(c, ch, made, n, err)))
        return -1;
    if (c->holds) {
        audio_normalize(ch->held, ch->n_held, c->peak);
        if (mfcc_add(ch->engine, ch->held, ch->n_held, err))
            return -1;
    }
    return mfcc_end(ch->engine, err);
}

/* Metadata of the grid and all settings. */
static int describe(const struct mfccframe *c, struct frame *out,
                    struct err *err)
{
    struct mfcc_grid grid;

    mfcc_grid(&c->effective, c->engine_rate, &grid);
    if (frame_set_int(out, "rate_num", grid.rate_num, err) ||
        frame_set_int(out, "rate_den", grid.rate_den, err) ||
        frame_set_num(out, "t0_s", grid.t0_s, err))
        return -1;
    return config_features_to_frame(&c->effective, CONFIG_AUDIO_HALF, out,
                                    err);
}

/* The coefficients of one channel: (T, D). */
static int result(struct mfccframe *c, size_t channel, const float **out,
                  size_t *T, struct err *err)
{
    struct mfcc *m = c->channels[channel].engine;
    bool divided = c->conf->audio_normalize && !c->holds;
    float most = mfcc_loudest(m);
    size_t i;

    if (c->conf->audio_top_db_scope == CONFIG_TOP_DB_CLIP)
        for (i = 0; i < c->n_channels; i++)
            most = fmaxf(most, mfcc_loudest(c->channels[i].engine));
    return mfcc_result(m, divided ? c->peak : 1, most, out, T, err);
}

/* Two channels side by side, in c->both. */
static int results(struct mfccframe *c, const float **out, size_t *T,
                   struct err *err)
{
    size_t D = mfcc_n_values(c->channels[0].engine), i, t;
    const float *one;
    float *both;

    for (i = 0; i < MFCCFRAME_MOST; i++) {
        if (result(c, i, &one, T, err))
            return -1;
        both = mem_grow(c->both, &c->both_cap, *T * MFCCFRAME_MOST * D,
                        sizeof(*both), err);
        if (!both)
            return -1;
        c->both = both;
        for (t = 0; t < *T; t++)
            memcpy(both + (t * MFCCFRAME_MOST + i) * D, one + t * D,
                   D * sizeof(*one));
    }
    *out = c->both;
    return 0;
}

/* All of the file has been taken: the rest of the way to the frame. */
static int transform(struct mfccframe *c, struct frame *out,
                     struct err *err)
{
    const float *mfcc;
    size_t shape[2], i;

    for (i = 0; i < c->n_channels; i++)
        if (end(c, &c->channels[i], err))
            return -1;
    if (c->n_channels == 1 ? result(c, 0, &mfcc, &shape[0], err)
                           : results(c, &mfcc, &shape[0], err))
        return -1;
    shape[1] = c->n_channels * mfcc_n_values(c->channels[0].engine);
    if (frame_add(out, "mfcc", TENSOR_F32, 2, shape, mfcc, err))
        return -1;
    return describe(c, out, err);
}

int mfccframe_convert(struct mfccframe *c, const void *bytes, size_t n,
                      const char *name, struct frame *out, struct err *err)
{
    c->name = name;
    c->file_rate = 0;
    c->peak = 0;
    if (audio_stream(bytes, n, c->conf->audio_channels, name, take, c, err))
        return -1;
    return transform(c, out, err) ? err_prefix(err, "%s", name) : 0;
}

float *mfccframe_take(struct mfccframe *c, struct frame *out)
{
    float *mfcc = c->both, *less;
    size_t i, size;

    if (c->n_channels == 1) {
        mfcc = mfcc_take(c->channels[0].engine);
    } else {
        c->both = NULL;
        c->both_cap = 0;
    }
    for (i = 0; out->tensors[i].data != mfcc; i++)
        ;
    size = tensor_size(&out->tensors[i]);
    less = realloc(mfcc, size);
    if (less)
        mfcc = less;
    out->tensors[i].data = mfcc;
    return mfcc;
}

void mfccframe_release(struct mfccframe *c)
{
    size_t i;

    clear(c, true);
    for (i = 0; i < MFCCFRAME_MOST; i++)
        free(c->channels[i].held);
    free(c->both);
    *c = (struct mfccframe){0};
}
