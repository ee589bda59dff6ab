/*
 * edaframe - frames with the bytes of a recording file to frames with a
 * clean signal on the frame times of the song.
 *
 * For each recording: edaframe_load, edaframe_filter, edaframe_grid,
 * edaframe_finish. The caller may stop in between, for instance because of
 * the quality that is known after loading.
 */
#ifndef SIGNAL_EDAFRAME_H
#define SIGNAL_EDAFRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/config.h"
#include "core/frame.h"
#include "signal/csv.h"
#include "signal/eda.h"
#include "signal/edastats.h"
#include "signal/scr.h"

/* What decides the frame times. */
enum edaframe_rate {
    EDAFRAME_FRAMES, /* the song's mfcc frame, else the features section */
    EDAFRAME_NATIVE, /* the recording's own rate */
    EDAFRAME_HZ      /* a given rate */
};

/* The grid of a song whose mfcc frame came by. */
struct edaframe_song {
    char *key;            /* dataset/song, owned */
    struct eda_grid grid; /* its frame times */
};

/* A converter; files that many recordings share are parsed once. */
struct edaframe {
    const struct config_features *conf; /* settled; borrowed */
    enum edaframe_rate rate;      /* how frame times are chosen */
    double rate_hz;               /* for EDAFRAME_HZ */
    double input_rate_hz;         /* of files that do not say; 0: unknown */
    const struct edastats *stats; /* for `subject`, else NULL; borrowed */
    struct eda eda;               /* the recording at hand */
    struct csv_eda csv;           /* the file at hand */
    struct scr scr;               /* the recording's responses */
    double scr_amplitude;         /* least amplitude, unit; < 0: by the unit */
    double scr_relative;          /* least share of the most prominent; < 0 */
    struct buf bytes;             /* its bytes */
    bool parsed;                  /* csv holds what bytes say */
    size_t n_parsed;              /* files parsed so far */
    struct edaframe_song *songs;  /* n_songs, owned */
    size_t n_songs;               /* songs seen */
    size_t songs_cap;             /* room in songs */
};

/* Sets one up, for EDAFRAME_FRAMES. conf: settled; borrowed. */
void edaframe_init(struct edaframe *c, const struct config_features *conf);

/* Frees everything; {0} is fine. */
void edaframe_release(struct edaframe *c);

/* Remembers the frame times of an mfcc frame's song. */
int edaframe_see(struct edaframe *c, const struct frame *mfcc,
                 struct err *err) NODISCARD;

/*
 * Parses the bytes of a file unless they are those of the last one.
 *
 * name: for messages
 * Returns 0 with c->csv; -1 with ERR_DATA.
 */
int edaframe_parse(struct edaframe *c, const void *bytes, size_t n,
                   const char *name, struct err *err) NODISCARD;

/*
 * Takes the recording of an eda_csv frame: c->eda.quality is known then.
 *
 * Returns 0; -1 with ERR_DATA, or ERR_USAGE if nothing tells the rate.
 */
int edaframe_load(struct edaframe *c, const struct frame *in,
                  const char *name, struct err *err) NODISCARD;

/* Fills gaps and filters the loaded recording. 0; -1 with ERR_DATA. */
int edaframe_filter(struct edaframe *c, const char *name,
                    struct err *err) NODISCARD;

/*
 * The frame times for the loaded recording.
 *
 * Returns 0; -1 with ERR_DATA if the song's mfcc frame and the features
 * section differ, ERR_USAGE if neither says. Both concern the whole run, not
 * one recording.
 */
int edaframe_grid(const struct edaframe *c, const struct frame *in,
                  const char *name, struct eda_grid *grid,
                  struct err *err) NODISCARD;

/*
 * Normalises the filtered recording and puts it on the grid.
 *
 * out: cleared, then gets in's metadata (without uri, etag, eda_column and
 * eda_rate_hz) and the tensors, which c owns until the next call
 * Returns 0; -1 with ERR_DATA.
 */
int edaframe_finish(struct edaframe *c, const struct frame *in,
                    const struct eda_grid *grid, const char *name,
                    struct frame *out, struct err *err) NODISCARD;

/* Appends the first line of the table that edaframe_scr() writes. */
void edaframe_scr_header(struct buf *out);

/*
 * Finds the skin conductance responses of the filtered recording, whose
 * phasic part c->eda.want_phasic had asked for, and appends a line for each:
 * recording, onset_s, peak_s, amplitude, rise_s, recovery_s (peak to half of
 * the amplitude; empty if it does not fall that far), with tabs between.
 *
 * Times count from the start of the song. Thresholds below 0 stand for 0.01
 * uS, and where the unit is unknown for a tenth of the largest prominence.
 * Returns 0; -1 with ERR_DATA for a frame without recording id, or a tab or
 * newline in it.
 */
int edaframe_scr(struct edaframe *c, const struct frame *in, struct buf *out,
                 struct err *err) NODISCARD;

/* "dataset/subject" of a frame, appended to key. 0; -1 with ERR_DATA. */
int edaframe_subject(const struct frame *in, struct buf *key,
                     struct err *err) NODISCARD;

#endif
