/*
 * mel - a bank of triangular filters on the mel scale.
 *
 * With edges p_0 ... p_{M+1}, equally spaced in mel between f_min and f_max,
 * filter j at bin b of frequency f_b is
 *
 *     max(0, min((f_b - p_j) / (p_{j+1} - p_j),
 *                (p_{j+2} - f_b) / (p_{j+2} - p_{j+1})))
 *
 * in Hz (HTK, Slaney) or with all of them in mel (Kaldi). Slaney's norm
 * multiplies by 2 / (p_{j+2} - p_j), in Hz. Tables are computed in double.
 */
#include "signal/mel.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

/* Where Slaney's scale turns from linear to logarithmic, Hz. */
#define SLANEY_BREAK_HZ 1000.0

/* Hz per mel below the break. */
#define SLANEY_HZ (200.0 / 3)

/* Frequency to mel. */
static double to_mel(enum config_mel_scale scale, double hz)
{
    if (scale == CONFIG_HTK)
        return 2595 * log10(1 + hz / 700);
    if (scale == CONFIG_MEL_KALDI)
        return 1127 * log(1 + hz / 700);
    if (hz < SLANEY_BREAK_HZ)
        return hz / SLANEY_HZ;
    return SLANEY_BREAK_HZ / SLANEY_HZ +
           log(hz / SLANEY_BREAK_HZ) * 27 / log(6.4);
}

/* Mel to frequency. */
static double to_hz(enum config_mel_scale scale, double mel)
{
    double bend = SLANEY_BREAK_HZ / SLANEY_HZ;

    if (scale == CONFIG_HTK)
        return 700 * (pow(10, mel / 2595) - 1);
    if (scale == CONFIG_MEL_KALDI)
        return 700 * (exp(mel / 1127) - 1);
    if (mel < bend)
        return mel * SLANEY_HZ;
    return SLANEY_BREAK_HZ * exp((mel - bend) * log(6.4) / 27);
}

/* What a bank is built from. */
struct grid {
    enum config_mel_scale scale; /* formula of the mel scale */
    enum config_mel_norm norm;   /* area normalisation */
    double low, high;            /* limits, mel */
    double bin_hz;               /* Hz between bins */
    size_t n_bins;               /* bins that count */
};

/*
 * Limits and bins. torchaudio takes the integer half of the rate for both
 * the highest bin and the default f_max, the others the real one.
 */
static int make_grid(struct grid *g, const struct config_features *conf,
                     size_t n_fft, uint32_t rate_hz, struct err *err)
{
    bool whole = conf->preset == CONFIG_PRESET_TORCHAUDIO ||
                 conf->preset == CONFIG_PRESET_UPSTREAM;
    double nyquist = whole ? rate_hz / 2 : rate_hz / 2.0;
    double f_max = conf->audio_f_max > 0 ? conf->audio_f_max : nyquist;

    if (conf->audio_f_min < 0 || conf->audio_f_min >= f_max ||
        f_max > rate_hz / 2.0)
        return err_set(err, ERR_USAGE,
                       "features: audio_f_min %g and audio_f_max %g Hz are "
                       "no band below %g Hz, half the sampling rate",
                       conf->audio_f_min, f_max, rate_hz / 2.0);
    g->scale = conf->audio_mel_scale;
    g->norm = conf->audio_mel_norm;
    g->low = to_mel(g->scale, conf->audio_f_min);
    g->high = to_mel(g->scale, f_max);
    g->bin_hz = whole ? nyquist / (double)(n_fft / 2)
                      : (double)rate_hz / (double)n_fft;
    g->n_bins = n_fft / 2 + (g->scale != CONFIG_MEL_KALDI);
    return 0;
}

/* Edge i of M + 2, mel. */
static double edge(const struct grid *g, size_t i, size_t M)
{
    return g->low + (g->high - g->low) * (double)i / (double)(M + 1);
}

/* Adds filter j. */
static int add_filter(struct mel *m, const struct grid *g, size_t j,
                      struct err *err)
{
    double p[3], width = 1, weight;
    size_t n_weights = j ? m->at[j - 1] + m->n_bins[j - 1] : 0, i, b;
    bool in_mel = g->scale == CONFIG_MEL_KALDI;

    for (i = 0; i < 3; i++)
        p[i] = to_hz(g->scale, edge(g, j + i, m->n_filters));
    if (g->norm == CONFIG_MEL_NORM_SLANEY)
        width = (p[2] - p[0]) / 2;
    for (i = 0; i < 3 && in_mel; i++)
        p[i] = edge(g, j + i, m->n_filters);
    m->at[j] = n_weights;
    for (b = 0; b < g->n_bins; b++) {
        double f = (double)b * g->bin_hz;

        float *grown;

        if (in_mel)
            f = to_mel(g->scale, f);
        weight = fmin((f - p[0]) / (p[1] - p[0]), (p[2] - f) / (p[2] - p[1]));
        if (f >= p[2])
            break;
        if (weight <= 0)
            continue;
        if (m->n_bins[j]++ == 0)
            m->first[j] = b;
        grown = mem_grow(m->weight, &m->cap, n_weights + 1,
                         sizeof(*m->weight), err);
        if (!grown)
            return -1;
        m->weight = grown;
        m->weight[n_weights++] = (float)(weight / width);
    }
    return 0;
}

int mel_init(struct mel *m, const struct config_features *conf, size_t n_fft,
             uint32_t rate_hz, struct err *err)
{
    struct grid g = {0};
    size_t j, M = (size_t)conf->audio_n_mels;

    *m = (struct mel){.n_filters = M};
    if (make_grid(&g, conf, n_fft, rate_hz, err))
        return -1;
    if (!(m->first = mem_alloc(M, sizeof(*m->first), err)) ||
        !(m->n_bins = mem_alloc(M, sizeof(*m->n_bins), err)) ||
        !(m->at = mem_alloc(M, sizeof(*m->at), err)))
        return -1;
    for (j = 0; j < M; j++)
        if (add_filter(m, &g, j, err))
            return -1;
    return 0;
}

void mel_apply(const struct mel *m, const float *power, float *out)
{
    size_t j, b;

    for (j = 0; j < m->n_filters; j++) {
        const float *weight = m->weight + m->at[j];
        const float *bin = power + m->first[j];
        float sum = 0;

        for (b = 0; b < m->n_bins[j]; b++)
            sum += weight[b] * bin[b];
        out[j] = sum;
    }
}

void mel_release(struct mel *m)
{
    free(m->first);
    free(m->n_bins);
    free(m->at);
    free(m->weight);
    *m = (struct mel){0};
}
