/*
 * a2b-eda - turn electrodermal recordings into clean signals on the frame
 * times of their songs.
 *
 * In:  frames with tensor "eda_csv", U8 (n), the bytes of a CSV file; CSV
 *      files as operands or on standard input.
 * Out: frames with tensors "eda", F32 (N, 1), and "valid", U8 (N), same key;
 *      other frames pass. On request beside them: statistics of the subjects,
 *      a table of skin conductance responses, pictures.
 *
 * One thread: a recording takes about a millisecond, most of it parsing,
 * and files that several recordings share are parsed once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/num.h"
#include "core/stream.h"
#include "signal/edaframe.h"
#include "tool/plot.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-eda [-hqvV] [--decimal-comma] [-c file] [--input-rate hz]\n"
    "               [-j n] [-k n] [--min-quality score] [-o file]\n"
    "               [--plot folder] [--rate rate] [--scr file]\n"
    "               [--scr-amplitude a] [--scr-relative share]\n"
    "               [--set key=value] [--stats file] [--write-stats file]\n"
    "               [--feature value] [file ...]\n"
    "      --decimal-comma    cells are like 0,5 between semicolons\n"
    "      --input-rate HZ    rate of files that do not say theirs\n"
    "      --min-quality Q    drop recordings whose quality score is below\n"
    "                         [0; 0..1]\n"
    "      --plot FOLDER      draw each recording, raw and processed\n"
    "      --rate RATE        frames: the song's mfcc frame, else the\n"
    "                         features section; native: the recording's\n"
    "                         own; or a rate in Hz [frames]\n"
    "      --scr FILE         write the skin conductance responses as TSV\n"
    "      --scr-amplitude A  least amplitude, in the unit\n"
    "                         [0.01 if it is uS, else 0]\n"
    "      --scr-relative R   least share of the largest prominence\n"
    "                         [0 if the unit is uS, else 0.1; 0..1]\n"
    "      --stats FILE       subjects' statistics for --normalize subject\n"
    "      --write-stats FILE write the statistics of the training subjects\n";

/* Own long options. */
enum { OPT_INPUT_RATE = TOOL_OPT_OWN, OPT_MIN_QUALITY, OPT_RATE, OPT_STATS,
       OPT_WRITE_STATS, OPT_DECIMAL_COMMA, OPT_PLOT, OPT_SCR,
       OPT_SCR_AMPLITUDE, OPT_SCR_RELATIVE };

/* Largest amplitude that may be asked for. */
#define AMPLITUDE_MAX 1e9

/* Highest rate that may be asked for, Hz. */
#define RATE_MAX 1e6

/* Lowest rate that may be asked for, Hz. */
#define RATE_MIN 1e-6

/* A list of words. */
struct words {
    char **items; /* n words, owned */
    size_t n;     /* words */
    size_t cap;   /* room */
};

/* A recording as it was before anything was done to it, for --plot. */
struct raw {
    float *x;         /* (n) samples, owned */
    uint8_t *valid;   /* (n) 0 where one is missing, owned */
    size_t n;         /* samples */
    size_t x_cap;     /* room in x */
    size_t valid_cap; /* room in valid */
    double first_s;   /* time of sample 0 */
    double rate_hz;   /* samples a second */
    size_t n_drawn;   /* pictures so far */
};

/* The whole run. */
struct run {
    struct tool *tool;        /* options, input, output */
    struct edaframe eda;      /* converter */
    const char *stats_path;   /* --stats, NULL: none */
    const char *write_path;   /* --write-stats, NULL: none */
    const char *rate;         /* --rate, NULL: not given */
    const char *plot;         /* --plot, NULL: none */
    const char *scr_path;     /* --scr, NULL: none */
    double scr_amplitude;     /* --scr-amplitude, below 0: not given */
    double scr_relative;      /* --scr-relative, below 0: not given */
    bool decimal_comma;       /* --decimal-comma */
    struct buf scr;           /* lines for --scr */
    struct raw raw;           /* the recording for --plot */
    double input_rate_hz;     /* --input-rate, 0: not given */
    double min_quality;       /* --min-quality */
    struct edastats stats;    /* what --stats says */
    struct edastats collected; /* for --write-stats */
    bool convert;             /* signals can be made, not only statistics */
    struct frame out;         /* result, reused */
    struct words warned;      /* datasets whose low-pass was skipped */
    struct words songs;       /* names of CSV files */
    uint64_t n_converted;     /* recordings written */
    uint64_t n_dropped;       /* by --min-quality */
    uint64_t n_passed;        /* other frames written */
};

/* Adds a word. Returns whether it is new. */
static bool add_word(struct words *w, const char *word)
{
    struct err err;
    char **items;
    size_t i;

    for (i = 0; i < w->n; i++)
        if (strcmp(w->items[i], word) == 0)
            return false;
    items = mem_grow(w->items, &w->cap, w->n + 1, sizeof *items, &err);
    if (!items)
        die(&err);
    w->items = items;
    w->items[w->n] = mem_string(word, &err);
    if (!w->items[w->n])
        die(&err);
    w->n++;
    return true;
}

/* Frees a list of words. */
static void free_words(struct words *w)
{
    size_t i;

    for (i = 0; i < w->n; i++)
        free(w->items[i]);
    free(w->items);
}

/* Says once per dataset that the low-pass could not be applied. */
static void warn_lowpass(struct run *run, const struct frame *in)
{
    const char *dataset = frame_get(in, "dataset");

    if (run->eda.eda.lowpass_skipped && add_word(&run->warned, dataset))
        tool_warn(run->tool, "dataset %s: low-pass at %g Hz skipped: it is "
                  "not below half the sampling rate of %g Hz", dataset,
                  run->tool->config.features.eda_lowpass_hz,
                  run->eda.eda.rate_hz);
}

/* Whether the recording falls to --min-quality; says so. */
static bool drop(struct run *run, const char *name)
{
    const struct eda_quality *q = &run->eda.eda.quality;

    if (q->score >= run->min_quality)
        return false;
    run->n_dropped++;
    tool_say(run->tool, "dropped: %s: quality %.3g is below %g because of %s "
             "(%zu levels, std %.3g, flat %.3g s, clipped %.3g, slope %.3g "
             "per s, missing %.3g)", name, q->score, run->min_quality,
             q->reason, q->levels, q->std, q->flat_s, q->clipped, q->slope,
             q->missing);
    return true;
}

/* Adds a training recording to its subject's statistics. */
static int collect(struct run *run, const struct frame *in, struct err *err)
{
    const char *split = frame_get(in, "split"), *recording;
    struct buf subject = {0};
    struct eda_moments m;
    int result;

    if (!run->write_path || (split && strcmp(split, "train")))
        return 0;
    m = eda_moments(&run->eda.eda);
    result = frame_need(in, "recording", &recording, err) ||
             edaframe_subject(in, &subject, err) ||
             edastats_add(&run->collected, buf_text(&subject), recording, &m,
                          err);
    buf_release(&subject);
    return result ? -1 : 0;
}

/* Keeps the loaded recording for its picture. */
static int keep_raw(struct run *run, struct err *err)
{
    const struct eda *e = &run->eda.eda;
    struct raw *r = &run->raw;
    float *x = mem_grow(r->x, &r->x_cap, e->n, sizeof *x, err);
    uint8_t *valid;
    size_t i;

    if (!x)
        return -1;
    r->x = x;
    valid = mem_grow(r->valid, &r->valid_cap, e->n, sizeof *valid, err);
    if (!valid)
        return -1;
    r->valid = valid;
    for (i = 0; i < e->n; i++) {
        valid[i] = e->x[i] == e->x[i];
        x[i] = valid[i] ? (float)e->x[i] : 0;
    }
    r->n = e->n;
    r->first_s = e->first_s;
    r->rate_hz = e->rate_hz;
    return 0;
}

/* Draws a recording, raw and processed. A missing gnuplot ends the run. */
static void draw(struct run *run, const struct frame *in)
{
    const struct eda *e = &run->eda.eda;
    const char *recording = frame_get(in, "recording");
    const struct raw *r = &run->raw;
    struct plot_panel panels[] = {
        {e->is_us ? "raw, uS" : "raw", {"as recorded", r->x, r->valid, r->n},
         r->first_s, 1 / r->rate_hz},
        {"processed", {"on the frame times", e->out, e->valid, e->n_frames},
         e->grid.t0_s,
         (double)e->grid.rate_den / (double)e->grid.rate_num}};
    struct buf name = {0};
    struct err err;

    plot_name(&name, ++run->raw.n_drawn, recording);
    if (buf_check(&name, &err) ||
        plot_panels(run->plot, buf_text(&name), recording, panels, 2, &err))
        die(&err);
    buf_release(&name);
}

/* Everything for one recording. Returns 0; -1 if it is a bad item. */
static int convert(struct run *run, const struct frame *in, const char *name,
                   struct err *err)
{
    struct eda_grid grid;

    if (edaframe_load(&run->eda, in, name, err))
        return -1;
    if (drop(run, name))
        return 0;
    if ((run->plot && keep_raw(run, err)) ||
        edaframe_filter(&run->eda, name, err) || collect(run, in, err))
        return -1;
    warn_lowpass(run, in);
    if (run->convert) {
        if (edaframe_grid(&run->eda, in, name, &grid, err))
            die(err);
        if (edaframe_finish(&run->eda, in, &grid, name, &run->out, err))
            return -1;
    }
    if (run->scr_path && edaframe_scr(&run->eda, in, &run->scr, err))
        return -1;
    if (!run->convert)
        return 0;
    tool_write(run->tool, &run->out);
    run->n_converted++;
    if (run->plot)
        draw(run, in);
    return 0;
}

/* Takes a frame of a stream. */
static void take_frame(struct run *run, const struct frame *in)
{
    enum frame_kind kind = frame_kind(in);
    struct buf name = {0};
    char where[512];
    struct err err;

    if (kind == FRAME_EDA_CSV) {
        buf_printf(&name, "%s: %s", run->tool->in.name,
                   frame_where(in, where, sizeof where));
        if (buf_check(&name, &err))
            die(&err);
        if (convert(run, in, buf_text(&name), &err)) {
            if (err.status == ERR_USAGE)
                err.status = ERR_DATA; /* a frame that lacks its rate */
            tool_bad(run->tool, &err);
        }
        buf_release(&name);
    }
    if (kind == FRAME_MFCC && edaframe_see(&run->eda, in, &err))
        die(&err);
    if (kind != FRAME_EDA_CSV || !run->convert) {
        tool_write(run->tool, in);
        run->n_passed++;
    }
}

/* Takes all frames of a stream. */
static void take_stream(struct run *run)
{
    struct frame in = {0};
    struct err err;
    int got;

    while ((got = stream_read(&run->tool->in, &in, &err)) > 0)
        take_frame(run, &in);
    if (got < 0)
        die(&err);
    frame_release(&in);
}

/* The song a file's name stands for: "x/108_EDA.csv" is 108. */
static void song_name(const char *path, struct buf *song)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);

    if (strcmp(path, "-") == 0) {
        base = "stdin";
        n = strlen(base);
    }
    if (n > 4 && strncmp(base + n - 4, "_EDA", 4) == 0)
        n -= 4;
    buf_put(song, base, n);
}

/* Makes the eda_csv frame that a2b-fetch would make of a file's column. */
static int column_frame(struct frame *in, const struct buf *bytes,
                        const char *song, const char *column,
                        struct err *err)
{
    struct buf key = {0};
    int result;

    frame_clear(in);
    buf_printf(&key, "file/%s/%s", song, column);
    result = buf_check(&key, err) ||
             frame_set(in, "key", buf_text(&key), err) ||
             frame_set(in, "dataset", "file", err) ||
             frame_set(in, "recording", buf_text(&key), err) ||
             frame_set(in, "subject", column, err) ||
             frame_set(in, "song", song, err) ||
             frame_set(in, "eda_column", column, err) ||
             frame_add(in, "eda_csv", TENSOR_U8, 1, &bytes->len, bytes->data,
                       err);
    buf_release(&key);
    return result ? -1 : 0;
}

/* Converts every column of a parsed file. */
static void take_columns(struct run *run, const struct buf *bytes,
                         const char *song, const char *path)
{
    struct frame in = {0};
    struct buf name = {0};
    struct err err;
    size_t i;

    for (i = 0; i < run->eda.csv.n_columns; i++) {
        const char *column = csv_eda_name(&run->eda.csv, i);

        buf_clear(&name);
        buf_printf(&name, "%s: column %s", path, column);
        if (buf_check(&name, &err) ||
            column_frame(&in, bytes, song, column, &err))
            die(&err);
        if (convert(run, &in, buf_text(&name), &err)) {
            if (err.status == ERR_USAGE)
                tool_usage_error("%s: give --input-rate HZ", err.text);
            tool_bad(run->tool, &err);
        }
    }
    buf_release(&name);
    frame_release(&in);
}

/* Takes a CSV file; path "-" is standard input. */
static void take_file(struct run *run, const char *path)
{
    struct buf bytes = {0}, song = {0};
    const char *name = run->tool->in.name;
    struct err err;

    song_name(path, &song);
    if (buf_check(&song, &err) ||
        stream_slurp(&run->tool->in, &bytes, &err))
        die(&err);
    if (!add_word(&run->songs, buf_text(&song)))
        tool_usage_error("%s: a second file of the song file/%s", path,
                         buf_text(&song));
    if (!bytes.len || memchr(bytes.data, 0, bytes.len)) {
        err_set(&err, ERR_DATA, "%s: wanted a stream or a CSV file, got %s",
                name, bytes.len ? "other bytes" : "nothing");
        die(&err);
    }
    if (edaframe_parse(&run->eda, bytes.data, bytes.len, name, &err))
        tool_bad(run->tool, &err);
    else
        take_columns(run, &bytes, buf_text(&song), name);
    buf_release(&bytes);
    buf_release(&song);
}

/* Reads the file of --stats. */
static void load_stats(struct run *run)
{
    struct stream_in file = {0};
    struct buf text = {0};
    char digest[17];
    struct err err;

    if (edastats_init(&run->stats, &run->tool->config.features, &err) ||
        stream_open(&file, run->stats_path, &err) ||
        stream_slurp(&file, &text, &err) ||
        edastats_parse(&run->stats, buf_text(&text), text.len,
                       run->stats_path, &err))
        die(&err);
    digest_hex(digest_xxh3(buf_text(&text), text.len), digest);
    tool_setting_text(run->tool, "stats", digest);
    run->eda.stats = &run->stats;
    stream_close(&file);
    buf_release(&text);
}

/* Writes a text file, aside and renamed. */
static void write_file(const char *path, const struct buf *text)
{
    struct buf temp = {0};
    struct err err;
    FILE *f;
    bool bad;

    buf_printf(&temp, "%s.tmp.%ld", path, (long)getpid());
    if (buf_check(text, &err) || buf_check(&temp, &err))
        die(&err);
    f = fopen(buf_text(&temp), "w");
    bad = !f || fwrite(buf_text(text), 1, text->len, f) != text->len ||
          fflush(f) || fsync(fileno(f));
    bad = (f && fclose(f)) || bad;
    if (bad || rename(buf_text(&temp), path)) {
        err_errno(&err, "%s", path);
        unlink(buf_text(&temp));
        die(&err);
    }
    buf_release(&temp);
}

/* Writes the file of --write-stats. */
static void write_stats(struct run *run)
{
    struct buf text = {0};
    struct err err;

    edastats_put(&run->collected, &text);
    if (!run->collected.subjects.n) {
        err_set(&err, ERR_DATA, "%s: wanted training recordings, got none",
                run->write_path);
        die(&err);
    }
    write_file(run->write_path, &text);
    buf_release(&text);
}

/* Settles what the frame times are. */
static void settle_rate(struct run *run)
{
    double hz = run->tool->config.features.eda_target_sample_rate;
    char text[NUM_SIZE] = "frames";
    const char *rate = run->rate ? run->rate : text;

    if (!run->rate && hz > 0)
        num_double(text, hz);
    if (strcmp(rate, "native") == 0) {
        run->eda.rate = EDAFRAME_NATIVE;
    } else if (strcmp(rate, "frames") != 0) {
        run->eda.rate = EDAFRAME_HZ;
        if (num_parse_double(rate, &run->eda.rate_hz) ||
            !(run->eda.rate_hz >= RATE_MIN && run->eda.rate_hz <= RATE_MAX))
            tool_usage_error("--rate: want frames, native or a number in "
                             "%g..%g, got \"%s\"", RATE_MIN, RATE_MAX, rate);
    }
    tool_setting_text(run->tool, "rate", rate);
}

/* The effective settings for our provenance entry. */
static void note_settings(struct run *run)
{
    struct frame settings = {0};
    struct buf json = {0};
    char text[NUM_SIZE];
    struct err err;

    buf_puts(&json, "{");
    if (config_features_to_frame(&run->tool->config.features,
                                 CONFIG_EDA_HALF, &settings, &err) ||
        config_features_from_frame(&settings, CONFIG_EDA_HALF, &json, &err))
        die(&err);
    buf_puts(&json, "}");
    if (buf_check(&json, &err))
        die(&err);
    tool_setting(run->tool, "features", buf_text(&json));
    tool_setting(run->tool, "min_quality",
                 num_double(text, run->min_quality));
    if (run->decimal_comma)
        tool_setting(run->tool, "decimal_comma", "true");
    if (run->input_rate_hz > 0)
        tool_setting(run->tool, "input_rate_hz",
                     num_double(text, run->input_rate_hz));
    buf_release(&json);
    frame_release(&settings);
}

/* Readies the converter and the statistics. */
static void open_run(struct run *run)
{
    const struct config_features *conf = &run->tool->config.features;
    bool subject = conf->eda_normalize == CONFIG_NORMALIZE_SUBJECT;
    struct err err;

    if (subject && !run->stats_path && !run->write_path)
        tool_usage_error("--normalize subject wants --stats FILE (made by "
                         "--write-stats FILE)");
    if (!subject && run->stats_path)
        tool_usage_error("--stats is for --normalize subject only");
    if (!run->scr_path && (run->scr_amplitude >= 0 || run->scr_relative >= 0))
        tool_usage_error("--scr-amplitude and --scr-relative want --scr FILE");
    edaframe_init(&run->eda, conf);
    run->eda.csv.decimal_comma = run->decimal_comma;
    run->eda.eda.want_phasic = run->scr_path != NULL;
    run->eda.scr_amplitude = run->scr_amplitude;
    run->eda.scr_relative = run->scr_relative;
    edaframe_scr_header(&run->scr);
    run->eda.input_rate_hz = run->input_rate_hz;
    run->convert = !subject || run->stats_path;
    note_settings(run);
    settle_rate(run);
    if (run->stats_path)
        load_stats(run);
    if (run->write_path && edastats_init(&run->collected, conf, &err))
        die(&err);
}

/* Says what was dropped, writes the statistics, frees. */
static void close_run(struct run *run)
{
    if (run->n_dropped)
        tool_say(run->tool, "%" PRIu64 " recording%s dropped by "
                 "--min-quality %g", run->n_dropped,
                 run->n_dropped == 1 ? "" : "s", run->min_quality);
    tool_note(run->tool, "%" PRIu64 " recordings from %zu files; %" PRIu64
              " other frames passed on", run->n_converted,
              run->eda.n_parsed, run->n_passed);
    if (run->write_path)
        write_stats(run);
    if (run->scr_path)
        write_file(run->scr_path, &run->scr);
    buf_release(&run->scr);
    free(run->raw.x);
    free(run->raw.valid);
    edaframe_release(&run->eda);
    edastats_release(&run->stats);
    edastats_release(&run->collected);
    frame_release(&run->out);
    free_words(&run->warned);
    free_words(&run->songs);
}

/* Takes one of our own options, or hands it on. */
static void take_option(struct run *run, int c, int index)
{
    switch (c) {
    case OPT_INPUT_RATE:
        run->input_rate_hz = tool_num("--input-rate", optarg, RATE_MIN,
                                      RATE_MAX);
        break;
    case OPT_DECIMAL_COMMA:
        run->decimal_comma = true;
        break;
    case OPT_PLOT:
        run->plot = optarg;
        break;
    case OPT_SCR:
        run->scr_path = optarg;
        break;
    case OPT_SCR_AMPLITUDE:
        run->scr_amplitude = tool_num("--scr-amplitude", optarg, 0,
                                      AMPLITUDE_MAX);
        break;
    case OPT_SCR_RELATIVE:
        run->scr_relative = tool_num("--scr-relative", optarg, 0, 1);
        break;
    case OPT_MIN_QUALITY:
        run->min_quality = tool_num("--min-quality", optarg, 0, 1);
        break;
    case OPT_RATE:
        run->rate = optarg;
        break;
    case OPT_STATS:
        run->stats_path = optarg;
        break;
    case OPT_WRITE_STATS:
        run->write_path = optarg;
        break;
    case TOOL_OPT_FEATURE:
        tool_feature(run->tool, index, optarg);
        break;
    default:
        tool_option(run->tool, c);
    }
}

int main(int argc, char **argv)
{
    static const struct option own[] = {
        TOOL_LONG,
        {"decimal-comma", no_argument, NULL, OPT_DECIMAL_COMMA},
        {"input-rate", required_argument, NULL, OPT_INPUT_RATE},
        {"min-quality", required_argument, NULL, OPT_MIN_QUALITY},
        {"plot", required_argument, NULL, OPT_PLOT},
        {"rate", required_argument, NULL, OPT_RATE},
        {"scr", required_argument, NULL, OPT_SCR},
        {"scr-amplitude", required_argument, NULL, OPT_SCR_AMPLITUDE},
        {"scr-relative", required_argument, NULL, OPT_SCR_RELATIVE},
        {"stats", required_argument, NULL, OPT_STATS},
        {"write-stats", required_argument, NULL, OPT_WRITE_STATS},
        {0}};
    struct tool tool;
    struct run run = {.tool = &tool, .scr_amplitude = -1,
                      .scr_relative = -1};
    const struct option *longs;
    int c, index = 0;
    bool is_stream;

    tool_init(&tool, argc, argv, usage, TOOL_FRAMES);
    longs = tool_features(own, CONFIG_EDA_HALF);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, &index)) != -1)
        take_option(&run, c, index);
    tool_config(&tool);
    tool_open(&tool, argc - optind, argv + optind);
    open_run(&run);
    while (tool_next(&tool, &is_stream)) {
        if (is_stream)
            take_stream(&run);
        else
            take_file(&run, tool.n_operands
                                ? tool.operands[tool.next_operand - 1]
                                : "-");
    }
    close_run(&run);
    tool_finish(&tool);
    tool_release(&tool);
    return 0;
}
