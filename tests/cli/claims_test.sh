#!/bin/sh
# The program behind docs/results/saddle.md, on a set of small runs on the digits: killed with kill -9 again and again, it
# goes on run by run; the document is made of the lines alone, and each line's command gives the line's numbers.
. tests/cli/support.sh
: "${POLDER_CLAIMS:?the path of polder_claims_saddle}"

set_of_runs="--set tiny --data examples/data --commit test"
# shellcheck disable=SC2086
claims() { "$POLDER_CLAIMS" $set_of_runs "$@"; }
lines() { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }

# Without a disturbance.
claims --out "$scratch/whole" >"$scratch/out" 2>&1 || fail "the whole set: $(cat "$scratch/out")"
whole=$(lines "$scratch/whole.jsonl")
[ "$whole" -gt 40 ] || fail "the whole set has $whole runs"
grep -q "^- runs: $whole of $whole, " "$scratch/whole.md" || fail "the document counts: $(grep '^- runs' "$scratch/whole.md")"
! grep -q 'not run yet' "$scratch/whole.md" || fail "the document lacks runs that are there"

# Killed after some more runs each time: only whole lines, each run once, and in the end the same numbers.
for more in 1 2 5 9; do
  target=$(($(lines "$scratch/cut.jsonl") + more))
  # shellcheck disable=SC2086
  "$POLDER_CLAIMS" $set_of_runs --out "$scratch/cut" >"$scratch/out" 2>&1 &
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
[ "$(lines "$scratch/cut.jsonl")" -eq "$whole" ] || fail "$(lines "$scratch/cut.jsonl") runs after four kills, not $whole"
# What a run gave, but for the time that it took.
numbers() { sed 's/"\(seconds\|samples_per_second\)": [^,}]*//g' "$1"; }
[ "$(numbers "$scratch/cut.jsonl")" = "$(numbers "$scratch/whole.jsonl")" ] || fail "other numbers after four kills"
claims --out "$scratch/cut" >"$scratch/out" 2>&1 || fail "once more: $(cat "$scratch/out")"
grep -q '^0 runs done now' "$scratch/out" || fail "finished runs are done again: $(cat "$scratch/out")"

# The document comes from the lines: other numbers, another document; the same, the same bits.
cp "$scratch/whole.md" "$scratch/first.md"
claims --out "$scratch/whole" --part report >"$scratch/out" 2>&1 || fail "the document again: $(cat "$scratch/out")"
cmp -s "$scratch/whole.md" "$scratch/first.md" || fail "another document from the same lines"
sed '/"purpose": "compare"/s/"accuracy_mean_model": 0\.[0-9]*, "accuracy_worker_mean"/"accuracy_mean_model": 0.5, "accuracy_worker_mean"/' \
  "$scratch/whole.jsonl" >"$scratch/edited.jsonl"
claims --out "$scratch/edited" --part report >"$scratch/out" 2>&1 || fail "edited lines: $(cat "$scratch/out")"
grep -q '^| Q-SADDLe | 50.00 ± 0.00 |' "$scratch/edited.md" || fail "the document does not follow its lines"
grep -q 'Q-SADDLe against QGM, ring, alpha 0.1: +0.00 ± 0.00 points: \*\*did not hold\*\*' "$scratch/edited.md" ||
  fail "no gain at all is not told: $(grep 'against QGM' "$scratch/edited.md")"

# Tuning that another file holds is taken from there.
grep '"purpose": "tune"' "$scratch/whole.jsonl" >"$scratch/tuned.jsonl"
claims --out "$scratch/other" --tuning "$scratch/tuned.jsonl" >"$scratch/out" 2>&1 || fail "--tuning: $(cat "$scratch/out")"
[ "$(numbers "$scratch/other.jsonl")" = "$(numbers "$scratch/whole.jsonl")" ] || fail "other numbers with --tuning"
grep -q "^$((whole - $(lines "$scratch/tuned.jsonl"))) runs done now" "$scratch/out" || fail "tuned again: $(tail -n 2 "$scratch/out")"

# A line's command is one of polder-train, with the same numbers.
for kind in '"codec": "none"' '"codec": "qsgd:3:64"'; do
  grep "\"purpose\": \"compare\".*$kind" "$scratch/whole.jsonl" | head -n 1 >"$scratch/line"
  arguments=$(sed 's/.*"command": "polder-train \([^"]*\)".*/\1/' "$scratch/line")
  # shellcheck disable=SC2086
  [ "$(hash_of $arguments --data examples/data)" = "$(value param_hash "$scratch/line")" ] || fail "another hash for: $arguments"
done

# Wrong use.
status=0
claims >"$scratch/out" 2>&1 || status=$?
[ $status -eq 2 ] || fail "without --out it ends with status $status"
status=0
claims --set huge --out "$scratch/x" >"$scratch/out" 2>&1 || status=$?
[ $status -eq 2 ] || fail "an unknown set ends with status $status"
finish
