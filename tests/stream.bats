#!/usr/bin/env bats
# stream - the format: what is written, what is refused, and by what words.

load helpers/common

# A small sound stream and its size.
setup() {
    tiny=$BATS_TEST_TMPDIR/tiny.a2b
    "$A2B_BUILD/helpers/ministream" tiny >"$tiny"
    size=$(stat -c %s "$tiny")
}

# Every prefix is refused, frame boundaries and the empty one included.
@test "a stream cut at any byte is refused with 65, frame and byte named" {
    [ "$size" -lt 1024 ]
    for ((n = 0; n < size; n++)); do
        got=0
        head -c "$n" "$tiny" | a2b-info >/dev/null 2>"$BATS_TEST_TMPDIR/e" ||
            got=$?
        [ "$got" -eq 65 ] || { echo "byte $n: exit $got"; false; }
        grep -qE 'byte|empty|bytes' "$BATS_TEST_TMPDIR/e"
    done
}

# The digests leave no bit alone: every eighth bit here, all in test_stream.
@test "a stream with a flipped bit is refused with 65" {
    for ((n = 3; n < size; n += 5)); do
        byte=$(od -An -tu1 -j "$n" -N 1 "$tiny")
        cp "$tiny" "$BATS_TEST_TMPDIR/flip"
        printf "\\x$(printf %02x $((byte ^ (1 << (n % 8)))))" |
            dd of="$BATS_TEST_TMPDIR/flip" bs=1 seek="$n" conv=notrunc \
                status=none
        got=0
        a2b-info "$BATS_TEST_TMPDIR/flip" >/dev/null 2>&1 || got=$?
        [ "$got" -eq 65 ] || { echo "byte $n: exit $got"; false; }
    done
}

# Concatenation is the point of end frames.
@test "cat of streams is a stream; equal frames may repeat" {
    cat "$tiny" "$tiny" >"$BATS_TEST_TMPDIR/two"
    run -0 a2b-info "$BATS_TEST_TMPDIR/two"
    [[ $output == *"ok: 4 frames"* ]]
}

# Bytes behind the last end frame are no stream.
@test "bytes behind the end are refused" {
    { cat "$tiny"; echo; } >"$BATS_TEST_TMPDIR/more"
    run -65 a2b-info "$BATS_TEST_TMPDIR/more"
}

# One key, two contents: nobody can know which is meant.
@test "a key with two contents is refused, also over two files" {
    "$A2B_BUILD/helpers/ministream" clash >"$BATS_TEST_TMPDIR/clash"
    run -65 --separate-stderr a2b-info "$BATS_TEST_TMPDIR/clash"
    stderr_has "frame 1 (key d/s)"
    stderr_has "a second mfcc frame"
    "$A2B_BUILD/helpers/ministream" twice >"$BATS_TEST_TMPDIR/twice"
    run -0 a2b-info "$BATS_TEST_TMPDIR/twice"
}

# "Try again" and "not allowed" survive a pipe, word for word.
@test "an error end frame passes on its exit status and message" {
    "$A2B_BUILD/helpers/ministream" failed >"$BATS_TEST_TMPDIR/failed"
    run -77 --separate-stderr a2b-info "$BATS_TEST_TMPDIR/failed"
    stderr_has "a2b-fetch: s3://b/k: 403"
}

# A producer that is killed cannot say so; the missing end frame does.
@test "a killed producer is a cut stream" {
    run -65 --separate-stderr bash -c \
        '{ head -c 300 "$1"; kill -9 $BASHPID; } | a2b-info' - "$tiny"
    stderr_has "cut off"
}

# Files people feed by mistake get a word of their own.
@test "other files are recognised" {
    printf 'RIFF....WAVEfmt ' >"$BATS_TEST_TMPDIR/wav"
    run -65 --separate-stderr a2b-info "$BATS_TEST_TMPDIR/wav"
    stderr_has "a WAV file"
    printf 'time(s),1\n0,1\n' >"$BATS_TEST_TMPDIR/csv"
    run -65 --separate-stderr a2b-info "$BATS_TEST_TMPDIR/csv"
    stderr_has "this is text"
    gzip -c "$tiny" >"$BATS_TEST_TMPDIR/gz"
    run -65 --separate-stderr a2b-info "$BATS_TEST_TMPDIR/gz"
    stderr_has "gzip data"
}

# The limit guards memory, and says how to raise it.
@test "a frame over A2B_MAX_FRAME is refused" {
    A2B_MAX_FRAME=16 run -65 --separate-stderr a2b-info "$tiny"
    stderr_has "A2B_MAX_FRAME"
}

# A reader sees the same bytes however they arrive.
@test "slow writers, FIFOs and files read the same" {
    a2b-info "$tiny" >"$BATS_TEST_TMPDIR/file"
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    cat "$tiny" >"$BATS_TEST_TMPDIR/fifo" &
    a2b-info "$BATS_TEST_TMPDIR/fifo" >"$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/out"
    dd if="$tiny" bs=1 status=none | a2b-info >"$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/out"
}

# The second implementation agrees byte for byte (where python3 is there).
@test "an independent writer and reader agree" {
    command -v python3 >/dev/null || skip "python3 is not installed"
    py=$A2B_ROOT/tests/helpers/a2b_stream.py
    python3 "$py" write >"$BATS_TEST_TMPDIR/py.a2b"
    cmp "$tiny" "$BATS_TEST_TMPDIR/py.a2b"
    run -0 python3 "$py" check <"$tiny"
    [ "${lines[0]}" = "d/s mfcc:F32[4, 2]" ]
    [ "${lines[1]}" = "d/s/1 valid:U8[5] eda:F32[5, 1]" ]
}

# The reader printed in a2b-stream(5) runs as it stands there.
@test "the man page's Python reader reads a stream" {
    command -v python3 >/dev/null || skip "python3 is not installed"
    sed -n '/^import json/,/^\.Ed/p' "$A2B_ROOT/man/a2b-stream.5" |
        sed '/^\.Ed/d; s/\\e/\\/g; s/^\\&//' >"$BATS_TEST_TMPDIR/reader.py"
    [ -s "$BATS_TEST_TMPDIR/reader.py" ]
    run -0 python3 "$BATS_TEST_TMPDIR/reader.py" <"$tiny"
    [ "${lines[0]}" = "d/s mfcc [4, 2]" ]
    [ "${lines[2]}" = "d/s/1 eda [5, 1]" ]
    head -c 500 "$tiny" >"$BATS_TEST_TMPDIR/cut"
    run ! python3 "$BATS_TEST_TMPDIR/reader.py" <"$BATS_TEST_TMPDIR/cut"
}
