/*
 * ckpt_load - reading checkpoints back: strictly, tensor by tensor.
 */
#include "train/ckpt.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "core/stream.h"
#include "train/base64.h"

/* The folder part of a path, "." if there is none. Caller frees. */
static char *parent_of(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *text = mem_string(slash ? path : ".", err);

    if (text && slash)
        text[slash == path ? 1 : slash - path] = '\0';
    return text;
}

/*
 * Where a link points, as a path beside the link; a copy of path if it is
 * none. `best` may move on while we read, the folder behind it does not.
 */
static char *resolve(const char *path, struct err *err)
{
    struct buf at = {0};
    char target[256], *parent, *text = NULL;
    size_t len = strlen(path);
    ssize_t n;

    buf_puts(&at, path);
    if (buf_check(&at, err))
        return NULL;
    while (len > 1 && at.data[len - 1] == '/')
        at.data[--len] = '\0';
    n = readlink(at.data, target, sizeof target - 1);
    if (n <= 0 || target[0] == '/') {
        text = mem_string(at.data, err);
    } else {
        target[n] = '\0';
        parent = parent_of(at.data, err);
        buf_clear(&at);
        if (parent) {
            buf_printf(&at, "%s/%s", parent, target);
            text = buf_check(&at, err) ? NULL : mem_string(at.data, err);
        }
        free(parent);
    }
    buf_release(&at);
    return text;
}

/* Whether folder/DONE is there. */
static bool has_done(const char *folder)
{
    struct buf path = {0};
    struct stat st;
    bool yes;

    buf_printf(&path, "%s/DONE", folder);
    yes = !path.failed && stat(buf_text(&path), &st) == 0;
    buf_release(&path);
    return yes;
}

/* "folder/file"; caller frees. */
static char *path_in(const char *folder, const char *file, struct err *err)
{
    struct buf path = {0};
    char *text;

    buf_printf(&path, "%s/%s", folder, file);
    text = buf_check(&path, err) ? NULL : mem_string(path.data, err);
    buf_release(&path);
    return text;
}

/* Sets c->path and c->folder from what the user named. */
static int locate(struct ckpt_model *c, const char *path, struct err *err)
{
    struct stat st;
    char *parent;

    if (stat(path, &st))
        return err_errno(err, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        c->folder = resolve(path, err);
        if (!c->folder)
            return -1;
        if (!has_done(c->folder))
            return err_set(err, ERR_DATA,
                           "%s: no checkpoint: it has no file "
                           "DONE",
                           path);
        c->path = path_in(c->folder, "model.safetensors", err);
        return c->path ? 0 : -1;
    }
    c->path = mem_string(path, err);
    parent = c->path ? parent_of(path, err) : NULL;
    if (!parent)
        return -1;
    if (has_done(parent))
        c->folder = parent;
    else
        free(parent);
    return 0;
}

/* Reads input_mean or input_std. */
static int read_floats(const struct frame *f, const char *key, float *values,
                       size_t n, struct err *err)
{
    const char *text;

    if (frame_need(f, key, &text, err))
        return -1;
    if (base64_parse_floats(text, values, n))
        return err_set(err, ERR_DATA, "%s: want %zu float32 in base64", key, n);
    return 0;
}

/* Builds the model a file describes, without its weights. */
static int build(struct ckpt_model *c, const struct frame *f, struct err *err)
{
    const char *architecture, *params;
    struct config_model conf = {0};
    float *mean, *std;
    size_t i;
    int rc;

    if (frame_need(f, "a2b.architecture", &architecture, err) ||
        frame_need(f, "a2b.params", &params, err) ||
        config_model_from_json(&conf, architecture, params, err))
        return -1;
    if (model_init(&c->model, &conf, err)) {
        err->status = ERR_DATA;
        return -1;
    }
    mean = mem_alloc(2 * c->model.input_size, sizeof *mean, err);
    if (!mean)
        return -1;
    std = mean + c->model.input_size;
    rc = read_floats(f, "a2b.input_mean", mean, c->model.input_size, err) ||
         read_floats(f, "a2b.input_std", std, c->model.input_size, err);
    for (i = 0; !rc && i < c->model.input_size; i++)
        if (!(std[i] > 0))
            rc = err_set(err, ERR_DATA,
                         "a2b.input_std: coefficient %zu is "
                         "not above 0",
                         i);
    if (!rc)
        model_set_input(&c->model, mean, std);
    free(mean);
    return rc ? -1 : 0;
}

/* Reads what the file says beside the model. */
static int read_meta(struct ckpt_model *c, const struct frame *f,
                     struct err *err)
{
    int64_t num, den, step;
    const char *features;

    if (frame_need_int(f, "a2b.rate_num", 1, INT64_MAX, &num, err) ||
        frame_need_int(f, "a2b.rate_den", 1, INT64_MAX, &den, err) ||
        frame_need_int(f, "a2b.step", 0, INT64_MAX, &step, err) ||
        frame_need_num(f, "a2b.t0_s", &c->t0_s, err) ||
        frame_need(f, "a2b.features", &features, err) ||
        config_features_from_json(&c->features, features, err))
        return -1;
    c->rate_num = (uint64_t)num;
    c->rate_den = (uint64_t)den;
    c->step = (uint64_t)step;
    c->features_json = mem_string(features, err);
    return c->features_json ? 0 : -1;
}

/*
 * Copies tensors named prefix + parameter into values, in m's order.
 * Returns 0; -1 for one that is missing or has another shape.
 */
static int read_params(const struct frame *f, const struct model *m,
                       const char *prefix, float *values, struct err *err)
{
    char name[sizeof m->params->name + 32];
    const struct tensor *t;
    size_t i, d;

    for (i = 0; i < m->n_params; i++) {
        const struct model_param *p = &m->params[i];

        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "",
                 p->name);
        if (frame_need_tensor(f, name, TENSOR_F32, p->n_dims, &t, err))
            return -1;
        for (d = 0; d < p->n_dims; d++)
            if (t->shape[d] != p->shape[d])
                return err_set(err, ERR_DATA,
                               "tensor %s: dimension %zu is "
                               "%zu, want %zu",
                               name, d, t->shape[d], p->shape[d]);
        memcpy(values + p->offset, t->data, p->count * sizeof *values);
    }
    return 0;
}

/* Whether a tensor's name is prefix + one of m's parameters. */
static bool is_param(const char *name, const struct model *m,
                     const char *prefix)
{
    size_t i, n = strlen(prefix);

    if (strncmp(name, prefix, n) != 0 || (n > 0 && name[n] != '.'))
        return false;
    name += n + (n > 0);
    for (i = 0; i < m->n_params; i++)
        if (strcmp(m->params[i].name, name) == 0)
            return true;
    return false;
}

/* Copies all tensors of f, which are m's parameters and nothing else. */
static int read_weights(const struct frame *f, struct model *m, struct err *err)
{
    size_t i;

    if (read_params(f, m, "", m->weights, err))
        return -1;
    for (i = 0; i < f->n_tensors; i++)
        if (!is_param(f->tensors[i].name, m, ""))
            return err_set(err, ERR_DATA, "tensor %s is none of the model's",
                           f->tensors[i].name);
    return 0;
}

/* Loads the model file of c->path. */
static int load_file(struct ckpt_model *c, struct frame *f, struct err *err)
{
    if (build(c, f, err) || read_meta(c, f, err))
        return -1;
    return read_weights(f, &c->model, err);
}

int ckpt_load_plain(struct model *m, const char *path, bool *plain,
                    struct err *err)
{
    struct frame f = {0};
    struct stat st;
    int rc = 0;

    *plain = false;
    if (stat(path, &st))
        return err_errno(err, "%s", path);
    if (S_ISDIR(st.st_mode))
        return 0;
    if (stream_load_document(path, &f, err)) {
        rc = -1;
    } else if (!frame_get(&f, "a2b.architecture")) {
        *plain = true;
        if (read_weights(&f, m, err))
            rc = err_prefix(err, "%s", path);
    }
    frame_release(&f);
    return rc;
}

int ckpt_load_model(struct ckpt_model *c, const char *path, struct err *err)
{
    struct frame f = {0};
    int rc;

    memset(c, 0, sizeof *c);
    rc = locate(c, path, err) ||
         (c->folder && ckpt_verify(c->folder, "model.safetensors", err)) ||
         stream_load_document(c->path, &f, err);
    if (!rc && load_file(c, &f, err)) {
        err_prefix(err, "%s", c->path);
        rc = -1;
    }
    frame_release(&f);
    if (rc)
        ckpt_model_release(c);
    return rc ? -1 : 0;
}

int ckpt_load_predictor(struct ckpt_model *c, const char *path,
                        char weights[17], struct err *err)
{
    if (ckpt_load_model(c, path, err))
        return -1;
    if (c->model.output_size != 1)
        return err_set(err, ERR_DATA, "%s: %zu outputs, want 1", c->path,
                       c->model.output_size);
    digest_hex(digest_xxh3(c->model.weights,
                           c->model.n_weights * sizeof *c->model.weights),
               weights);
    return 0;
}

int ckpt_load_dataset(const struct ckpt_model *c, struct frame *f,
                      struct err *err)
{
    char *path;
    int rc;

    if (!c->folder)
        return err_set(err, ERR_MISSING,
                       "%s: a lone model file, without the "
                       "dataset.safetensors of its checkpoint folder",
                       c->path);
    path = path_in(c->folder, "dataset.safetensors", err);
    if (!path)
        return -1;
    rc = stream_load_document(path, f, err);
    if (!rc && frame_kind(f) != FRAME_DATASET)
        rc = err_set(err, ERR_DATA, "%s: not a dataset frame", path);
    free(path);
    return rc;
}

/* A whole file of a folder as text. */
static int load_text(const char *folder, const char *file, struct buf *out,
                     struct err *err)
{
    struct stream_in in = {0};
    char *path = path_in(folder, file, err);
    int rc = -1;

    if (path && stream_open(&in, path, err) == 0) {
        rc = stream_slurp(&in, out, err) || buf_check(out, err) ? -1 : 0;
        stream_close(&in);
    }
    free(path);
    return rc;
}

int ckpt_load_state(const char *folder, struct ckpt_state *s, struct err *err)
{
    struct buf text = {0};
    int rc = load_text(folder, "trainer.json", &text, err);

    if (!rc && ckpt_state_parse(buf_text(&text), text.len, s, err))
        rc = err_prefix(err, "%s/trainer.json", folder);
    buf_release(&text);
    return rc;
}

/* Checks the step of an optimizer file, and that it has no other tensors. */
static int check_moments(const struct frame *f, const struct model *m,
                         const struct ckpt_moment *moments, size_t n,
                         uint64_t step, struct err *err)
{
    const struct tensor *t;
    int64_t value;
    size_t i, k;

    if (frame_need_tensor(f, "step", TENSOR_I64, 0, &t, err))
        return -1;
    memcpy(&value, t->data, sizeof value);
    if (value < 0 || (uint64_t)value != step)
        return err_set(err, ERR_DATA,
                       "step is %" PRId64 ", trainer.json "
                       "has %" PRIu64,
                       value, step);
    for (i = 0; i < f->n_tensors; i++) {
        const char *name = f->tensors[i].name;
        bool known = strcmp(name, "step") == 0;

        for (k = 0; k < n && !known; k++)
            known = is_param(name, m, moments[k].name);
        if (!known)
            return err_set(err, ERR_DATA,
                           "tensor %s is none of this "
                           "optimizer's",
                           name);
    }
    return 0;
}

int ckpt_load_moments(const char *folder, const struct model *m,
                      const struct ckpt_moment *moments, size_t n,
                      uint64_t step, struct err *err)
{
    struct frame f = {0};
    char *path = path_in(folder, "optimizer.safetensors", err);
    size_t k;
    int rc;

    if (!path)
        return -1;
    rc = stream_load_document(path, &f, err);
    if (!rc) {
        rc = check_moments(&f, m, moments, n, step, err);
        for (k = 0; !rc && k < n; k++)
            rc = read_params(&f, m, moments[k].name, moments[k].values, err);
        if (rc)
            err_prefix(err, "%s", path);
    }
    frame_release(&f);
    free(path);
    return rc;
}

int ckpt_load_weights(const char *folder, const char *file, struct model *m,
                      float *weights, struct err *err)
{
    char *path = path_in(folder, file, err);
    struct ckpt_model c;
    int rc = path ? ckpt_load_model(&c, path, err) : -1;

    if (!rc) {
        /* the model's section of config.yml was equal, so are the layouts */
        assert(c.model.n_weights == m->n_weights);
        memcpy(weights, c.model.weights, m->n_weights * sizeof *weights);
        model_set_input(m, c.model.input_mean, c.model.input_std);
        ckpt_model_release(&c);
    }
    free(path);
    return rc;
}

char *ckpt_load_config(const char *folder, struct err *err)
{
    struct buf text = {0};
    char *copy = NULL;

    if (load_text(folder, "config.yml", &text, err) == 0)
        copy = mem_string(buf_text(&text), err);
    buf_release(&text);
    return copy;
}
