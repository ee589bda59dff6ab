#!/usr/bin/env bats
# http - objects from HTTP servers that fail in every way we know.

load helpers/common
load helpers/s3

# Files to serve: 100 kB that do not repeat, an empty one, and ten small ones.
setup_file() {
    mkdir "$BATS_FILE_TMPDIR/www"
    cd "$BATS_FILE_TMPDIR/www"
    seq 20000 | head -c 100000 >large
    : >empty
    for i in 0 1 2 3 4 5 6 7 8 9; do seq "$i" "$i$i$i" >"small$i"; done
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    www=$BATS_FILE_TMPDIR/www
    s3_only_env
}

teardown() {
    faulty_stop
}

# Nothing goes wrong: whole files, sizes, an empty one.
@test "http: files come whole, sizes are told" {
    faulty "$www"
    a2b-fetch "$proxy/large" | cmp - "$www/large"
    a2b-fetch "$proxy/empty" >got
    [ ! -s got ]
    a2b-fetch -o copy "$proxy"/small{0..9}
    for i in 0 1 2 3 4 5 6 7 8 9; do cmp "copy/small$i" "$www/small$i"; done
    a2b-fetch --stat "$proxy/large" | jq -e '.size == 100000'
    run -2 --separate-stderr a2b-fetch --list "$proxy/"
    stderr_has "HTTP servers have no listings"
}

# What fails for good says so; what may pass is 75.
@test "http: missing is 66, forbidden 77, gone 75" {
    faulty "$www"
    run -66 --separate-stderr a2b-fetch "$proxy/none"
    stderr_has "$proxy/none: the server says 404"
    faulty "$www" 403
    run -77 --separate-stderr a2b-fetch "$proxy/large"
    faulty "$www" 503
    AWS_MAX_ATTEMPTS=3 run -75 --separate-stderr a2b-fetch "$proxy/large"
    stderr_has "the server says 503 (tried 3 times)"
    [ "$(grep -c ^503 faults)" = 3 ]
    faulty_stop
    AWS_MAX_ATTEMPTS=2 run -75 --separate-stderr a2b-fetch "$proxy/large"
    stderr_has "tried 2 times"
}

# Every fault that may pass is passed by, and what came is right.
@test "http: each fault is passed by" {
    for fault in 500 503 429 slowdown reset cut resetmid; do
        faulty "$www" every=2 "$fault"
        run -0 a2b-fetch -v -o got "$proxy/large"
        [[ $output == *"were repeated"* ]]
        cmp got "$www/large"
    done
}

# What came before a cut is not asked for again.
@test "http: a cut body is resumed where it ended" {
    faulty "$www" every=1 cut cut none
    a2b-fetch "$proxy/large" | cmp - "$www/large"
    [ "$(wc -l <faults)" = 3 ]
}

# A server that sends nothing more is left for another try.
@test "http: a stalled transfer is broken off" {
    faulty "$www" stall none
    a2b-fetch --timeout 1 "$proxy/large" | cmp - "$www/large"
    [ "$(grep -c ^stall faults)" = 1 ]
}

# After a cut the rest is asked for; the whole comes, or a wrong range.
@test "http: a range that was not kept is not taken for it" {
    faulty "$www" cut norange none
    a2b-fetch "$proxy/large" | cmp - "$www/large"
    rm faults
    faulty "$www" cut wrongrange none
    a2b-fetch "$proxy/large" | cmp - "$www/large"
    [ "$(wc -l <faults)" = 3 ]
}

# A redirect is followed, a loop of them is not followed for ever.
@test "http: redirects are followed" {
    cp "$www/small9" "$www/moved"
    faulty "$www" moved none
    a2b-fetch "$proxy/elsewhere" | cmp - "$www/small9"
    faulty "$www" moved
    run ! a2b-fetch "$proxy/elsewhere"
}

# Many files through a server that fails every third time.
@test "http: hundreds of faults, every byte right" {
    faulty "$www" every=3 503 reset cut 500 resetmid norange
    for ((i = 0; i < 8; i++)); do
        a2b-fetch "$proxy"/small{0..9} "$proxy/large" >got
        cat "$www"/small{0..9} "$www/large" | cmp - got
    done
    [ "$(n_faults)" -gt 36 ]
}
