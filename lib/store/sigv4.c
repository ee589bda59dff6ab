/*
 * sigv4 - AWS Signature Version 4.
 *
 *   canonical = method \n path \n query \n (name:value \n)* \n names \n payload
 *   to sign   = "AWS4-HMAC-SHA256" \n stamp \n scope \n sha256(canonical)
 *   scope     = day/region/service/aws4_request
 *   key       = HMAC over day, region, service, "aws4_request" in turn, from
 *               "AWS4" + secret
 *   signature = hex(HMAC(key, to sign))
 */
#include "store/sigv4.h"

#include <string.h>

#include "base/digest.h"

void sigv4_stamp(time_t now, char stamp[SIGV4_STAMP_SIZE])
{
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(stamp, SIGV4_STAMP_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}

/* Appends the names of the signed headers, joined by ';'. */
static void put_names(struct buf *out, const struct sigv4_request *r)
{
    size_t i;

    for (i = 0; i < r->n_headers; i++)
        buf_printf(out, "%s%s", i ? ";" : "", r->headers[i].name);
}

/* SHA-256 of the canonical request, in hex. */
static int hash_request(const struct sigv4_request *r, char text[65],
                        struct err *err)
{
    struct buf b = {0};
    size_t i;
    int rc;

    buf_printf(&b, "%s\n%s\n%s\n", r->method, r->path, r->query);
    for (i = 0; i < r->n_headers; i++)
        buf_printf(&b, "%s:%s\n", r->headers[i].name, r->headers[i].value);
    buf_puts(&b, "\n");
    put_names(&b, r);
    buf_printf(&b, "\n%s", r->payload);
    rc = buf_check(&b, err);
    if (!rc)
        rc = digest_sha256(b.data, b.len, text, err);
    buf_release(&b);
    return rc;
}

/* The signing key of a day, region and service. */
static int derive(const struct sigv4_key *key, const char *day,
                  unsigned char out[DIGEST_SHA256_SIZE], struct err *err)
{
    const char *parts[] = {day, key->region, key->service, "aws4_request"};
    struct buf secret = {0};
    size_t i;
    int rc;

    buf_printf(&secret, "AWS4%s", key->secret);
    rc = buf_check(&secret, err);
    for (i = 0; !rc && i < sizeof(parts) / sizeof(parts[0]); i++)
        rc = digest_hmac_sha256(i ? (void *)out : secret.data,
                                i ? DIGEST_SHA256_SIZE : secret.len, parts[i],
                                strlen(parts[i]), out, err);
    if (secret.data)
        memset(secret.data, 0, secret.len);
    buf_release(&secret);
    return rc;
}

int sigv4_sign(const struct sigv4_key *key, const struct sigv4_request *request,
               const char *stamp, struct buf *out, struct err *err)
{
    unsigned char mac[DIGEST_SHA256_SIZE];
    char day[9], text[2 * DIGEST_SHA256_SIZE + 1];
    struct buf scope = {0}, sign = {0};
    int rc = -1;

    memcpy(day, stamp, 8);
    day[8] = '\0';
    buf_printf(&scope, "%s/%s/%s/aws4_request", day, key->region, key->service);
    if (hash_request(request, text, err))
        goto out;
    buf_printf(&sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", stamp, buf_text(&scope),
               text);
    if (buf_check(&scope, err) || buf_check(&sign, err) ||
        derive(key, day, mac, err) ||
        digest_hmac_sha256(mac, sizeof(mac), sign.data, sign.len, mac, err))
        goto out;
    digest_hex_bytes(mac, sizeof(mac), text);
    buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=",
               key->access, scope.data);
    put_names(out, request);
    buf_printf(out, ", Signature=%s", text);
    rc = buf_check(out, err);
out:
    buf_release(&scope);
    buf_release(&sign);
    return rc;
}

void sigv4_encode(struct buf *out, const char *text, char keep)
{
    for (; *text; text++) {
        char c = *text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || strchr("-._~", c) || c == keep)
            buf_put(out, text, 1);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}
