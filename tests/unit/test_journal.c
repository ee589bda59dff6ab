/*
 * test_journal - metrics.jsonl and the event file: format, cut, rebuild.
 */
#define _GNU_SOURCE /* mkdtemp */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/stream.h"
#include "tap.h"
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
    tap_ok(lines_left(run, 2, true, &b) == 2 && b.len < a.len,
           "and their events");
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
    if (!mkdtemp(run))
        return 1;
    test_cut(run);
    snprintf(command, sizeof command, "rm -r %s", run);
    if (system(command) != 0)
        return 1;
    return tap_done();
}
