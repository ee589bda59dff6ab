/*
 * test_mfcc - MFCCs against NumPy in double and against torchaudio, grids,
 * edges, refusals, and whole sound files to frames.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"
#include "signal/mfccframe.h"
#include "song.h"

/* Settings of torchaudio.transforms.MFCC. */
static struct config_features torchaudio_conf(void)
{
    return (struct config_features){
        .preset = CONFIG_PRESET_TORCHAUDIO,
        .audio_resampler = CONFIG_RESAMPLE_TORCHAUDIO,
        .audio_n_mfcc = 40,
        .audio_n_mels = 128,
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
        .audio_top_db = 80,
        .audio_delta_width = 5,
    };
}

/* Settings of librosa.feature.mfcc. */
static struct config_features librosa_conf(void)
{
    struct config_features c = torchaudio_conf();

    c.preset = CONFIG_PRESET_LIBROSA;
    c.audio_n_mfcc = 20;
    c.audio_window_size = c.audio_n_fft = 2048;
    c.audio_hop_length = 512;
    c.audio_pad_mode = CONFIG_ZERO;
    c.audio_mel_scale = CONFIG_SLANEY;
    c.audio_mel_norm = CONFIG_MEL_NORM_SLANEY;
    c.audio_lifter_type = CONFIG_LIFTER_LIBROSA;
    return c;
}

/* Settings of Kaldi's compute-mfcc-feats without dither. */
static struct config_features kaldi_conf(void)
{
    struct config_features c = torchaudio_conf();

    c.preset = CONFIG_PRESET_KALDI;
    c.audio_n_mfcc = 13;
    c.audio_n_mels = 23;
    c.audio_n_fft = 512;
    c.audio_window = CONFIG_POVEY;
    c.audio_center = false;
    c.audio_preemphasis = 0.97;
    c.audio_remove_dc = true;
    c.audio_f_min = 20;
    c.audio_mel_scale = CONFIG_MEL_KALDI;
    c.audio_log = CONFIG_LOG_LN;
    c.audio_amin = 1.1920928955078125e-07;
    c.audio_top_db = 0;
    c.audio_lifter = 22;
    c.audio_use_energy = true;
    return c;
}

/* Sets window, hop, transform, filters and coefficients. */
static void sizes(struct config_features *c, int64_t W, int64_t H, int64_t N,
                  int64_t M, int64_t C)
{
    c->audio_window_size = W;
    c->audio_hop_length = H;
    c->audio_n_fft = N;
    c->audio_n_mels = M;
    c->audio_n_mfcc = C;
}

/* Settings of the case `options`: everything that no preset uses. */
static struct config_features options_conf(void)
{
    struct config_features c = torchaudio_conf();

    c.preset = CONFIG_PRESET_DEFAULT;
    sizes(&c, 200, 77, 256, 20, 12);
    c.audio_window = CONFIG_BLACKMAN;
    c.audio_pad_mode = CONFIG_EDGE;
    c.audio_preemphasis = 0.9;
    c.audio_power = 1;
    c.audio_f_min = 50;
    c.audio_f_max = 3700;
    c.audio_top_db = 30;
    c.audio_lifter = 15;
    return c;
}

/* Deltas and normalisation of the cases that have them. */
static void deltas(struct config_features *c, const char *name)
{
    bool two = strcmp(name, "torchaudio_deltas") == 0;
    bool wide = strcmp(name, "torchaudio_delta9") == 0;
    bool cmvn = strcmp(name, "torchaudio_cmvn") == 0;

    if (!two && !wide && !cmvn)
        return;
    sizes(c, 400, 160, 512, 40, 13);
    c->audio_delta_order = two ? 2 : 1;
    c->audio_delta_width = wide ? 9 : 5;
    c->audio_cmvn = cmvn ? CONFIG_CMVN_CLIP : CONFIG_CMVN_NONE;
}

/* Whether a case's name begins so. */
static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* Settings of the cases that differ from a preset in one option. */
static void one_option(struct config_features *c, const char *name)
{
    bool each = begins(name, "each");

    if (begins(name, "kaldi_centred") || begins(name, "kaldi_short")) {
        c->audio_center = true;
        c->audio_pad_mode = CONFIG_MIRROR;
    }
    if (each || begins(name, "mirror") || begins(name, "torchaudio_dctnone") ||
        begins(name, "torchaudio_clipped") || begins(name, "htk_lifter") ||
        begins(name, "absolute")) {
        sizes(c, 400, 160, 512, 40, 13);
        if (!each && !begins(name, "torchaudio"))
            c->preset = CONFIG_PRESET_DEFAULT;
    }
    if (begins(name, "mirror"))
        c->audio_pad_mode = CONFIG_MIRROR;
    if (begins(name, "torchaudio_dctnone"))
        c->audio_dct_norm = CONFIG_DCT_NONE;
    if (begins(name, "htk_lifter"))
        c->audio_lifter = 22;
    if (begins(name, "absolute")) {
        c->audio_top_db = 30;
        c->audio_top_db_scope = CONFIG_TOP_DB_ABSOLUTE;
    }
    if (each)
        c->audio_channels = CONFIG_EACH;
    if (begins(name, "each_channel"))
        c->audio_top_db_scope = CONFIG_TOP_DB_CHANNEL;
}

/* The settings behind a case's name in tests/golden/make_mfcc.py. */
static struct config_features case_conf(const char *name)
{
    struct config_features c = torchaudio_conf();

    if (strncmp(name, "kaldi", 5) == 0)
        c = kaldi_conf();
    else if (strncmp(name, "librosa", 7) == 0)
        c = librosa_conf();
    else if (strcmp(name, "options") == 0)
        c = options_conf();
    else if (strcmp(name, "torchaudio_512") == 0 ||
             strcmp(name, "torchaudio_uncentred") == 0)
        sizes(&c, 400, 160, 512, 40, 13);
    else if (strcmp(name, "torchaudio_2048") == 0)
        sizes(&c, 2048, 512, 2048, 128, 20);
    else if (strcmp(name, "torchaudio_odd") == 0)
        sizes(&c, 401, 201, 401, 64, 40);
    else if (strcmp(name, "music") == 0)
        sizes(&c, 2048, 1600, 2048, 64, 20);
    if (strcmp(name, "music") == 0)
        c.preset = CONFIG_PRESET_DEFAULT;
    deltas(&c, name);
    one_option(&c, name);
    if (strcmp(name, "torchaudio_uncentred") == 0)
        c.audio_center = false;
    if (strcmp(name, "torchaudio_lnoffset") == 0) {
        c.audio_log = CONFIG_LOG_LN_OFFSET;
        c.audio_amin = 1e-6;
    }
    if (strcmp(name, "librosa_lifter") == 0)
        c.audio_lifter = 22;
    if (strcmp(name, "kaldi_c0") == 0)
        c.audio_use_energy = false;
    if (strcmp(name, "kaldi_hamming") == 0)
        c.audio_window = CONFIG_HAMMING;
    return c;
}

/* Opens an engine or stops the program. */
static struct mfcc *must_open(const struct config_features *c, uint32_t rate)
{
    struct err err;
    struct mfcc *m = mfcc_open(c, rate, &err);

    if (!m) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }
    return m;
}

/* Largest and mean difference over the rows of one reference. */
struct away {
    double max; /* largest */
    double sum; /* of all */
    size_t n;   /* values */
};

/* Reads the C values of a golden row and compares. */
static void compare(FILE *f, const float *row, size_t C, struct away *away)
{
    double want, off;
    size_t c;

    for (c = 0; c < C; c++) {
        if (fscanf(f, "%lf", &want) != 1)
            want = INFINITY;
        off = fabs((double)row[c] - want);
        away->max = fmax(away->max, off);
        away->sum += off;
        away->n++;
    }
}

/* The rows of one golden case; T frames of C coefficients at out. */
static void golden_rows(FILE *f, const char *name, const float *out, size_t C)
{
    struct away exact = {0}, torch = {0}, librosa = {0};
    /* Without the norm of 40 filters, coefficients are that much larger. */
    double scale = strcmp(name, "torchaudio_dctnone") ? 1 : 2 * sqrt(20);
    char kind[16];
    size_t k;
    long at;

    for (at = ftell(f); fscanf(f, " %15s", kind) == 1; at = ftell(f)) {
        if (strcmp(kind, "case") == 0 || strcmp(kind, "dither") == 0)
            break;
        if (fscanf(f, "%zu", &k) == 1)
            compare(f, out + k * C, C,
                    strcmp(kind, "torch") == 0     ? &torch
                    : strcmp(kind, "librosa") == 0 ? &librosa
                                                   : &exact);
    }
    fseek(f, at, SEEK_SET);
    if (librosa.n)
        tap_ok(librosa.max < 1e-3, "%s: from librosa max %.1e mean %.1e", name,
               librosa.max, librosa.sum / (double)librosa.n);
    else
        tap_ok(exact.n && exact.max < 1e-3 &&
                   exact.sum < 3e-5 * (double)exact.n,
               "%s: from float64 max %.1e mean %.1e", name, exact.max,
               exact.sum / (double)exact.n);
    if (torch.n)
        tap_ok(torch.max < 3e-3 * scale &&
                   torch.sum < 1e-4 * scale * (double)torch.n,
               "%s: from torchaudio max %.1e mean %.1e", name, torch.max,
               torch.sum / (double)torch.n);
}

/*
 * The coefficients of two channels of a file: the signal and, 50 to 1 quieter,
 * the same backwards. Caller frees; NULL with err set.
 */
static float *two_channels(const struct config_features *conf, const float *x,
                           size_t n, unsigned rate, size_t *T,
                           struct err *err)
{
    float *both = malloc(2 * n * sizeof(*both)), *mfcc = NULL;
    struct mfccframe c;
    struct frame out = {0};
    unsigned char *wav;
    size_t size, i;

    for (i = 0; i < n; i++) {
        both[2 * i] = x[i];
        both[2 * i + 1] = 0.02f * x[n - 1 - i];
    }
    wav = song_wav(both, n, 2, rate, &size);
    mfccframe_init(&c, conf);
    if (!mfccframe_convert(&c, wav, size, "two.wav", &out, err)) {
        *T = frame_tensor(&out, "mfcc")->shape[0];
        mfcc = mfccframe_take(&c, &out);
    }
    mfccframe_release(&c);
    frame_release(&out);
    free(wav);
    free(both);
    return mfcc;
}

/* The golden cases of a file with two channels. */
static void golden_each(FILE *f, const char *name, size_t n, unsigned rate,
                        size_t T, size_t C)
{
    struct config_features conf = case_conf(name);
    float *x = song_make(n, rate), *out;
    struct err err = {0};
    size_t got = 0;

    out = two_channels(&conf, x, n, rate, &got, &err);
    if (tap_ok(out && got == T, "%s: %zu frames of two channels %s", name, got,
               err.text))
        golden_rows(f, name, out, C);
    free(out);
    free(x);
}

/* Dithered silence has the mean and the deviation that Kaldi's has. */
static void golden_dither(FILE *f)
{
    struct config_features conf = kaldi_conf();
    size_t n = 160 * 20000, T, c, t;
    double mean[13] = {0}, square[13] = {0}, want_mean[13], want_std[13];
    double worst = 0;
    float *x = calloc(n, sizeof(*x));
    struct err err = {0};
    const float *out;
    struct mfcc *m;

    conf.audio_dither = 1;
    m = must_open(&conf, 16000);
    T = mfcc_n_frames(m, n);
    for (c = 0; c < 26; c++)
        if (fscanf(f, c % 13 ? "%lf" : c ? " dither std %lf"
                                         : " dither mean %lf",
                   c < 13 ? &want_mean[c] : &want_std[c - 13]) != 1)
            worst = INFINITY;
    if (tap_ok(!mfcc_signal(m, x, n, &out, &err), "dither: %s", err.text))
        for (t = 0; t < T; t++)
            for (c = 0; c < 13; c++) {
                mean[c] += (double)out[t * 13 + c] / (double)T;
                square[c] += (double)out[t * 13 + c] *
                             (double)out[t * 13 + c] / (double)T;
            }
    for (c = 0; c < 13; c++) {
        double std = sqrt(square[c] - mean[c] * mean[c]);

        /* In standard errors of a mean, and for the deviation in 1/100. */
        worst = fmax(worst, fabs(mean[c] - want_mean[c]) / want_std[c] *
                                sqrt((double)T / 2) / 4);
        worst = fmax(worst, fabs(std / want_std[c] - 1) / 0.03);
    }
    tap_ok(worst < 1, "dithered silence is Kaldi's: %.2f of the tolerance",
           worst);
    free(x);
    mfcc_close(m);
}

/*
 * Every golden case of a file, `want` of them: frame count, and what float64,
 * torchaudio and librosa say.
 */
static void test_golden(const char *path, int want, bool dithered)
{
    FILE *f = fopen(path, "r");
    size_t n, T, C, i;
    unsigned rate;
    int cases = 0;
    char name[32];

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %31s %zu %u %zu %zu", name, &n, &rate, &T, &C) ==
           5) {
        struct config_features conf = case_conf(name);
        struct mfcc *m;
        float *x;
        const float *out = NULL;
        struct err err = {0};

        cases++;
        if (conf.audio_channels == CONFIG_EACH) {
            golden_each(f, name, n, rate, T, C);
            continue;
        }
        m = must_open(&conf, rate);
        x = song_make(n, rate);
        for (i = 0; i < n && begins(name, "torchaudio_clipped"); i++)
            x[i] = fminf(fmaxf(3 * x[i], -1), 1);
        tap_ok(mfcc_n_frames(m, n) == T, "%s: %zu frames", name, T);
        if (tap_ok(!mfcc_signal(m, x, n, &out, &err), "%s: %s", name,
                   err.text[0] ? err.text : "transformed"))
            golden_rows(f, name, out, C);
        free(x);
        mfcc_close(m);
    }
    if (dithered)
        golden_dither(f);
    fclose(f);
    tap_ok(cases == want, "%d golden cases, got %d", want, cases);
}

/*
 * A signal by every path that the processor has: the vector widths give the
 * same bits, and FFTW is no further away than the tolerance.
 */
static void paths_agree(const char *what, const struct config_features *conf,
                        size_t n)
{
    struct mfcc *m = must_open(conf, 16000);
    size_t len = mfcc_n_frames(m, n) * (size_t)conf->audio_n_mfcc, i;
    float *x = song_make(n, 16000), *kept = malloc(len * sizeof(*kept));
    struct err err = {0};
    const float *out;
    double most = 0;
    int path;

    for (path = MFCC_PLAIN; !mfcc_force(m, (enum mfcc_path)path, &err);
         path++) {
        if (mfcc_signal(m, x, n, &out, &err))
            break;
        if (path == MFCC_PLAIN)
            memcpy(kept, out, len * sizeof(*kept));
        else
            tap_ok(memcmp(kept, out, len * sizeof(*kept)) == 0,
                   "%s: path %d has the bits of path 1", what, path);
        if (path == MFCC_AVX512)
            break;
    }
    tap_ok(path > MFCC_PLAIN, "%s: there are lanes", what);
    if (tap_ok(!mfcc_force(m, MFCC_FFTW, &err) &&
                   !mfcc_signal(m, x, n, &out, &err),
               "%s: FFTW does it too", what))
        for (i = 0; i < len; i++)
            most = fmax(most, fabs((double)out[i] - (double)kept[i]));
    tap_ok(most < 1e-3, "%s: FFTW is %.1e away", what, most);
    free(kept);
    free(x);
    mfcc_close(m);
}

/* Lengths of transform, numbers of frames and odd numbers of filters. */
static void test_paths(void)
{
    static const int64_t lengths[] = {8,   40,  80,   200,  256, 320,
                                      400, 512, 1000, 1024, 2048, 4096};
    struct config_features c;
    char name[32];
    size_t i;

    for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        c = torchaudio_conf();
        sizes(&c, lengths[i] - (int64_t)i % 3, 177, lengths[i], 21, 13);
        snprintf(name, sizeof(name), "transform of %d", (int)lengths[i]);
        paths_agree(name, &c, 9000);
    }
    for (i = 1; i <= 18; i++) {
        c = torchaudio_conf();
        c.audio_center = false;
        c.audio_n_mfcc = (int64_t)i;
        snprintf(name, sizeof(name), "frames: %zu", i);
        paths_agree(name, &c, 400 + 160 * (i - 1) + 159);
    }
    for (i = 0; i < 3; i++) {
        c = i == 0 ? kaldi_conf() : i == 1 ? librosa_conf() : options_conf();
        snprintf(name, sizeof(name), "preset %zu", i);
        paths_agree(name, &c, 16007);
    }
}

/* Which kind of path it is follows from the settings. */
static void test_path_choice(void)
{
    static const int64_t single[] = {401, 402, 404, 600, 8192, 20};
    struct config_features c = torchaudio_conf();
    struct err err = {0};
    struct mfcc *m;
    size_t i;

    for (i = 0; i < sizeof(single) / sizeof(*single); i++) {
        sizes(&c, single[i], 160, single[i], 20, 13);
        m = must_open(&c, 16000);
        tap_ok(mfcc_force(m, MFCC_PLAIN, &err) && err.status == ERR_USAGE,
               "a transform of %d is FFTW's", (int)single[i]);
        mfcc_close(m);
    }
    c = torchaudio_conf();
    c.audio_amin = 1e-40;
    m = must_open(&c, 16000);
    tap_ok(mfcc_force(m, MFCC_PLAIN, &err), "a denormal floor is logf's");
    mfcc_close(m);
}

/* Grid of frames: reduced rate, frame 0. */
static void test_grid(void)
{
    struct config_features c = torchaudio_conf();
    struct mfcc_grid g;

    mfcc_grid(&c, 44100, &g);
    tap_ok(g.rate_num == 2205 && g.rate_den == 8 && g.t0_s == 0,
           "44100 by 160 is 2205/8 frames a second from 0");
    c = kaldi_conf();
    mfcc_grid(&c, 16000, &g);
    tap_ok(g.rate_num == 100 && g.rate_den == 1 && g.t0_s == 0.0125,
           "kaldi: frame 0 is half a window in");
    c.preset = CONFIG_PRESET_DEFAULT;
    mfcc_grid(&c, 16000, &g);
    tap_ok(g.t0_s == 0.016, "not centred: frame 0 is half a transform in");
    c.preset = CONFIG_PRESET_KALDI;
    c.audio_center = true;
    mfcc_grid(&c, 16000, &g);
    tap_ok(g.t0_s == 0.005, "kaldi, centred: frame 0 is half a hop in");
}

/*
 * Pieces of any size give the bytes of the whole, and a signal whose peak is
 * divided out at the end has the coefficients of the divided one.
 */
static void test_pieces(void)
{
    static const size_t pieces[] = {1, 37, 400, 4000, 20011};
    struct config_features c = torchaudio_conf();
    struct mfcc *m = must_open(&c, 16000);
    size_t n = 20011, T, i, p, at, bytes;
    float *x = song_make(n, 16000), *kept, peak = 0;
    struct err err = {0};
    const float *out = NULL;
    double most = 0;

    bytes = mfcc_n_frames(m, n) * 40 * sizeof(*kept);
    kept = malloc(bytes);
    tap_ok(!mfcc_signal(m, x, n, &out, &err), "a whole signal: %s", err.text);
    memcpy(kept, out, bytes);
    for (p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
        mfcc_begin(m, false);
        for (at = 0; at < n; at += pieces[p])
            if (mfcc_add(m, x + at, n - at < pieces[p] ? n - at : pieces[p],
                         &err))
                break;
        tap_ok(!mfcc_end(m, &err) &&
                   !mfcc_result(m, 1, mfcc_loudest(m), &out, &T, &err) &&
                   memcmp(out, kept, bytes) == 0,
               "the same in pieces of %zu", pieces[p]);
    }
    for (i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(x[i]) * 0.001f);
    for (i = 0; i < n; i++)
        x[i] *= 0.001f;
    mfcc_begin(m, true);
    tap_ok(!mfcc_add(m, x, n, &err) && !mfcc_end(m, &err) &&
               !mfcc_result(m, peak, mfcc_loudest(m), &out, &T, &err),
           "a signal to be divided: %s", err.text);
    memcpy(kept, out, bytes);
    for (i = 0; i < n; i++)
        x[i] /= peak;
    tap_ok(!mfcc_signal(m, x, n, &out, &err), "a divided one");
    for (i = 0; i < bytes / sizeof(*kept); i++)
        most = fmax(most, fabs((double)out[i] - (double)kept[i]));
    tap_ok(most < 5e-4, "the same coefficients: %.1e away", most);
    free(kept);
    free(x);
    mfcc_close(m);
}

/*
 * The noise of dither is that of its seed, drawn by frame: in frames that do
 * not overlap it is as if it had been in the signal.
 */
static void test_dither(void)
{
    struct config_features c = torchaudio_conf();
    float *x = song_make(4000, 16000), *noisy = song_make(4000, 16000);
    size_t k, i, n = 10 * 40;
    const float *out = NULL;
    struct err err = {0};
    float *kept = malloc(n * sizeof(*kept));
    struct mfcc *m;
    struct rng r;

    c.audio_center = false;
    c.audio_hop_length = 400;
    for (k = 0; k < 10; k++) {
        rng_init(&r, 7, RNG_DITHER, (uint32_t)k, 0);
        for (i = 0; i < 400; i++)
            noisy[k * 400 + i] += (float)(0.01 * rng_normal(&r));
    }
    m = must_open(&c, 16000);
    tap_ok(!mfcc_signal(m, noisy, 4000, &out, &err), "noise in the signal");
    memcpy(kept, out, n * sizeof(*kept));
    mfcc_close(m);
    c.audio_dither = 0.01;
    c.audio_dither_seed = 7;
    m = must_open(&c, 16000);
    tap_ok(!mfcc_signal(m, x, 4000, &out, &err) &&
               memcmp(out, kept, n * sizeof(*kept)) == 0,
           "the same noise by dither");
    mfcc_close(m);
    c.audio_dither_seed = 8;
    m = must_open(&c, 16000);
    tap_ok(!mfcc_signal(m, x, 4000, &out, &err) &&
               memcmp(out, kept, n * sizeof(*kept)) != 0,
           "another seed, another noise");
    mfcc_close(m);
    free(kept);
    free(noisy);
    free(x);
}

/* Silence is finite: -100 dB everywhere. */
static void test_silence(void)
{
    struct config_features c = torchaudio_conf();
    struct mfcc *m = must_open(&c, 16000);
    float x[1600] = {0};
    const float *out = NULL;
    struct err err = {0};
    double rest = 0;
    size_t i;

    if (!tap_ok(!mfcc_signal(m, x, 1600, &out, &err), "silence passes"))
        return;
    tap_near((double)out[0], -100 * sqrt(128), 1e-3, "C0 is -100 sqrt(M)");
    for (i = 1; i < 40; i++)
        rest = fmax(rest, fabs((double)out[i]));
    tap_ok(rest < 1e-4, "all others are 0: %.1e", rest);
    mfcc_close(m);
}

/* Normalised silence is 0, and so is a clip of one frame. */
static void test_cmvn(void)
{
    struct config_features c = torchaudio_conf();
    float x[1600] = {0}, most = 0;
    const float *out = NULL;
    struct err err = {0};
    struct mfcc *m;
    size_t n, i;

    c.audio_cmvn = CONFIG_CMVN_CLIP;
    c.audio_delta_order = 2;
    m = must_open(&c, 16000);
    tap_ok(mfcc_n_values(m) == 120, "40 coefficients and 80 deltas");
    if (!tap_ok(!mfcc_signal(m, x, 1600, &out, &err), "silence passes"))
        return;
    for (i = 0; i < 11 * 120; i++)
        most = fmaxf(most, fabsf(out[i]));
    tap_ok(most == 0, "normalised silence is 0, not %g", (double)most);
    mfcc_close(m);
    c.audio_center = false;
    m = must_open(&c, 16000);
    for (n = 0; n < 400; n++)
        x[n] = n % 7 ? 0.1f : -0.3f;
    if (!tap_ok(!mfcc_signal(m, x, 400, &out, &err), "one frame passes"))
        return;
    for (i = 0; i < 120; i++)
        most = fmaxf(most, fabsf(out[i]));
    tap_ok(most == 0, "one frame is its own mean: %g", (double)most);
    mfcc_close(m);
}

/* Filters that fall between bins are listed. */
static void test_empty(void)
{
    static const struct {
        uint32_t rate; /* Hz */
        size_t n;      /* empty filters with 128 mels and n_fft 400 */
    } known[] = {{8000, 0},  {11025, 1}, {16000, 4}, {22050, 7},
                 {32000, 12}, {44100, 16}, {48000, 17}};
    struct config_features c = torchaudio_conf();
    const size_t *index;
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
        struct mfcc *m = must_open(&c, known[i].rate);
        size_t n = mfcc_empty_filters(m, &index);

        tap_ok(n == known[i].n, "%u Hz: %zu empty filters", known[i].rate, n);
        mfcc_close(m);
    }
}

/* Signals that have no frame, or no numbers, are refused. */
static void test_bad_signals(void)
{
    struct config_features c = torchaudio_conf();
    struct mfcc *m = must_open(&c, 16000);
    float x[201] = {0};
    const float *out;
    struct err err = {0};

    tap_ok(mfcc_n_frames(m, 200) == 0 && mfcc_n_frames(m, 201) == 2,
           "reflection needs 201 samples");
    tap_ok(mfcc_signal(m, x, 200, &out, &err) && err.status == ERR_DATA &&
               strstr(err.text, "too short: 200 samples"),
           "200 are refused: %s", err.text);
    x[7] = NAN;
    tap_ok(mfcc_signal(m, x, 201, &out, &err) && err.status == ERR_DATA &&
               strstr(err.text, "sample 7 is NaN"),
           "NaN is refused: %s", err.text);
    x[7] = 2e10f;
    tap_ok(mfcc_signal(m, x, 201, &out, &err) && err.status == ERR_DATA &&
               strstr(err.text, "sample 7 is 2e+10, want at most 1e+10"),
           "what has no power is refused: %s", err.text);
    x[7] = 1e10f;
    tap_ok(!mfcc_signal(m, x, 201, &out, &err) && isfinite(out[0]),
           "what has one is not");
    mfcc_close(m);
    c.audio_pad_mode = CONFIG_ZERO;
    m = must_open(&c, 16000);
    x[7] = 0;
    tap_ok(!mfcc_signal(m, x, 1, &out, &err), "zeros need one sample");
    mfcc_close(m);
    c.audio_center = false;
    m = must_open(&c, 16000);
    tap_ok(mfcc_n_frames(m, 399) == 0 && mfcc_n_frames(m, 400) == 1,
           "without centring a whole frame is needed");
    mfcc_close(m);
}

/* One setting that cannot work: status 2, the key named. */
static void refused(const struct config_features *c, const char *key)
{
    struct err err = {0};
    struct mfcc *m = mfcc_open(c, 16000, &err);

    tap_ok(!m && err.status == ERR_USAGE && strstr(err.text, key), "%s",
           err.text);
    mfcc_close(m);
}

/* Settings that cannot work are refused. */
static void test_bad_settings(void)
{
    struct config_features c = torchaudio_conf();

    c.audio_window_size = 800;
    refused(&c, "audio_window_size 800");
    c = torchaudio_conf();
    c.audio_n_mfcc = 129;
    refused(&c, "audio_n_mfcc 129");
    c = torchaudio_conf();
    c.audio_f_max = 9000;
    refused(&c, "audio_f_max 9000");
    c = torchaudio_conf();
    c.audio_f_min = 8000;
    refused(&c, "audio_f_min 8000");
    c = torchaudio_conf();
    c.audio_amin = 0;
    refused(&c, "audio_amin 0");
}

/* A file of n samples at `rate` through a converter; 0 or -1. */
static int convert(struct mfccframe *c, size_t n, unsigned rate,
                   struct frame *out, struct err *err)
{
    float *x = song_make(n, rate);
    size_t size;
    unsigned char *wav = song_wav(x, n, 1, rate, &size);
    int failed = mfccframe_convert(c, wav, size, "x.wav", out, err);

    free(wav);
    free(x);
    return failed;
}

/* Whole files: rates change in between, the frame says all. */
static void test_convert(void)
{
    struct config_features conf = torchaudio_conf();
    struct mfccframe c;
    struct frame out = {0};
    struct err err = {0};
    const struct tensor *t;
    float first[40];

    conf.audio_target_sample_rate = 16000;
    conf.audio_normalize = true;
    mfccframe_init(&c, &conf);
    tap_ok(!convert(&c, 44101, 44100, &out, &err), "44.1 kHz: %s", err.text);
    t = frame_tensor(&out, "mfcc");
    tap_ok(t && t->shape[0] == 101 && t->shape[1] == 40, "101 frames of 40");
    tap_is(frame_get(&out, "rate_num"), "100", "100 frames");
    tap_is(frame_get(&out, "rate_den"), "1", "a second");
    tap_is(frame_get(&out, "t0_s"), "0", "from 0");
    tap_is(frame_get(&out, "audio_target_sample_rate"), "16000",
           "the real rate is told");
    if (t)
        memcpy(first, t->data, sizeof(first));
    frame_clear(&out);
    tap_ok(!convert(&c, 9000, 22050, &out, &err), "22.05 kHz: %s", err.text);
    frame_clear(&out);
    tap_ok(!convert(&c, 44101, 44100, &out, &err), "44.1 kHz again");
    t = frame_tensor(&out, "mfcc");
    tap_ok(t && memcmp(first, t->data, sizeof(first)) == 0, "same bytes");
    frame_clear(&out);
    tap_ok(convert(&c, 100, 16000, &out, &err) && err.status == ERR_DATA &&
               strstr(err.text, "x.wav: clip too short"),
           "too short: %s", err.text);
    mfccframe_release(&c);
    conf.audio_resampler = CONFIG_RESAMPLE_NONE;
    mfccframe_init(&c, &conf);
    tap_ok(convert(&c, 9000, 22050, &out, &err) && err.status == ERR_DATA &&
               strstr(err.text, "22050 Hz, want 16000 Hz"),
           "no resampler: %s", err.text);
    mfccframe_release(&c);
    frame_release(&out);
}

/* Without a target each file keeps its rate, and says which. */
static void test_native_rate(void)
{
    struct config_features conf = torchaudio_conf();
    struct mfccframe c;
    struct frame out = {0};
    struct err err = {0};

    mfccframe_init(&c, &conf);
    tap_ok(!convert(&c, 9000, 22050, &out, &err), "22.05 kHz: %s", err.text);
    tap_is(frame_get(&out, "rate_num"), "2205", "2205");
    tap_is(frame_get(&out, "rate_den"), "16", "/16 frames a second");
    tap_is(frame_get(&out, "audio_target_sample_rate"), "22050",
           "the file's own rate is told");
    mfccframe_release(&c);
    frame_release(&out);
}

/* All tests. */
int main(void)
{
    test_golden("tests/golden/mfcc.txt", 26, true);
    test_golden("tests/golden/librosa.txt", 2, false);
    test_paths();
    test_path_choice();
    test_grid();
    test_pieces();
    test_dither();
    test_silence();
    test_cmvn();
    test_empty();
    test_bad_signals();
    test_bad_settings();
    test_convert();
    test_native_rate();
    return tap_done();
}
