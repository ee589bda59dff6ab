/*
 * test_journal - metrics.jsonl and the event file: format, cut, rebuild.
 */
#define _GNU_SOURCE /* mkdtemp */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/stream.h"
#include "eval/metric.h"
#include "tap.h"
#include "train/csvlog.h"
#include "train/journal.h"
#include "train/tfevents.h"

/* Ends the program when something that must work does not. */
static void need(int rc, const struct err *err)
{
    if (rc) {
        printf("Bail out! %s\n", err->text);
        exit(1);
    }
}

/* run/name, whole. */
static void slurp(const char *run, const char *name, struct buf *out)
{
    struct stream_in in = {0};
    char path[128];
    struct err err;

    buf_clear(out);
    snprintf(path, sizeof path, "%s/%s", run, name);
    need(stream_open(&in, path, &err), &err);
    need(stream_slurp(&in, out, &err), &err);
    stream_close(&in);
}

/*
 * Bytes as TensorFlow writes them. The length of the first record, 24, and
 * its masked CRC are those of every event file; the second record and its
 * CRCs were made by an independent CRC-32C in Python.
 */
static void test_format(void)
{
    static const unsigned char head[21] = {24, 0,    0,    0,    0,    0, 0,
                                           0,  0xa3, 0x7f, 0x4b, 0x22, 9, 0,
                                           0,  0,    0,    0,    0,    0, 0};
    static const unsigned char line[] = {
        0x24, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x42, 0x2b, 0x80,
        0x4d, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x10,
        0x02, 0x2a, 0x17, 0x0a, 0x15, 0x0a, 0x0e, 0x74, 0x72, 0x61, 0x69,
        0x6e, 0x2f, 0x67, 0x72, 0x61, 0x64, 0x5f, 0x6e, 0x6f, 0x72, 0x15,
        0x00, 0x00, 0xc0, 0x3f, 0xb0, 0x20, 0xc8, 0xd3};
    static const char json[] =
        "{\"step\":2,\"split\":\"train\",\"grad_nor\":1.5}";
    struct buf b = {0};
    struct err err;

    tfevents_put_head(&b);
    tap_ok(b.len == 40 && memcmp(b.data, head, sizeof head) == 0 &&
               memcmp(b.data + 21,
                      "\x1a\x0d"
                      "brain.Event:2",
                      15) == 0,
           "an event file begins as TensorFlow's do");
    buf_clear(&b);
    need(tfevents_put_line(&b, json, sizeof json - 1, &err), &err);
    tap_ok(b.len == sizeof line && memcmp(b.data, line, b.len) == 0,
           "a scalar is the bytes of the format");
    tap_ok(tfevents_put_line(&b, "{}", 2, &err) != 0,
           "a line without a step is none");
    buf_release(&b);
}

/* CRC-32C bit by bit, masked as TensorFlow does. */
static uint32_t masked_crc(const char *p, size_t n)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* A little-endian number of n bytes. */
static uint64_t fixed(const char *p, int n)
{
    uint64_t value = 0;

    while (n-- > 0)
        value = value << 8 | (unsigned char)p[n];
    return value;
}

/* Records of a whole event file; -1 if a length or a CRC is wrong. */
static int count_records(const struct buf *b)
{
    size_t at = 0, n;
    int records = 0;

    for (; b->len - at >= 16; at += n + 16, records++) {
        n = (size_t)fixed(b->data + at, 8);
        if (fixed(b->data + at + 8, 4) != masked_crc(b->data + at, 8) ||
            n > b->len - at - 16 ||
            fixed(b->data + at + 12 + n, 4) !=
                masked_crc(b->data + at + 12, n))
            return -1;
    }
    return at == b->len ? records : -1;
}

/* How often c is in text. */
static size_t count(const char *text, char c)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == c;
    return n;
}

/* Rows of metrics.csv: numbers as they are, nan and nothing told apart. */
static void test_table(void)
{
    static const char json[] =
        "{\"step\":20,\"epoch\":1,\"split\":\"val\",\"loss\":0.1,"
        "\"pearson\":null,\"mae\":1e-05}";
    static const char head[] =
        "step,epoch,split,loss,lr,grad_norm,mse,rmse,mae,pearson,";
    struct buf b = {0};
    struct err err;

    csvlog_put_head(&b);
    tap_ok(!strncmp(buf_text(&b), head, sizeof head - 1) &&
               count(buf_text(&b), ',') == 5 + METRIC_N,
           "columns: six, then every metric");
    buf_clear(&b);
    need(csvlog_put_line(&b, json, sizeof json - 1, &err), &err);
    tap_ok(!strncmp(buf_text(&b), "20,1,val,0.1,,,,,1e-05,nan,,", 28) &&
               count(buf_text(&b), ',') == 5 + METRIC_N &&
               strspn(buf_text(&b) + 26, ",\n") == strlen(buf_text(&b) + 26),
           "a row");
    tap_ok(csvlog_put_line(&b, "{", 1, &err) != 0, "no JSON, no row");
    buf_release(&b);
}

/* Appends a line. */
static void put(struct journal *j, int step, const char *split)
{
    struct buf line = {0};
    struct err err;

    buf_printf(&line, "{\"step\":%d,\"split\":\"%s\",\"loss\":null}\n", step,
               split);
    need(journal_put(j, &line, &err), &err);
    buf_release(&line);
}

/* Writes steps 1 to 3 with validations at 2 and 3, and half a line. */
static void fill(const char *run)
{
    struct journal j;
    struct err err;

    need(journal_open(&j, run, 0, false, &err), &err);
    put(&j, 1, "train");
    put(&j, 2, "train");
    put(&j, 2, "val");
    put(&j, 3, "train");
    put(&j, 3, "val");
    need(journal_sync(&j, &err), &err);
    if (write(j.lines.fd, "{\"step\":", 8) != 8)
        exit(1);
    journal_close(&j);
}

/* Lines left after a cut. */
static int lines_left(const char *run, uint64_t step, bool validate,
                      struct buf *events)
{
    struct buf text = {0};
    struct journal j;
    struct err err;
    size_t i;
    int n = 0;

    fill(run);
    need(journal_open(&j, run, step, validate, &err), &err);
    journal_close(&j);
    slurp(run, "metrics.jsonl", &text);
    slurp(run, TFEVENTS_NAME, events);
    for (i = 0; i < text.len; i++)
        n += text.data[i] == '\n';
    if (text.len > 0 && text.data[text.len - 1] != '\n')
        n = -1;
    buf_release(&text);
    return n;
}

/* What stays when a run resumes at a step. */
static void test_cut(const char *run)
{
    struct buf a = {0}, b = {0};

    tap_ok(lines_left(run, 3, false, &a) == 5, "half a line goes");
    tap_ok(lines_left(run, 3, true, &a) == 4,
           "a validation that is due again goes");
    tap_ok(lines_left(run, 2, false, &a) == 3, "later steps go");
    tap_ok(count_records(&a) == 4, "an event each behind the head, framed");
    tap_ok(lines_left(run, 2, true, &b) == 2 && count_records(&b) == 3,
           "and their events");
    slurp(run, CSVLOG_NAME, &a);
    tap_ok(strstr(buf_text(&a), "\n1,,train,nan,") &&
               strstr(buf_text(&a), "\n2,,train,nan,") &&
               !strstr(buf_text(&a), "val"),
           "and their rows");
    tap_ok(lines_left(run, 0, false, &a) == 0 && a.len == 40,
           "a new run begins empty");
    buf_release(&a);
    buf_release(&b);
}

int main(void)
{
    char run[] = "/tmp/test_journal.XXXXXX";
    char command[64];

    test_format();
    test_table();
    if (!mkdtemp(run))
        return 1;
    test_cut(run);
    snprintf(command, sizeof command, "rm -r %s", run);
    if (system(command) != 0)
        return 1;
    return tap_done();
}
