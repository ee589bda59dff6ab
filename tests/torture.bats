#!/usr/bin/env bats
# torture - a pipeline that is killed more than a hundred times, anywhere, and
# run again each time, ends as one that nobody touched.

load helpers/common

# bats file_tags=slow

# Kills that the test wants, and those of them inside a checkpoint's write.
want_kills=100
want_torn=5

# 12 recordings of 6 songs, 3 batches of 4, 800 epochs of 3 steps, a
# checkpoint every second step and a validation every third.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    cat >c.yml <<'YML'
model:
  architecture: tcn
  params: {input_size: 3, output_size: 1, num_blocks: 3, num_channels: 12,
           kernel_size: 3, dropout: 0.1}
optimizer: {name: adamw, learning_rate: 0.005, scheduler: cosine,
            ema_decay: 0.9}
data: {batch_size: 4}
metrics: {early_stopping: false}
logging: {log_every_n_steps: 1}
checkpoint: {save_every_n_steps: 2, save_top_k: 2}
train: {max_epochs: 800}
YML
    "$A2B_BUILD/helpers/trainset" 0 6 2 40 3 >features.a2b
    "$A2B_BUILD/helpers/trainset" 20 2 2 40 3 >val.a2b
}

# The whole pipeline, always the same words but for -j: pipeline RUN JOBS.
# Leaves the process of a2b-train in train.pid.
pipeline() {
    a2b-batch -q -c c.yml features.a2b | (
        echo "$BASHPID" >train.pid
        exec a2b-train -q -j "$2" -c c.yml --val val.a2b -o "$1" --resume
    )
}

# Bytes of the log.
log_size() {
    stat -c %s run/metrics.jsonl 2>/dev/null || echo 0
}

# One run of the pipeline that is killed a moment after it has done some
# steps: attempt JOBS BYTES DELAY; returns 1 if it ended by itself.
attempt() {
    local end=$(($(log_size) + $2)) i
    rm -f train.pid
    pipeline run "$1" >/dev/null 2>>err 3>&- &
    for ((i = 0; i < 400; i++)); do
        [ "$(log_size)" -lt "$end" ] || break
        kill -0 $! 2>/dev/null || break
        sleep 0.005
    done
    sleep "$3"
    kill -KILL "$(cat train.pid)" 2>/dev/null || return 1
    wait $! || return 0
    return 1
}

# The moments are random, but the same in every run of the test: a generator
# with a seed of its own.
@test "a hundred SIGKILLs leave no trace" {
    local kills=0 torn=0 tries=0 f
    pipeline whole 2
    RANDOM=20261
    while [ "$kills" -lt $((want_kills + 10)) ] && [ "$tries" -lt 300 ]; do
        tries=$((tries + 1))
        if attempt $((RANDOM % 3 + 1)) $((RANDOM % 400)) \
            "0.0$((RANDOM % 250 + 100))"; then
            kills=$((kills + 1))
            [ -z "$(find run -maxdepth 1 -name '.tmp-step-*')" ] ||
                torn=$((torn + 1))
        fi
        [ ! -e run/finished.json ] || break
    done
    echo "# $kills kills, $torn of them inside a checkpoint's write," \
        "$(jq .step run/last/trainer.json) steps done" >&3
    [ "$kills" -ge "$want_kills" ]
    [ "$torn" -ge "$want_torn" ]
    pipeline run 1
    for f in model raw optimizer; do
        cmp "whole/last/$f.safetensors" "run/last/$f.safetensors"
        cmp "whole/best/$f.safetensors" "run/best/$f.safetensors"
    done
    for f in last/trainer.json metrics.jsonl metrics.csv \
        events.out.tfevents.a2b finished.json; do
        cmp "whole/$f" "run/$f"
    done
    [ -z "$(find run -name '.tmp*')" ]
    diff <(ls whole) <(ls run)
}
