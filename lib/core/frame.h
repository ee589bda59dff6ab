/*
 * frame - one safetensors document: metadata (text to text) and tensors.
 *
 * A frame that was read owns its data. A frame that is built borrows the
 * data of its tensors from the caller until the frame is written, cleared
 * or released.
 */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/tensor.h"

/* The table of frames (a2b-stream(5)): told by tensors, not by a label. */
enum frame_kind {
    FRAME_OTHER,      /* anything we do not know: filters pass it on */
    FRAME_AUDIO,      /* audio U8 (n) */
    FRAME_EDA_CSV,    /* eda_csv U8 (n) */
    FRAME_MFCC,       /* mfcc F32 (T, C) */
    FRAME_EDA,        /* eda F32 (N, 1), valid U8 (N) */
    FRAME_DATASET,    /* a2b.kind is "dataset" */
    FRAME_BATCH,      /* x, len, y, valid, song */
    FRAME_PREDICTION, /* pred F32 (T, 1), perhaps eda and valid */
    FRAME_N_KINDS
};

/* One key and value, as offsets into the frame's text. */
struct frame_meta {
    size_t key;   /* offset of the NUL-terminated key */
    size_t value; /* offset of the NUL-terminated value */
};

/* One document; {0} is an empty one. */
struct frame {
    struct frame_meta *meta; /* n_meta entries in writing order, owned */
    size_t n_meta;           /* metadata entries without a2b and a2b.xxh3 */
    size_t meta_cap;         /* room in meta */
    struct tensor *tensors;  /* n_tensors entries, owned */
    size_t *names;           /* offset of each tensor's name in text, owned */
    size_t n_tensors;        /* tensors */
    size_t tensors_cap;      /* room in tensors and names */
    char *text;              /* all strings, NUL-terminated, owned */
    size_t text_len;         /* bytes of text in use */
    size_t text_cap;         /* bytes of text reserved */
    char *data;              /* tensor bytes of a frame that was read, owned */
    size_t data_cap;         /* bytes of data reserved */
    uint64_t index;          /* number of the frame in its input, from 0 */
    uint64_t offset;         /* byte where it began in its input */
    uint64_t size;           /* bytes it took in its input */
    uint64_t digest;         /* XXH3-64 of its bytes, digits as zeros */
    bool has_digest;         /* a2b.xxh3 was there and matched */
};

/* Empties f and keeps its memory. */
void frame_clear(struct frame *f);

/* Frees everything; {0} is fine. */
void frame_release(struct frame *f);

/* Exchanges two frames, so that one can be kept without a copy. */
void frame_swap(struct frame *a, struct frame *b);

/*
 * Sets metadata, replacing the value of a key that is there (the key keeps
 * its place). ERR_DATA for text that is not UTF-8 and for the keys "a2b" and
 * "a2b.xxh3".
 */
int frame_set(struct frame *f, const char *key, const char *value,
              struct err *err) NODISCARD;

/* Sets an integer as decimal text. */
int frame_set_int(struct frame *f, const char *key, int64_t value,
                  struct err *err) NODISCARD;

/* Sets a number as the shortest decimal that reads back. */
int frame_set_num(struct frame *f, const char *key, double value,
                  struct err *err) NODISCARD;

/* Removes a key if it is there. */
void frame_unset(struct frame *f, const char *key);

/*
 * Copies all metadata of `from` except `a2b.*` keys into f, in order,
 * replacing what is there.
 */
int frame_copy_meta(struct frame *f, const struct frame *from,
                    struct err *err) NODISCARD;

/* Value of a key; NULL if absent. Valid until f changes. */
const char *frame_get(const struct frame *f, const char *key);

/* Value of a key that must be there, else ERR_DATA naming frame and key. */
int frame_need(const struct frame *f, const char *key, const char **out,
               struct err *err) NODISCARD;

/* A value that must be a decimal integer in [min, max]. */
int frame_need_int(const struct frame *f, const char *key, int64_t min,
                   int64_t max, int64_t *out, struct err *err) NODISCARD;

/* A value that must be a number. */
int frame_need_num(const struct frame *f, const char *key, double *out,
                   struct err *err) NODISCARD;

/* The metadata key `i` and its value; both valid until f changes. */
void frame_meta_at(const struct frame *f, size_t i, const char **key,
                   const char **value);

/*
 * Adds a tensor.
 *
 * shape: n_dims sizes; data: C order, borrowed (see the file's comment)
 * Returns 0; -1 for a name that is empty, too long, taken or begins with
 * "a2b.", or a shape whose size overflows.
 */
int frame_add(struct frame *f, const char *name, enum tensor_dtype dtype,
              size_t n_dims, const size_t *shape, const void *data,
              struct err *err) NODISCARD;

/* The tensor of a name; NULL if absent. */
const struct tensor *frame_tensor(const struct frame *f, const char *name);

/* A tensor that must be there with this dtype and number of dimensions. */
int frame_need_tensor(const struct frame *f, const char *name,
                      enum tensor_dtype dtype, size_t n_dims,
                      const struct tensor **out, struct err *err) NODISCARD;

/* What the frame is. */
enum frame_kind frame_kind(const struct frame *f);

/* "mfcc", "eda_csv" and so on; "data" for FRAME_OTHER. */
const char *frame_kind_name(enum frame_kind kind);

/*
 * Checks a frame of a known kind against the table of frames: dtypes,
 * shapes that must agree, metadata that must be there and parse.
 * FRAME_OTHER is always fine. Errors are ERR_DATA and name frame and key.
 */
int frame_check(const struct frame *f, struct err *err) NODISCARD;

/* "frame 3 (key pmemo2019/108), byte 4096": for messages. Returns text. */
char *frame_where(const struct frame *f, char *text, size_t size);

#endif
