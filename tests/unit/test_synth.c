/*
 * Tests of lib/dataset/synth.c: the files say what planted.json says.
 *
 * The reference reads the sound and EDA files back with readers of its own
 * and convolves driver and response sample by sample.
 */
#include "dataset/synth.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "dataset/newdir.h"
#include "tap.h"

/* Most samples of skin conductance of a song here. */
#define MAX_EDA 1000

static char file[1 << 20]; /* the file last read */
static size_t file_size;   /* its bytes */
static char folder[200];   /* where the tests write */

/* Reads a file of a dataset into `file`. */
static bool slurp(const char *set, const char *name)
{
    char path[300];
    FILE *in;

    snprintf(path, sizeof path, "%s/%s/%s", folder, set, name);
    in = fopen(path, "rb");
    file_size = in ? fread(file, 1, sizeof file - 1, in) : 0;
    file[file_size] = '\0';
    if (in)
        fclose(in);
    return in != NULL;
}

/* Makes a dataset. Returns the status, 0 for success. */
static int make(const struct synth_conf *conf, const char *set)
{
    struct synth_result made = {0};
    char path[300];
    struct err err;
    int failed;

    snprintf(path, sizeof path, "%s/%s", folder, set);
    failed = synth_write(conf, path, &made, &err);
    synth_result_release(&made);
    return failed ? (int)err.status : 0;
}

/* The response of a song, from the bytes of its sound file alone. */
static void reference(double *p, size_t n, long rate_hz)
{
    const unsigned char *at = (const unsigned char *)file + 44;
    long i, j, n_samples = (long)(file_size - 44) / 2, half = rate_hz / 8;
    static double d[MAX_EDA];

    for (i = 0; i < (long)n; i++) {
        long c = i * rate_hz / 50, from = c - half, to = c + half;
        double sum = 0, level;

        from = from < 0 ? 0 : from;
        to = to > n_samples ? n_samples : to;
        for (j = from; j < to; j++) {
            double v = (int16_t)(at[2 * j] | at[2 * j + 1] << 8) / 32768.0;

            sum += v * v;
        }
        level = 10 * log10(sum / (double)(to - from));
        d[i] = pow(fmin(fmax((level + 45) / 33, 0), 1), 2);
    }
    for (i = 0; i < (long)n; i++) {
        p[i] = 0;
        for (j = 0; j <= i - 50; j++) {
            double t = (double)(i - 50 - j) / 50;

            p[i] += d[j] * (exp(-t / 2) - exp(-t / .75)) / .3470 / 50;
        }
    }
}

/* Pearson correlation, by its definition. */
static double pearson(const double *a, const double *b, size_t n)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        ma += a[i] / (double)n;
        mb += b[i] / (double)n;
    }
    for (i = 0; i < n; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return ab / sqrt(aa * bb);
}

/* The table in `file`: two columns of values, and the subjects' names. */
static size_t read_table(double *time_s, double eda[2][MAX_EDA],
                         char subject[2][16])
{
    char *line = strchr(file, '\n');
    size_t n = 0;

    if (sscanf(file, "time(s),%15[0-9],%15[0-9]", subject[0], subject[1]) != 2)
        return 0;
    for (; line && line[1] && n < MAX_EDA; line = strchr(line + 1, '\n')) {
        if (sscanf(line + 1, "%lf,%lf,%lf", &time_s[n], &eda[0][n],
                   &eda[1][n]) != 3)
            return 0;
        n++;
    }
    return n;
}

/* planted.json is what the files give. */
static void test_optimum(void)
{
    static double time_s[MAX_EDA], eda[2][MAX_EDA], p[MAX_EDA];
    struct synth_conf conf = SYNTH_CONF_INIT;
    char subject[2][16] = {"", ""}, id[64];
    const struct json *recordings;
    struct json *planted;
    struct err err;
    size_t n, k;

    conf.n_songs = 3;
    conf.n_subjects = 2;
    conf.rate_hz = 8000;
    conf.min_s = 12;
    conf.max_s = 15;
    tap_ok(make(&conf, "a") == 0, "a dataset is written");
    slurp("a", "planted.json");
    planted = json_parse(file, file_size, &err);
    recordings = json_member(planted, "recordings");
    tap_ok(json_count(recordings) == 6, "planted.json has all recordings");
    tap_ok(json_num(json_member(json_member(planted, "summary"), "mean"), 0) >
               .98,
           "the mean optimum is above 0.98");
    slurp("a", "EDA/2_EDA.csv");
    n = read_table(time_s, eda, subject);
    tap_ok(n >= 600 && n <= 750, "the table has 12 to 15 s");
    tap_near(time_s[n - 1], (double)(n - 1) / 50, 1e-9, "at 50 Hz");
    tap_ok(strlen(subject[0]) == 6 && strcmp(subject[0], subject[1]) != 0,
           "two subjects with six digits");
    tap_ok(slurp("a", "chorus/2.wav") && file_size == 44 + n * 320,
           "its song is as long");
    reference(p, n, 8000);
    for (k = 0; k < 2; k++) {
        snprintf(id, sizeof id, "pmemo2019/2/%s", subject[k]);
        tap_near(json_num(json_member(recordings, id), 0),
                 pearson(p, eda[k], n), 1e-9, "optimum is that of the files");
    }
    json_close(planted);
}

/* Reads a file of one value a line. Returns how many there are. */
static size_t read_values(const char *set, const char *name, double *eda)
{
    const char *at = slurp(set, name) ? file : "";
    size_t n = 0;

    for (; *at && n < MAX_EDA; at++) {
        char *end;

        eda[n++] = strtod(at, &end);
        if (end == at || *end != '\n')
            return 0;
        at = end;
    }
    return n;
}

/*
 * Checks the plays that the table of ratings lists against their files and
 * planted.json. song_s: length of the songs. Returns how many there are.
 */
static int check_plays(const struct json *recordings, size_t song_s,
                       int *n_short)
{
    static char table[4096];
    static double p[MAX_EDA], eda[MAX_EDA];
    char *line, name[120], who[16];
    unsigned no, song, play_s;
    int n_plays = 0;
    size_t i, n;

    slurp("hku", "3. AV_ratings.csv");
    snprintf(table, sizeof table, "%.4000s", file);
    for (line = strchr(table, '\n'); line && line[1];
         line = strchr(line + 1, '\n')) {
        if (sscanf(line + 1, "%15[^,],%u,%u,%*f,%*[^,],%*f,%*[^,],%u", who,
                   &no, &song, &play_s) != 4)
            return 0;
        snprintf(name, sizeof name, "1. physiological_signals/%s/EDA/%u_%u.csv",
                 who, no, song);
        n = read_values("hku", name, eda);
        tap_ok(n == 4u * play_s && 2 * play_s >= song_s && play_s <= song_s,
               "%s has 4 values a second", name);
        snprintf(name, sizeof name, "audio/%u.wav", song);
        slurp("hku", name);
        reference(p, 50 * song_s, 8000);
        /* a quarter of a second is 12.5 samples of the reference */
        for (i = 0; i < n; i++)
            p[i] = (p[25 * i / 2] + p[(25 * i + 1) / 2]) / 2;
        snprintf(name, sizeof name, "hku956/%u/%s/%u", song, who, no);
        tap_near(json_num(json_member(recordings, name), 0),
                 pearson(p, eda, n), 1e-9, name);
        n_plays++;
        *n_short += play_s < song_s;
    }
    return n_plays;
}

/* The same in the layout of HKU956: 4 Hz, short plays, replays. */
static void test_hku956(void)
{
    struct synth_conf conf = SYNTH_CONF_INIT;
    struct json *planted;
    struct err err;
    int n, n_short = 0;

    conf.layout = DATASET_HKU956;
    conf.n_songs = 4;
    conf.n_subjects = 3;
    conf.rate_hz = 8000;
    conf.min_s = conf.max_s = 12;
    tap_ok(make(&conf, "hku") == 0, "a dataset in the layout of HKU956");
    slurp("hku", "planted.json");
    planted = json_parse(file, file_size, &err);
    n = check_plays(json_member(planted, "recordings"), 12, &n_short);
    tap_ok(n > 12 && n_short > 0 && n_short < n,
           "%d plays of 12 pairs, %d end early", n, n_short);
    tap_ok(json_count(json_member(planted, "recordings")) == (size_t)n,
           "planted.json has all of them");
    json_close(planted);
    conf.layout = DATASET_PMEMO2019;
    conf.links = "s3://b";
    tap_ok(make(&conf, "links") == ERR_USAGE, "PMEmo2019 has no links");
}

/* In null mode nothing follows the song, and planted.json says 0. */
static void test_null(void)
{
    struct synth_conf conf = SYNTH_CONF_INIT;
    const struct json *recordings;
    struct json *planted;
    struct err err;

    conf.n_songs = 2;
    conf.n_subjects = 1;
    conf.rate_hz = 8000;
    conf.min_s = conf.max_s = 5;
    conf.null_mode = true;
    tap_ok(make(&conf, "null") == 0, "a null dataset is written");
    slurp("null", "planted.json");
    planted = json_parse(file, file_size, &err);
    recordings = json_member(planted, "recordings");
    tap_ok(json_count(recordings) == 2 && strstr(file, "/1/") != NULL,
           "with its recordings");
    tap_near(json_num(json_member(json_member(planted, "summary"), "p10"), 1),
             0, 0, "the optimum is 0");
    json_close(planted);
    conf.n_songs = 1;
    tap_ok(make(&conf, "one") == ERR_USAGE, "one song has no other one");
    tap_ok(!slurp("one", "metadata.csv"), "and leaves nothing");
}

/* With a history the response is under way at time 0. */
static void test_preroll(void)
{
    static double time_s[MAX_EDA], eda[2][MAX_EDA];
    struct synth_conf conf = SYNTH_CONF_INIT;
    char subject[2][16];
    double moved[2];
    int k;

    conf.n_songs = 1;
    conf.n_subjects = 2;
    conf.rate_hz = 8000;
    conf.min_s = conf.max_s = 5;
    conf.noise_sd = conf.tonic_sd = 0;
    for (k = 0; k < 2; k++) {
        conf.preroll_s = k ? 20 : 0;
        tap_ok(make(&conf, k ? "pre" : "cold") == 0, "a dataset is written");
        slurp(k ? "pre" : "cold", "EDA/1_EDA.csv");
        tap_ok(read_table(time_s, eda, subject) == 250, "with its table");
        moved[k] = fabs(eda[0][40] - eda[0][0]);
    }
    tap_ok(moved[0] < .02, "silence before the song: nothing for a second");
    tap_ok(moved[1] > .05, "a history: the response is under way");
}

/* A folder that has files stays as it is. */
static void test_folder(void)
{
    struct synth_conf conf = SYNTH_CONF_INIT;
    volatile sig_atomic_t stop = SIGTERM;

    conf.n_songs = 1;
    conf.min_s = conf.max_s = 2;
    tap_ok(make(&conf, "a") == ERR_USAGE, "a folder with files is refused");
    conf.stop = &stop;
    tap_ok(make(&conf, "stopped") == ERR_FAILED, "a signal stops it");
    tap_ok(!slurp("stopped", "metadata.csv") &&
               !slurp(".stopped.tmp0", "metadata.csv"),
           "and nothing stays");
}

int main(void)
{
    struct newdir cleaner = {0};

    snprintf(folder, sizeof folder, "%s/test_synth.%ld",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (long)getpid());
    if (mkdir(folder, 0700))
        return 1;
    test_optimum();
    test_hku956();
    test_null();
    test_preroll();
    test_folder();
    cleaner.temp = strdup(folder);
    newdir_release(&cleaner); /* removes the tree */
    return tap_done();
}
