/*
 * eda - one electrodermal recording, from the numbers of a file to a clean
 * signal on the frame times of its song.
 *
 * The steps, each a function, called in this order:
 *   eda_load       sampling rate, range check, quality
 *   eda_filter     gaps, zero-phase filters, tonic or phasic part
 *   eda_normalize  z-score or another scale
 *   eda_resample   onto t_k = t0 + k / rate, with a mask
 */
#ifndef SIGNAL_EDA_H
#define SIGNAL_EDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "core/frame.h"
#include "signal/csv.h"
#include "signal/tonic.h"

/* Frame times: frame k is at t0_s + k * rate_den / rate_num seconds. */
struct eda_grid {
    uint64_t rate_num; /* frames a second, numerator; lowest terms */
    uint64_t rate_den; /* frames a second, denominator */
    double t0_s;       /* time of frame 0 */
};

/* What a recording looks like before anything is done to it. */
struct eda_quality {
    size_t levels;      /* distinct values */
    double std;         /* population standard deviation, unit */
    double flat_s;      /* longest run of one value, s */
    double clipped;     /* share at the largest or least, in runs over 1 s */
    double slope;       /* largest step between neighbours, unit a second */
    double missing;     /* share of samples missing or out of range */
    double gap_s;       /* longest run of those, s */
    double nonpositive; /* share of values at or below 0 */
    bool constant;      /* a single value */
    double score;       /* 0 unusable to 1 good: eda_load() */
    const char *reason; /* what made the score low: name of a member */
};

/* Statistics of some samples. */
struct eda_moments {
    size_t n;    /* samples */
    double mean; /* unit */
    double std;  /* population standard deviation, unit */
};

/* Samples between two long gaps. */
struct eda_piece {
    size_t start; /* first sample */
    size_t n;     /* samples */
};

/* One recording and the buffers of all that came before. */
struct eda {
    const struct config_features *conf; /* settled; borrowed */
    bool is_us;          /* the unit is microsiemens */
    double rate_hz;      /* sampling rate */
    double first_s;      /* time of sample 0 */
    bool irregular;      /* stamps were uneven: interpolated from them */
    size_t n;            /* samples from the first to the last usable one */
    double *x;           /* (n) signal, owned */
    uint8_t *good;       /* (n) 1 measured; 0 filled or left out; owned */
    struct eda_piece *pieces; /* n_pieces, owned */
    size_t n_pieces;     /* pieces long enough to filter */
    bool lowpass_skipped; /* its cutoff is at or above half the rate */
    struct eda_quality quality; /* of the raw values */
    double largest;      /* largest |value| before filtering, unit */
    double mean, std;    /* of the normalisation: value * std + mean */
    struct eda_grid grid; /* of the output */
    size_t n_frames;     /* N */
    size_t n_valid;      /* frames with valid 1 */
    float *out;          /* (N) normalised signal, 0 where there is none */
    uint8_t *valid;      /* (N) 1 where out is measured */
    double *work;        /* scratch, owned */
    bool want_phasic;    /* fill phasic and tonic whatever is kept in x */
    struct tonic split;  /* decomposer */
    double *phasic;      /* (n) inside pieces, unit; see eda_filter(); owned */
    double *tonic;       /* (n) inside pieces, unit; see eda_filter(); owned */
    size_t x_cap, good_cap, pieces_cap, out_cap, valid_cap, work_cap; /* room */
    size_t phasic_cap, tonic_cap; /* room */
};

/* Sets one up. conf: settled features; borrowed until release. */
void eda_init(struct eda *e, const struct config_features *conf);

/* Frees the buffers; {0} is fine. */
void eda_release(struct eda *e);

/*
 * Whether the unit of a dataset's recordings is microsiemens: eda_unit, and
 * for `auto` what is known of the dataset.
 */
bool eda_unit_is_us(const struct config_features *conf, const char *dataset);

/*
 * Takes one column of a file.
 *
 * The rate is (rows - 1) / (last - first) of the time column, else what the
 * file states, else rate_hz (0: unknown). Stamps over 1.5 steps off an even
 * grid are interpolated onto one whose step is the median step. Values
 * outside eda_min and eda_max count as missing if is_us. Missing samples at
 * either end are cut off.
 *
 * Quality: score is 0 with fewer than 10 levels, else the smallest of
 *   1 - missing, 1 - clipped, levels / 20, 5 s / flat_s and, if is_us,
 *   10 uS/s / slope and std / eda_std_min, each at most 1.
 *
 * name: for messages
 * Returns 0, with n = 0 and score 0 if every value is out of range; -1 with
 * ERR_DATA for an empty column or bad stamps, ERR_USAGE for no rate.
 */
int eda_load(struct eda *e, const struct csv_eda *csv, size_t column,
             double rate_hz, bool is_us, const char *name,
             struct err *err) NODISCARD;

/*
 * Fills gaps up to eda_max_gap_s with straight lines, splits at longer ones,
 * and filters each piece; pieces too short for the filters are left out.
 *
 * A low-pass at or above half the rate is skipped (lowpass_skipped). Then, if
 * eda_component or want_phasic asks for it, each piece is taken apart into
 * e->phasic and e->tonic, and x becomes the component.
 * Returns 0; -1 with ERR_DATA if no piece is left, or for a high-pass at or
 * above half the rate.
 */
int eda_filter(struct eda *e, const char *name, struct err *err) NODISCARD;

/* Statistics of the good samples after eda_filter(). */
struct eda_moments eda_moments(struct eda *e);

/*
 * Scales the filtered signal as eda_normalize says.
 *
 * subject: statistics for `subject`, else NULL
 * A signal without variance becomes zeros where its own statistics would
 * divide by them. In microsiemens nothing is divided by less than
 * eda_std_min (minmax and none apart).
 */
int eda_normalize(struct eda *e, const struct eda_moments *subject,
                  struct err *err) NODISCARD;

/*
 * The normalised signal on the times of a grid.
 *
 * N = last frame with t_k <= time of the last sample, plus 1. A grid below
 * the sampling rate gets a zero-phase low-pass at 0.45 of its rate first,
 * unless the recording's own low-pass was at or below that. A frame is valid
 * if it lies in a piece and the samples on both sides of it are good.
 * Returns 0; -1 with ERR_DATA if no frame is valid.
 */
int eda_resample(struct eda *e, const struct eda_grid *grid,
                 const char *name, struct err *err) NODISCARD;

/*
 * A rate of 1e-6 to INT32_MAX Hz as a fraction in lowest terms, to a
 * millionth of a hertz where that fits into 31 bits.
 */
void eda_rate_fraction(double rate_hz, uint64_t *num, uint64_t *den);

/*
 * Adds the result to a frame: tensors eda and valid (owned by e until the
 * next eda_resample()), rate, unit, normalisation, quality, settings.
 */
int eda_put_frame(const struct eda *e, struct frame *f,
                  struct err *err) NODISCARD;

#endif
