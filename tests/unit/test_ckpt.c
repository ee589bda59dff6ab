/*
 * test_ckpt - checkpoint folders: what goes in comes out, damage does not.
 */
#define _GNU_SOURCE /* mkdtemp */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"
#include "train/base64.h"
#include "train/ckpt.h"

/* A run folder with what is saved into it. */
struct fixture {
    char run[64];            /* temporary folder */
    struct config config;    /* defaults */
    struct model model;      /* small TCN */
    struct frame dataset;    /* dataset frame */
    struct intake_plan plan; /* of it */
    float moments[2][4096];  /* of the optimizer */
    struct ckpt_moment list[2]; /* of adam */
    struct ckpt_state state; /* of the run */
    struct ckpt_content all; /* the above */
};

/* Ends the program when something that must work does not. */
static void need(int rc, const struct err *err)
{
    if (rc) {
        printf("Bail out! %s\n", err->text);
        exit(1);
    }
}

/* Sets the dataset frame. */
static void make_dataset(struct fixture *x)
{
    static const float mean[3] = {1, -2, 0.1f}, std[3] = {1, 0.25f, 3};
    static const float curve[4] = {0, 1, 2, 3};
    static const int32_t curve_n[4] = {1, 1, 1, 1};
    static const size_t C = 3, T[2] = {4, 1};
    static const char *const meta[][2] = {
        {"a2b.kind", "dataset"}, {"epochs", "2"},     {"batches", "[3,3]"},
        {"batch_size", "4"},     {"seed", "42"},      {"recordings", "12"},
        {"songs", "6"},          {"rate_num", "10"},  {"rate_den", "1"},
        {"t0_s", "0"},           {"fingerprint", "f"}};
    struct buf features = {0};
    struct err err;
    size_t i;

    for (i = 0; i < sizeof meta / sizeof *meta; i++)
        need(frame_set(&x->dataset, meta[i][0], meta[i][1], &err), &err);
    config_features_put_json(&x->config.features, &features);
    need(frame_set(&x->dataset, "features", buf_text(&features), &err), &err);
    need(frame_add(&x->dataset, "input_mean", TENSOR_F32, 1, &C, mean, &err),
         &err);
    need(frame_add(&x->dataset, "input_std", TENSOR_F32, 1, &C, std, &err),
         &err);
    need(frame_add(&x->dataset, "curve", TENSOR_F32, 2, T, curve, &err), &err);
    need(frame_add(&x->dataset, "curve_n", TENSOR_I32, 1, T, curve_n, &err),
         &err);
    buf_release(&features);
    need(intake_plan_init(&x->plan, &x->dataset, &err), &err);
}

/* Sets up everything. */
static void make(struct fixture *x)
{
    struct err err;
    size_t i;

    memset(x, 0, sizeof *x);
    strcpy(x->run, "/tmp/test_ckpt.XXXXXX");
    if (!mkdtemp(x->run))
        exit(1);
    need(config_init(&x->config, &err), &err);
    need(config_set(&x->config,
                    "model.params={input_size: 3, output_size: 1, "
                    "num_blocks: 2, num_channels: 4, kernel_size: 3, "
                    "dropout: 0.1}",
                    &err),
         &err);
    need(config_settle(&x->config, NULL, &err), &err);
    need(model_init(&x->model, &x->config.model, &err), &err);
    model_init_weights(&x->model, 9);
    make_dataset(x);
    model_set_input(&x->model, x->plan.input_mean, x->plan.input_std);
    for (i = 0; i < x->model.n_weights; i++) {
        x->moments[0][i] = (float)i + 0.5f;
        x->moments[1][i] = (float)i * 1e-20f;
    }
    x->list[0] = (struct ckpt_moment){"exp_avg", x->moments[0]};
    x->list[1] = (struct ckpt_moment){"exp_avg_sq", x->moments[1]};
    monitor_init(&x->state.monitor);
    x->state.step = 5;
    x->state.at = (struct intake_position){1, 2};
    x->state.total_steps = 6;
    x->state.seed = 42;
    x->state.metric = 0.1;
    x->state.monitor.early_best = 1.0 / 3;
    x->state.monitor.early_bad = 3;
    x->state.monitor_name = strdup("val_loss");
    x->state.fingerprint = strdup("f \"quoted\"");
    need(monitor_add(&x->state.monitor, 3, NAN, true, &err), &err);
    need(monitor_add(&x->state.monitor, 5, 0.1, false, &err), &err);
    x->state.plateau = (struct schedule_plateau){1.0 / 7, 2, 1, 0.1 / 3};
    x->state.scalars = (struct optim_scalars){4, 0.1 / 7, 1.0 / 9};
    x->all = (struct ckpt_content){.model = &x->model,
                                   .moments = x->list,
                                   .n_moments = 2,
                                   .dataset = &x->dataset,
                                   .plan = &x->plan,
                                   .state = &x->state,
                                   .config = "seed: 42\n",
                                   .version = "0.0.0"};
}

/* Runs a shell command in the run folder. */
static void shell(const struct fixture *x, const char *command)
{
    char text[512];

    snprintf(text, sizeof text, "cd %s && %s", x->run, command);
    if (system(text) != 0)
        printf("# %s failed\n", text);
}

/* "run/name" */
static const char *in_run(const struct fixture *x, const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", x->run, name);
    return path;
}

/* The model and what its file says. */
static void test_model(struct fixture *x)
{
    struct ckpt_model c;
    struct frame f = {0};
    struct err err;

    need(ckpt_save(x->run, &x->all, &err), &err);
    need(ckpt_link(x->run, "best", 5, &err), &err);
    need(ckpt_load_model(&c, in_run(x, "best"), &err), &err);
    tap_ok(c.model.n_weights == x->model.n_weights &&
               memcmp(c.model.weights, x->model.weights,
                      c.model.n_weights * sizeof(float)) == 0,
           "weights are the same bits");
    tap_ok(memcmp(c.model.input_mean, x->model.input_mean, 12) == 0 &&
               memcmp(c.model.input_std, x->model.input_std, 12) == 0,
           "so is the input normalisation");
    tap_ok(c.rate_num == 10 && c.rate_den == 1 && c.step == 5 && c.t0_s == 0,
           "rate, origin and step");
    tap_is(c.features_json, x->plan.features, "features");
    tap_is(c.folder, in_run(x, "step-00000005"),
           "a link is followed to its folder");
    need(ckpt_load_dataset(&c, &f, &err), &err);
    tap_ok(frame_kind(&f) == FRAME_DATASET, "the dataset frame is beside it");
    ckpt_model_release(&c);
    need(ckpt_load_model(&c, in_run(x, "best/model.safetensors"), &err), &err);
    tap_ok(c.folder != NULL, "named by its file it still has a folder");
    ckpt_model_release(&c);
    shell(x, "cp best/model.safetensors lone.safetensors");
    need(ckpt_load_model(&c, in_run(x, "lone.safetensors"), &err), &err);
    tap_ok(!c.folder && ckpt_load_dataset(&c, &f, &err) &&
               err.status == ERR_MISSING,
           "a lone file has no dataset frame");
    ckpt_model_release(&c);
    frame_release(&f);
}

/* Optimizer and trainer.json. */
static void test_state(struct fixture *x)
{
    static float a[4096], b[4096];
    struct ckpt_moment list[2] = {{"exp_avg", a}, {"exp_avg_sq", b}};
    size_t size = x->model.n_weights * sizeof(float);
    struct ckpt_state s = {0};
    struct err err;
    char *folder;

    need(ckpt_latest(x->run, &folder, &err), &err);
    tap_is(folder, in_run(x, "step-00000005"), "found without a link last");
    need(ckpt_verify(folder, NULL, &err), &err);
    need(ckpt_load_moments(folder, &x->model, list, 2, 5, &err), &err);
    tap_ok(memcmp(a, x->moments[0], size) == 0 &&
               memcmp(b, x->moments[1], size) == 0,
           "moments are the same bits");
    tap_ok(ckpt_load_moments(folder, &x->model, list, 2, 6, &err) &&
               err.status == ERR_DATA,
           "moments of another step are refused");
    tap_ok(ckpt_load_moments(folder, &x->model, list, 1, 5, &err) &&
               strstr(err.text, "exp_avg_sq"),
           "moments of another optimizer are refused");
    need(ckpt_load_state(folder, &s, &err), &err);
    tap_ok(s.step == 5 && s.at.epoch == 1 && s.at.batch == 2 &&
               s.total_steps == 6 && s.seed == 42 && !s.stopped,
           "position");
    tap_ok(s.metric == 0.1 && s.monitor.early_best == 1.0 / 3 &&
               s.monitor.early_bad == 3 && s.monitor.n_kept == 2 &&
               isnan(s.monitor.kept[0].value) && s.monitor.kept[0].periodic,
           "watched number, to the last bit");
    tap_ok(s.plateau.best == 1.0 / 7 && s.plateau.bad == 2 &&
               s.plateau.cooldown == 1 && s.plateau.rate == 0.1 / 3 &&
               s.scalars.skipped == 4 && s.scalars.rate_max == 0.1 / 7 &&
               s.scalars.weight_sum == 1.0 / 9,
           "scheduler and optimizer, to the last bit");
    tap_is(s.fingerprint, x->state.fingerprint, "fingerprint");
    ckpt_state_release(&s);
    free(folder);
}

/* Every file is checked. */
static void test_damage(struct fixture *x)
{
    static const char *const files[] = {
        "model.safetensors", "optimizer.safetensors", "dataset.safetensors",
        "trainer.json", "config.yml"};
    char command[256];
    struct ckpt_model c;
    struct err err;
    size_t i;

    for (i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(command, sizeof command,
                 "cp best/%s keep && printf x >>best/%s", files[i], files[i]);
        shell(x, command);
        tap_ok(ckpt_verify(in_run(x, "step-00000005"), NULL, &err) &&
                   err.status == ERR_DATA && strstr(err.text, files[i]),
               "a byte more in %s", files[i]);
        snprintf(command, sizeof command, "cp keep best/%s", files[i]);
        shell(x, command);
    }
    shell(x, "head -c 3000 lone.safetensors >cut.safetensors");
    tap_ok(ckpt_load_model(&c, in_run(x, "cut.safetensors"), &err) &&
               err.status == ERR_DATA && strstr(err.text, "cut.safetensors"),
           "a file that is cut");
    tap_ok(ckpt_load_model(&c, in_run(x, "nothing"), &err) &&
               err.status == ERR_MISSING,
           "nothing there");
    tap_ok(ckpt_load_model(&c, x->run, &err) && err.status == ERR_DATA &&
               strstr(err.text, "DONE"),
           "a folder that is no checkpoint");
}

/* Averaged weights are the model, the others are beside it. */
static void test_average(struct fixture *x)
{
    static float average[4096], got[4096];
    size_t n = x->model.n_weights, i;
    struct ckpt_model c;
    struct err err;

    for (i = 0; i < n; i++)
        average[i] = x->model.weights[i] + 1;
    x->all.average = average;
    need(ckpt_save(x->run, &x->all, &err), &err);
    need(ckpt_load_model(&c, in_run(x, "best"), &err), &err);
    tap_ok(memcmp(c.model.weights, average, n * sizeof *got) == 0,
           "the model is the average");
    ckpt_model_release(&c);
    need(ckpt_load_weights(in_run(x, "best"), "raw.safetensors", &x->model,
                           got, &err),
         &err);
    tap_ok(memcmp(got, x->model.weights, n * sizeof *got) == 0,
           "raw.safetensors has the weights themselves");
    need(ckpt_verify(in_run(x, "best"), NULL, &err), &err);
    shell(x, "cp best/raw.safetensors keep && printf x >>best/raw.safetensors");
    tap_ok(ckpt_verify(in_run(x, "best"), NULL, &err) &&
               strstr(err.text, "raw.safetensors"),
           "a byte more in raw.safetensors");
    x->all.average = NULL;
    need(ckpt_save(x->run, &x->all, &err), &err);
    tap_ok(access(in_run(x, "best/raw.safetensors"), F_OK) != 0,
           "without an average there is none");
}

/* Tensors that are missing or foreign. */
static void test_tensors(struct fixture *x)
{
    struct model_param kept = x->model.params[1];
    struct ckpt_model c;
    struct err err;

    x->state.step = 6;
    need(monitor_add(&x->state.monitor, 6, 0, false, &err), &err);
    strcpy(x->model.params[1].name, "network.0.conv1.other");
    need(ckpt_save(x->run, &x->all, &err), &err);
    x->model.params[1] = kept;
    tap_ok(ckpt_load_model(&c, in_run(x, "step-00000006"), &err) &&
               err.status == ERR_DATA &&
               strstr(err.text, "network.0.conv1.bias"),
           "a tensor that is missing: %s", err.text);
    need(ckpt_save(x->run, &x->all, &err), &err);
    tap_ok(ckpt_load_model(&c, in_run(x, "step-00000006"), &err) == 0,
           "saving over a step replaces it");
    ckpt_model_release(&c);
}

/* What killed runs leave, and what need not be kept. */
static void test_tidy(struct fixture *x)
{
    struct monitor keep;
    uint64_t size = 0;
    char *folder;
    struct err err;

    monitor_init(&keep);
    need(monitor_add(&keep, 5, NAN, false, &err), &err);
    shell(x, "mkdir .tmp-step-00000007-1 step-00000008 && "
             "touch .tmp-step-00000007-1/model.safetensors");
    need(ckpt_link(x->run, "last", 8, &err), &err);
    need(ckpt_latest(x->run, &folder, &err), &err);
    tap_is(folder, in_run(x, "step-00000006"),
           "last without DONE: the highest step that is done");
    free(folder);
    need(ckpt_tidy(x->run, &keep, &err), &err);
    tap_ok(access(in_run(x, ".tmp-step-00000007-1"), F_OK) != 0 &&
               access(in_run(x, "step-00000006"), F_OK) != 0 &&
               access(in_run(x, "step-00000008"), F_OK) != 0 &&
               access(in_run(x, "step-00000005/DONE"), F_OK) == 0,
           "only what is listed stays");
    need(ckpt_try(x->run, &x->all, &size, &err), &err);
    tap_ok(size > 1000 && size < ckpt_room(x->run),
           "a trial says how large a checkpoint is");
    tap_ok(access(in_run(x, "step-00000006"), F_OK) != 0,
           "a trial leaves nothing");
    shell(x, "rm -r step-00000005");
    need(ckpt_latest(x->run, &folder, &err), &err);
    tap_ok(!folder, "an empty run folder has none");
    monitor_release(&keep);
}

/* Floats as text and back. */
static void test_base64(void)
{
    static const float values[3] = {1, -0.0f, 3.14159274f};
    float back[3];
    struct buf b = {0};

    base64_put_floats(&b, values, 3);
    tap_is(buf_text(&b), "AACAPwAAAIDbD0lA", "base64 as Python's");
    tap_ok(base64_parse_floats("AACAPwAAAIDbD0lA", back, 3) == 0 &&
               memcmp(back, values, sizeof back) == 0,
           "and back");
    tap_ok(base64_parse_floats("AACAPw==", back, 1) == 0 && back[0] == 1,
           "with padding");
    tap_ok(base64_parse_floats("AACAPw==", back, 2) &&
               base64_parse_floats("AACA*w==", back, 1) &&
               base64_parse_floats("AACAPw", back, 1),
           "nothing else is read");
    buf_release(&b);
}

int main(void)
{
    static struct fixture x;

    test_base64();
    make(&x);
    test_model(&x);
    test_state(&x);
    test_damage(&x);
    test_average(&x);
    test_tensors(&x);
    test_tidy(&x);
    shell(&x, "cd / && rm -r \"$OLDPWD\"");
    frame_release(&x.dataset);
    intake_plan_release(&x.plan);
    ckpt_state_release(&x.state);
    model_release(&x.model);
    config_release(&x.config);
    return tap_done();
}
