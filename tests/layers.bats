#!/usr/bin/env bats
# layers - rooms include only downwards, third-party headers have one home.

load helpers/common

# The rooms each room may include, beside itself.
allowed() {
    case $1 in
    base) echo "" ;;
    core) echo "base" ;;
    store | signal | batch | nn | tool) echo "base core" ;;
    dataset) echo "base core store signal" ;;
    eval) echo "base core signal batch nn" ;;
    train) echo "base core batch nn eval" ;;
    esac
}

# Every #include "room/x.h" of a room names itself or a room below it.
@test "rooms include only downwards" {
    cd "$A2B_ROOT"
    bad=""
    for f in lib/*/*.[ch]; do
        room=$(basename "$(dirname "$f")")
        for inc in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$f"); do
            case " $room $(allowed "$room") " in
            *" $inc "*) ;;
            *) bad+="$f includes $inc; " ;;
            esac
        done
    done
    [ -z "$bad" ] || { echo "$bad"; false; }
}

# A library is swapped by touching one file.
@test "a third-party header is included by one .c only" {
    cd "$A2B_ROOT"
    for h in curl/curl.h sndfile.h soxr.h fftw3.h yaml.h jansson.h expat.h \
        openssl/evp.h xxhash.h mpi.h; do
        users=$(grep -lE "^#include <$h>" -r lib tools || true)
        [ "$(wc -w <<<"$users")" -le 1 ] || { echo "$h: $users"; false; }
        case $users in
        *.h) echo "$h is included by a header: $users"; false ;;
        esac
    done
}

# The library is handed what it needs; only tools print, exit and look around.
@test "the library never prints, exits or reads the environment" {
    cd "$A2B_ROOT"
    found=$(grep -nE '\b(printf|puts|putchar|exit|abort|getenv|perror)\(' \
        -r lib --include='*.c' | grep -v '^lib/tool/' |
        grep -vE '\b(v?s?n?printf|fputs|fprintf|buf_printf|buf_puts)\(' |
        grep -vE '^[^:]*:[0-9]+: \*|/\*' || true)
    [ -z "$found" ] || { echo "$found"; false; }
    run ! grep -nE 'fprintf\(stderr|fputs\([^)]*stderr' -r lib/base lib/core \
        lib/store lib/signal lib/dataset lib/batch lib/nn lib/eval lib/train
}

# Tools hold no mathematics.
@test "tools do not include math.h" {
    cd "$A2B_ROOT"
    run ! grep -l '#include <math.h>' tools/*.c
}
