/*
 * config_scheduler - which parameters each scheduler has, and what they are
 * when nobody wrote them. Private to config*.c.
 */
#ifndef CORE_CONFIG_SCHEDULER_H
#define CORE_CONFIG_SCHEDULER_H

#include <stdbool.h>

#include "base/err.h"
#include "core/config_table.h"

/* Whether a scheduler of this name has a row's parameter. */
bool config_scheduler_has(enum config_scheduler_name name,
                          const struct config_row *row);

/* The same of a part of sequential or chained, which has no interval. */
bool config_scheduler_part_has(enum config_scheduler_name name,
                               const struct config_row *row);

/* Says that a scheduler has no such parameter; returns -1, ERR_USAGE. */
int config_scheduler_refuse(enum config_scheduler_name name,
                            const struct config_row *row, struct err *err);

/*
 * Fills what is null by the scheduler's name and checks the rules between
 * parameters, its parts' too.
 *
 * Returns 0; -1 with ERR_USAGE and *row the row to blame.
 */
int config_scheduler_settle(struct config_scheduler *s,
                            const struct config_row **row,
                            struct err *err) NODISCARD;

#endif
