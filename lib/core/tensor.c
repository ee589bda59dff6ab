/*
 * tensor - names and sizes of element types.
 */
#include "core/tensor.h"

#include <string.h>

/* One element type; the order is that of enum tensor_dtype. */
static const struct dtype {
    const char *name; /* safetensors' spelling */
    size_t size;      /* bytes */
} dtypes[TENSOR_N_DTYPES] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"U16", 2}, {"I16", 2},
    {"F16", 2},  {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},
    {"U64", 8},  {"I64", 8}, {"F64", 8}, {"C64", 8},
};

const char *tensor_dtype_name(enum tensor_dtype dtype)
{
    return dtypes[dtype].name;
}

int tensor_dtype_parse(const char *name, enum tensor_dtype *out)
{
    int i;

    for (i = 0; i < TENSOR_N_DTYPES; i++) {
        if (!strcmp(name, dtypes[i].name)) {
            *out = (enum tensor_dtype)i;
            return 0;
        }
    }
    return -1;
}

size_t tensor_item_size(enum tensor_dtype dtype)
{
    return dtypes[dtype].size;
}

size_t tensor_count(const struct tensor *t)
{
    size_t n = 1, i;

    for (i = 0; i < t->n_dims; i++)
        n *= t->shape[i];
    return n;
}

size_t tensor_size(const struct tensor *t)
{
    return tensor_count(t) * tensor_item_size(t->dtype);
}
