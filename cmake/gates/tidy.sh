#!/bin/sh
# tidy.sh BUILD_DIR: clang-tidy 16 on the unit that includes every header, and on the examples, as compiled in BUILD_DIR
# (a build by clang: `cmake --preset ci`).
set -eu
build=$1
clang_tidy=${CLANG_TIDY:-clang-tidy-16}
command -v "$clang_tidy" >/dev/null || { echo "tidy: $clang_tidy is missing (Debian: apt-get install clang-tidy-16)"; exit 1; }
status=0
for unit in "$build"/tests/odr/first.cpp examples/0*.cpp; do
  "$clang_tidy" -p "$build" --quiet "$unit" || status=1
done
exit "$status"
