/*
 * config_model - rules of the model section that span keys.
 * Private to config*.c; the public functions are in config.h.
 */
#ifndef CORE_CONFIG_MODEL_H
#define CORE_CONFIG_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/config.h"

/*
 * Checks that the params are those of the architecture, and lets head_bias
 * follow use_bias.
 *
 * given: per row of the table
 * whole: a model section was written: every required key must be given
 * row:   gets the row that err is about, config_n_keys() for the section
 * Returns 0; -1 with ERR_USAGE.
 */
int config_model_settle(struct config_model *m, const bool *given,
                        bool whole, size_t *row, struct err *err) NODISCARD;

#endif
