/*
 * config - one YAML file for a whole experiment, one table of its keys.
 *
 * The table in config.c gives every key its name, type, range, default, unit
 * and doc line; parser, --set, --print-config, a2b-config(5) and the feature
 * tools' options are made from it. Precedence: default < file < --set <
 * option. Errors name file, line, column and the right name.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/frame.h"

/* The dataset kinds a2b knows the layout of. */
enum dataset_kind {
    DATASET_HKU956,    /* HKU956: headerless 4 Hz files per participant */
    DATASET_PMEMO2019, /* PMEmo2019: one CSV per song, a column per subject */
    DATASET_OTHER      /* any other word: read from a manifest */
};

/* What a split keeps together. */
enum config_split_by {
    CONFIG_SPLIT_SONG, /* no song in two splits */
    CONFIG_SPLIT_SUBJECT, /* no listener in two splits */
    CONFIG_SPLIT_RECORDING, /* each recording on its own */
    CONFIG_SPLIT_INDEX /* by position, upstream's way */
};

/* `datasets.<name>`: where a dataset lies and how it is split. */
struct config_dataset {
    char *name;             /* hku956, pmemo2019 or any word; owned */
    enum dataset_kind kind; /* from the name */
    char *root;             /* folder or URI; owned, never NULL for known */
    char *eda_directory;    /* data_directories.eda, NULL: the layout's */
    char *audio_directory;  /* data_directories.audio, NULL: the layout's */
    char **metadata_paths;  /* n_metadata_paths strings, owned */
    size_t n_metadata_paths; /* 0: the layout's */
    double split_ratios[3]; /* train, val, test; sum 1 */
    enum config_split_by split_by; /* group that stays together */
    int64_t seed;           /* of the split */
};

/* `model.architecture`. */
enum config_architecture { CONFIG_TCN, CONFIG_WAVENET };

/* `padding` of a convolution. */
enum config_padding { CONFIG_PAD_SAME, CONFIG_PAD_CAUSAL };

/* `norm` of a TCN block. */
enum config_norm { CONFIG_NORM_NONE, CONFIG_NORM_WEIGHT, CONFIG_NORM_LAYER };

/* `model.params` of a tcn. */
struct config_tcn {
    int64_t input_size;    /* C of the features */
    int64_t output_size;   /* O */
    int64_t num_blocks;    /* residual blocks of two convolutions */
    int64_t num_channels;  /* channels of every block */
    int64_t kernel_size;   /* K */
    double dropout;        /* probability in [0, 1) */
    int64_t dilation_base; /* block i has dilation base^i */
    enum config_padding padding; /* where the zeros around a sequence go */
    enum config_norm norm; /* normalisation inside a block */
};

/* `gate`, `dropout_at` and `head` of a wavenet. */
enum config_gate { CONFIG_GATE_TIED, CONFIG_GATE_SPLIT };
enum config_dropout_at { CONFIG_DROPOUT_RESIDUAL, CONFIG_DROPOUT_GATE };
enum config_head { CONFIG_HEAD_SHARED, CONFIG_HEAD_CHAINED };

/* `model.params` of a wavenet. */
struct config_wavenet {
    int64_t num_stacks; /* stacks; dilation begins at 1 in each */
    int64_t num_layers_per_stack; /* dilated convolutions in a stack */
    int64_t residual_channels; /* R, channels of the residual stream */
    int64_t skip_channels; /* S, channels of the skip sum */
    int64_t kernel_size; /* K */
    int64_t dilation_base; /* layer n has dilation base^n */
    double dropout_rate; /* probability in [0, 1) */
    int64_t input_channels; /* C of the features */
    int64_t output_channels; /* O */
    bool use_bias; /* bias in the convolutions */
    enum config_gate gate; /* one convolution feeds both halves, or two */
    bool residual_conv; /* 1x1 before the residual sum */
    enum config_dropout_at dropout_at; /* where values are dropped */
    enum config_head head; /* one for all stacks, or one each */
    bool head_bias; /* default: use_bias */
    enum config_padding padding; /* where the zeros around a sequence go */
    bool weight_norm; /* weights as direction and length */
};

/* `model`. */
struct config_model {
    enum config_architecture architecture; /* which of the two */
    struct config_tcn tcn;         /* params when architecture is tcn */
    struct config_wavenet wavenet; /* params when it is wavenet */
};

/* `optimizer.name`. */
enum config_optimizer_name {
    CONFIG_SGD, /* with momentum */
    CONFIG_ADAM, /* decay as an L2 term */
    CONFIG_ADAMW, /* decay on the weights */
    CONFIG_RMSPROP, /* gradient by its root mean square */
    CONFIG_LION, /* sign of a mean gradient */
    CONFIG_SCHEDULE_FREE_ADAMW /* averages instead of a falling rate */
};

/* `optimizer.scheduler`, as a name or as its `name`. */
enum config_scheduler_name {
    CONFIG_CONSTANT, /* one rate */
    CONFIG_LINEAR, /* falls linearly */
    CONFIG_COSINE, /* falls along half a cosine */
    CONFIG_COSINE_RESTARTS, /* transformers' num_cycles hard restarts */
    CONFIG_WARM_RESTARTS, /* torch's CosineAnnealingWarmRestarts */
    CONFIG_STEP, /* times gamma every step_size */
    CONFIG_MULTISTEP, /* times gamma at every milestone */
    CONFIG_EXPONENTIAL, /* times gamma every time */
    CONFIG_POLYNOMIAL, /* falls along a power */
    CONFIG_INVERSE_SQRT, /* falls as 1 / sqrt */
    CONFIG_ONECYCLE, /* up, down, far down */
    CONFIG_CYCLIC, /* triangles between two rates */
    CONFIG_WSD, /* stays, then falls at the end */
    CONFIG_PLATEAU, /* falls when the monitored number stays */
    CONFIG_CONSTANT_TORCH, /* torch's ConstantLR */
    CONFIG_LINEAR_TORCH, /* torch's LinearLR */
    CONFIG_SEQUENTIAL, /* one scheduler after another */
    CONFIG_CHAINED /* several at once, their factors multiplied */
};

/* `scheduler.interval`: what a scheduler counts. */
enum config_interval { CONFIG_PER_STEP, CONFIG_PER_EPOCH };

/* `scheduler.anneal_strategy`. */
enum config_anneal { CONFIG_ANNEAL_COS, CONFIG_ANNEAL_LINEAR };

/* `scheduler.decay`. */
enum config_decay { CONFIG_DECAY_LINEAR, CONFIG_DECAY_SQRT };

/* `scheduler.threshold_mode`. */
enum config_threshold { CONFIG_THRESHOLD_REL, CONFIG_THRESHOLD_ABS };

/* `scheduler.mode` of reduce_on_plateau and of cyclic. */
enum config_scheduler_mode {
    CONFIG_MODE_AUTO, /* checkpoint.mode; triangular */
    CONFIG_MODE_MIN, /* reduce_on_plateau: lower is better */
    CONFIG_MODE_MAX, /* reduce_on_plateau: higher is better */
    CONFIG_MODE_TRIANGULAR, /* cyclic: every triangle as high */
    CONFIG_MODE_TRIANGULAR2, /* cyclic: each half as high as the last */
    CONFIG_MODE_EXP_RANGE /* cyclic: height times gamma every step */
};

/*
 * `optimizer.scheduler`. Counts are steps or epochs, as interval says; after
 * config_settle() null stands only where the run decides (the planned end).
 */
struct config_scheduler {
    enum config_scheduler_name name; /* shape of the rate */
    enum config_interval interval; /* what is counted */
    double eta_min; /* floor of linear, cosine forms, polynomial, wsd */
    int64_t t_max; /* cosine: half a period; 0 (null): to the end */
    bool periodic; /* cosine: rises again after t_max */
    int64_t num_cycles; /* cosine_with_restarts */
    int64_t t_0; /* cosine_warm_restarts: first period */
    int64_t t_mult; /* cosine_warm_restarts: growth of the period */
    int64_t step_size; /* step */
    double gamma; /* factor; 0 (null): by name */
    int64_t *milestones; /* n_milestones, rising; owned */
    size_t n_milestones; /* how many */
    double power; /* polynomial */
    int64_t total_iters; /* length; 0 (null): 5, polynomial: to the end */
    int64_t timescale; /* inverse_sqrt; 0 (null): the warmup, or 10000 */
    double factor; /* constant_torch, reduce_on_plateau; 0 (null): by name */
    double start_factor; /* linear_torch */
    double end_factor; /* linear_torch */
    double base_lr; /* cyclic: lower rate */
    double pct_start; /* onecycle: share of the rise */
    enum config_anneal anneal_strategy; /* onecycle: form of a phase */
    double div_factor; /* onecycle: highest by first rate */
    double final_div_factor; /* onecycle: first by last rate */
    bool three_phase; /* onecycle: down to the first rate, then further */
    int64_t step_size_up; /* cyclic: rising half */
    int64_t step_size_down; /* cyclic; 0 (null): as long as the other */
    enum config_scheduler_mode mode; /* cyclic, reduce_on_plateau */
    bool cycle_momentum; /* onecycle, cyclic: momentum falls as lr rises */
    double base_momentum; /* its lower end; 0 (null): by name */
    double max_momentum; /* its upper end; 0 (null): by name */
    double decay_ratio; /* wsd: share of the fall */
    enum config_decay decay; /* wsd: form of the fall */
    int64_t patience; /* reduce_on_plateau: validations */
    double threshold; /* reduce_on_plateau: smallest improvement */
    enum config_threshold threshold_mode; /* of the best, or absolute */
    int64_t cooldown; /* reduce_on_plateau: validations */
    double min_lr; /* reduce_on_plateau: floor */
    double eps; /* reduce_on_plateau: smallest change */
    struct config_scheduler *schedulers; /* n_schedulers, owned: the parts
                                            of sequential and chained */
    size_t n_schedulers; /* how many */
};

/* `optimizer.gradient_clip_algorithm`. */
enum config_clip { CONFIG_CLIP_NORM, CONFIG_CLIP_VALUE };

/* `optimizer`. */
struct config_optimizer {
    enum config_optimizer_name name; /* formula of the update */
    double learning_rate; /* highest rate of the schedule */
    double weight_decay; /* pull of weights towards 0 */
    double beta1, beta2; /* all but sgd and rmsprop */
    double eps;          /* all but sgd and lion */
    bool amsgrad;        /* adam, adamw: largest squared gradient so far */
    double alpha;        /* rmsprop: decay of the squared gradient */
    double momentum;     /* sgd, rmsprop */
    double dampening;    /* sgd: share of the gradient left out */
    bool nesterov;       /* sgd */
    bool decay_bias;     /* weight decay reaches tensors of one dimension */
    double ema_decay;    /* of the averaged weights; 0 is off */
    double swa_start;    /* share of the steps before a mean of the weights of
                            all later ones; 0 is off */
    struct config_scheduler scheduler; /* the rate over the steps */
    int64_t warmup_steps; /* optimizer steps */
    double warmup_ratio;  /* share of the planned steps, if warmup_steps 0 */
    int64_t warmup_start; /* what the warmup counts from: 0 or 1 */
    double gradient_clip_val; /* norm or value; 0 is off */
    enum config_clip gradient_clip_algorithm; /* which of the two */
};

/* `data`. */
struct config_data {
    char **train_datasets; /* words; owned */
    size_t n_train_datasets; /* how many */
    char **val_datasets; /* words; owned */
    size_t n_val_datasets; /* how many */
    char **test_datasets; /* words; owned */
    size_t n_test_datasets; /* how many */
    int64_t batch_size;    /* recordings, over all processes */
    int64_t num_workers;   /* threads of the feature stages without -j */
    int64_t prefetch_size; /* batches read ahead */
    bool group_by_song; /* a batch takes whole songs */
    int64_t pool;          /* batches per length pool; 1 is a plain shuffle */
    int64_t window;        /* frames of a training window; 0: no windows */
    int64_t hop;           /* frames from one window to the next; 0: window */
    char **weight_names;   /* sampling_weights: dataset words, owned */
    double *weights;       /* their weights, owned */
    size_t n_weights; /* how many */
};

/* `loss.name`, and `loss.terms[].name`. */
enum config_loss_name {
    CONFIG_LOSS_MSE, /* mean squared error */
    CONFIG_LOSS_L1, /* mean absolute error */
    CONFIG_LOSS_HUBER, /* squared below delta, then linear */
    CONFIG_LOSS_SMOOTH_L1, /* huber divided by beta */
    CONFIG_LOSS_CCC, /* 1 - concordance */
    CONFIG_LOSS_PEARSON, /* 1 - r */
    CONFIG_LOSS_DERIVATIVE, /* mse of first differences */
    CONFIG_LOSS_SPECTRAL, /* distance of log spectrograms */
    CONFIG_LOSS_SOFT_DTW, /* soft dynamic time warping */
    CONFIG_LOSS_CUSTOM /* the weighted sum in loss.terms */
};

/* One term of the loss. */
struct config_loss_term {
    enum config_loss_name name; /* formula, or the sum of terms */
    double weight; /* factor of the term */
};

/* `loss`. After loading, terms holds the name's one term unless custom. */
struct config_loss {
    enum config_loss_name name; /* formula, or the sum of terms */
    double delta; /* huber */
    double beta;  /* smooth_l1 */
    int64_t *spectral_sizes; /* spectral: windows, frames; owned */
    size_t n_spectral_sizes; /* how many */
    double soft_dtw_gamma; /* soft_dtw: softness */
    int64_t soft_dtw_pool; /* soft_dtw: frames in a point */
    struct config_loss_term *terms; /* n_terms, owned */
    size_t n_terms; /* how many */
};

/* `hardware.device`, `hardware.precision` and `hardware.convolution`. */
enum config_device { CONFIG_AUTO, CONFIG_CPU, CONFIG_CUDA, CONFIG_MPS };
enum config_precision { CONFIG_FP32, CONFIG_BF16, CONFIG_FP16 };
enum config_convolution {
    CONFIG_CONVOLUTION_AUTO, /* by shape and length */
    CONFIG_CONVOLUTION_DIRECT, /* sums of products */
    CONFIG_WINOGRAD2, /* F(2, K) */
    CONFIG_WINOGRAD4 /* F(4, K) */
};

/* `hardware`. */
struct config_hardware {
    enum config_device device; /* auto is the CPU */
    enum config_precision precision; /* of the numbers */
    enum config_convolution convolution; /* algorithm of a training pass */
    bool distributed; /* expects several processes */
    int64_t num_gpus; /* no effect; warns */
};

/* `metrics`. */
struct config_metrics {
    bool compute_metrics; /* metrics besides the loss */
    char **train_metrics; /* names of metrics; owned */
    size_t n_train_metrics; /* how many */
    char **val_metrics; /* names of metrics; owned */
    size_t n_val_metrics; /* how many */
    double val_check_interval; /* share of an epoch, or steps */
    bool val_check_steps;      /* it was written as an integer: steps */
    int64_t val_every_steps;   /* optimizer steps; 0: as above */
    int64_t val_every_epochs;  /* epochs; 0: as above */
    bool early_stopping; /* stop when nothing improves */
    int64_t early_stopping_patience; /* validations */
    double early_stopping_min_delta; /* smallest improvement that counts */
    double early_stopping_threshold; /* good enough; 0: never */
    double early_stopping_divergence; /* too bad; 0: never */
    bool early_stopping_check_finite; /* stop when there is no number */
};

/* `logging`. */
struct config_logging {
    char *wandb_project; /* NULL: none; kept for `wandb sync`, owned */
    char *wandb_entity; /* NULL: none; owned */
    char *wandb_run_name; /* NULL: none; owned */
    char **wandb_tags; /* words; owned */
    size_t n_wandb_tags; /* how many */
    int64_t log_every_n_steps; /* steps between lines of metrics.jsonl */
};

/* `checkpoint`. */
struct config_checkpoint {
    int64_t save_top_k; /* -1 keeps all, 0 none but last */
    char *checkpoint_dir; /* default of a2b-train -o; NULL: none */
    char *monitor;        /* val_loss, val/mse, ... */
    bool mode_max;        /* mode: max */
    bool save_last; /* keep the newest too */
    int64_t save_every_n_steps; /* 0: only at validations */
    int64_t keep_last; /* of those that save_every_n_steps asked for */
    int64_t keep_every; /* steps whose checkpoints stay for good; 0: none */
    char *load_from_checkpoint; /* weights only; NULL: none */
};

/* `train.nan_policy`. */
enum config_nan { CONFIG_NAN_STOP, CONFIG_NAN_SKIP };

/* `train`. */
struct config_train {
    int64_t max_epochs; /* passes over the data */
    int64_t accumulate_grad_batches; /* batches a step */
    bool recompute; /* activations again, instead of keeping them */
    enum config_nan nan_policy; /* for a step that is not finite */
    int64_t nan_limit; /* steps that may be skipped */
};

/* `features.preset`. */
enum config_preset {
    CONFIG_PRESET_DEFAULT, /* 10 frames a second, no empty filters */
    CONFIG_PRESET_TORCHAUDIO, /* torchaudio.transforms.MFCC */
    CONFIG_PRESET_LIBROSA, /* librosa.feature.mfcc */
    CONFIG_PRESET_KALDI, /* compute-mfcc-feats */
    CONFIG_PRESET_UPSTREAM /* upstream's defaults */
};

/* `features.audio_resampler`. */
enum config_resampler {
    CONFIG_KAISER_BEST, /* Kaiser sinc, 64 zeros */
    CONFIG_RESAMPLE_TORCHAUDIO, /* Hann sinc, 6 zeros */
    CONFIG_SOXR_HQ, /* libsoxr */
    CONFIG_RESAMPLE_NONE /* refuse other rates */
};

/* `features.audio_channels`. */
enum config_channels { CONFIG_MIX, CONFIG_LEFT, CONFIG_RIGHT };

/* `features.audio_window`. */
enum config_window {
    CONFIG_HANN, /* periodic */
    CONFIG_HANN_SYM, /* symmetric */
    CONFIG_HAMMING, /* 0.54 - 0.46 cos */
    CONFIG_POVEY, /* symmetric Hann to the 0.85 */
    CONFIG_BLACKMAN, /* 0.42 - 0.5 cos + 0.08 cos */
    CONFIG_RECT /* all ones */
};

/* `features.audio_pad_mode`. */
enum config_pad_mode { CONFIG_REFLECT, CONFIG_ZERO, CONFIG_EDGE };

/* `features.audio_mel_scale` and `audio_mel_norm`. */
enum config_mel_scale { CONFIG_HTK, CONFIG_SLANEY, CONFIG_MEL_KALDI };
enum config_mel_norm { CONFIG_MEL_NORM_NONE, CONFIG_MEL_NORM_SLANEY };

/* `features.audio_log`. */
enum config_log { CONFIG_LOG_DB, CONFIG_LOG_LN, CONFIG_LOG_LN_OFFSET };

/* `features.audio_cmvn`. */
enum config_cmvn { CONFIG_CMVN_NONE, CONFIG_CMVN_CLIP };

/* `features.eda_normalize`. true is recording, false is none. */
enum config_normalize {
    CONFIG_NORMALIZE_RECORDING, /* z-score of the recording */
    CONFIG_NORMALIZE_SUBJECT,   /* statistics of the subject, --stats */
    CONFIG_NORMALIZE_ROBUST,    /* median and MAD of the recording */
    CONFIG_NORMALIZE_MINMAX,    /* onto [0, 1] */
    CONFIG_NORMALIZE_NONE /* as recorded */
};

/* `features.eda_unit`. */
enum config_unit {
    CONFIG_UNIT_AUTO, /* uS for hku956, else unknown */
    CONFIG_UNIT_US, /* microsiemens */
    CONFIG_UNIT_UNKNOWN /* anything else */
};

/* `features.eda_interpolation`. */
enum config_interpolation { CONFIG_SINC, CONFIG_CUBIC };

/* `features.eda_filter_pad`. */
enum config_filter_pad { CONFIG_FILTER_PAD_SCIPY, CONFIG_FILTER_PAD_AUTO };

/* `features.eda_component`. */
enum config_component {
    CONFIG_COMPONENT_SIGNAL, /* all of it */
    CONFIG_COMPONENT_PHASIC, /* the skin conductance responses */
    CONFIG_COMPONENT_TONIC   /* the level they ride on */
};

/* `features.eda_decomposition`. */
enum config_decomposition {
    CONFIG_DECOMPOSITION_HIGHPASS, /* eda_highpass_hz and _order */
    CONFIG_DECOMPOSITION_MEDIAN,   /* running median over 4 s */
    CONFIG_DECOMPOSITION_CVXEDA    /* convex optimisation */
};

/* `features`: everything that changes a feature or a signal. */
struct config_features {
    enum config_preset preset; /* fills what was not given */
    /* audio; a preset fills what was not given explicitly */
    int64_t audio_target_sample_rate; /* Hz; 0 (null): the file's own */
    enum config_resampler audio_resampler; /* kernel of the resampler */
    enum config_channels audio_channels; /* how stereo becomes mono */
    bool audio_normalize;       /* peak to 1 before resampling */
    int64_t audio_n_mfcc;       /* C */
    int64_t audio_n_mels;       /* mel filters */
    int64_t audio_window_size;  /* samples */
    int64_t audio_hop_length;   /* samples */
    int64_t audio_n_fft;        /* samples; 0 (null): follows the window */
    enum config_window audio_window; /* shape of the window */
    bool audio_center;          /* frame k is centred on sample k*hop */
    enum config_pad_mode audio_pad_mode; /* what lies beyond the ends */
    double audio_preemphasis;   /* 0 is off */
    bool audio_remove_dc;       /* per frame */
    double audio_power;         /* 1 or 2 */
    double audio_f_min;         /* Hz */
    double audio_f_max;         /* Hz; 0 (null): Nyquist */
    enum config_mel_scale audio_mel_scale; /* formula of the mel scale */
    enum config_mel_norm audio_mel_norm; /* height of the filters */
    enum config_log audio_log; /* logarithm of the mel energies */
    double audio_amin;          /* floor inside the logarithm */
    double audio_top_db;        /* dB below the clip's maximum; 0 (null): off */
    double audio_lifter;        /* cepstral lifter; 0 is off */
    bool audio_use_energy;      /* C0 replaced by log energy (Kaldi) */
    int64_t audio_delta_order;  /* 0: none, 1: differences, 2: theirs too */
    int64_t audio_delta_width;  /* frames a difference spans, odd */
    enum config_cmvn audio_cmvn; /* normalisation of the coefficients */
    /* eda */
    double eda_target_sample_rate; /* Hz; 0 (null): onto the audio frames */
    int64_t eda_window_size;    /* no effect; upstream's key */
    int64_t eda_hop_length;     /* no effect; upstream's key */
    enum config_normalize eda_normalize; /* scale of the signal */
    bool filter_lowpass;        /* zero-phase Butterworth */
    bool filter_highpass;       /* zero-phase Butterworth */
    double eda_lowpass_hz;      /* cutoff, -6 dB after both passes */
    int64_t eda_lowpass_order; /* of each of the two passes */
    double eda_highpass_hz; /* cutoff, -6 dB after both passes */
    int64_t eda_highpass_order; /* of each of the two passes */
    enum config_filter_pad eda_filter_pad; /* length of the odd extension */
    enum config_component eda_component; /* part of the signal to keep */
    enum config_decomposition eda_decomposition; /* how parts are told */
    enum config_unit eda_unit; /* of the recordings */
    double eda_min;             /* uS; below is a gap; only for unit uS */
    double eda_max;             /* uS; above is a gap; only for unit uS */
    double eda_max_gap_s;       /* gaps up to this are filled and masked */
    double eda_std_min;         /* uS; below it z-scores are not amplified */
    enum config_interpolation eda_interpolation; /* onto the frame times */
};

/* `cache`. */
struct config_cache {
    int64_t size; /* bytes */
};

/* Where a value was written; line 0: not in a file. */
struct config_place {
    size_t line;   /* from 1 */
    size_t column; /* from 1 */
};

/* A whole experiment. */
struct config {
    char *path;            /* file it came from; NULL: defaults; owned */
    char *experiment_name; /* for people; owned */
    int64_t seed; /* of weights, order and dropout */
    struct config_model model; /* what is trained */
    struct config_optimizer optimizer; /* how */
    struct config_data data; /* on what */
    struct config_loss loss; /* what is minimised */
    struct config_hardware hardware; /* where */
    struct config_metrics metrics; /* what is measured */
    struct config_logging logging; /* what is written down */
    struct config_checkpoint checkpoint; /* what is kept */
    struct config_train train; /* how long */
    struct config_features features; /* what the model sees */
    struct config_cache cache; /* of fetched objects */
    struct config_dataset *datasets; /* n_datasets, both known ones always */
    size_t n_datasets; /* how many */
    bool *given; /* per row of the table: written in file, --set or option */
    struct config_place *places; /* per row: where in the file; owned */
    bool model_written;          /* the file or a --set has a model section */
    struct config_place model_place; /* of model.params, else of model */
    struct buf notes;            /* warnings of loading, a line each */
};

/* All keys at their defaults. Returns 0; -1 when memory is short. */
int config_init(struct config *c, struct err *err) NODISCARD;

/*
 * Reads a YAML file over what c holds. ERR_USAGE with file, line and column
 * for an unknown key, a wrong type or range, a key at an older place;
 * ERR_MISSING if there is no such file.
 */
int config_load(struct config *c, const char *path,
                struct err *err) NODISCARD;

/*
 * One `key.path=VALUE` as --set takes it; VALUE is YAML, so that
 * `model.params={...}` works.
 */
int config_set(struct config *c, const char *assignment,
               struct err *err) NODISCARD;

/*
 * Settles what depends on several keys: presets fill features that were not
 * given, n_fft follows the window, the loss gets its terms; checks rules
 * across keys (n_mfcc over n_mels, ratios that do not sum to 1, a device
 * that is not here, ...). Call once after the last config_set().
 * Warnings (num_gpus, hop over window, ...) are appended to `notes`, a line
 * each; notes may be NULL.
 */
int config_settle(struct config *c, struct buf *notes,
                  struct err *err) NODISCARD;

/*
 * Puts file, line and column of a key before an error about it, where a file
 * set it. path: "section.key" of the table. Returns -1.
 */
int config_place(const struct config *c, const char *path, struct err *err);

/* Appends the whole settled config as YAML that loads to the same config. */
void config_put_yaml(const struct config *c, struct buf *out);

/* Appends a2b-config(5)'s list of keys as mdoc(7). */
void config_put_mdoc(struct buf *out);

/* The entry of a dataset word; NULL if the config has none. */
const struct config_dataset *config_dataset(const struct config *c,
                                            const char *name);

/* Frees everything; {0} is fine. */
void config_release(struct config *c);

/* Which half of the features section. */
enum config_half { CONFIG_AUDIO_HALF, CONFIG_EDA_HALF };

/*
 * Writes every effective setting of one half into a frame's metadata, under
 * its key in the features section ("preset" too for audio). Keys without
 * effect and eda_target_sample_rate are left out.
 */
int config_features_to_frame(const struct config_features *f,
                             enum config_half half, struct frame *frame,
                             struct err *err) NODISCARD;

/*
 * Appends the settings that a frame carries in its metadata for one half as
 * members of a JSON object ("key":value,...), for comparison and storage.
 */
int config_features_from_frame(const struct frame *frame,
                               enum config_half half, struct buf *json,
                               struct err *err) NODISCARD;

/*
 * Reads a JSON object of feature settings (a dataset frame's `features`, a
 * checkpoint's `a2b.features`) into f, over the defaults. ERR_DATA.
 */
int config_features_from_json(struct config_features *f, const char *json,
                              struct err *err) NODISCARD;

/* Appends the effective features section, both halves, as a JSON object. */
void config_features_put_json(const struct config_features *f,
                              struct buf *out);

/* Appends model.params as a JSON object in the order of the table. */
void config_model_put_json(const struct config_model *m, struct buf *out);

/* "tcn" or "wavenet". */
const char *config_architecture_name(enum config_architecture a);

/*
 * A model from a checkpoint: architecture name and params JSON, checked as
 * the config's own. ERR_DATA.
 */
int config_model_from_json(struct config_model *m, const char *architecture,
                           const char *params, struct err *err) NODISCARD;

/* One row of the table as options and documents need it. */
struct config_key {
    const char *path;    /* "features.audio_n_mels" */
    const char *type;    /* "integer", "number", "boolean", "word", ... */
    const char *values;  /* range or words: "1..1024", "hann, hamming" */
    const char *initial; /* default as text */
    const char *doc;     /* one line with the unit */
};

/* Rows of the table. */
size_t config_n_keys(void);

/* Row i. */
struct config_key config_key_at(size_t i);

/*
 * The path of the key an option stands for: "n-mels" and
 * CONFIG_AUDIO_HALF give "features.audio_n_mels". NULL if there is none.
 */
const char *config_option_path(const char *option, enum config_half half);

#endif
