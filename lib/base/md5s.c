/*
 * md5s - MD5s side by side: the words of sixteen blocks are transposed, word k
 * of all lanes becoming one run, and every step is done on whole vectors.
 */
#include "base/md5s.h"

#include <string.h>

/* K of RFC 1321: the whole part of 2^32 |sin(i + 1)|. */
static const uint32_t constants[64] = {
    0xd76aa478u, 0xe8c7b756u, 0x242070dbu, 0xc1bdceeeu,
    0xf57c0fafu, 0x4787c62au, 0xa8304613u, 0xfd469501u,
    0x698098d8u, 0x8b44f7afu, 0xffff5bb1u, 0x895cd7beu,
    0x6b901122u, 0xfd987193u, 0xa679438eu, 0x49b40821u,
    0xf61e2562u, 0xc040b340u, 0x265e5a51u, 0xe9b6c7aau,
    0xd62f105du, 0x02441453u, 0xd8a1e681u, 0xe7d3fbc8u,
    0x21e1cde6u, 0xc33707d6u, 0xf4d50d87u, 0x455a14edu,
    0xa9e3e905u, 0xfcefa3f8u, 0x676f02d9u, 0x8d2a4c8au,
    0xfffa3942u, 0x8771f681u, 0x6d9d6122u, 0xfde5380cu,
    0xa4beea44u, 0x4bdecfa9u, 0xf6bb4b60u, 0xbebfbc70u,
    0x289b7ec6u, 0xeaa127fau, 0xd4ef3085u, 0x04881d05u,
    0xd9d4d039u, 0xe6db99e5u, 0x1fa27cf8u, 0xc4ac5665u,
    0xf4292244u, 0x432aff97u, 0xab9423a7u, 0xfc93a039u,
    0x655b59c3u, 0x8f0ccc92u, 0xffeff47du, 0x85845dd1u,
    0x6fa87e4fu, 0xfe2ce6e0u, 0xa3014314u, 0x4e0811a1u,
    0xf7537e82u, 0xbd3af235u, 0x2ad7d2bbu, 0xeb86d391u};

/* The functions of the four rounds. */
#define F1(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define F2(x, y, z) ((y) ^ ((z) & ((x) ^ (y))))
#define F3(x, y, z) ((x) ^ (y) ^ (z))
#define F4(x, y, z) ((y) ^ ((x) | ~(z)))

/* Writes the words of a block of every lane beside one another. */
static inline __attribute__((always_inline)) void
transpose(uint32_t w[MD5S_BLOCK / 4][MD5S_LANES],
          const unsigned char *const *data, size_t at)
{
    uint32_t row[MD5S_BLOCK / 4];
    size_t lane, k;

    for (lane = 0; lane < MD5S_LANES; lane++) {
        memcpy(row, data[lane] + at, MD5S_BLOCK);
        for (k = 0; k < MD5S_BLOCK / 4; k++)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            w[k][lane] = row[k];
#else
            w[k][lane] = __builtin_bswap32(row[k]);
#endif
    }
}

#define PATH(name) plain_##name
#define TARGET
#define VEC 4
#include "base/md5s_loops.h"

#if defined(__x86_64__)
#define PATH(name) avx2_##name
#define TARGET __attribute__((target("avx2")))
#define VEC 8
#include "base/md5s_loops.h"

#define PATH(name) avx512_##name
#define TARGET __attribute__((target("avx512f")))
#define VEC 16
#include "base/md5s_loops.h"
#endif

/* Takes blocks by the fastest path this processor has. */
static void take_blocks(uint32_t state[4][MD5S_LANES],
                        const unsigned char *const *data, size_t n_blocks)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        avx512_blocks(state, data, n_blocks);
    else if (__builtin_cpu_supports("avx2"))
        avx2_blocks(state, data, n_blocks);
    else
#endif
        plain_blocks(state, data, n_blocks);
}

void md5s_begin(struct md5s *s)
{
    static const uint32_t first[4] = {0x67452301, 0xefcdab89, 0x98badcfe,
                                      0x10325476};

    memcpy(s->state, first, sizeof(first));
    s->n = 0;
}

void md5s_blocks(struct md5s *const *s, const void *const *data,
                 size_t n_lanes, size_t n_blocks)
{
    _Alignas(64) uint32_t state[4][MD5S_LANES];
    const unsigned char *lanes[MD5S_LANES];
    size_t lane, i;

    for (lane = 0; lane < MD5S_LANES; lane++) {
        size_t from = lane < n_lanes ? lane : 0; /* idle lanes repeat one */

        lanes[lane] = data[from];
        for (i = 0; i < 4; i++)
            state[i][lane] = s[from]->state[i];
    }
    take_blocks(state, lanes, n_blocks);
    for (lane = 0; lane < n_lanes; lane++) {
        for (i = 0; i < 4; i++)
            s[lane]->state[i] = state[i][lane];
        s[lane]->n += n_blocks * MD5S_BLOCK;
    }
}

/* Adds whole blocks to one run. */
static void add_blocks(struct md5s *s, const void *data, size_t n_blocks)
{
    md5s_blocks(&s, &data, 1, n_blocks);
}

void md5s_end(struct md5s *s, const void *bytes, size_t n,
              unsigned char out[MD5S_SIZE])
{
    const unsigned char *p = bytes;
    unsigned char last[2 * MD5S_BLOCK] = {0};
    size_t whole = n / MD5S_BLOCK, rest = n % MD5S_BLOCK, i;
    size_t n_last = rest + 9 > MD5S_BLOCK ? 2 : 1;
    uint64_t n_bits = (s->n + n) * 8;

    if (whole)
        add_blocks(s, p, whole);
    if (rest)
        memcpy(last, p + whole * MD5S_BLOCK, rest);
    last[rest] = 0x80;
    for (i = 0; i < 8; i++)
        last[n_last * MD5S_BLOCK - 8 + i] = (unsigned char)(n_bits >> 8 * i);
    add_blocks(s, last, n_last);
    for (i = 0; i < MD5S_SIZE; i++)
        out[i] = (unsigned char)(s->state[i / 4] >> 8 * (i % 4));
}

/* The runs in the lanes, for md5s_all(). */
struct lanes {
    struct md5s runs[MD5S_LANES];      /* their states */
    struct md5s *s[MD5S_LANES];        /* those of lanes in use */
    const void *data[MD5S_LANES];      /* what is next in each */
    struct md5s_job *job[MD5S_LANES];  /* whose */
    size_t n;                          /* lanes in use */
};

/* Bytes of a lane that were not taken yet. */
static size_t left_in(const struct lanes *l, size_t lane)
{
    return l->job[lane]->n - (size_t)l->s[lane]->n;
}

/* Ends the runs that have no whole block left; others take their lanes. */
static void end_runs(struct lanes *l)
{
    size_t lane = 0;

    while (lane < l->n) {
        struct md5s *done = l->s[lane];

        if (left_in(l, lane) >= MD5S_BLOCK) {
            lane++;
            continue;
        }
        md5s_end(done, l->data[lane], left_in(l, lane), l->job[lane]->out);
        l->n--;
        l->s[lane] = l->s[l->n];
        l->data[lane] = l->data[l->n];
        l->job[lane] = l->job[l->n];
        l->s[l->n] = done; /* free for the next run */
    }
}

void md5s_all(struct md5s_job *jobs, size_t n_jobs)
{
    struct lanes l = {0};
    size_t next = 0, lane;

    for (lane = 0; lane < MD5S_LANES; lane++)
        l.s[lane] = &l.runs[lane];
    while (next < n_jobs || l.n > 0) {
        size_t n_blocks = SIZE_MAX;

        while (l.n < MD5S_LANES && next < n_jobs) {
            md5s_begin(l.s[l.n]);
            l.data[l.n] = jobs[next].bytes;
            l.job[l.n++] = &jobs[next++];
        }
        end_runs(&l);
        if (l.n < MD5S_LANES && next < n_jobs)
            continue;
        for (lane = 0; lane < l.n; lane++) {
            if (left_in(&l, lane) / MD5S_BLOCK < n_blocks)
                n_blocks = left_in(&l, lane) / MD5S_BLOCK;
        }
        if (l.n == 0)
            continue;
        md5s_blocks(l.s, l.data, l.n, n_blocks);
        for (lane = 0; lane < l.n; lane++)
            l.data[lane] = (const char *)l.data[lane] + n_blocks * MD5S_BLOCK;
    }
}
