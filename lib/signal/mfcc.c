/*
 * mfcc - one mono signal to mel-frequency cepstral coefficients, and one
 * sound file to one mfcc frame.
 *
 * Letters: L samples, F samples a frame takes from the signal, W of them
 * under the window, N the length of the transform, H the hop, M mel filters,
 * C coefficients, D values a frame, T frames.
 *
 *  1. Frame k takes the W samples from k H - P + (F - W) / 2, with
 *     P = F / 2 when centred, else 0; T = 1 + (L + 2 P - F) / H. F is N, but
 *     W with the preset `kaldi`. Outside the signal: reflected without the
 *     end sample, zeros, or the end sample.
 *  2. remove_dc, log energy, pre-emphasis x[i] -= a x[i-1] (x[0] -= a x[0]),
 *     window, zeros up to N. Where in N the window lies has no influence on
 *     the power spectrum.
 *  3. |X_b|^power, mel filters (mel.c).
 *  4. db: 10 log10(max(s, amin)); ln: ln(max(s, amin)); ln_offset:
 *     ln(s + amin). With top_db, no value of db lies further than that below
 *     the largest of the whole clip, so all of it is kept until the end.
 *  5. Orthonormal DCT-II, times the lifter.
 *  6. Over the whole clip: differences in time behind the coefficients, C of
 *     each order, D values a frame in all; normalisation (delta.c).
 *
 * Beyond naming defaults, a preset decides four things its model does
 * differently: `kaldi` reads samples as 16-bit integers, takes W for F and
 * uses symmetric Hamming and Blackman windows; `librosa` counts the lifter
 * from 1; `torchaudio` and `upstream` take the integer half of the rate for
 * Nyquist (mel.c). Tables are computed in double; window and filters are kept
 * in float, the DCT stays in double.
 *
 * Steps 2 to 5 have two implementations: lanes.c does LANES_N frames at once
 * for the common lengths of the transform; for the others FFTW and the plain
 * loops here do one after the other. Which one is a matter of settings only.
 */
#include "signal/mfcc.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "signal/audio.h"
#include "signal/delta.h"
#include "signal/fft.h"
#include "signal/lanes.h"
#include "signal/mel.h"

/* pi in double, which C11 does not name. */
#define PI 3.14159265358979323846

/* 10 / ln 10: decibels of a natural logarithm of power. */
#define DB 4.342944819032518

/* Samples of full scale as Kaldi reads them. */
#define KALDI_SCALE 32768.0f

/* Largest sample: beyond the range of integers, and its power is finite. */
#define MOST 1e10f

/* An MFCC engine for one sampling rate. */
struct mfcc {
    const struct config_features *conf; /* settled; borrowed */
    uint32_t rate_hz; /* sampling rate of the signals */
    size_t frame_len; /* F */
    size_t win_len;   /* W */
    size_t n_fft;     /* N */
    size_t hop_len;   /* H */
    size_t n_mels;    /* M */
    size_t n_ceps;    /* C */
    size_t n_values;  /* D */
    size_t pad;       /* P */
    float scale;      /* factor on samples */
    float *window;    /* (W), owned */
    double *dct;      /* (M, C), lifter included, owned */
    float *power;     /* (N / 2 + 1), owned */
    double *sum;      /* (D) accumulators, owned */
    size_t *empty;    /* (n_empty) filters without bins, owned */
    size_t n_empty;   /* how many */
    struct mel mel;   /* filters */
    struct fft *fft;  /* transform, NULL: lanes does it all */
    struct lanes *lanes; /* frames in vector lanes, NULL: one by one */
    float *edge;      /* (LANES_N, W) frames that leave the signal, owned */
    float *logs;      /* (T, M) logarithms, then (T, D) result, owned */
    size_t logs_cap;  /* room in logs */
    float *energy;    /* (T) log energies, owned */
    size_t energy_cap; /* room in energy */
};

/* N: follows the window where the config leaves it open. */
static int64_t effective_n_fft(const struct config_features *conf)
{
    return conf->audio_n_fft > 0 ? conf->audio_n_fft
                                 : conf->audio_window_size;
}

/* F: Kaldi frames are as long as the window, all others as the transform. */
static int64_t effective_frame(const struct config_features *conf)
{
    return conf->preset == CONFIG_PRESET_KALDI ? conf->audio_window_size
                                               : effective_n_fft(conf);
}

void mfcc_grid(const struct config_features *conf, uint32_t rate_hz,
               struct mfcc_grid *grid)
{
    uint64_t hop = (uint64_t)conf->audio_hop_length;
    uint64_t g = num_gcd(rate_hz, hop);

    grid->rate_num = (int64_t)(rate_hz / g);
    grid->rate_den = (int64_t)(hop / g);
    grid->t0_s = conf->audio_center
                     ? 0
                     : 0.5 * (double)effective_frame(conf) / rate_hz;
}

/* Settings that no signal can be transformed with. */
static int check_conf(const struct config_features *conf, uint32_t rate_hz,
                      struct err *err)
{
    int64_t N = effective_n_fft(conf);

    if (rate_hz < 1 || conf->audio_hop_length < 1 ||
        conf->audio_window_size < 1 || N < 2 || N > INT32_MAX / 2)
        return err_set(err, ERR_USAGE,
                       "features: %u Hz, audio_window_size %lld, "
                       "audio_hop_length %lld, audio_n_fft %lld make no "
                       "frames",
                       rate_hz, (long long)conf->audio_window_size,
                       (long long)conf->audio_hop_length, (long long)N);
    if (conf->audio_window_size > N)
        return err_set(err, ERR_USAGE,
                       "features: audio_window_size %lld is longer than "
                       "audio_n_fft %lld",
                       (long long)conf->audio_window_size, (long long)N);
    if (conf->audio_n_mels < 1 || conf->audio_n_mfcc < 1 ||
        conf->audio_n_mfcc > conf->audio_n_mels)
        return err_set(err, ERR_USAGE,
                       "features: audio_n_mfcc %lld is not within 1 and "
                       "audio_n_mels, %lld",
                       (long long)conf->audio_n_mfcc,
                       (long long)conf->audio_n_mels);
    if (!((float)conf->audio_amin > 0))
        return err_set(err, ERR_USAGE,
                       "features: audio_amin %g has no logarithm",
                       conf->audio_amin);
    return 0;
}

/* Sample n of a window of W. */
static double window_at(const struct config_features *conf, size_t n,
                        size_t W)
{
    bool kaldi = conf->preset == CONFIG_PRESET_KALDI;
    double periodic = 2 * PI * (double)n / (double)W;
    double symmetric = W > 1 ? 2 * PI * (double)n / (double)(W - 1) : PI;
    double angle = kaldi ? symmetric : periodic;

    switch (conf->audio_window) {
    case CONFIG_HANN:
        return 0.5 - 0.5 * cos(periodic);
    case CONFIG_HANN_SYM:
        return 0.5 - 0.5 * cos(symmetric);
    case CONFIG_HAMMING:
        return 0.54 - 0.46 * cos(angle);
    case CONFIG_POVEY:
        /* cos may exceed 1 by a rounding, which pow cannot take. */
        return pow(fmax(0, 0.5 - 0.5 * cos(symmetric)), 0.85);
    case CONFIG_BLACKMAN:
        return 0.42 - 0.5 * cos(angle) + 0.08 * cos(2 * angle);
    case CONFIG_RECT:
        break;
    }
    return 1;
}

/* Factor on coefficient c. */
static double lifter_at(const struct config_features *conf, size_t c)
{
    double Q = conf->audio_lifter;
    double n = (double)c + (conf->preset == CONFIG_PRESET_LIBROSA);

    return Q > 0 ? 1 + Q / 2 * sin(PI * n / Q) : 1;
}

/* Window and DCT. */
static int make_tables(struct mfcc *m, struct err *err)
{
    size_t W = m->win_len, M = m->n_mels, C = m->n_ceps, n, c;

    if (!(m->window = mem_alloc(W, sizeof(*m->window), err)) ||
        !(m->dct = mem_alloc(M * C, sizeof(*m->dct), err)))
        return -1;
    for (n = 0; n < W; n++)
        m->window[n] = (float)window_at(m->conf, n, W);
    for (n = 0; n < M; n++)
        for (c = 0; c < C; c++) {
            double angle = PI * (double)c * ((double)n + 0.5) / (double)M;
            double norm = sqrt((c ? 2.0 : 1.0) / (double)M);

            m->dct[n * C + c] = norm * cos(angle) * lifter_at(m->conf, c);
        }
    return 0;
}

/* Lists the filters without bins. */
static int list_empty(struct mfcc *m, struct err *err)
{
    size_t j;

    m->empty = mem_alloc(m->n_mels, sizeof(*m->empty), err);
    if (!m->empty)
        return -1;
    for (j = 0; j < m->n_mels; j++)
        if (m->mel.n_bins[j] == 0)
            m->empty[m->n_empty++] = j;
    return 0;
}

/*
 * The path of a transform: which of the two kinds follows from the settings
 * alone, so that the result is the same on every processor.
 */
static enum mfcc_path best_path(const struct mfcc *m)
{
    /* Its logarithm takes no denormal numbers. */
    if (!lanes_fits(m->n_fft) || (float)m->conf->audio_amin < FLT_MIN)
        return MFCC_FFTW;
    switch (lanes_best_path()) {
    case LANES_AVX512:
        return MFCC_AVX512;
    case LANES_AVX2:
        return MFCC_AVX2;
    case LANES_PLAIN:
        break;
    }
    return MFCC_PLAIN;
}

/* Opens what a path needs and closes what it does not. */
static int set_path(struct mfcc *m, enum mfcc_path path, struct err *err)
{
    struct lanes_setup s = {m->conf,  m->win_len, m->n_fft, m->n_ceps,
                            m->scale, m->window,  &m->mel,  m->dct};

    fft_close(m->fft);
    lanes_close(m->lanes);
    m->lanes = NULL;
    m->fft = NULL;
    if (path == MFCC_FFTW) {
        m->fft = fft_open(m->n_fft, err);
        return m->fft ? 0 : -1;
    }
    if (!m->edge)
        m->edge = mem_alloc(LANES_N * m->win_len, sizeof(*m->edge), err);
    if (!m->edge)
        return -1;
    m->lanes = lanes_open(&s, path == MFCC_AVX512 ? LANES_AVX512
                              : path == MFCC_AVX2 ? LANES_AVX2
                                                  : LANES_PLAIN,
                          err);
    return m->lanes ? 0 : -1;
}

int mfcc_force(struct mfcc *m, enum mfcc_path path, struct err *err)
{
    if (path > best_path(m))
        return err_set(err, ERR_USAGE,
                       "mfcc: path %d of a transform of %zu is not to be "
                       "had here, best is %d",
                       path, m->n_fft, best_path(m));
    return set_path(m, path, err);
}

/* Everything mfcc_open() allocates after the struct. */
static int set_up(struct mfcc *m, struct err *err)
{
    if (make_tables(m, err) ||
        mel_init(&m->mel, m->conf, m->n_fft, m->rate_hz, err) ||
        list_empty(m, err))
        return -1;
    if (!(m->power = mem_alloc(m->n_fft / 2 + 1, sizeof(*m->power), err)) ||
        !(m->sum = mem_alloc(m->n_values, sizeof(*m->sum), err)))
        return -1;
    return set_path(m, best_path(m), err);
}

struct mfcc *mfcc_open(const struct config_features *conf, uint32_t rate_hz,
                       struct err *err)
{
    struct mfcc *m;

    if (check_conf(conf, rate_hz, err))
        return NULL;
    m = mem_alloc(1, sizeof(*m), err);
    if (!m)
        return NULL;
    m->conf = conf;
    m->rate_hz = rate_hz;
    m->frame_len = (size_t)effective_frame(conf);
    m->win_len = (size_t)conf->audio_window_size;
    m->n_fft = (size_t)effective_n_fft(conf);
    m->hop_len = (size_t)conf->audio_hop_length;
    m->n_mels = (size_t)conf->audio_n_mels;
    m->n_ceps = (size_t)conf->audio_n_mfcc;
    m->n_values = m->n_ceps * (size_t)(1 + conf->audio_delta_order);
    m->pad = conf->audio_center ? m->frame_len / 2 : 0;
    m->scale = conf->preset == CONFIG_PRESET_KALDI ? KALDI_SCALE : 1;
    if (set_up(m, err)) {
        mfcc_close(m);
        return NULL;
    }
    return m;
}

void mfcc_close(struct mfcc *m)
{
    if (!m)
        return;
    free(m->window);
    free(m->dct);
    free(m->power);
    free(m->sum);
    free(m->empty);
    free(m->logs);
    free(m->energy);
    mel_release(&m->mel);
    fft_close(m->fft);
    lanes_close(m->lanes);
    free(m->edge);
    free(m);
}

size_t mfcc_empty_filters(const struct mfcc *m, const size_t **index)
{
    *index = m->empty;
    return m->n_empty;
}

/* Shortest signal that has a frame. */
static size_t shortest(const struct mfcc *m)
{
    if (!m->conf->audio_center)
        return m->frame_len;
    return m->conf->audio_pad_mode == CONFIG_REFLECT ? m->pad + 1 : 1;
}

size_t mfcc_n_values(const struct mfcc *m)
{
    return m->n_values;
}

void mfcc_frames(const struct mfcc *m, struct mfcc_frames *frames)
{
    *frames = (struct mfcc_frames){m->hop_len, m->pad, m->frame_len,
                                   m->win_len,
                                   (m->frame_len - m->win_len) / 2,
                                   shortest(m)};
}

size_t mfcc_n_frames(const struct mfcc *m, size_t n)
{
    if (n < shortest(m))
        return 0;
    return 1 + (n + 2 * m->pad - m->frame_len) / m->hop_len;
}

/* Sample at position i of the padded signal of n samples. */
static float padded(const struct mfcc *m, const float *x, int64_t n,
                    int64_t i)
{
    if (i >= 0 && i < n)
        return x[i];
    switch (m->conf->audio_pad_mode) {
    case CONFIG_REFLECT:
        return x[i < 0 ? -i : 2 * (n - 1) - i];
    case CONFIG_EDGE:
        return x[i < 0 ? 0 : n - 1];
    case CONFIG_ZERO:
        break;
    }
    return 0;
}

/*
 * The W samples of frame k: in x itself, or copied to edge (W) if they lie
 * beyond its ends.
 */
static const float *find_frame(const struct mfcc *m, const float *x, size_t n,
                               size_t k, float *edge)
{
    size_t W = m->win_len, i;
    int64_t start = (int64_t)(k * m->hop_len) - (int64_t)m->pad +
                    (int64_t)((m->frame_len - W) / 2);

    if (start >= 0 && start + (int64_t)W <= (int64_t)n)
        return x + start;
    for (i = 0; i < W; i++)
        edge[i] = padded(m, x, (int64_t)n, start + (int64_t)i);
    return edge;
}

/* Subtracts the mean of n samples. */
static void remove_dc(float *frame, size_t n)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += (double)frame[i];
    for (i = 0; i < n; i++)
        frame[i] -= (float)(sum / (double)n);
}

/* Natural logarithm of the energy of n samples, not below that of amin. */
static float log_energy(const float *frame, size_t n, double amin)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += (double)frame[i] * (double)frame[i];
    return (float)log(fmax(sum, amin));
}

/* Spectrum of frame k, to m->power; its log energy where that is wanted. */
static void spectrum(struct mfcc *m, const float *x, size_t n, size_t k)
{
    const struct config_features *conf = m->conf;
    float *frame = fft_input(m->fft), a = (float)conf->audio_preemphasis;
    const float *from = find_frame(m, x, n, k, frame);
    size_t W = m->win_len, i;

    for (i = 0; i < W; i++)
        frame[i] = m->scale * from[i];
    if (conf->audio_remove_dc)
        remove_dc(frame, W);
    if (conf->audio_use_energy)
        m->energy[k] = log_energy(frame, W, conf->audio_amin);
    if (a != 0) {
        for (i = W - 1; i > 0; i--)
            frame[i] -= a * frame[i - 1];
        frame[0] -= a * frame[0];
    }
#pragma omp simd
    for (i = 0; i < W; i++)
        frame[i] *= m->window[i];
    memset(frame + W, 0, (m->n_fft - W) * sizeof(*frame));
    fft_power(m->fft, m->power);
    if (conf->audio_power == 1)
        for (i = 0; i <= m->n_fft / 2; i++)
            m->power[i] = sqrtf(m->power[i]);
}

/* Logarithms of n mel energies in place. */
static void take_logs(const struct mfcc *m, float *s, size_t n)
{
    float amin = (float)m->conf->audio_amin;
    size_t i;

    switch (m->conf->audio_log) {
    case CONFIG_LOG_DB:
        for (i = 0; i < n; i++)
            s[i] = (float)(DB * (double)logf(s[i] > amin ? s[i] : amin));
        break;
    case CONFIG_LOG_LN:
        for (i = 0; i < n; i++)
            s[i] = logf(s[i] > amin ? s[i] : amin);
        break;
    case CONFIG_LOG_LN_OFFSET:
        for (i = 0; i < n; i++)
            s[i] = logf(s[i] + amin);
        break;
    }
}

/* Raises n values to top_db below the largest. */
static void floor_logs(float *s, size_t n, float top_db)
{
    float most = s[0];
    size_t i;

    for (i = 1; i < n; i++)
        if (s[i] > most)
            most = s[i];
    for (i = 0; i < n; i++)
        if (s[i] < most - top_db)
            s[i] = most - top_db;
}

/*
 * Coefficients of frame k, to row k of the result. It takes the place of the
 * logarithms: C <= M, so it covers rows that are done, or row k itself.
 */
static void cepstrum(struct mfcc *m, size_t k)
{
    size_t M = m->n_mels, C = m->n_ceps, n, c;
    const float *s = m->logs + k * M;
    float *out = m->logs + k * C;

    memset(m->sum, 0, C * sizeof(*m->sum));
    for (n = 0; n < M; n++) {
        const double *row = m->dct + n * C;
        double log = (double)s[n], *sum = m->sum;

#pragma omp simd
        for (c = 0; c < C; c++)
            sum[c] += log * row[c];
    }
    for (c = 0; c < C; c++)
        out[c] = (float)m->sum[c];
    if (m->conf->audio_use_energy)
        out[0] = m->energy[k];
}

/* Makes room for a clip of T frames. */
static int reserve(struct mfcc *m, size_t T, struct err *err)
{
    size_t width = m->n_mels > m->n_values ? m->n_mels : m->n_values;
    float *logs, *energy;

    if (T > SIZE_MAX / width)
        return err_set(err, ERR_DATA, "%zu frames do not fit memory", T);
    if (!(logs = mem_grow(m->logs, &m->logs_cap, T * width,
                          sizeof(*logs), err)))
        return -1;
    m->logs = logs;
    if (!(energy = mem_grow(m->energy, &m->energy_cap, T, sizeof(*energy),
                            err)))
        return -1;
    m->energy = energy;
    return 0;
}

/* Whether the logarithms are held against the largest of the clip. */
static bool has_floor(const struct mfcc *m)
{
    return m->conf->audio_log == CONFIG_LOG_DB && m->conf->audio_top_db > 0;
}

/* T frames one by one. */
static void run_single(struct mfcc *m, const float *x, size_t n, size_t T)
{
    size_t M = m->n_mels, k;

    for (k = 0; k < T; k++) {
        spectrum(m, x, n, k);
        mel_apply(&m->mel, m->power, m->logs + k * M);
        take_logs(m, m->logs + k * M, M);
    }
    if (has_floor(m))
        floor_logs(m->logs, T * M, (float)m->conf->audio_top_db);
    for (k = 0; k < T; k++)
        cepstrum(m, k);
}

/*
 * T frames in blocks of vector lanes. Lanes beyond the last frame repeat it.
 * As with cepstrum(), results take the place of logarithms that are done.
 */
static void run_lanes(struct mfcc *m, const float *x, size_t n, size_t T)
{
    size_t W = m->win_len, C = m->n_ceps, block = LANES_N * m->n_mels, k, i;
    const float *frame[LANES_N], *rows;
    float most = -INFINITY, low = -INFINITY;

    for (k = 0; k < T; k += LANES_N) {
        for (i = 0; i < LANES_N; i++)
            frame[i] = find_frame(m, x, n, k + i < T ? k + i : T - 1,
                                  m->edge + i * W);
        most = fmaxf(most, lanes_logs(m->lanes, frame,
                                      m->logs + k / LANES_N * block,
                                      m->energy + k));
    }
    if (has_floor(m))
        low = most - (float)m->conf->audio_top_db;
    for (k = 0; k < T; k += LANES_N) {
        size_t n_rows = T - k < LANES_N ? T - k : LANES_N;

        rows = lanes_cepstra(m->lanes, m->logs + k / LANES_N * block, low);
        memcpy(m->logs + k * C, rows, n_rows * C * sizeof(*rows));
        for (i = 0; i < n_rows && m->conf->audio_use_energy; i++)
            m->logs[(k + i) * C] = m->energy[k + i];
    }
}

/* Step 6: from (T, C) to (T, D). */
static void finish(struct mfcc *m, size_t T)
{
    size_t C = m->n_ceps, D = m->n_values, c;

    if (D > C)
        delta_spread(m->logs, T, C, D);
    for (c = 0; c + C < D; c += C)
        delta_rows(m->logs + c, T, C, D, (size_t)m->conf->audio_delta_width,
                   m->logs + c + C);
    if (m->conf->audio_cmvn == CONFIG_CMVN_CLIP)
        delta_normalize(m->logs, T, D, m->sum);
}

/* Refuses samples that are no numbers, or whose power is none. */
static int check_samples(const float *x, size_t n, struct err *err)
{
    int bad = 0;
    size_t i;

#pragma omp simd reduction(| : bad)
    for (i = 0; i < n; i++)
        bad |= !(fabsf(x[i]) <= MOST);
    if (!bad)
        return 0;
    for (i = 0; fabsf(x[i]) <= MOST; i++)
        ;
    if (isfinite(x[i]))
        return err_set(err, ERR_DATA,
                       "sample %zu is %g, want at most %g times full scale",
                       i, (double)x[i], (double)MOST);
    return err_set(err, ERR_DATA, "sample %zu is %s", i,
                   isnan(x[i]) ? "NaN" : "infinite");
}

int mfcc_signal(struct mfcc *m, const float *x, size_t n, const float **out,
                struct err *err)
{
    size_t T = mfcc_n_frames(m, n);

    if (T == 0)
        return err_set(err, ERR_DATA,
                       "clip too short: %zu samples at %u Hz, want %zu or "
                       "more for one frame",
                       n, m->rate_hz, shortest(m));
    /* Whole blocks of lanes are computed. */
    if (check_samples(x, n, err) || reserve(m, T + LANES_N, err))
        return -1;
    if (m->lanes)
        run_lanes(m, x, n, T);
    else
        run_single(m, x, n, T);
    finish(m, T);
    *out = m->logs;
    return 0;
}

void mfcc_converter_init(struct mfcc_converter *c,
                         const struct config_features *conf)
{
    *c = (struct mfcc_converter){.conf = conf, .effective = *conf};
    c->effective.audio_n_fft = effective_n_fft(conf);
}

/* The resampler and the engine for files of in_hz. */
static int prepare(struct mfcc_converter *c, uint32_t in_hz, struct err *err)
{
    int64_t target = c->conf->audio_target_sample_rate;
    uint32_t out_hz = target > 0 ? (uint32_t)target : in_hz;

    if (!c->resample || c->resample_rate != in_hz) {
        resample_close(c->resample);
        c->resample = resample_open(c->conf->audio_resampler, in_hz, out_hz,
                                    err);
        if (!c->resample)
            return -1;
        c->resample_rate = in_hz;
    }
    if (!c->engine || c->engine_rate != out_hz) {
        mfcc_close(c->engine);
        c->effective.audio_target_sample_rate = out_hz;
        c->engine = mfcc_open(&c->effective, out_hz, err);
        if (!c->engine)
            return -1;
        c->engine_rate = out_hz;
    }
    return resample_begin(c->resample, err);
}

/* Takes a block of the decoded file; an audio_sink. */
static int take(void *ctx, const float *x, size_t n, uint32_t rate_hz,
                struct err *err)
{
    struct mfcc_converter *c = ctx;

    if ((!c->file_rate && prepare(c, rate_hz, err)) ||
        resample_add(c->resample, x, n, err))
        return err_prefix(err, "%s", c->name);
    c->file_rate = rate_hz;
    c->peak = fmaxf(c->peak, audio_peak(x, n));
    return 0;
}

/* Metadata of the grid and all settings. */
static int describe(const struct mfcc_converter *c, struct frame *out,
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

/* All of the file has been taken: the rest of the way to the frame. */
static int transform(struct mfcc_converter *c, struct frame *out,
                     struct err *err)
{
    const float *mfcc;
    size_t n, shape[2];
    float *x;

    if (resample_end(c->resample, &x, &n, err))
        return -1;
    /* Resampling is linear: the peak of the file may be divided by now. */
    if (c->conf->audio_normalize)
        audio_normalize(x, n, c->peak);
    if (mfcc_signal(c->engine, x, n, &mfcc, err))
        return -1;
    shape[0] = mfcc_n_frames(c->engine, n);
    shape[1] = c->engine->n_values;
    if (frame_add(out, "mfcc", TENSOR_F32, 2, shape, mfcc, err))
        return -1;
    return describe(c, out, err);
}

int mfcc_convert(struct mfcc_converter *c, const void *bytes, size_t n,
                 const char *name, struct frame *out, struct err *err)
{
    c->name = name;
    c->file_rate = 0;
    c->peak = 0;
    if (audio_stream(bytes, n, c->conf->audio_channels, name, take, c, err))
        return -1;
    return transform(c, out, err) ? err_prefix(err, "%s", name) : 0;
}

float *mfcc_converter_take(struct mfcc_converter *c, struct frame *out)
{
    size_t i, size;
    float *mfcc = c->engine->logs, *less;

    for (i = 0; out->tensors[i].data != mfcc; i++)
        ;
    size = tensor_size(&out->tensors[i]);
    less = realloc(mfcc, size);
    if (less)
        mfcc = less;
    out->tensors[i].data = mfcc;
    c->engine->logs = NULL;
    c->engine->logs_cap = 0;
    return mfcc;
}

void mfcc_converter_release(struct mfcc_converter *c)
{
    mfcc_close(c->engine);
    resample_close(c->resample);
    *c = (struct mfcc_converter){0};
}
