#!/usr/bin/env bats
# config - one YAML file, --set and options, as every program takes them.
# What each key accepts is tested by tests/unit/test_config.c.

load helpers/common

setup() {
    cd "$BATS_TEST_TMPDIR" || exit
    examples=$A2B_ROOT/configs
}

# Value of a key in printed YAML: value FILE KEY, KEY without its section.
value() {
    sed -n "s/^ *$2: \(.*[^ ]\)  #.*/\1/p" "$1"
}

# What is printed is a config, and the same one.
@test "--print-config prints what loads to the same bytes" {
    for n in 1 2 3; do
        a2b-mfcc -c "$examples/example$n.yml" --print-config >"$n.yml"
        a2b-mfcc -c "$n.yml" --print-config >"$n-again.yml"
        cmp "$n.yml" "$n-again.yml"
    done
    run ! cmp -s 1.yml 2.yml
}

# Nothing is said about a config that is fine.
@test "--print-config is silent on stderr and needs no input" {
    run -0 --separate-stderr a2b-mfcc --print-config </dev/null
    [ -z "$stderr" ]
    [[ $output == "experiment_name: experiment  #"* ]]
}

# default < file < --set < option, whatever their order on the command line.
@test "an option beats --set, --set beats the file, the file the default" {
    printf 'features:\n  audio_n_mels: 100\n  audio_n_mfcc: 30\n' >c.yml
    a2b-mfcc --print-config >0.yml
    a2b-mfcc -c c.yml --print-config >1.yml
    a2b-mfcc --set features.audio_n_mels=90 -c c.yml --print-config >2.yml
    a2b-mfcc --n-mels 80 --set features.audio_n_mels=90 -c c.yml \
        --print-config >3.yml
    [ "$(value 0.yml audio_n_mels)" = 128 ]
    [ "$(value 1.yml audio_n_mels)" = 100 ]
    [ "$(value 2.yml audio_n_mels)" = 90 ]
    [ "$(value 3.yml audio_n_mels)" = 80 ]
    [ "$(value 3.yml audio_n_mfcc)" = 30 ]
}

# A later --set wins over an earlier one.
@test "--set may be repeated, the last one counts" {
    a2b-mfcc --set train.max_epochs=1 --set train.max_epochs=2 \
        --print-config >c.yml
    [ "$(value c.yml max_epochs)" = 2 ]
}

# --set takes YAML, a whole model too.
@test "--set takes lists and sections" {
    a2b-mfcc -c "$examples/example2.yml" --set model.architecture=tcn \
        --set 'model.params={input_size: 40, output_size: 1, num_blocks: 2,
               num_channels: 8, kernel_size: 5, dropout: 0}' \
        --set 'data.val_datasets=[hku956, pmemo2019]' --print-config >c.yml
    [ "$(value c.yml architecture)" = tcn ]
    [ "$(value c.yml kernel_size)" = 5 ]
    [ "$(value c.yml val_datasets)" = "[hku956, pmemo2019]" ]
    run ! grep -q num_stacks c.yml
}

# A preset fills what nobody wrote.
@test "--preset keeps the keys that are written" {
    a2b-mfcc --preset kaldi --n-mels 40 --print-config >c.yml
    [ "$(value c.yml audio_n_mels)" = 40 ]
    [ "$(value c.yml audio_window)" = povey ]
    [ "$(value c.yml audio_n_fft)" = 512 ]
    [ "$(value c.yml audio_top_db)" = null ]
}

# Each is one line on stderr with file, line, column, and exit status 2.
@test "errors name file, line, column and the right name" {
    printf 'optimizer:\n  learnin_rate: 1\n' >c.yml
    run -2 --separate-stderr a2b-mfcc -c c.yml --print-config
    [ "$stderr" = "a2b-mfcc: c.yml:2:3: optimizer.learnin_rate: unknown key \
(did you mean learning_rate?)" ]
    printf 'seed: 1\nbatch_size: 8\n' >c.yml
    run -2 --separate-stderr a2b-mfcc -c c.yml --print-config
    [ "$stderr" = "a2b-mfcc: c.yml:2:1: batch_size: a key of an older \
version, it is data.batch_size now" ]
    run -2 --separate-stderr a2b-mfcc --set data.batch_size=many \
        --print-config
    [ "$stderr" = "a2b-mfcc: data.batch_size: want an integer in \
1..1048576, got \"many\"" ]
}

# A config that is not there is missing input, a folder is none.
@test "a config file that cannot be read" {
    run -66 --separate-stderr a2b-mfcc -c none.yml --print-config
    stderr_has none.yml
    run -74 --separate-stderr a2b-mfcc -c . --print-config
}

# Hardware that upstream's files ask for names the --set to use.
@test "devices that are not here name the --set that helps" {
    printf 'hardware: {device: cuda, precision: fp16, num_gpus: 2}\n' >c.yml
    run -2 --separate-stderr a2b-mfcc -c c.yml --print-config
    stderr_has "use --set hardware.device=auto"
    run -2 --separate-stderr a2b-mfcc -c c.yml --set hardware.device=auto \
        --print-config
    stderr_has "use --set hardware.precision=fp32"
    run -0 --separate-stderr a2b-mfcc -c c.yml --set hardware.device=auto \
        --set hardware.precision=fp32 --print-config
    stderr_has "warning: hardware.num_gpus: 2 has no effect"
}
