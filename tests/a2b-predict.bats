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
    # others, whose features look at a frame alone and whose EDA has a unit
    "$A2B_BUILD/helpers/trainset" 0 6 2 40 3 1600 audio_normalize=false \
        audio_top_db=null eda_normalize=none >live.a2b
    for m in live second; do
        sets=(--set features.audio_normalize=false --set
            features.audio_top_db=null --set features.eda_normalize=none)
        [ $m = live ] || sets+=(--set model.params.num_blocks=3)
        a2b-batch -q -c c.yml "${sets[@]}" live.a2b |
            a2b-train -q -j 1 -c c.yml "${sets[@]}" -o $m >/dev/null
    done
    wav a.wav 16000 2 440
    wav b.wav 22050 1.5 330
    wav c.wav 16000 1 220
    echo "no sound" >broken.wav
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    ln -s "$BATS_FILE_TMPDIR"/{run,live,second,c.yml,{a,b,c,broken}.wav} .
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

# A folder stands for the sound files in it, in the order of their names.
@test "folders" {
    mkdir -p music/sub
    cp a.wav music/2.wav
    cp b.wav music/sub/1.WAV
    cp c.wav music/10.wav
    echo text >music/notes.txt
    cp a.wav music/.hidden.wav
    predict music >out.csv
    [ "$(cut -d , -f 1 out.csv | uniq | tr '\n' ' ')" = \
        'file music/10.wav music/2.wav music/sub/1.WAV ' ]
    predict music/10.wav music/2.wav music/sub/1.WAV | cmp - out.csv
    # one file in a folder has its name, too
    predict music/sub/ | head -n 2 | tail -n 1 | grep -q '^music/sub/1.WAV,0,'
    mkdir empty
    run -66 --separate-stderr a2b-predict -m run/best empty
    stderr_has "empty: a folder without sound files"
}

# The same numbers as objects.
@test "--format jsonl" {
    predict --format jsonl a.wav >out.jsonl
    jq -r '[.time_s, .eda] | @csv' out.jsonl >got
    predict a.wav | tail -n +2 | awk -F , '{ print $1 + 0 "," $2 + 0 }' >want
    awk -F , '{ print $1 + 0 "," $2 + 0 }' got | cmp - want
    predict --format jsonl a.wav b.wav | jq -se '.[0].file == "a.wav" and
        .[-1].file == "b.wav" and length == 37'
    cp a.wav $'\xff.wav'
    run -2 --separate-stderr a2b-predict -m run/best --format jsonl $'\xff.wav'
    stderr_has "no UTF-8 text"
}

# Arrays of times and values: one to stdout, several into a folder.
@test "--format npy" {
    predict --format npy a.wav >a.npy
    predict a.wav | tail -n +2 | tr ',' '\n' | awk '{ printf "%.6g\n", $1 }' \
        >want
    head -c 128 a.npy | grep -aq "'<f8', 'fortran_order': False, 'shape': (21, 2,)"
    tail -c +129 a.npy | od -An -v -tf8 -w8 | awk '{ printf "%.6g\n", $1 }' |
        cmp - want
    predict --format npy -o out a.wav b.wav
    cmp out/a.npy a.npy
    [ "$(cd out && echo *)" = "a.npy b.npy" ]
    run -2 --separate-stderr a2b-predict -m run/best --format npy a.wav b.wav
    stderr_has "wants -o FOLDER"
    run -2 --separate-stderr script -qec \
        "a2b-predict -m run/best --format npy a.wav" /dev/null
}

# Other times: within the song's, in CSV and frames.
@test "--rate" {
    predict --rate 4 a.wav >out.csv
    [ "$(cut -d , -f 1 out.csv | tr '\n' ' ')" = \
        "time_s 0 0.25 0.5 0.75 1 1.25 1.5 1.75 2 " ]
    predict --rate 10 a.wav | cmp - <(predict a.wav)
    predict --rate 12.5 --frames a.wav | a2b-info --json - |
        jq -se '.[0].metadata.rate_num == "25" and
            .[0].metadata.rate_den == "2" and .[0].tensors.pred.shape == [26, 1]'
    run -2 --separate-stderr a2b-predict -m run/best --rate 0 a.wav
}

# Several models: the mean of what each says, and the spread over n - 1.
@test "ensembles" {
    a2b-predict -m live/best -m second/best a.wav >both.csv
    [ "$(head -n 1 both.csv)" = "time_s,eda,eda_sd" ]
    paste -d , <(a2b-predict -m live/best a.wav) \
        <(a2b-predict -m second/best a.wav) both.csv | awk -F , 'NR > 1 {
        m = ($2 + $4) / 2; d = $2 - $4; sd = sqrt(d * d / 2)
        if ((m - $6) ^ 2 > 1e-12 || (sd - $7) ^ 2 > 1e-12 || sd == 0) bad = 1 }
        END { exit bad || NR != 22 }'
    a2b-predict -m live/best -m second/best --frames a.wav | a2b-info --json - |
        jq -se '.[0].tensors.pred_sd.shape == [21, 1]'
    a2b-predict -m live/best -m second/best -j 3 a.wav b.wav >three
    a2b-predict -m live/best -m second/best -j 1 a.wav b.wav | cmp - three
    run -2 --separate-stderr a2b-predict -m live/best -m run/best a.wav
    stderr_has "live/best and run/best were trained on different features"
}

# EDA as it was recorded, where its scale is known.
@test "--units original" {
    run -2 --separate-stderr a2b-predict -m run/best --units original a.wav
    stderr_has "eda_normalize recording"
    stderr_has "--denorm MEAN,STD"
    predict --denorm 3,0.5 a.wav >out.csv
    paste -d , <(predict a.wav) out.csv | awk -F , 'NR > 1 &&
        (3 + 0.5 * $2 - $4) ^ 2 > 1e-12 { bad = 1 } END { exit bad }'
    predict --denorm 3,0.5 --frames a.wav | a2b-info --json - |
        jq -se '.[0].metadata.normalisation == "none"'
    # this one was trained on EDA as it is
    a2b-predict -m live/best --units original a.wav |
        cmp - <(a2b-predict -m live/best a.wav)
    run -2 --separate-stderr a2b-predict -m live/best --denorm 1,2 a.wav
    stderr_has "needs no other scale"
    for bad in 3 3, 3,0 ,1 3,-1 x,1; do
        run -2 --separate-stderr a2b-predict -m run/best --denorm $bad a.wav
        stderr_has "--denorm"
    done
    run -2 --separate-stderr a2b-predict -m run/best --stats s.jsonl a.wav
    stderr_has "belong together"
    run -2 --separate-stderr a2b-predict -m run/best --stats s.jsonl \
        --subject x a.wav
    stderr_has "eda_normalize subject"
}

# The scale of a listener whose recordings a2b-eda has seen.
@test "--stats and --subject" {
    "$A2B_BUILD/helpers/trainset" 0 2 2 20 3 1600 eda_normalize=subject >s.a2b
    pipe 'a2b-batch -q -c c.yml --set features.eda_normalize=subject s.a2b |
        a2b-train -q -j 1 -c c.yml --set features.eda_normalize=subject \
        -o subject >/dev/null'
    awk 'BEGIN { print "time,7"; for (i = 0; i < 40; i++)
        printf "%.2f,%.5f\n", i / 4, 2 + sin(i / 2) }' >a_EDA.csv
    a2b-eda -q -c c.yml --normalize subject --write-stats s.jsonl a_EDA.csv \
        >/dev/null
    read -r mean std < <(jq -r '"\(.mean) \(.std)"' s.jsonl)
    a2b-predict -m subject/best --stats s.jsonl --subject file/7 a.wav >out.csv
    a2b-predict -m subject/best --denorm "$mean,$std" a.wav | cmp - out.csv
    run -2 --separate-stderr a2b-predict -m subject/best --stats s.jsonl \
        --subject file/8 a.wav
    stderr_has "s.jsonl: no subject file/8"
    run -2 --separate-stderr a2b-predict -m subject/best --units original a.wav
    stderr_has "--stats FILE --subject ID"
}

# Samples of a WAV file without its header.
samples() {
    tail -c +45 "$1"
}

# Live, however the bytes are cut: the bytes of the whole song.
@test "--stream equals the song" {
    a2b-predict -m live/best a.wav >want
    for size in 1 3 3200 7001 1000000; do
        samples a.wav | dd bs=$size iflag=fullblock status=none |
            a2b-predict -m live/best --stream | cmp - want
    done
    samples a.wav | a2b-predict -m live/best --stream --every 0.7 - |
        cmp - want
    a2b-predict -m live/best --format jsonl a.wav >want
    samples a.wav | a2b-predict -m live/best --stream --format jsonl |
        cmp - want
    # resampled, on other times, by two models
    a2b-predict -m live/best -m second/best --rate 4 b.wav >want
    samples b.wav | a2b-predict -m live/best -m second/best --rate 4 \
        --stream --input-rate 22050 | cmp - want
    # stereo of 24 bits: each sample twice, a zero byte below
    printf '%b' "$(samples a.wav | od -An -v -tx1 -w2 |
        sed 's/ \(..\) \(..\)/\\x00\\x\1\\x\2\\x00\\x\1\\x\2/' |
        tr -d '\n')" >stereo
    a2b-predict -m live/best a.wav >want
    a2b-predict -m live/best --stream --input-channels 2 \
        --input-format s24le <stereo | cmp - want
}

# Lines come when they are certain, and the latency it states is true.
@test "--stream writes while the sound goes on" {
    samples a.wav | a2b-predict -v -m live/best --stream 2>err >whole
    latency=$(sed -n 's/.*latency at most \([0-9.]*\) s: .*/\1/p' err)
    grep -q 'receptive field ahead 0.6, framing and resampling 0.064' err
    mkfifo in
    a2b-predict -m live/best --stream <in >out 3>&- &
    exec 4>in
    samples a.wav | head -c 48000 >&4
    # 1.5 s came: all frames up to 1.5 s less the latency are out
    n=$(awk -v l="$latency" 'BEGIN { print int((1.5 - l) * 10) + 2 }')
    for ((i = 0; i < 200 && $(wc -l <out) < n; i++)); do
        sleep 0.05
    done
    cmp <(head -n "$n" whole) out
    samples a.wav | tail -c +48001 >&4
    exec 4>&-
    wait
    cmp whole out
}

# Half an hour of sound takes no more memory than ten seconds.
@test "--stream in bounded memory" {
    mkfifo in
    a2b-predict -m live/best --stream --rate 4 <in >out 3>&- &
    pid=$!
    exec 4>in
    head -c 320000 /dev/zero >&4
    for ((i = 0; i < 200 && $(wc -l <out) < 20; i++)); do
        sleep 0.05
    done
    before=$(awk '/^VmHWM/ { print $2 }' /proc/$pid/status)
    head -c 57600000 /dev/zero >&4
    for ((i = 0; i < 200 && $(wc -l <out) < 7000; i++)); do
        sleep 0.05
    done
    after=$(awk '/^VmHWM/ { print $2 }' /proc/$pid/status)
    exec 4>&-
    wait
    echo "$before kB, $after kB"
    [ "$(wc -l <out)" -gt 7000 ]
    [ "$after" -lt $((before + 2000)) ]
}

# What a live signal cannot give, with the key to change; what does not fit.
@test "--stream refuses" {
    run -2 --separate-stderr a2b-predict -m run/best --stream </dev/null
    stderr_has "features.audio_normalize needs the whole clip"
    stderr_has "--set features.audio_normalize=false"
    run -2 --separate-stderr a2b-predict -m live/best --stream a.wav
    stderr_has "--stream reads standard input"
    run -2 --separate-stderr a2b-predict -m live/best --stream --frames
    stderr_has "--stream writes csv or jsonl"
    run -2 --separate-stderr a2b-predict -m live/best --input-rate 8000 a.wav
    stderr_has "are for --stream"
    run -65 --separate-stderr a2b-predict -m live/best --stream </dev/null
    stderr_has "too short"
    run -65 --separate-stderr bash -c 'head -c 30001 a.wav |
        a2b-predict -m live/best --stream'
    stderr_has "cut off within a sample"
    run -65 --separate-stderr a2b-predict -m live/best --stream \
        --input-format f32le <<<"$(printf '%8000s' '' | tr ' ' '\377')"
    stderr_has "sample 0 is NaN"
    run -74 bash -c 'tail -c +45 a.wav |
        a2b-predict -m live/best --stream >/dev/full'
}
