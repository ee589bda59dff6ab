#!/usr/bin/env bats
# slurm - the job scripts of pipelines/, on a Slurm of this one machine.
# bats file_tags=slow

load helpers/common

# Where the daemons' files are.
setup_file() {
    local p
    for p in slurmctld slurmd munged sbatch; do
        if ! command -v "$p" >/dev/null; then
            export A2B_NO_SLURM="$p is not installed"
            return 0
        fi
    done
    "$A2B_ROOT/tests/helpers/slurm" start "$BATS_FILE_TMPDIR/slurm"
    # shellcheck disable=SC1091 # written by the line above
    . "$BATS_FILE_TMPDIR/slurm/env"
}

# Ends them.
teardown_file() {
    "$A2B_ROOT/tests/helpers/slurm" stop "$BATS_FILE_TMPDIR/slurm"
}

# A tiny experiment, and what Open MPI needs on a test machine.
setup() {
    [ -z "${A2B_NO_SLURM-}" ] || skip "$A2B_NO_SLURM"
    cd "$BATS_TEST_TMPDIR"
    tiny_experiment 5 4 >c.yml
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_btl=self,vader OMPI_MCA_oob_tcp_if_include=lo
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
}

# Two runs left the same, but for what computed them: same RUN OTHER.
same() {
    diff -r -x software.json "$1" "$2"
}

# Jobs of several processes need MPI.
need_mpi() {
    command -v mpirun >/dev/null || skip "mpirun is not installed"
    [ -n "$(cat "$A2B_BUILD/mpi")" ] || skip "built without MPI"
    "$A2B_BUILD/helpers/trainset" 0 5 3 40 3 >features.a2b
    "$A2B_BUILD/helpers/trainset" 20 3 2 40 3 >val.a2b
    a2b-batch -q -c c.yml features.a2b |
        a2b-train -q -j 1 -c c.yml --val val.a2b -o whole
}

# The field of a job: field JOB NAME.
field() {
    scontrol show job "$1" | grep -o "\b$2=[^ ]*" | head -n 1
}

# Waits until a job has a state, 100 seconds at most: reaches JOB STATE ...
reaches() {
    local job=$1 i
    shift
    for ((i = 0; i < 500; i++)); do
        case " $* " in
        *" $(field "$job" JobState | cut -d= -f2) "*) return 0 ;;
        esac
        sleep 0.2
    done
    scontrol show job "$job"
    cat ./*.out
    return 1
}

# The producer dribbles in the first round, so the job cannot end before its
# time is nearly up; Slurm's own signal then sends it back into the queue.
@test "train.sbatch requeues itself before its time is up, bit for bit" {
    local job n
    need_mpi
    a2b-batch -q -c c.yml features.a2b >b.a2b
    # two batches, and the beginning of the third
    n=$(a2b-info --json b.a2b | jq 'select(.frame == 3) | .offset + 100')
    mkdir bin
    cat >bin/a2b-batch <<END
#!/bin/bash
if mkdir "$PWD/once" 2>/dev/null; then
    head -c $n "$PWD/b.a2b"
    while sleep 1; do printf x; done
fi
exec "$A2B_BUILD/bin/a2b-batch" "\$@"
END
    chmod +x bin/a2b-batch
    PATH=$PWD/bin:$PATH
    job=$(sbatch --parsable -n 2 -c 1 -t 1 --signal=B:USR1@45 -o job.out \
        "$A2B_ROOT/pipelines/train.sbatch" c.yml features.a2b val.a2b run -q)
    reaches "$job" RUNNING
    reaches "$job" PENDING
    grep -q "stopped by SIGUSR1 after step 2" job.out
    grep -q "at step-00000002, back into the queue" job.out
    [ "$(field "$job" Restarts)" = Restarts=1 ]
    # Slurm lets requeued jobs wait for two minutes; we only until the node is
    # rid of the first round
    for ((n = 0; n < 100; n++)); do
        [ "$(sinfo -h -o %t)" = idle ] && break
        sleep 0.2
    done
    sleep 2
    scontrol update "JobId=$job" StartTime=now
    reaches "$job" COMPLETED
    same whole run
}

# What trying again does not cure.
@test "train.sbatch gives up on errors" {
    local job
    need_mpi
    mkdir features
    head -c 5000 features.a2b >features/cut.a2b
    job=$(sbatch --parsable -n 2 -c 1 -t 1 -o job.out \
        "$A2B_ROOT/pipelines/train.sbatch" c.yml features val.a2b run)
    reaches "$job" FAILED
    [ "$(field "$job" ExitCode)" = ExitCode=65:0 ]
    [ "$(field "$job" Restarts)" = Restarts=0 ]
    # somebody else is at work there: no progress, no requeue
    mkdir busy
    exec 8<busy
    flock 8
    job=$(sbatch --parsable -n 2 -c 1 -t 1 -o busy.out \
        "$A2B_ROOT/pipelines/train.sbatch" c.yml features.a2b val.a2b busy)
    reaches "$job" FAILED
    exec 8>&-
    [ "$(field "$job" ExitCode)" = ExitCode=75:0 ]
    [ "$(field "$job" Restarts)" = Restarts=0 ]
}

# Slurm's own launcher starts the processes.
@test "srun --mpi=pmix leaves the same run" {
    need_mpi
    srun --mpi=list 2>&1 | grep -q pmix || skip "this Slurm has no PMIx"
    a2b-batch -q -c c.yml features.a2b >b.a2b
    cat >job <<'END'
#!/bin/bash
cat b.a2b | srun --mpi=pmix --input=0 --kill-on-bad-exit a2b-train -q -j 1 \
    -c c.yml --val val.a2b -o run
END
    sbatch --wait -n 2 -t 1 -o job.out job
    same whole run
}

# An array of shards, and the training that waits for it.
@test "features.sbatch makes the features of one pipeline" {
    local job next
    command -v mpirun >/dev/null || skip "mpirun is not installed"
    a2b-synth -q --n-songs 8 --n-subjects 2 --min-s 8 --max-s 12 -o ds
    sed -i 's/input_size: 3/input_size: 40/' c.yml
    job=$(sbatch --parsable --array=0-3 -c 1 -t 2 -o job.%a.out \
        "$A2B_ROOT/pipelines/features.sbatch" c.yml all features "$PWD/ds")
    next=$(sbatch --parsable --dependency="afterok:$job" -n 2 -c 1 -t 2 \
        -o train.out "$A2B_ROOT/pipelines/train.sbatch" c.yml features \
        features run)
    reaches "$next" COMPLETED
    a2b-index -q ds | a2b-fetch | a2b-mfcc -c c.yml | a2b-eda -c c.yml >all.a2b
    cmp <(a2b-batch -q -c c.yml features/*.a2b) <(a2b-batch -q -c c.yml all.a2b)
    [ -e run/finished.json ]
    # nothing is made twice, and a missing shard again
    touch -d '1 hour ago' features/*
    rm "$(find features -name '*.a2b' | sort | head -n 1)"
    sbatch --wait --array=0-3 -c 1 -t 2 -o again.%a.out \
        "$A2B_ROOT/pipelines/features.sbatch" c.yml all features "$PWD/ds"
    [ "$(find features -name '*.a2b' -newer ds/planted.json | wc -l)" -le 1 ]
    cmp <(a2b-batch -q -c c.yml features/*.a2b) <(a2b-batch -q -c c.yml all.a2b)
}

# Called by hand.
@test "job scripts explain themselves" {
    run -2 --separate-stderr "$A2B_ROOT/pipelines/train.sbatch" c.yml
    stderr_has "train.sbatch: want CONFIG TRAIN VAL RUN"
    run -2 --separate-stderr "$A2B_ROOT/pipelines/features.sbatch" c.yml all f
    stderr_has "features.sbatch: want sbatch --array=0-N"
}
