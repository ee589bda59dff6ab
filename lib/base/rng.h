/*
 * rng - counter-based random numbers: a pure function of seed and position.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011). There is no hidden state, so any position can
 * be computed at any time, in any thread, after any restart.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What numbers are drawn for; the first counter word keeps uses apart. */
enum rng_use {
    RNG_INIT = 1,        /* initial weights */
    RNG_ORDER = 2,       /* order of an epoch */
    RNG_DROPOUT = 3,     /* dropout masks */
    RNG_SYNTH = 4,       /* planted data sets */
    RNG_TEST = 5,        /* tests */
    RNG_BOOTSTRAP = 6,   /* resampled subjects and songs */
    RNG_PERMUTATION = 7, /* permuted songs */
    RNG_RETRY = 9,       /* waits before a request is repeated */
    RNG_VERIFY = 12      /* inputs that an exported model is compared with */
};

/*
 * One block of four 32-bit numbers.
 *
 * seed:    the 64-bit key
 * counter: position; callers put an enum rng_use in counter[0]
 */
void rng_block(uint64_t seed, const uint32_t counter[4], uint32_t out[4]);

/* A sequence of numbers at one position (use, a, b). */
struct rng {
    uint64_t seed;       /* key */
    uint32_t counter[4]; /* use, a, b, number of the block */
    uint32_t out[4];     /* the current block */
    unsigned n_left;     /* numbers of it not yet handed out */
    double spare;        /* second normal deviate of a pair */
    int has_spare;       /* spare is valid */
};

/* Starts the sequence of `use` at position (a, b). */
void rng_init(struct rng *r, uint64_t seed, enum rng_use use, uint32_t a,
              uint32_t b);

/* The next 32 bits. */
uint32_t rng_u32(struct rng *r);

/* Unbiased integer in [0, n), n >= 1 (Lemire 2019, with rejection). */
uint32_t rng_below(struct rng *r, uint32_t n);

/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *r);

/* Standard normal deviate (Box & Muller 1958). */
double rng_normal(struct rng *r);

/* Fisher-Yates permutation of n indices in place. n < 2^32. */
void rng_shuffle(struct rng *r, size_t *index, size_t n);

#endif
