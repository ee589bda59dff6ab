/*
 * batch - the order of every epoch, the dataset frame and the batch frames.
 *
 * Order of epoch e, from the recordings sorted by key (with windows: from
 * all windows, by recording and start; with group_by_song: from the songs
 * sorted by key, with windows from the windows of songs, all recordings of
 * one together; a unit is one of these):
 *   1. Without weights all units are shuffled (Fisher-Yates, Philox at
 *      position (seed, order, e, 0)). With weights every dataset's units are
 *      shuffled at (e, 2 + its number), repeated or cut until they hold its
 *      share of as many crops as there are (largest remainder), and the
 *      units of all datasets are shuffled at (e, 0). A song that reaches the
 *      share is taken whole.
 *   2. The permutation is cut into pools: as many units as are needed for
 *      pool x batch_size recordings. A pool is sorted by (length, place in
 *      the permutation), unless it is one batch only.
 *   3. A pool is cut into batches: as many units as are needed for
 *      batch_size recordings; the epoch's last batch may be short.
 *   4. The batches of a pool are shuffled at (e, 1), one pool after another.
 *
 * Fingerprint: XXH3-64 of a text of lines, settings first, then a line for
 * every song and every recording with the digest of its frame.
 */
#include "batch/batch.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"
#include "core/json.h"

/* Second counter word: what an epoch's random numbers are for. */
enum draw_use {
    DRAW_UNITS = 0,  /* the permutation of all units */
    DRAW_BATCHES = 1, /* the order of batches inside pools */
    DRAW_DATASET = 2 /* + number of a weight: one dataset's units */
};

/* Whether recording r is of the dataset with this name. */
static bool is_of(const struct pairs_recording *r, const char *dataset)
{
    return strcmp(r->dataset, dataset) == 0;
}

/* Whether every dataset has a weight. */
static int check_weighted(const struct pairs *p, const struct batch_conf *c,
                          struct err *err)
{
    size_t r, k;

    for (r = 0; r < p->n_recordings; r++) {
        for (k = 0; k < c->n_weights; k++) {
            if (is_of(&p->recordings[r], c->weight_names[k]))
                break;
        }
        if (k == c->n_weights)
            return err_set(err, ERR_USAGE,
                           "data.sampling_weights has no weight for dataset "
                           "%s", p->recordings[r].dataset);
    }
    return 0;
}

/* Sum of the weights; checks each and that its dataset is there. */
static int sum_weights(const struct pairs *p, const struct batch_conf *c,
                       double *sum, struct err *err)
{
    size_t r, k;

    *sum = 0;
    for (k = 0; k < c->n_weights; k++) {
        if (!(c->weights[k] >= 0) || !isfinite(c->weights[k]))
            return err_set(err, ERR_USAGE,
                           "data.sampling_weights: want a weight of 0 or more "
                           "for %s", c->weight_names[k]);
        for (r = 0; r < p->n_recordings; r++) {
            if (is_of(&p->recordings[r], c->weight_names[k]))
                break;
        }
        if (r == p->n_recordings)
            return err_set(err, ERR_USAGE,
                           "data.sampling_weights names %s, but the input has "
                           "no recording of it", c->weight_names[k]);
        *sum += c->weights[k];
    }
    if (!(*sum > 0))
        return err_set(err, ERR_USAGE, "data.sampling_weights are all 0");
    return 0;
}

/*
 * Gives every weighted dataset its share of as many draws as crops: the whole
 * part first, what is left to the largest remainders.
 */
static int share_draws(struct batch *b, struct err *err)
{
    const struct batch_conf *c = &b->conf;
    size_t k, best, left = b->crops.n;
    double sum, *rest;

    if (sum_weights(b->pairs, c, &sum, err) ||
        check_weighted(b->pairs, c, err))
        return -1;
    b->weight_share = mem_alloc(c->n_weights, sizeof(*b->weight_share), err);
    rest = mem_alloc(c->n_weights, sizeof(*rest), err);
    if (!b->weight_share || !rest) {
        free(rest);
        return -1;
    }
    for (k = 0; k < c->n_weights; k++) {
        double exact = (double)b->crops.n * (c->weights[k] / sum);

        b->weight_share[k] = (size_t)exact;
        if (b->weight_share[k] > left)
            b->weight_share[k] = left;
        rest[k] = exact - (double)b->weight_share[k];
        left -= b->weight_share[k];
    }
    for (; left > 0; left--) {
        for (best = 0, k = 1; k < c->n_weights; k++) {
            if (rest[k] > rest[best])
                best = k;
        }
        b->weight_share[best]++;
        rest[best] -= 1;
    }
    free(rest);
    return 0;
}

/* Frames of every song that some recording uses. */
static void find_spans(struct batch *b)
{
    const struct pairs *p = b->pairs;
    size_t r, s;

    for (r = 0; r < p->n_recordings; r++) {
        size_t *T = &b->song_T[p->recordings[r].song];

        *T = p->recordings[r].T > *T ? p->recordings[r].T : *T;
    }
    for (s = 0; s < p->n_songs; s++)
        b->first_row[s] = SIZE_MAX;
}

int batch_init(struct batch *b, const struct pairs *p,
               const struct batch_conf *conf, struct err *err)
{
    memset(b, 0, sizeof(*b));
    b->pairs = p;
    b->conf = *conf;
    if (conf->batch_size < 1 || conf->pool < 1 ||
        conf->pool > SIZE_MAX / conf->batch_size)
        return err_set(err, ERR_USAGE,
                       "want batch_size and pool of 1 or more, got %zu, %zu",
                       conf->batch_size, conf->pool);
    if (p->n_recordings >= UINT32_MAX)
        return err_set(err, ERR_DATA, "%zu recordings are too many",
                       p->n_recordings);
    if (crop_cut(&b->crops, p, conf->window,
                  conf->hop ? conf->hop : conf->window, err))
        return -1;
    if (b->crops.n >= UINT32_MAX)
        return err_set(err, ERR_DATA, "%zu windows are too many",
                       b->crops.n);
    b->song_T = mem_alloc(p->n_songs, sizeof(*b->song_T), err);
    b->first_row = mem_alloc(p->n_songs, sizeof(*b->first_row), err);
    b->deck = mem_alloc(b->crops.n, sizeof(*b->deck), err);
    if (!b->song_T || !b->first_row || !b->deck)
        return -1;
    find_spans(b);
    return conf->n_weights ? share_draws(b, err) : 0;
}

/* Pieces in a unit. */
static size_t unit_count(const struct batch *b, size_t id)
{
    const size_t *start = b->crops.group_start;

    return b->conf.group_by_song ? start[id + 1] - start[id] : 1;
}

/* Piece i of a unit. */
static size_t unit_crop(const struct batch *b, size_t id, size_t i)
{
    const struct crop_list *l = &b->crops;

    return b->conf.group_by_song ? l->by_group[l->group_start[id] + i] : id;
}

/* The unit with what sorting needs. */
static struct batch_unit make_unit(const struct batch *b, size_t id,
                                   size_t position)
{
    struct batch_unit u = {.id = id, .position = position};
    size_t i;

    u.n = unit_count(b, id);
    for (i = 0; i < u.n; i++) {
        size_t T = b->crops.crops[unit_crop(b, id, i)].T;

        u.T = T > u.T ? T : u.T;
    }
    return u;
}

/* Appends n units to the draws of the epoch. */
static int put_draws(struct batch *b, const size_t *ids, size_t n,
                     struct err *err)
{
    size_t *grown = mem_grow(b->draws, &b->draws_cap, b->n_draws + n,
                             sizeof(*b->draws), err);

    if (!grown)
        return -1;
    b->draws = grown;
    memcpy(b->draws + b->n_draws, ids, n * sizeof(*ids));
    b->n_draws += n;
    return 0;
}

/* Puts the units of one dataset (NULL: of all) on the deck. */
static size_t fill_deck(struct batch *b, const char *dataset)
{
    const struct pairs *p = b->pairs;
    const struct crop_list *l = &b->crops;
    size_t n_units = b->conf.group_by_song ? l->n_groups : l->n;
    size_t id, n = 0;

    for (id = 0; id < n_units; id++) {
        size_t r = l->crops[unit_crop(b, id, 0)].recording;

        if (!dataset || is_of(&p->recordings[r], dataset))
            b->deck[n++] = id;
    }
    return n;
}

/* Draws weight k's share of its dataset. */
static int draw_dataset(struct batch *b, size_t k, struct err *err)
{
    size_t n = fill_deck(b, b->conf.weight_names[k]);
    size_t i, n_recordings = 0;
    struct rng rng;

    rng_init(&rng, (uint64_t)b->conf.seed, RNG_ORDER, b->epoch,
             DRAW_DATASET + (uint32_t)k);
    rng_shuffle(&rng, b->deck, n);
    for (i = 0; n_recordings < b->weight_share[k]; i = (i + 1) % n) {
        if (put_draws(b, &b->deck[i], 1, err))
            return -1;
        n_recordings += unit_count(b, b->deck[i]);
    }
    return 0;
}

/* Step 1: the permutation of the epoch. */
static int draw_units(struct batch *b, struct err *err)
{
    struct rng rng;
    size_t k;

    b->n_draws = 0;
    if (!b->conf.n_weights && put_draws(b, b->deck, fill_deck(b, NULL), err))
        return -1;
    for (k = 0; k < b->conf.n_weights; k++) {
        if (draw_dataset(b, k, err))
            return -1;
    }
    rng_init(&rng, (uint64_t)b->conf.seed, RNG_ORDER, b->epoch, DRAW_UNITS);
    rng_shuffle(&rng, b->draws, b->n_draws);
    return 0;
}

/* Orders units by (length, position). */
static int unit_compare(const void *a, const void *b)
{
    const struct batch_unit *x = a;
    const struct batch_unit *y = b;

    if (x->T != y->T)
        return x->T < y->T ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

/* Step 2: takes a pool from draw `from` on; its number of units in *n. */
static int fill_pool(struct batch *b, size_t from, size_t *n,
                     struct err *err)
{
    size_t want = b->conf.pool * b->conf.batch_size;
    size_t n_recordings = 0;

    *n = 0;
    while (n_recordings < want && from + *n < b->n_draws) {
        struct batch_unit *grown = mem_grow(b->units, &b->units_cap, *n + 1,
                                            sizeof(*b->units), err);

        if (!grown)
            return -1;
        b->units = grown;
        b->units[*n] = make_unit(b, b->draws[from + *n], from + *n);
        n_recordings += b->units[(*n)++].n;
    }
    if (b->conf.pool > 1)
        qsort(b->units, *n, sizeof(*b->units), unit_compare);
    return 0;
}

/* Appends one number to an array that grows. */
static int push(size_t **array, size_t *cap, size_t n, size_t value,
                struct err *err)
{
    size_t *grown = mem_grow(*array, cap, n + 1, sizeof(**array), err);

    if (!grown)
        return -1;
    *array = grown;
    grown[n] = value;
    return 0;
}

/*
 * Step 3: cuts a pool of n units into batches: cuts[i] is the first unit of
 * batch i, cuts[*n_cuts] is n; turns counts the batches up.
 */
static int cut_pool(struct batch *b, size_t n, size_t *n_cuts,
                    struct err *err)
{
    size_t u, n_recordings = 0;

    *n_cuts = 0;
    for (u = 0; u < n; u++) {
        if (n_recordings == 0) {
            if (push(&b->cuts, &b->cuts_cap, *n_cuts, u, err) ||
                push(&b->turns, &b->turns_cap, *n_cuts, *n_cuts, err))
                return -1;
            ++*n_cuts;
        }
        n_recordings += b->units[u].n;
        if (n_recordings >= b->conf.batch_size)
            n_recordings = 0;
    }
    return push(&b->cuts, &b->cuts_cap, *n_cuts, n, err);
}

/* Appends the units [from, to) of the pool as one batch. */
static int put_batch(struct batch *b, size_t from, size_t to,
                     struct err *err)
{
    size_t u, i;

    for (u = from; u < to; u++) {
        for (i = 0; i < b->units[u].n; i++) {
            size_t crop = unit_crop(b, b->units[u].id, i);

            if (push(&b->order, &b->order_cap, b->n_order, crop, err))
                return -1;
            b->n_order++;
        }
    }
    if (push(&b->ends, &b->ends_cap, b->n_batches, b->n_order, err))
        return -1;
    b->n_batches++;
    return 0;
}

int batch_plan(struct batch *b, uint32_t epoch, struct err *err)
{
    struct rng rng;
    size_t from, n, k, n_cuts;

    b->epoch = epoch;
    b->n_order = 0;
    b->n_batches = 0;
    if (draw_units(b, err))
        return -1;
    rng_init(&rng, (uint64_t)b->conf.seed, RNG_ORDER, epoch, DRAW_BATCHES);
    for (from = 0; from < b->n_draws; from += n) {
        if (fill_pool(b, from, &n, err) || cut_pool(b, n, &n_cuts, err))
            return -1;
        rng_shuffle(&rng, b->turns, n_cuts);
        for (k = 0; k < n_cuts; k++) {
            size_t turn = b->turns[k];

            if (put_batch(b, b->cuts[turn], b->cuts[turn + 1], err))
                return -1;
        }
    }
    return 0;
}

const struct crop *batch_crop(const struct batch *b, size_t i)
{
    return &b->crops.crops[b->order[i]];
}

size_t batch_start(const struct batch *b, size_t k)
{
    return k ? b->ends[k - 1] : 0;
}

/* The row of a crop: one that is there, or a new one. */
static int find_row(struct batch *b, const struct crop *crop,
                    size_t *n_rows, size_t *row, struct err *err)
{
    size_t song = b->pairs->recordings[crop->recording].song;
    struct batch_row *grown;

    for (*row = b->first_row[song]; *row != SIZE_MAX;
         *row = b->rows[*row].next) {
        if (b->rows[*row].start == crop->start &&
            b->rows[*row].T == crop->T)
            return 0;
    }
    grown = mem_grow(b->rows, &b->rows_cap, *n_rows + 1, sizeof(*b->rows),
                     err);
    if (!grown)
        return -1;
    b->rows = grown;
    *row = (*n_rows)++;
    b->rows[*row].song = song;
    b->rows[*row].start = crop->start;
    b->rows[*row].T = crop->T;
    b->rows[*row].next = b->first_row[song];
    b->first_row[song] = *row;
    return 0;
}

/*
 * Gives the crops of batch k their rows: b->rows, b->song, the number
 * of rows S and the longest span T.
 */
static int assign_rows(struct batch *b, size_t k, size_t *S, size_t *T,
                       struct err *err)
{
    size_t start = batch_start(b, k), R = b->ends[k] - start;
    int32_t *grown =
        mem_grow(b->song, &b->song_cap, R, sizeof(*b->song), err);
    size_t r, row, s;
    int result = 0;

    *S = 0;
    *T = 0;
    if (!grown)
        return -1;
    b->song = grown;
    for (r = 0; r < R && !result; r++) {
        const struct crop *crop = batch_crop(b, start + r);

        result = find_row(b, crop, S, &row, err);
        if (!result)
            b->song[r] = (int32_t)row;
        *T = crop->T > *T ? crop->T : *T;
    }
    for (s = 0; s < *S; s++)
        b->first_row[b->rows[s].song] = SIZE_MAX;
    return result;
}

int batch_padding(struct batch *b, uint64_t *filled, uint64_t *all,
                  struct err *err)
{
    size_t k, s, S, T;

    for (k = 0; k < b->n_batches; k++) {
        if (assign_rows(b, k, &S, &T, err))
            return -1;
        for (s = 0; s < S; s++)
            *filled += b->rows[s].T;
        *all += (uint64_t)S * T;
    }
    return 0;
}

/* Makes room for n items and clears them; 0 or -1. */
static int clear_array(void **array, size_t *cap, size_t n, size_t item_size,
                       struct err *err)
{
    void *grown = mem_grow(*array, cap, n, item_size, err);

    if (!grown)
        return -1;
    *array = grown;
    memset(grown, 0, n * item_size);
    return 0;
}

/* a * b * c; SIZE_MAX / 8, which no memory holds, if that is too large. */
static size_t product(size_t a, size_t b, size_t c)
{
    size_t limit = SIZE_MAX / 8;

    if (b && a > limit / b)
        return limit;
    a *= b;
    return c && a > limit / c ? limit : a * c;
}

/* Fills x, len, y and valid of batch k with S rows of T frames. */
static int fill_tensors(struct batch *b, size_t k, size_t S, size_t T,
                        struct err *err)
{
    const struct pairs *p = b->pairs;
    size_t start = batch_start(b, k), R = b->ends[k] - start, C = p->C;
    size_t r, s, t;
    void *x = b->x, *y = b->y, *valid = b->valid, *len = b->len;
    int failed;

    failed =
        clear_array(&x, &b->x_cap, product(S, T, C), sizeof(*b->x), err) ||
        clear_array(&y, &b->y_cap, product(R, T, 1), sizeof(*b->y), err) ||
        clear_array(&valid, &b->valid_cap, product(R, T, 1), 1, err) ||
        clear_array(&len, &b->len_cap, S, sizeof(*b->len), err);
    b->x = x;
    b->y = y;
    b->valid = valid;
    b->len = len;
    if (failed)
        return -1;
    for (s = 0; s < S; s++) {
        b->len[s] = (int32_t)b->rows[s].T;
        memcpy(b->x + s * T * C,
               p->songs[b->rows[s].song].mfcc + b->rows[s].start * C,
               b->rows[s].T * C * sizeof(float));
    }
    for (r = 0; r < R; r++) {
        const struct crop *crop = batch_crop(b, start + r);
        const struct pairs_recording *rec = &p->recordings[crop->recording];
        const uint8_t *ok = rec->valid + crop->start;
        const float *eda = rec->eda + crop->start;

        for (t = 0; t < crop->T; t++) {
            b->valid[r * T + t] = ok[t];
            b->y[r * T + t] = ok[t] ? eda[t] : 0.0f;
        }
    }
    return 0;
}

/* Sets the metadata of batch k with S rows. */
static int fill_meta(const struct batch *b, size_t k, size_t S,
                     struct frame *out, struct err *err)
{
    size_t start = batch_start(b, k), R = b->ends[k] - start, i;
    struct buf name = {0}, keys = {0}, recordings = {0}, starts = {0};
    int result = -1;

    buf_printf(&name, "%" PRIu32 "/%zu", b->epoch, k);
    for (i = 0; i < S; i++) {
        buf_puts(&keys, i ? "," : "[");
        json_put_text(&keys, b->pairs->songs[b->rows[i].song].key);
        buf_printf(&starts, "%s%zu", i ? "," : "[", b->rows[i].start);
    }
    for (i = 0; i < R; i++) {
        buf_puts(&recordings, i ? "," : "[");
        json_put_text(
            &recordings,
            b->pairs->recordings[batch_crop(b, start + i)->recording].key);
    }
    buf_puts(&keys, "]");
    buf_puts(&starts, "]");
    buf_puts(&recordings, "]");
    if (!buf_check(&name, err) && !buf_check(&keys, err) &&
        !buf_check(&recordings, err) && !buf_check(&starts, err) &&
        !frame_set(out, "key", name.data, err) &&
        !frame_set_int(out, "epoch", b->epoch, err) &&
        !frame_set_int(out, "batch", (int64_t)k, err) &&
        !frame_set_int(out, "batches", (int64_t)b->n_batches, err) &&
        !frame_set(out, "keys", keys.data, err) &&
        !frame_set(out, "recordings", recordings.data, err) &&
        !(b->conf.window && frame_set(out, "starts", starts.data, err)))
        result = 0;
    buf_release(&name);
    buf_release(&keys);
    buf_release(&starts);
    buf_release(&recordings);
    return result;
}

int batch_frame(struct batch *b, size_t k, struct frame *out,
                struct err *err)
{
    size_t S, T, R = b->ends[k] - batch_start(b, k);

    frame_clear(out);
    if (assign_rows(b, k, &S, &T, err))
        return -1;
    if (T > INT32_MAX)
        return err_set(err, ERR_DATA, "batch %zu of epoch %" PRIu32 " has a "
                       "recording of %zu frames", k, b->epoch, T);
    if (fill_tensors(b, k, S, T, err) || fill_meta(b, k, S, out, err))
        return -1;
    if (frame_add(out, "valid", TENSOR_U8, 2, (size_t[]){R, T}, b->valid,
                  err) ||
        frame_add(out, "len", TENSOR_I32, 1, &S, b->len, err) ||
        frame_add(out, "song", TENSOR_I32, 1, &R, b->song, err) ||
        frame_add(out, "x", TENSOR_F32, 3, (size_t[]){S, T, b->pairs->C},
                  b->x, err) ||
        frame_add(out, "y", TENSOR_F32, 3, (size_t[]){R, T, 1}, b->y, err))
        return -1;
    return 0;
}

/*
 * Adds one pass over all used frames to sum (C): the deviations from centre
 * (C), or their squares. Returns the number of frames.
 */
static size_t add_deviations(const struct batch *b, const double *centre,
                             bool squared, double *sum)
{
    const struct pairs *p = b->pairs;
    size_t s, t, c, n = 0;

    for (s = 0; s < p->n_songs; s++) {
        size_t T = b->song_T[s];

        for (t = 0; t < T; t++) {
            const float *x = p->songs[s].mfcc + t * p->C;

            for (c = 0; c < p->C; c++) {
                double d = x[c] - centre[c];

                sum[c] += squared ? d * d : d;
            }
        }
        n += T;
    }
    return n;
}

/*
 * Mean and standard deviation of every coefficient over all used frames.
 * Sums start from the first frame's values, so that a constant has a
 * deviation of exactly 0.
 */
static int fill_stats(const struct batch *b, float *mean, float *std,
                      struct err *err)
{
    size_t C = b->pairs->C, c, n;
    double *centre = mem_alloc(3 * C, sizeof(*centre), err);
    double *sum, *squares;

    if (!centre)
        return -1;
    sum = centre + C;
    squares = sum + C;
    for (c = 0; c < C; c++)
        centre[c] = b->pairs->songs[0].mfcc[c];
    n = add_deviations(b, centre, false, sum);
    for (c = 0; c < C; c++)
        centre[c] += sum[c] / (double)n;
    add_deviations(b, centre, true, squares);
    for (c = 0; c < C; c++) {
        mean[c] = (float)centre[c];
        std[c] = (float)sqrt(squares[c] / (double)n);
        if (!(std[c] > 0))
            std[c] = 1;
    }
    free(centre);
    return 0;
}

/* Mean target over time at valid frames. */
static int fill_curve(const struct batch *b, size_t T, float *curve,
                      int32_t *n, struct err *err)
{
    const struct pairs *p = b->pairs;
    double *sum = mem_alloc(T, sizeof(*sum), err);
    size_t r, t;

    if (!sum)
        return -1;
    for (r = 0; r < p->n_recordings; r++) {
        const struct pairs_recording *rec = &p->recordings[r];

        for (t = 0; t < rec->T; t++) {
            if (rec->valid[t]) {
                sum[t] += rec->eda[t];
                n[t]++;
            }
        }
    }
    for (t = 0; t < T; t++)
        curve[t] = n[t] ? (float)(sum[t] / n[t]) : 0.0f;
    free(sum);
    return 0;
}

/* Appends the lines of the fingerprint that settings make. */
static void put_fingerprint_settings(const struct batch *b, struct buf *text)
{
    const struct batch_conf *c = &b->conf;
    size_t k;

    buf_printf(text, "seed %" PRId64 "\nbatch_size %zu\npool %zu\n", c->seed,
               c->batch_size, c->pool);
    buf_printf(text, "group_by_song %d\n", c->group_by_song);
    if (c->window)
        buf_printf(text, "window %zu\nhop %zu\n", c->window,
                   c->hop ? c->hop : c->window);
    for (k = 0; k < c->n_weights; k++) {
        buf_printf(text, "weight %s ", c->weight_names[k]);
        json_put_num(text, c->weights[k]);
        buf_puts(text, "\n");
    }
    buf_printf(text, "features %s\n", b->pairs->features);
}

/* 16 hex digits that change with anything the batches depend on. */
static int fingerprint(const struct batch *b, char hex[17], struct err *err)
{
    const struct pairs *p = b->pairs;
    struct buf text = {0};
    char digest[17];
    size_t i;
    int result;

    put_fingerprint_settings(b, &text);
    for (i = 0; i < p->n_songs; i++) {
        digest_hex(p->songs[i].digest, digest);
        buf_printf(&text, "song %s %s\n", p->songs[i].key, digest);
    }
    for (i = 0; i < p->n_recordings; i++) {
        digest_hex(p->recordings[i].digest, digest);
        buf_printf(&text, "recording %s %s\n", p->recordings[i].key, digest);
    }
    result = buf_check(&text, err);
    if (!result)
        digest_hex(digest_xxh3(text.data, text.len), hex);
    buf_release(&text);
    return result;
}

/*
 * Number of batches of an epoch. Pieces on their own fill all batches but the
 * last, so that only whole songs need a plan to be counted.
 */
static int count_batches(struct batch *b, uint32_t epoch, size_t *n,
                         struct err *err)
{
    size_t size = b->conf.batch_size, all = b->crops.n;

    *n = all / size + (all % size > 0);
    if (b->conf.group_by_song && batch_plan(b, epoch, err))
        return -1;
    if (b->conf.group_by_song)
        *n = b->n_batches;
    return 0;
}

/* Appends a JSON array with the number of batches of each epoch. */
static int put_batches(struct batch *b, uint32_t epochs, struct buf *json,
                       struct err *err)
{
    uint32_t e;
    size_t n;

    buf_puts(json, "[");
    for (e = 0; e < epochs; e++) {
        if (count_batches(b, e, &n, err))
            return -1;
        buf_printf(json, "%s%zu", e ? "," : "", n);
    }
    buf_puts(json, "]");
    return buf_check(json, err);
}

/* Sets what only windows have. */
static int set_window(const struct batch_conf *c, struct frame *out,
                      struct err *err)
{
    return frame_set_int(out, "window", (int64_t)c->window, err) ||
           frame_set_int(out, "hop", (int64_t)(c->hop ? c->hop : c->window),
                         err);
}

/* Sets the metadata of the dataset frame. */
static int fill_dataset_meta(struct batch *b, uint32_t epochs,
                             struct frame *out, struct err *err)
{
    const struct pairs *p = b->pairs;
    struct buf batches = {0};
    char hex[17];
    int result = -1;

    if (!put_batches(b, epochs, &batches, err) &&
        !fingerprint(b, hex, err) &&
        !frame_set(out, "a2b.kind", "dataset", err) &&
        !frame_set(out, "features", p->features, err) &&
        !frame_set_int(out, "rate_num", (int64_t)p->rate_num, err) &&
        !frame_set_int(out, "rate_den", (int64_t)p->rate_den, err) &&
        !frame_set_num(out, "t0_s", p->t0_s, err) &&
        !frame_set_int(out, "epochs", epochs, err) &&
        !frame_set(out, "batches", batches.data, err) &&
        !frame_set_int(out, "batch_size", (int64_t)b->conf.batch_size, err) &&
        !frame_set_int(out, "seed", b->conf.seed, err) &&
        !frame_set_int(out, "recordings", (int64_t)p->n_recordings, err) &&
        !frame_set_int(out, "songs", (int64_t)p->n_songs, err) &&
        !frame_set(out, "fingerprint", hex, err) &&
        !(b->conf.window && set_window(&b->conf, out, err)))
        result = 0;
    buf_release(&batches);
    return result;
}

int batch_dataset_frame(struct batch *b, uint32_t epochs, struct frame *out,
                        struct err *err)
{
    const struct pairs *p = b->pairs;
    size_t C = p->C, T = 0, r;

    frame_clear(out);
    for (r = 0; r < p->n_recordings; r++)
        T = p->recordings[r].T > T ? p->recordings[r].T : T;
    free(b->stats);
    free(b->curve_n);
    b->stats = mem_alloc(2 * C + T, sizeof(*b->stats), err);
    b->curve_n = b->stats ? mem_alloc(T, sizeof(*b->curve_n), err) : NULL;
    if (!b->curve_n || fill_stats(b, b->stats, b->stats + C, err) ||
        fill_curve(b, T, b->stats + 2 * C, b->curve_n, err))
        return -1;
    if (fill_dataset_meta(b, epochs, out, err) ||
        frame_add(out, "curve", TENSOR_F32, 2, (size_t[]){T, 1},
                  b->stats + 2 * C, err) ||
        frame_add(out, "curve_n", TENSOR_I32, 1, &T, b->curve_n, err) ||
        frame_add(out, "input_mean", TENSOR_F32, 1, &C, b->stats, err) ||
        frame_add(out, "input_std", TENSOR_F32, 1, &C, b->stats + C, err))
        return -1;
    return 0;
}

void batch_release(struct batch *b)
{
    crop_release(&b->crops);
    free(b->song_T);
    free(b->weight_share);
    free(b->order);
    free(b->ends);
    free(b->draws);
    free(b->deck);
    free(b->units);
    free(b->cuts);
    free(b->turns);
    free(b->first_row);
    free(b->rows);
    free(b->x);
    free(b->y);
    free(b->valid);
    free(b->len);
    free(b->song);
    free(b->stats);
    free(b->curve_n);
    memset(b, 0, sizeof(*b));
}
