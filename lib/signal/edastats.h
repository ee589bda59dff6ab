/*
 * edastats - statistics of each subject's recordings, for eda_normalize
 * `subject`: collected in one pass over the training recordings, used in
 * the next.
 *
 * On file: JSON Lines, a subject a line, sorted by bytes:
 *   {"subject":"pmemo2019/100083","n":18000,"mean":0.1,"std":0.9,
 *    "settings":"<16 hex>"}
 * n counts samples; mean and std are of the filtered signal in its unit;
 * settings is the digest of the EDA settings that made it.
 */
#ifndef SIGNAL_EDASTATS_H
#define SIGNAL_EDASTATS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/config.h"
#include "signal/eda.h"

/* One subject, or one recording that was counted. */
struct edastats_entry {
    char *key;             /* "dataset/subject" or a recording id; owned */
    struct eda_moments of; /* its samples */
};

/* Entries sorted by the bytes of their keys. */
struct edastats_list {
    struct edastats_entry *items; /* n entries, owned */
    size_t n;                     /* entries */
    size_t cap;                   /* room */
};

/* Statistics of all subjects; {0} is empty. */
struct edastats {
    char settings[17];               /* digest of the EDA settings, hex */
    struct edastats_list subjects;   /* by dataset/subject */
    struct edastats_list recordings; /* those added, to count each once */
};

/*
 * Starts empty, for these settings (eda_normalize and the unused keys do not
 * matter).
 */
int edastats_init(struct edastats *s, const struct config_features *conf,
                  struct err *err) NODISCARD;

/* Adds one recording's samples to its subject, once per recording. */
int edastats_add(struct edastats *s, const char *subject,
                 const char *recording, const struct eda_moments *m,
                 struct err *err) NODISCARD;

/* A subject's statistics; NULL if there are none. */
const struct eda_moments *edastats_find(const struct edastats *s,
                                        const char *subject);

/* Appends the file's text. */
void edastats_put(const struct edastats *s, struct buf *out);

/*
 * Reads the text of a file, JSON Lines or one JSON list of the same objects,
 * into an empty s that edastats_init() made.
 * Returns 0; -1 with ERR_DATA naming the line, also for statistics of other
 * settings.
 */
int edastats_parse(struct edastats *s, const char *text, size_t n,
                   const char *name, struct err *err) NODISCARD;

/* Frees everything; {0} is fine. */
void edastats_release(struct edastats *s);

#endif
