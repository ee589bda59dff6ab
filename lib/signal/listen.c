/*
 * listen - MFCCs of a signal that is still arriving.
 *
 * Letters as in mfcc.c; frame k takes samples from a(k) = k H - P + off on,
 * W of them, off = (F - W) / 2. Of n samples
 *
 *   - frame k has all it wants once a(k) + W <= n, and is sure to be there
 *     once the n samples have k + 1 frames: so many are `certain`;
 *   - its differences in time reach `reach` frames further.
 *
 * Certain frames are computed by mfcc_signal() from a part of the signal that
 * begins at a multiple of the hop, so that its frames are ours, and far
 * enough before the first one wanted that no padding is seen in it. Samples
 * before that are dropped. The order of additions in a frame is the same
 * wherever it stands, so the bits are those of the whole signal.
 */
#include "signal/listen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "signal/mfcc.h"
#include "signal/resample.h"

/* One signal on its way. */
struct listen {
    struct config_features conf; /* with the rate filled in */
    struct resample *resample;   /* from the signal's rate, owned */
    struct mfcc *mfcc;           /* at the features' rate, owned */
    struct mfcc_frames shape;    /* of its frames */
    size_t reach;                /* frames that differences look ahead */
    size_t lead;                 /* frames kept before the first wanted */
    double latency_s;            /* of listen_latency_s() */
    float *x;                    /* (n) samples still needed, owned */
    size_t n;                    /* samples in x */
    size_t cap;                  /* room in x */
    size_t first;                /* frame that x begins with */
    size_t done;                 /* frames handed out */
};

const char *listen_obstacle(const struct config_features *conf)
{
    if (conf->audio_normalize)
        return "audio_normalize=false";
    if (conf->audio_log == CONFIG_LOG_DB && conf->audio_top_db > 0)
        return "audio_top_db=null";
    if (conf->audio_cmvn == CONFIG_CMVN_CLIP)
        return "audio_cmvn=none";
    return NULL;
}

/*
 * Samples behind k H that must have come for frame k to be certain: its
 * window, what makes it a frame, and at the beginning the shortest signal.
 */
static size_t look_ahead(const struct mfcc_frames *f)
{
    size_t window = f->offset + f->window, most = f->frame;

    if (window + f->pad > most)
        most = window + f->pad;
    most = most > 2 * f->pad ? most - 2 * f->pad : 0;
    return most > f->shortest || f->pad == 0 ? most : f->shortest;
}

/* What follows from the settings. */
static int plan(struct listen *l, uint32_t in_hz, struct err *err)
{
    const struct config_features *conf = &l->conf;
    const struct mfcc_frames *f = &l->shape;
    struct mfcc_grid grid;
    double delay;

    mfcc_frames(l->mfcc, &l->shape);
    l->reach = (size_t)conf->audio_delta_order *
               (size_t)(conf->audio_delta_width / 2);
    /* so much that a reflection at the end stays in what is kept, too */
    l->lead = l->reach + (f->pad + f->hop) / f->hop + 1;
    if (resample_delay(l->resample, &delay, err))
        return -1;
    mfcc_grid(conf, listen_rate_hz(l), &grid);
    l->latency_s = (double)(look_ahead(f) + l->reach * f->hop) /
                       listen_rate_hz(l) -
                   grid.t0_s + delay / in_hz;
    return resample_begin(l->resample, err);
}

struct listen *listen_open(const struct config_features *conf, uint32_t in_hz,
                           struct err *err)
{
    const char *obstacle = listen_obstacle(conf);
    struct listen *l;

    if (obstacle) {
        err_set(err, ERR_USAGE, "features.%.*s needs the whole clip, which a "
                "live signal has not: train with --set features.%s",
                (int)strcspn(obstacle, "="), obstacle, obstacle);
        return NULL;
    }
    l = mem_alloc(1, sizeof *l, err);
    if (!l)
        return NULL;
    l->conf = *conf;
    if (l->conf.audio_target_sample_rate <= 0)
        l->conf.audio_target_sample_rate = in_hz;
    l->resample = resample_open(conf->audio_resampler, in_hz,
                                listen_rate_hz(l), err);
    l->mfcc = l->resample ? mfcc_open(&l->conf, listen_rate_hz(l), err)
                          : NULL;
    if (!l->mfcc || plan(l, in_hz, err)) {
        listen_close(l);
        return NULL;
    }
    return l;
}

void listen_close(struct listen *l)
{
    if (!l)
        return;
    resample_close(l->resample);
    mfcc_close(l->mfcc);
    free(l->x);
    free(l);
}

size_t listen_n_values(const struct listen *l)
{
    return mfcc_n_values(l->mfcc);
}

uint32_t listen_rate_hz(const struct listen *l)
{
    return (uint32_t)l->conf.audio_target_sample_rate;
}

double listen_latency_s(const struct listen *l)
{
    return l->latency_s;
}

/* Samples that came, at the features' rate. */
static size_t n_all(const struct listen *l)
{
    return l->first * l->shape.hop + l->n;
}

/* Frames that nothing to come can change, but for their differences. */
static size_t n_certain(const struct listen *l)
{
    size_t n = n_all(l), frames = mfcc_n_frames(l->mfcc, n);
    size_t need = l->shape.offset + l->shape.window, whole;

    if (n + l->shape.pad < need)
        return 0;
    whole = (n + l->shape.pad - need) / l->shape.hop + 1;
    return whole < frames ? whole : frames;
}

/* Drops the samples that no frame from `done` on looks at. */
static void drop(struct listen *l)
{
    size_t first = l->done > l->lead ? l->done - l->lead : 0, n;

    if (first <= l->first)
        return;
    n = (first - l->first) * l->shape.hop;
    if (n > l->n)
        return;
    memmove(l->x, l->x + n, (l->n - n) * sizeof *l->x);
    l->n -= n;
    l->first = first;
}

/* Frames from `done` up to `end`. */
static int hand_out(struct listen *l, size_t end, const float **rows,
                    size_t *n_rows, struct err *err)
{
    const float *all;

    *n_rows = 0;
    if (end <= l->done)
        return 0;
    if (mfcc_signal(l->mfcc, l->x, l->n, &all, err))
        return -1;
    *rows = all + (l->done - l->first) * listen_n_values(l);
    *n_rows = end - l->done;
    l->done = end;
    return 0;
}

/* Appends samples at the features' rate. */
static int keep(struct listen *l, const float *x, size_t n, struct err *err)
{
    float *grown = mem_grow(l->x, &l->cap, l->n + n, sizeof *grown, err);

    if (!grown)
        return -1;
    l->x = grown;
    if (n)
        memcpy(l->x + l->n, x, n * sizeof *x);
    l->n += n;
    return 0;
}

int listen_add(struct listen *l, const float *x, size_t n, const float **rows,
               size_t *n_rows, struct err *err)
{
    size_t certain, n_out;
    float *out;

    drop(l);
    *n_rows = 0;
    if (resample_add(l->resample, x, n, err))
        return -1;
    resample_take(l->resample, &out, &n_out);
    if (keep(l, out, n_out, err))
        return -1;
    certain = n_certain(l);
    return hand_out(l, certain > l->reach ? certain - l->reach : 0, rows,
                    n_rows, err);
}

int listen_end(struct listen *l, const float **rows, size_t *n_rows,
               struct err *err)
{
    size_t n_out, T;
    float *out;

    drop(l);
    *n_rows = 0;
    if (resample_end(l->resample, &out, &n_out, err) ||
        keep(l, out, n_out, err))
        return -1;
    T = mfcc_n_frames(l->mfcc, n_all(l));
    if (T == 0) /* says what is too short */
        return mfcc_signal(l->mfcc, l->x, l->n, rows, err);
    return hand_out(l, T, rows, n_rows, err);
}
