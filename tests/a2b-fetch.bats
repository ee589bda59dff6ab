#!/usr/bin/env bats
# a2b-fetch - what a manifest names becomes frames, in order, whole or failed.

load helpers/common
load helpers/contract

# A small PMEmo2019 of three songs with two subjects each, and its manifest.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir -p P/chorus P/EDA
    echo 'musicId,fileName' >P/metadata.csv
    for i in 1 2 3; do
        echo "$i,$i.mp3" >>P/metadata.csv
        printf 'sound\0%d' "$i" >P/chorus/$i.mp3
        printf 'time(s),100001,100002\n0.00,1,%d\n' "$i" >P/EDA/${i}_EDA.csv
    done
    a2b-index P >list
}

# Bytes of the one U8 tensor of a frame: bytes KEY STREAM, the frame's tail.
bytes() {
    local n
    n=$(a2b-info --json "$2" | jq -r --arg k "$1" \
        'select(.metadata.key == $k) | .tensors[].shape[0]')
    a2b-info --get "$1" "$2" | tail -c "$n"
}

# Help, version and usage errors as everywhere.
@test "fetch: help and usage errors" {
    contract_help a2b-fetch
    run -2 --separate-stderr bash -c 'a2b-fetch --only video <list >out'
    stderr_has "want one of both, audio, eda"
    run -2 --separate-stderr bash -c 'a2b-fetch -j 0 <list >out'
}

# A song's audio once, before its first recording; then every recording.
@test "fetch: frames come in the order of the lines" {
    a2b-fetch <list >out
    [ "$(a2b-info --json out | jq -r 'select(.frame != null) |
        .kind + " " + .metadata.key' | tr '\n' ';')" = \
        'audio pmemo2019/1;eda_csv pmemo2019/1/100001;eda_csv pmemo2019/1/100002;audio pmemo2019/2;eda_csv pmemo2019/2/100001;eda_csv pmemo2019/2/100002;audio pmemo2019/3;eda_csv pmemo2019/3/100001;eda_csv pmemo2019/3/100002;' ]
    tac list | a2b-fetch >tac
    [ "$(a2b-info --json tac | jq -r 'select(.kind == "audio") |
        .metadata.key' | tr '\n' ';')" = \
        'pmemo2019/3;pmemo2019/2;pmemo2019/1;' ]
}

# Bytes and metadata are those of the contract's table.
@test "fetch: frames hold the files' bytes and what the line says" {
    a2b-fetch <list >out
    bytes pmemo2019/2 out | cmp - P/chorus/2.mp3
    bytes pmemo2019/3/100002 out | cmp - P/EDA/3_EDA.csv
    md5=$(md5sum <P/chorus/1.mp3 | cut -d ' ' -f 1)
    [ "$(a2b-info --json out | jq -c 'select(.frame == 0) | .metadata')" = \
        "{\"key\":\"pmemo2019/1\",\"dataset\":\"pmemo2019\",\"song\":\"1\",\"uri\":\"P/chorus/1.mp3\",\"etag\":\"$md5\"}" ]
    [ "$(a2b-info --json out | jq -c 'select(.frame == 1) | .metadata')" = \
        '{"key":"pmemo2019/1/100001","dataset":"pmemo2019","recording":"pmemo2019/1/100001","subject":"100001","song":"1","split":"train","uri":"P/EDA/1_EDA.csv","eda_column":"100001","eda_rate_hz":"50"}' ]
}

# A line by hand may know less; what it does not know is not invented.
@test "fetch: unknown values are left out" {
    echo '{"song":"s","dataset":"mine","recording":"r","eda":"P/EDA/1_EDA.csv","audio":"P/chorus/1.mp3","more":1}' |
        a2b-fetch >out
    [ "$(a2b-info --json out | jq -c 'select(.frame == 1) | .metadata')" = \
        '{"key":"r","dataset":"mine","recording":"r","song":"s","uri":"P/EDA/1_EDA.csv"}' ]
}

# Threads and look-ahead change nothing.
@test "fetch: same bytes for any -j and any look-ahead" {
    a2b-fetch <list >one
    for j in 1 3 16; do
        a2b-fetch -j $j <list | cmp - one
    done
    a2b-fetch --set data.prefetch_size=1 --set data.batch_size=1 -j 1 <list |
        cmp - one
    a2b-fetch - <list | cmp - one
    a2b-fetch -o two <list
    cmp one two
}

# The two branches of a pipeline.
@test "fetch: --only makes one kind of frame" {
    a2b-fetch --only audio <list >audio
    a2b-fetch --only eda <list >eda
    [ "$(a2b-info --json audio | jq -r '.kind // empty' | sort | uniq -c |
        tr -s ' ')" = ' 3 audio' ]
    [ "$(a2b-info --json eda | jq -r '.kind // empty' | sort | uniq -c |
        tr -s ' ')" = ' 6 eda_csv' ]
    jq -c 'del(.eda)' list | a2b-fetch --only audio >bare
    cmp audio bare
    run -65 --separate-stderr bash -c "jq -c 'del(.eda)' list |
        a2b-fetch >out"
    stderr_has 'recording pmemo2019/1/100001: key "eda" is missing'
}

# A missing object names itself and its recording; -k counts it.
@test "fetch: a missing object is 66, or left out with -k" {
    rm P/EDA/2_EDA.csv
    run -66 --separate-stderr bash -c 'a2b-fetch <list >out'
    stderr_has "recording pmemo2019/2/100001: P/EDA/2_EDA.csv: "
    run ! is_ok_stream out
    run -66 --separate-stderr bash -c 'a2b-fetch -k 1 <list >out'
    run -0 --separate-stderr bash -c 'a2b-fetch -k 2 <list >out'
    stderr_has "left out: recording pmemo2019/2/100002"
    stderr_has "2 items left out"
    # a recording comes whole or not at all: no audio for nobody
    [ "$(a2b-info --json out | jq -r '.metadata.song // empty' | sort -u |
        tr '\n' ' ')" = '1 3 ' ]
    [ "$(a2b-info --json out | jq -r '.failed // empty')" = 2 ]
}

# Failures of the program before end the stream with its status and words.
@test "fetch: an error line's status and message are passed on" {
    for status in 1 2 65 66 74 75 77; do
        { head -n 2 list
            echo "{\"a2b.status\":\"error\",\"a2b.exit\":$status,\"a2b.message\":\"a2b-index: so\"}"
        } >bad
        run -$status --separate-stderr bash -c 'a2b-fetch <bad >out'
        [ "$stderr" = 'a2b-fetch: a2b-index: so' ]
        grep -qa '"a2b.status":"error"' out
        grep -qa '"a2b.message":"a2b-index: so"' out
        grep -qa "\"a2b.exit\":\"$status\"" out
    done
    run -66 --separate-stderr bash -o pipefail -c \
        'a2b-index none | a2b-fetch >out'
}

# Cut at every byte but behind a line: 65, and the output looks like it.
@test "fetch: a manifest cut anywhere is 65" {
    whole=$(head -n 1 list | wc -c)
    for n in $(seq 0 $((whole - 1))) $((whole + 1)) $((2 * whole - 1)); do
        got=0
        head -c "$n" list | a2b-fetch >out 2>err || got=$?
        [ "$got" -eq 65 ] || { echo "cut at $n: exit $got"; cat err; false; }
        if grep -qa '"a2b.status":"ok"' out; then
            echo "cut at $n: the output looks complete"
            false
        fi
    done
    echo '{"dataset":"x"}' >bad
    run -65 --separate-stderr bash -c 'cat list bad | a2b-fetch >out'
    stderr_has "standard input: line 7: "
    run -65 --separate-stderr bash -c 'a2b-fetch <P/chorus/1.mp3 >out'
}

# A song has one clip.
@test "fetch: other audio for a known song is 65" {
    sed '2s/chorus.1/chorus\/2/' list >bad
    run -65 --separate-stderr bash -c 'a2b-fetch <bad >out'
    stderr_has "song pmemo2019/1: its audio is P/chorus/2.mp3 here"
    cat list list | a2b-fetch >out
    [ "$(a2b-info --json out | jq -c 'select(.kind == "audio")' | wc -l)" \
        -eq 3 ]
}

# Operands are copied as they are.
@test "fetch: operands come as bytes" {
    a2b-fetch P/chorus/1.mp3 | cmp - P/chorus/1.mp3
    a2b-fetch P/chorus/2.mp3 "file://$PWD/P/EDA/1_EDA.csv" P/chorus/2.mp3 |
        cmp - <(cat P/chorus/2.mp3 P/EDA/1_EDA.csv P/chorus/2.mp3)
    a2b-fetch -o copy P/chorus/1.mp3
    cmp copy P/chorus/1.mp3
    mv P 'a b'
    a2b-fetch -j 2 -o got 'a b/chorus/1.mp3' "file://$PWD/a%20b/metadata.csv"
    cmp got/1.mp3 'a b/chorus/1.mp3'
    cmp got/metadata.csv 'a b/metadata.csv'
    [ "$(find got -type f | wc -l)" -eq 2 ]
}

# Operands that cannot be copied.
@test "fetch: operands that fail" {
    run -66 --separate-stderr bash -c 'a2b-fetch none | cat; exit ${PIPESTATUS[0]}'
    stderr_has "none: "
    [ -z "$output" ]
    run -66 --separate-stderr a2b-fetch -o copy none
    [ ! -e copy ]
    run -0 --separate-stderr a2b-fetch -k 1 -o got none list2 P/metadata.csv \
        -k 2
    [ "$(ls got)" = metadata.csv ]
    run -2 --separate-stderr a2b-fetch -o two P/chorus/1.mp3 ./P/chorus/1.mp3
    stderr_has "both named 1.mp3"
    [ ! -e two ]
    for uri in s3:// s3:///key s3://bucket s3://bucket/; do
        run -2 --separate-stderr a2b-fetch "$uri"
        stderr_has "a2b-fetch: $uri: no "
    done
    run -2 --separate-stderr a2b-fetch gopher://h/x
    stderr_has "gopher://h/x: want a file, file://, s3:// or http(s)://"
    run -74 --separate-stderr bash -c 'a2b-fetch P/metadata.csv >/dev/full'
    run -74 --separate-stderr bash -c 'a2b-fetch <list >/dev/full'
}

# The commonest slip is told what to do.
@test "fetch: a manifest as operand is 2 and says how" {
    cp list list.jsonl
    for name in list list.jsonl; do
        run -2 --separate-stderr bash -c \
            "a2b-fetch $name | cat; exit \${PIPESTATUS[0]}"
        stderr_has "a2b-fetch < $name"
    done
}

# Files lie where they are read: nothing is copied into a cache.
@test "fetch: --cache leaves local files in place" {
    a2b-fetch --cache cache <list >out
    a2b-fetch <list | cmp - out
    [ -z "$(ls -A cache/entries)" ]
}

# The page's example; -v tells that a shared file was read once.
@test "fetch: index, fetch and info in one pipe" {
    run -0 --separate-stderr pipe 'a2b-index P | a2b-fetch -v -o all.a2b'
    [[ $stderr == "a2b-fetch: 6 objects read, "*" bytes" ]]
    pipe 'a2b-index P | a2b-fetch | a2b-info' | tail -n 1 |
        grep -q '^ok: 9 frames, .* 0 left out$'
    a2b-info all.a2b
}

# Whoever stops reading ends the program quietly.
@test "fetch: a closed pipe is 141 without a word" {
    head -c 3000000 /dev/zero >P/chorus/1.mp3
    run -141 --separate-stderr bash -c \
        'a2b-fetch <list | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}'
    [ -z "$stderr" ]
    run -141 --separate-stderr bash -c \
        'a2b-fetch P/chorus/1.mp3 | head -c 1 >/dev/null
        exit ${PIPESTATUS[0]}'
    [ -z "$stderr" ]
}

# Large files are linked or copied whole, small ones as before.
@test "fetch: -o of one operand and of large ones" {
    seq 400000 >large
    a2b-fetch -o one large
    cmp one large
    a2b-fetch -o both large P/chorus/1.mp3
    cmp both/large large
    cmp both/1.mp3 P/chorus/1.mp3
    a2b-fetch large P/chorus/1.mp3 large | cmp - <(cat large P/chorus/1.mp3 large)
    [ "$(find . -name '*.tmp.*' | wc -l)" -eq 0 ]
    run -66 --separate-stderr a2b-fetch -o nowhere/one large
    run -74 --separate-stderr bash -c 'a2b-fetch large >/dev/full'
}

# On a terminal a line with rate, failures and what is left; nothing elsewhere.
@test "progress says how fast, what failed and how long" {
    local i
    for i in {1..40}; do
        echo "{\"song\":\"$i\",\"dataset\":\"d\",\"recording\":\"r$i\",\"eda\":\"e$i\",\"audio\":\"a$i\"}"
        head -c 200000 /dev/zero | tr '\0' "\\$((i % 7 + 1))" >a$i
        echo 1 >e$i
    done >list
    rm a7
    (
        # slow enough for the line to be drawn again
        while read -r line; do
            echo "$line"
            sleep 0.02
        done <list
    ) | a2b-fetch --progress always -k 1 2>said >out
    tr '\r' '\n' <said >lines
    grep -qE '[0-9]+ recordings, [0-9]+ objects, [0-9.]+ MB, [0-9.]+ MB/s' lines
    grep -q '1 failed, 0 tried again' lines
    a2b-fetch --progress always -k 1 <list 2>said >out
    a2b-fetch -k 1 <list 2>said >out
    run ! grep -q 'MB/s' said
}
