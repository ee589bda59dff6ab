/*
 * tensor - a named dense array: dtype, shape, data in C order.
 *
 * The letters used for shapes everywhere:
 *   B  recordings in a batch (R where rows and recordings differ)
 *   S  songs, that is rows of x, in a batch
 *   T  frames of a sequence           L  samples of a signal
 *   C  channels or coefficients       O  outputs
 *   K  taps of a kernel               D  dilation
 *   N  frames of a signal on the frame times
 */
#ifndef CORE_TENSOR_H
#define CORE_TENSOR_H

#include <stddef.h>
#include <stdint.h>

/* Most dimensions a tensor may have. */
#define TENSOR_MAX_DIMS 8

/* Element types that streams may carry, by ascending item size. */
enum tensor_dtype {
    TENSOR_BOOL, /* 1 byte, 0 or 1 */
    TENSOR_U8, /* 1 byte */
    TENSOR_I8, /* 1 byte */
    TENSOR_U16, /* 2 bytes */
    TENSOR_I16, /* 2 bytes */
    TENSOR_F16, /* 2 bytes, IEEE half */
    TENSOR_BF16, /* 2 bytes, upper half of F32 */
    TENSOR_U32, /* 4 bytes */
    TENSOR_I32, /* 4 bytes */
    TENSOR_F32, /* 4 bytes, float */
    TENSOR_U64, /* 8 bytes */
    TENSOR_I64, /* 8 bytes */
    TENSOR_F64, /* 8 bytes, double */
    TENSOR_C64, /* 8 bytes, two floats */
    TENSOR_N_DTYPES /* how many types there are */
};

/* One array. */
struct tensor {
    const char *name;               /* 1-255 bytes, owned by the frame */
    enum tensor_dtype dtype;        /* element type */
    size_t n_dims;                  /* 0 to TENSOR_MAX_DIMS */
    size_t shape[TENSOR_MAX_DIMS];  /* elements along each dimension */
    const void *data;               /* C order; owner: see frame.h */
};

/* "F32" and so on, as safetensors spells them. */
const char *tensor_dtype_name(enum tensor_dtype dtype);

/* The dtype of a name. Returns 0; -1 if it is none of ours. */
int tensor_dtype_parse(const char *name, enum tensor_dtype *out);

/* Bytes of one element. */
size_t tensor_item_size(enum tensor_dtype dtype);

/* Elements of t: the product of its shape. */
size_t tensor_count(const struct tensor *t);

/* Bytes of t's data. */
size_t tensor_size(const struct tensor *t);

#endif
