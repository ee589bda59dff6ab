/*
 * rng - Philox4x32-10.
 *
 * Ten rounds of two 32x32 -> 64 bit multiplications; the key is bumped by
 * the Weyl constants between rounds (Salmon et al. 2011, section 4.4).
 */
#include "base/rng.h"

#include <math.h>

/* Multipliers and key increments of the paper. */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

/* Circle constant for the normal deviates. */
#define PI 3.14159265358979323846

void rng_block(uint64_t seed, const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = counter[0], c1 = counter[1];
    uint32_t c2 = counter[2], c3 = counter[3];
    int round;

    for (round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0;
        uint64_t p1 = (uint64_t)PHILOX_M1 * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void rng_init(struct rng *r, uint64_t seed, enum rng_use use, uint32_t a,
              uint32_t b)
{
    *r = (struct rng){.seed = seed};
    r->counter[0] = (uint32_t)use;
    r->counter[1] = a;
    r->counter[2] = b;
}

uint32_t rng_u32(struct rng *r)
{
    if (r->n_left == 0) {
        rng_block(r->seed, r->counter, r->out);
        r->counter[3]++;
        r->n_left = 4;
    }
    return r->out[4 - r->n_left--];
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    uint64_t product = (uint64_t)rng_u32(r) * n;
    uint32_t threshold = (uint32_t)(-n) % n;

    while ((uint32_t)product < threshold)
        product = (uint64_t)rng_u32(r) * n;
    return (uint32_t)(product >> 32);
}

double rng_uniform(struct rng *r)
{
    uint64_t high = rng_u32(r) >> 5, low = rng_u32(r) >> 6;

    return (double)(high << 26 | low) * 0x1p-53;
}

double rng_normal(struct rng *r)
{
    double radius, angle;

    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    radius = sqrt(-2.0 * log(1.0 - rng_uniform(r)));
    angle = 2.0 * PI * rng_uniform(r);
    r->spare = radius * sin(angle);
    r->has_spare = 1;
    return radius * cos(angle);
}

void rng_shuffle(struct rng *r, size_t *index, size_t n)
{
    size_t i, j, keep;

    for (i = n; i > 1; i--) {
        j = rng_below(r, (uint32_t)i);
        keep = index[i - 1];
        index[i - 1] = index[j];
        index[j] = keep;
    }
}
