/*
 * hq - thin: libsoxr buffers, we count.
 */
#include "signal/hq.h"

#ifdef A2B_SOXR

#include <assert.h>
#include <soxr.h>
#include <stdlib.h>

#include "base/mem.h"

/* One signal. */
struct hq {
    soxr_t soxr;     /* libsoxr's state */
    uint32_t in_hz;  /* for messages */
    uint32_t out_hz; /* for messages */
};

bool hq_is_built(void)
{
    return true;
}

/* What libsoxr says went wrong. Returns -1. */
static int say(const struct hq *h, soxr_error_t failed, struct err *err)
{
    return err_set(err, ERR_FAILED, "libsoxr, %u Hz to %u Hz: %s", h->in_hz,
                   h->out_hz, failed);
}

struct hq *hq_open(uint32_t in_hz, uint32_t out_hz, struct err *err)
{
    soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    soxr_error_t failed = NULL;
    struct hq *h = mem_alloc(1, sizeof *h, err);

    if (!h)
        return NULL;
    *h = (struct hq){NULL, in_hz, out_hz};
    h->soxr = soxr_create(in_hz, out_hz, 1, &failed, &io, &quality, &runtime);
    if (failed) {
        say(h, failed, err);
        hq_close(h);
        return NULL;
    }
    return h;
}

int hq_run(struct hq *h, const float *x, size_t n, float *y, size_t n_y,
           size_t *made, struct err *err)
{
    size_t used = 0, took, more;
    soxr_error_t failed;

    *made = 0;
    do {
        took = more = 0;
        failed = soxr_process(h->soxr, x ? x + used : NULL, n - used, &took,
                              y + *made, n_y - *made, &more);
        if (failed)
            return say(h, failed, err);
        used += took;
        *made += more;
    } while (took > 0 || more > 0);
    assert(used == n);
    return 0;
}

void hq_close(struct hq *h)
{
    if (!h)
        return;
    soxr_delete(h->soxr);
    free(h);
}

#else

bool hq_is_built(void)
{
    return false;
}

struct hq *hq_open(uint32_t in_hz, uint32_t out_hz, struct err *err)
{
    (void)in_hz;
    (void)out_hz;
    err_set(err, ERR_USAGE, "audio_resampler: soxr_hq needs libsoxr, which "
            "this build is without; use kaiser_best");
    return NULL;
}

int hq_run(struct hq *h, const float *x, size_t n, float *y, size_t n_y,
           size_t *made, struct err *err)
{
    (void)h;
    (void)x;
    (void)n;
    (void)y;
    (void)n_y;
    *made = 0;
    return err_set(err, ERR_USAGE, "no libsoxr");
}

void hq_close(struct hq *h)
{
    (void)h;
}

#endif
