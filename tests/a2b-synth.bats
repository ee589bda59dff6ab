# a2b-synth: layout, determinism, null mode, real songs, refusals. Numbers are
# checked by tests/unit/test_planted.c and test_synth.c.

load helpers/common

# A small dataset: small FOLDER [OPTION ...].
small() {
    local folder=$1
    shift
    a2b-synth --n-songs 3 --n-subjects 2 --min-s 3 --max-s 4 --rate-hz 8000 \
        -o "$folder" "$@"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# Every file is where PMEmo2019 has it, and none other.
@test "layout" {
    small d
    run -0 bash -c 'cd d && find . -type f | LC_ALL=C sort'
    [ "$output" = "./EDA/1_EDA.csv
./EDA/2_EDA.csv
./EDA/3_EDA.csv
./chorus/1.wav
./chorus/2.wav
./chorus/3.wav
./metadata.csv
./planted.json" ]
    [ "$(head -n 1 d/metadata.csv)" = \
        "musicId,fileName,title,artist,album,duration,chorus_start_time,chorus_end_time" ]
    grep -Eq '^2,2\.wav,[^,]*,[^,]*,,[34]\.[0-9]{2},00:00,00:0[34]$' \
        d/metadata.csv
    head -n 1 d/EDA/1_EDA.csv | grep -Eq '^time\(s\),[0-9]{6},[0-9]{6}$'
    sed -n 2,3p d/EDA/1_EDA.csv | cut -d, -f1 | grep -qx '0.00'
    sed -n 2,3p d/EDA/1_EDA.csv | cut -d, -f1 | grep -qx '0.02'
    [ "$(head -c 4 d/chorus/1.wav)" = RIFF ]
    [ ! -e .d.tmp0 ]
}

# planted.json names every recording and holds no path.
@test "planted.json" {
    small d
    run -0 grep -c '"pmemo2019/[1-3]/1000[0-9][0-9]":0\.' d/planted.json
    [ "$output" = 6 ]
    run -1 grep -q "$BATS_TEST_TMPDIR" d/metadata.csv d/planted.json
}

# Same options, same bytes: twice, with threads, over an empty folder.
@test "same bytes every time" {
    mkdir b
    small a -j 1
    small b/ -j 2
    diff -r a b
    small c --seed 43
    run -1 diff -rq a c
}

# A subject hears several songs.
@test "listeners come from a pool" {
    small d --n-pool 2
    run -0 bash -c 'head -qn 1 d/EDA/*.csv | tr "," "\n" | sort -u | wc -l'
    [ "$output" = 3 ] # time(s) and two subjects
    run -2 --separate-stderr small e --n-pool 1
    stderr_has "pool of 1 subjects cannot give 2 listeners"
}

# With --null the songs stay and the optimum is 0.
@test "null mode" {
    small d
    small n --null
    cmp d/chorus/1.wav n/chorus/1.wav
    run -1 cmp -s d/EDA/1_EDA.csv n/EDA/1_EDA.csv
    grep -q '"null":true' n/planted.json
    run -0 grep -c '"pmemo2019/[1-3]/1000[0-9][0-9]":0,*$' n/planted.json
    [ "$output" = 6 ]
}

# A folder of sound files becomes clips of one length.
@test "real songs" {
    small d
    mkdir -p songs/folder
    cp d/chorus/1.wav "songs/an, air.wav"
    cp d/chorus/2.wav songs/b.wav
    echo hidden > songs/.hidden
    small r --songs songs --clip-s 2
    [ "$(ls r/chorus)" = "an, air-1.wav
b-1.wav" ]
    grep -qF '"an, air-1","an, air-1.wav","an, air",' r/metadata.csv
    # 2 s of 8 kHz, 16 bits, and the header
    [ "$(wc -c < r/chorus/b-1.wav)" = 32044 ]
    [ "$(wc -l < r/EDA/b-1_EDA.csv)" = 101 ]
    grep -q '"pmemo2019/an, air-1/1000' r/planted.json
}

# What a folder of songs can have wrong with it.
@test "bad songs" {
    small d
    mkdir songs
    run -65 --separate-stderr small r --songs songs
    stderr_has "no files"
    echo "no sound" > songs/a.txt
    cp d/chorus/1.wav songs/b.wav
    run -65 --separate-stderr small r --songs songs --clip-s 2
    stderr_has "a.txt"
    run -0 --separate-stderr small r --songs songs --clip-s 2 -k 1
    stderr_has "left out"
    rm songs/a.txt
    cp d/chorus/1.wav songs/b.b.wav
    cp d/chorus/1.wav songs/b.flac
    run -65 --separate-stderr small s --songs songs --clip-s 2
    stderr_has "two files of one name"
    rm songs/b.flac
    run -65 --separate-stderr small s --songs songs --clip-s 30
    stderr_has "no file is as long as a clip"
    run -66 --separate-stderr small s --songs nowhere
    stderr_has "nowhere"
    [ ! -e s ] && [ ! -e .s.tmp0 ]
}

# Nothing is ever written into what is there already.
@test "refusals" {
    small d
    run -2 --separate-stderr small d
    stderr_has "this one has files"
    run -2 --separate-stderr small d/metadata.csv
    stderr_has "got a file"
    run -66 --separate-stderr small no/such/folder
    run -2 --separate-stderr a2b-synth
    stderr_has "no -o"
    run -2 --separate-stderr small e --layout hku956
    stderr_has "hku956 can be read but not written"
    run -2 --separate-stderr small e --layout other
    run -2 --separate-stderr small e --min-s 10
    stderr_has "longer than the longest"
    run -2 --separate-stderr small e --n-songs 1 --null
    run -2 --separate-stderr small e operand
    stderr_has "unexpected operand"
    [ ! -e e ]
}

# Real music, mp3 in stereo: 30 s clips that know what came before them.
# bats test_tags=slow
@test "real music" {
    music=/usr/share/games/asc/music
    [ -d "$music" ] || skip "asc-music is not installed"
    a2b-synth --songs "$music" --clip-s 30 -o cold
    a2b-synth --songs "$music" --clip-s 30 --preroll-s 20 -o warm
    [ "$(find warm/chorus -name '*.wav' | wc -l)" = 33 ]
    [ "$(wc -l < warm/EDA/frontiers-2_EDA.csv)" = 1501 ]
    jq -e '.summary.mean > 0.85' warm/planted.json
    # From second 1 to 6 a response to loud music rises from nothing, but
    # not if it has been under way for long.
    rise() { awk -F, 'NR == 52 { a = $2 } NR == 302 { print $2 - a }' "$1"; }
    cold=$(rise cold/EDA/frontiers-2_EDA.csv)
    warm=$(rise warm/EDA/frontiers-2_EDA.csv)
    jq -en "$cold > 1 and ($warm | fabs) < $cold / 3"
}

# A signal ends it with the signal's status and leaves nothing.
@test "signals" {
    a2b-synth --n-songs 2000 -o d 3>&- &
    pid=$!
    until [ -e .d.tmp0/chorus/1.wav ]; do sleep 0.02; done
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    [ "$status" = 143 ]
    [ ! -e d ] && [ ! -e .d.tmp0 ]
}

# What every program has.
@test "help, version and usage errors" {
    a2b-synth --help | grep -q "^usage: a2b-synth "
    a2b-synth --version | grep -q "^a2b-synth (a2b) "
    run -2 --separate-stderr a2b-synth --no-such-option
    stderr_has "unknown option --no-such-option"
}
