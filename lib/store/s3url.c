/*
 * s3url - addresses of buckets and keys.
 */
#include "store/s3url.h"

#include <stdlib.h>
#include <string.h>

#include "store/sigv4.h"

/* Whether a byte may stand in a bucket's name (old names had '_' and 'A'). */
static bool is_bucket_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

int s3url_split(const char *place, const char *uri, char *bucket,
                const char **key, struct err *err)
{
    size_t n = strcspn(place, "/"), i;

    if (n == 0)
        return err_set(err, ERR_USAGE, "%s: no bucket, want s3://BUCKET/KEY",
                       uri);
    for (i = 0; i < n; i++) {
        if (!is_bucket_byte(place[i]))
            break;
    }
    if (i < n || n >= S3URL_BUCKET_SIZE || place[0] == '.')
        return err_set(err, ERR_USAGE, "%s: \"%.*s\" is no bucket's name", uri,
                       (int)n, place);
    memcpy(bucket, place, n);
    bucket[n] = '\0';
    *key = place + n + (place[n] == '/');
    return 0;
}

/* Whether buckets are part of the host's name. */
static bool is_virtual(const struct creds_site *site, const char *bucket)
{
    if (site->style != CREDS_AUTO)
        return site->style == CREDS_VIRTUAL;
    /* a dot in the bucket would not match AWS's certificate */
    return !site->endpoint && !strchr(bucket, '.') && !strchr(bucket, '_');
}

/* Puts AWS's own host for a region, without the bucket. */
static void put_aws_host(const struct creds_site *site, const char *region,
                         struct buf *out)
{
    buf_printf(out, "s3.%s%s.amazonaws.com%s",
               site->dual_stack ? "dualstack." : "", region,
               strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

/* Cuts a default port off a host: libcurl does not send it. */
static void cut_port(const char *scheme, struct buf *host)
{
    const char *port = strcmp(scheme, "https") == 0 ? ":443" : ":80";
    size_t n = strlen(port);

    if (host->len > n && strcmp(host->data + host->len - n, port) == 0) {
        host->len -= n;
        host->data[host->len] = '\0';
    }
}

int s3url_make(const struct creds_site *site, const char *region,
               const char *host, const char *bucket, const char *key,
               const char *query, struct s3url *out, struct err *err)
{
    const char *end = site->endpoint ? strstr(site->endpoint, "://") : NULL;
    const char *scheme = end && end == site->endpoint + 4 ? "http" : "https";
    bool in_host = host || is_virtual(site, bucket);
    size_t n = end ? strcspn(end + 3, "/") : 0;

    buf_clear(&out->host);
    buf_clear(&out->path);
    buf_clear(&out->url);
    if (in_host && !host)
        buf_printf(&out->host, "%s.", bucket);
    if (host)
        buf_puts(&out->host, host);
    else if (end)
        buf_put(&out->host, end + 3, n);
    else
        put_aws_host(site, region, &out->host);
    if (end && !host)
        buf_puts(&out->path, end + 3 + n); /* a prefix the endpoint has */
    if (!in_host)
        buf_printf(&out->path, "/%s", bucket);
    buf_puts(&out->path, "/");
    sigv4_encode(&out->path, key, '/');
    if (buf_check(&out->host, err) || buf_check(&out->path, err))
        return -1;
    cut_port(scheme, &out->host);
    buf_printf(&out->url, "%s://%s%s%s%s", scheme, out->host.data,
               out->path.data, *query ? "?" : "", query);
    return buf_check(&out->url, err);
}

void s3url_release(struct s3url *url)
{
    buf_release(&url->host);
    buf_release(&url->path);
    buf_release(&url->url);
}

/* Value of a hexadecimal digit, -1 if it is none. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void s3url_decode(char *text)
{
    char *out = text;

    for (; *text; text++) {
        int high = *text == '%' ? hex_value(text[1]) : -1;
        int low = high < 0 ? -1 : hex_value(text[2]);

        if (low >= 0 && high * 16 + low > 0) {
            *out++ = (char)(unsigned char)(high * 16 + low);
            text += 2;
        } else {
            *out++ = *text == '+' ? ' ' : *text;
        }
    }
    *out = '\0';
}
