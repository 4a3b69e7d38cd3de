#!/usr/bin/env bash
# compile_cost.sh COMPILER [FLAGS...]: what headers and the README's program cost to compile, as a ratio to
# `#include <Eigen/Dense>` in the same run (user seconds, without optimization). Above its budget, both are measured again
# side by side, up to eight times: a machine's speed changes within seconds. The budgets: 0.5 for a header of core/; for the
# README's program 3.5, until the aim of 2.5 is reached. Headers without a budget are
# measured where POLDER_ALL_HEADERS is set. Run from the project's root.
set -euo pipefail
compile=("$@" -std=c++20 -I include -c -o /dev/null)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT=%U

# seconds FILE: the user seconds of one compilation
seconds() {
  { time "${compile[@]}" "$1" 2>"$work/errors"; } 2>"$work/time" || { cat "$work/errors" >&2; return 1; }
  cat "$work/time"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
# above RATIO BUDGET
above() { [ "$2" != - ] && awk -v r="$1" -v b="$2" 'BEGIN { exit !(r > b) }'; }

# row NAME FILE BUDGET: prints one line of the table; a budget of "-" only reports
row() {
  local took shares verdict=""
  took=$(seconds "$2")
  shares=$(ratio "$took" "$eigen")
  for _ in 1 2 3 4 5 6 7 8; do
    above "$shares" "$3" || break
    eigen=$(seconds "$work/eigen.cpp")
    took=$(seconds "$2")
    shares=$(ratio "$took" "$eigen")
  done
  if above "$shares" "$3"; then
    verdict="  above its budget"
    failed=1
  fi
  printf '%-44s %6.2f s %6s %7s%s\n' "$1" "$took" "$shares" "$3" "$verdict"
}

failed=0
echo '#include <Eigen/Dense>' >"$work/eigen.cpp"
eigen=$(for _ in 1 2 3; do seconds "$work/eigen.cpp"; done | sort -n | head -n 1)
printf '%-44s %8s %6s %7s\n' "compiling" "time" "ratio" "budget"
row '#include <Eigen/Dense>' "$work/eigen.cpp" -
while read -r header; do
  echo "#include \"$header\"" >"$work/header.cpp"
  case "$header" in
    polder/core/*) budget=0.5 ;;
    polder/polder.hpp) budget=- ;;
    *)
      [ -n "${POLDER_ALL_HEADERS:-}" ] || continue
      budget=-
      ;;
  esac
  row "$header" "$work/header.cpp" "$budget"
done < <(cd include && find polder -name '*.hpp' | sort)

# The README's program: its first ```cpp block with a main.
[ ! -e README.md ] || awk '/^```/ { if (inside && block ~ /int main/) { printf "%s", block; exit } inside = /^```cpp/; block = ""; next }
  inside { block = block $0 "\n" }' README.md >"$work/readme.cpp"
[ ! -s "$work/readme.cpp" ] || row "the README's program" "$work/readme.cpp" 3.5
exit "$failed"
