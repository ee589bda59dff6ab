# examples.awk - the examples of a man page, as scripts.
#
# Literal displays and runs of .Dl lines below "EXAMPLES", each ended by a
# line with a form feed alone.

# Prints a line as a terminal shows it.
function put(text) {
    gsub(/\\\(dq/, "\"", text)
    gsub(/\\\(ha/, "^", text)
    gsub(/\\\(ti/, "~", text)
    gsub(/\\\(aq/, "'", text)
    gsub(/\\&/, "", text)
    gsub(/\\-/, "-", text)
    gsub(/\\e/, "\\", text)
    print text
}

/^\.Sh/ { inside = /EXAMPLES/ }
!inside { next }
/^\.Bd -literal/ { block = 1; next }
/^\.Ed/ { if (block) print "\f"; block = 0; next }
block { put($0); next }
/^\.Dl / { put(substr($0, 5)); line = 1; next }
{ if (line) print "\f"; line = 0 }
END { if (line) print "\f" }
