#!/usr/bin/env bats
# a2b-eda - recordings to signals: files, streams, frame times, what it leaves
# out.
#
# Streams come from `test_edaframe feed`, which writes recording frames.

load helpers/common
load helpers/contract

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# Writes a stream of these frames.
feed() {
    "$A2B_BUILD/unit/test_edaframe" feed "$@"
}

# A 50 Hz file of n rows and two subjects: table N [MISSING_FROM MISSING_TO].
table() {
    awk -v n="$1" -v from="${2:--1}" -v to="${3:--2}" 'BEGIN {
        print "time(s),100001,100002"
        for (i = 0; i < n; i++) {
            x = i < from || i > to ? sprintf("%.5f", sin(i / 40)) : ""
            printf "%.2f,%s,%.5f\n", i / 50, x, 3 + cos(i / 30)
        }
    }'
}

# A headerless 4 Hz file of n rows: column N.
column() {
    awk -v n="$1" 'BEGIN {
        for (i = 0; i < n; i++) printf "%.6f\n", 2 + sin(i / 5) + i / 100
    }'
}

# Item of `feed` for one recording: item DATASET SONG SUBJECT FILE [KEY=V,...]
item() {
    local id=$1/$2/$3
    echo "csv:key=$id,dataset=$1,recording=$id,subject=$3,song=$2,uri=$4${5:+,$5}"
}

# One field of the metadata of the frame with a key: meta FILE KEY FIELD.
meta() {
    a2b-info --json "$1" |
        jq -r --arg k "$2" --arg f "$3" \
            'select(.metadata.key == $k).metadata[$f]'
}

# A tensor of one frame as text, a number a line: values FILE KEY TENSOR.
values() {
    a2b-info --get "$2" --npy "$3" "$1" >npy
    local size
    case $3 in
    valid) size=u1 ;;
    *) size=f4 ;;
    esac
    # The data of a .npy file begins behind the header, whose length is at 8.
    tail -c +$((11 + $(od -An -tu2 -j8 -N2 npy))) npy | od -An -v -t"$size" \
        -w"${size#?}" | tr -d ' '
}

# The rules all stream programs share.
@test "contract" {
    column 12 >c.csv
    feed "$(item d s x c.csv eda_rate_hz=4)" >small.a2b
    contract a2b-eda small.a2b
}

# A file is a song, a column is a recording.
@test "operands: one recording per column of a file" {
    mkdir folder
    table 501 >folder/108_EDA.csv
    column 41 >7_11.csv
    a2b-eda -q --input-rate 4 folder/108_EDA.csv 7_11.csv >out.a2b
    a2b-info out.a2b | cut -f 4-5 | head -n 3 >got
    diff got - <<'END'
eda	file/108/100001
eda	file/108/100002
eda	file/7_11/1
END
    [ "$(meta out.a2b file/108/100001 recording)" = file/108/100001 ]
    [ "$(meta out.a2b file/108/100001 dataset)" = file ]
    [ "$(meta out.a2b file/108/100001 subject)" = 100001 ]
    [ "$(meta out.a2b file/108/100001 song)" = 108 ]
    [ "$(meta out.a2b file/108/100001 uri)" = null ]
    [ "$(meta out.a2b file/108/100001 unit)" = unknown ]
    # 10 s at 50 Hz and at 4 Hz onto 10 frames a second
    [ "$(values out.a2b file/108/100001 eda | wc -l)" -eq 101 ]
    [ "$(values out.a2b file/7_11/1 valid | grep -c 1)" -eq 101 ]
}

# Signals come out where they are: sin(i / 40) is sin(1.25 t).
@test "values lie on the frame times" {
    table 501 >a_EDA.csv
    a2b-eda -q --normalize none a_EDA.csv >out.a2b
    values out.a2b file/a/100001 eda | awk '
        { d = $1 - sin(1.25 * (NR - 1) / 10); d = d < 0 ? -d : d }
        NR > 10 && NR < 92 && d > 1e-3 { print NR, $1; bad = 1 }
        END { exit bad || NR != 101 }'
}

# Normalised per recording: mean 0, variance 1.
@test "the default is a z-score of the recording" {
    table 501 >a_EDA.csv
    a2b-eda -q a_EDA.csv >out.a2b
    values out.a2b file/a/100002 eda | awk '
        { s += $1; q += $1 * $1 }
        END { m = s / NR; v = q / NR - m * m
              exit !(m > -0.02 && m < 0.02 && v > 0.97 && v < 1.03) }'
    [ "$(meta out.a2b file/a/100002 normalisation)" = recording ]
}

# A CSV on standard input is as good as a file.
@test "a CSV on standard input" {
    table 501 >a_EDA.csv
    a2b-eda -q <a_EDA.csv >out.a2b
    [ "$(meta out.a2b file/stdin/100001 song)" = stdin ]
}

# A headerless file says no rate, so somebody must.
@test "a headerless file needs --input-rate" {
    column 41 >a.csv
    run -2 --separate-stderr a2b-eda -k 5 -o out.a2b a.csv
    stderr_has "a.csv: column 1: wanted a sampling rate"
    stderr_has "give --input-rate HZ"
    [ ! -e out.a2b ]
    a2b-eda -q --input-rate 4 -o out.a2b a.csv
    # a time column beats it
    table 501 >b_EDA.csv
    a2b-eda -q --input-rate 4 b_EDA.csv >b.a2b
    [ "$(values b.a2b file/b/100001 eda | wc -l)" -eq 101 ]
}

# Two files of one name would be two recordings with one key.
@test "two files of one song are a usage error" {
    table 501 >a_EDA.csv
    column 41 >a.csv
    run -2 --separate-stderr a2b-eda -o out.a2b a_EDA.csv a.csv
    stderr_has "a.csv: a second file of the song file/a"
}

# Frames in, frames out; what is not ours passes.
@test "a stream: recordings become signals, the rest passes" {
    table 501 >p.csv
    feed mfcc:s,10,1,0 other:thing \
        "$(item d s 100001 p.csv eda_column=100001,split=train,mood=blue)" \
        "$(item d s 100002 p.csv eda_column=100002,etag=00)" >in.a2b
    a2b-eda -v in.a2b >out.a2b 2>err
    grep -q '2 recordings from 1 files; 2 other frames passed on' err
    a2b-info out.a2b | cut -f 4-5 | head -n 4 >got
    diff got - <<'END'
mfcc	d/s
data	thing
eda	d/s/100001
eda	d/s/100002
END
    for field in uri etag eda_column eda_rate_hz; do
        [ "$(meta out.a2b d/s/100002 $field)" = null ]
    done
    [ "$(meta out.a2b d/s/100001 split)" = train ]
    [ "$(meta out.a2b d/s/100001 mood)" = blue ]
    [ "$(meta out.a2b thing colour)" = blue ]
    # the frames that pass are the same bytes
    a2b-info in.a2b | awk -F '\t' 'NR == 1 { print $3 }' >size
    head -c "$(cat size)" in.a2b | cmp -n "$(cat size)" - out.a2b
}

# Every effective setting is in the frame, and in the provenance.
@test "settings are recorded" {
    table 501 >a_EDA.csv
    a2b-eda -q --lowpass-hz 3 --lowpass-order 4 --filter-highpass true \
        --min-quality 0.1 --set features.eda_max_gap_s=1 a_EDA.csv >out.a2b
    [ "$(meta out.a2b file/a/100001 eda_lowpass_hz)" = 3 ]
    [ "$(meta out.a2b file/a/100001 eda_lowpass_order)" = 4 ]
    [ "$(meta out.a2b file/a/100001 filter_highpass)" = true ]
    [ "$(meta out.a2b file/a/100001 eda_max_gap_s)" = 1 ]
    [ "$(meta out.a2b file/a/100001 eda_interpolation)" = sinc ]
    [ "$(meta out.a2b file/a/100001 quality_missing)" = 0 ]
    a2b-info --json out.a2b | tail -n 1 | jq -e '.provenance[0] |
        .pn == "a2b-eda" and .set.rate == "frames" and
        .set.min_quality == 0.1 and .set.features.eda_lowpass_hz == 3' ||
        { a2b-info --json out.a2b | tail -n 1; false; }
}

# The mfcc frame of the song and the config must agree on the frame times.
@test "frame times: mfcc frame, features section, and both" {
    table 501 >p.csv
    one=$(item d s 100001 p.csv eda_column=100001)
    set_rate="--set features.audio_hop_length"
    # the features section alone
    feed "$one" >in.a2b
    a2b-eda -q $set_rate=800 in.a2b >out.a2b
    [ "$(meta out.a2b d/s/100001 rate_num)" = 20 ]
    # both, equal
    feed mfcc:s,20,1,0 "$one" >in.a2b
    a2b-eda -q $set_rate=800 in.a2b >out.a2b
    # both, different
    run -65 --separate-stderr a2b-eda -q -k 9 -o bad.a2b in.a2b
    stderr_has "wanted the frame times of the features section, 10/1 Hz from \
0 s, got an mfcc frame of d/s with 20/1 Hz from 0 s"
    # of another song: does not matter
    feed mfcc:z,20,1,0 "$one" >in.a2b
    a2b-eda -q in.a2b >out.a2b
    [ "$(meta out.a2b d/s/100001 rate_num)" = 10 ]
    # native audio rate
    run -2 --separate-stderr a2b-eda -k 9 -o bad.a2b \
        --set features.audio_target_sample_rate=null in.a2b
    stderr_has "features.audio_target_sample_rate is null and no mfcc frame \
of d/s came before"
    feed mfcc:s,441,16,0 "$one" >in.a2b
    a2b-eda -q --set features.audio_target_sample_rate=null in.a2b >out.a2b
    [ "$(meta out.a2b d/s/100001 rate_num)" = 441 ]
    [ "$(meta out.a2b d/s/100001 rate_den)" = 16 ]
    # the mfcc frame came too late
    feed "$one" mfcc:s,441,16,0 >in.a2b
    run -2 --separate-stderr a2b-eda -o bad.a2b \
        --set features.audio_target_sample_rate=null in.a2b
    [ ! -e bad.a2b ]
}

# For looking: the recording's own rate, or any.
@test "--rate native and --rate HZ" {
    table 501 >a_EDA.csv
    a2b-eda -q --rate native --normalize none --filter-lowpass false \
        a_EDA.csv >out.a2b
    [ "$(meta out.a2b file/a/100001 rate_num)" = 50 ]
    # every sample comes back
    diff <(values out.a2b file/a/100001 eda | awk '{ printf "%.4f\n", $1 }') \
        <(awk -F , 'NR > 1 { printf "%.4f\n", $2 }' a_EDA.csv)
    a2b-eda -q --rate 2.5 a_EDA.csv >out.a2b
    [ "$(meta out.a2b file/a/100001 rate_num)" = 5 ]
    [ "$(meta out.a2b file/a/100001 rate_den)" = 2 ]
    [ "$(values out.a2b file/a/100001 eda | wc -l)" -eq 26 ]
    a2b-eda -q --set features.eda_target_sample_rate=25 a_EDA.csv >out.a2b
    [ "$(meta out.a2b file/a/100001 rate_num)" = 25 ]
    a2b-eda -q --set features.eda_target_sample_rate=25 --rate frames \
        a_EDA.csv >out.a2b
    [ "$(meta out.a2b file/a/100001 rate_num)" = 10 ]
    run -2 --separate-stderr a2b-eda -o out.a2b --rate fast a_EDA.csv
    stderr_has '--rate: want frames, native or a number'
}

# Short gaps are filled and masked, long ones are zeros, frames before too.
@test "the mask" {
    table 501 200 224 >a_EDA.csv # 0.5 s without data from 4 s on
    a2b-eda -q a_EDA.csv >out.a2b
    values out.a2b file/a/100001 valid | tr -d '\n' >got
    grep -qx '1\{40\}0\{5\}1\{56\}' got
    table 501 200 349 >b_EDA.csv # 3 s
    a2b-eda -q b_EDA.csv >out.a2b
    values out.a2b file/b/100001 valid | tr -d '\n' >got
    grep -qx '1\{40\}0\{30\}1\{31\}' got
    [ "$(values out.a2b file/b/100001 eda | sed -n 41,70p | sort -u)" = 0 ]
    table 501 0 99 >c_EDA.csv # starts at 2 s
    a2b-eda -q c_EDA.csv >out.a2b
    values out.a2b file/c/100001 valid | tr -d '\n' >got
    grep -qx '0\{20\}1\{81\}' got
    table 501 400 500 >d_EDA.csv # ends at 7.98 s
    a2b-eda -q d_EDA.csv >out.a2b
    values out.a2b file/d/100001 valid | tr -d '\n' >got
    grep -qx '1\{80\}' got
}

# Limits are in microsiemens, which is the unit of hku956 only.
@test "range limits and units" {
    { column 20; echo 61; column 20; } >c.csv
    feed "$(item hku956 s x c.csv eda_rate_hz=4)" \
        "$(item other s x c.csv eda_rate_hz=4)" >in.a2b
    a2b-eda -q in.a2b >out.a2b
    [ "$(meta out.a2b hku956/s/x unit)" = uS ]
    [ "$(meta out.a2b other/s/x unit)" = unknown ]
    values out.a2b hku956/s/x valid | grep -q 0
    run ! grep -q 0 <(values out.a2b other/s/x valid)
}

# A low-pass that cannot be is skipped, said once per dataset.
@test "a low-pass above half the rate is skipped with one warning" {
    column 80 >c.csv
    feed "$(item a s x c.csv eda_rate_hz=4)" \
        "$(item a t x c.csv eda_rate_hz=4)" \
        "$(item b s x c.csv eda_rate_hz=4)" \
        "$(item c s x c.csv eda_rate_hz=40)" >in.a2b
    a2b-eda in.a2b >out.a2b 2>err
    diff err - <<'END'
a2b-eda: warning: dataset a: low-pass at 8 Hz skipped: it is not below half the sampling rate of 4 Hz
a2b-eda: warning: dataset b: low-pass at 8 Hz skipped: it is not below half the sampling rate of 4 Hz
END
    [ "$(meta out.a2b a/t/x quality_lowpass_skipped)" = 1 ]
    [ "$(meta out.a2b c/s/x quality_lowpass_skipped)" = 0 ]
    a2b-eda --lowpass-hz 1 in.a2b 2>err >out.a2b
    [ ! -s err ]
}

# A constant signal becomes zeros, never NaN.
@test "a constant recording becomes zeros and is flagged" {
    yes 0.5 | head -n 40 >c.csv
    feed "$(item hku956 s x c.csv eda_rate_hz=4)" >in.a2b
    a2b-eda -q in.a2b >out.a2b
    [ "$(values out.a2b hku956/s/x eda | sort -u)" = 0 ]
    [ "$(meta out.a2b hku956/s/x quality_constant)" = 1 ]
    [ "$(meta out.a2b hku956/s/x quality_score)" = 0 ]
}

# Bad recordings stop the program, or are left out and counted.
@test "bad items and -k" {
    table 501 0 500 >empty.csv
    { column 5; echo x; } >bad.csv
    column 5 >short.csv
    table 501 >good.csv
    good=$(item d g 100001 good.csv eda_column=100001)
    for case in \
        "$(item d a 100001 empty.csv eda_column=100001)@got an empty column" \
        "$(item d b x bad.csv eda_rate_hz=4)@line 6, column 1: wanted a \
number or nothing, got 'x'" \
        "$(item d c x short.csv eda_rate_hz=50)@wanted 10 samples without a gap" \
        "$(item d e x good.csv eda_column=7)@wanted column '7'" \
        "$(item d f x short.csv)@wanted a sampling rate" \
        "$(item d h x short.csv eda_rate_hz=0)@wanted a rate over 0" \
        "$(item d i x missing.csv eda_rate_hz=4)@wanted rows of numbers"; do
        : >missing.csv
        feed "${case%@*}" "$good" >in.a2b
        run -65 --separate-stderr a2b-eda -q -o out.a2b in.a2b
        stderr_has "frame 0 (key d/"
        stderr_has "${case#*@}"
        [ ! -e out.a2b ]
        run -0 --separate-stderr a2b-eda -q -k 1 -o out.a2b in.a2b
        stderr_has "${case#*@}"
        stderr_has "1 item left out"
        a2b-info out.a2b | grep -q 'ok: 1 frames, .* 1 left out'
        rm out.a2b
    done
}

# A file that is neither CSV nor stream is bad input, with -k too.
@test "bytes that are no text are refused" {
    printf '\1\2\0\3' >x
    run -65 --separate-stderr a2b-eda -k 3 -o out.a2b x
    stderr_has "wanted a stream or a CSV file, got other bytes"
    run -66 --separate-stderr a2b-eda -o out.a2b nowhere.csv
}

# Noise is dropped and said, and is no failure.
@test "--min-quality drops with reasons" {
    awk 'BEGIN { for (i = 0; i < 80; i++) print i % 5 }' >few.csv
    column 80 >good.csv
    feed "$(item d a x few.csv eda_rate_hz=4)" \
        "$(item d b x good.csv eda_rate_hz=4)" >in.a2b
    a2b-eda -q --min-quality 0.5 in.a2b >out.a2b 2>err
    a2b-info out.a2b | grep -q 'ok: 1 frames, .* 0 left out'
    grep -q 'dropped: in.a2b: frame 0 (key d/a/x).*quality 0 is below 0.5 because of levels (5 levels' err
    grep -q '1 recording dropped by --min-quality 0.5' err
    a2b-eda -q in.a2b >out.a2b 2>err
    [ ! -s err ]
    [ "$(meta out.a2b d/a/x quality_score)" = 0 ]
    run -2 --separate-stderr a2b-eda -o o.a2b --min-quality 1.5 in.a2b
}

# Statistics in one pass, normalised in the next.
@test "subject normalisation takes two passes" {
    table 501 >p.csv
    awk -F , -v OFS=, 'NR > 1 { $2 = $2 + 2 } 1' p.csv >q.csv
    feed "$(item d s 1 p.csv eda_column=100001,split=train)" \
        "$(item d t 1 q.csv eda_column=100001,split=train)" \
        "$(item d u 1 q.csv eda_column=100002,split=test)" >in.a2b
    run -2 --separate-stderr a2b-eda -o o.a2b --normalize subject in.a2b
    stderr_has "--normalize subject wants --stats FILE"
    a2b-eda --normalize subject --write-stats s.json in.a2b >pass.a2b
    a2b-info --kind eda_csv pass.a2b | grep -q 'ok: 3 frames'
    jq -e '.subject == "d/1" and .n == 1002 and (.mean | . > 0.9 and . < 1.3)
        and (.std | . > 1.1 and . < 1.3)' s.json || { cat s.json; false; }
    a2b-eda --normalize subject --stats s.json in.a2b >out.a2b
    [ "$(meta out.a2b d/u/1 normalisation)" = subject ]
    [ "$(meta out.a2b d/u/1 mean)" = "$(jq -r .mean s.json)" ]
    # the same numbers come with any other normalisation, and frames too
    a2b-eda --write-stats r.json in.a2b >rec.a2b
    cmp r.json s.json
    a2b-info rec.a2b | grep -q 'ok: 3 frames'
    # other settings, or an unknown subject
    run -65 --separate-stderr a2b-eda -o o.a2b --normalize subject \
        --stats s.json --lowpass-hz 3 in.a2b
    stderr_has "wanted statistics of the EDA settings"
    feed "$(item d s 2 p.csv eda_column=100001)" >in2.a2b
    run -65 --separate-stderr a2b-eda -o o.a2b --normalize subject \
        --stats s.json in2.a2b
    stderr_has "wanted statistics of subject d/2, got none"
    [ ! -e o.a2b ]
}

# Recordings that cat repeats are passed twice and counted once.
@test "statistics count a repeated recording once" {
    table 501 >p.csv
    feed "$(item d s 1 p.csv eda_column=100001)" >in.a2b
    a2b-eda --write-stats a.json in.a2b >/dev/null
    a2b-eda --write-stats b.json in.a2b in.a2b >/dev/null
    cmp a.json b.json
}

# The locale never changes a number.
@test "a locale with decimal commas changes nothing" {
    table 501 >a_EDA.csv
    a2b-eda -q a_EDA.csv >c.a2b
    LC_ALL=de_DE.UTF-8 a2b-eda -q --lowpass-hz 8.0 a_EDA.csv >de.a2b
    cmp c.a2b de.a2b
}

# Responses of a known shape at known times: bumps N.
bumps() {
    awk -v n="$1" 'BEGIN {
        print "time(s),100001"
        for (i = 0; i < n; i++) {
            x = 2 + i / 5000
            for (k = 1; k < 6; k++) {
                s = i / 50 - 10 * k
                if (s > 0) x += 0.1 * k * (exp(-s / 2) - exp(-s / 0.7))
            }
            printf "%.2f,%.6f\n", i / 50, x
        }
    }'
}

# One line a response; thresholds leave the small ones out.
@test "--scr writes the responses" {
    bumps 3500 >a_EDA.csv
    a2b-eda --scr scr.tsv a_EDA.csv >out.a2b
    head -n 1 scr.tsv | tr '\t' ' ' >got
    diff got - <<'END'
recording onset_s peak_s amplitude rise_s recovery_s
END
    # the bumps begin at 10, 20, ... s, peak 1.1 s later, and grow
    awk -F '\t' 'NR > 1 {
        k++
        if ($1 != "file/a/100001" || $2 < 10 * k - 1 || $2 > 10 * k + 0.2 ||
            $3 < 10 * k + 0.6 || $3 > 10 * k + 1.4 || $4 < 0.03 * k ||
            $4 > 0.05 * k || $5 - ($3 - $2) > 1e-4 || $6 < 0.8 || $6 > 3)
            { print; bad = 1 } }
        END { exit bad || k != 5 }' scr.tsv
    a2b-eda --scr few.tsv --scr-amplitude 0.1 a_EDA.csv >again.a2b
    [ "$(wc -l <few.tsv)" -eq 4 ]
    a2b-eda --scr most.tsv --scr-relative 0.9 a_EDA.csv >again.a2b
    [ "$(wc -l <most.tsv)" -lt 5 ]
    grep -q '^file/a/100001	49[.]96	51[.]' most.tsv
    # the table changes nothing in the stream
    cmp out.a2b again.a2b
    a2b-eda a_EDA.csv | cmp - out.a2b
}

# A table is whole or not there.
@test "--scr leaves no table behind a failed run" {
    bumps 3500 >a_EDA.csv
    echo "time(s),1" >b_EDA.csv
    run -65 a2b-eda --scr scr.tsv -o out.a2b a_EDA.csv b_EDA.csv
    [ "$(echo scr* out*)" = "scr* out*" ]
    run -2 --separate-stderr a2b-eda --scr-relative 0.5 -o out.a2b a_EDA.csv
    stderr_has "want --scr FILE"
    run -66 a2b-eda --scr none/scr.tsv -o out.a2b a_EDA.csv
    [ ! -e out.a2b ]
}

# Every way of taking a recording apart finds its level and its responses.
@test "components: tonic rises, phasic does not" {
    bumps 3500 >a_EDA.csv
    key=file/a/100001
    for way in highpass median cvxeda; do
        for part in tonic phasic; do
            a2b-eda -q --normalize none --component $part \
                --decomposition $way a_EDA.csv >$part.a2b
            [ "$(meta $part.a2b $key eda_component)" = $part ]
            [ "$(meta $part.a2b $key eda_decomposition)" = $way ]
            values $part.a2b $key eda >$part
        done
        # behind the bump at 50 s the level is what it was made of
        sed -n '680,690p' tonic | awk '{ s += $1 / 11 }
            END { exit !(s > 2.6 && s < 2.8) }'
        # the phasic part has its highest point at the largest bump
        awk '$1 > most { most = $1; at = NR } END { exit !(at > 506 &&
            at < 520 && most > 0.04) }' phasic
    done
    run -2 --separate-stderr a2b-eda --component tonic --filter-highpass true \
        -o out.a2b a_EDA.csv
    stderr_has "there is no tonic part behind filter_highpass"
}

# The default is the whole signal, and says so.
@test "the default component is the signal" {
    bumps 500 >a_EDA.csv
    a2b-eda -q a_EDA.csv >out.a2b
    [ "$(meta out.a2b file/a/100001 eda_component)" = signal ]
    a2b-eda -q --component signal --decomposition highpass a_EDA.csv |
        cmp - out.a2b
}

# Files from a place where 0,5 is a half.
@test "--decimal-comma" {
    table 501 >a_EDA.csv
    mkdir comma
    tr ',.' ';,' <a_EDA.csv >comma/a_EDA.csv
    a2b-eda -q a_EDA.csv >a.a2b
    a2b-eda -q --decimal-comma comma/a_EDA.csv >b.a2b
    for key in file/a/100001 file/a/100002; do
        values a.a2b $key eda >want
        values b.a2b $key eda | cmp - want
    done
    run -65 --separate-stderr a2b-eda -q -o out.a2b comma/a_EDA.csv
    run -65 --separate-stderr a2b-eda -q --decimal-comma -o out.a2b a_EDA.csv
    [ ! -e out.a2b ]
}

# A picture for each recording.
@test "--plot draws PNG and SVG files" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    table 501 100 120 >a_EDA.csv
    a2b-eda -q --plot look a_EDA.csv >out.a2b
    [ "$(cd look && echo *.png)" = \
        "0001-file-a-100001.png 0002-file-a-100002.png" ]
    for f in look/*.png; do
        [ "$(head -c 4 "$f" | tail -c 3)" = PNG ]
        [ "$(grep -c '<svg' "${f%.png}.svg")" -eq 1 ]
    done
    a2b-eda -q a_EDA.csv | cmp - out.a2b
    run -66 --separate-stderr a2b-eda -q --plot none/look -o out2.a2b a_EDA.csv
    stderr_has "none/look"
    [ ! -e out2.a2b ]
}

# No data is no error for a filter.
@test "an empty stream passes" {
    feed >in.a2b
    a2b-eda in.a2b >out.a2b
    a2b-info out.a2b | grep -q 'ok: 0 frames'
}

# The example of the man page.
@test "the man page's pipeline" {
    wav 108.wav 16000 10.2 440
    table 501 >108_EDA.csv
    a2b-mfcc 108.wav >mfcc.a2b
    pipe 'a2b-eda mfcc.a2b 108_EDA.csv >all.a2b'
    a2b-info all.a2b | cut -f 4-5 | head -n 3 >got
    diff got - <<'END'
mfcc	file/108
eda	file/108/100001
eda	file/108/100002
END
    [ "$(meta all.a2b file/108 rate_num)" = \
        "$(meta all.a2b file/108/100001 rate_num)" ]
}

# Real recordings in PMEmo2019's layout, where somebody has them.
@test "real PMEmo2019 recordings go through" {
    [ -n "${A2B_TEST_EDA:-}" ] || skip "A2B_TEST_EDA names no recordings"
    a2b-eda -q "$A2B_TEST_EDA"/108_EDA.csv "$A2B_TEST_EDA"/634_EDA.csv >out.a2b
    a2b-info out.a2b | grep -q 'ok: 8 frames'
    for key in file/108/100083 file/634/100202; do
        # all frames of 49.16 and 45.18 s, already z-scored by the authors
        n=492
        [ "$key" = file/108/100083 ] || n=452
        [ "$(values out.a2b $key valid | grep -c 1)" -eq $n ]
        meta out.a2b $key mean | awk '{ exit !($1 > -0.02 && $1 < 0.02) }'
        meta out.a2b $key std | awk '{ exit !($1 > 0.98 && $1 < 1.02) }'
        values out.a2b $key eda | awk '$1 > 6 || $1 < -6 { bad = 1 }
            { s += $1; q += $1 * $1 }
            END { exit bad || s / NR > 0.05 || s / NR < -0.05 ||
                  q / NR < 0.9 || q / NR > 1.1 }'
    done
    # frame 10 is at 1 s, between the samples around it
    a2b-eda -q --normalize none "$A2B_TEST_EDA"/108_EDA.csv >raw.a2b
    awk -F , '$1 >= 0.9 && $1 <= 1.1 { print $2 }' \
        "$A2B_TEST_EDA"/108_EDA.csv | sort -g >near
    values raw.a2b file/108/100083 eda | sed -n 11p |
        awk -v lo="$(head -n 1 near)" -v hi="$(tail -n 1 near)" \
            '{ exit !($1 >= lo && $1 <= hi) }'
}

# A real recording at 1000 Hz, ADC counts, comments at the top.
@test "a real 1000 Hz recording goes through" {
    [ -n "${A2B_TEST_EDA:-}" ] || skip "A2B_TEST_EDA names no recordings"
    run -2 --separate-stderr a2b-eda -o out.a2b \
        "$A2B_TEST_EDA"/biosppy-eda-1000hz.txt
    a2b-eda --input-rate 1000 "$A2B_TEST_EDA"/biosppy-eda-1000hz.txt >out.a2b
    key=file/biosppy-eda-1000hz/1
    [ "$(values out.a2b $key valid | grep -c 1)" -eq 1500 ]
    meta out.a2b $key std | awk '{ exit !($1 > 130 && $1 < 136) }'
    meta out.a2b $key quality_score | awk '{ exit !($1 > 0.9) }'
}
