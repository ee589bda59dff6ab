#!/usr/bin/env bats
# a2b-batch - joining streams, the order of epochs, what it refuses.
#
# Its inputs come from `test_pairs feed`, which writes feature frames.

load helpers/common
load helpers/contract

# Ten recordings of four songs in two datasets, song before signal.
linear=(mfcc:a/1,T=30 eda:a/1/x,T=30 eda:a/1/y,T=28 mfcc:a/2,T=50
    eda:a/2/x,T=50 eda:a/2/y,T=50 eda:a/2/z,T=50 mfcc:a/3,T=41
    eda:a/3/x,T=41 eda:a/3/y,T=41 mfcc:b/1,T=35 eda:b/1/x,T=35
    eda:b/1/y,T=35 eda:b/1/z,T=35)

# Writes a stream of these frames.
feed() {
    "$A2B_BUILD/unit/test_pairs" feed "$@"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    feed "${linear[@]}" >all.a2b
}

# The frames of one kind out of the list above.
only() {
    printf '%s\n' "${linear[@]}" | grep "^$1:"
}

# The bytes of a stream's batch frames from an epoch on.
batches_from() {
    local from
    from=$(a2b-info "$2" | awk -F '\t' -v e="$1" \
        '$4 == "batch" && $5 + 0 >= e { print $2; exit }')
    tail -c +$((from + 1)) "$2" | head -c "$(a2b-info "$2" | awk -F '\t' \
        -v e="$1" '$4 == "batch" && $5 + 0 >= e { n += $3 } END { print n }')"
}

# The rules all stream programs share.
@test "contract" {
    feed mfcc:a/1,T=2,C=1 eda:a/1/x,T=2 >small.a2b
    contract a2b-batch small.a2b --epochs 2
}

# A dataset frame first, then as many batches as it announces.
@test "writes a dataset frame and all batches" {
    a2b-batch --epochs 3 --set data.batch_size=4 all.a2b >out.a2b
    a2b-info --json out.a2b >out.json
    [ "$(jq -r 'select(.kind == "dataset").metadata.batches' out.json)" = \
        "[3,3,3]" ]
    [ "$(jq -r 'select(.frame == 0).kind' out.json)" = dataset ]
    jq -r 'select(.kind == "batch").metadata.key' out.json >keys
    diff keys <(printf '%s\n' {0..2}/{0..2})
    # every recording once an epoch
    for e in 0 1 2; do
        jq -r "select(.metadata.epoch == \"$e\").metadata.recordings |
            fromjson | .[]" out.json | sort >got
        diff got <(only eda | sed 's/eda://; s/,.*//' | sort)
    done
}

# Two branches, one pipe, any order of operands: the same bytes.
@test "branches joined equal the linear pipe, in any order" {
    mapfile -t songs < <(only mfcc)
    mapfile -t signals < <(only eda | shuf --random-source=all.a2b)
    feed "${songs[@]}" >mfcc.a2b
    feed "${signals[@]}" >eda.a2b
    a2b-batch --epochs 2 all.a2b >want
    a2b-batch --epochs 2 mfcc.a2b eda.a2b >got
    cmp want got
    a2b-batch --epochs 2 eda.a2b mfcc.a2b >got
    cmp want got
    cat eda.a2b mfcc.a2b | a2b-batch --epochs 2 >got
    cmp want got
}

# A song twice, as two fetches in one file give it, is one song.
@test "equal duplicates count once, unequal ones are refused" {
    a2b-batch --epochs 2 all.a2b >want
    a2b-batch --epochs 2 all.a2b all.a2b >got
    cmp want got
    feed mfcc:a/1,T=30,seed=9 >other.a2b
    run -65 --separate-stderr a2b-batch all.a2b other.a2b
    stderr_has "key a/1"
}

# Resuming saves the reading, not the bits.
@test "--start-epoch gives the tail of the whole" {
    a2b-batch --epochs 4 --set data.batch_size=3 all.a2b >whole
    a2b-batch --epochs 4 --set data.batch_size=3 --start-epoch 2 all.a2b >late
    [ "$(a2b-info late | awk -F '\t' 'NR == 2 { print $5 }')" = 2/0 ]
    cmp <(batches_from 2 whole) <(batches_from 2 late)
    cmp -n "$(a2b-info whole | awk -F '\t' '{ print $3; exit }')" whole late
    a2b-batch --epochs 4 --start-epoch 4 all.a2b | a2b-info - >none
    [ "$(grep -c batch none)" -eq 0 ]
    run -2 --separate-stderr a2b-batch --epochs 4 --start-epoch 5 all.a2b
}

# The text of --dry-run is the order of the stream.
@test "--dry-run prints the order" {
    a2b-batch --epochs 2 --set data.batch_size=3 --dry-run all.a2b >order
    a2b-batch --epochs 2 --set data.batch_size=3 all.a2b >out.a2b
    a2b-info --json out.a2b | jq -r 'select(.kind == "batch").metadata |
        .epoch + "\t" + .batch + "\t" + (.recordings | fromjson | .[])' >want
    diff order want
    a2b-batch --epochs 2 --set data.batch_size=3 --dry-run -o file all.a2b
    diff file want
}

# Options win over --set, wherever they stand.
@test "options win over --set" {
    a2b-batch --dry-run --epochs 2 --seed 5 --pool 1 all.a2b >want
    a2b-batch --dry-run --seed 5 --pool 1 --epochs 2 --set seed=9 \
        --set train.max_epochs=7 --set data.pool=3 all.a2b >got
    diff want got
    a2b-batch --dry-run --epochs 2 --seed 6 --pool 1 all.a2b >other
    run ! diff want other
    run -2 --separate-stderr a2b-batch --pool 0 all.a2b
    stderr_has "--pool"
}

# A batch of whole songs shares their rows.
@test "--group-by-song keeps songs together" {
    a2b-batch --epochs 3 --group-by-song --dry-run \
        --set data.batch_size=2 all.a2b >order
    awk -F '\t' '{ sub("/[^/]*$", "", $3); k = $1 " " $3
        if (seen[k] != "" && seen[k] != $2) exit 1; seen[k] = $2 }' order
    [ "$(wc -l <order)" -eq 30 ]
    a2b-batch --epochs 3 --group-by-song --set data.batch_size=2 all.a2b \
        >out.a2b
    a2b-info --json out.a2b | jq -r 'select(.kind == "dataset").metadata |
        .batches | fromjson | .[]' >announced
    cut -f 1,2 order | sort -u | cut -f 1 | uniq -c |
        awk '{ print $1 }' >counts
    diff counts announced
}

# Windows: every frame once, the order listed with its first frames, keys of
# the config and options alike.
@test "--window and --hop cut recordings into windows" {
    a2b-batch --epochs 1 --window 20 --dry-run all.a2b >order
    # 30 and 28, 50, 41 and 35 frames make 2, 3, 3 and 2 windows
    [ "$(wc -l <order)" -eq $((2 * 2 + 3 * 3 + 2 * 3 + 3 * 2)) ]
    [ "$(awk -F '\t' '$3 == "a/2/x" { print $4 }' order | sort -n | xargs)" = \
        "0 20 40" ]
    a2b-batch --epochs 1 --dry-run all.a2b \
        --set 'data={window: 20, hop: 10}' >half
    [ "$(awk -F '\t' '$3 == "a/2/x" { print $4 }' half | sort -n | xargs)" = \
        "0 10 20 30" ]
    a2b-batch --epochs 1 --dry-run all.a2b --window 20 --hop 10 | diff half -
    a2b-batch --epochs 1 --window 20 --set data.batch_size=4 all.a2b >w.a2b
    a2b-info --json w.a2b >w.json
    jq -se '[.[] | select(.kind == "batch") | .tensors.x.shape[1] <= 20 and
        (.metadata.starts | fromjson | length) == .tensors.x.shape[0]] |
        length > 5 and all' w.json
    [ "$(jq -r 'select(.kind == "dataset").metadata.window' w.json)" = 20 ]
    # another fingerprint: a run on windows goes on with these windows only
    a2b-batch --epochs 1 --window 20 --hop 10 all.a2b | a2b-info --json - |
        jq -r 'select(.kind == "dataset").metadata.fingerprint' >other
    run ! grep -qFf other w.json
    run -2 --separate-stderr a2b-batch --hop 10 all.a2b
    stderr_has "--hop goes with --window"
    run -2 --separate-stderr a2b-batch --window 10 --hop 11 all.a2b
    stderr_has "--hop 11 is longer than the window"
}

# A window that is as long as the longest song changes nothing but names.
@test "--window as long as the songs is no cut" {
    a2b-batch --epochs 2 --dry-run all.a2b >want
    a2b-batch --epochs 2 --window 50 --dry-run all.a2b | cut -f 1-3 | diff want -
    a2b-batch --epochs 2 --window 50 --group-by-song --dry-run all.a2b |
        cut -f 1-3 >grouped
    a2b-batch --epochs 2 --group-by-song --dry-run all.a2b | diff grouped -
}

# Weights shift the draws, not their number.
@test "sampling weights give shares" {
    mapfile -t named < <(printf '%s\n' "${linear[@]}" |
        sed 's#:a/#:hku956/#; s#:b/#:pmemo2019/#')
    feed "${named[@]}" >named.a2b
    a2b-batch --epochs 2 --dry-run named.a2b \
        --set 'data.sampling_weights={hku956: 1, pmemo2019: 4}' >order
    [ "$(wc -l <order)" -eq 20 ]
    [ "$(grep -c pmemo2019/ order)" -eq 16 ]
    run -2 --separate-stderr a2b-batch named.a2b \
        --set 'data.sampling_weights={hku956: 1}'
    stderr_has "no weight for dataset pmemo2019"
}

# A recording without song, or without a valid frame, needs -k.
@test "bad pairs stop, or are left out under -k" {
    feed "${linear[@]}" eda:a/9/x eda:a/1/q,T=30,hole=30 >bad.a2b
    run -65 --separate-stderr a2b-batch bad.a2b
    stderr_has "(key a/1/q)"
    run -65 --separate-stderr a2b-batch -k 1 bad.a2b
    a2b-batch -k 2 --epochs 1 bad.a2b >got 2>said
    grep -q "no mfcc frame with key a/9" said
    grep -q "no valid frame" said
    a2b-info got | grep -q "2 left out"
    a2b-batch --epochs 1 all.a2b >want
    cmp <(batches_from 0 want) <(batches_from 0 got)
}

# What was left out or looks odd is said once.
@test "songs without recordings and skewed pairs are counted" {
    feed "${linear[@]}" mfcc:a/7 eda:a/3/z,T=200 >odd.a2b
    a2b-batch --epochs 1 odd.a2b 2>said >/dev/null
    grep -q "left out 1 song without recordings" said
    grep -q "1 of 11 recordings end over 2 s" said
    a2b-batch -q --epochs 1 --max-skew 60 odd.a2b 2>said >/dev/null
    grep -q "left out 1 song" said
    run ! grep -q recordings\ end said
}

# -v sums up, otherwise there is silence.
@test "-v prints a summary" {
    a2b-batch --epochs 2 all.a2b 2>said >/dev/null
    [ ! -s said ]
    a2b-batch -v --epochs 2 --pool 1 all.a2b 2>said >/dev/null
    grep -qE '10 recordings, 4 songs, 2 batches in 2 epochs, [0-9.]+ % pad' \
        said
}

# Bytes that no stage converted.
@test "a missing stage is named" {
    feed "${linear[@]}" audio:a/1 eda_csv:a/1/x >done.a2b
    a2b-batch --epochs 1 done.a2b >/dev/null
    feed eda:a/1/x audio:a/1 >no_mfcc.a2b
    run -65 --separate-stderr a2b-batch no_mfcc.a2b
    stderr_has "add a2b-mfcc"
    feed mfcc:a/1 eda:a/1/x eda_csv:a/1/y >no_eda.a2b
    run -65 --separate-stderr a2b-batch no_eda.a2b
    stderr_has "add a2b-eda"
}

# Frames that were made with different settings do not mix.
@test "settings and grids that differ are refused" {
    feed "${linear[@]}" mfcc:a/8,audio_n_mels=20 >mels.a2b
    run -65 --separate-stderr a2b-batch mels.a2b
    stderr_has "features.audio_n_mels is 20, but 64 in mels.a2b: frame 0"
    feed mfcc:a/1 eda:a/1/x,rate_num=4 >grid.a2b
    run -65 --separate-stderr a2b-batch grid.a2b
    stderr_has "4/1 frames a second, but 10/1"
    feed "${linear[@]}" mfcc:a/8,C=13 >c.a2b
    run -65 --separate-stderr a2b-batch c.a2b
    stderr_has "13 coefficients, but 40"
}

# No features, no batches; an upstream failure keeps its status.
@test "inputs without features are refused" {
    feed >empty.a2b
    run -65 --separate-stderr a2b-batch empty.a2b
    stderr_has "neither mfcc nor eda"
    run -66 --separate-stderr a2b-batch missing.a2b
    run -66 pipe 'a2b-batch missing.a2b 2>/dev/null | a2b-batch'
    echo text >file.txt
    run -65 --separate-stderr a2b-batch file.txt
}

# A cut input gives not one batch.
@test "nothing is written before the input proved complete" {
    head -c -64 all.a2b >cut.a2b
    a2b-batch --epochs 1 cut.a2b >out 2>/dev/null && false
    run ! grep -qa '"epoch"' out
}

# The spool has no name, so nothing stays behind.
@test "the spool leaves nothing behind" {
    mkdir spool
    a2b-batch --epochs 1 --spool spool all.a2b >/dev/null
    [ -z "$(ls spool)" ]
    TMPDIR=/nowhere a2b-batch --epochs 1 --spool spool all.a2b >/dev/null
    TMPDIR=/nowhere run -66 --separate-stderr a2b-batch all.a2b
    stderr_has "/nowhere"
}

# A spool that does not fit: the folder and the way out are named, and not one
# byte of a batch is written. A file size limit stands for the disk.
@test "a full spool is 74 and names the folder" {
    mkdir spool
    run -74 --separate-stderr bash -o pipefail -c 'trap "" XFSZ; ulimit -f 8
        a2b-batch --spool spool all.a2b | wc -c'
    stderr_has "spool: spool file of "
    stderr_has "--spool or TMPDIR name another folder"
    [ "$output" -lt 1000 ]
}

# A pipe gives what files give, from wherever it comes.
@test "pipes, named pipes and files give the same bytes" {
    a2b-batch --epochs 2 all.a2b >want
    cat all.a2b | a2b-batch --epochs 2 | cmp want
    mkfifo pipe
    cat all.a2b >pipe 3>&- &
    a2b-batch --epochs 2 pipe | cmp want
    wait
    # a slow writer, a byte at a time at first
    { dd if=all.a2b bs=1 count=300 status=none
        tail -c +301 all.a2b; } | a2b-batch --epochs 2 | cmp want
}

# A scheduler's USR1 is for a2b-train; a2b-batch must live on.
@test "SIGUSR1 is ignored" {
    mkfifo pipe
    a2b-batch --epochs 1 pipe >out.a2b 3>&- &
    pid=$!
    exec 4>pipe
    kill -USR1 "$pid"
    cat all.a2b >&4
    exec 4>&-
    wait "$pid"
    is_ok_stream out.a2b
}
