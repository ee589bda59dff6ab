/*
 * config_find - from a path as written to the row it means: aliases, keys at
 * their places of older versions, nearest names. Private to config*.c.
 */
#ifndef CORE_CONFIG_FIND_H
#define CORE_CONFIG_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/config.h"

/* Room for any path that can be right. */
#define CONFIG_PATH_SIZE 192

/*
 * Appends a key to a path, both without aliases in the result:
 * ("optimizer", "scheduler_config") gives "optimizer.scheduler".
 *
 * parent: "" at the top
 * Returns 0; -1 with ERR_USAGE for a key with a dot or one too long.
 */
int config_find_child(char out[CONFIG_PATH_SIZE], const char *parent,
                      const char *key, struct err *err) NODISCARD;

/* The first row at or after `from` that a path means; config_n_keys() ends. */
size_t config_find_row(const char *path, size_t from);

/* Whether rows lie below this path. */
bool config_find_section(const char *path);

/*
 * Says why a path means nothing: moved, gone, or unknown with the nearest
 * name. architecture: whose model.params are named. Returns -1, ERR_USAGE.
 */
int config_find_unknown(const char *path, enum config_architecture a,
                        struct err *err);

#endif
