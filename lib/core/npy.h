/*
 * npy - a tensor as a NumPy .npy file, version 1.0.
 */
#ifndef CORE_NPY_H
#define CORE_NPY_H

#include "base/buf.h"
#include "base/err.h"
#include "core/tensor.h"

/*
 * Appends t as the bytes of a .npy file in C order.
 *
 * Returns 0; -1 with ERR_DATA for BF16, which NumPy has no name for.
 * Source: numpy.lib.format, version 1.0.
 */
int npy_put(struct buf *out, const struct tensor *t,
            struct err *err) NODISCARD;

#endif
