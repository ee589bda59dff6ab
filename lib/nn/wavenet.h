/*
 * wavenet - WaveNet over frames (van den Oord et al. 2016; Rethage, Pons &
 * Serra 2018), not causal unless asked: stacks of gated dilated convolutions
 * whose skip connections are summed.
 */
#ifndef NN_WAVENET_H
#define NN_WAVENET_H

#include "base/err.h"
#include "nn/model.h"

/*
 * Registers the layers of m->conf.wavenet in m and fills m->net.
 *
 * m: conf is set, params empty, net zeroed
 * Returns 0; -1 with err set, ERR_USAGE for impossible settings.
 */
int wavenet_init(struct model *m, struct err *err) NODISCARD;

#endif
