#!/usr/bin/env bats
# trackers - the logs of a run in TensorBoard, MLflow and Weights & Biases.
#
# A2B_PYTHON names a Python that may have tensorboard, mlflow and wandb.

load helpers/common

# bats file_tags=slow

# A short run with a validation an epoch, in run/.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    python=${A2B_PYTHON:-/usr/bin/python3}
    cat >c.yml <<'YML'
experiment_name: trackers
model:
  architecture: tcn
  params: {input_size: 3, output_size: 1, num_blocks: 2, num_channels: 6,
           kernel_size: 3, dropout: 0.1}
data: {batch_size: 4}
logging: {log_every_n_steps: 1, wandb_project: p, wandb_run_name: "first"}
train: {max_epochs: 4}
YML
    "$A2B_BUILD/helpers/trainset" 0 6 2 40 3 >features.a2b
    a2b-batch -q -c c.yml features.a2b |
        a2b-train -q -c c.yml --val features.a2b -o run
}

# Stops what a test started.
teardown() {
    [ -z "${server-}" ] || kill "$server" 2>/dev/null || true
}

# TensorBoard's own reader finds every number of metrics.jsonl.
@test "TensorBoard opens the events" {
    "$python" -c 'import tensorboard' 2>/dev/null ||
        skip "$python has no tensorboard"
    cat >read.py <<'PY'
import json
import math
import struct
import sys
from tensorboard.backend.event_processing import event_accumulator
a = event_accumulator.EventAccumulator(
    "run", size_guidance={event_accumulator.SCALARS: 0})
a.Reload()
n = 0
seen = {(tag, e.step): e.value
        for tag in a.Tags()["scalars"] for e in a.Scalars(tag)}
for line in open("run/metrics.jsonl"):
    row = json.loads(line)
    for key, value in row.items():
        if key in ("step", "epoch", "split") or value is None:
            continue
        want = struct.unpack("f", struct.pack("f", value))[0]
        got = [v for (tag, step), v in seen.items() if step == row["step"]
               and row["split"] in tag and tag.split("/")[-1].split("_")[-1]
               == key.split("_")[-1]]
        assert any(math.isclose(g, want, rel_tol=1e-7) for g in got), (
            row, key, sorted(seen)[:9])
        n += 1
print(n, "numbers,", ", ".join(a.Tags()["scalars"]))
PY
    run -0 "$python" read.py
    [[ $output =~ ^[4-9][0-9]\ numbers ]] || [[ $output == 1[0-9][0-9]\ n* ]]
    run -0 "$python" -m tensorboard.main --inspect --logdir run
    [[ $output == *"val/loss"* ]]
}

# A real server on loopback takes the run, and gives its numbers back.
@test "mlflow.sh copies a run" {
    "$python" -c 'import mlflow, flask' 2>/dev/null ||
        skip "$python has no mlflow"
    command -v curl >/dev/null || skip "curl is not installed"
    port=$((20000 + RANDOM % 20000))
    MLFLOW_TRACKING_URI=http://127.0.0.1:$port
    export MLFLOW_TRACKING_URI
    "$python" -m mlflow server --host 127.0.0.1 --port $port --workers 1 \
        --backend-store-uri sqlite:///mlflow.db >server.log 2>&1 3>&- &
    server=$!
    for ((i = 0; i < 300; i++)); do
        curl -sf "$MLFLOW_TRACKING_URI/health" >/dev/null && break
        sleep 0.2
    done
    run -0 --separate-stderr "$A2B_ROOT/pipelines/mlflow.sh" run
    id=$output
    curl -s "$MLFLOW_TRACKING_URI/api/2.0/mlflow/runs/get?run_id=$id" >got
    jq -e --slurpfile want run/metrics.jsonl '.run |
        .info.status == "FINISHED" and
        (.data.params | map(select(.key == "train.max_epochs"))[0].value)
            == "4" and
        (.data.metrics | map(select(.key == "val/loss"))[0].value) ==
            ($want | map(select(.split == "val") | .loss) | last)' got
    # again, into the experiment that is there now
    "$A2B_ROOT/pipelines/mlflow.sh" run other
    "$A2B_ROOT/pipelines/mlflow.sh" run
    kill "$server"
}

# wandb is called with what the config says.
@test "wandb.sh names project and run, and options that wandb has" {
    run -0 --separate-stderr env WANDB=echo "$A2B_ROOT/pipelines/wandb.sh" \
        run --include-synced
    [ "$output" = "sync --project p --id first --include-synced run" ]
    "$python" -c 'import wandb' 2>/dev/null || skip "$python has no wandb"
    "$python" -m wandb sync --help >help
    for option in --project --entity --id; do
        grep -q -- "$option" help
    done
}
