/*
 * ckpt - checkpoint folders: what is in one, written so that it is whole or
 * not there.
 *
 *   step-00000500/model.safetensors      state_dict, strict in PyTorch
 *                 optimizer.safetensors  moments by parameter name
 *                 dataset.safetensors    the dataset frame
 *                 trainer.json           position and states
 *                 config.yml             resolved config
 *                 raw.safetensors        only where model.safetensors holds
 *                                        averaged weights: the ones training
 *                                        goes on with
 *                 DONE                   written last: the others' XXH3-64,
 *                                        "XXH3_<16 hex>  <file>" lines, as
 *                                        `xxhsum -c DONE` reads them
 * beside it the links `best` and `last`.
 *
 * A folder is written as .tmp-step-..., every file and the folder are synced,
 * then it takes its name in one rename; the links follow, each by a rename.
 * A reader takes no folder without DONE.
 */
#ifndef TRAIN_CKPT_H
#define TRAIN_CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/config.h"
#include "core/frame.h"
#include "nn/model.h"
#include "train/ckpt_state.h"
#include "train/intake.h"
#include "train/monitor.h"

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

/*
 * Loads weights from a model file without a2b's metadata, as PyTorch writes a
 * state_dict: its names and shapes must be exactly m's.
 *
 * *plain: whether it is such a file; if not nothing is loaded, and
 *         ckpt_load_model() knows it. The input normalisation stays m's.
 * ERR_DATA for damage, for missing or foreign tensors, naming the file.
 */
int ckpt_load_plain(struct model *m, const char *path, bool *plain,
                    struct err *err) NODISCARD;

/*
 * Loads a checkpoint that predicts EDA: as above, and ERR_DATA unless it has
 * one output. weights: XXH3-64 of its weights in hex, for provenance
 */
int ckpt_load_predictor(struct ckpt_model *c, const char *path,
                        char weights[17], struct err *err) NODISCARD;

/* Loads the dataset frame beside a model; ERR_MISSING for a lone file. */
int ckpt_load_dataset(const struct ckpt_model *c, struct frame *f,
                      struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void ckpt_model_release(struct ckpt_model *c);

/* One set of optimizer numbers, in the order of the model's weights. */
struct ckpt_moment {
    const char *name; /* "exp_avg": tensors are exp_avg.<parameter> */
    float *values;    /* (n_weights); only read when saving */
};

/* Everything one checkpoint holds; all of it borrowed. */
struct ckpt_content {
    const struct model *model;         /* weights, input normalisation */
    const float *average;              /* (n_weights) to be saved as the
                                          model; NULL: its own weights */
    const struct ckpt_moment *moments; /* n_moments */
    size_t n_moments;                  /* of the optimizer */
    const struct frame *dataset;       /* dataset frame */
    const struct intake_plan *plan;    /* what it says */
    const struct ckpt_state *state;    /* trainer.json */
    const char *config;                /* config.yml */
    const char *version;               /* of the program */
};

/* Room for a folder's name. */
#define CKPT_NAME_SIZE 32

/* Writes "step-00000500" for a step. Returns text. */
char *ckpt_name(char text[CKPT_NAME_SIZE], uint64_t step);

/*
 * Writes run/step-N, replacing one of that step in one exchange.
 *
 * Returns 0; -1 with ERR_IO and nothing changed.
 */
int ckpt_save(const char *run, const struct ckpt_content *what,
              struct err *err) NODISCARD;

/*
 * Writes a checkpoint as ckpt_save() does and takes it away again.
 * *size: its bytes
 */
int ckpt_try(const char *run, const struct ckpt_content *what, uint64_t *size,
             struct err *err) NODISCARD;

/* Bytes that may still be written where run lies; UINT64_MAX if unknown. */
uint64_t ckpt_room(const char *run);

/* Whether run has a finished checkpoint of a step. */
bool ckpt_has(const char *run, uint64_t step);

/* Makes run/name a link to the checkpoint of a step. */
int ckpt_link(const char *run, const char *name, uint64_t step,
              struct err *err) NODISCARD;

/*
 * Removes every checkpoint that `keep` does not list, and what killed runs
 * left half written. run must be this program's alone.
 */
int ckpt_tidy(const char *run, const struct monitor *keep,
              struct err *err) NODISCARD;

/*
 * The checkpoint to go on from: where `last` points, or else the highest
 * step with DONE. *folder: caller frees; NULL if there is none.
 */
int ckpt_latest(const char *run, char **folder, struct err *err) NODISCARD;

/*
 * The newest checkpoint of a step before `step`, finished or damaged as
 * ckpt_verify() finds it. *folder: caller frees; NULL if there is none.
 */
int ckpt_before(const char *run, uint64_t step, char **folder,
                struct err *err) NODISCARD;

/* The step that a checkpoint folder's name says; 0 if it is no such name. */
uint64_t ckpt_step(const char *folder);

/*
 * Compares one file of a folder, or all for NULL, with DONE. ERR_DATA names
 * the file.
 */
int ckpt_verify(const char *folder, const char *file,
                struct err *err) NODISCARD;

/* Reads trainer.json; monitor settings (mode, top_k, ...) stay as they are. */
int ckpt_load_state(const char *folder, struct ckpt_state *s,
                    struct err *err) NODISCARD;

/*
 * Reads optimizer.safetensors into n moments of m's weights. Every tensor
 * must be there, none else, and its step must be `step`.
 */
int ckpt_load_moments(const char *folder, const struct model *m,
                      const struct ckpt_moment *moments, size_t n,
                      uint64_t step, struct err *err) NODISCARD;

/*
 * Reads the weights of one model file of a folder. Its layout must be m's.
 *
 * file:    model.safetensors or raw.safetensors
 * weights: (n_weights) set
 * Sets m's input normalisation too.
 */
int ckpt_load_weights(const char *folder, const char *file, struct model *m,
                      float *weights, struct err *err) NODISCARD;

/* config.yml as text; caller frees. */
char *ckpt_load_config(const char *folder, struct err *err) NODISCARD;

/*
 * Writes the text file run/name in one rename, synced. Used for config.yml
 * and finished.json; ckpt_tidy() removes what a killed run left of it.
 */
int ckpt_put_file(const char *run, const char *name, const char *text,
                  struct err *err) NODISCARD;

#endif
