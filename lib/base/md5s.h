/*
 * md5s - MD5s of many runs of bytes at once, one a vector lane.
 *
 * One MD5 cannot be made faster than its chain of 64 steps a block; sixteen
 * of them go through that chain side by side. What is computed is MD5
 * (RFC 1321) whatever the processor.
 */
#ifndef BASE_MD5S_H
#define BASE_MD5S_H

#include <stddef.h>
#include <stdint.h>

/* Runs that go side by side. */
#define MD5S_LANES 16

/* Bytes of a block. */
#define MD5S_BLOCK 64

/* Bytes of an MD5. */
#define MD5S_SIZE 16

/* One run on its way. */
struct md5s {
    uint32_t state[4]; /* A, B, C, D */
    uint64_t n;        /* bytes so far, whole blocks until md5s_end() */
};

/* One run that is in memory, and its MD5. */
struct md5s_job {
    const void *bytes;            /* borrowed */
    size_t n;                     /* how many */
    unsigned char out[MD5S_SIZE]; /* gets the MD5 */
};

/* Begins a run. */
void md5s_begin(struct md5s *s);

/*
 * Adds n_blocks whole blocks to each of n_lanes runs, 1 to MD5S_LANES.
 *
 * s:    the runs, all different
 * data: n_blocks MD5S_BLOCK bytes for each
 */
void md5s_blocks(struct md5s *const *s, const void *const *data,
                 size_t n_lanes, size_t n_blocks);

/* Adds the last n bytes, any number, and makes the MD5. */
void md5s_end(struct md5s *s, const void *bytes, size_t n,
              unsigned char out[MD5S_SIZE]);

/* Makes the MD5s of n_jobs runs. */
void md5s_all(struct md5s_job *jobs, size_t n_jobs);

#endif
