/*
 * edaframe - the seam between frames and the EDA chain.
 *
 * Eleven listeners share one PMEmo2019 file and every frame carries it
 * whole; comparing bytes with those of the last frame is far cheaper than
 * parsing them again.
 */
#include "signal/edaframe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "signal/mfcc.h"

/* Thresholds of responses where nobody gave one: uS, share. */
#define SCR_AMPLITUDE_US 0.01
#define SCR_RELATIVE 0.1

/* Origins of frame times that differ by less, in s, are the same. */
#define SAME_T0_S 1e-9

void edaframe_init(struct edaframe *c, const struct config_features *conf)
{
    *c = (struct edaframe){.conf = conf, .scr_amplitude = -1,
                           .scr_relative = -1};
    eda_init(&c->eda, conf);
}

void edaframe_release(struct edaframe *c)
{
    size_t i;

    for (i = 0; i < c->n_songs; i++)
        free(c->songs[i].key);
    free(c->songs);
    eda_release(&c->eda);
    csv_eda_release(&c->csv);
    scr_release(&c->scr);
    buf_release(&c->bytes);
    *c = (struct edaframe){0};
}

/* The song of a dataset/song key; NULL if its mfcc frame did not come. */
static struct edaframe_song *find_song(const struct edaframe *c,
                                       const char *dataset, const char *song)
{
    size_t n = strlen(dataset), i;

    /* Recordings follow their song, so the latest is the likeliest. */
    for (i = c->n_songs; i-- > 0;) {
        const char *key = c->songs[i].key;

        if (strncmp(key, dataset, n) == 0 && key[n] == '/' &&
            strcmp(key + n + 1, song) == 0)
            return &c->songs[i];
    }
    return NULL;
}

/* "dataset/name" appended to key. */
static int join(struct buf *key, const char *dataset, const char *name,
                struct err *err)
{
    buf_printf(key, "%s/%s", dataset, name);
    return buf_check(key, err);
}

int edaframe_see(struct edaframe *c, const struct frame *mfcc,
                 struct err *err)
{
    const char *dataset, *name;
    struct edaframe_song *song;
    struct buf key = {0};
    struct eda_grid grid;
    int64_t num, den;

    if (frame_need(mfcc, "dataset", &dataset, err) ||
        frame_need(mfcc, "song", &name, err) ||
        frame_need_int(mfcc, "rate_num", 1, INT32_MAX, &num, err) ||
        frame_need_int(mfcc, "rate_den", 1, INT32_MAX, &den, err) ||
        frame_need_num(mfcc, "t0_s", &grid.t0_s, err))
        return -1;
    grid.rate_num = (uint64_t)num;
    grid.rate_den = (uint64_t)den;
    song = find_song(c, dataset, name);
    if (song) {
        song->grid = grid;
        return 0;
    }
    song = mem_grow(c->songs, &c->songs_cap, c->n_songs + 1, sizeof *song,
                    err);
    if (!song)
        return -1;
    c->songs = song;
    if (join(&key, dataset, name, err)) {
        buf_release(&key);
        return -1;
    }
    c->songs[c->n_songs++] = (struct edaframe_song){key.data, grid};
    return 0;
}

int edaframe_parse(struct edaframe *c, const void *bytes, size_t n,
                   const char *name, struct err *err)
{
    if (c->parsed && c->bytes.len == n &&
        (n == 0 || memcmp(c->bytes.data, bytes, n) == 0))
        return 0;
    c->parsed = false;
    buf_clear(&c->bytes);
    buf_put(&c->bytes, bytes, n);
    if (buf_check(&c->bytes, err) ||
        csv_eda_parse(&c->csv, buf_text(&c->bytes), n, name, err))
        return -1;
    c->parsed = true;
    c->n_parsed++;
    return 0;
}

int edaframe_load(struct edaframe *c, const struct frame *in,
                  const char *name, struct err *err)
{
    const struct tensor *t;
    const char *dataset;
    double rate_hz = c->input_rate_hz;
    size_t column;

    if (frame_need_tensor(in, "eda_csv", TENSOR_U8, 1, &t, err) ||
        frame_need(in, "dataset", &dataset, err))
        return -1;
    if (frame_get(in, "eda_rate_hz")) {
        if (frame_need_num(in, "eda_rate_hz", &rate_hz, err))
            return -1;
        if (!(rate_hz > 0) || !isfinite(rate_hz))
            return err_set(err, ERR_DATA, "%s: eda_rate_hz: wanted a rate "
                           "over 0, got %g", name, rate_hz);
    }
    if (edaframe_parse(c, t->data, t->shape[0], name, err) ||
        csv_eda_column(&c->csv, frame_get(in, "eda_column"), name, &column,
                       err))
        return -1;
    return eda_load(&c->eda, &c->csv, column, rate_hz,
                    eda_unit_is_us(c->conf, dataset), name, err);
}

int edaframe_filter(struct edaframe *c, const char *name, struct err *err)
{
    return eda_filter(&c->eda, name, err);
}

/* The grid of the features section. Returns whether it says one. */
static bool features_grid(const struct config_features *conf,
                          struct eda_grid *grid)
{
    struct mfcc_grid own;

    if (conf->audio_target_sample_rate <= 0)
        return false;
    mfcc_grid(conf, (uint32_t)conf->audio_target_sample_rate, &own);
    *grid = (struct eda_grid){(uint64_t)own.rate_num,
                              (uint64_t)own.rate_den, own.t0_s};
    return true;
}

/* The grid for EDAFRAME_FRAMES. */
static int song_grid(const struct edaframe *c, const struct frame *in,
                     const char *name, struct eda_grid *grid,
                     struct err *err)
{
    const char *dataset, *song_name;
    const struct edaframe_song *song;
    struct eda_grid own;
    bool known = features_grid(c->conf, &own);

    if (frame_need(in, "dataset", &dataset, err) ||
        frame_need(in, "song", &song_name, err))
        return -1;
    song = find_song(c, dataset, song_name);
    if (!song && !known)
        return err_set(err, ERR_USAGE, "%s: no frame times: "
                       "features.audio_target_sample_rate is null and no "
                       "mfcc frame of %s/%s came before", name, dataset,
                       song_name);
    *grid = song ? song->grid : own;
    if (song && known &&
        (own.rate_num != grid->rate_num || own.rate_den != grid->rate_den ||
         !(fabs(own.t0_s - grid->t0_s) <= SAME_T0_S)))
        return err_set(err, ERR_DATA, "%s: wanted the frame times of the "
                       "features section, %llu/%llu Hz from %g s, got an "
                       "mfcc frame of %s with %llu/%llu Hz from %g s", name,
                       (unsigned long long)own.rate_num,
                       (unsigned long long)own.rate_den, own.t0_s, song->key,
                       (unsigned long long)grid->rate_num,
                       (unsigned long long)grid->rate_den, grid->t0_s);
    return 0;
}

int edaframe_grid(const struct edaframe *c, const struct frame *in,
                  const char *name, struct eda_grid *grid, struct err *err)
{
    if (c->rate == EDAFRAME_FRAMES)
        return song_grid(c, in, name, grid, err);
    *grid = (struct eda_grid){0};
    eda_rate_fraction(c->rate == EDAFRAME_HZ ? c->rate_hz : c->eda.rate_hz,
                      &grid->rate_num, &grid->rate_den);
    return 0;
}

int edaframe_subject(const struct frame *in, struct buf *key,
                     struct err *err)
{
    const char *dataset, *subject;

    if (frame_need(in, "dataset", &dataset, err) ||
        frame_need(in, "subject", &subject, err))
        return -1;
    return join(key, dataset, subject, err);
}

/* Statistics of the subject of a frame. */
static int find_subject(const struct edaframe *c, const struct frame *in,
                        const char *name, const struct eda_moments **out,
                        struct err *err)
{
    struct buf key = {0};
    int result = edaframe_subject(in, &key, err);

    *out = NULL;
    if (!result && c->stats) {
        *out = edastats_find(c->stats, buf_text(&key));
        if (!*out)
            result = err_set(err, ERR_DATA, "%s: wanted statistics of "
                             "subject %s, got none", name, buf_text(&key));
    }
    buf_release(&key);
    return result;
}

int edaframe_finish(struct edaframe *c, const struct frame *in,
                    const struct eda_grid *grid, const char *name,
                    struct frame *out, struct err *err)
{
    static const char *const dropped[] = {"uri", "etag", "eda_column",
                                          "eda_rate_hz"};
    const struct eda_moments *subject = NULL;
    size_t i;

    if (c->conf->eda_normalize == CONFIG_NORMALIZE_SUBJECT &&
        find_subject(c, in, name, &subject, err))
        return -1;
    if (eda_normalize(&c->eda, subject, err) ||
        eda_resample(&c->eda, grid, name, err))
        return -1;
    frame_clear(out);
    if (frame_copy_meta(out, in, err))
        return -1;
    for (i = 0; i < sizeof dropped / sizeof *dropped; i++)
        frame_unset(out, dropped[i]);
    return eda_put_frame(&c->eda, out, err);
}

void edaframe_scr_header(struct buf *out)
{
    buf_puts(out, "recording\tonset_s\tpeak_s\tamplitude\trise_s\t"
                  "recovery_s\n");
}

/* Appends the line of one response. */
static void put_response(const struct eda *e, const struct scr_event *r,
                         const char *recording, struct buf *out)
{
    double step_s = 1 / e->rate_hz;
    char onset[NUM_SIZE], peak[NUM_SIZE], high[NUM_SIZE], rise[NUM_SIZE],
        recovery[NUM_SIZE] = "";

    if (r->recovery != SCR_NONE)
        num_float(recovery,
                  (float)((double)(r->recovery - r->peak) * step_s));
    buf_printf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", recording,
               num_float(onset,
                         (float)(e->first_s + (double)r->onset * step_s)),
               num_float(peak,
                         (float)(e->first_s + (double)r->peak * step_s)),
               num_float(high, (float)r->amplitude),
               num_float(rise, (float)((double)(r->peak - r->onset) *
                                       step_s)),
               recovery);
}

int edaframe_scr(struct edaframe *c, const struct frame *in, struct buf *out,
                 struct err *err)
{
    double amplitude = c->scr_amplitude, relative = c->scr_relative;
    const struct eda *e = &c->eda;
    const char *recording;
    size_t i;

    if (frame_need(in, "recording", &recording, err))
        return -1;
    if (strpbrk(recording, "\t\r\n"))
        return err_set(err, ERR_DATA, "%s: wanted a recording id without "
                       "tab or newline", recording);
    if (amplitude < 0)
        amplitude = e->is_us ? SCR_AMPLITUDE_US : 0;
    if (relative < 0)
        relative = e->is_us ? 0 : SCR_RELATIVE;
    scr_clear(&c->scr);
    for (i = 0; i < e->n_pieces; i++)
        if (scr_scan(&c->scr, e->phasic, e->pieces[i].start, e->pieces[i].n,
                     err))
            return -1;
    scr_select(&c->scr, e->phasic, e->good, amplitude, relative);
    for (i = 0; i < c->scr.n; i++)
        put_response(e, &c->scr.events[i], recording, out);
    return buf_check(out, err);
}
