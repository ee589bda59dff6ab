/*
 * s3put - uploads for the tests, by the library's own signer.
 *
 *   s3put URI < BYTES        one object; s3://BUCKET alone makes the bucket
 *   s3put -r FOLDER URI      every file below a folder, under URI/
 *   s3put -n COUNT URI       COUNT objects "URI/00000" on, each its own name
 *   s3put -l LIST            objects whose URIs are the NUL-ended strings of a
 *                            file, each holding its own URI
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/store.h"

/* Prints an error and ends with its status. */
static _Noreturn void fail(const struct err *err)
{
    fprintf(stderr, "s3put: %s\n", err->text);
    exit((int)err->status);
}

/* A folder that is copied. */
struct copy {
    struct store *store; /* all stores */
    const char *from;    /* folder */
    const char *to;      /* URI of the copy */
};

/* Copies one file. */
static int copy_file(void *ctx, const char *name, uint64_t size,
                     struct err *err)
{
    struct copy *c = ctx;
    struct buf path = {0}, uri = {0}, bytes = {0};
    int rc;

    (void)size;
    buf_printf(&path, "%s/%s", c->from, name);
    buf_printf(&uri, "%s/%s", c->to, name);
    rc = store_read(c->store, buf_text(&path), &bytes, err);
    if (!rc)
        rc = store_put(c->store, buf_text(&uri), buf_text(&bytes), bytes.len,
                       err);
    buf_release(&path);
    buf_release(&uri);
    buf_release(&bytes);
    return rc;
}

/* Uploads objects with these NUL-ended URIs, each its own content. */
static int put_list(struct store *s, const struct buf *list, struct err *err)
{
    const char *uri;

    for (uri = list->data; uri < list->data + list->len;
         uri += strlen(uri) + 1) {
        if (store_put(s, uri, uri, strlen(uri), err))
            return -1;
    }
    return 0;
}

/* Uploads count small objects below a URI. */
static int put_many(struct store *s, long count, const char *uri,
                    struct err *err)
{
    struct buf name = {0};
    int rc = 0;
    long i;

    for (i = 0; !rc && i < count; i++) {
        buf_clear(&name);
        buf_printf(&name, "%s/%05ld", uri, i);
        rc = store_put(s, buf_text(&name), name.data, name.len, err);
    }
    buf_release(&name);
    return rc;
}

/* Uploads standard input. */
static int put_stdin(struct store *s, const char *uri, struct err *err)
{
    static char chunk[65536];
    struct buf bytes = {0};
    size_t n;
    int rc;

    while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        buf_put(&bytes, chunk, n);
    rc = store_put(s, uri, buf_text(&bytes), bytes.len, err);
    buf_release(&bytes);
    return rc;
}

int main(int argc, char **argv)
{
    const struct store_conf conf = {.env = getenv};
    struct err err = {0};
    struct store *s = store_open_conf(&conf, &err);
    struct buf list = {0};
    int rc = -1;

    if (!s)
        fail(&err);
    if (argc == 4 && strcmp(argv[1], "-r") == 0) {
        struct copy c = {s, argv[2], argv[3]};
        struct store_visitor visitor = {copy_file, &c};

        rc = store_list(s, argv[2], &visitor, &err);
    } else if (argc == 4 && strcmp(argv[1], "-n") == 0) {
        rc = put_many(s, strtol(argv[2], NULL, 10), argv[3], &err);
    } else if (argc == 3 && strcmp(argv[1], "-l") == 0) {
        rc = store_read(s, argv[2], &list, &err);
        if (!rc)
            rc = put_list(s, &list, &err);
    } else if (argc == 2) {
        rc = put_stdin(s, argv[1], &err);
    } else {
        err_set(&err, ERR_USAGE, "want a URI; see the top of s3put.c");
    }
    if (rc)
        fail(&err);
    buf_release(&list);
    store_close(s);
    return 0;
}
