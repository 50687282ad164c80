#!/bin/sh
# The library as one file: it compiles by the README's own line and without a warning, a program with it prints what the README
# says, with HOURGLASS_STATIC nothing of it is visible, and C++ takes its header. Run from the project's folder.
#
#   tests/one_file.sh FOLDER     where hourglass.c and hourglass.h are
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$1/hourglass.c" "$1/hourglass.h" "$dir"
sed 's/<nn\/nn.h>/"hourglass.h"/' models/examples/xor.c > "$dir/xor.c"
grep '^    step ' README.md | sed 's/^    //' > "$dir/expected"

printed_the_same() {
    "$dir/xor" | cmp - "$dir/expected" || { echo "one_file: $1: the program prints something else"; exit 1; }
}

line=$(grep -E '^    cc -O3 -c hourglass\.c' README.md) || { echo 'one_file: README.md does not say how to compile it'; exit 1; }
# The tests are linked with what -O3 makes of it, in two minutes.
(cd "$dir" && eval "$(echo "$line" | sed 's/-O3/-O0/')") > "$dir/log" 2>&1 && [ ! -s "$dir/log" ] || { cat "$dir/log"; exit 1; }
printed_the_same "$line"

for compiler in gcc clang; do
    command -v $compiler > /dev/null || { echo "one_file: $compiler is not installed"; continue; }
    $compiler -O0 -Wall -Wextra -Werror -c "$dir/hourglass.c" -o "$dir/hourglass.o"
    $compiler "$dir/xor.c" "$dir/hourglass.o" -lm -pthread -o "$dir/xor"
    printed_the_same "$compiler -O0"
    sed 's/"hourglass.h"/"hourglass.c"/' "$dir/xor.c" > "$dir/static.c"
    $compiler -Wall -Wextra -Werror -DHOURGLASS_STATIC "$dir/static.c" -lm -pthread -o "$dir/xor"
    printed_the_same "$compiler, static"
    ! nm "$dir/xor" | grep -E ' [A-TV-Z] (ag|agk|nn|ds|tl|train)_' || { echo 'one_file: visible names in spite of HOURGLASS_STATIC'; exit 1; }
done

echo '#include "hourglass.h"' > "$dir/header.cpp"
${CXX:-c++} -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$dir" -fsyntax-only "$dir/header.cpp"
! ${CC:-cc} -ffast-math -fsyntax-only "$dir/hourglass.c" 2> "$dir/log" || { echo 'one_file: -ffast-math is not refused'; exit 1; }
grep -q 'not compiled with -ffast-math' "$dir/log"
echo 'one_file: it compiles with nothing else, and programs with it print the same'
