# completion.awk - bash completion from the programs' usage texts.
#
#   for p in a2b-*; do echo "program $p"; $p --help; done | awk -f completion.awk
#
# Options are the first words of a line, an option's values stand in brackets
# behind its description: "[default; first, second]". Everything else is
# completed as a file name.

# Ends one program's entry.
function end_program() {
    if (program == "")
        return
    printf "    %s)\n        options='%s'\n", program, options
    if (cases != "")
        printf "        case $3 in\n%s        esac\n", cases
    print "        ;;"
    names = names " " program
}

BEGIN {
    print "# Bash completion of the a2b programs, made from their usage texts."
    print "_a2b()\n{\n    local options='' values=''"
    print "    COMPREPLY=()"
    print "    case ${1##*/} in"
}

$1 == "program" {
    end_program()
    program = $2
    options = cases = option = ""
    next
}

# A line that begins with an option, at most one letter before it.
/^ +(-[A-Za-z], )?--[a-z]/ || /^ +-[A-Za-z],? / {
    for (i = 1; i <= NF && $i ~ /^-/; i++) {
        sub(/,$/, "", $i)
        option = $i
        options = options (options == "" ? "" : " ") option
    }
}

# Words that an option takes.
match($0, /; [a-z0-9_]+(, [a-z0-9_]+)+\]$/) && option ~ /^--/ {
    words = substr($0, RSTART + 2, RLENGTH - 3)
    gsub(/,/, "", words)
    cases = cases "        " option ") values='" words "' ;;\n"
}

END {
    end_program()
    print "    esac"
    print "    if [[ -n $values ]]; then"
    print "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$2\")"
    print "    elif [[ $2 == -* ]]; then"
    print "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$2\")"
    print "    fi\n}"
    print "complete -o default -F _a2b" names
}
