/*
 * planted - songs, and skin conductance that follows their loudness.
 *
 * Song, t in seconds from the begin of its history:
 *   A(t)  = -26 dB + OU(tau 6 s, sd 9 dB) + 1 to 3 section jumps U(-10, 10)
 *           + 2.5 max(0, cos(2 pi bpm/60 t))^4, clipped to [-60, -8];
 *           in the history minus 60 dB at its begin, 0 dB at its end
 *   song  = 10^(A/20) (sqrt(.9) six harmonics of random notes
 *           + sqrt(.1) white noise), scaled to peak 0.99
 * Skin conductance, in uS; L, d and p at 50 Hz, eda at 50 Hz or less:
 *   L(t)  = 10 log10(mean power of 250 ms), of the samples that are written
 *   d(t)  = clip((L + 45) / 33, 0, 1)^2
 *   h(t)  = (exp(-t/2) - exp(-t/0.75)) / 0.3470, whose peak, 1, is at 1.177 s
 *   p(t)  = g (d * h)(t - 1),                g = exp(N(0, .4)) per subject
 *   tonic = U(2, 8) per subject + N(0, .005) t + OU(tau 60 s, sd tonic_sd)
 *   eda   = p + tonic + N(0, noise_sd), rounded to 0.0001
 * OU is the stationary Ornstein-Uhlenbeck process in its exact discretisation.
 */
#include "dataset/planted.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

/* Points a second of the level curve A(t). */
#define LEVEL_HZ 100
/* Harmonics of a note. */
#define N_HARMONICS 6
/* Time constants of h in seconds, and its peak before scaling. */
#define SLOW_S 2.0
#define FAST_S 0.75
#define RESPONSE_PEAK 0.3470

/* Circle constant. */
static const double pi = 3.14159265358979323846;

/* A uniform number in [low, high). */
static double between(struct rng *r, double low, double high)
{
    return low + (high - low) * rng_uniform(r);
}

/* A stationary Ornstein-Uhlenbeck process on a grid. */
struct ou {
    double value; /* now */
    double keep;  /* share of the value that a step keeps */
    double kick;  /* standard deviation of what a step adds */
};

/* Starts one in its stationary distribution. */
static void ou_init(struct ou *o, struct rng *r, double tau_s, double sd,
                    double step_s)
{
    o->keep = exp(-step_s / tau_s);
    o->kick = sd * sqrt(1 - o->keep * o->keep);
    o->value = sd * rng_normal(r);
}

/* The value now; moves on by a step. */
static double ou_next(struct ou *o, struct rng *r)
{
    double now = o->value;

    o->value = o->keep * now + o->kick * rng_normal(r);
    return now;
}

/* Beats a minute of a song, the first number of its level sequence. */
static double tempo(struct rng *r, uint64_t seed, uint32_t song)
{
    rng_init(r, seed, RNG_SYNTH, PLANTED_DRAW_LEVEL, song);
    return between(r, 70, 160);
}

/*
 * Amplitudes 10^(A/20) at LEVEL_HZ.
 * amp: (n); before_s: length of the history that fades in
 */
static void level_curve(uint64_t seed, uint32_t song, double before_s,
                        double *amp, size_t n)
{
    struct rng r;
    double beat_hz = tempo(&r, seed, song) / 60;
    double jump_at[3], jump_db[3], total_s = (double)n / LEVEL_HZ;
    uint32_t j, n_jumps = 1 + rng_below(&r, 3);
    struct ou ou;
    size_t i;

    for (j = 0; j < n_jumps; j++) {
        jump_at[j] = between(&r, 0, total_s);
        jump_db[j] = between(&r, -10, 10);
    }
    ou_init(&ou, &r, 6, 9, 1.0 / LEVEL_HZ);
    for (i = 0; i < n; i++) {
        double t = (double)i / LEVEL_HZ;
        double beat = fmax(0, cos(2 * pi * beat_hz * t));
        double a = -26 + ou_next(&ou, &r) + 2.5 * beat * beat * beat * beat;

        for (j = 0; j < n_jumps; j++)
            a += t >= jump_at[j] ? jump_db[j] : 0;
        a = fmin(fmax(a, -60), -8);
        if (t < before_s)
            a -= 60 * (1 - t / before_s);
        amp[i] = pow(10, a / 20);
    }
}

/* The voice of a song: one note at a time, phase continuous. */
struct voice {
    struct rng rng;  /* chooses the notes */
    double rate_hz;  /* of the samples */
    double beat_len; /* samples of a note */
    double next_at;  /* sample where the next note begins */
    double phase;    /* radians */
    double step;     /* radians a sample */
    int n_harmonics; /* those below the Nyquist frequency */
    double gain;     /* makes the mean power 1 */
};

/* Takes the next note, A2 to A5. */
static void voice_note(struct voice *v)
{
    double f_hz = 440 * pow(2, ((double)rng_below(&v->rng, 37) - 24) / 12);
    double power = 0;
    int k;

    for (k = 1; k <= N_HARMONICS && k * f_hz < v->rate_hz / 2; k++)
        power += 0.5 / (k * k);
    v->n_harmonics = k - 1;
    v->gain = 1 / sqrt(power);
    v->step = 2 * pi * f_hz / v->rate_hz;
    v->next_at += v->beat_len;
}

/* The sample at position i; call in order. */
static double voice_next(struct voice *v, size_t i)
{
    double twice, last = 0, now, sum = 0;
    int k;

    if ((double)i >= v->next_at)
        voice_note(v);
    /* sin((k+1)a) = 2 cos(a) sin(ka) - sin((k-1)a) */
    twice = 2 * cos(v->phase);
    now = sin(v->phase);
    for (k = 1; k <= v->n_harmonics; k++) {
        double next = twice * now - last;

        sum += now / k;
        last = now;
        now = next;
    }
    v->phase += v->step;
    v->phase -= v->phase >= 2 * pi ? 2 * pi : 0;
    return v->gain * sum;
}

int planted_song(uint64_t seed, uint32_t song, uint32_t rate_hz,
                 size_t n_before, size_t n, float *x, struct err *err)
{
    size_t i, total = n_before + n, n_amp;
    double rate = rate_hz, to_amp = LEVEL_HZ / rate, *amp;
    struct voice v = {.rate_hz = rate};
    struct rng hiss;

    n_amp = (size_t)((double)total * to_amp) + 2;
    amp = mem_alloc(n_amp, sizeof *amp, err);
    if (!amp)
        return -1;
    level_curve(seed, song, (double)n_before / rate, amp, n_amp);
    v.beat_len = rate * 60 / tempo(&v.rng, seed, song);
    rng_init(&v.rng, seed, RNG_SYNTH, PLANTED_DRAW_NOTES, song);
    rng_init(&hiss, seed, RNG_SYNTH, PLANTED_DRAW_HISS, song);
    for (i = 0; i < total; i++) {
        double at = (double)i * to_amp, part = at - floor(at);
        const double *a = amp + (size_t)at;
        double loud = a[0] + part * (a[1] - a[0]);
        double white = sqrt(3) * (rng_u32(&hiss) / 2147483648.0 - 1);

        x[i] =
            (float)(loud * (sqrt(.9) * voice_next(&v, i) + sqrt(.1) * white));
    }
    free(amp);
    return 0;
}

void planted_quantise(const float *x, size_t n_before, size_t n, int16_t *pcm)
{
    double peak = 0, gain;
    size_t i;

    for (i = n_before; i < n_before + n; i++)
        peak = fmax(peak, fabs((double)x[i]));
    gain = peak > 0 ? PLANTED_PEAK * 32768 / peak : 0;
    for (i = 0; i < n_before + n; i++) {
        double v = fmin(fmax(gain * (double)x[i], -32768), 32767);

        pcm[i] = (int16_t)lrint(v);
    }
}

int planted_level(const int16_t *pcm, size_t n, uint32_t rate_hz, double *level,
                  size_t n_out, struct err *err)
{
    size_t i, win = (rate_hz + 2) / 4;
    uint64_t *sum = mem_alloc(n + 1, sizeof *sum, err);

    if (!sum)
        return -1;
    /* whole numbers, so that the running sum stays exact */
    for (i = 0; i < n; i++)
        sum[i + 1] = sum[i] + (uint64_t)((int32_t)pcm[i] * pcm[i]);
    for (i = 0; i < n_out; i++) {
        uint64_t centre =
            ((uint64_t)i * rate_hz + PLANTED_EDA_HZ / 2) / PLANTED_EDA_HZ;
        size_t from = centre > win / 2 ? (size_t)centre - win / 2 : 0;
        size_t to = (size_t)centre + win - win / 2;
        double power = 0;

        to = to < n ? to : n;
        if (from < to)
            power = (double)(sum[to] - sum[from]) / (double)(to - from) /
                    (32768.0 * 32768.0);
        level[i] = 10 * log10(fmax(power, 1e-12));
    }
    free(sum);
    return 0;
}

void planted_driver(double *level, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        double u = fmin(fmax((level[i] + 45) / 33, 0), 1);

        level[i] = u * u;
    }
}

void planted_response(const double *d, size_t n, double *p)
{
    const double dt = 1.0 / PLANTED_EDA_HZ;
    const double keep_slow = exp(-dt / SLOW_S), keep_fast = exp(-dt / FAST_S);
    const size_t delay = PLANTED_DELAY_S * PLANTED_EDA_HZ;
    double slow = 0, fast = 0;
    size_t i;

    /* both exponentials of the sum over h as recursions */
    for (i = 0; i < n; i++) {
        double in = i < delay ? 0 : d[i - delay];

        slow = keep_slow * slow + in;
        fast = keep_fast * fast + in;
        p[i] = (slow - fast) * dt / RESPONSE_PEAK;
    }
}

void planted_eda(const struct planted_recording *r, const double *p, size_t n,
                 int32_t *eda)
{
    struct rng rng;
    struct ou ou;
    double gain, tonic, slope;
    size_t i;

    rng_init(&rng, r->seed, RNG_SYNTH, PLANTED_DRAW_SUBJECT, r->subject);
    gain = exp(.4 * rng_normal(&rng));
    tonic = between(&rng, 2, 8);
    rng_init(&rng, r->seed, RNG_SYNTH, PLANTED_DRAW_RECORDING, r->recording);
    slope = .005 * rng_normal(&rng);
    ou_init(&ou, &rng, 60, r->tonic_sd, 1.0 / r->rate_hz);
    for (i = 0; i < n; i++) {
        double t = (double)i / r->rate_hz;
        double drift = ou_next(&ou, &rng);
        double noise = r->noise_sd * rng_normal(&rng);
        double us = gain * p[i] + tonic + slope * t + drift + noise;

        assert(fabs(us) < 1e5);
        eda[i] = (int32_t)lrint(us * PLANTED_EDA_SCALE);
    }
}

double planted_optimum(const double *p, const int32_t *eda, size_t n)
{
    double mean_p = 0, mean_e = 0, pp = 0, ee = 0, pe = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        mean_p += p[i] / (double)n;
        mean_e += eda[i] / (double)n;
    }
    for (i = 0; i < n; i++) {
        double a = p[i] - mean_p, b = eda[i] - mean_e;

        pp += a * a;
        ee += b * b;
        pe += a * b;
    }
    return pp > 0 && ee > 0 ? pe / sqrt(pp * ee) : (double)NAN;
}
