/*
 * blob - one object, in memory or in a file.
 */
#define _GNU_SOURCE
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

/* Bytes read of a file at a time. */
#define CHUNK ((size_t)256 << 10)

uint64_t blob_size(const struct blob *b)
{
    return b->in_file ? b->size : b->bytes.len;
}

int blob_read(const struct blob *b, uint64_t offset, void *to, size_t n,
              struct err *err)
{
    char *p = to;

    if (offset > blob_size(b) || n > blob_size(b) - offset)
        return err_set(err, ERR_DATA, "want bytes %llu to %llu of %llu",
                       (unsigned long long)offset,
                       (unsigned long long)offset + n,
                       (unsigned long long)blob_size(b));
    if (!b->in_file) {
        if (n)
            memcpy(to, b->bytes.data + offset, n);
        return 0;
    }
    while (n > 0) {
        ssize_t got = pread(b->fd, p, n, (off_t)(b->at + offset));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "reading an object back");
        if (got == 0)
            return err_set(err, ERR_IO, "the file became shorter while it "
                                        "was read");
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

int blob_each(const struct blob *b,
              int (*take)(void *ctx, const void *bytes, size_t n,
                          struct err *err),
              void *ctx, struct err *err)
{
    uint64_t done = 0;
    char *chunk;
    int rc = 0;

    if (!b->in_file)
        return take(ctx, buf_text(&b->bytes), b->bytes.len, err);
    chunk = mem_alloc(CHUNK, 1, err);
    if (!chunk)
        return -1;
    while (!rc && done < b->size) {
        uint64_t left = b->size - done;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;

        rc = blob_read(b, done, chunk, n, err);
        if (!rc)
            rc = take(ctx, chunk, n, err);
        done += n;
    }
    free(chunk);
    return rc;
}

const char *blob_data(struct blob *b, struct err *err)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t before = b->in_file ? b->at % page : 0;

    if (!b->in_file)
        return buf_text(&b->bytes);
    if (b->size == 0)
        return "";
    if (!b->map) {
        void *map;

        b->map_size = (size_t)(b->size + before);
        map = mmap(NULL, b->map_size, PROT_READ, MAP_SHARED, b->fd,
                   (off_t)(b->at - before));
        if (map == MAP_FAILED) {
            err_errno(err, "reading an object back");
            return NULL;
        }
        b->map = map;
    }
    return (const char *)b->map + before;
}

/* Appends bytes; see blob_each(). */
static int append(void *ctx, const void *bytes, size_t n, struct err *err)
{
    struct buf *out = ctx;

    buf_put(out, bytes, n);
    return buf_check(out, err);
}

int blob_append(const struct blob *b, struct buf *out, struct err *err)
{
    return blob_each(b, append, out, err);
}

int blob_spool(const char *folder, int *fd, struct err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/a2b-spool-XXXXXX", folder);

    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (*fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return err_errno(err, "%s: temporary file", folder);
    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_USAGE, "%s: path too long", folder);
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0)
        return err_errno(err, "%s: temporary file", folder);
    unlink(path);
    return 0;
}

void blob_release(struct blob *b)
{
    if (b->map)
        munmap(b->map, b->map_size);
    if (b->in_file)
        close(b->fd);
    buf_release(&b->bytes);
    memset(b, 0, sizeof(*b));
}
