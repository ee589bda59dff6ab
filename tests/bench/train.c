/*
 * train - our side of `make bench-train`, a process that trains on request.
 *
 *     train THREADS LENGTHS [-c CONFIG] KEY=VALUE ...
 *
 * One batch with a row of made-up features and one recording for each number
 * of frames in LENGTHS ("4000,4000"), and the model, optimizer and loss of
 * CONFIG and the keys. Answers a line "ready FLOP": the floating-point
 * operations a step needs when every convolution is computed as defined, three
 * passes of two for each multiply-add. Then for every line on standard input:
 *
 *     go            one whole step, as a2b-train makes it: forward, backward,
 *                   clipping, optimizer; "CPU WALL LOSS", seconds
 *     peak SECONDS  multiply-adds on registers in all threads; "GFLOPS",
 *                   a second of wall time, all threads together
 *     memory        "BYTES": the largest the process has been
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/rng.h"
#include "train/step.h"

/* Steps the schedule runs over: more than any bench makes. */
#define STEPS 100000

/* Sums of the multiply-add loop: enough to hide its latency. */
#define SUMS 16

/* A batch and what trains on it. */
struct bench {
    struct config config;      /* settings */
    struct comm comm;          /* alone */
    struct model model;        /* of the config */
    struct step step;          /* of the config */
    struct intake_batch batch; /* of made-up data */
    double frames;             /* of all rows */
    int n_threads;             /* that compute */
};

/* Stops with a message where something failed. */
static void need(int failed, const struct err *err)
{
    if (failed) {
        fprintf(stderr, "train: %s\n", err->text);
        exit(1);
    }
}

/* Memory that must be there. */
static void *room(size_t n, size_t size)
{
    struct err err;
    void *p = mem_alloc(n, size, &err);

    need(!p, &err);
    return p;
}

/* Rows and frames of the longest, from "4000,300". */
static void read_lengths(struct bench *b, const char *text)
{
    struct intake_batch *t = &b->batch;
    int32_t *len = room(strlen(text), sizeof *len);

    while (*text) {
        char *end;
        long n = strtol(text, &end, 10);

        if (n < 1 || n > 1000000 || (*end && *end != ',')) {
            fprintf(stderr, "train: %s: not a list of lengths\n", text);
            exit(2);
        }
        len[t->S++] = (int32_t)n;
        t->T = (size_t)n > t->T ? (size_t)n : t->T;
        b->frames += (double)n;
        text = *end ? end + 1 : end;
    }
    t->R = t->S;
    t->len = len;
}

/* Fills the batch: noise to the model, a slow wave of it to follow. */
static void make_batch(struct bench *b)
{
    struct intake_batch *t = &b->batch;
    size_t C = b->model.input_size, row = t->T * C;
    float *x = room(t->S * row, sizeof *x);
    float *y = room(t->S * t->T, sizeof *y);
    uint8_t *valid = room(t->S * t->T, 1);
    struct rng r;

    t->C = C;
    t->songs = room(t->S, sizeof *t->songs);
    t->first = room(t->S + 1, sizeof *t->first);
    t->order = room(t->S, sizeof *t->order);
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (size_t s = 0; s < t->S; s++) {
        size_t T = (size_t)t->len[s];
        double sum = 0;

        for (size_t i = 0; i < T * C; i++)
            x[s * row + i] = (float)rng_normal(&r);
        for (size_t i = 0; i < T; i++) {
            sum = 0.95 * sum + 0.3 * (double)x[s * row + i * C];
            y[s * t->T + i] = (float)sum;
        }
        memset(valid + s * t->T, 1, T);
        t->songs[s] = s;
        t->order[s] = s;
        t->first[s + 1] = s + 1;
    }
    t->x = x;
    t->y = y;
    t->valid = valid;
}

/* Settings from the operands, model and batch from them. */
static void make(struct bench *b, int argc, char **argv)
{
    struct err err;

    need(config_init(&b->config, &err), &err);
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
            need(config_load(&b->config, argv[++i], &err), &err);
        else
            need(config_set(&b->config, argv[i], &err), &err);
    need(config_settle(&b->config, NULL, &err), &err);
    need(comm_open(&b->comm, 0, &err), &err);
    need(model_init(&b->model, &b->config.model, &err), &err);
    if (b->config.hardware.precision == CONFIG_BF16)
        need(model_use(&b->model, OPS_BF16, &err), &err);
    model_init_weights(&b->model, 1);
    if (step_algorithm(&b->config) != OPS_AUTO)
        need(model_use(&b->model, step_algorithm(&b->config), &err), &err);
    need(step_init(&b->step, &b->config, &b->comm, &b->model, STEPS,
                   b->n_threads, &err),
         &err);
    read_lengths(b, argv[2]);
    make_batch(b);
}

/* A clock in seconds. */
static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One step. */
static void go(struct bench *b)
{
    const struct intake_batch *group[1] = {&b->batch};
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double wall = seconds(CLOCK_MONOTONIC);
    struct step_result r;
    struct err err;

    need(step_run(&b->step, group, 1, NULL, &r, &err), &err);
    printf("%.6f %.6f %.9g\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
           seconds(CLOCK_MONOTONIC) - wall, r.loss);
}

#if defined(__x86_64__)
/* Multiply-adds of 16 floats: floating-point operations done. */
__attribute__((target("avx512f"))) static double fma512(long n, float *sink)
{
    __m512 s[SUMS], a = _mm512_set1_ps(0.999f), c = _mm512_set1_ps(1e-3f);

    for (int k = 0; k < SUMS; k++)
        s[k] = _mm512_set1_ps((float)k);
    for (long i = 0; i < n; i++)
#pragma GCC unroll 16
        for (int k = 0; k < SUMS; k++)
            s[k] = _mm512_fmadd_ps(s[k], a, c);
    for (int k = 1; k < SUMS; k++)
        s[0] = _mm512_add_ps(s[0], s[k]);
    *sink = _mm512_reduce_add_ps(s[0]);
    return 2.0 * 16 * SUMS * (double)n;
}

/* The same of 8 floats, on as many registers as there are. */
__attribute__((target("avx2,fma"))) static double fma256(long n, float *sink)
{
    __m256 s[12], a = _mm256_set1_ps(0.999f), c = _mm256_set1_ps(1e-3f);

    for (int k = 0; k < 12; k++)
        s[k] = _mm256_set1_ps((float)k);
    for (long i = 0; i < n; i++)
#pragma GCC unroll 12
        for (int k = 0; k < 12; k++)
            s[k] = _mm256_fmadd_ps(s[k], a, c);
    for (int k = 1; k < 12; k++)
        s[0] = _mm256_add_ps(s[0], s[k]);
    *sink = s[0][0];
    return 2.0 * 8 * 12 * (double)n;
}
#endif

/* The widest loop this processor has; 0 where there is none. */
static double fma_loop(long n, float *sink)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return fma512(n, sink);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return fma256(n, sink);
#endif
    *sink = (float)n;
    return 0;
}

/* Multiply-adds a second of CPU time, times the threads. */
static void peak(const struct bench *b, double limit_s)
{
    double rate = 0;

#pragma omp parallel num_threads(b->n_threads) reduction(+ : rate)
    {
        double cpu = seconds(CLOCK_THREAD_CPUTIME_ID), spent = 0, done = 0;
        float sink;

        while (spent < limit_s) {
            done += fma_loop(100000, &sink);
            spent = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        }
        rate += sink == 0.5f ? 0 : done / spent;
    }
    printf("%.2f\n", 1e-9 * rate);
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct rusage use;
    char line[64];

    if (argc < 3) {
        fprintf(stderr, "usage: train THREADS LENGTHS [-c CONFIG] "
                        "[KEY=VALUE ...]\n");
        return 2;
    }
    b.n_threads = (int)strtol(argv[1], NULL, 10);
    make(&b, argc, argv);
    printf("ready %.6g\n", 6 * model_macs_per_frame(&b.model) * b.frames);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "peak ", 5) == 0) {
            peak(&b, strtod(line + 5, NULL));
        } else if (strcmp(line, "memory\n") == 0) {
            getrusage(RUSAGE_SELF, &use);
            printf("%.0f\n", 1024.0 * (double)use.ru_maxrss);
        } else {
            go(&b);
        }
        fflush(stdout);
    }
    return 0;
}
