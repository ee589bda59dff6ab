/*
 * split - which recordings train, validate and test.
 *
 *   u = XXH3-64("split:" + seed + ":" + dataset + "/" + group) / 2^64
 *   train if u < r1, val if u < r1 + r2, else test
 *
 * A group keeps its split whatever else is in the dataset, in any order.
 * Only the rule by index looks at positions: those in the sorted list.
 * Shards are cut by the song with another salt, so that they do not follow
 * the splits.
 */
#include "dataset/split.h"

#include <string.h>

#include "base/buf.h"
#include "base/digest.h"

/* 2^64 as a double. */
#define TWO_64 18446744073709551616.0

/* Share of a row by which a cut of the rule by index may be inexact. */
#define INDEX_SLACK 1e-9

/* Ends a hashed text: its XXH3-64, or -1 if it could not be built. */
static int hash_text(struct buf *text, uint64_t *hash, struct err *err)
{
    int rc = buf_check(text, err);

    if (!rc)
        *hash = digest_xxh3(text->data, text->len);
    buf_release(text);
    return rc;
}

int split_unit(int64_t seed, const char *dataset, const char *group, double *u,
               struct err *err)
{
    struct buf text = {0};
    uint64_t hash = 0;

    buf_printf(&text, "split:%lld:%s/%s", (long long)seed, dataset, group);
    if (hash_text(&text, &hash, err))
        return -1;
    *u = (double)hash / TWO_64;
    return 0;
}

enum manifest_split split_at(double u, const double ratios[3])
{
    if (u < ratios[0])
        return MANIFEST_TRAIN;
    return u < ratios[0] + ratios[1] ? MANIFEST_VAL : MANIFEST_TEST;
}

const char *split_group(const struct manifest_row *row, enum config_split_by by,
                        struct err *err)
{
    size_t n = strlen(row->dataset);

    if (by == CONFIG_SPLIT_SONG)
        return row->song;
    if (by == CONFIG_SPLIT_SUBJECT) {
        if (!row->subject)
            err_set(err, ERR_DATA,
                    "recording %s: no subject, so it cannot be split by one",
                    row->recording);
        return row->subject;
    }
    if (strncmp(row->recording, row->dataset, n) == 0 &&
        row->recording[n] == '/')
        return row->recording + n + 1;
    return row->recording;
}

struct split_rule split_rule(const struct config *c, const char *dataset)
{
    struct split_rule rule = {{0.8, 0.1, 0.1}, CONFIG_SPLIT_SONG, 42};
    const struct config_dataset *d = config_dataset(c, dataset);

    if (d) {
        memcpy(rule.ratios, d->split_ratios, sizeof(rule.ratios));
        rule.by = d->split_by;
        rule.seed = d->seed;
    }
    return rule;
}

/* The split of row i of the n rows of a dataset, by position. */
static enum manifest_split split_index(size_t i, size_t n,
                                       const double ratios[3])
{
    double cut = ratios[0] * (double)n + INDEX_SLACK;
    double next = (ratios[0] + ratios[1]) * (double)n + INDEX_SLACK;

    if (i < (size_t)cut)
        return MANIFEST_TRAIN;
    return i < (size_t)next ? MANIFEST_VAL : MANIFEST_TEST;
}

/* The split of a row by the hash of its group. */
static int split_hash(struct manifest_row *row, const struct split_rule *rule,
                      struct err *err)
{
    const char *group = split_group(row, rule->by, err);
    double u;

    if (!group || split_unit(rule->seed, row->dataset, group, &u, err))
        return -1;
    row->split = split_at(u, rule->ratios);
    return 0;
}

int split_fill(struct manifest *m, const struct config *c, int by,
               bool used[SPLIT_N_RULES], struct err *err)
{
    size_t first = 0, last, i;

    memset(used, 0, SPLIT_N_RULES * sizeof(used[0]));
    for (; first < m->n; first = last) {
        const char *dataset = m->rows[first].dataset;
        struct split_rule rule = split_rule(c, dataset);

        if (by >= 0)
            rule.by = (enum config_split_by)by;
        for (last = first; last < m->n; last++) {
            if (strcmp(m->rows[last].dataset, dataset) != 0)
                break;
        }
        for (i = first; i < last; i++) {
            struct manifest_row *row = &m->rows[i];

            if (row->split != MANIFEST_NO_SPLIT)
                continue;
            used[rule.by] = true;
            if (rule.by == CONFIG_SPLIT_INDEX)
                row->split = split_index(i - first, last - first, rule.ratios);
            else if (split_hash(row, &rule, err))
                return -1;
        }
    }
    return 0;
}

int split_shard(const char *dataset, const char *song, uint64_t n,
                uint64_t *shard, struct err *err)
{
    struct buf text = {0};
    uint64_t hash = 0;

    buf_printf(&text, "shard:%s/%s", dataset, song);
    if (hash_text(&text, &hash, err))
        return -1;
    /* floor(hash n / 2^64) by halves, as n fits 32 bits */
    *shard = ((hash >> 32) * n + ((hash & 0xffffffffu) * n >> 32)) >> 32;
    return 0;
}

void split_count(const struct manifest *m, size_t counts[MANIFEST_N_SPLITS])
{
    size_t i;

    memset(counts, 0, MANIFEST_N_SPLITS * sizeof(counts[0]));
    for (i = 0; i < m->n; i++)
        counts[m->rows[i].split]++;
}

int split_filter(struct manifest *m, enum manifest_split split, uint64_t i,
                 uint64_t n, struct err *err)
{
    size_t kept = 0, r;
    uint64_t shard = 0;
    int rc = 0;

    for (r = 0; r < m->n; r++) {
        struct manifest_row *row = &m->rows[r];
        bool keep = split == MANIFEST_NO_SPLIT || row->split == split;

        if (!rc && keep && n > 0) {
            rc = split_shard(row->dataset, row->song, n, &shard, err);
            keep = shard == i;
        }
        if (keep)
            m->rows[kept++] = *row;
        else
            manifest_row_release(row);
    }
    m->n = kept;
    return rc;
}
