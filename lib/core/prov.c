/*
 * prov - provenance entries as text, compared by id.
 *
 * Entries are kept as their canonical JSON text. The id inside an entry is
 * the digest of the entry without its id member, so merging needs no
 * renaming and equal work merges into one entry.
 */
#include "core/prov.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "core/json.h"

/* Whether p has an entry of this id. */
static int has(const struct prov *p, const char *id)
{
    size_t i;

    for (i = 0; i < p->n; i++) {
        if (!strcmp(p->ids[i], id))
            return 1;
    }
    return 0;
}

/* Appends copies of an id and its entry. */
static int append(struct prov *p, const char *id, const char *entry,
                  struct err *err)
{
    size_t cap = p->cap;
    char **grown;

    grown = mem_grow(p->ids, &cap, p->n + 1, sizeof *p->ids, err);
    if (!grown)
        return -1;
    p->ids = grown;
    cap = p->cap;
    grown = mem_grow(p->entries, &cap, p->n + 1, sizeof *p->entries, err);
    if (!grown)
        return -1;
    p->entries = grown;
    p->cap = cap;
    p->ids[p->n] = mem_string(id, err);
    p->entries[p->n] = mem_string(entry, err);
    if (!p->ids[p->n] || !p->entries[p->n]) {
        free(p->ids[p->n]);
        free(p->entries[p->n]);
        return -1;
    }
    p->n++;
    return 0;
}

/* Adds one parsed entry unless its id is there. */
static int merge_one(struct prov *p, const struct json *entry,
                     struct err *err)
{
    const char *id = json_text(json_member(entry, "id"));
    struct buf text = {0};
    int got;

    if (!id || !json_text(json_member(entry, "pn")))
        return err_set(err, ERR_DATA,
                       "a2b.pg: an entry without id or program");
    if (has(p, id))
        return 0;
    json_put_value(&text, entry);
    got = buf_check(&text, err);
    if (!got)
        got = append(p, id, buf_text(&text), err);
    buf_release(&text);
    return got;
}

int prov_merge(struct prov *p, const char *json, struct err *err)
{
    struct json *list = json_parse(json, strlen(json), err);
    size_t i;
    int got = 0;

    if (!list)
        return err_prefix(err, "a2b.pg");
    if (json_kind(list) != JSON_KIND_LIST)
        got = err_set(err, ERR_DATA, "a2b.pg: want a list");
    for (i = 0; !got && i < json_count(list); i++)
        got = merge_one(p, json_at(list, i), err);
    json_close(list);
    return got;
}

int prov_join(struct prov *p, const struct prov *from, struct err *err)
{
    size_t i;

    for (i = 0; i < from->n; i++) {
        if (!has(p, from->ids[i]) &&
            append(p, from->ids[i], from->entries[i], err))
            return -1;
    }
    return 0;
}

/* Whether some entry of p names id among its parents. */
static int is_parent(const struct prov *p, const char *id)
{
    size_t i, j;
    struct err err;
    int found = 0;

    for (i = 0; i < p->n && !found; i++) {
        struct json *entry =
            json_parse(p->entries[i], strlen(p->entries[i]), &err);
        const struct json *parents = json_member(entry, "pp");

        for (j = 0; j < json_count(parents) && !found; j++) {
            const char *text = json_text(json_at(parents, j));

            found = text && !strcmp(text, id);
        }
        json_close(entry);
    }
    return found;
}

int prov_append(struct prov *p, const char *program, const char *version,
                const char *settings, struct err *err)
{
    struct buf body = {0}, entry = {0};
    const char *comma = "";
    char id[17];
    size_t i;
    int got;

    buf_puts(&body, "\"pn\":");
    json_put_text(&body, program);
    buf_puts(&body, ",\"vn\":");
    json_put_text(&body, version);
    buf_printf(&body, ",\"set\":%s,\"pp\":[", settings);
    for (i = 0; i < p->n; i++) {
        if (is_parent(p, p->ids[i]))
            continue;
        buf_printf(&body, "%s\"%s\"", comma, p->ids[i]);
        comma = ",";
    }
    buf_puts(&body, "]}");
    digest_hex(digest_xxh3(buf_text(&body), body.len), id);
    buf_printf(&entry, "{\"id\":\"%s\",%s", id, buf_text(&body));
    got = buf_check(&body, err) || buf_check(&entry, err) ? -1 : 0;
    if (!got && !has(p, id))
        got = append(p, id, buf_text(&entry), err);
    buf_release(&body);
    buf_release(&entry);
    return got;
}

void prov_put(const struct prov *p, struct buf *out)
{
    size_t i;

    buf_puts(out, "[");
    for (i = 0; i < p->n; i++)
        buf_printf(out, "%s%s", i ? "," : "", p->entries[i]);
    buf_puts(out, "]");
}

void prov_release(struct prov *p)
{
    size_t i;

    for (i = 0; i < p->n; i++) {
        free(p->entries[i]);
        free(p->ids[i]);
    }
    free(p->entries);
    free(p->ids);
    *p = (struct prov){0};
}
