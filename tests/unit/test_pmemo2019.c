/* test_pmemo2019 - the layout is listed, damage is named, nothing escapes. */
#include "dataset/dataset.h"
#include "folder.h"
#include "tap.h"

/* What the watcher heard. */
struct heard {
    int n_bad;           /* bad items */
    int n_left_out;      /* lines about missing partners */
    struct err bad;      /* the last bad item */
    struct buf left_out; /* all lines */
};

/* Takes a bad item. */
static void on_bad(void *ctx, const struct err *item)
{
    struct heard *h = ctx;

    h->n_bad++;
    h->bad = *item;
}

/* Takes a line about a missing partner. */
static void on_left_out(void *ctx, const char *line)
{
    struct heard *h = ctx;

    h->n_left_out++;
    buf_printf(&h->left_out, "%s\n", line + strlen(folder));
}

/* Lists the folder; returns dataset_list()'s result. */
static int list(struct manifest *m, struct heard *h,
                const struct config_dataset *conf, struct err *err)
{
    struct dataset_watcher watcher = {h, on_bad, on_left_out};
    struct dataset_source source = {
        .root = folder, .conf = conf, .n_transfers = 2, .watcher = &watcher};
    size_t repeated;
    int rc;

    buf_clear(&h->left_out);
    h->n_bad = h->n_left_out = 0;
    source.store = store_open(err);
    if (!source.store)
        abort();
    rc = dataset_list(&source, DATASET_PMEMO2019, m, err) ||
         manifest_sort(m, &repeated, err);
    store_close(source.store);
    return rc;
}

/* Lists and returns the recordings, one a line; empty after a failure. */
static const char *recordings(struct heard *h, struct err *err)
{
    static struct buf text;
    struct manifest m = {0};
    size_t i;

    buf_clear(&text);
    if (list(&m, h, NULL, err) == 0) {
        for (i = 0; i < m.n; i++)
            buf_printf(&text, "%s\n", m.rows[i].recording);
    }
    manifest_release(&m);
    return buf_text(&text);
}

/* Every field of a row, from a table with all that RFC 4180 allows. */
static void test_rows(struct heard *h)
{
    struct manifest m = {0};
    struct buf line = {0}, want = {0};
    struct err err;

    folder_puts("metadata.csv",
                "\xef\xbb\xbftitle,MUSICID,filename,artist\r\n"
                "\"a, \"\"b\"\"\n2nd line\",108,108.mp3,\xc3\xa9\r\n"
                "x,9,\"9, x.mp3\",y\r\n\r\n");
    folder_puts("chorus/108.mp3", "");
    folder_puts("chorus/9, x.mp3", "");
    folder_puts("EDA/108_EDA.csv", "time(s),100083,100081\r\n0,1,2\r\n");
    folder_puts("EDA/9_EDA.csv", "time(s),7");
    tap_ok(!list(&m, h, NULL, &err), "list");
    tap_ok(m.n == 3 && h->n_bad == 0 && h->n_left_out == 0, "three recordings");
    tap_ok(!manifest_put(&m.rows[1], &line, &err), "put");
    buf_printf(&want,
               "{\"dataset\":\"pmemo2019\","
               "\"recording\":\"pmemo2019/108/100083\","
               "\"subject\":\"100083\",\"song\":\"108\","
               "\"audio\":\"%s/chorus/108.mp3\","
               "\"eda\":\"%s/EDA/108_EDA.csv\","
               "\"eda_column\":\"100083\",\"eda_rate_hz\":50}\n",
               folder, folder);
    tap_is(buf_text(&line), buf_text(&want), "its line");
    tap_is(m.rows[2].audio, folder_path("chorus/9, x.mp3"),
           "a file name with a comma");
    buf_release(&line);
    buf_release(&want);
    manifest_release(&m);
}

/* What lacks its partner is counted and named. */
static void test_left_out(struct heard *h)
{
    struct err err;

    folder_puts("metadata.csv", "musicId,fileName\n108,108.mp3\n"
                                "1,1.mp3\n2,2.mp3\n3,3.mp3\n9,9.mp3\n");
    folder_puts("chorus/1.mp3", "");
    folder_puts("EDA/2_EDA.csv", "time(s),1\n");
    folder_puts("EDA/77_EDA.csv", "time(s),1\n");
    folder_puts("EDA/README", "");
    tap_is(recordings(h, &err), "pmemo2019/108/100081\npmemo2019/108/100083\n",
           "the rest");
    tap_is(buf_text(&h->left_out),
           ": EDA of song 77: no such song in the metadata\n"
           ": song 1: no EDA file\n"
           ": song 2: no audio file, but an EDA file\n"
           ": song 3: neither audio nor EDA file\n"
           ": song 9: no audio file, but an EDA file\n",
           "named");
    tap_ok(h->n_left_out == 5 && h->n_bad == 0, "counted");
}

/* A table that cannot be used fails. */
static void check_table(struct heard *h, const char *text, const char *why)
{
    struct err err = {0};

    folder_puts("metadata.csv", text);
    tap_is(recordings(h, &err), "", why);
    tap_ok(err.status == ERR_DATA && strstr(err.text, why), "65: %s", err.text);
}

/* A row that cannot be used is a bad item; the other song stays. */
static void check_table_row(struct heard *h, const char *row, const char *why)
{
    struct err err;
    char text[256];

    snprintf(text, sizeof(text), "musicId,fileName\n%s\n108,108.mp3\n", row);
    folder_puts("metadata.csv", text);
    tap_is(recordings(h, &err), "pmemo2019/108/100081\npmemo2019/108/100083\n",
           row);
    tap_ok(h->n_bad == 1 && h->bad.status == ERR_DATA &&
               strstr(h->bad.text, why) &&
               strstr(h->bad.text, "metadata.csv: line 2"),
           "bad item: %s", h->bad.text);
}

/* Damage in metadata.csv, and names that would leave the dataset. */
static void test_bad_table(struct heard *h)
{
    check_table(h, "", "no column \"musicId\"");
    check_table(h, "fileName,x\n1,1\n", "no column \"musicId\"");
    check_table(h, "musicId,x\n1,1\n", "no column \"fileName\"");
    check_table(h, "musicId,fileName\n1,1.mp3\n1,2.mp3\n", "twice");
    check_table(h, "musicId,fileName\n1,\"1.mp3\n", "");
    check_table_row(h, "5", "want 2");
    check_table_row(h, ",5.mp3", "musicId");
    check_table_row(h, "../5,5.mp3", "musicId");
    check_table_row(h, "5,", "empty");
    check_table_row(h, "5,../5.mp3", "leaves");
    check_table_row(h, "5,a/../../../5.mp3", "leaves");
    check_table_row(h, "5,/etc/passwd", "relative");
    check_table_row(h, "5,file:///etc/passwd", "relative");
}

/* A header that cannot be used is a bad item and names its file. */
static void check_header(struct heard *h, const char *text, const char *why)
{
    struct err err;

    folder_puts("EDA/1_EDA.csv", text);
    tap_is(recordings(h, &err), "pmemo2019/108/100081\npmemo2019/108/100083\n",
           "the other song stays");
    tap_ok(h->n_bad == 1 && h->bad.status == ERR_DATA &&
               strstr(h->bad.text, why) && strstr(h->bad.text, "EDA/1_EDA.csv"),
           "bad item: %s", h->bad.text);
}

/* Damage in the header of a recording file. */
static void test_bad_header(struct heard *h)
{
    folder_puts("metadata.csv", "musicId,fileName\n108,108.mp3\n1,1.mp3\n");
    check_header(h, "", "empty");
    check_header(h, "0.00,0.91,1.2\n", "want time(s)");
    check_header(h, "time(s)\n0\n", "no subject");
    check_header(h, "time(s),1,2,1\n", "two columns");
    check_header(h, "time(s),1,,2\n", "column 3");
    check_header(h, "time(s),a/b\n", "a/b");
    check_header(h, "time(s),\"1\n", "EDA");
}

/* A header longer than the first range is read on. */
static void test_long_header(struct heard *h)
{
    struct manifest m = {0};
    struct buf text = {0};
    struct err err;
    int i;

    buf_puts(&text, "time(s)");
    for (i = 0; i < 20000; i++)
        buf_printf(&text, ",%06d", i);
    folder_puts("EDA/1_EDA.csv", buf_text(&text));
    tap_ok(!list(&m, h, NULL, &err) && m.n == 20002,
           "140 kB without a newline");
    manifest_release(&m);
    buf_puts(&text, "\n0,1\n");
    folder_puts("EDA/1_EDA.csv", buf_text(&text));
    tap_ok(!list(&m, h, NULL, &err) && m.n == 20002, "140 kB and rows");
    tap_is(m.rows[19999].subject, "019999", "the last subject");
    manifest_release(&m);
    buf_release(&text);
}

/* Folder names come from the config where it has them. */
static void test_config(struct heard *h)
{
    char audio[] = "sound/clips", eda[] = "sound/eda", table[] = "t.csv";
    char *paths[] = {table};
    struct config_dataset conf = {.audio_directory = audio,
                                  .eda_directory = eda,
                                  .metadata_paths = paths,
                                  .n_metadata_paths = 1};
    struct manifest m = {0};
    struct err err;

    folder_mkdir("sound");
    folder_mkdir("sound/clips");
    folder_mkdir("sound/eda");
    folder_puts("t.csv", "musicId,fileName\n5,5.ogg\n");
    folder_puts("sound/clips/5.ogg", "");
    folder_puts("sound/eda/5_EDA.csv", "time(s),1\n");
    tap_ok(!list(&m, h, &conf, &err) && m.n == 1, "other folders");
    if (m.n)
        tap_is(m.rows[0].eda, folder_path("sound/eda/5_EDA.csv"), "EDA");
    manifest_release(&m);
}

/* The layout is told by its table. */
static void test_recognise(void)
{
    struct err err;
    struct store *s = store_open(&err);
    enum dataset_kind kind = DATASET_OTHER;

    if (!s)
        abort();
    tap_ok(dataset_recognise(s, folder, &kind, &err) == -1 &&
               err.status == ERR_MISSING,
           "an empty folder: %s", err.text);
    folder_puts("2. original_song_audio.csv", "");
    tap_ok(!dataset_recognise(s, folder, &kind, &err) && kind == DATASET_HKU956,
           "HKU956");
    unlink(folder_path("2. original_song_audio.csv"));
    folder_puts("metadata.csv", "");
    tap_ok(!dataset_recognise(s, folder, &kind, &err) &&
               kind == DATASET_PMEMO2019,
           "PMEmo2019");
    tap_is(dataset_kind_name(DATASET_HKU956), "hku956", "a kind's name");
    tap_ok(dataset_kind_of("pmemo2019") == DATASET_PMEMO2019 &&
               dataset_kind_of("x") == DATASET_OTHER,
           "a name's kind");
    store_close(s);
}

int main(void)
{
    struct heard h = {0};

    folder_open();
    folder_mkdir("chorus");
    folder_mkdir("EDA");
    test_recognise();
    test_rows(&h);
    test_left_out(&h);
    test_bad_table(&h);
    test_bad_header(&h);
    test_long_header(&h);
    test_config(&h);
    buf_release(&h.left_out);
    folder_close();
    return tap_done();
}
