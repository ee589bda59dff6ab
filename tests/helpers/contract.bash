# contract - what every program that reads a stream owes: `load
# helpers/contract`, then `contract TOOL FIXTURE [OPTION ...]`.

# Everything below in one call; FIXTURE is a stream the tool accepts.
contract() {
    local tool=$1 fixture=$2
    shift 2
    contract_help "$tool"
    contract_same "$tool" "$fixture" "$@"
    contract_cut "$tool" "$fixture" "$@"
    contract_full "$tool" "$fixture" "$@"
}

# -h explains itself on stdout; an unknown option is a usage error.
contract_help() {
    local tool=$1
    "$tool" --help | grep -q "^usage: $tool "
    "$tool" --version | grep -q "^$tool (a2b) "
    run -2 --separate-stderr "$tool" --no-such-option
    stderr_has "unknown option --no-such-option"
}

# A file, -, stdin, -o, a second run and two threads give the same bytes.
contract_same() {
    local tool=$1 fixture=$2 d=$BATS_TEST_TMPDIR/contract
    shift 2
    mkdir -p "$d"
    "$tool" "$@" "$fixture" >"$d/file"
    "$tool" "$@" - <"$fixture" >"$d/dash"
    "$tool" "$@" <"$fixture" >"$d/stdin"
    "$tool" "$@" -o "$d/o" "$fixture"
    "$tool" "$@" -j 2 "$fixture" >"$d/threads"
    local f
    for f in dash stdin o threads; do
        cmp "$d/file" "$d/$f"
    done
    [ "$(find "$d" -name '*.tmp.*' | wc -l)" -eq 0 ]
}

# Cut at every byte (fixtures of 1 KB) or at every STEP-th: 65, no ok end.
contract_cut() {
    local tool=$1 fixture=$2 d=$BATS_TEST_TMPDIR/contract n size step got
    shift 2
    mkdir -p "$d"
    size=$(stat -c %s "$fixture")
    step=$((size / 256 + 1))
    for ((n = 0; n < size; n += step)); do
        got=0
        head -c "$n" "$fixture" | "$tool" "$@" >"$d/cut" 2>"$d/cut.err" ||
            got=$?
        [ "$got" -eq 65 ] || {
            echo "cut at byte $n of $size: exit $got: $(cat "$d/cut.err")"
            return 1
        }
        if a2b-info "$d/cut" >/dev/null 2>&1; then
            echo "cut at byte $n: the output looks complete"
            return 1
        fi
    done
}

# A full disk is an I/O error.
contract_full() {
    local tool=$1 fixture=$2 got=0
    shift 2
    "$tool" "$@" "$fixture" >/dev/full 2>/dev/null || got=$?
    [ "$got" -eq 74 ]
}
