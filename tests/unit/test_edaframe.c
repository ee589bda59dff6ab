/*
 * test_edaframe - recording frames to signal frames: reuse, grids, metadata.
 *
 *   test_edaframe feed ITEM ...   writes a stream for bats:
 *     csv:KEY=VALUE,...           an eda_csv frame with this metadata and the
 *                                 bytes of the file named by `uri`
 *     mfcc:SONG,NUM,DEN,T0        an mfcc frame of dataset d
 *     other:KEY                   a frame that nobody knows
 */
#include "signal/edaframe.h"

#include <stdlib.h>

#include "base/err.h"
#include "core/stream.h"
#include "tap.h"

/* A file with two subjects at 50 Hz. */
static const char pair[] = "time(s),100001,100002\n"
                           "0.00,1,\n0.02,2,\n0.04,4,\n0.06,3,\n0.08,5,\n"
                           "0.10,2,\n";

/* Ends the program when a step of the library fails. */
static void need(int got, const struct err *err)
{
    if (!got)
        return;
    fprintf(stderr, "test_edaframe: %s\n", err->text);
    exit((int)err->status);
}

/* Sets a recording's metadata and bytes. */
static void make(struct frame *f, const char *column, const char *csv,
                 const size_t *n)
{
    struct err err;

    frame_clear(f);
    need(frame_set(f, "key", "d/s/x", &err) ||
         frame_set(f, "dataset", "d", &err) ||
         frame_set(f, "recording", "d/s/x", &err) ||
         frame_set(f, "subject", "x", &err) ||
         frame_set(f, "song", "s", &err) ||
         frame_set(f, "split", "train", &err) ||
         frame_set(f, "note", "kept", &err) ||
         frame_set(f, "uri", "EDA/s_EDA.csv", &err) ||
         frame_set(f, "etag", "00", &err) ||
         frame_set(f, "eda_rate_hz", "4", &err) ||
         frame_set(f, "eda_column", column, &err) ||
         frame_add(f, "eda_csv", TENSOR_U8, 1, n, csv, &err), &err);
}

/* The defaults with a normalisation of one's own and no filters. */
static void settings(struct config *config)
{
    struct err err;

    need(config_init(config, &err) ||
         config_set(config, "features.filter_lowpass=false", &err) ||
         config_set(config, "features.eda_normalize=none", &err) ||
         config_settle(config, NULL, &err), &err);
}

/* One recording from bytes to frame, and that equal bytes are kept. */
static void test_convert(const struct config_features *conf)
{
    const size_t n = sizeof pair - 1;
    const struct eda_grid grid = {50, 1, 0};
    const struct tensor *t;
    struct frame in = {0}, out = {0};
    struct edaframe c;
    struct err err;
    char *copy = malloc(n);

    edaframe_init(&c, conf);
    memcpy(copy, pair, n);
    make(&in, "100001", pair, &n);
    tap_ok(!edaframe_load(&c, &in, "f", &err) &&
               !edaframe_filter(&c, "f", &err) &&
               !edaframe_finish(&c, &in, &grid, "f", &out, &err) &&
               !frame_check(&out, &err), "a recording is converted");
    t = frame_tensor(&out, "eda");
    tap_ok(t && t->shape[0] == 6 && ((const float *)t->data)[2] == 4,
           "its samples are on the grid of their own rate");
    tap_ok(frame_get(&out, "split") && frame_get(&out, "note") &&
               frame_get(&out, "subject"), "metadata is kept");
    tap_ok(!frame_get(&out, "uri") && !frame_get(&out, "etag") &&
               !frame_get(&out, "eda_column") &&
               !frame_get(&out, "eda_rate_hz"), "what is over is dropped");
    tap_is(frame_get(&out, "rate_num"), "50",
           "a time column beats eda_rate_hz");
    tap_is(frame_get(&out, "eda_normalize"), "none", "settings are there");
    make(&in, "100002", copy, &n);
    tap_ok(edaframe_load(&c, &in, "f", &err) == -1 && c.n_parsed == 1,
           "equal bytes are parsed once");
    tap_is(err.text, "f: column '100002': wanted numbers, got an empty "
           "column", "and the other column is looked at");
    copy[0] = 'T';
    make(&in, "100001", copy, &n);
    tap_ok(!edaframe_load(&c, &in, "f", &err) && c.n_parsed == 2,
           "other bytes are parsed again");
    edaframe_release(&c);
    frame_release(&in);
    frame_release(&out);
    free(copy);
}

/* Shows an mfcc frame of song s to a converter. */
static int see(struct edaframe *c, const char *num, const char *den,
               const char *t0)
{
    struct frame f = {0};
    struct err err;
    int result;

    need(frame_set(&f, "dataset", "d", &err) ||
         frame_set(&f, "song", "s", &err) ||
         frame_set(&f, "rate_num", num, &err) ||
         frame_set(&f, "rate_den", den, &err) ||
         frame_set(&f, "t0_s", t0, &err), &err);
    result = edaframe_see(c, &f, &err);
    frame_release(&f);
    return result;
}

/* Where frame times come from. */
static void test_grid(struct config *config)
{
    const size_t n = sizeof pair - 1;
    struct frame in = {0};
    struct eda_grid grid;
    struct edaframe c;
    struct err err;

    edaframe_init(&c, &config->features);
    make(&in, "100001", pair, &n);
    config->features.audio_target_sample_rate = 16000;
    config->features.audio_hop_length = 1600;
    tap_ok(!edaframe_grid(&c, &in, "f", &grid, &err) && grid.rate_num == 10 &&
               grid.rate_den == 1 && grid.t0_s == 0,
           "without an mfcc frame: the features section");
    tap_ok(!see(&c, "10", "1", "0") &&
               !edaframe_grid(&c, &in, "f", &grid, &err), "both, equal");
    tap_ok(!see(&c, "10", "1", "0.064") &&
               edaframe_grid(&c, &in, "f", &grid, &err) == -1 &&
               err.status == ERR_DATA, "both, another origin: 65");
    config->features.audio_target_sample_rate = 0;
    tap_ok(!edaframe_grid(&c, &in, "f", &grid, &err) && grid.t0_s == 0.064,
           "native audio rate: the mfcc frame");
    need(frame_set(&in, "song", "ss", &err), &err);
    tap_ok(edaframe_grid(&c, &in, "f", &grid, &err) == -1 &&
               err.status == ERR_USAGE,
           "native audio rate and no mfcc frame of that song: 2");
    c.rate = EDAFRAME_HZ;
    c.rate_hz = 2.5;
    tap_ok(!edaframe_grid(&c, &in, "f", &grid, &err) && grid.rate_num == 5 &&
               grid.rate_den == 2, "a given rate");
    c.rate = EDAFRAME_NATIVE;
    tap_ok(!edaframe_load(&c, &in, "f", &err) &&
               !edaframe_grid(&c, &in, "f", &grid, &err) &&
               grid.rate_num == 50 && grid.t0_s == 0, "the native rate");
    edaframe_release(&c);
    frame_release(&in);
}

/* Writes an eda_csv frame: metadata from the item, bytes from its uri. */
static void feed_csv(struct stream_out *out, char *item, struct err *err)
{
    struct frame f = {0};
    struct stream_in file = {0};
    struct buf bytes = {0};
    char *pair_text, *value, *rest = NULL;

    for (pair_text = strtok_r(item, ",", &rest); pair_text;
         pair_text = strtok_r(NULL, ",", &rest)) {
        value = strchr(pair_text, '=');
        if (!value)
            exit(2);
        *value++ = '\0';
        need(frame_set(&f, pair_text, value, err), err);
    }
    need(stream_open(&file, frame_get(&f, "uri"), err) ||
         stream_slurp(&file, &bytes, err) ||
         frame_add(&f, "eda_csv", TENSOR_U8, 1, &bytes.len,
                   buf_text(&bytes), err) ||
         stream_write(out, &f, err), err);
    stream_close(&file);
    buf_release(&bytes);
    frame_release(&f);
}

/* Writes an mfcc frame of 3 frames of one coefficient. */
static void feed_mfcc(struct stream_out *out, char *item, struct err *err)
{
    static const float mfcc[3];
    const size_t shape[2] = {3, 1};
    struct frame f = {0};
    char *rest = NULL, key[64], *song = strtok_r(item, ",", &rest);

    snprintf(key, sizeof key, "d/%s", song);
    need(frame_set(&f, "key", key, err) ||
         frame_set(&f, "dataset", "d", err) ||
         frame_set(&f, "song", song, err) ||
         frame_set(&f, "rate_num", strtok_r(NULL, ",", &rest), err) ||
         frame_set(&f, "rate_den", strtok_r(NULL, ",", &rest), err) ||
         frame_set(&f, "t0_s", strtok_r(NULL, ",", &rest), err) ||
         frame_add(&f, "mfcc", TENSOR_F32, 2, shape, mfcc, err) ||
         stream_write(out, &f, err), err);
    frame_release(&f);
}

/* Writes a frame of a kind that nobody knows. */
static void feed_other(struct stream_out *out, const char *key,
                       struct err *err)
{
    static const unsigned char data[2] = {1, 2};
    const size_t n = 2;
    struct frame f = {0};

    need(frame_set(&f, "key", key, err) ||
         frame_set(&f, "colour", "blue", err) ||
         frame_add(&f, "thing", TENSOR_U8, 1, &n, data, err) ||
         stream_write(out, &f, err), err);
    frame_release(&f);
}

/* Writes the items as a stream on standard output. */
static int feed(int n, char **items)
{
    struct stream_out out = {0};
    struct err err;
    int i;

    need(stream_create(&out, NULL, &err), &err);
    for (i = 0; i < n; i++) {
        if (strncmp(items[i], "csv:", 4) == 0)
            feed_csv(&out, items[i] + 4, &err);
        else if (strncmp(items[i], "mfcc:", 5) == 0)
            feed_mfcc(&out, items[i] + 5, &err);
        else
            feed_other(&out, strchr(items[i], ':') + 1, &err);
    }
    need(stream_finish(&out, 0, NULL, &err), &err);
    stream_discard(&out);
    return 0;
}

int main(int argc, char **argv)
{
    struct config config;

    if (argc > 1 && strcmp(argv[1], "feed") == 0)
        return feed(argc - 2, argv + 2);
    settings(&config);
    test_convert(&config.features);
    test_grid(&config);
    config_release(&config);
    return tap_done();
}
