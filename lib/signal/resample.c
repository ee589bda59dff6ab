/*
 * resample - a mono signal from one sampling rate to another.
 *
 * With o = in / g, n = out / g (g their greatest common divisor), output i is
 * at input time s = i o / n samples and is
 *
 *     y[i] = sum_m x[m] h((m - s) base / o)
 *     h(t) = (base / o) sinc(t) w(t / zeros),  |t| < zeros
 *
 * with base = rolloff min(o, n): the cutoff in units of the reduced rates.
 * s takes only n different fractions (phases), so h is tabled: phase j has
 * the taps m = first[j] ... first[j] + n_taps - 1 relative to block
 * floor(i / n) * o. Taps are padded with zeros to a multiple of the lanes of
 * a dot product that adds in the same order on every processor. Outputs are
 * made as soon as the samples under their taps have come.
 *
 *     torchaudio    zeros 6,  rolloff 0.99,   w(u) = cos^2(pi u / 2)
 *     kaiser_best   zeros 64, rolloff 0.9475937167399596,
 *                   w(u) = I0(beta sqrt(1 - u^2)) / I0(beta)
 */
#include "signal/resample.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "signal/hq.h"

/* Lanes that are added in parallel: taps are a multiple of it. */
#define LANES 16

/* Beta of the kaiser_best window (librosa, torchaudio). */
#define KAISER_BETA 14.769656459379492

/* pi in double, which C11 does not name. */
#define PI 3.14159265358979323846

/* Samples of silence that libsoxr's delay is found with, and at a time. */
#define PROBE_LEN 131072
#define PROBE_STEP 16

/* Four floats in a register of any processor. */
typedef float vec4 __attribute__((vector_size(16)));

#ifdef __x86_64__
/* Eight floats in a register of AVX2. */
typedef float vec8 __attribute__((vector_size(32)));
#endif

/* sum of h[k] x[k] over n taps, a multiple of LANES. */
typedef float dot_product(const float *h, const float *x, size_t n);

/* A windowed sinc. */
struct kernel {
    double zeros;   /* half width in zero crossings */
    double rolloff; /* cutoff as a share of Nyquist */
    bool kaiser;    /* Kaiser window, else squared cosine */
    double peak;    /* I0(beta), what divides the Kaiser window */
};

/* A converter between two rates. */
struct resample {
    enum config_resampler method; /* which kernel, or libsoxr */
    dot_product *dot;             /* fastest one, or the plain one */
    uint32_t in_hz, out_hz;       /* rates as given */
    size_t in_step, out_step;     /* o and n: the rates reduced */
    size_t n_taps;                /* per phase, a multiple of LANES */
    int64_t *first;               /* (n) first tap of a phase, owned */
    float *table;                 /* (n, n_taps), owned */
    struct hq *hq;                /* libsoxr's state, NULL: not used */
    float *in;                    /* samples still needed, owned */
    size_t in_cap;                /* room in in */
    size_t in_len;                /* samples in in */
    int64_t in_first;             /* number of the first one */
    size_t n_in;                  /* samples that came */
    float *out;                   /* result from n_taken on, owned */
    size_t out_cap;               /* room in out */
    size_t n_out;                 /* samples done */
    size_t n_taken;               /* of them handed out and dropped */
    size_t phase;                 /* n_out mod n */
    int64_t block;                /* floor(n_out / n) * o */
};

/* Modified Bessel function of order 0, by its power series. */
static double bessel_i0(double x)
{
    double quarter = x * x / 4, term = 1, sum = 1;
    int k;

    for (k = 1; term > sum * 1e-17; k++) {
        term *= quarter / ((double)k * k);
        sum += term;
    }
    return sum;
}

/* h(t) without its factor base / o; 0 outside the window. */
static double kernel_at(const struct kernel *k, double t)
{
    double u = t / k->zeros, window;

    if (fabs(u) >= 1)
        return 0;
    if (k->kaiser)
        window = bessel_i0(KAISER_BETA * sqrt(1 - u * u)) / k->peak;
    else
        window = cos(PI * u / 2) * cos(PI * u / 2);
    return t == 0 ? 1 : window * sin(PI * t) / (PI * t);
}

/* The LANES partial sums to one, in a fixed order. */
static float add_lanes(const float *sum)
{
    vec4 part[LANES / 4];

    memcpy(part, sum, sizeof(part));
    part[0] = (part[0] + part[1]) + (part[2] + part[3]);
    return (part[0][0] + part[0][1]) + (part[0][2] + part[0][3]);
}

/* sum of h[k] x[k] over n taps, a multiple of LANES, on any processor. */
static float dot_plain(const float *h, const float *x, size_t n)
{
    vec4 sum[LANES / 4] = {{0}};
    float lanes[LANES];
    size_t k, i;

    for (k = 0; k < n; k += LANES)
        for (i = 0; i < LANES / 4; i++) {
            vec4 a, b;

            memcpy(&a, h + k + 4 * i, sizeof(a));
            memcpy(&b, x + k + 4 * i, sizeof(b));
            sum[i] += a * b;
        }
    memcpy(lanes, sum, sizeof(lanes));
    return add_lanes(lanes);
}

#ifdef __x86_64__
/* The same sums, bit for bit, in the wider registers of AVX2. */
__attribute__((target("avx2"))) static float
dot_avx2(const float *h, const float *x, size_t n)
{
    vec8 sum[LANES / 8] = {{0}};
    float lanes[LANES];
    size_t k, i;

    for (k = 0; k < n; k += LANES)
        for (i = 0; i < LANES / 8; i++) {
            vec8 a, b;

            memcpy(&a, h + k + 8 * i, sizeof(a));
            memcpy(&b, x + k + 8 * i, sizeof(b));
            sum[i] += a * b;
        }
    memcpy(lanes, sum, sizeof(lanes));
    return add_lanes(lanes);
}
#endif

/* The fastest of them here. */
static dot_product *best_dot(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return dot_avx2;
#endif
    return dot_plain;
}

/* Reserves the table; refuses one that is absurdly large. */
static int reserve_table(struct resample *r, double half, struct err *err)
{
    double taps = 2 * ceil(half) + 1;
    double padded = ceil(taps / LANES) * LANES;

    if (padded * (double)r->out_step > RESAMPLE_MAX_TABLE)
        return err_set(err, ERR_DATA,
                       "resampling %u Hz to %u Hz (ratio %zu:%zu) needs a "
                       "table of %.0f coefficients, limit %u: take soxr_hq "
                       "or another rate",
                       r->in_hz, r->out_hz, r->in_step, r->out_step,
                       padded * (double)r->out_step, RESAMPLE_MAX_TABLE);
    r->n_taps = (size_t)padded;
    r->first = mem_alloc(r->out_step, sizeof(*r->first), err);
    if (!r->first)
        return -1;
    r->table = mem_alloc(r->out_step * r->n_taps, sizeof(*r->table), err);
    return r->table ? 0 : -1;
}

/* Fills the table of a kernel. */
static int make_table(struct resample *r, const struct kernel *kernel,
                      struct err *err)
{
    double o = (double)r->in_step, n = (double)r->out_step;
    double base = kernel->rolloff * (o < n ? o : n);
    double half = kernel->zeros * o / base; /* of the window, in samples */
    size_t j, k;

    if (reserve_table(r, half, err))
        return -1;
    for (j = 0; j < r->out_step; j++) {
        r->first[j] = (int64_t)ceil((double)j * o / n - half);
        for (k = 0; k < r->n_taps; k++) {
            double m = (double)(r->first[j] + (int64_t)k);
            double t = (m / o - (double)j / n) * base;

            r->table[j * r->n_taps + k] =
                (float)(kernel_at(kernel, t) * base / o);
        }
    }
    return 0;
}

/* What a method needs before the first signal. */
static int set_up(struct resample *r, struct err *err)
{
    const struct kernel hann = {6, 0.99, false, 1};
    const struct kernel kaiser = {64, 0.9475937167399596, true,
                                  bessel_i0(KAISER_BETA)};

    if (r->in_hz == r->out_hz)
        return 0;
    switch (r->method) {
    case CONFIG_KAISER_BEST:
        return make_table(r, &kaiser, err);
    case CONFIG_RESAMPLE_TORCHAUDIO:
        return make_table(r, &hann, err);
    case CONFIG_SOXR_HQ:
        return 0;
    case CONFIG_RESAMPLE_NONE:
        break;
    }
    return err_set(err, ERR_DATA,
                   "%u Hz, want %u Hz, and audio_resampler is none",
                   r->in_hz, r->out_hz);
}

struct resample *resample_open(enum config_resampler method, uint32_t in_hz,
                               uint32_t out_hz, struct err *err)
{
    struct resample *r = mem_alloc(1, sizeof(*r), err);
    uint64_t g = num_gcd(in_hz, out_hz);

    assert(in_hz > 0 && out_hz > 0);
    if (!r)
        return NULL;
    r->method = method;
    r->dot = best_dot();
    r->in_hz = in_hz;
    r->out_hz = out_hz;
    r->in_step = in_hz / g;
    r->out_step = out_hz / g;
    if (set_up(r, err)) {
        resample_close(r);
        return NULL;
    }
    return r;
}

void resample_close(struct resample *r)
{
    if (!r)
        return;
    hq_close(r->hq);
    free(r->first);
    free(r->table);
    free(r->in);
    free(r->out);
    free(r);
}

void resample_plain(struct resample *r)
{
    r->dot = dot_plain;
}

size_t resample_n_out(const struct resample *r, size_t n)
{
    size_t blocks = n / r->in_step, rest = n % r->in_step;

    return blocks * r->out_step +
           (rest * r->out_step + r->in_step - 1) / r->in_step;
}

int resample_begin(struct resample *r, struct err *err)
{
    size_t before;

    r->n_in = r->n_out = r->n_taken = r->phase = r->in_len = 0;
    r->block = 0;
    if (r->in_hz == r->out_hz)
        return 0;
    if (r->method == CONFIG_SOXR_HQ) {
        hq_close(r->hq);
        r->hq = hq_open(r->in_hz, r->out_hz, err);
        return r->hq ? 0 : -1;
    }
    /* The first output reaches back into the zeros before the signal. */
    r->in_first = r->first[0];
    before = (size_t)-r->first[0];
    r->in_len = before;
    if (before > 0) {
        float *grown = mem_grow(r->in, &r->in_cap, before, sizeof(*r->in),
                                err);

        if (!grown)
            return -1;
        r->in = grown;
        memset(r->in, 0, before * sizeof(*r->in));
    }
    return 0;
}

/* Room for output up to sample n. */
static int reserve_out(struct resample *r, size_t n, struct err *err)
{
    float *grown = mem_grow(r->out, &r->out_cap, n - r->n_taken,
                            sizeof(*r->out), err);

    if (!grown)
        return -1;
    r->out = grown;
    return 0;
}

/* Appends n samples (NULL: zeros) to those still needed. */
static int keep_in(struct resample *r, const float *x, size_t n,
                   struct err *err)
{
    float *grown = mem_grow(r->in, &r->in_cap, r->in_len + n, sizeof(*r->in),
                            err);

    if (!grown)
        return -1;
    r->in = grown;
    if (x)
        memcpy(r->in + r->in_len, x, n * sizeof(*x));
    else
        memset(r->in + r->in_len, 0, n * sizeof(*r->in));
    r->in_len += n;
    return 0;
}

/* Computes what the kept samples suffice for, at most up to n_out. */
static void run_table(struct resample *r, size_t n_out)
{
    size_t at = 0; /* where the taps of the next output begin */

    while (r->n_out < n_out) {
        at = (size_t)(r->block + r->first[r->phase] - r->in_first);
        if (at + r->n_taps > r->in_len)
            break;
        r->out[r->n_out++ - r->n_taken] =
            r->dot(r->table + r->phase * r->n_taps, r->in + at, r->n_taps);
        if (++r->phase == r->out_step) {
            r->phase = 0;
            r->block += (int64_t)r->in_step;
        }
    }
    if (at > r->in_len)
        at = r->in_len;
    memmove(r->in, r->in + at, (r->in_len - at) * sizeof(*r->in));
    r->in_len -= at;
    r->in_first += (int64_t)at;
}

/* Passes n samples through libsoxr; x NULL: there are no more. */
static int run_soxr(struct resample *r, const float *x, size_t n, size_t n_out,
                    struct err *err)
{
    size_t made;

    if (hq_run(r->hq, x, n, r->out + (r->n_out - r->n_taken),
               n_out - r->n_out, &made, err))
        return -1;
    r->n_out += made;
    return 0;
}

int resample_add(struct resample *r, const float *x, size_t n,
                 struct err *err)
{
    size_t n_out;

    r->n_in += n;
    n_out = resample_n_out(r, r->n_in);
    if (reserve_out(r, n_out, err))
        return -1;
    if (r->in_hz == r->out_hz) {
        memcpy(r->out + (r->n_out - r->n_taken), x, n * sizeof(*x));
        r->n_out = n_out;
        return 0;
    }
    if (r->method == CONFIG_SOXR_HQ)
        return run_soxr(r, x, n, n_out, err);
    if (keep_in(r, x, n, err))
        return -1;
    run_table(r, n_out);
    return 0;
}

void resample_take(struct resample *r, float **out, size_t *n)
{
    *out = r->out;
    *n = r->n_out - r->n_taken;
    r->n_taken = r->n_out;
}

/*
 * Input samples by which libsoxr's output lags at most, found by feeding it
 * silence.
 */
static int probe_soxr(struct resample *r, double *delay, struct err *err)
{
    static const float silence[PROBE_STEP];
    size_t n, made;
    float *ignored;
    double lag;

    *delay = 0;
    if (resample_begin(r, err))
        return -1;
    for (n = 0; n < PROBE_LEN; n += PROBE_STEP) {
        if (resample_add(r, silence, PROBE_STEP, err))
            return -1;
        made = r->n_out;
        /* as it was before these samples, all of which may be needed */
        lag = (double)(n + 2 * (size_t)PROBE_STEP) -
              (double)made * (double)r->in_step / (double)r->out_step;
        *delay = lag > *delay ? lag : *delay;
        resample_take(r, &ignored, &made);
    }
    return 0;
}

int resample_delay(struct resample *r, double *delay, struct err *err)
{
    double o = (double)r->in_step, n = (double)r->out_step, lag;
    size_t j;

    *delay = 0;
    if (r->in_hz == r->out_hz)
        return 0;
    if (r->method == CONFIG_SOXR_HQ)
        return probe_soxr(r, delay, err);
    for (j = 0; j < r->out_step; j++) {
        lag = (double)(r->first[j] + (int64_t)r->n_taps) - (double)j * o / n;
        *delay = lag > *delay ? lag : *delay;
    }
    return 0;
}

int resample_end(struct resample *r, float **out, size_t *n_out,
                 struct err *err)
{
    size_t n = resample_n_out(r, r->n_in);

    if (r->method == CONFIG_SOXR_HQ && r->in_hz != r->out_hz) {
        if (run_soxr(r, NULL, 0, n, err))
            return -1;
        /* libsoxr may round the length down where we round up. */
        memset(r->out + (r->n_out - r->n_taken), 0,
               (n - r->n_out) * sizeof(*r->out));
        r->n_out = n;
    } else if (r->in_hz != r->out_hz) {
        if (keep_in(r, NULL, r->n_taps, err))
            return -1;
        run_table(r, n);
        assert(r->n_out == n);
    }
    resample_take(r, out, n_out);
    return 0;
}
