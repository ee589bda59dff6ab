#!/usr/bin/env bats
# s3-flow - real music, both layouts, everything from s3://.
# bats file_tags=slow

load helpers/common
load helpers/s3

teardown() {
    if [ -d "$BATS_TEST_TMPDIR/rgw" ]; then
        s3_stop "$BATS_TEST_TMPDIR/rgw"
    fi
}

# Clips of real pieces on a real server: listed, fetched, trained on together
# with example3's model, evaluated, predicted for; a second call is idle.
@test "example3 trains on both datasets from S3, on real music" {
    music=/usr/share/games/asc/music
    has_radosgw || skip "needs radosgw, ceph-mon, ceph-osd (make deps-slow)"
    [ -d "$music" ] || skip "asc-music is not installed (make deps-slow)"
    cd "$BATS_TEST_TMPDIR" || return
    s3_start "$PWD/rgw"
    s3put s3://bucket
    for layout in pmemo2019 hku956; do
        a2b-synth -q --layout "$layout" --songs "$music" --n-subjects 2 \
            -o "$layout"
        s3put -r "$layout" "s3://bucket/$layout"
        rm -rf "$layout"
    done
    train() {
        "$A2B_ROOT/pipelines/train.sh" "$A2B_ROOT/configs/example3.yml" run \
            CACHE="$PWD/cache" SET="datasets.pmemo2019.root=s3://bucket/pmemo2019
            datasets.hku956.root=s3://bucket/hku956 train.max_epochs=3"
    }
    run -0 train
    [ -s run/model/finished.json ]
    [ "$(jq -r .dataset run/manifest/train.jsonl | sort -u | xargs)" = \
        "hku956 pmemo2019" ]
    jq -r .audio run/manifest/train.jsonl | grep -q '^s3://bucket/hku956/'
    jq -e '.recordings > 0 and (.by.dataset | has("pmemo2019"))' run/eval.json
    run -0 train
    [[ $output != *a2b-train* ]]
    # a song straight from the server
    song=$(jq -r .audio run/manifest/test.jsonl | head -n 1)
    pipe "a2b-fetch --cache cache '$song' |
        a2b-predict -m run/model/best >eda.csv"
    [ "$(wc -l <eda.csv)" -gt 200 ]
    # the server gone: try again later; what is in the cache still comes
    s3_stop "$PWD/rgw"
    run -75 --separate-stderr a2b-fetch --timeout 2 "$song"
    run -0 bash -c "a2b-fetch --cache cache --cached '$song' | cmp - <(
        a2b-fetch --cache cache --cached '$song')"
}
