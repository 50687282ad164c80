#!/bin/sh
# Trains what published tables say and prints their values beside ours: -log p(x) of the test images, in nats. Run from the
# project's folder, with the programs built; runs are kept in runs/papers and go on where they were cut off.
#
#   tools/papers.sh [--quick] [ROW ...]     all rows if none is named; --quick: some steps of each, whose results must lie in a band
#
# MNIST: folder of MNIST (data/mnist if not set); BINARIZED: that of the fixed binarisation, IDX files (data/binarized_mnist).
set -eu
programs=${PROGRAMS:-.} # the folder of models/, with the programs in it

mnist=${MNIST:-data/mnist}
binarized=${BINARIZED:-data/binarized_mnist}
quick=
case "${1:-}" in
-h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
--quick) quick=yes; shift ;;
esac
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT

# row | paper | other implementations | data | program and options | steps and band of --quick
rows="iwae-k1|86.76|86.35|mnist|iwae_mnist --k 1 --stages 8 --nll 5000|1500 173 181
iwae-k5|85.54|85.18|mnist|iwae_mnist --k 5 --stages 8 --nll 5000|1500 168 176
iwae-k50|84.78|84.59|mnist|iwae_mnist --k 50 --stages 8 --nll 5000|
iwae2-k1|85.33||mnist|iwae_mnist --layers 2 --k 1 --stages 8 --nll 5000|1500 175 184
iwae2-k5|83.89||mnist|iwae_mnist --layers 2 --k 5 --stages 8 --nll 5000|1500 172 181
iwae2-k50|82.90||mnist|iwae_mnist --layers 2 --k 50 --stages 8 --nll 5000|
vae-fixed|89.9|89.78|binarized|flow_vae_mnist --recipe vae --nll 200|400 199 207
planar|-||binarized|flow_vae_mnist --recipe planar --nll 200|400 182 191
mean-field|97.10||binarized|flow_vae_mnist --recipe mean-field --keep-best --nll 1000|400 167 175
iaf|95.33||binarized|flow_vae_mnist --recipe iaf --nll 500|400 170 178"

for row in "$@"; do
    echo "$rows" | grep -q "^$row|" || { echo "$0: $row: no such row, or --quick is not first" >&2; exit 2; }
done
wanted=$*
status=0
printf '%-12s %8s %8s %8s  %-16s %9s\n' row paper others ours weights seconds
echo "$rows" | while IFS='|' read -r row paper others data command quickly; do
    case " ${wanted:-$row} " in *" $row "*) ;; *) continue ;; esac
    [ -z "$quick" ] || [ "$quickly" ] || continue
    folder=$binarized
    [ "$data" = mnist ] && folder=$mnist
    [ -e "$folder/train-images-idx3-ubyte" ] || { echo "$row: skipped, $folder is not there"; continue; }
    out=runs/papers/$row
    if [ "$quick" ]; then
        out=$at/$row
        command="$(echo "$command" | sed 's/--nll .*/--nll 20/') --steps ${quickly%% *}"
    fi
    if [ -e "$out/nll.csv" ] && [ -e "$out/fingerprint" ]; then
        weights=$(cat "$out/fingerprint")
    else
        [ -e "$out/checkpoint.safetensors" ] && command="$command --resume $out/checkpoint.safetensors"
        said=$("$programs/models/"$command --data "$folder" --quiet --out "$out") || exit 1
        weights=$(printf '%s\n' "$said" | sed -n 's/^weights //p')
        echo "$weights" > "$out/fingerprint"
    fi
    ours=$(sed -n '2s/.*,//p' "$out/nll.csv")
    seconds=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "seconds") at = i } NR > 1 { s += $at } END { printf "%.0f", s }' "$out/metrics.csv")
    printf '%-12s %8s %8s %8.2f  %-16s %9s\n' "$row" "$paper" "${others:--}" "$ours" "$weights" "$seconds"
    if [ "$quick" ]; then
        rm -rf "$out"
        band=${quickly#* }
        echo "$ours $band" | awk '{ exit !($1 >= $2 && $1 <= $3) }' || { echo "$row: expected $band nats" >&2; exit 1; }
    fi
done || status=$?
exit $status
