/*
 * newdir - a folder that appears complete or not at all.
 *
 * `a/b` is filled as `a/.b.tmp0`, or the next number that is free: a run that
 * was killed leaves its own behind, and two runs at once do not meet.
 */
#include "dataset/newdir.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

/* Makes sure that path is new or an empty folder. */
static int check_free(const char *path, struct err *err)
{
    struct dirent *entry;
    DIR *dir = opendir(path);
    bool empty = true;

    if (!dir && errno == ENOENT)
        return 0;
    if (!dir && errno == ENOTDIR)
        return err_set(err, ERR_USAGE,
                       "%s: want a new or empty folder, "
                       "got a file",
                       path);
    if (!dir)
        return err_errno(err, "%s", path);
    while ((entry = readdir(dir)))
        empty = empty && (strcmp(entry->d_name, ".") == 0 ||
                          strcmp(entry->d_name, "..") == 0);
    closedir(dir);
    if (!empty)
        return err_set(err, ERR_USAGE,
                       "%s: want a new or empty folder, "
                       "this one has files",
                       path);
    return 0;
}

/* The temporary name number k. */
static int temp_name(struct newdir *d, unsigned k, struct err *err)
{
    const char *slash = strrchr(d->path, '/');
    const char *base = slash ? slash + 1 : d->path;
    struct buf name = {0};

    buf_put(&name, d->path, (size_t)(base - d->path));
    buf_printf(&name, ".%s.tmp%u", base, k);
    if (buf_check(&name, err)) {
        buf_release(&name);
        return -1;
    }
    free(d->temp);
    d->temp = mem_string(buf_text(&name), err);
    buf_release(&name);
    return d->temp ? 0 : -1;
}

int newdir_open(struct newdir *d, const char *path, struct err *err)
{
    size_t len = strlen(path);
    unsigned k;

    *d = (struct newdir){0};
    if (len == 0)
        return err_set(err, ERR_USAGE, "the name of the folder is empty");
    if (check_free(path, err))
        return -1;
    d->path = mem_string(path, err);
    if (!d->path)
        return -1;
    while (len > 1 && d->path[len - 1] == '/')
        d->path[--len] = '\0';
    for (k = 0; k < 1000; k++) {
        if (temp_name(d, k, err))
            return -1;
        if (mkdir(d->temp, 0777) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    err_errno(err, "%s", d->path);
    free(d->temp);
    d->temp = NULL;
    return -1;
}

/* The path of a name inside the folder, or NULL; caller frees. */
static char *inside(const struct newdir *d, const char *name, struct err *err)
{
    struct buf b = {0};
    char *path = NULL;

    buf_printf(&b, "%s/%s", d->temp, name);
    if (buf_check(&b, err) == 0)
        path = mem_string(buf_text(&b), err);
    buf_release(&b);
    return path;
}

int newdir_folder(const struct newdir *d, const char *name, struct err *err)
{
    char *path = inside(d, name, err);
    int result;

    if (!path)
        return -1;
    result = mkdir(path, 0777) ? err_errno(err, "%s", path) : 0;
    free(path);
    return result;
}

int newdir_save(const struct newdir *d, const char *name, const void *bytes,
                size_t n, struct err *err)
{
    char *path = inside(d, name, err);
    int result = -1;
    FILE *file;

    if (!path)
        return -1;
    file = fopen(path, "wb");
    if (!file) {
        err_errno(err, "%s", path);
        goto out;
    }
    result = fwrite(bytes, 1, n, file) == n ? 0 : -1;
    if (result)
        err_errno(err, "%s", path);
    if (fclose(file) && result == 0)
        result = err_errno(err, "%s", path);
out:
    free(path);
    return result;
}

int newdir_commit(struct newdir *d, struct err *err)
{
    if (rename(d->temp, d->path))
        return err_errno(err, "%s", d->path);
    free(d->temp);
    d->temp = NULL;
    return 0;
}

/* Removes one file or folder of a tree; nftw() calls it bottom up. */
static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    remove(path);
    return 0;
}

void newdir_release(struct newdir *d)
{
    if (d->temp)
        nftw(d->temp, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(d->temp);
    free(d->path);
    *d = (struct newdir){0};
}
