/*
 * test_fuzz - mutated CSV and sound files, a fixed number of them, drawn by
 * Philox so that a failure comes back: `test_fuzz csv 17` runs one alone.
 *
 * Whatever the bytes are, the parsers and what follows them do not crash,
 * put no NaN or infinity into an output, and name an error as one.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"
#include "eda_signal.h"
#include "signal/audio.h"
#include "signal/csv.h"
#include "signal/eda.h"
#include "signal/mfccframe.h"
#include "song.h"
#include "tap.h"

/* Inputs of each sort. */
#define N_CSV 3000
#define N_AUDIO 3000
#define N_PACKED 2400

/* Largest input, bytes. */
#define MAX_SIZE 65536

/* Sorts of input, the third number of a draw's position. */
enum { SORT_CSV = 1, SORT_AUDIO = 2, SORT_PACKED = 3 };

/* One input. */
struct input {
    unsigned char bytes[MAX_SIZE]; /* n of them */
    size_t n;                      /* bytes */
};

/* What became of the inputs. */
struct tally {
    int taken;   /* gave a result */
    int refused; /* gave a named error */
    int bad;     /* gave anything else */
};

/* Compressed sound files that inputs are made from. */
static const char *const packed[] = {"tests/fixtures/tone.flac",
                                     "tests/fixtures/tone.ogg",
                                     "tests/fixtures/tone.mp3"};

/* How many there are. */
#define N_FILES (sizeof packed / sizeof *packed)

/* Words that parsers stumble over. */
static const char *const words[] = {
    "nan", "-nan", "inf", "1e400", "1e308", "-1e30", "1e-320", "0x1p3", ",",
    ";", "\n", "\r\n", "\r", "\"", "\"\"", "#", "time(s)", "time", "\t", " ",
    "1600000000\n4\n", "\xef\xbb\xbf", "-", ".", "0,5", "\xff", "\n\n\n",
    "99999999999999999999999999", "1.", "+1", "RIFF", "data", "fLaC", "OggS",
    "ID3", "FORM", "\xff\xfb\x90\x44"};

/* Puts n bytes at a place, moving what is behind it. */
static void insert(struct input *in, size_t at, const void *bytes, size_t n)
{
    if (n > MAX_SIZE - in->n)
        return;
    memmove(in->bytes + at + n, in->bytes + at, in->n - at);
    memcpy(in->bytes + at, bytes, n);
    in->n += n;
}

/* Takes n bytes out. */
static void cut(struct input *in, size_t at, size_t n)
{
    n = n < in->n - at ? n : in->n - at;
    memmove(in->bytes + at, in->bytes + at + n, in->n - at - n);
    in->n -= n;
}

/* A length that is mostly short. */
static size_t length(struct rng *r, size_t most)
{
    size_t n = (size_t)1 << rng_below(r, 12);

    n = rng_below(r, (uint32_t)n) + 1;
    return n < most ? n : most;
}

/* One change. in->n is at least 1. */
static void mutate(struct input *in, struct rng *r)
{
    /* Headers matter most: every other place is among the first bytes. */
    size_t reach = rng_below(r, 2) && in->n > 64 ? 64 : in->n;
    size_t at = rng_below(r, (uint32_t)reach), n;
    unsigned char copy[4096];
    const char *word;

    switch (rng_below(r, 10)) {
    case 0:
        in->bytes[at] ^= (unsigned char)(1u << rng_below(r, 8));
        break;
    case 1:
        in->bytes[at] = (unsigned char)rng_below(r, 256);
        break;
    case 2:
        cut(in, at, length(r, in->n));
        break;
    case 3:
        n = length(r, in->n - at);
        memcpy(copy, in->bytes + at, n);
        insert(in, rng_below(r, (uint32_t)in->n), copy, n);
        break;
    case 4:
        n = length(r, in->n - at);
        memset(in->bytes + at, rng_below(r, 2) ? 0xff : 0, n);
        break;
    case 5:
        in->n = at + 1;
        break;
    case 6:
        word = words[rng_below(r, sizeof words / sizeof *words)];
        insert(in, at, word, strlen(word));
        break;
    default: /* what stays a number is the deepest test */
        at = rng_below(r, (uint32_t)in->n);
        if (in->bytes[at] >= '0' && in->bytes[at] <= '9')
            in->bytes[at] = (unsigned char)("0123456789e-"[rng_below(r, 12)]);
    }
}

/* Changes an input in 1 to most places. */
static void mangle(struct input *in, uint32_t most, struct rng *r)
{
    uint32_t n = 1 + rng_below(r, most);

    while (n-- && in->n)
        mutate(in, r);
}

/* Whether an error is one of those that input may cause, and says so. */
static bool is_named(const struct err *err, const char *name)
{
    return (err->status == ERR_DATA || err->status == ERR_USAGE) &&
           strncmp(err->text, name, strlen(name)) == 0 &&
           strlen(err->text) > strlen(name) + 10;
}

/* A recording in one of the layouts; comma: as --decimal-comma takes it. */
static void make_csv(struct input *in, bool comma, struct rng *r)
{
    static double x[400];
    bool timed = rng_below(r, 3) > 0;
    size_t n = 1 + rng_below(r, 300), i;
    double rate_hz = rng_below(r, 2) ? 50 : 4;
    char *p = (char *)in->bytes;

    eda_burst(x, n, rate_hz);
    if (timed)
        p += sprintf(p, "time(s),100001,2\n");
    for (i = 0; i < n; i++) {
        if (timed)
            p += sprintf(p, "%.2f,%.4f,%.2f\n", (double)i / rate_hz, x[i],
                         x[n - 1 - i]);
        else
            p += sprintf(p, "%.5f\n", x[i]);
    }
    in->n = (size_t)(p - (char *)in->bytes);
    for (i = 0; comma && i < in->n; i++) {
        if (in->bytes[i] == ',')
            in->bytes[i] = ';';
        else if (in->bytes[i] == '.')
            in->bytes[i] = ',';
    }
}

/* Settings drawn from all there are. */
static void draw_conf(struct config_features *conf, struct rng *r)
{
    *conf = (struct config_features){
        .eda_lowpass_hz = 8, .eda_lowpass_order = 1 + rng_below(r, 4),
        .eda_highpass_hz = 0.05, .eda_highpass_order = 2, .eda_max = 60,
        .eda_max_gap_s = 2, .eda_std_min = 0.01,
        .filter_lowpass = rng_below(r, 2), .filter_highpass = rng_below(r, 2),
        .eda_filter_pad = rng_below(r, 2),
        .eda_interpolation = rng_below(r, 2),
        .eda_component = rng_below(r, 3),
        .eda_decomposition = rng_below(r, 3), .eda_cvxeda_tau_slow_s = 2,
        .eda_cvxeda_tau_fast_s = 0.7, .eda_cvxeda_knot_s = 10,
        .eda_cvxeda_alpha = 8e-4, .eda_cvxeda_gamma = 1e-2};
    do {
        conf->eda_normalize = rng_below(r, CONFIG_NORMALIZE_NONE + 1);
    } while (conf->eda_normalize == CONFIG_NORMALIZE_SUBJECT);
}

/* Whether every number that would be written is one. */
static bool is_finite(const struct eda *e)
{
    const struct eda_quality *q = &e->quality;
    size_t k;

    for (k = 0; k < e->n_frames; k++)
        if (!isfinite(e->out[k]) || e->valid[k] > 1)
            return false;
    return isfinite(e->mean) && isfinite(e->std) && isfinite(q->score) &&
           isfinite(q->std) && isfinite(q->flat_s) && isfinite(q->slope) &&
           q->score >= 0 && q->score <= 1;
}

/* The whole chain over one column. 0, or -1 with err. */
static int chain(struct eda *e, const struct csv_eda *csv, size_t column,
                 struct rng *r, struct err *err)
{
    struct eda_grid grid = {10, 1, 0};
    double rate_hz = rng_below(r, 8) ? 4 : 0;

    return eda_load(e, csv, column, rate_hz, rng_below(r, 2), "f.csv", err) ||
           eda_filter(e, "f.csv", err) || eda_normalize(e, NULL, err) ||
           eda_resample(e, &grid, "f.csv", err);
}

/* One mutated recording through everything a2b-eda does. */
static void run_csv(uint32_t k, struct csv_eda *csv, struct eda *e,
                    struct tally *tally)
{
    static struct input in;
    static struct config_features conf;
    struct err err = {0};
    struct rng r;
    size_t i;

    rng_init(&r, 1, RNG_TEST, k, SORT_CSV);
    csv->decimal_comma = rng_below(&r, 4) == 0;
    make_csv(&in, csv->decimal_comma == (rng_below(&r, 16) > 0), &r);
    mangle(&in, 3, &r);
    if (csv_eda_parse(csv, (const char *)in.bytes, in.n, "f.csv", &err)) {
        tally->refused++;
        tally->bad += !is_named(&err, "f.csv: ");
        return;
    }
    draw_conf(&conf, &r);
    e->conf = &conf;
    for (i = 0; i < csv->n_columns && i < 3; i++) {
        if (!chain(e, csv, i, &r, &err)) {
            tally->taken++;
            if (is_finite(e))
                continue;
            printf("# csv %u, column %zu: not finite\n", k, i);
            tally->bad++;
        } else {
            tally->refused++;
            if (is_named(&err, "f.csv: "))
                continue;
            printf("# csv %u, column %zu: %s\n", k, i, err.text);
            tally->bad++;
        }
    }
}

/* Appends an integer of n bytes, most significant first; returns the end. */
static unsigned char *put_big(unsigned char *p, uint32_t value, int n)
{
    while (n-- > 0)
        *p++ = (unsigned char)(value >> 8 * n);
    return p;
}

/* A sound file of 16-bit samples: AU or AIFF. */
static void make_big_endian(struct input *in, bool aiff, size_t n)
{
    unsigned char *p = in->bytes;
    uint32_t size = (uint32_t)n * 2;
    size_t i;

    if (aiff) {
        memcpy(p, "FORM", 4);
        p = put_big(p + 4, 46 + size, 4);
        memcpy(p, "AIFFCOMM", 8);
        p = put_big(p + 8, 18, 4);
        p = put_big(put_big(put_big(p, 1, 2), (uint32_t)n, 4), 16, 2);
        /* 8000 as an 80-bit float: 2^12 * 1.953125 */
        p = put_big(put_big(put_big(p, 0x400b, 2), 0xfa000000, 4), 0, 4);
        memcpy(p, "SSND", 4);
        p = put_big(put_big(p + 4, 8 + size, 4), 0, 4);
        p = put_big(p, 0, 4);
    } else {
        memcpy(p, ".snd", 4);
        p = put_big(put_big(p + 4, 24, 4), size, 4);
        p = put_big(put_big(put_big(p, 3, 4), 8000, 4), 1, 4);
    }
    for (i = 0; i < n; i++)
        p = put_big(p, (uint32_t)(i * 2654435761u >> 16), 2);
    in->n = (size_t)(p - in->bytes);
}

/* A sound file, its samples at times not numbers. */
static void make_audio(struct input *in, struct rng *r)
{
    size_t n = 1 + rng_below(r, 3000), C = 1 + rng_below(r, 2), size;
    uint32_t sort = rng_below(r, 4);
    unsigned char *wav;
    float *x;

    if (sort > 1) {
        make_big_endian(in, sort == 2, n);
        return;
    }
    x = song_make(n * C, 8000);
    if (x && rng_below(r, 16) == 0)
        x[rng_below(r, (uint32_t)(n * C))] = rng_below(r, 2) ? NAN : INFINITY;
    wav = x ? song_wav(x, n, (unsigned)C, 8000, &size) : NULL;
    if (!wav)
        exit(99);
    memcpy(in->bytes, wav, size);
    in->n = size;
    free(wav);
    free(x);
}

/* One of the compressed files; ends the program where it is missing. */
static void read_packed(struct input *in, struct rng *r)
{
    const char *path = packed[rng_below(r, N_FILES)];
    FILE *f = fopen(path, "rb");

    in->n = f ? fread(in->bytes, 1, MAX_SIZE, f) : 0;
    if (!in->n) {
        printf("Bail out! %s cannot be read\n", path);
        exit(1);
    }
    fclose(f);
}

/* Settings of the analysis, drawn from those that treat samples apart. */
static void draw_audio(struct config_features *conf, struct rng *r)
{
    *conf = (struct config_features){
        .preset = rng_below(r, 4) ? CONFIG_PRESET_DEFAULT
                                  : CONFIG_PRESET_KALDI,
        .audio_channels = rng_below(r, 4),
        .audio_normalize = rng_below(r, 2),
        .audio_n_mfcc = 5, .audio_n_mels = 8, .audio_window_size = 50,
        .audio_hop_length = 40, .audio_n_fft = rng_below(r, 2) ? 64 : 50,
        .audio_center = rng_below(r, 2), .audio_pad_mode = rng_below(r, 4),
        .audio_preemphasis = rng_below(r, 2) ? 0.97 : 0,
        .audio_remove_dc = rng_below(r, 2), .audio_power = 2,
        .audio_dither = rng_below(r, 4) ? 0 : 0.1,
        .audio_log = rng_below(r, 3), .audio_amin = 1e-10,
        .audio_top_db = 80, .audio_top_db_scope = rng_below(r, 3),
        .audio_use_energy = rng_below(r, 2),
        .audio_delta_order = rng_below(r, 3), .audio_delta_width = 5,
        .audio_cmvn = rng_below(r, 2)};
    conf->audio_mel_scale = conf->preset == CONFIG_PRESET_KALDI
                                ? CONFIG_MEL_KALDI : CONFIG_HTK;
}

/* The whole way from a file to coefficients, all of them finite. */
static void run_mfcc(uint32_t k, const struct input *in, struct rng *r,
                     struct tally *tally)
{
    static struct config_features conf;
    struct mfccframe c;
    struct frame out = {0};
    struct err err = {0};
    const struct tensor *t;
    size_t n, i = 0;

    draw_audio(&conf, r);
    mfccframe_init(&c, &conf);
    if (mfccframe_convert(&c, in->bytes, in->n, "f.wav", &out, &err)) {
        tally->refused++;
        if (!is_named(&err, "f.wav: ")) {
            printf("# audio %u: %s\n", k, err.text);
            tally->bad++;
        }
    } else {
        tally->taken++;
        t = frame_tensor(&out, "mfcc");
        n = t->shape[0] * t->shape[1];
        while (i < n && isfinite(((const float *)t->data)[i]))
            i++;
        if (i < n || !n) {
            printf("# audio %u: value %zu of %zu is no number\n", k, i, n);
            tally->bad++;
        }
    }
    mfccframe_release(&c);
    frame_release(&out);
}

/* One mutated compressed file through the whole analysis. */
static void run_packed(uint32_t k, struct tally *tally)
{
    static struct input in;
    struct rng r;

    rng_init(&r, 1, RNG_TEST, k, SORT_PACKED);
    read_packed(&in, &r);
    if (k >= N_FILES * 4)
        mangle(&in, 4, &r);
    run_mfcc(k, &in, &r, tally);
}

/* One mutated sound file through the decoder and the whole analysis. */
static void run_audio(uint32_t k, struct audio *a, struct tally *tally)
{
    static struct input in;
    struct tally ignored = {0};
    struct err err = {0};
    struct rng r;
    size_t i;

    rng_init(&r, 1, RNG_TEST, k, SORT_AUDIO);
    make_audio(&in, &r);
    mangle(&in, 8, &r);
    run_mfcc(k, &in, &r, &ignored);
    tally->bad += ignored.bad;
    if (audio_decode(a, in.bytes, in.n, (enum config_channels)rng_below(&r, 3),
                     "f.wav", &err)) {
        tally->refused++;
        if (!is_named(&err, "f.wav: ")) {
            printf("# audio %u: %s\n", k, err.text);
            tally->bad++;
        }
        return;
    }
    tally->taken++;
    for (i = 0; i < a->n && isfinite(a->samples[i]); i++)
        continue;
    if (i < a->n || !a->n || !a->rate_hz) {
        printf("# audio %u: %zu samples, number %zu is none\n", k, a->n, i);
        tally->bad++;
    }
}

/* What a leak checker asks for: which leaks are not ours. */
const char *__lsan_default_suppressions(void);

/* libsndfile 1.2.0 forgets a Vorbis header when it refuses a file. */
const char *__lsan_default_suppressions(void)
{
    return "leak:vorbis_info_init";
}

/* All inputs, or the one the command line names. */
int main(int argc, char **argv)
{
    struct tally csv_tally = {0}, audio_tally = {0}, packed_tally = {0};
    struct csv_eda csv = {0};
    struct audio a = {0};
    struct eda e;
    uint32_t k;

    eda_init(&e, NULL);
    if (argc == 3 && strcmp(argv[1], "csv") == 0) {
        run_csv((uint32_t)strtoul(argv[2], NULL, 10), &csv, &e, &csv_tally);
    } else if (argc == 3 && strcmp(argv[1], "packed") == 0) {
        run_packed((uint32_t)strtoul(argv[2], NULL, 10), &packed_tally);
    } else if (argc == 3) {
        run_audio((uint32_t)strtoul(argv[2], NULL, 10), &a, &audio_tally);
    } else {
        for (k = 0; k < N_CSV; k++)
            run_csv(k, &csv, &e, &csv_tally);
        for (k = 0; k < N_AUDIO; k++)
            run_audio(k, &a, &audio_tally);
        /* The mp3 decoder has notes of its own about damage. */
        if (!freopen("/dev/null", "w", stderr))
            exit(99);
        for (k = 0; k < N_PACKED; k++)
            run_packed(k, &packed_tally);
        tap_ok(csv_tally.bad == 0 && csv_tally.taken > N_CSV / 8 &&
                   csv_tally.refused > N_CSV / 8,
               "%d mutated recordings: %d columns taken, %d refused, %d bad",
               N_CSV, csv_tally.taken, csv_tally.refused, csv_tally.bad);
        tap_ok(audio_tally.bad == 0 && audio_tally.taken > N_AUDIO / 8 &&
                   audio_tally.refused > N_AUDIO / 8,
               "%d mutated sound files: %d taken, %d refused, %d bad",
               N_AUDIO, audio_tally.taken, audio_tally.refused,
               audio_tally.bad);
        tap_ok(packed_tally.bad == 0 && packed_tally.taken > N_PACKED / 8 &&
                   packed_tally.refused > N_PACKED / 8,
               "%d mutated flac, ogg and mp3 files: %d taken, %d refused, "
               "%d bad", N_PACKED, packed_tally.taken, packed_tally.refused,
               packed_tally.bad);
    }
    csv_eda_release(&csv);
    audio_release(&a);
    eda_release(&e);
    return tap_done();
}
