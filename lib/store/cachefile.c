/*
 * cachefile - one object as a file of the cache. The layout is in the header.
 */
#include "store/cachefile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* First bytes of every file. */
static const char magic[8] = {'a', '2', 'b', 'c', 'a', 'c', 'h', 'e'};

/* Version of the layout. */
#define VERSION 1

/* Bytes read at a time where they are not kept. */
#define CHUNK ((size_t)256 << 10)

/* Where the digest stands; it covers what is before and what is behind. */
#define DIGEST_AT 32

/* Writes n little-endian bytes of a number. */
static void put_number(unsigned char *p, uint64_t value, int n)
{
    int i;

    for (i = 0; i < n; i++)
        p[i] = (unsigned char)(value >> (8 * i));
}

/* The number in n little-endian bytes. */
static uint64_t get_number(const unsigned char *p, int n)
{
    uint64_t value = 0;
    int i;

    for (i = n; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

/* The head of a file, its digest zero. */
static void make_head(unsigned char head[CACHEFILE_HEAD], size_t key_len,
                      size_t validator_len, uint64_t size)
{
    memset(head, 0, CACHEFILE_HEAD);
    memcpy(head, magic, sizeof(magic));
    put_number(head + 8, VERSION, 4);
    put_number(head + 12, key_len, 4);
    put_number(head + 16, validator_len, 4);
    put_number(head + 24, size, 8);
}

uint64_t cachefile_size(size_t key_len, size_t validator_len, uint64_t size)
{
    return CACHEFILE_HEAD + key_len + validator_len + size;
}

int cachefile_write(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n > 0) {
        ssize_t put = write(fd, p, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return -1;
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

int cachefile_begin(int fd, const char *key, const char *validator,
                    uint64_t size, struct digest_xxh3 *d, struct err *err)
{
    unsigned char head[CACHEFILE_HEAD];
    size_t key_len = strlen(key), validator_len = strlen(validator);

    if (key_len > CACHEFILE_MAX_NAME || validator_len > CACHEFILE_MAX_NAME)
        return err_set(err, ERR_DATA, "%.60s...: name too long to be cached",
                       key);
    if (digest_xxh3_init(d, err))
        return -1;
    make_head(head, key_len, validator_len, size);
    digest_xxh3_add(d, head, DIGEST_AT);
    digest_xxh3_add(d, key, key_len);
    digest_xxh3_add(d, validator, validator_len);
    if (cachefile_write(fd, head, sizeof(head)) ||
        cachefile_write(fd, key, key_len) ||
        cachefile_write(fd, validator, validator_len))
        return err_errno(err, "writing to the cache");
    return 0;
}

int cachefile_end(int fd, const struct digest_xxh3 *d, struct err *err)
{
    unsigned char digest[8];

    put_number(digest, digest_xxh3_value(d), 8);
    if (pwrite(fd, digest, 8, DIGEST_AT) != 8)
        return err_errno(err, "writing to the cache");
    return 0;
}

/* Reads n bytes at a place. 1; 0 if there are fewer; -1 with errno set. */
static int read_at(int fd, void *bytes, size_t n, uint64_t at)
{
    char *p = bytes;

    while (n > 0) {
        ssize_t got = pread(fd, p, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -1 : 0;
        p += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return 1;
}

/*
 * What a failed read means. A medium that cannot read the bytes any more is
 * damage like any other; the rest is an error.
 */
static int read_result(int got, struct err *err)
{
    if (got < 0 && errno != EIO)
        return err_errno(err, "reading the cache");
    return got > 0;
}

/* Takes the numbers of a head; whether they fit the file's size. */
static bool take_head(const unsigned char *head, uint64_t file_size,
                      struct cachefile *f)
{
    f->key_len = (size_t)get_number(head + 12, 4);
    f->validator_len = (size_t)get_number(head + 16, 4);
    f->size = get_number(head + 24, 8);
    return memcmp(head, magic, sizeof(magic)) == 0 &&
           get_number(head + 8, 4) == VERSION &&
           get_number(head + 20, 4) == 0 && f->size <= INT64_MAX &&
           f->key_len <= CACHEFILE_MAX_NAME &&
           f->validator_len <= CACHEFILE_MAX_NAME &&
           cachefile_size(f->key_len, f->validator_len, f->size) == file_size;
}

int cachefile_open(int fd, struct cachefile *f, struct err *err)
{
    unsigned char head[CACHEFILE_HEAD];
    struct stat st;
    int got;

    memset(f, 0, sizeof(*f));
    if (fstat(fd, &st) != 0)
        return err_errno(err, "reading the cache");
    got = read_result(read_at(fd, head, sizeof(head), 0), err);
    if (got <= 0)
        return got;
    if (!take_head(head, (uint64_t)st.st_size, f))
        return 0;
    f->names = mem_alloc(f->key_len + f->validator_len + 2, 1, err);
    if (!f->names)
        return -1;
    f->validator = f->names + f->key_len + 1;
    got = read_at(fd, f->names, f->key_len, CACHEFILE_HEAD);
    if (got > 0)
        got = read_at(fd, f->names + f->key_len + 1, f->validator_len,
                      CACHEFILE_HEAD + f->key_len);
    return read_result(got, err);
}

/* Adds the bytes of a file from `at` on to a digest: 1; 0 if some are
 * missing; -1 with err set. */
static int add_range(int fd, uint64_t at, uint64_t size, struct digest_xxh3 *d,
                     struct err *err)
{
    char *chunk = size ? mem_alloc(CHUNK, 1, err) : NULL;
    int got = 1;

    if (size && !chunk)
        return -1;
    while (got > 0 && size > 0) {
        size_t n = size < CHUNK ? (size_t)size : CHUNK;

        got = read_result(read_at(fd, chunk, n, at), err);
        if (got > 0)
            digest_xxh3_add(d, chunk, n);
        at += n;
        size -= n;
    }
    free(chunk);
    return got;
}

int cachefile_digest(int fd, uint64_t at, uint64_t size, struct digest_xxh3 *d,
                     struct err *err)
{
    int got = add_range(fd, at, size, d, err);

    if (got == 0)
        return err_set(err, ERR_IO, "the cache's file became shorter while it "
                                    "was written");
    return got < 0 ? -1 : 0;
}

/*
 * Whether the digest in a file is that of its names and these bytes; NULL:
 * those of the file.
 */
static int check(int fd, const struct cachefile *f, const char *bytes,
                 struct err *err)
{
    struct digest_xxh3 d = {0};
    unsigned char head[CACHEFILE_HEAD];
    int got = read_result(read_at(fd, head, sizeof(head), 0), err);

    if (got <= 0)
        return got;
    if (digest_xxh3_init(&d, err))
        return -1;
    digest_xxh3_add(&d, head, DIGEST_AT);
    digest_xxh3_add(&d, f->names, f->key_len);
    digest_xxh3_add(&d, f->validator, f->validator_len);
    if (bytes)
        digest_xxh3_add(&d, bytes, (size_t)f->size);
    else
        got = add_range(fd, cachefile_size(f->key_len, f->validator_len, 0),
                        f->size, &d, err);
    if (got > 0)
        got = digest_xxh3_value(&d) == get_number(head + DIGEST_AT, 8);
    digest_xxh3_release(&d);
    return got;
}

int cachefile_verify(int fd, const struct cachefile *f, struct err *err)
{
    return check(fd, f, NULL, err);
}

int cachefile_read(int fd, const struct cachefile *f, struct buf *out,
                   struct err *err)
{
    uint64_t at = cachefile_size(f->key_len, f->validator_len, 0);
    char *grown, *to;
    int got;

    if (f->size >= SIZE_MAX - out->len)
        return err_set(err, ERR_FAILED, "object too large for memory");
    grown = mem_grow(out->data, &out->cap, out->len + (size_t)f->size + 1, 1,
                     err);
    if (!grown)
        return -1;
    out->data = grown;
    to = grown + out->len;
    got = read_result(read_at(fd, to, (size_t)f->size, at), err);
    if (got > 0)
        got = check(fd, f, to, err);
    if (got > 0)
        out->len += (size_t)f->size;
    out->data[out->len] = '\0';
    return got;
}

void cachefile_release(struct cachefile *f)
{
    free(f->names);
    memset(f, 0, sizeof(*f));
}
