#!/bin/sh
# In single precision the kernels compute everything by the functions of simd/math.h, which are the same on every machine and run in
# vectors. A formula that calls libm instead would still compile and pass: this looks for such calls in the object files given.
# Double precision is for checks, and does call libm.
set -eu

functions='a?(sin|cos|tan)h?|sincos|exp|exp2|expm1|log|log2|log10|log1p|pow|cbrt|hypot|erf|erfc|[lt]gamma|sqrt|floor|ceil|l?l?r(ound|int)|fmod'
bad=$(nm -uA "$@" | grep -E "U ($functions)f?$" || true)
[ -z "$bad" ] || { printf '%s   <- libm in a kernel; simd/math.h has what it should call\n' "$bad" >&2; exit 1; }
echo "kernels: no call of libm"
