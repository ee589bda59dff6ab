# The demo: the whole flow on planted data, and what its numbers must show.

load helpers/common

# bats file_tags=slow

# The demo into a folder: demo FOLDER [VARIABLE=VALUE ...].
demo() {
    local folder=$1
    shift
    make --no-print-directory -f "$A2B_ROOT/pipelines/demo.mk" \
        BIN="$A2B_BUILD/bin" DEMO="$folder" "$@"
}

# Songs never seen are predicted almost as well as they can be, and better
# than without their audio; a second call has nothing to do.
@test "a planted relation is learned" {
    cd "$BATS_TEST_TMPDIR" || return
    start=$SECONDS
    run -0 demo d
    [ $((SECONDS - start)) -lt 120 ]
    [[ $output == *"a perfect model (ceiling)"* ]]
    jq -es --slurpfile test d/manifest/test.jsonl '
        .[0] as $eval | .[1].recordings as $optimum |
        ($test | map($optimum[.recording]) | add / length) as $ceiling |
        $eval.metrics.pearson.mean as $r |
        ($eval.recordings == ($test | length)) and
        $r >= 0.9 and $r <= $ceiling + 0.01 and
        $r > $eval.baselines.time_curve.pearson.mean + 0.2 and
        $r > $eval.baselines.shuffled_audio.pearson.mean + 0.2
        ' d/eval.json d/data/planted.json
    cp d/eval.json before.json
    run -0 demo d
    [[ $output != *"a2b-train"* ]]
    cmp before.json d/eval.json
    [ -n "$(ls d/plots)" ]
}

# Where the EDA follows another song there is nothing to find: a model that
# scores here has seen what it should not.
@test "an absent relation is not learned" {
    cd "$BATS_TEST_TMPDIR" || return
    run -0 demo d SYNTH="--null --preroll-s 20"
    jq -e '.metrics.pearson.mean | . < 0.4 and . > -0.4' d/eval.json
}
