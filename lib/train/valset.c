/*
 * valset - validation over threads and processes.
 */
#include "train/valset.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/stream.h"

/* Numbers a recording has in the table. */
#define WIDTH (1 + METRIC_N)

/*
 * The next mfcc or eda frame, as stream_read() gives it. Only these are
 * needed everywhere; others are noted here, where one may be missing.
 */
static int next_frame(struct pairs *p, struct stream_in *in, struct frame *f,
                      struct err *err)
{
    enum frame_kind kind;
    int got;

    while ((got = stream_read(in, f, err)) > 0) {
        kind = frame_kind(f);
        if (kind == FRAME_MFCC || kind == FRAME_EDA)
            break;
        if (pairs_add(p, f, in->name, err))
            return -1;
    }
    return got;
}

/* Takes the frames of a stream that rank 0 reads, in every process. */
static int read_file(struct pairs *p, struct comm *comm, const char *path,
                     struct err *err)
{
    struct stream_in in = {0};
    struct frame f = {0};
    bool reads = comm->rank == 0;
    int got = reads ? stream_open(&in, path, err) : 0;

    for (;;) {
        if (!got && reads)
            got = next_frame(p, &in, &f, err);
        got = comm_agree(comm, got, err);
        if (got <= 0)
            break;
        got = comm_scatter(comm, &f, 0, 0, err) ||
                      pairs_add(p, &f, reads ? in.name : path, err)
                  ? -1
                  : 0;
    }
    frame_release(&f);
    stream_close(&in);
    return got;
}

int valset_load(struct valset *v, struct comm *comm, const char *const *paths,
                size_t n, const char *spool,
                int (*bad)(void *ctx, const struct err *why), void *ctx,
                struct err *err)
{
    size_t i;

    memset(v, 0, sizeof *v);
    if (pairs_init(&v->pairs, err))
        return -1;
    v->pairs.spool_dir = spool;
    for (i = 0; i < n; i++)
        if (read_file(&v->pairs, comm, paths[i], err))
            return -1;
    if (pairs_join(&v->pairs, HUGE_VAL, bad, ctx, err))
        return err_prefix(err, "--val");
    n = v->pairs.n_recordings;
    v->order = mem_alloc(n, sizeof *v->order, err);
    v->table = v->order ? mem_alloc(n, WIDTH * sizeof *v->table, err) : NULL;
    return v->table ? pairs_by_song(&v->pairs, v->order, err) : -1;
}

int valset_check(const struct valset *v, const struct intake_plan *plan,
                 struct err *err)
{
    if (pairs_check_features(&v->pairs, plan->features, plan->rate_num,
                             plan->rate_den, plan->t0_s, "the training stream",
                             err))
        return err_prefix(err, "--val");
    return 0;
}

/* What the threads of one validation share. */
struct scoring {
    struct valset *v;                     /* what is scored */
    const struct valset_run *how;         /* how */
    const struct loss_divisors *divisors; /* of all recordings */
    size_t first, end;                    /* places in `order` of ours */
    int result;                           /* 0, 1 stopped, -1 failed */
    struct err err;                       /* when -1 */
};

/* The recording at a place of the order. */
static const struct pairs_recording *recording_at(const struct valset *v,
                                                  size_t place)
{
    return &v->pairs.recordings[v->order[place]];
}

/* Whether the recording at `place` needs a forward pass of its own. */
static bool leads(const struct scoring *s, size_t place)
{
    return place == s->first ||
           pairs_leads(&s->v->pairs, s->v->order, place);
}

/* Scores the recording at `place` and those that share its song and span. */
static int score_group(struct scoring *s, size_t place, struct err *err)
{
    const struct pairs_recording *rec = recording_at(s->v, place);
    const struct pairs *p = &s->v->pairs;
    struct model_work *work = team_eval_work(s->how->team, rec->T, err);
    struct metric_input in;
    const float *pred;
    double *row;

    if (!work ||
        model_forward(s->how->team->model, work, p->songs[rec->song].mfcc,
                      rec->T, NULL, &pred, err))
        return -1;
    do {
        rec = recording_at(s->v, place);
        row = s->v->table + place * WIDTH;
        row[0] = loss_recording(s->how->loss, s->divisors, pred, rec->eda,
                                rec->valid, rec->T, NULL);
        in = metric_input(p, rec, pred, rec->valid);
        if (metric_recording(&in, s->how->want, row + 1, err))
            return -1;
    } while (++place < s->end && !leads(s, place));
    return 0;
}

/* Scores one group, unless the validation is being left. */
static void take_group(struct scoring *s, size_t place)
{
    struct err mine;
    int now, rc;

#pragma omp atomic read
    now = s->result;
    if (now)
        return;
    if (stop_now(s->how->stop)) {
#pragma omp atomic write
        s->result = 1;
        return;
    }
    rc = score_group(s, place, &mine);
    if (rc) {
#pragma omp critical(valset_error)
        {
            s->err = mine;
#pragma omp atomic write
            s->result = -1;
        }
    }
}

/* Sums the table in the order of recordings. */
static int sum_table(const struct valset *v, size_t n, struct valset_score *out,
                     struct err *err)
{
    size_t *place = mem_alloc(n, sizeof *place, err), i, k, defined;
    double value, sum;

    if (!place)
        return -1;
    for (i = 0; i < n; i++)
        place[v->order[i]] = i;
    out->loss = 0;
    for (i = 0; i < n; i++)
        out->loss += v->table[place[i] * WIDTH];
    for (k = 0; k < METRIC_N; k++) {
        for (i = 0, defined = 0, sum = 0; i < n; i++) {
            value = v->table[place[i] * WIDTH + 1 + k];
            if (!isnan(value)) {
                sum += value;
                defined++;
            }
        }
        out->metrics[k] = defined ? sum / (double)defined : (double)NAN;
    }
    free(place);
    return 0;
}

int valset_score(struct valset *v, const struct valset_run *how,
                 struct valset_score *out, struct err *err)
{
    struct loss_divisors divisors = {0};
    struct scoring s = {.v = v, .how = how, .divisors = &divisors};
    size_t n = v->pairs.n_recordings, i, place;
    int rc;

    /* a trial scores the first few in the order of songs, and says nothing */
    if (how->limit && how->limit < n)
        n = how->limit;
    for (i = 0; i < n; i++)
        loss_count(&divisors, recording_at(v, i)->valid, recording_at(v, i)->T);
    comm_rows(how->comm, n, &s.first, &s.end);
#pragma omp parallel for schedule(dynamic, 1) num_threads(how->team->n_threads)
    for (place = s.first; place < s.end; place++)
        if (leads(&s, place))
            take_group(&s, place);
    if (s.result < 0)
        *err = s.err;
    rc = comm_agree(how->comm, s.result, err);
    if (rc)
        return rc;
    if (comm_gather(how->comm, v->table, n, WIDTH, err))
        return -1;
    return n < v->pairs.n_recordings ? 0 : sum_table(v, n, out, err);
}

void valset_release(struct valset *v)
{
    pairs_release(&v->pairs);
    free(v->order);
    free(v->table);
    memset(v, 0, sizeof *v);
}
