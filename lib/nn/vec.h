/*
 * vec - what vec_path.h needs once: the compiler's names of instructions.
 */
#ifndef NN_VEC_H
#define NN_VEC_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * Behind a function's instructions: loops may use all 512 bits, which gcc has
 * to be told.
 */
#if defined(__clang__)
#define VEC_WIDE ""
#else
#define VEC_WIDE ",prefer-vector-width=512"
#endif

/* Put into each path's function, where the wider registers are known. */
#define VEC_INLINE static inline __attribute__((always_inline))

#endif
