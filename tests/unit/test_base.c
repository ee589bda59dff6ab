/*
 * test_base - errors, memory, numbers, random numbers, digests.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "tap.h"

/* Errors: status, control characters, cutting, errno. */
static void test_err(void)
{
    struct err err;
    char deep[3000];

    tap_ok(err_set(&err, ERR_DATA, "x\x1b[31m%s\xc2\x9b", "\n") == -1 &&
               err.status == ERR_DATA,
           "err_set returns -1 and keeps the status");
    tap_is(err.text, "x\\x1b[31m\\x0a\\xc2\\x9b",
           "control characters become visible");
    err_set(&err, ERR_DATA, "caf\xc3\xa9");
    tap_is(err.text, "caf\xc3\xa9", "other UTF-8 stays");
    memset(deep, 'a', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    err_set(&err, ERR_DATA, "%s", deep);
    tap_ok(strlen(err.text) < sizeof err.text, "a long line is cut");
    err_set(&err, ERR_DATA, "inner");
    err_prefix(&err, "outer %d", 7);
    tap_is(err.text, "outer 7: inner", "err_prefix puts text before it");
    errno = ENOENT;
    err_errno(&err, "file");
    tap_ok(err.status == ERR_MISSING, "ENOENT is 66");
    errno = EACCES;
    err_errno(&err, "file");
    tap_ok(err.status == ERR_DENIED, "EACCES is 77");
    errno = ENOSPC;
    err_errno(&err, "file");
    tap_ok(err.status == ERR_IO, "ENOSPC is 74");
    tap_ok(err_status_from(75) == ERR_AGAIN && err_status_from(3) == ERR_DATA,
           "a foreign status counts as 65");
}

/* Growth, overflow, arenas. */
static void test_mem(void)
{
    struct mem_arena a;
    struct err err;
    size_t cap = 0;
    char *p = mem_grow(NULL, &cap, 100, 8, &err), *q;

    tap_ok(p && cap >= 100, "mem_grow makes room");
    q = mem_grow(p, &cap, SIZE_MAX / 2, 8, &err);
    tap_ok(!q, "mem_grow refuses a product that overflows");
    free(p);
    tap_ok(!mem_arena_init(&a, mem_arena_room(3, 4) + mem_arena_room(1, 8),
                           &err),
           "an arena is reserved");
    p = mem_arena_take(&a, 3, 4);
    q = mem_arena_take(&a, 1, 8);
    tap_ok(q - p == 64 && (uintptr_t)p % 64 == 0, "its blocks are aligned");
    mem_arena_release(&a);
}

/* Shortest forms and strict parsing. */
static void test_num(void)
{
    char text[NUM_SIZE];
    double d;
    int64_t n;
    struct rng r;
    int i, bad = 0;

    tap_is(num_double(text, 0.1), "0.1", "0.1 is short");
    tap_is(num_double(text, 1.0 / 3), "0.3333333333333333", "1/3 reads back");
    tap_is(num_float(text, 0.1f), "0.1", "a float has its own short form");
    tap_is(num_double(text, NAN), "nan", "nan is spelled so");
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (i = 0; i < 2000; i++) {
        double want = rng_normal(&r) * pow(10, (int)rng_below(&r, 60) - 30);

        bad += num_parse_double(num_double(text, want), &d) || d != want;
    }
    tap_ok(!bad, "2000 random doubles read back");
    tap_ok(num_parse_double("0x10", &d) && num_parse_double(" 1", &d) &&
               num_parse_double("1,5", &d) && num_parse_double("", &d) &&
               num_parse_double("1e999", &d) && num_parse_double("1 ", &d),
           "hexadecimal, blanks, commas and overflow are refused");
    tap_ok(!num_parse_double("-inf", &d) && d < 0, "-inf is a number");
    tap_ok(num_parse_int("12a", &n) && num_parse_int("", &n) &&
               num_parse_int("99999999999999999999", &n) &&
               !num_parse_int("-7", &n) && n == -7,
           "integers are parsed strictly");
    tap_ok(!num_parse_size("10G", &n) && n == (int64_t)10 << 30,
           "10G is 10 * 2^30");
    tap_ok(num_parse_size("9999999999T", &n) && num_parse_size("1X", &n),
           "sizes that overflow or have no unit are refused");
    tap_ok(num_gcd(16000, 1600) == 1600 && num_gcd(0, 5) == 5, "gcd");
}

/* Philox against the vectors of Random123's kat_vectors. */
static void test_rng(void)
{
    static const struct {
        uint64_t key;          /* seed */
        uint32_t counter[4];   /* position */
        uint32_t want[4];      /* block */
    } kat[] = {
        {0, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX,
         {~0u, ~0u, ~0u, ~0u},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822,
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    uint32_t out[4];
    size_t order[100], seen[100] = {0}, i, hits[7] = {0}, bad = 0;
    double sum = 0, squares = 0;
    struct rng r;

    for (i = 0; i < 3; i++) {
        rng_block(kat[i].key, kat[i].counter, out);
        tap_ok(!memcmp(out, kat[i].want, sizeof out),
               "Philox4x32-10 vector %zu", i);
    }
    rng_init(&r, 42, RNG_TEST, 1, 2);
    for (i = 0; i < 70000; i++)
        hits[rng_below(&r, 7)]++;
    for (i = 0; i < 7; i++)
        bad += hits[i] < 9600 || hits[i] > 10400;
    tap_ok(!bad, "rng_below is even");
    for (i = 0; i < 40000; i++) {
        double x = rng_normal(&r);

        sum += x;
        squares += x * x;
    }
    tap_near(sum / 40000, 0, 0.02, "normal deviates have mean 0");
    tap_near(squares / 40000, 1, 0.03, "and variance 1");
    for (i = 0; i < 100; i++)
        order[i] = i;
    rng_shuffle(&r, order, 100);
    for (i = 0; i < 100; i++)
        seen[order[i]]++;
    for (i = 0, bad = 0; i < 100; i++)
        bad += seen[i] != 1;
    tap_ok(!bad, "a shuffle is a permutation");
}

/* XXH3 and MD5 of known inputs. */
static void test_digest(void)
{
    struct digest_xxh3 d;
    struct err err;
    char hex[17], md5[33];
    uint64_t value;

    digest_hex(digest_xxh3("", 0), hex);
    tap_is(hex, "2d06800538d394c2", "XXH3-64 of nothing");
    tap_ok(!digest_xxh3_init(&d, &err), "a running digest starts");
    digest_xxh3_add(&d, "hello ", 6);
    digest_xxh3_add(&d, "world", 5);
    tap_ok(digest_xxh3_value(&d) == digest_xxh3("hello world", 11),
           "pieces add up");
    digest_xxh3_release(&d);
    tap_ok(!digest_from_hex("2d06800538d394c2", 16, &value) &&
               value == 0x2d06800538d394c2,
           "hex reads back");
    tap_ok(digest_from_hex("2D06800538D394C2", 16, &value) != 0,
           "upper case is refused");
    tap_ok(!digest_md5("abc", 3, md5, &err), "MD5 is there");
    tap_is(md5, "900150983cd24fb0d6963f7d28e17f72", "MD5 of abc (RFC 1321)");
}

int main(void)
{
    test_err();
    test_mem();
    test_num();
    test_rng();
    test_digest();
    return tap_done();
}
