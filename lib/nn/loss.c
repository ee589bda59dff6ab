/*
 * loss - masked losses. With m the mask, e = p - y, n the recording's valid
 * frames, F, P, R the divisors (frames, pairs, recordings):
 *
 *   mse         sum m e^2 / F                      dp = 2 m e / F
 *   l1          sum m |e| / F                      dp = m sign(e) / F
 *   smooth_l1   |e| < beta: e^2 / (2 beta), else |e| - beta / 2, sum / F
 *   huber       delta times smooth_l1 with beta = delta
 *   derivative  sum (e_t+1 - e_t)^2 / P over pairs that are both valid
 *   ccc         (1 - 2 c / D) / R,  D = v_p + v_y + (m_p - m_y)^2 + 1e-8
 *               dp = -(2 / n) [(y - m_y) / D - 2 c (p - m_y) / D^2] / R
 *   pearson     (1 - c / S) / R,  S = sqrt(v_p v_y + 1e-8)
 *               dp = -(1 / n) [(y - m_y) / S - c v_y (p - m_p) / S^3] / R
 *
 *   spectral    spectral.h, over R
 *   soft_dtw    softdtw.h, over R
 *
 * m_p, m_y, v_p, v_y, c are means, variances and covariance over the
 * recording's valid frames (divided by n). All sums are doubles, frame by
 * frame.
 */
#include "nn/loss.h"

#include <math.h>

#include "nn/softdtw.h"
#include "nn/spectral.h"

/* Keeps the ratios of ccc and pearson finite. */
#define TINY 1e-8

/* One recording and where its gradient goes. */
struct recording {
    const float *p;       /* (T) prediction */
    const float *y;       /* (T) target */
    const uint8_t *valid; /* (T) */
    size_t T;             /* frames */
    float *dp;            /* (T) added to, or NULL */
};

/* Population moments of one recording's valid frames. */
struct moments {
    double n;      /* valid frames */
    double mp, my; /* means */
    double vp, vy; /* variances */
    double c;      /* covariance */
};

void loss_count(struct loss_divisors *d, const uint8_t *valid, size_t T)
{
    uint64_t frames = 0;

    for (size_t t = 0; t < T; t++) {
        frames += valid[t] != 0;
        d->pairs += t > 0 && valid[t] && valid[t - 1];
    }
    d->frames += frames;
    d->recordings += frames > 0;
}

/* Value and derivative of |e| smoothed below beta; beta 0 is |e|. */
static double smooth(double e, double beta, double *slope)
{
    double a = fabs(e);

    if (a < beta) {
        *slope = e / beta;
        return e * e / (2 * beta);
    }
    *slope = (e > 0) - (e < 0);
    return a - beta / 2;
}

/* Value and derivative of a per-frame loss at error e. */
static double frame_loss(const struct config_loss *conf,
                         enum config_loss_name name, double e, double *slope)
{
    double value;

    switch (name) {
    case CONFIG_LOSS_L1:
        return smooth(e, 0, slope);
    case CONFIG_LOSS_SMOOTH_L1:
        return smooth(e, conf->beta, slope);
    case CONFIG_LOSS_HUBER:
        value = conf->delta * smooth(e, conf->delta, slope);
        *slope *= conf->delta;
        return value;
    default:
        *slope = 2 * e;
        return e * e;
    }
}

/* A mean over frames: `scale` is weight / divisor. */
static double over_frames(const struct config_loss *conf,
                          enum config_loss_name name, double scale,
                          const struct recording *r)
{
    double sum = 0, slope;

    for (size_t t = 0; t < r->T; t++) {
        if (!r->valid[t])
            continue;
        sum +=
            frame_loss(conf, name, (double)r->p[t] - (double)r->y[t], &slope);
        if (r->dp)
            r->dp[t] += (float)(scale * slope);
    }
    return scale * sum;
}

/* The mean over neighbour pairs. */
static double over_pairs(double scale, const struct recording *r)
{
    double sum = 0;

    for (size_t t = 1; t < r->T; t++) {
        double e;

        if (!r->valid[t] || !r->valid[t - 1])
            continue;
        e = ((double)r->p[t] - (double)r->p[t - 1]) -
            ((double)r->y[t] - (double)r->y[t - 1]);
        sum += e * e;
        if (r->dp) {
            r->dp[t] += (float)(scale * 2 * e);
            r->dp[t - 1] -= (float)(scale * 2 * e);
        }
    }
    return scale * sum;
}

/* Moments in two passes; n is 0 if no frame is valid. */
static struct moments moments_of(const struct recording *r)
{
    struct moments m = {0};

    for (size_t t = 0; t < r->T; t++)
        if (r->valid[t]) {
            m.n++;
            m.mp += (double)r->p[t];
            m.my += (double)r->y[t];
        }
    if (m.n == 0)
        return m;
    m.mp /= m.n;
    m.my /= m.n;
    for (size_t t = 0; t < r->T; t++)
        if (r->valid[t]) {
            double a = (double)r->p[t] - m.mp, b = (double)r->y[t] - m.my;

            m.vp += a * a;
            m.vy += b * b;
            m.c += a * b;
        }
    m.vp /= m.n;
    m.vy /= m.n;
    m.c /= m.n;
    return m;
}

/* Adds scale * (u (y - my) + w (p - at)) to the gradient. */
static void add_linear(const struct recording *r, double scale, double u,
                       double my, double w, double at)
{
    for (size_t t = 0; r->dp && t < r->T; t++)
        if (r->valid[t])
            r->dp[t] += (float)(scale * (u * ((double)r->y[t] - my) +
                                         w * ((double)r->p[t] - at)));
}

/* One recording's concordance loss. */
static double ccc(double scale, const struct recording *r)
{
    struct moments m = moments_of(r);
    double gap = m.mp - m.my, D = m.vp + m.vy + gap * gap + TINY;

    if (m.n == 0)
        return 0;
    add_linear(r, -2 * scale / m.n, 1 / D, m.my, -2 * m.c / (D * D), m.my);
    return scale * (1 - 2 * m.c / D);
}

/* One recording's correlation loss. */
static double pearson(double scale, const struct recording *r)
{
    struct moments m = moments_of(r);
    double S = sqrt(m.vp * m.vy + TINY);

    if (m.n == 0)
        return 0;
    add_linear(r, -scale / m.n, 1 / S, m.my, -m.c * m.vy / (S * S * S), m.mp);
    return scale * (1 - m.c / S);
}

/* weight / divisor; 0 where there is nothing to divide. */
static double share(double weight, uint64_t divisor)
{
    return divisor ? weight / (double)divisor : 0;
}

double loss_recording(const struct config_loss *conf,
                      const struct loss_divisors *d, const float *p,
                      const float *y, const uint8_t *valid, size_t T, float *dp)
{
    const struct recording r = {p, y, valid, T, dp};
    double sum = 0;

    for (size_t i = 0; i < conf->n_terms; i++) {
        const struct config_loss_term *term = &conf->terms[i];

        if (term->name == CONFIG_LOSS_CCC)
            sum += ccc(share(term->weight, d->recordings), &r);
        else if (term->name == CONFIG_LOSS_PEARSON)
            sum += pearson(share(term->weight, d->recordings), &r);
        else if (term->name == CONFIG_LOSS_SPECTRAL)
            sum += spectral_loss(conf->spectral_sizes, conf->n_spectral_sizes,
                                 share(term->weight, d->recordings), p, y,
                                 valid, T, dp);
        else if (term->name == CONFIG_LOSS_SOFT_DTW)
            sum += softdtw_loss(conf->soft_dtw_gamma,
                                (size_t)conf->soft_dtw_pool,
                                share(term->weight, d->recordings), p, y,
                                valid, T, dp);
        else if (term->name == CONFIG_LOSS_DERIVATIVE)
            sum += over_pairs(share(term->weight, d->pairs), &r);
        else
            sum += over_frames(conf, term->name, share(term->weight, d->frames),
                               &r);
    }
    return sum;
}
