/*
 * ckpt - checkpoint folders: what is in one, written so that it is whole or
 * not there.
 *
 *   step-00000500/model.safetensors      state_dict, strict in PyTorch
 *                 optimizer.safetensors  moments by parameter name
 *                 dataset.safetensors    the dataset frame
 *                 trainer.json           position and states
 *                 config.yml             resolved config
 *                 DONE                   written last
 * beside it the links `best` and `last`.
 */
#ifndef TRAIN_CKPT_H
#define TRAIN_CKPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "core/frame.h"
#include "nn/model.h"

/* What a model file says beside its weights. */
struct ckpt_model {
    struct model model;              /* weights and input normalisation */
    char *features_json;             /* a2b.features, owned */
    struct config_features features; /* the same, parsed and settled */
    uint64_t rate_num, rate_den;     /* frames a second */
    double t0_s;                     /* time of frame 0 */
    uint64_t step;                   /* optimizer steps done */
    char *path;                      /* of the model file, owned */
    char *folder;                    /* checkpoint folder, owned; NULL for a
                                        lone file */
};

/*
 * Loads a checkpoint named by its folder, a link to it, or its model file.
 *
 * ERR_MISSING if there is none; ERR_DATA for damage, for missing or foreign
 * tensors, naming the file.
 */
int ckpt_load_model(struct ckpt_model *c, const char *path,
                    struct err *err) NODISCARD;

/* Loads the dataset frame beside a model; ERR_MISSING for a lone file. */
int ckpt_load_dataset(const struct ckpt_model *c, struct frame *f,
                      struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void ckpt_model_release(struct ckpt_model *c);

#endif
