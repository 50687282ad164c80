#!/bin/sh
# Writes 200 training and 100 test images, and labels of zero, in MNIST's format, for tests that would take long with a
# whole data set; beside them the training images alone, as `pixels`.
#
#   tests/small_data.sh FOLDER
set -eu

mkdir "$1"
cd "$1"
seq 99999 | head -c 156800 > pixels
{ printf '\0\0\010\003\0\0\0\310\0\0\0\034\0\0\0\034'; cat pixels; } > train-images-idx3-ubyte
{ printf '\0\0\010\001\0\0\0\310'; head -c 200 /dev/zero; } > train-labels-idx1-ubyte
{ printf '\0\0\010\003\0\0\0\144\0\0\0\034\0\0\0\034'; head -c 78400 pixels; } > t10k-images-idx3-ubyte
{ printf '\0\0\010\001\0\0\0\144'; head -c 100 /dev/zero; } > t10k-labels-idx1-ubyte
