/*
 * test_listen - MFCCs of a signal as it arrives: bit for bit those of the
 * whole, in time, in bounded memory.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/err.h"
#include "signal/listen.h"
#include "signal/mfcc.h"
#include "signal/resample.h"
#include "song.h"

/* Settings that look at a frame alone; tests vary them. */
static struct config_features plain_conf(void)
{
    return (struct config_features){
        .preset = CONFIG_PRESET_TORCHAUDIO,
        .audio_target_sample_rate = 16000,
        .audio_resampler = CONFIG_KAISER_BEST,
        .audio_n_mfcc = 13,
        .audio_n_mels = 40,
        .audio_window_size = 400,
        .audio_hop_length = 160,
        .audio_n_fft = 400,
        .audio_window = CONFIG_HANN,
        .audio_center = true,
        .audio_pad_mode = CONFIG_REFLECT,
        .audio_power = 2,
        .audio_mel_scale = CONFIG_HTK,
        .audio_log = CONFIG_LOG_DB,
        .audio_amin = 1e-10,
        .audio_delta_width = 5,
    };
}

/* The features of the whole signal: (T, D), caller frees. NULL: too short. */
static float *whole(const struct config_features *conf, uint32_t in_hz,
                    const float *x, size_t n, size_t *T, size_t *D)
{
    uint32_t hz = (uint32_t)conf->audio_target_sample_rate;
    struct err err;
    struct resample *r = resample_open(conf->audio_resampler, in_hz, hz, &err);
    struct mfcc *m = mfcc_open(conf, hz, &err);
    const float *rows;
    float *y, *out = NULL;
    size_t n_out;

    if (!r || !m || resample_begin(r, &err) || resample_add(r, x, n, &err) ||
        resample_end(r, &y, &n_out, &err))
        exit(2);
    *T = mfcc_n_frames(m, n_out);
    *D = mfcc_n_values(m);
    if (!mfcc_signal(m, y, n_out, &rows, &err)) {
        out = malloc(*T * *D * sizeof *out);
        memcpy(out, rows, *T * *D * sizeof *out);
    }
    mfcc_close(m);
    resample_close(r);
    return out;
}

/* What listening in pieces gave. */
struct heard {
    float *rows;   /* (n, D) all frames, owned */
    size_t n;      /* frames */
    double late_s; /* most that a frame was waited for */
    int failed;    /* the end was refused */
};

/* Listens to a signal in pieces of `piece` samples. */
static struct heard hear(const struct config_features *conf, uint32_t in_hz,
                         const float *x, size_t n, size_t piece, size_t room)
{
    struct heard h = {.rows = malloc(room * sizeof(float))};
    struct err err;
    struct listen *l = listen_open(conf, in_hz, &err);
    struct mfcc_grid grid;
    const float *rows;
    size_t i, k, got, D;

    if (!l)
        exit(2);
    D = listen_n_values(l);
    mfcc_grid(conf, listen_rate_hz(l), &grid);
    for (i = 0; i < n; i += k) {
        k = i + piece > n ? n - i : piece;
        if (listen_add(l, x + i, k, &rows, &got, &err))
            exit(2);
        if ((h.n + got) * D > room)
            exit(2);
        if (got)
            memcpy(h.rows + h.n * D, rows, got * D * sizeof *rows);
        h.n += got;
        /* the next frame is not there although so much has come */
        h.late_s = fmax(h.late_s, (double)(i + k) / in_hz - grid.t0_s -
                                      (double)h.n * (double)grid.rate_den /
                                          (double)grid.rate_num);
    }
    h.failed = listen_end(l, &rows, &got, &err);
    if (!h.failed && (h.n + got) * D <= room && got)
        memcpy(h.rows + h.n * D, rows, got * D * sizeof *rows);
    h.n += h.failed ? 0 : got;
    h.late_s -= listen_latency_s(l);
    listen_close(l);
    return h;
}

/* Compares lengths and pieces for one kind of features. */
static void compare(const struct config_features *conf, uint32_t in_hz,
                    const char *name)
{
    static const size_t lengths[] = {0, 1, 199, 200, 201, 400, 1000, 5000,
                                     30011};
    static const size_t pieces[] = {1, 160, 1009, 40000};
    float *x = song_make(30011, in_hz);
    size_t i, p, T, D;
    bool same = true, timely = true;

    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = lengths[i];
        float *want = whole(conf, in_hz, x, n, &T, &D);

        for (p = 0; p < 4; p++) {
            struct heard h;

            if (pieces[p] == 1 && n > 5000)
                continue;
            h = hear(conf, in_hz, x, n, pieces[p], (T + 1) * D);
            if (want)
                same = same && !h.failed && h.n == T &&
                       !memcmp(h.rows, want, T * D * sizeof *want);
            else
                same = same && h.failed;
            timely = timely && h.late_s <= 0;
            free(h.rows);
        }
        free(want);
    }
    tap_ok(same, "%s: the bits of the whole", name);
    tap_ok(timely, "%s: no later than it says", name);
    free(x);
}

/* Every setting that moves frames in time or looks at their neighbours. */
static void test_settings(void)
{
    struct config_features c = plain_conf();

    compare(&c, 16000, "centred, reflected");
    compare(&c, 44100, "from 44.1 kHz");
    c.audio_resampler = CONFIG_SOXR_HQ;
    compare(&c, 22050, "from 22.05 kHz by libsoxr");
    c = plain_conf();
    c.audio_pad_mode = CONFIG_EDGE;
    c.audio_delta_order = 1;
    compare(&c, 16000, "edge, differences");
    c.audio_pad_mode = CONFIG_ZERO;
    c.audio_delta_order = 2;
    c.audio_delta_width = 9;
    compare(&c, 16000, "zeros, two differences");
    c = plain_conf();
    c.audio_center = false;
    compare(&c, 16000, "not centred");
    c.audio_n_fft = 1024;
    compare(&c, 16000, "not centred, short window");
    c.audio_center = true;
    compare(&c, 16000, "centred, short window");
    c.audio_n_fft = 1022; /* no transform of many frames at once */
    compare(&c, 16000, "one frame after another");
    c = plain_conf();
    c.audio_window_size = c.audio_n_fft = 2048;
    c.audio_hop_length = 1600;
    compare(&c, 16000, "ten frames a second");
    c.audio_window_size = c.audio_n_fft = 512;
    compare(&c, 16000, "a hop of three windows");
    c = plain_conf();
    c.preset = CONFIG_PRESET_KALDI;
    c.audio_n_fft = 512;
    c.audio_center = false;
    c.audio_use_energy = c.audio_remove_dc = true;
    c.audio_preemphasis = 0.97;
    c.audio_log = CONFIG_LOG_LN;
    compare(&c, 16000, "kaldi");
}

/* What needs the whole clip is refused with the key to change. */
static void test_obstacles(void)
{
    struct config_features c[3] = {plain_conf(), plain_conf(), plain_conf()};
    static const char *const keys[] = {"audio_normalize=false",
                                       "audio_top_db=null",
                                       "audio_cmvn=none"};
    struct err err = {0};
    size_t i;

    c[0].audio_normalize = true;
    c[1].audio_top_db = 80;
    c[2].audio_cmvn = CONFIG_CMVN_CLIP;
    for (i = 0; i < 3; i++)
        tap_ok(!listen_open(&c[i], 16000, &err) && err.status == ERR_USAGE &&
                   strstr(err.text, keys[i]),
               "refused: %s", err.text);
    c[1].audio_log = CONFIG_LOG_LN;
    tap_ok(!listen_obstacle(&c[1]), "top_db does nothing to ln");
}

/* All tests. */
int main(void)
{
    test_settings();
    test_obstacles();
    return tap_done();
}
