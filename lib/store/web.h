/*
 * web - objects on HTTP servers: what stands behind http:// and https://.
 *
 * Redirects are followed. There is no listing. Size is all that is checked:
 * an ETag means nothing in particular there. A version is named by the ETag,
 * or by the date of the last change (If-None-Match, If-Modified-Since).
 */
#ifndef STORE_WEB_H
#define STORE_WEB_H

#include "store/blob.h"
#include "store/http.h"
#include "store/store.h"

/*
 * The size of an object, by HEAD. See store_stat().
 * validator: see store_stat_version(); or NULL
 */
int web_stat(struct http *http, const char *uri, struct store_info *info,
             char *validator, struct err *err) NODISCARD;

/*
 * Appends at most limit bytes from offset on, also from a server that only
 * sends whole objects. See store_read_range().
 */
int web_read(struct http *http, const char *uri, uint64_t offset,
             uint64_t limit, struct buf *out, struct err *err) NODISCARD;

/* A whole object, unless it is the known version. See store_fetch(). */
int web_fetch(struct http *http, const char *uri, const char *known,
              const struct blob_sink *sink, struct blob *out,
              char *validator, struct err *err) NODISCARD;

#endif
