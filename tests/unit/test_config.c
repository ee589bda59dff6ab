/*
 * Unit tests of core/config: defaults, errors with their places, presets,
 * round trips. `test_config --mdoc` prints the list of keys of
 * man/a2b-config.5, to be put between its marker comments.
 */
#include <stdlib.h>
#include <unistd.h>

#include "core/config.h"
#include "tap.h"

/* Where texts are written for config_load(). */
static char file_path[256];

/* Writes text to the file. */
static void write_file(const char *text)
{
    FILE *f = fopen(file_path, "wb");

    if (!f || fputs(text, f) == EOF || fclose(f))
        exit(99);
}

/* An error's text with the file's path written x.yml. */
static const char *shown(const struct err *err)
{
    static char text[1100];

    if (strncmp(err->text, file_path, strlen(file_path)) != 0)
        return err->text;
    snprintf(text, sizeof text, "x.yml%s", err->text + strlen(file_path));
    return text;
}

/* Starts a config at its defaults or dies. */
static void start(struct config *c)
{
    struct err err;

    if (config_init(c, &err)) {
        printf("Bail out! %s\n", err.text);
        exit(99);
    }
}

/* Loads text, makes one assignment (or none), settles. 0, or -1. */
static int load(struct config *c, const char *yaml, const char *set,
                struct buf *notes, struct err *err)
{
    start(c);
    if (yaml) {
        write_file(yaml);
        if (config_load(c, file_path, err))
            return -1;
    }
    if (set && config_set(c, set, err))
        return -1;
    return config_settle(c, notes, err);
}

/* Text that must fail with this line and status 2. */
static void fails(const char *yaml, const char *set, const char *want)
{
    struct config c;
    struct err err = {0};

    if (load(&c, yaml, set, NULL, &err) == 0)
        tap_ok(false, "must fail: %s", want);
    else if (tap_is(shown(&err), want, want) && err.status != ERR_USAGE)
        tap_ok(false, "status 2: %s", want);
    config_release(&c);
}

/* Text that must load, with these notes. */
static void notes_are(const char *yaml, const char *want, const char *name)
{
    struct config c;
    struct err err = {0};
    struct buf notes = {0};

    if (load(&c, yaml, NULL, &notes, &err))
        tap_ok(false, "%s: %s", name, err.text);
    else
        tap_is(buf_text(&notes), want, name);
    buf_release(&notes);
    config_release(&c);
}

/* Text that must load. */
static void loads(const char *yaml, const char *set, const char *name)
{
    struct config c;
    struct err err = {0};
    int bad = load(&c, yaml, set, NULL, &err);

    tap_ok(!bad, "%s%s%s", name, bad ? ": " : "", bad ? shown(&err) : "");
    config_release(&c);
}

/* Defaults are upstream's, and ours where it has none. */
static void test_defaults(void)
{
    struct config c;
    struct err err;

    if (load(&c, NULL, NULL, NULL, &err))
        exit(99);
    tap_ok(c.optimizer.name == CONFIG_ADAMW &&
               c.optimizer.learning_rate == 1e-4 &&
               c.optimizer.weight_decay == 0.01 &&
               c.optimizer.beta1 == 0.9 && c.optimizer.beta2 == 0.999 &&
               c.optimizer.eps == 1e-8 && c.optimizer.momentum == 0 &&
               c.optimizer.scheduler.name == CONFIG_COSINE &&
               c.optimizer.gradient_clip_val == 1,
           "optimizer defaults");
    tap_ok(c.seed == 42 && c.data.batch_size == 32 &&
               c.data.num_workers == 4 && c.data.prefetch_size == 2 &&
               c.data.pool == 16 && c.data.n_train_datasets == 0,
           "data defaults");
    tap_ok(c.metrics.n_train_metrics == 1 && c.metrics.n_val_metrics == 3 &&
               strcmp(c.metrics.val_metrics[2], "dtw") == 0 &&
               c.metrics.val_check_interval == 1 &&
               !c.metrics.val_check_steps && c.metrics.early_stopping &&
               c.metrics.early_stopping_patience == 10 &&
               c.metrics.early_stopping_min_delta == 1e-4,
           "metrics defaults");
    tap_ok(c.checkpoint.save_top_k == 3 && !c.checkpoint.mode_max &&
               strcmp(c.checkpoint.monitor, "val_loss") == 0 &&
               c.checkpoint.save_last && !c.checkpoint.checkpoint_dir &&
               c.checkpoint.save_every_n_steps == 1000 &&
               c.logging.log_every_n_steps == 50 &&
               c.train.max_epochs == 100 &&
               c.train.accumulate_grad_batches == 1 &&
               c.cache.size == INT64_C(10) << 30,
           "checkpoint, train and cache defaults");
    tap_ok(c.model.architecture == CONFIG_TCN &&
               c.model.tcn.input_size == 40 &&
               c.model.tcn.output_size == 1 && c.model.tcn.num_blocks == 5 &&
               c.model.tcn.num_channels == 64 &&
               c.model.tcn.kernel_size == 3 && c.model.tcn.dropout == 0.2 &&
               c.model.tcn.dilation_base == 2,
           "model defaults");
    tap_ok(c.loss.name == CONFIG_LOSS_MSE && c.loss.n_terms == 1 &&
               c.loss.terms[0].name == CONFIG_LOSS_MSE &&
               c.loss.terms[0].weight == 1,
           "a plain loss has one term");
    tap_ok(c.n_datasets == 2 && config_dataset(&c, "hku956") &&
               config_dataset(&c, "hku956")->kind == DATASET_HKU956 &&
               !config_dataset(&c, "other"),
           "both datasets are there");
    tap_is(config_dataset(&c, "pmemo2019")->root,
           "s3://audio2biosignal-train-data/PMEmo2019/", "default root");
    tap_ok(config_dataset(&c, "hku956")->split_ratios[0] == 0.8 &&
               config_dataset(&c, "hku956")->split_ratios[2] == 0.1 &&
               config_dataset(&c, "hku956")->split_by == CONFIG_SPLIT_SONG &&
               config_dataset(&c, "hku956")->seed == 42,
           "split defaults");
    tap_ok(c.features.audio_target_sample_rate == 16000 &&
               c.features.audio_n_fft == 2048 &&
               c.features.audio_hop_length == 1600 &&
               c.features.audio_top_db == 80 && c.features.audio_f_max == 0,
           "feature defaults, n_fft follows the window");
    config_release(&c);
}

/* Schedulers: what is not there, and what another one has. */
static void test_scheduler_errors(void)
{
    fails("optimizer: {name: sgd, nesterov: true, momentum: 0.9, "
          "dampening: 0.1}\n", NULL,
          "x.yml:1:34: optimizer.nesterov: needs optimizer.momentum over 0 "
          "and optimizer.dampening 0");
    fails("optimizer: {name: schedule_free_adamw, ema_decay: 0.9}\n", NULL,
          "x.yml:1:51: optimizer.ema_decay: schedule_free_adamw has an "
          "average of its own");
    fails("optimizer:\n    scheduler: cosin\n", NULL,
          "x.yml:2:16: optimizer.scheduler.name: want one of constant, "
          "linear, cosine, cosine_with_restarts, cosine_warm_restarts, "
          "step, multistep, exponential, polynomial, inverse_sqrt, "
          "onecycle, cyclic, wsd, reduce_on_plateau, constant_torch, "
          "linear_torch, sequential, chained, got \"cosin\"");
    fails("optimizer: {scheduler: {name: step, t_max: 3}}\n", NULL,
          "x.yml:1:44: optimizer.scheduler.t_max: step has no such "
          "parameter (it has step_size, gamma)");
    fails("optimizer: {scheduler: {name: chained, schedulers: [{name: step, "
          "t_0: 3}]}}\n", NULL,
          "x.yml:1:66: optimizer.scheduler.t_0: step has no such "
          "parameter (it has step_size, gamma)");
    fails("optimizer: {scheduler: {name: chained, schedulers: [onecycle]}}\n",
          NULL, "x.yml:1:53: optimizer.scheduler.schedulers: want a list of "
          "{name: word, parameters}, got \"onecycle\"");
    fails("optimizer: {scheduler: {name: multistep, milestones: [3, 3]}}\n",
          NULL, "x.yml:1:58: optimizer.scheduler.milestones: want a rising "
          "list of integers in 1..1000000000, got \"3\"");
    fails("optimizer: {scheduler: cosine_warm_restarts}\n", NULL,
          "optimizer.scheduler.t_0: cosine_warm_restarts needs it");
    fails("optimizer: {scheduler: onecycle, name: sgd}\n", NULL,
          "x.yml:1:24: optimizer.scheduler.cycle_momentum: needs "
          "optimizer.momentum over 0; or set it false");
}

/* Every kind of error names file, line, column and what is right. */
static void test_errors(void)
{
    fails("optimizer:\n  learnin_rate: 1\n", NULL,
          "x.yml:2:3: optimizer.learnin_rate: unknown key (did you mean "
          "learning_rate?)");
    fails("data:\n  batch_size: many\n", NULL,
          "x.yml:2:15: data.batch_size: want an integer in 1..1048576, got "
          "\"many\"");
    fails("data:\n  batch_size: \"32\"\n", NULL,
          "x.yml:2:15: data.batch_size: want an integer in 1..1048576, got "
          "the text \"32\"");
    fails("data: {batch_size: 0}\n", NULL,
          "x.yml:1:20: data.batch_size: want an integer in 1..1048576, got "
          "\"0\"");
    fails("data: {batch_size: 1.0}\n", NULL,
          "x.yml:1:20: data.batch_size: want an integer in 1..1048576, got "
          "\"1.0\"");
    fails("data: {batch_size: [1]}\n", NULL,
          "x.yml:1:20: data.batch_size: want an integer in 1..1048576, got "
          "a list");
    fails("data: {batch_size: }\n", NULL,
          "x.yml:1:20: data.batch_size: want an integer in 1..1048576, got "
          "null");
    fails("data: {batch_size: 010}\n", NULL,
          "x.yml:1:20: data.batch_size: want an integer in 1..1048576, got "
          "\"010\"");
    fails("optimizer: {beta1: 1}\n", NULL,
          "x.yml:1:20: optimizer.beta1: want a number in [0, 1), got \"1\"");
    fails("optimizer: {learning_rate: .nan}\n", NULL,
          "x.yml:1:28: optimizer.learning_rate: want a number in 0..1000, "
          "got \".nan\"");
    fails("optimizer: {learning_rate: nan}\n", NULL,
          "x.yml:1:28: optimizer.learning_rate: want a number in 0..1000, "
          "got \"nan\"");
    fails("optimizer: {nesterov: 1}\n", NULL,
          "x.yml:1:23: optimizer.nesterov: want true or false, got \"1\"");
    fails("optimizer:\n    name: lions\n", NULL,
          "x.yml:2:11: optimizer.name: want one of sgd, adam, adamw, "
          "rmsprop, lion, schedule_free_adamw, got \"lions\"");
    fails("optimizer: [1]\n", NULL,
          "x.yml:1:12: optimizer: want a mapping, got a list");
    fails("just text\n", NULL,
          "x.yml:1:1: config: want a mapping, got \"just text\"");
    fails("seed: 1\nloss:\n  name: mse\nseed: 2\n", NULL,
          "x.yml:4:1: seed: written twice, first in line 1");
    fails("optimizer:\n  scheduler: linear\n  scheduler_config: cosine\n",
          NULL, "x.yml:3:3: optimizer.scheduler: written twice, first in "
          "line 2");
    fails("optimizer:\n  warmup_steps: 3\n  scheduler: {name: linear, "
          "warmup_steps: 4}\n", NULL,
          "x.yml:3:29: optimizer.warmup_steps: written twice");
    fails("optimizer.name: sgd\n", NULL,
          "x.yml:1:1: optimizer.name: unknown key (a key is one word, "
          "sections are nested)");
    fails("? [a]\n: 1\n", NULL,
          "x.yml:1:3: config: want a word as key, got a list");
    fails("loss: {name: mse, zzzzzzzzzz: 1}\n", NULL,
          "x.yml:1:19: loss.zzzzzzzzzz: unknown key (known: name, delta, "
          "beta, spectral_sizes, soft_dtw_gamma, soft_dtw_pool, terms)");
    fails("hardware: {batch_size: 1}\n", NULL,
          "x.yml:1:12: hardware.batch_size: unknown key (did you mean "
          "data.batch_size?)");
    fails("optimiser: {name: sgd}\n", NULL,
          "x.yml:1:1: optimiser: unknown key (did you mean optimizer?)");
    fails("seed: !!int 5\n", NULL,
          "x.yml:1:7: seed: tag tag:yaml.org,2002:int is not supported");
    fails("experiment_name: \"a\\0b\"\n", NULL,
          "x.yml:1:18: experiment_name: text with U+0000");
    fails("seed: 1\n---\nseed: 2\n", NULL,
          "x.yml:3:1: a second YAML document; want one");
    fails("seed: [1\n", NULL,
          "x.yml:2:1: not YAML: did not find expected ',' or ']', while "
          "parsing a flow sequence");
    fails("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", NULL,
          "x.yml:1:35: nested over 32 levels deep, no config");
    fails("seed: \xff\n", NULL,
          "x.yml: byte 6: not YAML: invalid leading UTF-8 octet");
}

/* A document far longer than a config is refused before it costs time. */
static void test_extent(void)
{
    struct buf text = {0};
    int i;

    buf_puts(&text, "datasets:\n");
    for (i = 0; i < 6000; i++)
        buf_printf(&text, "  d%d: {}\n", i);
    fails(buf_text(&text), NULL,
          "x.yml:3333:11: over 10000 values, no config");
    buf_release(&text);
}

/* Keys at their places of older versions name the new place. */
static void test_moved(void)
{
    fails("seed: 1\nbatch_size: 3\n", NULL,
          "x.yml:2:1: batch_size: a key of an older version, it is "
          "data.batch_size now");
    fails("num_train_epochs: 3\n", NULL,
          "x.yml:1:1: num_train_epochs: a key of an older version, it is "
          "train.max_epochs now");
    fails("max_epochs: 3\n", NULL,
          "x.yml:1:1: max_epochs: a key of an older version, it is "
          "train.max_epochs now");
    fails("early_stopping_patience: 3\n", NULL,
          "x.yml:1:1: early_stopping_patience: a key of an older version, "
          "it is metrics.early_stopping_patience now");
    fails("gradient_clip_val: 3\n", NULL,
          "x.yml:1:1: gradient_clip_val: a key of an older version, it is "
          "optimizer.gradient_clip_val now");
    fails("logging:\n  val_metrics: [mse]\n", NULL,
          "x.yml:2:3: logging.val_metrics: a key of an older version, it is "
          "metrics.val_metrics now");
    fails("logging:\n  log_config: true\n", NULL,
          "x.yml:2:3: logging.log_config: a key of an older version, it is "
          "gone and can be left out");
}

/* Rules of lists, mappings and sections that are not plain values. */
static void test_compound_errors(void)
{
    fails("metrics:\n  train_metrics: [loss, r]\n", NULL,
          "x.yml:2:25: metrics.train_metrics: want a list out of loss, mse, "
          "rmse, mae, pearson, spearman, ccc, r2, dtw, dtw_norm, dtw@5%, "
          "frechet, got \"r\"");
    fails("metrics: {train_metrics: loss}\n", NULL,
          "x.yml:1:26: metrics.train_metrics: want a list out of loss, mse, "
          "rmse, mae, pearson, spearman, ccc, r2, dtw, dtw_norm, dtw@5%, "
          "frechet, got \"loss\"");
    fails("metrics: {val_check_interval: 1.5}\n", NULL,
          "x.yml:1:31: metrics.val_check_interval: want a number in (0, 1] "
          "or an integer from 1, got \"1.5\"");
    fails("metrics: {val_check_interval: '1.0'}\n", NULL,
          "x.yml:1:31: metrics.val_check_interval: want a number in (0, 1] "
          "or an integer from 1, got the text \"1.0\"");
    fails("data:\n  train_datasets: [hku956, foo]\n", NULL,
          "x.yml:2:19: data.train_datasets: unknown dataset \"foo\" (known: "
          "hku956, pmemo2019)");
    fails("data:\n  train_datasets: [hku956, hku956]\n", NULL,
          "x.yml:2:19: data.train_datasets: hku956 is written twice");
    fails("data:\n  sampling_weights: {hku956: 0}\n", NULL,
          "x.yml:2:30: data.sampling_weights: want a mapping of dataset "
          "words to numbers in (0, 1e9], got \"0\"");
    fails("data:\n  sampling_weights: {foo: 1}\n", NULL,
          "x.yml:2:21: data.sampling_weights: unknown dataset \"foo\" "
          "(known: hku956, pmemo2019)");
    fails("datasets:\n  mine:\n    split_ratios: [0.5, 0.1, 0.1]\n", NULL,
          "x.yml:3:19: datasets.mine.split_ratios: want a list of 3 numbers "
          "that sum to 1, got a sum of 0.7");
    fails("datasets:\n  mine:\n    split_ratios: [0.5, 0.5]\n", NULL,
          "x.yml:3:19: datasets.mine.split_ratios: want a list of 3 numbers "
          "that sum to 1, got a list");
    fails("datasets:\n  mine:\n    root: a\n    dataset_root_path: b\n",
          NULL, "x.yml:4:5: datasets.mine.root: written twice, first in "
          "line 3");
    fails("datasets:\n  'a/b':\n    root: a\n", NULL,
          "x.yml:2:3: datasets.a/b: want a name of letters, digits, - and "
          "_, at most 64");
    fails("datasets:\n  mine:\n    rot: a\n", NULL,
          "x.yml:3:5: datasets.mine.rot: unknown key (did you mean root?)");
    fails("datasets:\n  mine:\n    data_directories: {eeg: a}\n", NULL,
          "x.yml:3:24: datasets.mine.data_directories.eeg: unknown key (did "
          "you mean eda?)");
    fails("loss:\n  name: custom\n", NULL,
          "x.yml:2:9: loss.terms: loss.name custom needs a list of {name, "
          "weight}");
    fails("loss:\n  terms: [{name: mse, weight: 1}]\n", NULL,
          "x.yml:2:10: loss.terms: has an effect only with loss.name "
          "custom");
    fails("loss:\n  name: custom\n  terms:\n  - {name: mse}\n", NULL,
          "x.yml:4:5: loss.terms: want a list of {name: word, weight: "
          "number}, words out of mse, l1, huber, smooth_l1, ccc, pearson, "
          "derivative, spectral, soft_dtw, got a mapping");
    fails("loss:\n  name: custom\n  terms:\n  - {name: x, weight: 1}\n",
          NULL, "x.yml:4:12: loss.terms: want a list of {name: word, weight: "
          "number}, words out of mse, l1, huber, smooth_l1, ccc, pearson, "
          "derivative, spectral, soft_dtw, got \"x\"");
}

/* Rules of the model section, whose keys depend on its architecture. */
static void test_model_errors(void)
{
    static const char keys[] =
        "input_size, output_size, num_blocks, num_channels, kernel_size, "
        "dropout";
    char want[512];

    snprintf(want, sizeof want, "x.yml:2:11: model.params: key output_size "
             "is missing (a tcn needs %s)", keys);
    fails("model:\n  params: {input_size: 40}\n", NULL, want);
    snprintf(want, sizeof want, "x.yml:2:3: model.params: key input_size "
             "is missing (a tcn needs %s)", keys);
    fails("model:\n  architecture: tcn\n", NULL, want);
    snprintf(want, sizeof want, "x.yml:3:24: model.params.num_stacks: "
             "unknown key of a tcn (known: %s, dilation_base, padding, "
             "norm)", keys);
    fails("model:\n  params: {input_size: 40, output_size: 1, num_blocks: 2,"
          "\n           num_stacks: 3, num_channels: 4, kernel_size: 3, "
          "dropout: 0}\n", NULL, want);
    snprintf(want, sizeof want, "x.yml:2:12: model.params.layers: "
             "unknown key of a tcn (known: %s, dilation_base, padding, "
             "norm)", keys);
    fails("model:\n  params: {layers: 40}\n", NULL, want);
    fails("model:\n  params: {dropout: 1}\n", NULL,
          "x.yml:2:21: model.params.dropout: want a number in [0, 1), got "
          "\"1\"");
    fails("model:\n  params: {dropout_rate: 1}\n  architecture: wavenet\n",
          NULL, "x.yml:2:26: model.params.dropout_rate: want a number in "
          "[0, 1), got \"1\"");
    fails("model:\n  params: {kernel_size: 0}\n", NULL,
          "x.yml:2:25: model.params.kernel_size: want an integer in "
          "1..1024, got \"0\"");
    fails("model:\n  architecture: lstm\n", NULL,
          "x.yml:2:17: model.architecture: want one of tcn, wavenet, got "
          "\"lstm\"");
    fails("model:\n  params: {input_size: 4, output_size: 1, num_blocks: 40,"
          "\n   num_channels: 4, kernel_size: 3, dropout: 0}\n", NULL,
          "x.yml:2:11: model.params.dilation_base: 2 to the power of 39 "
          "layers is over 2^30 frames");
}

/* A wavenet whose params come before its architecture. */
static const char wavenet[] =
    "model:\n"
    "  params:\n"
    "    num_stacks: 2\n    num_layers_per_stack: 4\n"
    "    residual_channels: 8\n    skip_channels: 9\n    kernel_size: 5\n"
    "    dilation_base: 3\n    dropout_rate: 0\n    input_channels: 40\n"
    "    output_channels: 1\n    use_bias: False\n    gate: split\n"
    "  architecture: wavenet\n";

/* Params of a wavenet, as --set takes them. */
static const char wavenet_set[] =
    "model.params={num_stacks: 2, num_layers_per_stack: 4, "
    "residual_channels: 8, skip_channels: 9, kernel_size: 5, dilation_base: "
    "3, dropout_rate: 0, input_channels: 40, output_channels: 1, use_bias: "
    "off, head_bias: on}";

/* model.params in every order, and replaced by --set. */
static void test_model(void)
{
    struct config c;
    struct err err;

    tap_ok(load(&c, wavenet, NULL, NULL, &err) == 0 &&
               c.model.architecture == CONFIG_WAVENET &&
               c.model.wavenet.kernel_size == 5 &&
               c.model.wavenet.dilation_base == 3 &&
               !c.model.wavenet.use_bias && !c.model.wavenet.head_bias &&
               c.model.wavenet.gate == CONFIG_GATE_SPLIT &&
               c.model.wavenet.head == CONFIG_HEAD_SHARED,
           "params before architecture, head_bias follows use_bias");
    config_release(&c);
    start(&c);
    tap_ok(config_set(&c, "model.architecture=wavenet", &err) == 0 &&
               config_set(&c, wavenet_set, &err) == 0 &&
               config_settle(&c, NULL, &err) == 0 &&
               c.model.wavenet.skip_channels == 9 &&
               !c.model.wavenet.use_bias && c.model.wavenet.head_bias,
           "a wavenet by --set");
    tap_ok(config_set(&c, "model.params.kernel_size=7", &err) == 0 &&
               config_settle(&c, NULL, &err) == 0 &&
               c.model.wavenet.kernel_size == 7 &&
               c.model.wavenet.skip_channels == 9,
           "one param by --set keeps the others");
    config_release(&c);
    tap_ok(load(&c, "model:\n  params: {input_size: 4, output_size: 1, "
                "num_blocks: 2, num_channels: 4, kernel_size: 3, dropout: 0, "
                "dilation_base: 5}\n", "model.params={input_size: 8, "
                "output_size: 1, num_blocks: 2, num_channels: 4, "
                "kernel_size: 3, dropout: 0}", NULL, &err) == 0 &&
               c.model.tcn.input_size == 8 && c.model.tcn.dilation_base == 2,
           "the whole of model.params by --set forgets the file's");
    config_release(&c);
    loads(NULL, "model.params.num_channels=32",
          "one param of the default tcn by --set");
    fails(wavenet, "model.architecture=tcn",
          "x.yml:3:17: model.params.num_stacks: unknown key of a tcn (known: "
          "input_size, output_size, num_blocks, num_channels, kernel_size, "
          "dropout, dilation_base, padding, norm)");
}

/* --set takes YAML and says what is wrong without a place. */
static void test_set(void)
{
    struct config c;
    struct err err;

    start(&c);
    tap_ok(config_set(&c, "optimizer.learning_rate=2e-3", &err) == 0 &&
               c.optimizer.learning_rate == 2e-3, "a number");
    tap_ok(config_set(&c, "data.train_datasets=[hku956, pmemo2019]",
                      &err) == 0 && c.data.n_train_datasets == 2 &&
               strcmp(c.data.train_datasets[1], "pmemo2019") == 0,
           "a list");
    tap_ok(config_set(&c, "optimizer={name: sgd, momentum: 0.9}", &err) ==
               0 && c.optimizer.name == CONFIG_SGD &&
               c.optimizer.learning_rate == 2e-3,
           "a section keeps what it does not name");
    tap_ok(config_set(&c, "optimizer.scheduler=linear", &err) == 0 &&
               c.optimizer.scheduler.name == CONFIG_LINEAR,
           "scheduler, a word");
    tap_ok(config_set(&c, "optimizer.scheduler_config={name: cosine, "
                      "eta_min: 1e-6, warmup_ratio: 0.1}", &err) == 0 &&
               c.optimizer.scheduler.name == CONFIG_COSINE &&
               c.optimizer.scheduler.eta_min == 1e-6 &&
               c.optimizer.warmup_ratio == 0.1, "scheduler, a mapping");
    tap_ok(config_set(&c, "optimizer.scheduler={gamma: 0.5, name: step}",
                      &err) == 0 &&
               config_set(&c, "optimizer.scheduler.step_size=7", &err) == 0 &&
               c.optimizer.scheduler.gamma == 0.5 &&
               c.optimizer.scheduler.step_size == 7 &&
               c.optimizer.scheduler.eta_min == 0,
           "a new name forgets the parameters before it");
    tap_ok(config_set(&c, "optimizer.scheduler=cosine", &err) == 0 &&
               c.optimizer.scheduler.gamma == 0, "as a word too");
    tap_ok(config_set(&c, "checkpoint.checkpoint_dir=a", &err) == 0 &&
               config_set(&c, "checkpoint.checkpoint_dir=", &err) == 0 &&
               !c.checkpoint.checkpoint_dir, "nothing is null");
    tap_ok(config_set(&c, "datasets.mine.root=/data/x", &err) == 0 &&
               config_dataset(&c, "mine")->kind == DATASET_OTHER &&
               strcmp(config_dataset(&c, "mine")->root, "/data/x") == 0,
           "a new dataset");
    tap_ok(config_set(&c, "cache.size=1536M", &err) == 0 &&
               c.cache.size == INT64_C(1536) << 20, "a size");
    tap_ok(config_set(&c, "features.eda_normalize=off", &err) == 0 &&
               c.features.eda_normalize == CONFIG_NORMALIZE_NONE &&
               config_set(&c, "features.eda_normalize=true", &err) == 0 &&
               c.features.eda_normalize == CONFIG_NORMALIZE_RECORDING,
           "eda_normalize as a boolean");
    tap_ok(config_set(&c, "metrics.val_check_interval=1", &err) == 0 &&
               c.metrics.val_check_steps &&
               config_set(&c, "metrics.val_check_interval=1.0", &err) == 0 &&
               !c.metrics.val_check_steps, "1 is not 1.0");
    config_release(&c);
    fails(NULL, "seed", "want KEY=VALUE, got \"seed\"");
    fails(NULL, "optimizer.learnin_rate=1",
          "optimizer.learnin_rate: unknown key (did you mean "
          "learning_rate?)");
    fails(NULL, "optimizr.name=sgd",
          "optimizr: unknown key (did you mean optimizer?)");
    fails(NULL, "seed.x=1", "seed: is a value and has no keys below it");
    fails(NULL, "=1", "\"\": unknown key (a key is one word, sections are "
          "nested)");
    fails(NULL, "features.audio_n_mels=many",
          "features.audio_n_mels: want an integer in 1..1024, got \"many\"");
    fails(NULL, "seed=1\n---\n2", "seed: a second YAML document; want one");
    fails(NULL, "seed=[1",
          "seed: not YAML: did not find expected ',' or ']', while parsing "
          "a flow sequence");
}

/* Settings across keys, and hardware that is not here. */
static void test_settle(void)
{
    fails("hardware:\n  device: cuda\n", NULL,
          "x.yml:2:11: hardware.device: cuda is not available here; use "
          "--set hardware.device=auto");
    fails(NULL, "hardware.device=mps", "hardware.device: mps is not "
          "available here; use --set hardware.device=auto");
    fails(NULL, "hardware.precision=fp16", "hardware.precision: fp16 is not "
          "available here; use --set hardware.precision=fp32");
    fails("features:\n  audio_n_mfcc: 50\n  audio_n_mels: 40\n", NULL,
          "x.yml:2:17: features.audio_n_mfcc: 50 is over audio_n_mels 40");
    fails("features: {audio_n_fft: 512}\n", NULL,
          "x.yml:1:25: features.audio_n_fft: 512 is under "
          "audio_window_size 2048");
    fails("features: {audio_f_min: 4000, audio_f_max: 300}\n", NULL,
          "x.yml:1:25: features.audio_f_min: 4000 Hz is not under the upper "
          "edge 300 Hz");
    fails("features: {audio_f_max: 9000}\n", NULL,
          "x.yml:1:25: features.audio_f_max: 9000 Hz is over half of "
          "audio_target_sample_rate 16000");
    fails("features: {audio_delta_width: 6}\n", NULL,
          "x.yml:1:31: features.audio_delta_width: want an odd number, got "
          "6");
    fails("features: {audio_power: 1.5}\n", NULL,
          "x.yml:1:25: features.audio_power: want 1 or 2, got 1.5");
    fails(NULL, "features.audio_hop_length=0",
          "features.audio_hop_length: want an integer in 1..16777216, got "
          "\"0\"");
    fails(NULL, "features.eda_min=70",
          "features.eda_min: 70 is not under eda_max 60");
    fails(NULL, "optimizer={name: sgd, nesterov: true}",
          "optimizer.nesterov: needs optimizer.momentum over 0");
    notes_are("hardware: {num_gpus: 2, distributed: true}\n",
              "hardware.num_gpus: 2 has no effect, the CPU computes\n"
              "hardware.distributed: has no effect; start a2b-train by "
              "mpirun or srun\n", "num_gpus and distributed warn");
    notes_are("features: {audio_hop_length: 3000, eda_window_size: 4}\n",
              "features.audio_hop_length: 3000 is over audio_window_size "
              "2048, audio between windows is skipped\n"
              "features.eda_window_size: has no effect\n",
              "hop over window and keys without effect warn");
    notes_are("datasets: {hku956: {dataset_name: a, modalities: [x, {y: "
              "z}], dataset_root_path: /d, metadata_paths: m.csv}}\n",
              "datasets.hku956.dataset_name: has no effect\n"
              "datasets.hku956.modalities: has no effect\n",
              "upstream's dataset keys are accepted");
    notes_are("metrics: {val_check_interval: 1}\n",
              "metrics.val_check_interval: 1 is after every optimizer step; "
              "1.0 is once an epoch\n", "1 where 1.0 may be meant warns");
}

/* A plain loss is one term of itself. */
static void test_loss(void)
{
    struct config c;
    struct err err;

    tap_ok(load(&c, "loss: {name: huber, delta: 2}\n", NULL, NULL, &err) ==
               0 && c.loss.n_terms == 1 && c.loss.delta == 2 &&
               c.loss.terms[0].name == CONFIG_LOSS_HUBER &&
               c.loss.terms[0].weight == 1, "huber is its own term");
    tap_ok(config_set(&c, "loss.name=ccc", &err) == 0 &&
               config_settle(&c, NULL, &err) == 0 && c.loss.n_terms == 1 &&
               c.loss.terms[0].name == CONFIG_LOSS_CCC,
           "settling again follows a new name");
    config_release(&c);
}

/* YAML as people and upstream write it. */
static void test_yaml(void)
{
    struct config c;
    struct err err;

    loads("", NULL, "an empty file");
    loads("---\n# nothing\n", NULL, "only comments");
    loads("\xef\xbb\xbfseed: 1\n", NULL, "a byte order mark");
    loads("optimizer:\nloss: ~\nmodel:\n", NULL, "empty sections");
    loads("seed: 1\r\nloss:\r\n  name: l1\r\n", NULL, "CRLF");
    loads("data:\n  train_datasets: &d [hku956]\n  val_datasets: *d\n", NULL,
          "anchors and aliases");
    loads("optimizer: {nesterov: No, name: adam}\nhardware: {distributed: "
          "off}\nmetrics: {early_stopping: YES}\n", NULL, "YAML booleans");
    tap_ok(load(&c, "datasets:\n  pmemo2019:\n    dataset_root_path: data/p\n"
                "    metadata_paths: m.csv\n    data_directories: {eda: E}\n"
                "    split_by: subject\n    seed: 7\n"
                "loss: {name: custom, terms: [{weight: 0.5, name: pearson}, "
                "{name: mse, weight: 1}]}\n"
                "checkpoint: {mode: max}\nexperiment_name: 123\n",
                NULL, NULL, &err) == 0, "a file with many keys");
    tap_is(config_dataset(&c, "pmemo2019")->root, "data/p", "root's alias");
    tap_ok(config_dataset(&c, "pmemo2019")->n_metadata_paths == 1 &&
               strcmp(config_dataset(&c, "pmemo2019")->eda_directory, "E") ==
                   0 && !config_dataset(&c, "pmemo2019")->audio_directory &&
               config_dataset(&c, "pmemo2019")->split_by ==
                   CONFIG_SPLIT_SUBJECT,
           "dataset keys; one path is a list of one");
    tap_ok(c.loss.n_terms == 2 &&
               c.loss.terms[0].name == CONFIG_LOSS_PEARSON &&
               c.loss.terms[0].weight == 0.5 &&
               c.loss.terms[1].name == CONFIG_LOSS_MSE, "loss terms");
    tap_ok(c.checkpoint.mode_max &&
               strcmp(c.experiment_name, "123") == 0, "mode, a number as text");
    config_release(&c);
    tap_ok(config_init(&c, &err) == 0 &&
               config_load(&c, "/nonexistent/x.yml", &err) &&
               err.status == ERR_MISSING, "no such file is 66");
    config_release(&c);
}

/* Settled audio features under a preset. */
static bool preset(const char *yaml, struct config *c)
{
    struct err err;

    if (load(c, yaml, NULL, NULL, &err) == 0)
        return true;
    printf("# %s\n", err.text);
    return false;
}

/* Presets fill what is not written. */
static void test_presets(void)
{
    struct config c;
    const struct config_features *f = &c.features;

    tap_ok(preset("features: {preset: torchaudio}\n", &c) &&
               f->audio_target_sample_rate == 0 &&
               f->audio_resampler == CONFIG_RESAMPLE_TORCHAUDIO &&
               !f->audio_normalize && f->audio_n_fft == 400 &&
               f->audio_window_size == 400 && f->audio_hop_length == 200 &&
               f->audio_n_mels == 128 && f->audio_n_mfcc == 40 &&
               f->audio_top_db == 80, "torchaudio");
    config_release(&c);
    tap_ok(preset("features: {preset: upstream}\n", &c) &&
               f->audio_target_sample_rate == 0 && f->audio_normalize &&
               f->audio_n_fft == 400 && f->audio_hop_length == 160,
           "upstream");
    config_release(&c);
    tap_ok(preset("features: {preset: librosa}\n", &c) &&
               f->audio_target_sample_rate == 22050 &&
               f->audio_resampler == CONFIG_SOXR_HQ && !f->audio_normalize &&
               f->audio_n_fft == 2048 && f->audio_hop_length == 512 &&
               f->audio_pad_mode == CONFIG_ZERO && f->audio_n_mfcc == 20 &&
               f->audio_mel_scale == CONFIG_SLANEY &&
               f->audio_mel_norm == CONFIG_MEL_NORM_SLANEY, "librosa");
    config_release(&c);
    tap_ok(preset("features: {preset: kaldi}\n", &c) &&
               f->audio_target_sample_rate == 16000 &&
               f->audio_n_fft == 512 && f->audio_window_size == 400 &&
               f->audio_window == CONFIG_POVEY && !f->audio_center &&
               f->audio_preemphasis == 0.97 && f->audio_remove_dc &&
               f->audio_f_min == 20 && f->audio_n_mels == 23 &&
               f->audio_n_mfcc == 13 && f->audio_log == CONFIG_LOG_LN &&
               f->audio_mel_scale == CONFIG_MEL_KALDI &&
               f->audio_amin == 1.1920928955078125e-07 &&
               f->audio_top_db == 0 && f->audio_lifter == 22 &&
               f->audio_use_energy, "kaldi");
    config_release(&c);
    tap_ok(preset("features: {preset: kaldi, audio_window_size: 800}\n",
                  &c) && f->audio_n_fft == 1024,
           "kaldi rounds the window up");
    config_release(&c);
    tap_ok(preset("features: {preset: torchaudio, audio_window_size: 800, "
                  "audio_n_mels: 64}\n", &c) && f->audio_n_fft == 800 &&
               f->audio_n_mels == 64, "written keys win over the preset");
    config_release(&c);
    tap_ok(preset("features: {preset: librosa, audio_window_size: 400}\n",
                  &c) && f->audio_n_fft == 2048,
           "a shorter window keeps the preset's n_fft");
    config_release(&c);
}

/* The YAML of a settled config. */
static void put(const char *yaml, const char *name, struct buf *out)
{
    struct config c;
    struct err err = {0};

    if (load(&c, yaml, NULL, NULL, &err))
        printf("Bail out! %s: %s\n", name, err.text), exit(99);
    config_put_yaml(&c, out);
    config_release(&c);
}

/* What is written loads to the same bytes. */
static void round_trip(const char *yaml, const char *name)
{
    struct buf first = {0}, second = {0};

    put(yaml, name, &first);
    put(buf_text(&first), name, &second);
    tap_is(buf_text(&second), buf_text(&first), name);
    buf_release(&first);
    buf_release(&second);
}

/* A string of every kind of character keeps its bytes on its way round. */
static void test_string(void)
{
    static const char want[] =
        "a: b # c\n\t'\"\\\x7f \xe2\x80\xa8 \xe2\x80\xa9 \xc2\x85 "
        "\xc2\xa0 \xef\xbb\xbf \xc3\xa9 \xf0\x9f\x8e\xb5 ";
    struct config c;
    struct buf out = {0};
    struct err err;

    if (load(&c, "experiment_name: \"a: b # c\\n\\t'\\\"\\\\\\x7f \\L \\P \\N "
             "\\_ \\uFEFF \xc3\xa9 \xf0\x9f\x8e\xb5 \"\n", NULL, NULL,
             &err))
        exit(99);
    tap_ok(strcmp(c.experiment_name, want) == 0, "a string is read");
    config_put_yaml(&c, &out);
    config_release(&c);
    if (load(&c, buf_text(&out), NULL, NULL, &err))
        exit(99);
    tap_ok(strcmp(c.experiment_name, want) == 0, "and kept");
    config_release(&c);
    buf_release(&out);
}

/* Round trips of defaults, presets, odd strings, lists. */
static void test_round_trip(void)
{
    struct buf out = {0};

    round_trip("", "defaults go round");
    round_trip(wavenet, "a wavenet goes round");
    round_trip("optimizer: {scheduler: {name: sequential, milestones: [6], "
               "schedulers: [{name: linear_torch, total_iters: 6}, {name: "
               "cyclic, base_lr: 0.1, cycle_momentum: false}]}}\n",
               "a scheduler of schedulers goes round");
    round_trip("optimizer: {scheduler: reduce_on_plateau}\ncheckpoint: "
               "{mode: max}\n", "reduce_on_plateau goes round");
    round_trip("features: {preset: kaldi}\n", "kaldi goes round");
    round_trip("features: {preset: librosa, audio_f_max: 8000, "
               "eda_target_sample_rate: 4}\n", "librosa goes round");
    round_trip("loss: {name: custom, terms: [{name: mse, weight: 1e-5}, "
               "{name: ccc, weight: 2}]}\ndata: {sampling_weights: {hku956: "
               "0.1, pmemo2019: 3}, train_datasets: [mine]}\n"
               "metrics: {val_check_interval: 250, val_metrics: []}\n"
               "datasets:\n  mine: {root: 'C:\\x', metadata_paths: [a, "
               "'b c'], split_ratios: [0.7, 0.15, 0.15], data_directories: "
               "{audio: 'null'}}\n", "lists and datasets go round");
    round_trip("experiment_name: \"a: b # c\\n\\t'\\\"\\\\\\x7f\\L\\P\\N\\_"
               "\\uFEFF \xc3\xa9 \xf0\x9f\x8e\xb5 \"\n"
               "logging: {wandb_project: 'yes', wandb_entity: '12', "
               "wandb_run_name: '', wandb_tags: ['~', '1e3', '-', 'a,b', "
               "n, '.5', '0x1F', '1:30', '2001-01-01']}\n",
               "strings go round");
    put("metrics: {val_check_interval: 0.25}\noptimizer: {learning_rate: "
        "0.00001}\nlogging: {wandb_tags: ['12', no]}\n", "put", &out);
    tap_ok(strstr(buf_text(&out), "  val_check_interval: 0.25  # ") &&
               strstr(buf_text(&out), "  learning_rate: 1.0e-05  # ") &&
               strstr(buf_text(&out), "  wandb_tags: [\"12\", \"no\"]  # ") &&
               strstr(buf_text(&out), "\n  size: 10G  # "),
           "numbers and strings as YAML 1.1 readers want them");
    buf_clear(&out);
    put("", "put", &out);
    tap_ok(strstr(buf_text(&out), "\n  val_check_interval: 1.0  # "),
           "an epoch stays 1.0");
    buf_release(&out);
}

/* Features in JSON and in frames. */
static void test_features_json(void)
{
    struct config c;
    struct config_features f;
    struct buf json = {0}, again = {0};
    struct frame frame = {0};
    struct err err;

    if (load(&c, "features: {preset: kaldi, audio_f_max: 7600}\n", NULL,
             NULL, &err))
        exit(99);
    config_features_put_json(&c.features, &json);
    tap_ok(strncmp(buf_text(&json), "{\"preset\":\"kaldi\","
                   "\"audio_target_sample_rate\":16000,",
                   strlen("{\"preset\":\"kaldi\","
                   "\"audio_target_sample_rate\":16000,")) == 0 &&
               strstr(buf_text(&json), "\"audio_top_db\":null,") &&
               strstr(buf_text(&json), "\"audio_center\":false,") &&
               strstr(buf_text(&json), "\"audio_preemphasis\":0.97,") &&
               !strstr(buf_text(&json), "eda_target_sample_rate") &&
               !strstr(buf_text(&json), "eda_window_size"),
           "features as typed JSON");
    tap_ok(config_features_from_json(&f, buf_text(&json), &err) == 0,
           "and back");
    config_features_put_json(&f, &again);
    tap_is(buf_text(&again), buf_text(&json), "to the same");
    tap_ok(config_features_to_frame(&c.features, CONFIG_AUDIO_HALF, &frame,
                                    &err) == 0 &&
               config_features_to_frame(&c.features, CONFIG_EDA_HALF, &frame,
                                        &err) == 0 &&
               strcmp(frame_get(&frame, "audio_n_mels"), "23") == 0 &&
               strcmp(frame_get(&frame, "preset"), "kaldi") == 0 &&
               strcmp(frame_get(&frame, "audio_top_db"), "null") == 0 &&
               strcmp(frame_get(&frame, "eda_normalize"), "recording") == 0,
           "features as metadata");
    buf_clear(&again);
    buf_puts(&again, "{");
    tap_ok(config_features_from_frame(&frame, CONFIG_AUDIO_HALF, &again,
                                      &err) == 0, "audio half of a frame");
    buf_puts(&again, ",");
    tap_ok(config_features_from_frame(&frame, CONFIG_EDA_HALF, &again,
                                      &err) == 0, "eda half of a frame");
    buf_puts(&again, "}");
    tap_is(buf_text(&again), buf_text(&json), "both halves are the section");
    frame_unset(&frame, "eda_unit");
    tap_ok(config_features_from_frame(&frame, CONFIG_EDA_HALF, &again,
                                      &err) == -1 && err.status == ERR_DATA,
           "a missing setting is 65");
    tap_ok(frame_set(&frame, "audio_center", "maybe", &err) == 0 &&
               config_features_from_frame(&frame, CONFIG_AUDIO_HALF, &again,
                                          &err) == -1 &&
               err.status == ERR_DATA, "a bad setting is 65");
    frame_release(&frame);
    buf_release(&json);
    buf_release(&again);
    config_release(&c);
}

/* Bad JSON of features and params is 65. */
static void test_json_errors(void)
{
    struct config_features f;
    struct config_model m;
    struct err err;

    tap_ok(config_features_from_json(&f, "{\"preset\":\"librosa\"}",
                                     &err) == 0 &&
               f.audio_target_sample_rate == 22050 &&
               f.eda_lowpass_hz == 8, "a preset in JSON fills the rest");
    tap_ok(config_features_from_json(&f, "{\"audio_n_mells\":1}", &err) ==
               -1 && err.status == ERR_DATA, "unknown feature");
    tap_is(err.text, "features.audio_n_mells: unknown key (did you mean "
           "audio_n_mels?)", "is named");
    tap_ok(config_features_from_json(&f, "{\"audio_n_mels\":\"1\"}",
                                     &err) == -1 && err.status == ERR_DATA,
           "text for a number");
    tap_ok(config_features_from_json(&f, "{\"audio_n_mels\":[1]}", &err) ==
               -1 && err.status == ERR_DATA, "a list for a number");
    tap_ok(config_features_from_json(&f, "[1]", &err) == -1 &&
               err.status == ERR_DATA, "a list for an object");
    tap_ok(config_features_from_json(&f, "{", &err) == -1 &&
               err.status == ERR_DATA, "no JSON");
    tap_ok(config_features_from_json(
               &f, "{\"audio_n_mfcc\":50,\"audio_n_mels\":40}", &err) == -1 &&
               err.status == ERR_DATA, "rules across keys");
    tap_ok(config_model_from_json(&m, "lstm", "{}", &err) == -1 &&
               err.status == ERR_DATA, "unknown architecture");
    tap_ok(config_model_from_json(&m, "tcn", "{}", &err) == -1 &&
               err.status == ERR_DATA, "params missing");
    tap_ok(config_model_from_json(&m, "tcn", "{\"num_stacks\":1}", &err) ==
               -1 && err.status == ERR_DATA, "params of the other");
    tap_ok(config_model_from_json(&m, "tcn", "[]", &err) == -1 &&
               err.status == ERR_DATA, "params that are no object");
}

/* model.params as JSON, in the order of the table. */
static void test_model_json(void)
{
    static const char tcn[] =
        "{\"input_size\":40,\"output_size\":1,\"num_blocks\":5,"
        "\"num_channels\":64,\"kernel_size\":3,\"dropout\":0.2,"
        "\"dilation_base\":2,\"padding\":\"same\",\"norm\":\"none\"}";
    struct config c;
    struct config_model m;
    struct buf json = {0};
    struct err err;

    start(&c);
    config_model_put_json(&c.model, &json);
    tap_is(buf_text(&json), tcn, "a tcn as JSON");
    tap_ok(config_model_from_json(&m, "tcn", tcn, &err) == 0 &&
               m.tcn.num_channels == 64 && m.tcn.dropout == 0.2, "and back");
    config_release(&c);
    if (load(&c, wavenet, NULL, NULL, &err))
        exit(99);
    buf_clear(&json);
    config_model_put_json(&c.model, &json);
    tap_is(buf_text(&json),
           "{\"num_stacks\":2,\"num_layers_per_stack\":4,"
           "\"residual_channels\":8,\"skip_channels\":9,\"kernel_size\":5,"
           "\"dilation_base\":3,\"dropout_rate\":0,\"input_channels\":40,"
           "\"output_channels\":1,\"use_bias\":false,\"gate\":\"split\","
           "\"residual_conv\":false,\"dropout_at\":\"residual\","
           "\"head\":\"shared\",\"head_bias\":false,\"padding\":\"same\","
           "\"weight_norm\":false}", "a wavenet as JSON");
    tap_ok(config_model_from_json(&m, "wavenet", buf_text(&json), &err) ==
               0 && m.wavenet.gate == CONFIG_GATE_SPLIT, "and back");
    buf_release(&json);
    config_release(&c);
}

/* Options and rows of the table. */
static void test_table(void)
{
    struct config_key key;
    size_t i, bad = 0;

    tap_is(config_option_path("n-mels", CONFIG_AUDIO_HALF),
           "features.audio_n_mels", "--n-mels");
    tap_is(config_option_path("preset", CONFIG_AUDIO_HALF),
           "features.preset", "--preset");
    tap_is(config_option_path("normalize", CONFIG_AUDIO_HALF),
           "features.audio_normalize", "--normalize of audio");
    tap_is(config_option_path("normalize", CONFIG_EDA_HALF),
           "features.eda_normalize", "--normalize of EDA");
    tap_is(config_option_path("filter-lowpass", CONFIG_EDA_HALF),
           "features.filter_lowpass", "--filter-lowpass");
    tap_ok(!config_option_path("preset", CONFIG_EDA_HALF) &&
               !config_option_path("n-mels", CONFIG_EDA_HALF) &&
               !config_option_path("audio-n-mels", CONFIG_EDA_HALF) &&
               !config_option_path("nonsense", CONFIG_AUDIO_HALF),
           "options that are none");
    for (i = 0; i < config_n_keys(); i++) {
        key = config_key_at(i);
        bad += !*key.path || !*key.type || !*key.doc ||
               key.doc[strlen(key.doc) - 1] == '.' ||
               strstr(key.doc, ". ") != NULL;
    }
    tap_ok(bad == 0, "every row has a path, a type and a doc line");
}

/* Whether a list has exactly these words. */
static bool list_is(char *const *list, size_t n, const char *want)
{
    struct buf got = {0};
    bool same;
    size_t i;

    for (i = 0; i < n; i++)
        buf_printf(&got, "%s%s", i ? " " : "", list[i]);
    same = strcmp(buf_text(&got), want) == 0;
    if (!same)
        printf("#  got: %s\n# want: %s\n", buf_text(&got), want);
    buf_release(&got);
    return same;
}

/* Loads configs/exampleN.yml, which must settle without a word. */
static bool load_example(int n, struct config *c)
{
    char path[64];
    struct buf notes = {0};
    struct err err;
    bool good;

    snprintf(path, sizeof path, "configs/example%d.yml", n);
    start(c);
    good = config_load(c, path, &err) == 0 &&
           config_settle(c, &notes, &err) == 0 && notes.len == 0;
    tap_ok(good, "%s loads without a note", path);
    if (!good)
        printf("# %s%s\n", buf_text(&notes), notes.len ? "" : err.text);
    buf_release(&notes);
    return good && c->features.audio_target_sample_rate == 16000 &&
           c->features.audio_n_fft == 2048 &&
           c->features.audio_hop_length == 1600 &&
           c->features.audio_n_mfcc == 40 && c->features.audio_n_mels == 128;
}

/* configs/example1.yml holds upstream's first experiment. */
static void test_example1(void)
{
    struct config c;
    const struct config_tcn *t = &c.model.tcn;

    tap_ok(load_example(1, &c) && c.model.architecture == CONFIG_TCN &&
               t->input_size == 40 && t->output_size == 1 &&
               t->num_blocks == 5 && t->num_channels == 64 &&
               t->kernel_size == 3 && t->dropout == 0.2 &&
               c.optimizer.name == CONFIG_ADAMW &&
               c.optimizer.learning_rate == 1e-4 &&
               c.optimizer.weight_decay == 0.01 &&
               list_is(c.data.train_datasets, c.data.n_train_datasets,
                       "hku956") && c.data.batch_size == 32 &&
               c.data.num_workers == 4 && c.data.prefetch_size == 2 &&
               c.loss.name == CONFIG_LOSS_MSE &&
               list_is(c.metrics.val_metrics, c.metrics.n_val_metrics,
                       "loss mse") && c.checkpoint.save_top_k == 3 &&
               strcmp(c.checkpoint.checkpoint_dir,
                      "checkpoints/example1") == 0 &&
               strcmp(c.logging.wandb_run_name, "Example1_Run") == 0 &&
               c.checkpoint.save_every_n_steps == 1000, "example1's values");
    config_release(&c);
}

/* configs/example2.yml holds the second. */
static void test_example2(void)
{
    struct config c;
    const struct config_wavenet *w = &c.model.wavenet;

    tap_ok(load_example(2, &c) && c.model.architecture == CONFIG_WAVENET &&
               w->num_stacks == 3 && w->num_layers_per_stack == 10 &&
               w->residual_channels == 64 && w->skip_channels == 128 &&
               w->kernel_size == 3 && w->dilation_base == 2 &&
               w->dropout_rate == 0.2 && w->input_channels == 40 &&
               w->output_channels == 1 && w->use_bias && w->head_bias &&
               c.optimizer.name == CONFIG_ADAM &&
               c.optimizer.learning_rate == 5e-4 &&
               c.optimizer.weight_decay == 1e-3 &&
               list_is(c.data.test_datasets, c.data.n_test_datasets,
                       "pmemo2019") && c.data.batch_size == 64 &&
               c.data.num_workers == 8 && c.data.prefetch_size == 4 &&
               c.loss.name == CONFIG_LOSS_HUBER &&
               list_is(c.metrics.val_metrics, c.metrics.n_val_metrics,
                       "loss mse dtw") && c.checkpoint.save_top_k == 5 &&
               strcmp(c.checkpoint.monitor, "val_dtw") == 0 &&
               c.logging.log_every_n_steps == 25 &&
               c.train.max_epochs == 100 &&
               c.checkpoint.save_every_n_steps == 500, "example2's values");
    config_release(&c);
}

/* configs/example3.yml holds the third. */
static void test_example3(void)
{
    struct config c;
    const struct config_tcn *t = &c.model.tcn;

    tap_ok(load_example(3, &c) && c.model.architecture == CONFIG_TCN &&
               t->num_blocks == 8 && t->num_channels == 128 &&
               t->kernel_size == 5 && t->dropout == 0.3 &&
               c.optimizer.learning_rate == 2e-4 &&
               c.optimizer.weight_decay == 0.005 &&
               c.optimizer.warmup_steps == 100 &&
               list_is(c.data.train_datasets, c.data.n_train_datasets,
                       "hku956 pmemo2019") &&
               list_is(c.data.val_datasets, c.data.n_val_datasets,
                       "hku956") &&
               list_is(c.data.test_datasets, c.data.n_test_datasets,
                       "pmemo2019") && c.data.batch_size == 48 &&
               c.data.num_workers == 6 && c.data.prefetch_size == 3 &&
               c.loss.name == CONFIG_LOSS_L1 &&
               list_is(c.metrics.val_metrics, c.metrics.n_val_metrics,
                       "loss mse dtw frechet") &&
               list_is(c.logging.wandb_tags, c.logging.n_wandb_tags,
                       "mixed_dataset wavenet transformer"),
           "example3's values");
    config_release(&c);
}

/* A line of a YAML file that writes a key has a comment, or one above. */
static size_t bare_keys(const char *path)
{
    char line[256], above[256] = "";
    FILE *f = fopen(path, "r");
    size_t bad = 0;

    for (; f && fgets(line, sizeof line, f); strcpy(above, line))
        if (strchr(line, ':') && !strchr(line, '#') && !strchr(above, '#') &&
            line[strlen(line) - 2] != ':')
            bad += printf("# %s: %s", path, line) > 0;
    if (f)
        fclose(f);
    return f ? bad : 1;
}

/* The three examples. */
static void test_examples(void)
{
    test_example1();
    test_example2();
    test_example3();
    tap_ok(bare_keys("configs/example1.yml") +
               bare_keys("configs/example2.yml") +
               bare_keys("configs/example3.yml") == 0,
           "every key of the examples has a comment");
}

/* The list of keys in a2b-config(5) is the table's. */
static void test_man(void)
{
    char line[512];
    struct buf page = {0}, want = {0};
    FILE *f = fopen("man/a2b-config.5", "r");
    bool in = false;

    while (f && fgets(line, sizeof line, f)) {
        if (strcmp(line, ".\\\" end of keys\n") == 0)
            in = false;
        if (in)
            buf_puts(&page, line);
        if (strcmp(line, ".\\\" keys, as test_config --mdoc prints them\n") ==
            0)
            in = true;
    }
    if (f)
        fclose(f);
    config_put_mdoc(&want);
    tap_ok(strcmp(buf_text(&page), buf_text(&want)) == 0,
           "man/a2b-config.5 lists the table's keys");
    buf_release(&page);
    buf_release(&want);
}

/* Tries path=value; true if it was taken. */
static bool takes(struct config *c, const char *path, long long value)
{
    char set[256];
    const char *star = strchr(path, '*');
    struct err err;

    if (star)
        snprintf(set, sizeof set, "%.*shku956%s=%lld", (int)(star - path),
                 path, star + 1, value);
    else
        snprintf(set, sizeof set, "%s=%lld", path, value);
    return config_set(c, set, &err) == 0;
}

/* Both ends of every integer's range are in it, what is below is not. */
static void test_ranges(void)
{
    struct config_key key;
    struct config c;
    long long low, high;
    size_t i, n = 0, bad = 0;

    start(&c);
    for (i = 0; i < config_n_keys(); i++) {
        key = config_key_at(i);
        if (strcmp(key.type, "integer") != 0 ||
            sscanf(key.values, "%lld..%lld", &low, &high) != 2)
            continue;
        n++;
        if (takes(&c, key.path, low) && takes(&c, key.path, high) &&
            !takes(&c, key.path, low - 1) &&
            (high == INT64_MAX || !takes(&c, key.path, high + 1)))
            continue;
        bad++;
        printf("# %s\n", key.path);
    }
    tap_ok(bad == 0 && n > 30, "integers keep their ranges");
    config_release(&c);
}

/* Prints the list of keys for man/a2b-config.5. */
static int print_mdoc(void)
{
    struct buf out = {0};

    config_put_mdoc(&out);
    fputs(buf_text(&out), stdout);
    buf_release(&out);
    return 0;
}

int main(int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");

    if (argc > 1 && strcmp(argv[1], "--mdoc") == 0)
        return print_mdoc();
    snprintf(file_path, sizeof file_path, "%s/test_config-%ld.yml",
             folder ? folder : "/tmp", (long)getpid());
    test_defaults();
    test_errors();
    test_scheduler_errors();
    test_extent();
    test_moved();
    test_compound_errors();
    test_model_errors();
    test_model();
    test_set();
    test_settle();
    test_loss();
    test_yaml();
    test_presets();
    test_string();
    test_round_trip();
    test_features_json();
    test_json_errors();
    test_model_json();
    test_table();
    test_ranges();
    test_examples();
    test_man();
    unlink(file_path);
    return tap_done();
}
