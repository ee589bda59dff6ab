/*
 * web - objects on HTTP servers: what stands behind http:// and https://.
 *
 * Redirects are followed. There is no listing. Size is all that is checked:
 * an ETag means nothing in particular there.
 */
#ifndef STORE_WEB_H
#define STORE_WEB_H

#include "store/http.h"
#include "store/store.h"

/*
 * The size of an object, by HEAD. See store_stat().
 * etag: HTTP_TEXT_SIZE bytes, "" if it has none; or NULL
 */
int web_stat(struct http *http, const char *uri, struct store_info *info,
             char *etag, struct err *err) NODISCARD;

/*
 * Appends at most limit bytes from offset on, also from a server that only
 * sends whole objects. See store_read_range(), and web_stat() for etag.
 */
int web_read(struct http *http, const char *uri, uint64_t offset,
             uint64_t limit, struct buf *out, char *etag,
             struct err *err) NODISCARD;

#endif
