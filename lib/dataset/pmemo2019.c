/*
 * pmemo2019 - the layout of PMEmo2019.
 *
 *   metadata.csv            musicId, fileName, title, ...: one row a song
 *   chorus/<fileName>       its clip
 *   EDA/<musicId>_EDA.csv   time column, then one column a subject, 50 Hz
 *
 * 1. Songs are read from metadata.csv, column names whatever their case.
 * 2. The folders are listed; a song without clip or recordings and a
 *    recording file without song are left out.
 * 3. The beginning of every other recording file is read ahead, its header
 *    gives the subjects: recordings pmemo2019/<musicId>/<subject>.
 */
#include "dataset/pmemo2019.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dataset/layout.h"
#include "signal/csv.h"
#include "store/fetcher.h"

/* Dataset word. */
#define WORD "pmemo2019"

/* What follows the song's id in the name of a recording file. */
#define EDA_SUFFIX "_EDA.csv"

/* Bytes of a recording file that are read first. */
#define HEADER_SIZE 65536u

/* Longest header that is looked for, bytes. */
#define HEADER_MAX 16777216u

/* One song of metadata.csv. */
struct song {
    char *id;                    /* musicId, owned */
    char *file;                  /* fileName, owned */
    bool has_audio;              /* the clip is there */
    bool has_eda;                /* the recording file is there */
    struct fetcher_item *header; /* beginning of it, held; or NULL */
};

/* One listing. */
struct pmemo {
    const struct dataset_source *source; /* the caller's */
    struct buf metadata;                 /* URI of metadata.csv */
    struct buf audio;                    /* URI of the clips' folder */
    struct buf eda;                      /* URI of the recordings' folder */
    struct song *songs;                  /* n_songs, by id; owned */
    size_t n_songs;                      /* how many */
    size_t songs_cap;                    /* room in songs */
    struct song **files;                 /* n_songs, by file name; owned */
    size_t next_file;                    /* first file not yet listed past */
    struct fetcher *fetcher;             /* reads headers, owned */
};

/* Finds the places of the layout below the root. */
static int find_places(struct pmemo *p, struct err *err)
{
    const struct config_dataset *c = p->source->conf;
    const char *metadata = "metadata.csv";
    const char *audio = "chorus";
    const char *eda = "EDA";

    if (c && c->n_metadata_paths > 0)
        metadata = c->metadata_paths[0];
    if (c && c->audio_directory)
        audio = c->audio_directory;
    if (c && c->eda_directory)
        eda = c->eda_directory;
    if (store_join(p->source->root, metadata, &p->metadata, err) ||
        store_join(p->source->root, audio, &p->audio, err) ||
        store_join(p->source->root, eda, &p->eda, err))
        return -1;
    return 0;
}

/* Checks the two fields of a row of metadata.csv that are used. */
static int check_song(const struct pmemo *p, const struct csv *csv,
                      const char *id, const char *file, struct err *err)
{
    struct buf uri = {0};
    int rc;

    if (!layout_good_id(id))
        return err_set(err, ERR_DATA,
                       "%s: line %zu: musicId \"%s\", want text without '/' "
                       "and control characters",
                       csv->name, csv->line, id);
    rc = store_join(buf_text(&p->audio), file, &uri, err);
    buf_release(&uri);
    if (rc)
        err_prefix(err, "%s: line %zu", csv->name, csv->line);
    return rc;
}

/* Adds the song of a row of metadata.csv. */
static int add_song(void *ctx, const struct csv *csv, const size_t *at,
                    struct err *err)
{
    const char *id = csv_field(csv, at[0]), *file = csv_field(csv, at[1]);
    struct song *grown, song = {0};
    struct pmemo *p = ctx;

    if (check_song(p, csv, id, file, err))
        return -1;
    grown =
        mem_grow(p->songs, &p->songs_cap, p->n_songs + 1, sizeof(*grown), err);
    if (!grown)
        return -1;
    p->songs = grown;
    if (manifest_set(&song.id, id, err) ||
        manifest_set(&song.file, file, err)) {
        free(song.id);
        return -1;
    }
    p->songs[p->n_songs++] = song;
    return 0;
}

/* Orders songs by id, for qsort. */
static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct song *)a)->id, ((const struct song *)b)->id);
}

/* Orders pointers to songs by file name, for qsort. */
static int by_file(const void *a, const void *b)
{
    return strcmp((*(struct song *const *)a)->file,
                  (*(struct song *const *)b)->file);
}

/* Sorts the songs by id, which must differ, and an index by file name. */
static int sort_songs(struct pmemo *p, struct err *err)
{
    size_t i;

    p->files = mem_alloc(p->n_songs, sizeof(*p->files), err);
    if (!p->files)
        return -1;
    if (p->n_songs == 0)
        return 0;
    qsort(p->songs, p->n_songs, sizeof(*p->songs), by_id);
    for (i = 0; i < p->n_songs; i++) {
        p->files[i] = &p->songs[i];
        if (i > 0 && strcmp(p->songs[i - 1].id, p->songs[i].id) == 0)
            return err_set(err, ERR_DATA, "%s: musicId %s is there twice",
                           buf_text(&p->metadata), p->songs[i].id);
    }
    qsort(p->files, p->n_songs, sizeof(*p->files), by_file);
    return 0;
}

/* Reads metadata.csv into the sorted list of songs. */
static int read_songs(struct pmemo *p, struct err *err)
{
    static const char *const columns[] = {"musicId", "fileName"};
    struct layout_visitor visitor = {add_song, p};

    if (layout_table(p->source, buf_text(&p->metadata), columns, 2, &visitor,
                     err))
        return -1;
    return sort_songs(p, err);
}

/*
 * Marks the songs whose clip has this name. Names come sorted, so that both
 * lists are walked once.
 */
static int see_audio(void *ctx, const char *name, uint64_t size,
                     struct err *err)
{
    struct pmemo *p = ctx;

    (void)size;
    (void)err;
    while (p->next_file < p->n_songs) {
        struct song *song = p->files[p->next_file];
        int order = strcmp(song->file, name);

        if (order > 0)
            break;
        song->has_audio = order == 0;
        p->next_file++;
    }
    return 0;
}

/* Marks the song of a recording file; one without song is left out. */
static int see_eda(void *ctx, const char *name, uint64_t size, struct err *err)
{
    struct pmemo *p = ctx;
    size_t n = strlen(name), tail = strlen(EDA_SUFFIX);
    struct song key = {0}, *song = NULL;

    (void)size;
    if (n <= tail || strchr(name, '/') ||
        strcmp(name + n - tail, EDA_SUFFIX) != 0)
        return 0;
    key.id = mem_string(name, err);
    if (!key.id)
        return -1;
    key.id[n - tail] = '\0';
    if (p->n_songs)
        song = bsearch(&key, p->songs, p->n_songs, sizeof(key), by_id);
    if (song)
        song->has_eda = true;
    else
        layout_leave_out(p->source, "EDA of song", key.id,
                         "no such song in the metadata");
    free(key.id);
    return 0;
}

/* Whether a song is complete; one that is not is left out. */
static bool complete(struct pmemo *p, const struct song *song)
{
    if (song->has_audio && song->has_eda)
        return true;
    layout_leave_out(p->source, "song", song->id,
                     song->has_audio ? "no EDA file"
                     : song->has_eda ? "no audio file, but an EDA file"
                                     : "neither audio nor EDA file");
    return false;
}

/* Lists both folders and drops incomplete songs. */
static int match_files(struct pmemo *p, struct err *err)
{
    struct store_visitor audio = {see_audio, p}, eda = {see_eda, p};
    size_t kept = 0, i;

    if (store_list(p->source->store, buf_text(&p->audio), &audio, err) ||
        store_list(p->source->store, buf_text(&p->eda), &eda, err))
        return -1;
    for (i = 0; i < p->n_songs; i++) {
        if (complete(p, &p->songs[i])) {
            p->songs[kept++] = p->songs[i];
        } else {
            free(p->songs[i].id);
            free(p->songs[i].file);
        }
    }
    p->n_songs = kept;
    return 0;
}

/* Appends the URI of a song's recording file. */
static int eda_uri(const struct pmemo *p, const struct song *song,
                   struct buf *out, struct err *err)
{
    struct buf name = {0};
    int rc;

    buf_printf(&name, "%s" EDA_SUFFIX, song->id);
    rc = buf_check(&name, err);
    if (!rc)
        rc = store_join(buf_text(&p->eda), buf_text(&name), out, err);
    buf_release(&name);
    return rc;
}

/* Asks for the beginning of a song's recording file. */
static int want_header(struct pmemo *p, struct song *song, struct err *err)
{
    struct buf uri = {0};
    int rc = eda_uri(p, song, &uri, err);

    if (!rc) {
        song->header =
            fetcher_want(p->fetcher, buf_text(&uri), 0, HEADER_SIZE, err);
        rc = song->header ? 0 : -1;
    }
    buf_release(&uri);
    return rc;
}

/*
 * Reads the header row of a recording file, of which `bytes` holds the
 * beginning; reads on while the row has no end.
 */
static int header_row(struct pmemo *p, const char *uri, struct buf *bytes,
                      struct csv *csv, struct err *err)
{
    bool at_end = bytes->len < HEADER_SIZE;

    for (;;) {
        size_t before = bytes->len;
        int got;

        csv_release(csv);
        csv_init(csv, buf_text(bytes), bytes->len, uri, true);
        got = csv_row(csv, err);
        if (got > 0 && (csv->pos < csv->n || at_end))
            return 0;
        if (got == 0 && at_end)
            return err_set(err, ERR_DATA, "%s: empty, want a header", uri);
        if (at_end)
            return -1;
        if (bytes->len >= HEADER_MAX)
            return err_set(err, ERR_DATA, "%s: header longer than %u bytes",
                           uri, HEADER_MAX);
        if (store_read_range(p->source->store, uri, before, before, bytes, err))
            return -1;
        at_end = bytes->len < 2 * before;
    }
}

/* Checks the columns of a recording file's header: a time, then subjects. */
static int check_header(const struct csv *csv, struct err *err)
{
    size_t i, k;

    if (strncasecmp(csv_field(csv, 0), "time", 4) != 0)
        return err_set(err, ERR_DATA,
                       "%s: line %zu: first column is \"%s\", want time(s)",
                       csv->name, csv->line, csv_field(csv, 0));
    if (csv->n_fields < 2)
        return err_set(err, ERR_DATA, "%s: line %zu: no subject's column",
                       csv->name, csv->line);
    for (i = 1; i < csv->n_fields; i++) {
        if (!layout_good_id(csv_field(csv, i)))
            return err_set(err, ERR_DATA,
                           "%s: line %zu: column %zu is \"%s\", want a "
                           "subject without '/' and control characters",
                           csv->name, csv->line, i + 1, csv_field(csv, i));
        for (k = 1; k < i; k++) {
            if (strcmp(csv_field(csv, i), csv_field(csv, k)) == 0)
                return err_set(err, ERR_DATA,
                               "%s: line %zu: subject %s has two columns",
                               csv->name, csv->line, csv_field(csv, i));
        }
    }
    return 0;
}

/* Adds the recording of one subject of a song. */
static int add_recording(const struct song *song, const char *subject,
                         const char *audio, const char *eda,
                         struct manifest *out, struct err *err)
{
    struct manifest_row row = {0};
    struct buf id = {0};
    int rc;

    buf_printf(&id, WORD "/%s/%s", song->id, subject);
    row.eda_rate_hz = PMEMO2019_EDA_RATE_HZ;
    rc = buf_check(&id, err) || manifest_set(&row.dataset, WORD, err) ||
         manifest_set(&row.recording, buf_text(&id), err) ||
         manifest_set(&row.subject, subject, err) ||
         manifest_set(&row.song, song->id, err) ||
         manifest_set(&row.audio, audio, err) ||
         manifest_set(&row.eda, eda, err) ||
         manifest_set(&row.eda_column, subject, err);
    buf_release(&id);
    if (rc) {
        manifest_row_release(&row);
        return -1;
    }
    return manifest_add(out, &row, err);
}

/* Adds a song's recordings from the header of its file, which is read. */
static int add_recordings(struct pmemo *p, const struct song *song,
                          const struct csv *csv, struct manifest *out,
                          struct err *err)
{
    struct buf audio = {0};
    int rc = store_join(buf_text(&p->audio), song->file, &audio, err);
    size_t i;

    for (i = 1; !rc && i < csv->n_fields; i++)
        rc = add_recording(song, csv_field(csv, i), buf_text(&audio), csv->name,
                           out, err);
    buf_release(&audio);
    return rc;
}

/* Waits for a song's header and adds its recordings. */
static int list_song(struct pmemo *p, const struct song *song,
                     struct manifest *out, struct err *err)
{
    const struct fetcher_item *item = song->header;
    struct buf bytes = {0};
    struct csv csv = {0};
    int rc = fetcher_wait(p->fetcher, song->header, err);

    if (!rc) {
        buf_put(&bytes, buf_text(&item->blob.bytes), item->blob.bytes.len);
        rc = buf_check(&bytes, err);
    }
    if (!rc)
        rc = header_row(p, item->uri, &bytes, &csv, err);
    if (!rc)
        rc = check_header(&csv, err);
    if (!rc)
        rc = add_recordings(p, song, &csv, out, err);
    csv_release(&csv);
    buf_release(&bytes);
    return rc;
}

/* Lists all songs, headers read ahead; a song that fails is a bad item. */
static int list_songs(struct pmemo *p, struct manifest *out, struct err *err)
{
    const struct dataset_watcher *w = p->source->watcher;
    size_t ahead = 2 * p->source->n_transfers + 1, wanted = 0, i;

    p->fetcher = fetcher_open(p->source->store, p->source->n_transfers, err);
    if (!p->fetcher)
        return -1;
    for (i = 0; i < p->n_songs; i++) {
        for (; wanted < p->n_songs && wanted < i + ahead; wanted++) {
            if (want_header(p, &p->songs[wanted], err))
                return -1;
        }
        if (list_song(p, &p->songs[i], out, err))
            w->bad(w->ctx, err);
        fetcher_drop(p->fetcher, p->songs[i].header);
    }
    return 0;
}

int pmemo2019_list(const struct dataset_source *source, struct manifest *out,
                   struct err *err)
{
    struct pmemo p = {.source = source};
    size_t i;
    int rc;

    rc = find_places(&p, err) || read_songs(&p, err) || match_files(&p, err) ||
                 list_songs(&p, out, err)
             ? -1
             : 0;
    fetcher_close(p.fetcher);
    for (i = 0; i < p.n_songs; i++) {
        free(p.songs[i].id);
        free(p.songs[i].file);
    }
    free(p.songs);
    free(p.files);
    buf_release(&p.metadata);
    buf_release(&p.audio);
    buf_release(&p.eda);
    return rc;
}
