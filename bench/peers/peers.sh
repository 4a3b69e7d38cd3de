#!/bin/sh
# The same training step in PyTorch and in JAX, in one run: prints a Markdown table on stdout, and leaves it as peers.md
# with the rows as peers.jsonl in a folder. What is not installed is left out with a word, and the exit status is 0.
#   sh bench/peers/peers.sh [FOLDER [OPTION…]]   default: build/peers; the options of torch_peers.py and jax_peers.py
#                                                but for --modes, --json and --max-seconds
#   POLDER_PYTHON   an interpreter to look at before python3; torch and jax may be found by different ones
#   PEERS_SECONDS   when no other row is begun (300; three fifths of it are PyTorch's); a minute later a row is stopped
# A folder's rows of before are overwritten, unless PEERS_KEEP=1 (to put several precisions into one table).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/bench/peers
folder=${1:-$root/build/peers}
if [ $# -gt 0 ]; then shift; fi
seconds=${PEERS_SECONDS:-300}
mkdir -p "$folder"
rows=$folder/peers.jsonl
if [ "${PEERS_KEEP:-0}" != 1 ] || [ ! -e "$rows" ]; then : >"$rows"; fi
export PYTHONDONTWRITEBYTECODE=1

# python_with MODULE: the first interpreter that has it, and NumPy.
python_with() {
  for candidate in ${POLDER_PYTHON:+"$POLDER_PYTHON"} python3 /usr/bin/python3 /opt/*/bin/python3; do
    if command -v "$candidate" >/dev/null && "$candidate" - "$1" <<'PYTHON' 2>/dev/null; then
import importlib.util, sys
sys.exit(not all(importlib.util.find_spec(module) for module in (sys.argv[1], "numpy")))
PYTHON
      echo "$candidate"
      return
    fi
  done
}

# peer MODULE SECONDS OPTION…: its rows, or why there are none.
skipped=
found=python3
peer() {
  module=$1 limit=$2
  shift 2
  python=$(python_with "$module")
  if [ -z "$python" ]; then
    said="skipped: no $module"
  else
    found=$python
    status=0
    said=$(timeout "$((limit + 60))" "$python" "$here/${module}_peers.py" --json "$rows" --max-seconds "$limit" "$@") ||
      status=$?
    if [ "$status" -eq 2 ]; then exit 2; fi
    if [ "$status" -ne 0 ]; then said="$module stopped with exit status $status; the rows before are kept"; fi
  fi
  if [ -n "$said" ]; then
    skipped="$skipped- $said
"
  fi
}
peer torch "$((seconds * 3 / 5))" "$@"
peer jax "$((seconds * 2 / 5))" "$@"

{
  printf '%s' "$skipped"
  if [ -s "$rows" ]; then "$found" "$here/table.py" "$rows"; fi
} >"$folder/peers.md"
cat "$folder/peers.md"
