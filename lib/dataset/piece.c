/*
 * piece - the sound files of a folder, by name.
 */
#include "dataset/piece.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/json.h"

/* Reads a whole file. Returns its bytes, or NULL; caller frees. */
static char *read_file(const char *path, size_t *n, struct err *err)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    size_t cap = 0, got;

    *n = 0;
    if (!file) {
        err_errno(err, "%s", path);
        return NULL;
    }
    do {
        char *more = mem_grow(bytes, &cap, *n + 65536, 1, err);

        if (!more)
            goto failed;
        bytes = more;
        got = fread(bytes + *n, 1, cap - *n, file);
        *n += got;
    } while (got > 0);
    if (ferror(file)) {
        err_errno(err, "%s", path);
        goto failed;
    }
    fclose(file);
    return bytes;
failed:
    fclose(file);
    free(bytes);
    return NULL;
}

/* Whether a file name may become a song's name. */
static int check_name(const char *name, struct err *err)
{
    struct buf text = {0};
    struct json *json = NULL;
    struct err inner;
    const char *p;

    for (p = name; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return err_set(err, ERR_DATA, "%s: control characters in the name",
                           name);
    }
    json_put_text(&text, name);
    if (buf_check(&text, err) == 0) {
        json = json_parse(text.data, text.len, &inner);
        if (!json)
            err_set(err, ERR_DATA, "%s: the name is not UTF-8", name);
    }
    buf_release(&text);
    json_close(json);
    return json ? 0 : -1;
}

/* Orders pieces by name. */
static int by_stem(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    return strcmp(x->stem, y->stem);
}

/* The piece of a path, without its stem's suffix, at the end of the list. */
static int append(struct piece_list *list, size_t *cap, const char *path,
                  const char *name, struct err *err)
{
    struct piece *grown, *piece;
    char *dot;

    grown = mem_grow(list->item, cap, list->n + 1, sizeof *grown, err);
    if (!grown)
        return -1;
    list->item = grown;
    piece = &list->item[list->n++];
    piece->stem = NULL;
    piece->path = mem_string(path, err);
    if (!piece->path)
        return -1;
    piece->stem = mem_string(name, err);
    if (!piece->stem)
        return -1;
    dot = strrchr(piece->stem, '.');
    if (dot)
        *dot = '\0';
    return 0;
}

/* Adds a file of the folder, unless it is hidden or no file. */
static int add(struct piece_list *list, size_t *cap, const char *folder,
               const char *name, struct err *err)
{
    struct buf path = {0};
    struct stat st;
    int result = -1;

    if (*name == '.')
        return 0;
    buf_printf(&path, "%s/%s", folder, name);
    if (buf_check(&path, err))
        goto out;
    if (stat(buf_text(&path), &st)) {
        err_errno(err, "%s", buf_text(&path));
        goto out;
    }
    result = 0;
    if (S_ISREG(st.st_mode) && (check_name(name, err) ||
                                append(list, cap, buf_text(&path), name, err)))
        result = -1;
out:
    buf_release(&path);
    return result;
}

int piece_list(struct piece_list *list, const char *folder, struct err *err)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t cap = 0, i;
    int result = 0;

    *list = (struct piece_list){0};
    if (!dir)
        return err_errno(err, "%s", folder);
    while (result == 0 && (entry = readdir(dir)))
        result = add(list, &cap, folder, entry->d_name, err);
    closedir(dir);
    if (result)
        return -1;
    if (list->n == 0)
        return err_set(err, ERR_DATA, "%s: no files", folder);
    qsort(list->item, list->n, sizeof *list->item, by_stem);
    for (i = 1; i < list->n; i++) {
        const struct piece *p = &list->item[i];

        if (strcmp(p[-1].stem, p->stem) == 0)
            return err_set(err, ERR_DATA, "%s and %s: two files of one name",
                           p[-1].path, p->path);
    }
    return 0;
}

int piece_read(const struct piece *p, struct audio *out, struct err *err)
{
    size_t n;
    char *bytes = read_file(p->path, &n, err);
    int result;

    if (!bytes)
        return -1;
    result = audio_decode(out, bytes, n, CONFIG_MIX, p->path, err);
    free(bytes);
    return result;
}

void piece_list_release(struct piece_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++) {
        free(list->item[i].path);
        free(list->item[i].stem);
    }
    free(list->item);
    *list = (struct piece_list){0};
}
