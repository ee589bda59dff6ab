/*
 * songs - names of sound files that are operands.
 */
#include "tool/songs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/json.h"

/* Whether a frame's metadata can hold the text. */
static bool is_plain(const char *text)
{
    struct buf quoted = {0};
    struct json *json;
    struct err ignored;
    const char *c;

    for (c = text; (unsigned char)*c >= ' ' && *c != 0x7f; c++)
        ;
    if (*c)
        return false;
    json_put_text(&quoted, text);
    json = json_parse(buf_text(&quoted), quoted.len, &ignored);
    buf_release(&quoted);
    json_close(json);
    return json != NULL;
}

/* The file's name without folder and suffix. Caller frees. */
static char *name_of(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    char *name = mem_string(strcmp(path, "-") ? base : "stdin", err);

    if (name && dot && dot > base)
        name[dot - base] = '\0';
    return name;
}

int songs_check(const char *path, struct err *err)
{
    if (is_plain(path))
        return 0;
    return err_set(err, ERR_USAGE, "%s: file name is no UTF-8 text without "
                   "control characters: rename it", path);
}

int songs_add(struct songs *s, const char *path, const char **name,
              struct err *err)
{
    char *added = name_of(path, err), **grown;
    size_t i;

    if (!added)
        return -1;
    if (!is_plain(added)) {
        free(added);
        return err_set(err, ERR_USAGE, "%s: file name is no UTF-8 text "
                       "without control characters: rename it", path);
    }
    for (i = 0; i < s->n; i++) {
        if (strcmp(s->names[i], added) == 0) {
            free(added);
            return err_set(err, ERR_USAGE, "%s: a second sound file with the "
                           "key file/%s", path, s->names[i]);
        }
    }
    grown = mem_grow(s->names, &s->cap, s->n + 1, sizeof *grown, err);
    if (!grown) {
        free(added);
        return -1;
    }
    s->names = grown;
    s->names[s->n++] = added;
    *name = added;
    return 0;
}

void songs_release(struct songs *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        free(s->names[i]);
    free(s->names);
    *s = (struct songs){0};
}
