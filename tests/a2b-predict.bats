#!/usr/bin/env bats
# a2b-predict - CSV, frames and plots for songs, and what it refuses.

load helpers/common
load helpers/contract

# One small run and a few songs for all tests.
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    cat >c.yml <<'YML'
model:
  architecture: tcn
  params: {input_size: 3, output_size: 1, num_blocks: 2, num_channels: 6,
           kernel_size: 3, dropout: 0.1}
optimizer: {name: adamw, learning_rate: 0.01}
data: {batch_size: 4}
train: {max_epochs: 1}
features: {audio_n_mfcc: 3, audio_hop_length: 1600}
YML
    "$A2B_BUILD/helpers/trainset" 0 6 2 40 3 >train.a2b
    a2b-batch -q -c c.yml train.a2b | a2b-train -q -j 1 -c c.yml -o run >/dev/null
    wav a.wav 16000 2 440
    wav b.wav 22050 1.5 330
    wav c.wav 16000 1 220
    echo "no sound" >broken.wav
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    ln -s "$BATS_FILE_TMPDIR"/{run,c.yml,{a,b,c,broken}.wav} .
}

# Predicts: predict [OPTION ...] [FILE ...].
predict() {
    a2b-predict -m run/best "$@"
}

# Help, a usage error, one result for file, -, stdin and -o, /dev/full.
@test "contract" {
    contract_help a2b-predict
    contract_same a2b-predict a.wav -m run/best
    contract_full a2b-predict a.wav -m run/best
}

# A header, then a line for every frame at its time.
@test "CSV of one song" {
    predict a.wav >out.csv
    [ "$(head -n 1 out.csv)" = "time_s,eda" ]
    # 32000 samples, frames centred every 1600 of them
    [ "$(wc -l <out.csv)" -eq 22 ]
    awk -F , 'NR > 1 && ($1 != (NR - 2) / 10 "" || NF != 2 ||
        $2 !~ /^-?[0-9.]+(e-?[0-9]+)?$/) { print; bad = 1 }
        END { exit bad }' out.csv
    predict - <a.wav | cmp - out.csv
}

# Several songs: their names in front, in the order of the operands.
@test "CSV of several songs" {
    mkdir 'of, "mine"'
    cp b.wav 'of, "mine"/a.wav'
    predict a.wav 'of, "mine"/a.wav' c.wav >out.csv
    [ "$(head -n 1 out.csv)" = "file,time_s,eda" ]
    grep '^a.wav,' out.csv | cut -d , -f 2- |
        cmp - <(predict a.wav | tail -n +2)
    grep '^"of, ""mine""/a.wav",' out.csv | cut -d , -f 3- |
        cmp - <(predict b.wav | tail -n +2)
    [ "$(cut -d , -f 1 out.csv | uniq | tr '\n' ' ')" = \
        'file a.wav "of c.wav ' ]
}

# Threads change nothing.
@test "-j 1 and -j 3 give the same bytes" {
    predict -j 1 a.wav b.wav c.wav >one
    predict -j 3 a.wav b.wav c.wav >three
    cmp one three
    predict -j 1 --frames a.wav b.wav c.wav >one
    predict -j 3 --frames a.wav b.wav c.wav >three
    cmp one three
}

# Frames are sound streams, with the numbers of the CSV.
@test "--frames" {
    predict --frames a.wav b.wav >out.a2b
    is_ok_stream out.a2b
    a2b-info --json out.a2b | jq -se '.[0].metadata == {key: "file/a",
        dataset: "file", song: "a", rate_num: "10", rate_den: "1",
        t0_s: "0"} and .[0].tensors.pred.shape == [21, 1] and
        .[1].metadata.key == "file/b"'
    a2b-info --get file/a out.a2b >a.safetensors
    a2b-info --npy pred a.safetensors >a.npy
    # 21 floats behind the header
    tail -c 84 a.npy | od -An -v -tf4 -w4 | awk '{ printf "%.6g\n", $1 }' >got
    predict a.wav | tail -n +2 | cut -d , -f 2 |
        awk '{ printf "%.6g\n", $1 }' | cmp got -
}

# Two songs of one name would be one key, or one picture.
@test "two songs of one name" {
    mkdir other
    cp b.wav other/a.wav
    run -2 --separate-stderr a2b-predict -m run/best --plot p a.wav other/a.wav
    stderr_has "other/a.wav: a second sound file with the key file/a"
    predict --frames -o out.a2b a.wav other/a.wav 2>err || [ $? -eq 2 ]
    [ "$(echo out.a2b*)" = "out.a2b*" ]
    predict a.wav other/a.wav >/dev/null
}

# A name that no key can hold stops --frames, and nothing else.
@test "a name that is no text" {
    cp a.wav $'\xff.wav'
    run -2 --separate-stderr a2b-predict -m run/best -o out --frames $'\xff.wav'
    stderr_has "file name is no UTF-8 text"
    predict $'\xff.wav' | cmp - <(predict a.wav)
}

# The same song by way of its features: float for float the same.
@test "a2b-eval --predictions predicts the same" {
    awk 'BEGIN { for (i = 0; i < 12; i++)
        printf "%.5f\n", 2 + sin(i / 2) }' >a_EDA.csv
    a2b-mfcc -c c.yml a.wav >mfcc.a2b
    a2b-eda -q -c c.yml --input-rate 4 a_EDA.csv >eda.a2b
    a2b-eval -q -m run/best --predictions eval.a2b mfcc.a2b eda.a2b >/dev/null
    predict --frames a.wav >predict.a2b
    a2b-info --npy pred eval.a2b >eval.npy
    a2b-info --npy pred predict.a2b >predict.npy
    cmp eval.npy predict.npy
}

# What is no song stops the program, or is left out.
@test "-k leaves out what is no song" {
    run -65 --separate-stderr a2b-predict -m run/best -o out.csv a.wav \
        broken.wav
    stderr_has "broken.wav"
    [ "$(echo out.csv*)" = "out.csv*" ]
    run -0 --separate-stderr a2b-predict -m run/best -k 1 -o out.csv \
        broken.wav a.wav
    stderr_has "left out: broken.wav"
    stderr_has "1 item left out"
    [ "$(cut -d , -f 1 out.csv | uniq -c | tr -s ' \n' ' ')" = \
        " 1 file 21 a.wav " ]
    run -65 --separate-stderr a2b-predict -m run/best -k 1 broken.wav a.wav \
        broken.wav
    predict --frames -k 1 broken.wav a.wav >out.a2b
    [ "$(a2b-info --json out.a2b | jq 'select(.failed != null).failed')" -eq 1 ]
    run -0 --separate-stderr a2b-predict -m run/best -k 1 broken.wav
    [ "$output" = "time_s,eda" ]
}

# A stream is for a2b-eval.
@test "a stream is no song" {
    "$A2B_BUILD/helpers/trainset" 20 1 1 20 3 >small.a2b
    run -65 --separate-stderr a2b-predict -m run/best small.a2b
    stderr_has "small.a2b: this is a stream"
    stderr_has "a2b-eval --predictions"
    run -65 --separate-stderr a2b-predict -m run/best --frames -o out.a2b \
        small.a2b
    [ "$(echo out.a2b*)" = "out.a2b*" ]
}

# Failing frames say so in their end frame.
@test "--frames that fail end with an error" {
    predict --frames a.wav broken.wav >out.a2b 2>err || [ $? -eq 65 ]
    run -65 --separate-stderr a2b-info out.a2b
    stderr_has "a2b-predict: broken.wav"
}

# Command lines, models and songs that are not there or not whole.
@test "what cannot be used" {
    run -2 --separate-stderr a2b-predict a.wav
    stderr_has "which model?"
    run -66 --separate-stderr a2b-predict -m run/none a.wav
    stderr_has "run/none"
    run -66 --separate-stderr a2b-predict -m run/best none.wav
    stderr_has "none.wav"
    head -c 900 run/best/model.safetensors >cut.safetensors
    run -65 --separate-stderr a2b-predict -m cut.safetensors a.wav
    stderr_has "cut.safetensors"
    run -65 --separate-stderr a2b-predict -m run/best - </dev/null
    wav short.wav 16000 0 440
    run -65 --separate-stderr a2b-predict -m run/best short.wav
    stderr_has "short.wav"
}

# A model trained at its songs' own rate resamples others to that.
@test "a song of another rate has the model's frame times" {
    sed 's/^features: {/&audio_target_sample_rate: null, /' c.yml >native.yml
    awk 'BEGIN { for (i = 0; i < 12; i++)
        printf "%.5f\n", 2 + sin(i / 2) }' >a_EDA.csv
    a2b-mfcc -c native.yml a.wav >m.a2b
    a2b-eda -q -c native.yml --rate 10 --input-rate 4 a_EDA.csv >e.a2b
    pipe 'a2b-batch -q -c native.yml m.a2b e.a2b |
        a2b-train -q -j 1 -c native.yml -o native >/dev/null'
    a2b-predict -m native/best b.wav >out.csv
    cut -d , -f 1 out.csv | head -n 4 | tr '\n' ' ' | grep -qx \
        'time_s 0 0.1 0.2 '
}

# A picture for every song.
@test "--plot draws PNG and SVG files" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    predict --plot plots a.wav b.wav >/dev/null
    [ "$(cd plots && echo *)" = "a.png a.svg b.png b.svg" ]
    for f in plots/*.png; do
        [ "$(head -c 4 "$f" | tail -c 3)" = PNG ]
    done
    # a name that gnuplot could take for code
    cp a.wav "it's \`id\` \"x\".wav"
    predict --plot odd "it's \`id\` \"x\".wav" >/dev/null
    [ -s "odd/it's \`id\` \"x\".png" ]
}
