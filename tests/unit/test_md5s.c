/* test_md5s - MD5s side by side against libcrypto's one by one. */
#include "base/digest.h"
#include "base/md5s.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* Runs of a batch. */
#define N_RUNS 75
/* Longest run. */
#define MAX_RUN 5000

/* Whether an MD5 is that of these bytes. */
static bool is_md5(const unsigned char *got, const void *bytes, size_t n)
{
    char text[33], want[33];
    struct err err;

    digest_hex_bytes(got, MD5S_SIZE, text);
    return digest_md5(bytes, n, want, &err) == 0 && strcmp(text, want) == 0;
}

/* Every length around the ends of blocks, each alone. */
static void test_lengths(const unsigned char *bytes)
{
    unsigned char out[MD5S_SIZE];
    struct md5s s;
    size_t n, good = 0;

    for (n = 0; n < 300; n++) {
        md5s_begin(&s);
        md5s_end(&s, bytes, n, out);
        good += is_md5(out, bytes, n);
    }
    tap_ok(good == 300, "300 lengths alone: %zu", good);
}

/* Batches of every size, of runs of many lengths. */
static void test_batches(const unsigned char *bytes)
{
    struct md5s_job jobs[N_RUNS];
    size_t n, i, good = 0, all = 0;

    for (n = 0; n <= N_RUNS; n++) {
        for (i = 0; i < n; i++) {
            jobs[i].bytes = bytes + 3 * i;
            jobs[i].n = (i * 7919 + n * 104729) % MAX_RUN;
        }
        if (n > 20)
            jobs[n / 2].n = 0;
        md5s_all(jobs, n);
        for (i = 0; i < n; i++)
            good += is_md5(jobs[i].out, jobs[i].bytes, jobs[i].n);
        all += n;
    }
    tap_ok(good == all, "batches of 0 to %d: %zu of %zu", N_RUNS, good, all);
}

/* Runs that go on block by block. */
static void test_blocks(const unsigned char *bytes)
{
    struct md5s runs[MD5S_LANES], *s[MD5S_LANES];
    const void *data[MD5S_LANES];
    unsigned char out[MD5S_SIZE];
    size_t i, good = 0;

    for (i = 0; i < MD5S_LANES; i++) {
        md5s_begin(&runs[i]);
        s[i] = &runs[i];
        data[i] = bytes + i;
    }
    md5s_blocks(s, data, MD5S_LANES, 3);
    for (i = 0; i < MD5S_LANES; i++)
        data[i] = bytes + i + 3 * MD5S_BLOCK;
    md5s_blocks(s, data, MD5S_LANES, 2);
    for (i = 0; i < MD5S_LANES; i++) {
        md5s_end(&runs[i], bytes + i + 5 * MD5S_BLOCK, i, out);
        good += is_md5(out, bytes + i, 5 * MD5S_BLOCK + i);
    }
    tap_ok(good == MD5S_LANES, "sixteen lanes in steps");
}

int main(void)
{
    static unsigned char bytes[MAX_RUN + 3 * N_RUNS];
    size_t i;

    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * i >> 3);
    test_lengths(bytes);
    test_batches(bytes);
    test_blocks(bytes);
    return tap_done();
}
