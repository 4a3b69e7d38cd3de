#!/bin/sh
# Every whole program in README.md and docs/ (a ```cpp block with a main) compiles without warnings, runs, and prints what
# the ```text block behind it says. From the project's root; CXX names the compiler.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# work/NNN.cpp, .txt (if there is one) and .name for every program
find README.md docs -name '*.md' | LC_ALL=C sort | xargs awk -v work="$work" '
  FNR == 1 { block = ""; waiting = 0 }
  /^```/ && block != "" {
    if (block == "cpp" && body ~ /int main/) {
      base = sprintf("%s/%03d", work, ++count)
      printf "%s", body > (base ".cpp")
      print FILENAME ", program " ++programs[FILENAME] > (base ".name")
      waiting = 1
    } else if (block == "text" && waiting) {
      printf "%s", body > (base ".txt")
      waiting = 0
    }
    block = ""
    next
  }
  /^```/ { block = substr($0, 4); if (block == "") block = "plain"; if (block != "text") waiting = 0; body = ""; next }
  block != "" { body = body $0 "\n" }
  block == "" && !/^$/ { waiting = 0 }'

status=0
for source in "$work"/*.cpp; do
  base=${source%.cpp}
  name=$(cat "$base.name")
  if ! "${CXX:-c++}" -std=c++20 -O1 -ffp-contract=off -Wall -Wextra -Wconversion -Wshadow -Werror -pthread -I include \
    "$source" -o "$base"; then
    echo "$name does not compile"
    status=1
  elif ! "$base" >"$base.out"; then
    echo "$name fails"
    status=1
  elif [ -e "$base.txt" ] && ! diff -u "$base.txt" "$base.out"; then
    echo "$name prints something else than the page says"
    status=1
  else
    echo "$name: ok"
  fi
done
exit "$status"
