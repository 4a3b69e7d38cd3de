# Sourced by the tests of polder-train, which CMake tells where the program is: POLDER_TRAIN.
set -eu
: "${POLDER_TRAIN:?the path of polder-train}"
# What Open MPI leaks differs between machines; what polder leaks the tests of the other folders would show.
export ASAN_OPTIONS=detect_leaks=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
failures=0

# A small run on the digits that come with polder: some hundredths of a second.
digits="--dataset digits --data examples/data --model mlp:16 --train-limit 1000 --test-limit 200"

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}
finish() {
  if [ "$failures" -gt 0 ]; then
    echo "$failures checks failed"
    exit 1
  fi
  echo "all checks passed"
  exit 0
}
# value KEY FILE: what the summary in the file's last line says.
value() {
  tail -n 1 "$2" | sed -n "s/.*\"$1\": \"\{0,1\}\([^,\"}]*\).*/\1/p"
}
# hash_of ARGUMENT...: the run's param_hash.
hash_of() {
  "$POLDER_TRAIN" "$@" >"$scratch/hash.out" && value param_hash "$scratch/hash.out"
}
# compare BACKEND MODEL ARGUMENT...: an epoch on the digits, on --backend eigen and on this one.
compare() {
  other=$1
  shift
  run="--model $*"
  for backend in eigen "$other"; do
    # shellcheck disable=SC2086
    "$POLDER_TRAIN" --dataset digits --data examples/data --test-limit 200 --epochs 1 --batch 10 $run --backend "$backend" \
      >"$scratch/$backend.out" 2>&1 || fail "$run on $backend: $(cat "$scratch/$backend.out")"
  done
}
# near KEY BOUND: both of them say the same number, to within that share of it.
near() {
  a=$(value "$1" "$scratch/eigen.out")
  b=$(value "$1" "$scratch/$other.out")
  awk -v a="$a" -v b="$b" -v bound="$2" \
    'BEGIN { gap = a < b ? b - a : a - b; exit !(length(a) > 0 && length(b) > 0 && gap <= bound * a) }' ||
    fail "$run: $1 is $a on eigen and $b on $other"
}
# same_parameters: both of them end with the same parameters, bit for bit.
same_parameters() {
  [ "$(value param_hash "$scratch/$other.out")" = "$(value param_hash "$scratch/eigen.out")" ] ||
    fail "$run: $other has other parameters than eigen"
}
has_mpi() {
  command -v mpirun >/dev/null 2>&1 && ! "$POLDER_TRAIN" --communicator mpi --bad 2>&1 | grep -q 'without MPI'
}
