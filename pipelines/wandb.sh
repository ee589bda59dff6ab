#!/bin/bash
# wandb.sh - shows a run of a2b-train in Weights & Biases.
#
#   pipelines/wandb.sh RUN [OPTION of wandb sync ...]
#
# Uploads the run's TensorBoard events with `wandb sync`, under the project,
# entity and name that logging.wandb_project, wandb_entity and wandb_run_name
# of its config gave. Needs the wandb program and its login; a2b-train itself
# never goes to the network. WANDB names another program, `echo' to look.
set -euo pipefail

run=${1:?usage: wandb.sh RUN [option ...]}
shift

# The value of a key of the config's logging section, "" for null: key NAME.
key() {
    sed -n '/^logging:/,/^[^ ]/s/^  '"$1"': \(.*[^ ]\)  *# .*$/\1/p' \
        "$run/config.yml" | sed 's/^null$//; s/^"\(.*\)"$/\1/'
}

project=$(key wandb_project)
entity=$(key wandb_entity)
name=$(key wandb_run_name)
exec "${WANDB:-wandb}" sync ${project:+--project "$project"} \
    ${entity:+--entity "$entity"} ${name:+--id "$name"} "$@" "$run"
