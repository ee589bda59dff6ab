/*
 * digest - XXH3-64 by libxxhash, MD5 by libcrypto.
 */
#include "base/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t digest_xxh3(const void *data, size_t n)
{
    return XXH3_64bits(data, n);
}

int digest_xxh3_init(struct digest_xxh3 *d, struct err *err)
{
    d->state = XXH3_createState();
    if (!d->state)
        return err_set(err, ERR_FAILED, "out of memory for a digest");
    digest_xxh3_reset(d);
    return 0;
}

void digest_xxh3_reset(struct digest_xxh3 *d)
{
    XXH3_64bits_reset(d->state);
}

void digest_xxh3_add(struct digest_xxh3 *d, const void *data, size_t n)
{
    if (n)
        XXH3_64bits_update(d->state, data, n);
}

uint64_t digest_xxh3_value(const struct digest_xxh3 *d)
{
    return XXH3_64bits_digest(d->state);
}

void digest_xxh3_release(struct digest_xxh3 *d)
{
    XXH3_freeState(d->state);
    d->state = NULL;
}

void digest_hex(uint64_t value, char text[17])
{
    snprintf(text, 17, "%016llx", (unsigned long long)value);
}

int digest_from_hex(const char *text, size_t n, uint64_t *value)
{
    static const char hex[] = "0123456789abcdef";
    size_t i;

    if (n != 16)
        return -1;
    *value = 0;
    for (i = 0; i < n; i++) {
        const char *p = text[i] ? strchr(hex, text[i]) : NULL;

        if (!p)
            return -1;
        *value = *value << 4 | (uint64_t)(p - hex);
    }
    return 0;
}

int digest_md5(const void *data, size_t n, char text[33], struct err *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0, i;

    if (!EVP_Digest(data, n, bytes, &size, EVP_md5(), NULL) || size != 16)
        return err_set(err, ERR_FAILED, "libcrypto offers no MD5 here");
    for (i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}
