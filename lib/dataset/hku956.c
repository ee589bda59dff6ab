/*
 * hku956 - the layout of HKU956.
 *
 *   1. physiological_signals/<participant>/EDA/<song_no>_<song_id>.csv
 *                              one value a line, no header, 4 Hz; covers the
 *                              played part of the song from its start.
 *                              <song_no> counts what a participant heard
 *   2. original_song_audio.csv song_id,link: http(s)://, s3:// or a name
 *                              below the root
 *   3. AV_ratings.csv          participant_id,song_no,song_id,...,
 *                              play_duration in seconds; may be absent
 *
 * 1. Songs and links are read from the table of songs.
 * 2. The folder of recordings is listed; a file's name says who, which play
 *    and which song. Other signals than EDA lie there too.
 * 3. The table of ratings must not contradict the files: another song for
 *    the same play, or a file too small for its play_duration.
 * 4. A song without link or recordings, and a recording without song, are
 *    left out. Songs behind relative links must be there.
 */
#include "dataset/hku956.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "dataset/layout.h"

/* Dataset word. */
#define WORD "hku956"

/* Folder of a participant's recordings, between the slashes. */
#define EDA_PART "/EDA/"

/* What a recording's file name ends with. */
#define SUFFIX ".csv"

/* Fewest bytes of a line with a value: a digit and the newline. */
#define MIN_LINE_SIZE 2

/* Longest play that is believed, seconds: a day. */
#define MAX_PLAY_S 86400

/* One song of the table. */
struct song {
    char *id;            /* song_id, owned */
    char *audio;         /* URI, owned; NULL: no link */
    bool relative;       /* the link is a name below the root */
    size_t n_recordings; /* how many EDA files it has */
    bool dead;           /* relative, and looking at it failed */
    struct err fault;    /* how, for a dead one */
};

/* One EDA file. */
struct play {
    char *name;          /* below the folder of recordings, owned */
    char *subject;       /* participant, owned; the two below lie in it */
    const char *song_no; /* which one of the participant's plays */
    const char *song_id; /* what was heard */
    uint64_t size;       /* bytes */
    struct song *song;   /* its song; NULL: none, or it is left out */
};

/* One listing. */
struct hku {
    const struct dataset_source *source; /* the caller's */
    struct buf table;                    /* URI of the table of songs */
    struct buf ratings;                  /* URI of the table of ratings */
    struct buf audio;                    /* what relative links begin at */
    struct buf eda;                      /* URI of the folder of recordings */
    struct song *songs;                  /* n_songs, by id; owned */
    size_t n_songs;                      /* how many */
    size_t songs_cap;                    /* room in songs */
    struct play *plays; /* n_plays, by subject and song_no; owned */
    size_t n_plays;     /* how many */
    size_t plays_cap;   /* room in plays */
};

/* Finds the places of the layout below the root, all but that of the EDA. */
static int find_places(struct hku *h, struct err *err)
{
    const struct config_dataset *c = h->source->conf;
    const char *root = h->source->root;
    const char *table = HKU956_SONGS, *ratings = HKU956_RATINGS;

    if (c && c->n_metadata_paths > 0)
        table = c->metadata_paths[0];
    if (c && c->n_metadata_paths > 1)
        ratings = c->metadata_paths[1];
    if (c && c->audio_directory) {
        if (store_join(root, c->audio_directory, &h->audio, err))
            return -1;
    } else {
        buf_puts(&h->audio, root);
    }
    if (store_join(root, table, &h->table, err) ||
        store_join(root, ratings, &h->ratings, err))
        return -1;
    return buf_check(&h->audio, err);
}

/* Whether a link names its place itself. */
static bool is_remote(const char *link)
{
    static const char *const schemes[] = {"http://", "https://", "s3://"};
    size_t i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncasecmp(link, schemes[i], strlen(schemes[i])) == 0)
            return true;
    }
    return false;
}

/* Resolves a link into the song's URI; an empty one leaves it NULL. */
static int set_link(const struct hku *h, struct song *song, const char *link,
                    struct err *err)
{
    struct buf uri = {0};
    int rc;

    if (!*link)
        return 0;
    song->relative = !is_remote(link);
    if (song->relative) {
        rc = store_join(buf_text(&h->audio), link, &uri, err);
    } else {
        buf_puts(&uri, link);
        rc = buf_check(&uri, err);
    }
    if (!rc)
        rc = manifest_set(&song->audio, buf_text(&uri), err);
    buf_release(&uri);
    return rc;
}

/* Adds the song of a row of the table. */
static int add_song(void *ctx, const struct csv *csv, const size_t *at,
                    struct err *err)
{
    const char *id = csv_field(csv, at[0]);
    struct song *grown, song = {0};
    struct hku *h = ctx;

    if (!layout_good_id(id))
        return err_set(err, ERR_DATA,
                       "%s: line %zu: song_id \"%s\", want text without '/' "
                       "and control characters",
                       csv->name, csv->line, id);
    grown =
        mem_grow(h->songs, &h->songs_cap, h->n_songs + 1, sizeof(*grown), err);
    if (!grown)
        return -1;
    h->songs = grown;
    if (set_link(h, &song, csv_field(csv, at[1]), err)) {
        err_prefix(err, "%s: line %zu", csv->name, csv->line);
        return -1;
    }
    if (manifest_set(&song.id, id, err)) {
        free(song.audio);
        return -1;
    }
    h->songs[h->n_songs++] = song;
    return 0;
}

/* Orders songs by id, for qsort. */
static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct song *)a)->id, ((const struct song *)b)->id);
}

/* The song of an id, NULL if there is none. */
static struct song *find_song(const struct hku *h, const char *id)
{
    struct song key = {.id = (char *)id}; /* only compared */

    return h->n_songs ? bsearch(&key, h->songs, h->n_songs, sizeof(key), by_id)
                      : NULL;
}

/* Reads the table of songs, sorted by ids, which must differ. */
static int read_songs(struct hku *h, struct err *err)
{
    static const char *const columns[] = {"song_id", "link"};
    struct layout_visitor visitor = {add_song, h};
    size_t i;

    if (layout_table(h->source, buf_text(&h->table), columns, 2, &visitor, err))
        return -1;
    if (h->n_songs)
        qsort(h->songs, h->n_songs, sizeof(*h->songs), by_id);
    for (i = 1; i < h->n_songs; i++) {
        if (strcmp(h->songs[i - 1].id, h->songs[i].id) == 0)
            return err_set(err, ERR_DATA, "%s: song_id %s is there twice",
                           buf_text(&h->table), h->songs[i].id);
    }
    return 0;
}

/*
 * Takes <participant>/EDA/<song_no>_<song_id>.csv apart, in a copy.
 * Returns 1; 0 if the name is no such one; -1 without memory.
 */
static int split_name(struct play *play, const char *name, struct err *err)
{
    char *part, *file, *line, *end;

    play->subject = mem_string(name, err);
    if (!play->subject)
        return -1;
    part = strchr(play->subject, '/');
    file = part ? part + strlen(EDA_PART) : NULL;
    line = file ? strchr(file, '_') : NULL;
    end = line ? line + strlen(line) - strlen(SUFFIX) : NULL;
    if (!line || line == file || end <= line + 1)
        return 0;
    *part = *line = *end = '\0';
    play->song_no = file;
    play->song_id = line + 1;
    return layout_good_id(play->subject) && layout_good_id(play->song_no) &&
           layout_good_id(play->song_id);
}

/* Whether a name is a file of skin conductance; others lie there too. */
static bool is_eda(const char *name)
{
    const char *part = strchr(name, '/');
    size_t n = strlen(name), tail = strlen(SUFFIX);

    return part && part > name &&
           strncmp(part, EDA_PART, strlen(EDA_PART)) == 0 &&
           !strchr(part + strlen(EDA_PART), '/') &&
           part[strlen(EDA_PART)] != '.' && n > tail &&
           strcmp(name + n - tail, SUFFIX) == 0;
}

/* Notes an EDA file; one whose name does not say its song is left out. */
static int see_file(void *ctx, const char *name, uint64_t size, struct err *err)
{
    struct play *grown, play = {.size = size};
    struct hku *h = ctx;
    int got;

    if (!is_eda(name))
        return 0;
    grown =
        mem_grow(h->plays, &h->plays_cap, h->n_plays + 1, sizeof(*grown), err);
    if (!grown)
        return -1;
    h->plays = grown;
    got = split_name(&play, name, err);
    if (got > 0 && manifest_set(&play.name, name, err) == 0) {
        h->plays[h->n_plays++] = play;
        return 0;
    }
    free(play.subject);
    if (got)
        return -1;
    layout_leave_out(h->source, "EDA file", name,
                     "the name is not <song_no>_<song_id>" SUFFIX);
    return 0;
}

/* Orders plays by participant and number, for qsort and bsearch. */
static int by_play(const void *a, const void *b)
{
    const struct play *x = a, *y = b;
    int order = strcmp(x->subject, y->subject);

    return order ? order : strcmp(x->song_no, y->song_no);
}

/*
 * Lists a folder of recordings.
 * Returns 1; 0 if it is not there, with err set; -1 for all other failures.
 */
static int list_folder(struct hku *h, const char *name, struct err *err)
{
    struct store_visitor visitor = {see_file, h};

    buf_clear(&h->eda);
    if (store_join(h->source->root, name, &h->eda, err))
        return -1;
    if (store_list(h->source->store, buf_text(&h->eda), &visitor, err) == 0)
        return 1;
    return err->status == ERR_MISSING ? 0 : -1;
}

/* Lists the recordings, in whichever folder they are. */
static int list_plays(struct hku *h, struct err *err)
{
    const struct config_dataset *c = h->source->conf;
    const char *first = c && c->eda_directory ? c->eda_directory : HKU956_EDA;
    struct err first_err;
    int got = list_folder(h, first, &first_err);

    if (got >= 0 && h->n_plays == 0 && strcmp(first, HKU956_EDA) == 0) {
        int other = list_folder(h, HKU956_EDA_OTHER, err);

        if (other < 0)
            return -1;
        got = got || other;
    }
    if (got <= 0) {
        *err = first_err;
        return -1;
    }
    if (h->n_plays)
        qsort(h->plays, h->n_plays, sizeof(*h->plays), by_play);
    return 0;
}

/* Gives each play its song, and counts; one without song is left out. */
static void match_songs(struct hku *h)
{
    size_t i;

    for (i = 0; i < h->n_plays; i++) {
        struct play *play = &h->plays[i];

        play->song = find_song(h, play->song_id);
        if (play->song)
            play->song->n_recordings++;
        else
            layout_leave_out(h->source, "EDA file", play->name,
                             "no such song in the table of songs");
    }
}

/* Checks a rating's play_duration against the size of the EDA file. */
static int check_duration(struct play *play, const struct csv *csv,
                          const char *text, struct err *err)
{
    double play_s, least;

    if (num_parse_double(text, &play_s) ||
        !(play_s > 0 && play_s <= MAX_PLAY_S))
        return err_set(err, ERR_DATA,
                       "%s: line %zu: play_duration \"%s\", want 0 to %d s",
                       csv->name, csv->line, text, MAX_PLAY_S);
    least = MIN_LINE_SIZE * (play_s * HKU956_EDA_RATE_HZ - 1);
    if ((double)play->size >= least)
        return 0;
    play->song->n_recordings--;
    play->song = NULL;
    return err_set(err, ERR_DATA,
                   "%s: %llu bytes cannot hold the %g s that line %zu of %s "
                   "says",
                   play->name, (unsigned long long)play->size, play_s,
                   csv->line, csv->name);
}

/* Holds a row of the table of ratings against the EDA files. */
static int see_rating(void *ctx, const struct csv *csv, const size_t *at,
                      struct err *err)
{
    const char *song_id = csv_field(csv, at[2]);
    struct play key = {.subject = (char *)csv_field(csv, at[0]),
                       .song_no = csv_field(csv, at[1])};
    struct hku *h = ctx;
    struct play *play = NULL;
    struct song *song;

    if (h->n_plays)
        play = bsearch(&key, h->plays, h->n_plays, sizeof(key), by_play);
    song = find_song(h, song_id);
    if (!play && song && song->n_recordings) {
        struct buf name = {0};

        buf_printf(&name, WORD "/%s/%s/%s", song_id, key.subject, key.song_no);
        layout_leave_out(h->source, "recording", buf_text(&name),
                         "it was rated, but has no EDA file");
        buf_release(&name);
    }
    if (!play || !play->song)
        return 0;
    if (strcmp(play->song_id, song_id) != 0) {
        play->song->n_recordings--;
        play->song = NULL;
        return err_set(err, ERR_DATA, "%s: line %zu of %s says song %s",
                       play->name, csv->line, csv->name, song_id);
    }
    return check_duration(play, csv, csv_field(csv, at[3]), err);
}

/* Reads the table of ratings; it may be absent unless the config names it. */
static int read_ratings(struct hku *h, struct err *err)
{
    static const char *const columns[] = {"participant_id", "song_no",
                                          "song_id", "play_duration"};
    const struct config_dataset *c = h->source->conf;
    struct layout_visitor visitor = {see_rating, h};

    if (layout_table(h->source, buf_text(&h->ratings), columns, 4, &visitor,
                     err) == 0)
        return 0;
    return err->status == ERR_MISSING && !(c && c->n_metadata_paths > 1) ? 0
                                                                         : -1;
}

/* Whether the audio of a song is needed and can be looked at. */
static bool wants_look(const struct song *song)
{
    return song->audio && song->relative && song->n_recordings > 0;
}

/* Looks at the audio of a song behind a relative link. */
static void look(const struct hku *h, struct song *song)
{
    struct store_info info;

    if (store_stat(h->source->store, song->audio, &info, &song->fault)) {
        song->dead = true;
    } else if (info.folder) {
        song->dead = true;
        err_set(&song->fault, ERR_DATA, "%s: want a sound file, got a folder",
                song->audio);
    }
}

/* Looks at all relative links, n_transfers at a time. */
static void look_at_links(struct hku *h)
{
    int n_threads = (int)h->source->n_transfers;
    size_t i;

#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
    for (i = 0; i < h->n_songs; i++) {
        if (wants_look(&h->songs[i]))
            look(h, &h->songs[i]);
    }
}

/* Appends the id of a play. */
static void put_id(struct buf *out, const struct play *play)
{
    buf_printf(out, WORD "/%s/%s/%s", play->song_id, play->subject,
               play->song_no);
}

/* Tells of a song whose link is dead, with its recordings. */
static void name_dead(const struct hku *h, const struct song *song)
{
    const struct dataset_watcher *w = h->source->watcher;
    struct buf ids = {0};
    struct err item;
    size_t i;

    for (i = 0; i < h->n_plays; i++) {
        if (h->plays[i].song != song)
            continue;
        if (ids.len)
            buf_puts(&ids, ", ");
        put_id(&ids, &h->plays[i]);
    }
    err_set(&item, song->fault.status, "%s (the link of song %s, needed by %s)",
            song->fault.text, song->id, buf_text(&ids));
    buf_release(&ids);
    w->bad(w->ctx, &item);
}

/*
 * Says which songs are not complete. A dead link is a bad item; a place that
 * does not answer at all is a failure.
 */
static int judge_songs(struct hku *h, struct err *err)
{
    size_t i;

    for (i = 0; i < h->n_songs; i++) {
        struct song *song = &h->songs[i];

        if (song->dead &&
            (song->fault.status == ERR_AGAIN || song->fault.status == ERR_IO)) {
            *err = song->fault;
            return -1;
        }
        if (song->dead)
            name_dead(h, song);
        else if (!song->audio || !song->n_recordings)
            layout_leave_out(h->source, "song", song->id,
                             song->audio          ? "no EDA file"
                             : song->n_recordings ? "no link, but an EDA file"
                                                  : "neither link nor EDA "
                                                    "file");
    }
    return 0;
}

/* Adds the recording of a play whose song is there. */
static int add_recording(const struct hku *h, const struct play *play,
                         struct manifest *out, struct err *err)
{
    struct manifest_row row = {0};
    struct buf id = {0}, eda = {0};
    int rc;

    put_id(&id, play);
    row.eda_rate_hz = HKU956_EDA_RATE_HZ;
    rc = buf_check(&id, err) ||
         store_join(buf_text(&h->eda), play->name, &eda, err) ||
         manifest_set(&row.dataset, WORD, err) ||
         manifest_set(&row.recording, buf_text(&id), err) ||
         manifest_set(&row.subject, play->subject, err) ||
         manifest_set(&row.song, play->song->id, err) ||
         manifest_set(&row.audio, play->song->audio, err) ||
         manifest_set(&row.eda, buf_text(&eda), err);
    buf_release(&id);
    buf_release(&eda);
    if (rc) {
        manifest_row_release(&row);
        return -1;
    }
    return manifest_add(out, &row, err);
}

/* Adds all recordings that can be used. */
static int add_recordings(const struct hku *h, struct manifest *out,
                          struct err *err)
{
    size_t i;

    for (i = 0; i < h->n_plays; i++) {
        const struct play *play = &h->plays[i];

        if (play->song && play->song->audio && !play->song->dead &&
            add_recording(h, play, out, err))
            return -1;
    }
    return 0;
}

/* Frees a listing. */
static void release(struct hku *h)
{
    size_t i;

    for (i = 0; i < h->n_songs; i++) {
        free(h->songs[i].id);
        free(h->songs[i].audio);
    }
    for (i = 0; i < h->n_plays; i++) {
        free(h->plays[i].name);
        free(h->plays[i].subject);
    }
    free(h->songs);
    free(h->plays);
    buf_release(&h->table);
    buf_release(&h->ratings);
    buf_release(&h->audio);
    buf_release(&h->eda);
}

int hku956_list(const struct dataset_source *source, struct manifest *out,
                struct err *err)
{
    struct hku h = {.source = source};
    int rc = find_places(&h, err) || read_songs(&h, err) || list_plays(&h, err);

    if (!rc) {
        match_songs(&h);
        rc = read_ratings(&h, err);
    }
    if (!rc) {
        look_at_links(&h);
        rc = judge_songs(&h, err) || add_recordings(&h, out, err);
    }
    release(&h);
    return rc ? -1 : 0;
}
