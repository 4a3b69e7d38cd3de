#!/bin/sh
# The program behind docs/results/sharpness.md, on a few small models of the digits: killed with kill -9 again and again, it
# goes on model by model; the document is made of the lines alone.
program=${POLDER_CLAIMS_SHARPNESS:?the path of polder_claims_sharpness}
set_of_runs="--set tiny --data examples/data --commit test"
. tests/cli/claims_support.sh

run_whole 12
run_killed 1 3
write_again

# With all models trained, a measure that is the gap itself orders them as the gap does; its negative the other way round.
edit() {
  sed 's/"train_loss": [^,]*,/"train_loss": 0,/; s/"train_error": [^,]*, \(.*\)"test_error": [^,]*, \(.*\)"trace": [^,]*,/"train_error": 0, \1"test_error": 0.GAP, \2"trace": SIGN0.GAP,/' \
    "$scratch/whole.jsonl" | awk -v sign="$1" '{ gsub("SIGN", sign); gsub("GAP", 1000 + NR); print }' >"$scratch/edited.jsonl"
  claims --out "$scratch/edited" --part report >"$scratch/out" 2>&1 || fail "edited lines: $(cat "$scratch/out")"
}
edit ""
grep -q '^| trace | 1.00 \[1.00, 1.00\] |.*| \*\*held\*\* |$' "$scratch/edited.md" || fail "equal orders: $(grep '^| trace |' "$scratch/edited.md")"
edit -
grep -q '^| trace | -1.00 \[-1.00, -1.00\] |.*the order is opposite |$' "$scratch/edited.md" ||
  fail "opposite orders: $(grep '^| trace |' "$scratch/edited.md")"
wrong_use
finish
