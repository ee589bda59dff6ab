/*
 * tfevents - records and protocol buffers by hand.
 *
 * A record, all little-endian:
 *   u64 length, u32 masked CRC-32C of those 8 bytes, data, u32 masked CRC of
 *   the data; masked is rotated right by 15 plus 0xa282ead8
 * Its data is an Event (numbers are fields):
 *   1 double wall_time, 2 varint step, 3 text file_version,
 *   5 Summary { 1 Value { 1 text tag, 2 float simple_value } ... }
 * Source: TensorFlow's record_writer.h, event.proto and summary.proto.
 */
#include "train/tfevents.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/json.h"

/* Wire types of protocol buffers. */
enum wire {
    WIRE_VARINT = 0, /* 7 bits a byte, low ones first */
    WIRE_64 = 1,     /* 8 bytes */
    WIRE_BYTES = 2,  /* length and bytes */
    WIRE_32 = 5      /* 4 bytes */
};

/* CRC-32C (Castagnoli, reflected 0x82f63b78), masked as records want it. */
static uint32_t masked_crc(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint32_t crc = 0xffffffffu;
    int bit;

    while (n-- > 0) {
        crc ^= *p++;
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* Appends the low n bytes of a number, the lowest first. */
static void put_fixed(struct buf *b, uint64_t value, int n)
{
    unsigned char byte;

    for (; n > 0; n--, value >>= 8) {
        byte = (unsigned char)(value & 0xff);
        buf_put(b, &byte, 1);
    }
}

/* Appends a number of any length. */
static void put_varint(struct buf *b, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_fixed(b, (value & 0x7f) | 0x80, 1);
    put_fixed(b, value, 1);
}

/* Appends a field's number and type. */
static void put_key(struct buf *b, unsigned field, enum wire wire)
{
    put_varint(b, field << 3 | (unsigned)wire);
}

/* Appends a field of bytes. */
static void put_bytes(struct buf *b, unsigned field, const void *data, size_t n)
{
    put_key(b, field, WIRE_BYTES);
    put_varint(b, n);
    buf_put(b, data, n);
}

/* Appends a record around an event. */
static void put_record(struct buf *out, const struct buf *event)
{
    size_t start = out->len;

    put_fixed(out, event->len, 8);
    if (!out->failed)
        put_fixed(out, masked_crc(out->data + start, 8), 4);
    buf_put(out, event->data, event->len);
    put_fixed(out, masked_crc(event->data, event->len), 4);
}

/* Begins an event at a step. */
static void put_time(struct buf *event, uint64_t step)
{
    double seconds = (double)step;
    uint64_t bits;

    memcpy(&bits, &seconds, sizeof bits);
    put_key(event, 1, WIRE_64);
    put_fixed(event, bits, 8);
}

void tfevents_put_head(struct buf *out)
{
    static const char version[] = "brain.Event:2";
    struct buf event = {0};

    put_time(&event, 0);
    put_bytes(&event, 3, version, sizeof version - 1);
    put_record(out, &event);
    buf_release(&event);
}

/* A summary that is being built from a line. */
struct summary {
    struct buf values; /* Summary */
    const char *split; /* "train" or "val" */
};

/* Adds one member of a line as a scalar, if it is one. */
static int add_scalar(void *ctx, const char *key, const struct json *v)
{
    struct summary *s = ctx;
    struct buf tag = {0}, value = {0};
    float number;
    uint32_t bits;

    if (json_kind(v) != JSON_KIND_NUMBER && json_kind(v) != JSON_KIND_NULL)
        return 0;
    if (strcmp(key, "step") == 0)
        return 0;
    number = (float)json_num(v, NAN);
    memcpy(&bits, &number, sizeof bits);
    buf_printf(&tag, "%s/%s", s->split, key);
    put_bytes(&value, 1, buf_text(&tag), tag.len);
    put_key(&value, 2, WIRE_32);
    put_fixed(&value, bits, 4);
    put_bytes(&s->values, 1, value.data, value.len);
    buf_release(&tag);
    buf_release(&value);
    return 0;
}

int tfevents_put_line(struct buf *out, const char *line, size_t n,
                      struct err *err)
{
    struct json *j = json_parse(line, n, err);
    struct summary s = {.split = json_text(json_member(j, "split"))};
    struct buf event = {0};
    int64_t step;
    int rc = 0;

    if (!j)
        return -1;
    if (!s.split || json_int(json_member(j, "step"), &step) || step < 0) {
        rc = err_set(err, ERR_DATA, "a line without step and split");
    } else {
        json_each(j, add_scalar, &s);
        put_time(&event, (uint64_t)step);
        put_key(&event, 2, WIRE_VARINT);
        put_varint(&event, (uint64_t)step);
        put_bytes(&event, 5, s.values.data, s.values.len);
        put_record(out, &event);
    }
    buf_release(&event);
    buf_release(&s.values);
    json_close(j);
    return rc;
}
