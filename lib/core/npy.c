/*
 * npy - \x93NUMPY, version 1.0, u16 header length, a Python dict of dtype,
 * order and shape padded with blanks so that the data begins at a multiple
 * of 64, then the data.
 */
#include "core/npy.h"

/* NumPy's names of our element types; NULL: it has none. */
static const char *const descr[TENSOR_N_DTYPES] = {
    [TENSOR_BOOL] = "|b1", [TENSOR_U8] = "|u1",  [TENSOR_I8] = "|i1",
    [TENSOR_U16] = "<u2",  [TENSOR_I16] = "<i2", [TENSOR_F16] = "<f2",
    [TENSOR_U32] = "<u4",  [TENSOR_I32] = "<i4", [TENSOR_F32] = "<f4",
    [TENSOR_U64] = "<u8",  [TENSOR_I64] = "<i8", [TENSOR_F64] = "<f8",
    [TENSOR_C64] = "<c8",
};

int npy_put(struct buf *out, const struct tensor *t, struct err *err)
{
    struct buf dict = {0};
    unsigned char length[2];
    size_t i;
    int got;

    if (!descr[t->dtype])
        return err_set(err, ERR_DATA, "tensor %s: NumPy has no %s", t->name,
                       tensor_dtype_name(t->dtype));
    buf_printf(&dict, "{'descr': '%s', 'fortran_order': False, 'shape': (",
               descr[t->dtype]);
    for (i = 0; i < t->n_dims; i++)
        buf_printf(&dict, "%zu,%s", t->shape[i],
                   i + 1 < t->n_dims ? " " : "");
    buf_puts(&dict, "), }");
    while ((10 + dict.len + 1) % 64 && !dict.failed)
        buf_puts(&dict, " ");
    buf_puts(&dict, "\n");
    length[0] = (unsigned char)(dict.len & 0xff);
    length[1] = (unsigned char)(dict.len >> 8);
    buf_put(out, "\x93NUMPY\x01\x00", 8);
    buf_put(out, length, 2);
    buf_put(out, dict.data, dict.len);
    buf_put(out, t->data, tensor_size(t));
    got = buf_check(&dict, err);
    buf_release(&dict);
    return got ? -1 : buf_check(out, err);
}
