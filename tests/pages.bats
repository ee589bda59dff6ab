#!/usr/bin/env bats
# pages - every example in the man pages and in README runs.
#
# a2b-tutorial(7) is run as a whole by tutorial.bats; Python is for tests that
# need the packages it imports.

load helpers/common

# bats file_tags=slow

# No server but those of a test is ever asked.
export AWS_EC2_METADATA_DISABLED=true AWS_ENDPOINT_URL=http://127.0.0.1:9

# What examples take for granted: data, a config, features, models, programs.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    local run song
    mkdir world world/music world/songs world/runs bin
    cd world || return
    cp -r "$A2B_ROOT/configs" .
    { sed -e 's/max_epochs: .*/max_epochs: 2/' configs/quick.yml
        printf '  %s\n' 'audio_normalize: false' 'audio_top_db: null'
        printf 'datasets:\n  %s\n' 'pmemo2019: {root: PMEmo2019}'; } >tcn.yml
    { cat configs/example3.yml
        printf 'datasets:\n  %s\n  %s\n' 'pmemo2019: {root: PMEmo2019}' \
            'hku956: {root: HKU956}'; } >example3.yml
    a2b-synth -q --n-songs 16 --min-s 8 --max-s 10 -o PMEmo2019
    a2b-synth -q --n-songs 4 --min-s 8 --max-s 10 --layout hku956 -o HKU956
    a2b-index -q PMEmo2019 >all.jsonl
    cp all.jsonl list.jsonl
    for split in train val test; do
        a2b-index -q -c tcn.yml --split $split PMEmo2019 | a2b-fetch -q |
            a2b-mfcc -c tcn.yml | a2b-eda -c tcn.yml -o $split.a2b
    done
    a2b-fetch -q --only audio <all.jsonl | a2b-mfcc -c tcn.yml -o mfcc.a2b
    a2b-fetch -q --only eda <all.jsonl | a2b-eda -c tcn.yml -o eda.a2b
    a2b-batch -q -c tcn.yml train.a2b |
        a2b-train -q -c tcn.yml --val val.a2b -o runs/tcn >/dev/null
    for run in old new a b c live; do
        cp -r runs/tcn "runs/$run"
    done
    song=$(jq -r .song all.jsonl | head -n 1)
    # libsndfile goes by what is in a file, not by its name
    for name in song.wav song.mp3 108.wav; do
        cp "PMEmo2019/chorus/$song.wav" "$name"
    done
    wav music/1.mp3 16000 55 440
    wav music/2.mp3 16000 60 330
    cp "PMEmo2019/EDA/${song}_EDA.csv" 108_EDA.csv
    a2b-mfcc -q -c tcn.yml -o song.a2b song.wav
    mkdir e4
    awk 'BEGIN {for (i = 0; i < 400; i++) print 3 + sin(i / 20)}' >e4/a.csv
    # a microphone, and the keys of recordings that exist
    printf '#!/bin/sh\nexec tail -c +45 "%s"\n' "$PWD/song.wav" >../bin/arecord
    chmod +x ../bin/arecord
    jq -r .recording <(a2b-index -q -c tcn.yml --split test PMEmo2019) |
        head -n 1 >../key
}

# Runs one script in a world of its own; prints it where it fails.
try() {
    local script=$1 folder from=$BATS_FILE_TMPDIR/world key
    key=$(cat "$BATS_FILE_TMPDIR/key")
    folder=$(mktemp -d -p "$BATS_TEST_TMPDIR")
    [[ $script != *'*.csv'* ]] || from=$BATS_FILE_TMPDIR/world/e4
    cp -r "$from/." "$folder"
    # what an example makes is not there before
    case $script in
    *--resume*) ;;
    *a2b-train*) rm -rf "$folder/runs/tcn" ;;
    *'a2b-synth'*PMEmo2019*) rm -rf "$folder/PMEmo2019" "$folder/HKU956" ;;
    esac
    script=${script//pmemo2019\/108\/100083/$key}
    script=${script//s3:\/\/bucket\/PMEmo2019/$folder/PMEmo2019}
    script=${script//chorus\/1.mp3/chorus/$(cd "$from" &&
        basename "$(ls PMEmo2019/chorus/*.wav 2>/dev/null | head -n 1)")}
    (cd "$folder" && HOME=$folder PATH="$BATS_FILE_TMPDIR/bin:$PATH" \
        bash -euo pipefail -c "$script") >"$folder.out" 2>"$folder.err" || {
        printf '%s\n%s\n' "$script" "$(tail -n 3 "$folder.err")"
        return 1
    }
    rm -rf "$folder"
}

# All examples of the pages, each by itself.
@test "the examples of the man pages run" {
    local page script line bad=0 n=0
    for page in "$A2B_ROOT"/man/*.[1-8]; do
        script=
        while IFS= read -r line; do
            if [ "$line" != $'\f' ]; then
                script+=$line$'\n'
                continue
            fi
            case $script in
            import* | from* | '{'* | *.yml:* | data:*) ;; # no commands
            *)
                n=$((n + 1))
                try "$script" || {
                    echo "in $(basename "$page")"
                    bad=1
                }
                ;;
            esac
            script=
        done < <(awk -f "$A2B_ROOT/tests/helpers/examples.awk" "$page")
    done
    echo "$n examples"
    [ "$n" -ge 30 ]
    [ "$bad" -eq 0 ]
}

# README's commands in their order, in an empty folder, but for `make deps`.
@test "the commands of README run" {
    cd "$BATS_TEST_TMPDIR" || return
    cp "$A2B_ROOT/configs/demo.yml" tcn.yml
    ln -s "$A2B_ROOT/pipelines" pipelines
    awk '/^```sh/ {f = 1; next} /^```/ {f = 0} f && !/^make deps/' \
        "$A2B_ROOT/README.md" >commands
    [ "$(wc -l <commands)" -ge 9 ]
    cat commands
    run -0 bash -euo pipefail commands
    [ "$(head -n 1 eda.csv)" = time_s,eda ]
}
