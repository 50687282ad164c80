#!/bin/sh
# Writes the table of ops and their names in PyTorch into autograd/README.md, between the lines <!-- ops --> and <!-- /ops -->,
# from elementwise.def, ops.h and ops_torch.txt. With --check it only says whether the table is current. Either way it fails
# if the comment in ops.h that lists the elementwise ops is not complete. Run from the project's folder.
set -eu

readme=autograd/README.md
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

awk '
function fail(message) {
    print "ops table: " message > "/dev/stderr"
    failed = 1
}
# The ops that a line of the comment in ops.h names: "Of one tensor: neg abs exp", "With one number: elu (alpha), scale (x * p)".
function list_elementwise(line,    word, n, i) {
    gsub(/\([^)]*\)|^[^:]*: |[^a-z0-9_: ]/, "", line)
    n = split(line, word, " ")
    for (i = 1; i <= n; i++)
        listed[word[i]] = 1
}
function check_listed(    name) {
    for (name in elementwise)
        if (!(name in listed))
            fail("autograd/ops.h: the comment on elementwise ops does not name " name)
    for (name in listed)
        if (!(name in elementwise))
            fail("autograd/ops.h: the comment on elementwise ops names " name ", which is not in elementwise.def")
}
function trim(s) { gsub(/^ +| +$/, "", s); return s }
function row(name, arguments) {
    if (!(name in torch)) {
        fail("ag_" name " has no line in tools/ops_torch.txt: add one, then run make ops-table")
        return
    }
    seen[name] = 1
    print "| `ag_" name "(" arguments ")` | `" torch[name] "` | " (note[name] == "" ? "" : note[name] " ") "|"
}
function heading(text) {
    print "| **" text "** | | |"
}

# The names of the arguments of a prototype, without their types.
function names(list,    part, n, i, all) {
    n = split(list, part, ",")
    for (i = 1; i <= n; i++) {
        sub(/^.*[ *]/, "", part[i])
        all = all (i > 1 ? ", " : "") part[i]
    }
    return all
}

FILENAME ~ /ops_torch/ {
    if ($0 ~ /^#/ || $0 == "")
        next
    n = split($0, column, / *\| */)
    if (n != 3)
        fail("tools/ops_torch.txt, line " FNR ": expected op | PyTorch | note")
    name = trim(column[1])
    torch[name] = trim(column[2])
    note[name] = trim(column[3])
    next
}
FILENAME ~ /elementwise.def/ {
    if (FNR == 1) {
        print "| Hourglass | PyTorch | |"
        print "|---|---|---|"
        heading("Elementwise")
    }
    if (!match($0, /^(UNARY|UNARY_P|UNARY_PQ|BINARY) *\([a-z0-9_]+,/))
        next
    kind = $0
    sub(/ *\(.*/, "", kind)
    name = $0
    sub(/^[A-Z_]+ *\(/, "", name)
    sub(/,.*/, "", name)
    elementwise[name] = 1
    row(name, kind == "UNARY" ? "x" : kind == "UNARY_P" ? "x, p" : kind == "UNARY_PQ" ? "x, p, q" : "a, b")
    next
}
/^\/\* ---- / { in_elementwise = /Elementwise/ }
in_elementwise && /^ \*/ { list_elementwise($0) }
in_elementwise && /\*\/$/ {
    in_elementwise = 0
    check_listed()
}
/^\/\* ---- / && !/Elementwise/ {
    text = $0
    sub(/^\/\* ---- /, "", text)
    sub(/[.,:;].*| ----.*/, "", text)
    heading(text)
}
/^(ag_tensor \*|int )ag_/ { statement = "" }
/^(ag_tensor \*|int )ag_/ || statement != "" {
    statement = statement " " $0
    if (statement !~ /;/)
        next
    name = statement
    sub(/\(.*/, "", name)
    sub(/^.*ag_/, "", name)
    list = statement
    sub(/^[^(]*\(/, "", list)
    sub(/\);.*/, "", list)
    gsub(/ +/, " ", list)
    row(name, names(list))
    statement = ""
}
END {
    for (name in torch)
        if (!(name in seen))
            fail("tools/ops_torch.txt: " name " is no op")
    exit failed
}' tools/ops_torch.txt autograd/kernels/elementwise.def autograd/ops.h > "$dir/table"

grep -q '^<!-- ops -->$' "$readme" && grep -q '^<!-- /ops -->$' "$readme" || { echo "$readme: no place for the table" >&2; exit 1; }
awk -v table="$dir/table" '
/^<!-- \/ops -->$/ { inside = 0 }
!inside
/^<!-- ops -->$/ {
    inside = 1
    print ""
    while ((getline line < table) > 0)
        print line
    print ""
}' "$readme" > "$dir/readme"

if [ "${1:-}" = --check ]; then
    cmp -s "$readme" "$dir/readme" || { echo "$readme: the table of ops is not current: run make ops-table" >&2; exit 1; }
    echo "ops table: $(grep -c '`ag_' "$dir/table") ops, each with its name in PyTorch"
else
    cat "$dir/readme" > "$readme"
fi
