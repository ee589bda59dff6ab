/*
 * tcn - temporal convolutional network (Bai, Kolter & Koltun 2018), not
 * causal unless asked: residual blocks of two dilated convolutions.
 */
#ifndef NN_TCN_H
#define NN_TCN_H

#include "base/err.h"
#include "nn/model.h"

/*
 * Registers the layers of m->conf.tcn in m and fills m->net.
 *
 * m: conf is set, params empty, net zeroed
 * Returns 0; -1 with err set, ERR_USAGE for impossible settings.
 */
int tcn_init(struct model *m, struct err *err) NODISCARD;

#endif
