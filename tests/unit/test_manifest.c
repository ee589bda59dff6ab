/* test_manifest - lines are read and written as a2b-manifest(5) says. */
#include <stdlib.h>
#include <unistd.h>

#include "dataset/manifest.h"
#include "tap.h"

/* A full line in writing order, without its newline. */
#define FULL \
    "{\"dataset\":\"pmemo2019\",\"recording\":\"pmemo2019/108/100083\"," \
    "\"subject\":\"100083\",\"song\":\"108\",\"split\":\"train\"," \
    "\"audio\":\"s3://b/chorus/108.mp3\",\"eda\":\"EDA/108_EDA.csv\"," \
    "\"eda_column\":\"100083\",\"eda_rate_hz\":50}"

/* The least a line may have. */
#define LEAST "{\"dataset\":\"x\",\"recording\":\"x/1\",\"song\":\"1\"}"

/* Parses a line and writes it again; the text, or the error. Caller frees. */
static char *again(const char *line)
{
    struct manifest_row row = {0};
    struct buf out = {0};
    struct err err;

    if (manifest_parse(line, strlen(line), &row, &err) ||
        manifest_put(&row, &out, &err)) {
        buf_clear(&out);
        buf_printf(&out, "%d %s", (int)err.status, err.text);
    }
    manifest_row_release(&row);
    return out.data;
}

/* A line comes back as it was, or as `want`. */
static void check_again(const char *line, const char *want, const char *name)
{
    char *got = again(line);

    tap_is(got, want, name);
    free(got);
}

/* A line is refused with status 65 and a text that has `why`. */
static void check_bad(const char *line, const char *why)
{
    char *got = again(line);

    tap_ok(strncmp(got, "65 ", 3) == 0 && strstr(got, why), "refused: %s (%s)",
           line, got);
    free(got);
}

/* What is written is what was read, in the order of the contract. */
static void test_lines(void)
{
    check_again(FULL, FULL "\n", "a full line");
    check_again(LEAST, LEAST "\n", "a line with unknown values left out");
    check_again("{\"song\":\"1\",\"split\":\"val\",\"recording\":\"x/1\","
                "\"dataset\":\"x\"}",
                "{\"dataset\":\"x\",\"recording\":\"x/1\",\"song\":\"1\","
                "\"split\":\"val\"}\n",
                "keys in any order");
    check_again("{\"a\":[1,{\"b\":null}],\"dataset\":\"x\",\"c\":\"d\","
                "\"recording\":\"x/1\",\"song\":\"1\"}",
                "{\"dataset\":\"x\",\"recording\":\"x/1\",\"song\":\"1\","
                "\"a\":[1,{\"b\":null}],\"c\":\"d\"}\n",
                "unknown keys are kept behind");
    check_again("{\"dataset\":\"x\",\"recording\":\"x/1\","
                "\"song\":\"\\\"\\u00e9\\\\\",\"eda_rate_hz\":12.5}",
                "{\"dataset\":\"x\",\"recording\":\"x/1\","
                "\"song\":\"\\\"\xc3\xa9\\\\\",\"eda_rate_hz\":12.5}\n",
                "quotes, UTF-8 and fractions");
}

/* What makes no sense is refused. */
static void test_bad_lines(void)
{
    check_bad("", "");
    check_bad("[]", "want a recording");
    check_bad("{}", "\"dataset\" is missing");
    check_bad("{\"dataset\":\"x\",\"song\":\"1\"}", "\"recording\"");
    check_bad("{\"dataset\":\"x\",\"recording\":\"1\"}", "\"song\"");
    check_bad("{\"dataset\":1,\"recording\":\"1\",\"song\":\"1\"}",
              "\"dataset\"");
    check_bad("{\"dataset\":\"x\",\"recording\":\"1\",\"song\":\"\"}",
              "\"song\"");
    check_bad("{\"dataset\":\"x/y\",\"recording\":\"1\",\"song\":\"1\"}",
              "want a word");
    check_bad("{\"dataset\":\"x\",\"recording\":\"1\\n\",\"song\":\"1\"}",
              "control");
    check_bad("{\"dataset\":\"x\",\"recording\":\"1\",\"song\":\"1\","
              "\"split\":\"dev\"}",
              "train, val or test");
    check_bad("{\"dataset\":\"x\",\"recording\":\"1\",\"song\":\"1\","
              "\"eda_rate_hz\":0}",
              "over 0");
    check_bad("{\"dataset\":\"x\",\"dataset\":\"x\",\"recording\":\"1\","
              "\"song\":\"1\"}",
              "");
    check_bad(LEAST LEAST, "");
}

/* Names that JSON cannot hold are found when they are written. */
static void test_bad_put(void)
{
    struct manifest_row row = {0};
    struct buf out = {0};
    struct err err;
    int rc;

    rc = manifest_set(&row.dataset, "x", &err) ||
         manifest_set(&row.recording, "x/1", &err) ||
         manifest_set(&row.song, "\xff", &err);
    buf_puts(&out, "before\n");
    tap_ok(!rc && manifest_put(&row, &out, &err) == -1 &&
               err.status == ERR_DATA && strstr(err.text, "x/1"),
           "no UTF-8: %s", err.text);
    tap_is(buf_text(&out), "before\n", "nothing of it was written");
    manifest_row_release(&row);
    buf_release(&out);
}

/* Reads a whole text and returns how it ended; *n gets the rows. */
static int read_all(const char *text, size_t *n, struct err *err)
{
    struct manifest_in in = {0};
    struct manifest_row row = {0};
    int got = -1;

    *n = 0;
    if (manifest_open_text(&in, text, strlen(text), "list", err) == 0) {
        while ((got = manifest_read(&in, &row, err)) > 0)
            ++*n;
    }
    manifest_row_release(&row);
    manifest_close(&in);
    return got;
}

/* The end of a manifest is told from a cut and from a failure. */
static void test_reading(void)
{
    struct err err;
    size_t n;

    tap_ok(read_all(LEAST "\n" FULL "\n", &n, &err) == 0 && n == 2,
           "two lines");
    tap_ok(read_all(LEAST "\n" FULL, &n, &err) == -1 &&
               err.status == ERR_DATA && strstr(err.text, "line 2: cut off"),
           "last line without newline: %s", err.text);
    tap_ok(read_all("", &n, &err) == -1 && err.status == ERR_DATA &&
               strstr(err.text, "list: no line"),
           "no line: %s", err.text);
    tap_ok(read_all(LEAST "\n\n", &n, &err) == -1 && n == 1 &&
               strstr(err.text, "list: line 2: "),
           "an empty line: %s", err.text);
    tap_ok(read_all(LEAST "\n{\"a2b.status\":\"error\",\"a2b.exit\":75,"
                          "\"a2b.message\":\"a2b-index: no net\"}\n",
                    &n, &err) == -1 &&
               n == 1 && err.status == ERR_AGAIN && err.upstream,
           "an error line's status");
    tap_is(err.text, "a2b-index: no net", "an error line's message");
    tap_ok(read_all("{\"a2b.status\":\"error\",\"a2b.exit\":9}\n", &n, &err) ==
                   -1 &&
               err.status == ERR_DATA,
           "an unknown status counts as 65");
}

/* Lines from a pipe may come in any pieces. */
static void test_pipe(void)
{
    struct manifest_in in = {0};
    struct manifest_row row = {0};
    struct err err;
    int fd[2], rc, i, n = 0;

    if (pipe(fd))
        abort();
    for (i = 0; i < 200; i++)
        n += write(fd[1], FULL "\n", sizeof(FULL)) == sizeof(FULL);
    close(fd[1]);
    rc = manifest_open(&in, fd[0], "pipe", &err);
    while (!rc && manifest_read(&in, &row, &err) == 1)
        n--;
    tap_ok(!rc && n == 0 && in.line == 200, "200 lines from a pipe");
    manifest_row_release(&row);
    manifest_close(&in);
    close(fd[0]);
}

/* Appends the row of a line to a list. */
static void add(struct manifest *m, const char *line)
{
    struct manifest_row row = {0};
    struct err err;

    if (manifest_parse(line, strlen(line), &row, &err) ||
        manifest_add(m, &row, &err))
        abort();
}

/* Rows are sorted by bytes; repeats go, contradictions are refused. */
static void test_sort(void)
{
    struct manifest m = {0};
    struct err err;
    size_t n;

    tap_ok(!manifest_sort(&m, &n, &err) && n == 0, "an empty list");
    add(&m, "{\"dataset\":\"b\",\"recording\":\"b/1\",\"song\":\"1\"}");
    add(&m, "{\"dataset\":\"a\",\"recording\":\"a/2\",\"song\":\"2\"}");
    add(&m, "{\"dataset\":\"a\",\"recording\":\"a/10\",\"song\":\"10\"}");
    add(&m, "{\"dataset\":\"a\",\"recording\":\"a/2\",\"song\":\"2\"}");
    tap_ok(!manifest_sort(&m, &n, &err) && n == 1 && m.n == 3,
           "a repeated row goes");
    tap_is(m.rows[0].recording, "a/10", "first");
    tap_is(m.rows[1].recording, "a/2", "second");
    tap_is(m.rows[2].recording, "b/1", "third");
    add(&m, "{\"dataset\":\"a\",\"recording\":\"a/2\",\"song\":\"3\"}");
    tap_ok(manifest_sort(&m, &n, &err) == -1 && err.status == ERR_DATA &&
               strstr(err.text, "a/2"),
           "two songs for one recording: %s", err.text);
    manifest_release(&m);
}

int main(void)
{
    test_lines();
    test_bad_lines();
    test_bad_put();
    test_reading();
    test_pipe();
    test_sort();
    return tap_done();
}
