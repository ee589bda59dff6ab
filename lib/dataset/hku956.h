/*
 * hku956 - the layout of HKU956: a table of links to songs, and one file for
 * each play of a song by a participant.
 */
#ifndef DATASET_HKU956_H
#define DATASET_HKU956_H

#include "base/err.h"
#include "dataset/dataset.h"
#include "dataset/manifest.h"

/* Sampling rate of the recordings, Hz. */
#define HKU956_EDA_RATE_HZ 4

/* Folder of the recordings; HKU956_EDA_OTHER stands in the data's README. */
#define HKU956_EDA "1. physiological_signals"
/* The other spelling of it, used where the first is not there. */
#define HKU956_EDA_OTHER "1. physiological signals"
/* Table of songs. */
#define HKU956_SONGS "2. original_song_audio.csv"
/* Table of ratings, which may be absent. */
#define HKU956_RATINGS "3. AV_ratings.csv"

/*
 * Appends all recordings of an HKU956 folder to out; see dataset_list().
 *
 * Their ids are hku956/<song>/<participant>/<song_no>: a participant may
 * hear a song twice. A relative link is looked at: one that leads nowhere is
 * a bad item that names the recordings, with the status of what the store
 * said. A recording that contradicts the table of ratings is a bad item.
 * Returns 0; -1 with err set.
 */
int hku956_list(const struct dataset_source *source, struct manifest *out,
                struct err *err) NODISCARD;

#endif
