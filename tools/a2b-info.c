/*
 * a2b-info - what is inside a stream or a checkpoint.
 *
 * In:  streams; lone documents (*.safetensors); checkpoint folders.
 * Out: one line a frame, and after the last one what was verified; or one
 *      frame or tensor, written only when the whole input proved sound.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "core/json.h"
#include "core/npy.h"
#include "core/stream.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-info [-hqvV] [--get key] [--json] [--kind kind] [--npy name]\n"
    "                [-o file] [file ...]\n"
    "      --get KEY          write the one frame with this key as a\n"
    "                         safetensors document\n"
    "      --json             one JSON object a line instead of text\n"
    "      --kind KIND        only frames of this kind (mfcc, eda, ...)\n"
    "      --npy NAME         write this tensor of the one frame that has it\n"
    "                         (or of --get's) as a .npy file\n";

/* Own long options. */
enum { OPT_GET = TOOL_OPT_OWN, OPT_JSON, OPT_KIND, OPT_NPY };

/* What is asked for, and what was found so far. */
struct info {
    const char *get;     /* --get, NULL: none */
    const char *kind;    /* --kind, NULL: all */
    const char *npy;     /* --npy, NULL: none */
    bool json;           /* --json */
    struct frame found;  /* the frame --get or --npy means */
    size_t n_found;      /* different frames that fit */
    uint64_t n_frames;   /* frames listed */
    uint64_t n_bytes;    /* their bytes */
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
        else
            tool_option(&tool, c);
    }
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
