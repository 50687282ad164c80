#!/bin/sh
# Tests of the Makefile: what it removes, what it refuses, when it builds again, what it exports. Run from the project's folder.
set -u

dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
export CFLAGS="${CFLAGS:--O0}" BUILD="$dir/main" # built fast, and nothing in build/ changes
unset MAKEFLAGS MAKELEVEL MFLAGS
make='make --no-print-directory'
failures=0

# expect WHAT COMMAND ...: the command succeeds.
expect() {
    what=$1
    shift
    "$@" > "$dir/out" 2>&1 && return
    echo "build: $what: $*" >&2
    sed 's/^/    /' "$dir/out" | tail -n 20 >&2
    failures=$((failures + 1))
}

# refused COMMAND ...: it fails, and says so in one line, beside make's own about the recipe.
refused() {
    "$@" > "$dir/said" 2>&1 && return 1
    cat "$dir/said"
    [ "$(grep -vc '^make: \*\*\* \[' "$dir/said")" -eq 1 ]
}

# says PATTERN COMMAND ...: it prints a line with the pattern. silent COMMAND ...: it succeeds and prints nothing.
says() {
    pattern=$1
    shift
    "$@" 2>&1 | grep -e "$pattern"
}
silent() {
    "$@" > "$dir/said" 2>&1 || return 1
    cat "$dir/said"
    [ ! -s "$dir/said" ]
}
not() {
    ! "$@"
}

# ---- What make removes is its own. ----

mkdir -p "$dir/x/home" "$dir/others" && touch "$dir/x/home/letters" "$dir/others/letters"
spaces="$dir/x/home dir"
expect 'install, DESTDIR with a space' $make install DESTDIR="$spaces"
expect 'headers are there' test -f "$spaces/usr/local/include/hourglass/nn/nn.h"
expect 'uninstall, DESTDIR with a space' $make uninstall DESTDIR="$spaces"
expect 'uninstall, PREFIX with a space' $make uninstall PREFIX="$spaces"
expect 'BUILD with a space is refused' refused $make clean BUILD="$spaces"
expect 'an empty BUILD is refused' refused $make clean BUILD=
expect 'BUILD with a quote is refused' refused $make clean BUILD="$dir/x/it's"
expect 'what is before the space stays' test -f "$dir/x/home/letters"
expect 'nothing is built among the files of others' refused $make BUILD="$dir/others" "$dir/others/exports.map"
expect 'clean does not remove a folder of others' refused $make clean BUILD="$dir/others"
expect 'the files of others stay' test -f "$dir/others/letters"
expect 'a new folder is taken' $make BUILD="$dir/new" "$dir/new/exports.map"
expect 'and removed' $make clean BUILD="$dir/new"
expect 'whole' test ! -e "$dir/new"

# ---- Installing under any name; a program finds it by way of pkg-config alone. ----

cp models/examples/xor.c "$dir"
build_and_run() {
    flags=$(PKG_CONFIG_PATH="$1/lib/pkgconfig" pkg-config --cflags --libs hourglass) &&
        eval "${CC:-cc} $dir/xor.c $flags -o $dir/xor" && "$dir/xor"
}
for name in 'plain' 'home dir' "it's"; do
    expect "install into $name" $make install PREFIX="$dir/$name"
    expect "a program against $name" build_and_run "$dir/$name"
    expect "uninstall from $name" $make uninstall PREFIX="$dir/$name"
    expect "nothing is left in $name" test -z "$(find "$dir/$name" ! -type d)"
done
expect 'a dollar is two to make' $make install DESTDIR="$dir/a\$\$b"
expect 'and one in the name' test -f "$dir/a\$b/usr/local/lib/pkgconfig/hourglass.pc"
$make -s install DESTDIR="$dir/stage" PREFIX=/opt/h libdir=/opt/h/lib64 includedir=/opt/include > /dev/null 2>&1
expect 'libdir' test -f "$dir/stage/opt/h/lib64/libhourglass.so"
expect 'includedir' test -f "$dir/stage/opt/include/hourglass/nn/nn.h"
expect 'the .pc file names them' says 'rpath,/opt/h/lib64' env PKG_CONFIG_PATH="$dir/stage/opt/h/lib64/pkgconfig" pkg-config --libs hourglass
$make -s install DESTDIR="$dir/stage" PREFIX=/usr > /dev/null 2>&1
expect 'no run path where the loader looks' not grep rpath "$dir/stage/usr/lib/pkgconfig/hourglass.pc"

# ---- Other flags build again, the same do not. ----

object=$dir/b/f32/nn/sgd.o
one="$make BUILD=$dir/b $object"
expect 'make -s prints nothing' silent $one -s
expect 'the same flags: nothing to be done' $one -q
for flags in CFLAGS=-O2 CPPFLAGS=-DX='"a b"' LDFLAGS=-s CC=c99; do
    expect "$flags builds again" not $one -q "$flags"
done

# ---- The same bits whatever the flags. ----

for flag in -Ofast -ffast-math -funsafe-math-optimizations -ffp-contract=fast -ffp-model=fast; do
    expect "$flag is refused" refused $make -n CFLAGS="-O2 $flag"
done
kernel=f32/autograd/kernels/simd/reduce.portable.o
$make -s BUILD="$dir/k1" "$dir/k1/$kernel" CFLAGS=-O3
$make -s BUILD="$dir/k2" "$dir/k2/$kernel" CFLAGS='-O3 -fassociative-math -fno-signed-zeros -ffinite-math-only -freciprocal-math -fno-trapping-math'
expect 'reordering is undone' cmp "$dir/k1/$kernel" "$dir/k2/$kernel"

# ---- What the library shows. ----

$make BUILD="$dir/lto" "$dir/lto/f32/libhourglass.so" CFLAGS='-O1 -flto' > "$dir/log" 2>&1
expect 'a build with -flto' test -f "$dir/lto/f32/libhourglass.so"
expect '-flto without a warning' not grep -i warning "$dir/log"
expect 'public names only' not sh -c "nm -D --defined-only '$BUILD/f32/libhourglass.so' | grep -vE ' (ag|nn|ds|tl|train)_[a-z]'"
echo 'int ag__own(void); int ag__own(void) { return 1; } int ag_all(void); int ag_all(void) { return 1; }' > "$dir/names.c"
${CC:-cc} -shared -fPIC -Wl,--version-script="$BUILD/exports.map" -o "$dir/names.so" "$dir/names.c"
expect 'ag_ is shown' sh -c "nm -D --defined-only '$dir/names.so' | grep ag_all"
expect 'ag__ is not' not sh -c "nm -D --defined-only '$dir/names.so' | grep ag__own"

# ---- Targets. ----

expect 'help lists all' says 'make test-emulated ' $make help
expect 'check is test' says 'tests/run_tests.sh .*f32' $make -n check
expect 'without Criterion a line names the package' says libcriterion-dev $make -n test CRITERION=no
expect 'and nothing links with it' not says lcriterion $make -n test CRITERION=no BUILD="$dir/c"

mkdir "$dir/fake"
printf '#!/bin/sh\necho stray\necho "ok - a::b  (0.25s)" > "${1#--tap=}"\necho "[====] all $STATUS"\nexit $STATUS\n' > "$dir/fake/run"
chmod +x "$dir/fake/run"
expect 'tests that pass print no stray lines' not says stray env STATUS=0 tests/run_tests.sh "$dir/fake"
expect 'but the times' says '0.25 s  a::b' env STATUS=0 tests/run_tests.sh "$dir/fake"
expect 'and the last line' says '====. all 0' env STATUS=0 tests/run_tests.sh "$dir/fake"
expect 'tests that fail print all' says stray env STATUS=1 tests/run_tests.sh "$dir/fake"
expect 'and fail' not env STATUS=1 tests/run_tests.sh "$dir/fake"

# ---- A tarball, which builds elsewhere and leaves its folder alone. ----

version=$(sed -n 's|.*define AG_VERSION "\(.*\)"|\1|p' autograd/runtime.h)
tarball=hourglass-$version.tar.gz
one_file=hourglass-amalgamation-$version.tar.gz
tree=$dir/hourglass-$version
expect 'dist' $make dist
tar -xzf "$tarball" -C "$dir" && rm -f "$tarball"
expect 'with the one file' says '/hourglass\.c$' tar -tzf "$one_file"
rm -f "$one_file"
files() {
    tar -tzf "$1" | grep -v '/$' | sort
}
(cd "$tree" && find . -type f | sort > "$dir/before" && chmod -R a-w .)
expect 'all from a read-only folder' $make -C "$tree" BUILD="$dir/elsewhere" all
expect 'programs are in BUILD' "$dir/elsewhere/f32/programs/models/vae_mnist" --help
(cd "$tree" && find . -type f | sort > "$dir/after" && chmod -R u+w .)
expect 'the folder is as before' cmp "$dir/before" "$dir/after"
expect 'dist outside git' $make -C "$tree" dist BUILD="$dir/elsewhere"
rm -f "$tree/$one_file"
(cd "$tree" && files "$tarball" | sed 's|^hourglass-[^/]*|.|' > "$dir/after")
expect 'has the same files' cmp "$dir/before" "$dir/after"
(cd "$tree" && $make clean BUILD=. > /dev/null 2>&1)
expect 'clean BUILD=. keeps the sources' test -f "$tree/Makefile"

[ "$failures" -eq 0 ] && echo 'build: make removes only its own, refuses what it cannot do, and builds again when it must'
exit $((failures > 0))
