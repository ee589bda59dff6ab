#!/usr/bin/env bats
# a2b-doctor - what it finds, what it advises, and what it never shows.

load helpers/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    # no keys but those of a test, and nothing is asked for them
    export AWS_EC2_METADATA_DISABLED=true HOME=$PWD
    unset "${!AWS_@}" 2>/dev/null || true
    export AWS_EC2_METADATA_DISABLED=true
}

# Succeeds if a line of the last output is exactly so.
line_is() {
    grep -qxF -e "$1" <<<"$output" || {
        printf '%s\nwanted the line: %s\n' "$output" "$1"
        return 1
    }
}

# A machine that has what the programs need.
@test "a sound machine" {
    run -0 a2b-doctor
    line_is "ok   sound files: wav, flac, ogg, mp3"
    line_is "ok   S3 server: AWS, region us-east-1"
    line_is "note S3 keys: none: requests are not signed"
    grep -qE '^(ok  |note) processor: (AVX-512|AVX2|plain) kernels, ' \
        <<<"$output"
    run -0 a2b-doctor -q
    run ! grep -q '^ok' <<<"$output"
}

# Programs that are not there: what they are for, and how to get them.
@test "programs that are missing" {
    run -0 env PATH="$A2B_BUILD/bin" a2b-doctor
    line_is "note gnuplot: not installed; it is for pictures (--plot, --report)"
    line_is "     do: apt-get install gnuplot-nox, if you want that"
}

# Folders: the temporary one, and a cache.
@test "folders" {
    TMPDIR=$PWD/none run -1 a2b-doctor
    line_is "bad  temporary folder: $PWD/none cannot be written"
    run -0 a2b-doctor --cache new
    line_is "note cache: new is not there yet"
    echo hello >object
    a2b-fetch --cache kept "$PWD/object" >copy
    run a2b-doctor --cache kept
    [[ $output == *cache:* ]]
    mkdir other
    touch other/file
    run a2b-doctor --cache other
    [[ $output == *cache:* ]]
}

# Keys are found and never shown, nor their parts.
@test "keys are not shown" {
    AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrSECRET \
        AWS_SESSION_TOKEN=TOKENTOKEN run -0 a2b-doctor -v
    line_is "ok   S3 keys: found, with a session token"
    run ! grep -E 'AKID|wJalr|TOKENT' <<<"$output"
    AWS_PROFILE=nobody run -1 a2b-doctor
    grep -q '^bad  S3 .*nobody' <<<"$output"
    AWS_NO_SIGN_REQUEST=true run -0 a2b-doctor
    line_is "ok   S3 keys: not wanted: AWS_NO_SIGN_REQUEST"
}

# Places of data: a folder, an object, none, a server that does not answer.
@test "places of data" {
    mkdir data
    echo hello >data/x
    run -1 a2b-doctor data data/x none
    line_is "ok   data: data: a folder"
    line_is "ok   data: data/x: 6 bytes"
    grep -q '^bad  data: none: ' <<<"$output"
    line_is "     do: correct the name, or ask who has the data"
    AWS_NO_SIGN_REQUEST=true AWS_MAX_ATTEMPTS=1 \
        AWS_ENDPOINT_URL=http://127.0.0.1:9 run -1 a2b-doctor s3://b/data
    grep -q '^bad  data: s3://b/data: ' <<<"$output"
    grep -q 'do: see that the server runs' <<<"$output"
}

# The roots of the datasets that a config names, and no others.
@test "a config" {
    mkdir here
    cat >c.yml <<'YML'
data: {train_datasets: [pmemo2019], val_datasets: [], test_datasets: []}
datasets: {pmemo2019: {root: here}, hku956: {root: nowhere}}
YML
    run -0 a2b-doctor -c c.yml
    line_is "ok   data: here: a folder"
    run ! grep nowhere <<<"$output"
    run -1 a2b-doctor -c c.yml --set 'data.test_datasets=[hku956]'
    grep -q '^bad  data: nowhere' <<<"$output"
    echo 'optimizer: {learnin_rate: 1}' >bad.yml
    run -2 --separate-stderr a2b-doctor -c bad.yml
    stderr_has "bad.yml:1:13"
}
