#!/bin/sh
# Writes the man page of a program, made from its --help, which is made from its options:
#
#   tools/man.sh PROGRAM > NAME.1
set -eu
export LC_ALL=C
name=${1##*/}
help=$("$1" --help)
printf '%s\n' "$help" | awk -v name="$name" '
    function plain(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); sub(/^\./, "\\\\\&.", text); return text }
    NR == 1 { sub(/^usage: [^ ]*/, ""); usage = $0; next }
    !titled && $0 != "" { about = about (about == "" ? "" : "\n") $0; next }
    !titled { title() }
    /^options:$/ { print ".SH OPTIONS"; options = 1; next }
    options && /^  [^ ]/ {
        line = substr($0, 3)
        at = match(line, /  +/) && RSTART > 1 ? RSTART : 0
        if (at) { help = substr(line, at + RLENGTH); line = substr(line, 1, at - 1) } else { help = "" }
        print ".TP\n.B " plain(line); if (help != "") print plain(help); next }
    options { sub(/^ +/, ""); print plain($0); next }
    { print plain($0) }
    END { if (!titled) title() }
    function title(    short, line, n, i) {
        titled = 1
        if (about == "") about = "a command of Hourglass"
        short = about; gsub(/\n/, " ", short); sub(/(\. |; ).*|\.$/, "", short)
        print ".TH " toupper(name) " 1 \"\" Hourglass\n.SH NAME\n" plain(name) " \\- " plain(tolower(substr(short, 1, 1)) substr(short, 2))
        print ".SH SYNOPSIS\n.B " plain(name) plain(usage) "\n.SH DESCRIPTION"
        n = split(about, line, "\n"); for (i = 1; i <= n; i++) print plain(line[i])
    }'
