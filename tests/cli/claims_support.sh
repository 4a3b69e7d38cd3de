# Sourced by the tests of the programs of claims, which set `program` and `set_of_runs` before.
. tests/cli/support.sh

# shellcheck disable=SC2086
claims() { "$program" $set_of_runs "$@"; }
lines() { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }
# What runs gave, but for the time that they took.
numbers() { sed 's/"\(seconds\|samples_per_second\|training_seconds\)": [^,}]*//g' "$1"; }

# run_whole LEAST: the set without a disturbance, in $scratch/whole; at least so many runs.
run_whole() {
  claims --out "$scratch/whole" >"$scratch/out" 2>&1 || fail "the whole set: $(cat "$scratch/out")"
  whole=$(lines "$scratch/whole.jsonl")
  [ "$whole" -ge "$1" ] || fail "the whole set has $whole runs"
  grep -q "^- runs: $whole of $whole, " "$scratch/whole.md" || fail "the document counts: $(grep '^- runs' "$scratch/whole.md")"
  ! grep -q 'not run yet\|too few models yet' "$scratch/whole.md" || fail "the document lacks runs that are there"
}

# run_killed MORE...: the same in $scratch/cut, killed after MORE runs each time: only whole lines, each run once, and in the
# end the same numbers.
run_killed() {
  for more in "$@"; do
    target=$(($(lines "$scratch/cut.jsonl") + more))
    # shellcheck disable=SC2086
    "$program" $set_of_runs --out "$scratch/cut" >"$scratch/out" 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$(lines "$scratch/cut.jsonl")" -lt "$target" ]; do sleep 0.005; done
    kill -9 $pid 2>/dev/null || fail "the program ended before it was killed"
    wait $pid 2>/dev/null || true
    [ -z "$(tail -c 1 "$scratch/cut.jsonl")" ] || fail "killed after $target runs: the last line is not whole"
    ! grep -qv '^{"settings": .*"machine": "[^"]*"}$' "$scratch/cut.jsonl" || fail "killed after $target runs: a line is not whole"
  done
  claims --out "$scratch/cut" --part report >"$scratch/out" 2>&1 || fail "an early document: $(cat "$scratch/out")"
  grep -q 'not all runs are done yet' "$scratch/cut.md" || fail "the early document does not tell what is missing"
  claims --out "$scratch/cut" >"$scratch/out" 2>&1 || fail "going on: $(cat "$scratch/out")"
  [ "$(lines "$scratch/cut.jsonl")" -eq "$whole" ] || fail "$(lines "$scratch/cut.jsonl") runs after kills, not $whole"
  [ "$(numbers "$scratch/cut.jsonl")" = "$(numbers "$scratch/whole.jsonl")" ] || fail "other numbers after kills"
  claims --out "$scratch/cut" >"$scratch/out" 2>&1 || fail "once more: $(cat "$scratch/out")"
  grep -q '^0 runs done now' "$scratch/out" || fail "finished runs are done again: $(cat "$scratch/out")"
}

# The document comes from the lines: the same, the same bits.
write_again() {
  cp "$scratch/whole.md" "$scratch/first.md"
  claims --out "$scratch/whole" --part report >"$scratch/out" 2>&1 || fail "the document again: $(cat "$scratch/out")"
  cmp -s "$scratch/whole.md" "$scratch/first.md" || fail "another document from the same lines"
}

# same_hash_as PATTERN: the command of the first line with the pattern is one of polder-train, with the same numbers.
same_hash_as() {
  grep "$1" "$scratch/whole.jsonl" | head -n 1 >"$scratch/line"
  arguments=$(sed 's/.*"command": "polder-train \([^"]*\)".*/\1/' "$scratch/line")
  # shellcheck disable=SC2086
  [ "$(hash_of $arguments --data examples/data)" = "$(value param_hash "$scratch/line")" ] || fail "another hash for: $arguments"
}

wrong_use() {
  status=0
  claims >"$scratch/out" 2>&1 || status=$?
  [ $status -eq 2 ] || fail "without --out it ends with status $status"
  status=0
  claims --set huge --out "$scratch/x" >"$scratch/out" 2>&1 || status=$?
  [ $status -eq 2 ] || fail "an unknown set ends with status $status"
}
