/*
 * test_stream - frames, headers that must be refused, provenance.
 */
#include <stdlib.h>

#include "core/json.h"
#include "core/stream.h"
#include "tap.h"

/* Builds a lone document from a header and n bytes of zeros. */
static void document(struct buf *out, const char *header, size_t n)
{
    static const char zeros[4096];
    uint64_t length = strlen(header);

    buf_clear(out);
    buf_put(out, &length, 8);
    buf_puts(out, header);
    buf_put(out, zeros, n);
}

/* A header and data size, and why it must be refused (NULL: accepted). */
struct header_case {
    const char *header; /* JSON */
    size_t n;           /* bytes of data */
    const char *why;    /* words of the error */
};

/* Headers of the attack list in the stream notes. */
static const struct header_case cases[] = {
    {"{}", 0, NULL},
    {"{\"__metadata__\":{}}", 0, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ", 8,
     NULL},
    {"{\"b\":{\"data_offsets\":[4,8],\"dtype\":\"F32\",\"shape\":[1]},"
     "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
     8, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
     NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0,
     NULL},
    {" {}", 0, "want '{'"},
    {"{\"a\":1}", 0, "dtype, shape and"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7,
     "cut off"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9,
     "bytes behind"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}", 9,
     "begins at 1"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
     "span 4 bytes, want 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]}}", 0,
     "negative"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8,
     "bad size"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2e0],\"data_offsets\":[0,8]}}", 8,
     "bad size"},
    {"{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     "F99"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],"
     "\"x\":1}}",
     1, "nothing else"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
     1, "duplicate"},
    {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "want text"},
    {"{\"__metadata__\":{\"k\":\"\\u0000\"}}", 0, "header"},
    {"{\"__metadata__\":{\"k\":\"\xff\"}}", 0, "header"},
    {"{\"__metadata__\":{\"a2b\":\"2\"}}", 0, "format version \"2\""},
    {"{\"__metadata__\":{\"a2b.xxh3\":\"0000000000000000\"}}", 0,
     "digest mismatch"},
    {"{\"__metadata__\":{\"a2b.xxh3\":\"xyz\"}}", 0, "16 hex digits"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[140737488355328],"
     "\"data_offsets\":[0,8]}}",
     8, "bad size"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[0,4294967296,4294967296],"
     "\"data_offsets\":[0,0]}}",
     0, "too large"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[100000000000],"
     "\"data_offsets\":[0,100000000000]}}",
     4, "over the limit"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],"
     "\"data_offsets\":[0,1]}}",
     1, "9 dimensions"},
    {"{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "no tensor may be called"},
    {"{\"a2b.x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "no tensor may be called"},
};

/* Every case is accepted or refused with its words and status 65. */
static void test_headers(void)
{
    struct frame f = {0};
    struct buf doc = {0};
    struct err err;
    size_t i;
    int got;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        document(&doc, cases[i].header, cases[i].n);
        got = stream_decode(doc.data, doc.len, &f, &err);
        if (!tap_ok(cases[i].why ? got && err.status == ERR_DATA &&
                                       strstr(err.text, cases[i].why)
                                 : !got,
                    "header %zu: %.60s", i, cases[i].header))
            printf("# got %d: %s\n", got, got ? err.text : "accepted");
    }
    frame_release(&f);
    buf_release(&doc);
}

/* A frame with metadata and three tensors of different item sizes. */
static int build(struct frame *f, struct err *err)
{
    static const float floats[3] = {1, 2, 3};
    static const unsigned char bytes[5] = {9, 8, 7, 6, 5};
    static const double doubles[2] = {0.5, 0.25};
    size_t three = 3, five = 5, two = 2;

    frame_clear(f);
    return frame_set(f, "key", "k\xc3\xa9y", err) ||
                   frame_set(f, "note", "a \"b\" \\ \n\t", err) ||
                   frame_set(f, "a2b.dropped", "yes", err) ||
                   frame_set_num(f, "x", 0.1, err) ||
                   frame_add(f, "d", TENSOR_F64, 1, &two, doubles, err) ||
                   frame_add(f, "f", TENSOR_F32, 1, &three, floats, err) ||
                   frame_add(f, "b", TENSOR_U8, 1, &five, bytes, err)
               ? -1
               : 0;
}

/* Writing and reading again gives the same frame, aligned and canonical. */
static void test_round_trip(void)
{
    struct stream_out scratch = {.fd = -1};
    struct frame f = {0}, g = {0};
    struct buf doc = {0}, again = {0};
    struct err err;
    uint64_t digest;

    tap_ok(!build(&f, &err), "a frame is built");
    tap_ok(!digest_xxh3_init(&scratch.frame, &err), "a digest is ready");
    tap_ok(!stream_encode(&scratch, &f, &doc, &digest, &err), "it encodes");
    tap_ok(doc.len % 64 == 0, "to a multiple of 64 bytes");
    tap_ok(!memcmp(doc.data + 8,
                   "{\"__metadata__\":{\"a2b\":\"1\",\"a2b.xxh3\":\"", 39) &&
               doc.data[63] == '"',
           "with the fixed prefix");
    tap_ok(!stream_decode(doc.data, doc.len, &g, &err), "it decodes");
    tap_is(frame_get(&g, "note"), "a \"b\" \\ \n\t", "metadata survive");
    tap_ok(!frame_get(&g, "a2b.dropped"), "foreign a2b keys are dropped");
    tap_ok(g.digest == digest && g.has_digest, "the digest is the writer's");
    tap_ok(g.n_tensors == 3 && !strcmp(g.tensors[0].name, "b") &&
               !strcmp(g.tensors[2].name, "d"),
           "tensors come by ascending item size");
    tap_ok((uintptr_t)frame_tensor(&g, "d")->data % 8 == 0,
           "and are aligned in memory");
    tap_ok(!stream_encode(&scratch, &g, &again, &digest, &err) &&
               again.len == doc.len && !memcmp(again.data, doc.data, doc.len),
           "what was read is written as the same bytes");
    stream_discard(&scratch);
    frame_release(&f);
    frame_release(&g);
    buf_release(&doc);
    buf_release(&again);
}

/* Every single bit of a document with digest matters. */
static void test_flips(void)
{
    struct stream_out scratch = {.fd = -1};
    struct frame f = {0}, g = {0};
    struct buf doc = {0};
    struct err err;
    uint64_t digest;
    size_t bit, missed = 0, hidden = 0;

    tap_ok(!build(&f, &err) && !digest_xxh3_init(&scratch.frame, &err) &&
               !stream_encode(&scratch, &f, &doc, &digest, &err),
           "a document is encoded");
    for (bit = 0; bit < 8 * doc.len; bit++) {
        doc.data[bit / 8] = (char)(doc.data[bit / 8] ^ 1 << bit % 8);
        if (!stream_decode(doc.data, doc.len, &g, &err)) {
            /* only a flip in the digest key's name may pass, and then the
               frame says it has no digest: the end frame finds that */
            missed += g.has_digest;
            hidden++;
        }
        doc.data[bit / 8] = (char)(doc.data[bit / 8] ^ 1 << bit % 8);
    }
    tap_ok(missed == 0, "no flip passes with a digest");
    tap_ok(hidden < 8 * 8, "few flips make a frame without digest (%zu)",
           hidden);
    stream_discard(&scratch);
    frame_release(&f);
    frame_release(&g);
    buf_release(&doc);
}

/* Metadata: replacing, unsetting, strings of its own. */
static void test_frame(void)
{
    struct frame f = {0};
    struct err err;
    int64_t n;
    int i, bad = 0;
    char key[32];

    for (i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "k%d", i);
        bad |= frame_set_int(&f, key, i, &err);
    }
    tap_ok(!bad && !frame_set(&f, "copy", frame_get(&f, "k7"), &err) &&
               !strcmp(frame_get(&f, "copy"), "7"),
           "a value may be set from the frame's own text");
    tap_ok(!frame_set(&f, "k3", "three", &err) &&
               !strcmp(frame_get(&f, "k3"), "three") && f.n_meta == 201,
           "a key that is there is replaced");
    frame_unset(&f, "k3");
    tap_ok(!frame_get(&f, "k3") && f.n_meta == 200, "and removed");
    tap_ok(frame_need_int(&f, "k9", 10, 20, &n, &err) &&
               strstr(err.text, "want an integer in 10..20, got \"9\""),
           "ranges are checked");
    tap_ok(frame_set(&f, "a2b.xxh3", "x", &err) != 0,
           "the format's own keys cannot be set");
    tap_ok(frame_set(&f, "u", "\xc0\x80", &err) &&
               frame_set(&f, "u", "\xed\xa0\x80", &err) &&
               frame_set(&f, "u", "a\xe2\x82", &err) &&
               !frame_set(&f, "u", "\xe2\x82\xac\xf0\x9f\x8e\xb5", &err),
           "values must be UTF-8");
    tap_ok(!frame_set(&f, "key", "a\nb", &err) && frame_check(&f, &err),
           "a key has no control characters");
    frame_release(&f);
}

/* Entries merge by id; parents are the ends of the chain. */
static void test_prov(void)
{
    struct prov a = {0}, b = {0};
    struct buf text = {0};
    struct err err;

    tap_ok(!prov_append(&a, "a2b-fetch", "1", "{}", &err) &&
               !prov_append(&a, "a2b-mfcc", "1", "{\"n\":1}", &err),
           "two entries");
    prov_put(&a, &text);
    tap_ok(!prov_merge(&b, buf_text(&text), &err) && b.n == 2, "they merge");
    tap_ok(!prov_merge(&b, buf_text(&text), &err) && b.n == 2,
           "and only once");
    tap_ok(!prov_append(&b, "a2b-batch", "1", "{}", &err) && b.n == 3 &&
               strstr(b.entries[2], a.ids[1]) &&
               !strstr(b.entries[2], a.ids[0]),
           "the parent is the last of the chain");
    tap_ok(prov_merge(&b, "[{}]", &err) != 0, "nonsense is refused");
    buf_release(&text);
    prov_release(&a);
    prov_release(&b);
}

int main(void)
{
    test_headers();
    test_round_trip();
    test_flips();
    test_frame();
    test_prov();
    return tap_done();
}
