#!/usr/bin/env bats
# man - every program has a page, and page and program say the same.

load helpers/common

# Text of a rendered page, one blank between words.
rendered() {
    if command -v mandoc >/dev/null; then
        mandoc -T utf8 "$1" | sed 's/.\x08//g'
    else
        MANWIDTH=200 man -l "$1" 2>/dev/null
    fi
}

# A page each; SYNOPSIS is the usage line, word for word.
@test "every program has a page whose SYNOPSIS is its usage" {
    for program in "$A2B_BUILD"/bin/a2b-*; do
        name=$(basename "$program")
        page=$A2B_ROOT/man/$name.1
        [ -f "$page" ] || { echo "no $page"; false; }
        usage=$("$program" -h | awk '/^ +-/ { exit } { print }' |
            tr -s ' \n' ' ' | sed 's/^usage: //; s/ $//')
        synopsis=$(rendered "$page" | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
            sed '1d;$d' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//')
        [ "$usage" = "$synopsis" ] || {
            printf '%s\nusage:    %s\nsynopsis: %s\n' "$name" "$usage" \
                "$synopsis"
            false
        }
    done
}

# No option without a word about it.
@test "every option of every program is in its page" {
    for program in "$A2B_BUILD"/bin/a2b-*; do
        name=$(basename "$program")
        text=$(rendered "$A2B_ROOT/man/$name.1")
        # The features' options are documented by reference to a2b-config(5).
        for option in $("$program" -h | sed '/^Features/,$d' |
            grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' |
            sort -u); do
            grep -q -- "$option" <<<"$text" || {
                echo "$name: $option is not in the page"
                false
            }
        done
    done
}
