#!/bin/sh
# Adds the golden values that are missing, with the Python that has PyTorch: $PYTHON, python3, or one of its own in FOLDER/venv, where
# PyTorch is installed if need be.
#
#   tests/golden/make.sh FOLDER      FOLDER/f64/tests/list_samples and list_layers have been built
set -eu
export PYTHONDONTWRITEBYTECODE=1

folder=$1
python=${PYTHON:-python3}
if ! "$python" -c 'import torch' 2> /dev/null; then
    python=$folder/venv/bin/python
    [ -x "$python" ] || python3 -m venv "$folder/venv"
    "$python" -c 'import torch' 2> /dev/null || "$folder/venv/bin/pip" install -q torch==2.13.0 numpy
fi
"$folder/f64/tests/list_samples" | "$python" tests/golden/make_ops.py
"$folder/f64/tests/list_layers" | "$python" tests/golden/make_layers.py
