/*
 * config_table - every key of a config, in the order in which it is written.
 *
 * One row: path, type, where the value lies, rule, default, doc line with
 * the unit. Rules are explained in config_table.h. The keys of a tcn and a
 * wavenet share paths (model.params.kernel_size); features and model.params
 * lie in structs of their own, because frames and checkpoints carry them
 * without the rest.
 */
#include "core/config_table.h"

#include <assert.h>
#include <string.h>

/* A field of struct config. */
#define AT(field) CONFIG_SCOPE_CONFIG, offsetof(struct config, field), 0
/* A list in struct config and the field that counts it. */
#define LIST(field, n) \
    CONFIG_SCOPE_CONFIG, offsetof(struct config, field), \
        offsetof(struct config, n)
/* A field of the features section. */
#define FEATURE(field) \
    CONFIG_SCOPE_FEATURES, offsetof(struct config_features, field), 0
/* A field of a tcn's params. */
#define TCN(field) CONFIG_SCOPE_TCN, offsetof(struct config_tcn, field), 0
/* A field of a wavenet's params. */
#define WAVENET(field) \
    CONFIG_SCOPE_WAVENET, offsetof(struct config_wavenet, field), 0
/* A field of a scheduler. */
#define SCHEDULER(field) \
    CONFIG_SCOPE_SCHEDULER, offsetof(struct config_scheduler, field), 0
/* A list of a scheduler and the field that counts it. */
#define SCHEDULER_LIST(field) \
    CONFIG_SCOPE_SCHEDULER, offsetof(struct config_scheduler, field), \
        offsetof(struct config_scheduler, n_##field)
/* A field of a dataset. */
#define DATASET(field) \
    CONFIG_SCOPE_DATASET, offsetof(struct config_dataset, field), 0

/* Rule of booleans. */
#define TRUTH "true, false"
/* Rule of counts of steps or epochs. */
#define SPAN "1..1000000000"
/* Rule of seeds. */
#define SEED "0..9223372036854775807"
/* Rule of losses that can be a term. */
#define TERM_WORDS \
    "mse, l1, huber, smooth_l1, ccc, pearson, derivative, " \
    "spectral, soft_dtw"
/* Rule of metrics that need no more than numbers. */
#define METRIC_WORDS \
    "loss, mse, rmse, mae, pearson, spearman, ccc, r2, dtw, dtw_norm, " \
    "dtw@5%, frechet"
/* Rule of all metrics: those that need time and unit, and above 0.05 Hz. */
#define ALL_METRIC_WORDS \
    METRIC_WORDS ", best_lag_s, best_lag_r, scr_f1, mse_hp, rmse_hp, " \
    "mae_hp, pearson_hp, spearman_hp, ccc_hp, r2_hp, dtw_hp, " \
    "dtw_norm_hp, dtw@5%_hp, frechet_hp, best_lag_s_hp, best_lag_r_hp, " \
    "scr_f1_hp"

/* The table. */
static const struct config_row rows[] = {
    {"experiment_name", CONFIG_TYPE_TEXT, AT(experiment_name), "any text",
     "experiment", false, "name of the experiment, for people"},
    {"seed", CONFIG_TYPE_INT, AT(seed), SEED, "42", false,
     "seed of initial weights, order of recordings and dropout"},

    {"model.architecture", CONFIG_TYPE_WORD, AT(model.architecture),
     "tcn, wavenet", "tcn", false, "which network; decides the params"},
    {"model.params.input_size", CONFIG_TYPE_INT, TCN(input_size), "1..16384",
     "40", true, "coefficients a frame, audio_n_mfcc"},
    {"model.params.output_size", CONFIG_TYPE_INT, TCN(output_size),
     "1..16384", "1", true, "values a frame; a2b-train wants 1"},
    {"model.params.num_blocks", CONFIG_TYPE_INT, TCN(num_blocks), "1..64",
     "5", true, "residual blocks of two convolutions"},
    {"model.params.num_channels", CONFIG_TYPE_INT, TCN(num_channels),
     "1..16384", "64", true, "channels of every block"},
    {"model.params.kernel_size", CONFIG_TYPE_INT, TCN(kernel_size),
     "1..1024", "3", true, "taps of a convolution, frames"},
    {"model.params.dropout", CONFIG_TYPE_NUM, TCN(dropout), "[0, 1)", "0.2",
     true, "probability that a value is dropped"},
    {"model.params.dilation_base", CONFIG_TYPE_INT, TCN(dilation_base),
     "1..16", "2", false, "block i has dilation base^i"},
    {"model.params.padding", CONFIG_TYPE_WORD, TCN(padding), "same, causal",
     "same", false, "zeros around a sequence: both sides, or before it"},
    {"model.params.norm", CONFIG_TYPE_WORD, TCN(norm), "none, weight, layer",
     "none", false, "normalisation in a block"},

    {"model.params.num_stacks", CONFIG_TYPE_INT, WAVENET(num_stacks),
     "1..64", "3", true, "stacks, dilation begins at 1 in each"},
    {"model.params.num_layers_per_stack", CONFIG_TYPE_INT,
     WAVENET(num_layers_per_stack), "1..64", "10", true,
     "dilated convolutions in a stack"},
    {"model.params.residual_channels", CONFIG_TYPE_INT,
     WAVENET(residual_channels), "1..16384", "64", true,
     "channels of the residual stream"},
    {"model.params.skip_channels", CONFIG_TYPE_INT, WAVENET(skip_channels),
     "1..16384", "128", true, "channels of the skip sum and the head"},
    {"model.params.kernel_size", CONFIG_TYPE_INT, WAVENET(kernel_size),
     "1..1024", "3", true, "taps of a dilated convolution, frames"},
    {"model.params.dilation_base", CONFIG_TYPE_INT, WAVENET(dilation_base),
     "1..16", "2", true, "layer n of a stack has dilation base^n"},
    {"model.params.dropout_rate", CONFIG_TYPE_NUM, WAVENET(dropout_rate),
     "[0, 1)", "0.2", true, "probability that a value is dropped"},
    {"model.params.input_channels", CONFIG_TYPE_INT, WAVENET(input_channels),
     "1..16384", "40", true, "coefficients a frame, audio_n_mfcc"},
    {"model.params.output_channels", CONFIG_TYPE_INT,
     WAVENET(output_channels), "1..16384", "1", true,
     "values a frame; a2b-train wants 1"},
    {"model.params.use_bias", CONFIG_TYPE_BOOL, WAVENET(use_bias), TRUTH,
     "true", true, "bias in the convolutions"},
    {"model.params.gate", CONFIG_TYPE_WORD, WAVENET(gate), "tied, split",
     "tied", false, "tanh and sigmoid of one convolution, or of two"},
    {"model.params.residual_conv", CONFIG_TYPE_BOOL, WAVENET(residual_conv),
     TRUTH, "false", false, "1x1 convolution before the residual sum"},
    {"model.params.dropout_at", CONFIG_TYPE_WORD, WAVENET(dropout_at),
     "residual, gate", "residual", false,
     "dropout on the residual stream or on the gate's output"},
    {"model.params.head", CONFIG_TYPE_WORD, WAVENET(head),
     "shared, chained", "shared", false,
     "one head on the sum of all skips, or one ending every stack"},
    {"model.params.head_bias", CONFIG_TYPE_BOOL, WAVENET(head_bias), TRUTH,
     "true", false, "bias in the head; follows use_bias when not written"},
    {"model.params.padding", CONFIG_TYPE_WORD, WAVENET(padding),
     "same, causal", "same", false,
     "zeros around a sequence: both sides, or before it"},
    {"model.params.weight_norm", CONFIG_TYPE_BOOL, WAVENET(weight_norm), TRUTH,
     "false", false, "weights as direction and length"},

    {"optimizer.name", CONFIG_TYPE_WORD, AT(optimizer.name),
     "sgd, adam, adamw, rmsprop, lion, schedule_free_adamw", "adamw", false,
     "rule of the step, as in PyTorch"},
    {"optimizer.learning_rate", CONFIG_TYPE_NUM, AT(optimizer.learning_rate),
     "0..1000", "1e-4", false, "step size after the warmup"},
    {"optimizer.weight_decay", CONFIG_TYPE_NUM, AT(optimizer.weight_decay),
     "0..1000", "0.01", false, "pull of weights towards 0"},
    {"optimizer.beta1", CONFIG_TYPE_NUM, AT(optimizer.beta1), "[0, 1)",
     "0.9", false, "decay of the mean gradient; adam, adamw, lion, "
     "schedule_free_adamw"},
    {"optimizer.beta2", CONFIG_TYPE_NUM, AT(optimizer.beta2), "[0, 1)",
     "0.999", false,
     "decay of the mean squared gradient; adam, adamw, schedule_free_adamw; "
     "of the mean gradient, then 0.99 when not written; lion"},
    {"optimizer.eps", CONFIG_TYPE_NUM, AT(optimizer.eps), "0..1", "1e-8",
     false, "added to the root of the squared gradient; adam, adamw, "
     "rmsprop, schedule_free_adamw"},
    {"optimizer.amsgrad", CONFIG_TYPE_BOOL, AT(optimizer.amsgrad), TRUTH,
     "false", false, "divide by the largest squared gradient so far; adam, "
     "adamw"},
    {"optimizer.alpha", CONFIG_TYPE_NUM, AT(optimizer.alpha), "[0, 1)",
     "0.99", false, "decay of the mean squared gradient; rmsprop"},
    {"optimizer.momentum", CONFIG_TYPE_NUM, AT(optimizer.momentum), "[0, 1)",
     "0", false, "share of the last step that is kept; sgd, rmsprop"},
    {"optimizer.dampening", CONFIG_TYPE_NUM, AT(optimizer.dampening),
     "0..1", "0", false,
     "share of the gradient that momentum leaves out; sgd"},
    {"optimizer.nesterov", CONFIG_TYPE_BOOL, AT(optimizer.nesterov), TRUTH,
     "false", false, "momentum looks ahead; sgd"},
    {"optimizer.decay_bias", CONFIG_TYPE_BOOL, AT(optimizer.decay_bias),
     TRUTH, "true", false,
     "weight_decay reaches biases and other tensors of one dimension"},
    {"optimizer.ema_decay", CONFIG_TYPE_NUM, AT(optimizer.ema_decay),
     "[0, 1)", "0", false,
     "decay of the averaged weights that are validated and saved; 0 is off"},
    {"optimizer.swa_start", CONFIG_TYPE_NUM, AT(optimizer.swa_start),
     "[0, 1)", "0", false,
     "share of the steps after which the mean of the weights of all later "
     "steps is validated and saved; 0 is off"},
    {"optimizer.warmup_steps", CONFIG_TYPE_INT, AT(optimizer.warmup_steps),
     "0..1000000000", "0", false,
     "optimizer steps in which the rate grows from 0"},
    {"optimizer.warmup_ratio", CONFIG_TYPE_NUM, AT(optimizer.warmup_ratio),
     "0..1", "0", false,
     "the same as a share of all steps; used if warmup_steps is 0"},
    {"optimizer.warmup_start", CONFIG_TYPE_INT, AT(optimizer.warmup_start),
     "0..1", "0", false,
     "0: the first rate is 0, as in transformers; 1: it is a warmup_steps-th "
     "of learning_rate"},
    {"optimizer.scheduler.name", CONFIG_TYPE_WORD, SCHEDULER(name),
     "constant, linear, cosine, cosine_with_restarts, cosine_warm_restarts, "
     "step, multistep, exponential, polynomial, inverse_sqrt, onecycle, "
     "cyclic, wsd, reduce_on_plateau, constant_torch, linear_torch, "
     "sequential, chained",
     "cosine", false, "how the rate moves after the warmup; constant for "
     "schedule_free_adamw when not written"},
    {"optimizer.scheduler.interval", CONFIG_TYPE_WORD, SCHEDULER(interval),
     "step, epoch", "step", false, "what the scheduler counts"},
    {"optimizer.scheduler.eta_min", CONFIG_TYPE_NUM, SCHEDULER(eta_min),
     "0..1000", "0", false,
     "lowest learning rate; linear, cosine, cosine_with_restarts, "
     "cosine_warm_restarts, polynomial, wsd"},
    {"optimizer.scheduler.t_max", CONFIG_TYPE_INT, SCHEDULER(t_max),
     SPAN " or null", "null", false,
     "steps or epochs of the fall; null: to the planned end; cosine"},
    {"optimizer.scheduler.periodic", CONFIG_TYPE_BOOL, SCHEDULER(periodic),
     TRUTH, "false", false,
     "rise again after t_max, as torch does; cosine"},
    {"optimizer.scheduler.num_cycles", CONFIG_TYPE_INT,
     SCHEDULER(num_cycles), SPAN, "1", false,
     "falls from the top; cosine_with_restarts"},
    {"optimizer.scheduler.t_0", CONFIG_TYPE_INT, SCHEDULER(t_0),
     SPAN " or null", "null", false,
     "steps or epochs to the first restart; cosine_warm_restarts, which "
     "needs it"},
    {"optimizer.scheduler.t_mult", CONFIG_TYPE_INT, SCHEDULER(t_mult),
     "1..1000", "1", false,
     "factor from one period to the next; cosine_warm_restarts"},
    {"optimizer.scheduler.step_size", CONFIG_TYPE_INT, SCHEDULER(step_size),
     SPAN, "30", false, "steps or epochs between two falls; step"},
    {"optimizer.scheduler.gamma", CONFIG_TYPE_NUM, SCHEDULER(gamma),
     "(0, 10] or null", "null", false,
     "factor of a fall; null: 0.1 for step and multistep, 0.95 for "
     "exponential, 1 for cyclic"},
    {"optimizer.scheduler.milestones", CONFIG_TYPE_COUNTS,
     SCHEDULER_LIST(milestones), SPAN, "[]", false,
     "steps or epochs of the falls, or where the next of the schedulers "
     "begins; multistep, sequential"},
    {"optimizer.scheduler.power", CONFIG_TYPE_NUM, SCHEDULER(power),
     "(0, 100]", "1", false, "exponent of the fall; polynomial"},
    {"optimizer.scheduler.total_iters", CONFIG_TYPE_INT,
     SCHEDULER(total_iters), SPAN " or null", "null", false,
     "length in steps or epochs; null: 5, for polynomial to the planned "
     "end; polynomial, constant_torch, linear_torch"},
    {"optimizer.scheduler.timescale", CONFIG_TYPE_INT, SCHEDULER(timescale),
     SPAN " or null", "null", false,
     "steps or epochs until the rate has fallen by the root of 2; null: "
     "the warmup, or 10000; inverse_sqrt"},
    {"optimizer.scheduler.factor", CONFIG_TYPE_NUM, SCHEDULER(factor),
     "(0, 1] or null", "null", false,
     "factor of the rate; null: 1/3 for constant_torch, 0.1 for "
     "reduce_on_plateau"},
    {"optimizer.scheduler.start_factor", CONFIG_TYPE_NUM,
     SCHEDULER(start_factor), "(0, 1]", "0.3333333333333333", false,
     "factor of the rate at the beginning; linear_torch"},
    {"optimizer.scheduler.end_factor", CONFIG_TYPE_NUM,
     SCHEDULER(end_factor), "0..1", "1", false,
     "factor of the rate at the end; linear_torch"},
    {"optimizer.scheduler.base_lr", CONFIG_TYPE_NUM, SCHEDULER(base_lr),
     "(0, 1000] or null", "null", false,
     "lower learning rate, learning_rate is the upper one; cyclic, which "
     "needs it"},
    {"optimizer.scheduler.pct_start", CONFIG_TYPE_NUM, SCHEDULER(pct_start),
     "(0, 1)", "0.3", false, "share of the steps in which the rate rises; "
     "onecycle"},
    {"optimizer.scheduler.anneal_strategy", CONFIG_TYPE_WORD,
     SCHEDULER(anneal_strategy), "cos, linear", "cos", false,
     "form of rise and fall; onecycle"},
    {"optimizer.scheduler.div_factor", CONFIG_TYPE_NUM,
     SCHEDULER(div_factor), "[1, 1e9]", "25", false,
     "learning_rate, the highest, by the first rate; onecycle"},
    {"optimizer.scheduler.final_div_factor", CONFIG_TYPE_NUM,
     SCHEDULER(final_div_factor), "[1, 1e12]", "10000", false,
     "first rate by last rate; onecycle"},
    {"optimizer.scheduler.three_phase", CONFIG_TYPE_BOOL,
     SCHEDULER(three_phase), TRUTH, "false", false,
     "fall to the first rate, then to the last; onecycle"},
    {"optimizer.scheduler.step_size_up", CONFIG_TYPE_INT,
     SCHEDULER(step_size_up), SPAN, "2000", false,
     "steps or epochs of a rise; cyclic"},
    {"optimizer.scheduler.step_size_down", CONFIG_TYPE_INT,
     SCHEDULER(step_size_down), SPAN " or null", "null", false,
     "steps or epochs of a fall; null: as a rise; cyclic"},
    {"optimizer.scheduler.mode", CONFIG_TYPE_WORD, SCHEDULER(mode),
     "auto, min, max, triangular, triangular2, exp_range", "auto", false,
     "min or max for reduce_on_plateau, auto is checkpoint.mode; the "
     "others for cyclic, auto is triangular"},
    {"optimizer.scheduler.cycle_momentum", CONFIG_TYPE_BOOL,
     SCHEDULER(cycle_momentum), TRUTH, "true", false,
     "momentum, or beta1, falls while the rate rises; onecycle, cyclic"},
    {"optimizer.scheduler.base_momentum", CONFIG_TYPE_NUM,
     SCHEDULER(base_momentum), "(0, 1) or null", "null", false,
     "momentum at the highest rate; null: 0.85 for onecycle, 0.8 for "
     "cyclic"},
    {"optimizer.scheduler.max_momentum", CONFIG_TYPE_NUM,
     SCHEDULER(max_momentum), "(0, 1) or null", "null", false,
     "momentum at the lowest rate; null: 0.95 for onecycle, 0.9 for "
     "cyclic"},
    {"optimizer.scheduler.decay_ratio", CONFIG_TYPE_NUM,
     SCHEDULER(decay_ratio), "0..1", "0.2", false,
     "share of the steps in which the rate falls; wsd"},
    {"optimizer.scheduler.decay", CONFIG_TYPE_WORD, SCHEDULER(decay),
     "linear, sqrt", "linear", false,
     "form of the fall: 1 - x or 1 - sqrt(x); wsd"},
    {"optimizer.scheduler.patience", CONFIG_TYPE_INT, SCHEDULER(patience),
     "0..1000000", "10", false,
     "validations without improvement before a fall; reduce_on_plateau"},
    {"optimizer.scheduler.threshold", CONFIG_TYPE_NUM, SCHEDULER(threshold),
     "0..1e9", "1e-4", false,
     "smallest change that is an improvement; reduce_on_plateau"},
    {"optimizer.scheduler.threshold_mode", CONFIG_TYPE_WORD,
     SCHEDULER(threshold_mode), "rel, abs", "rel", false,
     "threshold as a share of the best, or as it is; reduce_on_plateau"},
    {"optimizer.scheduler.cooldown", CONFIG_TYPE_INT, SCHEDULER(cooldown),
     "0..1000000", "0", false,
     "validations after a fall that do not count; reduce_on_plateau"},
    {"optimizer.scheduler.min_lr", CONFIG_TYPE_NUM, SCHEDULER(min_lr),
     "0..1000", "0", false, "lowest learning rate; reduce_on_plateau"},
    {"optimizer.scheduler.eps", CONFIG_TYPE_NUM, SCHEDULER(eps), "0..1",
     "1e-8", false, "smallest fall that is done; reduce_on_plateau"},
    {"optimizer.scheduler.schedulers", CONFIG_TYPE_SCHEDULERS,
     SCHEDULER_LIST(schedulers), "schedulers", "[]", false,
     "the parts, each a mapping of name and parameters; sequential, chained"},
    {"optimizer.gradient_clip_val", CONFIG_TYPE_NUM,
     AT(optimizer.gradient_clip_val), "0..1e9", "1.0", false,
     "longest gradient, 2-norm over all weights, or largest element; 0 is "
     "off"},
    {"optimizer.gradient_clip_algorithm", CONFIG_TYPE_WORD,
     AT(optimizer.gradient_clip_algorithm), "norm, value", "norm", false,
     "what gradient_clip_val limits"},

    {"data.train_datasets", CONFIG_TYPE_TEXTS,
     LIST(data.train_datasets, data.n_train_datasets), "dataset words", "[]",
     false, "datasets to train on"},
    {"data.val_datasets", CONFIG_TYPE_TEXTS,
     LIST(data.val_datasets, data.n_val_datasets), "dataset words", "[]",
     false, "datasets to validate on"},
    {"data.test_datasets", CONFIG_TYPE_TEXTS,
     LIST(data.test_datasets, data.n_test_datasets), "dataset words", "[]",
     false, "datasets to test on"},
    {"data.batch_size", CONFIG_TYPE_INT, AT(data.batch_size), "1..1048576",
     "32", false, "recordings in a batch, over all processes"},
    {"data.num_workers", CONFIG_TYPE_INT, AT(data.num_workers), "0..1024",
     "4", false, "threads of the feature programs without -j"},
    {"data.prefetch_size", CONFIG_TYPE_INT, AT(data.prefetch_size),
     "0..65536", "2", false, "batches read ahead of the training step"},
    {"data.group_by_song", CONFIG_TYPE_BOOL, AT(data.group_by_song), TRUTH,
     "false", false, "a batch takes whole songs"},
    {"data.pool", CONFIG_TYPE_INT, AT(data.pool), "1..1048576", "16", false,
     "batches whose recordings are sorted by length; 1 is a plain shuffle"},
    {"data.window", CONFIG_TYPE_INT, AT(data.window),
     "1..1000000000 or null", "null", false,
     "frames of the windows that recordings are cut into; null: none"},
    {"data.hop", CONFIG_TYPE_INT, AT(data.hop), "1..1000000000 or null",
     "null", false,
     "frames from one window to the next; null: as long as the window"},
    {"data.sampling_weights", CONFIG_TYPE_WEIGHTS,
     LIST(data.weight_names, data.n_weights), "dataset words to numbers",
     "{}", false,
     "how much of an epoch each dataset gets; default in proportion"},

    {"loss.name", CONFIG_TYPE_WORD, AT(loss.name), TERM_WORDS ", custom",
     "mse", false, "loss over valid frames; custom sums the terms"},
    {"loss.delta", CONFIG_TYPE_NUM, AT(loss.delta), "(0, 1e9]", "1", false,
     "where huber turns from square to line"},
    {"loss.beta", CONFIG_TYPE_NUM, AT(loss.beta), "(0, 1e9]", "1", false,
     "where smooth_l1 turns from square to line"},
    {"loss.spectral_sizes", CONFIG_TYPE_COUNTS,
     LIST(loss.spectral_sizes, loss.n_spectral_sizes), "4..1024",
     "[32, 64, 128]", false,
     "windows, frames, a quarter of one apart; spectral"},
    {"loss.soft_dtw_gamma", CONFIG_TYPE_NUM, AT(loss.soft_dtw_gamma),
     "[1e-3, 1e3]", "1", false, "softness of the warping; soft_dtw"},
    {"loss.soft_dtw_pool", CONFIG_TYPE_INT, AT(loss.soft_dtw_pool),
     "1..1000", "10", false,
     "frames that are averaged to a point before warping; soft_dtw"},
    {"loss.terms", CONFIG_TYPE_TERMS, LIST(loss.terms, loss.n_terms),
     TERM_WORDS, "[]", false,
     "{name, weight} of every term of a custom loss"},

    {"hardware.device", CONFIG_TYPE_WORD, AT(hardware.device),
     "auto, cpu, cuda, mps", "auto", false,
     "where to compute; this version has the CPU only"},
    {"hardware.precision", CONFIG_TYPE_WORD, AT(hardware.precision),
     "fp32, bf16, fp16", "fp32", false,
     "numbers to compute with; bf16: sums of fp32, needs AVX512_BF16"},
    {"hardware.convolution", CONFIG_TYPE_WORD, AT(hardware.convolution),
     "auto, direct, winograd2, winograd4", "auto", false,
     "how training convolves in fp32: winograd takes fewer products, rounds "
     "more; auto is direct where that is faster"},
    {"hardware.distributed", CONFIG_TYPE_BOOL, AT(hardware.distributed), TRUTH,
     "false", false, "no effect: start a2b-train by mpirun or srun"},
    {"hardware.num_gpus", CONFIG_TYPE_INT, AT(hardware.num_gpus), "0..1024",
     "0", false, "no effect: this version has the CPU only"},

    {"metrics.compute_metrics", CONFIG_TYPE_BOOL, AT(metrics.compute_metrics),
     TRUTH, "true", false, "compute metrics besides the loss"},
    {"metrics.train_metrics", CONFIG_TYPE_WORDS,
     LIST(metrics.train_metrics, metrics.n_train_metrics), METRIC_WORDS,
     "[loss]", false, "logged for training batches"},
    {"metrics.val_metrics", CONFIG_TYPE_WORDS,
     LIST(metrics.val_metrics, metrics.n_val_metrics), ALL_METRIC_WORDS,
     "[loss, mse, dtw]", false, "logged for every validation"},
    {"metrics.val_check_interval", CONFIG_TYPE_INTERVAL, AT(metrics),
     "(0, 1] or an integer", "1.0", false,
     "validate every share of an epoch, or every n steps: 1 is not 1.0"},
    {"metrics.val_every.steps", CONFIG_TYPE_INT,
     AT(metrics.val_every_steps), "0..1000000000", "0", false,
     "validate every n optimizer steps; 0: as val_check_interval says"},
    {"metrics.val_every.epochs", CONFIG_TYPE_INT,
     AT(metrics.val_every_epochs), "0..1000000", "0", false,
     "validate every n epochs; 0: as val_check_interval says"},
    {"metrics.early_stopping", CONFIG_TYPE_BOOL, AT(metrics.early_stopping),
     TRUTH, "true", false, "stop when the monitored metric stays"},
    {"metrics.early_stopping_patience", CONFIG_TYPE_INT,
     AT(metrics.early_stopping_patience), "1..1000000", "10", false,
     "validations without improvement"},
    {"metrics.early_stopping_min_delta", CONFIG_TYPE_NUM,
     AT(metrics.early_stopping_min_delta), "0..1e9", "1e-4", false,
     "smallest change that is an improvement"},
    {"metrics.early_stopping_threshold", CONFIG_TYPE_NUM,
     AT(metrics.early_stopping_threshold), "-1e9..1e9 or null", "null", false,
     "stop at once when the monitored metric is as good as this"},
    {"metrics.early_stopping_divergence", CONFIG_TYPE_NUM,
     AT(metrics.early_stopping_divergence), "-1e9..1e9 or null", "null",
     false, "stop at once when the monitored metric is worse than this"},
    {"metrics.early_stopping_check_finite", CONFIG_TYPE_BOOL,
     AT(metrics.early_stopping_check_finite), TRUTH, "false", false,
     "stop at once when the monitored metric is no number"},

    {"logging.wandb_project", CONFIG_TYPE_TEXT, AT(logging.wandb_project),
     "any text or null", "null", false,
     "kept in the run folder for wandb sync"},
    {"logging.wandb_entity", CONFIG_TYPE_TEXT, AT(logging.wandb_entity),
     "any text or null", "null", false,
     "kept in the run folder for wandb sync"},
    {"logging.wandb_run_name", CONFIG_TYPE_TEXT, AT(logging.wandb_run_name),
     "any text or null", "null", false,
     "kept in the run folder for wandb sync"},
    {"logging.wandb_tags", CONFIG_TYPE_TEXTS,
     LIST(logging.wandb_tags, logging.n_wandb_tags), "any text", "[]", false,
     "kept in the run folder for wandb sync"},
    {"logging.log_every_n_steps", CONFIG_TYPE_INT,
     AT(logging.log_every_n_steps), "1..1000000000", "50", false,
     "optimizer steps between two lines of metrics.jsonl"},

    {"checkpoint.save_top_k", CONFIG_TYPE_INT, AT(checkpoint.save_top_k),
     "-1..1000000", "3", false, "best checkpoints to keep; -1 keeps all"},
    {"checkpoint.checkpoint_dir", CONFIG_TYPE_TEXT,
     AT(checkpoint.checkpoint_dir), "any text or null", "null", false,
     "run folder of a2b-train without -o"},
    {"checkpoint.monitor", CONFIG_TYPE_TEXT, AT(checkpoint.monitor),
     "any text", "val_loss", false,
     "metric that decides best and early stopping"},
    {"checkpoint.mode", CONFIG_TYPE_FLAG, AT(checkpoint.mode_max),
     "min, max", "min", false, "which end of the monitored metric is good"},
    {"checkpoint.save_last", CONFIG_TYPE_BOOL, AT(checkpoint.save_last), TRUTH,
     "true", false, "keep the newest checkpoint too"},
    {"checkpoint.save_every_n_steps", CONFIG_TYPE_INT,
     AT(checkpoint.save_every_n_steps), "0..1000000000", "1000", false,
     "optimizer steps between checkpoints; 0: only at validations"},
    {"checkpoint.keep_last", CONFIG_TYPE_INT, AT(checkpoint.keep_last),
     "1..1000000", "2", false,
     "newest of the checkpoints of save_every_n_steps to keep"},
    {"checkpoint.keep_every", CONFIG_TYPE_INT, AT(checkpoint.keep_every),
     "0..1000000000", "0", false,
     "optimizer steps between checkpoints that are never removed; 0: none"},
    {"checkpoint.load_from_checkpoint", CONFIG_TYPE_TEXT,
     AT(checkpoint.load_from_checkpoint), "any text or null", "null", false,
     "checkpoint whose weights training starts from"},

    {"train.max_epochs", CONFIG_TYPE_INT, AT(train.max_epochs), "1..1000000",
     "100", false, "passes over the training recordings"},
    {"train.accumulate_grad_batches", CONFIG_TYPE_INT,
     AT(train.accumulate_grad_batches), "1..65536", "1", false,
     "batches in one optimizer step"},
    {"train.recompute", CONFIG_TYPE_BOOL, AT(train.recompute), TRUTH, "false",
     false, "keep a part of the activations and compute the others again: "
     "less memory, more time, the same bits"},
    {"train.nan_policy", CONFIG_TYPE_WORD, AT(train.nan_policy),
     "stop, skip", "stop", false,
     "what a loss or gradient that is not finite does: end the run, or "
     "leave the weights for this step"},
    {"train.nan_limit", CONFIG_TYPE_INT, AT(train.nan_limit),
     "0..1000000000", "100", false,
     "steps that skip may leave out before it ends the run"},

    {"datasets.*.root", CONFIG_TYPE_TEXT, DATASET(root), "any text or null",
     "null", false,
     "folder or URI; hku956 and pmemo2019 have upstream's bucket"},
    {"datasets.*.data_directories.eda", CONFIG_TYPE_TEXT,
     DATASET(eda_directory), "any text or null", "null", false,
     "folder of the EDA files under root; null: the layout's own"},
    {"datasets.*.data_directories.audio", CONFIG_TYPE_TEXT,
     DATASET(audio_directory), "any text or null", "null", false,
     "folder of the songs under root; null: the layout's own"},
    {"datasets.*.metadata_paths", CONFIG_TYPE_TEXTS, CONFIG_SCOPE_DATASET,
     offsetof(struct config_dataset, metadata_paths),
     offsetof(struct config_dataset, n_metadata_paths), "any text", "[]",
     false, "metadata files under root; none: the layout's own"},
    {"datasets.*.split_ratios", CONFIG_TYPE_RATIOS, DATASET(split_ratios),
     "0..1", "[0.8, 0.1, 0.1]", false,
     "shares of train, val and test; their sum is 1"},
    {"datasets.*.split_by", CONFIG_TYPE_WORD, DATASET(split_by),
     "song, subject, recording, index", "song", false,
     "what is never in two splits"},
    {"datasets.*.seed", CONFIG_TYPE_INT, DATASET(seed), SEED, "42", false,
     "seed of the split"},
    {"datasets.*.dataset_name", CONFIG_TYPE_IGNORED, CONFIG_SCOPE_DATASET, 0,
     0, "", "", false, "upstream's; accepted and not used"},
    {"datasets.*.modalities", CONFIG_TYPE_IGNORED, CONFIG_SCOPE_DATASET, 0,
     0, "", "", false, "upstream's; accepted and not used"},
    {"datasets.*.file_format", CONFIG_TYPE_IGNORED, CONFIG_SCOPE_DATASET, 0,
     0, "", "", false, "upstream's; accepted and not used"},

    {"features.preset", CONFIG_TYPE_WORD, FEATURE(preset),
     "default, torchaudio, librosa, kaldi, upstream", "default", false,
     "values of the audio keys that are not written"},
    {"features.audio_target_sample_rate", CONFIG_TYPE_INT,
     FEATURE(audio_target_sample_rate), "100..768000 or null", "16000",
     false, "sampling rate of the analysis, Hz; null: the file's own"},
    {"features.audio_resampler", CONFIG_TYPE_WORD, FEATURE(audio_resampler),
     "kaiser_best, torchaudio, soxr_hq, none", "kaiser_best", false,
     "filter that changes the sampling rate"},
    {"features.audio_channels", CONFIG_TYPE_WORD, FEATURE(audio_channels),
     "mix, left, right", "mix", false, "what becomes the mono signal"},
    {"features.audio_normalize", CONFIG_TYPE_BOOL, FEATURE(audio_normalize),
     TRUTH, "true", false, "peak to 1 before resampling"},
    {"features.audio_n_mfcc", CONFIG_TYPE_INT, FEATURE(audio_n_mfcc),
     "1..1024", "40", false, "cepstral coefficients"},
    {"features.audio_n_mels", CONFIG_TYPE_INT, FEATURE(audio_n_mels),
     "1..1024", "128", false, "mel filters"},
    {"features.audio_window_size", CONFIG_TYPE_INT,
     FEATURE(audio_window_size), "2..1048576", "2048", false,
     "window, samples"},
    {"features.audio_hop_length", CONFIG_TYPE_INT, FEATURE(audio_hop_length),
     "1..16777216", "1600", false, "step from frame to frame, samples"},
    {"features.audio_n_fft", CONFIG_TYPE_INT, FEATURE(audio_n_fft),
     "2..1048576 or null", "null", false,
     "transform, samples; null: as long as the window"},
    {"features.audio_window", CONFIG_TYPE_WORD, FEATURE(audio_window),
     "hann, hann_sym, hamming, povey, blackman, rect", "hann", false,
     "shape of the window"},
    {"features.audio_center", CONFIG_TYPE_BOOL, FEATURE(audio_center), TRUTH,
     "true", false, "frame k is centred on sample k*hop"},
    {"features.audio_pad_mode", CONFIG_TYPE_WORD, FEATURE(audio_pad_mode),
     "reflect, zero, edge", "reflect", false,
     "what stands before and after a centred signal"},
    {"features.audio_preemphasis", CONFIG_TYPE_NUM,
     FEATURE(audio_preemphasis), "[0, 1)", "0", false,
     "x[n] -= value*x[n-1] in a frame; 0 is off"},
    {"features.audio_remove_dc", CONFIG_TYPE_BOOL, FEATURE(audio_remove_dc),
     TRUTH, "false", false, "subtract the mean of a frame"},
    {"features.audio_power", CONFIG_TYPE_NUM, FEATURE(audio_power), "1..2",
     "2", false, "1 sums magnitudes, 2 powers"},
    {"features.audio_f_min", CONFIG_TYPE_NUM, FEATURE(audio_f_min),
     "0..384000", "0", false, "lower edge of the mel filters, Hz"},
    {"features.audio_f_max", CONFIG_TYPE_NUM, FEATURE(audio_f_max),
     "(0, 384000] or null", "null", false,
     "upper edge of the mel filters, Hz; null: half the sampling rate"},
    {"features.audio_mel_scale", CONFIG_TYPE_WORD, FEATURE(audio_mel_scale),
     "htk, slaney, kaldi", "htk", false, "which mel scale"},
    {"features.audio_mel_norm", CONFIG_TYPE_WORD, FEATURE(audio_mel_norm),
     "none, slaney", "none", false, "filters of peak 1, or of equal area"},
    {"features.audio_log", CONFIG_TYPE_WORD, FEATURE(audio_log),
     "db, ln, ln_offset", "db", false,
     "logarithm: 10*log10, ln of the floored or of the offset energy"},
    {"features.audio_amin", CONFIG_TYPE_NUM, FEATURE(audio_amin),
     "(0, 1e9]", "1e-10", false, "floor or offset inside the logarithm"},
    {"features.audio_top_db", CONFIG_TYPE_NUM, FEATURE(audio_top_db),
     "(0, 1e9] or null", "80", false,
     "floor below the clip's maximum, dB; null is off"},
    {"features.audio_lifter", CONFIG_TYPE_NUM, FEATURE(audio_lifter),
     "0..10000", "0", false, "cepstral lifter; 0 is off"},
    {"features.audio_use_energy", CONFIG_TYPE_BOOL,
     FEATURE(audio_use_energy), TRUTH, "false", false,
     "coefficient 0 is the frame's log energy"},
    {"features.audio_delta_order", CONFIG_TYPE_INT,
     FEATURE(audio_delta_order), "0..2", "0", false,
     "1 appends the coefficients' differences in time, 2 also theirs"},
    {"features.audio_delta_width", CONFIG_TYPE_INT,
     FEATURE(audio_delta_width), "3..101", "5", false,
     "frames a difference in time spans, odd"},
    {"features.audio_cmvn", CONFIG_TYPE_WORD, FEATURE(audio_cmvn),
     "none, clip", "none", false,
     "clip: every coefficient to mean 0 and variance 1 over the song"},
    {"features.eda_target_sample_rate", CONFIG_TYPE_NUM,
     FEATURE(eda_target_sample_rate), "(0, 100000] or null", "null", false,
     "rate of the EDA, Hz; null: onto the audio frames"},
    {"features.eda_window_size", CONFIG_TYPE_INT, FEATURE(eda_window_size),
     "1..16777216 or null", "null", false, "no effect; upstream's key"},
    {"features.eda_hop_length", CONFIG_TYPE_INT, FEATURE(eda_hop_length),
     "1..16777216 or null", "null", false, "no effect; upstream's key"},
    {"features.eda_normalize", CONFIG_TYPE_WORD, FEATURE(eda_normalize),
     "recording, subject, robust, minmax, none or boolean", "recording",
     false, "z-score of what; true is recording, false is none"},
    {"features.filter_lowpass", CONFIG_TYPE_BOOL, FEATURE(filter_lowpass),
     TRUTH, "true", false, "zero-phase Butterworth low-pass"},
    {"features.filter_highpass", CONFIG_TYPE_BOOL, FEATURE(filter_highpass),
     TRUTH, "false", false, "zero-phase Butterworth high-pass"},
    {"features.eda_lowpass_hz", CONFIG_TYPE_NUM, FEATURE(eda_lowpass_hz),
     "(0, 100000]", "8", false, "cutoff of the low-pass, Hz"},
    {"features.eda_lowpass_order", CONFIG_TYPE_INT,
     FEATURE(eda_lowpass_order), "1..16", "2", false,
     "order of the low-pass, of each of the two passes"},
    {"features.eda_highpass_hz", CONFIG_TYPE_NUM, FEATURE(eda_highpass_hz),
     "(0, 100000]", "0.05", false, "cutoff of the high-pass, Hz"},
    {"features.eda_highpass_order", CONFIG_TYPE_INT,
     FEATURE(eda_highpass_order), "1..16", "2", false,
     "order of the high-pass, of each of the two passes"},
    {"features.eda_filter_pad", CONFIG_TYPE_WORD, FEATURE(eda_filter_pad),
     "scipy, auto", "scipy", false,
     "samples mirrored at the ends: as scipy does, or by the cutoff"},
    {"features.eda_component", CONFIG_TYPE_WORD, FEATURE(eda_component),
     "signal, phasic, tonic", "signal", false,
     "part of the signal to keep: all, the responses, or their level"},
    {"features.eda_decomposition", CONFIG_TYPE_WORD,
     FEATURE(eda_decomposition), "highpass, median, cvxeda", "highpass",
     false, "how phasic and tonic part are told apart"},
    {"features.eda_unit", CONFIG_TYPE_WORD, FEATURE(eda_unit),
     "auto, uS, unknown", "auto", false,
     "unit of the files; auto: uS for hku956, else unknown"},
    {"features.eda_min", CONFIG_TYPE_NUM, FEATURE(eda_min), "-1e9..1e9",
     "0", false, "below this is a gap, uS; only if the unit is uS"},
    {"features.eda_max", CONFIG_TYPE_NUM, FEATURE(eda_max), "-1e9..1e9",
     "60", false, "above this is a gap, uS; only if the unit is uS"},
    {"features.eda_max_gap_s", CONFIG_TYPE_NUM, FEATURE(eda_max_gap_s),
     "0..1e9", "2", false, "gaps up to this are filled and masked, s"},
    {"features.eda_std_min", CONFIG_TYPE_NUM, FEATURE(eda_std_min),
     "0..1e9", "0.01", false,
     "below this deviation z-scores are not amplified, uS"},
    {"features.eda_interpolation", CONFIG_TYPE_WORD,
     FEATURE(eda_interpolation), "sinc, cubic", "sinc", false,
     "how a signal comes onto the frame times"},

    {"cache.size", CONFIG_TYPE_SIZE, AT(cache.size),
     "0..9223372036854775807", "10G", false,
     "largest disk cache of a2b-fetch, bytes; K, M, G, T are 1024^n"},
};

size_t config_table_n(void)
{
    return sizeof rows / sizeof rows[0];
}

const struct config_row *config_table_row(size_t i)
{
    assert(i < config_table_n());
    return &rows[i];
}

const char *config_table_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_TYPE_INT] = "integer",
        [CONFIG_TYPE_NUM] = "number",
        [CONFIG_TYPE_BOOL] = "boolean",
        [CONFIG_TYPE_WORD] = "word",
        [CONFIG_TYPE_FLAG] = "word",
        [CONFIG_TYPE_TEXT] = "text",
        [CONFIG_TYPE_SIZE] = "size",
        [CONFIG_TYPE_INTERVAL] = "number",
        [CONFIG_TYPE_WORDS] = "list of words",
        [CONFIG_TYPE_TEXTS] = "list of texts",
        [CONFIG_TYPE_RATIOS] = "list of 3 numbers",
        [CONFIG_TYPE_WEIGHTS] = "mapping",
        [CONFIG_TYPE_COUNTS] = "list of integers",
        [CONFIG_TYPE_SCHEDULERS] = "list of mappings",
        [CONFIG_TYPE_TERMS] = "list of {name, weight}",
        [CONFIG_TYPE_IGNORED] = "ignored",
    };

    return names[type];
}

size_t config_table_index(const char *path)
{
    size_t i;

    for (i = 0; i < config_table_n(); i++)
        if (strcmp(rows[i].path, path) == 0)
            return i;
    assert(false && "a path that is in the table");
    return 0;
}

const char *config_table_name(const struct config_row *row)
{
    const char *dot = strrchr(row->path, '.');

    return dot ? dot + 1 : row->path;
}

const void *config_table_at(const struct config *c,
                            const struct config_row *row)
{
    switch (row->scope) {
    case CONFIG_SCOPE_FEATURES:
        return &c->features;
    case CONFIG_SCOPE_TCN:
        return &c->model.tcn;
    case CONFIG_SCOPE_WAVENET:
        return &c->model.wavenet;
    case CONFIG_SCOPE_SCHEDULER:
        return &c->optimizer.scheduler;
    case CONFIG_SCOPE_CONFIG:
    case CONFIG_SCOPE_DATASET:
        break;
    }
    assert(row->scope != CONFIG_SCOPE_DATASET);
    return c;
}

void *config_table_base(struct config *c, const struct config_row *row)
{
    return (char *)c + ((const char *)config_table_at(c, row) -
                        (const char *)c);
}
