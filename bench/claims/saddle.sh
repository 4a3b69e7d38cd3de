#!/bin/sh
# Measures the claims about the SADDLe methods and writes docs/results/saddle.md: builds what is needed, does the runs that
# docs/results/saddle.jsonl does not hold yet, and writes the document and its pictures from these lines. Killed at any
# moment, it goes on after the last finished run. The document tells how many hours the runs took.
#   sh bench/claims/saddle.sh [--reduced] [--report-only] [--data DIR] [--part quasi_global|cross_gradients]
# --reduced: one seed, one alpha and one codec with the values that the full set was tuned to, into build/claims.
# --data: a folder with Fashion-MNIST; without it, where Debian's package dataset-fashion-mnist puts it.
set -eu
cd "$(dirname "$0")/../.."
. cmake/setup.sh
out=docs/results/saddle
set=full
part=all
data=
while [ $# -gt 0 ]; do
  case $1 in
    --reduced) set=reduced ;;
    --report-only) part=report ;;
    --data | --part)
      [ $# -ge 2 ] || { echo "saddle.sh: $1: needs a value" >&2; exit 2; }
      if [ "$1" = --data ]; then data=$2; else part=$2; fi
      shift
      ;;
    *)
      echo "saddle.sh: unknown argument '$1': allowed are --reduced, --report-only, --data DIR, --part NAME" >&2
      exit 2
      ;;
  esac
  shift
done
# shellcheck disable=SC2086
polder_install $polder_packages $polder_test_packages
if [ "$part" != report ] && [ -z "$data" ]; then
  # shellcheck disable=SC2086
  polder_install $polder_data_packages
fi
mkdir -p build "$(dirname "$out")"
cmake --preset release >build/claims-configure.log 2>&1 || { cat build/claims-configure.log >&2; exit 1; }
cmake --build build/release --target polder_claims_saddle -j "$(polder_jobs)"
tuning=
if [ $set = reduced ]; then
  tuning=docs/results/saddle.jsonl
  out=build/claims/saddle
fi
mkdir -p "$(dirname "$out")"
exec build/release/bench/claims/polder_claims_saddle --out "$out" --set "$set" --part "$part" \
  ${tuning:+--tuning "$tuning"} ${data:+--data "$data"} \
  --commit "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
