#!/bin/sh
# Draws the pictures of models/gallery anew, or says which of them are not what the programs draw today. Run from the project's
# folder, with the programs built.
#
#   tools/gallery.sh              from data/mnist (tools/fetch_mnist.sh) and synthetic digits; takes minutes. The screenshot of a
#                                 report needs chromium, and stays as it is without.
#   tools/gallery.sh --check      in seconds: five steps on synthetic digits draw the same as when the gallery was drawn
set -eu
programs=${PROGRAMS:-.} # the folder of models/, with the programs in it

case "${1:-}" in
'' | --check) ;;
-h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) echo "$0: unknown option $1; see $0 --help" >&2; exit 2 ;;
esac
gallery=models/gallery
data=${MNIST:-data/mnist}
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT

# picture of the gallery : picture of the run : data : program and options
pictures="vae_samples.png:samples.png:$data:vae_mnist
vae_manifold.png:manifold.png:$data:vae_mnist --latent 2 --epochs 20
vae_interpolations.png:interpolations.png:$data:vae_mnist --variant conv --interpolate
vae_reconstructions_synthetic.png:reconstructions.png:synthetic:vae_mnist
denoised_synthetic.png:denoised.png:synthetic:denoising_ae_mnist"

# The hash of what a program draws after five steps.
sketch() { # program and options, picture
    "$programs/models/"$1 --data synthetic --steps 5 --quiet --overwrite --out "$at/sketch" > /dev/null
    sha256sum < "$at/sketch/$2" | cut -c 1-16
}

if [ "${1:-}" = --check ]; then
    stale=0
    echo "$pictures" > "$at/pictures"
    while IFS=: read -r picture from _ command; do
        now=$(sketch "$command" "$from")
        grep -qx "$picture $now" $gallery/sketches || { echo "$gallery/$picture: stale; tools/gallery.sh draws it anew" >&2; stale=1; }
    done < "$at/pictures"
    [ $stale -eq 0 ] && echo 'gallery: drawn as the programs draw today'
    exit $stale
fi

[ -e "$data/train-images-idx3-ubyte" ] || { echo "$data: no MNIST; tools/fetch_mnist.sh fetches it" >&2; exit 1; }
echo "$pictures" > "$at/pictures"
: > "$at/sketches"
while IFS=: read -r picture from digits command; do
    echo "models/$command"
    "$programs/models/"$command --data "$digits" --quiet --overwrite --out "$at/run" > /dev/null
    cp "$at/run/$from" "$gallery/$picture"
    echo "$picture $(sketch "$command" "$from")" >> "$at/sketches"
done < "$at/pictures"
cp "$at/sketches" $gallery/sketches
if command -v chromium > /dev/null; then
    "$programs/models/vae_mnist" --latent 2 --data synthetic --quiet --overwrite --out "$at/run" > /dev/null
    chromium --headless --no-sandbox --hide-scrollbars --window-size=1245,2060 --screenshot="$at/report.png" "file://$at/run/report.html" 2> /dev/null
    cp "$at/report.png" $gallery/report.png
fi
