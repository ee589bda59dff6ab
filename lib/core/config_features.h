/*
 * config_features - rules of the features section that span keys.
 * Private to config*.c; the public functions are in config.h.
 */
#ifndef CORE_CONFIG_FEATURES_H
#define CORE_CONFIG_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/config.h"

/*
 * Fills what was not given from the preset, lets n_fft follow the window and
 * checks the rules across keys.
 *
 * given: per row of the table
 * row:   gets the row that err is about
 * notes: gets warnings, a line each
 * Returns 0; -1 with ERR_USAGE.
 */
int config_features_settle(struct config_features *f, const bool *given,
                           size_t *row, struct buf *notes,
                           struct err *err) NODISCARD;

#endif
