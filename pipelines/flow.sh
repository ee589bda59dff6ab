#!/bin/bash
# flow.sh - the whole flow as plain pipes, without Make: from S3 to a model,
# its scores and a page about them. Read it, copy it, change it.
set -euo pipefail

usage="usage: flow.sh [-h] config [run [root]]
  config  YAML file of the experiment: configs/example1.yml is HKU956,
          example3.yml HKU956 and PMEmo2019 together
  run     folder for everything that is made [runs/<name of config>]
  root    root of one dataset: a folder, file:// or s3:// [those in config]

What is there already is not made again, and training goes on where it was
interrupted; a changed config is not noticed: train.sh does that.
Environment: A2B_CACHE, a folder where remote objects are kept.

Exit status: that of the first program that failed; 2 for bad usage."

case ${1-} in
-h | --help)
    echo "$usage"
    exit 0
    ;;
esac
if [[ $# -lt 1 || $# -gt 3 || $1 == -* ]]; then
    echo "flow.sh: want a config, a folder, a root (try flow.sh --help)" >&2
    exit 2
fi
config=$1
name=$(basename "$config")
run=${2:-runs/${name%.*}}
root=("${@:3}")
cache=()
[[ -z ${A2B_CACHE-} ]] || cache=(--cache "$A2B_CACHE")
mkdir -p "$run"

# Features, computed once: a file that is there is whole, since the programs
# write beside it and rename.
for split in train val test; do
    [[ -e $run/$split.a2b ]] ||
        a2b-index -c "$config" --split "$split" "${root[@]}" |
        a2b-fetch -c "$config" "${cache[@]}" |
            a2b-mfcc -c "$config" |
            a2b-eda -c "$config" -o "$run/$split.a2b"
done

# A second call finds a finished run and leaves it alone.
a2b-batch -c "$config" "$run/train.a2b" |
    a2b-train -c "$config" --val "$run/val.a2b" -o "$run/model" --resume

# Scores beside baselines, for people on standard output.
a2b-eval -m "$run/model/best" --train "$run/train.a2b" \
    --report "$run/eval.html" "$run/test.a2b"
