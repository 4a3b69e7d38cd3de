#!/bin/sh
# tidy.sh BUILD_DIR: clang-tidy 16 on the unit that includes every header, and on the examples, as compiled in BUILD_DIR
# (a build by clang: `cmake --preset ci`). Run from the project's root.
set -eu
. cmake/setup.sh
build=$1
clang_tidy=${CLANG_TIDY:-clang-tidy-16}
command -v "$clang_tidy" >/dev/null || { echo "tidy: $clang_tidy is missing (Debian: apt-get install clang-tidy-16)"; exit 1; }
# Each unit takes from half a minute to more than one, on one processor; the longest begins first.
# shellcheck disable=SC2016
printf '%s\n' "$build"/tests/odr/first.cpp examples/0*.cpp |
  xargs -P "$(polder_jobs)" -I UNIT sh -c '
    output=$("$1" -p "$2" --quiet "$3" 2>&1) && status=0 || status=1
    [ -z "$output" ] || printf "%s\n" "$output"
    exit "$status"' sh "$clang_tidy" "$build" UNIT
