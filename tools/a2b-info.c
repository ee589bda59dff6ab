/*
 * a2b-info - what is inside a stream or a checkpoint.
 *
 * In:  streams; lone documents (*.safetensors); checkpoint folders.
 * Out: one line a frame, and after the last one what was verified; or one
 *      frame or tensor, written only when the whole input proved sound; and
 *      pictures of features and signals on request.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "core/json.h"
#include "core/npy.h"
#include "core/stream.h"
#include "tool/plot.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-info [-hqvV] [--get key] [--json] [--kind kind] [--npy name]\n"
    "                [-o file] [--plot folder] [file ...]\n"
    "      --get KEY          write the one frame with this key as a\n"
    "                         safetensors document\n"
    "      --json             one JSON object a line instead of text\n"
    "      --kind KIND        only frames of this kind (mfcc, eda, ...)\n"
    "      --npy NAME         write this tensor of the one frame that has it\n"
    "                         (or of --get's) as a .npy file\n"
    "      --plot FOLDER      draw every mfcc, eda and prediction frame too\n";

/* Own long options. */
enum { OPT_GET = TOOL_OPT_OWN, OPT_JSON, OPT_KIND, OPT_NPY, OPT_PLOT };

/* What is asked for, and what was found so far. */
struct info {
    const char *get;     /* --get, NULL: none */
    const char *kind;    /* --kind, NULL: all */
    const char *npy;     /* --npy, NULL: none */
    const char *plot;    /* --plot, NULL: none */
    bool json;           /* --json */
    struct frame found;  /* the frame --get or --npy means */
    size_t n_found;      /* different frames that fit */
    uint64_t n_frames;   /* frames listed */
    uint64_t n_bytes;    /* their bytes */
    size_t n_drawn;      /* pictures so far */
};

/* The kind's name, or the a2b.kind of a kind we do not know. */
static const char *kind_name(const struct frame *f)
{
    const char *own = frame_get(f, "a2b.kind");

    return own ? own : frame_kind_name(frame_kind(f));
}

/* Appends "mfcc F32[450,40]" for each tensor. */
static void put_tensors(struct buf *b, const struct frame *f)
{
    size_t i, d;

    for (i = 0; i < f->n_tensors; i++) {
        const struct tensor *t = &f->tensors[i];

        buf_printf(b, "%s%s %s[", i ? " " : "", t->name,
                   tensor_dtype_name(t->dtype));
        for (d = 0; d < t->n_dims; d++)
            buf_printf(b, "%s%zu", d ? "," : "", t->shape[d]);
        buf_puts(b, "]");
    }
}

/* One line of text: frame, byte, size, kind, key, tensors. */
static void put_line(struct buf *b, const struct frame *f)
{
    struct err clean; /* err_set() makes control characters visible */
    const char *key = frame_get(f, "key");

    err_set(&clean, ERR_FAILED, "%s", key ? key : "-");
    buf_printf(b, "%llu\t%llu\t%llu\t%s\t%s\t", (unsigned long long)f->index,
               (unsigned long long)f->offset, (unsigned long long)f->size,
               kind_name(f), clean.text);
    put_tensors(b, f);
    buf_puts(b, "\n");
}

/* One JSON object with all metadata. */
static void put_json(struct buf *b, const struct frame *f)
{
    const char *key, *value;
    char digest[17];
    size_t i, d;

    buf_printf(b, "{\"frame\":%llu,\"offset\":%llu,\"bytes\":%llu,\"kind\":",
               (unsigned long long)f->index, (unsigned long long)f->offset,
               (unsigned long long)f->size);
    json_put_text(b, kind_name(f));
    digest_hex(f->digest, digest);
    buf_printf(b, ",\"xxh3\":\"%s\",\"verified\":%s,\"metadata\":{", digest,
               f->has_digest ? "true" : "false");
    for (i = 0; i < f->n_meta; i++) {
        frame_meta_at(f, i, &key, &value);
        buf_puts(b, i ? "," : "");
        json_put_text(b, key);
        buf_puts(b, ":");
        json_put_text(b, value);
    }
    buf_puts(b, "},\"tensors\":{");
    for (i = 0; i < f->n_tensors; i++) {
        const struct tensor *t = &f->tensors[i];

        buf_puts(b, i ? "," : "");
        json_put_text(b, t->name);
        buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[",
                   tensor_dtype_name(t->dtype));
        for (d = 0; d < t->n_dims; d++)
            buf_printf(b, "%s%zu", d ? "," : "", t->shape[d]);
        buf_puts(b, "]}");
    }
    buf_puts(b, "}}\n");
}

/* A tensor of this type and rank with data, or NULL. */
static const struct tensor *drawable(const struct frame *f, const char *name,
                                     enum tensor_dtype dtype, size_t n_dims)
{
    const struct tensor *t = frame_tensor(f, name);

    if (!t || t->dtype != dtype || t->n_dims != n_dims || !t->shape[0])
        return NULL;
    return t;
}

/* The signals of a frame, over time; how many (at most 2). */
static size_t find_curves(const struct frame *f, struct plot_curve curves[2])
{
    static const char *const names[] = {"eda", "pred"};
    const struct tensor *valid = drawable(f, "valid", TENSOR_U8, 1), *t;
    size_t n = 0, i;

    for (i = 0; i < 2; i++) {
        t = drawable(f, names[i], TENSOR_F32, 2);
        if (!t || t->shape[1] != 1)
            continue;
        curves[n] = (struct plot_curve){.name = i ? "prediction" : "EDA",
                                        .y = t->data, .n = t->shape[0]};
        if (!i && valid && valid->shape[0] == t->shape[0])
            curves[n].valid = valid->data;
        n++;
    }
    return n;
}

/* Draws a frame with features or signals; others have no picture. */
static void draw(struct info *in, const struct frame *f)
{
    const struct tensor *mfcc = drawable(f, "mfcc", TENSOR_F32, 2);
    struct plot_curve curves[2];
    size_t n = find_curves(f, curves);
    struct buf name = {0};
    int64_t num, den;
    const char *key;
    struct err err;
    double t0_s;
    int bad;

    if (!mfcc && !n)
        return;
    if (frame_need(f, "key", &key, &err) ||
        frame_need_int(f, "rate_num", 1, INT32_MAX, &num, &err) ||
        frame_need_int(f, "rate_den", 1, INT32_MAX, &den, &err) ||
        frame_need_num(f, "t0_s", &t0_s, &err))
        die(&err);
    plot_name(&name, ++in->n_drawn, key);
    if (buf_check(&name, &err))
        die(&err);
    if (mfcc)
        bad = plot_image(in->plot, buf_text(&name), key, t0_s,
                         (double)den / (double)num, mfcc->data,
                         mfcc->shape[0], mfcc->shape[1], &err);
    else
        bad = plot_curves(in->plot, buf_text(&name), key, t0_s,
                          (double)den / (double)num, curves, n, &err);
    if (bad)
        die(&err);
    buf_release(&name);
}

/* Lists a frame, or keeps it if it is the one asked for. */
static void take_frame(struct tool *t, struct info *in, struct frame *f)
{
    const char *key = frame_get(f, "key");
    struct buf line = {0};

    if (in->kind && strcmp(in->kind, kind_name(f)))
        return;
    in->n_frames++;
    in->n_bytes += f->size;
    if (in->get || in->npy) {
        if ((in->get && (!key || strcmp(key, in->get))) ||
            (in->npy && !frame_tensor(f, in->npy)) ||
            (in->n_found && in->found.digest == f->digest))
            return;
        in->n_found++;
        frame_swap(&in->found, f);
        return;
    }
    if (in->plot)
        draw(in, f);
    if (in->json)
        put_json(&line, f);
    else
        put_line(&line, f);
    fwrite(buf_text(&line), 1, line.len, t->text);
    buf_release(&line);
}

/* The model file an operand means, if it is a lone document; else NULL. */
static char *document_path(const char *path)
{
    static const char suffix[] = ".safetensors";
    struct stat st;
    size_t n = strlen(path);
    struct buf b = {0};

    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        buf_printf(&b, "%s/model.safetensors", path);
    else if (n >= sizeof suffix &&
             !strcmp(path + n - (sizeof suffix - 1), suffix))
        buf_puts(&b, path);
    return b.data;
}

/* Reads every operand to its end: lone documents first, then streams. */
static void read_all(struct tool *t, struct info *in)
{
    struct frame f = {0};
    struct err err;
    size_t i, n_streams = 0, n_documents = 0;
    char *path;

    for (i = 0; i < t->n_operands; i++) {
        path = document_path(t->operands[i]);
        if (!path) {
            t->operands[n_streams++] = t->operands[i];
            continue;
        }
        n_documents++;
        if (stream_load_document(path, &f, &err))
            die(&err);
        take_frame(t, in, &f);
        free(path);
    }
    t->n_operands = n_streams;
    if (n_streams || !n_documents) {
        while (tool_read(t, &f))
            take_frame(t, in, &f);
    }
    frame_release(&f);
}

/* Writes the frame or tensor that was asked for. */
static void write_found(struct tool *t, struct info *in)
{
    struct stream_out scratch = {.fd = -1};
    struct buf out = {0};
    struct err err;
    uint64_t digest;
    int got;

    if (in->n_found != 1) {
        err_set(&err, in->n_found ? ERR_FAILED : ERR_MISSING,
                "%zu frames %s %s, want one%s", in->n_found,
                in->get ? "with key" : "with tensor",
                in->get ? in->get : in->npy,
                in->n_found ? ": narrow with --kind or --get" : "");
        die(&err);
    }
    if (in->npy)
        got = npy_put(&out, frame_tensor(&in->found, in->npy), &err);
    else
        got = digest_xxh3_init(&scratch.frame, &err) ||
              stream_encode(&scratch, &in->found, &out, &digest, &err);
    if (got)
        die(&err);
    fwrite(out.data, 1, out.len, t->text);
    stream_discard(&scratch);
    buf_release(&out);
}

/* The last line: what was verified, and where it came from. */
static void write_summary(struct tool *t, const struct info *in)
{
    struct buf line = {0};

    if (in->json) {
        buf_printf(&line, "{\"frames\":%llu,\"bytes\":%llu,\"failed\":%llu,"
                   "\"provenance\":",
                   (unsigned long long)in->n_frames,
                   (unsigned long long)in->n_bytes,
                   (unsigned long long)t->n_failed_before);
        prov_put(&t->prov, &line);
        buf_puts(&line, "}\n");
    } else {
        buf_printf(&line, "ok: %llu frames, %llu bytes, %llu left out\n",
                   (unsigned long long)in->n_frames,
                   (unsigned long long)in->n_bytes,
                   (unsigned long long)t->n_failed_before);
    }
    fwrite(buf_text(&line), 1, line.len, t->text);
    buf_release(&line);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"get", required_argument, NULL, OPT_GET},
        {"json", no_argument, NULL, OPT_JSON},
        {"kind", required_argument, NULL, OPT_KIND},
        {"npy", required_argument, NULL, OPT_NPY},
        {"plot", required_argument, NULL, OPT_PLOT},
        {0}};
    struct info in = {0};
    struct tool tool;
    int c;

    tool_init(&tool, argc, argv, usage, TOOL_TEXT);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1) {
        if (c == OPT_GET)
            in.get = optarg;
        else if (c == OPT_JSON)
            in.json = true;
        else if (c == OPT_KIND)
            in.kind = optarg;
        else if (c == OPT_NPY)
            in.npy = optarg;
        else if (c == OPT_PLOT)
            in.plot = optarg;
        else
            tool_option(&tool, c);
    }
    if (in.plot && (in.get || in.npy))
        tool_usage_error("--plot goes with the list, not with --get or "
                         "--npy");
    if (in.get || in.npy)
        tool.output = TOOL_BYTES;
    tool_open(&tool, argc - optind, argv + optind);
    read_all(&tool, &in);
    if (in.get || in.npy)
        write_found(&tool, &in);
    tool_finish_input(&tool);
    if (!in.get && !in.npy)
        write_summary(&tool, &in);
    tool_finish(&tool);
    frame_release(&in.found);
    tool_release(&tool);
    return 0;
}
