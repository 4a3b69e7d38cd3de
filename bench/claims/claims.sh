# Sourced by the scripts of claims, which say what they are:
#   claim   docs/results/$claim.md is written, by polder_claims_$claim
# --reduced: a few of the runs, with the values that the full set was tuned to where it has been, into build/claims.
set -eu
. cmake/setup.sh
out=docs/results/$claim
set=full
part=all
data=
while [ $# -gt 0 ]; do
  case $1 in
    --reduced) set=reduced ;;
    --report-only) part=report ;;
    --data | --part)
      [ $# -ge 2 ] || { echo "$claim.sh: $1: needs a value" >&2; exit 2; }
      if [ "$1" = --data ]; then data=$2; else part=$2; fi
      shift
      ;;
    *)
      echo "$claim.sh: unknown argument '$1': allowed are --reduced, --report-only, --data DIR, --part NAME" >&2
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
cmake --build build/release --target "polder_claims_$claim" -j "$(polder_jobs)"
tuning=
if [ $set = reduced ]; then
  if [ -f "$out.jsonl" ]; then tuning=$out.jsonl; fi
  out=build/claims/$claim
fi
mkdir -p "$(dirname "$out")"
exec "build/release/bench/claims/polder_claims_$claim" --out "$out" --set "$set" --part "$part" \
  ${tuning:+--tuning "$tuning"} ${data:+--data "$data"} \
  --commit "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
