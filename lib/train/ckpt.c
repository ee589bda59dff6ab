/*
 * ckpt - writing checkpoint folders, finding them, and taking them away.
 *
 * A kill -9 may fall between any two steps:
 *   1. .tmp-step-N-PID/ is filled, DONE last; files and folder are synced
 *   2. it takes the name step-N in one rename (or exchanges names with a
 *      step-N that is there, which then is the temporary); the run folder is
 *      synced
 *   3. links are renamed into place
 *   4. what need not be kept is renamed to a temporary name and removed
 * After 1 the run folder has one more name that nobody reads. After 2 and 3
 * it has a checkpoint more than it needs. A half removed one has no name.
 */
#define _GNU_SOURCE /* renameat2 */
#include "train/ckpt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/num.h"
#include "core/stream.h"
#include "train/base64.h"

/* The files of a folder, in the order of DONE; not all have the last. */
static const char *const files[] = {
    "model.safetensors", "optimizer.safetensors", "dataset.safetensors",
    "trainer.json", "config.yml", "raw.safetensors"};

/* How many. */
#define N_FILES (sizeof files / sizeof files[0])

/* What every folder's name begins with. */
static const char step_prefix[] = "step-";

/* What names that nobody reads begin with. */
static const char temp_prefix[] = ".tmp-";

/* "a/b" into path, cleared before. Returns 0; -1 with err. */
static int join(struct buf *path, const char *a, const char *b, struct err *err)
{
    buf_clear(path);
    buf_printf(path, "%s/%s", a, b);
    return buf_check(path, err);
}

/* Makes the entries of a folder durable. */
static int sync_folder(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return err_errno(err, "%s", path);
    /* some network file systems cannot sync a folder and say EINVAL */
    if (fsync(fd) && errno != EINVAL)
        rc = err_errno(err, "%s", path);
    close(fd);
    return rc;
}

/* Writes n bytes to a descriptor. */
static int write_all(int fd, const char *bytes, size_t n)
{
    ssize_t got;

    while (n > 0) {
        got = write(fd, bytes, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        bytes += got;
        n -= (size_t)got;
    }
    return 0;
}

/* Writes a new file and syncs it. */
static int write_file(const char *path, const char *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = 0;

    if (fd < 0)
        return err_errno(err, "%s", path);
    if (write_all(fd, text, strlen(text)) || fsync(fd))
        rc = err_errno(err, "%s", path);
    if (close(fd) && !rc)
        rc = err_errno(err, "%s", path);
    return rc;
}

/* Appends a whole file to out. */
static int read_file(const char *path, struct buf *out, struct err *err)
{
    struct stream_in in = {0};
    int rc;

    if (stream_open(&in, path, err))
        return -1;
    rc = stream_slurp(&in, out, err);
    stream_close(&in);
    return rc;
}

/* Removes a folder and the plain files in it. ENOENT is fine. */
static int remove_folder(const char *path, struct err *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int rc = 0;

    if (!dir)
        return errno == ENOENT ? 0 : err_errno(err, "%s", path);
    while (!rc && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(dir), entry->d_name, 0))
            rc = err_errno(err, "%s/%s", path, entry->d_name);
    closedir(dir);
    if (!rc && rmdir(path))
        rc = err_errno(err, "%s", path);
    return rc;
}

char *ckpt_name(char text[CKPT_NAME_SIZE], uint64_t step)
{
    snprintf(text, CKPT_NAME_SIZE, "%s%08" PRIu64, step_prefix, step);
    return text;
}

/* The step of a folder's name. Returns 0; -1 if it is no such name. */
static int parse_name(const char *name, uint64_t *step)
{
    char again[CKPT_NAME_SIZE];
    int64_t value;

    if (strncmp(name, step_prefix, sizeof step_prefix - 1) != 0 ||
        num_parse_int(name + sizeof step_prefix - 1, &value) || value < 0)
        return -1;
    *step = (uint64_t)value;
    return strcmp(ckpt_name(again, *step), name) == 0 ? 0 : -1;
}

/* Sets the metadata of the model file that describe the model itself. */
static int set_model_meta(struct frame *f, const struct ckpt_content *what,
                          struct err *err)
{
    const struct model *m = what->model;
    struct buf text = {0};
    size_t past, future, whole;
    int rc;

    model_receptive_field(m, &past, &future, &whole);
    config_model_put_json(&m->conf, &text);
    rc = buf_check(&text, err) || frame_set(f, "format", "pt", err) ||
         frame_set(f, "a2b.version", what->version, err) ||
         frame_set(f, "a2b.architecture",
                   config_architecture_name(m->conf.architecture), err) ||
         frame_set(f, "a2b.params", buf_text(&text), err);
    buf_clear(&text);
    base64_put_floats(&text, m->input_mean, m->input_size);
    rc = rc || buf_check(&text, err) ||
         frame_set(f, "a2b.input_mean", buf_text(&text), err);
    buf_clear(&text);
    base64_put_floats(&text, m->input_std, m->input_size);
    rc = rc || buf_check(&text, err) ||
         frame_set(f, "a2b.input_std", buf_text(&text), err) ||
         frame_set_int(f, "a2b.receptive_field", (int64_t)whole, err);
    buf_release(&text);
    return rc ? -1 : 0;
}

/* Sets the metadata of the model file that describe its training. */
static int set_run_meta(struct frame *f, const struct ckpt_content *what,
                        struct err *err)
{
    const struct ckpt_state *s = what->state;
    const struct intake_plan *p = what->plan;

    if (frame_set(f, "a2b.features", p->features, err) ||
        frame_set_int(f, "a2b.rate_num", (int64_t)p->rate_num, err) ||
        frame_set_int(f, "a2b.rate_den", (int64_t)p->rate_den, err) ||
        frame_set_num(f, "a2b.t0_s", p->t0_s, err) ||
        frame_set_int(f, "a2b.step", (int64_t)s->step, err))
        return -1;
    if (isnan(s->metric))
        return 0;
    if (frame_set(f, "a2b.monitor", s->monitor_name, err) ||
        frame_set_num(f, "a2b.metric", s->metric, err))
        return -1;
    return 0;
}

/* Adds one tensor a parameter: prefix + its name, data in m's order. */
static int add_params(struct frame *f, const struct model *m,
                      const char *prefix, const float *values, struct err *err)
{
    char name[sizeof m->params->name + 32];
    size_t i;

    for (i = 0; i < m->n_params; i++) {
        const struct model_param *p = &m->params[i];

        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "",
                 p->name);
        if (frame_add(f, name, TENSOR_F32, p->n_dims, p->shape,
                      values + p->offset, err))
            return -1;
    }
    return 0;
}

/* Writes model.safetensors or raw.safetensors. */
static int save_model(const char *path, const struct ckpt_content *what,
                      const float *weights, struct err *err)
{
    struct frame f = {0};
    int rc = set_model_meta(&f, what, err) || set_run_meta(&f, what, err) ||
             add_params(&f, what->model, "", weights, err) ||
             stream_save_document(path, &f, err);

    frame_release(&f);
    return rc ? -1 : 0;
}

/* Writes optimizer.safetensors. */
static int save_moments(const char *path, const struct ckpt_content *what,
                        struct err *err)
{
    int64_t step = (int64_t)what->state->step;
    struct frame f = {0};
    size_t i;
    int rc = frame_set(&f, "format", "pt", err) ||
             frame_add(&f, "step", TENSOR_I64, 0, NULL, &step, err);

    for (i = 0; !rc && i < what->n_moments; i++)
        rc = add_params(&f, what->model, what->moments[i].name,
                        what->moments[i].values, err);
    rc = rc || stream_save_document(path, &f, err);
    frame_release(&f);
    return rc ? -1 : 0;
}

/* Writes trainer.json. */
static int save_state(const char *path, const struct ckpt_content *what,
                      struct err *err)
{
    struct buf text = {0};
    int rc;

    ckpt_state_put(&text, what->state);
    rc = buf_check(&text, err) || write_file(path, buf_text(&text), err);
    buf_release(&text);
    return rc ? -1 : 0;
}

/* Writes DONE over the other files of a folder. */
static int save_done(const char *folder, size_t n_files, struct err *err)
{
    struct buf path = {0}, list = {0}, bytes = {0};
    char hex[17];
    size_t i;
    int rc = 0;

    for (i = 0; !rc && i < n_files; i++) {
        buf_clear(&bytes);
        rc = join(&path, folder, files[i], err) ||
             read_file(buf_text(&path), &bytes, err);
        digest_hex(digest_xxh3(bytes.data, bytes.len), hex);
        buf_printf(&list, "XXH3_%s  %s\n", hex, files[i]);
    }
    rc = rc || buf_check(&list, err) || join(&path, folder, "DONE", err) ||
         write_file(buf_text(&path), buf_text(&list), err);
    buf_release(&path);
    buf_release(&list);
    buf_release(&bytes);
    return rc ? -1 : 0;
}

/* Writes the model, and the weights behind it if it is an average. */
static int save_weights(const char *folder, const struct ckpt_content *what,
                        struct err *err)
{
    const float *own = what->model->weights;
    struct buf path = {0};
    int rc = join(&path, folder, "model.safetensors", err) ||
             save_model(buf_text(&path), what,
                        what->average ? what->average : own, err);

    if (!rc && what->average)
        rc = join(&path, folder, "raw.safetensors", err) ||
             save_model(buf_text(&path), what, own, err);
    buf_release(&path);
    return rc ? -1 : 0;
}

/* Fills a folder that was just made. */
static int fill(const char *folder, const struct ckpt_content *what,
                struct err *err)
{
    size_t n_files = N_FILES - (what->average ? 0 : 1);
    struct buf path = {0};
    int rc = save_weights(folder, what, err) ||
             join(&path, folder, files[1], err) ||
             save_moments(buf_text(&path), what, err) ||
             join(&path, folder, files[2], err) ||
             stream_save_document(buf_text(&path), what->dataset, err) ||
             join(&path, folder, files[3], err) ||
             save_state(buf_text(&path), what, err) ||
             join(&path, folder, files[4], err) ||
             write_file(buf_text(&path), what->config, err) ||
             save_done(folder, n_files, err) || sync_folder(folder, err);

    buf_release(&path);
    return rc ? -1 : 0;
}

/* Makes and fills run/.tmp-NAME-PID; its path is left in `temp`. */
static int fill_temp(const char *run, const char *name,
                     const struct ckpt_content *what, struct buf *temp,
                     struct err *err)
{
    struct err ignored;

    buf_printf(temp, "%s/%s%s-%ld", run, temp_prefix, name, (long)getpid());
    if (buf_check(temp, err) || remove_folder(buf_text(temp), err))
        return -1;
    if (mkdir(buf_text(temp), 0777))
        return err_errno(err, "%s", buf_text(temp));
    if (fill(buf_text(temp), what, err)) {
        if (remove_folder(buf_text(temp), &ignored))
            return -1; /* a temporary name stays, which is harmless */
        return -1;
    }
    return 0;
}

/* Gives temp the name `to`; what had it is removed. */
static int take_name(const char *temp, const char *to, struct err *err)
{
    if (rename(temp, to) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return err_errno(err, "%s", to);
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        return remove_folder(temp, err);
    if (errno != EINVAL && errno != ENOSYS)
        return err_errno(err, "%s", to);
    /* a file system without exchange: the old one goes first */
    if (remove_folder(to, err))
        return -1;
    return rename(temp, to) ? err_errno(err, "%s", to) : 0;
}

int ckpt_save(const char *run, const struct ckpt_content *what, struct err *err)
{
    char name[CKPT_NAME_SIZE];
    struct buf temp = {0}, to = {0};
    int rc;

    ckpt_name(name, what->state->step);
    rc = join(&to, run, name, err) || fill_temp(run, name, what, &temp, err) ||
         take_name(buf_text(&temp), buf_text(&to), err) ||
         sync_folder(run, err);
    buf_release(&temp);
    buf_release(&to);
    return rc ? err_prefix(err, "checkpoint") : 0;
}

/* Bytes that the files of a folder take. */
static int folder_size(const char *path, uint64_t *size, struct err *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    struct stat st;

    *size = 0;
    if (!dir)
        return err_errno(err, "%s", path);
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
            S_ISREG(st.st_mode))
            *size += (uint64_t)st.st_size;
    closedir(dir);
    return 0;
}

uint64_t ckpt_room(const char *run)
{
    struct statvfs fs;

    if (statvfs(run, &fs))
        return UINT64_MAX;
    return (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize;
}

int ckpt_try(const char *run, const struct ckpt_content *what, uint64_t *size,
             struct err *err)
{
    struct buf temp = {0};
    int rc = fill_temp(run, "try", what, &temp, err) ||
             folder_size(buf_text(&temp), size, err) ||
             remove_folder(buf_text(&temp), err);

    buf_release(&temp);
    return rc ? err_prefix(err, "trial checkpoint") : 0;
}

int ckpt_link(const char *run, const char *name, uint64_t step, struct err *err)
{
    char target[CKPT_NAME_SIZE];
    struct buf temp = {0}, to = {0};
    int rc = join(&to, run, name, err);

    ckpt_name(target, step);
    buf_printf(&temp, "%s/%s%s-%ld", run, temp_prefix, name, (long)getpid());
    rc = rc || buf_check(&temp, err);
    if (!rc && unlink(buf_text(&temp)) && errno != ENOENT)
        rc = err_errno(err, "%s", buf_text(&temp));
    if (!rc && (symlink(target, buf_text(&temp)) ||
                rename(buf_text(&temp), buf_text(&to))))
        rc = err_errno(err, "%s", buf_text(&to));
    rc = rc || sync_folder(run, err);
    buf_release(&temp);
    buf_release(&to);
    return rc ? -1 : 0;
}

/* Takes run/name away, first its name, then its files. */
static int drop(const char *run, const char *name, struct err *err)
{
    struct buf path = {0}, temp = {0};
    struct stat st;
    int rc = join(&path, run, name, err);

    buf_printf(&temp, "%s/%sold-%s", run, temp_prefix, name);
    rc = rc || buf_check(&temp, err);
    if (!rc && lstat(buf_text(&path), &st) == 0 && !S_ISDIR(st.st_mode)) {
        if (unlink(buf_text(&path)))
            rc = err_errno(err, "%s", buf_text(&path));
    } else if (!rc && strncmp(name, temp_prefix, sizeof temp_prefix - 1)) {
        rc = remove_folder(buf_text(&temp), err);
        if (!rc && rename(buf_text(&path), buf_text(&temp)))
            rc = err_errno(err, "%s", buf_text(&path));
        rc = rc || remove_folder(buf_text(&temp), err);
    } else {
        rc = rc || remove_folder(buf_text(&path), err);
    }
    buf_release(&path);
    buf_release(&temp);
    return rc ? -1 : 0;
}

int ckpt_tidy(const char *run, const struct monitor *keep, struct err *err)
{
    struct dirent *entry;
    uint64_t step;
    DIR *dir = opendir(run);
    int rc = 0;

    if (!dir)
        return err_errno(err, "%s", run);
    while (!rc && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;

        if (strncmp(name, temp_prefix, sizeof temp_prefix - 1) == 0 ||
            (parse_name(name, &step) == 0 && !monitor_has(keep, step)))
            rc = drop(run, name, err);
    }
    closedir(dir);
    return rc;
}

/* Whether run/name is a checkpoint folder that was finished. */
static bool is_done(const char *run, const char *name)
{
    struct buf path = {0};
    struct stat st;
    bool yes;

    buf_printf(&path, "%s/%s/DONE", run, name);
    yes = !path.failed && stat(buf_text(&path), &st) == 0;
    buf_release(&path);
    return yes;
}

bool ckpt_has(const char *run, uint64_t step)
{
    char name[CKPT_NAME_SIZE];

    return is_done(run, ckpt_name(name, step));
}

/* The step that run/last points to. Returns 0; -1 if it points nowhere. */
static int read_last(const char *run, uint64_t *step)
{
    char target[CKPT_NAME_SIZE];
    struct buf path = {0};
    ssize_t n;

    buf_printf(&path, "%s/last", run);
    n = path.failed ? -1 : readlink(buf_text(&path), target, sizeof target - 1);
    buf_release(&path);
    if (n < 0)
        return -1;
    target[n] = '\0';
    return parse_name(target, step) == 0 && is_done(run, target) ? 0 : -1;
}

/*
 * The highest step below `limit` that is done in run. Returns 1, 0 for none,
 * -1.
 */
static int find_highest(const char *run, uint64_t limit, uint64_t *step,
                        struct err *err)
{
    struct dirent *entry;
    DIR *dir = opendir(run);
    uint64_t at;
    int found = 0;

    if (!dir)
        return errno == ENOENT ? 0 : err_errno(err, "%s", run);
    while ((entry = readdir(dir)) != NULL)
        if (parse_name(entry->d_name, &at) == 0 && at < limit &&
            is_done(run, entry->d_name) && (!found || at > *step)) {
            *step = at;
            found = 1;
        }
    closedir(dir);
    return found;
}

/* "run/step-N", if found says that there is one; returns 0 or -1. */
static int name_found(const char *run, int found, uint64_t step, char **folder,
                      struct err *err)
{
    char name[CKPT_NAME_SIZE];
    struct buf path = {0};

    *folder = NULL;
    if (found <= 0)
        return found;
    if (join(&path, run, ckpt_name(name, step), err) == 0)
        *folder = mem_string(buf_text(&path), err);
    buf_release(&path);
    return *folder ? 0 : -1;
}

int ckpt_latest(const char *run, char **folder, struct err *err)
{
    uint64_t step = 0;
    int found = read_last(run, &step) == 0
                    ? 1
                    : find_highest(run, UINT64_MAX, &step, err);

    return name_found(run, found, step, folder, err);
}

int ckpt_before(const char *run, uint64_t step, char **folder, struct err *err)
{
    uint64_t at = 0;
    int found = find_highest(run, step, &at, err);

    return name_found(run, found, at, folder, err);
}

uint64_t ckpt_step(const char *folder)
{
    const char *slash = strrchr(folder, '/');
    uint64_t step;

    return parse_name(slash ? slash + 1 : folder, &step) ? 0 : step;
}

/* Compares one file with its line in DONE. */
static int verify_file(const char *folder, const char *file, const char *done,
                       struct buf *path, struct buf *bytes, struct err *err)
{
    char line[96], hex[17];

    buf_clear(bytes);
    if (join(path, folder, file, err) || read_file(buf_text(path), bytes, err))
        return -1;
    digest_hex(digest_xxh3(bytes->data, bytes->len), hex);
    snprintf(line, sizeof line, "XXH3_%s  %s\n", hex, file);
    if (!strstr(done, line))
        return err_set(err, ERR_DATA,
                       "%s: its XXH3-64 is %s, %s/DONE says "
                       "otherwise",
                       buf_text(path), hex, folder);
    return 0;
}

int ckpt_verify(const char *folder, const char *file, struct err *err)
{
    struct buf path = {0}, done = {0}, bytes = {0};
    size_t i;
    int rc = join(&path, folder, "DONE", err) ||
             read_file(buf_text(&path), &done, err);

    for (i = 0; !rc && i < N_FILES; i++)
        if (file ? strcmp(file, files[i]) == 0
                 : i + 1 < N_FILES || strstr(buf_text(&done), files[i]))
            rc = verify_file(folder, files[i], buf_text(&done), &path, &bytes,
                             err);
    buf_release(&path);
    buf_release(&done);
    buf_release(&bytes);
    return rc ? -1 : 0;
}

int ckpt_put_file(const char *run, const char *name, const char *text,
                  struct err *err)
{
    struct buf temp = {0}, to = {0};
    int rc = join(&to, run, name, err);

    buf_printf(&temp, "%s/%s%s-%ld", run, temp_prefix, name, (long)getpid());
    rc = rc || buf_check(&temp, err) || write_file(buf_text(&temp), text, err);
    if (!rc && rename(buf_text(&temp), buf_text(&to)))
        rc = err_errno(err, "%s", buf_text(&to));
    rc = rc || sync_folder(run, err);
    buf_release(&temp);
    buf_release(&to);
    return rc ? -1 : 0;
}

void ckpt_model_release(struct ckpt_model *c)
{
    model_release(&c->model);
    free(c->features_json);
    free(c->path);
    free(c->folder);
    memset(c, 0, sizeof *c);
}
