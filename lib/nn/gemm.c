/*
 * gemm - a tile of sums in registers, ROWS rows of WIDE panels, for each kind
 * of processor; the loops are in gemm_loops.h.
 */
#include "nn/gemm.h"

#include <string.h>


/* The plain path: vectors of 4 floats. */
#define PATH(name) name##_plain
#define TARGET
#define VEC 4
#define ROWS 2
#define WIDE 1
#include "nn/gemm_loops.h"

#if defined(__x86_64__)
/* AVX2: 16 registers of 8 floats. */
#define PATH(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VEC 8
#define ROWS 6
#define WIDE 1
#include "nn/gemm_loops.h"

/* AVX-512: 32 registers of 16 floats. */
#define PATH(name) name##_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC 16
#define ROWS 14
#define WIDE 2
#include "nn/gemm_loops.h"
#else
#define run_avx2 run_plain
#define run_avx512 run_plain
#endif

size_t gemm_panels(size_t n)
{
    return (n + GEMM_LANES - 1) / GEMM_LANES;
}

void gemm_run(enum conv1d_path path, const struct gemm *g)
{
    if (path == CONV1D_AVX512)
        run_avx512(g);
    else if (path == CONV1D_AVX2)
        run_avx2(g);
    else
        run_plain(g);
}
