#!/usr/bin/env bats
# a2b-eval - scores, baselines, predictions, plots, and what it refuses.

load helpers/common
load helpers/contract

# One small run for all tests: 12 recordings to learn from, 9 to be judged.
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    cat >c.yml <<'YML'
model:
  architecture: tcn
  params: {input_size: 3, output_size: 1, num_blocks: 2, num_channels: 6,
           kernel_size: 3, dropout: 0.1}
optimizer: {name: adamw, learning_rate: 0.01}
data: {batch_size: 4}
train: {max_epochs: 3}
features: {audio_n_mfcc: 3, audio_hop_length: 1600}
YML
    "$A2B_BUILD/helpers/trainset" 0 6 2 40 3 >train.a2b
    "$A2B_BUILD/helpers/trainset" 20 3 3 40 3 >test.a2b
    "$A2B_BUILD/helpers/trainset" 20 1 1 20 3 >small.a2b
    a2b-batch -q -c c.yml train.a2b | a2b-train -q -j 1 -c c.yml -o run >/dev/null
    # a second model, worse for want of training
    a2b-batch -q -c c.yml --set train.max_epochs=1 --set seed=5 train.a2b |
        a2b-train -q -j 1 -c c.yml --set train.max_epochs=1 --set seed=5 \
            -o weak >/dev/null
    ln -s "$(readlink run/best)" run/mine
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    for f in run weak train.a2b test.a2b small.a2b c.yml; do
        ln -s "$BATS_FILE_TMPDIR/$f" "$f"
    done
}

# A tensor of one frame as text, a number a line: values FILE KEY TENSOR TYPE.
values() {
    # several may run at a time, each for a tensor of its own
    a2b-info --get "$2" "$1" >"$3.safetensors"
    a2b-info --npy "$3" "$3.safetensors" >"$3.npy"
    # the data of a .npy file begins behind the header, whose length is at 8
    tail -c +$((11 + $(od -An -tu2 -j8 -N2 "$3.npy"))) "$3.npy" |
        od -An -v -t"$4" -w"${4#?}" | tr -d ' '
}

# Help, a usage error, one result for file, -, stdin and -o, cuts, /dev/full.
@test "contract" {
    contract a2b-eval small.a2b -m run/best
}

# The same for the other output.
@test "contract with --json" {
    contract_same a2b-eval small.a2b -m run/best --json
    contract_full a2b-eval small.a2b -m run/best --json
}

# Command lines that cannot work.
@test "usage errors" {
    run -2 --separate-stderr a2b-eval small.a2b
    stderr_has "which model?"
    run -2 --separate-stderr a2b-eval -m run/best --seed -1 small.a2b
    stderr_has "--seed"
    run -2 --separate-stderr a2b-eval -m run/best --predictions - small.a2b
    stderr_has "--predictions wants a file"
    run -2 --separate-stderr a2b-eval -m run/best --predictions x -o x \
        small.a2b
    stderr_has "-o and --predictions name one file: x"
    run -2 --separate-stderr a2b-eval -m run/best --per-recording - small.a2b
    stderr_has "--per-recording wants a file"
    run -2 --separate-stderr a2b-eval -m run/best --predictions x \
        --per-recording x small.a2b
    stderr_has "--per-recording and --predictions name one file: x"
}

# A checkpoint that is missing, unfinished, damaged, cut.
@test "checkpoints that cannot be used" {
    run -66 --separate-stderr a2b-eval -m run/none small.a2b
    stderr_has "run/none"
    [ -z "$output" ]
    mkdir folder
    run -65 --separate-stderr a2b-eval -m folder small.a2b
    stderr_has "folder: no checkpoint"
    cp -rL run/best folder/model
    printf X | dd of=folder/model/model.safetensors bs=1 seek=900 \
        conv=notrunc 2>dd
    run -65 --separate-stderr a2b-eval -m folder/model small.a2b
    stderr_has "model.safetensors"
    mv folder/model/model.safetensors lone.safetensors
    run -65 --separate-stderr a2b-eval -m lone.safetensors small.a2b
    stderr_has "digest mismatch"
    head -c 900 run/best/model.safetensors >cut.safetensors
    run -65 --separate-stderr a2b-eval -m cut.safetensors small.a2b
    stderr_has "cut.safetensors"
}

# The folder, a link to it, the model file: one model.
@test "a checkpoint by any of its names" {
    a2b-eval -m run/best --json test.a2b | jq -c .metrics >folder
    a2b-eval -m run/mine/ --json test.a2b | jq -c .metrics >link
    a2b-eval -m run/best/model.safetensors --json test.a2b |
        jq -c .metrics >file
    cmp folder link
    cmp folder file
    [ "$(a2b-eval -m run/best --json test.a2b | jq -r .model)" = run/best ]
}

# A lone model file has no curve; the rest works.
@test "a lone model file says why a baseline is missing" {
    cp run/best/model.safetensors lone.safetensors
    run -0 --separate-stderr a2b-eval -m lone.safetensors --json test.a2b
    stderr_has "no baseline time_curve: lone.safetensors: a lone model file"
    jq -e '.baselines | .time_curve == null and .zero != null' <<<"$output"
    run -0 --separate-stderr a2b-eval -q -m lone.safetensors test.a2b
    [ -z "$stderr" ]
    [[ $output != *time_curve* ]]
}

# Input cut anywhere: 65, and nothing that looks complete.
@test "a cut stream leaves nothing" {
    local size n got
    size=$(stat -c %s test.a2b)
    for ((n = 0; n < size; n += size / 16 + 1)); do
        got=0
        head -c "$n" test.a2b | a2b-eval -m run/best --json -o scores \
            --predictions p.a2b --per-recording r --plot plots --report h \
            >out 2>err || got=$?
        [ "$got" -eq 65 ] || { echo "byte $n: $got $(cat err)"; false; }
        [ ! -s out ]
        [ "$(echo scores* p.a2b* r.* plots)" = "scores* p.a2b* r.* plots" ]
        [ ! -e r ] && [ ! -e h ]
    done
}

# Streams without anything to score, and a failed one.
@test "nothing to score" {
    "$A2B_BUILD/helpers/ministream" empty >empty.a2b
    run -65 --separate-stderr a2b-eval -m run/best empty.a2b
    stderr_has "neither mfcc nor eda"
    a2b-mfcc none.wav >failed.a2b 2>err || true
    run -66 --separate-stderr a2b-eval -m run/best failed.a2b
    stderr_has "a2b-mfcc: none.wav"
    [ -z "$output" ]
    run -66 --separate-stderr a2b-eval -m run/best none.a2b
    stderr_has "none.a2b"
}

# What the model was not trained on.
@test "features that differ from the checkpoint's are named" {
    "$A2B_BUILD/helpers/trainset" 20 1 1 20 4 >four.a2b
    run -65 --separate-stderr a2b-eval -m run/best four.a2b
    stderr_has "features.audio_n_mfcc is 4, but 3 in"
    stderr_has "model.safetensors"
    "$A2B_BUILD/helpers/trainset" 20 1 1 20 3 800 >fast.a2b
    run -65 --separate-stderr a2b-eval -m run/best fast.a2b
    stderr_has "20/1 frames a second, but 10/1"
}

# A recording without its song counts as bad.
@test "-k leaves recordings out and says so" {
    "$A2B_BUILD/unit/test_pairs" feed eda:t/99/s0,T=20 >orphan.a2b
    run -65 --separate-stderr a2b-eval -m run/best test.a2b orphan.a2b
    stderr_has "t/99"
    run -0 --separate-stderr a2b-eval -k 1 -m run/best --json \
        --predictions p.a2b test.a2b orphan.a2b
    stderr_has "left out: "
    stderr_has "1 item left out"
    [ "$(jq .recordings <<<"$output")" -eq 9 ]
    [ "$(a2b-info --json p.a2b | jq 'select(.failed != null).failed')" -eq 1 ]
    "$A2B_BUILD/helpers/trainset" 40 1 0 40 3 >unheard.a2b
    run -0 --separate-stderr a2b-eval -m run/best test.a2b unheard.a2b
    stderr_has "left out 1 song without recordings"
}

# Shape and sense of the JSON object.
@test "--json has the documented shape" {
    a2b-eval -m run/best --json test.a2b >out.json
    [ "$(wc -l <out.json)" -eq 1 ]
    jq -e 'keys_unsorted == ["model", "recordings", "metrics", "baselines",
        "why", "differences", "unbeaten", "compare", "permutation",
        "by"]' out.json
    jq -e '.compare == null and (.differences | keys_unsorted) ==
        (.baselines | keys_unsorted)' out.json
    jq -e '(.metrics.mse.mean - .baselines.zero.mse.mean -
        .differences.zero.mse.mean | fabs) < 1e-9 and
        .differences.zero.mse.recordings == 9 and
        .differences.zero.pearson == {mean: null, ci95: null, recordings: 0}
        ' out.json
    jq -e '.permutation | .metric == "pearson" and .draws == 9999 and
        .p > 0 and .p <= 1 and .null_mean <= .null_p95' out.json
    jq -e '(.permutation.observed - .metrics.pearson.mean) | fabs < 1e-9' out.json
    jq -e '["mse", "rmse", "mae", "pearson", "spearman", "ccc", "r2", "dtw",
        "dtw_norm", "dtw@5%", "frechet", "best_lag_s", "best_lag_r",
        "scr_f1"] as $names |
        .metrics | keys_unsorted == $names + [$names[] + "_hp"]' out.json
    jq -e '[.metrics, .baselines[] | values | .[] | keys_unsorted == ["mean",
        "median", "p10", "min", "ci95", "ci95_songs", "undefined"]] |
        all' out.json
    jq -e '.baselines | keys_unsorted == ["zero", "time_curve", "ridge",
        "other_listeners", "shuffled_audio"]' out.json
    jq -e '[.metrics | del(.scr_f1, .scr_f1_hp)[] | .min <= .p10 and
        .p10 <= .median and .ci95[0] <= .mean and .mean <= .ci95[1] and
        .undefined == 0] | all' out.json
    # the fixture does not know its unit
    jq -e '.metrics.scr_f1 | .mean == null and .undefined == 9' out.json
    jq -e '.by.subject | keys == ["s0", "s1", "s2"]' out.json
    jq -e '.by.song | keys == ["t/20", "t/21", "t/22"]' out.json
    jq -e '.by.dataset.t.recordings == .recordings and
        .by.dataset.t.metrics.dtw.mean == .metrics.dtw.mean' out.json
    jq -e '.baselines.zero | .pearson.mean == null and
        .pearson.undefined == 9 and .ccc.mean == 0' out.json
    # the recordings of a song are alike but for a gain
    jq -e '.baselines.other_listeners.pearson.min > 0.9999' out.json
}

# The seed moves intervals and permutations and nothing else.
@test "--seed" {
    a2b-eval -m run/best --json test.a2b >a
    a2b-eval -m run/best --json --seed 42 test.a2b >b
    a2b-eval -m run/best --json --seed 7 test.a2b >c
    cmp a b
    run -1 cmp -s a c
    local same='del(..|.ci95?, .permutation, .unbeaten)'
    cmp <(jq "$same" a) <(jq "$same" c)
}

# Scores made anew from the prediction frames by other means.
@test "--predictions agree with the scores" {
    a2b-eval -m run/best --json --predictions p.a2b test.a2b >out.json
    is_ok_stream p.a2b
    a2b-info --json p.a2b | jq -r 'select(.kind == "prediction") |
        .metadata | select(.recording == .key) | .key' >keys
    [ "$(wc -l <keys)" -eq 9 ]
    while read -r key; do
        paste <(values p.a2b "$key" pred f4) <(values p.a2b "$key" eda f4) \
            <(values p.a2b "$key" valid u1) >frames
        awk '$3 { n++; p += $1; y += $2; pp += $1 * $1; yy += $2 * $2
                  py += $1 * $2; e += ($1 - $2) ^ 2 }
            END { s = sqrt((pp - p * p / n) * (yy - y * y / n))
                  printf "%.9f %.9f\n", e / n, (py - p * y / n) / s }' frames
    done <keys >scores
    awk '{ mse += $1; r += $2 }
        END { printf "%.9f %.9f\n", mse / NR, r / NR }' scores >means
    jq -e --argjson mse "$(cut -d ' ' -f 1 means)" \
        --argjson r "$(cut -d ' ' -f 2 means)" \
        '.metrics | (.mse.mean - $mse | fabs) < 1e-6 and
        (.pearson.mean - $r | fabs) < 1e-6' out.json
    # provenance names the weights, not the path
    a2b-info --json p.a2b | jq -se '.[-1].provenance[-1] | .pn == "a2b-eval"
        and (.set.weights | length) == 16'
}

# Threads change nothing.
@test "-j 1 and -j 3 give the same bytes" {
    a2b-eval -j 1 -m run/best --json --predictions p1 test.a2b >one
    a2b-eval -j 3 -m run/best --json --predictions p3 test.a2b >three
    cmp one three
    cmp p1 p3
}

# The order of frames and of operands changes nothing.
@test "two branches are one pipe" {
    "$A2B_BUILD/helpers/trainset" 20 1 3 40 3 >a.a2b
    "$A2B_BUILD/helpers/trainset" 21 2 3 47 3 >b.a2b
    a2b-eval -m run/best --json a.a2b b.a2b >ab
    a2b-eval -m run/best --json b.a2b a.a2b >ba
    cat a.a2b b.a2b | a2b-eval -m run/best --json >cat
    cmp ab ba
    cmp ab cat
    cmp ab <(a2b-eval -m run/best --json test.a2b)
}

# A table that fits a terminal.
@test "the table" {
    run -0 a2b-eval -m run/best test.a2b
    [ "${lines[0]}" = "run/best: recordings 9, songs 3, subjects 3" ]
    [[ ${lines[1]} =~ ^\ +pearson\ +ccc\ +mse\ +dtw_norm\ +frechet$ ]]
    [[ $output == *"pearson: 95 % interval "*" over subjects and songs"* ]]
    [ "$(wc -L <<<"$output")" -le 80 ]
    run -0 a2b-eval -m run/best small.a2b
    [[ $output != *"95 %"* ]]
}

# Output that cannot be written leaves no predictions either.
@test "/dev/full: 74 and no predictions" {
    run -74 --separate-stderr bash -c \
        'a2b-eval -m run/best --predictions p.a2b test.a2b >/dev/full'
    [ "$(echo p.a2b*)" = "p.a2b*" ]
    run -66 --separate-stderr a2b-eval -m run/best -o scores \
        --predictions none/p.a2b test.a2b
    stderr_has "none/p.a2b"
    [ "$(echo scores*)" = "scores*" ]
}

# The best, median and worst recording, r and lags, as pictures.
@test "--plot draws PNG and SVG files" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    a2b-eval -m run/best --plot plots test.a2b >/dev/null
    [ "$(cd plots && echo *.png)" = \
        "best.png lag.png median.png r.png worst.png" ]
    for f in plots/*.png; do
        [ "$(head -c 4 "$f" | tail -c 3)" = PNG ]
        "$A2B_BUILD/helpers/xmlcheck" <"${f%.png}.svg"
    done
    [ "$(ls plots | wc -l)" -eq 10 ]
    run -66 --separate-stderr a2b-eval -m run/best --plot none/plots \
        -o scores test.a2b
    stderr_has "none/plots"
    [ "$(echo scores*)" = "scores*" ]
}

# Without gnuplot there is no picture, and no result that looks whole.
@test "--plot without gnuplot fails" {
    run -1 --separate-stderr env PATH="$A2B_BUILD/bin" a2b-eval -m run/best \
        --plot plots -o scores test.a2b
    stderr_has "gnuplot is not installed"
    [ "$(echo scores* plots/*)" = "scores* plots/*" ]
}

# The bars of r count every recording, in the twentieths of [-1, 1] they need.
@test "the histogram of r counts the recordings" {
    mkdir bin
    cat >bin/gnuplot <<'SH'
#!/bin/bash
script=$(cat)
out=$(sed -n "s/^set output '\(.*\)'/\1/p" <<<"$script")
printf '%s\n' "$script" >"$out"
SH
    chmod +x bin/gnuplot
    PATH="$PWD/bin:$PATH" a2b-eval -m run/best --plot plots \
        --per-recording r.tsv test.a2b >/dev/null
    sed -n '/with boxes/,/^e/p' plots/r.svg | grep '^[-0-9]' >bars
    [ "$(wc -l <bars)" -eq 40 ]
    [ "$(awk '{n += $2} END {print n}' bars)" -eq 9 ]
    # each r lies in a bar that counts something
    awk -F'\t' 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "pearson") c = i}
        NR > 1 {print $c}' r.tsv >rs
    awk 'NR == FNR {x[NR] = $1; n[NR] = $2; next}
        {k = 1; for (i = 1; i <= 40; i++)
            if (($1 - x[i]) ^ 2 < ($1 - x[k]) ^ 2) k = i
         if (!n[k] || ($1 - x[k]) ^ 2 > (x[2] - x[1]) ^ 2 / 3.99) bad = 1}
        END {exit bad}' bars rs
}

# One page with everything in it, that any parser takes.
@test "--report writes one self-contained page" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    mkdir tmp
    TMPDIR=$PWD/tmp a2b-eval -j 1 -m run/best --json --report r.html \
        --compare weak/best test.a2b >json
    TMPDIR=$PWD/tmp a2b-eval -j 3 -m run/best --plot plots --report again.html \
        --compare weak/best test.a2b >/dev/null
    cmp r.html again.html
    [ -z "$(ls -A tmp)" ]
    "$A2B_BUILD/helpers/xmlcheck" <r.html
    # every figure is inside, and nothing is asked of elsewhere
    [ "$(grep -o '<img [^>]*src="data:image/svg+xml,' r.html | wc -l)" -eq 5 ]
    run ! grep -E '(src|href)="(http|//|[^d])' r.html
    # the numbers are those of the JSON
    mean=$(jq -r '.metrics.pearson.mean' json)
    grep -F "<tr><td>pearson</td><td>$(printf %.4g "$mean")</td>" r.html
    grep -F "<h2>Compared with weak/best</h2>" r.html
    jq -e '.metrics.pearson.ci95_songs | length == 2' json
}

# Names come from data: nothing in them is markup.
@test "--report writes hostile names as text" {
    ln -s run/best '<script>"&'
    a2b-eval -q -m '<script>"&' --report r.html test.a2b >/dev/null
    "$A2B_BUILD/helpers/xmlcheck" <r.html
    grep -qF '&lt;script&gt;&quot;&amp;' r.html
    run ! grep -q '<script' r.html
}

# Warnings of the run stand on the page; without gnuplot it says so.
@test "--report without gnuplot, with warnings" {
    mkdir tmp
    cp run/best/model.safetensors lone.safetensors
    run -0 --separate-stderr env TMPDIR="$PWD/tmp" PATH="$A2B_BUILD/bin" \
        a2b-eval -m lone.safetensors --train train.a2b --report r.html \
        test.a2b
    stderr_has "r.html: no pictures: gnuplot is not installed"
    "$A2B_BUILD/helpers/xmlcheck" <r.html
    grep -q '<li>no baseline time_curve' r.html
    grep -q '<li>2 listeners are in training too' r.html
    [ "$(grep -c 'gnuplot is needed' r.html)" -eq 5 ]
    [ -z "$(ls -A tmp)" ]
}

# The page comes whole or not at all.
@test "--report that cannot be written" {
    run -66 --separate-stderr a2b-eval -q -m run/best --report none/r.html \
        test.a2b
    stderr_has "none/r.html"
    run -2 --separate-stderr a2b-eval -m run/best --report - test.a2b
    stderr_has "--report wants a file"
    run -2 --separate-stderr a2b-eval -m run/best --report x --predictions x \
        test.a2b
    stderr_has "--predictions and --report name one file: x"
}

# The same numbers from PyTorch: weights, input normalisation, spans.
# bats test_tags=slow
@test "PyTorch predicts the same" {
    local python=${A2B_PYTHON:-/usr/bin/python3}
    "$python" -c 'import numpy, torch' 2>/dev/null ||
        skip "$python has no torch"
    a2b-eval -m run/best --predictions p.a2b test.a2b >/dev/null
    run -0 "$python" "$A2B_ROOT/tests/golden/check_ckpt.py" run/best \
        test.a2b p.a2b
    [[ $output == "9 predictions, "* ]]
}

# Training features give the linear baseline, and what is in both is said.
@test "--train fits the ridge baseline and names what is shared" {
    run -0 --separate-stderr a2b-eval -m run/best --json test.a2b
    jq -e '.baselines.ridge == null and (.why.ridge | test("--train"))' \
        <<<"$output"
    run -0 --separate-stderr a2b-eval -m run/best --json --train train.a2b \
        test.a2b
    jq -e '.baselines.ridge.pearson.mean != null and .why == {}' <<<"$output"
    run -0 --separate-stderr a2b-eval -m run/best --train test.a2b test.a2b
    stderr_has "leakage: "
    stderr_has "in training too"
    run -66 --separate-stderr a2b-eval -m run/best --train none test.a2b
}

# A line a recording, and means that are those of the JSON object.
@test "--per-recording" {
    a2b-eval -m run/best --json --per-recording r.tsv test.a2b >out.json
    [ "$(wc -l <r.tsv)" -eq 10 ]
    [ "$(head -n 1 r.tsv | cut -f 1-8)" = "$(printf '%s\t' recording dataset \
        song subject frames valid mse)rmse" ]
    [ "$(awk -F '\t' '{ print NF }' r.tsv | sort -u)" -eq 34 ]
    [ "$(sed -n 2p r.tsv | cut -f 1-6)" = \
        "$(printf 't/20/s0\tt\t20\ts0\t40\t37')" ]
    for m in mse pearson dtw@5% best_lag_s pearson_hp; do
        awk -F '\t' -v m="$m" 'NR == 1 { for (c = 1; $c != m; c++); next }
            { sum += $c } END { printf "%.12g\n", sum / (NR - 1) }' r.tsv >mean
        jq -e --arg m "$m" --argjson mean "$(cat mean)" \
            '.metrics[$m].mean - $mean | fabs < 1e-9' out.json
    done
    awk -F '\t' 'NR > 1 && $20 != "nan" { exit 1 }' r.tsv
    run -66 --separate-stderr a2b-eval -m run/best -o scores \
        --per-recording none/r test.a2b
    stderr_has "none/r"
    [ "$(echo scores*)" = "scores*" ]
}

# Differences are those between the recordings' lines.
@test "--compare" {
    a2b-eval -q -m run/best --json --per-recording a.tsv --compare weak/best \
        test.a2b >out.json
    a2b-eval -q -m weak/best --json --per-recording b.tsv test.a2b >weak.json
    paste <(tail -n +2 a.tsv | cut -f 10) <(tail -n +2 b.tsv | cut -f 10) |
        awk '{ sum += $1 - $2 } END { printf "%.12g\n", sum / NR }' >mean
    jq -e --argjson mean "$(cat mean)" '.compare.differences.pearson |
        (.mean - $mean | fabs) < 1e-9 and .ci95[0] <= .mean and
        .mean <= .ci95[1] and .recordings == 9' out.json
    cmp <(jq -c .compare.metrics out.json) <(jq -c .metrics weak.json)
    [ "$(jq -r .compare.model out.json)" = weak/best ]
    # what did not change
    cmp <(jq -c .metrics out.json) \
        <(a2b-eval -q -m run/best --json test.a2b | jq -c .metrics)
    run -0 a2b-eval -q -m run/best --compare weak/best test.a2b
    [[ $output == *"less weak/best, recording by recording"* ]]
    [ "$(wc -L <<<"$output")" -le 80 ]
    # a model and itself
    a2b-eval -q -m run/best --json --compare run/best test.a2b |
        jq -e '[.compare.differences[] | select(.recordings > 0) |
            .mean == 0 and .ci95 == [0, 0]] | all'
}

# A stream of predictions stands for the model that made it.
@test "prediction streams instead of models" {
    a2b-eval -q -m run/best --json --predictions p.a2b test.a2b >model.json
    run -0 --separate-stderr a2b-eval -m p.a2b --json --compare run/best \
        test.a2b
    stderr_has "no baseline time_curve: p.a2b"
    cmp <(jq -c .metrics model.json) <(jq -c .metrics <<<"$output")
    jq -e '.compare.differences.pearson.ci95 == [0, 0] and
        .baselines.time_curve == null' <<<"$output"
    # one that lacks a recording, one that is cut
    "$A2B_BUILD/helpers/trainset" 20 1 1 40 3 >few.in
    a2b-eval -q -m run/best --predictions few.a2b few.in >/dev/null
    run -65 --separate-stderr a2b-eval -m few.a2b test.a2b
    stderr_has "few.a2b: no prediction for t/20/s1"
    head -c 900 p.a2b >cut.a2b
    run -65 --separate-stderr a2b-eval -m run/best --compare cut.a2b test.a2b
    stderr_has "cut.a2b"
    [ -z "$output" ]
}

# A model that does not beat a baseline is told so.
@test "a warning of baselines that are not beaten" {
    a2b-eval -q -m run/best --json test.a2b >out.json
    run -0 --separate-stderr a2b-eval -m run/best test.a2b
    grep -o 'does not beat [a-z_]*' <<<"$stderr" | cut -d ' ' -f 4 >said || true
    cmp said <(jq -r '.unbeaten[]' out.json)
    jq -e '.unbeaten | index("other_listeners") == null' out.json
    run -0 --separate-stderr a2b-eval -q -m run/best test.a2b
    [ -z "$stderr" ]
}

# A prediction does not know what else is in the stream: to the bit.
@test "a song alone is predicted as among others" {
    a2b-eval -m run/best --predictions one.a2b small.a2b >/dev/null
    key=$(a2b-info --json one.a2b | jq -r 'select(.frame == 0) | .metadata.key')
    a2b-eval -m run/best --predictions all.a2b train.a2b small.a2b >/dev/null
    a2b-info --get "$key" one.a2b >one.safetensors
    a2b-info --get "$key" all.a2b >all.safetensors
    cmp one.safetensors all.safetensors
}
