#!/usr/bin/env bats
# The example configs as they are: from a planted dataset to a trained model.

load helpers/common

# bats file_tags=slow

# Small datasets in both layouts, in data/.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    local layout
    mkdir data
    for layout in pmemo2019 hku956; do
        a2b-synth -q --layout "$layout" --n-songs 24 --n-subjects 1 \
            --min-s 6 --max-s 8 -o "data/$layout"
    done
}

# Trains an example to its end and checks its size and what it says:
# example NAME PARAMETERS.
example() {
    make --no-print-directory -f "$A2B_ROOT/pipelines/train.mk" \
        BIN="$A2B_BUILD/bin" CONFIG="$A2B_ROOT/configs/$1.yml" RUN=run \
        JOBS=2 SET="datasets.pmemo2019.root=data/pmemo2019
            datasets.hku956.root=data/hku956" model
    [ -e run/model/finished.json ]
    [ "$(a2b-info --json run/model/best | jq -s '[.[].tensors[]?.shape |
        reduce .[] as $n (1; . * $n)] | add')" -eq "$2" ]
    jq -se 'map(select(.split == "val") | .loss) | length > 1 and
        all(. < 100) and min < first' run/model/metrics.jsonl
}

# A TCN on HKU956.
@test "example1 trains to its end" {
    example example1 121601
}

# A WaveNet on PMEmo2019.
@test "example2 trains to its end" {
    example example2 634817
}

# A wide TCN on both.
@test "example3 trains to its end" {
    example example3 1261825
}

# The three models at their full size, with the weights of one step.
# bats test_tags=slow
@test "example models compute what PyTorch computes" {
    local python=${A2B_PYTHON:-/usr/bin/python3} i c
    "$python" -c 'import numpy, torch' 2>/dev/null ||
        skip "$python has no torch"
    cd "$BATS_TEST_TMPDIR" || return
    "$A2B_BUILD/helpers/trainset" 0 2 1 30 40 >f.a2b
    for i in 1 2 3; do
        c=$A2B_ROOT/configs/example$i.yml
        a2b-batch -q -c "$c" --epochs 1 f.a2b >b.a2b
        a2b-train -q -c "$c" --set train.max_epochs=1 --max-steps 1 \
            --val f.a2b -o "run$i" b.a2b
        "$A2B_BUILD/helpers/modelrun" "run$i/last" >outputs
        run -0 "$python" "$A2B_ROOT/tests/golden/make_ckpt.py" \
            "run$i/last" outputs
        [[ $output == "loads strictly: "* ]]
    done
}
