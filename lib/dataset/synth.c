/*
 * synth - a dataset with a planted audio-to-EDA relation.
 *
 * Its files are those of a known dataset (imitate.c), and planted.json beside
 * them: the options, and for each recording the correlation a perfect model
 * would reach.
 *
 * Steps: songs (own ones, or pieces cut into clips) are made and written in
 * parallel and leave their drivers behind; who hears which song, how long and
 * how often is drawn; then the skin conductance of each song is made from its
 * driver, or in null mode from that of the song half the list away. formulas:
 * planted.c.
 *
 * In HKU956's layout a third of the plays ends early, after half of the song
 * or later, every play is whole seconds long, one of 16 is repeated, and so
 * is the very first. A listener's repeats come after all other songs.
 */
#include "dataset/synth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "core/json.h"
#include "dataset/dataset.h"
#include "dataset/imitate.h"
#include "dataset/newdir.h"
#include "dataset/piece.h"
#include "dataset/planted.h"

/* Every how many plays one ends early, and one is repeated. */
#define SHORT_EVERY 3
#define REPLAY_EVERY 16

/* One song or clip. */
struct song {
    struct imitate_song is; /* what is written of it */
    double *d;              /* (n_before + is.n_eda) driver; owned */
};

/* The clips of one piece. */
struct cuts {
    struct song *clips; /* n_clips; owned, but what a clip owns moves on */
    size_t n_clips;     /* 0: shorter than one clip, or failed */
    bool failed;        /* err says why */
    struct err err;     /* what was wrong with it */
};

/* Everything one call works on. */
struct synth {
    const struct synth_conf *conf; /* its options */
    size_t n_pool;            /* subjects altogether */
    size_t n_before;          /* samples of skin conductance before a song */
    struct imitate set;       /* what is written */
    struct piece_list pieces; /* sound files */
    struct cuts *cuts;        /* (pieces.n) their clips; owned */
    struct song *songs;       /* n_songs; owned */
    size_t n_songs;           /* songs or clips */
    struct imitate_play *plays; /* n_plays, song by song; owned */
    size_t n_plays;           /* recordings */
};

/* Frees what a song owns. */
static void song_release(struct song *s)
{
    free(s->is.id);
    free(s->is.title);
    free(s->d);
}

/* Frees what a call works on. */
static void synth_release(struct synth *s)
{
    size_t i, k;

    for (i = 0; s->cuts && i < s->pieces.n; i++) {
        for (k = 0; k < s->cuts[i].n_clips; k++)
            song_release(&s->cuts[i].clips[k]);
        free(s->cuts[i].clips);
    }
    for (i = 0; s->songs && i < s->n_songs; i++)
        song_release(&s->songs[i]);
    piece_list_release(&s->pieces);
    free(s->cuts);
    free(s->songs);
    free(s->plays);
    free(s->set.songs);
}

/* Does work(s, i) for i < n in parallel; the first failure by i counts. */
static int in_parallel(struct synth *s, size_t n,
                       int (*work)(struct synth *, size_t, struct err *),
                       struct err *err)
{
    size_t i, bad = n;

#pragma omp parallel for schedule(dynamic) num_threads(s->conf->n_jobs)
    for (i = 0; i < n; i++) {
        struct err e;
        size_t before;
        int result;

#pragma omp atomic read
        before = bad;
        if (before < i)
            continue;
        if (s->conf->stop && *s->conf->stop)
            result = err_set(&e, ERR_FAILED, "stopped by a signal");
        else
            result = work(s, i, &e);
        if (result) {
#pragma omp critical
            if (i < bad) {
#pragma omp atomic write
                bad = i;
                *err = e;
            }
        }
    }
    return bad < n ? -1 : 0;
}

/* Stores the low n bytes of a number, least significant first. */
static unsigned char *put_le(unsigned char *at, uint32_t value, int n)
{
    for (; n > 0; n--, value >>= 8)
        *at++ = value & 0xff;
    return at;
}

/* Stores four characters. */
static unsigned char *put_tag(unsigned char *at, const char *tag)
{
    memcpy(at, tag, 4);
    return at + 4;
}

/* Writes a song's sound file: WAV, mono, 16 bits. */
static int save_wav(const struct synth *s, const char *id, uint32_t rate_hz,
                    const int16_t *pcm, size_t n, struct err *err)
{
    uint32_t size = (uint32_t)(2 * n);
    unsigned char *wav = mem_alloc(44 + 2 * n, 1, err), *at = wav;
    int result;
    size_t i;

    if (!wav)
        return -1;
    at = put_tag(at, "RIFF");
    at = put_le(at, 36 + size, 4);
    at = put_tag(put_tag(at, "WAVE"), "fmt ");
    at = put_le(at, 16, 4);          /* length of this part */
    at = put_le(at, 1, 2);           /* PCM */
    at = put_le(at, 1, 2);           /* channels */
    at = put_le(at, rate_hz, 4);     /* frames a second */
    at = put_le(at, 2 * rate_hz, 4); /* bytes a second */
    at = put_le(at, 2, 2);           /* bytes a frame */
    at = put_le(at, 16, 2);          /* bits a sample */
    at = put_le(put_tag(at, "data"), size, 4);
    for (i = 0; i < n; i++)
        at = put_le(at, (uint16_t)pcm[i], 2);
    result = imitate_audio(&s->set, id, wav, 44 + 2 * n, err);
    free(wav);
    return result;
}

/*
 * Writes a song and computes its driver.
 * x: (n_before + n) samples at rate_hz, the history first
 */
static int finish_song(const struct synth *s, struct song *song,
                       uint32_t rate_hz, const float *x, size_t n_before,
                       size_t n, struct err *err)
{
    size_t n_d = s->n_before + song->is.n_eda;
    int16_t *pcm = mem_alloc(n_before + n, sizeof *pcm, err);
    int result = -1;

    if (!pcm)
        return -1;
    song->d = mem_alloc(n_d, sizeof *song->d, err);
    if (!song->d)
        goto out;
    planted_quantise(x, n_before, n, pcm);
    if (planted_level(pcm, n_before + n, rate_hz, song->d, n_d, err))
        goto out;
    planted_driver(song->d, n_d);
    result = save_wav(s, song->is.id, rate_hz, pcm + n_before, n, err);
out:
    free(pcm);
    return result;
}

/* Names a song from two formatted texts. */
static int name_song(struct song *song, const char *stem, size_t number,
                     const char *title, struct err *err)
{
    struct buf id = {0};
    int result = -1;

    buf_printf(&id, "%s%s%zu", stem, *stem ? "-" : "", number);
    if (buf_check(&id, err) == 0) {
        song->is.id = mem_string(buf_text(&id), err);
        song->is.title = song->is.id ? mem_string(title, err) : NULL;
        result = song->is.title ? 0 : -1;
    }
    buf_release(&id);
    return result;
}

/* Makes and writes own song i. */
static int make_song(struct synth *s, size_t i, struct err *err)
{
    const struct synth_conf *c = s->conf;
    size_t n_before = (size_t)c->preroll_s * c->rate_hz, n;
    struct song *song = &s->songs[i];
    struct rng r;
    double length_s;
    int result = -1;
    float *x;

    rng_init(&r, c->seed, RNG_SYNTH, PLANTED_DRAW_LENGTH, (uint32_t)i);
    length_s = c->min_s + (c->max_s - c->min_s) * rng_uniform(&r);
    song->is.n_eda = (size_t)(length_s * PLANTED_EDA_HZ);
    n = song->is.n_eda * c->rate_hz / PLANTED_EDA_HZ;
    if (name_song(song, "", i + 1, "planted", err))
        return -1;
    x = mem_alloc(n_before + n, sizeof *x, err);
    if (!x)
        return -1;
    if (planted_song(c->seed, (uint32_t)i, c->rate_hz, n_before, n, x, err) ==
        0)
        result = finish_song(s, song, c->rate_hz, x, n_before, n, err);
    free(x);
    return result;
}

/*
 * One clip of piece i: its samples with the history that the piece has.
 * x: (n_before + n) scratch
 */
static int make_clip(struct synth *s, size_t i, size_t number,
                     const struct audio *audio, float *x, struct err *err)
{
    uint32_t rate_hz = audio->rate_hz;
    size_t n = (size_t)(s->conf->clip_s * rate_hz), from = number * n;
    size_t n_before = (size_t)s->conf->preroll_s * rate_hz;
    size_t known = from < n_before ? from : n_before;
    struct song *clip = &s->cuts[i].clips[number];
    const char *stem = s->pieces.item[i].stem;

    clip->is.at_s = from / rate_hz;
    clip->is.n_eda = (size_t)((uint64_t)n * PLANTED_EDA_HZ / rate_hz);
    memset(x, 0, (n_before - known) * sizeof *x);
    memcpy(x + n_before - known, audio->samples + from - known,
           (known + n) * sizeof *x);
    if (name_song(clip, stem, number + 1, stem, err))
        return -1;
    return finish_song(s, clip, rate_hz, x, n_before, n, err);
}

/* Cuts decoded piece i into clips; the rest at its end is left out. */
static int cut_piece(struct synth *s, size_t i, const struct audio *audio,
                     struct err *err)
{
    size_t n = (size_t)(s->conf->clip_s * audio->rate_hz), k;
    size_t n_before = (size_t)s->conf->preroll_s * audio->rate_hz;
    size_t n_clips = audio->n / n;
    struct cuts *cuts = &s->cuts[i];
    int result = 0;
    float *x;

    cuts->clips = mem_alloc(n_clips, sizeof *cuts->clips, err);
    if (!cuts->clips)
        return -1;
    cuts->n_clips = n_clips;
    x = mem_alloc(n_before + n, sizeof *x, err);
    if (!x)
        return -1;
    for (k = 0; result == 0 && k < n_clips; k++)
        result = make_clip(s, i, k, audio, x, err);
    free(x);
    return result;
}

/* Reads piece i and writes its clips; what is wrong with it stays with it. */
static int make_piece(struct synth *s, size_t i, struct err *err)
{
    struct cuts *cuts = &s->cuts[i];
    struct audio audio = {0};
    int result = 0;

    if (piece_read(&s->pieces.item[i], &audio, &cuts->err))
        cuts->failed = true;
    else
        result = cut_piece(s, i, &audio, err);
    audio_release(&audio);
    return result;
}

/* Collects the pieces that failed or were too short, counts the clips. */
static int judge_pieces(struct synth *s, struct synth_result *out,
                        struct err *err)
{
    size_t i;

    out->failed = mem_alloc(s->pieces.n, sizeof *out->failed, err);
    if (!out->failed)
        return -1;
    for (i = 0; i < s->pieces.n; i++) {
        const struct cuts *cuts = &s->cuts[i];

        if (cuts->failed && out->n_failed == s->conf->keep_going) {
            *err = cuts->err;
            return -1;
        }
        if (cuts->failed)
            out->failed[out->n_failed++] = cuts->err;
        else if (cuts->n_clips == 0)
            out->n_short++;
        s->n_songs += cuts->n_clips;
    }
    if (s->n_songs == 0)
        return err_set(err, ERR_DATA,
                       "%s: no file is as long as a clip of "
                       "%g s",
                       s->conf->songs_dir, s->conf->clip_s);
    return 0;
}

/* Cuts the pieces of the folder into the songs. */
static int make_pieces(struct synth *s, struct synth_result *out,
                       struct err *err)
{
    size_t i, k, n = 0;

    if (piece_list(&s->pieces, s->conf->songs_dir, err))
        return -1;
    s->cuts = mem_alloc(s->pieces.n, sizeof *s->cuts, err);
    if (!s->cuts || in_parallel(s, s->pieces.n, make_piece, err) ||
        judge_pieces(s, out, err))
        return -1;
    s->songs = mem_alloc(s->n_songs, sizeof *s->songs, err);
    if (!s->songs)
        return -1;
    for (i = 0; i < s->pieces.n; i++) {
        for (k = 0; k < s->cuts[i].n_clips; k++)
            s->songs[n++] = s->cuts[i].clips[k];
        s->cuts[i].n_clips = 0;
    }
    return 0;
}

/* Makes the own songs. */
static int make_songs(struct synth *s, struct err *err)
{
    s->songs = mem_alloc(s->conf->n_songs, sizeof *s->songs, err);
    if (!s->songs)
        return -1;
    s->n_songs = s->conf->n_songs;
    return in_parallel(s, s->n_songs, make_song, err);
}

/* Draws the listeners of song i from the pool, all different. */
static int draw_listeners(const struct synth *s, size_t i,
                          struct imitate_play *plays, struct err *err)
{
    size_t k, *pool = mem_alloc(s->n_pool, sizeof *pool, err);
    struct rng r;

    if (!pool)
        return -1;
    for (k = 0; k < s->n_pool; k++)
        pool[k] = k;
    rng_init(&r, s->conf->seed, RNG_SYNTH, PLANTED_DRAW_LISTENERS, (uint32_t)i);
    rng_shuffle(&r, pool, s->n_pool);
    for (k = 0; k < s->conf->n_subjects; k++) {
        plays[k].subject = (uint32_t)pool[k];
        plays[k].n = s->songs[i].is.n_eda;
    }
    free(pool);
    return 0;
}

/* Draws how long a play of HKU956 lasts, and its ratings. song_s: 2 or more */
static void draw_play(struct rng *r, size_t song_s, struct imitate_play *play)
{
    size_t play_s = song_s;

    if (rng_below(r, SHORT_EVERY) == 0)
        play_s -= 1 + rng_below(r, (uint32_t)(song_s / 2));
    play->n = play_s * imitate_eda_hz(DATASET_HKU956);
    play->valence = 20 * rng_uniform(r) - 10;
    play->arousal = 20 * rng_uniform(r) - 10;
}

/*
 * Draws lengths and repeats of the plays of song i in HKU956's layout.
 * song->plays: has room for twice n_plays
 */
static void draw_repeats(const struct synth *s, size_t i,
                         struct imitate_song *song)
{
    size_t song_s = song->n_eda / PLANTED_EDA_HZ, n = song->n_plays, k;
    struct rng r;

    rng_init(&r, s->conf->seed, RNG_SYNTH, PLANTED_DRAW_PLAYS, (uint32_t)i);
    for (k = 0; k < n; k++) {
        draw_play(&r, song_s, &song->plays[k]);
        if (rng_below(&r, REPLAY_EVERY) && (i || k))
            continue;
        song->plays[song->n_plays].subject = song->plays[k].subject;
        draw_play(&r, song_s, &song->plays[song->n_plays++]);
    }
}

/* Numbers the plays of each listener: first plays, then repeats. */
static int number_plays(struct synth *s, struct err *err)
{
    uint32_t *next = mem_alloc(s->n_pool, sizeof *next, err);
    size_t i, k, n = s->conf->n_subjects;

    if (!next)
        return -1;
    for (i = 0; i < s->n_songs; i++) {
        for (k = 0; k < n; k++) {
            struct imitate_play *play = &s->songs[i].is.plays[k];

            play->song_no = next[play->subject]++;
        }
    }
    for (i = 0; i < s->n_songs; i++) {
        for (k = n; k < s->songs[i].is.n_plays; k++) {
            struct imitate_play *play = &s->songs[i].is.plays[k];

            play->song_no = next[play->subject]++;
        }
    }
    free(next);
    return 0;
}

/* Draws who plays which song, and tells the writer. */
static int plan_plays(struct synth *s, struct err *err)
{
    size_t i, n = s->conf->n_subjects;

    s->plays = mem_alloc(2 * s->n_songs * n, sizeof *s->plays, err);
    s->set.songs = mem_alloc(s->n_songs, sizeof *s->set.songs, err);
    if (!s->plays || !s->set.songs)
        return -1;
    for (i = 0; i < s->n_songs; i++) {
        struct imitate_song *song = &s->songs[i].is;

        song->plays = s->plays + s->n_plays;
        song->n_plays = n;
        if (draw_listeners(s, i, song->plays, err))
            return -1;
        if (s->set.kind == DATASET_HKU956)
            draw_repeats(s, i, song);
        s->n_plays += song->n_plays;
        s->set.songs[i] = *song;
    }
    s->set.n_songs = s->n_songs;
    return number_plays(s, err);
}

/* The response that the listeners of song i show, or NULL; caller frees. */
static double *response(const struct synth *s, size_t i, struct err *err)
{
    const struct song *heard = &s->songs[i];
    size_t k, n = s->n_before + s->songs[i].is.n_eda;
    double *d = mem_alloc(n, sizeof *d, err);
    double *p = mem_alloc(n, sizeof *p, err);

    if (!d || !p) {
        free(d);
        free(p);
        return NULL;
    }
    if (s->conf->null_mode)
        heard = &s->songs[(i + s->n_songs / 2) % s->n_songs];
    /* another song may be shorter: it begins again */
    for (k = 0; k < n; k++)
        d[k] = heard->d[k < s->n_before
                            ? k
                            : s->n_before + (k - s->n_before) %
                                              heard->is.n_eda];
    planted_response(d, n, p);
    memmove(p, p + s->n_before, s->songs[i].is.n_eda * sizeof *p);
    free(d);
    return p;
}

/*
 * Takes a response from PLANTED_EDA_HZ to a lower rate, in place. Returns
 * the number of samples.
 */
static size_t thin_out(double *p, size_t n, uint32_t rate_hz)
{
    size_t i;

    if (rate_hz == PLANTED_EDA_HZ)
        return n;
    /* the response is smooth over 20 ms: between samples it is a line */
    for (i = 0; i * PLANTED_EDA_HZ / rate_hz + 1 < n; i++) {
        size_t at = i * PLANTED_EDA_HZ / rate_hz;
        double part = (double)(i * PLANTED_EDA_HZ % rate_hz) / rate_hz;

        p[i] = p[at] + part * (p[at + 1] - p[at]);
    }
    return i;
}

/* Makes the recordings of song i and writes them. */
static int make_eda(struct synth *s, size_t i, struct err *err)
{
    const struct synth_conf *c = s->conf;
    const struct imitate_song *song = &s->songs[i].is;
    uint32_t rate_hz = imitate_eda_hz(s->set.kind);
    size_t k, n = song->n_eda;
    double *p = response(s, i, err);
    int32_t *eda = mem_alloc(song->n_plays * n, sizeof *eda, err);
    int result = -1;

    if (!eda || !p)
        goto out;
    n = thin_out(p, n, rate_hz);
    for (k = 0; k < song->n_plays; k++) {
        struct imitate_play *play = &song->plays[k];
        struct planted_recording r = {
            .seed = c->seed,
            .subject = play->subject,
            .recording = (uint32_t)(play - s->plays),
            .rate_hz = rate_hz,
            .tonic_sd = c->tonic_sd,
            .noise_sd = c->noise_sd};

        play->n = play->n < n ? play->n : n;
        planted_eda(&r, p, play->n, eda + k * n);
        play->optimum =
            c->null_mode ? 0 : planted_optimum(p, eda + k * n, play->n);
    }
    result = imitate_eda(&s->set, song, eda, n, err);
out:
    free(eda);
    free(p);
    return result;
}

/* Orders numbers. */
static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Mean and tenth percentile (linear between ranks) of the defined optima. */
static int summarise(const struct synth *s, struct synth_result *out,
                     struct err *err)
{
    double at, sum = 0, *v;
    size_t i, n = 0;

    out->n_songs = s->n_songs;
    out->n_recordings = s->n_plays;
    out->mean = out->p10 = (double)NAN;
    v = mem_alloc(out->n_recordings, sizeof *v, err);
    if (!v)
        return -1;
    for (i = 0; i < out->n_recordings; i++) {
        if (!isnan(s->plays[i].optimum)) {
            v[n++] = s->plays[i].optimum;
            sum += s->plays[i].optimum;
        }
    }
    if (n > 0) {
        qsort(v, n, sizeof *v, by_value);
        at = .1 * (double)(n - 1);
        i = (size_t)at;
        out->mean = sum / (double)n;
        out->p10 = v[i];
        if (i + 1 < n)
            out->p10 += (at - (double)i) * (v[i + 1] - v[i]);
    }
    free(v);
    return 0;
}

/* Appends `"key": number`. */
static void put_option(struct buf *b, const char *key, double value)
{
    buf_printf(b, ",\"%s\":", key);
    json_put_num(b, value);
}

/* Appends the options that made the data. */
static void put_options(struct buf *b, const struct synth *s)
{
    const struct synth_conf *c = s->conf;

    buf_printf(b, "{\"layout\":\"%s\",\"seed\":%llu",
               dataset_kind_name(c->layout), (unsigned long long)c->seed);
    put_option(b, "n_songs", (double)s->n_songs);
    put_option(b, "n_subjects", (double)c->n_subjects);
    put_option(b, "n_pool", (double)s->n_pool);
    buf_printf(b, ",\"songs\":\"%s\"", c->songs_dir ? "clips" : "own");
    if (c->songs_dir) {
        put_option(b, "clip_s", c->clip_s);
    } else {
        put_option(b, "min_s", c->min_s);
        put_option(b, "max_s", c->max_s);
        put_option(b, "rate_hz", c->rate_hz);
    }
    if (c->links) {
        buf_puts(b, ",\"links\":");
        json_put_text(b, c->links);
    }
    put_option(b, "tonic_sd", c->tonic_sd);
    put_option(b, "noise_sd", c->noise_sd);
    put_option(b, "preroll_s", c->preroll_s);
    buf_printf(b, ",\"null\":%s}", c->null_mode ? "true" : "false");
}

/* Writes planted.json. */
static int save_planted(const struct synth *s, const struct synth_result *sum,
                        struct err *err)
{
    struct buf b = {0}, id = {0};
    int result = -1;
    size_t i, k;

    buf_puts(&b, "{\"options\":");
    put_options(&b, s);
    buf_printf(&b, ",\n\"summary\":{\"recordings\":%zu", sum->n_recordings);
    put_option(&b, "mean", sum->mean);
    put_option(&b, "p10", sum->p10);
    buf_puts(&b, "},\n\"recordings\":{\n");
    for (i = 0; i < s->n_songs; i++) {
        const struct imitate_song *song = &s->songs[i].is;

        for (k = 0; k < song->n_plays; k++) {
            const struct imitate_play *play = &song->plays[k];
            size_t at = (size_t)(play - s->plays);

            buf_clear(&id);
            imitate_put_id(&s->set, song, play, &id);
            json_put_text(&b, buf_text(&id));
            buf_puts(&b, ":");
            json_put_num(&b, play->optimum);
            buf_puts(&b, at + 1 < sum->n_recordings ? ",\n" : "\n");
        }
    }
    buf_puts(&b, "}}\n");
    if (buf_check(&b, err) == 0 && buf_check(&id, err) == 0)
        result = newdir_save(&s->set.dir, "planted.json", b.data, b.len, err);
    buf_release(&b);
    buf_release(&id);
    return result;
}

/* Checks settings that depend on one another. */
static int check_conf(const struct synth *s, struct err *err)
{
    const struct synth_conf *c = s->conf;

    if (c->min_s > c->max_s)
        return err_set(err, ERR_USAGE,
                       "shortest song %g s is longer than "
                       "the longest, %g s",
                       c->min_s, c->max_s);
    if (c->links && c->layout != DATASET_HKU956)
        return err_set(err, ERR_USAGE, "links are part of hku956 only");
    if (s->n_pool < c->n_subjects)
        return err_set(err, ERR_USAGE,
                       "a pool of %zu subjects cannot give "
                       "%zu listeners",
                       s->n_pool, c->n_subjects);
    if (c->null_mode && !c->songs_dir && c->n_songs < 2)
        return err_set(err, ERR_USAGE, "null mode wants 2 songs or more");
    return 0;
}

/* Songs, recordings and lists into the folder that newdir_open() began. */
static int fill(struct synth *s, struct synth_result *out, struct err *err)
{
    if (imitate_begin(&s->set, err))
        return -1;
    if (s->conf->songs_dir ? make_pieces(s, out, err) : make_songs(s, err))
        return -1;
    if (s->conf->null_mode && s->n_songs < 2)
        return err_set(err, ERR_DATA, "%s: null mode wants 2 clips or more",
                       s->conf->songs_dir);
    if (plan_plays(s, err) || imitate_listeners(&s->set, err) ||
        in_parallel(s, s->n_songs, make_eda, err) || summarise(s, out, err) ||
        imitate_tables(&s->set, err))
        return -1;
    return save_planted(s, out, err);
}

int synth_write(const struct synth_conf *conf, const char *folder,
                struct synth_result *out, struct err *err)
{
    struct synth s = {.conf = conf};
    int result = -1;

    s.set.kind = conf->layout;
    s.set.links = conf->links;
    s.n_pool = conf->n_pool ? conf->n_pool : 5 * conf->n_subjects;
    s.n_before = (size_t)conf->preroll_s * PLANTED_EDA_HZ;
    if (check_conf(&s, err) || newdir_open(&s.set.dir, folder, err))
        goto out;
    result = fill(&s, out, err) ? -1 : newdir_commit(&s.set.dir, err);
out:
    newdir_release(&s.set.dir);
    synth_release(&s);
    return result;
}

void synth_result_release(struct synth_result *r)
{
    free(r->failed);
    *r = (struct synth_result){0};
}
