#!/usr/bin/env bash
# Builds the project as many ways as Debian has compilers and emulators for, runs the tests in float with each, and prints a line for
# each way: how many tests passed, and the fingerprint of a short run, which must be the same everywhere. What is not installed is
# reported. Takes a day, most of it for the emulated machines.
#
#   tests/portability.sh [--short] [NAME ...]      all ways if none is named; --short: only the fingerprints, in an hour
set -u
cd "$(dirname "$0")/.."

short=
[ "${1:-}" = --short ] && { short=yes; shift; }
build=${BUILD:-build}/portability
unset MAKEFLAGS MAKELEVEL MFLAGS BUILD CFLAGS LDFLAGS WERROR
i686="-idirafter /usr/include/$(cc -dumpmachine)"

# name | compiler | CFLAGS | LDFLAGS | CPPFLAGS | emulator
ways="gcc-O0|gcc|-O0|||
gcc-O1|gcc|-O1|||
gcc-O2|gcc|-O2|||
gcc-O3|gcc|-O3|||
gcc-O3-native|gcc|-O3 -march=native|||
gcc-O2-lto|gcc|-O2 -flto|||
gcc-O3-lto-native|gcc|-O3 -flto -march=native|||
gcc-9|gcc-9|-O3|||
gcc-10|gcc-10|-O3|||
gcc-11|gcc-11|-O3|||
clang-O0|clang|-O0|||
clang-O3|clang|-O3|||
clang-O3-native|clang|-O3 -march=native|||
clang-11|clang-11|-O3|||
musl-static|musl-gcc|-O3|-static||
i686-sse2|gcc -m32 -msse2 -mfpmath=sse|-O3||$i686|
aarch64|aarch64-linux-gnu-gcc|-O3|-static||qemu-aarch64
armhf|arm-linux-gnueabihf-gcc|-O3|-static||qemu-arm
riscv64|riscv64-linux-gnu-gcc|-O3|-static||qemu-riscv64
s390x|s390x-linux-gnu-gcc|-O3|-static||qemu-s390x"

# The programs of a folder, each by way of the emulator, in a folder of their own.
emulate() {
    local program
    mkdir -p "$2"
    for program in "$1"/*; do
        [ -x "$program" ] && [ ! -d "$program" ] || continue
        printf '#!/bin/sh\nexec %s %s "$@"\n' "$3" "$program" > "$2/${program##*/}"
        chmod +x "$2/${program##*/}"
    done
}

# Sets `passed` to what the tests say, or to nothing with --short.
run_tests() {
    local dir=$1 emulator=$2 programs=$1/f32/programs/models
    passed=
    [ -z "$short" ] || return 0
    "${make[@]}" "$dir/f32/tests/run" $(cat "$dir/programs") > "$dir/tests.log" 2>&1 || return 1
    [ -z "$emulator" ] || { emulate "$programs" "$dir/emulated" "$emulator"; programs=$dir/emulated; }
    HOURGLASS_PROGRAMS=$programs tests/run_tests.sh "$dir/f32/tests" $emulator > "$dir/tests.log" 2>&1
    local status=$?
    passed=$(grep -c '^ok' "$dir/f32/tests/tap" 2> /dev/null)
    passed="$passed of $(grep -cE '^(not )?ok' "$dir/f32/tests/tap" 2> /dev/null) tests"
    return $status
}

for name in "$@"; do
    grep -q "^$name|" <<< "$ways" || { echo "portability: no way is named $name; there are $(cut -d'|' -f1 <<< "$ways" | xargs)" >&2; exit 2; }
done
wanted=" $* " first='' status=0
while IFS='|' read -r name compiler cflags ldflags cppflags emulator; do
    case "$wanted" in "  " | *" $name "*) ;; *) continue ;; esac
    for tool in ${compiler%% *} $emulator; do
        command -v "$tool" > /dev/null || { printf '%-18s %s is not installed\n' "$name" "$tool"; continue 2; }
    done
    if ! echo 'int main(void) { return 0; }' | $compiler $cppflags -x c - -o /dev/null 2> /dev/null; then
        printf '%-18s %s builds no program here\n' "$name" "$compiler"
        continue
    fi
    dir=$build/$name said=
    mkdir -p "$build"
    make=(make --no-print-directory BUILD="$dir" CC="$compiler" CFLAGS="$cflags" LDFLAGS="$ldflags" CPPFLAGS="$cppflags" CRITERION=no)
    weights='' passed=''
    if "${make[@]}" "$dir/f32/programs/models/vae_mnist" > "$build/$name.log" 2>&1 < /dev/null; then
        ls models/*_mnist.c models/poem_vae.c | sed "s|\(.*\)\.c|$dir/f32/programs/\1|" > "$dir/programs"
        weights=$($emulator "$dir/f32/programs/models/vae_mnist" --data synthetic --hidden 64 --batch 32 --steps 40 --quiet \
            --out "$dir/run" --overwrite 2>> "$build/$name.log" < /dev/null | sed -n 's/^weights //p')
        run_tests "$dir" "$emulator" || { said="  failed: $dir/tests.log"; status=1; }
    fi
    [ -n "$weights" ] || { said="  failed: $build/$name.log"; status=1; }
    : "${first:=$weights}"
    [ -z "$weights" ] || [ "$weights" = "$first" ] || { said="$said  other bits than the first"; status=1; }
    printf '%-18s %-17s %s%s\n' "$name" "$weights" "$passed" "$said"
done <<< "$ways"
exit $status
