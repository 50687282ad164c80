#!/bin/sh
# Installs into a temporary home by the README's own lines, in an empty environment, and compiles and runs the programs of
# models/examples outside the tree against what is there: in C and in C++, with the shared and the static library. Run from the
# project's folder.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
readme_line() {
    grep -E "^    $1" README.md || { echo "README.md has no line $1" >&2; exit 1; }
}
cp models/examples/xor.c "$dir"
{
    echo 'set -e'
    readme_line 'make install PREFIX='
    readme_line 'export PKG_CONFIG_PATH='
    echo 'cd "$HOME" && exec > out'
    readme_line 'cc xor\.c'
} > "$dir/typed"
env -i HOME="$dir" PATH="$PATH" WERROR="${WERROR:-}" ${CC:+CC="$CC"} CCACHE_DIR="${CCACHE_DIR:-$dir/ccache}" sh "$dir/typed" > "$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
while read -r line; do # what the README says it prints
    grep -qF "    $line" README.md || { echo "README.md does not have: $line"; exit 1; }
done < "$dir/out"
[ "$(grep -c '^    step ' README.md)" -eq "$(wc -l < "$dir/out")" ]

export PKG_CONFIG_PATH="$dir/.local/lib/pkgconfig"
tests/examples.sh pkg-config
tests/examples.sh 'pkg-config --static' -static
for library in hourglass hourglass-f64; do
    ${CXX:-c++} -std=c++11 -Werror models/examples/cpp.cpp $(pkg-config --cflags --libs $library) -o "$dir/cpp"
    "$dir/cpp" > "$dir/log"
done

# A program of one precision does not link with the library of the other, and the linker's message says why.
mixed() { # LIBRARY FLAG WORD
    if ${CC:-cc} "$2" "$dir/xor.c" $(pkg-config --cflags hourglass) $(pkg-config --libs "$1") -o "$dir/mixed" 2> "$dir/log" ||
            ! grep -q "ag_compiled_$3_AG_DOUBLE_so_link_with_hourglass" "$dir/log"; then
        cat "$dir/log"
        echo "a program compiled with $2 links with $1, or the message does not say why it does not"
        exit 1
    fi
}
mixed hourglass -DAG_DOUBLE with
mixed hourglass-f64 -UAG_DOUBLE without

# CMake and Meson find it.
version=$(pkg-config --modversion hourglass)
cat > "$dir/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.13)
project(consumer C)
find_package(hourglass ${version%.*} REQUIRED)
add_executable(xor xor.c)
target_link_libraries(xor hourglass::hourglass)
add_executable(xor64 xor.c)
target_link_libraries(xor64 hourglass::f64)
EOF
cat > "$dir/meson.build" <<EOF
project('consumer', 'c')
executable('xor', 'xor.c', dependencies: dependency('hourglass', version: '>= ${version%.*}'))
EOF
if command -v cmake > /dev/null; then
    { cmake -S "$dir" -B "$dir/cmake" -DCMAKE_PREFIX_PATH="$dir/.local" && cmake --build "$dir/cmake"; } > "$dir/log" 2>&1 ||
        { cat "$dir/log"; exit 1; }
    "$dir/cmake/xor" | cmp - "$dir/out"
    "$dir/cmake/xor64" > "$dir/log"
else
    echo 'install: cmake is not installed'
fi
if command -v meson > /dev/null; then
    { meson setup "$dir/meson" "$dir" && ninja -C "$dir/meson"; } > "$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
    "$dir/meson/xor" | cmp - "$dir/out"
else
    echo 'install: meson is not installed'
fi

# Each header stands alone, in C and in C++.
(cd "$dir/.local/include/hourglass" && find . -name '*.h' -printf '%P\n') > "$dir/headers"
while read -r header; do
    echo "#include <$header>" > "$dir/one.c"
    ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pkg-config --cflags hourglass) "$dir/one.c"
    ${CXX:-c++} -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pkg-config --cflags hourglass) "$dir/one.c"
done < "$dir/headers"

make --no-print-directory uninstall PREFIX="$dir/.local" > "$dir/log"
left=$(find "$dir/.local" ! -type d)
[ -z "$left" ] || { echo "uninstall leaves: $left"; exit 1; }
echo 'install: C and C++ programs outside the tree compile and run; uninstall leaves nothing'
