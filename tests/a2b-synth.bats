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

# HKU956 has other tables, a file for each play, and no header anywhere.
@test "layout of HKU956" {
    small d --layout hku956 --n-pool 2
    cd d
    [ "$(find . -type f ! -path './1*' | LC_ALL=C sort)" = \
        "./2. original_song_audio.csv
./3. AV_ratings.csv
./audio/1.wav
./audio/2.wav
./audio/3.wav
./planted.json" ]
    [ "$(cat 2*.csv)" = "song_id,link
1,audio/1.wav
2,audio/2.wav
3,audio/3.wav" ]
    [ "$(head -n 1 3*.csv)" = \
        "participant_id,song_no,song_id,valence_rating,valence,arousal_rating,arousal,play_duration" ]
    [ "$(ls 1*)" = "hku1901
hku1902" ]
    [ "$(find 1* -type f | wc -l)" = "$(tail -n +2 3*.csv | wc -l)" ]
    # every file: 4 lines a second, one number each
    while IFS=, read -r who no song _ _ _ _ play_s; do
        file="1. physiological_signals/$who/EDA/${no}_$song.csv"
        [ "$(wc -l <"$file")" = $((4 * play_s)) ]
        run -1 grep -qvE '^-?[0-9]+\.[0-9]{4}$' "$file"
        grep -q "^\"hku956/$song/$who/$no\":0\.[0-9]" planted.json
    done < <(tail -n +2 3*.csv)
    # one play at least is a replay: 3 songs, 2 listeners, over 6 plays
    [ "$(find 1* -type f | wc -l)" -gt 6 ]
    [ "$(find 1*/hku1901 -name '*.csv' | sed 's#.*/##;s/_.*//' | sort -n |
        tr '\n' ' ' | cut -c 1-6)" = "0 1 2 " ]
}

# Plays shorter than their song, and links to another place.
@test "HKU956's short plays and links" {
    a2b-synth --layout hku956 --n-songs 20 --min-s 20 --max-s 20 \
        --rate-hz 8000 --links 's3://b/H U/' -o d
    grep -qx '7,s3://b/H U/audio/7.wav' d/2*.csv
    tail -n +2 d/3*.csv | cut -d, -f8 | sort -n >plays
    [ "$(head -n 1 plays)" -ge 10 ]
    [ "$(tail -n 1 plays)" = 20 ]
    short=$(grep -vcx 20 plays)
    [ "$short" -gt 15 ] && [ "$short" -lt 40 ]
    mkdir songs
    cp d/audio/1.wav 'songs/an air.wav'
    a2b-synth --layout hku956 --songs songs --clip-s 9 --links http://h/HU -o e
    grep -qx 'an air-2,http://h/HU/audio/an%20air-2.wav' e/2*.csv
    [ -e 'e/audio/an air-2.wav' ]
    a2b-synth --layout hku956 -j 1 --n-songs 2 --min-s 2 --max-s 2 -o one
    a2b-synth --layout hku956 -j 3 --n-songs 2 --min-s 2 --max-s 2 -o two
    diff -r one two
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
    run -2 --separate-stderr small e --layout other
    run -2 --separate-stderr small e --links http://h
    stderr_has "links are part of hku956 only"
    for links in h file:///h ../h; do
        run -2 --separate-stderr small e --layout hku956 --links "$links"
        stderr_has "--links: want http://"
    done
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
