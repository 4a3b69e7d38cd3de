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
has_mpi() {
  command -v mpirun >/dev/null 2>&1 && ! "$POLDER_TRAIN" --communicator mpi --bad 2>&1 | grep -q 'without MPI'
}
