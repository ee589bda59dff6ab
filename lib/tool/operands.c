/*
 * operands - command line operands that may be folders of sound files.
 */
#include "tool/operands.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"

/* Folders within folders: beyond it a link leads in a circle. */
#define MAX_DEPTH 32

/* Whether a name has the suffix of a sound file. */
static bool is_sound(const char *name)
{
    static const char *const suffixes[] = {
        "wav", "flac", "mp3", "ogg", "oga", "opus", "aiff", "aif", "aifc",
        "au",  "snd",  "caf", "w64", "rf64"};
    const char *dot = strrchr(name, '.');
    size_t i;

    for (i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++) {
        if (!strcasecmp(dot + 1, suffixes[i]))
            return true;
    }
    return false;
}

/* Appends a path. */
static int add(struct operands *list, const char *path, struct err *err)
{
    char **grown = mem_grow(list->paths, &list->cap, list->n + 1,
                            sizeof *grown, err);

    if (!grown)
        return -1;
    list->paths = grown;
    grown[list->n] = mem_string(path, err);
    return grown[list->n++] ? 0 : -1;
}

/* Order by bytes. */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Folders in folders: below. */
static int walk(struct operands *list, const char *folder, unsigned depth,
                struct err *err);

/* One entry of a folder: a folder, a sound file, or something else. */
static int visit(struct operands *list, const char *path, unsigned depth,
                 struct err *err)
{
    struct stat st;

    if (stat(path, &st))
        return errno == ENOENT ? 0 : err_errno(err, "%s", path);
    if (S_ISDIR(st.st_mode))
        return walk(list, path, depth + 1, err);
    return S_ISREG(st.st_mode) && is_sound(path) ? add(list, path, err) : 0;
}

/* The sound files of a folder and of those in it. */
static int walk(struct operands *list, const char *folder, unsigned depth,
                struct err *err)
{
    size_t len = strlen(folder);
    const struct dirent *entry;
    struct buf path = {0};
    DIR *dir;
    int got = 0;

    if (depth > MAX_DEPTH)
        return err_set(err, ERR_DATA, "%s: over %d folders deep", folder,
                       MAX_DEPTH);
    dir = opendir(folder);
    if (!dir)
        return err_errno(err, "%s", folder);
    while (!got && (errno = 0, entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        buf_clear(&path);
        buf_printf(&path, "%s%s%s", folder,
                   len > 0 && folder[len - 1] == '/' ? "" : "/",
                   entry->d_name);
        got = buf_check(&path, err) ||
              visit(list, buf_text(&path), depth, err) ? -1 : 0;
    }
    if (!got && errno)
        got = err_errno(err, "%s", folder);
    closedir(dir);
    buf_release(&path);
    return got;
}

int operands_expand(struct operands *list, char **operands, size_t n,
                  struct err *err)
{
    struct stat st;
    size_t i, before;

    for (i = 0; i < n; i++) {
        before = list->n;
        if (stat(operands[i], &st) || !S_ISDIR(st.st_mode)) {
            if (add(list, operands[i], err))
                return -1;
            continue;
        }
        list->is_folder = true;
        if (walk(list, operands[i], 0, err))
            return -1;
        if (list->n == before)
            return err_set(err, ERR_MISSING, "%s: a folder without sound "
                           "files (.wav, .flac, .mp3, .ogg, ...)",
                           operands[i]);
        qsort(list->paths + before, list->n - before, sizeof *list->paths,
              by_bytes);
    }
    return 0;
}

void operands_release(struct operands *list)
{
    size_t i;

    for (i = 0; i < list->n; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct operands){0};
}
