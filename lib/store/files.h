/*
 * files - folders and files as a store: what stands behind plain paths and
 * file:// URIs.
 */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include "store/store.h"

/* What is at a path. See store_stat(); uri is the name for messages. */
int files_stat(const char *path, const char *uri, struct store_info *info,
               struct err *err) NODISCARD;

/* Appends at most limit bytes from offset on. See store_read_range(). */
int files_read(const char *path, const char *uri, uint64_t offset,
               uint64_t limit, struct buf *out, struct err *err) NODISCARD;

/*
 * A whole file: its bytes, or the file itself if there are many. See
 * store_fetch(). Returns 0; -1 with err set.
 */
int files_fetch(const char *path, const char *uri, struct blob *out,
                struct err *err) NODISCARD;

/*
 * Visits all files below a folder in byte order. See store_list().
 * Folders deeper than 32 levels are ERR_DATA: links that go in circles.
 */
int files_list(const char *path, const char *uri,
               const struct store_visitor *visitor, struct err *err) NODISCARD;

#endif
