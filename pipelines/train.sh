#!/bin/bash
# train.sh - from the root of a dataset to an evaluated model, in one call:
# a front end to train.mk, which says what is made and where.
set -euo pipefail

usage="usage: train.sh [-h] config [run] [NAME=VALUE ...]
  config      YAML file of the experiment
  run         folder for everything that is made [runs/<name of config>]
  NAME=VALUE  variable of train.mk: ROOT, MANIFEST, SET, CACHE, JOBS, PLOT, BIN

A second call goes on where the first one was interrupted, and does nothing
when all is done.

Exit status: 0 done; 2 for any failure, as make has no other: what the failing
program said, and its own status, stand above on stderr."

case ${1-} in
-h | --help)
    echo "$usage"
    exit 0
    ;;
'' | -* | *=*)
    echo "train.sh: want a config first (try train.sh --help)" >&2
    exit 2
    ;;
esac
config=$1
shift
run=()
if [[ $# -gt 0 && $1 != *=* ]]; then
    run=("RUN=$1")
    shift
fi
for word in "$@"; do
    if [[ ! $word =~ ^[A-Z]+= ]]; then
        echo "train.sh: $word: want NAME=VALUE (try train.sh --help)" >&2
        exit 2
    fi
done
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
exec make --no-print-directory -f "$here/train.mk" "CONFIG=$config" \
    "${run[@]}" "$@"
