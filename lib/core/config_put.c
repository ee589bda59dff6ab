/*
 * config_put - a config as YAML, and the table as mdoc.
 *
 * The YAML has every key, two spaces a level, a comment from the table at
 * its end. Of model.params only the chosen architecture's keys are written.
 */
#include "core/config.h"

#include <ctype.h>
#include <string.h>

#include "core/config_scheduler.h"
#include "core/config_value.h"

/* Spaces of one level. */
#define INDENT 2

/* Length of a path up to its last dot; 0 at the top. */
static size_t section_len(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? (size_t)(dot - path) : 0;
}

/*
 * Opens the sections of a path that the one before it did not have open.
 * Returns the level of the key itself.
 */
static int open_sections(struct buf *out, const char *path,
                         const char *before)
{
    const char *p = path, *dot;
    int level = 0;

    for (; (dot = strchr(p, '.')); p = dot + 1, level++)
        if (strncmp(path, before, (size_t)(dot + 1 - path)) != 0)
            buf_printf(out, "%*s%.*s:\n", level * INDENT, "", (int)(dot - p),
                       p);
    return level;
}

/* Whether a row is written: not the other architecture's, not
 * another scheduler's, not ignored. */
static bool is_put(const struct config *c, const struct config_row *row)
{
    return row->type != CONFIG_TYPE_IGNORED &&
           !(row->scope == CONFIG_SCOPE_TCN &&
             c->model.architecture != CONFIG_TCN) &&
           !(row->scope == CONFIG_SCOPE_WAVENET &&
             c->model.architecture != CONFIG_WAVENET) &&
           !(row->scope == CONFIG_SCOPE_SCHEDULER &&
             !config_scheduler_has(c->optimizer.scheduler.name, row));
}

/* One line: key, value, comment. */
static void put_key(struct buf *out, int level, const struct config_row *row,
                    const void *base)
{
    buf_printf(out, "%*s%s: ", level * INDENT, "", config_table_name(row));
    config_value_put(row, base, CONFIG_FORMAT_YAML, out);
    buf_printf(out, "  # %s\n", row->doc);
}

/* The rows of one dataset. */
static void put_dataset(struct buf *out, const struct config_dataset *d)
{
    const struct config_row *row;
    const char *before = "", *path;
    size_t i;
    int level;

    buf_printf(out, "%*s%s:\n", INDENT, "", d->name);
    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (row->scope != CONFIG_SCOPE_DATASET ||
            row->type == CONFIG_TYPE_IGNORED)
            continue;
        path = row->path + strlen("datasets.*.");
        level = strchr(path, '.') ? 3 : 2;
        if (level == 3 && strncmp(path, before, section_len(path)) != 0)
            buf_printf(out, "%*s%.*s:\n", 2 * INDENT, "",
                       (int)section_len(path), path);
        put_key(out, level, row, d);
        before = path;
    }
}

void config_put_yaml(const struct config *c, struct buf *out)
{
    const struct config_row *row;
    const char *before = "";
    bool datasets_put = false;
    const void *base;
    size_t i, j;
    int level;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        if (!is_put(c, row))
            continue;
        if (row->scope != CONFIG_SCOPE_DATASET) {
            base = config_table_at(c, row);
            level = open_sections(out, row->path, before);
            put_key(out, level, row, base);
        } else if (!datasets_put) {
            buf_puts(out, "datasets:\n");
            for (j = 0; j < c->n_datasets; j++)
                put_dataset(out, &c->datasets[j]);
            datasets_put = true;
        }
        before = row->path;
    }
}

/* The first word of a path as a heading, when it is a new one. */
static void put_heading(struct buf *out, const struct config_row *row,
                        const struct config_row *before)
{
    size_t len = strcspn(row->path, ".");
    const char *title = row->path;
    const char *of = row->scope == CONFIG_SCOPE_TCN       ? " of a tcn"
                     : row->scope == CONFIG_SCOPE_WAVENET ? " of a wavenet"
                                                          : "";

    if (*of)
        len = section_len(row->path);
    if (before && row->scope == before->scope &&
        (row->scope != CONFIG_SCOPE_CONFIG ||
         strncmp(row->path, before->path, len + 1) == 0 ||
         (!strchr(row->path, '.') && !strchr(before->path, '.'))))
        return;
    if (before)
        buf_puts(out, ".El\n");
    if (strchr(row->path, '.'))
        buf_printf(out, ".Ss %.*s%s\n", (int)len, title, of);
    buf_puts(out, ".Bl -tag -width Ds\n");
}

/* Appends a line of text, broken at blanks before column 72. */
static void put_wrapped(struct buf *out, const char *text)
{
    size_t column = 0, len;

    for (; *text; text += len + (text[len] == ' ')) {
        len = strcspn(text, " ");
        if (column)
            buf_puts(out, column + len < 72 ? " " : "\n");
        column = column && column + len < 72 ? column + len + 1 : len;
        buf_put(out, text, len);
    }
    buf_puts(out, "\n");
}

/* What a row is for, as a sentence. */
static void put_doc(struct buf *out, const struct config_row *row)
{
    struct buf line = {0};

    buf_printf(&line, "%c%s.", toupper((unsigned char)*row->doc),
               row->doc + 1);
    put_wrapped(out, buf_text(&line));
    out->failed |= line.failed;
    buf_release(&line);
}

/* Type, rule and default of a row. */
static void put_facts(struct buf *out, const struct config_row *row)
{
    const char *type = config_table_type_name(row->type);
    const char *rule = row->values;
    const char *any = "any text";
    struct buf line = {0};

    if (row->type == CONFIG_TYPE_IGNORED)
        return;
    buf_printf(&line, "%c%s", toupper((unsigned char)*type), type + 1);
    if (strncmp(rule, any, strlen(any)) == 0)
        buf_puts(&line, rule + strlen(any));
    else if (*rule)
        buf_printf(&line, ": %s", rule);
    if (row->required)
        buf_puts(&line, "; required");
    if (row->scope != CONFIG_SCOPE_WAVENET || !row->required)
        buf_printf(&line, "; default %s", row->initial);
    buf_puts(&line, ".");
    put_wrapped(out, buf_text(&line));
    out->failed |= line.failed;
    buf_release(&line);
}

void config_put_mdoc(struct buf *out)
{
    const struct config_row *row, *before = NULL;
    size_t i;

    for (i = 0; i < config_table_n(); i++) {
        row = config_table_row(i);
        put_heading(out, row, before);
        buf_printf(out, ".It Va %s\n", row->path);
        put_doc(out, row);
        put_facts(out, row);
        before = row;
    }
    buf_puts(out, ".El\n");
}
