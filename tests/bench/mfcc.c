/*
 * mfcc - our side of `make bench-mfcc`, a process that computes on request.
 *
 *     mfcc pcm  FILE RATE [KEY=VALUE ...]   float samples, as the host's
 *     mfcc song FILE [KEY=VALUE ...]        any sound file
 *
 * KEY=VALUE are keys of the features section. For every line on standard
 * input FILE, which is in memory, is transformed once, and a line with the
 * processor seconds that took is answered. The line "write PATH" is answered
 * after writing the coefficients (T, C) there, as floats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/config.h"
#include "core/frame.h"
#include "signal/mfccframe.h"

/* What is transformed, and by what. */
struct bench {
    struct config config;           /* settings */
    char *bytes;                    /* of the file, owned */
    size_t n_bytes;                 /* how many */
    struct mfcc *engine;            /* for samples, else NULL */
    struct mfccframe converter; /* for a file */
    struct frame out;               /* what the converter makes */
    const float *mfcc;              /* latest result */
    size_t n_values;                /* in mfcc */
};

/* Stops with a message where something failed. */
static void need(int failed, const struct err *err)
{
    if (failed) {
        fprintf(stderr, "mfcc: %s\n", err->text);
        exit(1);
    }
}

/* Reads a whole file. */
static void slurp(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t cap = 1u << 20, got;

    if (!f || !(b->bytes = malloc(cap))) {
        fprintf(stderr, "mfcc: %s: cannot be read\n", path);
        exit(1);
    }
    while ((got = fread(b->bytes + b->n_bytes, 1, cap - b->n_bytes, f)) > 0) {
        b->n_bytes += got;
        if (b->n_bytes == cap && !(b->bytes = realloc(b->bytes, cap *= 2)))
            exit(1);
    }
    fclose(f);
}

/* Transforms once. */
static void transform(struct bench *b)
{
    const struct tensor *t;
    struct err err;
    size_t n;

    if (b->engine) {
        n = b->n_bytes / sizeof(float);
        need(mfcc_signal(b->engine, (const float *)(const void *)b->bytes, n,
                         &b->mfcc, &err),
             &err);
        b->n_values = mfcc_n_frames(b->engine, n) * mfcc_n_values(b->engine);
        return;
    }
    frame_clear(&b->out);
    need(mfccframe_convert(&b->converter, b->bytes, b->n_bytes, "song",
                           &b->out, &err),
         &err);
    t = frame_tensor(&b->out, "mfcc");
    b->mfcc = t->data;
    b->n_values = t->shape[0] * t->shape[1];
}

/* Processor seconds of this process. */
static double cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Writes the latest result. */
static void write_result(const struct bench *b, const char *path)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(b->mfcc, sizeof(float), b->n_values, f) != b->n_values ||
        fclose(f)) {
        fprintf(stderr, "mfcc: %s: cannot be written\n", path);
        exit(1);
    }
}

/* Settings from arguments of the form KEY=VALUE. */
static void configure(struct bench *b, char **assignments)
{
    char text[256];
    struct err err;

    need(config_init(&b->config, &err), &err);
    for (; *assignments; assignments++) {
        snprintf(text, sizeof(text), "features.%s", *assignments);
        need(config_set(&b->config, text, &err), &err);
    }
    need(config_settle(&b->config, NULL, &err), &err);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    bool pcm = argc > 3 && strcmp(argv[1], "pcm") == 0;
    struct err err;
    char line[4096];
    double before;

    if (argc < 3)
        return 2;
    configure(&b, argv + (pcm ? 4 : 3));
    slurp(&b, argv[2]);
    if (pcm) {
        b.engine = mfcc_open(&b.config.features,
                             (uint32_t)strtoul(argv[3], NULL, 10), &err);
        need(!b.engine, &err);
    } else {
        mfccframe_init(&b.converter, &b.config.features);
    }
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        before = cpu();
        if (strncmp(line, "write ", 6) == 0)
            write_result(&b, line + 6);
        else
            transform(&b);
        printf("%.9f\n", cpu() - before);
        fflush(stdout);
    }
    frame_release(&b.out);
    mfccframe_release(&b.converter);
    mfcc_close(b.engine);
    config_release(&b.config);
    free(b.bytes);
    return 0;
}
