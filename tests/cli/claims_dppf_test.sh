#!/bin/sh
# The program behind docs/results/dppf.md, on a set of small runs: killed with kill -9 again and again, it goes on run by
# run; the document is made of the lines alone, and each line's command gives the line's numbers.
program=${POLDER_CLAIMS_DPPF:?the path of polder_claims_dppf}
set_of_runs="--set tiny --data examples/data --commit test"
. tests/cli/claims_support.sh

run_whole 100
run_killed 1 20 30
[ ! -e "$scratch/cut.models" ] || fail "checkpoints of the workers' models are left: $(ls "$scratch/cut.models")"

# On a quadratic without noise and momentum the width is what the closed form says.
grep -q 'the formula says, without momentum: \*\*held\*\* (within 10 % in 16 of 16 runs; observed is 1.000 to 1.000' \
  "$scratch/whole.md" || fail "widths on a quadratic: $(grep 'the formula says' "$scratch/whole.md")"

# Other numbers, another document: with every test error 50 %, DPPF is nowhere better.
write_again
sed '/"purpose": "compare"/s/"accuracy_mean_model": 0\.[0-9]*, "accuracy_worker_mean"/"accuracy_mean_model": 0.5, "accuracy_worker_mean"/' \
  "$scratch/whole.jsonl" >"$scratch/edited.jsonl"
claims --out "$scratch/edited" --part report >"$scratch/out" 2>&1 || fail "edited lines: $(cat "$scratch/out")"
grep -q '^| DPPF, SimpleAvg | 50.00 ± 0.00 |' "$scratch/edited.md" || fail "the document does not follow its lines"
grep -q 'smaller test error than QSR: held in 0 of 4 settings, in the mean only in 0, did not hold in 4' "$scratch/edited.md" ||
  fail "no gain at all is not told: $(grep 'smaller test error' "$scratch/edited.md")"

# Tuning that another file holds is taken from there.
grep '"purpose": "tune"' "$scratch/whole.jsonl" >"$scratch/tuned.jsonl"
claims --out "$scratch/other" --tuning "$scratch/tuned.jsonl" >"$scratch/out" 2>&1 || fail "--tuning: $(cat "$scratch/out")"
grep -q "^$((whole - $(lines "$scratch/tuned.jsonl"))) runs done now" "$scratch/out" || fail "tuned again: $(tail -n 2 "$scratch/out")"

same_hash_as '"purpose": "compare".*"method": "DPPF, EASGD"'
same_hash_as '"purpose": "width".*"method": "mlp:8"'
wrong_use
finish
