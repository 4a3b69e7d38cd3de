#!/bin/sh
# wide_accesses.sh NVCC [FLAGS...]: that the kernels for aligned vectors move 16 bytes at a time, by the instructions that nvcc
# makes of them. Needs no GPU.
set -eu
ptx=$(mktemp)
trap 'rm -f "$ptx"' EXIT
"$@" -std=c++20 -ptx "$(dirname "$0")/wide_accesses.cu" -o "$ptx"

# A pass reads two streams (g, m) and writes two (m, y); a weighted sum reads its terms and writes y. Numbers beside these are
# those of the last, incomplete four.
awk '
  /\.entry/ { kernel = $0 ~ /map_fours/ ? "map" : $0 ~ /combine_fours/ ? "combine" : "" }
  kernel != "" && /(ld|st)\.global/ { ++seen[kernel, $1] }
  function want(kernel, instruction, least) {
    if (seen[kernel, instruction] >= least) return
    printf "%s: %d times %s, but at least %d should be there\n", kernel, seen[kernel, instruction], instruction, least
    bad = 1
  }
  END {
    want("map", "ld.global.v4.f32", 2)
    want("map", "st.global.v4.f32", 2)
    want("map", "ld.global.v2.f64", 4)
    want("map", "st.global.v2.f64", 4)
    want("combine", "ld.global.v4.f32", 2)
    want("combine", "st.global.v4.f32", 2)
    want("combine", "ld.global.v2.f64", 4)
    want("combine", "st.global.v2.f64", 4)
    exit bad
  }
' "$ptx"
echo "passes and weighted sums move 16 bytes at a time"
