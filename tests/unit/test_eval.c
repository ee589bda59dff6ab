/*
 * test_eval - predictions, baselines, intervals and the report.
 *
 * Reports are compared with tests/golden/eval.txt, which make_eval.py beside
 * it computed from the same formulas with NumPy and SciPy.
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "core/config.h"
#include "core/json.h"
#include "core/stream.h"
#include "eval/report.h"
#include "tap.h"

/* Reference report. */
#define GOLDEN "tests/golden/eval.txt"

/* Longest recording of these tests, frames. */
#define MAX_T 64

/* Coefficients of all songs. */
#define N_COEFFICIENTS 2

/* An error, for all tests. */
static struct err err;

/* Ends the program if a step of the test fails: the test is broken. */
static void must(int result)
{
    if (!result)
        return;
    printf("Bail out! %s\n", err.text);
    exit(99);
}

/* A recording as a test describes it. */
struct recording {
    const char *song;    /* "d/a" */
    const char *subject; /* last part of its key too */
    const char *key;     /* NULL: song/subject */
    size_t N;            /* frames */
    float eda[MAX_T];    /* signal */
    uint8_t valid[MAX_T]; /* mask */
};

/* ---- pairs ---- */

/* Sets what frames of songs and recordings share; song: "dataset/song". */
static void set_names(struct frame *f, const char *song,
                      enum config_half half)
{
    static struct config config;
    const char *slash = strchr(song, '/');
    char dataset[32];

    if (!config.given) {
        must(config_init(&config, &err));
        must(config_settle(&config, NULL, &err));
    }
    snprintf(dataset, sizeof dataset, "%.*s", (int)(slash - song), song);
    must(frame_set(f, "dataset", dataset, &err));
    must(frame_set(f, "song", slash + 1, &err));
    must(frame_set(f, "rate_num", "10", &err));
    must(frame_set(f, "rate_den", "1", &err));
    must(frame_set(f, "t0_s", "0", &err));
    must(config_features_to_frame(&config.features, half, f, &err));
}

/* Adds a song of T frames, random coefficients. */
static void add_song(struct pairs *p, const char *song, size_t T)
{
    float mfcc[MAX_T * N_COEFFICIENTS];
    size_t shape[2] = {T, N_COEFFICIENTS}, i;
    struct frame f = {0};
    struct rng r;

    rng_init(&r, 1, RNG_TEST, (uint32_t)song[2], 0);
    for (i = 0; i < T * N_COEFFICIENTS; i++)
        mfcc[i] = (float)rng_normal(&r);
    must(frame_set(&f, "key", song, &err));
    set_names(&f, song, CONFIG_AUDIO_HALF);
    must(frame_add(&f, "mfcc", TENSOR_F32, 2, shape, mfcc, &err));
    must(pairs_add(p, &f, "test", &err));
    frame_release(&f);
}

/* Adds a recording. */
static void add_recording(struct pairs *p, const struct recording *r)
{
    size_t shape[2] = {r->N, 1};
    struct frame f = {0};
    char key[64];

    snprintf(key, sizeof key, "%s/%s", r->song, r->subject);
    must(frame_set(&f, "key", r->key ? r->key : key, &err));
    must(frame_set(&f, "recording", r->key ? r->key : key, &err));
    must(frame_set(&f, "subject", r->subject, &err));
    set_names(&f, r->song, CONFIG_EDA_HALF);
    must(frame_add(&f, "eda", TENSOR_F32, 2, shape, r->eda, &err));
    must(frame_add(&f, "valid", TENSOR_U8, 1, &r->N, r->valid, &err));
    must(pairs_add(p, &f, "test", &err));
    frame_release(&f);
}

/* Number i of wave() in make_eval.py. */
static float wave(size_t i, double scale, double step, double shift)
{
    return (float)(scale * sin(step * (double)i + shift));
}

/* ---- infer ---- */

/* Fills a recording of N frames with a sine; every frame is valid. */
static struct recording sine(const char *song, const char *subject, size_t N)
{
    struct recording r = {.song = song, .subject = subject, .N = N};
    size_t t;

    for (t = 0; t < N; t++) {
        r.eda[t] = wave(t, 1, 0.2, 0);
        r.valid[t] = 1;
    }
    return r;
}

/* Whether a recording's prediction is that of a forward pass of its own. */
static bool is_forward(const struct infer *f, const struct model *m,
                       const struct pairs *p, size_t i)
{
    const struct pairs_recording *r = &p->recordings[i];
    struct model_work *w = model_work_open(m, 1, 0, &err);
    const float *y;
    bool same;

    must(!w);
    must(model_forward(m, w, p->songs[r->song].mfcc, r->T, NULL, &y, &err));
    same = !memcmp(f->pred[i], y, r->T * sizeof *y);
    model_work_close(w);
    return same;
}

/* Songs of one span are computed once; threads change nothing. */
static void test_infer(void)
{
    static const size_t lengths[] = {40, 50, 30};
    static const char *const subjects[] = {"1", "2", "3"};
    struct config_model conf = {
        .architecture = CONFIG_TCN,
        .tcn = {N_COEFFICIENTS, 1, 2, 4, 3, 0.1, 2, CONFIG_PAD_SAME,
                CONFIG_NORM_NONE}};
    struct recording r;
    struct infer f[3];
    struct pairs p;
    struct model m;
    size_t i, k;
    bool same = true;

    must(pairs_init(&p, &err));
    add_song(&p, "d/a", 40);
    add_song(&p, "d/b", 35);
    for (i = 0; i < 3; i++) {
        r = sine("d/a", subjects[i], lengths[i]);
        add_recording(&p, &r);
    }
    r = sine("d/b", "1", 35);
    add_recording(&p, &r);
    must(pairs_join(&p, 99, NULL, NULL, &err));
    must(model_init(&m, &conf, &err));
    model_init_weights(&m, 5);
    for (k = 0; k < 3; k++)
        must(infer_run(&f[k], &m, &p, (int)k + 1, &err));
    tap_ok(f[0].pred[0] == f[0].pred[1], "equal spans share one prediction");
    tap_ok(f[0].pred[0] != f[0].pred[2] && f[0].pred[0] != f[0].pred[3],
           "another span, another song do not");
    for (i = 0; i < 4; i++) {
        tap_ok(is_forward(&f[0], &m, &p, i), "recording %zu: the model's", i);
        for (k = 1; k < 3; k++)
            same = same && !memcmp(f[0].pred[i], f[k].pred[i],
                                   p.recordings[i].T * sizeof(float));
    }
    tap_ok(same, "two and three threads: the same bytes");
    for (k = 0; k < 3; k++)
        infer_release(&f[k]);
    model_release(&m);
    pairs_release(&p);
}

/* Writes a prediction of T frames that all hold `value`. */
static void put_prediction(struct stream_out *out, const char *key, size_t T,
                           float value, const char *rate)
{
    size_t shape[2] = {T, 1}, t;
    struct frame f = {0};
    float pred[MAX_T];

    for (t = 0; t < T; t++)
        pred[t] = value;
    must(frame_set(&f, "key", key, &err));
    set_names(&f, "d/a", CONFIG_AUDIO_HALF);
    must(frame_set(&f, "rate_num", rate, &err));
    must(frame_add(&f, "pred", TENSOR_F32, 2, shape, pred, &err));
    must(stream_write(out, &f, &err));
    frame_release(&f);
}

/* Reads predictions for p: one of the song, one of "d/a/2" if own > 0. */
static int read_predictions(struct infer *f, const struct pairs *p, size_t T,
                            int own, const char *rate)
{
    char path[] = "/tmp/test_eval.XXXXXX";
    struct stream_out out;
    int fd = mkstemp(path), got;

    must(fd < 0 ? err_errno(&err, "%s", path) : 0);
    close(fd);
    must(stream_create(&out, path, &err));
    for (; own > 0; own--)
        put_prediction(&out, "d/a/2", T, 2, "10");
    put_prediction(&out, "d/a", T, 1, rate);
    put_prediction(&out, "d/other", 1, 3, "10");
    must(stream_finish(&out, 0, NULL, &err));
    stream_discard(&out);
    got = infer_read(f, p, path, &err);
    unlink(path);
    return got;
}

/* A recording's own prediction comes before that of its song. */
static void test_infer_read(void)
{
    struct recording r = sine("d/a", "1", 30);
    struct infer f;
    struct pairs p;

    must(pairs_init(&p, &err));
    add_song(&p, "d/a", 40);
    add_recording(&p, &r);
    r.subject = "2";
    add_recording(&p, &r);
    must(pairs_join(&p, 99, NULL, NULL, &err));
    must(read_predictions(&f, &p, 35, 1, "10"));
    tap_ok(f.pred[0][29] <= 1 && f.pred[1][29] >= 2,
           "the song's, and the own one");
    infer_release(&f);
    tap_ok(read_predictions(&f, &p, 29, 1, "10") < 0 &&
               strstr(err.text, "29 frames, want 30 for d/a/2"),
           "too short: %s", err.text);
    tap_ok(read_predictions(&f, &p, 35, 2, "10") < 0 &&
               strstr(err.text, "a second prediction"),
           "two: %s", err.text);
    tap_ok(read_predictions(&f, &p, 35, 0, "11") < 0 &&
               strstr(err.text, "11/1 frames a second"),
           "another rate: %s", err.text);
    pairs_release(&p);
}

/* ---- baselines ---- */

/* Compares one baseline of one recording with numbers by hand. */
static void check_baseline(const struct baseline_source *s,
                           enum baseline which, size_t recording,
                           const float *want, const uint8_t *want_valid,
                           const char *what)
{
    size_t T = s->pairs->recordings[recording].T, t;
    uint8_t valid[MAX_T];
    float y[MAX_T];
    bool same = baseline_predict(s, which, recording, y, valid);

    for (t = 0; t < T; t++)
        same = same && valid[t] == want_valid[t] &&
               (!valid[t] || fabsf(y[t] - want[t]) <= 0);
    tap_ok(same, "%s: %s", baseline_name(which), what);
}

/* Whether a baseline says that it has nothing to say. */
static bool is_silent(const struct baseline_source *s, enum baseline which,
                      size_t recording)
{
    uint8_t valid[MAX_T];
    float y[MAX_T];

    return !baseline_predict(s, which, recording, y, valid);
}

/* Every baseline on three tiny recordings, by hand. */
static void test_baselines(void)
{
    static const struct recording recordings[] = {
        {"d/a", "1", NULL, 3, {1, 2, 3}, {1, 1, 1}},
        {"d/a", "2", NULL, 3, {3, 9, 5}, {1, 0, 1}},
        {"d/b", "1", NULL, 4, {0, 1, 0, 1}, {1, 1, 1, 1}}};
    float a[] = {10, 20, 30}, b[] = {1, 2, 3, 4}, curve[] = {0.5f, 0.25f};
    float *pred[] = {a, a, b};
    struct infer infer = {.pred = pred};
    struct pairs p;
    struct baseline_source s = {&p, &infer, curve, 2, NULL};
    size_t i;

    must(pairs_init(&p, &err));
    add_song(&p, "d/a", 3);
    add_song(&p, "d/b", 4);
    for (i = 0; i < 3; i++)
        add_recording(&p, &recordings[i]);
    must(pairs_join(&p, 99, NULL, NULL, &err));
    check_baseline(&s, BASELINE_ZERO, 1, (float[]){0, 0, 0},
                   (uint8_t[]){1, 0, 1}, "zeros under the own mask");
    check_baseline(&s, BASELINE_TIME_CURVE, 0, (float[]){0.5f, 0.25f, 0},
                   (uint8_t[]){1, 1, 1}, "0 beyond the curve");
    check_baseline(&s, BASELINE_OTHER_LISTENERS, 0, (float[]){3, 0, 5},
                   (uint8_t[]){1, 0, 1}, "no frame that nobody else has");
    check_baseline(&s, BASELINE_OTHER_LISTENERS, 1, (float[]){1, 2, 3},
                   (uint8_t[]){1, 0, 1}, "no frame that it has not itself");
    check_baseline(&s, BASELINE_SHUFFLED_AUDIO, 0, (float[]){1, 2, 3},
                   (uint8_t[]){1, 1, 1}, "the next song");
    check_baseline(&s, BASELINE_SHUFFLED_AUDIO, 2, (float[]){10, 20, 30, 0},
                   (uint8_t[]){1, 1, 1, 0}, "no frame beyond its end");
    tap_ok(is_silent(&s, BASELINE_OTHER_LISTENERS, 2), "nobody else heard b");
    s.curve = NULL;
    s.n_curve = 0;
    tap_ok(is_silent(&s, BASELINE_TIME_CURVE, 0), "no curve");
    pairs_release(&p);
}

/* A second hearing is no other listener, a second song must exist. */
static void test_lone_listener(void)
{
    static const struct recording recordings[] = {
        {"d/a", "1", NULL, 2, {1, 2}, {1, 1}},
        {"d/a", "1", "d/a/1/2", 2, {3, 4}, {1, 1}}};
    float a[] = {10, 20};
    float *pred[] = {a, a};
    struct infer infer = {.pred = pred};
    struct pairs p;
    struct baseline_source s = {&p, &infer, NULL, 0, NULL};

    must(pairs_init(&p, &err));
    add_song(&p, "d/a", 2);
    add_recording(&p, &recordings[0]);
    add_recording(&p, &recordings[1]);
    must(pairs_join(&p, 99, NULL, NULL, &err));
    tap_ok(is_silent(&s, BASELINE_OTHER_LISTENERS, 0),
           "the same subject's second hearing is no other listener");
    tap_ok(is_silent(&s, BASELINE_SHUFFLED_AUDIO, 0), "there is one song");
    pairs_release(&p);
}

/* ---- bootstrap ---- */

/* Subjects and songs of the simulation, each pair one recording. */
enum { N_SUBJECTS = 8, N_SONGS = 12, N_PAIRS = N_SUBJECTS * N_SONGS };

/* Numbers the recordings' groups. */
static void cross(size_t subject[N_PAIRS], size_t song[N_PAIRS])
{
    size_t i;

    for (i = 0; i < N_PAIRS; i++) {
        subject[i] = i / N_SONGS;
        song[i] = i % N_SONGS;
    }
}

/*
 * Crossed effects with mean 0: subjects 0.3, songs 0.2, the rest 0.3 standard
 * deviations.
 */
static void simulate(uint32_t run, double values[N_PAIRS])
{
    double subject[N_SUBJECTS], song[N_SONGS];
    struct rng r;
    size_t i;

    rng_init(&r, 11, RNG_TEST, run, 0);
    for (i = 0; i < N_SUBJECTS; i++)
        subject[i] = 0.3 * rng_normal(&r);
    for (i = 0; i < N_SONGS; i++)
        song[i] = 0.2 * rng_normal(&r);
    for (i = 0; i < N_PAIRS; i++)
        values[i] = subject[i / N_SONGS] + song[i % N_SONGS] +
                    0.3 * rng_normal(&r);
}

/* Simulated sets of recordings. */
#define N_RUNS 400

/* How many intervals of N_RUNS cover the true mean, 0; their mean width. */
static int coverage(const size_t *subject, size_t n_subjects,
                    const size_t *song, size_t n_songs, double *width)
{
    double values[N_PAIRS], lo, hi;
    struct bootstrap b;
    int covered = 0;
    uint32_t run;

    *width = 0;
    must(bootstrap_init(&b, subject, n_subjects, song, n_songs, N_PAIRS, 42,
                        &err));
    for (run = 0; run < N_RUNS; run++) {
        simulate(run, values);
        must(bootstrap_interval(&b, values, 1, &lo, &hi, &err));
        covered += lo <= 0 && hi >= 0;
        *width += (hi - lo) / N_RUNS;
    }
    bootstrap_release(&b);
    return covered;
}

/*
 * Intervals cover the truth about as often, and are about as wide, as told;
 * those over songs alone or over recordings alone miss it far more often.
 */
static void test_coverage(void)
{
    size_t subject[N_PAIRS], song[N_PAIRS], each[N_PAIRS], one[N_PAIRS], i;
    double width, want;
    int covered;

    cross(subject, song);
    for (i = 0; i < N_PAIRS; i++) {
        each[i] = i;
        one[i] = 0;
    }
    covered = coverage(subject, N_SUBJECTS, song, N_SONGS, &width);
    want = 2 * 1.96 * sqrt(0.09 / N_SUBJECTS + 0.04 / N_SONGS +
                           0.09 / N_PAIRS);
    tap_ok(covered >= 0.9 * N_RUNS && covered <= 0.99 * N_RUNS,
           "%d of %d crossed intervals cover the mean", covered, N_RUNS);
    tap_ok(width > 0.93 * want && width < 1.1 * want,
           "mean width %.3f, by theory %.3f", width, want);
    covered = coverage(one, 1, song, N_SONGS, &width);
    tap_ok(covered < 0.85 * N_RUNS, "over songs alone %d of %d do", covered,
           N_RUNS);
    covered = coverage(each, N_PAIRS, one, 1, &width);
    tap_ok(covered < 0.75 * N_RUNS, "over recordings alone %d of %d do",
           covered, N_RUNS);
}

/* Same seed, same interval; a stride; undefined values. */
static void test_bootstrap(void)
{
    size_t subject[N_PAIRS], song[N_PAIRS], i;
    double values[N_PAIRS], wide[2 * N_PAIRS], lo[4], hi[4];
    struct bootstrap b[3];

    cross(subject, song);
    simulate(1, values);
    for (i = 0; i < 3; i++)
        must(bootstrap_init(&b[i], subject, N_SUBJECTS, song, N_SONGS,
                            N_PAIRS, i == 2 ? 43 : 42, &err));
    for (i = 0; i < N_PAIRS; i++) {
        wide[2 * i] = values[i];
        wide[2 * i + 1] = NAN;
    }
    for (i = 0; i < 3; i++)
        must(bootstrap_interval(&b[i], values, 1, &lo[i], &hi[i], &err));
    must(bootstrap_interval(&b[0], wide, 2, &lo[3], &hi[3], &err));
    tap_ok(lo[0] == lo[1] && hi[0] == hi[1] && lo[0] < hi[0],
           "the same seed gives the same interval");
    tap_ok(lo[0] != lo[2], "another seed another one");
    tap_ok(lo[0] == lo[3] && hi[0] == hi[3], "a stride");
    must(bootstrap_interval(&b[0], wide + 1, 2, lo, hi, &err));
    tap_ok(isnan(lo[0]) && isnan(hi[0]), "nothing defined, no interval");
    for (i = 0; i < N_PAIRS; i++)
        values[i] = i % 7 ? 0.5 : NAN;
    must(bootstrap_interval(&b[0], values, 1, lo, hi, &err));
    tap_near(lo[0], 0.5, 1e-12, "undefined values have no weight: lo");
    tap_near(hi[0], 0.5, 1e-12, "undefined values have no weight: hi");
    for (i = 0; i < 3; i++)
        bootstrap_release(&b[i]);
}

/* One subject: songs are resampled. One of both: no interval. */
static void test_few_groups(void)
{
    static const size_t zeros[4], songs[4] = {0, 1, 2, 3};
    static const double values[4] = {1, 2, 3, 4};
    struct bootstrap b;
    double lo, hi;

    must(bootstrap_init(&b, zeros, 1, songs, 4, 4, 42, &err));
    must(bootstrap_interval(&b, values, 1, &lo, &hi, &err));
    /* the mean of 4 draws of 1..4: quantiles of 4^4 outcomes */
    tap_near(lo, 1.5, 0, "one subject: lo over songs");
    tap_near(hi, 3.5, 0, "one subject: hi over songs");
    bootstrap_release(&b);
    must(bootstrap_init(&b, zeros, 1, zeros, 1, 4, 42, &err));
    must(bootstrap_interval(&b, values, 1, &lo, &hi, &err));
    tap_ok(isnan(lo) && isnan(hi), "one subject, one song: no interval");
    bootstrap_release(&b);
}

/* ---- report ---- */

/* Recordings of make_eval.py: song, subject, key, frames. */
static const struct recording reference[] = {
    {"d/a", "1", NULL, 12, {0}, {0}},      {"d/a", "2", NULL, 14, {0}, {0}},
    {"d/a", "3", NULL, 10, {0}, {0}},      {"d/b", "1", NULL, 9, {0}, {0}},
    {"d/b", "2", NULL, 9, {0}, {0}},       {"d/b", "2", "d/b/2/7", 7, {0}, {0}},
    {"d/c", "1", NULL, 15, {0}, {0}}};
/* How many there are. */
#define N_REFERENCE (sizeof reference / sizeof reference[0])

/* The pairs and predictions of make_eval.py. */
struct world {
    struct pairs pairs;                /* recordings */
    float pred[N_REFERENCE][MAX_T];    /* predictions */
    float *rows[N_REFERENCE];          /* of them */
    struct infer infer;                /* borrows rows */
    float curve[11];                   /* over time */
    struct baseline_source source;     /* of all that */
};

/* Builds it. */
static void build(struct world *w)
{
    struct recording r;
    size_t i, t;

    must(pairs_init(&w->pairs, &err));
    add_song(&w->pairs, "d/a", 12);
    add_song(&w->pairs, "d/b", 9);
    add_song(&w->pairs, "d/c", 15);
    for (i = 0; i < N_REFERENCE; i++) {
        r = reference[i];
        for (t = 0; t < r.N; t++) {
            r.eda[t] = wave(t, 1.3, 0.7, 0.9 * (double)i);
            r.valid[t] = (t + i) % 5 != 0;
            w->pred[i][t] = r.song[2] == 'c'
                                ? 0.25f
                                : wave(t, 0.8, 0.5, r.song[2] - 'a');
        }
        add_recording(&w->pairs, &r);
        w->rows[i] = w->pred[i];
    }
    for (t = 0; t < 11; t++)
        w->curve[t] = wave(t, 0.4, 0.3, 0.1);
    must(pairs_join(&w->pairs, 99, NULL, NULL, &err));
    w->infer.pred = w->rows;
    w->source = (struct baseline_source){&w->pairs, &w->infer, w->curve,
                                         11, NULL};
}

/* The report as parsed JSON; caller closes. */
static struct json *parsed(const struct report *r)
{
    struct buf text = {0};
    struct json *json;

    must(report_put_json(r, &text, &err));
    json = json_parse(buf_text(&text), text.len, &err);
    if (!json)
        must(-1);
    buf_release(&text);
    return json;
}

/* The metrics of a row ("model", ...) over a group ("all", "song/d/a"). */
static const struct json *metrics_of(const struct json *j, const char *row,
                                     char *group)
{
    char *name = strchr(group, '/');

    if (strcmp(row, "model"))
        return json_member(json_member(j, "baselines"), row);
    if (!name)
        return json_member(j, "metrics");
    *name++ = '\0';
    return json_member(
        json_member(json_member(json_member(j, "by"), group), name),
        "metrics");
}

/* Whether a member is a number within 1e-6, or null for NaN. */
static bool member_is(const struct json *j, const char *name, double want)
{
    const struct json *m = json_member(j, name);

    if (isnan(want))
        return m && json_kind(m) == JSON_KIND_NULL;
    return fabs(json_num(m, INFINITY) - want) <= 1e-6 * (1 + fabs(want));
}

/* Every number of the golden file. */
static void check_golden(const struct json *j)
{
    static const char *const names[] = {"mean", "median", "p10", "min",
                                        "undefined"};
    char row[32], group[32], metric[32], text[5][32];
    FILE *f = fopen(GOLDEN, "r");
    const struct json *m;
    int lines = 0, k;
    bool same;

    must(!f ? err_errno(&err, "%s", GOLDEN) : 0);
    must(fscanf(f, "#%*[^\n]") != 0);
    while (fscanf(f, "%31s %31s %31s %31s %31s %31s %31s %31s", row, group,
                  metric, text[0], text[1], text[2], text[3], text[4]) == 8) {
        m = json_member(metrics_of(j, row, group), metric);
        for (k = 0, same = true; k < 5; k++)
            same = same && member_is(m, names[k], strtod(text[k], NULL));
        if (!same)
            tap_ok(false, "%s %s %s", row, group, metric);
        lines++;
    }
    fclose(f);
    tap_ok(lines == 144, "%d lines of " GOLDEN " compared", lines);
}

/* The JSON object: shape, numbers, what is undefined. */
static void check_json(const struct report *r)
{
    struct json *j = parsed(r);
    const struct json *m = json_member(j, "metrics");
    const struct json *by = json_member(j, "by");
    const struct json *ci = json_member(json_member(m, "mse"), "ci95");
    double mean = json_num(json_member(json_member(m, "mse"), "mean"), NAN);

    tap_is(json_text(json_member(j, "model")), "run/best", "model");
    tap_ok(fabs(json_num(json_member(j, "recordings"), 0) - 7) <= 0,
           "recordings");
    tap_ok(json_count(j) == 10 && json_count(m) == METRIC_N &&
               json_count(json_member(j, "baselines")) == BASELINE_N &&
               json_count(by) == REPORT_N_BY,
           "nothing else");
    check_golden(j);
    tap_ok(json_count(ci) == 2 && json_num(json_at(ci, 0), NAN) < mean &&
               json_num(json_at(ci, 1), NAN) > mean,
           "the interval is around the mean");
    tap_ok(fabs(json_num(json_member(json_member(json_member(by, "song"),
                                                 "d/b"),
                                     "recordings"), 0) - 3) <= 0,
           "recordings of a group");
    json_close(j);
}

/* The table has a line per statistic and baseline, and what is undefined. */
static void check_table(const struct report *r)
{
    static const char *const starts[] = {
        "run/best: recordings 7, songs 3, subjects 3\n",
        "\nmodel, mean ",
        "\n  median ",
        "\n  p10 ",
        "\n  min ",
        "\nzero                       - ",
        "\ntime_curve ",
        "\nother_listeners ",
        "\nshuffled_audio ",
        "\npearson: 95 % interval ",
        "\npearson: undefined for 1 of 7 recordings\n"};
    struct buf text = {0};
    size_t i;

    must(report_put_table(r, &text, &err));
    for (i = 0; i < sizeof starts / sizeof *starts; i++)
        tap_ok(strstr(buf_text(&text), starts[i]) != NULL, "table: %s",
               starts[i] + (*starts[i] == '\n'));
    buf_release(&text);
}

/* Numbers against NumPy, in one thread and in three. */
static void test_report(void)
{
    static struct world w;
    struct report r[2];
    size_t order[N_REFERENCE], i;
    bool falling = true, same = true;

    build(&w);
    must(report_init(&r[0], &w.source, "run/best", NULL, 42, 1, &err));
    must(report_init(&r[1], &w.source, "run/best", NULL, 42, 3, &err));
    check_json(&r[0]);
    check_table(&r[0]);
    for (i = 0; i <= BASELINE_N; i++)
        same = same && !memcmp(r[0].values[i], r[1].values[i],
                               N_REFERENCE * METRIC_N * sizeof(double));
    tap_ok(same, "three threads: the same bytes");
    must(report_rank(&r[0], order, &err));
    for (i = 1; i + 1 < N_REFERENCE; i++)
        falling = falling &&
                  r[0].values[0][order[i - 1] * METRIC_N + METRIC_PEARSON] >=
                      r[0].values[0][order[i] * METRIC_N + METRIC_PEARSON];
    tap_ok(falling, "the best comes first");
    tap_ok(order[N_REFERENCE - 1] == 6, "undefined comes last");
    report_release(&r[0]);
    report_release(&r[1]);
    pairs_release(&w.pairs);
}

/* ---- permutation ---- */

/* Songs of the test, and frames of each. */
enum { P_SONGS = 6, P_FRAMES = 50 };

/* A song's own wave on the trend that all songs share. */
static float song_wave(size_t song, size_t t, double trend)
{
    return wave(t, 1, 0.15 + 0.11 * (double)song, (double)song) +
           (float)(trend * (double)t);
}

/*
 * Runs the test on songs with two listeners each; the model knows share
 * `known` of a song's wave and all of the trend.
 */
static struct permutation permuted(double known, double trend, int threads)
{
    static float pred[P_SONGS][P_FRAMES];
    float *rows[2 * P_SONGS];
    struct infer infer = {.pred = rows};
    struct permutation out;
    struct recording r;
    struct pairs p;
    size_t i, s, t;
    char song[8];

    must(pairs_init(&p, &err));
    for (s = 0; s < P_SONGS; s++) {
        snprintf(song, sizeof song, "d/%c", (char)('a' + s));
        add_song(&p, song, P_FRAMES);
        for (i = 0; i < 2; i++) {
            r = sine(song, i ? "2" : "1", P_FRAMES);
            for (t = 0; t < P_FRAMES; t++) {
                r.eda[t] = song_wave(s, t, trend);
                r.valid[t] = t > i;
                pred[s][t] = (float)known * song_wave(s, t, 0) +
                             (float)(trend * (double)t);
            }
            add_recording(&p, &r);
            rows[2 * s + i] = pred[s];
        }
    }
    must(pairs_join(&p, 99, NULL, NULL, &err));
    must(permutation_run(&out, &p, &infer, 3, threads, &err));
    pairs_release(&p);
    return out;
}

/* Songs that are known are found, a trend alone is not. */
static void test_permutation(void)
{
    struct permutation a = permuted(1, 0.1, 1), b = permuted(1, 0.1, 3);
    struct permutation c = permuted(0, 0.1, 1);

    tap_near(a.observed, 1, 1e-6, "the true songs");
    /* 6! orders, one of them the true one: 1/720, give or take chance */
    tap_near(a.p, 1 / 720.0, 5e-4, "p is the share of the true order");
    tap_ok(a.null_mean > 0.5 && a.null_mean < 0.95,
           "the trend makes r with any song");
    tap_ok(!memcmp(&a, &b, sizeof a), "three threads: the same bytes");
    tap_ok(c.observed > 0.5 && c.p >= 1, "one prediction for all songs: p 1");
}

/* A report on two recordings of two datasets; caller releases all. */
static struct json *report_two(const char *second, struct pairs *p)
{
    struct recording r = sine("d/a", "1", 12);
    float flat[MAX_T] = {0};
    float *rows[] = {flat, flat};
    struct infer infer = {.pred = rows};
    struct baseline_source s = {p, &infer, NULL, 0, NULL};
    struct report report;
    struct json *j;

    must(pairs_init(p, &err));
    add_song(p, "d/a", 12);
    add_recording(p, &r);
    if (second) {
        add_song(p, second, 12);
        r.song = second;
        add_recording(p, &r);
    }
    must(pairs_join(p, 99, NULL, NULL, &err));
    must(report_init(&report, &s, "m", NULL, 42, 1, &err));
    j = parsed(&report);
    report_release(&report);
    return j;
}

/* Subject 1 of two datasets is two people. */
static void test_two_datasets(void)
{
    struct pairs p;
    struct json *j = report_two("e/a", &p);
    const struct json *by = json_member(j, "by");
    const struct json *subjects = json_member(by, "subject");

    tap_ok(json_count(subjects) == 2 && json_member(subjects, "d/1") &&
               json_member(subjects, "e/1"),
           "subjects of two datasets");
    tap_ok(json_count(json_member(by, "dataset")) == 2, "two datasets");
    json_close(j);
    pairs_release(&p);
}

/* One recording: no interval, no baseline but zero. */
static void test_one_recording(void)
{
    struct pairs p;
    struct json *j = report_two(NULL, &p);
    const struct json *metrics = json_member(j, "metrics");
    const struct json *baselines = json_member(j, "baselines"), *ci, *silent;

    ci = json_member(json_member(metrics, "mse"), "ci95");
    tap_ok(ci && json_kind(ci) == JSON_KIND_NULL, "no interval");
    tap_ok(member_is(json_member(metrics, "pearson"), "mean", NAN) &&
               member_is(json_member(metrics, "pearson"), "undefined", 1),
           "a constant's r is undefined");
    tap_ok(member_is(json_member(metrics, "ccc"), "mean", 0),
           "its ccc is 0");
    silent = json_member(baselines, "time_curve");
    tap_ok(silent && json_kind(silent) == JSON_KIND_NULL, "no curve");
    silent = json_member(baselines, "other_listeners");
    tap_ok(silent && json_kind(silent) == JSON_KIND_NULL, "nobody else");
    silent = json_member(baselines, "shuffled_audio");
    tap_ok(silent && json_kind(silent) == JSON_KIND_NULL, "no other song");
    tap_ok(json_count(json_member(baselines, "zero")) == METRIC_N, "zero");
    json_close(j);
    pairs_release(&p);
}

int main(void)
{
    test_infer();
    test_infer_read();
    test_baselines();
    test_lone_listener();
    test_bootstrap();
    test_few_groups();
    test_coverage();
    test_report();
    test_permutation();
    test_two_datasets();
    test_one_recording();
    return tap_done();
}
