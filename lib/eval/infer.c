/*
 * infer - songs in parallel, each on its own, or a stream read through.
 */
#include "eval/infer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/frame.h"
#include "core/stream.h"

/* Gives every song and span its part of the block. */
static int share_out(struct infer *f, const struct pairs *p, struct err *err)
{
    size_t n = p->n_recordings, total = 0, at = 0, i;

    f->pred = mem_alloc(n, sizeof *f->pred, err);
    if (!f->pred)
        return -1;
    for (i = 0; i < n; i++)
        total += pairs_leads(p, f->order, i) ? p->recordings[f->order[i]].T : 0;
    f->block = mem_alloc(total, sizeof *f->block, err);
    if (!f->block)
        return -1;
    for (i = 0; i < n; i++) {
        const struct pairs_recording *r = &p->recordings[f->order[i]];

        if (pairs_leads(p, f->order, i)) {
            f->pred[f->order[i]] = f->block + at;
            at += r->T;
        } else {
            f->pred[f->order[i]] = f->pred[f->order[i - 1]];
        }
    }
    return 0;
}

/* Computes the groups that one thread of the team takes. */
static int run_thread(struct infer *f, const struct model *m,
                      const struct pairs *p, struct err *err)
{
    struct model_work *w = model_work_open(m, 1, 0, err);
    const float *y;
    size_t i;
    int got = w ? 0 : -1;

#pragma omp for schedule(dynamic)
    for (i = 0; i < p->n_recordings; i++) {
        const struct pairs_recording *r = &p->recordings[f->order[i]];

        if (got || !pairs_leads(p, f->order, i))
            continue;
        got = model_forward(m, w, p->songs[r->song].mfcc, r->T, NULL, &y,
                            err);
        if (!got)
            memcpy(f->pred[f->order[i]], y, r->T * sizeof *y);
    }
    model_work_close(w);
    return got;
}

int infer_run(struct infer *f, const struct model *m, const struct pairs *p,
              int n_threads, struct err *err)
{
    int failed = 0;

    assert(m->output_size == 1);
    *f = (struct infer){0};
    f->order = mem_alloc(p->n_recordings, sizeof *f->order, err);
    if (!f->order || pairs_by_song(p, f->order, err) ||
        share_out(f, p, err)) {
        infer_release(f);
        return -1;
    }
#pragma omp parallel num_threads(n_threads)
    {
        struct err mine;

        if (run_thread(f, m, p, &mine)) {
#pragma omp critical
            {
                *err = mine;
                failed = 1;
            }
        }
    }
    if (failed)
        infer_release(f);
    return failed ? -1 : 0;
}

/* ---- from a stream ---- */

/* Which predictions there are. */
enum source {
    SOURCE_NONE, /* none yet */
    SOURCE_SONG, /* that of its song */
    SOURCE_OWN   /* its own */
};

/* Gives every recording its own part of the block. */
static int lay_out(struct infer *f, const struct pairs *p, struct err *err)
{
    size_t n = p->n_recordings, total = 0, at = 0, i;

    for (i = 0; i < n; i++)
        total += p->recordings[i].T;
    f->pred = mem_alloc(n, sizeof *f->pred, err);
    f->block = f->pred ? mem_alloc(total, sizeof *f->block, err) : NULL;
    if (!f->block)
        return -1;
    for (i = 0; i < n; i++) {
        f->pred[i] = f->block + at;
        at += p->recordings[i].T;
    }
    return 0;
}

/* Checks that a prediction has the frame times of the pairs. */
static int check_times(const struct pairs *p, const struct frame *f,
                       struct err *err)
{
    char where[160];
    int64_t num, den;
    double t0_s;

    if (frame_check(f, err) ||
        frame_need_int(f, "rate_num", 1, INT64_MAX, &num, err) ||
        frame_need_int(f, "rate_den", 1, INT64_MAX, &den, err) ||
        frame_need_num(f, "t0_s", &t0_s, err))
        return -1;
    if ((uint64_t)num != p->rate_num || (uint64_t)den != p->rate_den ||
        t0_s < p->t0_s || t0_s > p->t0_s)
        return err_set(err, ERR_DATA, "%s: %" PRId64 "/%" PRId64 " frames a "
                       "second from %g s, but %" PRIu64 "/%" PRIu64 " from "
                       "%g s in what is evaluated",
                       frame_where(f, where, sizeof where), num, den, t0_s,
                       p->rate_num, p->rate_den, p->t0_s);
    return 0;
}

/* Copies one prediction to where it belongs. */
static int take(struct infer *f, const struct pairs *p, const struct frame *in,
                uint8_t *have, struct err *err)
{
    const struct tensor *pred = frame_tensor(in, "pred");
    const char *key = frame_get(in, "key");
    char where[160];
    size_t i;

    for (i = 0; i < p->n_recordings; i++) {
        const struct pairs_recording *r = &p->recordings[i];
        bool own = !strcmp(r->key, key);

        if (!own && (have[i] || strcmp(p->songs[r->song].key, key)))
            continue;
        if (own && have[i] == SOURCE_OWN)
            return err_set(err, ERR_DATA, "%s: a second prediction",
                           frame_where(in, where, sizeof where));
        if (pred->shape[0] < r->T)
            return err_set(err, ERR_DATA, "%s: %zu frames, want %zu for %s",
                           frame_where(in, where, sizeof where),
                           pred->shape[0], r->T, r->key);
        memcpy(f->pred[i], pred->data, r->T * sizeof *f->pred[i]);
        have[i] = own ? SOURCE_OWN : SOURCE_SONG;
    }
    return 0;
}

/* Reads the stream to its end. */
static int read_all(struct infer *f, const struct pairs *p, const char *path,
                    uint8_t *have, struct err *err)
{
    struct stream_in in = {0};
    struct frame frame = {0};
    int got;

    if (stream_open(&in, path, err))
        return -1;
    while ((got = stream_read(&in, &frame, err)) > 0) {
        if (frame_kind(&frame) == FRAME_PREDICTION &&
            (check_times(p, &frame, err) || take(f, p, &frame, have, err))) {
            err_prefix(err, "%s", path);
            got = -1;
            break;
        }
    }
    frame_release(&frame);
    stream_close(&in);
    return got;
}

int infer_read(struct infer *f, const struct pairs *p, const char *path,
               struct err *err)
{
    uint8_t *have = mem_alloc(p->n_recordings, 1, err);
    size_t i;
    int got;

    *f = (struct infer){0};
    got = !have || lay_out(f, p, err) || read_all(f, p, path, have, err);
    for (i = 0; !got && i < p->n_recordings; i++) {
        if (have[i] == SOURCE_NONE)
            got = err_set(err, ERR_DATA, "%s: no prediction for %s", path,
                          p->recordings[i].key);
    }
    free(have);
    if (got)
        infer_release(f);
    return got ? -1 : 0;
}

void infer_release(struct infer *f)
{
    free(f->pred);
    free(f->block);
    free(f->order);
    *f = (struct infer){0};
}
