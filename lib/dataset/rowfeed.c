/*
 * rowfeed - manifest rows in, frames with the files' bytes out.
 *
 * 1. Rows are read into a ring until it is full; what each needs is asked of
 *    the fetcher at once.
 * 2. The oldest row is taken; all its objects must be there before its first
 *    frame is made, so that a recording comes whole or not at all.
 * 3. Its frames go out one a call, then its objects are given back.
 *
 * Songs whose audio went out are remembered in a hash table with linear
 * probing: 16 bytes each, the XXH3-64 of "dataset/song" and that of its URI.
 * Two songs of one hash show as one with other audio, never as one that is
 * left out silently.
 */
#include "dataset/rowfeed.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"

/* One row and the objects that were asked for it. */
struct row {
    struct manifest_row row;    /* owned */
    struct fetcher_item *audio; /* held, or NULL */
    struct fetcher_item *eda;   /* held, or NULL */
};

/* One song whose audio went out. */
struct sent {
    uint64_t song; /* hash of "dataset/song"; 0: an empty slot */
    uint64_t uri;  /* hash of the URI of its audio */
};

/* What is done next. */
enum step {
    STEP_TAKE,  /* take the next row */
    STEP_AUDIO, /* make the current row's audio frame, if it is due */
    STEP_EDA,   /* make its EDA frame, if it is wanted */
    STEP_DROP   /* give its objects back */
};

/* One manifest on its way. */
struct rowfeed {
    struct manifest_in *in;  /* borrowed */
    struct fetcher *fetcher; /* borrowed */
    enum rowfeed_only only;  /* which frames */
    struct row *ring;        /* ring_size rows, owned */
    size_t ring_size;        /* room */
    size_t first;            /* oldest row in the ring */
    size_t n;                /* rows in the ring, the current one included */
    size_t n_done;           /* rows whose frames went out */
    bool at_end;             /* the manifest is read */
    enum step step;          /* what comes next */
    struct buf key;          /* "dataset/song" of the current row */
    struct sent *sent;       /* sent_size slots, owned */
    size_t sent_size;        /* a power of two, or 0 */
    size_t n_sent;           /* slots in use */
};

struct rowfeed *rowfeed_open(struct manifest_in *in, struct fetcher *f,
                             enum rowfeed_only only, size_t ahead,
                             struct err *err)
{
    struct rowfeed *feed = mem_alloc(1, sizeof(*feed), err);

    if (!feed)
        return NULL;
    feed->in = in;
    feed->fetcher = f;
    feed->only = only;
    feed->ring_size = ahead ? ahead : 1;
    feed->ring = mem_alloc(feed->ring_size, sizeof(*feed->ring), err);
    if (!feed->ring) {
        rowfeed_close(feed);
        return NULL;
    }
    return feed;
}

/* The slot of a song: its own, or the empty one where it would go. */
static struct sent *find_slot(struct sent *slots, size_t size, uint64_t song)
{
    size_t i = song & (size - 1);

    while (slots[i].song && slots[i].song != song)
        i = (i + 1) & (size - 1);
    return &slots[i];
}

/* The hash of a song's key, never 0. */
static uint64_t hash_song(const char *key)
{
    uint64_t hash = digest_xxh3(key, strlen(key));

    return hash ? hash : 1;
}

/* What was sent of a song; NULL if nothing was. */
static const struct sent *find_sent(const struct rowfeed *f, const char *key)
{
    const struct sent *slot;

    if (f->sent_size == 0)
        return NULL;
    slot = find_slot(f->sent, f->sent_size, hash_song(key));
    return slot->song ? slot : NULL;
}

/* Doubles the table when it is half full. */
static int grow_sent(struct rowfeed *f, struct err *err)
{
    size_t size = f->sent_size ? 2 * f->sent_size : 64, i;
    struct sent *grown;

    if (2 * f->n_sent < f->sent_size)
        return 0;
    grown = mem_alloc(size, sizeof(*grown), err);
    if (!grown)
        return -1;
    for (i = 0; i < f->sent_size; i++) {
        struct sent *old = &f->sent[i];

        if (old->song)
            *find_slot(grown, size, old->song) = *old;
    }
    free(f->sent);
    f->sent = grown;
    f->sent_size = size;
    return 0;
}

/* Remembers that the audio of the current row went out. */
static int remember(struct rowfeed *f, const char *key, const char *uri,
                    struct err *err)
{
    struct sent *slot;

    if (grow_sent(f, err))
        return -1;
    slot = find_slot(f->sent, f->sent_size, hash_song(key));
    slot->song = hash_song(key);
    slot->uri = digest_xxh3(uri, strlen(uri));
    f->n_sent++;
    return 0;
}

/* Writes a row's "dataset/song" into f->key. */
static int song_key(struct rowfeed *f, const struct manifest_row *row,
                    struct err *err)
{
    buf_clear(&f->key);
    buf_printf(&f->key, "%s/%s", row->dataset, row->song);
    return buf_check(&f->key, err);
}

/* Asks for what a row needs; what it does not name is found out later. */
static int want_objects(struct rowfeed *f, struct row *r, struct err *err)
{
    const struct manifest_row *row = &r->row;

    if (song_key(f, row, err))
        return -1;
    if (f->only != ROWFEED_EDA && row->audio &&
        !find_sent(f, buf_text(&f->key))) {
        r->audio = fetcher_want(f->fetcher, row->audio, 0, STORE_ALL, err);
        if (!r->audio)
            return -1;
    }
    if (f->only != ROWFEED_AUDIO && row->eda) {
        r->eda = fetcher_want(f->fetcher, row->eda, 0, STORE_ALL, err);
        if (!r->eda)
            return -1;
    }
    return 0;
}

/* Reads rows until the ring is full or the manifest ends. */
static int fill(struct rowfeed *f, struct err *err)
{
    while (!f->at_end && f->n < f->ring_size) {
        struct row *r = &f->ring[(f->first + f->n) % f->ring_size];
        int got = manifest_read(f->in, &r->row, err);

        if (got < 0)
            return -1;
        f->at_end = got == 0;
        if (got > 0) {
            f->n++;
            if (want_objects(f, r, err))
                return -1;
        }
    }
    return 0;
}

/* Gives the objects of the oldest row back and forgets the row. */
static void drop_row(struct rowfeed *f)
{
    struct row *r = &f->ring[f->first];

    fetcher_drop(f->fetcher, r->audio);
    fetcher_drop(f->fetcher, r->eda);
    r->audio = NULL;
    r->eda = NULL;
    manifest_row_release(&r->row);
    f->first = (f->first + 1) % f->ring_size;
    f->n--;
    f->n_done++;
}

/* Waits for one object of a row, which must name it. */
static int wait_object(struct rowfeed *f, const char *what, const char *uri,
                       struct fetcher_item *item, struct err *err)
{
    if (!uri)
        return err_set(err, ERR_DATA, "key \"%s\" is missing", what);
    return fetcher_wait(f->fetcher, item, err);
}

/*
 * Waits for all objects of the oldest row.
 *
 * audio: gets whether its audio frame is due
 */
static int wait_row(struct rowfeed *f, struct row *r, bool *audio,
                    struct err *err)
{
    const struct manifest_row *row = &r->row;
    const struct sent *sent;

    *audio = false;
    if (song_key(f, row, err))
        return -1;
    sent = find_sent(f, buf_text(&f->key));
    if (f->only != ROWFEED_EDA) {
        if (sent && row->audio &&
            sent->uri != digest_xxh3(row->audio, strlen(row->audio)))
            return err_set(err, ERR_DATA,
                           "song %s: its audio is %s here and was another "
                           "before",
                           buf_text(&f->key), row->audio);
        if (!sent && wait_object(f, "audio", row->audio, r->audio, err))
            return -1;
        *audio = !sent;
    }
    if (f->only != ROWFEED_AUDIO)
        return wait_object(f, "eda", row->eda, r->eda, err);
    return 0;
}

/* Sets metadata where the value is known. */
static int set_known(struct frame *out, const char *key, const char *value,
                     struct err *err)
{
    return value ? frame_set(out, key, value, err) : 0;
}

/* Adds the object's bytes as a U8 tensor. */
static int add_bytes(struct frame *out, const char *name,
                     struct fetcher_item *item, struct err *err)
{
    size_t n = (size_t)blob_size(&item->blob);
    const char *bytes = blob_data(&item->blob, err);

    return bytes ? frame_add(out, name, TENSOR_U8, 1, &n, bytes, err) : -1;
}

/* Makes the audio frame of a row. */
static int audio_frame(struct rowfeed *f, struct row *r,
                       struct frame *out, struct err *err)
{
    const struct manifest_row *row = &r->row;
    const char *key = buf_text(&f->key);
    struct blob *blob = &r->audio->blob;
    const char *bytes = blob_data(blob, err);
    char etag[33];

    frame_clear(out);
    if (!bytes || digest_md5(bytes, (size_t)blob_size(blob), etag, err) ||
        frame_set(out, "key", key, err) ||
        frame_set(out, "dataset", row->dataset, err) ||
        frame_set(out, "song", row->song, err) ||
        frame_set(out, "uri", row->audio, err) ||
        frame_set(out, "etag", etag, err) ||
        add_bytes(out, "audio", r->audio, err))
        return -1;
    return remember(f, key, row->audio, err);
}

/* Makes the EDA frame of a row. */
static int eda_frame(struct row *r, struct frame *out, struct err *err)
{
    const struct manifest_row *row = &r->row;
    const char *split = row->split == MANIFEST_NO_SPLIT
                            ? NULL
                            : manifest_split_name(row->split);

    frame_clear(out);
    if (frame_set(out, "key", row->recording, err) ||
        frame_set(out, "dataset", row->dataset, err) ||
        frame_set(out, "recording", row->recording, err) ||
        set_known(out, "subject", row->subject, err) ||
        frame_set(out, "song", row->song, err) ||
        set_known(out, "split", split, err) ||
        frame_set(out, "uri", row->eda, err) ||
        set_known(out, "eda_column", row->eda_column, err))
        return -1;
    if (row->eda_rate_hz > 0 &&
        frame_set_num(out, "eda_rate_hz", row->eda_rate_hz, err))
        return -1;
    return add_bytes(out, "eda_csv", r->eda, err);
}

/*
 * Takes the next row and waits for its objects: 1, 0 at the end, -1 with err.
 * A row that fails is dropped, and *bad is set.
 */
static int take_row(struct rowfeed *f, bool *bad, struct err *err)
{
    struct row *r;
    bool audio;

    if (fill(f, err))
        return -1;
    if (f->n == 0)
        return 0;
    r = &f->ring[f->first];
    if (wait_row(f, r, &audio, err)) {
        err_prefix(err, "recording %s", r->row.recording);
        drop_row(f);
        *bad = true;
        return -1;
    }
    f->step = audio ? STEP_AUDIO : STEP_EDA;
    return 1;
}

int rowfeed_next(struct rowfeed *f, struct frame *out, bool *bad,
                 struct err *err)
{
    struct row *r;
    int got;

    *bad = false;
    for (;;) {
        r = &f->ring[f->first];
        switch (f->step) {
        case STEP_TAKE:
            got = take_row(f, bad, err);
            if (got <= 0)
                return got;
            break;
        case STEP_AUDIO:
            f->step = f->only == ROWFEED_AUDIO ? STEP_DROP : STEP_EDA;
            return audio_frame(f, r, out, err) ? -1 : 1;
        case STEP_EDA:
            f->step = STEP_DROP;
            if (f->only != ROWFEED_AUDIO)
                return eda_frame(r, out, err) ? -1 : 1;
            break;
        case STEP_DROP:
            drop_row(f);
            f->step = STEP_TAKE;
            break;
        }
    }
}

size_t rowfeed_n_rows(const struct rowfeed *f)
{
    return f->n_done;
}

void rowfeed_close(struct rowfeed *f)
{
    if (!f)
        return;
    while (f->n > 0)
        drop_row(f);
    free(f->sent);
    free(f->ring);
    buf_release(&f->key);
    free(f);
}
