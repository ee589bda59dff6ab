/*
 * fft - the power spectrum of a real frame, by FFTW in single precision.
 *
 * FFTW's planner keeps state of its own and may be entered by one thread at
 * a time; running a plan is safe in any thread. Buffers come from FFTW, so
 * every plan of one length sees the same alignment and is the same plan.
 */
#include "signal/fft.h"

#include <assert.h>
#include <fftw3.h>
#include <pthread.h>
#include <stdlib.h>

/* A transform of one length. */
struct fft {
    size_t n;             /* samples */
    float *in;            /* (n), FFTW's */
    fftwf_complex *out;   /* (n / 2 + 1), FFTW's */
    fftwf_plan plan;      /* in -> out */
};

/* Guards FFTW's planner, the one piece of state all transforms share. */
static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

struct fft *fft_open(size_t n, struct err *err)
{
    struct fft *f = calloc(1, sizeof(*f));

    assert(n >= 2 && n <= 1u << 30);
    if (!f) {
        err_set(err, ERR_FAILED, "fft: no memory");
        return NULL;
    }
    f->n = n;
    f->in = fftwf_alloc_real(n);
    f->out = fftwf_alloc_complex(n / 2 + 1);
    if (f->in && f->out) {
        pthread_mutex_lock(&planner);
        f->plan = fftwf_plan_dft_r2c_1d((int)n, f->in, f->out, FFTW_ESTIMATE);
        pthread_mutex_unlock(&planner);
    }
    if (!f->plan) {
        err_set(err, ERR_FAILED, "fft: no memory for %zu samples", n);
        fft_close(f);
        return NULL;
    }
    return f;
}

void fft_close(struct fft *f)
{
    if (!f)
        return;
    if (f->plan) {
        pthread_mutex_lock(&planner);
        fftwf_destroy_plan(f->plan);
        pthread_mutex_unlock(&planner);
    }
    fftwf_free(f->out);
    fftwf_free(f->in);
    free(f);
}

float *fft_input(struct fft *f)
{
    return f->in;
}

void fft_power(struct fft *f, float *power)
{
    size_t b;

    fftwf_execute(f->plan);
    for (b = 0; b <= f->n / 2; b++)
        power[b] = f->out[b][0] * f->out[b][0] + f->out[b][1] * f->out[b][1];
}
