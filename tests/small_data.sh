#!/bin/sh
# Writes N training images (200) and 100 test images, and labels of zero, in MNIST's format, for tests that would take long with
# a whole data set; beside them the training images alone, as `pixels`.
#
#   tests/small_data.sh FOLDER [N]
set -eu

n=${2:-200}
mkdir "$1"
cd "$1"
size=$(printf '\\%03o\\%03o' $((n / 256)) $((n % 256)))
seq 99999 | head -c $((n * 784)) > pixels
{ printf "\\0\\0\\010\\003\\0\\0$size\\0\\0\\0\\034\\0\\0\\0\\034"; cat pixels; } > train-images-idx3-ubyte
{ printf "\\0\\0\\010\\001\\0\\0$size"; head -c "$n" /dev/zero; } > train-labels-idx1-ubyte
{ printf '\0\0\010\003\0\0\0\144\0\0\0\034\0\0\0\034'; tail -c 78400 pixels; } > t10k-images-idx3-ubyte
{ printf '\0\0\010\001\0\0\0\144'; head -c 100 /dev/zero; } > t10k-labels-idx1-ubyte
