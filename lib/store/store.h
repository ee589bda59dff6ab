/*
 * store - one interface over the places objects lie in: list, size, read,
 * read a range.
 *
 * An object is named by a plain path or by a URI. A place is one row of the
 * table in store.c: plain paths and file:// are read by files.c, s3:// by
 * s3.c, http(s):// by web.c. The network's thread starts when the first
 * remote object is asked for.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/blob.h"

/* As many bytes as there are, for store_read_range(). */
#define STORE_ALL UINT64_MAX

/* All connections of one program, for any number of threads. */
struct store;

/* What stands at a name. */
struct store_info {
    bool folder;   /* other objects lie below it */
    uint64_t size; /* bytes of an object, 0 for a folder */
};

/* Who takes the objects of a listing. */
struct store_visitor {
    /*
     * Takes one object: its name below the folder, parts joined by '/', and
     * its size in bytes. Returns 0 to go on; -1 with err set ends the list.
     */
    int (*visit)(void *ctx, const char *name, uint64_t size, struct err *err);
    void *ctx; /* handed to visit */
};

/* What one kind of place can do. */
struct store_backend {
    const char *scheme; /* before "://", lower case; NULL: a plain path */
    bool percent;       /* names in its URIs are percent-encoded */
    bool remote;        /* over the network */
    /* The functions take the decoded place and, for messages, the URI. */
    int (*stat)(struct store *s, const char *place, const char *uri,
                struct store_info *info, struct err *err);
    /* Appends at most limit bytes from offset on. */
    int (*read)(struct store *s, const char *place, const char *uri,
                uint64_t offset, uint64_t limit, struct buf *out,
                struct err *err);
    /* A whole object; see store_fetch(). */
    int (*fetch)(struct store *s, const char *place, const char *uri,
                 const char *known, const struct blob_sink *sink,
                 struct blob *out, char *validator, struct err *err);
    /*
     * Visits everything below a folder in byte order of the names; NULL: such
     * places have no listings.
     */
    int (*list)(struct store *s, const char *place, const char *uri,
                const struct store_visitor *visitor, struct err *err);
};

/* Remote transfers at a time where nothing else is asked for. */
#define STORE_TRANSFERS 32

/* How remote places are reached; {0}: no keys, all defaults. */
struct store_conf {
    char *(*env)(const char *name); /* getenv(), for keys and servers as the
                                       AWS tools find them; NULL: none are */
    size_t n_transfers;             /* at a time; 0: STORE_TRANSFERS */
    long stall_s;                   /* seconds without bytes before a transfer
                                       is tried again; 0: 20 */
    const char *temp;               /* folder for large objects that have no
                                       other place; NULL: /tmp; borrowed until
                                       store_close() */
};

/*
 * Opens the stores; files only need no conf (NULL).
 * Returns NULL with err set when memory is short.
 */
struct store *store_open_conf(const struct store_conf *conf,
                              struct err *err) NODISCARD;

/* Opens the stores without keys and with all defaults. */
struct store *store_open(struct err *err) NODISCARD;

/* Closes them; NULL is fine. */
void store_close(struct store *s);

/* Reads and bytes read so far, over all threads. */
void store_traffic(const struct store *s, uint64_t *n_reads, uint64_t *n_bytes);

/* Requests over the network that failed and were repeated so far. */
uint64_t store_n_retried(const struct store *s);

/*
 * The server that s3:// URIs name buckets of: an endpoint's URL, as it was
 * found, "" for AWS. The network is not used. NULL with err set for a bad
 * setting. Lives as long as s.
 */
const char *store_s3_server(struct store *s, struct err *err) NODISCARD;

/* Whether a URI names something that is not on this machine. */
bool store_is_remote(const char *uri);

/*
 * What is at a URI: a folder or an object and its size.
 *
 * Returns 0; -1 with ERR_MISSING, ERR_DENIED or ERR_IO, ERR_USAGE for a
 * place this build does not read, ERR_DATA for a malformed URI. All
 * functions below fail in these ways; messages begin with the URI.
 */
int store_stat(struct store *s, const char *uri, struct store_info *info,
               struct err *err) NODISCARD;

/* Room for what names a version of an object. */
#define STORE_VALIDATOR_SIZE 320

/* What a validator begins with that is no ETag but the date of the last
 * change. */
#define STORE_DATED "modified "

/*
 * The same, with what names the version of the object, in STORE_VALIDATOR_SIZE
 * bytes: its ETag as the server spells it; on an HTTP server that has none the
 * date of its last change behind STORE_DATED, unless that was so lately that
 * another change could go unseen; "" for neither.
 */
int store_stat_version(struct store *s, const char *uri,
                       struct store_info *info, char *validator,
                       struct err *err) NODISCARD;

/*
 * Lists every object below a folder, at any depth, in byte order of the
 * names. A symbolic link counts as what it points to, and not at all if
 * that does not exist.
 *
 * Returns 0; -1 with err set, also when the visitor said so.
 */
int store_list(struct store *s, const char *folder,
               const struct store_visitor *visitor, struct err *err) NODISCARD;

/* Makes an object of n bytes, or with "s3://BUCKET" a bucket; s3:// only. */
int store_put(struct store *s, const char *uri, const void *bytes, size_t n,
              struct err *err) NODISCARD;

/* Appends a whole object to out. Returns 0; -1 with err set. */
int store_read(struct store *s, const char *uri, struct buf *out,
               struct err *err) NODISCARD;

/*
 * A whole object, in memory or, if it is large, in a file; unless it is still
 * of the version `known`.
 *
 * known:     what an earlier call said; NULL or "": none
 * sink:      opens the file for an object that comes over the network; NULL:
 *            one without a name in conf->temp
 * out:       {0}; gets the object, the caller releases it
 * validator: STORE_VALIDATOR_SIZE bytes; see store_stat_version()
 * Returns 1 with the object; 0 if it is the known version; -1 with err set.
 */
int store_fetch(struct store *s, const char *uri, const char *known,
                const struct blob_sink *sink, struct blob *out,
                char *validator, struct err *err) NODISCARD;

/*
 * One object in one call, with no store opened before: appends it to out.
 *
 * env: getenv() or the like, for keys and servers; NULL: none are
 * Returns 0; -1 with err set.
 */
int store_get(const char *uri, char *(*env)(const char *name),
              struct buf *out, struct err *err) NODISCARD;

/*
 * Appends at most limit bytes from byte offset on to out: fewer at the end
 * of the object, none behind it. Returns 0; -1 with err set.
 */
int store_read_range(struct store *s, const char *uri, uint64_t offset,
                     uint64_t limit, struct buf *out,
                     struct err *err) NODISCARD;

/*
 * Appends the URI of a name below a root to out.
 *
 * The name comes from data (a listing, a CSV), so it may not leave the root:
 * an empty name, an absolute path, a URI and a part ".." are ERR_DATA. It is
 * percent-encoded where URIs of the root are.
 * Returns 0; -1 with err set.
 */
int store_join(const char *root, const char *name, struct buf *out,
               struct err *err) NODISCARD;

/*
 * Appends the last part of a URI, decoded: the file name for a copy.
 * Returns 0; -1 with ERR_USAGE if there is none ("", ".", "..").
 */
int store_base_name(const char *uri, struct buf *out,
                    struct err *err) NODISCARD;

#endif
