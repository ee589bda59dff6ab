#!/usr/bin/env bats
# planted - what a TCN of six blocks learns in 210 steps from a relation that
# was planted, and from none: the end of the sanity ladder. The other steps:
#   gradients, every switch and length   test_tcn, test_wavenet, test_loss
#   forward and backward by PyTorch      test_tcn, test_wavenet (models.txt)
#   batch independence                   test_step, test_tcn, test_wavenet
#   receptive field, causality           test_tcn, test_wavenet
#   steps by PyTorch                     test_optim, a2b-train.bats
#   one batch by heart, loss at birth    a2b-train.bats
#   resume, threads, SIGKILL             a2b-train.bats, torture.bats

load helpers/common

# bats file_tags=slow

# 60 songs of 4 listeners, 42 to train and 12 to test: learn FOLDER
# [OPTION of a2b-synth ...]; sets cpu_s.
learn() {
    local folder=$1 used
    shift
    TIMEFORMAT='%U %S'
    used=$({ time BIN="$A2B_BUILD/bin" SEEDS=1 MODELS=tcn6x64 SYNTH="$*" \
        "$A2B_ROOT/tests/bench/accuracy" "$folder" >table 2>&1 ||
        true; } 2>&1)
    cat table
    cpu_s=$(awk '{ print $1 + $2 }' <<<"$used")
    [ -s "$folder/1/tcn6x64.json" ]
}

# Mean Pearson correlation over held-out songs, below what a perfect model
# reaches, in under two minutes of processor time, from making the songs on.
@test "a planted relation is learnt: r of 0.95 on songs never heard" {
    cd "$BATS_TEST_TMPDIR" || return
    learn out
    jq -es --slurpfile songs out/1/manifest.jsonl '
        .[0] as $eval | .[1].recordings as $optimum |
        $eval.metrics.pearson.mean as $r |
        ($songs | map(select(.split == "test") | $optimum[.recording]) |
            add / length) as $ceiling |
        ([$r, $ceiling] | tostring | debug) |
        $r >= 0.95 and $r <= $ceiling + 0.01 and
        $eval.recordings == 48 and
        $eval.baselines.time_curve.pearson.mean < $r - 0.2 and
        $eval.baselines.shuffled_audio.pearson.mean <=
            $eval.baselines.time_curve.pearson.mean + 0.1
        ' out/1/tcn6x64.json out/1/data/planted.json
    echo "# $cpu_s s of processor time" >&3
    awk "BEGIN { exit !($cpu_s < 120) }"
}

# Where the EDA follows another song, a network that sees where a song begins
# can learn the mean curve over time, and nothing beyond it.
@test "no relation: r no higher than the curve over time" {
    cd "$BATS_TEST_TMPDIR" || return
    learn out --null
    jq -e '[.metrics.pearson.mean, .baselines.time_curve.pearson.mean] |
        debug | .[0] <= .[1]' out/1/tcn6x64.json
}
