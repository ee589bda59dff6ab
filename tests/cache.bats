#!/usr/bin/env bats
# cache - options of a2b-fetch about its cache, with no server but a small one
# for HTTP that fails.

load helpers/common
load helpers/s3

# Works in a folder of its own.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    printf 'sound' >song
    mkdir tmp
    export TMPDIR=$PWD/tmp
    s3_only_env
}

# Ends the server if there is one.
teardown() {
    faulty_stop
}

# Succeeds if a --cache-stat line says this: stat_is FOLDER NAME VALUE.
stat_is() {
    a2b-fetch --cache "$1" --cache-stat | grep -qx "$2"$'\t'"$3"
}

# Options that make no sense say so.
@test "cache: usage errors" {
    for option in --cached --prefetch --cache-stat --cache-clear --cache-gc; do
        run -2 --separate-stderr a2b-fetch $option </dev/null
        stderr_has "want --cache FOLDER too"
    done
    run -2 --separate-stderr a2b-fetch --cache c --cached --prefetch s3://b/k
    stderr_has "want one of them"
    run -2 --separate-stderr a2b-fetch --cache c --cache-size lots s3://b/k
    stderr_has "want a size"
    run -2 --separate-stderr a2b-fetch --cache c --cache-stat s3://b/k
    stderr_has "want no operands"
    run -2 --separate-stderr a2b-fetch --cache c --prefetch -o out s3://b/k
    stderr_has "want no -o"
    run -2 --separate-stderr a2b-fetch --cache c --cache-gc --cache-clear
    stderr_has "want one of"
    [ ! -e c ]
}

# Only a cache is cleared, never somebody's folder.
@test "cache: what is no cache is left alone" {
    mkdir mine
    echo work >mine/thesis
    for option in --cache-stat --cache-clear --cache-gc; do
        run -66 --separate-stderr a2b-fetch --cache mine $option
        stderr_has "mine: is no cache"
        run -66 --separate-stderr a2b-fetch --cache nowhere $option
    done
    run -2 --separate-stderr a2b-fetch --cache mine song
    stderr_has 'mine: has "thesis" in it and is no cache'
    [ "$(ls -A mine)" = thesis ] && [ ! -e nowhere ]
}

# A new cache is marked, so that backup programs leave it out.
@test "cache: made when named, with CACHEDIR.TAG and its version" {
    [ "$(a2b-fetch --cache c song)" = sound ]
    head -1 c/CACHEDIR.TAG |
        grep -qx 'Signature: 8a477f597d28d172789f06886806bc55'
    [ "$(cat c/version)" = "a2b-cache 1" ]
    stat_is c objects 0
    stat_is c limit $((10 << 30))
    a2b-fetch --cache c --cache-stat --cache-size 5K |
        grep -qx "limit"$'\t'5120
    a2b-fetch --cache c --cache-stat --set cache.size=1M |
        grep -qx "limit"$'\t'1048576
    echo "a2b-cache 9" >c/version
    run -2 --separate-stderr a2b-fetch --cache c song
    stderr_has 'c: cache of version "a2b-cache 9"'
}

# Nothing is asked of a server: the exit status alone says it.
@test "cache: --cached says when an object is not there" {
    run -66 --separate-stderr a2b-fetch --cache c --cached s3://bucket/key
    stderr_has "s3://bucket/key: not in the cache"
    run -66 --separate-stderr a2b-fetch --cache c --cached http://x.invalid/k
    stderr_has "http://x.invalid/k: not in the cache"
    [ "$(a2b-fetch --cache c --cached song)" = sound ]
}

# --prefetch looks at files too, but neither writes nor keeps them.
@test "cache: --prefetch of files writes and keeps nothing" {
    a2b-fetch --cache c --prefetch song >out
    [ ! -s out ]
    stat_is c objects 0
    run -66 --separate-stderr a2b-fetch --cache c --prefetch none
    stderr_has "none: "
    a2b-fetch -k 1 --cache c --prefetch none song
}

# What was prefetched is there when the server is not, whatever went wrong.
@test "cache: prefetched through faults, served without the server" {
    mkdir www
    for i in {0..9}; do seq "$i" "${i}9999" >www/"$i"; done
    faulty "$PWD/www" every=3 reset cut 503
    a2b-fetch --cache c --prefetch "$proxy"/{0..9} >out
    [ ! -s out ] && [ "$(n_faults)" -gt 0 ]
    stat_is c objects 10
    faulty_stop
    a2b-fetch --cache c --cached "$proxy"/{0..9} | cmp - <(cat www/*)
    a2b-fetch --cache c --cache-clear
    stat_is c objects 0
    run -66 a2b-fetch --cache c --cached "$proxy/3"
    [ -z "$(ls -A tmp)" ]
}

# A manifest without --cache: a song that comes again, far from its first
# lines, is fetched once, and nothing stays, whether it ends well or not.
@test "cache: a private folder, gone at the end" {
    mkdir www
    for i in {0..9}; do seq "$i" "${i}99" >www/"$i"; done
    faulty "$PWD/www"
    for i in {1..9}; do
        printf '{"dataset":"d","recording":"d/0/%d","song":"0",' "$i"
        printf '"audio":"%s/0","eda":"%s/%d"}\n' "$proxy" "$proxy" "$i"
    done >list
    a2b-fetch -v -j 1 --set data.prefetch_size=1 --set data.batch_size=1 \
        <list >out 2>log
    is_ok_stream out
    grep -q '10 fetched, 10 kept' log
    [ -z "$(ls -A tmp)" ]
    sed "s/d\/0\/9/d\/0\/x/; s/\/9\"/\/none\"/" list >bad
    run -66 bash -c 'a2b-fetch <bad >out'
    [ -z "$(ls -A tmp)" ]
}

# A cache that cannot be written is warned of and done without.
@test "cache: objects come though they cannot be kept" {
    mkdir www
    seq 1000 >www/0
    faulty "$PWD/www"
    a2b-fetch --cache c song >out
    rmdir c/tmp
    a2b-fetch --cache c "$proxy/0" 2>log | cmp - www/0
    grep -q 'objects were not kept: c/tmp' log
}
