#!/usr/bin/env bats
# cache-s3 - the cache of a2b-fetch over a real S3 server on loopback.
# bats file_tags=slow

load helpers/common
load helpers/s3

# Objects of the tests.
N=30

# One server for all tests, with N objects d/1.bin and so on.
setup_file() {
    has_radosgw || skip "needs radosgw, ceph-mon, ceph-osd (make deps-slow)"
    cd "$BATS_FILE_TMPDIR" || return
    s3_start "$BATS_FILE_TMPDIR/rgw"
    mkdir objects
    for ((i = 1; i <= N; i++)); do
        head -c $((i * 5000)) /dev/urandom >objects/$i.bin
    done
    s3put s3://bucket </dev/null
    s3put -r objects s3://bucket/d
    for ((i = 1; i <= N; i++)); do
        cat objects/$i.bin
    done >whole
}

# Ends the server.
teardown_file() {
    if [ -d "$BATS_FILE_TMPDIR/rgw" ]; then
        s3_stop "$BATS_FILE_TMPDIR/rgw"
    fi
}

# The URIs of all objects, and a folder for each test.
setup() {
    has_radosgw || skip "needs radosgw, ceph-mon, ceph-osd (make deps-slow)"
    cd "$BATS_TEST_TMPDIR" || return
    s3_env "$BATS_FILE_TMPDIR/rgw"
    mkdir tmp
    export TMPDIR=$PWD/tmp
    mapfile -t uris < <(seq -f 's3://bucket/d/%.0f.bin' $N)
    whole=$BATS_FILE_TMPDIR/whole
}

# Ends the fault proxy if there is one.
teardown() {
    faulty_stop
}

# A number of the -v line of the cache: of WORD FILE.
of() {
    grep -ao "[0-9]* $1" "$2" | tail -1 | cut -d ' ' -f 1
}

# A manifest of all objects: the first is the song of every line.
manifest() {
    for ((i = 2; i <= N; i++)); do
        printf '{"dataset":"d","recording":"d/1/%d","song":"1",' "$i"
        printf '"audio":"%s","eda":"%s"}\n' "${uris[0]}" "${uris[i - 1]}"
    done
}

# Filled once, the cache serves every later run, also without a server.
@test "cache: fetched once, served again, also offline" {
    a2b-fetch -v --cache c --prefetch "${uris[@]}" >out 2>log
    [ ! -s out ] && [ "$(of kept log)" -eq $N ]
    a2b-fetch -v --cache c "${uris[@]}" 2>log | cmp - "$whole"
    [ "$(of found log)" -eq $N ] && [ "$(of fetched log)" -eq 0 ]
    AWS_SECRET_ACCESS_KEY=none a2b-fetch --cache c --cached "${uris[@]}" |
        cmp - "$whole"
    a2b-fetch --cache c --cached -o one.bin "${uris[4]}"
    cmp one.bin "$BATS_FILE_TMPDIR/objects/5.bin"
    a2b-fetch --cache c --cache-clear
    run -66 --separate-stderr a2b-fetch --cache c --cached "${uris[0]}"
}

# An object that changed on the server is never served from the cache.
@test "cache: a changed object is fetched again" {
    printf one | s3put s3://bucket/changing
    [ "$(a2b-fetch --cache c s3://bucket/changing)" = one ]
    printf two | s3put s3://bucket/changing
    [ "$(a2b-fetch --cache c --cached s3://bucket/changing)" = one ]
    [ "$(a2b-fetch --cache c s3://bucket/changing)" = two ]
    [ "$(a2b-fetch --cache c --cached s3://bucket/changing)" = two ]
}

# Damage on the disk is found before a byte of it is delivered.
@test "cache: damaged files are fetched again" {
    a2b-fetch --cache c --prefetch "${uris[@]}"
    find c/entries -type f | while read -r file; do
        printf X | dd of="$file" bs=1 seek=3000 conv=notrunc status=none
    done
    a2b-fetch -v --cache c "${uris[@]}" 2>log | cmp - "$whole"
    [ "$(of damaged log)" -ge $((N - 1)) ]
    a2b-fetch -v --cache c "${uris[@]}" 2>log | cmp - "$whole"
    [ "$(of found log)" -eq $N ]
    file=$(find c/entries -type f | head -1)
    truncate -s 2000 "$file"
    a2b-fetch -v --cache c --cache-gc 2>log
    grep -q 'removed: 1 damaged' log
}

# Bytes are right at any size of the cache, and the size is kept to.
@test "cache: a small cache evicts and never grows over its size" {
    for size in 0 4K 200K 1M; do
        a2b-fetch --cache c --cache-size $size "${uris[@]}" | cmp - "$whole"
        [ "$(du -s --block-size=1 c/entries | cut -f 1)" -le \
            $((1100000 + 257 * 4096)) ]
    done
    got=$(a2b-fetch --cache c --cache-stat | sed -n 's/^bytes\t//p')
    [ "$got" -le 1048576 ] && [ "$got" -gt 500000 ]
}

# Who comes second waits for who came first.
@test "cache: processes that share it fetch each object once" {
    for i in 1 2 3; do
        a2b-fetch -v --cache c "${uris[@]}" >out$i 2>log$i &
    done
    wait
    sum=0
    for i in 1 2 3; do
        cmp out$i "$whole"
        sum=$((sum + $(of fetched log$i)))
    done
    [ $sum -eq $N ]
}

# Without --cache a song that comes again is fetched once all the same, and
# nothing of it stays.
@test "cache: a private folder, gone at the end" {
    manifest | a2b-fetch -v --set data.prefetch_size=1 \
        --set data.batch_size=1 -j 1 2>log >out
    is_ok_stream out
    [ "$(of fetched log)" -eq $N ]
    [ -z "$(ls -A tmp)" ]
    # a failing run, and one whose reader goes
    run -66 bash -c "(cat; echo '{\"dataset\":\"d\",\"recording\":\"d/2/1\",\
\"song\":\"2\",\"audio\":\"s3://bucket/none\",\"eda\":\"s3://bucket/none\"}') \
        | a2b-fetch >out" < <(manifest)
    [ -z "$(ls -A tmp)" ]
    manifest | a2b-fetch 2>log | head -c 100 >out || true
    [ -z "$(ls -A tmp)" ]
}

# Starts a fetch whose manifest does not end; sets pid once it has a folder.
start_endless() {
    mkfifo lines
    a2b-fetch <lines >out 2>log 3>&- &
    pid=$!
    exec 9>lines
    manifest >&9
    for ((i = 0; i < 200; i++)); do
        [ -z "$(find tmp -name '*.part' -o -path '*/entries/*/*')" ] || break
        sleep 0.02
    done
    [ -n "$(ls -A tmp)" ]
}

# Signals clean up; the exit status is the signal's.
@test "cache: the private folder is gone after SIGTERM and SIGINT" {
    for signal in TERM INT; do
        start_endless
        kill -$signal "$pid"
        got=0
        wait "$pid" || got=$?
        exec 9>&-
        rm lines
        [ $got -eq $((128 + $(kill -l $signal))) ]
        [ -z "$(ls -A tmp)" ]
    done
}

# Nobody can clean up after SIGKILL but the next run.
@test "cache: the next run sweeps what SIGKILL left" {
    start_endless
    kill -KILL "$pid"
    wait "$pid" || true
    exec 9>&-
    [ -n "$(ls -A tmp)" ]
    manifest | a2b-fetch >out
    is_ok_stream out
    [ -z "$(ls -A tmp)" ]
}

# Killed again and again, the cache never serves a wrong byte.
@test "cache: kill -9 in a loop leaves a cache that the next run uses" {
    for ((i = 0; i < 60; i++)); do
        a2b-fetch --cache c --cache-size 300K "${uris[@]}" >out.$i 2>log &
        pid=$!
        sleep "0.0$((i * 7 % 90 + 10))"
        kill -KILL $pid 2>/dev/null || true
        wait $pid || true
        # what came before the kill is the beginning of the right bytes
        cmp -n "$(stat -c %s out.$i)" out.$i "$whole"
        rm out.$i
        if [ $((i % 10)) -eq 9 ]; then
            a2b-fetch --cache c --cache-size 300K "${uris[@]}" |
                cmp - "$whole"
        fi
    done
    a2b-fetch -v --cache c --cache-gc 2>log
    grep -q 'removed: 0 damaged' log
    a2b-fetch --cache c --cache-stat | grep -qx 'parts'$'\t'0
}

# Odd keys are kept and found under their own names: each is its own content.
@test "cache: odd keys" {
    for key in 'a b' 'a+b' 'a%20b' 'a#b' 'a?b=c&d' "it's" '"q"' 'ü/♫😀' \
        'a//b' '../up' 'a/../b' './a' 'a/' 'end ' $'tab\there' \
        $'\001\002\037' $'new\nline' 'back\slash' '%' '%2F' ' '; do
        printf 's3://bucket/odd/%s\0' "$key"
    done >keys
    s3put -l keys
    mapfile -d '' -t odd <keys
    a2b-fetch --cache c --prefetch "${odd[@]}"
    for uri in "${odd[@]}"; do
        printf %s "$uri" | cmp - <(a2b-fetch --cache c --cached "$uri")
    done
    a2b-fetch --cache c --cache-stat | grep -qx 'objects'$'\t'"${#odd[@]}"
}

# Faults on the way in leave nothing wrong in the cache.
@test "cache: filled through faults" {
    faulty "$S3_PORT" every=3 reset cut corrupt 503 norange
    export AWS_ENDPOINT_URL=$proxy
    for size in 10G 300K; do
        a2b-fetch --cache c --cache-size $size "${uris[@]}" | cmp - "$whole"
    done
    [ "$(n_faults)" -gt 10 ]
    a2b-fetch -v --cache c --cache-gc 2>log
    grep -q 'removed: 0 damaged' log
}
