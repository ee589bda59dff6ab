/*
 * etag - MD5s against ETags.
 */
#include "store/etag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes of parts that uploaders use, in MiB, the commonest first. */
static const unsigned sizes_mib[] = {8,  5,  16, 64, 15, 50,  10,  100, 32,
                                     20, 25, 6,  7,  12, 30,  128, 256, 512};

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

int etag_begin(struct etag *e, struct err *err)
{
    uint64_t part = 0;

    etag_release(e);
    if (!*e->want || (e->n_parts == 0 && e->next > 0))
        return 0;
    while (e->n_parts && e->next < N_SIZES) {
        part = (uint64_t)sizes_mib[e->next] << 20;
        if ((e->size - 1) / part + 1 == e->n_parts)
            break;
        e->next++;
    }
    if (e->next == N_SIZES)
        return 0;
    e->next++;
    return digest_md5_init(&e->d, part, err) ? -1 : 1;
}

void etag_add(struct etag *e, const void *bytes, size_t n)
{
    if (e->d.state)
        digest_md5_add(&e->d, bytes, n);
}

bool etag_fits(struct etag *e)
{
    char got[64];
    struct err err;
    bool fits = e->d.state && digest_md5_text(&e->d, got, &err) == 0 &&
                strcmp(got, e->want) == 0;

    etag_release(e);
    return fits;
}

bool etag_is_sure(const struct etag *e)
{
    return *e->want && e->n_parts == 0;
}

void etag_release(struct etag *e)
{
    digest_md5_release(&e->d);
}
