#!/usr/bin/env bats
# flows - the pipelines people start from, on planted data: plain pipes, GNU
# parallel over shards, and what quick.yml and strong.yml say they reach.

load helpers/common

# bats file_tags=slow

# Mean r of a run's best model on its test split.
mean_r() {
    a2b-eval -q -m "$1/model/best" --json "$1/test.a2b" |
        jq .metrics.pearson.mean
}

# Succeeds if $1 >= $2.
at_least() {
    awk -v a="$1" -v b="$2" 'BEGIN {exit !(a >= b)}' || {
        echo "got $1, want at least $2"
        return 1
    }
}

# A config for datasets in data/: config NAME DATASETS; short to train.
config() {
    sed -e "s/\[pmemo2019\]/[$2]/" -e "s/max_epochs: .*/max_epochs: 4/" \
        "$A2B_ROOT/configs/quick.yml" >"$1"
    cat >>"$1" <<'YML'
datasets:
  hku956: {root: data/hku956, split_ratios: [0.6, 0.2, 0.2]}
  pmemo2019: {root: data/pmemo2019, split_ratios: [0.6, 0.2, 0.2]}
YML
}

# Small datasets in both layouts, in data/.
datasets() {
    local layout
    mkdir data
    for layout in pmemo2019 hku956; do
        a2b-synth -q --layout "$layout" --n-songs 20 --n-subjects 2 \
            --min-s 20 --max-s 24 -o "data/$layout"
    done
}

# Each dataset by itself, and both: the same script, another config.
@test "flow.sh: from a dataset to scores" {
    cd "$BATS_TEST_TMPDIR" || return
    datasets
    for of in hku956 pmemo2019 'hku956, pmemo2019'; do
        config "c.yml" "$of"
        rm -rf run
        "$A2B_ROOT/pipelines/flow.sh" c.yml run >scores 2>err
        grep -q '^run/model/best: recordings' scores
        [ -s run/eval.html ]
        # the same bytes as the rules of Make
        make --no-print-directory -f "$A2B_ROOT/pipelines/train.mk" \
            CONFIG=c.yml RUN=made >log 2>&1
        cmp run/model/best/model.safetensors made/model/best/model.safetensors
        rm -rf made
    done
    # a second call makes nothing anew, and says the same
    touch -d '2001-01-01' run/*.a2b run/model/finished.json
    "$A2B_ROOT/pipelines/flow.sh" c.yml run >again 2>err
    tail -n 3 again | cmp - <(tail -n 3 scores)
    [ "$(find run -maxdepth 1 -newermt 2002-01-01 -name '*.a2b' | wc -l)" -eq 0 ]
    # a stage that fails is the status of the script
    config bad.yml pmemo2019
    rm -rf data/pmemo2019/chorus
    run -66 "$A2B_ROOT/pipelines/flow.sh" bad.yml other
    run -2 --separate-stderr "$A2B_ROOT/pipelines/flow.sh"
    stderr_has "want a config"
}

# Shards are the features of one call, in the order of shards.
@test "shards.sh: features by GNU parallel" {
    command -v parallel >/dev/null || skip "parallel is not installed"
    cd "$BATS_TEST_TMPDIR" || return
    datasets
    config c.yml pmemo2019
    PARALLEL='-j 2' "$A2B_ROOT/pipelines/shards.sh" c.yml test 9 out.a2b
    [ ! -e out.a2b.shards ]
    is_ok_stream out.a2b
    a2b-index -c c.yml --split test | a2b-fetch | a2b-mfcc -c c.yml |
        a2b-eda -c c.yml -o one.a2b
    for f in out one; do
        a2b-info $f.a2b | grep -v '^ok' | cut -f 4- | sort >$f
    done
    cmp out one
    # a shard that is missing is made, one that is there is kept
    export PARALLEL='-j 2'
    mv data/pmemo2019/chorus hidden
    run "$A2B_ROOT/pipelines/shards.sh" c.yml test 9 again.a2b
    [ "$status" -ne 0 ]
    [ ! -e again.a2b ]
    mv hidden data/pmemo2019/chorus
    "$A2B_ROOT/pipelines/shards.sh" c.yml test 9 again.a2b
    cmp again.a2b out.a2b
    run -2 --separate-stderr "$A2B_ROOT/pipelines/shards.sh" c.yml test x o
    stderr_has "want config"
}

# The results that stand at the top of the two configs.
@test "quick.yml and strong.yml reach what they say" {
    cd "$BATS_TEST_TMPDIR" || return
    local name
    a2b-synth -q -o data
    for name in quick strong; do
        "$A2B_ROOT/pipelines/flow.sh" "$A2B_ROOT/configs/$name.yml" $name \
            data >scores 2>err
    done
    at_least "$(mean_r quick)" 0.95
    at_least "$(mean_r strong)" 0.975
    at_least "$(mean_r strong)" "$(mean_r quick)"
}
