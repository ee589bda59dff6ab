/*
 * origin - remote stores as the source of a cache.
 *
 * The validator of an object is its ETag, on HTTP servers also the date of its
 * last change (store_fetch()). An object without one is fetched anew each run,
 * since its size alone says too little.
 */
#ifndef STORE_ORIGIN_H
#define STORE_ORIGIN_H

#include <stdbool.h>

#include "store/cached.h"
#include "store/store.h"

/* What the source needs; borrowed until cached_close(). */
struct origin {
    struct store *store; /* where objects are read */
};

/* The source of these stores. */
struct cached_source origin_source(struct origin *o);

#endif
