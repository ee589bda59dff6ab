#!/usr/bin/env bats
# install - what `make install`, `make deb`, `make dist` and `make html` put
# where, and that it works from there.

load helpers/common

# bats file_tags=slow

# Make in the repository, with everything below this test's folder.
build() {
    make --no-print-directory -C "$A2B_ROOT" BUILD="$A2B_BUILD" "$@"
}

# Programs, pages, pipelines and completions work where they were put, and go.
@test "make install and uninstall" {
    cd "$BATS_TEST_TMPDIR" || return
    build install DESTDIR="$PWD/stage" PREFIX=/opt/a2b >log
    local at=$PWD/stage/opt/a2b
    [ "$("$at/bin/a2b-mfcc" --version)" = "$(a2b-mfcc --version)" ]
    [ -s "$at/share/man/man1/a2b-train.1" ]
    [ -s "$at/share/man/man7/a2b.7" ]
    PATH="$at/bin:$PATH" "$at/share/a2b/pipelines/flow.sh" --help | grep -q usage
    # a Makefile of one's own finds the rules
    printf '%s\n' "include $at/share/a2b/pipelines/a2b.mk" \
        "\$(eval \$(call a2b-experiment,r,$at/share/a2b/configs/quick.yml))" \
        'all: r/eval.json' >Makefile
    "$at/bin/a2b-synth" -q --n-songs 14 --min-s 8 --max-s 9 -o data
    make A2B_BIN="$at/bin" A2B_ROOT=data >log 2>&1
    jq -e .metrics.pearson r/eval.json
    build uninstall DESTDIR="$PWD/stage" PREFIX=/opt/a2b >log
    [ -z "$(find stage -type f -o -type l)" ]
}

# Options, their words, and files for the rest.
@test "completion for bash" {
    build "$A2B_BUILD/completion" >"$BATS_TEST_TMPDIR/log"
    run -0 shellcheck -s bash "$A2B_BUILD/completion"
    # shellcheck source=/dev/null
    source "$A2B_BUILD/completion"
    _a2b a2b-mfcc k --preset
    [ "${COMPREPLY[*]}" = kaldi ]
    _a2b /usr/bin/a2b-train --resu x
    [ "${COMPREPLY[*]}" = --resume ]
    _a2b a2b-eval song x
    [ "${COMPREPLY[*]}" = "" ]
    # every option of every usage text is there
    for program in "$A2B_BUILD"/bin/a2b-*; do
        for option in $("$program" --help | grep -oE '^ +(-., )?--[a-z-]+' |
            grep -oE -e '--[a-z-]+'); do
            _a2b "$program" "$option" x
            [[ " ${COMPREPLY[*]} " == *" $option "* ]]
        done
    done
}

# A package that the checker of Debian's policy has no error for.
@test "make deb" {
    for tool in lintian dpkg-shlibdeps; do
        command -v $tool >/dev/null || skip "$tool is not installed"
    done
    cd "$BATS_TEST_TMPDIR" || return
    build deb >out 2>log
    local package
    package=$(tail -n 1 out)
    [[ $package == *.deb ]]
    run lintian --allow-root --fail-on error "$package"
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    dpkg-deb --info "$package" | grep -q 'Depends: .*libsndfile1'
    dpkg-deb --fsys-tarfile "$package" | tar -x
    usr/bin/a2b-mfcc --version
}

# The sources build by themselves.
@test "make dist" {
    git -C "$A2B_ROOT" rev-parse 2>/dev/null || skip "this is no clone"
    cd "$BATS_TEST_TMPDIR" || return
    local tar
    tar=$(build dist | tail -n 1)
    tar -xzf "$tar"
    cd a2b-* || return
    make -j 2 build/bin/a2b-info >../log 2>&1
    build/bin/a2b-info --version
}

# Pages with links among themselves that lead somewhere.
@test "make html" {
    cd "$BATS_TEST_TMPDIR" || return
    "$A2B_ROOT/man/make-html" html "$A2B_ROOT"/man/*.[1-7]
    [ "$(find html -name 'a2b*.html' | wc -l)" -eq \
        "$(find "$A2B_ROOT/man" -name '*.[1-7]' | wc -l)" ]
    for link in $(grep -oh 'href="[^":#]*\.html"' html/*.html | sort -u |
        sed 's/href="\(.*\)"/\1/'); do
        [ -e "html/$link" ] || { echo "no $link"; false; }
    done
    grep -q 'a2b-train.1.html' html/a2b.7.html
}
