#!/bin/sh
# polder in three minutes: trains LeNet-5 on Fashion-MNIST with six methods and compares them.
#   sh examples/demo.sh [--data DIR] [--report DIR]
# --data: a folder with Fashion-MNIST in IDX files. Without it Debian's package dataset-fashion-mnist is installed; where
# neither is to be had, the 8x8 digits that come with polder take its place.
# Builds in release mode first (POLDER_JOBS compilers at a time, 2). Leaves report.html and table.txt in build/demo.
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh

data=""
report=build/demo
while [ $# -gt 0 ]; do
  case $1 in
    --data | --report)
      [ $# -ge 2 ] || { echo "demo.sh: $1: allowed: followed by a folder" >&2; exit 2; }
      [ "$1" = --data ] && data=$2 || report=$2
      shift 2
      ;;
    *)
      echo "demo.sh: unknown argument '$1': allowed: --data DIR, --report DIR" >&2
      exit 2
      ;;
  esac
done

# shellcheck disable=SC2086
polder_install $polder_packages $polder_test_packages
if [ -z "$data" ]; then
  # shellcheck disable=SC2086
  polder_install $polder_data_packages || true
  data=/usr/share/datasets
  if [ ! -d "$data/fashion-mnist" ]; then
    echo "Fashion-MNIST is not to be had on this machine (--data DIR names a copy): training on the 8x8 digits that come with polder."
    data=examples/data
  fi
fi
# An epoch of the digits has few steps.
times=1
times_two=1
if [ -n "$(find "$data" -maxdepth 1 -name 'optdigits-train*')" ]; then
  times=12
  times_two=3
fi
mkdir -p build "$report"
cmake --preset release >build/demo-configure.log 2>&1 || { cat build/demo-configure.log >&2; exit 1; }
cmake --build build/release --target polder-train -j "$(polder_jobs)"
rm -f "$report"/runs/*.json "$report"/runs/*.jsonl

# train LABEL ARGUMENT...: one run that adds itself to the report.
train() {
  label=$1
  shift
  build/release/examples/polder-train --data "$data" --report "$report" --label "$label" "$@" >"$report/last-run.txt"
}

start=$(date +%s)
echo "Part one: ten workers on a ring, each with its own mix of labels."
part_one="--workers 10 --partition dirichlet:0.1 --epochs $((6 * times)) --lr 0.05 --model lenet5"
# shellcheck disable=SC2086
{
  train "all-reduce" --method all_reduce $part_one
  train "DSGDm-N" --method dsgdm_n $part_one
  train "QGM" --method qgm $part_one
  train "Q-SADDLe" --method q_saddle --rho 0.1 $part_one
}
echo "Part two: four workers with equal shares, which speak every 16 steps and see few images many times."
part_two="--workers 4 --partition iid --train-limit 10000 --epochs $((40 * times_two)) --eval-every $((2 * times_two)) --lr 0.1 --period 16 --model lenet5"
# shellcheck disable=SC2086
{
  train "Local SGD" --method local_sgd $part_two
  train "DPPF" --method dppf --pull 0.5 --push 0.5 --push-schedule increasing $part_two
}
echo
cat "$report/table.txt"
echo "Trained in $(($(date +%s) - start)) s. The curves are in $report/report.html"
