/*
 * mfcc - one mono signal to mel-frequency cepstral coefficients.
 *
 * Letters: L samples, F samples a frame takes from the signal, W of them
 * under the window, N the length of the transform, H the hop, M mel filters,
 * C coefficients, D values a frame, T frames.
 *
 *  1. Frame k takes the W samples from k H - P + (F - W) / 2, with
 *     P = F / 2 when centred, else 0; T = 1 + (L + 2 P - F) / H. F is N, but
 *     W with the preset `kaldi`, whose centred frames begin at
 *     k H + H / 2 - W / 2 and are T = (L + H / 2) / H. Outside the signal:
 *     reflected without or with the end sample, zeros, or the end sample.
 *  2. Dither, remove_dc, log energy, pre-emphasis x[i] -= a x[i-1]
 *     (x[0] -= a x[0]), window, zeros up to N. Where in N the window lies has
 *     no influence on the power spectrum.
 *  3. |X_b|^power, mel filters (mel.c).
 *  4. db: 10 log10(max(s, amin)); ln: ln(max(s, amin)); ln_offset:
 *     ln(s + amin). With top_db, no value of db lies further than that below
 *     0 dB, or below the largest of the whole clip.
 *  5. DCT-II, orthonormal or plain, times the lifter.
 *  6. Over the whole clip: differences in time behind the coefficients, C of
 *     each order, D values a frame in all; normalisation (delta.c).
 *
 * Samples may come piece by piece; what no frame needs any more is dropped.
 * Frames are done LANES_N at a time. Where the largest of the clip decides,
 * the logarithms of a block wait for the end, packed into 24 bits over the
 * top_db below the largest so far: the final floor is no lower. The steps
 * are then top_db / 2^24, about the precision of a float. A division of the
 * samples by their peak, which is known last, is a subtraction there.
 *
 * Beyond naming defaults, a preset decides four things its model does
 * differently: `kaldi` reads samples as 16-bit integers, takes W for F, has
 * its own centred frames and uses symmetric Hamming and Blackman windows;
 * `torchaudio` and `upstream` take the integer half of the rate for Nyquist
 * (mel.c). Tables are computed in double; window and filters are kept in
 * float, the DCT stays in double.
 *
 * Steps 2 to 5 have two implementations: lanes.c does a block at once for the
 * common lengths of the transform; for the others FFTW and the plain loops
 * here do one frame after the other. Which one is a matter of settings only.
 */
#include "signal/mfcc.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
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
    int64_t origin;   /* first sample of frame 0 */
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
    enum lanes_path packing; /* path that packs */
    float *edge;      /* (LANES_N, W) frames that are no part of the signal */
    float *block;     /* LANES_PACKED(M) logarithms of a block, owned */
    float *rows;      /* (LANES_N, C) coefficients of a block, owned */
    bool waits;       /* the largest of the clip decides: logs are packed */
    bool divided;     /* its peak divides the signal at hand in the end */
    float amin;       /* of the signal at hand */
    float *in;        /* (in_len) samples that frames still need, owned */
    size_t in_cap;    /* room in in */
    size_t in_len;    /* samples in in */
    size_t in_first;  /* number of the first one */
    size_t n_in;      /* samples that came */
    size_t n_done;    /* frames that were begun with */
    float most;       /* largest logarithm */
    float *store;     /* packed blocks, stride apart; then (T, D) result */
    size_t store_cap; /* room in store, floats */
    float *bases;     /* of the packed blocks, owned */
    size_t bases_cap; /* room in bases */
    float *energy;    /* (T) log energies, owned */
    size_t energy_cap; /* room in energy */
};

/* A part of a signal in memory. */
struct span {
    const float *x; /* samples from number `first` on */
    size_t first;   /* number of x[0] */
    size_t n;       /* samples of the signal so far, those before included */
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

/* First sample of frame 0 where Kaldi centres frames on half hops. */
static int64_t kaldi_origin(const struct config_features *conf)
{
    return conf->audio_hop_length / 2 - conf->audio_window_size / 2;
}

void mfcc_grid(const struct config_features *conf, uint32_t rate_hz,
               struct mfcc_grid *grid)
{
    uint64_t hop = (uint64_t)conf->audio_hop_length;
    uint64_t g = num_gcd(rate_hz, hop);

    grid->rate_num = (int64_t)(rate_hz / g);
    grid->rate_den = (int64_t)(hop / g);
    if (!conf->audio_center)
        grid->t0_s = 0.5 * (double)effective_frame(conf) / rate_hz;
    else if (conf->preset == CONFIG_PRESET_KALDI)
        grid->t0_s = ((double)kaldi_origin(conf) +
                      0.5 * (double)conf->audio_window_size) / rate_hz;
    else
        grid->t0_s = 0;
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
    double n = (double)c + (conf->audio_lifter_type == CONFIG_LIFTER_LIBROSA);

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
            double norm = m->conf->audio_dct_norm == CONFIG_DCT_ORTHO
                              ? sqrt((c ? 2.0 : 1.0) / (double)M)
                              : 2;

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
    m->packing = path == MFCC_AVX512 ? LANES_AVX512
                 : path == MFCC_AVX2 ? LANES_AVX2
                                     : LANES_PLAIN;
    m->lanes = lanes_open(&s, m->packing, err);
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
    m->packing = lanes_best_path();
    if (!(m->power = mem_alloc(m->n_fft / 2 + 1, sizeof(*m->power), err)) ||
        !(m->sum = mem_alloc(m->n_values, sizeof(*m->sum), err)) ||
        !(m->edge = mem_alloc(LANES_N * m->win_len, sizeof(*m->edge), err)) ||
        !(m->block = mem_alloc(LANES_PACKED(m->n_mels), sizeof(*m->block),
                               err)) ||
        !(m->rows = mem_alloc(LANES_N * m->n_ceps, sizeof(*m->rows), err)))
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
    m->origin = (int64_t)((m->frame_len - m->win_len) / 2) - (int64_t)m->pad;
    if (conf->audio_center && conf->preset == CONFIG_PRESET_KALDI)
        m->origin = kaldi_origin(conf);
    m->scale = conf->preset == CONFIG_PRESET_KALDI ? KALDI_SCALE : 1;
    m->waits = conf->audio_log == CONFIG_LOG_DB && conf->audio_top_db > 0 &&
               conf->audio_top_db_scope != CONFIG_TOP_DB_ABSOLUTE;
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
    free(m->in);
    free(m->store);
    free(m->bases);
    free(m->energy);
    mel_release(&m->mel);
    fft_close(m->fft);
    lanes_close(m->lanes);
    free(m->edge);
    free(m->block);
    free(m->rows);
    free(m);
}

size_t mfcc_empty_filters(const struct mfcc *m, const size_t **index)
{
    *index = m->empty;
    return m->n_empty;
}

/* Whether frames are Kaldi's centred ones. */
static bool has_half_hops(const struct mfcc *m)
{
    return m->conf->audio_center && m->conf->preset == CONFIG_PRESET_KALDI;
}

/* Shortest signal that has a frame. */
static size_t shortest(const struct mfcc *m)
{
    size_t least = 1;

    if (!m->conf->audio_center)
        return m->frame_len;
    if (m->conf->audio_pad_mode == CONFIG_REFLECT)
        least = m->pad + 1;
    if (has_half_hops(m) && m->hop_len - m->hop_len / 2 > least)
        least = m->hop_len - m->hop_len / 2;
    return least;
}

size_t mfcc_n_values(const struct mfcc *m)
{
    return m->n_values;
}

void mfcc_frames(const struct mfcc *m, struct mfcc_frames *frames)
{
    *frames = (struct mfcc_frames){m->hop_len, m->pad, m->frame_len,
                                   m->win_len,
                                   (size_t)(m->origin + (int64_t)m->pad),
                                   shortest(m)};
}

size_t mfcc_n_frames(const struct mfcc *m, size_t n)
{
    if (n < shortest(m))
        return 0;
    if (has_half_hops(m))
        return (n + m->hop_len / 2) / m->hop_len;
    return 1 + (n + 2 * m->pad - m->frame_len) / m->hop_len;
}

bool mfcc_divides(const struct mfcc *m)
{
    return m->waits && m->conf->audio_dither == 0;
}

/* Frames of a signal that goes on, n samples of which are there. */
static size_t n_ready(const struct mfcc *m, size_t n)
{
    int64_t room = (int64_t)n - (int64_t)m->win_len - m->origin;

    if (n < shortest(m) || n < m->win_len)
        return 0;
    if (!m->conf->audio_center)
        return mfcc_n_frames(m, n);
    return room < 0 ? 0 : 1 + (size_t)room / m->hop_len;
}

/* Number of the sample of a signal of n that stands at i, outside of it. */
static int64_t outside(const struct mfcc *m, int64_t n, int64_t i)
{
    switch (m->conf->audio_pad_mode) {
    case CONFIG_REFLECT:
        return i < 0 ? -i : 2 * (n - 1) - i;
    case CONFIG_EDGE:
        return i < 0 ? 0 : n - 1;
    case CONFIG_MIRROR:
        /* It may be shorter than a frame: there and back, again and again. */
        i = (i % (2 * n) + 2 * n) % (2 * n);
        return i < n ? i : 2 * n - 1 - i;
    case CONFIG_ZERO:
        break;
    }
    return -1;
}

/* Adds noise to the samples of frame k. */
static void dither(const struct mfcc *m, size_t k, float *frame)
{
    double amount = m->conf->audio_dither / (double)m->scale;
    struct rng r;
    size_t i;

    rng_init(&r, (uint64_t)m->conf->audio_dither_seed, RNG_DITHER,
             (uint32_t)k, 0);
    for (i = 0; i < m->win_len; i++)
        frame[i] += (float)(amount * rng_normal(&r));
}

/*
 * The W samples of frame k: where they are, or copied to edge (W) if they lie
 * beyond the ends or get noise.
 */
static const float *find_frame(const struct mfcc *m, const struct span *s,
                               size_t k, float *edge)
{
    int64_t start = (int64_t)(k * m->hop_len) + m->origin, i, at;
    int64_t n = (int64_t)s->n, W = (int64_t)m->win_len;

    if (start >= 0 && start + W <= n) {
        const float *x = s->x + ((size_t)start - s->first);

        if (m->conf->audio_dither == 0)
            return x;
        memcpy(edge, x, m->win_len * sizeof(*x));
    } else {
        for (i = 0; i < W; i++) {
            at = start + i;
            if (at < 0 || at >= n)
                at = outside(m, n, at);
            edge[i] = at < 0 ? 0 : s->x[(size_t)at - s->first];
        }
    }
    if (m->conf->audio_dither > 0)
        dither(m, k, edge);
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
static void spectrum(struct mfcc *m, const struct span *s, size_t k)
{
    const struct config_features *conf = m->conf;
    float *frame = fft_input(m->fft), a = (float)conf->audio_preemphasis;
    const float *from = find_frame(m, s, k, m->edge);
    size_t W = m->win_len, i;

    for (i = 0; i < W; i++)
        frame[i] = m->scale * from[i];
    if (conf->audio_remove_dc)
        remove_dc(frame, W);
    if (conf->audio_use_energy)
        m->energy[k] = log_energy(frame, W, (double)m->amin);
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

/* Logarithms of n mel energies in place; returns the larger of them, most. */
static float take_logs(const struct mfcc *m, float *s, size_t n, float most)
{
    float amin = m->amin;
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
    for (i = 0; i < n; i++)
        most = s[i] > most ? s[i] : most;
    return most;
}

/* Coefficients of one frame's M logarithms, to out (C). */
static void cepstrum(struct mfcc *m, const float *s, float low, float more,
                     float *out)
{
    size_t M = m->n_mels, C = m->n_ceps, n, c;

    memset(m->sum, 0, C * sizeof(*m->sum));
    for (n = 0; n < M; n++) {
        const double *row = m->dct + n * C;
        double log = (double)((s[n] > low ? s[n] : low) + more);
        double *sum = m->sum;

#pragma omp simd
        for (c = 0; c < C; c++)
            sum[c] += log * row[c];
    }
    for (c = 0; c < C; c++)
        out[c] = (float)m->sum[c];
}

/*
 * Logarithms of frames k on, to m->block: (M, LANES_N) from lanes, else
 * (LANES_N, M). Lanes beyond the last frame repeat it.
 */
static void block_logs(struct mfcc *m, const struct span *s, size_t k,
                       size_t n_rows)
{
    const float *frame[LANES_N];
    size_t M = m->n_mels, i;

    if (!m->lanes) {
        for (i = 0; i < n_rows; i++) {
            spectrum(m, s, k + i);
            mel_apply(&m->mel, m->power, m->block + i * M);
        }
        m->most = take_logs(m, m->block, n_rows * M, m->most);
        return;
    }
    for (i = 0; i < LANES_N; i++)
        frame[i] = find_frame(m, s, k + (i < n_rows ? i : n_rows - 1),
                              m->edge + i * m->win_len);
    m->most = fmaxf(m->most, lanes_logs(m->lanes, frame, m->amin, m->block,
                                        m->energy + k));
}

/* Coefficients of m->block: (LANES_N, C). */
static const float *block_cepstra(struct mfcc *m, float low, float more)
{
    size_t i;

    if (m->lanes)
        return lanes_cepstra(m->lanes, m->block, low, more);
    for (i = 0; i < LANES_N; i++)
        cepstrum(m, m->block + i * m->n_mels, low, more,
                 m->rows + i * m->n_ceps);
    return m->rows;
}

/* Floats between two packed blocks: room for their coefficients as well. */
static size_t stride(const struct mfcc *m)
{
    size_t packed = LANES_PACKED(m->n_mels) / 4 * 3;
    size_t rows = LANES_N * m->n_ceps;

    return packed > rows ? packed : rows;
}

/* Makes room for T frames that are `width` floats each, at least. */
static int reserve(struct mfcc *m, size_t T, size_t width, struct err *err)
{
    size_t blocks = T / LANES_N + 1, size;
    float *grown;

    if (T > SIZE_MAX / 2 / (stride(m) + width))
        return err_set(err, ERR_DATA, "%zu frames do not fit memory", T);
    size = blocks * stride(m) > T * width ? blocks * stride(m) : T * width;
    if (!(grown = mem_grow(m->store, &m->store_cap, size, sizeof(*grown),
                           err)))
        return -1;
    m->store = grown;
    if (!(grown = mem_grow(m->bases, &m->bases_cap, blocks, sizeof(*grown),
                           err)))
        return -1;
    m->bases = grown;
    if (!(grown = mem_grow(m->energy, &m->energy_cap, T + LANES_N,
                           sizeof(*grown), err)))
        return -1;
    m->energy = grown;
    return 0;
}

/* What db logarithms are raised to whatever the signal is. */
static float absolute_floor(const struct mfcc *m)
{
    const struct config_features *conf = m->conf;

    if (conf->audio_log == CONFIG_LOG_DB && conf->audio_top_db > 0 &&
        conf->audio_top_db_scope == CONFIG_TOP_DB_ABSOLUTE)
        return (float)-conf->audio_top_db;
    return -INFINITY;
}

/* Frames k to k + n_rows, a block or the last part of one. */
static int run_block(struct mfcc *m, const struct span *s, size_t k,
                     size_t n_rows, struct err *err)
{
    size_t C = m->n_ceps, n = LANES_PACKED(m->n_mels);
    float range = (float)m->conf->audio_top_db, base;

    if (reserve(m, k + n_rows, 0, err))
        return -1;
    block_logs(m, s, k, n_rows);
    if (m->waits) {
        base = m->most - range;
        m->bases[k / LANES_N] = base;
        lanes_pack(m->packing, m->block, n, base, range,
                   m->store + k / LANES_N * stride(m));
    } else {
        memcpy(m->store + k * C, block_cepstra(m, absolute_floor(m), 0),
               n_rows * C * sizeof(*m->store));
    }
    return 0;
}

/* All whole blocks of the first T frames; with `all`, the rest too. */
static int advance(struct mfcc *m, const struct span *s, size_t T, bool all,
                   struct err *err)
{
    size_t n_rows;

    while (m->n_done < T && (all || T - m->n_done >= LANES_N)) {
        n_rows = T - m->n_done < LANES_N ? T - m->n_done : LANES_N;
        if (run_block(m, s, m->n_done, n_rows, err))
            return -1;
        m->n_done += n_rows;
    }
    return 0;
}

/* Refuses samples that are no numbers, or whose power is none. */
static int check_samples(const struct mfcc *m, const float *x, size_t n,
                         struct err *err)
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
                       m->n_in + i, (double)x[i], (double)MOST);
    return err_set(err, ERR_DATA, "sample %zu is %s", m->n_in + i,
                   isnan(x[i]) ? "NaN" : "infinite");
}

/* Drops the samples in m->in that no frame needs any more. */
static void drop(struct mfcc *m)
{
    int64_t next = (int64_t)(m->n_done * m->hop_len) + m->origin;
    int64_t tail = (int64_t)m->n_in - (int64_t)(m->pad + m->win_len) - 1;
    int64_t from = next < tail ? next : tail;
    size_t n;

    if (from <= (int64_t)m->in_first)
        return;
    n = (size_t)from - m->in_first;
    /* Moving less than this would cost more than it saves. */
    if (n < m->in_len - n)
        return;
    memmove(m->in, m->in + n, (m->in_len - n) * sizeof(*m->in));
    m->in_len -= n;
    m->in_first += n;
}

void mfcc_begin(struct mfcc *m, bool divided)
{
    assert(!divided || mfcc_divides(m));
    m->in_len = m->in_first = m->n_in = m->n_done = 0;
    m->most = -INFINITY;
    m->divided = divided;
    m->amin = divided ? FLT_MIN : (float)m->conf->audio_amin;
}

int mfcc_add(struct mfcc *m, const float *x, size_t n, struct err *err)
{
    struct span s;
    float *grown;

    if (check_samples(m, x, n, err))
        return -1;
    grown = mem_grow(m->in, &m->in_cap, m->in_len + n, sizeof(*x), err);
    if (!grown)
        return -1;
    m->in = grown;
    memcpy(m->in + m->in_len, x, n * sizeof(*x));
    m->in_len += n;
    m->n_in += n;
    s = (struct span){m->in, m->in_first, m->n_in};
    if (advance(m, &s, n_ready(m, m->n_in), false, err))
        return -1;
    drop(m);
    return 0;
}

/* Ends a signal whose last samples, at least, are in s. */
static int end(struct mfcc *m, const struct span *s, struct err *err)
{
    size_t T = mfcc_n_frames(m, s->n);

    if (T == 0)
        return err_set(err, ERR_DATA,
                       "clip too short: %zu samples at %u Hz, want %zu or "
                       "more for one frame",
                       s->n, m->rate_hz, shortest(m));
    return advance(m, s, T, true, err);
}

int mfcc_end(struct mfcc *m, struct err *err)
{
    struct span s = {m->in, m->in_first, m->n_in};

    return end(m, &s, err);
}

float mfcc_loudest(const struct mfcc *m)
{
    return m->most;
}

/*
 * Coefficients of the packed blocks. They take the place of logarithms that
 * are done: C of a block are no more than its stride.
 */
static void unpack(struct mfcc *m, float peak, float loudest)
{
    size_t T = m->n_done, C = m->n_ceps, n = LANES_PACKED(m->n_mels), k, rows;
    double level = DB * m->conf->audio_power * log((double)peak);
    float range = (float)m->conf->audio_top_db, low = loudest - range;

    /* What the peak divides later has not met amin yet. */
    if (m->divided)
        low = fmaxf(low, (float)(DB * log(m->conf->audio_amin) + level));
    for (k = 0; k < T; k += LANES_N) {
        rows = T - k < LANES_N ? T - k : LANES_N;
        lanes_unpack(m->packing, m->store + k / LANES_N * stride(m), n,
                     m->bases[k / LANES_N], range, m->block);
        memcpy(m->store + k * C, block_cepstra(m, low, (float)-level),
               rows * C * sizeof(*m->store));
    }
}

/* The log energies become coefficient 0. */
static void put_energy(struct mfcc *m, float peak)
{
    double level = 2 * log((double)peak);
    float low = (float)(log(m->conf->audio_amin) + level);
    size_t k;

    for (k = 0; k < m->n_done; k++)
        m->store[k * m->n_ceps] =
            m->divided ? (float)((double)fmaxf(m->energy[k], low) - level)
                       : m->energy[k];
}

/* Step 6: from (T, C) to (T, D). */
static void finish(struct mfcc *m)
{
    size_t T = m->n_done, C = m->n_ceps, D = m->n_values, c;

    if (D > C)
        delta_spread(m->store, T, C, D);
    for (c = 0; c + C < D; c += C)
        delta_rows(m->store + c, T, C, D, (size_t)m->conf->audio_delta_width,
                   m->store + c + C);
    if (m->conf->audio_cmvn == CONFIG_CMVN_CLIP)
        delta_normalize(m->store, T, D, m->sum);
}

int mfcc_result(struct mfcc *m, float peak, float loudest, const float **out,
                size_t *n_frames, struct err *err)
{
    /* Silence stays silence. */
    if (!(peak > 0))
        peak = 1;
    if (reserve(m, m->n_done, m->n_values, err))
        return -1;
    if (m->waits)
        unpack(m, peak, loudest);
    if (m->conf->audio_use_energy)
        put_energy(m, peak);
    finish(m);
    *out = m->store;
    *n_frames = m->n_done;
    return 0;
}

int mfcc_signal(struct mfcc *m, const float *x, size_t n, const float **out,
                struct err *err)
{
    struct span s = {x, 0, n};
    size_t n_frames;

    mfcc_begin(m, false);
    if (check_samples(m, x, n, err) || end(m, &s, err))
        return -1;
    return mfcc_result(m, 1, m->most, out, &n_frames, err);
}

float *mfcc_take(struct mfcc *m)
{
    float *taken = m->store;

    m->store = NULL;
    m->store_cap = 0;
    return taken;
}
