/*
 * test_step - one optimizer step on a batch made by hand: what is not finite
 * is named, and skipped or refused.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "train/step.h"

/* Rows, frames and recordings of the batch; one coefficient. */
#define ROWS 2
#define FRAMES 6
#define RECORDINGS 3

/* A batch and what trains on it. */
struct fixture {
    struct config config;      /* tiny TCN */
    struct comm comm;          /* alone */
    struct model model;        /* of the config */
    struct step step;          /* of the config */
    struct intake_batch batch; /* of the arrays below */
    float x[ROWS * FRAMES], y[RECORDINGS * FRAMES];  /* features, targets */
    uint8_t valid[RECORDINGS * FRAMES];      /* all of them */
    int32_t len[ROWS];            /* T */
    uint64_t songs[ROWS];         /* two of them */
    size_t first[ROWS + 1];       /* recordings 0 and 1 hear song 0 */
    size_t order[RECORDINGS];           /* as they are */
};

/* Ends the program when something that must work does not. */
static void need(int rc, const struct err *err)
{
    if (rc) {
        printf("Bail out! %s\n", err->text);
        exit(1);
    }
}

/* Sets the batch's arrays. */
static void make_batch(struct fixture *f, struct err *err)
{
    size_t i;

    for (i = 0; i < ROWS * FRAMES; i++)
        f->x[i] = (float)(i % 5) - 2;
    for (i = 0; i < RECORDINGS * FRAMES; i++) {
        f->y[i] = (float)(i % 7) / 3;
        f->valid[i] = 1;
    }
    for (i = 0; i < ROWS; i++) {
        f->len[i] = FRAMES;
        f->songs[i] = i;
        f->first[i + 1] = i + 2;
    }
    for (i = 0; i < RECORDINGS; i++)
        f->order[i] = i;
    f->batch = (struct intake_batch){.S = ROWS, .T = FRAMES,
                                     .C = 1, .R = RECORDINGS,
                                     .x = f->x, .len = f->len, .y = f->y,
                                     .valid = f->valid, .songs = f->songs,
                                     .first = f->first, .order = f->order};
    need(frame_set(&f->batch.frame, "keys", "[\"d/s\",\"d/t\"]", err), err);
    need(frame_set(&f->batch.frame, "recordings",
                   "[\"d/s/a\",\"d/s/b\",\"d/t/a\"]", err),
         err);
}

/* A step of a tiny TCN, with a nan_policy. */
static void make(struct fixture *f, const char *policy)
{
    char set[64];
    struct err err;

    memset(f, 0, sizeof *f);
    need(config_init(&f->config, &err), &err);
    need(config_set(&f->config, "model={architecture: tcn, params: "
                    "{input_size: 1, output_size: 1, num_blocks: 1, "
                    "num_channels: 2, kernel_size: 3, dropout: 0}}", &err),
         &err);
    snprintf(set, sizeof set, "train={nan_policy: %s, nan_limit: 2}", policy);
    need(config_set(&f->config, set, &err), &err);
    need(config_settle(&f->config, NULL, &err), &err);
    need(comm_open(&f->comm, 0, &err), &err);
    need(model_init(&f->model, &f->config.model, &err), &err);
    model_init_weights(&f->model, 1);
    need(step_init(&f->step, &f->config, &f->comm, &f->model, 100, 1, &err),
         &err);
    make_batch(f, &err);
}

/* Frees it. */
static void unmake(struct fixture *f)
{
    frame_release(&f->batch.frame);
    step_release(&f->step);
    model_release(&f->model);
    comm_close(&f->comm);
    config_release(&f->config);
}

/* One step on the batch. */
static int run(struct fixture *f, struct step_result *r, struct err *err)
{
    const struct intake_batch *group[1] = {&f->batch};

    return step_run(&f->step, group, 1, NULL, r, err);
}

/* stop: refused with all names, and nothing moved. */
static void test_stop(void)
{
    struct fixture f;
    struct step_result r;
    struct err err;
    float before;

    make(&f, "stop");
    before = f.model.weights[0];
    f.y[FRAMES + 3] = NAN;
    tap_ok(run(&f, &r, &err) == -1 && err.status == ERR_FAILED &&
               f.model.weights[0] == before && f.step.optim.step == 0,
           "nan_policy stop refuses the step");
    tap_is(err.text,
           "step 1: loss is nan, norm of the gradient nan, first bad in "
           "linear.weight, first bad recording d/s/b; the last "
           "checkpoint stands (lower optimizer.learning_rate or "
           "gradient_clip_val)",
           "and names layer and recording");
    f.y[FRAMES + 3] = 0;
    f.x[FRAMES] = INFINITY;
    run(&f, &r, &err);
    tap_ok(strstr(err.text, "recording d/t/a") != NULL,
           "the only recording of a song is named too");
    f.x[FRAMES] = 0;
    f.x[0] = INFINITY;
    run(&f, &r, &err);
    tap_ok(strstr(err.text, "first bad song d/s;") != NULL,
           "what recordings share is the song's");
    unmake(&f);
}

/* skip: counted, limited, and training goes on where it was. */
static void test_skip(void)
{
    struct fixture f;
    struct step_result r;
    struct err err;
    float before;

    make(&f, "skip");
    need(run(&f, &r, &err), &err);
    before = f.model.weights[0];
    tap_ok(!r.skipped, "a finite step is not skipped");
    f.valid[FRAMES] = 1;
    f.y[FRAMES] = NAN;
    need(run(&f, &r, &err), &err);
    tap_ok(r.skipped && f.model.weights[0] == before &&
               f.step.optim.step == 2 && strstr(r.why.text, "step 2: "),
           "nan_policy skip leaves the weights and counts the step");
    f.y[FRAMES] = 1;
    need(run(&f, &r, &err), &err);
    tap_ok(!r.skipped && f.model.weights[0] != before &&
               isfinite(f.model.weights[0]),
           "the next step goes on");
    f.y[FRAMES] = NAN;
    need(run(&f, &r, &err), &err);
    tap_ok(run(&f, &r, &err) == -1 && err.status == ERR_FAILED &&
               strstr(err.text, "2 steps were skipped before"),
           "one more than nan_limit is refused");
    unmake(&f);
}

/* Runs all. */
int main(void)
{
    test_stop();
    test_skip();
    return tap_done();
}
