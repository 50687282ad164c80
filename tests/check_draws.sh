#!/bin/sh
# C leaves open in which order the arguments of a function are computed, so two random draws in one statement come out differently under
# two compilers. Looks for such statements in the project's own sources. Run from the project's folder; prints what is wrong.
set -eu

draws='ag_(rand|randn|bernoulli|rand_like|randn_like|bernoulli_like|dropout)\('
bad=$(find autograd nn datasets models tools tests -name '*.c' -o -name '*.cpp' | grep -vE '^tests/support/samples.c|^tools/bench/ops.c' | xargs awk -v draws="$draws" '
    FNR == 1 { statement = "" }
    { line = $0; sub(/\/\/.*/, "", line); sub(/^#.*/, "", line); statement = statement " " line }
    /[;{}]/ { n = gsub(draws, "", statement); if (n > 1) print FILENAME ":" FNR ": " n " random draws in one statement"; statement = "" }')
[ -z "$bad" ] || { printf '%s\n' "$bad" >&2; exit 1; }
