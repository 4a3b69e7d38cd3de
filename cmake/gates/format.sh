#!/bin/sh
# format.sh [--check]: clang-format 16 on every source file; with --check it changes nothing and fails if it would.
set -eu
clang_format=${CLANG_FORMAT:-clang-format-16}
command -v "$clang_format" >/dev/null || { echo "format: $clang_format is missing (Debian: apt-get install clang-format-16)"; exit 1; }
mode=-i
[ "${1:-}" != --check ] || mode="--dry-run -Werror"
# shellcheck disable=SC2086
find include tests examples bench \( -name '*.hpp' -o -name '*.cpp' -o -name '*.cu' \) -print0 | xargs -0 "$clang_format" $mode
