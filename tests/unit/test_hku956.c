/* test_hku956 - the layout is listed, replays stay apart, damage is named. */
#include "dataset/dataset.h"
#include "dataset/hku956.h"
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

/* Lists a root; returns dataset_list()'s result. */
static int list_root(const char *root, struct manifest *m, struct heard *h,
                     const struct config_dataset *conf, struct err *err)
{
    struct dataset_watcher watcher = {h, on_bad, on_left_out};
    struct dataset_source source = {
        .root = root, .conf = conf, .n_transfers = 3, .watcher = &watcher};
    size_t repeated;
    int rc;

    buf_clear(&h->left_out);
    h->n_bad = h->n_left_out = 0;
    source.store = store_open(err);
    if (!source.store)
        abort();
    rc = dataset_list(&source, DATASET_HKU956, m, err) ||
         manifest_sort(m, &repeated, err);
    store_close(source.store);
    return rc;
}

/* Lists the folder and returns the recordings without dataset, in a line. */
static const char *recordings(struct heard *h, struct err *err)
{
    static struct buf text;
    struct manifest m = {0};
    size_t i;

    buf_clear(&text);
    if (list_root(folder, &m, h, NULL, err) == 0) {
        for (i = 0; i < m.n; i++)
            buf_printf(&text, "%s%s", i ? " " : "",
                       m.rows[i].recording + strlen("hku956/"));
    }
    manifest_release(&m);
    return buf_text(&text);
}

/* Writes an EDA file of n values, 4 a second. */
static void put_eda(const char *name, int n)
{
    struct buf text = {0}, path = {0};

    for (; n > 0; n--)
        buf_puts(&text, "0.276801\n");
    buf_printf(&path, HKU956_EDA "/%s", name);
    folder_puts(buf_text(&path), buf_text(&text));
    buf_release(&text);
    buf_release(&path);
}

/* The table of songs that all tests start from. */
static void put_songs(void)
{
    folder_puts(HKU956_SONGS, "\xef\xbb\xbfsong_id,link\r\n"
                              "7,audio/7.mp3\r\n12,audio/12.mp3\r\n\r\n");
}

/* The table of ratings that all tests start from. */
static void put_ratings(void)
{
    folder_puts(HKU956_RATINGS,
                "participant_id,song_no,song_id,valence_rating,valence,"
                "arousal_rating,arousal,play_duration\n"
                "p2,0,12,9.3,positive,1,positive,3\n"
                "p1,10,7,0,neutral,0,neutral,2\n"
                "p1,2,7,0,neutral,0,neutral,3\n"
                "p1,0,12,0,neutral,0,neutral,2\n");
}

/* The dataset that all tests start from: song 7 was replayed by p1. */
static void put_dataset(void)
{
    static const char *const folders[] = {"audio",
                                          HKU956_EDA,
                                          HKU956_EDA "/p1",
                                          HKU956_EDA "/p1/EDA",
                                          HKU956_EDA "/p1/BVP",
                                          HKU956_EDA "/p2",
                                          HKU956_EDA "/p2/EDA"};
    size_t i;

    for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        folder_mkdir(folders[i]);
    put_songs();
    put_ratings();
    folder_puts("audio/7.mp3", "sound");
    folder_puts("audio/12.mp3", "sound");
    folder_puts(HKU956_EDA "/p1/BVP/2_7.csv", "1\n");
    folder_puts(HKU956_EDA "/p1/EDA/._2_7.csv", "a file manager's");
    folder_puts(HKU956_EDA "/p1/EDA/notes.txt", "");
    put_eda("p1/EDA/0_12.csv", 8);
    put_eda("p1/EDA/2_7.csv", 12);
    put_eda("p1/EDA/10_7.csv", 8);
    put_eda("p2/EDA/0_12.csv", 12);
}

/* All that the dataset has. */
#define ALL "12/p1/0 12/p2/0 7/p1/10 7/p1/2"

/* Every field of a row, and the replay as a recording of its own. */
static void test_rows(struct heard *h)
{
    struct manifest m = {0};
    struct buf line = {0}, want = {0};
    struct err err;

    tap_is(recordings(h, &err), ALL, "all plays, the replay apart");
    tap_ok(h->n_bad == 0 && h->n_left_out == 0, "nothing left out: %s",
           buf_text(&h->left_out));
    if (list_root(folder, &m, h, NULL, &err) || m.n != 4)
        abort();
    tap_ok(!manifest_put(&m.rows[2], &line, &err), "put");
    buf_printf(&want,
               "{\"dataset\":\"hku956\",\"recording\":\"hku956/7/p1/10\","
               "\"subject\":\"p1\",\"song\":\"7\","
               "\"audio\":\"%s/audio/7.mp3\","
               "\"eda\":\"%s/" HKU956_EDA "/p1/EDA/10_7.csv\","
               "\"eda_rate_hz\":4}\n",
               folder, folder);
    tap_is(buf_text(&line), buf_text(&want), "its line");
    buf_clear(&want);
    buf_printf(&want, "file://%s/", folder);
    manifest_release(&m);
    tap_ok(!list_root(buf_text(&want), &m, h, NULL, &err) && m.n == 4,
           "a URI as root");
    tap_ok(m.n == 4 && strstr(m.rows[0].eda, "/1.%20physiological_signals/"),
           "its blanks are encoded");
    manifest_release(&m);
    buf_release(&line);
    buf_release(&want);
}

/* Links of every kind; only relative ones are looked at. */
static void test_links(struct heard *h)
{
    static const char *const links[] = {
        "http://example.org/a%20b/7.mp3", "HTTPS://example.org/7.mp3",
        "s3://bucket/a b#7+.mp3", "./audio/7.mp3"};
    struct manifest m = {0};
    char text[256];
    struct err err;
    size_t i;

    for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        snprintf(text, sizeof(text), "LINK,x,Song_ID\n\"%s\",x,7\n", links[i]);
        folder_puts(HKU956_SONGS, text);
        tap_ok(!list_root(folder, &m, h, NULL, &err) && m.n == 2, "listed: %s",
               links[i]);
        if (m.n)
            tap_is(m.rows[0].audio,
                   i < 3 ? links[i] : folder_path("./audio/7.mp3"), "as it is");
        manifest_release(&m);
    }
    put_songs();
}

/* A link that cannot be used is a bad item; the other song stays. */
static void check_link(struct heard *h, const char *link, const char *why)
{
    struct err err;
    char text[256];

    snprintf(text, sizeof(text), "song_id,link\n7,%s\n12,audio/12.mp3\n", link);
    folder_puts(HKU956_SONGS, text);
    tap_is(recordings(h, &err), "12/p1/0 12/p2/0", link);
    tap_ok(h->n_bad == 1 && h->bad.status == ERR_DATA &&
               strstr(h->bad.text, why) && strstr(h->bad.text, ".csv: line 2"),
           "bad item: %s", h->bad.text);
}

/* Links that would leave the dataset, and other damage of the table. */
static void test_bad_table(struct heard *h)
{
    struct err err;

    check_link(h, "../7.mp3", "leaves");
    check_link(h, "audio/../../7.mp3", "leaves");
    check_link(h, "/etc/passwd", "relative");
    check_link(h, "file:///etc/passwd", "relative");
    check_link(h, "ftp://example.org/7.mp3", "relative");
    folder_puts(HKU956_SONGS, "song_id,link\na/7,audio/7.mp3\n");
    tap_ok(!*recordings(h, &err) && h->n_bad == 1 &&
               strstr(h->bad.text, "song_id \"a/7\""),
           "bad item: %s", h->bad.text);
    folder_puts(HKU956_SONGS, "song_id,url\n7,audio/7.mp3\n");
    recordings(h, &err);
    tap_ok(err.status == ERR_DATA && strstr(err.text, "no column \"link\""),
           "65: %s", err.text);
    folder_puts(HKU956_SONGS, "song_id,link\n7,audio/7.mp3\n7,audio/7.mp3\n");
    recordings(h, &err);
    tap_ok(err.status == ERR_DATA && strstr(err.text, "twice"), "65: %s",
           err.text);
    put_songs();
}

/* A dead relative link is a bad item that names its recordings. */
static void test_dead_link(struct heard *h)
{
    struct err err;

    unlink(folder_path("audio/7.mp3"));
    tap_is(recordings(h, &err), "12/p1/0 12/p2/0", "the rest");
    tap_ok(h->n_bad == 1 && h->bad.status == ERR_MISSING &&
               strstr(h->bad.text, "audio/7.mp3") &&
               strstr(h->bad.text, "hku956/7/p1/10, hku956/7/p1/2)"),
           "66: %s", h->bad.text);
    folder_mkdir("audio/7.mp3");
    tap_is(recordings(h, &err), "12/p1/0 12/p2/0", "a folder for a song");
    tap_ok(h->n_bad == 1 && h->bad.status == ERR_DATA, "65: %s", h->bad.text);
    rmdir(folder_path("audio/7.mp3"));
    folder_puts("audio/7.mp3", "sound");
}

/* What lacks its partner is counted and named. */
static void test_left_out(struct heard *h)
{
    struct err err;

    folder_puts(HKU956_SONGS, "song_id,link\n7,\n12,audio/12.mp3\n13,\n"
                              "99,audio/none.mp3\n");
    put_eda("p2/EDA/1_55.csv", 4);
    put_eda("p2/EDA/155.csv", 4);
    put_eda("p2/EDA/_55.csv", 4);
    put_eda("p2/EDA/5_.csv", 4);
    tap_is(recordings(h, &err), "12/p1/0 12/p2/0", "the rest");
    tap_is(buf_text(&h->left_out),
           ": EDA file p2/EDA/155.csv: the name is not "
           "<song_no>_<song_id>.csv\n"
           ": EDA file p2/EDA/5_.csv: the name is not "
           "<song_no>_<song_id>.csv\n"
           ": EDA file p2/EDA/_55.csv: the name is not "
           "<song_no>_<song_id>.csv\n"
           ": EDA file p2/EDA/1_55.csv: no such song in the table of songs\n"
           ": song 13: neither link nor EDA file\n"
           ": song 7: no link, but an EDA file\n"
           ": song 99: no EDA file\n",
           "named");
    tap_ok(h->n_left_out == 7 && h->n_bad == 0, "counted");
    unlink(folder_path(HKU956_EDA "/p2/EDA/1_55.csv"));
    unlink(folder_path(HKU956_EDA "/p2/EDA/155.csv"));
    unlink(folder_path(HKU956_EDA "/p2/EDA/_55.csv"));
    unlink(folder_path(HKU956_EDA "/p2/EDA/5_.csv"));
    put_songs();
}

/* A rating that makes no sense beside the files is a bad item. */
static void check_rating(struct heard *h, const char *row, const char *rest,
                         const char *why)
{
    struct err err;
    char text[256];

    snprintf(text, sizeof(text),
             "participant_id,song_no,song_id,play_duration\n%s\n", row);
    folder_puts(HKU956_RATINGS, text);
    tap_is(recordings(h, &err), rest, row);
    tap_ok(h->n_bad == 1 && h->bad.status == ERR_DATA &&
               strstr(h->bad.text, why) && strstr(h->bad.text, "line 2"),
           "bad item: %s", h->bad.text);
}

/* The table of ratings is held against the files, where it is there. */
static void test_ratings(struct heard *h)
{
    struct err err;

    check_rating(h, "p1,2,12,3", "12/p1/0 12/p2/0 7/p1/10", "says song 12");
    check_rating(h, "p1,2,7,100", "12/p1/0 12/p2/0 7/p1/10", "cannot hold");
    check_rating(h, "p1,2,7,x", ALL, "play_duration \"x\"");
    check_rating(h, "p1,2,7,-3", ALL, "play_duration \"-3\"");
    check_rating(h, "p1,2,7", ALL, "want 4");
    folder_puts(HKU956_RATINGS, "participant_id,song_no,song_id,"
                                "play_duration\np9,3,7,10\np9,4,55,10\n");
    tap_is(recordings(h, &err), ALL, "a rating without a file");
    tap_is(buf_text(&h->left_out),
           ": recording hku956/7/p9/3: it was rated, but has no EDA file\n",
           "is named where the song is there");
    folder_puts(HKU956_RATINGS, "a,b\n");
    recordings(h, &err);
    tap_ok(err.status == ERR_DATA && strstr(err.text, "participant_id"),
           "65: %s", err.text);
    unlink(folder_path(HKU956_RATINGS));
    tap_is(recordings(h, &err), ALL, "the table may be absent");
    put_ratings();
}

/* The folder's other spelling, and places from the config. */
static void test_places(struct heard *h)
{
    char audio[] = "audio", eda[] = "sweat", table[] = "t.csv", ratings[] = "r";
    char *paths[] = {table, ratings};
    struct config_dataset conf = {.audio_directory = audio,
                                  .eda_directory = eda,
                                  .metadata_paths = paths,
                                  .n_metadata_paths = 1};
    struct manifest m = {0};
    struct err err;

    rename(folder_path(HKU956_EDA), folder_path(HKU956_EDA_OTHER));
    tap_is(recordings(h, &err), ALL, "the other spelling");
    folder_mkdir(HKU956_EDA);
    tap_is(recordings(h, &err), ALL, "also beside an empty first one");
    rmdir(folder_path(HKU956_EDA));
    rename(folder_path(HKU956_EDA_OTHER), folder_path("sweat"));
    tap_is(recordings(h, &err), "", "no folder");
    tap_ok(err.status == ERR_MISSING && strstr(err.text, HKU956_EDA), "66: %s",
           err.text);
    folder_puts("t.csv", "song_id,link\n7,7.mp3\n");
    tap_ok(!list_root(folder, &m, h, &conf, &err) && m.n == 2, "other places");
    if (m.n)
        tap_is(m.rows[0].audio, folder_path("audio/7.mp3"), "links begin here");
    manifest_release(&m);
    conf.n_metadata_paths = 2;
    tap_ok(list_root(folder, &m, h, &conf, &err) && err.status == ERR_MISSING,
           "a table of ratings that is named must be there");
    manifest_release(&m);
}

int main(void)
{
    struct heard h = {0};

    folder_open();
    put_dataset();
    test_rows(&h);
    test_links(&h);
    test_bad_table(&h);
    test_dead_link(&h);
    test_left_out(&h);
    test_ratings(&h);
    test_places(&h);
    buf_release(&h.left_out);
    folder_close();
    return tap_done();
}
