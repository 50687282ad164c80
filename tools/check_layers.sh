#!/bin/sh
# Proves that includes point the right way: kernels <- autograd <- nn <- models; datasets and tools depend on none of these;
# the parts of models/train stand one on the other; nothing in models/ goes in a circle; and every include of the project's own is
# rooted. Run from the project's folder; prints what is wrong.
set -eu

# allowed FOLDER PATTERN: own headers that the files of FOLDER may include.
status=0
include='^[[:space:]]*#[[:space:]]*include '
allowed() {
    bad=$(find "$1" -name '*.[ch]' -o -name '*.def' | { [ "${3:-}" ] && grep -v "$3" || cat; } |
          xargs grep -HnE "$include\"" | grep -vE "#[[:space:]]*include \"($2)" || true)
    if [ -n "$bad" ]; then
        printf '%s\n' "$bad" | sed "s|\$|   <- $1 may include only: $2|" >&2
        status=1
    fi
}

allowed autograd/kernels 'autograd/kernels/|autograd/real\.h|autograd/runtime\.h'
allowed autograd         'autograd/|generated/math_text\.h' '^autograd/kernels/'
allowed nn               'nn/|autograd/|tools/'
allowed datasets         'datasets/|tools/|autograd/real\.h'
allowed tools            'tools/' '^tools/bench/\|^tools/hourglass.*\.c'
allowed tools/hourglass.c 'nn/safetensors\.h|autograd/runtime\.h|tools/'
allowed tools/hourglass-compare.c 'nn/safetensors\.h|autograd/runtime\.h|tools/'
allowed tools/hourglass-inspect.c 'nn/safetensors\.h|autograd/runtime\.h|tools/'
allowed tools/bench      'tools/|models/|nn/|autograd/|datasets/'
allowed models           'generated/commit\.h|models/|nn/|autograd/[a-z]*\.h|datasets/|tools/'

# The harness: each part includes only itself and parts before it.
parts='source history ranks ranks_alone ranks_mpi reduce shards run plan passes step checkpoint best observers report folder program program_options program_report images rows draw few codes births frames latent kid classifier likelihood kl_parts score edit export use image_program'
before=
for part in $parts; do
    before="$before${before:+|}$part"
    bad=$(grep -HnE "$include\"models/" "models/train/$part".[ch] "models/train/${part}_internal.h" 2>/dev/null |
          grep -vE "\"models/train/($before)(_internal)?\.h\"" || true)
    if [ -n "$bad" ]; then
        printf '%s\n' "$bad" | sed "s,\$,   <- $part may include only: $before," >&2
        status=1
    fi
done
for file in models/train/*.[ch]; do
    name=$(basename "${file%.[ch]}")
    case " $parts " in *" ${name%_internal} "*) ;; *)
        echo "$file: not in the list of parts in tools/check_layers.sh" >&2
        status=1 ;;
    esac
done

# Models know nothing of training, only programs and recipes do.
bad=$(grep -L '^int main\b' models/*.[ch] | grep -v '^models/recipes\.' |
      xargs grep -HnE "$include\"models/(train|recipes)" || true)
if [ -n "$bad" ]; then
    printf '%s\n' "$bad" | sed 's|$|   <- a model may not include models/train|' >&2
    status=1
fi

# Nothing in models/ includes itself by way of others; a .c, its .h and its _internal.h are one.
grep -HoE "$include\"models/[^\"]*\"" models/*.[ch] models/train/*.[ch] |
    sed -E 's/\.[ch]:.*"(models\/[^"]*)\.h"/ \1/; s/_internal//g' | awk '$1 != $2' | sort -u | tsort > /dev/null || status=1

[ "$status" -eq 0 ] && echo 'layers: every include points the right way'
exit "$status"
