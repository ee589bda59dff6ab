/*
 * stream - frames one after another, closed by an end frame.
 *
 * a2b-stream(5) has the byte table; the top of stream.c repeats it. Readers
 * verify digests, counts and the end frame; without an end frame there is
 * no success. Writers emit the canonical form only.
 */
#ifndef CORE_STREAM_H
#define CORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "core/frame.h"
#include "core/prov.h"

/* Largest header a stream may have, bytes. */
#define STREAM_MAX_HEADER 1048576u

/* Largest header a lone document (a checkpoint) may have, bytes. */
#define STREAM_MAX_DOCUMENT_HEADER 100000000u

/* Default limit of one frame's data, bytes (A2B_MAX_FRAME changes it). */
#define STREAM_MAX_FRAME (2147483648u)

struct stream_keys; /* the keys seen so far, by kind, with their digests */

/* An input; {0} is closed. */
struct stream_in {
    int fd;               /* read end; owned unless it is standard input */
    char *name;           /* file name or "standard input", owned */
    uint64_t max_frame;   /* most bytes of data a frame may have */
    unsigned char *peek;  /* buffered bytes, owned */
    size_t peek_start;    /* first unread byte of peek */
    size_t peek_end;      /* end of the buffered bytes */
    bool at_eof;          /* read() said so */
    uint64_t offset;      /* bytes consumed */
    uint64_t n_frames;    /* frames read over all segments, ends excluded */
    uint64_t seg_frames;  /* frames of the current segment */
    uint64_t seg_bytes;   /* their bytes */
    bool seg_digests;     /* every frame of the segment had a digest */
    struct digest_xxh3 seg; /* digest of the segment's digests */
    struct digest_xxh3 one; /* digest of the frame being read */
    bool in_segment;      /* no end frame is directly behind us */
    uint64_t n_failed;    /* sum of a2b.failed over the segments */
    struct buf header;    /* header being parsed */
    struct stream_keys *keys; /* owned */
    struct prov prov;     /* provenance of all segments read */
};

/*
 * Opens a file, or standard input for "-" or NULL.
 *
 * Returns 0; -1 with ERR_MISSING, ERR_DENIED or ERR_IO. Reads nothing yet.
 */
int stream_open(struct stream_in *s, const char *path,
                struct err *err) NODISCARD;

/*
 * Whether the input looks like a stream: a u64 in 2..1048576 at byte 0 and
 * '{' at byte 8. Consumes nothing. Returns 1, 0, or -1 with err.
 */
int stream_is_stream(struct stream_in *s, struct err *err) NODISCARD;

/*
 * All bytes of the input, for files that are no streams.
 * Appends to out. Returns 0; -1 with err (more than max_frame bytes too).
 */
int stream_slurp(struct stream_in *s, struct buf *out,
                 struct err *err) NODISCARD;

/*
 * The next data frame, verified (digest, header rules, table of frames).
 *
 * End frames are handled inside: their counts and digests are checked, their
 * provenance is collected, and one with status "error" is returned as -1
 * with the upstream program's status and message unchanged.
 * f: cleared and filled; valid until the next call with the same frame
 * Returns 1 for a frame, 0 at the end of input directly behind an end frame,
 * -1 with err: ERR_DATA for damage, a cut, a second frame of one kind with
 * the key of another and different bytes.
 */
int stream_read(struct stream_in *s, struct frame *f,
                struct err *err) NODISCARD;

/*
 * Hands the keys seen on one input on to the next, so that keys stay unique
 * over several operands. `to` must have read nothing yet.
 */
void stream_keep_keys(struct stream_in *to, struct stream_in *from);

/* Reads and verifies to the end. Returns 0; -1 with err. */
int stream_drain(struct stream_in *s, struct err *err) NODISCARD;

/* Closes and frees; {0} is fine. */
void stream_close(struct stream_in *s);

/* An output; {0} is none. */
struct stream_out {
    int fd;              /* write end; owned unless it is standard output */
    char *path;          /* final name with -o, NULL for standard output */
    char *temp;          /* name while writing, NULL for standard output */
    struct buf pending;  /* bytes not yet written */
    struct buf header;   /* header being built */
    uint64_t n_frames;   /* data frames written */
    uint64_t n_bytes;    /* their bytes */
    struct digest_xxh3 frame; /* digest of one frame */
    struct digest_xxh3 all;   /* digest of the frames' digests */
    bool torn;           /* a write failed: nothing may follow */
    bool broken;         /* it failed because nobody listens (EPIPE) */
    bool ended;          /* the end frame went out */
};

/*
 * Opens standard output (path NULL or "-") or a temporary beside path that
 * stream_finish() renames.
 */
int stream_create(struct stream_out *s, const char *path,
                  struct err *err) NODISCARD;

/*
 * Writes a frame in canonical form with its digest.
 *
 * `a2b.*` keys other than a2b.kind are dropped. After a closed pipe (ERR_IO)
 * s->broken is set and the caller raises SIGPIPE.
 */
int stream_write(struct stream_out *s, const struct frame *f,
                 struct err *err) NODISCARD;

/*
 * Writes the end frame with status ok, flushes, checks, and renames -o.
 *
 * failed: items left out under -k; prov: entries to carry, NULL for none
 */
int stream_finish(struct stream_out *s, uint64_t failed,
                  const struct prov *prov, struct err *err) NODISCARD;

/*
 * Ends a stream on standard output with status error, the message and the
 * exit status; with -o removes the temporary. Never fails: what cannot
 * be written is left cut, which readers refuse as well.
 */
void stream_fail(struct stream_out *s, enum err_status status,
                 const char *message);

/* Closes and frees, removing an unfinished temporary; {0} is fine. */
void stream_discard(struct stream_out *s);

/*
 * Loads a lone safetensors document (no end frame, header up to 100 MB).
 *
 * Verifies a2b.xxh3 where there is one. f owns its data.
 */
int stream_load_document(const char *path, struct frame *f,
                         struct err *err) NODISCARD;

/*
 * Writes f as a lone canonical document with its digest and fsyncs it.
 * The file must not exist.
 */
int stream_save_document(const char *path, const struct frame *f,
                         struct err *err) NODISCARD;

/*
 * The canonical bytes of f, appended to out (header and data), and the
 * digest. Tests and a2b-info use it.
 */
int stream_encode(struct stream_out *s, const struct frame *f,
                  struct buf *out, uint64_t *digest,
                  struct err *err) NODISCARD;

/*
 * Parses a frame from n bytes that hold exactly one document.
 * Used for spooled frames; checks what stream_read() checks.
 */
int stream_decode(const void *bytes, size_t n, struct frame *f,
                  struct err *err) NODISCARD;

#endif
