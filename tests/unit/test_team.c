/*
 * test_team - rows of a batch over threads: recordings that share a song, the
 * same bits for any number of threads, and rows that know nothing of another.
 */
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "train/step.h"

/* Most rows and recordings, frames of a row, coefficients. */
#define MOST 11
#define FRAMES 260
#define INPUTS 3

/* The models tested. */
static const char *const models[] = {
    "model={architecture: tcn, params: {input_size: 3, output_size: 1, "
    "num_blocks: 4, num_channels: 24, kernel_size: 3, dropout: 0.2}}",
    "model={architecture: wavenet, params: {num_stacks: 2, "
    "num_layers_per_stack: 4, residual_channels: 16, skip_channels: 20, "
    "kernel_size: 3, dilation_base: 2, dropout_rate: 0.2, input_channels: 3, "
    "output_channels: 1, use_bias: true}}"};

/* A batch and what trains on it. */
struct fixture {
    struct config config;      /* a model, SGD */
    struct comm comm;          /* alone */
    struct model model;        /* of the config */
    struct step step;          /* of the config */
    struct intake_batch batch; /* of the arrays below */
    float x[MOST * FRAMES * INPUTS], y[MOST * FRAMES]; /* features, targets */
    uint8_t valid[MOST * FRAMES];                 /* of the targets */
    int32_t len[MOST];      /* frames of each row */
    uint64_t songs[MOST];   /* of each row */
    size_t first[MOST + 1]; /* recordings of each row */
    size_t order[MOST];     /* as they are */
};

/* Ends the program when something that must work does not. */
static void need(int rc, const struct err *err)
{
    if (rc) {
        printf("Bail out! %s\n", err->text);
        exit(1);
    }
}

/* A model, and a step with a number of threads. */
static struct fixture *make(const char *model, int n_threads)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;

    if (!f)
        exit(1);
    need(config_init(&f->config, &err), &err);
    need(config_set(&f->config, model, &err), &err);
    need(config_set(&f->config, "optimizer={name: sgd, learning_rate: 0.5, "
                                "weight_decay: 0, gradient_clip_val: 0, "
                                "scheduler: constant}",
                    &err),
         &err);
    need(config_settle(&f->config, NULL, &err), &err);
    need(comm_open(&f->comm, 0, &err), &err);
    need(model_init(&f->model, &f->config.model, &err), &err);
    model_init_weights(&f->model, 1);
    need(step_init(&f->step, &f->config, &f->comm, &f->model, 100, n_threads,
                   &err),
         &err);
    return f;
}

/* Frees it. */
static void unmake(struct fixture *f)
{
    step_release(&f->step);
    model_release(&f->model);
    comm_close(&f->comm);
    config_release(&f->config);
    free(f);
}

/* What number i of song or recording k is. */
static float number(size_t k, size_t i)
{
    return (float)(sin(0.37 * (double)i + (double)k) +
                   0.3 * sin(1.7 * (double)(i * (k + 1))));
}

/*
 * Fills the batch: S rows of the given songs in room for T frames, R
 * recordings; row s has len[s] frames, and recordings are dealt over the rows
 * in order.
 */
static void fill(struct fixture *f, size_t S, size_t R, size_t T,
                 const size_t *songs, const int32_t *len)
{
    size_t s, r, i;

    memset(f->x, 0, sizeof f->x);
    memset(f->valid, 0, sizeof f->valid);
    for (s = 0; s < S; s++) {
        f->len[s] = len[s];
        f->songs[s] = songs[s];
        f->first[s] = s * R / S;
        for (i = 0; i < (size_t)len[s] * INPUTS; i++)
            f->x[s * T * INPUTS + i] = number(songs[s], i);
        for (r = s * R / S; r < (s + 1) * R / S; r++)
            for (i = 0; i < (size_t)len[s]; i++) {
                f->y[r * T + i] = number(20 + r, i);
                f->valid[r * T + i] = (i + r) % 7 > 0;
            }
    }
    f->first[S] = R;
    for (r = 0; r < R; r++)
        f->order[r] = r;
    f->batch = (struct intake_batch){.S = S, .T = T, .C = INPUTS, .R = R,
                                     .x = f->x, .len = f->len, .y = f->y,
                                     .valid = f->valid, .songs = f->songs,
                                     .first = f->first, .order = f->order};
}

/* One step; returns its loss. */
static double step(struct fixture *f)
{
    const struct intake_batch *group[1] = {&f->batch};
    struct step_result r;
    struct err err;

    need(step_run(&f->step, group, 1, NULL, &r, &err), &err);
    return r.loss;
}

/* Processor seconds of the fastest of some steps. */
static double seconds(struct fixture *f)
{
    double best = 1e9;

    for (int i = 0; i < 7; i++) {
        clock_t begun = clock();
        double took;

        step(f);
        took = (double)(clock() - begun) / CLOCKS_PER_SEC;
        best = took < best ? took : best;
    }
    return best;
}

/* Norm of the difference of the last steps' gradients, over that of one. */
static double distance(struct fixture *one, struct fixture *other)
{
    const float *a = reduce_finish(&one->step.reduce);
    const float *b = reduce_finish(&other->step.reduce);
    size_t n = one->model.n_weights;

    double off = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        off += pow((double)a[i] - (double)b[i], 2);
        all += pow((double)a[i], 2);
    }
    return sqrt(off / all);
}

/* Eight recordings of two songs: two rows, or a row for each of them. */
static void test_shared(void)
{
    static const size_t songs[8] = {0, 0, 0, 0, 1, 1, 1, 1}, two[2] = {0, 1};
    static const int32_t len[8] = {260, 260, 260, 260, 201, 201, 201, 201},
                         len2[2] = {260, 201};

    for (size_t i = 0; i < 2; i++) {
        struct fixture *one = make(models[i], 1), *each = make(models[i], 1);
        double a, b, off;

        fill(one, 2, 8, FRAMES, two, len2);
        fill(each, 8, 8, FRAMES, songs, len);
        a = step(one);
        b = step(each);
        tap_ok(fabs(a - b) < 1e-6 * a, "shared songs: loss %.9g is %.9g", a, b);
        off = distance(one, each);
        tap_ok(off < 1e-6, "the gradient is theirs within rounding (%.1e)",
               off);
        a = seconds(one);
        b = seconds(each);
        tap_ok(a < 0.5 * b, "two passes for eight: %.2f of the time", a / b);
        unmake(one);
        unmake(each);
    }
}

/* Weights after three steps with 1, 2, 3 and 8 threads. */
static void test_threads(void)
{
    static const int threads[] = {1, 2, 3, 8};
    static const size_t songs[MOST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    static const int32_t len[MOST] = {260, 1,  64, 65, 199, 128,
                                      13,  90, 77, 31, 256};

    for (size_t i = 0; i < 2; i++) {
        struct fixture *f[4];
        double loss[4];
        int same = 1;

        for (size_t k = 0; k < 4; k++) {
            f[k] = make(models[i], threads[k]);
            fill(f[k], MOST, MOST, FRAMES, songs, len);
            for (int n = 0; n < 3; n++)
                loss[k] = step(f[k]);
            same &= loss[k] == loss[0] &&
                    memcmp(f[k]->model.weights, f[0]->model.weights,
                           f[0]->model.n_weights * sizeof(float)) == 0;
        }
        tap_ok(same, "1, 2, 3 and 8 threads: the same bits after 3 steps");
        for (size_t k = 0; k < 4; k++)
            unmake(f[k]);
    }
}

/* A row's gradient in its own batch, or as row 1 of a longer one. */
static void row_gradient(struct fixture *f, int alone, float *out, double *loss)
{
    static const size_t songs[3] = {4, 5, 6}, one[1] = {5};
    static const int32_t len[3] = {260, 150, 222}, len1[1] = {150};
    struct loss_divisors d = {150, 149, 1};
    struct team_pass p = {.loss = &f->config.loss, .divisors = &d, .step = 3};
    size_t n = f->model.n_weights, row = alone ? 0 : 1;
    double table[3 * TEAM_WIDTH];
    struct err err;

    if (alone)
        fill(f, 1, 1, 150, one, len1);
    else
        fill(f, 3, 3, FRAMES, songs, len);
    for (size_t i = 0; i < 150; i++) { /* one recording, wherever it is */
        f->y[row * f->batch.T + i] = number(9, i);
        f->valid[row * f->batch.T + i] = 1;
    }
    reduce_clear(&f->step.reduce);
    need(team_train(&f->step.team, &f->batch, &p, row, row + 1,
                    &f->step.reduce, table, &err),
         &err);
    memcpy(out, reduce_finish(&f->step.reduce), n * sizeof *out);
    *loss = table[row * TEAM_WIDTH];
}

/* What shares a batch, and how long it is, changes no bit of a row. */
static void test_independent(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = make(models[i], 1);
        size_t size = f->model.n_weights * sizeof(float);
        float *a = malloc(size), *b = malloc(size);
        double loss_a, loss_b;

        if (!a || !b)
            exit(1);
        row_gradient(f, 1, a, &loss_a);
        row_gradient(f, 0, b, &loss_b);
        tap_ok(memcmp(a, b, size) == 0 && loss_a == loss_b,
               "a row's loss and gradient do not depend on its batch");
        free(a);
        free(b);
        unmake(f);
    }
}

/* Runs all. */
int main(void)
{
    test_shared();
    test_threads();
    test_independent();
    return tap_done();
}
