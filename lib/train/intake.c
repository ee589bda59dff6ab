/*
 * intake - reading a batch stream ahead.
 *
 * One thread fills a ring of frames; intake_next() exchanges the caller's
 * frame for the oldest, so no tensor is copied. The thread stops at the
 * end of the input or at an error. A thread that is still inside read(2) when
 * the run is left is left as well: it ends with the process.
 */
#include "train/intake.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "core/json.h"

/*
 * How often intake_next() looks for a reason to stop, and how long it waits
 * for a signal that killed the producer to reach us as well, ns.
 */
#define INTAKE_POLL_NS 50000000L

/* How far the thread is. */
enum intake_state {
    INTAKE_READING, /* more may come */
    INTAKE_ENDED,   /* end frame and end of input */
    INTAKE_FAILED   /* see error */
};

/* The thread and what it shares, under `lock`. */
struct intake_reader {
    pthread_t thread;            /* the reader */
    pthread_mutex_t lock;        /* of everything below */
    pthread_cond_t changed;      /* something below did; monotonic clock */
    struct frame *ring;          /* (n_ring) frames, owned */
    struct intake_position *at;  /* (n_ring) their positions, owned */
    size_t n_ring;               /* room */
    size_t head;                 /* oldest frame */
    size_t count;                /* frames waiting */
    enum intake_state state;     /* how far the thread is */
    bool discard;                /* drop what comes */
    struct err error;            /* when INTAKE_FAILED */
    struct stream_in *in;        /* used by the thread alone */
    struct intake_plan plan;     /* a copy that shares `batches` */
    struct intake_position next; /* what must come; the thread's own */
    struct intake_position from; /* first batch wanted; the thread's own */
    bool begun;                  /* next is known; the thread's own */
    struct frame frame;          /* being read; the thread's own */
};

/* Fills plan->batches from the JSON list of the dataset frame. */
static int read_batches(struct intake_plan *p, const char *text,
                        struct err *err)
{
    struct json *list = json_parse(text, strlen(text), err);
    int64_t n = 0;
    size_t i;
    int rc = -1;

    if (!list)
        return err_prefix(err, "dataset frame: batches");
    if (json_kind(list) != JSON_KIND_LIST || json_count(list) != p->epochs) {
        err_set(err, ERR_DATA,
                "dataset frame: batches is not a list of %" PRIu64
                " counts, one an epoch",
                p->epochs);
        goto out;
    }
    p->batches = mem_alloc((size_t)p->epochs, sizeof *p->batches, err);
    if (!p->batches)
        goto out;
    for (i = 0; i < p->epochs; i++) {
        if (json_int(json_at(list, i), &n) || n < 1) {
            err_set(err, ERR_DATA,
                    "dataset frame: batches of epoch %zu "
                    "is not a count of at least 1",
                    i);
            goto out;
        }
        p->batches[i] = (uint64_t)n;
    }
    rc = 0;
out:
    json_close(list);
    return rc;
}

/* Reads one count of a frame's metadata. */
static int read_count(const struct frame *f, const char *key, int64_t min,
                      uint64_t *out, struct err *err)
{
    int64_t value = 0;

    if (frame_need_int(f, key, min, INT64_MAX, &value, err))
        return -1;
    *out = (uint64_t)value;
    return 0;
}

int intake_plan_init(struct intake_plan *p, const struct frame *dataset,
                     struct err *err)
{
    const struct tensor *mean, *std, *curve;
    const char *batches;
    bool windows = frame_get(dataset, "window") != NULL;

    memset(p, 0, sizeof *p);
    if (read_count(dataset, "epochs", 1, &p->epochs, err) ||
        read_count(dataset, "batch_size", 1, &p->batch_size, err) ||
        read_count(dataset, "recordings", 1, &p->recordings, err) ||
        read_count(dataset, "songs", 1, &p->songs, err) ||
        read_count(dataset, "rate_num", 1, &p->rate_num, err) ||
        read_count(dataset, "rate_den", 1, &p->rate_den, err) ||
        (windows && read_count(dataset, "window", 1, &p->window, err)) ||
        frame_need_int(dataset, "seed", INT64_MIN, INT64_MAX, &p->seed, err) ||
        frame_need_num(dataset, "t0_s", &p->t0_s, err) ||
        frame_need(dataset, "features", &p->features, err) ||
        frame_need(dataset, "fingerprint", &p->fingerprint, err) ||
        frame_need(dataset, "batches", &batches, err) ||
        frame_need_tensor(dataset, "input_mean", TENSOR_F32, 1, &mean, err) ||
        frame_need_tensor(dataset, "input_std", TENSOR_F32, 1, &std, err) ||
        frame_need_tensor(dataset, "curve", TENSOR_F32, 2, &curve, err))
        return -1;
    if (mean->shape[0] != std->shape[0] || mean->shape[0] == 0)
        return err_set(err, ERR_DATA,
                       "dataset frame: input_mean has %zu "
                       "coefficients, input_std %zu",
                       mean->shape[0], std->shape[0]);
    p->C = mean->shape[0];
    p->T_max = curve->shape[0];
    if (windows && p->window < p->T_max)
        p->T_max = (size_t)p->window;
    p->input_mean = mean->data;
    p->input_std = std->data;
    return read_batches(p, batches, err);
}

void intake_plan_release(struct intake_plan *p)
{
    free(p->batches);
    memset(p, 0, sizeof *p);
}

uint64_t intake_plan_batches(const struct intake_plan *p,
                             struct intake_position at)
{
    uint64_t n = at.batch, e;

    for (e = 0; e < at.epoch && e < p->epochs; e++)
        n += p->batches[e];
    return n;
}

uint64_t intake_plan_steps(const struct intake_plan *p,
                           struct intake_position at, uint64_t accumulate)
{
    uint64_t n = (at.batch + accumulate - 1) / accumulate, e;

    for (e = 0; e < at.epoch && e < p->epochs; e++)
        n += (p->batches[e] + accumulate - 1) / accumulate;
    return n;
}

struct intake_position intake_plan_next(const struct intake_plan *p,
                                        struct intake_position at)
{
    at.batch++;
    if (at.epoch < p->epochs && at.batch >= p->batches[at.epoch])
        at = (struct intake_position){at.epoch + 1, 0};
    return at;
}

/* Whether a stands before b. */
static bool before(struct intake_position a, struct intake_position b)
{
    return a.epoch < b.epoch || (a.epoch == b.epoch && a.batch < b.batch);
}

/*
 * Hashes a row's key. Windows of one song are told apart, but the first: what
 * dropout does to a song that fits into one window is the same either way.
 */
static int hash_key(uint64_t *hash, const char *key, const struct json *start,
                    struct err *err)
{
    struct buf text = {0};
    int64_t at = 0;
    int rc;

    if (start && (json_int(start, &at) || at < 0))
        return err_set(err, ERR_DATA, "starts: not a list of frames");
    buf_puts(&text, key);
    if (at > 0)
        buf_printf(&text, "@%" PRId64, at);
    rc = buf_check(&text, err);
    if (!rc)
        *hash = digest_xxh3(text.data, text.len);
    buf_release(&text);
    return rc;
}

/* Parses the list of first frames, if the frame has one; NULL: none. */
static int read_starts(const struct intake_batch *b, struct json **starts,
                       struct err *err)
{
    const char *text = frame_get(&b->frame, "starts");

    *starts = text ? json_parse(text, strlen(text), err) : NULL;
    if (text && !*starts)
        return -1;
    if (text && json_count(*starts) != b->S)
        return err_set(err, ERR_DATA, "starts has %zu entries, x has %zu rows",
                       json_count(*starts), b->S);
    return 0;
}

/* Hashes the rows' keys into b->songs. */
static int hash_keys(struct intake_batch *b, struct err *err)
{
    struct json *list, *starts = NULL;
    const char *text, *key;
    size_t s;
    int rc = -1;

    if (frame_need(&b->frame, "keys", &text, err))
        return -1;
    list = json_parse(text, strlen(text), err);
    if (!list || read_starts(b, &starts, err))
        goto out;
    if (json_count(list) != b->S) {
        err_set(err, ERR_DATA, "keys has %zu entries, x has %zu rows",
                json_count(list), b->S);
        goto out;
    }
    for (s = 0; s < b->S; s++) {
        key = json_text(json_at(list, s));
        if (!key) {
            err_set(err, ERR_DATA, "keys: entry %zu is no text", s);
            goto out;
        }
        if (hash_key(&b->songs[s], key, starts ? json_at(starts, s) : NULL,
                     err))
            goto out;
    }
    rc = 0;
out:
    json_close(starts);
    json_close(list);
    return rc;
}

/* Sorts recordings by their row (counting sort) into first and order. */
static int sort_rows(struct intake_batch *b, const int32_t *song,
                     struct err *err)
{
    size_t s, r;

    memset(b->first, 0, (b->S + 1) * sizeof *b->first);
    for (r = 0; r < b->R; r++) {
        if (song[r] < 0 || (size_t)song[r] >= b->S)
            return err_set(err, ERR_DATA,
                           "recording %zu: row %" PRId32 " of %zu", r, song[r],
                           b->S);
        b->first[song[r] + 1]++;
    }
    for (s = 0; s < b->S; s++)
        b->first[s + 1] += b->first[s];
    for (r = 0; r < b->R; r++)
        b->order[b->first[song[r]]++] = r;
    for (s = b->S; s > 0; s--)
        b->first[s] = b->first[s - 1];
    b->first[0] = 0;
    return 0;
}

/* Checks lengths, and that no frame behind a row's length is valid. */
static int check_spans(const struct intake_batch *b, struct err *err)
{
    size_t s, i, t, len, r;

    for (s = 0; s < b->S; s++) {
        if (b->len[s] < 1 || (size_t)b->len[s] > b->T)
            return err_set(err, ERR_DATA,
                           "row %zu: length %" PRId32 " of %zu frames", s,
                           b->len[s], b->T);
        len = (size_t)b->len[s];
        for (i = b->first[s]; i < b->first[s + 1]; i++) {
            r = b->order[i];
            for (t = len; t < b->T; t++)
                if (b->valid[r * b->T + t])
                    return err_set(err, ERR_DATA,
                                   "recording %zu: frame "
                                   "%zu is valid, its row has %zu frames",
                                   r, t, len);
        }
    }
    return 0;
}

/* Room for the tables of b. */
static int grow_tables(struct intake_batch *b, struct err *err)
{
    uint64_t *songs =
        mem_grow(b->songs, &b->songs_cap, b->S, sizeof *songs, err);
    size_t *first, *order;

    if (!songs)
        return -1;
    b->songs = songs;
    first = mem_grow(b->first, &b->first_cap, b->S + 1, sizeof *first, err);
    if (!first)
        return -1;
    b->first = first;
    order = mem_grow(b->order, &b->order_cap, b->R, sizeof *order, err);
    if (!order)
        return -1;
    b->order = order;
    return 0;
}

/* intake_batch_view() without the name of the frame in its message. */
static int view(struct intake_batch *b, const struct intake_plan *plan,
                struct err *err)
{
    const struct tensor *x, *len, *y, *valid, *song;

    if (frame_need_tensor(&b->frame, "x", TENSOR_F32, 3, &x, err) ||
        frame_need_tensor(&b->frame, "len", TENSOR_I32, 1, &len, err) ||
        frame_need_tensor(&b->frame, "y", TENSOR_F32, 3, &y, err) ||
        frame_need_tensor(&b->frame, "valid", TENSOR_U8, 2, &valid, err) ||
        frame_need_tensor(&b->frame, "song", TENSOR_I32, 1, &song, err))
        return -1;
    b->S = x->shape[0];
    b->T = x->shape[1];
    b->C = x->shape[2];
    b->R = y->shape[0];
    if (b->S == 0 || b->R == 0 || b->C != plan->C)
        return err_set(err, ERR_DATA,
                       "%zu rows, %zu recordings, %zu "
                       "coefficients; want at least 1, 1 and exactly %zu",
                       b->S, b->R, b->C, plan->C);
    if (len->shape[0] != b->S || y->shape[1] != b->T || y->shape[2] != 1 ||
        valid->shape[0] != b->R || valid->shape[1] != b->T ||
        song->shape[0] != b->R)
        return err_set(err, ERR_DATA,
                       "shapes of x, len, y, valid and song "
                       "do not agree");
    b->x = x->data;
    b->len = len->data;
    b->y = y->data;
    b->valid = valid->data;
    if (grow_tables(b, err) || hash_keys(b, err) ||
        sort_rows(b, song->data, err))
        return -1;
    return check_spans(b, err);
}

int intake_batch_view(struct intake_batch *b, const struct intake_plan *plan,
                      struct err *err)
{
    if (view(b, plan, err))
        return err_prefix(err, "batch %" PRIu64 "/%" PRIu64, b->at.epoch,
                          b->at.batch);
    return 0;
}

void intake_batch_release(struct intake_batch *b)
{
    frame_release(&b->frame);
    free(b->songs);
    free(b->first);
    free(b->order);
    memset(b, 0, sizeof *b);
}

int intake_open(struct intake *f, struct stream_in *in, struct err *err)
{
    char where[256];
    int got;

    memset(f, 0, sizeof *f);
    f->in = in;
    got = stream_read(in, &f->dataset, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return err_set(err, ERR_DATA,
                       "%s: the stream holds no frame: want "
                       "a dataset frame and batches, from a2b-batch",
                       in->name);
    if (frame_kind(&f->dataset) != FRAME_DATASET)
        return err_set(err, ERR_DATA,
                       "%s: %s: want the dataset frame that "
                       "a2b-batch writes first, got %s",
                       in->name, frame_where(&f->dataset, where, sizeof where),
                       frame_kind_name(frame_kind(&f->dataset)));
    if (intake_plan_init(&f->plan, &f->dataset, err))
        return err_prefix(err, "%s", in->name);
    return 0;
}

/* Checks the position of the frame just read and moves r->next behind it. */
static int follow(struct intake_reader *r, struct intake_position *at,
                  struct err *err)
{
    const struct intake_plan *p = &r->plan;

    if (read_count(&r->frame, "epoch", 0, &at->epoch, err) ||
        read_count(&r->frame, "batch", 0, &at->batch, err))
        return -1;
    if (at->epoch >= p->epochs || at->batch >= p->batches[at->epoch])
        return err_set(err, ERR_DATA,
                       "batch %" PRIu64 "/%" PRIu64
                       " is not one the dataset frame announced",
                       at->epoch, at->batch);
    if (!r->begun && !before(r->from, *at))
        r->next = *at;
    if (at->epoch != r->next.epoch || at->batch != r->next.batch)
        return err_set(err, ERR_DATA,
                       "batch %" PRIu64 "/%" PRIu64 " comes where %" PRIu64
                       "/%" PRIu64 " should",
                       at->epoch, at->batch, r->next.epoch, r->next.batch);
    r->begun = true;
    r->next = intake_plan_next(p, *at);
    return 0;
}

/* Puts the frame just read into the ring, once there is room. */
static void enqueue(struct intake_reader *r, struct intake_position at)
{
    size_t slot;

    pthread_mutex_lock(&r->lock);
    while (r->count == r->n_ring && !r->discard)
        pthread_cond_wait(&r->changed, &r->lock);
    if (!r->discard) {
        slot = (r->head + r->count) % r->n_ring;
        frame_swap(&r->ring[slot], &r->frame);
        r->at[slot] = at;
        r->count++;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
}

/* Reads all there is. Returns 0 at a good end; -1 with err set. */
static int read_all(struct intake_reader *r, struct err *err)
{
    struct intake_position at;
    char where[256];
    int got;

    while ((got = stream_read(r->in, &r->frame, err)) > 0) {
        enum frame_kind kind = frame_kind(&r->frame);

        if (kind != FRAME_BATCH)
            return err_set(err, ERR_DATA,
                           "%s: %s: want a batch frame, got "
                           "%s",
                           r->in->name,
                           frame_where(&r->frame, where, sizeof where),
                           kind == FRAME_DATASET ? "a second dataset frame"
                                                 : frame_kind_name(kind));
        if (follow(r, &at, err))
            return err_prefix(err, "%s: %s", r->in->name,
                              frame_where(&r->frame, where, sizeof where));
        if (!before(at, r->from))
            enqueue(r, at);
    }
    if (got < 0)
        return -1;
    if (r->next.epoch != r->plan.epochs)
        return err_set(err, ERR_DATA,
                       "%s: the stream ends before batch %" PRIu64 "/%" PRIu64
                       " that its dataset frame "
                       "announced",
                       r->in->name, r->next.epoch, r->next.batch);
    return 0;
}

/* The thread. */
static void *run(void *arg)
{
    struct intake_reader *r = arg;
    struct err err;
    int rc = read_all(r, &err);

    pthread_mutex_lock(&r->lock);
    if (rc)
        r->error = err;
    r->state = rc ? INTAKE_FAILED : INTAKE_ENDED;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Makes the lock and its condition, on the clock that cannot be set. */
static void init_lock(struct intake_reader *r)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
}

/* Frees a reader whose thread has ended or never ran. */
static void free_reader(struct intake_reader *r)
{
    size_t i;

    for (i = 0; r->ring && i < r->n_ring; i++)
        frame_release(&r->ring[i]);
    free(r->ring);
    free(r->at);
    frame_release(&r->frame);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int intake_start(struct intake *f, struct intake_position from, size_t ahead,
                 struct err *err)
{
    struct intake_reader *r = mem_alloc(1, sizeof *r, err);
    int rc;

    if (!r)
        return -1;
    init_lock(r);
    r->in = f->in;
    r->plan = f->plan;
    r->n_ring = ahead;
    r->from = from;
    r->next = from;
    r->ring = mem_alloc(ahead, sizeof *r->ring, err);
    r->at = r->ring ? mem_alloc(ahead, sizeof *r->at, err) : NULL;
    if (!r->at) {
        free_reader(r);
        return -1;
    }
    rc = pthread_create(&r->thread, NULL, run, r);
    if (rc) {
        free_reader(r);
        errno = rc;
        return err_errno(err, "cannot start a thread");
    }
    f->reader = r;
    return 0;
}

/* Waits on r->changed for one polling interval. */
static void wait_a_little(struct intake_reader *r)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += INTAKE_POLL_NS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&r->changed, &r->lock, &until);
}

int intake_next(struct intake *f, struct intake_batch *b,
                const struct stop *stop, struct err *err)
{
    struct intake_reader *r = f->reader;
    int got = INTAKE_END;

    pthread_mutex_lock(&r->lock);
    while (r->count == 0 && r->state == INTAKE_READING && !stop_now(stop))
        wait_a_little(r);
    if (r->count > 0) {
        frame_swap(&b->frame, &r->ring[r->head]);
        b->at = r->at[r->head];
        r->head = (r->head + 1) % r->n_ring;
        r->count--;
        pthread_cond_broadcast(&r->changed);
        got = INTAKE_BATCH;
    } else if (r->state == INTAKE_READING) {
        got = INTAKE_STOPPED;
    } else if (r->state == INTAKE_FAILED) {
        /* a signal to the whole pipe may reach the producer first */
        wait_a_little(r);
        got = stop_now(stop) ? INTAKE_STOPPED : -1;
        *err = r->error;
    }
    pthread_mutex_unlock(&r->lock);
    return got;
}

void intake_discard(struct intake *f)
{
    pthread_mutex_lock(&f->reader->lock);
    f->reader->discard = true;
    f->reader->count = 0;
    pthread_cond_broadcast(&f->reader->changed);
    pthread_mutex_unlock(&f->reader->lock);
}

/* Whether the thread has nothing more to do. */
static bool is_done(struct intake_reader *r)
{
    bool done;

    pthread_mutex_lock(&r->lock);
    done = r->state != INTAKE_READING;
    pthread_mutex_unlock(&r->lock);
    return done;
}

void intake_close(struct intake *f)
{
    struct intake_reader *r = f->reader;

    if (r && !is_done(r)) {
        intake_discard(f);
        pthread_detach(r->thread);
        f->plan.batches = NULL; /* the thread's now */
    } else if (r) {
        pthread_join(r->thread, NULL);
        free_reader(r);
    }
    intake_plan_release(&f->plan);
    frame_release(&f->dataset);
    memset(f, 0, sizeof *f);
}
