#!/bin/sh
# Builds the benchmarks, runs them on an otherwise idle machine and writes docs/results/cpu.md: the tables as printed, with
# machine and commit. LibTorch's rows appear if its package (Debian: libtorch-dev libopenblas0-pthread) is installed.
#   sh bench/results.sh [FILE]
set -eu
cd "$(dirname "$0")/.."
file=${1:-docs/results/cpu.md}
cmake --preset bench >/dev/null
cmake --build build/bench -j "${POLDER_JOBS:-2}" >/dev/null
mkdir -p "$(dirname "$file")"

# table TITLE PROGRAM ARGUMENT...
table() {
  title=$1
  shift
  printf '\n## %s\n\n```text\n' "$title"
  "build/bench/bench/$@" --benchmark_color=false 2>/dev/null
  printf '```\n'
}

{
  echo "# Measured on a CPU"
  echo
  echo "Written by \`sh bench/results.sh\`; nothing here is edited by hand."
  echo
  echo "- machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors"
  echo "- compiler: $(c++ --version | head -n 1)"
  echo "- commit: $(git rev-parse --short HEAD)"
  echo "- BLAS behind LibTorch: $(readlink -f "$(ldd build/bench/bench/bench_engine | sed -n 's/.*libblas[^ ]* => \([^ ]*\).*/\1/p' | head -n 1)" || echo none)"
  table "Fused passes: bytes moved, and their rate as a share of memcpy's in the same run" bench_ops \
    --benchmark_filter=eigen
  table "Compressors: share of memcpy's rate over the uncompressed vector, in the same run" bench_compress
  echo
  echo "Time: the least of many, on one thread. times_libtorch: how many times as fast as LibTorch's operations for the same"
  echo "numbers, which leave out header, check sum and the look for numbers that are not finite; times_topk: as torch.topk"
  echo "alone."
  printf '\n## When compression pays\n\n```text\n'
  build/bench/bench/bench_break_even --svg build/bench/break_even.svg
  printf '```\n'
  table "Engine: training samples per second on one thread, batch 32" bench_engine
  echo
  echo "of_fma_peak: the share of what multiply-adds reach whose numbers stay in registers, in the same run. Twice the speed"
  echo "of a row above 0.5 is more than the processor can do."
  table "Exact Hessian products, in gradient evaluations" bench_hessian
  table "Rounds of communication in one process" bench_collectives
  table "A training step of LeNet-5 with many workers in one process" bench_scaling
} >"$file.tmp"
mv "$file.tmp" "$file"
echo "wrote $file"
