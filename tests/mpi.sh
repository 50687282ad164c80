#!/bin/bash
# Training on several ranks with MPI: the same weights as one process alone, for any number of ranks, of threads, and with
# instruction sets mixed; resumed on other ranks; what one rank meets, all are told. Run from the project's folder, with the
# programs built.
#
#   tests/mpi.sh [MPICC ...]     the compilers of the MPIs to try; Debian's two, if they are not named
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"; make -s all' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_base_warn_component_unused=0 HOURGLASS_THREADS=1

fail() {
    echo "mpi: $mpi: $*" >&2
    exit 1
}

# alone PROGRAM OPTION ...: the weights of the build without MPI.
alone() {
    "$dir/alone/$1" "${@:2}" --quiet --overwrite --out "$dir/run-alone"
}

# on N PROGRAM OPTION ...: the weights of N ranks.
on() {
    "$run" $flags -n "$1" "$dir/$mpi/$2" "${@:3}" --quiet --overwrite --out "$dir/run" || echo failed
}

numbers() { # of metrics.csv, without the seconds
    sed 's/,[^,]*$//' "$dir/$1/metrics.csv"
}

check_ranks() {
    local options=(vae_mnist --data "$dir/data" --shards 8 --steps 24)
    local wanted
    wanted=$(alone "${options[@]}")
    for n in 2 4 8; do
        [ "$(on $n "${options[@]}")" = "$wanted" ] || fail "$n ranks: other weights than one alone"
        [ "$(numbers run)" = "$(numbers run-alone)" ] || fail "$n ranks: other metrics than one alone"
    done
    [ "$(HOURGLASS_THREADS=3 on 2 "${options[@]}")" = "$wanted" ] || fail 'three threads: other weights'
}

# Three optimizers and batch norm; dropout.
check_programs() {
    local program
    for program in vae_gan_mnist mlp_classifier_mnist; do
        local options=("$program" --data "$dir/data" --shards 4 --steps 3)
        [ "$(on 3 "${options[@]}")" = "$(alone "${options[@]}")" ] || fail "$program: other weights on three ranks"
    done
}

check_mixed() {
    local program=$dir/$mpi/mlp_ae_mnist
    local options=(--data "$dir/data" --shards 2 --steps 4 --quiet)
    local wanted
    wanted=$(alone mlp_ae_mnist "${options[@]}")
    [ "$("$run" $flags -n 1 env HOURGLASS_ISA=portable "$program" "${options[@]}" --out "$dir/mixed" : \
        -n 1 "$program" "${options[@]}" --out "$dir/mixed")" = "$wanted" ] || fail 'mixed instruction sets: other weights'
}

# Waits until a file is there, or the process has ended.
wait_for() {
    until [ -e "$1" ] || ! kill -0 "$2" 2> /dev/null; do sleep 0.05; done
}

# Stopped by a signal to one rank, and resumed on another number.
check_stop() {
    local options=(vae_mnist --data synthetic --shards 4 --epochs 2)
    local wanted status=0
    wanted=$(alone "${options[@]}")
    rm -rf "$dir/stopped"
    "$run" $flags -n 2 "$dir/$mpi/${options[0]}" "${options[@]:1}" --save-every 1 --quiet \
        --out "$dir/stopped" > "$dir/log" 2>&1 &
    wait_for "$dir/stopped/checkpoint.safetensors" $!
    pkill -TERM -n -f "$dir/$mpi/${options[0]}" || true # the one begun last
    wait $! || status=$?
    grep -q 'stopped in epoch' "$dir/log" || { cat "$dir/log" >&2; fail "a signal to a rank: status $status"; }
    [ "$(on 3 vae_mnist --resume "$dir/stopped/checkpoint.safetensors")" = "$wanted" ] ||
        fail 'resumed on other ranks: other weights'
}

# A rank that fails, and one that is killed.
check_failures() {
    local program=$dir/$mpi/vae_mnist
    local options=(--shards 2 --epochs 2 --quiet)
    ! "$run" $flags -n 1 "$program" "${options[@]}" --data synthetic --out "$dir/failed" : \
        -n 1 "$program" "${options[@]}" --data "$dir/none" > "$dir/log" 2>&1 || fail 'a rank without data: status 0'
    grep -q 'rank 1: .*none' "$dir/log" || { cat "$dir/log" >&2; fail 'a rank without data: no message'; }
    ! "$run" $flags -n 3 "$program" "${options[@]}" --data synthetic --out "$dir/few" > "$dir/log" 2>&1 || fail 'more ranks than shards: status 0'
    grep -q 'more ranks than shards' "$dir/log" || { cat "$dir/log" >&2; fail 'more ranks than shards: no message'; }
    "$run" $flags -n 2 "$program" "${options[@]}" --data synthetic --save-every 20 --out "$dir/killed" > "$dir/log" 2>&1 &
    wait_for "$dir/killed/checkpoint.safetensors" $!
    pkill -KILL -n -f "$program" || true
    ! wait $! || fail 'a rank that was killed: status 0'
    [ "$(on 2 vae_mnist --resume "$dir/killed/checkpoint.safetensors")" = "$(alone vae_mnist --data synthetic "${options[@]}")" ] ||
        fail 'a rank that was killed: its checkpoint gives other weights'
}

# build NAME VARIABLE=VALUE ...: the programs, in a folder of that name.
build() {
    make -s "${@:2}" all > "$dir/log" 2>&1 || { cat "$dir/log" >&2; fail 'does not build'; }
    mkdir "$dir/$1"
    find models -maxdepth 1 -type f -executable -exec cp {} "$dir/$1" \;
}

[ $# -gt 0 ] || set -- mpicc.openmpi mpicc.mpich
tried= mpi=none
tests/small_data.sh "$dir/data"
build alone
for mpicc in "$@"; do
    command -v "$mpicc" > /dev/null || continue
    mpi=${mpicc#mpicc.} run=mpirun.${mpicc#mpicc.} flags=
    [ "$mpicc" != mpicc ] || run=mpirun
    ! "$run" --version 2>&1 | grep -q 'Open MPI\|OpenRTE' || flags=--oversubscribe
    build "$mpi" MPI=1 MPICC="$mpicc"
    check_ranks
    check_programs
    check_mixed
    check_stop
    check_failures
    tried="$tried $mpi"
done
[ "$tried" ] && echo "mpi:$tried: the same weights on 1 to 8 ranks, resumed on others, and every failure told" ||
    echo 'mpi: skipped, as no MPI is installed'
