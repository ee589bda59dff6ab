/*
 * vec - what vec_path.h needs once: the compiler's names of instructions.
 */
#ifndef NN_VEC_H
#define NN_VEC_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Put into each path's function, where the wider registers are known. */
#define VEC_INLINE static inline __attribute__((always_inline))

#endif
