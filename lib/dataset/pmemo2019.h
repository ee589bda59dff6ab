/*
 * pmemo2019 - the layout of PMEmo2019: a table of songs, one clip a song,
 * one file of recordings a song.
 */
#ifndef DATASET_PMEMO2019_H
#define DATASET_PMEMO2019_H

#include "base/err.h"
#include "dataset/dataset.h"
#include "dataset/manifest.h"

/* Sampling rate of the recordings, Hz. */
#define PMEMO2019_EDA_RATE_HZ 50

/*
 * Appends all recordings of a PMEmo2019 folder to out; see dataset_list().
 *
 * A song is a row of metadata.csv whose clip is there. Subjects come from
 * the headers of the recording files, of which only the beginning is read.
 * A recording file whose header does not parse is a bad item.
 * Returns 0; -1 with err set.
 */
int pmemo2019_list(const struct dataset_source *source, struct manifest *out,
                   struct err *err) NODISCARD;

#endif
