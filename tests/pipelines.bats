# pipelines/: what is made from what, with stand-ins for the programs. Each
# stand-in notes its call, passes stdin on, and honours -o as the real ones do.

load helpers/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir bin
    cat > bin/a2b-stub <<'STUB'
#!/bin/bash
# Stands in for every program of the pipeline.
set -eu
name=${0##*/}
args=" $* "
case $args in
*" --version "*)
    echo "$name 1"
    exit 0
    ;;
*" --print-config "*)
    cat settings.yml
    exit 0
    ;;
esac
echo "$name $*" >> calls
[ ! -e "fail-$name" ] || exit 65
out=/dev/stdout
[[ $args != *" -o "* ]] || { out=${args#* -o } && out=${out%% *}; }
case $name in
a2b-index | a2b-eval) echo "$name" > "$out.part" ;;
a2b-train)
    cat > /dev/null
    mkdir -p "$out"
    echo "{}" > "$out/finished.json"
    exit 0
    ;;
a2b-batch) echo batches ;;
*) if [ "$out" = /dev/stdout ]; then cat; else cat > "$out.part"; fi ;;
esac
[ "$out" = /dev/stdout ] || mv "$out.part" "$out"
STUB
    chmod +x bin/a2b-stub
    for name in index fetch mfcc eda batch train eval; do
        ln -s a2b-stub "bin/a2b-$name"
    done
    cat > settings.yml <<'YAML'
optimizer:
  learning_rate: 0.001
data:
  train_datasets: [pmemo2019]
datasets:
  pmemo2019:
    seed: 42
features:
  preset: default
  audio_n_mfcc: 40
  filter_lowpass: true
  eda_lowpass_hz: 1
YAML
    echo "# experiment" > one.yml
}

# train.mk with the stand-ins: train [VARIABLE=VALUE ...]; then sets $calls
# to the programs that ran, in order of name.
train() {
    rm -f calls
    make -f "$A2B_ROOT/pipelines/train.mk" CONFIG=one.yml BIN="$PWD/bin" "$@" \
        > log 2>&1 || return
    calls=$(sed 's/ .*//; s/^a2b-//' calls 2> /dev/null | sort | uniq -c |
        awk '{ printf "%s%s=%s", (NR > 1 ? " " : ""), $2, $1 }')
}

# Everything is made, into runs/<name of the config>.
@test "train.mk: from nothing to the evaluation" {
    train ROOT=data
    [ "$calls" = "batch=1 eda=3 eval=2 fetch=6 index=3 mfcc=3 train=1" ]
    [ -s runs/one/eval.json ] && [ -s runs/one/eval.txt ]
    for split in train val test; do
        grep -qx "a2b-index -c one.yml --split $split \
-o runs/one/manifest/$split.jsonl data" calls
        [ -s "runs/one/features/$split.mfcc.a2b" ]
        [ -s "runs/one/features/$split.eda.a2b" ]
    done
    grep -qx "a2b-batch -c one.yml runs/one/features/train.mfcc.a2b \
runs/one/features/train.eda.a2b" calls
    grep -qx "a2b-train -c one.yml --val runs/one/features/val.mfcc.a2b \
--val runs/one/features/val.eda.a2b -o runs/one/model --resume" calls
    grep -qx "a2b-eval -m runs/one/model/best \
--train runs/one/features/train.mfcc.a2b \
--train runs/one/features/train.eda.a2b --json -o runs/one/eval.json \
runs/one/features/test.mfcc.a2b runs/one/features/test.eda.a2b" calls
}

# A second call does nothing.
@test "train.mk: done is done" {
    train
    train
    [ "$calls" = "" ]
}

# A change makes anew what depends on it, no more.
@test "train.mk: changes" {
    train
    sed -i 's/eda_lowpass_hz: 1/eda_lowpass_hz: 2/' settings.yml
    train
    [ "$calls" = "batch=1 eda=3 eval=2 fetch=3 train=1" ]
    sed -i 's/audio_n_mfcc: 40/audio_n_mfcc: 20/' settings.yml
    train
    [ "$calls" = "batch=1 eda=3 eval=2 fetch=6 mfcc=3 train=1" ]
    sed -i 's/0.001/0.002/' settings.yml
    train
    [ "$calls" = "batch=1 eval=2 train=1" ]
    train ROOT=elsewhere
    [ "$calls" = "batch=1 eda=3 eval=2 fetch=6 index=3 mfcc=3 train=1" ]
    echo "# other comment" >> one.yml
    train ROOT=elsewhere
    [ "$calls" = "" ]
}

# Variables reach the programs.
@test "train.mk: variables" {
    echo '{}' > list.jsonl
    train MANIFEST=list.jsonl RUN=here CACHE=kept JOBS=3 PLOT=plots \
        SET='seed=1 model.params={num_blocks:2}'
    grep -qx "a2b-index -c one.yml --set seed=1 \
--set model.params={num_blocks:2} -j 3 --split val \
-o here/manifest/val.jsonl list.jsonl" calls
    grep -q "^a2b-fetch .* --cache kept --only eda$" calls
    grep -q "^a2b-eval .* --plot plots" calls
    touch -d '+1 minute' list.jsonl
    run -0 make -n -f "$A2B_ROOT/pipelines/train.mk" CONFIG=one.yml \
        BIN="$PWD/bin" MANIFEST=list.jsonl RUN=here
    [[ $output == *"a2b-index"* ]]
    run -2 --separate-stderr make -f "$A2B_ROOT/pipelines/train.mk"
    stderr_has "CONFIG is empty"
}

# A failing program fails the call; the next one goes on from there.
@test "train.mk: failures" {
    for name in index fetch mfcc eda batch train eval; do
        touch "fail-a2b-$name"
        run -2 train
        rm "fail-a2b-$name"
    done
    train
    [ "$calls" = "eval=2" ]
}

# A failing producer leaves no target, even if the consumer was content.
@test "train.mk: a producer that fails" {
    train features
    touch fail-a2b-batch
    run -2 train
    rm fail-a2b-batch
    [ ! -e runs/one/model/finished.json ]
    train
    [ "$calls" = "batch=1 eval=2 train=1" ]
}

# A Makefile of the user's own: two models on the same features, and an
# experiment beside them.
own_makefile() {
    cat > Makefile <<MK
A2B_BIN := $PWD/bin
include $A2B_ROOT/pipelines/a2b.mk
\$(eval \$(call a2b-features,work,one.yml))
\$(eval \$(call a2b-model,m/a,one.yml,work))
\$(eval \$(call a2b-model,m/b,one.yml,work,seed=7))
\$(eval \$(call a2b-experiment,x,one.yml))
all: m/a/eval.json m/b/eval.json
	echo \$\$0 > shell
MK
}

# What the last call of make ran: as train() sets it.
count() {
    rm -f calls
    make "$@" > log 2>&1 || return
    calls=$(sed 's/ .*//; s/^a2b-//' calls 2> /dev/null | sort | uniq -c |
        awk '{ printf "%s%s=%s", (NR > 1 ? " " : ""), $2, $1 }')
}

# Features are made once for both models; goal and shell stay the user's.
@test "a2b.mk: a Makefile of one's own" {
    own_makefile
    count -j 4
    [ "$calls" = "batch=2 eda=3 eval=2 fetch=6 index=3 mfcc=3 train=2" ]
    grep -q -- "--set seed=7 .*-o m/b/model --resume" calls
    [[ $(cat shell) == */sh ]]
    [ ! -e x ]
    count
    [ "$calls" = "" ]
    count x/eval.txt x/model.onnx x/batches.tsv || true
    grep -q "a2b-export -m x/model/best -o x/model.onnx" log
}

# One key changed: what depends on it is made anew, and nothing else.
@test "a2b.mk: a changed key" {
    own_makefile
    count
    sed -i 's/eda_lowpass_hz: 1/eda_lowpass_hz: 2/' settings.yml
    count -j 4
    [ "$calls" = "batch=2 eda=3 eval=2 fetch=3 train=2" ]
    echo "logging: {log_every_n_steps: 1}" >> settings.yml
    count m/a/eval.json
    [ "$calls" = "batch=1 eval=1 train=1" ]
}

# A model of other settings is set aside, one that was interrupted goes on.
@test "a2b.mk: nothing is lost" {
    own_makefile
    count
    echo precious > m/a/model/checkpoint
    rm m/a/model/finished.json
    count
    [ "$calls" = "batch=1 eval=1 train=1" ]
    [ "$(cat m/a/model/checkpoint)" = precious ]
    sed -i 's/0.001/0.002/' settings.yml
    count
    [ ! -e m/a/model/checkpoint ]
    [ "$(cat m/a/model.1/checkpoint)" = precious ]
    sed -i 's/0.002/0.003/' settings.yml
    count
    [ -e m/a/model.2/finished.json ]
    [ "$(cat m/a/model.1/checkpoint)" = precious ]
}

# train.sh passes its words on, and refuses others.
@test "train.sh" {
    run -0 "$A2B_ROOT/pipelines/train.sh" one.yml there BIN="$PWD/bin" ROOT=r
    [ -s there/eval.json ]
    run -0 "$A2B_ROOT/pipelines/train.sh" one.yml BIN="$PWD/bin"
    [ -s runs/one/eval.json ]
    run -0 "$A2B_ROOT/pipelines/train.sh" --help
    [[ $output == "usage: train.sh "* ]]
    run -2 --separate-stderr "$A2B_ROOT/pipelines/train.sh"
    stderr_has "want a config first"
    run -2 --separate-stderr "$A2B_ROOT/pipelines/train.sh" ROOT=r
    stderr_has "want a config first"
    run -2 --separate-stderr "$A2B_ROOT/pipelines/train.sh" one.yml there over
    stderr_has "over: want NAME=VALUE"
}
