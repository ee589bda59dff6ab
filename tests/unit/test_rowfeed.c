/* test_rowfeed - rows become frames in order, each recording whole. */
#include "dataset/rowfeed.h"
#include "folder.h"
#include "tap.h"

/* Appends a line: recording d/SONG/SUBJECT with these two files. */
static void put_line(struct buf *out, int song, int subject, const char *audio,
                     const char *eda)
{
    buf_printf(out,
               "{\"dataset\":\"d\",\"recording\":\"d/%d/%d\","
               "\"song\":\"%d\",\"audio\":\"%s\",\"eda\":\"%s\"}\n",
               song, subject, song, folder_path(audio), folder_path(eda));
}

/*
 * Feeds a manifest and writes down what comes: a frame's key and bytes, or
 * "bad" for a bad row, or "fatal", the status and the text.
 */
static void run(const char *text, enum rowfeed_only only, size_t ahead,
                struct buf *out)
{
    struct manifest_in in = {0};
    struct frame f = {0};
    struct err err;
    struct store *s = store_open(&err);
    struct fetcher *fetcher = s ? fetcher_open(s, 2, &err) : NULL;
    struct rowfeed *feed = NULL;
    const struct tensor *t;
    bool bad = false;
    int got;

    buf_clear(out);
    if (fetcher && !manifest_open_text(&in, text, strlen(text), "list", &err))
        feed = rowfeed_open(&in, fetcher, only, ahead, &err);
    if (!feed)
        abort();
    while ((got = rowfeed_next(feed, &f, &bad, &err)) != 0) {
        if (got > 0) {
            t = frame_tensor(&f, frame_kind(&f) == FRAME_AUDIO ? "audio"
                                                               : "eda_csv");
            buf_printf(out, "%s=%.*s ", frame_get(&f, "key"), (int)t->shape[0],
                       (const char *)t->data);
        } else if (bad) {
            buf_puts(out, "bad ");
        } else {
            buf_printf(out, "fatal %d %s", (int)err.status, err.text);
            break;
        }
    }
    rowfeed_close(feed);
    fetcher_close(fetcher);
    store_close(s);
    frame_release(&f);
    manifest_close(&in);
}

/* Any look-ahead gives the same frames, audio once and before its rows. */
static void test_order(void)
{
    static const size_t aheads[] = {1, 2, 3, 100};
    struct buf text = {0}, out = {0};
    size_t i;

    put_line(&text, 1, 1, "a1", "e1");
    put_line(&text, 2, 1, "a2", "e2");
    put_line(&text, 1, 2, "a1", "e1");
    for (i = 0; i < sizeof(aheads) / sizeof(aheads[0]); i++) {
        run(buf_text(&text), ROWFEED_BOTH, aheads[i], &out);
        tap_is(buf_text(&out), "d/1=A1 d/1/1=E1 d/2=A2 d/2/1=E2 d/1/2=E1 ",
               "both");
    }
    run(buf_text(&text), ROWFEED_AUDIO, 2, &out);
    tap_is(buf_text(&out), "d/1=A1 d/2=A2 ", "audio only");
    run(buf_text(&text), ROWFEED_EDA, 2, &out);
    tap_is(buf_text(&out), "d/1/1=E1 d/2/1=E2 d/1/2=E1 ", "EDA only");
    buf_release(&text);
    buf_release(&out);
}

/* A row without all its files has no frame; its song may come later. */
static void test_bad(void)
{
    struct buf text = {0}, out = {0};
    size_t ahead;

    put_line(&text, 1, 1, "a1", "none");
    put_line(&text, 1, 2, "a1", "e1");
    put_line(&text, 2, 1, "none", "e2");
    put_line(&text, 1, 3, "a2", "e1");
    put_line(&text, 1, 4, "a1", "e2");
    for (ahead = 1; ahead <= 5; ahead += 2) {
        run(buf_text(&text), ROWFEED_BOTH, ahead, &out);
        tap_is(buf_text(&out), "bad d/1=A1 d/1/2=E1 bad bad d/1/4=E2 ",
               "missing EDA, missing audio, other audio");
    }
    buf_release(&text);
    buf_release(&out);
}

/* A manifest that ends badly is no bad row. */
static void test_fatal(void)
{
    struct buf text = {0}, out = {0};

    put_line(&text, 1, 1, "a1", "e1");
    buf_puts(&text, "{\"a2b.status\":\"error\",\"a2b.exit\":75,"
                    "\"a2b.message\":\"so\"}\n");
    run(buf_text(&text), ROWFEED_BOTH, 1, &out);
    tap_is(buf_text(&out), "d/1=A1 d/1/1=E1 fatal 75 so", "an error line");
    run("", ROWFEED_BOTH, 1, &out);
    tap_is(buf_text(&out), "fatal 65 list: no line, want recordings",
           "no line");
    buf_release(&text);
    buf_release(&out);
}

/* Many songs: each one's audio once, however the table grows. */
static void test_many(void)
{
    struct buf text = {0}, out = {0};
    size_t n = 0;
    int i;
    const char *p;

    for (i = 0; i < 1000; i++)
        put_line(&text, i % 500, i, "a1", "e1");
    run(buf_text(&text), ROWFEED_AUDIO, 7, &out);
    for (p = buf_text(&out); (p = strchr(p, '=')); p++)
        n++;
    tap_ok(n == 500, "500 songs in 1000 rows: %zu audio frames", n);
    buf_release(&text);
    buf_release(&out);
}

int main(void)
{
    folder_open();
    folder_puts("a1", "A1");
    folder_puts("a2", "A2");
    folder_puts("e1", "E1");
    folder_puts("e2", "E2");
    test_order();
    test_bad();
    test_fatal();
    test_many();
    folder_close();
    return tap_done();
}
