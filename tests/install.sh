#!/bin/sh
# Installs into a temporary home by the README's own lines, in an empty environment, and builds and runs programs outside the
# tree against what is there: the README's, in C, against the shared and the static library, and a small one in C++. Run from
# the project's folder.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
readme_line() {
    grep -E "^    $1" README.md || { echo "README.md has no line $1" >&2; exit 1; }
}
awk '/^```c$/ { n++; next } /^```$/ { if (n == 1) exit } n == 1' README.md > "$dir/xor.c"
lines=$(wc -l < "$dir/xor.c")
[ "$lines" -ge 25 ] && [ "$lines" -le 40 ] || { echo "README.md: the first program has $lines lines"; exit 1; }
{
    echo 'set -e'
    readme_line 'make install PREFIX='
    readme_line 'export PKG_CONFIG_PATH='
    echo 'cd "$HOME" && exec > out'
    readme_line 'cc xor\.c'
} > "$dir/typed"
env -i HOME="$dir" PATH="$PATH" sh "$dir/typed" > "$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
while read -r line; do # what the README says it prints
    grep -qF "    $line" README.md || { echo "README.md does not have: $line"; exit 1; }
done < "$dir/out"
[ "$(grep -c '^    step ' README.md)" -eq "$(wc -l < "$dir/out")" ]

export PKG_CONFIG_PATH="$dir/.local/lib/pkgconfig"
warn='-Wall -Wextra -Wpedantic -Wconversion -Werror'
${CC:-cc} -std=c11 $warn "$dir/xor.c" $(pkg-config --cflags --libs hourglass) -o "$dir/xor"
${CC:-cc} -std=c11 $warn -static "$dir/xor.c" $(pkg-config --static --cflags --libs hourglass) -o "$dir/xor_static"
"$dir/xor" | cmp - "$dir/out"
"$dir/xor_static" | cmp - "$dir/out"

cat > "$dir/main.cpp" << 'CPP'
#include <nn/nn.h>
#include <autograd/op.h>
#include <datasets/batches.h>
#include <datasets/idx.h>
int main()
{
    nn_module *net = nn_sequential(nn_linear(2, 8), nn_tanh(), nn_linear(8, 1));
    nn_reset_parameters(net, 1);
    ag_tape *tape = ag_tape_new(1);
    ag_tensor *y = nn_forward(net, ag_ones(tape, AG_SHAPE(3, 2)));
    bool ok = ag_backward(ag_sum(y, AG_AXES(0, 1), false)) && y->shape.dim[0] == 3;
    nn_module_free(net);
    ag_tape_free(tape);
    return ok ? 0 : 1;
}
CPP
for library in hourglass hourglass-f64; do
    ${CXX:-c++} -std=c++11 $warn "$dir/main.cpp" $(pkg-config --cflags --libs $library) -o "$dir/main"
    "$dir/main"
done

make --no-print-directory uninstall PREFIX="$dir/.local" > "$dir/log"
left=$(find "$dir/.local" ! -type d)
[ -z "$left" ] || { echo "uninstall leaves: $left"; exit 1; }
echo 'install: C and C++ programs outside the tree build and run; uninstall leaves nothing'
