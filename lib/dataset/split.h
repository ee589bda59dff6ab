/*
 * split - which recordings train, validate and test, and which shard they
 * are in: pure functions of names and a seed.
 */
#ifndef DATASET_SPLIT_H
#define DATASET_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "dataset/manifest.h"

/* Values of enum config_split_by. */
#define SPLIT_N_RULES (CONFIG_SPLIT_INDEX + 1)

/*
 * Where a group falls in [0, 1): XXH3-64 of "split:SEED:DATASET/GROUP",
 * divided by 2^64.
 *
 * Returns 0 with *u; -1 with err set when memory is short.
 */
int split_unit(int64_t seed, const char *dataset, const char *group, double *u,
               struct err *err) NODISCARD;

/* The split at u: train if u < r1, val if u < r1 + r2, else test. */
enum manifest_split split_at(double u, const double ratios[3]);

/*
 * The group of a row, without its dataset part: its song, its subject, or
 * its recording id.
 *
 * Returns NULL with ERR_DATA if the row does not know it. Borrowed from row.
 */
const char *split_group(const struct manifest_row *row, enum config_split_by by,
                        struct err *err) NODISCARD;

/* How one dataset is split. */
struct split_rule {
    double ratios[3];        /* train, val, test; sum 1 */
    enum config_split_by by; /* group that stays together */
    int64_t seed;            /* of the hash */
};

/* The rule of a dataset word: its entry in the config, or the defaults. */
struct split_rule split_rule(const struct config *c, const char *dataset);

/*
 * Gives a split to every row that has none.
 *
 * m:  sorted (manifest_sort)
 * by: group to use instead of the config's; -1: the config's
 * For CONFIG_SPLIT_INDEX row i of a dataset's n rows trains if i is below
 * floor(r1 n), validates below floor((r1 + r2) n).
 * used: gets which rules gave a split, indexed by enum config_split_by
 * Returns 0; -1 with err set.
 */
int split_fill(struct manifest *m, const struct config *c, int by,
               bool used[SPLIT_N_RULES], struct err *err) NODISCARD;

/*
 * The shard of a song, in [0, n): floor(h n / 2^64) with h the XXH3-64 of
 * "shard:DATASET/SONG", in whole numbers. n is in 1..2^32.
 *
 * Returns 0 with *shard; -1 with err set when memory is short.
 */
int split_shard(const char *dataset, const char *song, uint64_t n,
                uint64_t *shard, struct err *err) NODISCARD;

/* Rows of each split, indexed by enum manifest_split. */
void split_count(const struct manifest *m, size_t counts[MANIFEST_N_SPLITS]);

/*
 * Keeps the rows of one split (MANIFEST_NO_SPLIT: all) and of shard i of n
 * (n 0: all). Returns 0; -1 with err set when memory is short.
 */
int split_filter(struct manifest *m, enum manifest_split split, uint64_t i,
                 uint64_t n, struct err *err) NODISCARD;

#endif
