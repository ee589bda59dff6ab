#!/usr/bin/env bats
# flow - all programs together, on planted data and on real music.

load helpers/common

# A small planted dataset and a small experiment, in the test's folder.
tiny() {
    cd "$BATS_TEST_TMPDIR" || return
    a2b-synth -q -o ds --n-songs 8 --n-subjects 2 --min-s 8 --max-s 10 \
        --rate-hz 8000
    cat >c.yml <<'YML'
model:
  architecture: tcn
  params: {input_size: 13, output_size: 1, num_blocks: 2, num_channels: 8,
           kernel_size: 3, dropout: 0.1}
optimizer: {name: adamw, learning_rate: 0.01}
data: {train_datasets: [pmemo2019], batch_size: 4, num_workers: 2}
metrics: {val_metrics: [loss, pearson]}
train: {max_epochs: 2}
features: {audio_n_mfcc: 13, audio_n_mels: 40, audio_target_sample_rate: 8000,
           audio_window_size: 1024, audio_hop_length: 800}
YML
    a2b-index -q -c c.yml ds >all.jsonl
}

# The same, with every stage's output kept in a file of its own.
stages() {
    tiny
    a2b-fetch -c c.yml <all.jsonl >fetch.a2b
    a2b-mfcc -c c.yml fetch.a2b >mfcc.a2b
    a2b-eda -c c.yml mfcc.a2b >eda.a2b
    a2b-batch -c c.yml eda.a2b >batch.a2b
    a2b-train -q -c c.yml --val eda.a2b -o run batch.a2b >best
}

# DESIGN's one-liner, and the same again with other threads: equal bytes.
@test "one linear pipe, any -j, any run: the same bytes" {
    tiny
    for j in 1 3; do
        pipe "a2b-fetch -j $j <all.jsonl | a2b-mfcc -c c.yml -j $j |
              a2b-eda -c c.yml -j $j >train-$j.a2b"
        pipe "a2b-batch -c c.yml -j $j train-$j.a2b |
              a2b-train -q -c c.yml -j $j --val train-$j.a2b -o run-$j"
        a2b-eval -m "run-$j/best" -j $j --json \
            --predictions "pred-$j.a2b" "train-$j.a2b" |
            jq 'del(.model)' >"eval-$j.json"
        a2b-predict -m "run-$j/best" -j $j ds/chorus/1.wav >"eda-$j.csv"
    done
    cmp train-1.a2b train-3.a2b
    cmp run-1/best/model.safetensors run-3/best/model.safetensors
    cmp run-1/metrics.jsonl run-3/metrics.jsonl
    cmp eval-1.json eval-3.json
    cmp pred-1.a2b pred-3.a2b
    cmp eda-1.csv eda-3.csv
    [ "$(head -n 1 eda-1.csv)" = time_s,eda ]
}

# Two branches that a2b-batch joins are as good as one pipe.
@test "two branches give the batches of one pipe" {
    tiny
    pipe "a2b-fetch <all.jsonl | a2b-mfcc -c c.yml | a2b-eda -c c.yml |
          a2b-batch -c c.yml >one.a2b"
    pipe "a2b-fetch --only audio <all.jsonl | a2b-mfcc -c c.yml >m.a2b"
    pipe "a2b-fetch --only eda <all.jsonl | a2b-eda -c c.yml >e.a2b"
    a2b-batch -c c.yml e.a2b m.a2b >two.a2b
    # the provenance differs, the batches do not
    cmp <(a2b-info --json one.a2b | sed '$d') \
        <(a2b-info --json two.a2b | sed '$d')
}

# Every program that reads a stream refuses damage: 65, frame and byte named,
# nothing behind it that looks complete.
@test "every program refuses a cut and a flip anywhere" {
    stages
    declare -A reads=([a2b-mfcc]=fetch.a2b [a2b-eda]=mfcc.a2b
        [a2b-batch]=eda.a2b [a2b-train]=batch.a2b [a2b-eval]=eda.a2b
        [a2b-info]=batch.a2b)
    for program in "${!reads[@]}"; do
        file=${reads[$program]}
        size=$(stat -c %s "$file")
        case $program in
        a2b-train) options=(-q -c c.yml -o out) ;;
        a2b-eval) options=(-c c.yml -m run/best -o out) ;;
        a2b-info) options=(-o out) ;;
        *) options=(-c c.yml -o out) ;;
        esac
        for at in 7 99 $((size / 3)) $((size / 2 + 1)) $((size - 1)); do
            head -c "$at" "$file" >cut
            byte=$(od -An -tu1 -j "$at" -N 1 "$file")
            cp "$file" flip
            printf "\\x$(printf %02x $((byte ^ 16)))" |
                dd of=flip bs=1 seek="$at" conv=notrunc status=none
            for bad in cut flip; do
                rm -rf out
                run -65 --separate-stderr "$program" "${options[@]}" "$bad"
                stderr_has "$bad: "
                [[ $stderr == *byte* ]] ||
                    { echo "$program $bad $at: $stderr"; false; }
                [ ! -f out ] && [ ! -e out/finished.json ]
            done
        done
    done
}

# A stage that is killed in the middle: killed STAGE INPUT LAST, where STAGE
# reads half of INPUT and then waits, and LAST must exit with 65.
killed() {
    local size
    size=$(stat -c %s "$2")
    rm -f in mid
    mkfifo in mid
    bash -c "exec $1" <in >mid 2>/dev/null &
    local victim=$!
    bash -c "exec $3" <mid >/dev/null 2>last.err &
    local last=$!
    exec 8>in
    head -c $((size / 2)) "$2" >&8
    sleep 0.2
    kill -9 $victim
    exec 8>&-
    local got=0
    wait $last || got=$?
    [ $got -eq 65 ] || { echo "$1 | $3: exit $got"; cat last.err; return 1; }
}

# Nobody downstream takes a killed stage's output for complete.
@test "SIGKILL of any stage makes the last one fail with 65" {
    stages
    killed "a2b-fetch" all.jsonl "a2b-info"
    killed "a2b-fetch" all.jsonl \
        "bash -o pipefail -c 'a2b-mfcc -c c.yml | a2b-eda -c c.yml | a2b-info'"
    killed "a2b-mfcc -c c.yml" fetch.a2b "a2b-eda -c c.yml"
    killed "a2b-eda -c c.yml" mfcc.a2b "a2b-batch -c c.yml"
    killed "a2b-batch -c c.yml" eda.a2b "a2b-train -q -c c.yml -o killed"
    [ ! -e killed/finished.json ]
    killed "cat" batch.a2b "a2b-train -q -c c.yml -o killed --resume"
    [ ! -e killed/finished.json ]
    killed "a2b-eda -c c.yml" mfcc.a2b "a2b-eval -m run/best"
}

# The first failure's status comes through the whole pipe, its message too.
@test "a failure keeps its exit status through the pipe" {
    tiny
    sed -i '3s#ds/chorus#ds/none#' all.jsonl
    run -66 --separate-stderr bash -c 'a2b-fetch <all.jsonl 2>/dev/null |
        a2b-mfcc -c c.yml 2>/dev/null | a2b-eda -c c.yml 2>/dev/null |
        a2b-batch -c c.yml'
    stderr_has "a2b-fetch: "
    stderr_has "ds/none"
}

# A stream that ends well and holds nothing passes filters, and no further.
@test "an empty stream passes filters and stops joiners" {
    stages
    "$A2B_BUILD/helpers/ministream" empty >empty.a2b
    run -0 pipe "a2b-mfcc <empty.a2b | a2b-eda | a2b-info"
    run -65 --separate-stderr a2b-batch -c c.yml empty.a2b
    run -65 --separate-stderr a2b-train -q -c c.yml -o none empty.a2b
    run -65 --separate-stderr a2b-eval -m run/best empty.a2b
}

# train.sh from listing to evaluation; a second call has nothing to do.
@test "train.sh runs a whole experiment, and only once" {
    tiny
    cat >>c.yml <<'YML'
datasets: {pmemo2019: {split_ratios: [0.5, 0.25, 0.25], seed: 3}}
YML
    sed -i 's/train_datasets: \[pmemo2019\],/&\n  val_datasets: [pmemo2019], test_datasets: [pmemo2019],/' c.yml
    run -0 "$A2B_ROOT/pipelines/train.sh" c.yml run ROOT=ds
    [ -s run/model/finished.json ] && [ -s run/eval.json ]
    run -0 "$A2B_ROOT/pipelines/train.sh" c.yml run ROOT=ds
    [[ $output != *a2b-train* ]]
}

# The pipeline at the top of the README, as it stands there.
# bats test_tags=slow
@test "the README's pipeline runs" {
    cd "$BATS_TEST_TMPDIR" || return
    cp "$A2B_ROOT/configs/demo.yml" tcn.yml
    sed -n '/^```sh$/,/^```$/p;/^```$/q' "$A2B_ROOT/README.md" |
        grep -v '^```' >readme.sh
    grep -q a2b-predict readme.sh
    run -0 bash -eu -o pipefail readme.sh
    [ "$(head -n 1 eda.csv)" = time_s,eda ]
    r=$(a2b-eval -m runs/tcn/best --json test.a2b |
        jq .metrics.pearson.mean)
    jq -en "$r >= 0.9"
}

# Real music: a model that heard two pieces predicts for a third one. The
# split is by piece, so the manifest is written by hand.
# bats test_tags=slow
@test "a model trained on real pieces predicts for another one" {
    music=/usr/share/games/asc/music
    [ -d "$music" ] || skip "asc-music is not installed (make deps-slow)"
    cd "$BATS_TEST_TMPDIR" || return
    c=$A2B_ROOT/configs/demo.yml
    a2b-synth -q --songs "$music" -o ds
    a2b-index ds | jq -c '.split = (.song |
        if startswith("time_to_strike") then "test"
        elif endswith("-5") then "val" else "train" end)' >pieces.jsonl
    run -0 "$A2B_ROOT/pipelines/train.sh" "$c" run MANIFEST=pieces.jsonl
    # the pieces that were trained on are not those that were tested on
    [ "$(jq -r .song run/manifest/test.jsonl | cut -d- -f1 | sort -u)" = \
        time_to_strike ]
    ! grep -q '"song":"time_to_strike' run/manifest/train.jsonl
    jq -e '.recordings >= 20 and .metrics.pearson.mean >= 0.85 and
        .metrics.pearson.mean > .baselines.shuffled_audio.pearson.mean
        ' run/eval.json
    a2b-predict -m run/model/best "$music/time_to_strike.mp3" >eda.csv
    # ten frames a second over the whole piece
    [ "$(wc -l <eda.csv)" -gt 3000 ]
    awk -F, 'NR > 1 && $2 !~ /^-?[0-9.e+-]+$/ { exit 1 }' eda.csv
}
