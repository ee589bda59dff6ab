/*
 * prov - provenance: which programs, with which settings, made a stream.
 *
 * The end frame's a2b.pg is a JSON array of entries in order of work:
 *   {"id":"<16 hex>","pn":"a2b-mfcc","vn":"0.1.0","set":{...},"pp":["id"]}
 * The id is the XXH3-64 of the entry without it, so the same program with
 * the same settings on the same inputs is one entry, however streams are
 * concatenated. No clock, host, path, process id or command line.
 */
#ifndef CORE_PROV_H
#define CORE_PROV_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Entries collected from inputs, plus our own; {0} is empty. */
struct prov {
    char **entries; /* n JSON objects, owned */
    char **ids;     /* n ids, owned */
    size_t n;       /* entries */
    size_t cap;     /* room */
};

/*
 * Adds all entries of an a2b.pg value, skipping those already there.
 * Returns 0; -1 with ERR_DATA if it is no list of entries.
 */
int prov_merge(struct prov *p, const char *json, struct err *err) NODISCARD;

/* Adds the entries of another list. */
int prov_join(struct prov *p, const struct prov *from,
              struct err *err) NODISCARD;

/*
 * Appends our own entry; its parents are the entries no other entry names.
 *
 * program: "a2b-mfcc"; version: "0.1.0"
 * settings: a JSON object of effective settings, "{}" for none
 */
int prov_append(struct prov *p, const char *program, const char *version,
                const char *settings, struct err *err) NODISCARD;

/* Appends the JSON array to out. */
void prov_put(const struct prov *p, struct buf *out);

/* Frees everything; {0} is fine. */
void prov_release(struct prov *p);

#endif
