#!/bin/sh
# Compiles and runs the programs of models/examples by the lines of their first comments, and compares what they print with what
# the comment says. Run from the project's folder.
#
#   tests/examples.sh 'FLAGS COMMAND' [COMPILER OPTION ...]
#
# FLAGS COMMAND prints the compiler's flags in place of pkg-config: 'pkg-config --static' for an installed library, or
# 'echo -I... libhourglass.a ...'. The options go to the compiler. Without a C++ compiler, what is C++ is skipped.
set -eu

flags=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp models/examples/* "$dir"
ln -s "$PWD" "$dir/tree" # whose path may have spaces
mkdir "$dir/bin"

# cc and c++ as the comments type them, with every warning an error; cc as C++ where IN_CPP is set.
cpp=$(command -v "${CXX:-c++}" || true)
warn='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
cat > "$dir/bin/cc" << SHIM
#!/bin/sh
PATH='$PATH'
if [ "\${IN_CPP:-}" ]; then
    file=\$1
    shift
    exec $cpp -std=c++11 $warn $* -x c++ "\$file" -x none "\$@"
fi
exec ${CC:-cc} -std=c11 $warn $* "\$@"
SHIM
cat > "$dir/bin/c++" << SHIM
#!/bin/sh
PATH='$PATH'
exec $cpp -std=c++11 $warn $* "\$@"
SHIM
cat > "$dir/bin/pkg-config" << SHIM
#!/bin/sh
[ "\$*" = '--cflags --libs hourglass' ] || { echo "pkg-config \$*: not as expected" >&2; exit 1; }
PATH='$PATH'
exec $flags \$([ "${flags%% *}" = echo ] || echo "\$*")
SHIM
chmod +x "$dir"/bin/*
export PATH="$dir/bin:$PATH"

# The indented lines of the first comment: up to "prints:" those to type, after it those that are printed.
typed() {
    awk '/^ \*\/$/ || /prints:$/ { exit } sub(/^ \*     /, "")' "$1"
}
printed() {
    awk '/^ \*\/$/ { exit } /prints:$/ { p = 1; next } !p { next } sub(/^ \*     /, "") { print; n++; next } n { exit }' "$1"
}

count=0
try() {
    (cd "$dir" && rm -f "${1%.*}" && typed "$1" > typed && printed "$1" > expected && [ -s typed ] && [ -s expected ] &&
        sh -e typed > out && diff expected out >&2) || { echo "examples: $1: does not compile or print as its comment says" >&2; exit 1; }
    count=$((count + 1))
}
for file in models/examples/*.c models/examples/*.cpp; do
    name=${file##*/}
    [ "$cpp" ] || [ "$name" = "${name%.cpp}" ] || { echo "examples: $name skipped, as there is no C++ compiler"; continue; }
    try "$name"
    if [ "$cpp" ] && grep -q 'Compiles as C++ too' "$file"; then
        export IN_CPP=1
        try "$name"
        unset IN_CPP
    fi
done

# What goes to PyTorch gives the same there, if this machine has it.
if "${PYTHON:-python3}" -c 'import torch, safetensors' 2> /dev/null; then
    cd "$dir"
    awk '/In Python/ { p = 1 } /^ \*\/$/ { exit } p && sub(/^ \*     /, "")' to_pytorch.c > load.py
    printed to_pytorch.c | grep output > expected
    "${PYTHON:-python3}" load.py > out && diff expected out >&2 || { echo 'examples: to_pytorch.c: not so in PyTorch' >&2; exit 1; }
fi
echo "examples: $count programs compile and print what their comments say"
