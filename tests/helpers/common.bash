# common - paths and small words every bats file uses: `load helpers/common`.

# Where the repository is, and where its programs were built.
A2B_ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
A2B_BUILD=${A2B_BUILD:-$A2B_ROOT/build}
export A2B_ROOT A2B_BUILD
export PATH="$A2B_BUILD/bin:$PATH"

# Programs behave the same with many threads as with few; tests use few.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
# The helpers' own words are used with `run`, so stderr must be separable.
bats_require_minimum_version 1.5.0

# Runs a pipeline as scripts should: any failing stage fails it.
pipe() {
    bash -eu -o pipefail -c "$1"
}

# Succeeds if the last `run --separate-stderr` said this (fixed text).
stderr_has() {
    # shellcheck disable=SC2154 # bats sets stderr
    [[ $stderr == *"$1"* ]] || {
        printf 'stderr was: %s\nwanted in it: %s\n' "$stderr" "$1"
        return 1
    }
}

# Succeeds where the programs were built with a sanitizer, whose own memory
# counts as theirs.
is_sanitized() {
    ldd "$A2B_BUILD/bin/a2b-info" | grep -q libasan
}

# Succeeds if a file reads as a sound stream that ended with status ok.
is_ok_stream() {
    a2b-info -q "$1" >/dev/null
}

# A mono PCM16 WAV: wav FILE RATE SECONDS HZ [AMPLITUDE]: a plain sine.
wav() {
    "$A2B_BUILD/helpers/wav" "$@"
}

# The config of an experiment that trains in a moment:
# tiny_experiment BATCH_SIZE EPOCHS [LINE].
tiny_experiment() {
    cat <<YML
model:
  architecture: tcn
  params:
    input_size: 3
    output_size: 1
    num_blocks: 2
    num_channels: 6
    kernel_size: 3
    dropout: 0.1
optimizer: {name: adamw, learning_rate: 0.01, scheduler: cosine}
data: {batch_size: $1}
${3:+$3
}logging: {log_every_n_steps: 1}
checkpoint: {save_every_n_steps: 4, save_top_k: 2}
train: {max_epochs: $2}
YML
}
