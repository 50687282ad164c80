#!/usr/bin/env bash
# Nothing lost: runs in pairs into one folder, single failures of I/O calls in every program, kills, and runs with little memory.
# After each of them what is in the folder is valid and of one run, and a program that could not write something said so by its
# exit status. And every program, killed again and again and resumed, ends with the weights of one that was never disturbed.
#
#   tests/hostile.sh [--short] [--pairs N] [--failures N] [--kills N] [--memory KIB] FOLDER
#
# FOLDER has models/ and tools/ with the programs in it: as make leaves them, ".". Failures need strace.
set -u
export LC_ALL=C HOURGLASS_THREADS=1

pairs=300 failures=500 kills=90 memory=250 short=
while [ $# -gt 1 ]; do
    case $1 in
    --short) pairs=20 failures=60 kills=8 memory=3000 short=yes ;;
    --pairs) pairs=$2; shift ;;
    --failures) failures=$2; shift ;;
    --kills) kills=$2; shift ;;
    --memory) memory=$2; shift ;;
    *) echo "$1: unknown option" >&2; exit 2 ;;
    esac
    shift
done
programs=$(cd "${1:-.}" && pwd) || exit 2
small_data=$(cd "$(dirname "$0")" && pwd)/small_data.sh
inspect=$programs/tools/hourglass-inspect
vae=("$programs/models/vae_mnist" --data data --save-every 1 --quiet)
use=("$programs/models/vae_mnist" --data data --load old/model.safetensors --quiet --output)
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
cd "$at" || exit 2
wrong=0

exec 3>&2
complain() {
    echo "  wrong: $*" >&3
    wrong=$((wrong + 1))
}

# Whether all that a folder holds can be read and is of one run; its seed goes to $seed.
check_folder() { # what folder
    local f of
    seed=
    for f in "$2"/checkpoint.safetensors "$2"/model.safetensors; do
        [ -e "$f" ] || continue
        "$inspect" "$f" > said 2>&1 || complain "$1: $f cannot be read: $(cat said)"
        of=$(sed -n 's/^option.seed: //p' said)
        [ -z "$seed" ] || [ "$of" = "$seed" ] || complain "$1: files of two runs, seeds $seed and $of"
        seed=$of
    done
}

# ---- Pairs. ----

run_pairs() {
    local i a b refused=0
    for ((i = 0; i < pairs; i++)); do
        rm -rf run
        "${vae[@]}" --hidden 16 --latent 2 --steps 6 --seed $((2 * i + 1)) --out run > a 2>&1 &
        a=$!
        "${vae[@]}" --hidden 16 --latent 2 --steps 6 --seed $((2 * i + 2)) --out run > b 2>&1 &
        b=$!
        [ $((i % 3)) -ne 0 ] || check_folder "pair $i, under way" run
        wait $a; a=$?
        wait $b; b=$?
        check_folder "pair $i" run
        case $a$b in
        01 | 02) [ "$seed" = $((2 * i + 1)) ] || complain "pair $i: seed $seed, the first run won" ;;
        10 | 20) [ "$seed" = $((2 * i + 2)) ] || complain "pair $i: seed $seed, the second run won" ;;
        *) complain "pair $i: exit statuses $a and $b: $(cat a b)" ;;
        esac
        refused=$((refused + $(cat a b | grep -c 'is writing to this folder\|holds a run already')))
        [ -z "$(find run -name '*.part')" ] || complain "pair $i: temporary files are left"
    done
    echo "pairs: $pairs, in which $refused runs were refused"
}

# ---- Single failures of I/O calls. ----

# Options of runs that write files of every kind.
runs=("vae_mnist --latent 2 --hidden 16" "mlp_ae_mnist --variant relu2" "conv_ae_mnist" "denoising_ae_mnist --latent 8"
    "mlp_classifier_mnist --hidden 16" "vae_mnist --variant chunked --interpolate")

uses=("codes.npy --encode data/t10k-images-idx3-ubyte" "pairs.png --reconstruct test" "again.npy --reconstruct test")

# A call of one kind fails, number $2 of the program's, while a run goes on from its checkpoint.
fail_call() { # call number error program
    local call=$1 number=$2 error=$3 program=$4 before status
    rm -rf run
    cp -r old run
    before=$(cksum < run/model.safetensors)
    inject "$call" "$number" "$error" \
        "$programs/models/$program" --data data --resume run/checkpoint.safetensors --epochs 2 --quiet || return 1
    made=$((made + 1))
    check_folder "$program, $call $number: $error" run
    [ -e run/checkpoint.safetensors ] && [ -e run/model.safetensors ] || complain "$program, $call $number: a file is gone"
    if [ $status -eq 0 ]; then
        harmless=$((harmless + 1))
        cmp -s run/model.safetensors new/model.safetensors ||
            complain "$program, $call $number: exit status 0, and the model is not what it should be"
        for f in new/*.png new/*.tsv; do
            [ ! -e "$f" ] || cmp -s "$f" "run/${f#new/}" || complain "$program, $call $number: exit status 0, ${f#new/} differs"
        done
    elif [ "$before" != "$(cksum < run/model.safetensors)" ] && ! cmp -s run/model.safetensors new/model.safetensors; then
        complain "$program, $call $number: model.safetensors is neither the old one nor the new one"
    fi
    [ $status -lt 126 ] || complain "$program, $call $number: exit status $status: $(cat out)"
    [ $status -eq 0 ] || [ -s out ] || complain "$program, $call $number: exit status $status without a word"
}

# Whether a call fails in a command whose words follow; its exit status goes to $status.
inject() { # call number error, then the command
    strace -qq -f -o trace -e trace="$1" -e inject="$1:error=$3:when=$2" "${@:4}" > out 2>&1
    status=$?
    grep -q INJECTED trace && ! grep -q 'error while loading shared libraries' out
}

# The same of a model that is used: what is written is the old file or the new one.
fail_use() { # call number error output, then the options
    local status
    cp "old.$4" "$4"
    inject "$1" "$2" "$3" "${use[@]}" "$4" "${@:5}" || return 1
    made=$((made + 1))
    [ $status -ne 0 ] || harmless=$((harmless + 1))
    cmp -s "$4" "new.$4" || { [ $status -ne 0 ] && cmp -s "$4" "old.$4"; } || complain "$4, $1 $2: exit status $status, lost"
    [ $status -eq 0 ] || [ -s out ] || complain "$4, $1 $2: exit status $status without a word"
}

calls=(write,writev fsync rename close openat,open fcntl)
errors=(ENOSPC EIO EDQUOT)

# Calls the function with each call's first, second, ... until $most have failed or there are no more.
fail_each() { # function, its further arguments
    local call number some
    for ((number = 1; number < 80 && made < most; number++)); do
        some=
        for call in "${calls[@]}"; do
            [ $made -ge "$most" ] || ! "$1" "$call" $number "${errors[number % 3]}" "${@:2}" || some=yes
        done
        [ "$some" ] || break
    done
}

run_failures() {
    local made=0 harmless=0 most run words left=$((${#runs[@]} + ${#uses[@]})) name asked
    command -v strace > /dev/null || { echo 'failures: skipped, as strace is not installed'; return; }
    for run in "${runs[@]}"; do
        read -ra words <<< "$run"
        rm -rf old new
        "$programs/models/${words[0]}" --data data --batch 50 --epochs 1 --quiet --seed 3 --out old "${words[@]:1}" > out 2>&1 ||
            complain "$run: $(cat out)"
        cp -r old new
        "$programs/models/${words[0]}" --data data --resume new/checkpoint.safetensors --epochs 2 --quiet > out 2>&1 ||
            complain "$run: $(cat out)"
        most=$((made + (failures - made) / left--))
        fail_each fail_call "${words[0]}"
    done
    for asked in "${uses[@]}"; do
        read -ra words <<< "$asked"
        name=${words[0]}
        "${use[@]}" "new.$name" "${words[@]:1}" > out 2>&1 || complain "$asked: $(cat out)"
        head -c 5000 data/pixels > "old.$name"
        most=$((made + (failures - made) / left--))
        fail_each fail_use "${words[@]}"
    done
    echo "failures: $made single failures of I/O calls, of which $harmless did not matter"
}

# ---- Kills. ----

run_kills() {
    local i pid status cut=0
    for ((i = 0; i < kills; i++)); do
        rm -rf run
        "${vae[@]}" --hidden 64 --latent 2 --epochs 100000 --seed 7 --out run > out 2>&1 &
        pid=$!
        sleep "0.$(printf %03d $((20 + i * 37 % 250)))"
        kill -9 $pid 2> /dev/null
        wait $pid 2> /dev/null
        check_folder "kill $i" run
        [ -z "$(find run -name '*.part' 2> /dev/null)" ] || cut=$((cut + 1))
        [ -e run/checkpoint.safetensors ] || continue
        "${vae[@]}" --resume run/checkpoint.safetensors --steps 100000 > out 2>&1 &
        pid=$!
        sleep 0.1
        kill -TERM $pid 2> /dev/null
        wait $pid
        status=$?
        [ $status -eq 130 ] || [ $status -eq 143 ] || complain "kill $i: exit status $status of the run that goes on: $(cat out)"
        [ -z "$(find run -name '*.part')" ] || [ $status -eq 143 ] || complain "kill $i: temporary files are left"
        check_folder "kill $i, going on" run
    done 2> /dev/null
    echo "kills: $kills, of which $cut came within a write"
}

# ---- Killed again and again. ----

# Two epochs or more of each phase of every program that has several, or several optimizers, or a model of its own.
resumed=("adversarial_ae_mnist --hidden 60" "adversarial_ae_mnist --hidden 60 --labels 20" "vae_gan_mnist --hidden 60"
    "stacked_ae_mnist --hidden 60 --pretrain-epochs 3" "augmentation_mnist --labels 20 --steps 110"
    "iwae_mnist --hidden 30 --stages 2 --nll 0" "flow_vae_mnist --recipe iaf --hidden 30 --nll 0"
    "vq_vae_mnist --channels 8 --prior-epochs 3" "denoising_ae_mnist" "poem_vae")

# Kills a run that saves each epoch after some time, resumes it, gives it a little longer, and so on until it ends.
run_resumed() {
    [ -z "$short" ] || resumed=("${resumed[@]:3:5}") # those of several phases
    local run words whole status slice resume phase killed=0 reached=0
    for run in "${resumed[@]}"; do
        read -ra words <<< "$run"
        case $run in
        poem_vae) words+=(--data synthetic --epochs 4 --width 8) ;;
        iwae* | augmentation*) words+=(--data data) ;;
        *) words+=(--data data --epochs 4) ;;
        esac
        words=("$programs/models/${words[0]}" "${words[@]:1}" --batch 20 --quiet)
        rm -rf run phases
        whole=$("${words[@]}" --out run 2>&1) || complain "$run: $whole"
        rm -rf run
        for ((slice = 60; slice < 60000; slice += slice / 5)); do
            resume=(--save-every 1 --out run)
            [ ! -e run/checkpoint.safetensors ] || resume+=(--resume run/checkpoint.safetensors)
            [ ${#resume[@]} -gt 4 ] || rm -rf run
            timeout --foreground --preserve-status -s KILL $((slice / 1000)).$(printf %03d $((slice % 1000))) "${words[@]}" "${resume[@]}" > out 2>&1
            status=$?
            [ $status -eq 137 ] || break
            killed=$((killed + 1))
            [ ! -e run/checkpoint.safetensors ] || "$inspect" run/checkpoint.safetensors | sed -n 's/^phase: //p' >> phases
        done 2> /dev/null
        [ $status -eq 0 ] && [ "$(cat out)" = "$whole" ] || complain "$run: $whole, and resumed: status $status, $(cat out)"
        [ ! -e phases ] || reached=$((reached + $(sort -u phases | wc -l)))
    done
    echo "resumed: ${#resumed[@]} programs, killed $killed times, in $reached phases, with the same weights at the end"
}

# ---- Little memory. ----

small=("vae_mnist" "vae_mnist --variant chunked" "vae_mnist --variant conv" "cvae_mnist" "mlp_ae_mnist" "conv_ae_mnist"
    "denoising_ae_mnist" "mlp_classifier_mnist" "adversarial_ae_mnist" "vae_gan_mnist" "stacked_ae_mnist --pretrain-epochs 1"
    "vq_vae_mnist --prior-epochs 1" "poem_vae")

# Every program with as little address space as $memory KiB, twice, three times, ... that, until it has enough: what is too little
# is said, and nothing dies of it. Where not even --version can be printed it is the system that has too little to start it.
run_memory() {
    local run words size status tried=0
    for run in "${small[@]}"; do
        read -ra words <<< "$run"
        [ "${words[0]}" = poem_vae ] && words+=(--data synthetic) || words+=(--data data)
        for ((size = memory; size < 4000000; size += memory + size / (memory > 1000 ? 8 : 64))); do
            rm -rf run
            (ulimit -v $size && exec "$programs/models/${words[0]}" "${words[@]:1}" --batch 20 --steps 2 --quiet --out run) > out 2>&1
            status=$?
            [ $status -ne 0 ] || break
            (ulimit -v $size && exec "$programs/models/${words[0]}" --version) > /dev/null 2>&1 || continue
            tried=$((tried + 1))
            [ $status -lt 126 ] && [ -s out ] || complain "$run with $size KiB: exit status $status: $(cat out)"
        done
        [ $status -eq 0 ] || complain "$run: never enough memory: $(cat out)"
    done
    echo "memory: $tried runs with too little of it"
}

"$small_data" data
run_memory
run_pairs
run_failures
run_kills
run_resumed
[ $wrong -eq 0 ] && echo 'nothing lost' || echo "$wrong times something was lost"
[ $wrong -eq 0 ]
