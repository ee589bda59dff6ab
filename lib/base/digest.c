/*
 * digest - XXH3-64 by libxxhash; MD5, SHA-256 and HMAC by libcrypto.
 */
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

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

/* Size of an MD5. */
#define MD5_SIZE 16

/* One MD5. */
static int md5_bytes(const void *data, size_t n, unsigned char *out,
                     struct err *err)
{
    unsigned int size = 0;

    if (!EVP_Digest(data, n, out, &size, EVP_md5(), NULL) || size != MD5_SIZE)
        return err_set(err, ERR_FAILED, "libcrypto offers no MD5 here");
    return 0;
}

void digest_hex_bytes(const unsigned char *bytes, size_t n, char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < n; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    text[2 * n] = '\0';
}

int digest_md5(const void *data, size_t n, char text[33], struct err *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];

    if (md5_bytes(data, n, bytes, err))
        return -1;
    digest_hex_bytes(bytes, MD5_SIZE, text);
    return 0;
}

/* What a running MD5 knows. */
struct md5_state {
    EVP_MD_CTX *part;   /* of the bytes of this part, or of all; owned */
    EVP_MD_CTX *whole;  /* of the parts' MD5s, owned; NULL: no parts */
    uint64_t part_size; /* bytes of a part; 0: no parts */
    uint64_t left;      /* bytes this part still takes */
    uint64_t n_parts;   /* parts ended */
    bool failed;        /* libcrypto refused something */
};

int digest_md5_init(struct digest_md5 *d, uint64_t part_size, struct err *err)
{
    struct md5_state *s = mem_alloc(1, sizeof(*s), err);

    d->state = s;
    if (!s)
        return -1;
    s->part_size = s->left = part_size;
    s->part = EVP_MD_CTX_new();
    s->whole = part_size ? EVP_MD_CTX_new() : NULL;
    if (!s->part || !EVP_DigestInit_ex(s->part, EVP_md5(), NULL) ||
        (part_size && (!s->whole ||
                       !EVP_DigestInit_ex(s->whole, EVP_md5(), NULL)))) {
        digest_md5_release(d);
        return err_set(err, ERR_FAILED, "libcrypto offers no MD5 here");
    }
    return 0;
}

/* Ends a part and begins the next one. */
static void end_part(struct md5_state *s)
{
    unsigned char out[EVP_MAX_MD_SIZE];

    if (!EVP_DigestFinal_ex(s->part, out, NULL) ||
        !EVP_DigestUpdate(s->whole, out, MD5_SIZE) ||
        !EVP_DigestInit_ex(s->part, EVP_md5(), NULL))
        s->failed = true;
    s->n_parts++;
    s->left = s->part_size;
}

void digest_md5_add(struct digest_md5 *d, const void *data, size_t n)
{
    struct md5_state *s = d->state;
    const char *p = data;

    while (n > 0) {
        size_t now = s->part_size && s->left < n ? (size_t)s->left : n;

        s->failed = !EVP_DigestUpdate(s->part, p, now) || s->failed;
        p += now;
        n -= now;
        if (s->part_size) {
            s->left -= now;
            if (s->left == 0)
                end_part(s);
        }
    }
}

int digest_md5_text(struct digest_md5 *d, char text[64], struct err *err)
{
    struct md5_state *s = d->state;
    unsigned char out[EVP_MAX_MD_SIZE];

    if (s->part_size && s->left < s->part_size)
        end_part(s);
    if (!EVP_DigestFinal_ex(s->part_size ? s->whole : s->part, out, NULL) ||
        s->failed)
        return err_set(err, ERR_FAILED, "libcrypto's MD5 failed");
    digest_hex_bytes(out, MD5_SIZE, text);
    if (s->part_size)
        snprintf(text + 32, 32, "-%llu", (unsigned long long)s->n_parts);
    return 0;
}

int digest_md5_bytes(struct digest_md5 *d, unsigned char out[16],
                     struct err *err)
{
    struct md5_state *s = d->state;
    unsigned char bytes[EVP_MAX_MD_SIZE];

    if (!EVP_DigestFinal_ex(s->part, bytes, NULL) || s->failed)
        return err_set(err, ERR_FAILED, "libcrypto's MD5 failed");
    memcpy(out, bytes, MD5_SIZE);
    return 0;
}

void digest_md5_release(struct digest_md5 *d)
{
    struct md5_state *s = d->state;

    if (!s)
        return;
    EVP_MD_CTX_free(s->part);
    EVP_MD_CTX_free(s->whole);
    free(s);
    d->state = NULL;
}

int digest_md5_parts(const void *data, size_t size, size_t part_size,
                     char text[64], struct err *err)
{
    struct digest_md5 d = {0};
    int rc = digest_md5_init(&d, part_size, err);

    if (!rc) {
        digest_md5_add(&d, data, size);
        rc = digest_md5_text(&d, text, err);
    }
    digest_md5_release(&d);
    return rc;
}

int digest_sha256(const void *data, size_t n, char text[65], struct err *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;

    if (!EVP_Digest(data, n, bytes, &size, EVP_sha256(), NULL) ||
        size != DIGEST_SHA256_SIZE)
        return err_set(err, ERR_FAILED, "libcrypto offers no SHA-256 here");
    digest_hex_bytes(bytes, size, text);
    return 0;
}

int digest_hmac_sha256(const void *key, size_t key_size, const void *data,
                       size_t n, unsigned char out[DIGEST_SHA256_SIZE],
                       struct err *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;

    if (!HMAC(EVP_sha256(), key, (int)key_size, data, n, bytes, &size) ||
        size != DIGEST_SHA256_SIZE)
        return err_set(err, ERR_FAILED, "libcrypto offers no HMAC here");
    memcpy(out, bytes, DIGEST_SHA256_SIZE);
    return 0;
}

void digest_no_exit_handler(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}
