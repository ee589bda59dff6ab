/*
 * stream - frames one after another, closed by an end frame. Version 1.
 *
 *   stream  = segment, segment, ...        `cat` of streams is a stream
 *   segment = frame, frame, ..., end
 *   frame   = one safetensors document:
 *     byte 0   u64   N, little endian, 2 <= N <= 1048576
 *     byte 8   39 B  {"__metadata__":{"a2b":"1","a2b.xxh3":"
 *     byte 47  16 B  XXH3-64 of the whole frame with these digits as zeros
 *     byte 63  "     then ,"key":"value" pairs and } , then per tensor
 *              ,"NAME":{"dtype":"F32","shape":[T,C],"data_offsets":[B,E]}
 *              in data order, then } and blanks so that the frame's length
 *              is a multiple of 64
 *     byte 8+N data  tensors by ascending item size, then by name, no holes
 *   end     = frame without tensors, a2b.kind "end", with a2b.status (ok or
 *             error), a2b.frames, a2b.bytes, a2b.digests, and where they
 *             apply a2b.message, a2b.exit, a2b.failed, a2b.pg
 *
 * A valid input is one or more segments and nothing behind the last end
 * frame. Readers take any safetensors document that obeys the limits, with
 * or without digest; writers emit only the form above. Damage cannot hide: a
 * flip inside a frame breaks its digest, a flip in the name of the digest's
 * key breaks the end frame's digest of digests, and an end frame that has
 * that one must have its own digest.
 */
#define _GNU_SOURCE /* F_SETPIPE_SZ, O_CLOEXEC */
#include "core/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/json.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "streams are little endian and this code does not swap"
#endif

/* Bytes of the read buffer, and of output held back before a write. */
#define BUFFER_SIZE (256u * 1024u)
/* Most bytes allocated ahead of what has arrived. */
#define STEP_SIZE ((size_t)64 * 1024 * 1024)
/* Most tensors one frame may have. */
#define MAX_TENSORS 10000u
/* Largest offset or size a header may name. */
#define MAX_OFFSET ((int64_t)1 << 47)
/* What every canonical frame has at byte 8. */
static const char prefix[] = "{\"__metadata__\":{\"a2b\":\"1\",\"a2b.xxh3\":\"";

/* ---- keys seen so far ---- */

/* One key of one kind. */
struct key {
    uint64_t name;   /* XXH3-64 of kind and key, 0 marks a free place */
    uint64_t digest; /* of the frame */
};

/* An open-addressing table of keys. */
struct stream_keys {
    struct key *slots; /* n_slots places, owned */
    size_t n_slots;    /* power of two */
    size_t n;          /* places taken */
};

/* The place of a name: its own or the first free one. */
static struct key *keys_slot(struct stream_keys *k, uint64_t name)
{
    size_t i = (size_t)name & (k->n_slots - 1);

    while (k->slots[i].name && k->slots[i].name != name)
        i = (i + 1) & (k->n_slots - 1);
    return &k->slots[i];
}

/* Doubles the table when it is three quarters full. */
static int keys_grow(struct stream_keys *k, struct err *err)
{
    struct key *old = k->slots;
    size_t n_old = k->n_slots, i;

    if (k->n_slots && k->n + 1 <= k->n_slots / 4 * 3)
        return 0;
    k->n_slots = n_old ? 2 * n_old : 256;
    k->slots = mem_alloc(k->n_slots, sizeof *k->slots, err);
    if (!k->slots) {
        k->slots = old;
        k->n_slots = n_old;
        return -1;
    }
    for (i = 0; i < n_old; i++) {
        if (old[i].name)
            *keys_slot(k, old[i].name) = old[i];
    }
    free(old);
    return 0;
}

/* Notes f's key. Fails if the kind had it already with other bytes. */
static int keys_add(struct stream_in *s, const struct frame *f,
                    struct err *err)
{
    enum frame_kind kind = frame_kind(f);
    const char *key = frame_get(f, "key");
    struct buf name = {0};
    struct key *slot;
    uint64_t hash;

    if (kind == FRAME_OTHER || !key)
        return 0;
    if (!s->keys && !(s->keys = mem_alloc(1, sizeof *s->keys, err)))
        return -1;
    if (keys_grow(s->keys, err))
        return -1;
    buf_printf(&name, "%d %s", (int)kind, key);
    hash = digest_xxh3(buf_text(&name), name.len) | 1;
    buf_release(&name);
    slot = keys_slot(s->keys, hash);
    if (slot->name && slot->digest != f->digest)
        return err_set(err, ERR_DATA, "a second %s frame with this key and "
                       "different content", frame_kind_name(kind));
    s->keys->n += !slot->name;
    slot->name = hash;
    slot->digest = f->digest;
    return 0;
}

/* Frees the table; NULL is fine. */
static void keys_free(struct stream_keys *k)
{
    if (k)
        free(k->slots);
    free(k);
}

/* ---- bytes in ---- */

int stream_open(struct stream_in *s, const char *path, struct err *err)
{
    bool is_stdin = !path || !strcmp(path, "-");

    *s = (struct stream_in){.fd = -1, .max_frame = STREAM_MAX_FRAME};
    s->seg_digests = true;
    s->in_segment = true;
    s->name = mem_string(is_stdin ? "standard input" : path, err);
    s->peek = s->name ? mem_alloc(BUFFER_SIZE, 1, err) : NULL;
    if (!s->peek || digest_xxh3_init(&s->seg, err) ||
        digest_xxh3_init(&s->one, err)) {
        stream_close(s);
        return -1;
    }
    s->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) {
        err_errno(err, "%s", path);
        stream_close(s);
        return -1;
    }
    /* A larger pipe saves switches; refused ones stay as they are. */
    if (fcntl(s->fd, F_GETPIPE_SZ) < (int)BUFFER_SIZE)
        (void)fcntl(s->fd, F_SETPIPE_SZ, (int)BUFFER_SIZE);
    return 0;
}

/* read() that retries after signals. Sets at_eof at the end. */
static ssize_t read_some(struct stream_in *s, void *to, size_t n,
                         struct err *err)
{
    ssize_t got;

    if (s->at_eof)
        return 0;
    do
        got = read(s->fd, to, n < 0x7ffff000u ? n : 0x7ffff000u);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_errno(err, "%s, byte %llu", s->name,
                         (unsigned long long)s->offset);
    s->at_eof = got == 0;
    return got;
}

/* Fills the buffer until it holds n <= BUFFER_SIZE bytes or the end came. */
static int fill(struct stream_in *s, size_t n, struct err *err)
{
    ssize_t got;

    if (s->peek_end - s->peek_start >= n || s->at_eof)
        return 0;
    memmove(s->peek, s->peek + s->peek_start, s->peek_end - s->peek_start);
    s->peek_end -= s->peek_start;
    s->peek_start = 0;
    while (s->peek_end < n && !s->at_eof) {
        got = read_some(s, s->peek + s->peek_end, BUFFER_SIZE - s->peek_end,
                        err);
        if (got < 0)
            return -1;
        s->peek_end += (size_t)got;
    }
    return 0;
}

/* Takes up to n bytes. Returns how many came (fewer only at the end). */
static ssize_t take(struct stream_in *s, void *to, size_t n, struct err *err)
{
    size_t done = 0, have;
    ssize_t got;

    while (done < n) {
        have = s->peek_end - s->peek_start;
        if (have) {
            have = have < n - done ? have : n - done;
            memcpy((char *)to + done, s->peek + s->peek_start, have);
            s->peek_start += have;
            got = (ssize_t)have;
        } else if (n - done >= BUFFER_SIZE) {
            got = read_some(s, (char *)to + done, n - done, err);
        } else {
            got = fill(s, 1, err);
            if (!got && s->peek_end > s->peek_start)
                continue;
        }
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
        s->offset += (uint64_t)got;
    }
    return (ssize_t)done;
}

int stream_is_stream(struct stream_in *s, struct err *err)
{
    uint64_t n;

    if (fill(s, 9, err))
        return -1;
    if (s->peek_end - s->peek_start < 9)
        return 0;
    memcpy(&n, s->peek + s->peek_start, sizeof n);
    return n >= 2 && n <= STREAM_MAX_HEADER &&
           s->peek[s->peek_start + 8] == '{';
}

int stream_slurp(struct stream_in *s, struct buf *out, struct err *err)
{
    char *chunk = mem_alloc(BUFFER_SIZE, 1, err);
    ssize_t got = chunk ? 1 : -1;

    while (got > 0) {
        got = take(s, chunk, BUFFER_SIZE, err);
        if (got > 0)
            buf_put(out, chunk, (size_t)got);
        if (out->len > s->max_frame)
            got = err_set(err, ERR_DATA, "%s: over the limit of %llu bytes",
                          s->name, (unsigned long long)s->max_frame);
    }
    free(chunk);
    return got < 0 ? -1 : buf_check(out, err);
}

/* ---- header ---- */

/* What a header says beside metadata and tensors. */
struct head {
    bool has_version;   /* the key a2b was there */
    bool has_digest;    /* the key a2b.xxh3 was there */
    uint64_t digest;    /* its value */
    size_t digits;      /* offset of its 16 digits in the header */
    size_t data_size;   /* bytes of the tensors */
};

/* One tensor as the header has it. */
struct entry {
    char *name;                    /* owned */
    enum tensor_dtype dtype;       /* element type */
    size_t n_dims;                 /* dimensions */
    size_t shape[TENSOR_MAX_DIMS]; /* sizes */
    int64_t begin, end;            /* offsets from the start of the data */
};

/* A header being read: where json_each() puts what it finds. */
struct parse {
    struct frame *f;       /* gets metadata */
    struct head *head;     /* gets the format's own keys */
    struct entry *entries; /* n tensors, owned */
    size_t n, cap;         /* tensors and room */
    struct err *err;       /* first failure */
};

/* Takes one pair of __metadata__. */
static int parse_meta(void *ctx, const char *key, const struct json *v)
{
    struct parse *p = ctx;
    const char *text = json_text(v);

    if (!text)
        return err_set(p->err, ERR_DATA, "metadata %s: want text", key);
    if (!strcmp(key, "a2b")) {
        p->head->has_version = true;
        if (strcmp(text, "1"))
            return err_set(p->err, ERR_DATA,
                           "format version \"%s\", this program reads 1",
                           text);
        return 0;
    }
    if (!strcmp(key, "a2b.xxh3")) {
        p->head->has_digest = true;
        if (digest_from_hex(text, strlen(text), &p->head->digest))
            return err_set(p->err, ERR_DATA,
                           "a2b.xxh3: want 16 hex digits, got \"%s\"", text);
        return 0;
    }
    return frame_set(p->f, key, text, p->err);
}

/* An offset or size that must lie in [0, MAX_OFFSET). */
static int parse_size(const struct json *v, int64_t *out)
{
    return json_int(v, out) || *out < 0 || *out >= MAX_OFFSET ? -1 : 0;
}

/* Reads dtype, shape and data_offsets of one tensor. */
static int parse_entry(struct entry *e, const struct json *v, struct err *err)
{
    const char *dtype = json_text(json_member(v, "dtype"));
    const struct json *shape = json_member(v, "shape");
    const struct json *offsets = json_member(v, "data_offsets");
    int64_t size;
    size_t i;

    if (json_kind(v) != JSON_KIND_MAP || json_count(v) != 3 || !dtype ||
        json_kind(shape) != JSON_KIND_LIST ||
        json_kind(offsets) != JSON_KIND_LIST || json_count(offsets) != 2)
        return err_set(err, ERR_DATA, "tensor %s: want dtype, shape and "
                       "data_offsets, nothing else", e->name);
    if (tensor_dtype_parse(dtype, &e->dtype))
        return err_set(err, ERR_DATA, "tensor %s: dtype %s is not read here",
                       e->name, dtype);
    e->n_dims = json_count(shape);
    if (e->n_dims > TENSOR_MAX_DIMS)
        return err_set(err, ERR_DATA, "tensor %s: %zu dimensions, at most %d",
                       e->name, e->n_dims, TENSOR_MAX_DIMS);
    for (i = 0; i < e->n_dims; i++) {
        if (parse_size(json_at(shape, i), &size))
            return err_set(err, ERR_DATA, "tensor %s: bad size in dimension "
                           "%zu", e->name, i);
        e->shape[i] = (size_t)size;
    }
    if (parse_size(json_at(offsets, 0), &e->begin) ||
        parse_size(json_at(offsets, 1), &e->end) || e->end < e->begin)
        return err_set(err, ERR_DATA, "tensor %s: bad data_offsets", e->name);
    return 0;
}

/* Takes one member of the header. */
static int parse_member(void *ctx, const char *key, const struct json *v)
{
    struct parse *p = ctx;
    struct entry *grown;

    if (!strcmp(key, "__metadata__")) {
        if (json_kind(v) != JSON_KIND_MAP)
            return err_set(p->err, ERR_DATA, "__metadata__: want a map");
        return json_each(v, parse_meta, p);
    }
    if (p->n == MAX_TENSORS)
        return err_set(p->err, ERR_DATA, "more than %u tensors", MAX_TENSORS);
    grown = mem_grow(p->entries, &p->cap, p->n + 1, sizeof *grown, p->err);
    if (!grown)
        return -1;
    p->entries = grown;
    grown = &p->entries[p->n];
    *grown = (struct entry){0};
    grown->name = mem_string(key, p->err);
    if (!grown->name)
        return -1;
    p->n++;
    return parse_entry(grown, v, p->err);
}

/* Order of tensors in the data; empty ones before what begins there. */
static int by_offset(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Adds the tensors to the frame in data order; refuses holes and overlaps. */
static int place_tensors(struct parse *p)
{
    int64_t at = 0;
    size_t i;

    if (p->n)
        qsort(p->entries, p->n, sizeof *p->entries, by_offset);
    for (i = 0; i < p->n; i++) {
        const struct entry *e = &p->entries[i];

        if (frame_add(p->f, e->name, e->dtype, e->n_dims, e->shape, NULL,
                      p->err))
            return -1;
        if (e->begin != at)
            return err_set(p->err, ERR_DATA, "tensor %s: data begins at %lld,"
                           " want %lld", e->name, (long long)e->begin,
                           (long long)at);
        if ((uint64_t)(e->end - e->begin) !=
            tensor_size(&p->f->tensors[p->f->n_tensors - 1]))
            return err_set(p->err, ERR_DATA,
                           "tensor %s: data_offsets span %lld bytes, want %zu",
                           e->name, (long long)(e->end - e->begin),
                           tensor_size(&p->f->tensors[p->f->n_tensors - 1]));
        at = e->end;
    }
    p->head->data_size = (size_t)at;
    return 0;
}

/*
 * A '-' outside strings: no number in a header may be negative, and some
 * parsers read -0 as 0.
 */
static bool has_minus(const char *json, size_t n)
{
    bool inside = false;
    size_t i;

    for (i = 0; i < n; i++) {
        if (inside && json[i] == '\\')
            i++;
        else if (json[i] == '"')
            inside = !inside;
        else if (!inside && json[i] == '-')
            return true;
    }
    return false;
}

/*
 * Offset of the digest's digits in the header's text. A foreign writer may
 * have moved the key; as a key it is the one place where the quoted name is
 * followed by a colon. Returns 0 if it cannot be found (it was escaped).
 */
static size_t find_digits(const char *json, size_t n)
{
    static const char key[] = "\"a2b.xxh3\"";
    size_t len = sizeof key - 1, i, at;

    if (n > sizeof prefix + 16 && !memcmp(json, prefix, sizeof prefix - 1))
        return sizeof prefix - 1;
    for (i = 0; i + len < n; i++) {
        if (memcmp(json + i, key, len))
            continue;
        at = i + len;
        at += strspn(json + at, " \t\r\n");
        if (json[at] != ':')
            continue;
        at++;
        at += strspn(json + at, " \t\r\n");
        if (json[at] == '"' && at + 17 < n && json[at + 17] == '"')
            return at + 1;
    }
    return 0;
}

/* Parses n bytes of header (NUL-terminated) into f and head. */
static int parse_header(const char *json, size_t n, struct frame *f,
                        struct head *head, struct err *err)
{
    struct parse p = {.f = f, .head = head, .err = err};
    struct json *root;
    size_t i;
    int got;

    *head = (struct head){0};
    if (json[0] != '{')
        return err_set(err, ERR_DATA, "header: want '{', got byte 0x%02x",
                       (unsigned char)json[0]);
    if (has_minus(json, n))
        return err_set(err, ERR_DATA, "header: a negative number");
    root = json_parse(json, n, err);
    if (!root)
        return err_prefix(err, "header");
    got = json_each(root, parse_member, &p);
    if (!got)
        got = place_tensors(&p);
    for (i = 0; i < p.n; i++)
        free(p.entries[i].name);
    free(p.entries);
    json_close(root);
    if (got)
        return -1;
    head->digits = head->has_digest ? find_digits(json, n) : 0;
    if (head->has_digest && !head->digits)
        return err_set(err, ERR_DATA, "header: a2b.xxh3 is not written "
                       "plainly");
    return 0;
}

/* ---- frames in ---- */

/* Adds the position to an error of the frame being read. */
static int at_frame(const struct stream_in *s, const struct frame *f,
                    struct err *err)
{
    char where[300];

    err_prefix(err, "%s", frame_where(f, where, sizeof where));
    return err_prefix(err, "%s", s->name);
}

/* The input ended inside a frame, or its last frame is no end frame. */
static int cut(const struct stream_in *s, const struct frame *f,
               struct err *err)
{
    if (s->offset == 0)
        return err_set(err, ERR_DATA, "%s: empty input, want a stream",
                       s->name);
    if (s->offset == f->offset)
        return err_set(err, ERR_DATA,
                       "%s: cut off: ended at byte %llu, after %llu frames, "
                       "without an end frame",
                       s->name, (unsigned long long)s->offset,
                       (unsigned long long)s->n_frames);
    return err_set(err, ERR_DATA,
                   "%s: cut off: frame %llu, byte %llu: ended inside it, at "
                   "byte %llu",
                   s->name, (unsigned long long)f->index,
                   (unsigned long long)f->offset,
                   (unsigned long long)s->offset);
}

/* Says what a file is that is no stream, from its first bytes. */
static const char *sniff(const unsigned char *b)
{
    static const struct {
        const char *magic; /* first bytes */
        size_t n;          /* how many */
        const char *what;  /* what it is */
    } known[] = {
        {"\x1f\x8b", 2, "gzip data"},     {"\x28\xb5\x2f\xfd", 4, "zstd data"},
        {"RIFF", 4, "a WAV file"},        {"fLaC", 4, "a FLAC file"},
        {"OggS", 4, "an Ogg file"},       {"ID3", 3, "an MP3 file"},
        {"{\"", 2, "JSON (a manifest?)"}, {"%YAML", 5, "YAML"},
    };
    size_t i;

    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!memcmp(b, known[i].magic, known[i].n))
            return known[i].what;
    }
    for (i = 0; i < 8; i++) {
        if ((b[i] < 0x20 && b[i] != '\n' && b[i] != '\r' && b[i] != '\t') ||
            b[i] > 0x7e)
            return "no stream";
    }
    return "text";
}

/*
 * Reads length and header. Returns 1; 0 at the end of input between frames;
 * -1 with err.
 */
static int read_header(struct stream_in *s, struct frame *f,
                       struct head *head, uint64_t limit, struct err *err)
{
    unsigned char length[8];
    uint64_t n;
    ssize_t got = take(s, length, 8, err);

    if (got <= 0)
        return (int)got;
    if (got < 8)
        return s->offset < 8 ? err_set(err, ERR_DATA, "%s: %lld bytes, want a "
                                       "stream", s->name, (long long)got)
                             : cut(s, f, err);
    memcpy(&n, length, 8);
    if (n < 2 || n > limit) {
        if (f->offset == 0)
            return err_set(err, ERR_DATA, "%s: frame 0, byte 0: this is %s, "
                           "want a stream", s->name, sniff(length));
        err_set(err, ERR_DATA, "header of %llu bytes, want 2..%llu",
                (unsigned long long)n, (unsigned long long)limit);
        return at_frame(s, f, err);
    }
    buf_clear(&s->header);
    while (s->header.len < n) {
        char part[4096];
        size_t want = n - s->header.len;

        got = take(s, part, want < sizeof part ? want : sizeof part, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return cut(s, f, err);
        buf_put(&s->header, part, (size_t)got);
    }
    if (buf_check(&s->header, err))
        return -1;
    if (parse_header(s->header.data, s->header.len, f, head, err))
        return at_frame(s, f, err);
    digest_xxh3_reset(&s->one);
    digest_xxh3_add(&s->one, length, 8);
    if (head->has_digest)
        memset(s->header.data + head->digits, '0', 16);
    digest_xxh3_add(&s->one, s->header.data, s->header.len);
    return 1;
}

/* Reads size bytes to offset `at` of f->data, growing it as they arrive. */
static int read_block(struct stream_in *s, struct frame *f, size_t at,
                      size_t size, struct err *err)
{
    size_t done = 0, want;
    char *grown;
    ssize_t got;

    while (done < size) {
        want = size - done < STEP_SIZE ? size - done : STEP_SIZE;
        grown = mem_grow(f->data, &f->data_cap, at + done + want, 1, err);
        if (!grown)
            return -1;
        f->data = grown;
        got = take(s, f->data + at + done, want, err);
        if (got < 0)
            return -1;
        if ((size_t)got < want)
            return cut(s, f, err);
        digest_xxh3_add(&s->one, f->data + at + done, want);
        done += want;
    }
    return 0;
}

/* Where tensor i begins in f->data: every tensor at a multiple of 64. */
static size_t next_place(const struct frame *f, size_t i, size_t at)
{
    return at + (tensor_size(&f->tensors[i]) + 63) / 64 * 64;
}

/* Reads the tensors, each to an aligned place, and points at them. */
static int read_data(struct stream_in *s, struct frame *f, struct err *err)
{
    size_t at = 0, i;

    for (i = 0; i < f->n_tensors; i++) {
        if (read_block(s, f, at, tensor_size(&f->tensors[i]), err))
            return -1;
        at = next_place(f, i, at);
    }
    for (i = 0, at = 0; i < f->n_tensors; i++) {
        f->tensors[i].data = f->data ? f->data + at : "";
        at = next_place(f, i, at);
    }
    return 0;
}

/*
 * Reads and verifies one document of any sort. Returns 1, 0 at the end of
 * input between documents, -1 with err.
 */
static int read_document(struct stream_in *s, struct frame *f, uint64_t limit,
                         struct err *err)
{
    struct head head;
    int got;

    frame_clear(f);
    f->index = s->n_frames;
    f->offset = s->offset;
    got = read_header(s, f, &head, limit, err);
    if (got <= 0)
        return got;
    if (head.data_size > s->max_frame) {
        err_set(err, ERR_DATA, "%zu bytes of data, over the limit of %llu "
                "(A2B_MAX_FRAME)", head.data_size,
                (unsigned long long)s->max_frame);
        return at_frame(s, f, err);
    }
    if (read_data(s, f, err))
        return -1;
    f->size = s->offset - f->offset;
    f->digest = digest_xxh3_value(&s->one);
    f->has_digest = head.has_digest;
    if (head.has_digest && head.digest != f->digest) {
        err_set(err, ERR_DATA, "digest mismatch: the data is damaged");
        return at_frame(s, f, err);
    }
    return 1;
}

/* Fails unless the end frame has this count under key. */
static int end_count(const struct frame *f, const char *key, uint64_t want,
                     struct err *err)
{
    int64_t n;

    if (frame_need_int(f, key, 0, INT64_MAX, &n, err))
        return -1;
    if ((uint64_t)n != want)
        return err_set(err, ERR_DATA, "end frame: %s is %lld, but %llu came",
                       key, (long long)n, (unsigned long long)want);
    return 0;
}

/* Checks the digest over the digests of the segment's frames. */
static int end_digest(struct stream_in *s, const struct frame *f,
                      struct err *err)
{
    const char *text = frame_get(f, "a2b.digests");
    uint64_t value;

    if (!text)
        return 0;
    if (!f->has_digest || !s->seg_digests)
        return err_set(err, ERR_DATA, "end frame: digests were written, but "
                       "a frame has none");
    if (digest_from_hex(text, strlen(text), &value) ||
        value != digest_xxh3_value(&s->seg))
        return err_set(err, ERR_DATA, "end frame: digest of the frames does "
                       "not match: frames were lost, added or swapped");
    return 0;
}

/* Starts the next segment. */
static void next_segment(struct stream_in *s)
{
    s->seg_frames = 0;
    s->seg_bytes = 0;
    s->seg_digests = true;
    s->in_segment = false;
    digest_xxh3_reset(&s->seg);
}

/* Takes an end frame: its checks, its status, its provenance. */
static int read_end(struct stream_in *s, const struct frame *f,
                    struct err *err)
{
    const char *status = frame_get(f, "a2b.status");
    const char *message = frame_get(f, "a2b.message");
    const char *pg = frame_get(f, "a2b.pg");
    int64_t number = 0;

    if (f->n_tensors)
        return err_set(err, ERR_DATA, "end frame: it has tensors");
    if (end_count(f, "a2b.frames", s->seg_frames, err) ||
        end_count(f, "a2b.bytes", s->seg_bytes, err) ||
        end_digest(s, f, err))
        return -1;
    if (status && !strcmp(status, "error")) {
        if (frame_get(f, "a2b.exit") &&
            frame_need_int(f, "a2b.exit", 0, 255, &number, err))
            return -1;
        err_set(err, err_status_from((long)number), "%s",
                message ? message : "the program before failed");
        err->upstream = true;
        return -1;
    }
    if (!status || strcmp(status, "ok"))
        return err_set(err, ERR_DATA, "end frame: a2b.status is \"%s\", want "
                       "ok or error", status ? status : "");
    if (frame_get(f, "a2b.failed")) {
        if (frame_need_int(f, "a2b.failed", 0, INT64_MAX, &number, err))
            return -1;
        s->n_failed += (uint64_t)number;
    }
    next_segment(s);
    return pg ? prov_merge(&s->prov, pg, err) : 0;
}

/* Counts a data frame and checks what a frame of its kind must have. */
static int take_frame(struct stream_in *s, struct frame *f, struct err *err)
{
    unsigned char digest[8];
    int i;

    for (i = 0; i < 8; i++)
        digest[i] = (unsigned char)(f->digest >> (56 - 8 * i));
    digest_xxh3_add(&s->seg, digest, 8);
    s->seg_digests = s->seg_digests && f->has_digest;
    s->seg_frames++;
    s->seg_bytes += f->size;
    s->in_segment = true;
    if (frame_check(f, err))
        return err_prefix(err, "%s", s->name);
    if (keys_add(s, f, err))
        return at_frame(s, f, err);
    s->n_frames++;
    return 1;
}

int stream_read(struct stream_in *s, struct frame *f, struct err *err)
{
    const char *kind;
    int got;

    for (;;) {
        got = read_document(s, f, STREAM_MAX_HEADER, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return s->in_segment ? cut(s, f, err) : 0;
        kind = frame_get(f, "a2b.kind");
        if (!kind || strcmp(kind, "end"))
            return take_frame(s, f, err);
        if (read_end(s, f, err))
            return err->upstream ? -1 : at_frame(s, f, err);
    }
}

void stream_keep_keys(struct stream_in *to, struct stream_in *from)
{
    keys_free(to->keys);
    to->keys = from->keys;
    from->keys = NULL;
}

int stream_drain(struct stream_in *s, struct err *err)
{
    struct frame f = {0};
    int got;

    do
        got = stream_read(s, &f, err);
    while (got > 0);
    frame_release(&f);
    return got;
}

void stream_close(struct stream_in *s)
{
    if (s->fd > STDERR_FILENO)
        close(s->fd);
    free(s->name);
    free(s->peek);
    buf_release(&s->header);
    digest_xxh3_release(&s->seg);
    digest_xxh3_release(&s->one);
    keys_free(s->keys);
    prov_release(&s->prov);
    *s = (struct stream_in){.fd = -1};
}

/* ---- frames out ---- */

int stream_create(struct stream_out *s, const char *path, struct err *err)
{
    struct buf temp = {0};
    bool is_stdout = !path || !strcmp(path, "-");

    *s = (struct stream_out){.fd = STDOUT_FILENO};
    if (digest_xxh3_init(&s->frame, err) || digest_xxh3_init(&s->all, err))
        goto fail;
    if (is_stdout) {
        if (fcntl(s->fd, F_GETPIPE_SZ) < (int)BUFFER_SIZE)
            (void)fcntl(s->fd, F_SETPIPE_SZ, (int)BUFFER_SIZE);
        return 0;
    }
    buf_printf(&temp, "%s.tmp.%ld", path, (long)getpid());
    s->path = mem_string(path, err);
    s->temp = mem_string(buf_text(&temp), err);
    buf_release(&temp);
    if (!s->path || !s->temp)
        goto fail;
    s->fd = open(s->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->fd >= 0)
        return 0;
    err_errno(err, "%s", path);
    free(s->temp);
    s->temp = NULL;
fail:
    stream_discard(s);
    return -1;
}

/* Order of tensors in a canonical frame. */
static int by_item_size(const void *a, const void *b)
{
    const struct tensor *x = *(const struct tensor *const *)a;
    const struct tensor *y = *(const struct tensor *const *)b;
    size_t p = tensor_item_size(x->dtype), q = tensor_item_size(y->dtype);

    if (p != q)
        return p < q ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Appends one tensor's entry; *at advances over its data. */
static void put_entry(struct buf *h, const struct tensor *t, size_t *at)
{
    size_t i;

    buf_puts(h, ",");
    json_put_text(h, t->name);
    buf_printf(h, ":{\"dtype\":\"%s\",\"shape\":[",
               tensor_dtype_name(t->dtype));
    for (i = 0; i < t->n_dims; i++)
        buf_printf(h, "%s%zu", i ? "," : "", t->shape[i]);
    buf_printf(h, "],\"data_offsets\":[%zu,%zu]}", *at,
               *at + tensor_size(t));
    *at += tensor_size(t);
}

/* Which a2b.* keys of a frame are written. */
enum own_keys {
    OWN_KIND, /* a2b.kind only: frames of a stream */
    OWN_ALL   /* all: lone documents and end frames */
};

/*
 * Builds length and header of f in s->header, digits patched, and lists the
 * tensors in data order (caller frees). Returns NULL with err set.
 */
static const struct tensor **build_header(struct stream_out *s,
                                          const struct frame *f,
                                          enum own_keys own,
                                          uint64_t *digest, struct err *err)
{
    const struct tensor **order = mem_alloc(f->n_tensors, sizeof *order, err);
    struct buf *h = &s->header;
    const char *key, *value;
    char digits[17];
    uint64_t length = 0;
    size_t at = 0, i;

    if (!order)
        return NULL;
    buf_clear(h);
    buf_put(h, &length, 8);
    buf_puts(h, prefix);
    buf_puts(h, "0000000000000000\"");
    for (i = 0; i < f->n_meta; i++) {
        frame_meta_at(f, i, &key, &value);
        if (own == OWN_KIND && !strncmp(key, "a2b.", 4) &&
            strcmp(key, "a2b.kind"))
            continue;
        buf_puts(h, ",");
        json_put_text(h, key);
        buf_puts(h, ":");
        json_put_text(h, value);
    }
    buf_puts(h, "}");
    for (i = 0; i < f->n_tensors; i++)
        order[i] = &f->tensors[i];
    if (f->n_tensors)
        qsort(order, f->n_tensors, sizeof *order, by_item_size);
    for (i = 0; i < f->n_tensors; i++)
        put_entry(h, order[i], &at);
    buf_puts(h, "}");
    while ((h->len + at) % 64 && !h->failed)
        buf_puts(h, " ");
    if (buf_check(h, err)) {
        free(order);
        return NULL;
    }
    length = h->len - 8;
    memcpy(h->data, &length, 8);
    digest_xxh3_reset(&s->frame);
    digest_xxh3_add(&s->frame, h->data, h->len);
    for (i = 0; i < f->n_tensors; i++)
        digest_xxh3_add(&s->frame, order[i]->data, tensor_size(order[i]));
    *digest = digest_xxh3_value(&s->frame);
    digest_hex(*digest, digits);
    memcpy(h->data + 8 + sizeof prefix - 1, digits, 16);
    return order;
}

/* write() until all is out. Marks the stream torn when it fails. */
static int write_all(struct stream_out *s, const void *bytes, size_t n,
                     struct err *err)
{
    const char *p = bytes;
    ssize_t got;

    while (n) {
        got = write(s->fd, p, n < 0x7ffff000u ? n : 0x7ffff000u);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            s->torn = true;
            s->broken = errno == EPIPE;
            return err_errno(err, "%s", s->path ? s->path : "standard output");
        }
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

/* Writes what was held back. */
static int flush(struct stream_out *s, struct err *err)
{
    size_t n = s->pending.len;

    s->pending.len = 0;
    return write_all(s, s->pending.data, n, err);
}

/* Holds small pieces back, writes large ones straight out. */
static int put(struct stream_out *s, const void *bytes, size_t n,
               struct err *err)
{
    if (s->pending.len + n > BUFFER_SIZE && flush(s, err))
        return -1;
    if (n > BUFFER_SIZE)
        return write_all(s, bytes, n, err);
    buf_put(&s->pending, bytes, n);
    return buf_check(&s->pending, err);
}

/* Writes a frame of any sort. */
static int put_frame(struct stream_out *s, const struct frame *f,
                     enum own_keys own, struct err *err)
{
    uint64_t value;
    const struct tensor **order = build_header(s, f, own, &value, err);
    unsigned char digest[8];
    uint64_t size;
    size_t i;
    int got;

    if (!order)
        return -1;
    size = s->header.len;
    if (own == OWN_KIND && size > STREAM_MAX_HEADER + 8u) {
        free(order);
        return err_set(err, ERR_FAILED, "metadata takes %llu bytes, at most "
                       "%u fit a frame", (unsigned long long)size - 8,
                       STREAM_MAX_HEADER);
    }
    got = put(s, s->header.data, s->header.len, err);
    for (i = 0; !got && i < f->n_tensors; i++) {
        got = put(s, order[i]->data, tensor_size(order[i]), err);
        size += tensor_size(order[i]);
    }
    free(order);
    if (got)
        return -1;
    for (i = 0; i < 8; i++)
        digest[i] = (unsigned char)(value >> (56 - 8 * i));
    digest_xxh3_add(&s->all, digest, 8);
    s->n_frames++;
    s->n_bytes += size;
    return 0;
}

int stream_write(struct stream_out *s, const struct frame *f,
                 struct err *err)
{
    if (frame_check(f, err))
        return -1;
    return put_frame(s, f, OWN_KIND, err);
}

/* Fills an end frame; status and the rest of it are the caller's. */
static int start_end(struct stream_out *s, struct frame *end,
                     const char *status, struct err *err)
{
    char digits[17];

    digest_hex(digest_xxh3_value(&s->all), digits);
    return frame_set(end, "a2b.kind", "end", err) ||
                   frame_set(end, "a2b.status", status, err) ||
                   frame_set_int(end, "a2b.frames", (int64_t)s->n_frames,
                                 err) ||
                   frame_set_int(end, "a2b.bytes", (int64_t)s->n_bytes,
                                 err) ||
                   frame_set(end, "a2b.digests", digits, err)
               ? -1
               : 0;
}

/* Gives the temporary its final name, safely on disk. */
static int settle_file(struct stream_out *s, struct err *err)
{
    int fd = s->fd;

    if (fsync(fd) && errno != EINVAL && errno != EROFS)
        return err_errno(err, "%s", s->path);
    s->fd = -1;
    if (close(fd))
        return err_errno(err, "%s", s->path);
    if (rename(s->temp, s->path))
        return err_errno(err, "%s", s->path);
    free(s->temp);
    s->temp = NULL;
    return 0;
}

int stream_finish(struct stream_out *s, uint64_t failed,
                  const struct prov *prov, struct err *err)
{
    struct frame end = {0};
    struct buf pg = {0};
    int got;

    assert(!s->ended && !s->torn);
    got = start_end(s, &end, "ok", err);
    if (!got && failed)
        got = frame_set_int(&end, "a2b.failed", (int64_t)failed, err);
    if (!got && prov && prov->n) {
        prov_put(prov, &pg);
        got = buf_check(&pg, err) ||
              frame_set(&end, "a2b.pg", buf_text(&pg), err);
    }
    if (!got)
        got = put_frame(s, &end, OWN_ALL, err) || flush(s, err);
    s->ended = true;
    buf_release(&pg);
    frame_release(&end);
    if (got)
        return -1;
    return s->path ? settle_file(s, err) : 0;
}

void stream_fail(struct stream_out *s, enum err_status status,
                 const char *message)
{
    struct frame end = {0};
    struct err ignored;

    if (!s->path && !s->torn && !s->ended &&
        !start_end(s, &end, "error", &ignored) &&
        !frame_set(&end, "a2b.message", message, &ignored) &&
        !frame_set_int(&end, "a2b.exit", status, &ignored) &&
        !put_frame(s, &end, OWN_ALL, &ignored))
        (void)!flush(s, &ignored);
    frame_release(&end);
    stream_discard(s);
}

void stream_discard(struct stream_out *s)
{
    if (s->fd > STDERR_FILENO)
        close(s->fd);
    if (s->temp)
        unlink(s->temp);
    free(s->path);
    free(s->temp);
    buf_release(&s->pending);
    buf_release(&s->header);
    digest_xxh3_release(&s->frame);
    digest_xxh3_release(&s->all);
    *s = (struct stream_out){.fd = -1};
}

/* ---- lone documents ---- */

/* Reads one document and the end of input directly behind it. */
static int read_lone(struct stream_in *s, struct frame *f, uint64_t limit,
                     struct err *err)
{
    unsigned char extra;
    int got = read_document(s, f, limit, err);

    if (got == 0)
        return cut(s, f, err);
    if (got < 0)
        return -1;
    if (take(s, &extra, 1, err))
        return err_set(err, ERR_DATA, "%s: bytes behind the document, at "
                       "byte %llu", s->name, (unsigned long long)f->size);
    return 0;
}

int stream_load_document(const char *path, struct frame *f, struct err *err)
{
    struct stream_in s;
    int got;

    if (stream_open(&s, path, err))
        return -1;
    got = read_lone(&s, f, STREAM_MAX_DOCUMENT_HEADER, err);
    stream_close(&s);
    return got;
}

int stream_decode(const void *bytes, size_t n, struct frame *f,
                  struct err *err)
{
    char name[] = "frame in memory";
    struct stream_in s = {.fd = -1, .name = name, .at_eof = true,
                          .max_frame = STREAM_MAX_FRAME};
    int got;

    /* at_eof: the buffer is only ever read, never filled. */
    s.peek = (unsigned char *)(uintptr_t)bytes;
    s.peek_end = n;
    if (digest_xxh3_init(&s.one, err))
        return -1;
    got = read_lone(&s, f, STREAM_MAX_HEADER, err);
    if (!got)
        got = frame_check(f, err);
    buf_release(&s.header);
    digest_xxh3_release(&s.one);
    return got;
}

int stream_encode(struct stream_out *s, const struct frame *f,
                  struct buf *out, uint64_t *digest, struct err *err)
{
    const struct tensor **order = build_header(s, f, OWN_KIND, digest, err);
    size_t i;

    if (!order)
        return -1;
    buf_put(out, s->header.data, s->header.len);
    for (i = 0; i < f->n_tensors; i++)
        buf_put(out, order[i]->data, tensor_size(order[i]));
    free(order);
    return buf_check(out, err);
}

int stream_save_document(const char *path, const struct frame *f,
                         struct err *err)
{
    struct stream_out s = {.fd = -1};
    int got;

    s.path = mem_string(path, err);
    if (!s.path || digest_xxh3_init(&s.frame, err) ||
        digest_xxh3_init(&s.all, err)) {
        stream_discard(&s);
        return -1;
    }
    s.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (s.fd < 0) {
        err_errno(err, "%s", path);
        stream_discard(&s);
        return -1;
    }
    got = put_frame(&s, f, OWN_ALL, err) || flush(&s, err);
    if (!got && fsync(s.fd) && errno != EINVAL && errno != EROFS)
        got = err_errno(err, "%s", path);
    if (close(s.fd) && !got)
        got = err_errno(err, "%s", path);
    s.fd = -1;
    stream_discard(&s);
    return got ? -1 : 0;
}
