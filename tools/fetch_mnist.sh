#!/bin/sh
# Downloads MNIST's four files, unpacks them and checks their MD5.
#
#   tools/fetch_mnist.sh [DIR]      DIR is data/mnist if not given
#
# HOURGLASS_MNIST_URL names another place to fetch from. Files that are there and whole are kept.
set -eu

case "${1:-}" in
-h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
-*)
    echo "$0: unknown option $1; see $0 --help" >&2
    exit 2
    ;;
esac

dir=${1:-data/mnist}
url=${HOURGLASS_MNIST_URL:-https://ossci-datasets.s3.amazonaws.com/mnist}

for tool in curl gzip md5sum; do
    command -v "$tool" > /dev/null || { echo "$0: $tool is needed" >&2; exit 1; }
done
mkdir -p "$dir"
part=$(mktemp -d "$dir/.fetch.XXXXXX")
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

is_whole() { # FILE MD5
    [ -f "$1" ] && [ "$(md5sum < "$1" | cut -d ' ' -f 1)" = "$2" ]
}

while read -r name md5; do
    if is_whole "$dir/$name" "$md5"; then
        echo "$name: already there"
        continue
    fi
    if [ -e "$dir/$name" ]; then
        echo "$0: $dir/$name is there but is not MNIST's; move it away first" >&2
        exit 1
    fi
    curl --fail --location --silent --show-error --retry 2 --output "$part/$name.gz" "$url/$name.gz"
    gzip -dc "$part/$name.gz" > "$part/$name"
    is_whole "$part/$name" "$md5" || { echo "$0: $name: the MD5 is not $md5" >&2; exit 1; }
    mv "$part/$name" "$dir/$name"
    echo "$name: fetched"
done << 'FILES'
train-images-idx3-ubyte 6bbc9ace898e44ae57da46a324031adb
train-labels-idx1-ubyte a25bea736e30d166cdddb491f175f624
t10k-images-idx3-ubyte 2646ac647ad5339dbf082846283269ea
t10k-labels-idx1-ubyte 27ae3e4e09519cfbb04c329615203637
FILES
