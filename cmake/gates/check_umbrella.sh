#!/bin/sh
# check_umbrella.sh COMPILER OPTIONAL_HEADER...: polder.hpp includes every public header but the optional ones, and needs no
# optional library. Run from the project's root.
set -eu
compiler=$1
shift
optional=" polder.hpp $* "

bad=0
for header in $(cd include/polder && find . -name '*.hpp' | sed 's|^\./||' | sort); do
  included=$(grep -c "^#include \"polder/$header\"" include/polder/polder.hpp || true)
  case "$optional" in
    *" $header "*) [ "$included" = 0 ] || { echo "polder.hpp must not include $header: it needs an optional library"; bad=1; } ;;
    *) [ "$included" = 1 ] || { echo "polder.hpp must include $header"; bad=1; } ;;
  esac
done
libraries=$("$compiler" -std=c++20 -M -I include -x c++ include/polder/polder.hpp |
  grep -oE '[^ ]*/(Eigen|thrust|cub|mpi\.h|zlib\.h|lzma\.h|omp\.h)[^ ]*' | head -n 3 || true)
[ -z "$libraries" ] || { echo "polder.hpp reaches an optional library:" $libraries; bad=1; }
[ "$bad" = 0 ] && echo "check_umbrella: polder.hpp is complete and needs no optional library"
exit "$bad"
