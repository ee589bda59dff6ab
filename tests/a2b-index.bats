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
    mkdir H
    touch 'H/2. original_song_audio.csv'
    run -1 --separate-stderr a2b-index H
    stderr_has "layout hku956"
    run -1 --separate-stderr a2b-index --dataset hku956 P
    run -2 --separate-stderr a2b-index --dataset other P
    run -2 --separate-stderr a2b-index s3:///PMEmo2019/
    stderr_has "s3:///PMEmo2019/: no bucket"
    run -2 --separate-stderr a2b-index gopher://host/PMEmo2019/
    stderr_has "gopher://host/PMEmo2019/: want a file"
    rm -r P/EDA
    run -66 --separate-stderr a2b-index P
}

# Output errors are not success.
@test "index: a full disk is 74" {
    run -74 --separate-stderr bash -c 'a2b-index P >/dev/full'
}
