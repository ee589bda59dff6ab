/*
 * test_forecast - one model or several, whole songs and songs as they arrive:
 * mean, spread, scale, other times, and the same bits live.
 */
#include "tap.h"

#include <stdlib.h>

#include "eval/forecast.h"
#include "signal/mfcc.h"
#include "song.h"

/* Samples of the song. */
#define N 60000

/* Features that look at a frame alone, ten a second. */
static struct config_features features(void)
{
    return (struct config_features){
        .preset = CONFIG_PRESET_TORCHAUDIO,
        .audio_target_sample_rate = 16000,
        .audio_resampler = CONFIG_KAISER_BEST,
        .audio_n_mfcc = 3,
        .audio_n_mels = 40,
        .audio_window_size = 2048,
        .audio_hop_length = 1600,
        .audio_n_fft = 2048,
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

/* Two models whose receptive fields differ. */
static void make_models(struct model *m)
{
    struct config_model conf = {
        .architecture = CONFIG_TCN,
        .tcn = {3, 1, 2, 5, 3, 0.1, 2, CONFIG_PAD_SAME, CONFIG_NORM_NONE}};
    float mean[3] = {-20, 3, 2}, std[3] = {20, 5, 4};
    struct err err;
    size_t i;

    for (i = 0; i < 2; i++) {
        conf.tcn.num_blocks += (int64_t)i;
        if (model_init(&m[i], &conf, &err))
            exit(2);
        model_init_weights(&m[i], 7 + i);
        model_set_input(&m[i], mean, std);
    }
}

/* The features of the song: (T, 3), caller frees. */
static float *features_of(const float *x, size_t *T)
{
    struct config_features conf = features();
    struct err err;
    struct mfcc *m = mfcc_open(&conf, 16000, &err);
    const float *rows;
    float *out;

    if (!m || mfcc_signal(m, x, N, &rows, &err))
        exit(2);
    *T = mfcc_n_frames(m, N);
    out = malloc(*T * 3 * sizeof *out);
    memcpy(out, rows, *T * 3 * sizeof *out);
    mfcc_close(m);
    return out;
}

/* The song live, in pieces: whether results are those of the whole. */
static bool same_live(const struct forecast_plan *p, const float *x,
                      size_t piece, size_t step,
                      const struct forecast_rows *want)
{
    struct config_features conf = features();
    struct forecast_latency l;
    struct forecast_rows rows;
    struct err err;
    struct forecast_live *f = forecast_live_open(p, &conf, 16000, step, &err);
    size_t i, k, at = 0;
    bool same = f != NULL;
    double late;

    for (i = 0; i <= N && same; i += k ? k : 1) {
        k = i + piece > N ? N - i : piece;
        same = !(k ? forecast_live_add(f, x + i, k, &rows, &err)
                   : forecast_live_end(f, &rows, &err)) &&
               at + rows.n <= want->n && rows.first ==
               want->first + (int64_t)at;
        if (!same)
            break;
        if (rows.n)
            same = !memcmp(rows.eda, want->eda + at, rows.n * sizeof(float)) &&
                   (!want->sd ||
                    !memcmp(rows.sd, want->sd + at, rows.n * sizeof(float)));
        at += rows.n;
        forecast_live_latency(f, &l);
        late = (double)(i + k) / 16000 -
               forecast_time(p, want->first + (int64_t)at) -
               (l.framing_s + l.field_s + l.step_s + l.rate_s);
        same = same && (k == 0 || late <= 1e-9);
    }
    forecast_live_close(f);
    return same && at == want->n;
}

/* One plan: live in pieces against the whole song. */
static void test_live(const struct forecast_plan *p, const float *x,
                      const float *mfcc, size_t T, const char *name)
{
    struct forecast_rows want;
    struct err err;
    struct forecast *f = forecast_open(p, &err);
    bool same;

    if (!f || forecast_song(f, mfcc, T, &want, &err))
        exit(2);
    same = same_live(p, x, 333, 1, &want) && same_live(p, x, 1600, 4, &want) &&
           same_live(p, x, N, 1, &want) && same_live(p, x, 20011, 1, &want);
    tap_ok(same && want.n > 0, "%s: live is the same, %zu results", name,
           want.n);
    forecast_close(f);
}

/* Mean, spread and scale of two models, against their own curves. */
static void test_spread(const struct forecast_plan *both, const float *mfcc,
                        size_t T)
{
    struct forecast_plan plans[3] = {*both, *both, *both};
    struct forecast_rows rows[3];
    struct forecast *f[3];
    struct err err;
    double worst = 0;
    size_t i, m;

    for (m = 0; m < 3; m++) {
        plans[m].models += m % 2;
        if (m < 2) {
            plans[m].n_models = 1;
            plans[m].mean = 0;
            plans[m].std = 1;
        }
        f[m] = forecast_open(&plans[m], &err);
        if (!f[m] || forecast_song(f[m], mfcc, T, &rows[m], &err))
            exit(2);
        tap_ok((m < 2) == !rows[m].sd && rows[m].n == T && rows[m].first == 0,
               "%s", m < 2 ? "one model has no spread" : "two have one");
    }
    for (i = 0; i < T; i++) {
        double a = (double)rows[0].eda[i], b = (double)rows[1].eda[i];

        worst = fmax(worst, fabs((double)rows[2].eda[i] -
                                 (both->std * (a + b) / 2 + both->mean)));
        worst = fmax(worst, fabs((double)rows[2].sd[i] -
                                 both->std * fabs(a - b) / sqrt(2)));
    }
    tap_near(worst, 0, 1e-5, "mean and spread are those of the two curves");
    for (m = 0; m < 3; m++)
        forecast_close(f[m]);
}

/* All tests. */
int main(void)
{
    struct model m[2];
    const struct model *models[] = {&m[0], &m[1]};
    struct forecast_plan p = {models, 1, 10, 1, 0, 0, 0, 1};
    float *x = song_make(N, 16000), *mfcc;
    size_t T;

    make_models(m);
    mfcc = features_of(x, &T);
    test_live(&p, x, mfcc, T, "one model");
    p.rate_hz = 4;
    test_live(&p, x, mfcc, T, "at 4 Hz");
    p.n_models = 2;
    p.mean = 3;
    p.std = 0.5;
    test_live(&p, x, mfcc, T, "two models in microsiemens at 4 Hz");
    p.rate_hz = 0;
    test_live(&p, x, mfcc, T, "two models in microsiemens");
    test_spread(&p, mfcc, T);
    model_release(&m[0]);
    model_release(&m[1]);
    free(mfcc);
    free(x);
    return tap_done();
}
