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

# Fetched once more only when it changed: one request says so, by its ETag or,
# from a server without ETags, by the date of its last change.
@test "cache: objects of HTTP servers are asked for by their version" {
    mkdir www
    seq 1000 >www/0
    seq 500000 >www/large
    touch -d '1 hour ago' www/*
    for sort in '' dated; do
        rm -rf c faults
        # shellcheck disable=SC2086 # no word where there is none
        faulty "$PWD/www" $sort
        for _ in 1 2; do
            a2b-fetch -v --cache c "$proxy/0" "$proxy/large" 2>log |
                cmp - <(cat www/0 www/large)
        done
        grep -q 'cache: 2 found, 0 fetched' log
        [ "$(wc -l <faults)" = 4 ] && ! grep -q HEAD faults
        seq 2000 >www/0
        touch -d "${#sort} minutes ago 10 minutes ago" www/0
        a2b-fetch -v --cache c "$proxy/0" "$proxy/large" 2>log |
            cmp - <(cat www/0 www/large)
        grep -q 'cache: 1 found, 1 fetched' log
        [ "$(wc -l <faults)" = 6 ]
    done
    # one that changed this very second may change again unseen: no version
    touch www/0
    a2b-fetch --cache c "$proxy/0" | cmp - www/0
    sleep 1.1
    a2b-fetch -v --cache c "$proxy/0" 2>log | cmp - www/0
    grep -q '0 found, 1 fetched' log
    a2b-fetch --stat "$proxy/large" | jq -e '.modified and (.etag | not)'
}

# What would be fetched, from where, how large: nothing is.
@test "cache: --dry-run looks only" {
    mkdir www
    for i in 0 1 2; do seq $((100 * i)) >www/$i; done
    faulty "$PWD/www"
    a2b-fetch --cache c --prefetch "$proxy/1"
    a2b-fetch -v --cache c --dry-run "$proxy"/{0,1,2} song "$proxy/2" \
        >out 2>log
    [ "$(jq -r '[.uri[-4:], .size, .from] | @tsv' out | tr '\t\n' ' ;' |
        sed 's/[0-9]*\///g')" = "0 0 server;1 292 cache;2 692 server;song 5 file;" ]
    grep -q '4 objects, 2 of them here, 692 bytes to fetch' log
    [ "$(grep -c ' GET ' faults)" = 1 ]
    stat_is c objects 1
    seq 7 >www/1
    a2b-fetch --cache c --dry-run "$proxy/1" | jq -e '.from == "server"'
    a2b-fetch --cache c --cached --dry-run "$proxy/1" |
        jq -e '.from == "cache" and .size == 292'
    run -66 --separate-stderr a2b-fetch --cache c --cached --dry-run \
        "$proxy/0"
    for i in 1 2; do
        printf '{"dataset":"d","recording":"d/0/%d","song":"0",' "$i"
        printf '"audio":"%s/0","eda":"%s/%d"}\n' "$proxy" "$proxy" "$i"
    done >list
    a2b-fetch --dry-run <list | jq -r .uri | cmp - <(printf '%s\n' "$proxy"/{0..2})
    a2b-fetch --dry-run --only eda <list | jq -r .uri |
        cmp - <(printf '%s\n' "$proxy"/{1,2})
    sed -i 's/"recording":"d\/0\/2"\(.*\)2"/"recording":"d\/0\/2"\1none"/' list
    run -66 --separate-stderr bash -c 'a2b-fetch --dry-run <list'
    stderr_has "recording d/0/2: $proxy/none: the server says 404"
    run -66 --separate-stderr bash -c 'a2b-fetch --cache c --prefetch <list'
    stderr_has "recording d/0/2: $proxy/none: the server says 404"
    run -0 --separate-stderr bash -c 'a2b-fetch -k 1 --dry-run <list'
    run -2 --separate-stderr a2b-fetch --dry-run --stat song
    stderr_has "want one of them"
    run -2 --separate-stderr a2b-fetch --dry-run list
    stderr_has "a2b-fetch < list"
}

# Every way out but SIGKILL leaves nothing behind, in the middle of a song and
# of a download that is a file already.
@test "cache: nothing is left after any signal" {
    mkdir www out
    seq 800000 >www/large
    faulty "$PWD/www" stall
    printf '{"dataset":"d","recording":"d/0/1","song":"0","audio":"%s",' \
        "$proxy/large" >list
    printf '"eda":"%s"}\n' "$proxy/large" >>list
    # the shell has its background programs ignore SIGINT
    fetch() { exec env --default-signal=INT a2b-fetch "$@"; }
    for signal in HUP INT TERM; do
        for way in manifest operands folder; do
            case $way in
            manifest) fetch <list >stream 2>log 3>&- & ;;
            operands) fetch -o out/one "$proxy/large" 2>log 3>&- & ;;
            folder)
                fetch -o out/f "$proxy/large" "$proxy/large?" 2>log 3>&- &
                ;;
            esac
            pid=$!
            n=$(wc -l <faults)
            for ((i = 0; i < 200; i++)); do
                [ "$(wc -l <faults)" -gt "$n" ] && break
                sleep 0.02
            done
            sleep 0.1
            kill -$signal $pid
            got=0
            wait $pid || got=$?
            [ $got -eq $((128 + $(kill -l $signal))) ]
            [ -z "$(ls -A tmp)" ] && [ -z "$(find out -type f)" ]
        done
    done
}

# A large object is never held in memory: 64 MB in a fraction of them.
@test "cache: large objects in little memory" {
    mkdir www
    seq 9000000 | head -c 64000000 >www/large
    faulty "$PWD/www"
    for command in "-o got" "--cache c -o got" "--cache c --cached -o got"; do
        # shellcheck disable=SC2086 # several words
        "$A2B_BUILD/helpers/used" use a2b-fetch $command "$proxy/large"
        cmp got www/large
        [ "$(cut -d ' ' -f 2 use)" -lt 40000 ]
    done
    a2b-fetch "$proxy/large" | cmp - www/large
    "$A2B_BUILD/helpers/used" use a2b-fetch --cache c --cache-gc
    [ "$(cut -d ' ' -f 2 use)" -lt 40000 ]
    stat_is c objects 1
    "$A2B_BUILD/helpers/used" use a2b-fetch -o got www/large
    [ "$(cut -d ' ' -f 2 use)" -lt 40000 ] && cmp got www/large
    # the cache has no room: it comes all the same, and nothing is left
    a2b-fetch --cache d --cache-size 1M "$proxy/large" | cmp - www/large
    stat_is d objects 0
    [ -z "$(ls -A tmp)" ]
}

# The window of what is read ahead is bounded, however long the manifest is.
@test "cache: a long manifest in little memory" {
    mkdir www
    seq 30 >www/eda
    head -c 900000 /dev/urandom >www/song
    for ((i = 0; i < 400; i++)); do
        printf '{"dataset":"d","recording":"d/%d/1","song":"%d",' $i $i
        printf '"audio":"www/song%d","eda":"www/eda"}\n' $i
        ln www/song www/song$i
    done >list
    # readers are slow: all that could be read ahead is
    "$A2B_BUILD/helpers/used" use a2b-fetch --set data.prefetch_size=100 \
        <list | { sleep 1; cat; } >out
    is_ok_stream out
    is_sanitized || [ "$(cut -d ' ' -f 2 use)" -lt 220000 ]
}
