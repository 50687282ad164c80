#!/bin/sh
# Proves that includes point the right way: kernels <- autograd <- nn <- models; datasets and tools depend on none of these,
# and every include of the project's own is rooted. Run from the project's folder; prints what is wrong.
set -eu

# allowed FOLDER PATTERN: own headers that the files of FOLDER may include.
status=0
allowed() {
    bad=$(find "$1" -name '*.[ch]' -o -name '*.def' | { [ "${3:-}" ] && grep -v "$3" || cat; } |
          xargs grep -HnE '^[[:space:]]*#[[:space:]]*include "' | grep -vE "#[[:space:]]*include \"($2)" || true)
    if [ -n "$bad" ]; then
        printf '%s\n' "$bad" | sed "s|\$|   <- $1 may include only: $2|" >&2
        status=1
    fi
}

allowed autograd/kernels 'autograd/kernels/|autograd/real\.h|autograd/runtime\.h'
allowed autograd         'autograd/' '^autograd/kernels/'
allowed nn               'nn/|autograd/|tools/'
allowed datasets         'datasets/|tools/|autograd/real\.h'
allowed tools            'tools/' '^tools/bench/\|^tools/hourglass-inspect\.c'
allowed tools/hourglass-inspect.c 'nn/safetensors\.h|tools/'
allowed tools/bench      'tools/|models/|nn/|autograd/|datasets/'
allowed models           'models/|nn/|autograd/[a-z]*\.h|datasets/|tools/'
[ "$status" -eq 0 ] && echo 'layers: every include points the right way'
exit "$status"
