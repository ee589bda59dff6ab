/*
 * ministream - writes small streams for tests.
 *
 *   ministream tiny      one mfcc frame (4, 2), one eda frame (5): under 1 kB
 *   ministream empty     an end frame and nothing else
 *   ministream tiny      mfcc (4, 2) and eda (5): under 1 kB
 *   ministream failed    a frame, then an end frame with status error, exit 77
 *   ministream clash     two frames of one key with different content
 *   ministream twice     the same frame twice
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/stream.h"

/* Ends the program when a step of the library fails. */
static void need(int got, const struct err *err)
{
    if (!got)
        return;
    fprintf(stderr, "ministream: %s\n", err->text);
    exit((int)err->status);
}

/* Sets the metadata that features and signals have. */
static void set_grid(struct frame *f, const char *key, struct err *err)
{
    need(frame_set(f, "key", key, err), err);
    need(frame_set(f, "dataset", "d", err), err);
    need(frame_set(f, "song", "s", err), err);
    need(frame_set(f, "rate_num", "10", err), err);
    need(frame_set(f, "rate_den", "1", err), err);
    need(frame_set(f, "t0_s", "0", err), err);
}

/* One song's features, all equal to value. */
static void put_mfcc(struct stream_out *out, float value)
{
    struct frame f = {0};
    struct err err;
    float data[8];
    size_t shape[2] = {4, 2}, i;

    for (i = 0; i < 8; i++)
        data[i] = value + (float)i;
    set_grid(&f, "d/s", &err);
    need(frame_set(&f, "preset", "default", &err), &err);
    need(frame_add(&f, "mfcc", TENSOR_F32, 2, shape, data, &err), &err);
    need(stream_write(out, &f, &err), &err);
    frame_release(&f);
}

/* One recording. */
static void put_eda(struct stream_out *out)
{
    static const float eda[5] = {0, 1, 2, 1, 0};
    static const unsigned char valid[5] = {1, 1, 1, 1, 0};
    static const size_t shape[2] = {5, 1};
    struct frame f = {0};
    struct err err;

    set_grid(&f, "d/s/1", &err);
    need(frame_set(&f, "recording", "d/s/1", &err), &err);
    need(frame_add(&f, "eda", TENSOR_F32, 2, shape, eda, &err), &err);
    need(frame_add(&f, "valid", TENSOR_U8, 1, shape, valid, &err), &err);
    need(stream_write(out, &f, &err), &err);
    frame_release(&f);
}

/* A frame with a tensor nobody knows, perhaps of a kind nobody knows. */
static void put_unknown(struct stream_out *out, const char *kind)
{
    static const double data[3] = {1, 2, 3};
    static const size_t shape[1] = {3};
    struct frame f = {0};
    struct err err;

    need(frame_set(&f, "key", "k", &err), &err);
    need(frame_set(&f, "note", "a \"quoted\" \\ line\n", &err), &err);
    if (kind)
        need(frame_set(&f, "a2b.kind", kind, &err), &err);
    need(frame_add(&f, "other", TENSOR_F64, 1, shape, data, &err), &err);
    need(stream_write(out, &f, &err), &err);
    frame_release(&f);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "tiny";
    struct stream_out out;
    struct err err;

    need(stream_create(&out, NULL, &err), &err);
    if (!strcmp(what, "unknown")) {
        put_unknown(&out, NULL);
        put_unknown(&out, "weather");
    } else if (strcmp(what, "empty")) {
        put_mfcc(&out, 0);
    }
    if (!strcmp(what, "tiny"))
        put_eda(&out);
    if (!strcmp(what, "clash"))
        put_mfcc(&out, 1);
    if (!strcmp(what, "twice"))
        put_mfcc(&out, 0);
    if (!strcmp(what, "failed")) {
        stream_fail(&out, ERR_DENIED, "a2b-fetch: s3://b/k: 403");
        return 0;
    }
    need(stream_finish(&out, 0, NULL, &err), &err);
    stream_discard(&out);
    return 0;
}
