/*
 * test_pairs - joining features and signals.
 *
 * `test_pairs feed SPEC...` writes a stream instead, for the tests of the
 * programs that read one. A spec is KIND:KEY[,NAME=VALUE...]: KIND is mfcc,
 * eda, audio or eda_csv; KEY is dataset/song or dataset/song/subject; T is
 * the number of frames, C the coefficients (40), hole=N makes the first N
 * frames invalid, seed=N gives other values; any other NAME is metadata.
 */
#include "batch/pairs.h"

#include <stdlib.h>

#include "base/rng.h"
#include "core/config.h"
#include "core/stream.h"
#include "tap.h"

/* Most numbers a frame of these tests has. */
#define MAX_COUNT 200000

/* An error, for all tests. */
static struct err err;

/* Memory of the frame at hand. */
static float numbers[MAX_COUNT];
static uint8_t flags[MAX_COUNT];

/* Ends the program: the test itself is broken. */
static void bail(const char *why)
{
    printf("Bail out! %s\n", why);
    exit(1);
}

/* Fails for good if a step of the test failed. */
static void must(int result)
{
    if (result)
        bail(err.text);
}

/* What a spec says. */
struct spec {
    char kind[16];   /* mfcc, eda, audio, eda_csv */
    char key[128];   /* of the frame */
    size_t T;        /* frames */
    size_t C;        /* coefficients */
    size_t hole;     /* invalid frames at the beginning */
    uint32_t seed;   /* of the values */
    char extra[256]; /* metadata: NAME=VALUE,... */
};

/* Splits a spec. */
static struct spec parse_spec(const char *text)
{
    struct spec s = {.T = 20, .C = 40};
    char copy[512], *part, *rest;
    size_t n = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    rest = strchr(copy, ',');
    if (rest)
        *rest++ = '\0';
    if (sscanf(copy, "%15[^:]:%127s", s.kind, s.key) != 2)
        bail(text);
    for (part = rest; part && *part; part = rest) {
        rest = strchr(part, ',');
        if (rest)
            *rest++ = '\0';
        if (sscanf(part, "T=%zu", &s.T) != 1 &&
            sscanf(part, "C=%zu", &s.C) != 1 &&
            sscanf(part, "hole=%zu", &s.hole) != 1 &&
            sscanf(part, "seed=%u", &s.seed) != 1)
            n += (size_t)snprintf(s.extra + n, sizeof(s.extra) - n, "%s,",
                                  part);
    }
    return s;
}

/* Sets dataset, song, recording and subject from the key. */
static void set_names(struct frame *f, const char *key)
{
    char copy[128], *song, *subject;

    snprintf(copy, sizeof(copy), "%s", key);
    must(frame_set(f, "key", key, &err));
    song = strchr(copy, '/');
    if (!song)
        bail(key);
    *song++ = '\0';
    must(frame_set(f, "dataset", copy, &err));
    subject = strchr(song, '/');
    if (subject) {
        *subject++ = '\0';
        must(frame_set(f, "recording", key, &err));
        must(frame_set(f, "subject", subject, &err));
    }
    must(frame_set(f, "song", song, &err));
}

/* Sets rate, origin, and the default features of one half. */
static void set_features(struct frame *f, enum config_half half)
{
    static struct config config;

    if (!config.given) {
        must(config_init(&config, &err));
        must(config_set(&config, "features.audio_n_mels=64", &err));
        must(config_settle(&config, NULL, &err));
    }
    must(frame_set(f, "rate_num", "10", &err));
    must(frame_set(f, "rate_den", "1", &err));
    must(frame_set(f, "t0_s", "0", &err));
    must(config_features_to_frame(&config.features, half, f, &err));
}

/* Sets or replaces metadata: NAME=VALUE,... */
static void set_extra(struct frame *f, const char *extra)
{
    char copy[256], *part, *rest, *value;

    snprintf(copy, sizeof(copy), "%s", extra);
    for (part = copy; *part; part = rest) {
        rest = strchr(part, ',');
        *rest++ = '\0';
        value = strchr(part, '=');
        if (!value)
            bail(part);
        *value++ = '\0';
        must(frame_set(f, part, value, &err));
    }
}

/* Makes the values of a frame: random, a function of key and seed. */
static void fill_values(const struct spec *s, size_t n)
{
    struct rng rng;
    uint32_t position = 0;
    const char *c;
    size_t i;

    if (n > MAX_COUNT || s->T > MAX_COUNT)
        bail("too many frames");
    for (c = s->key; *c; c++)
        position = position * 31 + (unsigned char)*c;
    rng_init(&rng, 0, RNG_TEST, position, s->seed);
    for (i = 0; i < n; i++)
        numbers[i] = (float)rng_normal(&rng);
    for (i = 0; i < s->T; i++)
        flags[i] = i >= s->hole;
}

/* Builds the frame of a spec; it borrows the memory above. */
static void make_frame(struct frame *f, const char *text)
{
    struct spec s = parse_spec(text);

    frame_clear(f);
    set_names(f, s.key);
    if (!strcmp(s.kind, "mfcc")) {
        fill_values(&s, s.T * s.C);
        set_features(f, CONFIG_AUDIO_HALF);
        must(frame_add(f, "mfcc", TENSOR_F32, 2, (size_t[]){s.T, s.C},
                       numbers, &err));
    } else if (!strcmp(s.kind, "eda")) {
        fill_values(&s, s.T);
        set_features(f, CONFIG_EDA_HALF);
        must(frame_add(f, "eda", TENSOR_F32, 2, (size_t[]){s.T, 1}, numbers,
                       &err));
        must(frame_add(f, "valid", TENSOR_U8, 1, &s.T, flags, &err));
    } else {
        fill_values(&s, 0);
        must(frame_add(f, s.kind, TENSOR_U8, 1, &s.T, flags, &err));
    }
    set_extra(f, s.extra);
    f->digest = s.seed + s.T; /* as if it had been read */
}

/* Writes the frames of all specs as a stream. */
static int feed(int n, char **specs)
{
    struct stream_out out;
    struct frame f = {0};
    int i;

    must(stream_create(&out, NULL, &err));
    for (i = 0; i < n; i++) {
        make_frame(&f, specs[i]);
        must(stream_write(&out, &f, &err));
    }
    must(stream_finish(&out, 0, NULL, &err));
    stream_discard(&out);
    frame_release(&f);
    return 0;
}

/* Adds the frames of a NULL-terminated list. Returns pairs_add()'s last. */
static int add_all(struct pairs *p, const char *const *specs)
{
    struct frame f = {0};
    size_t i;
    int result = 0;

    must(pairs_init(p, &err));
    for (i = 0; specs[i] && !result; i++) {
        make_frame(&f, specs[i]);
        f.index = i;
        result = pairs_add(p, &f, "in.a2b", &err);
    }
    frame_release(&f);
    return result;
}

/* Checks that adding or joining these frames fails with this text. */
static void fails(const char *what, const char *const *specs,
                  const char *text)
{
    struct pairs p;
    int result = add_all(&p, specs);

    if (!result)
        result = pairs_join(&p, 2, NULL, NULL, &err);
    tap_ok(result < 0 && err.status == ERR_DATA && strstr(err.text, text),
           "%s", what);
    if (!result || !strstr(err.text, text))
        printf("#  got: %s\n# want: %s\n", result ? err.text : "success",
               text);
    pairs_release(&p);
}

/* Two songs, three recordings, spans, order by key. */
static void test_join(void)
{
    static const char *const specs[] = {
        "eda:d/b/2,T=25", "mfcc:d/b,T=20", "eda:d/a/1,T=15,mean=2,std=0.5",
        "mfcc:d/a,T=20", "eda:d/b/1,T=20,split=train", "mfcc:d/0", NULL};
    struct pairs p;

    must(add_all(&p, specs));
    tap_ok(!pairs_join(&p, 0.4, NULL, NULL, &err), "joins");
    tap_ok(p.n_songs == 2 && p.n_unheard == 1, "a song unheard is dropped");
    tap_ok(p.n_recordings == 3 && !strcmp(p.recordings[0].key, "d/a/1") &&
               !strcmp(p.recordings[1].key, "d/b/1") &&
               !strcmp(p.recordings[2].key, "d/b/2"),
           "recordings by key");
    tap_ok(p.recordings[0].T == 15 && p.recordings[1].T == 20 &&
               p.recordings[2].T == 20 && p.recordings[2].N == 25,
           "spans are min(T, N)");
    tap_ok(p.n_skewed == 2, "0.5 s are over 0.4 s");
    tap_ok(p.recordings[0].song == 0 && p.recordings[1].song == 1 &&
               !strcmp(p.songs[1].key, "d/b"),
           "songs are found");
    tap_near(p.recordings[0].std, 0.5, 0, "std");
    tap_ok(isnan(p.recordings[1].mean), "an unknown mean is NaN");
    tap_is(p.recordings[1].split, "train", "split");
    tap_is(p.recordings[0].split, "", "no split");
    tap_ok(p.C == 40 && p.rate_num == 10 && p.rate_den == 1, "C and rate");
    pairs_release(&p);
}

/* Values come back from the spool, whatever the order of reading. */
static void test_values(void)
{
    static const char *const specs[] = {
        "mfcc:d/b,C=3,T=7", "eda:d/b/1,T=7,hole=2", "mfcc:d/a,C=3,T=9",
        "eda:d/a/1,T=9", NULL};
    struct frame f = {0};
    struct pairs p;
    size_t i;

    must(add_all(&p, specs));
    must(pairs_join(&p, 2, NULL, NULL, &err));
    for (i = 0; i < 2; i++) {
        make_frame(&f, specs[2 * i]);
        tap_ok(!memcmp(p.songs[1 - i].mfcc, numbers,
                       p.songs[1 - i].T * 3 * sizeof(float)),
               "mfcc %zu", i);
        make_frame(&f, specs[2 * i + 1]);
        tap_ok(!memcmp(p.recordings[1 - i].eda, numbers,
                       p.recordings[1 - i].N * sizeof(float)) &&
                   !memcmp(p.recordings[1 - i].valid, flags,
                           p.recordings[1 - i].N),
               "eda and valid %zu", i);
    }
    frame_release(&f);
    pairs_release(&p);
}

/* Byte frames whose stage ran are ignored, others name the stage. */
static void test_stages(void)
{
    static const char *const done[] = {
        "audio:d/a", "mfcc:d/a", "eda_csv:d/a/1", "eda:d/a/1", NULL};
    static const char *const no_mfcc[] = {"audio:d/a", "eda:d/a/1", NULL};
    static const char *const no_eda[] = {
        "mfcc:d/a", "eda:d/a/1", "eda_csv:d/a/2", NULL};
    struct pairs p;

    must(add_all(&p, done));
    tap_ok(!pairs_join(&p, 2, NULL, NULL, &err), "converted bytes");
    pairs_release(&p);
    fails("audio without mfcc", no_mfcc, "add a2b-mfcc");
    fails("eda_csv without eda", no_eda, "frame 2 (key d/a/2)");
    fails("the stage is named", no_eda, "add a2b-eda");
}

/* Differences between frames name key, values and both frames. */
static void test_differences(void)
{
    static const char *const setting[] = {
        "mfcc:d/a", "mfcc:d/b,audio_n_mels=41", NULL};
    static const char *const eda_setting[] = {
        "eda:d/a/1", "eda:d/a/2,eda_lowpass_order=3", NULL};
    static const char *const coefficients[] = {
        "mfcc:d/a,C=3", "mfcc:d/b,C=4", NULL};
    static const char *const rate[] = {
        "mfcc:d/a", "mfcc:d/b,rate_num=20", NULL};
    static const char *const t0[] = {"eda:d/a/1", "eda:d/a/2,t0_s=0.5", NULL};
    static const char *const grids[] = {
        "mfcc:d/a", "eda:d/a/1,rate_num=4", NULL};

    fails("a setting", setting,
          "in.a2b: frame 1 (key d/b), byte 0: features.audio_n_mels is 41, "
          "but 64 in in.a2b: frame 0 (key d/a)");
    fails("an eda setting", eda_setting, "features.eda_lowpass_order is 3");
    fails("coefficients", coefficients, "4 coefficients, but 3 in");
    fails("a rate", rate, "is 20/1 frames a second, but 10/1");
    fails("an origin", t0, "t0_s is 0.5, but 0 in");
    fails("a grid of its own", grids, "is 4/1 frames a second, but 10/1");
}

/* Counts calls; the second stops. */
static int count_bad(void *ctx, const struct err *why)
{
    int *left = ctx;

    (void)why;
    return (*left)-- > 0 ? 0 : -1;
}

/* Signals that cannot pair are bad items. */
static void test_bad_items(void)
{
    static const char *const specs[] = {
        "mfcc:d/a", "eda:d/a/1", "eda:d/x/1", "eda:d/a/2,T=30,hole=20",
        "eda:d/a/3,T=0", NULL};
    static const char *const no_song[] = {
        "mfcc:d/a", "eda:d/a/1", "eda:d/x/1", NULL};
    static const char *const no_frame[] = {
        "mfcc:d/a", "eda:d/a/1,T=30,hole=20", NULL};
    struct pairs p;
    int left = 3;

    fails("a signal without song", no_song, "no mfcc frame with key d/x");
    fails("no valid frame", no_frame, "no valid frame in the 20 it shares");
    must(add_all(&p, specs));
    tap_ok(!pairs_join(&p, 2, count_bad, &left, &err) && left == 0 &&
               p.n_recordings == 1,
           "three are left out");
    pairs_release(&p);
    left = 2;
    must(add_all(&p, specs));
    tap_ok(pairs_join(&p, 2, count_bad, &left, &err) < 0,
           "two are allowed");
    pairs_release(&p);
    left = 9;
    must(add_all(&p, no_frame));
    tap_ok(pairs_join(&p, 2, count_bad, &left, &err) < 0 &&
               strstr(err.text, "no recording is left of 1"),
           "none is left");
    pairs_release(&p);
}

/* Equal duplicates are one, unequal ones an error. */
static void test_duplicates(void)
{
    static const char *const equal[] = {
        "mfcc:d/a", "eda:d/a/1", "mfcc:d/a", "eda:d/a/1", NULL};
    static const char *const unequal[] = {
        "mfcc:d/a", "eda:d/a/1", "mfcc:d/a,seed=1", NULL};
    struct pairs p;

    must(add_all(&p, equal));
    tap_ok(!pairs_join(&p, 2, NULL, NULL, &err) && p.n_songs == 1 &&
               p.n_recordings == 1,
           "equal duplicates");
    pairs_release(&p);
    fails("unequal duplicates", unequal, "with this key and other bytes");
}

/* Inputs that hold nothing to join, keys that lie. */
static void test_nothing(void)
{
    static const char *const nothing[] = {NULL};
    static const char *const songs[] = {"mfcc:d/a", NULL};
    static const char *const signals[] = {"eda:d/a/1", NULL};
    static const char *const liar[] = {"mfcc:d/a,song=b", NULL};

    fails("nothing", nothing, "neither mfcc nor eda");
    fails("only songs", songs, "no eda frame");
    fails("only signals", signals, "no mfcc frame");
    fails("a key of another song", liar, "want key d/b, got d/a");
}

/* Values that are no numbers. */
static void test_not_finite(void)
{
    static const char *const specs[] = {"mfcc:d/a", NULL};
    struct frame f = {0};
    struct pairs p;

    must(add_all(&p, specs));
    make_frame(&f, "mfcc:d/b,C=40");
    numbers[41] = NAN;
    tap_ok(pairs_add(&p, &f, "x", &err) < 0 &&
               strstr(err.text, "mfcc frame 1 coefficient 1 is not finite"),
           "NaN in mfcc");
    make_frame(&f, "eda:d/a/1,hole=3");
    numbers[2] = INFINITY;
    tap_ok(!pairs_add(&p, &f, "x", &err), "infinity where nothing is valid");
    make_frame(&f, "eda:d/a/2,hole=3");
    numbers[3] = INFINITY;
    tap_ok(pairs_add(&p, &f, "x", &err) < 0 &&
               strstr(err.text, "eda frame 3 is valid and not finite"),
           "infinity where it is");
    flags[0] = 255;
    tap_ok(pairs_add(&p, &f, "x", &err) < 0 &&
               strstr(err.text, "want 0 or 1, got 255"),
           "a mask of 255");
    tap_ok(!pairs_join(&p, 2, NULL, NULL, &err) && p.n_recordings == 1 &&
               fabsf(p.recordings[0].eda[2]) <= 0,
           "refused frames leave nothing, infinity became 0");
    frame_release(&f);
    pairs_release(&p);
}

/* HKU956 records the played part: only a longer signal is skewed. */
static void test_skew(void)
{
    static const char *const specs[] = {
        "mfcc:hku956/a,T=100", "eda:hku956/a/1,T=50", "eda:hku956/a/2,T=120",
        "eda:hku956/a/3,T=121", NULL};
    struct pairs p;

    must(add_all(&p, specs));
    must(pairs_join(&p, 2, NULL, NULL, &err));
    tap_ok(p.n_skewed == 1, "2.1 s too long counts, 2 s and short do not");
    pairs_release(&p);
}

/* Comparison with another source's features. */
static void test_check_features(void)
{
    static const char *const specs[] = {"mfcc:d/a", "eda:d/a/1", NULL};
    struct buf other = {0};
    struct pairs p;
    char *at;

    must(add_all(&p, specs));
    must(pairs_join(&p, 2, NULL, NULL, &err));
    tap_ok(!pairs_check_features(&p, p.features, 10, 1, 0, "x", &err),
           "its own features");
    tap_ok(pairs_check_features(&p, p.features, 20, 1, 0, "x", &err) < 0,
           "another rate");
    buf_puts(&other, p.features);
    at = strstr(other.data, "\"audio_n_mels\":64");
    if (tap_ok(at != NULL, "audio_n_mels is in the features")) {
        at[strlen("\"audio_n_mels\":")] = '5';
        tap_ok(pairs_check_features(&p, other.data, 10, 1, 0, "run/best",
                                    &err) < 0 &&
                   strstr(err.text, "input: features.audio_n_mels is 64, but "
                                    "54 in run/best"),
               "another setting");
    }
    tap_ok(pairs_check_features(&p, "{}", 10, 1, 0, "x", &err) < 0 &&
               strstr(err.text, "but not set in x"),
           "settings missing there");
    buf_clear(&other);
    buf_puts(&other, "{\"novel\":1,");
    buf_puts(&other, p.features + 1);
    tap_ok(pairs_check_features(&p, other.data, 10, 1, 0, "x", &err) < 0 &&
               strstr(err.text, "features.novel is not set, but 1 in x"),
           "settings missing here");
    buf_release(&other);
    pairs_release(&p);
}

/* A spool that cannot be made names the folder. */
static void test_spool(void)
{
    struct frame f = {0};
    struct pairs p;

    must(pairs_init(&p, &err));
    p.spool_dir = "/nowhere/at/all";
    make_frame(&f, "mfcc:d/a");
    tap_ok(pairs_add(&p, &f, "x", &err) < 0 && err.status == ERR_MISSING &&
               strstr(err.text, "/nowhere/at/all"),
           "no such folder");
    frame_release(&f);
    pairs_release(&p);
}

/* Runs all tests, or writes a stream. */
int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "feed"))
        return feed(argc - 2, argv + 2);
    test_join();
    test_values();
    test_stages();
    test_differences();
    test_bad_items();
    test_duplicates();
    test_nothing();
    test_not_finite();
    test_skew();
    test_check_features();
    test_spool();
    return tap_done();
}
