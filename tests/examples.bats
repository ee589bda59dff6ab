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
