#!/usr/bin/env bats
# a2b-index - datasets become manifests: sorted, split, whole or failed.

load helpers/common
load helpers/contract

# A small PMEmo2019: 20 songs, three subjects each.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir -p P/chorus P/EDA
    echo 'musicId,fileName,title' >P/metadata.csv
    for ((i = 1; i <= 20; i++)); do
        echo "$i,$i.mp3,\"a, \"\"b\"\"\"" >>P/metadata.csv
        echo "sound $i" >P/chorus/$i.mp3
        printf 'time(s),100001,100002,1000%02d\n0.00,1,2,3\n' $((i + 2)) \
            >P/EDA/${i}_EDA.csv
    done
}

# Help, version and usage errors as everywhere.
@test "index: help and usage errors" {
    contract_help a2b-index
    for bad in '--split dev' '--split-by year' '--shard 1' '--shard 3/3' \
        '--shard -1/3' '--shard 0/0' '--shard a/b' 'P P' '-k x'; do
        # shellcheck disable=SC2086 # options in words
        run -2 --separate-stderr a2b-index $bad P
        jq -e '.["a2b.status"] == "error" and .["a2b.exit"] == 2' \
            <<<"$output" >/dev/null
    done
}

# The line the contract shows, keys in its order, unknown values left out.
@test "index: a line has every key in order" {
    a2b-index P >list
    [ "$(sed -n 2p list)" = '{"dataset":"pmemo2019","recording":"pmemo2019/1/100002","subject":"100002","song":"1","split":"train","audio":"P/chorus/1.mp3","eda":"P/EDA/1_EDA.csv","eda_column":"100002","eda_rate_hz":50}' ]
    [ "$(wc -l <list)" -eq 60 ]
}

# Byte order of ids; nothing depends on threads or on the run.
@test "index: sorted by bytes, same bytes every time" {
    a2b-index P >one
    a2b-index -j 1 P >two
    a2b-index -j 7 -o three P
    cmp one two
    cmp one three
    jq -r .recording one | LC_ALL=C sort -c
    [ -z "$(find . -name '*.tmp.*')" ]
}

# The root's spelling is kept, so that lines work where the root did.
@test "index: a root may be a folder, a URI, have a slash or blanks" {
    a2b-index P/ | jq -r .audio | grep -qx P/chorus/1.mp3
    a2b-index "$PWD/P" | jq -r .eda | grep -qx "$PWD/P/EDA/1_EDA.csv"
    mv P 'a b'
    a2b-index 'a b' | jq -r .audio | grep -qx 'a b/chorus/1.mp3'
    a2b-index "file://$PWD/a%20b" | jq -r .audio |
        grep -qx "file://$PWD/a%20b/chorus/1.mp3"
    cd 'a b'
    a2b-index . | jq -r .audio | grep -qx ./chorus/1.mp3
}

# The splits are disjoint, whole, and keep songs together.
@test "index: the three splits make the whole, no song in two" {
    a2b-index P >all
    for split in train val test; do
        a2b-index --split $split P >$split
        jq -e --arg s $split '.split == $s' $split >/dev/null
        jq -r .song $split | sort -u >$split.songs
    done
    sort train val test | cmp - <(sort all)
    [ -z "$(cat ./*.songs | sort | uniq -d)" ]
    a2b-index --split all P | cmp - all
}

# u of song 1 with seed 42 is 0.01586 (tests/golden/split.txt).
@test "index: ratios and seed come from the config" {
    song1() {
        a2b-index "$@" P | jq -r 'select(.song == "1") | .split' | sort -u
    }
    [ "$(song1)" = train ]
    [ "$(song1 --set \
        'datasets.pmemo2019.split_ratios=[0.0158, 0.1, 0.8842]')" = val ]
    [ "$(song1 --set \
        'datasets.pmemo2019.split_ratios=[0.0159, 0.1, 0.8841]')" = train ]
    a2b-index P >a
    a2b-index --set datasets.pmemo2019.seed=43 P >b
    run ! cmp -s a b
}

# Other groups leak, and say so; the option wins over the config.
@test "index: other groups warn of leakage" {
    for group in subject recording index; do
        run -0 --separate-stderr a2b-index --split-by $group P
        stderr_has "warning: split by $group:"
        stderr_has leak
    done
    run -0 --separate-stderr a2b-index -q --split-by index P
    [ -z "$stderr" ]
    jq -s -e '[.[].split] == [range(48) | "train"] + [range(6) | "val"] +
        [range(6) | "test"]' <<<"$output" >/dev/null
    a2b-index --split-by subject P 2>/dev/null | jq -r '.subject + .split' |
        sort -u | cut -c 1-6 | uniq -d >twice
    [ ! -s twice ]
    run -0 --separate-stderr a2b-index \
        --set datasets.pmemo2019.split_by=index --split-by song P
    [ -z "$stderr" ]
    [ "$output" = "$(a2b-index P)" ]
}

# Shards are disjoint, whole, and keep songs together.
@test "index: shards make the whole" {
    a2b-index P >all
    for i in 0 1 2; do
        a2b-index --shard $i/3 P >part$i
        [ -s part$i ]
        jq -r .song part$i | sort -u >part$i.songs
    done
    sort part? | cmp - <(sort all)
    [ -z "$(cat part?.songs | sort | uniq -d)" ]
    a2b-index --shard 0/1 P | cmp - all
}

# A job for every shard ends well, though there are more shards than songs.
@test "index: a shard may be empty" {
    a2b-index P >all
    for i in {0..19}; do
        a2b-index -q --shard "$i/20" P >part$i
    done
    empty=$(find . -name 'part*' -empty | head -n 1)
    [ -n "$empty" ]
    run -0 --separate-stderr a2b-index --shard "${empty#./part}/20" P
    stderr_has "shard ${empty#./part}/20 has no recording"
    cat part* | sort | cmp - <(sort all)
}

# An empty split must not look like a small one.
@test "index: an empty split is a failure with the counts" {
    run -1 --separate-stderr a2b-index --split val \
        --set 'datasets.pmemo2019.split_ratios=[1.0, 0.0, 0.0]' P
    stderr_has "split val"
    stderr_has "train 60, val 0, test 0"
    [ "$(jq -r '.["a2b.exit"]' <<<"$output")" = 1 ]
    run -1 --separate-stderr a2b-index -o list --split test \
        --set 'datasets.pmemo2019.split_ratios=[1.0, 0.0, 0.0]' P
    [ -z "$output" ]
    [ ! -e list ]
    [ -z "$(find . -name '*.tmp.*')" ]
}

# Songs and recordings without partner are named, and --strict refuses.
@test "index: what lacks its partner is left out and named" {
    rm P/EDA/7_EDA.csv P/chorus/8.mp3
    printf 'time(s),1\n' >P/EDA/99_EDA.csv
    run -0 --separate-stderr a2b-index -q P
    [ "${#lines[@]}" -eq 54 ]
    stderr_has "song 7: no EDA file"
    stderr_has "song 8: no audio file"
    stderr_has "song 99: no such song"
    stderr_has "3 songs or EDA files without partner left out"
    run -1 --separate-stderr a2b-index --strict P
    stderr_has "song 99: no such song"
    [ "${#lines[@]}" -eq 1 ]
    [ "$(jq -r '.["a2b.exit"]' <<<"$output")" = 1 ]
}

# A bad item stops the program unless -k allows it.
@test "index: a damaged header is a bad item" {
    printf '0.00,1,2\n' >P/EDA/3_EDA.csv
    run -65 --separate-stderr a2b-index P
    stderr_has "P/EDA/3_EDA.csv: line 1"
    [ "$(jq -r '.["a2b.exit"]' <<<"${lines[-1]}")" = 65 ]
    run -0 --separate-stderr a2b-index -k 1 P
    [ "${#lines[@]}" -eq 57 ]
    stderr_has "left out: P/EDA/3_EDA.csv"
}

# Names from metadata.csv stay inside.
@test "index: names may not leave the dataset" {
    for name in ../../x.mp3 /etc/passwd file:///etc/passwd s3://b/x.mp3; do
        printf 'musicId,fileName\n1,%s\n' "$name" >P/metadata.csv
        run -65 --separate-stderr a2b-index P
        stderr_has "P/metadata.csv: line 2"
    done
    printf 'musicId,fileName\n../x,x.mp3\n' >P/metadata.csv
    run -65 --separate-stderr a2b-index P
}

# Without ROOT the config says what is listed.
@test "index: without a root the config names the datasets" {
    cat >c.yml <<'YML'
data:
  train_datasets: [pmemo2019]
  val_datasets: [pmemo2019, mine]
datasets:
  pmemo2019:
    root: P
  mine:
    root: mine.jsonl
YML
    echo '{"dataset":"mine","recording":"mine/a","song":"a"}' >mine.jsonl
    a2b-index -c c.yml --split train >train
    a2b-index --split train P | cmp - train
    a2b-index -c c.yml >all
    { echo '{"dataset":"mine","recording":"mine/a","song":"a","split":"train"}'
        a2b-index P; } | cmp - all
    a2b-index -c c.yml --dataset pmemo2019 | cmp - <(a2b-index P)
    run -2 --separate-stderr a2b-index -c c.yml --split test
    stderr_has "data.test_datasets"
    run -2 --separate-stderr a2b-index
    stderr_has "no root"
    run -2 --separate-stderr a2b-index --dataset other
    stderr_has "datasets.other.root"
}

# A manifest is a dataset too: splits it has stay, others are filled in.
@test "index: a manifest as root keeps its splits" {
    a2b-index P >whole
    jq -c 'del(.split)' whole | shuf --random-source=whole >bare.jsonl
    a2b-index bare.jsonl | cmp - whole
    a2b-index - <bare.jsonl | cmp - whole
    jq -c '.split = "test"' whole >given.jsonl
    a2b-index given.jsonl | cmp - given.jsonl
    run -1 --separate-stderr a2b-index --split train given.jsonl
    printf '%s\n' '{"dataset":"z","recording":"z/1","song":"1","note":[1]}' \
        '{"dataset":"y","recording":"y/1","song":"1","split":"val"}' >mix
    a2b-index --dataset z mix >z
    [ "$(cat z)" = '{"dataset":"z","recording":"z/1","song":"1","split":"train","note":[1]}' ]
    a2b-index --set 'datasets.z.split_ratios=[0.0, 0.0, 1.0]' \
        --split test mix | jq -r .recording | grep -qx z/1
}

# Manifests that cannot be trusted are refused.
@test "index: a bad manifest is 65 with its line" {
    printf '{"dataset":"z","recording":"z/1","song":"1"}\n{"x":1}\n' >bad
    run -65 --separate-stderr a2b-index bad
    stderr_has "bad: line 2: key \"dataset\" is missing"
    printf '{"dataset":"z","recording":"z/1","song":"1"}' >bad
    run -65 --separate-stderr a2b-index bad
    stderr_has "line 1: cut off"
    : >bad
    run -65 --separate-stderr a2b-index bad
    printf '{"dataset":"z","recording":"z/1","song":"%s"}\n' 1 2 >bad
    run -65 --separate-stderr a2b-index bad
    stderr_has "z/1 is there twice"
    a2b-index P >twice
    a2b-index P >>twice
    run -0 --separate-stderr a2b-index twice
    [ "$output" = "$(a2b-index P)" ]
    stderr_has "60 repeated lines left out"
    echo '{"a2b.status":"error","a2b.exit":75,"a2b.message":"a2b-index: x"}' \
        >bad
    run -75 --separate-stderr a2b-index bad
    [ "$output" = "$(cat bad)" ]
}

# What is no dataset, or none that this build lists.
@test "index: roots that cannot be listed" {
    run -66 --separate-stderr a2b-index none
    mkdir empty
    run -66 --separate-stderr a2b-index empty
    stderr_has "metadata.csv"
    stderr_has "2. original_song_audio.csv"
    mkdir H
    touch 'H/2. original_song_audio.csv'
    run -65 --separate-stderr a2b-index H
    stderr_has "no column \"song_id\""
    run -66 --separate-stderr a2b-index --dataset hku956 P
    run -2 --separate-stderr a2b-index --dataset other P
    run -2 --separate-stderr a2b-index s3:///PMEmo2019/
    stderr_has "s3:///PMEmo2019/: no bucket"
    run -2 --separate-stderr a2b-index gopher://host/PMEmo2019/
    stderr_has "gopher://host/PMEmo2019/: want a file"
    rm -r P/EDA
    run -66 --separate-stderr a2b-index P
}

# A small HKU956 beside P: 12 songs, three participants, one replay.
hku() {
    local p i
    mkdir -p H/audio
    echo song_id,link >'H/2. original_song_audio.csv'
    echo participant_id,song_no,song_id,play_duration >'H/3. AV_ratings.csv'
    for ((i = 1; i <= 12; i++)); do
        echo "$i,audio/$i.mp3" >>'H/2. original_song_audio.csv'
        echo "sound $i" >H/audio/$i.mp3
    done
    for p in hku1 hku2 hku3; do
        mkdir -p "H/1. physiological_signals/$p/EDA"
        for ((i = 1; i <= 12; i++)); do
            play $p $((i - 1)) $i
        done
    done
    play hku2 12 5
}

# One play of one second: play PARTICIPANT SONG_NO SONG.
play() {
    printf '0.2\n0.25\n0.3\n0.2\n' \
        >"H/1. physiological_signals/$1/EDA/$2_$3.csv"
    echo "$1,$2,$3,1" >>'H/3. AV_ratings.csv'
}

# HKU956 is told by its table; replays are recordings of their own.
@test "index: HKU956, with links, replays and another spelling" {
    hku
    a2b-index H >list
    [ "$(wc -l <list)" -eq 37 ]
    [ "$(grep -c '"hku956/5/hku2/' list)" -eq 2 ]
    [ "$(sed -n 1p list)" = '{"dataset":"hku956","recording":"hku956/1/hku1/0","subject":"hku1","song":"1","split":"train","audio":"H/audio/1.mp3","eda":"H/1. physiological_signals/hku1/EDA/0_1.csv","eda_rate_hz":4}' ]
    jq -r .recording list | LC_ALL=C sort -c
    jq -r '.song + " " + .split' list | sort -u | cut -d' ' -f1 | uniq -d >two
    [ ! -s two ]
    mv 'H/1. physiological_signals' 'H/1. physiological signals'
    a2b-index -j 7 H | sed 's/1. physiological signals/1. physiological_signals/' |
        cmp - list
    a2b-index --set datasets.hku956.data_directories.eda='1. physiological signals' \
        --set 'datasets.hku956.metadata_paths=[2. original_song_audio.csv]' \
        --dataset hku956 H | wc -l | grep -qx 37
}

# Remote links pass as they are; what is behind them is a2b-fetch's to find.
@test "index: HKU956's links to other places" {
    hku
    sed -i -e 's#^1,.*#1,http://example.org/data/1.mp3#' \
        -e 's#^2,.*#2,"s3://other-bucket/a, b+c.mp3"#' H/2*.csv
    rm H/audio/[12].mp3
    a2b-index H >list
    [ "$(wc -l <list)" -eq 37 ]
    [ "$(jq -r 'select(.song == "1").audio' list | sort -u)" = \
        http://example.org/data/1.mp3 ]
    [ "$(jq -r 'select(.song == "2").audio' list | sort -u)" = \
        's3://other-bucket/a, b+c.mp3' ]
    for link in ../1.mp3 /etc/passwd file:///etc/passwd; do
        sed -i "s#^1,.*#1,$link#" H/2*.csv
        run -65 --separate-stderr a2b-index H
        stderr_has "2. original_song_audio.csv: line 2"
    done
}

# A dead link is known before anything is fetched, and -k passes it.
@test "index: HKU956's dead link is named with its recordings" {
    hku
    rm H/audio/5.mp3
    run -66 --separate-stderr a2b-index H
    stderr_has "H/audio/5.mp3"
    stderr_has "hku956/5/hku1/4, hku956/5/hku2/12, hku956/5/hku2/4, hku956/5/hku3/4"
    [ "$(jq -r '.["a2b.exit"]' <<<"${lines[-1]}")" = 66 ]
    run -0 --separate-stderr a2b-index -k 1 H
    [ "${#lines[@]}" -eq 33 ]
    stderr_has "left out: H/audio/5.mp3"
    rm H/audio/6.mp3
    run -66 --separate-stderr a2b-index -k 1 H
}

# Songs without link or EDA are named, and --strict refuses.
@test "index: HKU956 without partner" {
    hku
    sed -i 's#^3,.*#3,#' H/2*.csv
    echo 44,audio/44.mp3 >>'H/2. original_song_audio.csv'
    rm H/1*/hku1/EDA/0_1.csv
    run -0 --separate-stderr a2b-index H
    [ "${#lines[@]}" -eq 33 ]
    stderr_has "song 3: no link, but an EDA file"
    stderr_has "song 44: no EDA file"
    stderr_has "recording hku956/1/hku1/0: it was rated, but has no EDA file"
    stderr_has "3 songs or EDA files without partner left out"
    run -1 --separate-stderr a2b-index --strict H
}

# Both datasets in one manifest, from the config's roots; splits are their own.
@test "index: two datasets from one config" {
    hku
    cat >c.yml <<'YML'
data:
  train_datasets: [hku956, pmemo2019]
  val_datasets: [hku956]
  test_datasets: [pmemo2019]
datasets:
  hku956: {root: H, seed: 2, split_ratios: [0.5, 0.25, 0.25]}
  pmemo2019: {root: P}
YML
    { a2b-index --set datasets.hku956.seed=2 \
        --set 'datasets.hku956.split_ratios=[0.5, 0.25, 0.25]' H
        a2b-index P; } >each
    a2b-index -c c.yml | cmp - each
    a2b-index -c c.yml --split train |
        cmp - <(jq -c 'select(.split == "train")' each)
    a2b-index -c c.yml --split val |
        cmp - <(jq -c 'select(.split == "val" and .dataset == "hku956")' each)
    a2b-index -c c.yml --split test | cmp - \
        <(jq -c 'select(.split == "test" and .dataset == "pmemo2019")' each)
    a2b-index -c c.yml --dataset hku956 | wc -l | grep -qx 37
    for i in 0 1; do a2b-index -c c.yml --shard $i/2; done | LC_ALL=C sort |
        cmp - <(LC_ALL=C sort each)
    mv H away
    run -66 --separate-stderr a2b-index -c c.yml
}

# Output errors are not success.
@test "index: a full disk is 74" {
    run -74 --separate-stderr bash -c 'a2b-index P >/dev/full'
}
