/*
 * a2b-mfcc - turn songs into MFCC frames.
 *
 * In:  frames with tensor "audio", U8 (n), the bytes of a sound file; sound
 *      files as operands or on standard input.
 * Out: frames with tensor "mfcc", F32 (T, C), same key; other frames pass.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/json.h"
#include "core/stream.h"
#include "signal/mfccframe.h"
#include "tool/songs.h"
#include "tool/tool.h"
#include "tool/work.h"

static const char usage[] =
    "usage: a2b-mfcc [-hqvV] [-c file] [--feature value] [-j n] [-k n]\n"
    "                [-o file] [--set key=value] [file ...]\n";

/* One song or passing frame on its way through. */
struct item {
    struct frame in;  /* frame that was read, empty for a sound file */
    struct buf bytes; /* a sound file, empty for a frame */
    struct buf name;  /* what messages call it */
    struct frame out; /* what is written for it */
    float *mfcc;      /* (T, C) of out, owned */
    bool is_song;     /* to be converted, else passed on */
    bool failed;      /* err says why there is no out */
    struct err err;   /* that failure */
};

/* The whole run. */
struct run {
    struct tool *tool;                 /* options, input, output */
    struct mfccframe *converters; /* one a thread, owned */
    struct work work;                  /* threads */
    struct item items[WORK_SLOTS];     /* under way, by slot */
    struct songs songs;                /* names of sound files */
    uint64_t n_converted;              /* songs written */
    uint64_t n_frames;                 /* their MFCC frames */
    uint64_t n_passed;                 /* other frames written */
    int64_t rate_checked;              /* Hz last looked at for empty filters */
    bool warned;                       /* about empty filters */
    bool shows;                        /* progress is ours to draw */
};

/* Converts the song in a slot; a work_run. */
static void convert(void *ctx, size_t thread, size_t slot)
{
    struct run *run = ctx;
    struct item *item = &run->items[slot];
    const struct tensor *audio = frame_tensor(&item->in, "audio");
    const void *bytes = audio ? audio->data : item->bytes.data;
    size_t n = audio ? tensor_size(audio) : item->bytes.len;

    item->failed = mfccframe_convert(&run->converters[thread], bytes, n,
                                     buf_text(&item->name), &item->out,
                                     &item->err);
    /* The converter's next song must not overwrite what waits here. */
    if (!item->failed)
        item->mfcc = mfccframe_take(&run->converters[thread], &item->out);
}

/* Warns once of mel filters that are constant at the rate of a result. */
static void warn_empty(struct run *run, const struct frame *out)
{
    const size_t *index;
    struct buf list = {0};
    struct mfcc *m;
    struct err err;
    int64_t rate;
    size_t n, i;

    if (run->warned ||
        frame_need_int(out, "audio_target_sample_rate", 1, UINT32_MAX, &rate,
                       &err) ||
        rate == run->rate_checked)
        return;
    run->rate_checked = rate;
    m = mfcc_open(&run->tool->config.features, (uint32_t)rate, &err);
    if (!m)
        die(&err);
    n = mfcc_empty_filters(m, &index);
    for (i = 0; i < n; i++)
        buf_printf(&list, "%s%zu", i ? ", " : "", index[i]);
    if (n > 0)
        tool_warn(run->tool,
                  "at %" PRId64 " Hz %zu mel filters cover no frequency of "
                  "the transform and are constant: %s; take a longer "
                  "audio_n_fft or fewer audio_n_mels",
                  rate, n, buf_text(&list));
    run->warned = n > 0;
    mfcc_close(m);
    buf_release(&list);
}

/* Writes the item in a slot, or counts it as bad, and empties it. */
static void emit(struct run *run, struct item *item)
{
    if (item->failed) {
        tool_bad(run->tool, &item->err);
    } else if (item->is_song) {
        warn_empty(run, &item->out);
        tool_write(run->tool, &item->out);
        run->n_converted++;
        run->n_frames += item->out.tensors[0].shape[0];
        if (run->shows)
            tool_progress_line(run->tool, "%" PRIu64 " songs",
                               run->n_converted);
    } else {
        tool_write(run->tool, &item->in);
        run->n_passed++;
    }
    frame_release(&item->in);
    frame_release(&item->out);
    buf_release(&item->bytes);
    buf_release(&item->name);
    free(item->mfcc);
    *item = (struct item){0};
}

/* Writes what is done; with `all`, waits for everything under way. */
static void emit_ready(struct run *run, bool all)
{
    size_t slot;

    while (work_ready(&run->work, all, &slot)) {
        emit(run, &run->items[slot]);
        work_done(&run->work);
    }
}

/* Hands the item in the next slot over. */
static void put(struct run *run, struct item *item, uint64_t size)
{
    struct err err;

    if (buf_check(&item->name, &err) || buf_check(&item->bytes, &err))
        die(&err);
    work_put(&run->work, size, item->is_song);
    emit_ready(run, false);
}

/* Takes a frame; f is left empty. */
static void put_frame(struct run *run, struct frame *f)
{
    struct item *item = &run->items[work_slot(&run->work)];
    uint64_t size = f->size;
    char where[512];
    struct err err;

    frame_swap(&item->in, f);
    item->is_song = frame_kind(&item->in) == FRAME_AUDIO;
    if (item->is_song) {
        buf_printf(&item->name, "%s: %s", run->tool->in.name,
                   frame_where(&item->in, where, sizeof(where)));
        if (frame_copy_meta(&item->out, &item->in, &err))
            die(&err);
        frame_unset(&item->out, "uri");
        frame_unset(&item->out, "etag");
    }
    put(run, item, size);
}

/* Takes all frames of a stream. */
static void take_stream(struct run *run)
{
    struct frame f = {0};
    struct err err;
    int got;

    while ((got = stream_read(&run->tool->in, &f, &err)) > 0)
        put_frame(run, &f);
    if (got < 0) {
        emit_ready(run, true);
        die(&err);
    }
    frame_release(&f);
}

/* Takes a sound file; path "-" is standard input. */
static void take_sound(struct run *run, const char *path)
{
    struct item *item = &run->items[work_slot(&run->work)];
    const char *song;
    struct buf key = {0};
    struct err err;

    if (songs_add(&run->songs, path, &song, &err))
        die(&err);
    item->is_song = true;
    buf_printf(&key, "file/%s", song);
    buf_puts(&item->name, run->tool->in.name);
    if (stream_slurp(&run->tool->in, &item->bytes, &err) ||
        buf_check(&key, &err) ||
        frame_set(&item->out, "key", buf_text(&key), &err) ||
        frame_set(&item->out, "dataset", "file", &err) ||
        frame_set(&item->out, "song", song, &err))
        die(&err);
    buf_release(&key);
    put(run, item, item->bytes.len);
}

/* Whether no program behind us in a pipe draws progress. */
static bool is_last(const struct tool *tool)
{
    struct stat st;

    return tool->progress > 0 ||
           (tool->output_path && strcmp(tool->output_path, "-") != 0) ||
           (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode));
}

/* Threads with a converter each. */
static void open_run(struct run *run, struct tool *tool)
{
    size_t n = (size_t)tool_jobs(tool), i;
    struct err err;

    *run = (struct run){.tool = tool, .shows = is_last(tool)};
    run->converters = mem_alloc(n, sizeof(*run->converters), &err);
    if (!run->converters)
        die(&err);
    for (i = 0; i < n; i++)
        mfccframe_init(&run->converters[i], &tool->config.features);
    if (work_open(&run->work, n, convert, run, &err))
        die(&err);
}

/* Ends the threads and frees. */
static void close_run(struct run *run)
{
    size_t n = run->work.n_threads, i;

    work_close(&run->work);
    for (i = 0; i < n; i++)
        mfccframe_release(&run->converters[i]);
    free(run->converters);
    songs_release(&run->songs);
}

/* The effective settings for our provenance entry. */
static void note_settings(struct tool *tool)
{
    struct frame settings = {0};
    struct buf json = {0};
    struct err err;

    buf_puts(&json, "{");
    if (config_features_to_frame(&tool->config.features, CONFIG_AUDIO_HALF,
                                 &settings, &err) ||
        config_features_from_frame(&settings, CONFIG_AUDIO_HALF, &json, &err))
        die(&err);
    buf_puts(&json, "}");
    if (buf_check(&json, &err))
        die(&err);
    tool_setting(tool, "features", buf_text(&json));
    buf_release(&json);
    frame_release(&settings);
}

/* The last line of -v. */
static void sum_up(const struct run *run)
{
    const struct config_features *f = &run->tool->config.features;

    tool_note(run->tool,
              "%" PRIu64 " song%s, %" PRIu64 " frames of %" PRId64
              " coefficients; %" PRIu64 " other frame%s passed on",
              run->n_converted, run->n_converted == 1 ? "" : "s",
              run->n_frames, f->audio_n_mfcc * (1 + f->audio_delta_order),
              run->n_passed, run->n_passed == 1 ? "" : "s");
}

int main(int argc, char **argv)
{
    static const struct option own[] = {TOOL_LONG, {0}};
    struct run run;
    const struct option *longs;
    struct tool tool;
    bool is_stream;
    int c, index;

    tool_init(&tool, argc, argv, usage, TOOL_FRAMES);
    longs = tool_features(own, CONFIG_AUDIO_HALF);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, &index)) != -1) {
        if (c == TOOL_OPT_FEATURE)
            tool_feature(&tool, index, optarg);
        else
            tool_option(&tool, c);
    }
    tool_config(&tool);
    tool_open(&tool, argc - optind, argv + optind);
    note_settings(&tool);
    open_run(&run, &tool);
    while (tool_next(&tool, &is_stream)) {
        if (is_stream)
            take_stream(&run);
        else
            take_sound(&run, tool.n_operands
                                 ? tool.operands[tool.next_operand - 1]
                                 : "-");
    }
    emit_ready(&run, true);
    sum_up(&run);
    tool_finish(&tool);
    close_run(&run);
    tool_release(&tool);
    return 0;
}
