# s3 - a loopback S3 server and the fault proxy: `load helpers/s3`.

# Succeeds where the server's packages are installed.
has_radosgw() {
    command -v radosgw ceph-mon ceph-osd radosgw-admin curl >/dev/null
}

# Starts the server in a folder and sets the variables AWS tools read; no
# profile or instance of this machine is looked at.
s3_start() {
    "$BATS_TEST_DIRNAME/helpers/radosgw" start "$1" 3>&-
    s3_env "$1"
}

# Sets the variables for a server that runs.
s3_env() {
    # shellcheck source=/dev/null
    . "$1/env"
    s3_only_env
}

# Leaves nothing to AWS's files, services and proxies.
s3_only_env() {
    export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null
    export AWS_SHARED_CREDENTIALS_FILE=/dev/null no_proxy='*'
    unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_S3
}

# Ends the server.
s3_stop() {
    "$BATS_TEST_DIRNAME/helpers/radosgw" stop "$1"
}

# Uploads: see helpers/s3put.c.
s3put() {
    "$A2B_BUILD/helpers/s3put" "$@"
}

# Starts a fault proxy (helpers/faultproxy.c) and sets $proxy to its address:
# faulty SOURCE [every=K] [ACTION ...]. Its log is ./faults.
faulty() {
    local i
    faulty_stop
    rm -f proxy.port proxy.in
    mkfifo proxy.in
    "$A2B_BUILD/helpers/faultproxy" proxy.port "$@" <proxy.in >>faults 3>&- &
    proxy_pid=$!
    exec 9>proxy.in
    for ((i = 0; i < 100; i++)); do
        [ -s proxy.port ] && break
        sleep 0.02
    done
    # shellcheck disable=SC2034 # the tests use it
    proxy=http://127.0.0.1:$(cat proxy.port)
}

# Ends the fault proxy.
faulty_stop() {
    if [ -n "${proxy_pid:-}" ]; then
        exec 9>&-
        kill "$proxy_pid" 2>/dev/null || true
        wait "$proxy_pid" 2>/dev/null || true
        proxy_pid=
    fi
}

# How many requests suffered so far.
n_faults() {
    grep -vc '^none ' faults
}
