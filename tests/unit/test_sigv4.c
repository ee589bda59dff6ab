/*
 * test_sigv4 - signatures against those AWS publishes: the vectors of its
 * SigV4 test suite and the examples of the S3 API reference.
 */
#include "base/digest.h"
#include "store/sigv4.h"
#include "tap.h"

/* One published signature. */
struct vector {
    const char *name;              /* as AWS calls it */
    const char *method;            /* of the request */
    const char *path;              /* encoded */
    const char *query;             /* canonical */
    struct sigv4_header headers[5]; /* sorted; name NULL ends them */
    const char *stamp;             /* x-amz-date */
    const char *signature;         /* hex */
};

/* The suite's key. */
static const struct sigv4_key suite_key = {
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1",
    "service"};

/* The S3 examples' key. */
static const struct sigv4_key s3_key = {
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "us-east-1", "s3"};

/* Vectors of the SigV4 test suite. */
static const struct vector suite[] = {
    {"get-vanilla", "GET", "/", "",
     {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
     "20150830T123600Z",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case", "GET", "/",
     "Param1=value1&Param2=value2",
     {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
     "20150830T123600Z",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-utf8", "GET", "/%E1%88%B4", "",
     {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
     "20150830T123600Z",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"post-vanilla", "POST", "/", "",
     {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
     "20150830T123600Z",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
};

/* Examples of the S3 API reference. */
static const struct vector s3[] = {
    {"GET object", "GET", "/test.txt", "",
     {{"host", "examplebucket.s3.amazonaws.com"},
      {"range", "bytes=0-9"},
      {"x-amz-content-sha256", SIGV4_EMPTY},
      {"x-amz-date", "20130524T000000Z"}},
     "20130524T000000Z",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"GET bucket lifecycle", "GET", "/", "lifecycle=",
     {{"host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-content-sha256", SIGV4_EMPTY},
      {"x-amz-date", "20130524T000000Z"}},
     "20130524T000000Z",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET bucket (list objects)", "GET", "/", "max-keys=2&prefix=J",
     {{"host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-content-sha256", SIGV4_EMPTY},
      {"x-amz-date", "20130524T000000Z"}},
     "20130524T000000Z",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

/* Checks one vector. */
static void check(const struct sigv4_key *key, const struct vector *v)
{
    struct sigv4_request r = {.method = v->method,
                              .path = v->path,
                              .query = v->query,
                              .payload = SIGV4_EMPTY,
                              .headers = v->headers};
    struct buf out = {0};
    struct err err;
    const char *at;

    while (v->headers[r.n_headers].name)
        r.n_headers++;
    tap_ok(sigv4_sign(key, &r, v->stamp, &out, &err) == 0, "%s", v->name);
    at = strstr(buf_text(&out), "Signature=");
    tap_is(at ? at + 10 : "", v->signature, v->name);
    buf_release(&out);
}

/* The encoding of keys and of query values. */
static void test_encode(void)
{
    struct buf out = {0};

    sigv4_encode(&out, "a b/c+%20~\xe2\x99\xab", '/');
    tap_is(buf_text(&out), "a%20b/c%2B%2520~%E2%99%AB", "a path");
    buf_clear(&out);
    sigv4_encode(&out, "a/b=&\x01", '\0');
    tap_is(buf_text(&out), "a%2Fb%3D%26%01", "a query value");
    buf_release(&out);
}

/* A part's worth of MD5s, as S3 joins them. */
static void test_parts(void)
{
    char text[64];
    struct err err;

    /* md5(md5("ab") + md5("c")), from coreutils' md5sum */
    tap_ok(digest_md5_parts("abc", 3, 2, text, &err) == 0, "md5 of parts");
    tap_is(text, "d833159094d1d7ad96ffcc78414e3682-2", "md5 of parts");
}

int main(void)
{
    char stamp[SIGV4_STAMP_SIZE];
    size_t i;

    for (i = 0; i < sizeof(suite) / sizeof(suite[0]); i++)
        check(&suite_key, &suite[i]);
    for (i = 0; i < sizeof(s3) / sizeof(s3[0]); i++)
        check(&s3_key, &s3[i]);
    sigv4_stamp(1369353600, stamp);
    tap_is(stamp, "20130524T000000Z", "a time stamp");
    test_encode();
    test_parts();
    return tap_done();
}
