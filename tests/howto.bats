#!/usr/bin/env bats
# howto - the sections of a2b-howto(7), each run as it stands.

load helpers/common
load helpers/s3

# bats file_tags=slow

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export AWS_EC2_METADATA_DISABLED=true AWS_ENDPOINT_URL=http://127.0.0.1:9
    cp "$A2B_ROOT/configs/quick.yml" .
}

# A section's commands into section.sh, its Python into before.py.
section() {
    awk -v title="$1" '
        /^\.Ss/ { here = index($0, title) }
        !here { next }
        /^\.Bd -literal/ { inside = 1; text = ""; next }
        /^\.Ed/ && inside {
            inside = 0
            printf "%s", text >(text ~ /^import/ ? "before.py" : "section.sh")
        }
        inside { gsub(/\\e/, "\\"); text = text $0 "\n" }' \
        "$A2B_ROOT/man/a2b-howto.7"
    [ -s section.sh ]
}

# Runs it as a script that stops at the first failure.
try() {
    bash -eu -o pipefail section.sh >out 2>err || {
        cat err
        return 1
    }
}

# Ten commands, with a folder in the bucket's place.
@test "from a bucket to a figure" {
    section "From a bucket"
    # what one types: lines that do not go on one that ended open
    [ "$(awk '!open && !/^root=|^done/ && !/^ / { n++ }
        { open = /[|\\]$/ } END { print n }' section.sh)" -le 10 ]
    a2b-synth -q --n-songs 20 -o PMEmo2019
    sed -i "s|s3://my-bucket|$PWD|" section.sh
    AWS_NO_SIGN_REQUEST=true try
    grep -q '^run/best: recordings' out
    [ -s report.html ]
    ! command -v gnuplot >/dev/null || [ -s figures/median.png ]
}

# The same from a server, under the name that stands in the page.
@test "from a bucket on a server to a figure" {
    has_radosgw || skip "radosgw is not installed"
    section "From a bucket"
    a2b-synth -q --n-songs 20 --min-s 8 --max-s 10 -o PMEmo2019
    s3_start "$PWD/rgw"
    s3put s3://my-bucket
    (cd PMEmo2019 && find . -type f) | while read -r f; do
        s3put "s3://my-bucket/PMEmo2019/${f#./}" <"PMEmo2019/$f"
    done
    local got=0
    try || got=$?
    s3_stop "$PWD/rgw"
    [ "$got" -eq 0 ]
    grep -q '^run/best: recordings' out
}

# A third dataset, without C: planted, in a layout nobody knows.
@test "a dataset of one's own" {
    section "Your own dataset"
    a2b-synth -q --layout hku956 --n-songs 30 --n-subjects 2 -o hku
    mkdir music skin
    cp hku/audio/*.wav music/
    for csv in hku/1*/*/EDA/*.csv; do
        song=${csv##*_}
        listener=${csv#hku/1*/}
        cp "$csv" "skin/${song%.csv}-${listener%%/*}.csv"
    done
    try
    grep -q '^mine/best: recordings' out
    r=$(awk '/^model, mean/ {print $3}' out)
    echo "r $r"
    awk -v r="$r" 'BEGIN {exit !(r > 0.8)}'
}

# Each stage by itself.
@test "one stage that behaves oddly" {
    section "One stage"
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    a2b-synth -q --n-songs 3 --min-s 8 --max-s 9 -o PMEmo2019
    try
    [ "$(find look -name '*.png' | wc -l)" -eq 2 ]
    grep -q '"pn": "a2b-eda"' out
}

# A program in Python between two of ours.
@test "a program of one's own" {
    section "A program of your own"
    local python=${A2B_PYTHON:-/usr/bin/python3}
    "$python" -c 'import numpy' 2>/dev/null || skip "$python has no numpy"
    sed -i "s|python3|$python|" section.sh
    a2b-synth -q --n-songs 3 --min-s 8 --max-s 9 -o PMEmo2019
    try
    is_ok_stream wider.a2b
    a2b-info wider.a2b | grep -q 'mfcc F32\[[0-9]*,41\]'
}

# The same settings, the same bytes.
@test "a run once more" {
    section "A run once more"
    a2b-synth -q --n-songs 20 --min-s 8 --max-s 10 -o P
    for split in train val; do
        a2b-index -q -c quick.yml --split $split P | a2b-fetch -q |
            a2b-mfcc -c quick.yml | a2b-eda -c quick.yml -o $split.a2b
    done
    try
}
