/*
 * etag - MD5s against ETags.
 */
#include "store/etag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/md5s.h"
#include "base/mem.h"

/* Sizes of parts that uploaders use, in MiB, the commonest first. */
static const unsigned sizes_mib[] = {8,  5,  16, 64, 15, 50,  10,  100, 32,
                                     20, 25, 6,  7,  12, 30,  128, 256, 512};

/* Bytes of one part, or of the whole, that are read at a time: blocks. */
#define CHUNK ((size_t)64 << 10)

/* Parts that are waited for before they are summed up, so that the work goes
 * on while the next ones come. */
#define ENOUGH (MD5S_LANES / 2)

/* Fewer parts than this are summed up one by one. */
#define FEW 3

/* How many there are. */
#define N_SIZES (sizeof(sizes_mib) / sizeof(sizes_mib[0]))

/* Whether text is 32 lower-case hex digits, then `after`. */
static bool is_md5(const char *text, char after)
{
    return strspn(text, "0123456789abcdef") == 32 && text[32] == after;
}

void etag_open(struct etag *e, const char *etag, uint64_t size)
{
    size_t len = strlen(etag);
    char digits[64];

    memset(e, 0, sizeof(*e));
    e->size = size;
    if (len < 34 || len >= sizeof(digits) || etag[0] != '"' ||
        etag[len - 1] != '"')
        return;
    snprintf(digits, sizeof(digits), "%.*s", (int)(len - 2), etag + 1);
    if (is_md5(digits, '-') && size > 0)
        e->n_parts = strtoull(digits + 33, NULL, 10);
    else if (!is_md5(digits, '\0'))
        return;
    memcpy(e->want, digits, sizeof(digits));
}

/* Finds the next size of parts that fits; false: none is left. */
static bool next_part(struct etag *e)
{
    if (!*e->want || (e->n_parts == 0 && e->next > 0))
        return false;
    e->part = 0;
    while (e->n_parts && e->next < N_SIZES) {
        e->part = (uint64_t)sizes_mib[e->next] << 20;
        if ((e->size - 1) / e->part + 1 == e->n_parts)
            break;
        e->next++;
    }
    return e->next++ < N_SIZES;
}

int etag_check(const char *etag, const void *bytes, size_t n,
               struct md5pool *pool)
{
    char got[64] = "";
    struct etag e;
    struct err err;

    etag_open(&e, etag, n);
    while (next_part(&e)) {
        int rc;

        if (e.part)
            rc = digest_md5_parts(bytes, n, (size_t)e.part, got, &err);
        else if (pool)
            rc = md5pool_sum(pool, bytes, n, got, &err);
        else
            rc = digest_md5(bytes, n, got, &err);
        if (rc)
            return 0;
        if (strcmp(got, e.want) == 0)
            return 1;
    }
    return etag_is_sure(&e) ? -1 : 0;
}

int etag_begin(struct etag *e, struct err *err)
{
    digest_md5_release(&e->d);
    e->taken = 0;
    if (!next_part(e))
        return 0;
    if (!e->chunks)
        e->chunks = mem_alloc(MD5S_LANES, CHUNK, err);
    if (!e->chunks)
        return -1;
    return digest_md5_init(&e->d, 0, err) ? -1 : 1;
}

/* Sums up the bytes one after the other. */
static int take_whole(struct etag *e, const struct blob *blob, uint64_t end,
                      struct err *err)
{
    while (e->taken < end) {
        uint64_t left = end - e->taken;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;

        if (blob_read(blob, e->taken, e->chunks, n, err))
            return -1;
        digest_md5_add(&e->d, e->chunks, n);
        e->taken += n;
    }
    return 0;
}

/* Adds CHUNK bytes from `at` on of each part of a group. */
static int take_step(struct etag *e, const struct blob *blob, uint64_t at,
                     size_t n_lanes, struct md5s *runs, struct err *err)
{
    const void *data[MD5S_LANES];
    struct md5s *s[MD5S_LANES];
    size_t lane;

    for (lane = 0; lane < n_lanes; lane++) {
        char *to = e->chunks + lane * CHUNK;

        if (blob_read(blob, e->taken + lane * e->part + at, to, CHUNK, err))
            return -1;
        s[lane] = &runs[lane];
        data[lane] = to;
    }
    md5s_blocks(s, data, n_lanes, CHUNK / MD5S_BLOCK);
    return 0;
}

/* Adds the MD5s of n_lanes parts, all of the same size, to the whole. */
static int take_group(struct etag *e, const struct blob *blob, size_t n_lanes,
                      struct err *err)
{
    unsigned char out[MD5S_SIZE];
    struct md5s runs[MD5S_LANES];
    uint64_t at;
    size_t lane;

    for (lane = 0; lane < n_lanes; lane++)
        md5s_begin(&runs[lane]);
    for (at = 0; at < e->part; at += CHUNK) { /* a part is so many MiB */
        if (take_step(e, blob, at, n_lanes, runs, err))
            return -1;
    }
    for (lane = 0; lane < n_lanes; lane++) {
        md5s_end(&runs[lane], NULL, 0, out);
        digest_md5_add(&e->d, out, sizeof(out));
    }
    e->taken += n_lanes * e->part;
    return 0;
}

/* Adds the MD5 of one part, alone, which libcrypto does faster. */
static int take_part(struct etag *e, const struct blob *blob, struct err *err)
{
    uint64_t left = e->size - e->taken < e->part ? e->size - e->taken : e->part;
    struct digest_md5 d = {0};
    unsigned char out[MD5S_SIZE];
    int rc = digest_md5_init(&d, 0, err);

    while (!rc && left > 0) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;

        rc = blob_read(blob, e->taken, e->chunks, n, err);
        if (!rc)
            digest_md5_add(&d, e->chunks, n);
        e->taken += n;
        left -= n;
    }
    if (!rc)
        rc = digest_md5_bytes(&d, out, err);
    if (!rc)
        digest_md5_add(&e->d, out, sizeof(out));
    digest_md5_release(&d);
    return rc;
}

int etag_take(struct etag *e, const struct blob *blob, uint64_t end,
              struct err *err)
{
    if (!e->d.state)
        return 0;
    if (e->part == 0)
        return take_whole(e, blob, end, err);
    while (e->taken < end) {
        uint64_t n = (end - e->taken) / e->part;

        if (n < ENOUGH && end < e->size)
            return 0; /* more side by side later */
        n = n < MD5S_LANES ? n : MD5S_LANES;
        if (n < FEW ? take_part(e, blob, err)
                    : take_group(e, blob, (size_t)n, err))
            return -1;
    }
    return 0;
}

bool etag_fits(struct etag *e)
{
    char got[64 + 32];
    struct err err;
    bool fits = false;

    if (e->d.state && digest_md5_text(&e->d, got, &err) == 0) {
        if (e->part)
            snprintf(got + 32, 32, "-%llu", (unsigned long long)e->n_parts);
        fits = strcmp(got, e->want) == 0;
    }
    digest_md5_release(&e->d);
    return fits;
}

bool etag_is_sure(const struct etag *e)
{
    return *e->want && e->n_parts == 0;
}

void etag_release(struct etag *e)
{
    digest_md5_release(&e->d);
    free(e->chunks);
    e->chunks = NULL;
}
