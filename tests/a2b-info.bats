#!/usr/bin/env bats
# a2b-info - lists, verifies, and takes one frame or tensor out.

load helpers/common
load helpers/contract

# A small sound stream.
setup() {
    tiny=$BATS_TEST_TMPDIR/tiny.a2b
    "$A2B_BUILD/helpers/ministream" tiny >"$tiny"
}

# The manners every program has.
@test "contract" {
    contract a2b-info "$tiny"
}

# One line a frame and a last one that says what was verified.
@test "lists a frame a line" {
    run -0 a2b-info "$tiny"
    [ "${lines[0]}" = $'0\t0\t256\tmfcc\td/s\tmfcc F32[4,2]' ]
    [ "${lines[1]}" = $'1\t256\t320\teda\td/s/1\tvalid U8[5] eda F32[5,1]' ]
    [ "${lines[2]}" = "ok: 2 frames, 576 bytes, 0 left out" ]
}

# Programs read JSON.
@test "--json is one object a line" {
    a2b-info --json "$tiny" >"$BATS_TEST_TMPDIR/j"
    [ "$(jq -s length "$BATS_TEST_TMPDIR/j")" -eq 3 ]
    [ "$(jq -r 'select(.frame == 1) | .metadata.recording' \
        "$BATS_TEST_TMPDIR/j")" = "d/s/1" ]
    [ "$(jq -c 'select(.frame == 0) | .tensors.mfcc.shape' \
        "$BATS_TEST_TMPDIR/j")" = "[4,2]" ]
}

# A frame on its own is a safetensors document that reads again.
@test "--get writes one frame, --kind narrows" {
    a2b-info --get d/s "$tiny" >"$BATS_TEST_TMPDIR/one.safetensors"
    run -0 a2b-info "$BATS_TEST_TMPDIR/one.safetensors"
    [[ ${lines[0]} == *"mfcc F32[4,2]"* ]]
    run -66 --separate-stderr a2b-info --get d/s --kind eda "$tiny"
    stderr_has "0 frames"
}

# NumPy's format: magic, dtype and shape, then the data.
@test "--npy writes one tensor" {
    a2b-info --npy valid "$tiny" >"$BATS_TEST_TMPDIR/v.npy"
    [ "$(head -c 6 "$BATS_TEST_TMPDIR/v.npy" | tail -c 5)" = NUMPY ]
    grep -aq "'descr': '|u1', 'fortran_order': False, 'shape': (5,)" \
        "$BATS_TEST_TMPDIR/v.npy"
    [ "$(tail -c 5 "$BATS_TEST_TMPDIR/v.npy" | od -An -tu1 | tr -s ' ')" = \
        " 1 1 1 1 0" ]
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/v.npy")" -eq 133 ]
}

# Nothing is taken out of a stream that turns out damaged behind it.
@test "--get writes nothing when the stream is cut" {
    head -c 500 "$tiny" >"$BATS_TEST_TMPDIR/cut"
    run -65 --separate-stderr a2b-info --get d/s "$BATS_TEST_TMPDIR/cut"
    [ -z "$output" ]
}

# Kinds nobody knows are listed by their own name.
@test "unknown frames are listed" {
    "$A2B_BUILD/helpers/ministream" unknown >"$BATS_TEST_TMPDIR/u"
    run -0 a2b-info "$BATS_TEST_TMPDIR/u"
    [[ ${lines[0]} == *$'\tdata\tk\tother F64[3]' ]]
    [[ ${lines[1]} == *$'\tweather\tk\tother F64[3]' ]]
}

# No file is 66.
@test "a missing file is named" {
    run -66 a2b-info "$BATS_TEST_TMPDIR/none"
}

# Features are images, signals are curves.
@test "--plot draws features and signals" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    cd "$BATS_TEST_TMPDIR"
    a2b-info --plot look "$tiny" >list
    [ "$(wc -l <list)" -eq 3 ]
    [ "$(cd look && echo *)" = "0001-d-s.png 0002-d-s-1.png 0002-d-s-1.svg" ]
    for f in look/*.png; do
        [ "$(head -c 4 "$f" | tail -c 3)" = PNG ]
        [ "$(stat -c %s "$f")" -gt 3000 ]
    done
    run -66 --separate-stderr a2b-info --plot none/look "$tiny"
    stderr_has "none/look"
    run -2 --separate-stderr a2b-info --plot look --npy mfcc "$tiny"
    stderr_has "--plot goes with the list"
}
