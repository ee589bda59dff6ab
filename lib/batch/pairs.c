/*
 * pairs - feature streams joined into recordings.
 *
 * Reading: an mfcc or eda frame leaves its strings in a list and its numbers
 * in the spool, a file that was unlinked when it was made, so that nothing
 * is left behind however the program ends. Each kind's first frame is the
 * reference that all others of its kind are compared with.
 *
 * Spool: per frame, at a multiple of 64 bytes, the floats of mfcc (T, C), or
 * the floats of eda (N) with the bytes of valid (N) behind them. A value at
 * a frame that is not valid and not a number is stored as 0.
 *
 * Joining: sort every list by key, drop equal duplicates, refuse unequal
 * ones, look for byte frames that no stage converted, map the spool, find
 * each signal's song, cut to the common span, drop songs nobody heard.
 */
#include "batch/pairs.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/config.h"
#include "core/json.h"
#include "core/stream.h"

/* Where the spool lies when the caller names no folder. */
#define SPOOL_DIR "/var/tmp"

/* Frames in the spool begin at multiples of this many bytes. */
#define SPOOL_ALIGN 64u

/* Room for "input: frame 3 (key ...), byte 4096". */
#define PLACE_SIZE 512

/* What is remembered of a frame until the join. */
struct item {
    char *key;           /* of the frame, owned like all strings here */
    char *place;         /* input, frame, byte: for messages */
    char *dataset;       /* features and signals only, as all below */
    char *song;          /* song's name */
    char *subject;       /* signals only, "" if unknown */
    char *split;         /* signals only, "" if unknown */
    char *unit;          /* signals only, "unknown" if not said */
    char *normalisation; /* signals only, "none" if not said */
    double mean, std;    /* of the normalisation, NaN if not said */
    size_t n_frames;     /* T or N */
    uint64_t offset;     /* of its numbers in the spool */
    uint64_t digest;     /* of the frame */
};

/* Items of one frame kind. */
struct list {
    struct item *items; /* n items, owned */
    size_t n;           /* items in use */
    size_t cap;         /* room */
};

/* The kinds of frames that are remembered. */
enum list_kind { LIST_MFCC, LIST_EDA, LIST_AUDIO, LIST_CSV, N_LISTS };

/* What the first frame of a kind said, for comparison with the others. */
struct reference {
    char *place;         /* where it was, owned; NULL: no frame yet */
    char *settings;      /* JSON members of its feature settings, owned */
    size_t C;            /* coefficients; 1 for signals */
    int64_t num, den;    /* frames a second = num / den */
    double t0_s;         /* time of frame 0 */
};

/* Spool and indices. */
struct pairs_store {
    int fd;                      /* the spool, -1: not opened yet */
    uint64_t size;               /* bytes of it in use */
    char *map;                   /* the spool in memory after the join */
    struct list lists[N_LISTS];  /* by enum list_kind */
    struct reference mfcc, eda;  /* first frames */
    float *scratch;              /* floats on their way to the spool, owned */
    size_t scratch_cap;          /* floats reserved */
};

/* Frees the strings of an item. */
static void item_release(struct item *i)
{
    free(i->key);
    free(i->place);
    free(i->dataset);
    free(i->song);
    free(i->subject);
    free(i->split);
    free(i->unit);
    free(i->normalisation);
}

/* Orders items by the bytes of their keys. */
static int item_compare(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;

    return strcmp(x->key, y->key);
}

/* The item of a key in a sorted list; NULL if there is none. */
static const struct item *list_find(const struct list *l, const char *key)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, l->items[middle].key);

        if (order == 0)
            return &l->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Sorts by key; keeps one of equal duplicates, refuses unequal ones. */
static int list_settle(struct list *l, bool same_bytes, struct err *err)
{
    size_t i, n = 0;

    if (l->n)
        qsort(l->items, l->n, sizeof(*l->items), item_compare);
    for (i = 0; i < l->n; i++) {
        struct item *last = n ? &l->items[n - 1] : NULL;

        if (!last || strcmp(last->key, l->items[i].key) != 0) {
            struct item moved = l->items[i];

            memset(&l->items[i], 0, sizeof(l->items[i]));
            l->items[n++] = moved;
            continue;
        }
        if (same_bytes && last->digest != l->items[i].digest)
            return err_set(err, ERR_DATA,
                           "%s: another frame with this key and other bytes "
                           "is at %s", l->items[i].place, last->place);
        item_release(&l->items[i]);
        memset(&l->items[i], 0, sizeof(l->items[i]));
    }
    l->n = n;
    return 0;
}

/* Frees a list with its items. */
static void list_release(struct list *l)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        item_release(&l->items[i]);
    free(l->items);
    memset(l, 0, sizeof(*l));
}

/* Makes the spool: a file without a name in the caller's folder. */
static int spool_open(struct pairs *p, struct err *err)
{
    static const char name[] = "/a2b-spool-XXXXXX";
    const char *dir = p->spool_dir ? p->spool_dir : SPOOL_DIR;
    struct buf path = {0};
    int result = 0;

    buf_puts(&path, dir);
    buf_puts(&path, name);
    if (buf_check(&path, err)) {
        result = -1;
    } else if ((p->store->fd = mkstemp(path.data)) < 0) {
        result = err_errno(err, "%s: spool file", dir);
    } else if (unlink(path.data)) {
        result = err_errno(err, "%s", path.data);
    }
    buf_release(&path);
    return result;
}

/* Writes n bytes at an offset of the spool. */
static int spool_write(struct pairs *p, const void *data, size_t n,
                       uint64_t offset, struct err *err)
{
    const char *from = data;

    while (n > 0) {
        ssize_t done = pwrite(p->store->fd, from, n, (off_t)offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_errno(err, "%s: spool file of %" PRIu64 " bytes "
                             "(--spool or TMPDIR name another folder)",
                             p->spool_dir ? p->spool_dir : SPOOL_DIR, offset);
        from += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return 0;
}

/*
 * Appends two runs of bytes, the first at a multiple of SPOOL_ALIGN, the
 * second right behind it; *offset says where.
 */
static int spool_put(struct pairs *p, const void *first, size_t n_first,
                     const void *second, size_t n_second, uint64_t *offset,
                     struct err *err)
{
    struct pairs_store *s = p->store;

    if (s->fd < 0 && spool_open(p, err))
        return -1;
    *offset = (s->size + SPOOL_ALIGN - 1) / SPOOL_ALIGN * SPOOL_ALIGN;
    if (spool_write(p, first, n_first, *offset, err) ||
        spool_write(p, second, n_second, *offset + n_first, err))
        return -1;
    s->size = *offset + n_first + n_second;
    return 0;
}

/* Brings the spool into memory, for reading only. */
static int spool_map(struct pairs *p, struct err *err)
{
    struct pairs_store *s = p->store;
    void *map;

    if (s->size == 0)
        return 0;
    map = mmap(NULL, (size_t)s->size, PROT_READ, MAP_PRIVATE, s->fd, 0);
    if (map == MAP_FAILED)
        return err_errno(err, "mapping a spool of %" PRIu64 " bytes",
                         s->size);
    s->map = map;
    return 0;
}

/* Text of a metadata key, or otherwise if it is absent; a copy. */
static char *copy_meta(const struct frame *f, const char *key,
                       const char *otherwise, struct err *err)
{
    const char *value = frame_get(f, key);

    return mem_string(value ? value : otherwise, err);
}

/* Adds an empty item with key and place; NULL with err set. */
static struct item *list_add(struct list *l, const char *key,
                             const char *place, struct err *err)
{
    struct item *grown =
        mem_grow(l->items, &l->cap, l->n + 1, sizeof(*l->items), err);
    struct item *i;

    if (!grown)
        return NULL;
    l->items = grown;
    i = &l->items[l->n++];
    memset(i, 0, sizeof(*i));
    if (!(i->key = mem_string(key, err)) ||
        !(i->place = mem_string(place, err)))
        return NULL;
    return i;
}

/* Reads dataset and song, and holds a feature frame's key against them. */
static int fill_names(struct item *i, const struct frame *f, bool is_song,
                      const char *place, struct err *err)
{
    const char *dataset, *song;
    size_t n;

    if (frame_need(f, "dataset", &dataset, err) ||
        frame_need(f, "song", &song, err))
        return -1;
    n = strlen(dataset);
    if (is_song && (strncmp(i->key, dataset, n) != 0 || i->key[n] != '/' ||
                    strcmp(i->key + n + 1, song) != 0))
        return err_set(err, ERR_DATA, "%s: want key %s/%s, got %s", place,
                       dataset, song, i->key);
    i->digest = f->digest;
    if (!(i->dataset = mem_string(dataset, err)) ||
        !(i->song = mem_string(song, err)))
        return -1;
    return 0;
}

/* One member of a JSON map that is being compared with another map. */
struct comparison {
    const struct json *other; /* the other map */
    const char *key;          /* first key that differs, borrowed */
    const struct json *mine;  /* its value in the first map */
};

/* Whether two JSON values mean the same. */
static bool same_value(const struct json *a, const struct json *b)
{
    struct buf x = {0}, y = {0};
    bool same;

    if (!a || !b)
        return a == b;
    if (json_kind(a) == JSON_KIND_NUMBER && json_kind(b) == JSON_KIND_NUMBER)
        return !(json_num(a, 0) < json_num(b, 0)) &&
               !(json_num(a, 0) > json_num(b, 0));
    json_put_value(&x, a);
    json_put_value(&y, b);
    same = !x.failed && !y.failed && strcmp(buf_text(&x), buf_text(&y)) == 0;
    buf_release(&x);
    buf_release(&y);
    return same;
}

/* json_each() visitor: stops at a member that the other map has not so. */
static int compare_member(void *ctx, const char *key, const struct json *v)
{
    struct comparison *c = ctx;

    if (same_value(v, json_member(c->other, key)))
        return 0;
    c->key = key;
    c->mine = v;
    return 1;
}

/* Appends a JSON value, or "not set" for NULL. */
static void put_value(struct buf *b, const struct json *v)
{
    if (v)
        json_put_value(b, v);
    else
        buf_puts(b, "not set");
}

/*
 * Compares two JSON objects of feature settings.
 *
 * place, other: where they come from, for the message
 */
static int compare_settings(const char *mine, const char *place,
                            const char *theirs, const char *other,
                            struct err *err)
{
    struct comparison c = {0};
    struct buf x = {0}, y = {0};
    struct json *a = NULL, *b = NULL;
    int result = -1;

    if (!(a = json_parse(mine, strlen(mine), err)) ||
        !(b = json_parse(theirs, strlen(theirs), err)))
        goto out;
    c.other = b;
    if (!json_each(a, compare_member, &c)) {
        c.other = a;
        if (!json_each(b, compare_member, &c)) {
            result = 0;
            goto out;
        }
        c.mine = NULL;
    }
    put_value(&x, c.mine);
    put_value(&y, json_member(b, c.key));
    err_set(err, ERR_DATA, "%s: features.%s is %s, but %s in %s", place,
            c.key, buf_text(&x), buf_text(&y), other);
out:
    buf_release(&x);
    buf_release(&y);
    json_close(a);
    json_close(b);
    return result;
}

/* Compares rate and origin of two sources of frames. */
static int compare_grid(uint64_t num, uint64_t den, double t0_s,
                        const char *place, uint64_t other_num,
                        uint64_t other_den, double other_t0_s,
                        const char *other, struct err *err)
{
    char a[NUM_SIZE], b[NUM_SIZE];

    if (num != other_num || den != other_den)
        return err_set(err, ERR_DATA,
                       "%s: rate_num/rate_den is %" PRIu64 "/%" PRIu64
                       " frames a second, but %" PRIu64 "/%" PRIu64 " in %s",
                       place, num, den, other_num, other_den, other);
    if (t0_s < other_t0_s || t0_s > other_t0_s)
        return err_set(err, ERR_DATA, "%s: t0_s is %s, but %s in %s", place,
                       num_double(a, t0_s), num_double(b, other_t0_s), other);
    return 0;
}

/* Fills a reference from the first frame of its kind. */
static int reference_fill(struct reference *r, const struct reference *now,
                          const char *place, const struct buf *settings,
                          struct err *err)
{
    char *copy = mem_string(place, err);

    if (!copy)
        return -1;
    r->settings = mem_string(buf_text(settings), err);
    if (!r->settings) {
        free(copy);
        return -1;
    }
    r->C = now->C;
    r->num = now->num;
    r->den = now->den;
    r->t0_s = now->t0_s;
    r->place = copy;
    return 0;
}

/*
 * Compares a frame with the first of its kind, or makes it the first.
 *
 * C: its coefficients; 1 for signals
 */
static int reference_check(struct reference *r, const struct frame *f,
                           enum config_half half, size_t C,
                           const char *place, struct err *err)
{
    struct reference now = {.C = C};
    struct buf settings = {0};
    int result = -1;

    buf_puts(&settings, "{");
    if (frame_need_int(f, "rate_num", 1, INT32_MAX, &now.num, err) ||
        frame_need_int(f, "rate_den", 1, INT32_MAX, &now.den, err) ||
        frame_need_num(f, "t0_s", &now.t0_s, err) ||
        config_features_from_frame(f, half, &settings, err))
        goto out;
    buf_puts(&settings, "}");
    if (buf_check(&settings, err))
        goto out;
    if (!isfinite(now.t0_s))
        err_set(err, ERR_DATA, "%s: t0_s is not finite", place);
    else if (!r->place)
        result = reference_fill(r, &now, place, &settings, err);
    else if (C != r->C)
        err_set(err, ERR_DATA, "%s: %zu coefficients, but %zu in %s", place,
                C, r->C, r->place);
    else if (!compare_grid((uint64_t)now.num, (uint64_t)now.den, now.t0_s,
                           place, (uint64_t)r->num, (uint64_t)r->den,
                           r->t0_s, r->place, err))
        result = strcmp(buf_text(&settings), r->settings) == 0
                     ? 0
                     : compare_settings(buf_text(&settings), place,
                                        r->settings, r->place, err);
out:
    buf_release(&settings);
    return result;
}

/* Copies n floats to scratch, where they are aligned whoever wrote them. */
static int copy_floats(struct pairs_store *s, const struct tensor *from,
                       struct err *err)
{
    size_t n = tensor_count(from);
    float *grown =
        mem_grow(s->scratch, &s->scratch_cap, n, sizeof(*grown), err);

    if (!grown)
        return -1;
    s->scratch = grown;
    if (n)
        memcpy(grown, from->data, n * sizeof(*grown));
    return 0;
}

/* Takes a feature frame. */
static int add_mfcc(struct pairs *p, const struct frame *f, const char *key,
                    const char *place, struct err *err)
{
    struct pairs_store *s = p->store;
    const struct tensor *mfcc;
    struct item *i;
    size_t k, n;

    if (frame_need_tensor(f, "mfcc", TENSOR_F32, 2, &mfcc, err))
        return -1;
    if (mfcc->shape[1] == 0)
        return err_set(err, ERR_DATA, "%s: mfcc has no coefficients", place);
    if (reference_check(&s->mfcc, f, CONFIG_AUDIO_HALF, mfcc->shape[1],
                        place, err) ||
        copy_floats(s, mfcc, err))
        return -1;
    n = tensor_count(mfcc);
    for (k = 0; k < n; k++) {
        if (!isfinite(s->scratch[k]))
            return err_set(err, ERR_DATA,
                           "%s: mfcc frame %zu coefficient %zu is not finite",
                           place, k / mfcc->shape[1], k % mfcc->shape[1]);
    }
    if (!(i = list_add(&s->lists[LIST_MFCC], key, place, err)) ||
        fill_names(i, f, true, place, err))
        return -1;
    i->n_frames = mfcc->shape[0];
    return spool_put(p, s->scratch, tensor_size(mfcc), NULL, 0, &i->offset,
                     err);
}

/*
 * Copies a signal to scratch with zeros for what is no number where nothing
 * is valid; refuses one where a frame is valid.
 */
static int copy_signal(struct pairs_store *s, const struct tensor *eda,
                       const uint8_t *valid, const char *place,
                       struct err *err)
{
    size_t t;

    if (copy_floats(s, eda, err))
        return -1;
    for (t = 0; t < eda->shape[0]; t++) {
        if (valid[t] > 1)
            return err_set(err, ERR_DATA,
                           "%s: valid frame %zu: want 0 or 1, got %d", place,
                           t, valid[t]);
        if (isfinite(s->scratch[t]))
            continue;
        if (valid[t])
            return err_set(err, ERR_DATA,
                           "%s: eda frame %zu is valid and not finite", place,
                           t);
        s->scratch[t] = 0;
    }
    return 0;
}

/* Reads what only signals carry. */
static int fill_signal(struct item *i, const struct frame *f,
                       struct err *err)
{
    i->mean = NAN;
    i->std = NAN;
    if ((frame_get(f, "mean") && frame_need_num(f, "mean", &i->mean, err)) ||
        (frame_get(f, "std") && frame_need_num(f, "std", &i->std, err)))
        return -1;
    if (!(i->subject = copy_meta(f, "subject", "", err)) ||
        !(i->split = copy_meta(f, "split", "", err)) ||
        !(i->unit = copy_meta(f, "unit", "unknown", err)) ||
        !(i->normalisation = copy_meta(f, "normalisation", "none", err)))
        return -1;
    return 0;
}

/* Takes a signal frame. */
static int add_eda(struct pairs *p, const struct frame *f, const char *key,
                   const char *place, struct err *err)
{
    struct pairs_store *s = p->store;
    const struct tensor *eda, *valid;
    struct item *i;

    if (frame_need_tensor(f, "eda", TENSOR_F32, 2, &eda, err) ||
        frame_need_tensor(f, "valid", TENSOR_U8, 1, &valid, err))
        return -1;
    if (eda->shape[1] != 1 || valid->shape[0] != eda->shape[0])
        return err_set(err, ERR_DATA,
                       "%s: want eda (N,1) and valid (N), got (%zu,%zu) and "
                       "(%zu)", place, eda->shape[0], eda->shape[1],
                       valid->shape[0]);
    if (reference_check(&s->eda, f, CONFIG_EDA_HALF, 1, place, err) ||
        copy_signal(s, eda, valid->data, place, err))
        return -1;
    if (!(i = list_add(&s->lists[LIST_EDA], key, place, err)) ||
        fill_names(i, f, false, place, err) || fill_signal(i, f, err))
        return -1;
    i->n_frames = eda->shape[0];
    return spool_put(p, s->scratch, tensor_size(eda), valid->data,
                     tensor_size(valid), &i->offset, err);
}

int pairs_init(struct pairs *p, struct err *err)
{
    memset(p, 0, sizeof(*p));
    p->store = mem_alloc(1, sizeof(*p->store), err);
    if (!p->store)
        return -1;
    p->store->fd = -1;
    return 0;
}

/* Takes a frame that is kept, into the list of its kind. */
static int add_kept(struct pairs *p, const struct frame *f,
                    enum list_kind kind, const char *where, struct err *err)
{
    char frame[PLACE_SIZE], place[2 * PLACE_SIZE];
    const char *key;

    if (frame_need(f, "key", &key, err))
        return err_prefix(err, "%s", where);
    snprintf(place, sizeof(place), "%s: %s", where,
             frame_where(f, frame, sizeof(frame)));
    if (kind == LIST_MFCC)
        return add_mfcc(p, f, key, place, err);
    if (kind == LIST_EDA)
        return add_eda(p, f, key, place, err);
    return list_add(&p->store->lists[kind], key, place, err) ? 0 : -1;
}

int pairs_add(struct pairs *p, const struct frame *f, const char *where,
              struct err *err)
{
    enum list_kind kind = N_LISTS;
    struct list *l;
    size_t n;

    switch (frame_kind(f)) {
    case FRAME_MFCC:
        kind = LIST_MFCC;
        break;
    case FRAME_EDA:
        kind = LIST_EDA;
        break;
    case FRAME_AUDIO:
        kind = LIST_AUDIO;
        break;
    case FRAME_EDA_CSV:
        kind = LIST_CSV;
        break;
    default:
        return 0;
    }
    l = &p->store->lists[kind];
    n = l->n;
    if (!add_kept(p, f, kind, where, err))
        return 0;
    if (l->n > n) /* half an item */
        item_release(&l->items[--l->n]);
    return -1;
}

/* Refuses byte frames that no stage turned into what `made` lists. */
static int check_converted(const struct list *bytes, const struct list *made,
                           const char *want, const char *stage,
                           struct err *err)
{
    size_t i;

    for (i = 0; i < bytes->n; i++) {
        if (!list_find(made, bytes->items[i].key))
            return err_set(err, ERR_DATA,
                           "%s: there is no %s frame for it: add %s to the "
                           "pipeline (a2b-fetch --only leaves the other "
                           "branch's bytes out)",
                           bytes->items[i].place, want, stage);
    }
    return 0;
}

/* Settles the lists and checks that there is something to join. */
static int check_complete(struct pairs *p, struct err *err)
{
    struct pairs_store *s = p->store;
    struct list *l = s->lists;

    if (list_settle(&l[LIST_MFCC], true, err) ||
        list_settle(&l[LIST_EDA], true, err) ||
        list_settle(&l[LIST_AUDIO], false, err) ||
        list_settle(&l[LIST_CSV], false, err) ||
        check_converted(&l[LIST_AUDIO], &l[LIST_MFCC], "mfcc", "a2b-mfcc",
                        err) ||
        check_converted(&l[LIST_CSV], &l[LIST_EDA], "eda", "a2b-eda", err))
        return -1;
    if (!l[LIST_EDA].n && !l[LIST_MFCC].n)
        return err_set(err, ERR_DATA, "input has neither mfcc nor eda frames");
    if (!l[LIST_EDA].n)
        return err_set(err, ERR_DATA, "input has mfcc frames (%zu), but no "
                       "eda frame", l[LIST_MFCC].n);
    if (!l[LIST_MFCC].n)
        return err_set(err, ERR_DATA, "input has eda frames (%zu), but no "
                       "mfcc frame", l[LIST_EDA].n);
    if (compare_grid((uint64_t)s->eda.num, (uint64_t)s->eda.den,
                     s->eda.t0_s, s->eda.place, (uint64_t)s->mfcc.num,
                     (uint64_t)s->mfcc.den, s->mfcc.t0_s, s->mfcc.place, err))
        return err_prefix(err, "signals are not on the audio's frame times "
                          "(a2b-eda --rate frames)");
    return 0;
}

/* Joins the settings of both kinds into p->features. */
static int join_settings(struct pairs *p, struct err *err)
{
    const char *a = p->store->mfcc.settings;
    const char *b = p->store->eda.settings;
    struct buf all = {0};

    p->C = p->store->mfcc.C;
    p->rate_num = (uint64_t)p->store->mfcc.num;
    p->rate_den = (uint64_t)p->store->mfcc.den;
    p->t0_s = p->store->mfcc.t0_s;
    buf_put(&all, a, strlen(a) - 1);
    if (strlen(a) > 2 && strlen(b) > 2)
        buf_puts(&all, ",");
    buf_puts(&all, b + 1);
    if (!buf_check(&all, err))
        p->features = mem_string(buf_text(&all), err);
    buf_release(&all);
    return p->features ? 0 : -1;
}

/* Turns the feature items into songs; strings change hands. */
static int make_songs(struct pairs *p, struct err *err)
{
    struct list *l = &p->store->lists[LIST_MFCC];
    size_t k;

    p->songs = mem_alloc(l->n, sizeof(*p->songs), err);
    if (!p->songs)
        return -1;
    for (k = 0; k < l->n; k++) {
        struct item *i = &l->items[k];
        struct pairs_song *song = &p->songs[k];

        song->key = i->key;
        song->dataset = i->dataset;
        song->song = i->song;
        song->T = i->n_frames;
        song->mfcc = (const float *)(const void *)(p->store->map + i->offset);
        song->digest = i->digest;
        i->key = i->dataset = i->song = NULL;
    }
    p->n_songs = l->n;
    return 0;
}

/* The song of "dataset/song"; p->n_songs if there is none. */
static size_t find_song(const struct pairs *p, const char *dataset,
                        const char *song)
{
    size_t low = 0, high = p->n_songs, n = strlen(dataset);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *key = p->songs[middle].key;
        int order = strncmp(dataset, key, n);

        if (order == 0)
            order = '/' - (int)(unsigned char)key[n];
        if (order == 0)
            order = strcmp(song, key + n + 1);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return p->n_songs;
}

/* Whether song and signal end further apart than max_skew_s. */
static bool is_skewed(const struct pairs *p, const char *dataset, size_t T,
                      size_t N, double max_skew_s)
{
    double late = ((double)N - (double)T) * (double)p->rate_den /
                  (double)p->rate_num;

    /* HKU956 records the played part of a song: a short signal is normal. */
    if (strcmp(dataset, "hku956") == 0)
        return late > max_skew_s;
    return fabs(late) > max_skew_s;
}

/* Whether one of the first T frames is valid. */
static bool any_valid(const uint8_t *valid, size_t T)
{
    return T > 0 && memchr(valid, 1, T) != NULL;
}

/* Moves an item that is known to pair into the list of recordings. */
static void make_recording(struct pairs *p, struct item *i, size_t song,
                           double max_skew_s)
{
    struct pairs_recording *r = &p->recordings[p->n_recordings++];
    const char *at = p->store->map + i->offset;

    r->key = i->key;
    r->dataset = i->dataset;
    r->subject = i->subject;
    r->song_name = i->song;
    r->split = i->split;
    r->unit = i->unit;
    r->normalisation = i->normalisation;
    r->mean = i->mean;
    r->std = i->std;
    r->N = i->n_frames;
    r->T = r->N < p->songs[song].T ? r->N : p->songs[song].T;
    r->eda = (const float *)(const void *)at;
    r->valid = (const uint8_t *)at + r->N * sizeof(float);
    r->digest = i->digest;
    r->song = song;
    p->songs[song].used = true;
    p->n_skewed +=
        is_skewed(p, r->dataset, p->songs[song].T, r->N, max_skew_s);
    i->key = i->dataset = i->subject = i->song = NULL;
    i->split = i->unit = i->normalisation = NULL;
}

/* Says in err why a signal cannot be paired. Returns 0 if it can. */
static int check_pair(const struct pairs *p, const struct item *i,
                      size_t song, struct err *err)
{
    const uint8_t *valid = (const uint8_t *)p->store->map + i->offset +
                           i->n_frames * sizeof(float);
    size_t T;

    if (song == p->n_songs)
        return err_set(err, ERR_DATA, "%s: no mfcc frame with key %s/%s",
                       i->place, i->dataset, i->song);
    T = p->songs[song].T < i->n_frames ? p->songs[song].T : i->n_frames;
    if (!any_valid(valid, T))
        return err_set(err, ERR_DATA,
                       "%s: no valid frame in the %zu it shares with its song",
                       i->place, T);
    return 0;
}

/* Pairs every signal with its song, or hands it to bad(). */
static int make_recordings(struct pairs *p, double max_skew_s,
                           int (*bad)(void *ctx, const struct err *why),
                           void *ctx, struct err *err)
{
    struct list *l = &p->store->lists[LIST_EDA];
    size_t k;

    p->recordings = mem_alloc(l->n, sizeof(*p->recordings), err);
    if (!p->recordings)
        return -1;
    for (k = 0; k < l->n; k++) {
        struct item *i = &l->items[k];
        size_t song = find_song(p, i->dataset, i->song);

        if (!check_pair(p, i, song, err))
            make_recording(p, i, song, max_skew_s);
        else if (!bad || bad(ctx, err))
            return -1;
    }
    if (p->n_recordings == 0)
        return err_set(err, ERR_DATA, "no recording is left of %zu", l->n);
    return 0;
}

/* Frees the strings of a song. */
static void song_release(struct pairs_song *song)
{
    free(song->key);
    free(song->dataset);
    free(song->song);
}

/* Drops songs without recordings and renumbers the others. */
static int drop_unheard(struct pairs *p, struct err *err)
{
    size_t *now = mem_alloc(p->n_songs, sizeof(*now), err);
    size_t k, n = 0;

    if (!now)
        return -1;
    for (k = 0; k < p->n_songs; k++) {
        if (p->songs[k].used) {
            now[k] = n;
            p->songs[n++] = p->songs[k];
        } else {
            song_release(&p->songs[k]);
            p->n_unheard++;
        }
    }
    p->n_songs = n;
    for (k = 0; k < p->n_recordings; k++)
        p->recordings[k].song = now[p->recordings[k].song];
    free(now);
    return 0;
}

int pairs_read(struct pairs *p, const char *path, struct err *err)
{
    struct stream_in in = {0};
    struct frame f = {0};
    int got;

    if (stream_open(&in, path, err))
        return -1;
    while ((got = stream_read(&in, &f, err)) > 0) {
        if (pairs_add(p, &f, in.name, err)) {
            got = -1;
            break;
        }
    }
    frame_release(&f);
    stream_close(&in);
    return got;
}

int pairs_join(struct pairs *p, double max_skew_s,
               int (*bad)(void *ctx, const struct err *why), void *ctx,
               struct err *err)
{
    size_t k;

    if (check_complete(p, err) || join_settings(p, err) ||
        spool_map(p, err) || make_songs(p, err) ||
        make_recordings(p, max_skew_s, bad, ctx, err) ||
        drop_unheard(p, err))
        return -1;
    for (k = 0; k < N_LISTS; k++)
        list_release(&p->store->lists[k]);
    return 0;
}

int pairs_check_features(const struct pairs *p, const char *features,
                         uint64_t rate_num, uint64_t rate_den, double t0_s,
                         const char *other, struct err *err)
{
    if (compare_grid(p->rate_num, p->rate_den, p->t0_s, "input", rate_num,
                     rate_den, t0_s, other, err))
        return -1;
    return compare_settings(p->features, "input", features, other, err);
}

/* Frees a reference's strings. */
static void reference_release(struct reference *r)
{
    free(r->place);
    free(r->settings);
}

/* Frees spool, map and lists. */
static void store_release(struct pairs_store *s)
{
    size_t k;

    if (!s)
        return;
    for (k = 0; k < N_LISTS; k++)
        list_release(&s->lists[k]);
    reference_release(&s->mfcc);
    reference_release(&s->eda);
    free(s->scratch);
    if (s->map)
        munmap(s->map, (size_t)s->size);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

/* A recording on its way to being sorted. */
struct place {
    size_t song;      /* index of the song */
    size_t T;         /* span */
    size_t recording; /* index of the recording */
};

/* By song, then span, then recording. */
static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->song != y->song)
        return x->song < y->song ? -1 : 1;
    if (x->T != y->T)
        return x->T < y->T ? -1 : 1;
    return x->recording < y->recording ? -1 : x->recording > y->recording;
}

int pairs_by_song(const struct pairs *p, size_t *order, struct err *err)
{
    size_t n = p->n_recordings, i;
    struct place *places = mem_alloc(n, sizeof *places, err);

    if (!places)
        return -1;
    for (i = 0; i < n; i++)
        places[i] = (struct place){p->recordings[i].song, p->recordings[i].T,
                                   i};
    qsort(places, n, sizeof *places, compare_places);
    for (i = 0; i < n; i++)
        order[i] = places[i].recording;
    free(places);
    return 0;
}

bool pairs_leads(const struct pairs *p, const size_t *order, size_t i)
{
    const struct pairs_recording *r = &p->recordings[order[i]];
    const struct pairs_recording *before;

    if (i == 0)
        return true;
    before = &p->recordings[order[i - 1]];
    return before->song != r->song || before->T != r->T;
}

/* Whether two recordings are of one listener. */
static bool same_subject(const struct pairs_recording *a,
                         const struct pairs_recording *b)
{
    return a->subject[0] && !strcmp(a->subject, b->subject) &&
           !strcmp(a->dataset, b->dataset);
}

/* Whether the listener of recording i has none before it in p. */
static bool first_of_subject(const struct pairs *p, size_t i)
{
    size_t j;

    for (j = 0; j < i; j++) {
        if (same_subject(&p->recordings[j], &p->recordings[i]))
            return false;
    }
    return true;
}

void pairs_shared(const struct pairs *p, const struct pairs *other,
                  size_t *n_songs, size_t *n_subjects)
{
    size_t i, j;

    *n_songs = *n_subjects = 0;
    for (i = 0; i < p->n_songs; i++) {
        for (j = 0; j < other->n_songs; j++) {
            if (p->songs[i].used && other->songs[j].used &&
                !strcmp(p->songs[i].key, other->songs[j].key)) {
                (*n_songs)++;
                break;
            }
        }
    }
    for (i = 0; i < p->n_recordings; i++) {
        if (!first_of_subject(p, i))
            continue;
        for (j = 0; j < other->n_recordings; j++) {
            if (same_subject(&p->recordings[i], &other->recordings[j])) {
                (*n_subjects)++;
                break;
            }
        }
    }
}

void pairs_release(struct pairs *p)
{
    size_t k;

    for (k = 0; k < p->n_songs; k++)
        song_release(&p->songs[k]);
    for (k = 0; k < p->n_recordings; k++) {
        struct pairs_recording *r = &p->recordings[k];

        free(r->key);
        free(r->dataset);
        free(r->subject);
        free(r->song_name);
        free(r->split);
        free(r->unit);
        free(r->normalisation);
    }
    free(p->songs);
    free(p->recordings);
    free(p->features);
    store_release(p->store);
    memset(p, 0, sizeof(*p));
}
