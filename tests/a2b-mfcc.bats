#!/usr/bin/env bats
# a2b-mfcc - songs become MFCC frames, everything else passes.

load helpers/common
load helpers/contract

# Settings that make the test songs' transforms small and fast.
small=(--target-sample-rate null --window-size 256 --hop-length 100
    --n-mels 20 --n-mfcc 5)

# An unsigned integer of eight bytes, least significant first.
u64() {
    local i bytes=""
    for ((i = 0; i < 64; i += 8)); do
        printf -v bytes '%s\\x%02x' "$bytes" $(($1 >> i & 255))
    done
    printf %b "$bytes"
}

# One frame: frame METADATA TENSOR FILE, the tensor a list of bytes.
frame() {
    local size header
    size=$(stat -c %s "$3")
    header="{\"__metadata__\":{\"a2b\":\"1\",$1},\"$2\":{\"dtype\":\"U8\","
    header+="\"shape\":[$size],\"data_offsets\":[0,$size]}}"
    u64 ${#header}
    printf %s "$header"
    cat "$3"
}

# The frame of a song: song NAME FILE.
song() {
    frame "\"key\":\"d/$1\",\"dataset\":\"d\",\"song\":\"$1\",\
\"uri\":\"s3://b/$1.wav\",\"etag\":\"e\",\"mood\":\"calm\"" audio "$2"
}

# A frame that no program knows.
other() {
    printf 'nobody knows %s' "$1" >"$BATS_TEST_TMPDIR/other"
    frame "\"key\":\"$1\"" weather "$BATS_TEST_TMPDIR/other"
}

# Closes the frames in a file with an end frame: close_stream FILE COUNT.
close_stream() {
    local header
    header="{\"__metadata__\":{\"a2b\":\"1\",\"a2b.kind\":\"end\","
    header+="\"a2b.status\":\"ok\",\"a2b.frames\":\"$2\","
    header+="\"a2b.bytes\":\"$(stat -c %s "$1")\"}}"
    {
        u64 ${#header}
        printf %s "$header"
    } >>"$1"
}

# A value of a frame's metadata: meta FILE KEY NAME.
meta() {
    a2b-info --json "$1" | jq -r "select(.metadata.key == \"$2\") |
        .metadata.$3"
}

# Three short songs, and a stream of one of them with a frame to pass.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    "$A2B_BUILD/helpers/wav" 108.wav 8000 0.1 440
    "$A2B_BUILD/helpers/wav" 634.wav 8000 0.2 1000
    "$A2B_BUILD/helpers/wav" silent.wav 8000 0.1 440 0
    { song 108 108.wav && other w; } >one.a2b
    close_stream one.a2b 2
}

# The manners every program has.
@test "contract" {
    contract a2b-mfcc one.a2b "${small[@]}"
}

# Dataset `file`, song by the name without its suffix.
@test "a sound file as operand" {
    a2b-mfcc "${small[@]}" -o o ./108.wav
    run -0 a2b-info o
    [[ ${lines[0]} == *$'\tmfcc\tfile/108\tmfcc F32[9,5]' ]]
    [ "$(meta o file/108 dataset)" = file ]
    [ "$(meta o file/108 song)" = 108 ]
    cp 108.wav a.b.wav
    a2b-mfcc "${small[@]}" -o o a.b.wav
    [ "$(meta o file/a.b song)" = a.b ]
}

# Operand, dash and standard input differ in the name only.
@test "a sound file on standard input" {
    a2b-mfcc "${small[@]}" 108.wav | a2b-info --npy mfcc >file
    a2b-mfcc "${small[@]}" <108.wav >o
    a2b-info --npy mfcc o | cmp - file
    [ "$(meta o file/stdin song)" = stdin ]
    a2b-mfcc "${small[@]}" - <108.wav | cmp - o
}

# Key, dataset, song and what else is known stay; what names bytes goes.
@test "an audio frame becomes an mfcc frame of the same key" {
    a2b-mfcc "${small[@]}" one.a2b >o
    run -0 a2b-info o
    [[ ${lines[0]} == *$'\tmfcc\td/108\tmfcc F32[9,5]' ]]
    [ "$(meta o d/108 song)" = 108 ]
    [ "$(meta o d/108 mood)" = calm ]
    [ "$(meta o d/108 uri)" = null ]
    [ "$(meta o d/108 etag)" = null ]
    a2b-info --npy mfcc o >a
    a2b-mfcc "${small[@]}" 108.wav | a2b-info --npy mfcc | cmp - a
}

# What is not ours leaves as it came, in its place.
@test "other frames pass unchanged" {
    a2b-mfcc "${small[@]}" one.a2b >o
    a2b-info --get w one.a2b >before
    a2b-info --get w o | cmp - before
    [ "$(a2b-info --json o | jq -r '.metadata.key // empty' | xargs)" = \
        "d/108 w" ]
}

# Two streams and a file are read one after the other.
@test "streams and sound files mix" {
    song 634 634.wav >two.a2b
    close_stream two.a2b 1
    a2b-mfcc "${small[@]}" one.a2b silent.wav two.a2b >o
    [ "$(a2b-info --json o | jq -r '.metadata.key // empty' | xargs)" = \
        "d/108 w file/silent d/634" ]
}

# Order and bytes do not depend on the number of threads.
@test "-j changes no byte" {
    for i in $(seq 20); do
        "$A2B_BUILD/helpers/wav" x.wav 8000 "0.$((i % 7 + 1))" $((100 * i))
        song "$i" x.wav >>many.a2b
        other "w$i" >>many.a2b
    done
    close_stream many.a2b 40
    a2b-mfcc -j 1 "${small[@]}" many.a2b >one
    for j in 2 3 8; do
        a2b-mfcc -j "$j" "${small[@]}" many.a2b | cmp - one
    done
    [ "$(a2b-info --json one | jq -r '.metadata.key // empty' |
        head -n 4 | xargs)" = "d/1 w1 d/2 w2" ]
    is_ok_stream one
}

# A cat of two fetches repeats songs: both become the same frame.
@test "duplicates pass" {
    cat one.a2b one.a2b >twice.a2b
    a2b-mfcc "${small[@]}" twice.a2b >o
    [ "$(a2b-info --json o | jq -r '.metadata.key // empty' | xargs)" = \
        "d/108 w d/108 w" ]
}

# Every setting that was in force is in the frame, presets included.
@test "settings are written down, options win over --set and config" {
    printf 'features: {preset: torchaudio, audio_n_mfcc: 7}\n' >c.yml
    a2b-mfcc -q -c c.yml 634.wav >o
    [ "$(meta o file/634 preset)" = torchaudio ]
    [ "$(meta o file/634 audio_n_mfcc)" = 7 ]
    [ "$(meta o file/634 audio_n_fft)" = 400 ]
    [ "$(meta o file/634 audio_target_sample_rate)" = 8000 ]
    [ "$(meta o file/634 rate_num)" = 40 ]
    [ "$(meta o file/634 rate_den)" = 1 ]
    [ "$(meta o file/634 t0_s)" = 0 ]
    a2b-mfcc -q --n-mfcc 9 --set features.audio_n_mfcc=8 -c c.yml 634.wav >o
    [ "$(meta o file/634 audio_n_mfcc)" = 9 ]
    [ "$(a2b-info --json o |
        jq '.provenance[0].set.features.audio_n_mfcc' | tail -n 1)" = 9 ]
}

# Deltas and normalisation: three times as many values, by their options.
@test "deltas and cmvn" {
    a2b-mfcc -v "${small[@]}" --delta-order 2 --delta-width 9 --cmvn clip \
        634.wav >o 2>note
    grep -q 'frames of 15 coefficients' note
    [ "$(a2b-info --json o | jq -c 'select(.frame == 0) |
        .tensors.mfcc.shape[1]')" = 15 ]
    [ "$(meta o file/634 audio_delta_order)" = 2 ]
    [ "$(meta o file/634 audio_delta_width)" = 9 ]
    [ "$(meta o file/634 audio_cmvn)" = clip ]
    run -2 --separate-stderr a2b-mfcc --delta-width 4 634.wav
    stderr_has "features.audio_delta_width: want an odd number, got 4"
}

# Every option that a preset does not use has its key in the frame.
@test "options by name, in the frame's metadata" {
    a2b-mfcc -q "${small[@]}" --channels each --pad-mode mirror \
        --dither 0.001 --dither-seed 5 --top-db 60 --top-db-scope channel \
        --dct-norm none --lifter 22 --lifter-type librosa 634.wav >o
    for pair in channels=each pad_mode=mirror dither=0.001 dither_seed=5 \
        top_db=60 top_db_scope=channel dct_norm=none lifter=22 \
        lifter_type=librosa; do
        [ "$(meta o file/634 "audio_${pair%%=*}")" = "${pair#*=}" ]
    done
    # A mono file's channel stands for both.
    [ "$(a2b-info --json o | jq -c 'select(.frame == 0) |
        .tensors.mfcc.shape[1]')" = 10 ]
    a2b-mfcc -q "${small[@]}" --top-db 30 --top-db-scope absolute 634.wav >o
    [ "$(meta o file/634 audio_top_db_scope)" = absolute ]
    run -2 --separate-stderr a2b-mfcc --top-db-scope none 634.wav
    stderr_has "top_db_scope"
}

# Times become samples at the rate of the analysis, the file's own too.
@test "window and hop in ms" {
    a2b-mfcc -q --preset kaldi --window-ms 25 --hop-ms 10 634.wav >o
    [ "$(meta o file/634 audio_window_size)" = 400 ]
    [ "$(meta o file/634 audio_hop_length)" = 160 ]
    a2b-mfcc -q --preset kaldi 634.wav | a2b-info --npy mfcc >samples
    a2b-info --npy mfcc o | cmp - samples
    a2b-mfcc -q --preset kaldi --target-sample-rate null --window-ms 25 \
        --hop-ms 10 634.wav >o
    [ "$(meta o file/634 audio_window_size)" = 200 ]
    [ "$(meta o file/634 audio_n_fft)" = 256 ]
    [ "$(meta o file/634 audio_hop_length)" = 80 ]
    [ "$(meta o file/634 rate_num)" = 100 ]
    run -2 --separate-stderr a2b-mfcc --window-ms 25 --window-size 401 634.wav
    stderr_has "audio_window_size: 401 is not the 400 samples"
}

# Kaldi's frames begin at sample 0: their time is half a window later.
@test "the kaldi preset is not centred" {
    a2b-mfcc --preset kaldi 634.wav >o
    [ "$(meta o file/634 t0_s)" = 0.0125 ]
    [ "$(meta o file/634 rate_num)" = 100 ]
    [ "$(a2b-info --json o | jq -c 'select(.frame == 0) |
        .tensors.mfcc.shape')" = "[18,13]" ]
}

# Silence is no error: every filter is at the floor.
@test "silence passes" {
    a2b-mfcc "${small[@]}" --n-mfcc 1 silent.wav >o
    # -100 dB in 20 filters: C0 is -100 sqrt(20).
    a2b-info --npy mfcc o | tail -c 4 | od -An -tf4 | grep -q -- '-447\.21'
}

# A file that is no sound names itself and ends the stream with an error.
@test "a bad song stops with 65, -k leaves it out" {
    printf 'time,eda\n0,1\n' >c.txt
    { song 108 108.wav && song bad c.txt && song 634 634.wav; } >bad.a2b
    close_stream bad.a2b 3
    for j in 1 2; do
        rm -f o
        run -65 --separate-stderr a2b-mfcc -j $j "${small[@]}" -o o bad.a2b
        stderr_has "a2b-mfcc: bad.a2b: frame 1 (key d/bad), byte "
        stderr_has "no sound file"
        [ ! -e o ]
        a2b-mfcc -j $j "${small[@]}" bad.a2b >cut 2>/dev/null || true
        run -65 a2b-info cut
        a2b-mfcc -j $j -k 1 "${small[@]}" bad.a2b >o 2>said
        grep -q "left out: bad.a2b: frame 1" said
        [ "$(a2b-info --json o | jq -r .failed | tail -n 1)" = 1 ]
        [ "$(a2b-info --json o | jq -r '.metadata.key // empty' | xargs)" = \
            "d/108 d/634" ]
    done
    run -65 --separate-stderr a2b-mfcc c.txt
    stderr_has "c.txt: no sound file"
}

# A clip without one whole frame says how long it had to be.
@test "a clip that is too short is refused" {
    "$A2B_BUILD/helpers/wav" short.wav 8000 0.016 440
    run -65 --separate-stderr a2b-mfcc "${small[@]}" short.wav
    stderr_has "short.wav: clip too short: 128 samples at 8000 Hz, want 129"
}

# NaN in a float file would spread over the whole clip.
@test "NaN is refused" {
    {
        printf 'RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x03\x00\x01\x00'
        printf '\x40\x1f\x00\x00\x00\x7d\x00\x00\x04\x00\x20\x00data'
        printf '\x08\x00\x00\x00\x00\x00\x00\x3f\x00\x00\xc0\x7f'
    } >nan.wav
    run -65 --separate-stderr a2b-mfcc "${small[@]}" nan.wav
    stderr_has "nan.wav: sample 1 is NaN"
}

# No sound at all, and no file at all.
@test "empty and missing inputs" {
    run -65 --separate-stderr a2b-mfcc /dev/null
    stderr_has "/dev/null: empty file"
    run -66 --separate-stderr a2b-mfcc none.mp3
    stderr_has "none.mp3"
    : >end.a2b
    close_stream end.a2b 0
    a2b-mfcc end.a2b >o
    is_ok_stream o
}

# Two files of one name would be one key.
@test "two sound files of one name are refused" {
    mkdir d
    cp 634.wav d/108.mp3
    run -2 --separate-stderr a2b-mfcc "${small[@]}" 108.wav d/108.mp3
    stderr_has "d/108.mp3: a second sound file with the key file/108"
}

# A key is text; a stream that nobody reads must not be written.
@test "file names that are no text are refused" {
    for name in $'a\xff.wav' $'a\nb.wav'; do
        cp 108.wav "$name"
        run -2 --separate-stderr a2b-mfcc "${small[@]}" "$name"
        stderr_has "rename it"
    done
    cp 108.wav Äß.wav
    a2b-mfcc "${small[@]}" Äß.wav >o
    [ "$(meta o file/Äß song)" = Äß ]
}

# Constant coefficients are worth one line, and none with -q.
@test "empty mel filters are warned of once" {
    run -0 --separate-stderr a2b-mfcc -o o --preset torchaudio \
        --target-sample-rate 16000 108.wav 634.wav
    [ "$(grep -c "at 16000 Hz 4 mel filters" <<<"$stderr")" -eq 1 ]
    stderr_has "constant: "
    run -0 --separate-stderr a2b-mfcc -q -o o --preset torchaudio \
        --target-sample-rate 16000 108.wav
    [ -z "$stderr" ]
}

# Settings that cannot work are a usage error, before any frame.
@test "impossible settings exit 2" {
    run -2 --separate-stderr a2b-mfcc --n-mfcc 30 --n-mels 20 108.wav
    stderr_has "audio_n_mfcc"
    run -2 --separate-stderr a2b-mfcc --preset htk 108.wav
    stderr_has "preset"
}

# A file at another rate needs a resampler.
@test "--resampler none refuses another rate" {
    run -65 --separate-stderr a2b-mfcc --resampler none 108.wav
    stderr_has "108.wav: 8000 Hz, want 16000 Hz, and audio_resampler is none"
    "$A2B_BUILD/helpers/wav" cd.wav 44100 0.2 440
    run -65 --separate-stderr a2b-mfcc --target-sample-rate 16001 cd.wav
    stderr_has "cd.wav: resampling 44100 Hz to 16001 Hz (ratio 44100:16001)"
}

# -v ends with one line.
@test "-v sums up" {
    run -0 --separate-stderr a2b-mfcc -v "${small[@]}" -o o one.a2b
    [ "$stderr" = "a2b-mfcc: 1 song, 9 frames of 5 coefficients; 1 other\
 frame passed on" ]
}

# Progress is drawn when asked for; a log stays silent otherwise.
@test "--progress" {
    run -0 --separate-stderr a2b-mfcc "${small[@]}" -o o one.a2b
    [ -z "$stderr" ]
    run -0 --separate-stderr a2b-mfcc --progress always "${small[@]}" -o o \
        one.a2b
    stderr_has "a2b-mfcc: 1 songs"
}

# Ten minutes at 44.1 kHz, 276 frames a second, within 100 MB (80 or so).
# bats test_tags=slow
@test "memory of a long song" {
    music=/usr/share/games/asc/music/time_to_strike.mp3
    [ -f $music ] || skip "package asc-music is not installed"
    for _ in 1 2; do cat $music; done >long.mp3
    "$A2B_BUILD/helpers/used" use a2b-mfcc -q -j 1 --preset upstream \
        --target-sample-rate 44100 -o o long.mp3
    cat use
    [ "$(cut -d ' ' -f 2 use)" -le 97656 ]
    # Longer than ten minutes.
    [ "$(a2b-info --json o | jq 'select(.frame == 0) |
        .tensors.mfcc.shape[0]')" -gt 165375 ]
}

# Real music through the mp3 decoder: length and threads.
# bats test_tags=slow
@test "mp3 files" {
    music=/usr/share/games/asc/music
    [ -d $music ] || skip "package asc-music is not installed"
    a2b-mfcc -j 1 $music/*.mp3 >one
    a2b-mfcc -j 2 $music/*.mp3 | cmp - one
    [ "$(a2b-info --json one | jq -c 'select(.frame == 0) |
        .tensors.mfcc.shape')" = "[4408,40]" ]
}
