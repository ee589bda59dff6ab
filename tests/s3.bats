#!/usr/bin/env bats
# s3 - a real S3 server on the loopback interface: listings, objects, keys,
# faults, and the flow from s3://.
# bats file_tags=slow

load helpers/common
load helpers/s3

# One server for all tests, with pages of 7 keys, and what they read.
setup_file() {
    has_radosgw || skip "needs radosgw, ceph-mon, ceph-osd (make deps-slow)"
    PAGE=7 s3_start "$BATS_FILE_TMPDIR/rgw"
    s3put s3://bucket
    a2b-synth -q --n-songs 9 --n-subjects 3 --min-s 8 --max-s 10 \
        -o "$BATS_FILE_TMPDIR/P"
    s3put -r "$BATS_FILE_TMPDIR/P" s3://bucket/PMEmo2019
}

teardown_file() {
    if [ -d "$BATS_FILE_TMPDIR/rgw" ]; then
        s3_stop "$BATS_FILE_TMPDIR/rgw"
    fi
}

setup() {
    has_radosgw || skip "needs radosgw, ceph-mon, ceph-osd (make deps-slow)"
    cd "$BATS_TEST_TMPDIR"
    s3_env "$BATS_FILE_TMPDIR/rgw"
    P=$BATS_FILE_TMPDIR/P
}

teardown() {
    faulty_stop
}

# Each key is its own content, so a mix-up would show.
@test "s3: odd keys list, tell their size and come" {
    for key in 'a b' 'a+b' 'a%20b' 'a#b' 'a?b=c&d' "it's" '"q"' '(!*~;:@$,[]' \
        'ü/♫😀' 'a//b' '../up' 'a/../b' './a' 'a/' 'end ' $'tab\there' \
        $'\001\002\037' $'new\nline' 'back\slash' '<&>' '%' '%2F' '=' \
        'a/b/c/d/e' ' ' 'A.mp3'; do
        printf 's3://bucket/odd/%s\0' "$key"
    done >keys
    s3put -l keys
    a2b-fetch --list s3://bucket/odd >list
    jq -j '.uri + "\u0000"' list | LC_ALL=C sort -z >got
    LC_ALL=C sort -z keys | cmp - got
    while IFS= read -r -d '' uri; do
        a2b-fetch "$uri" >bytes
        printf %s "$uri" | cmp - bytes
        case $uri in
        */) ;;
        *) a2b-fetch --stat "$uri" | jq -e ".size == $(wc -c <bytes)" ;;
        esac
    done <keys
}

# Seven keys a page, so 150 keys are 22 pages.
@test "s3: a listing of many pages is whole and in order" {
    s3put -n 150 's3://bucket/many/with space+plus'
    a2b-fetch --list s3://bucket/many | jq -r .uri >got
    for ((i = 0; i < 150; i++)); do
        printf 's3://bucket/many/with space+plus/%05d\n' "$i"
    done | cmp - got
    run -66 --separate-stderr a2b-fetch --list s3://bucket/none
    stderr_has "s3://bucket/none: no object is below it"
    run -0 a2b-fetch --stat s3://bucket/many
    [ "$output" = '{"uri":"s3://bucket/many","folder":true}' ]
}

# Every way to fail has its status, names the URI, and tells no secret.
@test "s3: what fails says why, without secrets" {
    s3put s3://bucket/key <<<x
    secret=$AWS_SECRET_ACCESS_KEY
    AWS_SECRET_ACCESS_KEY=wrongsecret run -77 --separate-stderr a2b-fetch \
        s3://bucket/key
    stderr_has "s3://bucket/key: the server says 403 SignatureDoesNotMatch"
    [[ $stderr != *wrongsecret* && $stderr != *$AWS_ACCESS_KEY_ID* ]]
    AWS_SECRET_ACCESS_KEY=wrongsecret run -77 --separate-stderr a2b-index \
        s3://bucket/PMEmo2019
    AWS_ACCESS_KEY_ID=nobody run -77 --separate-stderr a2b-fetch \
        s3://bucket/key
    AWS_NO_SIGN_REQUEST=yes run -77 --separate-stderr a2b-fetch \
        s3://bucket/key
    stderr_has "not signed"
    run -66 --separate-stderr a2b-fetch s3://bucket/none
    stderr_has "s3://bucket/none: the server says 404 NoSuchKey"
    run -66 --separate-stderr a2b-fetch s3://nobucket/key
    stderr_has "404 NoSuchBucket"
    run -66 --separate-stderr a2b-index s3://bucket/none
    run -2 --separate-stderr a2b-fetch s3://bucket
    AWS_MAX_ATTEMPTS=2 AWS_ENDPOINT_URL=http://127.0.0.1:1 \
        run -75 --separate-stderr a2b-fetch s3://bucket/key
    stderr_has "s3://bucket/key: "
    AWS_ENDPOINT_URL=nonsense run -2 --separate-stderr a2b-fetch \
        s3://bucket/key
    [[ $stderr != *$secret* ]]
}

# Buckets by host, and keys of a profile.
@test "s3: virtual hosts and profiles" {
    s3put s3://bucket/key <<<x
    cat >aws <<END
[profile v]
aws_access_key_id = $AWS_ACCESS_KEY_ID
aws_secret_access_key = $AWS_SECRET_ACCESS_KEY
endpoint_url = http://localhost:$S3_PORT
region = us-east-1
s3 =
  addressing_style = virtual
END
    run -0 env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY \
        -u AWS_ENDPOINT_URL -u AWS_REGION AWS_CONFIG_FILE=aws AWS_PROFILE=v \
        a2b-fetch s3://bucket/key
    [ "$output" = x ]
}

# A clock that is off is told by the server and corrected, both by the proxy's
# false time and by the server's true one.
@test "s3: a clock that is off is corrected" {
    s3put s3://bucket/key <<<x
    faulty "$S3_PORT" skew none none none
    AWS_ENDPOINT_URL=$proxy a2b-fetch s3://bucket/key >got
    [ "$(cat got)" = x ]
    [ "$(wc -l <faults)" = 3 ]
    rm faults
    faulty "$S3_PORT" skew none none none
    AWS_ENDPOINT_URL=$proxy a2b-fetch --stat s3://bucket/key >got
    [ "$(wc -l <faults)" = 3 ]
}

# A bucket in another region: signed anew, once for all its objects.
@test "s3: the region that the server names is signed for" {
    s3put s3://bucket/key <<<x
    faulty "$S3_PORT" region none none none
    AWS_ENDPOINT_URL=$proxy a2b-fetch -j 1 s3://bucket/key s3://bucket/key \
        s3://bucket/PMEmo2019/metadata.csv >got
    [ "$(awk '{ print $NF }' faults | tr '\n' ' ')" = \
        'us-east-1 elsewhere-1 elsewhere-1 ' ]
}

# The same told by a redirect, whose header is all that HEAD gets.
@test "s3: a redirect to the bucket's region is signed for" {
    s3put s3://bucket/key <<<x
    for option in -q --stat --list; do
        rm -f faults
        faulty "$S3_PORT" region301 none none
        uri=s3://bucket/key
        [ $option != --list ] || uri=s3://bucket/PMEmo2019/chorus
        AWS_ENDPOINT_URL=$proxy a2b-fetch $option $uri >got
        [ "$(awk '{ print $NF }' faults | head -2 | tr '\n' ' ')" = \
            'us-east-1 elsewhere-1 ' ]
    done
}

# A redirect to another host of the same domain is signed anew for that host;
# one to anywhere else is not followed, so that no signature ever gets there.
@test "s3: a redirect is followed within the server's domain only" {
    s3put s3://bucket/key <<<x
    faulty "$S3_PORT" to=bucket.localhost:@ none
    [ "$(AWS_ENDPOINT_URL=http://localhost:${proxy##*:} \
        a2b-fetch s3://bucket/key)" = x ]
    [ "$(wc -l <faults)" = 2 ]
    mkdir foreign www
    echo stolen >www/key
    cd foreign
    faulty "$PWD/../www"
    foreign_pid=$proxy_pid foreign=${proxy##*/}
    exec 8<>proxy.in
    proxy_pid=
    cd ..
    for host in "$foreign" "bucket.$foreign" "user@bucket.localhost:1" \
        "bucketlocalhost:1"; do
        rm -f faults
        faulty "$S3_PORT" "to=$host"
        AWS_ENDPOINT_URL=http://localhost:${proxy##*:} \
            run -1 --separate-stderr a2b-fetch s3://bucket/key
        stderr_has "s3://bucket/key: the server says 307 TemporaryRedirect"
        [ "$(wc -l <faults)" = 1 ]
    done
    kill "$foreign_pid"
    wait "$foreign_pid" || true
    exec 8>&-
    [ ! -s foreign/faults ]
}

# Keys handed out by services: a container's, an instance's.
@test "s3: keys of containers and instances" {
    s3put s3://bucket/key <<<x
    mkdir -p www/latest/api www/latest/meta-data/iam/security-credentials
    printf token >www/latest/api/token
    printf role >www/latest/meta-data/iam/security-credentials/index
    printf '{"AccessKeyId":"%s","SecretAccessKey":"%s","Expiration":"%s"}' \
        "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" 2099-01-01T00:00:00Z \
        >www/latest/meta-data/iam/security-credentials/role
    cp www/latest/meta-data/iam/security-credentials/role www/container
    faulty "$PWD/www"
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_EC2_METADATA_DISABLED
    AWS_EC2_METADATA_SERVICE_ENDPOINT=$proxy run -0 a2b-fetch s3://bucket/key
    [ "$output" = x ]
    grep -q 'PUT /latest/api/token' faults
    AWS_CONTAINER_CREDENTIALS_FULL_URI=$proxy/container \
        run -0 a2b-fetch s3://bucket/key
    [ "$output" = x ]
    # with the token that it wants, from the environment or from a file
    rm faults
    faulty "$PWD/www" headers
    AWS_CONTAINER_CREDENTIALS_FULL_URI=$proxy/container \
        AWS_CONTAINER_AUTHORIZATION_TOKEN='Bearer abc' \
        run -0 a2b-fetch s3://bucket/key
    grep -q '^Authorization: Bearer abc' faults
    printf 'Basic def' >token
    AWS_CONTAINER_CREDENTIALS_FULL_URI=$proxy/container \
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token \
        run -0 a2b-fetch s3://bucket/key
    grep -q '^Authorization: Basic def' faults
    AWS_EC2_METADATA_SERVICE_ENDPOINT=$proxy a2b-fetch s3://bucket/key
    grep -qi '^X-aws-ec2-metadata-token: token' faults
    # one that is not on this machine gets no token without TLS
    AWS_CONTAINER_CREDENTIALS_FULL_URI=http://x.invalid/none \
        run -2 --separate-stderr a2b-fetch s3://bucket/key
    AWS_CONTAINER_CREDENTIALS_FULL_URI=$proxy/none AWS_MAX_ATTEMPTS=1 \
        run -77 --separate-stderr a2b-fetch s3://bucket/key
    stderr_has "the container's keys: status 404"
}

# The same recordings, the same features, as from the folder.
@test "s3: index, fetch, mfcc, eda from s3:// as from the folder" {
    a2b-index s3://bucket/PMEmo2019 >remote
    a2b-index "$P" >local
    [ "$(wc -l <remote)" = 27 ]
    sed "s#s3://bucket/PMEmo2019#$P#g" remote | cmp - local
    a2b-fetch <remote | a2b-mfcc | a2b-eda >remote.a2b
    a2b-fetch <local | a2b-mfcc | a2b-eda >local.a2b
    cmp remote.a2b local.a2b
    is_ok_stream remote.a2b
}

# 41 MB come in ranges, in order, whatever breaks on the way.
@test "s3: a large object comes in ranges, through faults" {
    seq 6000000 | head -c 41000000 >large
    s3put s3://bucket/large <large
    a2b-fetch s3://bucket/large | cmp - large
    faulty "$S3_PORT" every=2 503 cut reset norange corrupt
    AWS_ENDPOINT_URL=$proxy a2b-fetch -v s3://bucket/large | cmp - large
    [ "$(n_faults)" -ge 4 ]
    # through the cache, twice, and it never takes the memory
    AWS_ENDPOINT_URL=$proxy a2b-fetch --cache c s3://bucket/large | cmp - large
    "$A2B_BUILD/helpers/used" use a2b-fetch --cache c -o got s3://bucket/large
    cmp got large
    [ "$(cut -d ' ' -f 2 use)" -lt 30000 ]
}

# Damage is found by the ETag; what stays damaged is not delivered.
@test "s3: corrupted objects are read again, or refused with 65" {
    seq 1000 >plain
    s3put s3://bucket/plain <plain
    faulty "$S3_PORT" corrupt none
    AWS_ENDPOINT_URL=$proxy a2b-fetch s3://bucket/plain | cmp - plain
    [ "$(grep -c ^corrupt faults)" = 1 ]
    faulty "$S3_PORT" corrupt
    AWS_ENDPOINT_URL=$proxy run -65 --separate-stderr a2b-fetch -o got \
        s3://bucket/plain
    stderr_has "s3://bucket/plain: what comes is not what its ETag says"
    [ ! -e got ]
}

# Ten thousand faults over 200 objects, read again and again.
@test "s3: ten thousand faults, every delivered byte right" {
    s3put -n 200 s3://bucket/faults
    a2b-fetch --list s3://bucket/faults | jq -r .uri >uris
    tr -d '\n' <uris >want
    faulty "$S3_PORT" every=2 503 500 cut reset corrupt resetmid cut norange
    export AWS_ENDPOINT_URL=$proxy AWS_MAX_ATTEMPTS=40
    while [ "$(n_faults)" -lt 10000 ]; do
        xargs a2b-fetch <uris | cmp - want
    done
}

# A whole dataset through faults and slow-downs.
@test "s3: a manifest through faults, every delivered byte right" {
    a2b-index s3://bucket/PMEmo2019 >list
    a2b-fetch <list >want.a2b
    faulty "$S3_PORT" every=2 slowdown cut 429 corrupt reset
    export AWS_ENDPOINT_URL=$proxy AWS_MAX_ATTEMPTS=40
    for i in 1 2 3 4 5; do
        a2b-fetch <list >got.a2b
        cmp got.a2b want.a2b
    done
}

# The server goes away in the middle: no stream that looks whole.
@test "s3: a server that is gone in the middle is 75" {
    a2b-index s3://bucket/PMEmo2019 >list
    faulty "$S3_PORT" skip=5 reset
    AWS_MAX_ATTEMPTS=2 AWS_ENDPOINT_URL=$proxy \
        run -75 --separate-stderr a2b-fetch -o got.a2b <list
    [ ! -e got.a2b ]
    AWS_MAX_ATTEMPTS=2 AWS_ENDPOINT_URL=$proxy \
        run -75 --separate-stderr pipe 'a2b-fetch <list | a2b-mfcc >got.a2b'
    run -75 a2b-info got.a2b
}

# The proxy's log tells who asked for what: two processes, each object once.
@test "s3: two processes that share a cache fetch each object once" {
    a2b-index s3://bucket/PMEmo2019 >list
    a2b-fetch <list >want.a2b
    faulty "$S3_PORT" delay=20
    export AWS_ENDPOINT_URL=$proxy
    a2b-fetch --cache cache <list >one.a2b &
    a2b-fetch --cache cache <list >two.a2b
    wait $!
    cmp one.a2b want.a2b
    cmp two.a2b want.a2b
    [ "$(grep -c ' GET ' faults)" = 18 ]
    [ "$(grep ' GET ' faults | sort | uniq -d | wc -l)" = 0 ]
    faulty_stop
    a2b-fetch --cached --cache cache <list | cmp - want.a2b
}
