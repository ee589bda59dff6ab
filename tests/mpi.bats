#!/usr/bin/env bats
# mpi - a2b-train in several processes: the same run bit for bit, and an end
# that all of them share.

load helpers/common

# A tiny experiment: 15 recordings of 5 songs in batches of 5, 4 epochs.
setup() {
    command -v mpirun >/dev/null || skip "mpirun is not installed"
    [ -s "$A2B_BUILD/mpi" ] && [ -n "$(cat "$A2B_BUILD/mpi")" ] ||
        skip "a2b-train was built without MPI"
    cd "$BATS_TEST_TMPDIR"
    tiny_experiment 5 4 'metrics: {val_check_interval: 0.5}' >c.yml
    "$A2B_BUILD/helpers/trainset" 0 5 3 40 3 >features.a2b
    "$A2B_BUILD/helpers/trainset" 20 3 2 40 3 >val.a2b
    a2b-batch -q -c c.yml features.a2b >b.a2b
    # Root may, two cores are enough for four, and nothing leaves the machine.
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl=self,vader
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
    export OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_btl_tcp_if_include=lo
    export OMPI_MCA_orte_tmpdir_base=$BATS_TEST_TMPDIR
    # what MPI itself leaves behind is not ours
    export ASAN_OPTIONS=detect_leaks=0
}

# Leaves a producer that still waits.
teardown() {
    exec 7>&- || true
}

# Two runs left the same, but for what computed them: same RUN OTHER.
same() {
    diff -r -x software.json "$1" "$2"
}

# a2b-train of the experiment: run1 RUN [OPTION ...] in one process.
run1() {
    local run=$1
    shift
    a2b-train -q -j 1 -c c.yml --val val.a2b -o "$run" "$@"
}

# The same in N processes: runs N RUN [OPTION ...].
runs() {
    local n=$1 run=$2
    shift 2
    timeout 60 mpirun -n "$n" a2b-train -q -j 1 -c c.yml --val val.a2b \
        -o "$run" "$@"
}

# The first bytes of a stream from a producer that then says nothing more:
# stall FILE BYTES; reads as ./pipe until `exec 7>&-`.
stall() {
    rm -f pipe
    mkfifo pipe
    exec 7<>pipe
    head -c "$2" "$1" >&7
}

# Byte in the middle of batch N of b.a2b, counted from 0.
inside() {
    a2b-info --json b.a2b |
        jq "select(.frame == $1 + 1) | .offset + 100"
}

# Waits until a file has a line: wait_for FILE TEXT.
wait_for() {
    local i
    for ((i = 0; i < 500; i++)); do
        grep -qs "$2" "$1" && return 0
        sleep 0.02
    done
    echo "$1 never had $2"
    return 1
}

# The process of one rank of an mpirun: rank_of PID RANK.
rank_of() {
    local p
    for p in $(pgrep -P "$1"); do
        if tr '\0' '\n' <"/proc/$p/environ" |
            grep -qx "OMPI_COMM_WORLD_RANK=$2"; then
            echo "$p"
        fi
    done
}

# Starts N processes on the first two batches of a stream that then stalls;
# $launcher is mpirun: begin N RUN.
begin() {
    stall b.a2b "$(inside 2)"
    mpirun -n "$1" a2b-train -q -j 1 -c c.yml --val val.a2b -o "$2" \
        <pipe >out 2>err 3>&- 7>&- &
    launcher=$!
    wait_for "$2/metrics.jsonl" '"step":2,'
}

# Waits for $launcher; its status is in $got, and it took under 10 seconds.
end() {
    local start=$SECONDS
    got=0
    wait "$launcher" || got=$?
    [ $((SECONDS - start)) -lt 10 ]
}

# Weights, moments, state, every logged number and every kept folder.
@test "1, 2, 3 and 4 processes leave the same run" {
    local n
    run1 whole <b.a2b
    for n in 1 2 3 4; do
        run -0 --separate-stderr runs "$n" "run$n" -j $((n % 3 + 1)) <b.a2b
        [ "$output" = "run$n/$(readlink whole/best)" ]
        [ -z "$stderr" ]
        same whole "run$n"
    done
}

# A pipe, a stream whose rows do not divide, and more processes than rows.
@test "any number of processes, through a pipe" {
    run1 whole <b.a2b
    a2b-batch -q -c c.yml features.a2b | runs 7 run7
    same whole run7
}

# Effective batches of several batches, averages, metrics of training.
# bats test_tags=slow
@test "accumulation, averages and training metrics do not depend on processes" {
    local n
    local set=(--set train.accumulate_grad_batches=3
        --set optimizer.ema_decay=0.8
        --set 'metrics.train_metrics=[loss, pearson, mae]')
    run1 whole "${set[@]}" <b.a2b
    for n in 2 3; do
        runs "$n" "run$n" "${set[@]}" <b.a2b
        same whole "run$n"
    done
    run1 few --overfit-batches 2 --set train.accumulate_grad_batches=2 <b.a2b
    runs 3 few3 --overfit-batches 2 --set train.accumulate_grad_batches=2 \
        <b.a2b
    same few few3
}

# Between machines messages go over TCP.
# bats test_tags=slow
@test "over TCP, too" {
    run1 whole <b.a2b
    OMPI_MCA_btl=self,tcp runs 3 run3 <b.a2b
    same whole run3
}

# Stopped in any number of processes, resumed in any other.
@test "--resume in another number of processes is bit for bit one run" {
    run1 whole <b.a2b
    runs 3 run --max-steps 2 <b.a2b
    run1 run --resume --max-steps 5 <b.a2b
    runs 4 run --resume --max-steps 7 <b.a2b
    a2b-batch -q -c c.yml --start-epoch 2 features.a2b |
        runs 2 run --resume
    same whole run
    # over: nothing left to do
    run -0 runs 2 run --resume <b.a2b
    same whole run
}

# A signal that one process gets, or mpirun passes on, stops all after the
# same step.
# bats test_tags=slow
@test "signals stop all processes after one step, with a checkpoint" {
    local who signal want
    run1 whole <b.a2b
    for who in USR1:75 TERM:75 INT:130; do
        signal=${who%:*} want=${who#*:}
        begin 3 "$signal"
        if [ "$signal" = USR1 ]; then
            kill -USR1 "$launcher"
        else
            kill -"$signal" "$(rank_of "$launcher" 0)"
        fi
        end
        exec 7>&-
        [ "$got" -eq "$want" ]
        grep -q "stopped by SIG$signal after step 2" err
        [ "$(grep -c "stopped by" err)" -eq 1 ]
        [ "$(readlink "$signal/last")" = step-00000002 ]
        runs 2 "$signal" --resume <b.a2b
        same whole "$signal"
    done
}

# A signal that only another rank than the reading one gets.
# bats test_tags=slow
@test "a signal to one rank alone reaches all" {
    local n
    sed -i 's/max_epochs: 4/max_epochs: 2000/' c.yml
    mkfifo pipe
    a2b-batch -q -c c.yml features.a2b >pipe 3>&- &
    n=$!
    mpirun -n 3 a2b-train -q -j 1 -c c.yml -o run <pipe >out 2>err 3>&- &
    launcher=$!
    wait_for run/metrics.jsonl '"step":2,'
    kill -TERM "$(rank_of "$launcher" 2)"
    end
    wait "$n" || true
    [ "$got" -eq 75 ]
    grep -q "stopped by SIGTERM after step" err
    [ -e run/last/DONE ]
}

# The time limit is one decision.
# bats test_tags=slow
@test "--max-time exits 75 in all processes" {
    stall b.a2b "$(inside 2)"
    run -75 --separate-stderr runs 3 run --max-time 1s <pipe 7>&-
    stderr_has "stopped by --max-time after step 2"
    [ "$(readlink run/last)" = step-00000002 ]
}

# Input that is cut ends all with what was learnt.
@test "a cut stream is 65 in all processes, with a checkpoint" {
    head -c "$(inside 2)" b.a2b >cut.a2b
    run -65 --separate-stderr runs 3 run <cut.a2b
    stderr_has "cut off"
    [ "$(grep -c '^a2b-train:' <<<"$stderr")" -eq 1 ]
    [ "$(readlink run/last)" = step-00000002 ]
    [ ! -e run/finished.json ]
    # without any frame
    run -65 --separate-stderr runs 2 none </dev/null
    [ ! -e none ]
}

# What ends a run of one process ends one of several: said once.
# bats test_tags=slow
@test "errors are said once, with their status" {
    run -2 --separate-stderr runs 3 run --set seed=43 <b.a2b
    stderr_has "a2b-train: seed is 43, but the batch stream was made with 42"
    [ "$(grep -c '^a2b-train:' <<<"$stderr")" -eq 1 ]
    run -66 --separate-stderr runs 3 run --val nowhere <b.a2b
    stderr_has "a2b-train: nowhere: "
    [ ! -e run ]
    run1 run --max-steps 1 <b.a2b
    run -2 --separate-stderr runs 2 run <b.a2b
    stderr_has "run has checkpoints"
    run -1 --separate-stderr runs 3 bad --set train.nan_policy=skip \
        --set train.nan_limit=2 --set optimizer.name=sgd \
        --set optimizer.gradient_clip_val=0 --set optimizer.scheduler=constant \
        --set optimizer.learning_rate=1000 <b.a2b
    [[ $stderr == *"first bad in network.0.conv1.weight, first bad song "* ]]
    stderr_has "2 steps were skipped before (train.nan_limit)"
    [ "$(grep -c '^a2b-train: ' <<<"$stderr")" -eq 1 ]
}

# The recording a gradient went bad in is named by whoever had it.
@test "nan_policy names the same song as one process" {
    local set=(--set train.nan_policy=stop --set optimizer.name=sgd
        --set optimizer.gradient_clip_val=0
        --set optimizer.scheduler=constant
        --set optimizer.learning_rate=1000)
    run -1 --separate-stderr run1 one "${set[@]}" <b.a2b
    one=$(grep '^a2b-train: step .* first bad song ' <<<"$stderr")
    run -1 --separate-stderr runs 4 four "${set[@]}" <b.a2b
    [ "$(grep '^a2b-train: step' <<<"$stderr")" = "$one" ]
}

# Recordings of --val that cannot be used are named and counted once.
# bats test_tags=slow
@test "-k counts bad validation recordings once" {
    {
        echo "time(s),7"
        for ((i = 0; i < 300; i++)); do
            echo "$((i / 50)).$((i % 50 * 2 + 100)),2.$((i % 7))"
        done | sed 's/\.1/./'
    } >9_EDA.csv
    a2b-eda -q -c c.yml --set features.audio_n_mfcc=3 9_EDA.csv >lone.a2b
    run -65 --separate-stderr runs 3 run --val lone.a2b <b.a2b
    [ "$(grep -c '^a2b-train: ' <<<"$stderr")" -eq 1 ]
    run -0 --separate-stderr runs 3 run --val lone.a2b -k 1 <b.a2b
    [ "$(grep -c 'left out: ' <<<"$stderr")" -eq 1 ]
    run1 whole <b.a2b
    cmp whole/last/model.safetensors run/last/model.safetensors
}

# Each of the ranks killed: mpirun says so, nobody waits for ever.
# bats test_tags=slow
@test "a dead process ends the job with a message" {
    local rank
    run1 whole <b.a2b
    for rank in 0 1 2; do
        begin 3 "run$rank"
        kill -KILL "$(rank_of "$launcher" "$rank")"
        end
        exec 7>&-
        [ "$got" -ne 0 ]
        grep -q "process rank $rank .* exited on signal 9" err
        runs 2 "run$rank" --resume <b.a2b
        same whole "run$rank"
    done
}

# One process alone cannot go on: it says so, and all end.
# bats test_tags=slow
@test "an error in one process ends the job with its message and status" {
    local one=(a2b-train -q -j 1 -c c.yml --val val.a2b -o run)
    # before they know of one another
    run -66 --separate-stderr timeout 20 mpirun -n 2 "${one[@]}" : \
        -n 1 a2b-train -c nowhere.yml -o run <b.a2b
    stderr_has "a2b-train: nowhere.yml: "
    # to do something else than the others
    run -2 --separate-stderr timeout 20 mpirun -n 2 "${one[@]}" : \
        -n 1 "${one[@]}" --set optimizer.learning_rate=0.02 <b.a2b
    stderr_has "a2b-train: process 2 of 3 ("
    stderr_has "version, config or options are not those of process 0"
    # while the others read the validation data
    run -66 --separate-stderr timeout 20 mpirun -n 2 "${one[@]}" : \
        -n 1 env TMPDIR=/nowhere "${one[@]}" <b.a2b
    stderr_has "a2b-train: process 2 of 3 ("
    stderr_has "/nowhere: spool file"
    [ ! -e run ]
}

# Rank 0 alone writes: a folder that cannot be made.
# bats test_tags=slow
@test "a run folder that cannot be made ends all" {
    touch file
    run ! runs 2 file/run <b.a2b
}

# Another MPI's launcher starts processes that do not find one another.
@test "a launcher of another MPI is noticed" {
    run -2 --separate-stderr env PMI_RANK=1 PMI_SIZE=2 \
        a2b-train -q -c c.yml -o run b.a2b
    stderr_has "the launcher started 2 processes, but MPI sees 1"
    [ ! -e run ]
}

# A process that neither works nor dies is named; nothing is lost.
# bats test_tags=slow
@test "a process that does not come is named" {
    run1 whole <b.a2b
    mkfifo pipe
    exec 7<>pipe
    mpirun -n 3 a2b-train -j 1 -c c.yml --val val.a2b -o run \
        <pipe >out 2>err 3>&- 7>&- &
    launcher=$!
    head -c "$(inside 2)" b.a2b >&7
    wait_for run/metrics.jsonl '"step":2,'
    frozen=$(rank_of "$launcher" 2)
    kill -STOP "$frozen"
    tail -c "+$(($(inside 2) + 1))" b.a2b >&7
    exec 7>&-
    for ((i = 0; i < 30; i++)); do
        grep -q "step 3: process 2 of 3 has not come for 20 s" err && break
        sleep 1
    done
    kill -CONT "$frozen"
    end
    grep "step 3: process 2 of 3 has not come for 20 s" err
    [ "$got" -eq 0 ]
    same whole run
}

# Said at the start, in one voice.
@test "the banner says how many processes there are" {
    run -0 --separate-stderr mpirun -n 2 a2b-train -j 1 -c c.yml \
        -o run --max-steps 1 <b.a2b
    [ "$(grep -c 'in each of 2 processes' <<<"$stderr")" -eq 1 ]
    [ "$(grep -c 'receptive field' <<<"$stderr")" -eq 1 ]
    [[ $stderr != *"nothing to do"* ]]
    run -0 --separate-stderr mpirun -n 6 a2b-train -j 1 -c c.yml -o six \
        --dry-run <b.a2b
    stderr_has "6 processes share steps of at most 5 songs: some have nothing"
}

# A program that was built without MPI does not train N times over.
# bats test_tags=slow
@test "without MPI, mpirun is refused" {
    mkdir build
    cp -a "$A2B_BUILD/lib" "$A2B_BUILD/tools" build/
    make -s -C "$A2B_ROOT" BUILD="$PWD/build" MPI= \
        "$PWD/build/bin/a2b-train" >/dev/null 2>&1
    PATH=$PWD/build/bin:$PATH
    # as mpirun says it to a process
    run -2 --separate-stderr env OMPI_COMM_WORLD_SIZE=2 \
        OMPI_COMM_WORLD_RANK=0 a2b-train -j 1 -c c.yml -o run b.a2b
    stderr_has "it was built without MPI: install libopenmpi-dev"
    [ ! -e run ]
    run1 alone <b.a2b
    runs 1 one <b.a2b
    same alone one
}

# Windows and averages are cut and summed alike, and all processes go back
# together behind a damaged checkpoint.
@test "windows, swa_start and a damaged checkpoint with any number" {
    local f
    a2b-batch -q -c c.yml --window 16 --hop 8 features.a2b >w.a2b
    run1 whole --set optimizer.swa_start=0.5 w.a2b
    runs 3 run --set optimizer.swa_start=0.5 --max-steps 26 w.a2b
    truncate -s -1 run/last/optimizer.safetensors
    timeout 60 mpirun -n 2 a2b-train -j 1 -c c.yml --val val.a2b -o run \
        --set optimizer.swa_start=0.5 --resume w.a2b 2>said
    grep -q "run/step-00000026/optimizer.safetensors.*going back to" said
    for f in model raw optimizer; do
        cmp "whole/last/$f.safetensors" "run/last/$f.safetensors"
    done
    cmp whole/metrics.jsonl run/metrics.jsonl
    cmp whole/finished.json run/finished.json
}
