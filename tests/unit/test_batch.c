/*
 * test_batch - order of epochs, dataset frame and batch frames, on pairs
 * that are made by hand.
 */
#include "batch/batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/rng.h"
#include "tap.h"

/* Most songs and recordings that a test makes. */
#define MAX_SONGS 400
#define MAX_RECORDINGS 1600

/* Frames of the longest song, and coefficients. */
#define MAX_T 600
#define N_C 2

/* Reference plans: see make_batch.py beside it. */
#define GOLDEN "tests/golden/batch.txt"

/* Pairs with memory of their own. */
struct world {
    struct pairs pairs;                        /* what batch_init() takes */
    struct pairs_song songs[MAX_SONGS];        /* pairs.songs */
    struct pairs_recording recordings[MAX_RECORDINGS]; /* pairs.recordings */
    char song_keys[MAX_SONGS][32];             /* "a/007" */
    char keys[MAX_RECORDINGS][32];             /* "a/007/2" */
    float mfcc[MAX_SONGS][MAX_T * N_C];          /* features */
    float eda[MAX_RECORDINGS][MAX_T];          /* signals */
    uint8_t valid[MAX_RECORDINGS][MAX_T];      /* masks */
};

/* The one world; too large for the stack. */
static struct world world;

/* An error, for all tests. */
static struct err err;

/* The dataset of song s: the first two thirds are of "a". */
static char *dataset_of(size_t s, size_t n_songs)
{
    static char a[] = "a", b[] = "b";

    return s < n_songs * 2 / 3 ? a : b;
}

/* Adds a recording of song s. */
static void add_recording(size_t s, size_t subject, struct rng *rng)
{
    struct pairs *p = &world.pairs;
    size_t r = p->n_recordings++, t;
    struct pairs_recording *rec = &p->recordings[r];

    snprintf(world.keys[r], sizeof(world.keys[r]), "%s/%zu",
             p->songs[s].key, subject);
    rec->key = world.keys[r];
    rec->dataset = p->songs[s].dataset;
    rec->song = s;
    rec->T = p->songs[s].T;
    rec->N = rec->T;
    rec->eda = world.eda[r];
    rec->valid = world.valid[r];
    rec->digest = 1000 + r;
    for (t = 0; t < rec->T; t++) {
        world.eda[r][t] = (float)rng_normal(rng);
        world.valid[r][t] = rng_below(rng, 8) > 0;
    }
}

/*
 * Makes n songs of random length from least to MAX_T frames, with 1 to
 * max_subjects recordings each.
 */
static struct pairs *make_world(size_t n, size_t least, uint32_t max_subjects)
{
    static char features[] = "{\"audio_n_mfcc\":2}";
    struct pairs *p = &world.pairs;
    struct rng rng;
    size_t s, t, subjects;

    memset(&world, 0, sizeof(world));
    rng_init(&rng, 5, RNG_TEST, 0, 0);
    p->songs = world.songs;
    p->recordings = world.recordings;
    p->n_songs = n;
    p->C = N_C;
    p->rate_num = 10;
    p->rate_den = 1;
    p->features = features;
    for (s = 0; s < n; s++) {
        struct pairs_song *song = &p->songs[s];

        song->dataset = dataset_of(s, n);
        snprintf(world.song_keys[s], sizeof(world.song_keys[s]), "%s/%03zu",
                 song->dataset, s);
        song->key = world.song_keys[s];
        song->T = least + rng_below(&rng, (uint32_t)(MAX_T - least) + 1);
        song->mfcc = world.mfcc[s];
        song->digest = s;
        song->used = true;
        for (t = 0; t < song->T * N_C; t++)
            world.mfcc[s][t] = (float)rng_normal(&rng);
        subjects = 1 + rng_below(&rng, max_subjects);
        for (t = 0; t < subjects; t++)
            add_recording(s, t, &rng);
    }
    return p;
}

/* A conf without grouping and weights. */
static struct batch_conf make_conf(int64_t seed, size_t batch_size,
                                   size_t pool)
{
    struct batch_conf c = {.seed = seed, .batch_size = batch_size,
                           .pool = pool};

    return c;
}

/* Starts and plans; a failure is a failed test. */
static void plan(struct batch *b, const struct pairs *p,
                 const struct batch_conf *c, uint32_t epoch)
{
    if (batch_init(b, p, c, &err) || batch_plan(b, epoch, &err))
        tap_ok(false, "plan: %s", err.text);
}

/* Whether every recording is drawn at least `least`, at most `most` times. */
static bool drawn(const struct batch *b, size_t from, size_t to, size_t least,
                  size_t most)
{
    size_t count[MAX_RECORDINGS] = {0};
    size_t i, r;

    for (i = 0; i < b->n_order; i++)
        count[b->order[i]]++;
    for (r = from; r < to; r++) {
        if (count[r] < least || count[r] > most)
            return false;
    }
    return true;
}

/* Without grouping: all batches full but one, every recording once. */
static void test_cover(void)
{
    static const size_t pools[] = {1, 3, 1000};
    struct pairs *p = make_world(53, 10, 4);
    struct batch_conf c;
    struct batch b;
    size_t i, k, full;

    for (i = 0; i < sizeof(pools) / sizeof(*pools); i++) {
        c = make_conf(42, 8, pools[i]);
        plan(&b, p, &c, 2);
        for (full = k = 0; k < b.n_batches; k++)
            full += b.ends[k] - batch_start(&b, k) == 8;
        tap_ok(b.n_order == p->n_recordings &&
                   drawn(&b, 0, p->n_recordings, 1, 1),
               "pool %zu: every recording once", pools[i]);
        tap_ok(b.n_batches == (p->n_recordings + 7) / 8 &&
                   full == p->n_recordings / 8 &&
                   b.ends[b.n_batches - 1] == b.n_order,
               "pool %zu: one short batch", pools[i]);
        batch_release(&b);
    }
}

/* Whether two plans have the same order and the same cuts. */
static bool same_plan(const struct batch *a, const struct batch *b)
{
    return a->n_order == b->n_order && a->n_batches == b->n_batches &&
           !memcmp(a->order, b->order, a->n_order * sizeof(*a->order)) &&
           !memcmp(a->ends, b->ends, a->n_batches * sizeof(*a->ends));
}

/* The order is a function of seed and epoch, not of what came before. */
static void test_function(void)
{
    struct pairs *p = make_world(30, 10, 3);
    struct batch_conf c = make_conf(1, 4, 4), other = make_conf(2, 4, 4);
    struct batch a, b;
    uint32_t e;

    plan(&a, p, &c, 0);
    plan(&b, p, &other, 0);
    tap_ok(!same_plan(&a, &b), "another seed, another order");
    batch_release(&b);
    plan(&b, p, &c, 1);
    tap_ok(!same_plan(&a, &b), "another epoch, another order");
    for (e = 0; e < 5; e++) {
        if (batch_plan(&a, e, &err))
            tap_ok(false, "%s", err.text);
    }
    if (batch_plan(&b, 4, &err))
        tap_ok(false, "%s", err.text);
    tap_ok(same_plan(&a, &b), "epoch 4 is the same with and without 0 to 3");
    batch_release(&a);
    batch_release(&b);
}

/*
 * Makes the world of make_batch.py: nine songs, the first six of dataset a,
 * song s with 10 + 37 s mod 50 frames and 1 + s mod 2 recordings.
 */
static struct pairs *make_golden_world(void)
{
    struct pairs *p = make_world(9, 10, 1);
    struct rng rng;
    size_t s, i;

    rng_init(&rng, 1, RNG_TEST, 0, 0);
    p->n_recordings = 0;
    for (s = 0; s < 9; s++) {
        p->songs[s].T = 10 + 37 * s % 50;
        for (i = 0; i < 1 + s % 2; i++)
            add_recording(s, i, &rng);
    }
    return p;
}

/* The plan as text: recordings, a bar behind each batch. */
static const char *plan_text(const struct batch *b)
{
    static char text[512];
    size_t k, i, n = 0;

    for (k = 0; k < b->n_batches; k++) {
        for (i = batch_start(b, k); i < b->ends[k]; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%zu ",
                                  b->order[i]);
        n += (size_t)snprintf(text + n, sizeof(text) - n, "|%s",
                              k + 1 < b->n_batches ? " " : "");
    }
    return text;
}

/* Plans one line of the golden file and compares. Returns 0 at its end. */
static int check_golden(FILE *f, const struct pairs *p)
{
    char *names[] = {(char[]){"a"}, (char[]){"b"}};
    double weights[2];
    char want[512], what[64];
    struct batch_conf c = {0};
    struct batch b;
    uint32_t epoch;
    int group;

    if (fscanf(f, "%" SCNd64 " %" SCNu32 " %zu %zu %d %lf %lf: %511[^\n]",
               &c.seed, &epoch, &c.batch_size, &c.pool, &group, &weights[0],
               &weights[1], want) != 8)
        return 0;
    c.group_by_song = group != 0;
    c.weight_names = names;
    c.weights = weights;
    c.n_weights = weights[0] > 0 ? 2 : 0;
    plan(&b, p, &c, epoch);
    snprintf(what, sizeof(what), "epoch %" PRIu32 ", pool %zu, group %d, "
             "weights %g %g", epoch, c.pool, group, weights[0], weights[1]);
    tap_is(plan_text(&b), want, what);
    batch_release(&b);
    return 1;
}

/*
 * Orders that make_batch.py worked out from the description in batch.c and
 * Philox' paper. They must never change silently: runs could not resume.
 */
static void test_golden(void)
{
    struct pairs *p = make_golden_world();
    FILE *f = fopen(GOLDEN, "r");
    char line[256];
    int n = 0;

    if (!tap_ok(f && fgets(line, sizeof(line), f), "%s opens", GOLDEN))
        return;
    while (check_golden(f, p))
        n++;
    tap_ok(n == 8 && feof(f), "eight plans were compared");
    fclose(f);
}

/* Share of padding in x over 10 epochs. */
static double padding_share(const struct pairs *p, size_t pool)
{
    struct batch_conf c = make_conf(3, 8, pool);
    uint64_t filled = 0, frames = 0;
    struct batch b;
    uint32_t e;

    plan(&b, p, &c, 0);
    for (e = 0; e < 10; e++) {
        if (batch_plan(&b, e, &err) ||
            batch_padding(&b, &filled, &frames, &err))
            tap_ok(false, "%s", err.text);
    }
    batch_release(&b);
    return 1 - (double)filled / (double)frames;
}

/* Larger pools pad less. */
static void test_padding(void)
{
    struct pairs *p = make_world(MAX_SONGS, 10, 1);
    double plain = padding_share(p, 1), four = padding_share(p, 4),
           sixteen = padding_share(p, 16);

    printf("# padding: pool 1 %.3f, pool 4 %.3f, pool 16 %.3f\n", plain, four,
           sixteen);
    tap_ok(plain > 0.35, "a plain shuffle pads");
    tap_ok(four < plain / 2, "pools of 4 batches pad under half of it");
    tap_ok(sixteen < four / 2, "pools of 16 under a quarter");
}

/* Whether batch k holds whole songs, and reaches the size with its last. */
static bool whole_songs(const struct batch *b, size_t k, size_t batch_size)
{
    size_t start = batch_start(b, k), end = b->ends[k], i, j, in, all, last;
    const struct pairs *p = b->pairs;

    last = p->recordings[b->order[end - 1]].song;
    for (i = start, all = 0; i < end; i++) {
        size_t song = p->recordings[b->order[i]].song;

        for (in = 0, j = start; j < end; j++)
            in += p->recordings[b->order[j]].song == song;
        if (in != b->crops.group_start[song + 1] -
                      b->crops.group_start[song])
            return false;
        all += song != last;
    }
    return all < batch_size;
}

/* With grouping, songs are never torn apart. */
static void test_groups(void)
{
    static const size_t pools[] = {1, 5};
    struct pairs *p = make_world(100, 10, 5);
    struct batch_conf c;
    struct batch b;
    size_t i, k, n_whole, short_ones;

    for (i = 0; i < 2; i++) {
        c = make_conf(9, 6, pools[i]);
        c.group_by_song = true;
        plan(&b, p, &c, 3);
        for (n_whole = short_ones = k = 0; k < b.n_batches; k++) {
            n_whole += whole_songs(&b, k, 6);
            short_ones += b.ends[k] - batch_start(&b, k) < 6;
        }
        tap_ok(b.n_order == p->n_recordings &&
                   drawn(&b, 0, p->n_recordings, 1, 1),
               "grouped, pool %zu: every recording once", pools[i]);
        tap_ok(n_whole == b.n_batches, "pool %zu: whole songs", pools[i]);
        tap_ok(pools[i] > 1 || short_ones <= 1, "one short batch at most");
        batch_release(&b);
    }
}

/* Recordings of the first dataset. */
static size_t count_first(const struct pairs *p)
{
    size_t r = 0;

    while (r < p->n_recordings && p->recordings[r].dataset[0] == 'a')
        r++;
    return r;
}

/* Weights: shares by largest remainder, repeats evenly spread. */
static void test_weights(void)
{
    char *names[] = {(char[]){"a"}, (char[]){"b"}};
    const double weights[] = {1, 3};
    struct pairs *p = make_world(60, 10, 3);
    struct batch_conf c = make_conf(4, 5, 2);
    size_t n = p->n_recordings, n_a = count_first(p), share, i, k;
    struct batch b;

    c.weight_names = names;
    c.weights = weights;
    c.n_weights = 2;
    plan(&b, p, &c, 0);
    for (share = i = 0; i < b.n_order; i++)
        share += b.order[i] < n_a;
    tap_ok(b.n_order == n, "as many draws as recordings");
    tap_ok(share * 4 >= n - 3 && share * 4 <= n + 3, "a quarter is of a");
    tap_ok(drawn(&b, 0, n_a, 0, 1), "a is cut, never repeated");
    k = (n - share) / (n - n_a);
    tap_ok(drawn(&b, n_a, n, k, k + 1), "b is repeated evenly");
    batch_release(&b);
    c.group_by_song = true;
    plan(&b, p, &c, 0);
    for (share = i = 0; i < b.n_order; i++)
        share += b.order[i] < n_a;
    tap_ok(b.n_order >= n && b.n_order < n + 6,
           "grouped: each share is passed by less than a song");
    tap_ok(share * 4 >= n - 3 && share < n / 4 + 4, "grouped: a quarter");
    batch_release(&b);
}

/* Weights that do not fit the recordings. */
static void test_weight_errors(void)
{
    char *names[] = {(char[]){"a"}, (char[]){"b"}, (char[]){"c"}};
    const double weights[] = {0, 0, 1};
    struct pairs *p = make_world(9, 10, 1);
    struct batch_conf c = make_conf(4, 5, 2);
    struct batch b;

    c.weight_names = names;
    c.weights = weights;
    c.n_weights = 3;
    tap_ok(batch_init(&b, p, &c, &err) && err.status == ERR_USAGE &&
               strstr(err.text, "names c"),
           "a weight without recordings");
    batch_release(&b);
    c.n_weights = 2;
    tap_ok(batch_init(&b, p, &c, &err) && strstr(err.text, "all 0"),
           "only zeros");
    batch_release(&b);
    c.n_weights = 1;
    c.weights = weights + 2;
    tap_ok(batch_init(&b, p, &c, &err) &&
               strstr(err.text, "no weight for dataset b"),
           "a dataset without weight");
    batch_release(&b);
}

/* Data of a tensor that must be there. */
static const void *data(const struct frame *f, const char *name)
{
    const struct tensor *t = frame_tensor(f, name);

    tap_ok(t != NULL, "tensor %s", name);
    return t ? t->data : NULL;
}

/* Holds one recording of a batch frame against its source. */
static bool same_recording(const struct batch *b, const struct frame *f,
                           size_t k, size_t r)
{
    const struct pairs_recording *rec =
        &b->pairs->recordings[b->order[batch_start(b, k) + r]];
    const struct tensor *tx = frame_tensor(f, "x");
    const float *x = tx->data, *y = frame_tensor(f, "y")->data;
    const uint8_t *valid = frame_tensor(f, "valid")->data;
    const int32_t *song = frame_tensor(f, "song")->data,
                  *len = frame_tensor(f, "len")->data;
    size_t T = tx->shape[1], row = (size_t)song[r], t, c;
    const float *mfcc = b->pairs->songs[rec->song].mfcc;

    if ((size_t)len[row] != rec->T)
        return false;
    for (t = 0; t < T; t++) {
        bool in = t < rec->T;
        bool ok = in && rec->valid[t];

        if (valid[r * T + t] != ok ||
            fabsf(y[r * T + t] - (ok ? rec->eda[t] : 0)) > 0)
            return false;
        for (c = 0; c < N_C; c++) {
            if (fabsf(x[(row * T + t) * N_C + c] -
                      (in ? mfcc[t * N_C + c] : 0)) > 0)
                return false;
        }
    }
    return true;
}

/* Batch frames hold what the plan says. */
static void test_frames(void)
{
    struct pairs *p = make_world(12, 10, 4);
    struct batch_conf c = make_conf(6, 7, 1); /* songs recur in batches */
    struct frame f = {0};
    struct batch b;
    size_t k, r, good = 0, all = 0;

    /* One listener left early: a row of its own. */
    p->recordings[1].T = p->recordings[1].song == 0 ? 5 : p->recordings[1].T;
    plan(&b, p, &c, 1);
    for (k = 0; k < b.n_batches; k++) {
        tap_ok(!batch_frame(&b, k, &f, &err) && !frame_check(&f, &err),
               "batch %zu is a batch frame", k);
        for (r = 0; r < frame_tensor(&f, "song")->shape[0]; r++)
            good += same_recording(&b, &f, k, r);
        all += r;
    }
    tap_ok(good == all && all == p->n_recordings,
           "all recordings are there, padding is zero");
    tap_is(frame_get(&f, "epoch"), "1", "epoch");
    frame_release(&f);
    batch_release(&b);
}

/* Recordings share a row when song and span are equal, and only then. */
static void test_rows(void)
{
    struct pairs *p = make_world(2, 10, 1);
    struct batch_conf c = make_conf(6, 100, 1);
    struct frame f = {0};
    struct rng rng;
    struct batch b;

    rng_init(&rng, 1, RNG_TEST, 0, 0);
    add_recording(0, 7, &rng);
    add_recording(0, 8, &rng);
    p->recordings[3].T = 4;
    plan(&b, p, &c, 0);
    tap_ok(!batch_frame(&b, 0, &f, &err), "four recordings of two songs");
    tap_ok(frame_tensor(&f, "x")->shape[0] == 3, "make three rows");
    tap_ok(frame_tensor(&f, "y")->shape[0] == 4, "and four targets");
    tap_ok(same_recording(&b, &f, 0, 0) && same_recording(&b, &f, 0, 1) &&
               same_recording(&b, &f, 0, 2) && same_recording(&b, &f, 0, 3),
           "each with its own span");
    tap_is(frame_get(&f, "key"), "0/0", "key");
    tap_is(frame_get(&f, "keys"), "[\"a/000\",\"b/001\",\"a/000\"]",
           "keys of the rows");
    tap_is(frame_get(&f, "recordings"),
           "[\"a/000/7\",\"b/001/0\",\"a/000/8\",\"a/000/0\"]",
           "keys of the recordings");
    frame_release(&f);
    batch_release(&b);
}

/* Counts each recording's frames in the windows of the plan. */
static void count_frames(const struct batch *b,
                         size_t count[MAX_RECORDINGS][MAX_T])
{
    size_t i, t;

    memset(count, 0, MAX_RECORDINGS * sizeof(*count));
    for (i = 0; i < b->n_order; i++) {
        const struct crop *w = batch_crop(b, i);

        for (t = w->start; t < w->start + w->T; t++)
            count[w->recording][t]++;
    }
}

/* Whether every valid frame counts between least and most times. */
static bool frames_counted(const struct pairs *p,
                           size_t count[MAX_RECORDINGS][MAX_T], size_t least,
                           size_t most)
{
    size_t r, t;

    for (r = 0; r < p->n_recordings; r++) {
        for (t = 0; t < p->recordings[r].T; t++) {
            if (count[r][t] > most ||
                (p->recordings[r].valid[t] && count[r][t] < least))
                return false;
        }
    }
    return true;
}

/* Windows: each frame as often as hop and window say, none without a valid
 * one, and the frames of a batch are the source's. */
static void test_windows(void)
{
    static size_t count[MAX_RECORDINGS][MAX_T];
    struct pairs *p = make_world(20, 30, 3);
    struct batch_conf c = make_conf(2, 16, 2);
    struct batch b;
    size_t i, longest = 0;

    memset(world.valid[0], 0, 48);
    c.window = 24;
    plan(&b, p, &c, 1);
    count_frames(&b, count);
    tap_ok(frames_counted(p, count, 1, 1), "hop = window: every frame once");
    tap_ok(count[0][23] == 0 && count[0][47] == 0 && count[0][48] == 1,
           "windows without a valid frame are none");
    for (i = 0; i < b.n_order; i++)
        longest = batch_crop(&b, i)->T > longest ? batch_crop(&b, i)->T
                                                  : longest;
    tap_ok(longest == 24, "no window is longer");
    batch_release(&b);
    c.hop = 8;
    plan(&b, p, &c, 1);
    count_frames(&b, count);
    tap_ok(frames_counted(p, count, 1, 3), "hop 8: one to three times");
    batch_release(&b);
    c.hop = 25;
    tap_ok(batch_init(&b, p, &c, &err) && err.status == ERR_USAGE,
           "a hop that leaves frames out is refused");
    batch_release(&b);
}

/* Whether row and mask of a batch frame are the windows of the plan. */
static bool same_windows(const struct batch *b, const struct frame *f)
{
    const int32_t *song = frame_tensor(f, "song")->data;
    const float *x = frame_tensor(f, "x")->data,
                *y = frame_tensor(f, "y")->data;
    const uint8_t *valid = frame_tensor(f, "valid")->data;
    size_t T = frame_tensor(f, "x")->shape[1], r, t;

    for (r = 0; r < b->ends[0]; r++) {
        const struct crop *w = batch_crop(b, r);
        const struct pairs_recording *rec = &b->pairs->recordings[w->recording];
        const float *mfcc = b->pairs->songs[rec->song].mfcc;

        for (t = 0; t < w->T; t++) {
            if (valid[r * T + t] != rec->valid[w->start + t] ||
                (valid[r * T + t] &&
                 memcmp(&y[r * T + t], &rec->eda[w->start + t],
                        sizeof(*y))) ||
                memcmp(&x[((size_t)song[r] * T + t) * N_C],
                       &mfcc[(w->start + t) * N_C], N_C * sizeof(*x)))
                return false;
        }
    }
    return true;
}

/* Grouped windows: listeners of one window share its row. */
static void test_grouped_windows(void)
{
    struct pairs *p = make_world(10, 60, 4);
    struct batch_conf c = make_conf(2, 20, 1);
    struct frame f = {0};
    struct batch b;
    size_t i, torn = 0;

    c.window = 50;
    c.hop = 25;
    c.group_by_song = true;
    plan(&b, p, &c, 0);
    for (i = 1; i < b.ends[0]; i++) {
        const struct crop *v = batch_crop(&b, i - 1),
                           *w = batch_crop(&b, i);

        torn += p->recordings[v->recording].song ==
                    p->recordings[w->recording].song &&
                v->recording + 1 == w->recording && v->start != w->start;
    }
    tap_ok(torn == 0, "listeners of a window stand together");
    tap_ok(!batch_frame(&b, 0, &f, &err) && same_windows(&b, &f),
           "and the frame holds their windows");
    tap_ok(frame_tensor(&f, "x")->shape[0] < b.ends[0], "on shared rows");
    tap_ok(frame_get(&f, "starts") != NULL, "with their first frames");
    frame_release(&f);
    tap_ok(!batch_dataset_frame(&b, 1, &f, &err), "a dataset frame");
    tap_is(frame_get(&f, "window"), "50", "window");
    tap_is(frame_get(&f, "hop"), "25", "hop");
    frame_release(&f);
    batch_release(&b);
}

/* Input statistics and curve against sums made here. */
static void test_dataset(void)
{
    struct pairs *p = make_world(5, 40, 3);
    struct batch_conf c = make_conf(6, 4, 2);
    struct frame f = {0};
    const float *mean, *std, *curve;
    const int32_t *n;
    double sum = 0, squares = 0, at_9 = 0;
    size_t s, t, r, frames = 0, n_9 = 0;
    struct batch b;

    for (s = 0; s < p->n_songs; s++) {
        for (t = 0; t < p->songs[s].T; t++) {
            world.mfcc[s][t * N_C + 1] = 0.1f;
            sum += world.mfcc[s][t * N_C];
            squares += (double)world.mfcc[s][t * N_C] * world.mfcc[s][t * N_C];
        }
        frames += t;
    }
    for (r = 0; r < p->n_recordings; r++) {
        n_9 += world.valid[r][9];
        at_9 += world.valid[r][9] ? world.eda[r][9] : 0;
    }
    sum /= (double)frames;
    plan(&b, p, &c, 0);
    tap_ok(!batch_dataset_frame(&b, 3, &f, &err) && !frame_check(&f, &err),
           "a dataset frame");
    mean = data(&f, "input_mean");
    std = data(&f, "input_std");
    curve = data(&f, "curve");
    n = data(&f, "curve_n");
    tap_near(mean[0], sum, 1e-7, "input_mean");
    tap_near(std[0], sqrt(squares / (double)frames - sum * sum), 1e-6,
             "input_std");
    tap_near(mean[1], 0.1f, 0, "mean of a constant");
    tap_near(std[1], 1, 0, "a deviation of 0 becomes 1");
    tap_ok((size_t)n[9] == n_9, "curve_n");
    tap_near(curve[9], at_9 / (double)n_9, 1e-7, "curve");
    tap_is(frame_get(&f, "batch_size"), "4", "batch_size");
    frame_release(&f);
    batch_release(&b);
}

/* Frames that no recording uses count neither in statistics nor in curve. */
static void test_unused_frames(void)
{
    struct pairs *p = make_world(1, 40, 1);
    struct batch_conf c = make_conf(6, 4, 2);
    struct frame f = {0};
    struct batch b;

    p->recordings[0].T = 2;
    plan(&b, p, &c, 0);
    tap_ok(!batch_dataset_frame(&b, 1, &f, &err), "two of many frames");
    tap_near(*(const float *)data(&f, "input_mean"),
             ((double)world.mfcc[0][0] + world.mfcc[0][N_C]) / 2, 1e-7,
             "their mean");
    tap_ok(frame_tensor(&f, "curve")->shape[0] == 2, "a curve of two");
    frame_release(&f);
    batch_release(&b);
}

/* The fingerprint under a conf, for `epochs` epochs. */
static char *print_of(const struct pairs *p, const struct batch_conf *c,
                      uint32_t epochs, char text[32])
{
    struct frame f = {0};
    struct batch b;

    plan(&b, p, c, 0);
    if (batch_dataset_frame(&b, epochs, &f, &err))
        tap_ok(false, "%s", err.text);
    snprintf(text, 32, "%s", frame_get(&f, "fingerprint"));
    frame_release(&f);
    batch_release(&b);
    return text;
}

/* Fingerprints follow everything but the number of epochs. */
static void test_fingerprint(void)
{
    struct pairs *p = make_world(8, 20, 2);
    struct batch_conf c = make_conf(6, 4, 2), other = c;
    char want[32], got[32];

    print_of(p, &c, 3, want);
    tap_is(print_of(p, &c, 9, got), want, "epochs do not count");
    other.pool = 3;
    tap_ok(strcmp(print_of(p, &other, 3, got), want) != 0, "pools do");
    other = c;
    other.group_by_song = true;
    tap_ok(strcmp(print_of(p, &other, 3, got), want) != 0, "groups do");
    other = make_conf(7, 4, 2);
    tap_ok(strcmp(print_of(p, &other, 3, got), want) != 0, "the seed does");
    p->recordings[2].digest++;
    tap_ok(strcmp(print_of(p, &c, 3, got), want) != 0, "a frame's bytes do");
}

/* Runs all tests. */
int main(void)
{
    test_cover();
    test_function();
    test_golden();
    test_padding();
    test_groups();
    test_weights();
    test_weight_errors();
    test_frames();
    test_rows();
    test_windows();
    test_grouped_windows();
    test_dataset();
    test_unused_frames();
    test_fingerprint();
    return tap_done();
}
