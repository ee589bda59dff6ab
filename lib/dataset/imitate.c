/*
 * imitate - the files of a planted dataset in the layout of a known one.
 *
 * PMEmo2019, as pmemo2019.c reads it:
 *   metadata.csv            musicId,fileName,title,artist,album,duration,
 *                           chorus_start_time,chorus_end_time
 *   chorus/<musicId>.wav    mono, 16-bit PCM
 *   EDA/<musicId>_EDA.csv   time(s), then a column per subject, 50 Hz
 * HKU956, as hku956.c reads it:
 *   1. physiological_signals/<participant>/EDA/<song_no>_<song_id>.csv
 *                           a value a line, 4 Hz, play_duration long
 *   2. original_song_audio.csv  song_id,link
 *   3. AV_ratings.csv       participant_id,song_no,song_id,valence_rating,
 *                           valence,arousal_rating,arousal,play_duration
 *   audio/<song_id>.wav     behind the links
 */
#include "dataset/imitate.h"

#include <math.h>
#include <string.h>

#include "dataset/dataset.h"
#include "dataset/hku956.h"
#include "dataset/planted.h"
#include "dataset/pmemo2019.h"

/* Number of the first subject of the pool. */
#define FIRST_SUBJECT 100001ul
/* The same in HKU956, behind "hku". */
#define FIRST_PARTICIPANT 1901ul

uint32_t imitate_eda_hz(enum dataset_kind kind)
{
    return kind == DATASET_HKU956 ? HKU956_EDA_RATE_HZ : PMEMO2019_EDA_RATE_HZ;
}

/* Writes a text as a file. */
static int save(const struct imitate *m, const char *name,
                const struct buf *text, struct err *err)
{
    if (buf_check(text, err))
        return -1;
    return newdir_save(&m->dir, name, buf_text(text), text->len, err);
}

int imitate_begin(const struct imitate *m, struct err *err)
{
    if (m->kind == DATASET_HKU956)
        return newdir_folder(&m->dir, "audio", err) ||
                       newdir_folder(&m->dir, HKU956_EDA, err)
                   ? -1
                   : 0;
    return newdir_folder(&m->dir, "chorus", err) ||
                   newdir_folder(&m->dir, "EDA", err)
               ? -1
               : 0;
}

/* Appends the name of a song's sound file. */
static void put_audio(const struct imitate *m, const char *id, struct buf *out)
{
    buf_printf(out, "%s/%s.wav", m->kind == DATASET_HKU956 ? "audio" : "chorus",
               id);
}

int imitate_audio(const struct imitate *m, const char *id, const void *wav,
                  size_t n, struct err *err)
{
    struct buf name = {0};
    int rc;

    put_audio(m, id, &name);
    rc = buf_check(&name, err);
    if (!rc)
        rc = newdir_save(&m->dir, buf_text(&name), wav, n, err);
    buf_release(&name);
    return rc;
}

/* Makes the two folders of an HKU956 participant. */
static int make_participant(const struct imitate *m, size_t number,
                            struct err *err)
{
    struct buf name = {0};
    int rc;

    buf_printf(&name, HKU956_EDA "/hku%lu",
               FIRST_PARTICIPANT + (unsigned long)number);
    rc = buf_check(&name, err);
    if (!rc)
        rc = newdir_folder(&m->dir, buf_text(&name), err);
    buf_puts(&name, "/EDA");
    if (!rc)
        rc = buf_check(&name, err);
    if (!rc)
        rc = newdir_folder(&m->dir, buf_text(&name), err);
    buf_release(&name);
    return rc;
}

int imitate_listeners(const struct imitate *m, struct err *err)
{
    size_t i, k;

    for (i = 0; m->kind == DATASET_HKU956 && i < m->n_songs; i++) {
        for (k = 0; k < m->songs[i].n_plays; k++) {
            const struct imitate_play *play = &m->songs[i].plays[k];

            if (play->song_no == 0 && make_participant(m, play->subject, err))
                return -1;
        }
    }
    return 0;
}

/* Appends a value in uS with four decimals. */
static void put_value(struct buf *out, int32_t v)
{
    int32_t size = v < 0 ? -v : v;

    buf_printf(out, "%s%d.%04d", v < 0 ? "-" : "", size / PLANTED_EDA_SCALE,
               size % PLANTED_EDA_SCALE);
}

/* Writes PMEmo2019's table of one song; all plays have n_eda samples. */
static int save_song_table(const struct imitate *m,
                           const struct imitate_song *song, const int32_t *eda,
                           size_t stride, struct err *err)
{
    struct buf csv = {0}, name = {0};
    size_t i, k;
    int rc;

    buf_puts(&csv, "time(s)");
    for (k = 0; k < song->n_plays; k++)
        buf_printf(&csv, ",%lu",
                   FIRST_SUBJECT + (unsigned long)song->plays[k].subject);
    buf_puts(&csv, "\n");
    for (i = 0; i < song->n_eda; i++) {
        buf_printf(&csv, "%zu.%02zu", i / PLANTED_EDA_HZ,
                   i % PLANTED_EDA_HZ * (100 / PLANTED_EDA_HZ));
        for (k = 0; k < song->n_plays; k++) {
            buf_puts(&csv, ",");
            put_value(&csv, eda[k * stride + i]);
        }
        buf_puts(&csv, "\n");
    }
    buf_printf(&name, "EDA/%s_EDA.csv", song->id);
    rc = buf_check(&name, err);
    if (!rc)
        rc = save(m, buf_text(&name), &csv, err);
    buf_release(&csv);
    buf_release(&name);
    return rc;
}

/* Writes HKU956's file of one play. */
static int save_play(const struct imitate *m, const struct imitate_song *song,
                     const struct imitate_play *play, const int32_t *eda,
                     struct err *err)
{
    struct buf csv = {0}, name = {0};
    size_t i;
    int rc;

    for (i = 0; i < play->n; i++) {
        put_value(&csv, eda[i]);
        buf_puts(&csv, "\n");
    }
    buf_printf(&name, HKU956_EDA "/hku%lu/EDA/%lu_%s.csv",
               FIRST_PARTICIPANT + (unsigned long)play->subject,
               (unsigned long)play->song_no, song->id);
    rc = buf_check(&name, err);
    if (!rc)
        rc = save(m, buf_text(&name), &csv, err);
    buf_release(&csv);
    buf_release(&name);
    return rc;
}

int imitate_eda(const struct imitate *m, const struct imitate_song *song,
                const int32_t *eda, size_t stride, struct err *err)
{
    size_t k;

    if (m->kind != DATASET_HKU956)
        return save_song_table(m, song, eda, stride, err);
    for (k = 0; k < song->n_plays; k++) {
        if (save_play(m, song, &song->plays[k], eda + k * stride, err))
            return -1;
    }
    return 0;
}

/* Appends one field of a CSV line, quoted where it has to be. */
static void put_field(struct buf *b, const char *text)
{
    if (!strpbrk(text, ",\"")) {
        buf_puts(b, text);
        return;
    }
    buf_puts(b, "\"");
    for (; *text; text++)
        buf_printf(b, *text == '"' ? "\"%c" : "%c", *text);
    buf_puts(b, "\"");
}

/* Writes PMEmo2019's metadata.csv. */
static int save_metadata(const struct imitate *m, struct err *err)
{
    struct buf b = {0}, name = {0};
    size_t i;
    int rc;

    buf_puts(&b, "musicId,fileName,title,artist,album,duration,"
                 "chorus_start_time,chorus_end_time\n");
    for (i = 0; i < m->n_songs; i++) {
        const struct imitate_song *song = &m->songs[i];
        size_t n = song->n_eda, end_s = song->at_s + n / PLANTED_EDA_HZ;

        put_field(&b, song->id);
        buf_puts(&b, ",");
        buf_clear(&name);
        buf_printf(&name, "%s.wav", song->id);
        put_field(&b, buf_text(&name));
        buf_puts(&b, ",");
        put_field(&b, song->title);
        buf_printf(&b, ",a2b-synth,,%zu.%02zu,%02zu:%02zu,%02zu:%02zu\n",
                   n / PLANTED_EDA_HZ,
                   n % PLANTED_EDA_HZ * (100 / PLANTED_EDA_HZ), song->at_s / 60,
                   song->at_s % 60, end_s / 60, end_s % 60);
    }
    rc = buf_check(&name, err);
    if (!rc)
        rc = save(m, "metadata.csv", &b, err);
    buf_release(&b);
    buf_release(&name);
    return rc;
}

/* Writes HKU956's table of songs. */
static int save_links(const struct imitate *m, struct err *err)
{
    struct buf b = {0}, name = {0}, link = {0};
    int rc = 0;
    size_t i;

    buf_puts(&b, "song_id,link\n");
    for (i = 0; !rc && i < m->n_songs; i++) {
        buf_clear(&name);
        buf_clear(&link);
        put_audio(m, m->songs[i].id, &name);
        rc = buf_check(&name, err);
        if (!rc && m->links)
            rc = store_join(m->links, buf_text(&name), &link, err);
        put_field(&b, m->songs[i].id);
        buf_puts(&b, ",");
        put_field(&b, buf_text(m->links ? &link : &name));
        buf_puts(&b, "\n");
    }
    if (!rc)
        rc = save(m, HKU956_SONGS, &b, err);
    buf_release(&b);
    buf_release(&name);
    buf_release(&link);
    return rc;
}

/* Appends a rating, in tenths, and its sign in words. */
static void put_rating(struct buf *b, double rating)
{
    long tenths = lrint(10 * rating), size = tenths < 0 ? -tenths : tenths;

    buf_printf(b, ",%s%ld.%ld,%s", tenths < 0 ? "-" : "", size / 10, size % 10,
               tenths > 0   ? "positive"
               : tenths < 0 ? "negative"
                            : "neutral");
}

/* Writes HKU956's table of ratings. */
static int save_ratings(const struct imitate *m, struct err *err)
{
    struct buf b = {0};
    size_t i, k;
    int rc;

    buf_puts(&b, "participant_id,song_no,song_id,valence_rating,valence,"
                 "arousal_rating,arousal,play_duration\n");
    for (i = 0; i < m->n_songs; i++) {
        for (k = 0; k < m->songs[i].n_plays; k++) {
            const struct imitate_play *play = &m->songs[i].plays[k];

            buf_printf(&b, "hku%lu,%lu,",
                       FIRST_PARTICIPANT + (unsigned long)play->subject,
                       (unsigned long)play->song_no);
            put_field(&b, m->songs[i].id);
            put_rating(&b, play->valence);
            put_rating(&b, play->arousal);
            buf_printf(&b, ",%zu\n", play->n / HKU956_EDA_RATE_HZ);
        }
    }
    rc = save(m, HKU956_RATINGS, &b, err);
    buf_release(&b);
    return rc;
}

int imitate_tables(const struct imitate *m, struct err *err)
{
    if (m->kind == DATASET_HKU956)
        return save_links(m, err) || save_ratings(m, err) ? -1 : 0;
    return save_metadata(m, err);
}

void imitate_put_id(const struct imitate *m, const struct imitate_song *song,
                    const struct imitate_play *play, struct buf *out)
{
    buf_printf(out, "%s/%s/", dataset_kind_name(m->kind), song->id);
    if (m->kind == DATASET_HKU956)
        buf_printf(out, "hku%lu/%lu",
                   FIRST_PARTICIPANT + (unsigned long)play->subject,
                   (unsigned long)play->song_no);
    else
        buf_printf(out, "%lu", FIRST_SUBJECT + (unsigned long)play->subject);
}
