#!/bin/bash
# mlflow.sh - copies a run of a2b-train to an MLflow server.
#
#   MLFLOW_TRACKING_URI=http://localhost:5000 pipelines/mlflow.sh RUN \
#       [EXPERIMENT]
#
# Makes a run in the experiment (experiment_name of the run's config, if none
# is named; made if it is not there) with the config's keys as parameters and
# every number of metrics.jsonl as a metric, `train/loss', `val/mse', ... at
# its step, and prints the id of the new run. Needs curl and jq.
set -euo pipefail

run=${1:?usage: mlflow.sh RUN [EXPERIMENT]}
api=${MLFLOW_TRACKING_URI:?want the address of the server}/api/2.0/mlflow

# Calls the server with a JSON body, prints its answer: call PATH BODY.
call() {
    local answer
    answer=$(curl -sS --fail-with-body -H 'Content-Type: application/json' \
        --data-binary @- "$api/$1" <<<"$2") || {
        echo "mlflow.sh: $1: $answer" >&2
        return 1
    }
    printf '%s\n' "$answer"
}

# The config's keys, a line of path, tab and value each.
params() {
    awk '
        /^ *[A-Za-z0-9_]+:/ {
            match($0, /^ */)
            depth = RLENGTH / 2
            name = $1
            sub(/:$/, "", name)
            path[depth] = (depth ? path[depth - 1] "." : "") name
            value = $0
            sub(/^[^:]*: */, "", value)
            sub(/ +# .*$/, "", value)
            if (value != "" && value !~ /^#/)
                print path[depth] "\t" value
        }' "$run/config.yml"
}

experiment=${2:-$(params | sed -n 's/^experiment_name\t//p')}
name=$(jq -n --arg n "$experiment" '{name: $n}')
id=$(curl -sS -G --data-urlencode "experiment_name=$experiment" \
    "$api/experiments/get-by-name" | jq -r '.experiment.experiment_id // ""')
[ -n "$id" ] || id=$(call experiments/create "$name" | jq -r .experiment_id)

start=$(date -r "$run/config.yml" +%s000)
end=$(date -r "$run/metrics.jsonl" +%s000)
run_id=$(call runs/create "$(jq -n --arg e "$id" --arg n \
    "$(basename "$run")" --argjson t "$start" \
    '{experiment_id: $e, run_name: $n, start_time: $t}')" |
    jq -r .run.info.run_id)

bodies=$(mktemp)
trap 'rm -f "$bodies"' EXIT

# Bodies of log-batch, a line each: 100 parameters, then 1000 metrics at most.
params | jq -cRn --arg id "$run_id" '
    [inputs | split("\t") | {key: .[0], value: .[1][:6000]}] |
    range(0; length; 100) as $i | {run_id: $id, params: .[$i:$i + 100]}' \
    >"$bodies"
jq -cn --arg id "$run_id" --argjson t "$end" '
    [inputs | . as $row | to_entries[] |
        select((.value | type) == "number" and .key != "step" and
            .key != "epoch") |
        {key: "\($row.split)/\(.key)", value, step: $row.step,
            timestamp: $t}] |
    range(0; length; 1000) as $i | {run_id: $id, metrics: .[$i:$i + 1000]}' \
    "$run/metrics.jsonl" >>"$bodies"
while read -r body; do
    call runs/log-batch "$body" >/dev/null
done <"$bodies"
call runs/update "$(jq -n --arg id "$run_id" --argjson t "$end" \
    '{run_id: $id, status: "FINISHED", end_time: $t}')" >/dev/null
echo "$run_id"
