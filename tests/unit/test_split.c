/* test_split - splits and shards are the published functions of names. */
#include <stdlib.h>

#include "base/num.h"
#include "core/config.h"
#include "dataset/split.h"
#include "tap.h"

/* Made by make_split.py. */
#define GOLDEN "tests/golden/split.txt"

/* Compares one line of the golden file. */
static void check_line(char *line)
{
    static const double ratios[3] = {0.8, 0.1, 0.1};
    char *field[7];
    uint64_t small = 0, large = 0;
    int64_t seed, want_small, want_large;
    double u = -1, want_u;
    struct err err;
    int i, rc;

    for (i = 0; i < 7; i++)
        field[i] = strtok(i ? NULL : line, "\t\n");
    if (num_parse_int(field[0], &seed) || num_parse_double(field[3], &want_u) ||
        num_parse_int(field[5], &want_small) ||
        num_parse_int(field[6], &want_large))
        abort();
    rc = split_unit(seed, field[1], field[2], &u, &err) ||
         split_shard(field[1], field[2], 7, &small, &err) ||
         split_shard(field[1], field[2], 4294967295u, &large, &err);
    tap_ok(!rc, "seed %s %s/%s", field[0], field[1], field[2]);
    tap_near(u, want_u, 0, "u");
    tap_is(manifest_split_name(split_at(u, ratios)), field[4], "split");
    tap_ok(small == (uint64_t)want_small, "shard of 7");
    tap_ok(large == (uint64_t)want_large, "shard of 4294967295");
}

/* The hash, the cuts and the shards agree with Python. */
static void test_golden(void)
{
    FILE *f = fopen(GOLDEN, "r");
    char line[512];
    int n = 0;

    if (!tap_ok(f != NULL, "open %s", GOLDEN))
        return;
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#')
            continue;
        check_line(line);
        n++;
    }
    fclose(f);
    tap_ok(n == 30, "all lines");
}

/* A row of song s and subject p, both small numbers. */
static struct manifest_row make_row(const char *dataset, int s, int p)
{
    struct manifest_row row = {0};
    char text[64];
    struct err err;
    int rc;

    snprintf(text, sizeof(text), "%s/%02d/%d", dataset, s, p);
    rc = manifest_set(&row.dataset, dataset, &err) ||
         manifest_set(&row.recording, text, &err);
    snprintf(text, sizeof(text), "%02d", s);
    rc = rc || manifest_set(&row.song, text, &err);
    snprintf(text, sizeof(text), "%d", p);
    rc = rc || manifest_set(&row.subject, text, &err);
    if (rc)
        abort();
    return row;
}

/* A sorted manifest of songs 0.. with subjects 0.., two datasets. */
static void make_manifest(struct manifest *m, int n_songs, int n_subjects)
{
    struct manifest_row row;
    struct err err;
    size_t repeated;
    int s, p;

    for (s = 0; s < n_songs; s++) {
        for (p = 0; p < n_subjects; p++) {
            row = make_row("a", s, p);
            if (manifest_add(m, &row, &err))
                abort();
            row = make_row("b", s, p);
            if (manifest_add(m, &row, &err))
                abort();
        }
    }
    if (manifest_sort(m, &repeated, &err))
        abort();
}

/* By song, no song is in two splits; by subject, no subject. */
static void test_groups(void)
{
    struct config c = {0};
    struct manifest m = {0};
    bool used[SPLIT_N_RULES];
    struct err err;
    size_t i, k, torn = 0, counts[MANIFEST_N_SPLITS];

    make_manifest(&m, 60, 3);
    tap_ok(!split_fill(&m, &c, -1, used, &err), "by song");
    tap_ok(used[CONFIG_SPLIT_SONG] && !used[CONFIG_SPLIT_SUBJECT],
           "the rule is told");
    for (i = 0; i < m.n; i++) {
        for (k = 0; k < i; k++)
            torn += strcmp(m.rows[i].song, m.rows[k].song) == 0 &&
                    strcmp(m.rows[i].dataset, m.rows[k].dataset) == 0 &&
                    m.rows[i].split != m.rows[k].split;
    }
    tap_ok(torn == 0, "no song in two splits");
    for (i = 0; i < m.n; i++)
        m.rows[i].split = MANIFEST_NO_SPLIT;
    tap_ok(!split_fill(&m, &c, CONFIG_SPLIT_SUBJECT, used, &err), "by subject");
    for (torn = 0, i = 0; i < m.n; i++) {
        for (k = 0; k < i; k++)
            torn += strcmp(m.rows[i].subject, m.rows[k].subject) == 0 &&
                    strcmp(m.rows[i].dataset, m.rows[k].dataset) == 0 &&
                    m.rows[i].split != m.rows[k].split;
    }
    tap_ok(torn == 0, "no subject in two splits");
    split_count(&m, counts);
    tap_ok(counts[0] == 0 && counts[1] + counts[2] + counts[3] == 360,
           "every row has a split");
    manifest_release(&m);
}

/* By recording the group is the id without its dataset part. */
static void test_recording_group(void)
{
    struct manifest_row row = make_row("a", 7, 3);
    struct err err;

    tap_is(split_group(&row, CONFIG_SPLIT_RECORDING, &err), "07/3",
           "group of a recording");
    if (manifest_set(&row.recording, "other", &err))
        abort();
    tap_is(split_group(&row, CONFIG_SPLIT_RECORDING, &err), "other",
           "group of a recording without the dataset part");
    if (manifest_set(&row.subject, NULL, &err))
        abort();
    tap_ok(!split_group(&row, CONFIG_SPLIT_SUBJECT, &err) &&
               err.status == ERR_DATA,
           "no subject to split by");
    manifest_row_release(&row);
}

/* By index the sorted list of each dataset is cut, given splits stay. */
static void test_index(void)
{
    struct config c = {0};
    struct manifest m = {0};
    bool used[SPLIT_N_RULES];
    struct err err;
    size_t counts[MANIFEST_N_SPLITS], i;

    make_manifest(&m, 10, 1);
    m.rows[0].split = MANIFEST_TEST;
    tap_ok(!split_fill(&m, &c, CONFIG_SPLIT_INDEX, used, &err), "by index");
    split_count(&m, counts);
    tap_ok(counts[MANIFEST_TRAIN] == 15 && counts[MANIFEST_VAL] == 2 &&
               counts[MANIFEST_TEST] == 3,
           "80/10/10 of 10 in each of two datasets, one given");
    tap_ok(m.rows[0].split == MANIFEST_TEST, "a given split stays");
    tap_ok(m.rows[17].split == MANIFEST_TRAIN &&
               m.rows[18].split == MANIFEST_VAL &&
               m.rows[19].split == MANIFEST_TEST,
           "cut by position");
    for (i = 0; i < m.n; i++)
        m.rows[i].split = i % 2 ? MANIFEST_VAL : MANIFEST_TRAIN;
    tap_ok(!split_filter(&m, MANIFEST_VAL, 0, 0, &err) && m.n == 10,
           "filter by split");
    manifest_release(&m);
}

/* The shards of n cover every row once, songs whole. */
static void test_shards(void)
{
    struct manifest all = {0};
    struct err err;
    size_t total = 0, largest = 0;
    uint64_t i;

    for (i = 0; i < 5; i++) {
        make_manifest(&all, 40, 2);
        tap_ok(!split_filter(&all, MANIFEST_NO_SPLIT, i, 5, &err) &&
                   all.n % 2 == 0,
               "shard %d of 5: %zu rows", (int)i, all.n);
        total += all.n;
        largest = all.n > largest ? all.n : largest;
        manifest_release(&all);
    }
    tap_ok(total == 160 && largest < 80, "shards cover all rows once");
}

int main(void)
{
    test_golden();
    test_groups();
    test_recording_group();
    test_index();
    test_shards();
    return tap_done();
}
