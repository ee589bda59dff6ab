/*
 * listen - MFCCs of a signal that is still arriving, each as soon as nothing
 * to come can change it; bit for bit those of the whole signal.
 *
 *   while (samples come) {
 *       listen_add(l, x, n, &rows, &n_rows, &err);
 *       use(rows);
 *   }
 *   listen_end(l, &rows, &n_rows, &err);
 *
 * Memory is bounded: a few windows of samples, whatever the signal's length.
 */
#ifndef SIGNAL_LISTEN_H
#define SIGNAL_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"

/* One signal on its way. */
struct listen;

/*
 * The features key that has to be changed before a signal can be transformed
 * while it arrives, as what it does looks at the whole clip:
 * "audio_normalize=false". NULL: there is none.
 */
const char *listen_obstacle(const struct config_features *conf);

/*
 * Starts a signal.
 *
 * conf:  settled features without obstacle; borrowed until close
 * in_hz: sampling rate of what will come
 * Returns NULL with err set: ERR_USAGE for settings that cannot work or have
 * an obstacle, ERR_DATA as resample_open(). Caller closes.
 */
struct listen *listen_open(const struct config_features *conf, uint32_t in_hz,
                           struct err *err) NODISCARD;

/* Frees it; NULL is fine. */
void listen_close(struct listen *l);

/* Values a frame, D. */
size_t listen_n_values(const struct listen *l);

/* Sampling rate of the features: the config's, or in_hz where it is open. */
uint32_t listen_rate_hz(const struct listen *l);

/*
 * Seconds of the signal that must have come behind a frame's time before the
 * frame is handed out, at most: half a window, and what resampling and
 * differences in time look ahead.
 */
double listen_latency_s(const struct listen *l);

/*
 * Takes the next n samples.
 *
 * rows: (n_rows, D) the frames that are certain now, behind those of the
 *       call before; owned by l until the next call
 * Returns 0; -1 with ERR_DATA as mfcc_signal().
 */
int listen_add(struct listen *l, const float *x, size_t n, const float **rows,
               size_t *n_rows, struct err *err) NODISCARD;

/*
 * Ends the signal: rows (n_rows, D) are the frames that were left.
 * Returns 0; -1 with ERR_DATA, as mfcc_signal() if the whole was too short.
 */
int listen_end(struct listen *l, const float **rows, size_t *n_rows,
               struct err *err) NODISCARD;

#endif
