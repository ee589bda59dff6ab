/*
 * trainset - writes a small feature stream with a planted relation: what the
 * tests of a2b-train learn from.
 *
 *   trainset FIRST SONGS SUBJECTS FRAMES C [HOP [KEY=VALUE ...]]
 *
 * Songs FIRST to FIRST+SONGS-1 of dataset t, with SUBJECTS recordings each,
 * FRAMES plus 7 for every further song long, C coefficients, at 16000 / HOP
 * frames a second [1600]. Coefficient 0 is a sum of slow sines of the song; a
 * recording follows it two frames later, with a gain of its subject. The
 * first 3 frames of every signal are not valid. Frames say that they were made
 * with the default features section, but for C, HOP and the keys given.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/config.h"
#include "core/stream.h"

/* What is written. */
struct set {
    struct config config;  /* features */
    size_t C;              /* coefficients */
    struct stream_out out; /* standard output */
    float *mfcc;           /* (T, C) of the song at hand */
};

/* Ends the program when a step of the library fails. */
static void need(int got, const struct err *err)
{
    if (!got)
        return;
    fprintf(stderr, "trainset: %s\n", err->text);
    exit((int)err->status);
}

/* Sets one key of the features section: "key=value". */
static void assign_text(struct config *c, const char *assignment)
{
    struct err err;
    char text[96];

    snprintf(text, sizeof text, "features.%s", assignment);
    need(config_set(c, text, &err), &err);
}

/* Sets one key of it to a number. */
static void assign(struct config *c, const char *key, size_t value)
{
    char text[96];

    snprintf(text, sizeof text, "%s=%zu", key, value);
    assign_text(c, text);
}

/* Sets "name" to formatted text. */
static void set(struct frame *f, const char *name, const char *fmt, size_t a,
                size_t b)
{
    struct err err;
    char text[96];

    /* a format without a second %zu ignores b */
    snprintf(text, sizeof text, fmt, a, b);
    need(frame_set(f, name, text, &err), &err);
}

/* Sets what all frames of a song have. */
static void set_song(struct set *s, struct frame *f, size_t song)
{
    struct err err;

    set(f, "dataset", "t", 0, 0);
    set(f, "song", "%zu", song, 0);
    set(f, "rate_num", "%zu",
        (size_t)(16000 / s->config.features.audio_hop_length), 0);
    set(f, "rate_den", "1", 0, 0);
    need(frame_set_num(f, "t0_s", 0, &err), &err);
}

/* Coefficients of one song of T frames. */
static void make_song(struct set *s, size_t song, size_t T)
{
    struct rng r;
    double hz[3], phase[3], sum;
    size_t t, c, k;

    rng_init(&r, 7, RNG_TEST, (uint32_t)song, 0);
    for (k = 0; k < 3; k++) {
        hz[k] = 0.01 + 0.05 * rng_uniform(&r);
        phase[k] = 6.28 * rng_uniform(&r);
    }
    for (t = 0; t < T; t++) {
        for (k = 0, sum = 0; k < 3; k++)
            sum += sin(6.283185307 * hz[k] * (double)t + phase[k]);
        s->mfcc[t * s->C] = (float)(10 * sum - 100);
        for (c = 1; c < s->C; c++)
            s->mfcc[t * s->C + c] = (float)rng_normal(&r);
    }
}

/* Writes the song at hand. */
static void put_song(struct set *s, size_t song, size_t T)
{
    size_t shape[2] = {T, s->C};
    struct frame f = {0};
    struct err err;

    set(&f, "key", "t/%zu", song, 0);
    set_song(s, &f, song);
    need(config_features_to_frame(&s->config.features, CONFIG_AUDIO_HALF, &f,
                                  &err),
         &err);
    need(frame_add(&f, "mfcc", TENSOR_F32, 2, shape, s->mfcc, &err), &err);
    need(stream_write(&s->out, &f, &err), &err);
    frame_release(&f);
}

/* Writes one subject's recording of it. */
static void put_recording(struct set *s, size_t song, size_t subject, size_t T,
                          float *eda, unsigned char *valid)
{
    size_t shape[2] = {T, 1}, t;
    struct frame f = {0};
    struct err err;

    for (t = 0; t < T; t++) {
        float past = s->mfcc[(t < 2 ? 0 : t - 2) * s->C];

        eda[t] = (past / 10 + 10) * (0.6f + 0.1f * (float)subject);
        valid[t] = t >= 3;
    }
    set(&f, "key", "t/%zu/s%zu", song, subject);
    set(&f, "recording", "t/%zu/s%zu", song, subject);
    set(&f, "subject", "s%zu", subject, 0);
    set(&f, "split", "train", 0, 0);
    set(&f, "unit", "unknown", 0, 0);
    set(&f, "normalisation", "recording", 0, 0);
    set(&f, "mean", "0", 0, 0);
    set(&f, "std", "1", 0, 0);
    set_song(s, &f, song);
    need(config_features_to_frame(&s->config.features, CONFIG_EDA_HALF, &f,
                                  &err),
         &err);
    need(frame_add(&f, "eda", TENSOR_F32, 2, shape, eda, &err), &err);
    need(frame_add(&f, "valid", TENSOR_U8, 1, shape, valid, &err), &err);
    need(stream_write(&s->out, &f, &err), &err);
    frame_release(&f);
}

int main(int argc, char **argv)
{
    struct set s = {0};
    size_t n[6] = {0, 4, 2, 60, 3, 1600}, i, k, T;
    unsigned char *valid;
    struct err err;
    float *eda;

    for (i = 1; i < (size_t)argc && i <= 6; i++)
        n[i - 1] = strtoul(argv[i], NULL, 10);
    s.C = n[4];
    need(config_init(&s.config, &err), &err);
    assign(&s.config, "audio_n_mfcc", s.C);
    assign(&s.config, "audio_hop_length", n[5]);
    for (i = 7; i < (size_t)argc; i++)
        assign_text(&s.config, argv[i]);
    need(config_settle(&s.config, NULL, &err), &err);
    need(stream_create(&s.out, NULL, &err), &err);
    T = n[3] + 7 * n[1];
    s.mfcc = calloc(T * s.C, sizeof *s.mfcc);
    eda = calloc(T, sizeof *eda);
    valid = calloc(T, 1);
    if (!s.mfcc || !eda || !valid)
        return 1;
    for (i = 0; i < n[1]; i++) {
        T = n[3] + 7 * i;
        make_song(&s, n[0] + i, T);
        put_song(&s, n[0] + i, T);
        for (k = 0; k < n[2]; k++)
            put_recording(&s, n[0] + i, k, T, eda, valid);
    }
    need(stream_finish(&s.out, 0, NULL, &err), &err);
    stream_discard(&s.out);
    config_release(&s.config);
    free(s.mfcc);
    free(eda);
    free(valid);
    return 0;
}
