#!/bin/sh
# The program behind docs/results/saddle.md, on a set of small runs on the digits: killed with kill -9 again and again, it
# goes on run by run; the document is made of the lines alone, and each line's command gives the line's numbers.
program=${POLDER_CLAIMS_SADDLE:?the path of polder_claims_saddle}
set_of_runs="--set tiny --data examples/data --commit test"
. tests/cli/claims_support.sh

run_whole 41
run_killed 1 2 5 9

# Other numbers, another document.
write_again
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

same_hash_as '"purpose": "compare".*"codec": "none"'
same_hash_as '"purpose": "compare".*"codec": "qsgd:3:64"'
wrong_use
finish
