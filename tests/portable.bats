#!/usr/bin/env bats
# portable - other compilers, and builds without optional parts.

load helpers/common

# bats file_tags=slow

# Builds into a folder of this test: build [VARIABLE=VALUE ...] GOAL ...
build() {
    make --no-print-directory -C "$A2B_ROOT" -j 2 \
        BUILD="$BATS_TEST_TMPDIR/b" WERROR=-Werror "$@" >log 2>&1 || {
        grep -E 'warning:|error:' log
        return 1
    }
}

# Without MPI and libsoxr everything else works, and they are named.
@test "without MPI and libsoxr" {
    cd "$BATS_TEST_TMPDIR" || return
    build MPI= SOXR= all
    run -0 ldd b/bin/a2b-train b/bin/a2b-mfcc
    [[ $output != *libmpi* && $output != *libsoxr* ]]
    wav s.wav 22050 2 440
    b/bin/a2b-mfcc -q s.wav >m.a2b
    is_ok_stream m.a2b
    cmp m.a2b <(a2b-mfcc -q s.wav)
    run -2 --separate-stderr b/bin/a2b-mfcc --resampler soxr_hq -o x s.wav
    stderr_has "soxr_hq needs libsoxr, which this build is without; use kaiser"
    [ ! -e x ]
}

# The same sources by clang: no warning, and the same features.
@test "clang" {
    command -v clang >/dev/null || skip "clang is not installed"
    cd "$BATS_TEST_TMPDIR" || return
    echo 'int main(void) { return 0; }' >omp.c
    clang -fopenmp omp.c -o omp 2>/dev/null ||
        skip "clang has no OpenMP (libomp-dev)"
    build CC=clang all \
        "$BATS_TEST_TMPDIR"/b/unit/test_{mfcc,conv1d,stream,gemm}
    cd "$A2B_ROOT" || return
    for test in mfcc conv1d stream gemm; do
        run -0 "$BATS_TEST_TMPDIR/b/unit/test_$test"
    done
}
