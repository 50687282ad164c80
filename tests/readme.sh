#!/bin/sh
# Checks the code in the READMEs and the guide: a block that begins with ```c names a file of the tree and equals it, all but its first comment;
# or, where "part" follows the name, equals some consecutive lines of it. Links to files lead somewhere. Run from the project's
# folder.
set -eu

# shellcheck disable=SC2046
awk '
function fail(message) {
    print where ": " message > "/dev/stderr"
    failed = 1
}

# The lines of a file, its first comment left out where it is wanted whole.
function read(path, whole,    text, line, comment, first, status) {
    first = 1
    text = "\n"
    while ((status = (getline line < path)) > 0) {
        if (first && whole)
            comment = line ~ /^\/\*/
        first = 0
        if (!comment)
            text = text line "\n"
        if (comment && line ~ /\*\/$/)
            comment = 0
    }
    close(path)
    return status < 0 ? "" : text
}

function compare(    text) {
    text = read(file, part == "")
    if (text == "")
        fail(file ": no such file")
    else if (part == "" ? text != block : !index(text, block))
        fail("the code is not that of " file)
    blocks++
}

/^```c( |$)/ {
    where = FILENAME ":" FNR
    file = $2
    part = $3
    block = "\n"
    inside = 1
    if (file == "" || (part != "" && part != "part"))
        fail("expected ```c FILE or ```c FILE part")
    next
}
/^```/ && inside {
    inside = 0
    if (file != "")
        compare()
    next
}
inside { block = block $0 "\n"; next }
{
    where = FILENAME ":" FNR
    folder = FILENAME
    sub(/[^\/]*$/, "", folder)
    rest = $0
    while (match(rest, /\]\([^)]*\)/)) {
        link = substr(rest, RSTART + 2, RLENGTH - 3)
        rest = substr(rest, RSTART + RLENGTH)
        sub(/#.*/, "", link)
        if (link ~ /^https?:/ || link == "")
            continue
        links++
        if (system("test -e \"" folder link "\"") != 0)
            fail("the link to " link " leads nowhere")
    }
}
END {
    if (!failed)
        print "readme: " blocks " blocks of code are the tree'\''s, " links " links lead to files"
    exit failed
}' $(find . -name '*.md' -not -path './build/*' -not -path './data/*' | sed 's|^\./||' | sort)
