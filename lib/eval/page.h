/*
 * page - scores as one HTML page that needs no other file.
 *
 * The page is well-formed XML too (XHTML syntax of HTML5), without scripts;
 * figures are SVG inside data: addresses.
 */
#ifndef EVAL_PAGE_H
#define EVAL_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "eval/report.h"

/* One picture. */
struct page_figure {
    const char *caption; /* below it */
    const char *svg;     /* an SVG document; NULL: why says why there is none */
    const char *why;     /* one line, where svg is NULL */
};

/* What the page says beside the scores; all borrowed. */
struct page {
    const char *program;                /* "a2b-eval 0.1.0" */
    const char *provenance;             /* JSON array of a2b.pg */
    uint64_t seed;                      /* of intervals and permutations */
    char *const *remarks;               /* n_remarks warnings of the run */
    size_t n_remarks;                   /* how many */
    const struct page_figure *figures;  /* n_figures pictures, in order */
    size_t n_figures;                   /* how many */
};

/*
 * Appends the page. Equal scores give equal bytes.
 * Returns 0; -1 with err set if memory is short.
 */
int page_put(const struct page *page, const struct report *r, struct buf *out,
             struct err *err) NODISCARD;

#endif
