/*
 * md5s_loops - the steps of MD5 for one kind of register.
 *
 * No guard: md5s.c includes this once for each path, with
 *   PATH(name)  the path's name of a function or type
 *   TARGET      the attribute that allows its instructions
 *   VEC         lanes of a vector, MD5S_LANES a multiple of it
 * and all three are undefined again at the end.
 */

/* VEC words. */
typedef uint32_t PATH(vec)
    __attribute__((vector_size(VEC * sizeof(uint32_t)), may_alias));

/* One step: a = b + rotate(a + f + w + k, s). */
#define STEP(f, a, b, k, i, s) \
    do { \
        a += (f) + *(const PATH(vec) *)&w[k][first] + constants[i]; \
        a = b + (a << s | a >> (32 - s)); \
    } while (0)

/* Four steps of a round with the words and turns of that round. */
#define FOUR(F, i, k0, k1, k2, k3, s0, s1, s2, s3) \
    do { \
        STEP(F(b, c, d), a, b, (k0) & 15, i, s0); \
        STEP(F(a, b, c), d, a, (k1) & 15, (i) + 1, s1); \
        STEP(F(d, a, b), c, d, (k2) & 15, (i) + 2, s2); \
        STEP(F(c, d, a), b, c, (k3) & 15, (i) + 3, s3); \
    } while (0)

/* Takes one block of VEC lanes, the first of which is `first`. */
TARGET static inline __attribute__((always_inline)) void
PATH(block)(uint32_t state[4][MD5S_LANES],
            uint32_t w[MD5S_BLOCK / 4][MD5S_LANES], size_t first)
{
    PATH(vec) a = *(PATH(vec) *)&state[0][first];
    PATH(vec) b = *(PATH(vec) *)&state[1][first];
    PATH(vec) c = *(PATH(vec) *)&state[2][first];
    PATH(vec) d = *(PATH(vec) *)&state[3][first];

    FOUR(F1, 0, 0, 1, 2, 3, 7, 12, 17, 22);
    FOUR(F1, 4, 4, 5, 6, 7, 7, 12, 17, 22);
    FOUR(F1, 8, 8, 9, 10, 11, 7, 12, 17, 22);
    FOUR(F1, 12, 12, 13, 14, 15, 7, 12, 17, 22);
    FOUR(F2, 16, 1, 6, 11, 0, 5, 9, 14, 20);
    FOUR(F2, 20, 5, 10, 15, 4, 5, 9, 14, 20);
    FOUR(F2, 24, 9, 14, 3, 8, 5, 9, 14, 20);
    FOUR(F2, 28, 13, 2, 7, 12, 5, 9, 14, 20);
    FOUR(F3, 32, 5, 8, 11, 14, 4, 11, 16, 23);
    FOUR(F3, 36, 1, 4, 7, 10, 4, 11, 16, 23);
    FOUR(F3, 40, 13, 0, 3, 6, 4, 11, 16, 23);
    FOUR(F3, 44, 9, 12, 15, 2, 4, 11, 16, 23);
    FOUR(F4, 48, 0, 7, 14, 5, 6, 10, 15, 21);
    FOUR(F4, 52, 12, 3, 10, 1, 6, 10, 15, 21);
    FOUR(F4, 56, 8, 15, 6, 13, 6, 10, 15, 21);
    FOUR(F4, 60, 4, 11, 2, 9, 6, 10, 15, 21);
    *(PATH(vec) *)&state[0][first] += a;
    *(PATH(vec) *)&state[1][first] += b;
    *(PATH(vec) *)&state[2][first] += c;
    *(PATH(vec) *)&state[3][first] += d;
}

/* Takes n_blocks blocks of all lanes. */
TARGET static void PATH(blocks)(uint32_t state[4][MD5S_LANES],
                                const unsigned char *const *data,
                                size_t n_blocks)
{
    _Alignas(64) uint32_t w[MD5S_BLOCK / 4][MD5S_LANES];
    size_t block, first;

    for (block = 0; block < n_blocks; block++) {
        transpose(w, data, block * MD5S_BLOCK);
        for (first = 0; first < MD5S_LANES; first += VEC)
            PATH(block)(state, w, first);
    }
}

#undef FOUR
#undef STEP
#undef PATH
#undef TARGET
#undef VEC
