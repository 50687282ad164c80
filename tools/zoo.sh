#!/bin/sh
# Trains every workload of the zoo with three seeds on MNIST and prints the table of the README.
#
#   tools/zoo.sh [--all] [DATA [OUT]]      DATA is data/mnist if not given, OUT runs/zoo
#
# --all goes on with the models of several losses or phases, which take hours. COUPLETS=FILE adds the poems.
# SEEDS="1 2 3" sets other seeds. Runs that are there already are not made again. The last column is what
# tools/bench/peer.py --quality --seeds 1 2 3 4 5 prints with PyTorch 2.13.
set -eu
programs=${PROGRAMS:-.} # the folder of models/, with the programs in it

case "${1:-}" in
-h | --help)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
all=
if [ "${1:-}" = --all ]; then
    all=yes
    shift
fi
data=${1:-data/mnist}
out=${2:-runs/zoo}
case $out in *' '*) echo "$0: $out: a folder without spaces, please" >&2; exit 2 ;; esac
seeds=${SEEDS:-1 2 3}

# workload NAME COLUMN FORMAT PYTORCH PROGRAM OPTIONS [FILE]: trains it with each seed; a row of the table with mean and deviation
# of the column in the last line of FILE, metrics.csv if not given.
workload() {
    name=$1 column=$2 format=$3 pytorch=$4 file=${7:-metrics.csv}
    shift 4
    values=
    for seed in $seeds; do
        run=$out/$name-$seed
        if [ ! -f "$run/done" ]; then
            "$programs/models/$1" --data "$data" --seed "$seed" --out "$run" --overwrite --quiet $2 > "$run.weights" 2>&1 || { cat "$run.weights" >&2; exit 1; }
            touch "$run/done"
        fi
        values="$values $(awk -F, -v column="$column" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i }
            END { if (!at) exit 1; print $at }' "$run/$file")" || { echo "$run/$file: has no column $column" >&2; exit 1; }
    done
    echo "$values" | awk -v name="$name" -v command="models/$1${2:+ $2}" -v column="$column" -v format="$format" -v pytorch="$pytorch" '{
        for (i = 1; i <= NF; i++) sum += $i
        for (i = 1; i <= NF; i++) square += ($i - sum / NF) ^ 2
        deviation = (NF > 1) ? sqrt(square / (NF - 1)) : 0
        printf("| %s | `%s` | %s | " format " ± " format " | %s |\n", name, command, column, sum / NF, deviation, pytorch)
    }'
}

mkdir -p "$out"
echo '| | command | measure | here | PyTorch 2.13 |'
echo '|---|---|---|---|---|'
workload a test_loss     %.2f '105.60 ± 0.15'     vae_mnist ''
workload b test_loss     %.4f '0.0119 ± 0.0007'   mlp_ae_mnist ''
workload c test_mse      %.4f '0.0401 ± 0.0053'   vae_mnist '--variant chunked'
workload d test_loss     %.4f '0.0356 ± 0.0019'   mlp_ae_mnist '--variant tanh3'
workload e test_loss     %.3f '0.120 ± 0.004'     conv_ae_mnist ''
workload f test_loss     %.0f '660600 ± 17900'    denoising_ae_mnist '--tutorial'
workload g test_accuracy %.4f '0.9785 ± 0.0015'   mlp_classifier_mnist ''
workload h test_loss     %.4f '0.2111 ± 0.0061'   mlp_ae_mnist '--variant relu2'
workload i test_loss     %.1f '107.62 ± 0.69'     vae_mnist '--variant conv'
workload o test_loss     %.2f '101.93 ± 0.16'     cvae_mnist ''
[ "$all" ] || exit 0

score="--score --classifier $out/classifier.safetensors"
workload j test_loss     %.4f '' adversarial_ae_mnist "$score"
workload j kid           %.0f '' adversarial_ae_mnist "$score" score.csv
workload j-labels test_error %.4f '' adversarial_ae_mnist '--labels 1000'
workload o-asked as_asked %.4f '' cvae_mnist "$score" score.csv
workload k kid           %.0f '' vae_gan_mnist "$score" score.csv
workload vq test_loss    %.2f '' vq_vae_mnist "$score"
workload vq kid          %.0f '' vq_vae_mnist "$score" score.csv
workload m pretrained    %.4f '' stacked_ae_mnist '' errors.csv
workload m plain         %.4f '' stacked_ae_mnist '' errors.csv
workload deep test_mse   %.2f '' stacked_ae_mnist --deep
for n in 100 1000; do
    workload "labels-$n" alone     %.4f '' augmentation_mnist "--labels $n" accuracy.csv
    workload "labels-$n" augmented %.4f '' augmentation_mnist "--labels $n" accuracy.csv
done
if [ "${COUPLETS:-}" ]; then
    data=$COUPLETS
    workload n test_loss %.2f '' poem_vae '--epochs 5 --kl-warmup 9000'
fi
