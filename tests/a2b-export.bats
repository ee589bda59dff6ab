#!/usr/bin/env bats
# a2b-export - checkpoints as ONNX files. What the files compute is checked by
# test_onnx, and here by ONNX Runtime where it is installed.

load helpers/common
load helpers/contract

# A TCN and a WaveNet, each trained for a step.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    "$A2B_BUILD/helpers/trainset" 0 2 2 20 3 >f.a2b
    cat >tcn.yml <<'YML'
model:
  architecture: tcn
  params: {input_size: 3, output_size: 1, num_blocks: 2, num_channels: 6,
           kernel_size: 3, dropout: 0.1, norm: layer}
train: {max_epochs: 1}
YML
    cat >wavenet.yml <<'YML'
model:
  architecture: wavenet
  params: {num_stacks: 2, num_layers_per_stack: 2, residual_channels: 4,
           skip_channels: 5, kernel_size: 3, dilation_base: 2,
           dropout_rate: 0.1, input_channels: 3, output_channels: 1,
           use_bias: true, gate: split, residual_conv: true,
           weight_norm: true, head: chained}
train: {max_epochs: 1}
YML
    for m in tcn wavenet; do
        a2b-batch -q -c $m.yml f.a2b | a2b-train -q -c $m.yml -o $m >/dev/null
    done
}

# In the test's folder, with the models beside it.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/{tcn,wavenet} .
}

# Help and usage errors.
@test "help and usage errors" {
    contract_help a2b-export
    run -2 --separate-stderr a2b-export
    stderr_has "which model? -m CHECKPOINT"
    run -2 --separate-stderr a2b-export -m tcn/best more
    stderr_has "no operands"
    run -66 --separate-stderr a2b-export -m none
    run -2 --separate-stderr script -qec "a2b-export -m tcn/best" /dev/null
}

# The same bytes to stdout and to -o, with the facts inside.
@test "writes the same file every time" {
    for m in tcn wavenet; do
        a2b-export -m $m/best >a.onnx
        a2b-export -m $m/best/model.safetensors -o b.onnx
        cmp a.onnx b.onnx
        grep -aq '"audio_n_mfcc"\|a2b.features' a.onnx
        grep -aq "a2b.receptive_field" a.onnx
    done
    run -74 bash -c 'a2b-export -m tcn/best >/dev/full'
}

# A damaged checkpoint leaves no file.
@test "refuses a damaged checkpoint" {
    cp tcn/best/model.safetensors m.safetensors
    printf 'x' | dd of=m.safetensors bs=1 seek=700 conv=notrunc status=none
    run -65 --separate-stderr a2b-export -m m.safetensors -o a.onnx
    [ ! -e a.onnx ]
}

# Every export is run by a reader of its own; a note says how near it is.
@test "--verify" {
    for m in tcn wavenet; do
        run -0 --separate-stderr a2b-export -v -m $m/best --verify -o a.onnx
        [[ $stderr == *"differ by at most "*e-0[78]* ]]
        a2b-export -m $m/best --verify | cmp - a.onnx
        grep -aq '"frames":8,"x":"' a.onnx
        a2b-export -m $m/best -o b.onnx
        run ! grep -aq a2b.example b.onnx
    done
}

# The interpreter that runs python's packages, or skips.
needs_onnx() {
    python=${A2B_PYTHON:-/usr/bin/python3}
    "$python" -c 'import numpy, onnx, onnxruntime' 2>/dev/null ||
        skip "$python has no onnx and onnxruntime"
}

# ONNX's own checker and ONNX Runtime: checkpoints.
# bats test_tags=slow
@test "ONNX Runtime computes the same" {
    needs_onnx
    for m in tcn wavenet; do
        a2b-export -m $m/best --verify -o $m.onnx
        "$A2B_BUILD/helpers/modelrun" $m/best >outputs
        run -0 "$python" "$A2B_ROOT/tests/golden/check_onnx.py" $m.onnx outputs
    done
}

# The same for every switch, lengths of 1 to 300 frames, alone and in a batch.
# bats test_tags=slow
@test "ONNX Runtime computes the same for every switch" {
    needs_onnx
    mkdir cases
    "$A2B_BUILD/helpers/onnxcases" cases
    run -0 "$python" "$A2B_ROOT/tests/golden/check_onnx.py" cases
    echo "$output"
    [ "${#lines[@]}" -ge 18 ]
}

# The example in the metadata, by the lines of a2b-export(1).
# bats test_tags=slow
@test "the example of the man page agrees" {
    needs_onnx
    a2b-export -m tcn/best --verify -o tcn.onnx
    {
        echo 'import numpy as np, onnxruntime'
        echo 'session = onnxruntime.InferenceSession("tcn.onnx")'
        sed -n '/^import base64, json/,/^\.Ed/p' "$A2B_ROOT/man/a2b-export.1" |
            sed '$d'
    } >example.py
    run -0 "$python" example.py
    awk -v d="$output" 'BEGIN { exit !(d + 0 <= 1e-5 && d != "") }'
}
