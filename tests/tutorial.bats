#!/usr/bin/env bats
# tutorial - the commands of a2b-tutorial(7), as they stand there.

load helpers/common

# The page's literal blocks: Python's into song.py, all others into song.sh.
blocks() {
    awk '/^\.Bd -literal/ { inside = 1; text = ""; next }
        /^\.Ed/ && inside {
            inside = 0
            python = text ~ /^(import|from|state)/
            printf "%s", text >(python ? "song.py" : "song.sh")
        }
        inside { gsub(/\\e/, "\\"); text = text $0 "\n" }' \
        "$A2B_ROOT/man/a2b-tutorial.7"
    grep -v '^python3 ' song.sh >shell.sh
}

# The loader is ten lines long; the last command is the one that needs torch.
@test "the loader has ten lines" {
    cd "$BATS_TEST_TMPDIR" || return
    blocks
    [ "$(sed '/return state/q' song.py | wc -l)" -eq 10 ]
    [ "$(grep -c '^python3 song.py$' song.sh)" -eq 1 ]
    bash -n shell.sh
}

# Everything in one go: live sound is the song, PyTorch says the same.
# bats test_tags=slow
@test "the tutorial runs" {
    cd "$BATS_TEST_TMPDIR" || return
    blocks
    cp "$A2B_ROOT/configs/quick.yml" .
    run -0 --separate-stderr bash -eu -o pipefail shell.sh
    [[ $output == *"runs/1/best: recordings 24"* ]]
    stderr_has "latency at most"
    jq -en "$(jq .metrics.pearson.mean eval.json) >= 0.9"
    [ "$(head -n 1 both.csv)" = time_s,eda,eda_sd ]
    [ -s model.onnx ]
    python=${A2B_PYTHON:-/usr/bin/python3}
    "$python" -c 'import numpy, torch' 2>/dev/null ||
        skip "$python has no torch: the rest of the tutorial ran"
    run -0 "$python" song.py
    echo "$output"
    awk -v d="${output##* }" 'BEGIN { exit !(d + 0 <= 1e-5 && d != "") }'
}
