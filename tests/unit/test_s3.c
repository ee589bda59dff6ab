/*
 * test_s3 - addresses, listings and ETags of S3, without a server.
 */
#include <stdlib.h>

#include "base/digest.h"
#include "store/retry.h"
#include "store/etag.h"
#include "store/s3.h"
#include "store/s3url.h"
#include "tap.h"

/* One address. */
struct address {
    const char *endpoint;   /* NULL: AWS */
    enum creds_style style; /* of buckets */
    bool dual_stack;        /* AWS's dual-stack hosts */
    const char *region;     /* of the bucket */
    const char *bucket;     /* its name */
    const char *key;        /* raw */
    const char *query;      /* encoded */
    const char *want;       /* the URL */
};

/* Addresses at AWS and elsewhere. */
static const struct address addresses[] = {
    {NULL, CREDS_AUTO, false, "eu-west-1", "bucket", "a/b", "",
     "https://bucket.s3.eu-west-1.amazonaws.com/a/b"},
    {NULL, CREDS_AUTO, false, "eu-west-1", "my.bucket", "a", "",
     "https://s3.eu-west-1.amazonaws.com/my.bucket/a"},
    {NULL, CREDS_PATH, false, "us-east-1", "bucket", "a", "",
     "https://s3.us-east-1.amazonaws.com/bucket/a"},
    {NULL, CREDS_AUTO, true, "us-east-1", "bucket", "a", "",
     "https://bucket.s3.dualstack.us-east-1.amazonaws.com/a"},
    {NULL, CREDS_AUTO, false, "cn-north-1", "bucket", "a", "",
     "https://bucket.s3.cn-north-1.amazonaws.com.cn/a"},
    {"http://127.0.0.1:7480", CREDS_AUTO, false, "us-east-1", "bucket",
     "a b/+%20#?/../c//d\xc3\xbc", "",
     "http://127.0.0.1:7480/bucket/a%20b/%2B%2520%23%3F/../c//d%C3%BC"},
    {"http://localhost:7480", CREDS_VIRTUAL, false, "us-east-1", "bucket", "a",
     "", "http://bucket.localhost:7480/a"},
    {"https://h:443/prefix", CREDS_AUTO, false, "us-east-1", "bucket", "",
     "list-type=2&prefix=x%2F", "https://h/prefix/bucket/?list-type=2&prefix="
                                "x%2F"},
};

/* Addresses follow region, endpoint and style. */
static void test_addresses(void)
{
    struct s3url url = {0};
    struct err err;
    size_t i;

    for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        const struct address *a = &addresses[i];
        struct creds_site site = {.endpoint = (char *)(size_t)a->endpoint,
                                  .style = a->style,
                                  .dual_stack = a->dual_stack};

        tap_ok(s3url_make(&site, a->region, NULL, a->bucket, a->key, a->query,
                          &url, &err) == 0, "an address");
        tap_is(buf_text(&url.url), a->want, "its URL");
    }
    s3url_release(&url);
}

/* What a listing decodes. */
static void test_decode(void)
{
    char text[] = "a+b%2Bc%20d%01%zz%C3%BC%";

    s3url_decode(text);
    tap_is(text, "a b+c d\x01%zz\xc3\xbc%", "a form-encoded key");
}

/* Parses XML; returns what s3_parse() does. */
static int parse(const char *text, struct s3_page *page, struct err *err)
{
    *page = (struct s3_page){0};
    return s3_parse(text, strlen(text), "s3://b", page, err);
}

/* Pages, last and not, and errors. */
static void test_parse(void)
{
    struct s3_page page;
    struct err err;

    tap_ok(parse("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\">"
                 "<Name>b</Name><Prefix>p</Prefix><IsTruncated>true"
                 "</IsTruncated><Contents><Key>a+%2B&amp;</Key><ETag>e</ETag>"
                 "<Size>12</Size><Owner><ID>o</ID></Owner></Contents><Contents>"
                 "<Size>4294967296</Size><Key>b</Key></Contents>"
                 "<EncodingType>url</EncodingType><NextContinuationToken>t+%2B="
                 "</NextContinuationToken></ListBucketResult>", &page, &err) ==
               0 && page.n == 2, "a page of two");
    tap_is(page.n ? page.entries[0].key : "", "a +&", "a key is decoded");
    tap_ok(page.n == 2 && page.entries[0].size == 12 &&
               page.entries[1].size == 4294967296u, "sizes");
    tap_is(page.token, "t+%2B=", "a token is not");
    s3_page_release(&page);
    tap_ok(parse("<R><Contents><Key>a+b</Key></Contents><IsTruncated>false"
                 "</IsTruncated><NextContinuationToken>t"
                 "</NextContinuationToken></R>", &page, &err) == 0 &&
               !page.token, "a last page");
    tap_is(page.n ? page.entries[0].key : "", "a+b", "a key that is plain");
    s3_page_release(&page);
    tap_ok(parse("<Error><Code>PermanentRedirect</Code><Region>eu-west-1"
                 "</Region></Error>", &page, &err) == 0, "an error");
    tap_is(page.code, "PermanentRedirect", "its code");
    tap_is(page.region, "eu-west-1", "its region");
    s3_page_release(&page);
    tap_ok(parse("<R><Contents><Key>a</Key>", &page, &err) == -1 &&
               err.status == ERR_AGAIN, "a page that is cut off");
    s3_page_release(&page);
    tap_ok(parse("<R><IsTruncated>true</IsTruncated></R>", &page, &err) == -1,
           "more pages, but no token");
    s3_page_release(&page);
}

/* ETags that tell, and that do not. */
static void test_check(void)
{
    size_t n = (size_t)11 << 20;
    char *bytes = calloc(n, 1), parts[64], etag[80];
    struct err err;

    tap_ok(etag_check("\"900150983cd24fb0d6963f7d28e17f72\"", "abc", 3, NULL) == 1,
           "an MD5");
    tap_ok(etag_check("\"900150983cd24fb0d6963f7d28e17f72\"", "abd", 3, NULL) == -1,
           "another's MD5");
    tap_ok(etag_check("\"x\"", "abc", 3, NULL) == 0 && etag_check("", "abc", 3, NULL) == 0,
           "no MD5");
    tap_ok(bytes && digest_md5_parts(bytes, n, (size_t)5 << 20, parts, &err) ==
                        0, "parts of 5 MiB");
    snprintf(etag, sizeof(etag), "\"%s\"", parts);
    tap_ok(etag_check(etag, bytes, n, NULL) == 1, "the MD5 of three parts");
    if (bytes)
        bytes[7] = 1;
    tap_ok(etag_check(etag, bytes, n, NULL) == 0, "parts of unknown size: unknown");
    free(bytes);
}

/* What replies mean for the next try. */
static void test_retry(void)
{
    uint64_t first, last, total, sum = 0;
    static const char slow[] = "<Error><Code>SlowDown</Code></Error>";
    struct rng rng;
    int i;

    rng_init(&rng, 1, RNG_TEST, 0, 0);
    tap_ok(retry_judge(503, slow, sizeof(slow) - 1) == RETRY_SLOWER &&
               retry_judge(503, NULL, 0) == RETRY_AGAIN &&
               retry_judge(429, NULL, 0) == RETRY_SLOWER &&
               retry_judge(500, NULL, 0) == RETRY_AGAIN, "trouble");
    tap_ok(retry_judge(404, NULL, 0) == RETRY_DONE &&
               retry_judge(403, slow, 9) == RETRY_DONE &&
               retry_judge(501, NULL, 0) == RETRY_DONE, "final");
    tap_ok(retry_content_range("bytes 5-9/10", &first, &last, &total) == 0 &&
               first == 5 && last == 9 && total == 10, "a range");
    tap_ok(retry_content_range("bytes 5-9/*", &first, &last, &total) == 0 &&
               total == UINT64_MAX, "of an unknown whole");
    tap_ok(retry_content_range("bytes 5-10/10", &first, &last, &total) &&
               retry_content_range("bytes 6-5/10", &first, &last, &total) &&
               retry_content_range("bytes */10", &first, &last, &total) &&
               retry_content_range("5-9/10", &first, &last, &total) &&
               retry_content_range("bytes 99999999999999999999-1/2", &first,
                                   &last, &total), "no range");
    for (i = 0; i < 1000; i++) {
        uint64_t wait = retry_delay_ms(&rng, 3, 100);

        sum += wait;
        if (wait >= 800)
            break;
    }
    tap_ok(i == 1000 && sum > 350000 && sum < 450000,
           "the fourth wait is uniform below 0.8 s");
    for (i = 0; i < 1000 && retry_delay_ms(&rng, 60, 100) < 20000; i++)
        ;
    tap_ok(i == 1000, "no wait is over 20 s");
    tap_ok(retry_strong_etag("\"a\"") && !retry_strong_etag("W/\"a\"") &&
               !retry_strong_etag(""), "strong ETags");
}

int main(void)
{
    test_addresses();
    test_decode();
    test_parse();
    test_check();
    test_retry();
    return tap_done();
}
