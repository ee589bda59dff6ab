/*
 * config_features - the features section: presets, rules across its keys,
 * and its way into frames and checkpoints.
 *
 * A preset is a list of values that differ from the table's defaults; it
 * fills what nobody wrote. Sources: torchaudio.transforms.MFCC 0.13,
 * librosa.feature.mfcc 0.10, Kaldi's compute-mfcc-feats, and the upstream
 * Python project (torchaudio at the file's own rate).
 */
#include "core/config_features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/config_find.h"
#include "core/config_value.h"

/* One value of a preset. */
struct preset_value {
    enum config_preset preset; /* whose */
    const char *path;          /* key */
    const char *value;         /* as YAML */
};

/* Values of the presets that differ from the defaults. */
static const struct preset_value presets[] = {
    {CONFIG_PRESET_TORCHAUDIO, "features.audio_target_sample_rate", "null"},
    {CONFIG_PRESET_TORCHAUDIO, "features.audio_resampler", "torchaudio"},
    {CONFIG_PRESET_TORCHAUDIO, "features.audio_normalize", "false"},
    {CONFIG_PRESET_TORCHAUDIO, "features.audio_n_fft", "400"},
    {CONFIG_PRESET_TORCHAUDIO, "features.audio_window_size", "400"},
    {CONFIG_PRESET_TORCHAUDIO, "features.audio_hop_length", "200"},
    {CONFIG_PRESET_UPSTREAM, "features.audio_target_sample_rate", "null"},
    {CONFIG_PRESET_UPSTREAM, "features.audio_resampler", "torchaudio"},
    {CONFIG_PRESET_UPSTREAM, "features.audio_n_fft", "400"},
    {CONFIG_PRESET_UPSTREAM, "features.audio_window_size", "400"},
    {CONFIG_PRESET_UPSTREAM, "features.audio_hop_length", "160"},
    {CONFIG_PRESET_LIBROSA, "features.audio_target_sample_rate", "22050"},
    {CONFIG_PRESET_LIBROSA, "features.audio_resampler", "soxr_hq"},
    {CONFIG_PRESET_LIBROSA, "features.audio_normalize", "false"},
    {CONFIG_PRESET_LIBROSA, "features.audio_n_fft", "2048"},
    {CONFIG_PRESET_LIBROSA, "features.audio_hop_length", "512"},
    {CONFIG_PRESET_LIBROSA, "features.audio_n_mfcc", "20"},
    {CONFIG_PRESET_LIBROSA, "features.audio_pad_mode", "zero"},
    {CONFIG_PRESET_LIBROSA, "features.audio_mel_scale", "slaney"},
    {CONFIG_PRESET_LIBROSA, "features.audio_mel_norm", "slaney"},
    {CONFIG_PRESET_LIBROSA, "features.audio_lifter_type", "librosa"},
    {CONFIG_PRESET_KALDI, "features.audio_normalize", "false"},
    {CONFIG_PRESET_KALDI, "features.audio_n_mfcc", "13"},
    {CONFIG_PRESET_KALDI, "features.audio_n_mels", "23"},
    {CONFIG_PRESET_KALDI, "features.audio_window_size", "400"},
    {CONFIG_PRESET_KALDI, "features.audio_hop_length", "160"},
    {CONFIG_PRESET_KALDI, "features.audio_window", "povey"},
    {CONFIG_PRESET_KALDI, "features.audio_center", "false"},
    {CONFIG_PRESET_KALDI, "features.audio_pad_mode", "mirror"},
    {CONFIG_PRESET_KALDI, "features.audio_preemphasis", "0.97"},
    {CONFIG_PRESET_KALDI, "features.audio_remove_dc", "true"},
    {CONFIG_PRESET_KALDI, "features.audio_f_min", "20"},
    {CONFIG_PRESET_KALDI, "features.audio_mel_scale", "kaldi"},
    {CONFIG_PRESET_KALDI, "features.audio_log", "ln"},
    {CONFIG_PRESET_KALDI, "features.audio_amin", "1.1920928955078125e-07"},
    {CONFIG_PRESET_KALDI, "features.audio_top_db", "null"},
    {CONFIG_PRESET_KALDI, "features.audio_lifter", "22"},
    {CONFIG_PRESET_KALDI, "features.audio_use_energy", "true"},
};

/* Fills the rows that were not given. */
static int fill(struct config_features *f, const bool *given,
                struct err *err)
{
    const struct config_row *row;
    size_t i, n = sizeof presets / sizeof presets[0];

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope == CONFIG_SCOPE_FEATURES && !given[i] &&
            strcmp(row->path, "features.preset") != 0 &&
            config_value_default(row, f, err))
            return -1;
    }
    for (i = 0; i < n; i++) {
        row = config_table_row(config_table_index(presets[i].path));
        if (presets[i].preset == f->preset &&
            !given[config_table_index(presets[i].path)] &&
            config_value_set(row, f, presets[i].value, true, err))
            return -1;
    }
    return 0;
}

/* Samples of a time at the sampling rate of the analysis, at least `least`. */
static int64_t samples_of(const struct config_features *f, double ms,
                          int64_t least)
{
    int64_t n = llround(ms * 1e-3 * (double)f->audio_target_sample_rate);

    return n > least ? n : least;
}

/*
 * The transform's length where none was given: the preset's if the window
 * fits, else the window's; Kaldi rounds the window up to a power of two.
 */
static void follow_window(struct config_features *f, bool given)
{
    if (given && f->audio_n_fft)
        return;
    if (f->preset == CONFIG_PRESET_KALDI)
        for (f->audio_n_fft = 2; f->audio_n_fft < f->audio_window_size;)
            f->audio_n_fft *= 2;
    else if (f->audio_n_fft < f->audio_window_size)
        f->audio_n_fft = f->audio_window_size;
}

/* Window and hop of times in ms, where these are given. */
static void take_ms(struct config_features *f)
{
    if (f->audio_window_ms > 0)
        f->audio_window_size = samples_of(f, f->audio_window_ms, 2);
    if (f->audio_hop_ms > 0)
        f->audio_hop_length = samples_of(f, f->audio_hop_ms, 1);
}

void config_features_at_rate(struct config_features *f, int64_t rate_hz)
{
    f->audio_target_sample_rate = rate_hz;
    take_ms(f);
    follow_window(f, f->audio_n_fft >= f->audio_window_size);
}

/* Names the row an error is about; returns -1. */
static int blame(size_t *row, const char *path)
{
    *row = config_table_index(path);
    return -1;
}

/*
 * Window and hop in samples from those in ms, once the rate is known: at the
 * file's own rate only the file tells. A length in samples beside one in ms
 * must be the same.
 */
static int settle_ms(struct config_features *f, const bool *given,
                     size_t *row, struct err *err)
{
    int64_t window = f->audio_window_size, hop = f->audio_hop_length;

    if (f->audio_target_sample_rate > 0)
        take_ms(f);
    if (f->audio_window_ms > 0 && window != f->audio_window_size &&
        given[config_table_index("features.audio_window_size")]) {
        err_set(err, ERR_USAGE, "features.audio_window_size: %lld is not the "
                "%lld samples of audio_window_ms %g", (long long)window,
                (long long)f->audio_window_size, f->audio_window_ms);
        return blame(row, "features.audio_window_size");
    }
    if (f->audio_hop_ms > 0 && hop != f->audio_hop_length &&
        given[config_table_index("features.audio_hop_length")]) {
        err_set(err, ERR_USAGE, "features.audio_hop_length: %lld is not the "
                "%lld samples of audio_hop_ms %g", (long long)hop,
                (long long)f->audio_hop_length, f->audio_hop_ms);
        return blame(row, "features.audio_hop_length");
    }
    return 0;
}

/* Rules across the audio keys. */
static int check_audio(const struct config_features *f, size_t *row,
                       struct err *err)
{
    double nyquist = (double)f->audio_target_sample_rate / 2;
    double top = f->audio_f_max > 0 ? f->audio_f_max : nyquist;

    if (f->audio_n_mfcc > f->audio_n_mels) {
        err_set(err, ERR_USAGE,
                "features.audio_n_mfcc: %lld is over audio_n_mels %lld",
                (long long)f->audio_n_mfcc, (long long)f->audio_n_mels);
        return blame(row, "features.audio_n_mfcc");
    }
    if (f->audio_n_fft < f->audio_window_size &&
        (f->audio_window_ms <= 0 || f->audio_target_sample_rate > 0)) {
        err_set(err, ERR_USAGE,
                "features.audio_n_fft: %lld is under audio_window_size %lld",
                (long long)f->audio_n_fft, (long long)f->audio_window_size);
        return blame(row, "features.audio_n_fft");
    }
    if (nyquist > 0 && f->audio_f_max > nyquist) {
        err_set(err, ERR_USAGE,
                "features.audio_f_max: %g Hz is over half of "
                "audio_target_sample_rate %lld", f->audio_f_max,
                (long long)f->audio_target_sample_rate);
        return blame(row, "features.audio_f_max");
    }
    if (top > 0 && f->audio_f_min >= top) {
        err_set(err, ERR_USAGE,
                "features.audio_f_min: %g Hz is not under the upper edge "
                "%g Hz", f->audio_f_min, top);
        return blame(row, "features.audio_f_min");
    }
    if (f->audio_delta_width % 2 == 0) {
        err_set(err, ERR_USAGE,
                "features.audio_delta_width: want an odd number, got %lld",
                (long long)f->audio_delta_width);
        return blame(row, "features.audio_delta_width");
    }
    if (f->audio_power < 2 && f->audio_power > 1) {
        err_set(err, ERR_USAGE, "features.audio_power: want 1 or 2, got %g",
                f->audio_power);
        return blame(row, "features.audio_power");
    }
    return 0;
}

/* Rules across the eda keys. */
static int check_eda(const struct config_features *f, size_t *row,
                     struct err *err)
{
    if (f->eda_min >= f->eda_max) {
        err_set(err, ERR_USAGE, "features.eda_min: %g is not under eda_max "
                "%g", f->eda_min, f->eda_max);
        return blame(row, "features.eda_min");
    }
    if (f->filter_lowpass && f->filter_highpass &&
        f->eda_highpass_hz >= f->eda_lowpass_hz) {
        err_set(err, ERR_USAGE,
                "features.eda_highpass_hz: %g is not under eda_lowpass_hz "
                "%g", f->eda_highpass_hz, f->eda_lowpass_hz);
        return blame(row, "features.eda_highpass_hz");
    }
    if (f->eda_cvxeda_tau_fast_s >= f->eda_cvxeda_tau_slow_s) {
        err_set(err, ERR_USAGE, "features.eda_cvxeda_tau_fast_s: %g is not "
                "under eda_cvxeda_tau_slow_s %g", f->eda_cvxeda_tau_fast_s,
                f->eda_cvxeda_tau_slow_s);
        return blame(row, "features.eda_cvxeda_tau_fast_s");
    }
    if (f->filter_highpass && f->eda_component == CONFIG_COMPONENT_TONIC) {
        err_set(err, ERR_USAGE, "features.eda_component: there is no tonic "
                "part behind filter_highpass");
        return blame(row, "features.eda_component");
    }
    return 0;
}

/* What works, but perhaps not as meant. */
static void warn(const struct config_features *f, struct buf *notes)
{
    if (f->audio_hop_length > f->audio_window_size)
        buf_printf(notes, "features.audio_hop_length: %lld is over "
                   "audio_window_size %lld, audio between windows is "
                   "skipped\n", (long long)f->audio_hop_length,
                   (long long)f->audio_window_size);
    if (f->eda_window_size)
        buf_puts(notes, "features.eda_window_size: has no effect\n");
    if (f->eda_hop_length)
        buf_puts(notes, "features.eda_hop_length: has no effect\n");
}

int config_features_settle(struct config_features *f, const bool *given,
                           size_t *row, struct buf *notes, struct err *err)
{
    *row = config_table_n();
    if (fill(f, given, err))
        return -1;
    if (settle_ms(f, given, row, err))
        return -1;
    if (f->audio_window_ms <= 0 || f->audio_target_sample_rate > 0)
        follow_window(f, given[config_table_index("features.audio_n_fft")]);
    if (check_audio(f, row, err) || check_eda(f, row, err))
        return -1;
    warn(f, notes);
    return 0;
}

/* Whether a row is an effective setting of a half. */
static bool is_in_half(const struct config_row *row, enum config_half half)
{
    static const char *const left_out[] = {
        "eda_target_sample_rate", "eda_window_size", "eda_hop_length"};
    const char *name = config_table_name(row);
    bool audio = strncmp(name, "audio_", strlen("audio_")) == 0 ||
                 strcmp(name, "preset") == 0;
    size_t i;

    if (row->scope != CONFIG_SCOPE_FEATURES ||
        audio != (half == CONFIG_AUDIO_HALF))
        return false;
    for (i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (strcmp(name, left_out[i]) == 0)
            return false;
    return true;
}

int config_features_to_frame(const struct config_features *f,
                             enum config_half half, struct frame *frame,
                             struct err *err)
{
    const struct config_row *row;
    struct buf text = {0};
    int bad = 0;
    size_t i;

    for (i = 0; i < config_table_n() && !bad; i++) {
        row = config_table_row(i);
        if (!is_in_half(row, half))
            continue;
        buf_clear(&text);
        config_value_put(row, f, CONFIG_FORMAT_TEXT, &text);
        bad = buf_check(&text, err) ||
              frame_set(frame, config_table_name(row), buf_text(&text), err);
    }
    buf_release(&text);
    return bad ? -1 : 0;
}

/* Appends `"key":value` with a comma where one is due. */
static void put_member(const struct config_row *row, const void *base,
                       const char *comma, struct buf *json)
{
    buf_printf(json, "%s\"%s\":", comma, config_table_name(row));
    config_value_put(row, base, CONFIG_FORMAT_JSON, json);
}

int config_features_from_frame(const struct frame *frame,
                               enum config_half half, struct buf *json,
                               struct err *err)
{
    struct config_features f = {0};
    const struct config_row *row;
    const char *value, *comma = "";
    char where[256];
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (!is_in_half(row, half))
            continue;
        if (frame_need(frame, config_table_name(row), &value, err))
            return -1;
        if (config_value_set(row, &f, value, true, err)) {
            err->status = ERR_DATA;
            return err_prefix(err, "%s",
                              frame_where(frame, where, sizeof where));
        }
        put_member(row, &f, comma, json);
        comma = ",";
    }
    return buf_check(json, err);
}

void config_features_put_json(const struct config_features *f,
                              struct buf *out)
{
    const struct config_row *row;
    const char *comma = "";
    size_t i;

    buf_puts(out, "{");
    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (!is_in_half(row, CONFIG_AUDIO_HALF) &&
            !is_in_half(row, CONFIG_EDA_HALF))
            continue;
        put_member(row, f, comma, out);
        comma = ",";
    }
    buf_puts(out, "}");
}

/* What a visit of features JSON fills. */
struct reader {
    struct config_features *f; /* the section */
    bool *given;               /* per row of the table */
    struct err *err;           /* what was wrong */
};

/* One member of features JSON. */
static int visit(void *ctx, const char *key, const struct json *value)
{
    struct reader *r = ctx;
    char path[CONFIG_PATH_SIZE];
    size_t i;

    if (config_find_child(path, "features", key, r->err))
        return -1;
    i = config_find_row(path, 0);
    if (i == config_table_n())
        return config_find_unknown(path, CONFIG_TCN, r->err);
    r->given[i] = true;
    return config_value_set_json(config_table_row(i), r->f, value, r->err);
}

int config_features_from_json(struct config_features *f, const char *json,
                              struct err *err)
{
    struct json *j = json_parse(json, strlen(json), err);
    struct reader r = {.f = f, .err = err};
    struct buf notes = {0};
    size_t row;
    int bad = -1;

    memset(f, 0, sizeof *f);
    if (!j)
        return -1;
    if (json_kind(j) != JSON_KIND_MAP) {
        err_set(err, ERR_DATA, "features: want a JSON object");
        goto out;
    }
    r.given = mem_alloc(config_table_n(), sizeof *r.given, err);
    if (r.given && json_each(j, visit, &r) == 0)
        bad = config_features_settle(f, r.given, &row, &notes, err);
    if (bad && err->status == ERR_USAGE)
        err->status = ERR_DATA;
out:
    buf_release(&notes);
    free(r.given);
    json_close(j);
    return bad;
}
