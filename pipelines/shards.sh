#!/bin/bash
# shards.sh - features of one split on many processors: the manifest is cut by
# song into shards, GNU parallel runs a pipeline for each, and since streams
# can be concatenated `cat` puts the results together.
set -euo pipefail

usage="usage: shards.sh [-h] config split n output [root]
  config  YAML file of the experiment
  split   train, val, test or all
  n       shards; as many run at a time as there are processors, or as
          PARALLEL='-j 3' says, or on the machines PARALLEL='-S a,b' names
  output  stream of features
  root    root of one dataset: a folder, file:// or s3:// [those in config]

Shards that are whole are kept in output.shards/ until all are, so a second
call makes only what is missing.
Environment: A2B_CACHE, a folder where remote objects are kept.

Exit status: 0 done; 2 bad usage; else the number of shards that failed, 101
for more: what the programs said stands above on stderr."

case ${1-} in
-h | --help)
    echo "$usage"
    exit 0
    ;;
esac
if [[ $# -lt 4 || $# -gt 5 || $1 == -* || ! $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "shards.sh: want config, split, number, output" \
        "(try shards.sh --help)" >&2
    exit 2
fi

# Makes shard $1 of $2, unless it is there. A shard without a song has an
# empty manifest and no features.
shard() {
    set -euo pipefail
    local config=$3 split=$4 output=$5.a2b manifest=$5.jsonl cache=()
    [[ -z ${A2B_CACHE-} ]] || cache=(--cache "$A2B_CACHE")
    [[ ! -e $output ]] || return 0
    a2b-index -q -c "$config" --split "$split" --shard "$1/$2" \
        -o "$manifest" "${@:6}"
    [[ -s $manifest ]] || return 0
    a2b-fetch -c "$config" -j 1 "${cache[@]}" < "$manifest" |
        a2b-mfcc -c "$config" -j 1 |
        a2b-eda -c "$config" -j 1 -o "$output"
}
export -f shard

config=$1 split=$2 n=$3 output=$4 parts=$4.shards
mkdir -p "$parts"
seq 0 $((n - 1)) | SHELL=$BASH parallel --halt never \
    shard {} "$n" "$config" "$split" "$parts/{}-of-$n" "${@:5}"

for ((i = 0; i < n; i++)); do
    [[ ! -e $parts/$i-of-$n.a2b ]] || cat "$parts/$i-of-$n.a2b"
done > "$output.tmp.$$"
mv "$output.tmp.$$" "$output"
rm -r "$parts"
